//! Drives one execution: effects of the state machine → runner → events back into
//! the state machine → what changed into the repository.
//!
//! Nothing starts before it is durable: the work of a step waits for the commit
//! that holds its start. While the store does not work, running steps finish and
//! no further one begins. Only where the caller wants it ([`Unstored::Run`]) does an
//! execution that could not even be stored begin all the same; from its first commit on
//! it is as the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::attempt::{AttemptTask, Attempted};
use super::cancel::Cancel;
use super::memory::Memory;
pub use super::run_error::RunError;
use super::start_ack::StartAck;
use super::work::Stop;
use super::work::parallelism::{Parallelism, Permit};
use super::work::scratch::Scratch;
use crate::base::clock::{self, Timeline};
use crate::repository::StoreError;
use crate::repository::journal::pending_write::{CommitStatus, PendingWrite};
use crate::repository::journal::writer::{Health, Writer};
use crate::repository::ownership::Owner;
use crate::workflow::definition::Work;
use crate::workflow::environment::{self, Variables};
use crate::workflow::event::{AttemptEnd, Effect, Event, Moment, Outcome};
use crate::workflow::execution::{Execution, IllegalTransition};
use crate::workflow::record::{Attempt, ExecutionStatus};
use crate::workflow::report::{Observer, Report};

/// How long after a full queue the next try is made.
pub(crate) const QUEUE_RETRY: Duration = Duration::from_millis(5);
/// How long a new execution waits for its commit before it is run unstored.
const LAUNCH_PATIENCE: Duration = Duration::from_millis(500);
/// How long one that is given up at the very end waits to learn whether it is stored: longer
/// than the writer waits for the locks of others.
const END_PATIENCE: Duration = Duration::from_millis(1_500);

/// What becomes of a new execution that cannot be stored.
#[derive(Debug, Clone)]
pub enum Unstored {
    /// Nothing of it is started.
    Refuse,
    /// It runs all the same and is shown from here; it is stored when that works again.
    Run(Arc<Memory>),
}

/// What every execution of this process uses.
#[derive(Debug)]
pub struct EngineContext {
    /// Where changes go.
    pub writer: Arc<Writer>,
    /// This process, as others find it.
    pub owner: Arc<Owner>,
    /// What steps inherit of the environment of wfx.
    pub inherited: Variables,
    /// Where steps leave their outputs.
    pub scratch: Scratch,
    /// How many steps run at a time, over all executions.
    pub parallelism: Parallelism,
    /// The monotonic origin of this process.
    pub epoch: Instant,
    /// How long a failing store is borne with.
    pub store_timeout: Duration,
    /// What becomes of those that cannot be stored at their start.
    pub unstored: Unstored,
    /// Ends what runs as a crash would: nothing of its end is recorded.
    pub abandon: CancellationToken,
}

/// What a task of an execution tells when it is done.
enum Done {
    /// An attempt ended, or never began its work.
    Attempt(usize, Attempted),
    /// A process more may run.
    Permit(usize, Option<Permit>),
    /// A wait for the next attempt is over.
    Wait(usize),
}

/// Runs `execution` to its end, stored. `begin` is [`Event::Begin`] for one that nobody has
/// stored, [`Event::Resume`] for one that another process began. `launched` is told
/// whether it is stored as soon as that is known. `entered` is dropped before its end is told.
///
/// # Errors
/// [`RunError`] when the store does not take it, or for a fault of wfx.
pub async fn drive(
    execution: Execution,
    begin: Event,
    context: &Arc<EngineContext>,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
    launched: Option<StartAck>,
    entered: impl Sized,
) -> Result<ExecutionStatus, RunError> {
    let pending = PendingWrite::new(execution.spec().execution_id.clone());
    let driver = Driver {
        stored: pending.stored(),
        stops: execution.steps().iter().map(|_| None).collect(),
        admitted: BTreeMap::new(),
        postponed: BTreeMap::new(),
        was_resting: false,
        pending,
        context: Arc::clone(context),
        observer: Arc::clone(observer),
        kill: cancel.now.child_token(),
        tasks: JoinSet::new(),
        version: 0,
        timeline: Timeline::begin(
            matches!(begin, Event::Resume { .. }).then(|| execution.head().updated_at),
        ),
        is_new: matches!(begin, Event::Begin),
        launched,
        unstored: CancellationToken::new(),
        queue_full: false,
        failing: None,
        execution,
    };
    driver.run(begin, cancel, entered).await
}

