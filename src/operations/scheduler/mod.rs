//! Runs the schedules of a catalogue: what became due is decided by the
//! [planner](crate::schedule::planner), and done.
//!
//! Every decision is stored. One that starts an execution is stored by the transaction of that
//! execution, so a time is started once at most, whoever else decides and whenever a process dies;
//! the others are stored before, so that no time is left out. Whatever turns out otherwise than it
//! was decided, such as by another daemon, is read again from the database and decided anew.

mod entry;
mod starts;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use self::entry::{Entry, Planned};
use self::starts::{Inbox, News, Outcome, follow};
use self::watch::Watch;
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::engine::supervisor::Supervisor;
use crate::operations::catalogue::Catalogue;
use crate::operations::start;
use crate::repository::ownership::{Liveness, OwnerKind};
use crate::repository::{
    Health, Notified, Reader, RegisteredWorkflow, ScheduleChange, StoreAddress, StoreError,
    StoreErrorKind, Trimmed, UnfinishedExecution, Writer,
};
use crate::schedule::decision::{Action, Reason};
use crate::schedule::planner::{Known, Pause};
use crate::schedule::rules::{START_DEADLINE, Schedule};
use crate::workflow::report::Observer;
use crate::workflow::schedule_record::{DecisionRecord, PauseRecord};

/// The longest time without a look: a clock that was set, and files that changed, are noticed within
/// it.
const LOOK: Duration = Duration::from_secs(1);
/// How soon what waits for an execution of another process is looked at again.
const LOOK_AT_WAITING: Duration = Duration::from_millis(250);
/// How soon a start is tried again that found no room, and a decision that was another's.
const RETRY: Duration = Duration::from_millis(20);
/// How long one round decides, so that a workflow with a year to make up for delays no other one.
const ROUND: Duration = Duration::from_millis(100);
/// How long a start waits for the end of an execution whose process is dead.
const HELD: Duration = Duration::from_secs(30);
/// How long others may have the database locked.
const PATIENCE: Duration = Duration::from_millis(500);
/// A clock that is set back by more than this is worth a warning.
const MUCH: Duration = Duration::from_secs(3_600);

/// What a scheduler reports to.
pub(crate) trait Reporting: Send + Sync {
    /// The observer of an execution of a workflow.
    fn observer(&self, execution_id: &str, workflow_id: &str) -> Arc<dyn Observer>;

    /// A round is over, and why it failed, if it did.
    fn round(&self, problem: Option<&str>);

    /// So many scheduled times were decided so.
    fn decided(&self, action: Action, count: u64);

    /// The start of a scheduled time was stored, so long after it.
    fn late(&self, late: Duration);

