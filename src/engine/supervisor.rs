//! Runs executions on behalf of one process: new ones, and those of processes that died.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use uuid::{NoContext, Uuid};

use super::cancel::Cancel;
use super::context::EngineContext;
use super::driver::{self, RunError};
use super::finish_abandoned;
use super::output::OutputSink;
use super::start_ack::{StartAck, StartAckReceiver};
use super::work::parallelism::Parallelism;
use crate::base::clock::Clock;
use crate::repository::{Abandonment, CancelNotice, Of, StoreError, TakenOver, Which};
use crate::workflow::check;
use crate::workflow::compiled::Snapshot;
use crate::workflow::definition::Definition;
use crate::workflow::event::Event;
use crate::workflow::execution::Execution;
use crate::workflow::notification::Notify;
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::{Observer, Report};
use crate::workflow::spec::ExecutionSpec;

/// Why an execution ends that another process wants ended.
const CANCELLED: &str = "cancelled on request";

/// Runs executions on behalf of one process.
#[derive(Debug)]
pub struct Supervisor {
    context: Arc<EngineContext>,
    parallelism: usize,
    bounds: Bounds,
    running: Mutex<Running>,
    /// Those that were submitted or resumed.
    tasks: TaskTracker,
}

/// Bounds on started and taken-over executions that run at a time.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many executions.
    pub executions: usize,
    /// The approximate memory of all of them, bytes. A single execution may take more.
    pub memory_bytes: usize,
}

impl Bounds {
    /// As many as want to.
    pub const NONE: Self = Self { executions: usize::MAX, memory_bytes: usize::MAX };
}

/// Why no further execution is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// There are as many as may be.
    #[error("{0} executions run or are not stored yet")]
    Executions(usize),
    /// Running executions take this many bytes of memory.
    #[error("the executions that run or are not stored yet take {0} bytes of memory")]
    Memory(usize),
}

#[derive(Debug, Default)]
struct Running {
    /// The handles by which running executions are ended.
    cancels: HashMap<String, Cancel>,
    /// The approximate memory of running and taken-over executions, bytes.
    memory_bytes: usize,
    /// Take-overs under way.
    taking: usize,
    /// The most executions that these may add.
    reserved: usize,
    /// Executions taken over and not running yet, with their approximate memory in bytes.
    taken: HashMap<String, usize>,
    /// Executions among these, or in a take-over under way, that are to be ended.
    requested: HashMap<String, String>,
}

impl Running {
    /// How many run or are about to; `waiting` of them wait for a slot of their group.
    fn in_flight(&self, waiting: usize) -> usize {
        (self.cancels.len() + self.taken.len() + self.reserved).saturating_sub(waiting)
    }

    /// How many more executions are admitted, if the next one takes `memory_bytes`. This is the
    /// only check of the bounds, for started and taken-over executions alike.
    fn room(&self, waiting: usize, bounds: Bounds, memory_bytes: usize) -> Result<usize, Full> {
        let in_flight = self.in_flight(waiting);
        if in_flight >= bounds.executions {
            return Err(Full::Executions(in_flight));
        }
        let taken = self.memory_bytes;
        if taken > 0 && taken.saturating_add(memory_bytes) > bounds.memory_bytes {
            return Err(Full::Memory(taken));
        }
        Ok(bounds.executions - in_flight)
    }

    /// Removes an execution that now runs, or ended before it ran; why it is to be ended, if it is.
    fn leave_taken(&mut self, execution_id: &str) -> Option<String> {
        self.memory_bytes -= self.taken.remove(execution_id).unwrap_or(0);
        self.requested.remove(execution_id)
    }
}

/// An execution that runs on its own.
#[derive(Debug)]
pub struct Submitted {
    /// Its id.
    pub execution_id: String,
    /// Reports whether its start is stored.
    pub start_ack: StartAckReceiver,
    /// Its end, stored.
    pub ended: JoinHandle<Result<ExecutionStatus, RunError>>,
}