struct Driver {
    execution: Execution,
    context: Arc<EngineContext>,
    observer: Arc<dyn Observer>,
    pending: Arc<PendingWrite>,
    stored: watch::Receiver<CommitStatus>,
    /// The last version recorded.
    version: u64,
    /// How to stop the attempt of each step that runs, and the version that holds its
    /// start: until that is durable it waits.
    stops: Vec<Option<(u64, CancellationToken)>>,
    /// The places of steps that are about to start.
    admitted: BTreeMap<usize, Permit>,
    /// Steps that could not begin, with the last wait for that.
    postponed: BTreeMap<usize, Duration>,
    was_resting: bool,
    kill: CancellationToken,
    tasks: JoinSet<Done>,
    timeline: Timeline,
    /// Nobody has stored it before.
    is_new: bool,
    launched: Option<StartAck>,
    /// Cancelled when it goes on without being stored.
    unstored: CancellationToken,
    /// The queue did not take the slot; it is still dirty.
    queue_full: bool,
    /// The store fails, since when.
    failing: Option<(Arc<StoreError>, Instant)>,
}

impl Driver {
    async fn run(
        mut self,
        begin: Event,
        cancel: &Cancel,
        entered: impl Sized,
    ) -> Result<ExecutionStatus, RunError> {
        self.report_start();
        let outcome = self.run_to_end(begin, cancel).await;
        if let Unstored::Run(memory) = &self.context.unstored
            && self.unstored.is_cancelled()
        {
            memory.forget(self.pending.execution_id());
        }
        if let Err(RunError::Illegal(_)) = outcome {
            // Nothing of it is known any more; what runs must not outlive that.
            self.kill.cancel();
            while self.has_attempts() {
                self.next_done().await;
            }
        }
        outcome?;
        self.report_end();
        // Whoever is answered may want its place at once.
        drop(entered);
        let is_waited_for = self.launched.as_ref().is_some_and(StartAck::is_with_end);
        self.tell_stored();
        if is_waited_for {
            // And is answered before this is cleared away.
            tokio::task::yield_now().await;
        }
        Ok(self.execution.head().status)
    }

    async fn run_to_end(&mut self, begin: Event, cancel: &Cancel) -> Result<(), RunError> {
        let mut health = self.context.writer.health();
        let mut cancelled = matches!(begin, Event::Resume { cancelled: Some(_) });
        self.step(begin)?;
        // While the writer is at work.
        if let Some(start_ack) = &mut self.launched {
            start_ack.begun(&self.execution);
        }
        let is_failing = matches!(*health.borrow_and_update(), Health::Failing { .. });
        if is_failing || self.context.writer.is_stalled() {
            self.go_on_unstored();
        }
        let time_left = self.time_left();
        let time_up = time::sleep(time_left.unwrap_or(Duration::MAX));
        let launch_patience = time::sleep(LAUNCH_PATIENCE);
        let abandon = self.context.abandon.clone();
        tokio::pin!(time_up, launch_patience);
        let mut timed_out = time_left.is_none();
        while !self.is_over() {
            if let Some(error) = self.lost() {
                if self.give_up(&error).await? {
                    return Err(error);
                }
                continue;
            }
            // Once it is used up, only what still runs is waited for.
            let patience_left = self.patience_left().filter(|left| !left.is_zero());
            let event = tokio::select! {
                // In this order: what a second signal killed was cancelled by the first.
                biased;
                () = abandon.cancelled() => {
                    self.end_attempts().await;
                    if self.is_new && self.launched.is_some() {
                        match time::timeout(END_PATIENCE, self.withdraw()).await {
                            Ok(true) => return Err(RunError::Withdrawn),
                            Ok(false) if self.is_over() => continue,
                            Ok(false) => self.tell_stored(),
                            Err(_) => self.go_on_unstored(),
                        }
                    }
                    let is_stored = !self.is_new || self.stored.borrow().version > 0;
                    return Err(RunError::Abandoned { is_stored });
                }
                () = cancel.gently.cancelled(), if !cancelled => {
                    cancelled = true;
                    Event::Cancel(cancel.reason())
                }
                Some(ended) = self.tasks.join_next() => match self.event_of(ended) {
                    Some(event) => event,
                    None => continue,
                },
                () = &mut time_up, if !timed_out => {
                    timed_out = true;
                    Event::TimeUp
                }
                _ = self.stored.changed() => {
                    self.note_stored();
                    continue;
                }
                () = &mut launch_patience, if self.is_unlaunched() => {
                    self.go_on_unstored();
                    continue;
                }
                Ok(()) = health.changed() => {
                    let health = health.borrow_and_update().clone();
                    self.note_health(health);
                    continue;
                }
                () = time::sleep(QUEUE_RETRY), if self.queue_full => {
                    self.enqueue();
                    continue;
                }
                () = wait_for(patience_left) => continue,
            };
            self.step(event)?;
        }
        // One without work may have been stored before anybody waited for that.
        self.note_stored();
        Ok(())
    }

