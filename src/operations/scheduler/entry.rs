//! One workflow with its planner, and what of it is being done.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::base::timestamp::Timestamp;
use crate::repository::UnfinishedExecution;
use crate::schedule::collapse::{Collapsed, Collapser};
use crate::schedule::decision::{Action, Decision, ExecutionNumber, Reason};
use crate::schedule::planner::{Known, Pause, Planner, Unfinished};
use crate::schedule::rules::{Overlap, Rules};
use crate::workflow::check::{self, GivenBy};
use crate::workflow::compiled::{CompiledWorkflow, DefinitionSource, Snapshot};
use crate::workflow::definition::Parameters;
use crate::workflow::notification::Notify;
use crate::workflow::overdue::ExpectedStart;
use crate::workflow::schedule_record::{Beside, DecisionRecord, ScheduledStart};
use crate::workflow::scheduling::{Expectations, Scheduling};
use crate::workflow::spec::ExecutionSpec;

/// The name under which it is stored since when a workflow is expected to succeed. No schedule has it.
pub(super) const EXPECTED: &str = "";

/// How far a workflow is.
#[derive(Debug)]
enum State {
    /// What is stored of it has to be read.
    Stale,
    /// It is decided up to the last round.
    Ready(Box<Planner>),
}

/// A start that was submitted, or is about to be.
#[derive(Debug)]
pub(super) struct Start {
    /// What is stored once it is.
    pub(super) record: DecisionRecord,
    /// Its scheduled time and the schedule's jitter.
    pub(super) due: Timestamp,
    /// Why it is started now.
    pub(super) reason: Reason,
    spec: Option<ExecutionSpec>,
}

/// What was decided of a workflow.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// To be stored first.
    pub(super) decisions: Vec<DecisionRecord>,
    /// To be started then, in this order.
    pub(super) starts: VecDeque<Start>,
}

/// One workflow of the catalogue that has schedules or expectations.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) compiled: Arc<CompiledWorkflow>,
    state: State,
    /// What is being started, the first one submitted.
    starts: VecDeque<Start>,
    wake: Option<Timestamp>,
    /// An execution of it has ended since it was looked at.
    has_ended: bool,
    /// Since when success is expected.
    expected_since: Option<Timestamp>,
    /// The parameters of each schedule; why they are none otherwise.
    params: Vec<Result<Parameters, String>>,
}

impl Entry {
    pub(super) fn new(compiled: Arc<CompiledWorkflow>) -> Self {
        let params = params(&compiled);
        let (state, starts) = (State::Stale, VecDeque::new());
        Self { compiled, state, starts, wake: None, has_ended: false, expected_since: None, params }
    }

    /// Its file has changed.
    pub(super) fn replace(&mut self, compiled: Arc<CompiledWorkflow>) {
        self.params = params(&compiled);
        self.compiled = compiled;
        self.state = State::Stale;
    }

    /// What is known of it may not be what is stored. What was submitted goes on.
    pub(super) fn forget(&mut self) {
        self.state = State::Stale;
        self.starts.truncate(usize::from(self.is_starting()));
    }

    /// Whether a start was submitted of which it is not known what becomes of it.
    fn is_starting(&self) -> bool {
        self.starts.front().is_some_and(|start| start.spec.is_none())
    }

