//! Continues executions whose process died: takes them over, ends the remaining processes, runs
//! them side by side. It can be killed and run again safely, since each execution belongs to a
//! process at every moment.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::cancel::Cancel;
use super::driver::RunError;
use super::supervisor::Supervisor;
use super::work::orphans::{Ended, Ender, Left, Survivor};
use crate::repository::ownership::Doubt;
use crate::repository::{Abandonment, Of, StoreError, TakenOver, Which};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::{Observer, Report};

/// How many executions run side by side. A resting execution, whose steps all sleep or wait for a
/// retry, does not count.
pub const SIDE_BY_SIDE: usize = 32;
/// The most executions taken over at a time: bounds memory, and saves reads of all processes.
pub(crate) const BATCH: usize = 256;

/// How one execution came out.
#[derive(Debug)]
pub struct Recovered {
    /// Its id.
    pub execution_id: String,
    /// What it runs.
    pub workflow_id: String,
    /// Who had it.
    pub previous_owner: Option<String>,
    /// How it ended.
    pub outcome: Result<ExecutionStatus, RunError>,
}

/// What an observer of a recovery receives.
pub trait Watcher: Send + Sync {
    /// Processes that were left were ended.
    fn ended_processes(&self, count: usize);
    /// An execution is left alone, since this process works for it and cannot be ended.
    fn held_by(&self, survivor: &Survivor);
    /// An execution ended.
    fn recovered(&self, recovered: &Recovered);
    /// The store fails, and why; `None` when it works again. Reported by each execution.
    fn store_failing(&self, error: Option<&str>);
    /// A step waits, since the system lets wfx start no further process.
    fn attempt_postponed(&self, step: &str, error: &str);
}