    /// Nothing of it is stored, and nobody was told so yet.
    fn is_unlaunched(&self) -> bool {
        let may = matches!(self.context.unstored, Unstored::Run(_)) && self.is_new;
        may && !self.unstored.is_cancelled() && self.stored.borrow().version == 0
    }

    fn go_on_unstored(&mut self) {
        if self.is_unlaunched() {
            // Whoever asked may be gone; a crash before it is stored would leave no other trace.
            let spec = self.execution.spec();
            let (execution_id, workflow_id) = (&spec.execution_id, spec.workflow_id());
            tracing::warn!(execution_id, workflow_id, "runs without being stored");
            self.unstored.cancel();
            self.show_unstored(&[]);
            if let Some(start_ack) = self.launched.take() {
                start_ack.unstored();
            }
        }
    }

    fn note_stored(&mut self) {
        if self.stored.borrow().version == 0 {
            return;
        }
        // One that is over is told of with its end.
        if !self.is_over() {
            self.tell_stored();
        }
        if let Unstored::Run(memory) = &self.context.unstored
            && self.unstored.is_cancelled()
        {
            memory.forget(self.pending.execution_id());
        }
    }

    fn tell_stored(&mut self) {
        if let Some(start_ack) = self.launched.take() {
            start_ack.stored(self.stored.borrow().seq, self.is_over());
        }
    }

    /// Shows it from memory as long as nothing of it is stored.
    fn show_unstored(&self, ended: &[Attempt]) {
        if let Unstored::Run(memory) = &self.context.unstored
            && self.unstored.is_cancelled()
            && self.stored.borrow().version == 0
        {
            memory.show(&self.execution, ended);
        }
    }

    /// What is left of the time that the workflow may take.
    fn time_left(&self) -> Option<Duration> {
        let limit = self.execution.spec().snapshot.definition().timeout?.duration();
        let started_at = self.execution.head().started_at;
        let passed = started_at.map_or(Duration::ZERO, |at| self.timeline.now().since(at));
        Some(limit.saturating_sub(passed))
    }

