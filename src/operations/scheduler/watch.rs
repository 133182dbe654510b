//! Looks whether workflows do what is expected of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::entry::{Entry, Start};
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::{Reader, StoreError, UnfinishedExecution};
use crate::schedule::decision::Reason;
use crate::workflow::overdue::{Doing, ExpectedStart, Running, Subject, judge};
use crate::workflow::schedule_record::{OverdueKind, OverdueRecord, PauseRecord};

/// How soon it is looked again while the database changes.
const LOOK: Duration = Duration::from_secs(1);

/// What is known between two looks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// What the database was at then; `None`: it has to be looked again.
    version: Option<i64>,
    next: Option<Timestamp>,
    looked_at: Option<Instant>,
    /// The last success of each workflow that is expected to have one, as far as it was looked up.
    successes: HashMap<String, Timestamp>,
    /// Workflows that are not there any more.
    gone: Vec<String>,
    /// Executions that were started after their time, until the next look.
    started: HashMap<String, Vec<ExpectedStart>>,
}

/// What is not met any more or again, and what is met again.
type Change = (Vec<OverdueRecord>, Vec<(String, OverdueKind)>);

/// What a look found.
#[derive(Debug)]
pub(super) struct Found {
    /// What changed since the last one.
    pub(super) change: Option<Change>,
    /// What is not met.
    pub(super) open: Vec<(String, &'static str)>,
    /// What the database was at.
    version: Option<i64>,
    /// When time alone changes that.
    next: Option<Timestamp>,
}

impl Watch {
    /// Something changed that the database does not tell, such as the clock.
    pub(super) fn changed(&mut self) {
        self.version = None;
        self.next = None;
    }

    /// What was found is stored. Until then it is looked for again.
    pub(super) fn stored(&mut self, found: &Found) {
        self.started.clear();
        self.gone.clear();
        self.next = found.next;
        // What was written is looked at once more.
        self.version = found.version.filter(|_| found.change.is_none());
    }

    /// When time alone changes what is to be reported.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// An execution was started. It may have ended before the next look.
    pub(super) fn started(&mut self, workflow_id: &str, start: &Start, now: Timestamp) {
        if start.reason == Reason::AfterBlackout {
            return;
        }
        let started = ExpectedStart {
            schedule: start.record.schedule.clone(),
            scheduled_at: start.record.scheduled_at,
            due: start.due,
            started_at: Some(now),
            execution_id: start.record.execution_id.clone(),
        };
        self.started.entry(workflow_id.to_owned()).or_default().push(started);
        self.version = None;
    }

    /// A workflow is not there any more.
    pub(super) fn removed(&mut self, workflow_id: String) {
        self.successes.remove(&workflow_id);
        self.gone.push(workflow_id);
        self.version = None;
    }

