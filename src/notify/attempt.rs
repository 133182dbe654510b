//! How an attempt fails, whatever it is made with.

use std::time::Duration;

/// How long a receiver may take to answer.
pub(crate) const ATTEMPT_TIME: Duration = Duration::from_secs(10);

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the receiver answered, or why it did not. It has no URL.
    pub(crate) why: String,
    /// How long the receiver wants to be left alone.
    pub(crate) wait: Option<Duration>,
    /// The receiver would give the same answer again.
    pub(crate) is_final: bool,
}

impl Failure {
    /// One that may be over at the next attempt.
    pub(super) fn passing(why: String) -> Self {
        Self { why, wait: None, is_final: false }
    }
}
