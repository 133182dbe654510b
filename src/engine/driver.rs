//! Drives one execution: effects of the state machine → runner → events back into
//! the state machine → what changed into the repository.
//!
//! The work of a step waits for the commit that holds its start. While the store fails, running
//! steps finish and no further step begins. Only if the caller asks for it ([`Unstored::Run`]), an
//! execution that could not be stored at all begins unstored; from its first commit on it is
//! treated like the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

use self::events::EventFinder;
use super::attempt::{AttemptTask, Attempted};
use super::cancel::Cancel;
use super::context::{EngineContext, Unstored};
use super::durability::{Activity, Durability, HealthChange, Loss, Next, Rules};
use super::output::ExecutionOutput;
pub(crate) use super::run_error::RunError;
use super::start_ack::StartAck;
use super::work::Stop;
use super::work::parallelism::Permit;
use super::work::scratch::ScratchFile;
use crate::base::clock::Timeline;
use crate::repository::{CommitStatus, Health, PendingWrite};
use crate::workflow::definition::Work;
use crate::workflow::environment::{self, Variables};
use crate::workflow::event::{AttemptEnd, Effect, Event, Moment, Outcome};
use crate::workflow::execution::{Execution, IllegalTransition};
use crate::workflow::record::{Attempt, ExecutionStatus};
use crate::workflow::report::{Observer, Report};

/// How long after a full queue the next try is made.
pub(crate) const QUEUE_RETRY: Duration = Duration::from_millis(5);
/// How long an execution that is given up at shutdown waits to learn whether it is stored: longer
/// than the writer waits for locks of other processes.
const END_PATIENCE: Duration = Duration::from_millis(1_500);

/// The result of a task of an execution.
enum Done {
    /// An attempt ended, or never began its work.
    Attempt(usize, Attempted),
    /// A process more may run.
    Permit(usize, Option<Permit>),
    /// A wait for the next attempt is over.
    Wait(usize),
}

/// Runs `execution` until its end is stored. `begin` is [`Event::Begin`] for an execution that is
/// not stored yet, [`Event::Resume`] for one that another process began. `launched` reports whether
/// it is stored as soon as that is known. `entered` is dropped before its end is reported.
///
/// # Errors
/// [`RunError`] when the store refuses it, or for a fault of wfx.
pub(crate) async fn drive(
    execution: Execution,
    begin: Event,
    context: &Arc<EngineContext>,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
    launched: Option<StartAck>,
    entered: impl Sized,
) -> Result<ExecutionStatus, RunError> {
    let pending = PendingWrite::new(execution.spec().execution_id.clone());
    let is_resumed = !matches!(begin, Event::Begin);
    let driver = Driver {
        output: ExecutionOutput::new(&context.output, &context.writer, &pending, is_resumed),
        stored: pending.stored(),
        durability: Durability::new(Rules {
            is_new: matches!(begin, Event::Begin),
            may_run_unstored: matches!(context.unstored, Unstored::Run(_))
                && !execution.spec().must_be_stored(),
            store_timeout: context.store_timeout,
            began: context.clock.elapsed(),
        }),
        stops: (0..execution.steps().len() + execution.handlers().len()).map(|_| None).collect(),
        admitted: BTreeMap::new(),
        postponed: BTreeMap::new(),
        was_resting: false,
        used: None,
        pending,
        context: Arc::clone(context),
        observer: Arc::clone(observer),
        kill: cancel.now.child_token(),
        tasks: JoinSet::new(),
        timeline: Timeline::begin(
            &context.clock,
            matches!(begin, Event::Resume { .. } | Event::Settle(_))
                .then(|| execution.head().updated_at),
        ),
        launched,
        unstored: CancellationToken::new(),
        queue_full: false,
        events: EventFinder::new(&execution, context),
        execution,
    };
    driver.run(begin, cancel, entered).await
}

