//! What systemd, or another service manager, is notified of: sd_notify(3). Only the main process of
//! the service notifies it.

use sd_notify::NotifyState;
use tokio::time;
use tokio_util::sync::CancellationToken;

fn notify(states: &[NotifyState<'_>]) {
    // The daemon serves all the same.
    let _ = sd_notify::notify(states);
}

/// The daemon serves.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// It begins to hand over to a successor.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    states.push(NotifyState::Status("starting a successor"));
    notify(&states);
}

/// It goes on, since there is no successor.
pub(super) fn not_reloaded(why: &str) {
    // A line of its own for each state.
    let status = format!("not reloaded: {}", why.lines().next().unwrap_or_default());
    notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Another process is the main process from now on: it sends the next sign of life in its turn.
pub(super) fn handed_over(pid: u32) {
    notify(&[
        NotifyState::MainPid(pid),
        NotifyState::Ready,
        NotifyState::Watchdog,
        NotifyState::Status("serving"),
    ]);
}

/// It stops.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Sends signs of life for as long as this is the main process.
pub(super) async fn keep_watchdog_quiet(handed_over: CancellationToken) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    while !handed_over.is_cancelled() {
        notify(&[NotifyState::Watchdog]);
        tokio::select! {
            () = handed_over.cancelled() => {}
            () = time::sleep(period / 2) => {}
        }
    }
}