    fn event_of(&mut self, ended: Result<Done, JoinError>) -> Option<Event> {
        match ended {
            Ok(Done::Wait(step)) => Some(Event::RetryDue(step)),
            Ok(Done::Permit(step, permit)) => {
                self.admitted.extend(permit.map(|permit| (step, permit)));
                Some(Event::Admitted(step))
            }
            Ok(Done::Attempt(step, Attempted::Postponed(error, permit))) => {
                self.stops[step] = None;
                self.note_postponed(step, &error);
                self.admitted.extend(permit.map(|permit| (step, permit)));
                Some(Event::Postponed(step))
            }
            Ok(Done::Attempt(step, attempted)) => {
                self.stops[step] = None;
                self.postponed.remove(&step);
                let now = self.timeline.now();
                let mut end = match attempted {
                    Attempted::Ended(end) => end,
                    _ => AttemptEnd::instant(Outcome::Stopped, now),
                };
                end.started_at = now.minus(end.duration);
                Some(Event::AttemptEnded(step, end))
            }
            // A wait for a retry that the end made pointless.
            Err(fault) if fault.is_cancelled() => None,
            Err(fault) => std::panic::resume_unwind(fault.into_panic()),
        }
    }

    /// Ended, and everything of it durable.
    fn is_over(&self) -> bool {
        self.execution.head().status.is_terminal() && self.stored.borrow().version >= self.version
    }

    fn step(&mut self, event: Event) -> Result<(), IllegalTransition> {
        let mut effects = self.execution.apply(event, self.moment())?;
        self.admit(&mut effects)?;
        let change = self.execution.take_change();
        self.show_unstored(&change.attempts);
        // Patience is for what waits: a lock while nothing did has cost none of it.
        if let Some((_, since)) = &mut self.failing
            && !self.pending.is_dirty()
        {
            *since = clock::monotonic();
        }
        self.version = self.pending.record(change);
        self.enqueue();
        // While the writer is at work.
        self.report_effects(&effects);
        for effect in effects {
            match effect {
                Effect::Admit { step } => self.wait_for_place(step),
                Effect::Start { step, attempt, elapsed } => self.start(step, attempt, elapsed),
                Effect::Stop { step } => {
                    if let Some((_, stop)) = &self.stops[step] {
                        stop.cancel();
                    }
                }
                Effect::Retry { step, wait } => {
                    self.tasks.spawn(async move {
                        time::sleep(wait).await;
                        Done::Wait(step)
                    });
                }
                Effect::StepEnded { .. } => {}
                // Waits for retries are all that can be left.
                Effect::Ended => self.tasks.abort_all(),
            }
        }
        // Of steps that are not to start any more.
        self.admitted.clear();
        let is_resting = self.execution.is_resting();
        if is_resting && !self.was_resting {
            self.observer.report(&Report::Resting);
        }
        self.was_resting = is_resting;
        Ok(())
    }

