//! The process group of a step: signals to it, and whether anyone is left in it.

use rustix::process::{Pid, Signal};

/// A process group, named by its first process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group(Pid);

impl Group {
    /// The group that the process `pid` leads.
    #[must_use]
    pub(crate) fn led_by(pid: u32) -> Option<Self> {
        i32::try_from(pid).ok().and_then(Pid::from_raw).map(Self)
    }

    /// The first process.
    #[must_use]
    pub(crate) fn leader(self) -> Pid {
        self.0
    }

    /// Asks all of it to end with this signal.
    pub(crate) fn ask(self, signal: Signal) {
        self.signal(signal);
        // A stopped process receives the request only when it is continued.
        self.signal(Signal::CONT);
    }

    /// Ends all of it.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        // No process is left, or none that may be signalled: the tree checks what remains.
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether no process is left. A process that ended and is not reaped yet still counts.
    #[must_use]
    pub(crate) fn is_empty(self) -> bool {
        rustix::process::test_kill_process_group(self.0) == Err(rustix::io::Errno::SRCH)
    }
}