impl Supervisor {
    /// A supervisor for this process. `parallelism` is how many steps of one execution run at a
    /// time if the definition does not set it. `bounds` apply to submitted and taken-over
    /// executions.
    #[must_use]
    pub fn new(context: EngineContext, parallelism: usize, bounds: Bounds) -> Self {
        Self {
            context: Arc::new(context),
            parallelism,
            bounds,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Plans a new execution.
    #[must_use]
    pub fn plan(&self, snapshot: Snapshot, replay_of: Option<String>) -> ExecutionSpec {
        let now = self.context.clock.now();
        ExecutionSpec::new(new_execution_id(now), snapshot, replay_of, now)
    }

    /// Runs it to its end, stored.
    ///
    /// # Errors
    /// [`RunError`] when the store refuses it, or for a fault of wfx.
    pub async fn run(
        &self,
        spec: ExecutionSpec,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<ExecutionStatus, RunError> {
        let execution =
            Execution::new(Arc::new(spec), self.parallelism, Some(self.owner().to_owned()));
        let own = self.enter(&execution, cancel);
        self.drive(execution, Event::Begin, observer, &own, None).await
    }

    /// Starts a task for the execution, if it is admitted. `waited_for`: the caller waits for its
    /// end.
    ///
    /// # Errors
    /// [`Full`] when there is none.
    pub fn submit(
        self: &Arc<Self>,
        spec: ExecutionSpec,
        observer: Arc<dyn Observer>,
        waited_for: bool,
    ) -> Result<Submitted, Full> {
        let execution_id = spec.execution_id.clone();
        let (start_ack, receiver) = StartAck::new(waited_for);
        let execution =
            Execution::new(Arc::new(spec), self.parallelism, Some(self.owner().to_owned()));
        let mut running = self.running();
        running.room(self.waiting(), self.bounds, execution.spec().memory_bytes())?;
        let own = Self::enter_in(&mut running, &execution, &Cancel::default());
        drop(running);
        let (supervisor, id) = (Arc::clone(self), execution_id.clone());
        let ended = self.tasks.spawn(async move {
            let outcome =
                supervisor.drive(execution, Event::Begin, &observer, &own, Some(start_ack)).await;
            log(&id, &outcome);
            outcome
        });
        Ok(Submitted { execution_id, start_ack: receiver, ended })
    }

    /// Starts a task that continues an execution that was taken over.
    pub fn go_on(self: &Arc<Self>, taken: TakenOver, observer: Arc<dyn Observer>) {
        let supervisor = Arc::clone(self);
        self.tasks.spawn(async move {
            let id = taken.execution.execution_id.clone();
            let outcome = supervisor.resume(taken, &observer, &Cancel::default()).await;
            log(&id, &outcome);
        });
    }

    /// Whether this process can provide what steps need.
    #[must_use]
    pub fn can_run_commands(&self) -> bool {
        self.context.scratch.is_usable()
    }

    /// How many executions run here, have ended and are not stored, or are being taken over.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.running().in_flight(self.waiting())
    }

    /// How much may run at a time.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Who is notified of executions of a workflow, if anybody is.
    #[must_use]
    pub(crate) fn notify_of(&self, definition: &Definition) -> Option<Arc<Notify>> {
        self.context.notify_of(definition)
    }

    /// How many more would be admitted, as far as their memory allows it.
    #[must_use]
    pub fn room(&self) -> usize {
        self.running().room(self.waiting(), self.bounds, 1).unwrap_or(0)
    }

    /// Whether one more would be admitted.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.running().room(self.waiting(), self.bounds, 1).is_ok()
    }

    /// What the output of all executions shares.
    pub(crate) fn output(&self) -> &OutputSink {
        &self.context.output
    }

    /// How many steps may run, and how many do.
    #[must_use]
    pub fn step_places(&self) -> &Parallelism {
        &self.context.parallelism
    }

    /// The approximate memory of these, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.running().memory_bytes
    }

    /// Waits until nothing runs here any more; nothing may be submitted meanwhile.
    pub async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Leaves what waits for a slot of a concurrency group to the next process.
    pub fn leave_queues(&self) {
        self.context.leave_queues.cancel();
    }