/// Observes one of many executions: forwards only what concerns all of them, and releases its
/// permit while the execution rests.
struct Seated {
    watcher: Arc<dyn Watcher>,
    seat: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Observer for Seated {
    fn report(&self, report: &Report<'_>) {
        match report {
            Report::StoreFailing { error, .. } => self.watcher.store_failing(Some(error)),
            Report::StoreWorking { .. } => self.watcher.store_failing(None),
            Report::AttemptPostponed { step, error, .. } => {
                self.watcher.attempt_postponed(step, error);
            }
            Report::Resting => {
                self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            _ => {}
        }
    }
}

/// Continues `which` executions, [`SIDE_BY_SIDE`], until none is left or `cancel` is requested:
/// then running ones are cancelled, and the others remain for another time.
///
/// # Errors
/// When the database fails before all are taken over. Running executions are awaited first.
pub async fn recover(
    supervisor: &Arc<Supervisor>,
    which: &Which,
    watcher: &Arc<dyn Watcher>,
    cancel: &Cancel,
) -> Result<(), StoreError> {
    let seats = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let (mut which, mut ender) = (which.clone(), Ender::default());
    let mut waiting: VecDeque<TakenOver> = VecDeque::new();
    let mut running = JoinSet::new();
    let mut more = true;
    let mut failure = None;
    loop {
        let stopping = cancel.gently.is_cancelled();
        if more && !stopping && waiting.is_empty() && supervisor.has_room() {
            match take(supervisor, &mut which, BATCH, &mut ender).await {
                Ok(Taken { executions, ended, .. }) => {
                    // Executions that are held back are skipped from now on, so that others are
                    // taken over.
                    more = !executions.is_empty() || !ended.survivors.is_empty();
                    report(&ended, &**watcher);
                    waiting.extend(executions);
                }
                Err(error) => {
                    failure = Some(error);
                    more = false;
                }
            }
        }
        let goes_on = !waiting.is_empty() && !cancel.gently.is_cancelled();
        tokio::select! {
            biased;
            Some(ended) = running.join_next() => match ended {
                Ok(false) => {}
                Ok(true) => {
                    // Its timeout has passed; for the others it would only begin again.
                    waiting.clear();
                    more = false;
                }
                Err(fault) => {
                    if fault.is_panic() {
                        std::panic::resume_unwind(fault.into_panic());
                    }
                }
            },
            Ok(seat) = Arc::clone(&seats).acquire_owned(), if goes_on => {
                if let Some(taken) = waiting.pop_front() {
                    running.spawn(go_on(taken, seat, supervisor, watcher, cancel));
                }
            }
            () = cancel.gently.cancelled(), if goes_on => {}
            else => {
                if !more || cancel.gently.is_cancelled() {
                    return failure.map_or(Ok(()), Err);
                }
            }
        }
    }
}

/// Continues one execution; returns whether the store was given up on.
fn go_on(
    taken: TakenOver,
    seat: OwnedSemaphorePermit,
    supervisor: &Arc<Supervisor>,
    watcher: &Arc<dyn Watcher>,
    cancel: &Cancel,
) -> impl Future<Output = bool> + use<> {
    let (supervisor, watcher) = (Arc::clone(supervisor), Arc::clone(watcher));
    let seated = Seated { watcher: Arc::clone(&watcher), seat: Mutex::new(Some(seat)) };
    let observer: Arc<dyn Observer> = Arc::new(seated);
    let cancel = cancel.clone();
    async move {
        let recovered = Recovered {
            execution_id: taken.execution.execution_id.clone(),
            workflow_id: taken.execution.workflow_id.clone(),
            previous_owner: taken.previous_owner.clone(),
            outcome: supervisor.resume(taken, &observer, &cancel).await,
        };
        watcher.recovered(&recovered);
        matches!(recovered.outcome, Err(RunError::StoreLost(_)))
    }
}

fn report(ended: &Ended, watcher: &dyn Watcher) {
    let gone = ended.asked.saturating_sub(ended.survivors.len());
    if gone > 0 {
        watcher.ended_processes(gone);
    }
    for survivor in &ended.survivors {
        watcher.held_by(survivor);
    }
}

/// Executions that were taken over, and the result of ending the processes that were left.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Those that can continue now.
    pub executions: Vec<TakenOver>,
    /// Whom it was asked to end.
    pub ended: Ended,
    /// Owners of executions whose liveness is unknown, and why.
    pub in_doubt: BTreeMap<String, Doubt>,
}

/// Ends the remaining processes of at most `limit` of `which` executions, and then takes these
/// over, except those that a process still works for; these are skipped from now on.
///
/// # Errors
/// When the database fails.
pub(crate) async fn take(
    supervisor: &Supervisor,
    which: &mut Which,
    limit: usize,
    ender: &mut Ender,
) -> Result<Taken, StoreError> {
    let limit = limit.min(BATCH);
    let found = supervisor.find_abandoned(which, limit).await?;
    let only: HashMap<String, Option<String>> = found
        .executions
        .iter()
        .map(|execution| (execution.execution_id.clone(), execution.owner.clone()))
        .collect();
    let in_doubt = found.in_doubt.clone();
    let left = left_by(found);
    let ended = ender.end(left.clone()).await;
    for survivor in &ended.survivors {
        which.except.insert(survivor.process.key.execution_id.clone());
    }
    if let (Of::Kind(_), []) = (&which.of, &ended.survivors[..]) {
        left.iter().filter(|left| !left.listed.is_empty()).for_each(|left| {
            left.owner.iter().for_each(|owner| supervisor.forget_attempts(owner));
        });
    }
    let executions = if only.is_empty() {
        Vec::new()
    } else {
        let found = Which { only: Some(only), ..which.clone() };
        supervisor.take_over(found, limit).await?
    };
    Ok(Taken { executions, ended, in_doubt })
}

/// The result of an attempt to continue one execution.
#[derive(Debug)]
pub(crate) enum One {
    /// It was taken over, and ended like this.
    Ran(Result<ExecutionStatus, RunError>),
    /// Its owner is alive or in doubt, or it has ended.
    NotAbandoned,
    /// These work for it and cannot be ended.
    Held(Vec<Survivor>),
}

/// Goes on with one execution, whichever process had it.
///
/// # Errors
/// When the database fails before it is taken over.
pub(crate) async fn recover_one(
    supervisor: &Supervisor,
    mut which: Which,
    observer: impl FnOnce(&TakenOver) -> Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<One, StoreError> {
    let Taken { executions, ended, .. } =
        take(supervisor, &mut which, 1, &mut Ender::default()).await?;
    match executions.into_iter().next() {
        Some(taken) => {
            let observer = observer(&taken);
            Ok(One::Ran(supervisor.resume(taken, &observer, cancel).await))
        }
        None if ended.survivors.is_empty() => Ok(One::NotAbandoned),
        None => Ok(One::Held(ended.survivors)),
    }
}

/// Ends an execution that holds a slot though its process is dead: as interrupted, once what that
/// process left is ended, and with its handlers. `None` where another process was faster, or
/// something works for it that cannot be ended.
///
/// # Errors
/// When the database fails before it is taken over.
pub(crate) async fn settle(
    supervisor: &Supervisor,
    execution_id: &str,
    observer: impl FnOnce(&TakenOver) -> Arc<dyn Observer>,
) -> Result<Option<Result<ExecutionStatus, RunError>>, StoreError> {
    let mut which = Which::one(execution_id);
    let Taken { executions, .. } = take(supervisor, &mut which, 1, &mut Ender::default()).await?;
    let Some(taken) = executions.into_iter().next() else { return Ok(None) };
    let observer = observer(&taken);
    Ok(Some(supervisor.settle(taken, &observer).await))
}

/// The attempts of each dead process.
fn left_by(found: Abandonment) -> Vec<Left> {
    let mut by_owner: HashMap<Option<String>, Left> = HashMap::new();
    for execution in found.executions {
        by_owner.entry(execution.owner).or_default().running.extend(execution.running);
    }
    for (owner, listed) in found.listed {
        by_owner.entry(Some(owner)).or_default().listed.extend(listed);
    }
    by_owner
        .into_iter()
        .map(|(owner, left)| Left { owner, ..left })
        .filter(|left| !left.running.is_empty() || !left.listed.is_empty())
        .collect()
}
