//! The process group of a step: signals to it, and whether anyone is left in it.

use rustix::process::{Pid, Signal};

/// A process group, named by its first process.
#[derive(Debug, Clone, Copy)]
pub struct Group(Pid);

impl Group {
    /// The group that the process `pid` leads.
    #[must_use]
    pub fn led_by(pid: u32) -> Option<Self> {
        i32::try_from(pid).ok().and_then(Pid::from_raw).map(Self)
    }

    /// The first process.
    #[must_use]
    pub fn leader(self) -> Pid {
        self.0
    }

    /// Asks all of it to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
        // A stopped process takes the request only when it goes on.
        self.signal(Signal::CONT);
    }

    /// Ends all of it.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        // Nobody left, or nobody we may signal: `is_empty` tells what remains.
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether nobody is left. A process that ended and waits for its parent to
    /// notice still counts, see [`Self::is_lifeless`].
    #[must_use]
    pub fn is_empty(self) -> bool {
        rustix::process::test_kill_process_group(self.0) == Err(rustix::io::Errno::SRCH)
    }

    /// Whether everyone left has ended and only waits to be noticed, which in a
    /// container without an init may be for ever. Reads all of `/proc`.
    #[must_use]
    pub fn is_lifeless(self) -> bool {
        let Ok(processes) = std::fs::read_dir("/proc") else { return false };
        let leader = self.0.as_raw_nonzero().get().to_string();
        !processes.filter_map(Result::ok).any(|process| {
            let is_process = process.file_name().as_encoded_bytes()[0].is_ascii_digit();
            is_process
                && std::fs::read_to_string(process.path().join("stat"))
                    .is_ok_and(|stat| is_living_member(&stat, &leader))
        })
    }
}

/// Reads one line of `/proc/PID/stat`, `pid (name) state ppid pgrp …`, proc(5).
fn is_living_member(stat: &str, group: &str) -> bool {
    // The name may hold anything, so what counts comes after the last bracket.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
    let mut fields = fields.split(' ');
    let state = fields.next();
    fields.nth(1) == Some(group) && !matches!(state, Some("Z" | "X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_by_group_and_state() {
        assert!(is_living_member("7 (a) b) S 1 42 42 0 -1", "42"));
        assert!(!is_living_member("7 (sh) Z 1 42 42 0 -1", "42"));
        assert!(!is_living_member("7 (sh) S 1 43 42 0 -1", "42"));
        assert!(!is_living_member("", "42"));
    }
}