    /// How many executions wait for a slot of their concurrency group.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.context.waiting.load(Ordering::Relaxed)
    }

    /// Ends what runs as a crash would: it stays to be recovered.
    pub fn abandon(&self) {
        self.context.abandon.cancel();
    }

    /// The owner id of this process.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.context.owner.id()
    }

    /// The executions that [`Self::take_over`] would take over, and what their processes left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_abandoned(
        &self,
        which: &Which,
        limit: usize,
    ) -> Result<Abandonment, StoreError> {
        self.context.writer.find_abandoned(which, self.owner(), limit).await
    }

    /// Forgets what a dead process has listed of the attempts it ran: nothing is left of them.
    pub fn forget_attempts(&self, owner: &str) {
        self.context.writer.forget_attempts(owner);
    }

    /// Makes this process the owner of at most `limit` executions whose process died, and of no
    /// more than there is room for. One that is named is always admitted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_over(
        &self,
        which: Which,
        limit: usize,
    ) -> Result<Vec<TakenOver>, StoreError> {
        let limit = {
            let mut running = self.running();
            let limit = match (&which.of, running.room(self.waiting(), self.bounds, 1)) {
                (Of::One(_), _) => limit,
                (Of::Kind(_), Ok(room)) => limit.min(room),
                (Of::Kind(_), Err(_)) => return Ok(Vec::new()),
            };
            running.taking += 1;
            running.reserved += limit;
            limit
        };
        let outcome = self.context.writer.take_over(which, self.owner(), limit).await;
        let mut running = self.running();
        let Running { taking, reserved, taken, requested, memory_bytes, .. } = &mut *running;
        *reserved -= limit;
        for now in outcome.iter().flatten() {
            let bytes = now.execution.input_snapshot.as_str().len();
            *memory_bytes += bytes;
            taken.insert(now.execution.execution_id.clone(), bytes);
        }
        *taking -= 1;
        if *taking == 0 {
            // The others have ended and are not requested any more.
            requested.retain(|id, _| taken.contains_key(id));
        }
        outcome
    }

    /// Runs an execution that was taken over until its end is stored. One whose snapshot cannot be
    /// run any more ends as interrupted.
    ///
    /// # Errors
    /// [`RunError`] when the store refuses it, or for a fault of wfx.
    pub async fn resume(
        &self,
        taken: TakenOver,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<ExecutionStatus, RunError> {
        let requested = self.running().requested.remove(&taken.execution.execution_id);
        let cancelled = taken.cancelled.clone().or(requested);
        self.go_on_with(taken, Event::Resume { cancelled }, observer, cancel).await
    }

    /// Ends an execution that was taken over as interrupted, and runs its handlers. One that waited,
    /// and was to be cancelled, is.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub async fn settle(
        &self,
        taken: TakenOver,
        observer: &Arc<dyn Observer>,
    ) -> Result<ExecutionStatus, RunError> {
        self.running().requested.remove(&taken.execution.execution_id);
        let reason = "wfx ended while it ran, and others wait for its concurrency group";
        let has_waited = taken.recorded.head.status == ExecutionStatus::Pending;
        let settle = match taken.cancelled.clone().filter(|_| has_waited) {
            Some(cancelled) => Event::Resume { cancelled: Some(cancelled) },
            None => Event::Settle(reason.to_owned()),
        };
        self.go_on_with(taken, settle, observer, &Cancel::default()).await
    }

    async fn go_on_with(
        &self,
        taken: TakenOver,
        begin: Event,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<ExecutionStatus, RunError> {
        match plan_again(&taken, &self.context.clock) {
            Ok(spec) => {
                let recorded = taken.recorded;
                let execution = Execution::resumed(
                    Arc::new(spec),
                    self.parallelism,
                    self.owner().to_owned(),
                    recorded,
                );
                let own = self.enter(&execution, cancel);
                let driven = self.drive(execution, begin, observer, &own, None);
                self.tasks.track_future(driven).await
            }
            Err(why) => {
                let error = format!("wfx ended while it ran, and it cannot go on: {why}");
                let now = self.context.clock.now();
                let was_decided = taken.recorded.head.outcome.is_some();
                let mut change = taken.recorded.abandon(&error, now);
                if !was_decided {
                    finish_abandoned::add_event(&taken.execution, &mut change, &self.context);
                }
                let id = &taken.execution.execution_id;
                self.running().leave_taken(id);
                let status = finish_abandoned::finish_abandoned(id, change, &self.context).await?;
                let started = taken.execution.started_at.unwrap_or(now);
                observer.report(&Report::ExecutionEnded {
                    status,
                    error: Some(&error),
                    duration: now.since(started),
                    at: now,
                });
                Ok(status)
            }
        }
    }

    /// Asks an execution that runs here to end; `false` when it does not.
    pub fn cancel(&self, execution_id: &str) -> bool {
        let running = self.running();
        let cancel = running.cancels.get(execution_id);
        if let Some(cancel) = cancel {
            cancel.request_once(CANCELLED);
        }
        cancel.is_some()
    }

    /// Ends an execution of this process, if necessary as soon as it begins.
    pub fn cancel_own(&self, notice: &CancelNotice) {
        let (execution_id, reason) = (&notice.execution_id, notice.reason());
        let mut running = self.running();
        match running.cancels.get(execution_id) {
            Some(cancel) => cancel.request_once(&reason),
            None if running.taking > 0 || running.taken.contains_key(execution_id) => {
                running.requested.insert(execution_id.clone(), reason);
            }
            // It has ended meanwhile.
            None => {}
        }
    }

    /// Counts it among those that run here, and gives what ends it alone.
    fn enter(&self, execution: &Execution, above: &Cancel) -> Cancel {
        Self::enter_in(&mut self.running(), execution, above)
    }

    fn enter_in(running: &mut Running, execution: &Execution, above: &Cancel) -> Cancel {
        let own = above.child();
        let execution_id = execution.spec().execution_id.clone();
        // It was requested between the takeover and now.
        if let Some(reason) = running.leave_taken(&execution_id) {
            own.request_once(&reason);
        }
        running.memory_bytes += execution.spec().memory_bytes();
        running.cancels.insert(execution_id, own.clone());
        own
    }

    async fn drive(
        &self,
        execution: Execution,
        begin: Event,
        observer: &Arc<dyn Observer>,
        own: &Cancel,
        launched: Option<StartAck>,
    ) -> Result<ExecutionStatus, RunError> {
        let spec = execution.spec();
        let (id, memory_bytes) = (spec.execution_id.clone(), spec.memory_bytes());
        let entered = Entered { supervisor: self, id, memory_bytes };
        driver::drive(execution, begin, &self.context, observer, own, launched, entered).await
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // An insertion or a removal is complete or did not happen.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts an execution among those that run, however that ends.
struct Entered<'s> {
    supervisor: &'s Supervisor,
    id: String,
    memory_bytes: usize,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut running = self.supervisor.running();
        running.memory_bytes -= self.memory_bytes;
        running.cancels.remove(&self.id);
    }
}