    pub(super) fn is_stale(&self) -> bool {
        matches!(self.state, State::Stale) && self.starts.is_empty()
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_)) && self.starts.is_empty()
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.has_ended && self.is_waiting() || self.wake.is_some_and(|wake| wake <= now)
    }

    /// When there is something to decide next.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.wake.filter(|_| self.is_ready())
    }

    /// Whether it waits for the end of executions.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(&self.state, State::Ready(planner) if planner.is_waiting())
    }

    pub(super) fn ended(&mut self) {
        self.has_ended = true;
    }

    fn scheduling(&self) -> Option<&Scheduling> {
        self.compiled.definition().scheduling.as_deref()
    }

    pub(super) fn expectations(&self) -> Expectations {
        self.scheduling().map(|it| it.expect).unwrap_or_default()
    }

    pub(super) fn expected_since(&self) -> Option<Timestamp> {
        self.expected_since
    }

    pub(super) fn rules(&self) -> Option<&Rules> {
        self.scheduling().map(|it| &it.rules)
    }

    /// What is registered of it.
    pub(super) fn timings(&self) -> Vec<(String, String)> {
        let Some(scheduling) = self.scheduling() else { return Vec::new() };
        let schedules = scheduling.rules.schedules.iter();
        let mut timings: Vec<_> = schedules.map(|it| (it.name.clone(), it.timing_text())).collect();
        if !scheduling.expect.is_empty() {
            timings.push((EXPECTED.to_owned(), "expect".to_owned()));
        }
        timings
    }

    /// Goes on from what is stored.
    pub(super) fn read(
        &mut self,
        workflow_id: &str,
        identity: &str,
        mut known: impl FnMut(&str) -> Known,
        now: Timestamp,
    ) {
        let scheduling = self.compiled.definition().scheduling.as_deref();
        let Some(Scheduling { rules, expect, .. }) = scheduling else { return };
        let known_of: Vec<Known> = rules.schedules.iter().map(|it| known(&it.name)).collect();
        self.expected_since = (!expect.is_empty()).then(|| known(EXPECTED).first_seen);
        let mut planner = Planner::new(rules, workflow_id, identity, &known_of);
        // What became due until now is decided in this round.
        let before = known_of.iter().map(|known| known.first_seen).min().unwrap_or(now);
        self.wake = planner.next_wake(before.minus(std::time::Duration::from_micros(1)));
        if planner.is_waiting() {
            self.has_ended = true;
        }
        self.state = State::Ready(Box::new(planner));
    }

    /// Decides what is due, while these executions have not ended.
    pub(super) fn decide(
        &mut self,
        workflow_id: &str,
        now: Timestamp,
        pauses: Vec<Pause>,
        unfinished: &[UnfinishedExecution],
        (workdir, notify): (&str, Option<Arc<Notify>>),
        plan: impl Fn(Snapshot) -> ExecutionSpec,
    ) -> Planned {
        self.has_ended = false;
        let Self { compiled, state, params, wake, .. } = self;
        let (State::Ready(planner), Some(scheduling)) = (state, &compiled.definition().scheduling)
        else {
            return Planned::default();
        };
        let mut making = Making {
            workflow_id,
            rules: &scheduling.rules,
            now,
            ids: unfinished.iter().map(|it| it.execution_id.clone()).collect(),
            collapser: Collapser::default(),
            waiting: HashMap::new(),
            starts: VecDeque::new(),
            newest: HashMap::new(),
            notify,
        };
        let numbered = |(number, it): (ExecutionNumber, &UnfinishedExecution)| Unfinished {
            number,
            catch_up: it.catch_up,
        };
        let others: Vec<Unfinished> = (0..).zip(unfinished).map(numbered).collect();
        planner.set_pauses(pauses);
        planner.decide(now, &others, &mut |decision| {
            if decision.action != Action::Started {
                making.note(decision);
                return None;
            }
            match &params[decision.schedule] {
                Ok(params) => {
                    let spec = plan(Snapshot {
                        compiled: Arc::clone(compiled),
                        params: params.clone(),
                        workdir: workdir.to_owned(),
                        source: Some(DefinitionSource::Catalogue),
                    });
                    Some(making.start(decision, spec))
                }
                Err(why) => {
                    let schedule = &scheduling.rules.schedules[decision.schedule].name;
                    tracing::warn!(workflow_id, schedule, why, "a scheduled start is skipped");
                    let (action, reason) = (Action::Skipped, Reason::Unfit);
                    making.note(Decision { action, reason, ..decision });
                    None
                }
            }
        });
        *wake = planner.next_wake(now);
        making.finish(planner)
    }

    /// Takes over what is to be started.
    pub(super) fn start(&mut self, starts: VecDeque<Start>) {
        self.starts = starts;
    }

    /// The next start, unless one is on its way.
    pub(super) fn next_start(&mut self) -> Option<ExecutionSpec> {
        self.starts.front_mut()?.spec.take()
    }

    /// It is known what became of the start that is on its way.
    pub(super) fn acknowledged(&mut self) -> Option<Start> {
        self.is_starting().then(|| self.starts.pop_front()).flatten()
    }

    /// Starts that wait for others of the workflow.
    pub(super) fn waiting(&self) -> Vec<ExpectedStart> {
        let (State::Ready(planner), Some(rules)) = (&self.state, self.rules()) else {
            return Vec::new();
        };
        let of = |(index, scheduled_at, is_deferred): (usize, Timestamp, bool)| {
            (!is_deferred).then(|| ExpectedStart {
                schedule: rules.schedules[index].name.clone(),
                scheduled_at,
                due: scheduled_at.plus(planner.offset(index)),
                started_at: None,
                execution_id: None,
            })
        };
        planner.waiting().filter_map(of).collect()
    }

    /// How much later than scheduled a schedule starts.
    pub(super) fn offset(&self, name: &str) -> std::time::Duration {
        let (State::Ready(planner), Some(rules)) = (&self.state, self.rules()) else {
            return std::time::Duration::ZERO;
        };
        let index = rules.schedules.iter().position(|schedule| schedule.name == name);
        index.map(|index| planner.offset(index)).unwrap_or_default()
    }
}

/// The parameters that each schedule of a workflow starts it with.
fn params(compiled: &CompiledWorkflow) -> Vec<Result<Parameters, String>> {
    let definition = compiled.definition();
    let Some(scheduling) = &definition.scheduling else { return Vec::new() };
    let of = |given: &indexmap::IndexMap<String, crate::workflow::scalar::Scalar>| {
        let given: Vec<_> =
            given.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        check::parameters(definition, &given, GivenBy::Nobody).map_err(|why| why.to_string())
    };
    scheduling.params.iter().map(of).collect()
}

