//! What whoever starts an execution is told as soon as it is known whether it is stored.

use tokio::sync::oneshot;

use super::memory;
use crate::workflow::execution::Execution;
use crate::workflow::record::ExecutionDetail;

/// How an execution was launched.
#[derive(Debug)]
pub struct StartOutcome {
    /// Whether it is stored.
    pub persisted: bool,
    /// The number of one whose end is stored already.
    pub ended_as: Option<i64>,
}

/// Tells of a launch, once.
#[derive(Debug)]
pub struct StartAck {
    sender: oneshot::Sender<StartOutcome>,
    with_end: bool,
    foreseen: Option<oneshot::Sender<Box<ExecutionDetail>>>,
}

/// Where a launch is told of.
#[derive(Debug)]
pub struct StartAckReceiver {
    /// Whether it is stored, once that is known.
    pub launched: oneshot::Receiver<StartOutcome>,
    /// How it will stand, of one that ends as it begins and whose end is waited for: told while
    /// that is being stored, and without its number. Closed for one that goes on.
    pub foreseen: Option<oneshot::Receiver<Box<ExecutionDetail>>>,
}

impl StartAck {
    /// One, and where it is told of. `with_end`: somebody waits for the end.
    #[must_use]
    pub fn new(with_end: bool) -> (Self, StartAckReceiver) {
        let (sender, launched) = oneshot::channel();
        let (foreseeing, foreseen) = with_end.then(oneshot::channel).unzip();
        (Self { sender, with_end, foreseen: foreseeing }, StartAckReceiver { launched, foreseen })
    }

    /// Whether somebody waits for the end.
    pub(crate) fn is_with_end(&self) -> bool {
        self.with_end
    }

    /// It has begun: if it ended with that, nobody will have to read it back. No attempt wrote
    /// anything, since none begins before a commit.
    pub(crate) fn begun(&mut self, execution: &Execution) {
        let Some(foreseen) = self.foreseen.take() else { return };
        if execution.head().status.is_terminal() {
            // Whoever asked may be gone.
            let _ = foreseen.send(Box::new(memory::foreseen(execution)));
        }
    }

    /// It goes on without being stored.
    pub(crate) fn unstored(self) {
        let _ = self.sender.send(StartOutcome { persisted: false, ended_as: None });
    }

    /// A commit holds it, under `seq`; `is_over`: its end as well.
    pub(crate) fn stored(self, seq: Option<i64>, is_over: bool) {
        let ended_as = seq.filter(|_| is_over);
        let _ = self.sender.send(StartOutcome { persisted: true, ended_as });
    }
}
