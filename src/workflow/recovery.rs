//! Goes on with executions whose process died: takes them over, ends what is left of
//! their processes, runs them side by side. Safe to be killed and run again, since each
//! of them belongs to a process at every moment.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::cancel::Cancel;
use super::engine::RunError;
use super::record::{ExecutionStatus, StepStatus};
use super::report::{Observer, Report};
use super::runner::leftover::{self, Origin};
use super::supervisor::Supervisor;
use crate::repository::{StoreError, TakenOver, Which};

/// How many executions are run side by side.
pub const SIDE_BY_SIDE: usize = 32;
/// How many are taken over at a time, at most: bounds memory, and spares looks at all processes.
pub const BATCH: usize = 256;

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

/// What somebody who watches a recovery is told.
pub trait Watcher: Send + Sync {
    /// Processes that were left were ended.
    fn ended_processes(&self, count: usize);
    /// An execution came to its end.
    fn recovered(&self, recovered: &Recovered);
    /// The store fails, and why; `None` when it works again. Told by each execution.
    fn store_failing(&self, error: Option<&str>);
}

/// What is told of the steps of many executions: only what concerns all of them.
struct StoreReports(Arc<dyn Watcher>);

impl Observer for StoreReports {
    fn report(&self, report: &Report<'_>) {
        match report {
            Report::StoreFailing { error, .. } => self.0.store_failing(Some(error)),
            Report::StoreWorking { .. } => self.0.store_failing(None),
            _ => {}
        }
    }
}

/// Goes on with `which` executions, [`SIDE_BY_SIDE`], until none is left, or `cancel` is asked for: then
/// those that run are cancelled, and the others stay for another time.
///
/// # Errors
/// When the database fails before all are taken over. Those that run are awaited first.
pub async fn recover(
    supervisor: &Arc<Supervisor>,
    which: &Which,
    watcher: &Arc<dyn Watcher>,
    cancel: &Cancel,
) -> Result<(), StoreError> {
    let observer: Arc<dyn Observer> = Arc::new(StoreReports(Arc::clone(watcher)));
    let mut waiting: VecDeque<TakenOver> = VecDeque::new();
    let mut running = JoinSet::new();
    let mut more = true;
    let mut failure = None;
    loop {
        let stopping = cancel.gently.is_cancelled();
        if more && !stopping && waiting.is_empty() {
            match take(supervisor, which, BATCH).await {
                Ok((taken, ended)) => {
                    more = taken.len() == BATCH;
                    if ended > 0 {
                        watcher.ended_processes(ended);
                    }
                    waiting.extend(taken);
                }
                Err(error) => {
                    failure = Some(error);
                    more = false;
                }
            }
        }
        while running.len() < SIDE_BY_SIDE && !cancel.gently.is_cancelled() {
            let Some(taken) = waiting.pop_front() else { break };
            let (supervisor, watcher) = (Arc::clone(supervisor), Arc::clone(watcher));
            let observer = Arc::clone(&observer);
            let cancel = cancel.clone();
            running.spawn(async move {
                let recovered = Recovered {
                    execution_id: taken.execution.execution_id.clone(),
                    workflow_id: taken.execution.workflow_id.clone(),
                    previous_owner: taken.previous_owner.clone(),
                    outcome: supervisor.resume(taken, &observer, &cancel).await,
                };
                watcher.recovered(&recovered);
                matches!(recovered.outcome, Err(RunError::StoreLost(_)))
            });
        }
        match running.join_next().await {
            Some(Ok(false)) => {}
            Some(Ok(true)) => {
                // Its patience is over; the others would only begin it anew.
                waiting.clear();
                more = false;
            }
            Some(Err(fault)) => {
                if fault.is_panic() {
                    std::panic::resume_unwind(fault.into_panic());
                }
            }
            None if more && !cancel.gently.is_cancelled() => {}
            None => return failure.map_or(Ok(()), Err),
        }
    }
}

/// Takes over at most `limit` of `which` executions, and ends what is left of their
/// processes; how many those were comes with them.
///
/// # Errors
/// When the database fails.
pub async fn take(
    supervisor: &Supervisor,
    which: &Which,
    limit: usize,
) -> Result<(Vec<TakenOver>, usize), StoreError> {
    let taken = supervisor.take_over(which.clone(), limit.min(BATCH)).await?;
    let ended = leftover::end(&origins(&taken)).await;
    Ok((taken, ended))
}

/// Goes on with one execution, whichever process had it. `None` when it has an owner that
/// is alive, or has ended.
///
/// # Errors
/// When the database fails before it is taken over.
pub async fn recover_one(
    supervisor: &Supervisor,
    execution_id: &str,
    observer: impl FnOnce(&TakenOver) -> Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<Option<Result<ExecutionStatus, RunError>>, StoreError> {
    let which = Which::One(execution_id.to_owned());
    let taken = supervisor.take_over(which, 1).await?;
    leftover::end(&origins(&taken)).await;
    match taken.into_iter().next() {
        Some(taken) => {
            let observer = observer(&taken);
            Ok(Some(supervisor.resume(taken, &observer, cancel).await))
        }
        None => Ok(None),
    }
}

/// The attempts that were running.
fn origins(taken: &[TakenOver]) -> HashSet<Origin> {
    let of_one = |taken: &TakenOver| {
        let execution = &taken.execution;
        let running = execution.step_order.iter().zip(&taken.recorded.steps);
        let origins: Vec<Origin> = running
            .filter(|(_, step)| step.state.status == StepStatus::Running)
            .map(|(name, step)| Origin {
                execution_id: execution.execution_id.clone(),
                step: name.clone(),
                attempt: step.state.attempt,
            })
            .collect();
        origins
    };
    taken.iter().flat_map(of_one).collect()
}