/// Decisions of one round, as they are made.
struct Making<'m> {
    workflow_id: &'m str,
    rules: &'m Rules,
    now: Timestamp,
    /// What the planner calls executions.
    ids: Vec<String>,
    collapser: Collapser,
    /// Those that are not final, and may become so in the same round.
    waiting: HashMap<(usize, u64), Decision>,
    starts: VecDeque<(Decision, ExecutionSpec)>,
    /// The newest time that was decided of each schedule.
    newest: HashMap<usize, Timestamp>,
    /// Who is notified that expectations are met again.
    notify: Option<Arc<Notify>>,
}

impl Making<'_> {
    fn note(&mut self, decision: Decision) {
        let newest = self.newest.entry(decision.schedule).or_insert(decision.scheduled_at);
        *newest = decision.scheduled_at.max(*newest);
        let key = (decision.schedule, decision.ordinal);
        if decision.action.is_final() {
            self.waiting.remove(&key);
            self.collapser.push(decision);
        } else {
            self.waiting.insert(key, decision);
        }
    }

    fn start(&mut self, decision: Decision, spec: ExecutionSpec) -> ExecutionNumber {
        let newest = self.newest.entry(decision.schedule).or_insert(decision.scheduled_at);
        *newest = decision.scheduled_at.max(*newest);
        self.waiting.remove(&(decision.schedule, decision.ordinal));
        let number = ExecutionNumber::try_from(self.ids.len()).unwrap_or(ExecutionNumber::MAX);
        self.ids.push(spec.execution_id.clone());
        self.starts.push_back((decision, spec));
        number
    }

    fn record(&self, row: &Collapsed) -> DecisionRecord {
        let Decision { schedule, scheduled_at, action, reason, catch_up, .. } = row.first;
        let execution_id = match reason {
            Reason::Overlap(number) => {
                usize::try_from(number).ok().and_then(|number| self.ids.get(number).cloned())
            }
            _ => None,
        };
        DecisionRecord {
            workflow_id: self.workflow_id.to_owned(),
            schedule: self.rules.schedules[schedule].name.clone(),
            scheduled_at,
            scheduled_until: row.until,
            count: row.count,
            decided_at: self.now,
            action,
            reason: reason.as_str().to_owned(),
            execution_id,
            catch_up,
        }
    }

    fn one(&self, decision: Decision) -> DecisionRecord {
        self.record(&Collapsed { first: decision, until: decision.scheduled_at, count: 1 })
    }

    fn finish(mut self, planner: &Planner) -> Planned {
        let rows = std::mem::take(&mut self.collapser).finish();
        let mut decisions: Vec<DecisionRecord> = rows.iter().map(|row| self.record(row)).collect();
        let mut waiting: Vec<Decision> = self.waiting.values().copied().collect();
        // A start is stored after all of these, and a later time may be stored before it: until it
        // is, its row says that it waits.
        let is_newest = |it: &Decision| self.newest.get(&it.schedule) == Some(&it.scheduled_at);
        let not_newest = self.starts.iter().map(|(decision, _)| decision);
        waiting.extend(not_newest.filter(|it| !is_newest(it)).map(|decision| Decision {
            action: Action::Queued,
            reason: Reason::BehindOthers,
            ..*decision
        }));
        waiting.sort_by_key(|decision| (decision.schedule, decision.scheduled_at));
        decisions.extend(waiting.into_iter().map(|decision| self.one(decision)));
        let starts = std::mem::take(&mut self.starts);
        let starts = starts.into_iter().map(|(decision, spec)| {
            let record = DecisionRecord {
                execution_id: Some(spec.execution_id.clone()),
                ..self.one(decision)
            };
            let scheduled = ScheduledStart {
                schedule: record.schedule.clone(),
                scheduled_at: decision.scheduled_at,
                decided_at: self.now,
                reason: decision.reason.as_str(),
                catch_up: decision.catch_up,
                beside: beside(decision, self.rules.overlap),
                split: None,
                notify: self.notify.clone(),
            };
            let due = decision.scheduled_at.plus(planner.offset(decision.schedule));
            Start { record, due, reason: decision.reason, spec: Some(spec.scheduled(scheduled)) }
        });
        Planned { decisions, starts: starts.collect() }
    }
}

/// Which executions a start may be beside.
fn beside(decision: Decision, overlap: Overlap) -> Beside {
    match (decision.catch_up, overlap) {
        (_, _) if decision.reason == Reason::Replaces => Beside::Replaced,
        (true, Overlap::Allow) => Beside::NoCatchUp,
        (false, Overlap::Allow) => Beside::Anything,
        _ => Beside::Nothing,
    }
}
