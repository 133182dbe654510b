//! The acknowledgement of a start: reports to the caller whether the execution is stored, as soon
//! as that is known.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::memory;
use crate::repository::StoreError;
use crate::workflow::concurrency::WaitingFor;
use crate::workflow::execution::Execution;
use crate::workflow::record::ExecutionDetail;

/// The result of a start.
#[derive(Debug)]
pub struct StartOutcome {
    /// Whether it is stored.
    pub persisted: bool,
    /// The number of one whose end is stored already.
    pub ended_as: Option<i64>,
    /// What it waits for before it begins.
    pub waiting_for: Option<Arc<WaitingFor>>,
    /// Why it is not started, though it cannot be known yet whether it is stored.
    pub refused: Option<Arc<StoreError>>,
}

/// Reports the result of a start, once.
#[derive(Debug)]
pub(crate) struct StartAck {
    sender: oneshot::Sender<StartOutcome>,
    with_end: bool,
    foreseen: Option<oneshot::Sender<Box<ExecutionDetail>>>,
}

/// Receives the result of a start.
#[derive(Debug)]
pub struct StartAckReceiver {
    /// Whether it is stored, once that is known.
    pub launched: oneshot::Receiver<StartOutcome>,
    /// The predicted state of an execution that ends as it begins and whose end is waited for. It
    /// is sent while that is being stored, and has no number yet. Closed if the execution
    /// continues.
    pub foreseen: Option<oneshot::Receiver<Box<ExecutionDetail>>>,
}

impl StartAck {
    /// A sender and its receiver. `with_end`: the caller waits for the end.
    #[must_use]
    pub(crate) fn new(with_end: bool) -> (Self, StartAckReceiver) {
        let (sender, launched) = oneshot::channel();
        let (foreseeing, foreseen) = with_end.then(oneshot::channel).unzip();
        (Self { sender, with_end, foreseen: foreseeing }, StartAckReceiver { launched, foreseen })
    }

    /// Whether the caller waits for the end.
    pub(crate) fn is_with_end(&self) -> bool {
        self.with_end
    }

    /// Reports the state of an execution that ended as it began, so that it need not be read back.
    /// No attempt wrote anything, since none begins before a commit.
    pub(crate) fn begun(&mut self, execution: &Execution) {
        let Some(foreseen) = self.foreseen.take() else { return };
        // The output of reused steps is read from the database.
        if execution.head().status.is_terminal() && execution.spec().reused.is_empty() {
            // The caller may be gone.
            let _ = foreseen.send(Box::new(memory::foreseen(execution)));
        }
    }

    /// Reports that it proceeds unstored.
    pub(crate) fn unstored(self) {
        self.send(StartOutcome { persisted: false, ..StartOutcome::stored() });
    }

    /// Reports that it is committed under `seq`; `is_over`: its end as well.
    pub(crate) fn stored(self, seq: Option<i64>, is_over: bool) {
        let ended_as = seq.filter(|_| is_over);
        self.send(StartOutcome { ended_as, ..StartOutcome::stored() });
    }

    /// Reports that it is committed as one that waits.
    pub(crate) fn waits(self, on: Arc<WaitingFor>) {
        self.send(StartOutcome { waiting_for: Some(on), ..StartOutcome::stored() });
    }

    /// Reports that it is not started: it is withdrawn, or cancelled should a commit come first.
    pub(crate) fn refused(self, error: Arc<StoreError>) {
        let refused = Some(error);
        self.send(StartOutcome { persisted: false, refused, ..StartOutcome::stored() });
    }

    fn send(self, outcome: StartOutcome) {
        // The caller may be gone.
        let _ = self.sender.send(outcome);
    }
}

impl StartOutcome {
    fn stored() -> Self {
        Self { persisted: true, ended_as: None, waiting_for: None, refused: None }
    }
}
