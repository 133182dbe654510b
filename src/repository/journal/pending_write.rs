//! What one execution has to be stored, between the engine and the writer, and how far it is.
//!
//! The engine records changes here; the writer's queue holds only *which* executions have some,
//! and takes the newest state when it commits. So any number of changes cost one write, and a
//! full queue loses nothing.

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::StoreError;
use super::output::OutputLane;
use super::sync::{Mutex, MutexGuard};
use crate::workflow::concurrency::WaitingFor;
use crate::workflow::record::Change;

/// How far an execution is stored.
#[derive(Debug, Clone, Default)]
pub struct CommitStatus {
    /// The last version that a commit holds, as far as that was reported; 0: nothing.
    pub version: u64,
    /// The number that it has in the database.
    pub seq: Option<i64>,
    /// The repository will never take this execution, and why.
    pub refused: Option<Arc<StoreError>>,
    /// Nothing more of it will be stored: it was [withdrawn](PendingWrite::withdraw).
    pub withdrawn: bool,
    /// Whether it waits for a slot of its concurrency group.
    pub slot: SlotStatus,
}

/// Whether an execution has the slot that it needs.
#[derive(Debug, Clone, Default)]
pub enum SlotStatus {
    /// It needs none, or it was stored with one.
    #[default]
    Held,
    /// It is stored as one that waits: nothing of its start is.
    Waiting(Arc<WaitingFor>),
    /// It waited, and has its slot now.
    Granted,
}

/// What one execution has to be stored.
#[derive(Debug)]
pub struct PendingWrite {
    execution_id: String,
    state: Mutex<State>,
    stored: watch::Sender<CommitStatus>,
    /// What its steps printed.
    output: OutputLane,
}

#[derive(Debug, Default)]
struct State {
    /// What the writer has not taken.
    change: Option<Change>,
    version: u64,
    queued: bool,
    phase: Phase,
}

/// What became of the first write, which alone can be withdrawn, and whether the writer holds one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No commit holds any of it.
    #[default]
    New,
    /// The writer has taken the first change and does not know yet what becomes of it.
    FirstInFlight,
    /// The same, and it is to be withdrawn unless that is committed.
    Withdrawing,
    /// Nothing of it is stored, nor ever will be.
    Withdrawn,
    /// A commit holds some of it, acknowledged or not.
    Committed,
    /// The same, and the writer has taken a further change.
    CommittedInFlight,
}

impl PendingWrite {
    /// Of an execution of which nothing is recorded yet.
    #[must_use]
    pub fn new(execution_id: String) -> Arc<Self> {
        Arc::new(Self {
            execution_id,
            state: Mutex::default(),
            stored: watch::Sender::default(),
            output: OutputLane::default(),
        })
    }

    /// Which execution.
    #[must_use]
    pub fn execution_id(&self) -> &str {
        &self.execution_id
    }

    /// What its steps printed, on its way to the database.
    pub(crate) fn output(&self) -> &OutputLane {
        &self.output
    }

    /// Whether a commit holds some of it, so that its output can be stored.
    pub(crate) fn is_committed(&self) -> bool {
        matches!(self.lock().phase, Phase::Committed | Phase::CommittedInFlight)
    }