    /// The expectations that are not met, each with its workflow.
    fn overdue(&self, open: &[(String, &'static str)]);

    /// When the newest success of a workflow ended.
    fn last_success(&self, workflow_id: &str, at: Timestamp);
}

/// What it works with.
pub(crate) struct Parts {
    /// Runs executions.
    pub supervisor: Arc<Supervisor>,
    /// Where they are stored.
    pub writer: Arc<Writer>,
    /// The workflows.
    pub catalogue: Arc<Catalogue>,
    /// Where the store is.
    pub database: StoreAddress,
    /// Where steps run.
    pub workdir: String,
    /// What it reports to.
    pub reports: Box<dyn Reporting>,
}

/// Runs schedules, in rounds.
pub(crate) struct Scheduler {
    parts: Parts,
    reader: Option<Reader>,
    /// The number that the database is known by, on which jitter depends.
    identity: Option<String>,
    entries: BTreeMap<String, Entry>,
    watch: Watch,
    /// The version of the catalogue that the entries are of.
    catalogue_version: Option<u64>,
    /// Workflows whose schedules are to be registered.
    unregistered: BTreeSet<String>,
    /// When the last round was; `None` before the first one.
    last_round: Option<Timestamp>,
    /// What the database was at when workflows that wait for executions were looked at, and when.
    looked_at: Option<i64>,
    waiting_looked_at: Option<Instant>,
    /// What was reported of the store, so that it is reported once.
    problem: Option<String>,
    /// No room was left for a start.
    is_full: bool,
    /// A start waits until the execution of a dead process is ended.
    is_held: bool,
    sender: UnboundedSender<News>,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("workflows", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// A scheduler that has decided nothing, and where the news of its starts come in.
    pub(crate) fn new(parts: Parts) -> (Self, Inbox) {
        let (sender, receiver) = unbounded_channel();
        let scheduler = Self {
            parts,
            reader: None,
            identity: None,
            entries: BTreeMap::new(),
            watch: Watch::default(),
            catalogue_version: None,
            unregistered: BTreeSet::new(),
            last_round: None,
            looked_at: None,
            waiting_looked_at: None,
            problem: None,
            is_full: false,
            is_held: false,
            sender,
        };
        (scheduler, Inbox::new(receiver))
    }

    /// Decides what is to be decided now, and returns after what time to look again at the latest.
    /// Blocks while the database works; a runtime must be there for what is started.
    pub(crate) fn round(&mut self, now: Timestamp, inbox: &mut Inbox) -> Duration {
        let news = inbox.take();
        match self.try_round(now, news) {
            Ok(wait) => {
                self.parts.reports.round(None);
                if self.problem.take().is_some() {
                    tracing::info!("schedules are run again");
                }
                wait
            }
            Err(error) => {
                let problem = error.to_string();
                self.parts.reports.round(Some(&problem));
                if self.problem.as_ref() != Some(&problem) {
                    tracing::warn!(error = problem, "schedules wait for the database");
                    self.problem = Some(problem);
                }
                // It may be another file by now.
                self.reader = None;
                self.entries.values_mut().for_each(Entry::forget);
                LOOK_AT_WAITING
            }
        }
    }

    fn try_round(&mut self, now: Timestamp, news: Vec<News>) -> Result<Duration, StoreError> {
        self.note(news, now)?;
        if let Health::Failing { error } = &*self.parts.writer.health().borrow() {
            return Err(StoreError::clone(error));
        }
        self.open()?;
        if self.last_round.is_none_or(|last| now < last) {
            self.set_back(now)?;
        }
        self.last_round = Some(now);
        self.sync()?;
        self.register(now)?;
        self.read_stale(now)?;
        let has_more = self.decide(now)?;
        self.expectations(now)?;
        Ok(self.pause(now, has_more))
    }

    /// After what time to look again.
    fn pause(&self, now: Timestamp, has_more: bool) -> Duration {
        if has_more || self.is_full || self.entries.values().any(Entry::is_stale) {
            return RETRY;
        }
        let wakes = self.entries.values().filter_map(Entry::wake);
        let next = wakes.chain(self.watch.next()).min();
        if self.is_held {
            return LOOK_AT_WAITING;
        }
        let is_waiting = self.entries.values().any(Entry::is_waiting);
        let longest = if is_waiting { LOOK_AT_WAITING } else { LOOK };
        next.map_or(longest, |next| next.since(now).clamp(Duration::from_millis(1), longest))
    }

    fn open(&mut self) -> Result<(), StoreError> {
        if self.reader.as_ref().is_some_and(Reader::is_in_place) {
            return Ok(());
        }
        let reader = Reader::open(&self.parts.database)?;
        let number = reader.database_number()?;
        self.identity = number.map(|number| number.to_string());
        self.looked_at = None;
        self.reader = Some(reader);
        self.entries.values_mut().for_each(Entry::forget);
        Ok(())
    }

    fn reader(&self) -> Result<&Reader, StoreError> {
        self.reader.as_ref().ok_or_else(|| {
            StoreError::new(StoreErrorKind::Io, "cannot read schedules: the database is not open")
        })
    }

    fn write(&self, change: &ScheduleChange) -> Result<BTreeSet<String>, StoreError> {
        self.parts.writer.change_schedules(change, PATIENCE).map(|outcome| outcome.conflicts)
    }

    /// Takes note of what became of starts.
    fn note(&mut self, news: Vec<News>, now: Timestamp) -> Result<(), StoreError> {
        for (workflow_id, outcome) in news {
            let Some(entry) = self.entries.get_mut(&workflow_id) else { continue };
            if outcome == Outcome::Ended {
                entry.ended();
                continue;
            }
            let Some(start) = entry.acknowledged() else { continue };
            match outcome {
                Outcome::Stored | Outcome::Ended => {
                    self.parts.reports.decided(Action::Started, 1);
                    if matches!(start.reason, Reason::OnTime | Reason::Late | Reason::Replaces) {
                        self.parts.reports.late(now.since(start.due));
                    }
                    self.watch.started(&workflow_id, &start, now);
                }
                Outcome::Decided | Outcome::NotStored => entry.forget(),
                Outcome::GroupFull => {
                    let skipped = DecisionRecord {
                        decided_at: now,
                        action: Action::Skipped,
                        reason: Reason::GroupFull.as_str().to_owned(),
                        execution_id: None,
                        ..start.record
                    };
                    let (decisions, notify) = (vec![skipped], Notified::new());
                    let change = ScheduleChange::Decide { now, decisions, notify };
                    // What is not stored is decided again.
                    let stored = self.write(&change);
                    if stored.as_ref().is_ok_and(BTreeSet::is_empty) {
                        self.parts.reports.decided(Action::Skipped, 1);
                    } else if let Some(entry) = self.entries.get_mut(&workflow_id) {
                        entry.forget();
                    }
                }
            }
            self.start_next(&workflow_id);
        }
        Ok(())
    }

    /// What was decided for times to come does not hold: the clock was ahead.
    fn set_back(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.watch.changed();
        if let Some(last) = self.last_round
            && last.since(now) > MUCH
        {
            tracing::warn!(
                from = %last, to = %now,
                "the clock was set back: times that were started are not started again, and all others \
                 are decided anew"
            );
        }
        // A clock that is corrected by less changes nothing.
        if self.reader()?.decided_across(now.plus(LOOK))?.is_none() {
            return Ok(());
        }
        // It was noticed so late at most: what became due since then is still to be decided.
        let now = now.minus(LOOK);
        let across = self.reader()?.decided_across(now)?.unwrap_or_default();
        let trimmed = across.iter().filter_map(|row| self.trimmed(row, now)).collect();
        self.write(&ScheduleChange::SetBack { now, trimmed })?;
        self.entries.values_mut().for_each(Entry::forget);
        Ok(())
    }

    /// What is left of a row of decisions.
    fn trimmed(&self, row: &DecisionRecord, now: Timestamp) -> Option<Trimmed> {
        let compiled = self.parts.catalogue.get(&row.workflow_id)?;
        let scheduling = compiled.definition().scheduling.as_ref()?;
        let of_name = |it: &&Schedule| it.name == row.schedule;
        let schedule = scheduling.rules.schedules.iter().find(of_name)?;
        let left = schedule.after(row.scheduled_at).take_while(|at| *at <= now);
        let (count, last) = left.fold((1, row.scheduled_at), |(count, _), at| (count + 1, at));
        Some(Trimmed {
            workflow_id: row.workflow_id.clone(),
            schedule: row.schedule.clone(),
            scheduled_at: row.scheduled_at,
            scheduled_until: last,
            count,
        })
    }

    /// Takes over what changed in the catalogue.
    fn sync(&mut self) -> Result<(), StoreError> {
        let version = self.parts.catalogue.version();
        if self.catalogue_version == Some(version) {
            return Ok(());
        }
        let workflows = self.parts.catalogue.workflows();
        let gone = |id: &&String| {
            let compiled = workflows.get(*id);
            compiled.is_none_or(|compiled| compiled.definition().scheduling.is_none())
        };
        let gone: Vec<String> = self.entries.keys().filter(gone).cloned().collect();
        for id in gone {
            self.entries.remove(&id);
            self.watch.removed(id.clone());
            self.unregistered.insert(id);
        }
        for (id, compiled) in workflows {
            if compiled.definition().scheduling.is_none() {
                continue;
            }
            match self.entries.get_mut(&id) {
                Some(entry) if Arc::ptr_eq(&entry.compiled, &compiled) => continue,
                Some(entry) => entry.replace(compiled),
                None => _ = self.entries.insert(id.clone(), Entry::new(compiled)),
            }
            if let Some(success) = self.reader()?.last_success(&id)? {
                self.parts.reports.last_success(&id, success);
            }
            self.unregistered.insert(id);
        }
        self.watch.changed();
        self.catalogue_version = Some(version);
        Ok(())
    }

    /// Stores which schedules there are: those that are new begin now.
    fn register(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.unregistered.is_empty() {
            return Ok(());
        }
        let of = |workflow_id: &String| RegisteredWorkflow {
            workflow_id: workflow_id.clone(),
            schedules: self.entries.get(workflow_id).map(Entry::timings).unwrap_or_default(),
        };
        let workflows = self.unregistered.iter().map(of).collect();
        self.write(&ScheduleChange::Register { now, workflows })?;
        self.unregistered.clear();
        Ok(())
    }

    /// Goes on from what is stored, where that is not known.
    fn read_stale(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let stale = self.entries.iter().filter(|(_, entry)| entry.is_stale());
        let stale: BTreeSet<String> = stale.map(|(id, _)| id.clone()).collect();
        if stale.is_empty() {
            return Ok(());
        }
        let mut stored: HashMap<(String, String), Known> = self
            .reader()?
            .schedules(Some(&stale))?
            .into_iter()
            .map(|it| ((it.workflow_id, it.schedule), it.known))
            .collect();
        let identity = self.identity.clone().unwrap_or_default();
        for id in stale {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            // What another daemon has removed begins anew.
            let mut is_removed = false;
            let known = |name: &str| {
                stored.remove(&(id.clone(), name.to_owned())).unwrap_or_else(|| {
                    is_removed = true;
                    Known::since(now)
                })
            };
            entry.read(&id, &identity, known, now);
            if is_removed {
                self.unregistered.insert(id);
            }
        }
        self.register(now)?;
        Ok(())
    }

    /// Decides what is due; whether something is left.
    fn decide(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let is_time = self.waiting_looked_at.is_none_or(|at| at.elapsed() >= LOOK_AT_WAITING);
        let mut has_changed = false;
        if is_time {
            let version = self.reader()?.version()?;
            has_changed = version.is_none() || version != self.looked_at;
            self.looked_at = version;
            self.waiting_looked_at = Some(clock::monotonic());
        }
        let is_due = |entry: &Entry| {
            entry.is_ready() && (entry.is_due(now) || (has_changed && entry.is_waiting()))
        };
        let mut due: Vec<(Timestamp, String)> = self
            .entries
            .iter()
            .filter(|(_, entry)| is_due(entry))
            .map(|(id, entry)| (entry.wake().unwrap_or(now), id.clone()))
            .collect();
        (self.is_full, self.is_held) = (false, false);
        let mut room = self.parts.supervisor.room();
        if due.is_empty() || room == 0 {
            self.is_full = !due.is_empty();
            return Ok(false);
        }
        // What waits longest comes first, so that each gets room; only those that have a long time to
        // make up for come last.
        let is_long = |wake: &Timestamp| now.since(*wake) > START_DEADLINE;
        due.sort_by(|(a, of_a), (b, of_b)| (is_long(a), a, of_a).cmp(&(is_long(b), b, of_b)));
        let since = due.iter().map(|(wake, _)| *wake).min().unwrap_or(now);
        let pauses = self.reader()?.pauses(since.min(now))?;
        let unfinished = by_workflow(self.reader()?.unfinished()?);
        let began = clock::monotonic();
        let mut planned = Vec::new();
        let mut has_more = false;
        for (wake, id) in due {
            if began.elapsed() >= ROUND {
                has_more = true;
                break;
            }
            if room == 0 {
                self.is_full = true;
                break;
            }
            let others = unfinished.get(&id).map(Vec::as_slice).unwrap_or_default();
            if now.since(wake) < HELD && self.is_held_by_the_dead(others)? {
                // It is ended first, by whoever looks after those.
                self.is_held = true;
                continue;
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let parts = &self.parts;
            let plan = |snapshot| parts.supervisor.plan(snapshot, None);
            let pauses = of_workflow(&pauses, &id);
            let notify = parts.supervisor.notify_of(entry.compiled.definition());
            let plan = entry.decide(&id, now, pauses, others, (&parts.workdir, notify), plan);
            room = room.saturating_sub(plan.starts.len());
            planned.push((id, plan));
        }
        self.carry_out(planned, now)?;
        Ok(has_more)
    }

    /// Whether an execution is in the way whose process was an `exec` and is dead.
    fn is_held_by_the_dead(&self, others: &[UnfinishedExecution]) -> Result<bool, StoreError> {
        let of_exec = |it: &&UnfinishedExecution| {
            it.owner.as_deref().and_then(OwnerKind::of) == Some(OwnerKind::Exec)
        };
        let mut of_exec = others.iter().filter(of_exec).peekable();
        if of_exec.peek().is_none() {
            return Ok(false);
        }
        let mut judge = self.reader()?.judge()?;
        Ok(of_exec
            .filter_map(|it| it.owner.as_deref())
            .any(|owner| judge.liveness(owner) == Liveness::Dead))
    }

    /// Stores what was decided, then starts what is to be started.
    fn carry_out(
        &mut self,
        planned: Vec<(String, Planned)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let decisions: Vec<DecisionRecord> =
            planned.iter().flat_map(|(_, plan)| plan.decisions.iter().cloned()).collect();
        let mut conflicts = BTreeSet::new();
        if !decisions.is_empty() {
            let counts: Vec<(Action, u64)> =
                decisions.iter().map(|it| (it.action, it.count)).collect();
            let missed = decisions.iter().filter(|it| it.action == Action::Missed);
            let notify = self.notified(missed.map(|it| &it.workflow_id));
            match self.write(&ScheduleChange::Decide { now, decisions, notify }) {
                Ok(found) => conflicts = found,
                Err(error) => {
                    // Nothing of it was stored, and all of it is decided again.
                    for (id, _) in &planned {
                        if let Some(entry) = self.entries.get_mut(id) {
                            entry.forget();
                        }
                    }
                    return Err(error);
                }
            }
            for (action, count) in counts {
                self.parts.reports.decided(action, count);
            }
        }
        for (id, plan) in planned {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            if conflicts.contains(&id) {
                entry.forget();
                continue;
            }
            entry.start(plan.starts);
            self.start_next(&id);
        }
        Ok(())
    }

    /// Who is notified of these workflows.
    fn notified<'w>(&self, workflows: impl Iterator<Item = &'w String>) -> Notified {
        let of = |id: &String| {
            let definition = self.entries.get(id)?.compiled.definition();
            Some((id.clone(), self.parts.supervisor.notify_of(definition)?))
        };
        workflows.filter_map(of).collect()
    }

    /// Submits the next start of a workflow; one after the other, so that each sees the one before.
    fn start_next(&mut self, workflow_id: &str) {
        let Some(entry) = self.entries.get_mut(workflow_id) else { return };
        let Some(spec) = entry.next_start() else { return };
        let Parts { supervisor, writer, reports, .. } = &self.parts;
        let observer = reports.observer(&spec.execution_id, workflow_id);
        match start::submit(supervisor, writer, spec, observer, false) {
            Ok(submitted) => {
                tokio::spawn(follow(workflow_id.to_owned(), submitted, self.sender.clone()));
            }
            Err(_) => {
                self.is_full = true;
                entry.forget();
            }
        }
    }

    fn expectations(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(reader) = &self.reader else { return Ok(()) };
        let version = reader.version()?;
        let Some(found) = self.watch.look(&self.entries, reader, version, now)? else {
            return Ok(());
        };
        if let Some((raised, cleared)) = found.change.clone() {
            let of_cleared = cleared.iter().map(|(id, _)| id);
            let concerned = raised.iter().map(|it| &it.workflow_id).chain(of_cleared);
            let notify = self.notified(concerned);
            self.write(&ScheduleChange::Overdue { now, raised, cleared, notify })?;
        }
        self.watch.stored(&found);
        self.parts.reports.overdue(&found.open);
        Ok(())
    }
}

/// Those that may be in the way of scheduled starts.
fn by_workflow(unfinished: Vec<UnfinishedExecution>) -> HashMap<String, Vec<UnfinishedExecution>> {
    let mut found: HashMap<String, Vec<UnfinishedExecution>> = HashMap::new();
    for one in unfinished.into_iter().filter(|one| !one.is_ad_hoc) {
        found.entry(one.workflow_id.clone()).or_default().push(one);
    }
    found
}

/// The pauses of a workflow, and those of all.
fn of_workflow(pauses: &[PauseRecord], workflow_id: &str) -> Vec<Pause> {
    let of = |it: &&PauseRecord| it.workflow_id.as_deref().is_none_or(|id| id == workflow_id);
    let span = |it: &PauseRecord| Pause { from: it.paused_at, until: it.paused_until };
    pauses.iter().filter(of).map(span).collect()
}
