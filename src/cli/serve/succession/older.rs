//! Older processes of this service, which run their executions to the end.

use futures_util::future;

use super::link::{Link, Message};

/// The links to them.
#[derive(Debug, Default)]
pub(crate) struct Older(Vec<Link>);

impl Older {
    pub(super) fn new(links: Vec<Link>) -> Self {
        Self(links)
    }

    /// Those that have not ended, at most so many: of more, the last ones.
    pub(super) fn alive(&mut self, max: usize) -> &[Link] {
        self.0.retain_mut(|link| {
            // One that has ended is closed; none says anything.
            future::FutureExt::now_or_never(link.receive()).is_none()
        });
        &self.0[self.0.len().saturating_sub(max)..]
    }

    /// Waits until one of them has ended; for ever, if there is none. May be cancelled.
    pub(crate) async fn one_ended(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let closed = self.0.iter_mut().map(|link| Box::pin(link.closed()));
        let ((), ended, _) = future::select_all(closed).await;
        drop(self.0.swap_remove(ended));
    }

    /// Asks them to end their executions as SIGTERM does; `now`: as a second one does.
    pub(crate) async fn stop(&mut self, now: bool) {
        for link in &mut self.0 {
            // Who has ended hears nothing.
            let _ = link.send(&Message::Stop { now }).await;
        }
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(&mut self) {
        future::join_all(self.0.iter_mut().map(Link::closed)).await;
    }
}