    fn enqueue(&mut self) {
        self.queue_full = !self.context.writer.enqueue(&self.pending);
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.timeline.now(),
            monotonic: self.context.epoch.elapsed(),
            jitter: fastrand::f64(),
        }
    }

    fn start(&mut self, step: usize, attempt: u32, elapsed: Duration) {
        let stop = Stop { gently: CancellationToken::new(), now: self.kill.clone() };
        self.stops[step] = Some((self.version, stop.gently.clone()));
        let spec = Arc::clone(self.execution.spec());
        let attempt = AttemptTask {
            spec: Arc::clone(&spec),
            context: Arc::clone(&self.context),
            observer: Arc::clone(&self.observer),
            stored: self.stored.clone(),
            version: self.version,
            unstored: self.unstored.clone(),
            variables: match spec.step(step).work {
                // It has no process, and may last for days.
                Work::Sleep(_) => Ok(Variables::new()),
                _ => environment::of_step(&self.execution, step, attempt, &self.context.inherited),
            },
            step,
            attempt,
            elapsed,
            stop,
            permit: self.admitted.remove(&step),
        };
        self.tasks.spawn(async move { Done::Attempt(step, attempt.run().await) });
    }

    fn note_health(&mut self, health: Health) {
        let at = clock::now();
        match (health, &self.failing) {
            (Health::Failing { error }, None) => {
                let (text, hint) = (error.to_string(), error.hint());
                self.observer.report(&Report::StoreFailing { error: &text, hint, at });
                self.failing = Some((error, clock::monotonic()));
                self.go_on_unstored();
            }
            (Health::Working, Some(_)) => {
                self.observer.report(&Report::StoreWorking { at });
                self.failing = None;
            }
            (Health::Failing { error }, Some((_, since))) => self.failing = Some((error, *since)),
            (Health::Working, None) => {}
        }
    }

    /// How long the failing store is still borne with, if it fails.
    fn patience_left(&self) -> Option<Duration> {
        let (_, since) = self.failing.as_ref()?;
        Some(self.context.store_timeout.saturating_sub(since.elapsed()))
    }

    /// Why it is to be given up, once nothing of it runs that could be waited for.
    fn lost(&self) -> Option<RunError> {
        if self.attempts_running() {
            return None;
        }
        let waits = self.failing.is_some() && self.pending.is_dirty();
        let stored = self.stored.borrow();
        if let Some(error) = &stored.refused {
            return Some(RunError::Refused(Arc::clone(error)));
        }
        if matches!(self.context.unstored, Unstored::Run(_)) {
            return None;
        }
        let (error, _) = self.failing.as_ref().filter(|_| waits)?;
        let never_stored = self.is_new && stored.version == 0;
        let patient = self.patience_left() > Some(Duration::ZERO);
        match (never_stored, patient) {
            // Who is cancelled before anything began has nothing to wait for.
            (true, patient)
                if !patient || !error.may_pass() || self.execution.head().status.is_terminal() =>
            {
                Some(RunError::NotStored(Arc::clone(error)))
            }
            (false, false) => Some(RunError::StoreLost(Arc::clone(error))),
            _ => None,
        }
    }

    /// Sees to it that what is stored later, when the database works again, is true of an
    /// execution that was given up; `false` when a commit under way succeeded after all.
    async fn give_up(&mut self, error: &RunError) -> Result<bool, IllegalTransition> {
        match error {
            RunError::NotStored(_) => Ok(self.withdraw().await),
            RunError::StoreLost(_) => {
                while self.has_attempts() {
                    for (_, stop) in self.stops.iter().flatten() {
                        stop.cancel();
                    }
                    let event = match self.next_done().await {
                        Some(Done::Attempt(step, Attempted::Ended(end))) => {
                            Event::AttemptEnded(step, end)
                        }
                        Some(Done::Attempt(step, _)) => Event::Withdrawn(step),
                        Some(Done::Wait(_) | Done::Permit(..)) | None => continue,
                    };
                    self.step(event)?;
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    /// Sees to it that one of which nothing is stored never will be; `false` when a commit under
    /// way came first.
    async fn withdraw(&mut self) -> bool {
        self.pending.withdraw();
        let known = |stored: &CommitStatus| stored.version > 0 || stored.withdrawn;
        // The writer, which decides, outlives this.
        let stored = self.stored.wait_for(known).await;
        stored.is_ok_and(|stored| stored.withdrawn)
    }

    /// Ends the processes of all attempts and records nothing of it.
    async fn end_attempts(&mut self) {
        while self.has_attempts() {
            for (_, stop) in self.stops.iter().flatten() {
                stop.cancel();
            }
            self.next_done().await;
        }
    }

    fn has_attempts(&self) -> bool {
        self.stops.iter().any(Option::is_some) && !self.tasks.is_empty()
    }

    /// The next task that is done, when what comes of it is not to be decided any more.
    async fn next_done(&mut self) -> Option<Done> {
        match self.tasks.join_next().await? {
            Ok(done) => {
                if let Done::Attempt(step, _) = &done {
                    let step = *step;
                    self.stops[step] = None;
                }
                Some(done)
            }
            Err(fault) if fault.is_cancelled() => None,
            Err(fault) => std::panic::resume_unwind(fault.into_panic()),
        }
    }

    /// Whether some attempt is past waiting for its start to be durable.
    fn attempts_running(&self) -> bool {
        let durable = self.stored.borrow().version;
        self.stops.iter().flatten().any(|(start, _)| *start <= durable)
    }
}

async fn wait_for(left: Option<Duration>) {
    match left {
        // The running steps may outlast our patience: look again now and then.
        Some(left) => time::sleep(left.max(Duration::from_millis(100))).await,
        None => std::future::pending().await,
    }
}

mod admission;
mod reports;