    /// Looks, if anything can have changed; not more often than people notice.
    pub(super) fn look(
        &mut self,
        entries: &BTreeMap<String, Entry>,
        reader: &Reader,
        version: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Found>, StoreError> {
        let is_due = self.next.is_some_and(|next| next <= now);
        let is_known = version.is_some() && version == self.version && self.started.is_empty();
        let is_soon = self.looked_at.is_some_and(|at| at.elapsed() < LOOK);
        if !is_due && (is_known || is_soon) {
            return Ok(None);
        }
        self.looked_at = Some(clock::monotonic());
        let mut open: HashMap<(String, OverdueKind), OverdueRecord> = HashMap::new();
        for record in reader.overdue()? {
            open.insert((record.workflow_id.clone(), record.kind), record);
        }
        let expecting: Vec<(&String, &Entry)> =
            entries.iter().filter(|(_, entry)| !entry.expectations().is_empty()).collect();
        let mut next: Option<Timestamp> = None;
        let (mut raised, mut cleared) = (Vec::new(), Vec::new());
        if !expecting.is_empty() {
            let runs = |entry: &Entry| {
                let expect = entry.expectations();
                expect.start_within.is_some() || expect.finish_within.is_some()
            };
            let unfinished = match expecting.iter().any(|(_, entry)| runs(entry)) {
                true => by_workflow(reader.unfinished()?),
                false => HashMap::new(),
            };
            let oldest = expecting.iter().filter_map(|(_, entry)| {
                Some(now.minus(entry.expectations().success_within?.duration()))
            });
            let pauses = reader.pauses(oldest.min().unwrap_or(now))?;
            for (id, entry) in expecting {
                let mut paused =
                    pauses.iter().filter(|it| is_of(it, id) && is_on(it, now)).peekable();
                if paused.peek().is_some() {
                    // Nothing is expected meanwhile.
                    let kinds = [OverdueKind::Late, OverdueKind::Slow, OverdueKind::Stale];
                    let keys = kinds.map(|kind| (id.clone(), kind));
                    cleared.extend(keys.into_iter().filter(|key| open.contains_key(key)));
                    let resumed = paused.filter_map(|it| it.paused_until).max();
                    next = next.into_iter().chain(resumed).min();
                    continue;
                }
                let running = unfinished.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
                let starts = self.started.get(id).cloned().unwrap_or_default();
                let mut doing = doing(entry, running, starts);
                if let Some(within) = entry.expectations().success_within {
                    let ends = pauses.iter().filter(|pause| is_of(pause, id));
                    let resumed = ends.filter_map(|pause| pause.paused_until).max();
                    let since = entry.expected_since().into_iter().chain(resumed).max();
                    let is_open = open.contains_key(&(id.clone(), OverdueKind::Stale));
                    let known = self.successes.get(id).copied();
                    let end = known.map(|known| known.plus(within.duration()));
                    // A later success matters once this one is too old.
                    let success = match end.filter(|end| *end > now && !is_open) {
                        Some(_) => known,
                        None => reader.last_success(id)?,
                    };
                    self.successes.extend(success.map(|success| (id.clone(), success)));
                    doing.fresh_since = since.max(success);
                }
                let verdict = judge(entry.expectations(), &doing, now);
                next = next.into_iter().chain(verdict.next).min();
                let mut kinds = BTreeSet::new();
                for (kind, subject) in verdict.overdue {
                    kinds.insert(kind);
                    let before = open.get(&(id.clone(), kind));
                    if before.is_none_or(|before| !is_about(before, &subject)) {
                        raised.push(record(id, kind, subject, now));
                    }
                }
                let late = (id.clone(), OverdueKind::Late);
                let is_later = |open: &OverdueRecord| verdict.punctual > open.scheduled_at;
                if !kinds.contains(&OverdueKind::Late) && open.get(&late).is_some_and(is_later) {
                    cleared.push(late);
                }
                for kind in [OverdueKind::Slow, OverdueKind::Stale] {
                    if !kinds.contains(&kind) && open.contains_key(&(id.clone(), kind)) {
                        cleared.push((id.clone(), kind));
                    }
                }
            }
        }
        // What nobody expects any more is over. Other workflows may be those of other daemons.
        for (id, kind) in open.keys() {
            let Some(entry) = entries.get(id) else {
                if self.gone.contains(id) {
                    cleared.push((id.clone(), *kind));
                }
                continue;
            };
            let expect = entry.expectations();
            let is_expected = match kind {
                OverdueKind::Missed => entry.rules().is_some_and(|it| !it.schedules.is_empty()),
                OverdueKind::Late => expect.start_within.is_some(),
                OverdueKind::Slow => expect.finish_within.is_some(),
                OverdueKind::Stale => expect.success_within.is_some(),
            };
            if !is_expected && !cleared.contains(&(id.clone(), *kind)) {
                cleared.push((id.clone(), *kind));
            }
        }
        let mut shown: Vec<(String, &'static str)> = open
            .keys()
            .filter(|key| !cleared.contains(key))
            .map(|(id, kind)| (id.clone(), kind.as_str()))
            .chain(raised.iter().map(|it| (it.workflow_id.clone(), it.kind.as_str())))
            .collect();
        shown.sort();
        shown.dedup();
        let is_news = !raised.is_empty() || !cleared.is_empty();
        let change = is_news.then_some((raised, cleared));
        Ok(Some(Found { change, open: shown, version, next }))
    }
}

fn by_workflow(unfinished: Vec<UnfinishedExecution>) -> HashMap<String, Vec<UnfinishedExecution>> {
    let mut found: HashMap<String, Vec<UnfinishedExecution>> = HashMap::new();
    for one in unfinished {
        found.entry(one.workflow_id.clone()).or_default().push(one);
    }
    found
}

/// What a workflow does that has expectations.
fn doing(
    entry: &Entry,
    unfinished: &[UnfinishedExecution],
    mut starts: Vec<ExpectedStart>,
) -> Doing {
    // One that waits for its concurrency group has not begun.
    for start in &mut starts {
        let is_it =
            |one: &&UnfinishedExecution| Some(&one.execution_id) == start.execution_id.as_ref();
        if let Some(one) = unfinished.iter().find(is_it) {
            start.started_at = one.started_at;
        }
    }
    starts.extend(entry.waiting());
    let mut running = Vec::new();
    for one in unfinished {
        if let Some(started_at) = one.started_at {
            running.push(Running { execution_id: one.execution_id.clone(), started_at });
        }
        if let Some((schedule, scheduled_at)) = &one.expected
            && !starts.iter().any(|start| start.execution_id.as_ref() == Some(&one.execution_id))
        {
            starts.push(ExpectedStart {
                due: scheduled_at.plus(entry.offset(schedule)),
                schedule: schedule.clone(),
                scheduled_at: *scheduled_at,
                started_at: one.started_at,
                execution_id: Some(one.execution_id.clone()),
            });
        }
    }
    Doing { starts, running, fresh_since: None }
}

fn is_of(pause: &PauseRecord, workflow_id: &str) -> bool {
    pause.workflow_id.as_deref().is_none_or(|id| id == workflow_id)
}

fn is_on(pause: &PauseRecord, now: Timestamp) -> bool {
    pause.paused_at <= now && pause.paused_until.is_none_or(|until| now < until)
}

/// Whether one that is open was reported of this already.
fn is_about(open: &OverdueRecord, subject: &Subject) -> bool {
    let Subject { schedule, scheduled_at, execution_id } = subject;
    let is_same_time = (&open.schedule, &open.scheduled_at) == (schedule, scheduled_at);
    // One that waited has an execution by now.
    is_same_time && (schedule.is_some() || open.execution_id == *execution_id)
}

fn record(workflow_id: &str, kind: OverdueKind, subject: Subject, now: Timestamp) -> OverdueRecord {
    let Subject { schedule, scheduled_at, execution_id } = subject;
    OverdueRecord {
        workflow_id: workflow_id.to_owned(),
        kind,
        count: 1,
        raised_at: now,
        schedule,
        scheduled_at,
        execution_id,
    }
}

#[cfg(test)]
mod tests;
