//! How long a request may wait for what it started.

use std::fmt::{self, Debug};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::base::clock;

/// Is notified of requests that wait, and can end their wait early.
pub(in crate::http) trait WaitRegistry: Send + Sync {
    /// A request waits since then, until `hurry` is cancelled at most.
    fn begin_wait(&self, since: Instant, hurry: CancellationToken);

    /// It waits no longer.
    fn end_wait(&self);

    /// It is answered early.
    fn note_answered_early(&self);
}

/// A wait with a limit, which is shorter when other connections need the slot of this one.
#[derive(Clone)]
pub struct BoundedWait(Arc<dyn WaitRegistry>);

impl Debug for BoundedWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedWait")
    }
}

impl BoundedWait {
    pub(in crate::http) fn new(registry: Arc<dyn WaitRegistry>) -> Self {
        Self(registry)
    }

    /// The output of `ended`; `None` when that takes longer than `limit`, or others need the slot.
    pub async fn wait_for<F: Future>(&self, limit: Duration, ended: F) -> Option<F::Output> {
        let hurry = CancellationToken::new();
        self.0.begin_wait(clock::monotonic(), hurry.clone());
        let _guard = EndsWait(&*self.0);
        tokio::select! {
            biased;
            ended = tokio::time::timeout(limit, ended) => ended.ok(),
            () = hurry.cancelled() => {
                self.0.note_answered_early();
                None
            }
        }
    }
}

/// Ends the wait when it is dropped.
struct EndsWait<'r>(&'r dyn WaitRegistry);

impl Drop for EndsWait<'_> {
    fn drop(&mut self) {
        self.0.end_wait();
    }
}
