//! What whoever starts an execution is told as soon as it is known whether it is stored.

use tokio::sync::oneshot;

use super::execution::Execution;
use super::memory;
use super::record::ExecutionDetail;

/// How an execution was launched.
#[derive(Debug)]
pub struct Launched {
    /// Whether it is stored.
    pub persisted: bool,
    /// How it stands, where its end is stored already and somebody waits for that: nobody has
    /// to read it back.
    pub ended: Option<Box<ExecutionDetail>>,
}

/// Tells of a launch, once.
#[derive(Debug)]
pub struct Launch {
    told: oneshot::Sender<Launched>,
    with_end: bool,
}

impl Launch {
    /// One, and where it is heard of. `with_end`: somebody waits for the end.
    #[must_use]
    pub fn new(with_end: bool) -> (Self, oneshot::Receiver<Launched>) {
        let (told, heard) = oneshot::channel();
        (Self { told, with_end }, heard)
    }

    /// It goes on without being stored.
    pub(super) fn unstored(self) {
        // Whoever asked may be gone.
        let _ = self.told.send(Launched { persisted: false, ended: None });
    }

    /// A commit holds it, under `seq`; `is_over`: its end as well. No attempt wrote anything
    /// then, since none begins before such a commit.
    pub(super) fn stored(self, execution: &Execution, seq: Option<i64>, is_over: bool) {
        let ended = seq.filter(|_| self.with_end && is_over);
        let ended = ended.map(|seq| Box::new(memory::stored(execution, seq)));
        let _ = self.told.send(Launched { persisted: true, ended });
    }
}
