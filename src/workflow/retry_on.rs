//! Which failures of a step are retried.

use super::exit_codes::ExitCodes;

/// How the process of a failed attempt ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EndCause {
    /// With an exit code.
    Exit,
    /// By a signal that wfx did not send.
    Signal,
    /// wfx ended it, since its `timeout` was over.
    Timeout,
    /// There was no process, or its outputs could not be read.
    #[default]
    Other,
}

/// The keys `on_exit_codes` and `on_timeout` of `retry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryOn {
    /// Only these exit codes are retried; empty: every failure.
    pub exit_codes: ExitCodes,
    /// Whether a timeout is retried.
    pub timeout: bool,
}

impl Default for RetryOn {
    fn default() -> Self {
        Self { exit_codes: ExitCodes::default(), timeout: true }
    }
}

impl RetryOn {
    /// Whether a failed attempt is to be followed by another one. A process that a signal ended is
    /// always retried: it did not decide that itself.
    #[must_use]
    pub fn covers(&self, cause: EndCause, exit_code: Option<i32>) -> bool {
        match cause {
            EndCause::Timeout => self.timeout,
            EndCause::Signal => true,
            _ if self.exit_codes.is_empty() => true,
            EndCause::Exit => exit_code.is_some_and(|code| self.exit_codes.contains(code)),
            EndCause::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::exit_codes::ExitRange;
    use super::*;

    #[test]
    fn what_is_retried() {
        let listed = |timeout| RetryOn {
            exit_codes: ExitCodes::new(vec![
                ExitRange { first: 75, last: 75 },
                ExitRange { first: 64, last: 70 },
            ]),
            timeout,
        };
        for (code, expected) in [(63, false), (64, true), (70, true), (71, false), (75, true)] {
            assert_eq!(listed(true).covers(EndCause::Exit, Some(code)), expected, "{code}");
        }
        // 128 + 9: as shells count a signal, which is not the exit code 137.
        assert!(listed(false).covers(EndCause::Signal, Some(137)));
        assert!(!listed(false).covers(EndCause::Exit, Some(137)));
        assert!(!listed(true).covers(EndCause::Other, None));
        for timeout in [true, false] {
            assert_eq!(listed(timeout).covers(EndCause::Timeout, Some(143)), timeout);
            let only = RetryOn { timeout, ..RetryOn::default() };
            assert_eq!(only.covers(EndCause::Timeout, None), timeout);
            assert!(only.covers(EndCause::Other, None) && only.covers(EndCause::Exit, Some(1)));
        }
    }
}
