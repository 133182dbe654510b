//! The exit codes of `wfx`, as the contract with scripts has them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Success,
    /// 1: the thing checked failed: an execution failed, was interrupted or cancelled.
    Failed,
    /// 2: bad usage or bad input.
    Usage,
    /// 3: the environment failed: database, network, target.
    Environment,
    /// 4: inconclusive: the measurement allows no verdict. Never a pass.
    Inconclusive,
    /// 130: ended by SIGINT, after the state was written.
    Interrupted,
    /// 143: ended by SIGTERM, after the state was written.
    Terminated,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Inconclusive => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
