//! The command of a step and its surroundings.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::period::Period;
use crate::workflow::definition::Work;
use crate::workflow::environment::Variables;
use crate::workflow::record::AttemptKey;

/// Between SIGTERM and SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// A command to be run once.
#[derive(Debug)]
pub(crate) struct Job {
    /// The command line or the program.
    pub work: Work,
    /// Where it runs.
    pub folder: PathBuf,
    /// Its whole environment, except the output file.
    pub variables: Variables,
    /// The empty file for its outputs.
    pub output_file: PathBuf,
    /// Longest time.
    pub timeout: Option<Period>,
    /// Exit codes that say that there was nothing to do.
    pub skip_exit_codes: Vec<u8>,
    /// What its processes work for.
    pub key: AttemptKey,
}
