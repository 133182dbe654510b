//! Waits that end when they should.
//!
//! tokio's timer has a resolution of milliseconds, so a send would be up to 2 ms late. On Linux a
//! timerfd has the precision of the kernel's high-resolution timers and no timer slack, and it
//! wakes the sending thread directly.

use std::io;
use std::time::Instant;

use crate::base::clock;

#[cfg(target_os = "linux")]
mod precise {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[expect(
            deprecated,
            reason = "what takes its place is unsafe, for descriptors that can be swapped; an OwnedFd cannot"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(AsyncFd::with_interest(timer, tokio::io::Interest::READABLE)?))
        }

        pub(super) async fn sleep(&self, duration: Duration) -> io::Result<()> {
            let once = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: duration.subsec_nanos().into(),
                },
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            loop {
                let mut guard = self.0.readable().await?;
                let mut expirations = [0; 8];
                let read = |fd: &AsyncFd<OwnedFd>| Ok(rustix::io::read(fd, &mut expirations)?);
                if let Ok(read) = guard.try_io(read) {
                    return read.map(|_| ());
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod precise {
    use std::io;
    use std::time::Duration;

    #[derive(Debug)]
    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep(&self, duration: Duration) -> io::Result<()> {
            tokio::time::sleep(duration).await;
            Ok(())
        }
    }
}

/// Due sends in a row before the thread handles answers again.
const BURST: u32 = 8;

/// Waits of one thread.
#[derive(Debug)]
pub(super) struct Timer {
    precise: precise::Timer,
    burst: u32,
}

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { precise: precise::Timer::new()?, burst: 0 })
    }

    /// Waits until `due`; yields from time to time when that is past.
    pub(super) async fn until(&mut self, due: Instant) -> io::Result<()> {
        let left = due.saturating_duration_since(clock::monotonic());
        if !left.is_zero() {
            self.burst = 0;
            return self.precise.sleep(left).await;
        }
        self.burst += 1;
        if self.burst.is_multiple_of(BURST) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