/// Logs that an execution did not reach its end, which nothing waits for.
fn log(execution_id: &str, outcome: &Result<ExecutionStatus, RunError>) {
    match outcome {
        Ok(_) => {}
        Err(RunError::Withdrawn) => tracing::info!(execution_id, "not started"),
        Err(RunError::Abandoned { is_stored: true }) => {
            tracing::info!(execution_id, "left for the next start");
        }
        Err(RunError::Abandoned { is_stored: false }) => {
            let message = "it is not stored: lost, unless the database takes it at the very end";
            tracing::error!(execution_id, "{message}");
        }
        Err(error) => tracing::error!(execution_id, %error, "an execution could not be ended"),
    }
}

/// Lays out an execution that is stored as it was laid out then.
fn plan_again(taken: &TakenOver, clock: &Clock) -> Result<ExecutionSpec, String> {
    let execution = &taken.execution;
    let snapshot = check::snapshot(&execution.input_snapshot.value())
        .map_err(|problems| problems.to_string())?;
    let created_at = execution.created_at.unwrap_or_else(|| clock.now());
    let id = execution.execution_id.clone();
    let mut spec = ExecutionSpec::new(id, snapshot, execution.replay_of.clone(), created_at)
        .triggered(execution.trigger.clone());
    if execution.concurrency_group.is_none() {
        spec.slot = None;
    }
    let step_order = spec.snapshot.compiled.step_order();
    if **step_order != *execution.step_order || step_order.len() != taken.recorded.steps.len() {
        return Err("its stored steps are not those of its snapshot".to_owned());
    }
    Ok(spec)
}

/// A UUIDv7: ids sort by the time they were made.
fn new_execution_id(now: crate::base::timestamp::Timestamp) -> String {
    let micros = u64::try_from(now.as_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, micros / 1_000_000, nanos)).to_string()
}

#[cfg(test)]
mod tests;
