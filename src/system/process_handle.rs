//! A process that is no child, and that can be sent signals: never another one that has got its
//! number meanwhile.

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};

/// A process.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    /// pidfd_open(2).
    #[cfg(target_os = "linux")]
    handle: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    pid: Pid,
}

impl ProcessHandle {
    /// The process that has this number now; `None` when there is none.
    pub(crate) fn open(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(pid.cast_signed())?;
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{PidfdFlags, pidfd_open};
            Some(Self { handle: pidfd_open(pid, PidfdFlags::empty()).ok()? })
        }
        #[cfg(not(target_os = "linux"))]
        Some(Self { pid })
    }

    /// Sends a signal, unless the process has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::pidfd_send_signal(&self.handle, signal);
        #[cfg(not(target_os = "linux"))]
        let _ = rustix::process::kill_process(self.pid, signal);
    }
}