struct Driver {
    execution: Execution,
    context: Arc<EngineContext>,
    observer: Arc<dyn Observer>,
    pending: Arc<PendingWrite>,
    /// What its steps print.
    output: Arc<ExecutionOutput>,
    stored: watch::Receiver<CommitStatus>,
    /// Whether the execution may proceed, from what the store has acknowledged.
    durability: Durability,
    /// How to stop the attempt of each step that runs, and the version that holds its
    /// start: until that is durable it waits.
    stops: Vec<Option<(u64, CancellationToken)>>,
    /// The permits of steps that are about to start.
    admitted: BTreeMap<usize, Permit>,
    /// Steps that could not begin, with their last wait.
    postponed: BTreeMap<usize, Duration>,
    was_resting: bool,
    /// What the attempt that just ended used.
    used: Option<ScratchFile>,
    kill: CancellationToken,
    tasks: JoinSet<Done>,
    timeline: Timeline,
    launched: Option<StartAck>,
    /// Cancelled when the execution proceeds unstored.
    unstored: CancellationToken,
    /// The queue was full; the pending write is still dirty.
    queue_full: bool,
    /// What is to be notified.
    events: EventFinder,
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
        self.forget_unstored();
        if let Err(RunError::Illegal(_)) = outcome {
            // The execution is not tracked any more; running attempts must not outlive it.
            self.kill.cancel();
            while self.has_attempts() {
                self.next_done().await;
            }
        }
        // What came with no change.
        self.output.enqueue();
        outcome?;
        self.report_end();
        // Release the capacity before the caller is answered, since it may start the next execution
        // at once.
        drop(entered);
        let is_waited_for = self.launched.as_ref().is_some_and(StartAck::is_with_end);
        self.report_stored();
        if is_waited_for {
            // Lets the caller be answered before the cleanup.
            tokio::task::yield_now().await;
        }
        Ok(self.execution.head().status)
    }

    async fn run_to_end(&mut self, begin: Event, cancel: &Cancel) -> Result<(), RunError> {
        let mut health = self.context.writer.health();
        let mut begin = Some(begin);
        // What a second request ends are handlers alone; attempts are killed all the same.
        let mut killed = self.execution.handlers().is_empty();
        if let Some(first) = begin.take_if(|begin| self.needs_slot(begin)) {
            begin = self.take_slot(first, cancel, &mut health).await?;
        }
        let mut cancelled = matches!(begin, Some(Event::Resume { cancelled: Some(_) }));
        if let Some(begin) = begin {
            self.step(begin)?;
        }
        // While the writer is at work.
        if let Some(start_ack) = &mut self.launched {
            start_ack.begun(&self.execution);
        }
        self.note_health(health.borrow_and_update().clone());
        if self.context.writer.is_stalled() {
            self.durability.note_stalled();
        }
        let time_left = self.time_left();
        let time_up = time::sleep(time_left.unwrap_or(Duration::MAX));
        let ask_again = time::sleep(Duration::MAX);
        let abandon = self.context.abandon.clone();
        tokio::pin!(time_up, ask_again);
        let mut timed_out = time_left.is_none();
        let mut ask_at = None;
        loop {
            self.note_stored();
            if self.is_over() {
                return Ok(());
            }
            let now = self.context.clock.elapsed();
            match self.durability.next(now, self.activity()) {
                Next::Proceed { until } => {
                    if let Some(moment) = until.filter(|_| until != ask_at) {
                        ask_again.as_mut().reset(deadline(moment.saturating_sub(now)));
                    }
                    ask_at = until;
                }
                Next::RunUnstored => {
                    self.run_unstored();
                    continue;
                }
                Next::GiveUp(loss) => {
                    if self.give_up(&loss).await? {
                        return Err(loss.into());
                    }
                    continue;
                }
            }
            let event = tokio::select! {
                // In this order: an attempt killed by a second signal was cancelled by the first.
                biased;
                () = abandon.cancelled() => match self.abandon().await {
                    Some(error) => return Err(error),
                    None => continue,
                },
                () = cancel.gently.cancelled(), if !cancelled => {
                    cancelled = true;
                    Event::Cancel(cancel.reason())
                }
                () = cancel.now.cancelled(), if !killed => {
                    killed = true;
                    Event::Kill
                }
                Some(ended) = self.tasks.join_next() => match self.event_of(ended) {
                    Some(event) => event,
                    None => continue,
                },
                () = &mut time_up, if !timed_out => {
                    timed_out = true;
                    Event::TimeUp
                }
                _ = self.stored.changed() => continue,
                () = &mut ask_again, if ask_at.is_some() => {
                    ask_at = None;
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
            };
            self.step(event)?;
        }
    }

    /// Ends running attempts as a crash would, and returns the result; `None` if the execution had
    /// ended already.
    async fn abandon(&mut self) -> Option<RunError> {
        self.end_attempts().await;
        if self.launched.is_some() && !self.durability.is_stored() {
            match time::timeout(END_PATIENCE, self.withdraw()).await {
                Ok(true) => return Some(RunError::Withdrawn),
                Ok(false) if self.is_over() => return None,
                Ok(false) => self.report_stored(),
                Err(_) if self.durability.run_unstored() => self.run_unstored(),
                Err(_) => {}
            }
        }
        self.acknowledge();
        Some(RunError::Abandoned { is_stored: self.durability.is_stored() })
    }

    fn activity(&self) -> Activity {
        let starts = self.stops.iter().flatten();
        Activity {
            attempts_running: starts
                .into_iter()
                .any(|(start, _)| self.durability.may_begin(*start)),
            is_ended: self.execution.head().status.is_terminal(),
        }
    }

    fn run_unstored(&mut self) {
        // The caller may be gone; without this line a crash before the commit would leave no trace.
        let spec = self.execution.spec();
        let (execution_id, workflow_id) = (&spec.execution_id, spec.workflow_id());
        tracing::warn!(execution_id, workflow_id, "runs without being stored");
        self.unstored.cancel();
        self.show_unstored(&[]);
        if let Some(start_ack) = self.launched.take() {
            start_ack.unstored();
        }
    }

    fn acknowledge(&mut self) {
        let commit = self.stored.borrow_and_update().clone();
        self.durability.acknowledge(commit);
    }

    fn note_stored(&mut self) {
        self.acknowledge();
        if self.durability.commit().version == 0 {
            return;
        }
        // An execution that has ended is reported with its end.
        if !self.is_over() {
            self.report_stored();
        }
        self.forget_unstored();
    }

    /// Shows it from memory no longer.
    fn forget_unstored(&self) {
        if let Unstored::Run(memory) = &self.context.unstored
            && self.durability.runs_unstored()
        {
            memory.forget(self.pending.execution_id());
        }
    }

    fn report_stored(&mut self) {
        if let Some(start_ack) = self.launched.take() {
            start_ack.stored(self.durability.commit().seq, self.is_over());
        }
    }

    /// Shows it from memory as long as nothing of it is stored.
    fn show_unstored(&self, ended: &[Attempt]) {
        if let Unstored::Run(memory) = &self.context.unstored
            && self.durability.is_shown_from_memory()
        {
            memory.show(&self.execution, ended);
        }
    }

    /// The remaining time until the timeout of the workflow.
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
                    Attempted::Ended(end, used) => {
                        self.used = used;
                        *end
                    }
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
        self.execution.head().status.is_terminal() && self.durability.is_durable()
    }

    fn step(&mut self, event: Event) -> Result<(), IllegalTransition> {
        let effects = self.record(event)?;
        self.perform(effects);
        Ok(())
    }

    /// Applies an event and has what changed stored.
    fn record(&mut self, event: Event) -> Result<Vec<Effect>, IllegalTransition> {
        let mut effects = self.execution.apply(event, self.moment())?;
        self.admit(&mut effects)?;
        let mut change = self.execution.take_change();
        self.events.add(&self.execution, &mut change);
        self.show_unstored(&change.attempts);
        self.acknowledge();
        let version = self.pending.record(change);
        self.durability.record(version, self.context.clock.elapsed());
        self.enqueue();
        Ok(effects)
    }

    /// Does what the state machine asks for.
    fn perform(&mut self, effects: Vec<Effect>) {
        // While the writer is at work.
        self.used = None;
        self.report_effects(&effects);
        for effect in effects {
            match effect {
                Effect::Admit { step } => self.wait_for_permit(step),
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
        // Permits of steps that will not start any more.
        self.admitted.clear();
        let is_resting = self.execution.is_resting();
        if is_resting && !self.was_resting {
            self.observer.report(&Report::Resting);
        }
        self.was_resting = is_resting;
    }

    fn enqueue(&mut self) {
        self.queue_full = !self.context.writer.enqueue(&self.pending);
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.timeline.now(),
            monotonic: self.context.clock.elapsed(),
            jitter: fastrand::f64(),
        }
    }

    fn start(&mut self, step: usize, attempt: u32, elapsed: Duration) {
        let soon = self.context.abandon.clone();
        let stop = Stop { gently: CancellationToken::new(), soon, now: self.kill.clone() };
        self.stops[step] = Some((self.durability.version(), stop.gently.clone()));
        let spec = Arc::clone(self.execution.spec());
        let attempt = AttemptTask {
            spec: Arc::clone(&spec),
            context: Arc::clone(&self.context),
            observer: Arc::clone(&self.observer),
            stored: self.stored.clone(),
            version: self.durability.version(),
            unstored: self.unstored.clone(),
            output: Arc::clone(&self.output),
            variables: match spec.step(step).work {
                // A sleep has no process, and may last for days.
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
        let at = self.context.clock.now();
        let failing = match &health {
            Health::Failing { error } => Some(Arc::clone(error)),
            Health::Working => None,
        };
        match self.durability.note_health(health, self.context.clock.elapsed()) {
            HealthChange::Failed => {
                if let Some(error) = failing {
                    let (text, hint) = (error.to_string(), error.hint());
                    self.observer.report(&Report::StoreFailing { error: &text, hint, at });
                }
            }
            HealthChange::Recovered => self.observer.report(&Report::StoreWorking { at }),
            HealthChange::None => {}
        }
    }

    /// Makes what is stored later, when the database works again, true for an execution that was
    /// given up; `false` when a commit under way succeeded after all.
    async fn give_up(&mut self, loss: &Loss) -> Result<bool, IllegalTransition> {
        match loss {
            Loss::NotStored(_) => Ok(self.withdraw().await),
            Loss::StoreLost(_) => {
                while self.has_attempts() {
                    for (_, stop) in self.stops.iter().flatten() {
                        stop.cancel();
                    }
                    let event = match self.next_done().await {
                        Some(Done::Attempt(step, Attempted::Ended(end, _))) => {
                            Event::AttemptEnded(step, *end)
                        }
                        Some(Done::Attempt(step, _)) => Event::Withdrawn(step),
                        Some(Done::Wait(_) | Done::Permit(..)) | None => continue,
                    };
                    self.step(event)?;
                }
                Ok(true)
            }
            Loss::Refused(_) => Ok(true),
        }
    }

    /// Withdraws an execution of which nothing is stored, so that it never will be; `false` when a
    /// commit under way came first.
    async fn withdraw(&mut self) -> bool {
        self.pending.withdraw();
        let known = |stored: &CommitStatus| stored.version > 0 || stored.withdrawn;
        // The writer, which decides, outlives this.
        let stored = self.stored.wait_for(known).await.map(|stored| stored.withdrawn);
        self.acknowledge();
        stored.unwrap_or(false)
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

    /// The next task that is done, when its result no longer leads to a decision.
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
}

/// The instant after `wait`; far in the future if the clock cannot represent it.
fn deadline(wait: Duration) -> time::Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    time::Instant::now() + wait.min(FAR)
}

mod admission;
mod events;
mod reports;
mod slot;
