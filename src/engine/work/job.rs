//! The command of a step and its surroundings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal;
use rustix::process::Signal;

use super::scratch::ScratchFile;
use crate::base::period::Period;
use crate::workflow::definition::{Step, Work};
use crate::workflow::environment::Variables;
use crate::workflow::record::AttemptKey;
use crate::workflow::spec::ExecutionSpec;

/// Between the signal that asks a process to end and SIGKILL, if the step does not set it.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// A command to be run once.
#[derive(Debug)]
pub(crate) struct Job {
    /// What the step belongs to.
    pub spec: Arc<ExecutionSpec>,
    /// Its index in the list of steps.
    pub step: usize,
    /// Where it runs.
    pub folder: PathBuf,
    /// Its whole environment, except the output file.
    pub variables: Variables,
    /// The empty file for its outputs.
    pub output_file: ScratchFile,
    /// What its processes work for.
    pub key: AttemptKey,
}

/// How the processes of a step are asked to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// The first signal.
    pub signal: Signal,
    /// The time until SIGKILL.
    pub grace: Duration,
}

impl Job {
    fn step(&self) -> &Step {
        self.spec.step(self.step)
    }

    /// The command line or the program.
    pub(crate) fn work(&self) -> &Work {
        &self.step().work
    }

    /// Longest time.
    pub(crate) fn timeout(&self) -> Option<Period> {
        self.step().timeout
    }

    /// The program and arguments that get a command line, unless that is `sh -c --`.
    pub(crate) fn shell(&self) -> Option<&[String]> {
        let of_step = self.step().process.shell.as_deref();
        of_step.or(self.spec.snapshot.definition().shell.as_deref())
    }

    /// How its processes are asked to end.
    pub(crate) fn ask(&self) -> Ask {
        let process = &self.step().process;
        let signal = process.stop_signal.and_then(signal_named).unwrap_or(Signal::TERM);
        Ask { signal, grace: process.stop_timeout.map_or(GRACE, Period::duration) }
    }

    /// Whether it succeeds with this exit code.
    pub(crate) fn is_success(&self, exit_code: i32) -> bool {
        self.step().process.is_success(exit_code)
    }

    /// Whether this exit code says that there was nothing to do.
    pub(crate) fn is_skip(&self, exit_code: i32) -> bool {
        self.step().flow.skip_exit_codes.contains(exit_code)
    }

    /// The output that holds its standard output.
    pub(crate) fn stdout_output(&self) -> Option<&str> {
        self.step().process.stdout.as_deref()
    }
}

/// The signal of this name, which has no `SIG`; `None` if this system does not have it.
fn signal_named(name: &str) -> Option<Signal> {
    let signal: signal::Signal = format!("SIG{name}").parse().ok()?;
    Signal::from_named_raw(signal as i32)
}