    /// Nothing is stored of it and nothing ever will be.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.lock().phase == Phase::Withdrawn
    }

    /// Adds a change and returns its version: once [`CommitStatus::version`] has reached
    /// it, the change is durable. Of one that was withdrawn nothing is stored.
    pub fn record(&self, change: Change) -> u64 {
        let mut state = self.lock();
        if state.phase != Phase::Withdrawn {
            match &mut state.change {
                Some(earlier) => earlier.merge(change),
                None => state.change = Some(change),
            }
        }
        state.version += 1;
        state.version
    }

    /// Whether something is recorded of which no commit was reported yet.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.lock().version > self.stored.borrow().version
    }

    /// Follows what is stored.
    #[must_use]
    pub fn stored(&self) -> watch::Receiver<CommitStatus> {
        self.stored.subscribe()
    }

    /// Asks that an execution of which nothing is stored is not stored after all.
    /// [`CommitStatus::withdrawn`] says that it will not be, [`CommitStatus::version`] that a commit
    /// came first: then it goes on as if nothing was asked.
    pub fn withdraw(&self) {
        let mut state = self.lock();
        match state.phase {
            Phase::New => self.end_withdrawn(&mut state),
            Phase::FirstInFlight => state.phase = Phase::Withdrawing,
            Phase::Withdrawing | Phase::Withdrawn => {}
            Phase::Committed | Phase::CommittedInFlight => {}
        }
    }

    fn end_withdrawn(&self, state: &mut State) {
        state.change = None;
        state.phase = Phase::Withdrawn;
        self.stored.send_modify(|stored| stored.withdrawn = true);
    }

    /// Marks it as queued; `false` when it was already.
    pub(crate) fn mark_queued(&self) -> bool {
        !std::mem::replace(&mut self.lock().queued, true)
    }

    /// Takes it out of the queue without storing anything.
    pub(crate) fn unmark_queued(&self) {
        self.lock().queued = false;
    }

    /// What is to be stored now, with its version. It is no longer queued.
    pub(crate) fn take(&self) -> Option<(Change, u64)> {
        let mut state = self.lock();
        state.queued = false;
        let change = state.change.take()?;
        state.phase = match state.phase {
            Phase::New => Phase::FirstInFlight,
            Phase::Committed => Phase::CommittedInFlight,
            // The one worker returns what it took before it takes more, and what is withdrawn
            // has no change.
            same @ (Phase::FirstInFlight
            | Phase::Withdrawing
            | Phase::Withdrawn
            | Phase::CommittedInFlight) => same,
        };
        Some((change, state.version))
    }

    /// Puts back what could not be stored, under what was recorded since.
    pub(crate) fn put_back(&self, mut change: Change) {
        let mut state = self.lock();
        state.phase = match state.phase {
            Phase::Withdrawing | Phase::Withdrawn => return self.end_withdrawn(&mut state),
            Phase::New | Phase::FirstInFlight => Phase::New,
            Phase::Committed | Phase::CommittedInFlight => Phase::Committed,
        };
        if let Some(later) = state.change.take() {
            change.merge(later);
        }
        state.change = Some(change);
    }

    /// Whether what was taken is to be withdrawn, so that it is better not written.
    pub(crate) fn is_withdrawing(&self) -> bool {
        self.lock().phase == Phase::Withdrawing
    }

    /// A commit holds some of it, to be acknowledged by [`Self::acknowledge`].
    pub(crate) fn committed(&self) {
        self.lock().phase = Phase::Committed;
    }

    /// No commit will hold what was taken, to be reported by [`Self::refused`].
    pub(crate) fn given_up(&self) {
        let mut state = self.lock();
        state.phase = match state.phase {
            Phase::New | Phase::FirstInFlight => Phase::New,
            Phase::Withdrawing | Phase::Withdrawn => {
                state.change = None;
                Phase::Withdrawn
            }
            Phase::Committed | Phase::CommittedInFlight => Phase::Committed,
        };
    }

    /// A commit holds everything up to `version`.
    pub(crate) fn acknowledge(&self, version: u64, seq: i64) {
        self.stored.send_if_modified(|stored| {
            let is_news = stored.version < version;
            if is_news {
                (stored.version, stored.seq) = (version, Some(seq));
            }
            is_news
        });
    }

    /// A commit holds it as one that waits, and nothing of what was recorded of its start.
    pub(crate) fn waits(&self, version: u64, seq: i64, on: Arc<WaitingFor>) {
        self.stored.send_modify(|stored| {
            (stored.version, stored.seq) = (version, Some(seq));
            stored.slot = SlotStatus::Waiting(on);
        });
    }

    /// A commit gives it the slot that it waited for.
    pub(crate) fn granted(&self) {
        self.stored.send_modify(|stored| stored.slot = SlotStatus::Granted);
    }

    /// No commit will ever hold this execution.
    pub(crate) fn refused(&self, error: Arc<StoreError>) {
        let state = self.lock();
        self.stored.send_modify(|stored| {
            stored.refused = Some(error);
            stored.withdrawn |= state.phase == Phase::Withdrawn;
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave the fields half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
