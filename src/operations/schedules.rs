//! Schedules as people see and change them: a list with what comes next, decisions, pauses, and one
//! time that is started by hand.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::rehearsal::{Upcoming, Workflow, upcoming};
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::base::visible::quote;
use crate::repository::{
    DecisionPosition, Reader, ScheduleChange, StoreError, StoredSchedule, Writer,
};
use crate::schedule::decision::{Action, Reason};
use crate::schedule::rules::Schedule;
use crate::workflow::schedule_record::{
    Beside, DecisionRecord, PauseRecord, ScheduledStart, Split,
};
use crate::workflow::trigger::Requester;

/// The longest reason of a pause.
pub(crate) const REASON_BYTES_MAX: usize = 1_000;
/// How many rows of decisions are searched for the last one that was missed.
const SEARCHED: u32 = 1_000;

/// One schedule of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScheduleStatus {
    /// Which workflow.
    pub workflow_id: String,
    /// Its name.
    pub schedule: String,
    /// The zone in which it is read; null where no file has it.
    pub timezone: Option<String>,
    /// The next scheduled time.
    pub next: Option<Upcoming>,
    /// Since when it counts; null where no daemon has run it yet.
    pub first_seen: Option<Timestamp>,
    /// What was decided last.
    pub last_decision: Option<DecisionRecord>,
    /// Whether it starts nothing at the moment, and why.
    pub paused: Option<PauseRecord>,
}

/// What is stored of schedules.
#[derive(Debug, Default)]
pub(crate) struct StoredSchedules {
    schedules: Vec<StoredSchedule>,
    last: Vec<DecisionRecord>,
    pauses: Vec<PauseRecord>,
    identity: String,
}

impl StoredSchedules {
    /// Reads it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn read(reader: &Reader, now: Timestamp) -> Result<Self, StoreError> {
        let number = reader.database_number()?;
        Ok(Self {
            schedules: reader.schedules(None)?,
            last: reader.last_decisions()?,
            pauses: reader.pauses(now)?,
            identity: number.map(|number| number.to_string()).unwrap_or_default(),
        })
    }
}

/// The pause of a workflow, or that of all.
pub(crate) fn pause_of(
    pauses: &[PauseRecord],
    workflow_id: &str,
    now: Timestamp,
) -> Option<PauseRecord> {
    let is_on = |it: &&PauseRecord| {
        it.workflow_id.as_deref().is_none_or(|id| id == workflow_id)
            && it.paused_at <= now
            && it.paused_until.is_none_or(|until| now < until)
    };
    // The one that lasts longest.
    let end = |it: &&PauseRecord| it.paused_until.map_or(i64::MAX, Timestamp::as_micros);
    pauses.iter().filter(is_on).max_by_key(end).cloned()
}

/// Every schedule of these workflows, and those that only the database knows, what comes first at the
/// top.
#[must_use]
pub(crate) fn list(
    workflows: &[Workflow],
    stored: StoredSchedules,
    now: Timestamp,
) -> Vec<ScheduleStatus> {
    let StoredSchedules { schedules, last, pauses, identity } = stored;
    let key = |workflow_id: &str, schedule: &str| (workflow_id.to_owned(), schedule.to_owned());
    let mut seen: HashMap<_, Timestamp> = schedules
        .iter()
        .filter(|it| !it.schedule.is_empty())
        .map(|it| (key(&it.workflow_id, &it.schedule), it.known.first_seen))
        .collect();
    let mut last: HashMap<_, DecisionRecord> =
        last.into_iter().map(|it| (key(&it.workflow_id, &it.schedule), it)).collect();
    let mut all = Vec::new();
    for workflow in workflows {
        for schedule in &workflow.rules.schedules {
            let key = key(&workflow.id, &schedule.name);
            let one = Workflow { id: workflow.id.clone(), rules: workflow.rules.only(schedule) };
            all.push(ScheduleStatus {
                workflow_id: workflow.id.clone(),
                schedule: schedule.name.clone(),
                timezone: Some(schedule.zone_name().to_owned()),
                next: upcoming(&[one], &identity, now, 1).pop(),
                first_seen: seen.remove(&key),
                last_decision: last.remove(&key),
                paused: pause_of(&pauses, &workflow.id, now),
            });
        }
    }
    all.extend(seen.into_iter().map(|(key, first_seen)| ScheduleStatus {
        timezone: None,
        next: None,
        first_seen: Some(first_seen),
        last_decision: last.remove(&key),
        paused: pause_of(&pauses, &key.0, now),
        workflow_id: key.0,
        schedule: key.1,
    }));
    let next = |it: &ScheduleStatus| it.next.as_ref().map(|next| next.start_at);
    all.sort_by(|a, b| {
        let order = |it| (next(it).is_none(), next(it));
        let names = (&a.workflow_id, &a.schedule).cmp(&(&b.workflow_id, &b.schedule));
        order(a).cmp(&order(b)).then(names)
    });
    all
}

/// Until when: a time, or a duration from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// At this time.
    At(Timestamp),
    /// After so long.
    After(Period),
}

impl Until {
    /// The time that it means.
    #[must_use]
    pub(crate) fn after(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(period) => now.plus(period.duration()),
        }
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(period) = text.parse() {
            return Ok(Self::After(period));
        }
        Timestamp::parse_lenient(text).map(Self::At).map_err(|_| {
            "write a duration such as 2h, a date, or a time such as 2026-01-31T12:00:00Z".to_owned()
        })
    }
}

/// Why schedules are not paused or resumed.
#[derive(Debug)]
pub(crate) enum NotPaused {
    /// The pause would be over already.
    Past(Timestamp),
    /// The reason is longer than [`REASON_BYTES_MAX`]: so many bytes.
    LongReason(usize),
    /// The store fails.
    Store(StoreError),
}

/// Lets the schedules of a workflow, or of all, start nothing. Blocks while that is stored.
///
/// # Errors
/// Every [`NotPaused`].
pub(crate) fn pause(
    writer: &Writer,
    pause: &PauseRecord,
    patience: Duration,
) -> Result<(), NotPaused> {
    if let Some(until) = pause.paused_until.filter(|until| *until <= pause.paused_at) {
        return Err(NotPaused::Past(until));
    }
    let bytes = pause.reason.as_ref().map_or(0, String::len);
    if bytes > REASON_BYTES_MAX {
        return Err(NotPaused::LongReason(bytes));
    }
    let change = ScheduleChange::Pause(pause.clone());
    writer.change_schedules(&change, patience).map(|_| ()).map_err(NotPaused::Store)
}

/// Lets them start again; whether they were paused.
///
/// # Errors
/// When the database fails.
pub(crate) fn resume(
    writer: &Writer,
    workflow_id: Option<&str>,
    requester: Requester,
    now: Timestamp,
    patience: Duration,
) -> Result<bool, StoreError> {
    let workflow_id = workflow_id.map(str::to_owned);
    let change = ScheduleChange::Resume { workflow_id, requester, now };
    writer.change_schedules(&change, patience).map(|outcome| outcome.changed > 0)
}

/// Why no scheduled time is started by hand.
#[derive(Debug)]
pub(crate) enum NotRun {
    /// The workflow has no schedule, or none of this name.
    NoSchedule(String),
    /// Nothing was missed or skipped that could be meant.
    NothingMissed,
    /// It is none of the scheduled times; those before and after it.
    NoSuchTime(Option<Timestamp>, Option<Timestamp>),
    /// It is yet to come.
    Future(Timestamp),
    /// It is decided already, and how.
    Decided(Box<DecisionRecord>),
    /// The store fails.
    Store(StoreError),
}

/// The index of a schedule, and the start of one of its times: `at`, or the last one that was missed.
///
/// # Errors
/// Every [`NotRun`].
pub(crate) fn by_hand(
    workflow: &Workflow,
    reader: &Reader,
    name: Option<&str>,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(usize, ScheduledStart), NotRun> {
    let schedules = &workflow.rules.schedules;
    let is_meant = |schedule: &Schedule| name.is_none_or(|name| schedule.name == name);
    if !schedules.iter().any(is_meant) {
        return Err(NotRun::NoSchedule(name.map(str::to_owned).unwrap_or_default()));
    }
    let (index, at) = match at {
        None => last_missed(workflow, reader, is_meant)?,
        Some(at) if at > now => return Err(NotRun::Future(at)),
        Some(at) => {
            let of = schedules.iter().position(|it| is_meant(it) && has(it, at));
            let meant = || schedules.iter().filter(|schedule| is_meant(schedule));
            let index = of.ok_or_else(|| {
                let before = meant().filter_map(|schedule| last_before(schedule, at)).max();
                let after = meant().filter_map(|schedule| schedule.after(at).next()).min();
                NotRun::NoSuchTime(before, after)
            })?;
            (index, at)
        }
    };
    let schedule = &schedules[index];
    let stored = reader.decision(&workflow.id, &schedule.name, at).map_err(NotRun::Store)?;
    if let Some(stored) = &stored
        && stored.action == Action::Started
    {
        return Err(NotRun::Decided(Box::new(stored.clone())));
    }
    let split = stored.filter(|stored| stored.count > 1).map(|row| split(schedule, &row, at));
    let start = ScheduledStart {
        schedule: schedule.name.clone(),
        scheduled_at: at,
        decided_at: now,
        reason: Reason::ByHand.as_str(),
        catch_up: false,
        beside: Beside::ByHand,
        split,
        notify: None,
    };
    Ok((index, start))
}

fn has(schedule: &Schedule, at: Timestamp) -> bool {
    schedule.after(at.minus(Duration::from_micros(1))).next() == Some(at)
}

/// The last time before another, if it is not too long ago.
fn last_before(schedule: &Schedule, at: Timestamp) -> Option<Timestamp> {
    const SPANS: [u64; 4] = [3_600, 86_400, 40 * 86_400, 400 * 86_400];
    SPANS.into_iter().find_map(|seconds| {
        let from = at.minus(Duration::from_secs(seconds));
        schedule.after(from).take_while(|time| *time < at).last()
    })
}

fn last_missed(
    workflow: &Workflow,
    reader: &Reader,
    is_meant: impl Fn(&Schedule) -> bool,
) -> Result<(usize, Timestamp), NotRun> {
    let rows = reader.decisions(Some(&workflow.id), None, SEARCHED).map_err(NotRun::Store)?;
    let missed = rows.iter().filter(|row| row.action == Action::Missed);
    let of = |row: &DecisionRecord| {
        let index = workflow
            .rules
            .schedules
            .iter()
            .position(|it| it.name == row.schedule && is_meant(it))?;
        Some((index, row.scheduled_until))
    };
    missed.filter_map(of).max_by_key(|(_, at)| *at).ok_or(NotRun::NothingMissed)
}

/// How a row of several times is divided by one of them.
fn split(schedule: &Schedule, row: &DecisionRecord, at: Timestamp) -> Split {
    let first = row.scheduled_at.minus(Duration::from_micros(1));
    let before = schedule.after(first).take_while(|time| *time < at);
    let before = before.fold(None, |found: Option<(Timestamp, u64)>, time| {
        Some((time, found.map_or(0, |(_, count)| count) + 1))
    });
    let mut after = schedule.after(at).take_while(|time| *time <= row.scheduled_until);
    let after = after.next().map(|first| (first, after.count() as u64 + 1));
    Split { row: row.scheduled_at, row_until: row.scheduled_until, before, after }
}

/// Why a list cannot go on there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is damaged, or was given out by another version of wfx")]
pub(crate) struct BadCursor;

/// Where a list of decisions goes on, as clients keep it.
#[must_use]
pub(crate) fn cursor(last: &DecisionRecord) -> String {
    let DecisionPosition { scheduled_at, workflow_id, schedule } = DecisionPosition::after(last);
    let text = serde_json::json!([scheduled_at, workflow_id, schedule]).to_string();
    URL_SAFE_NO_PAD.encode(text)
}

/// What [`cursor`] gave.
///
/// # Errors
/// When it gave nothing like it.
pub(crate) fn position(cursor: &str) -> Result<DecisionPosition, BadCursor> {
    let text = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    let (scheduled_at, workflow_id, schedule) =
        serde_json::from_slice(&text).map_err(|_| BadCursor)?;
    Ok(DecisionPosition { scheduled_at, workflow_id, schedule })
}

impl NotRun {
    /// What is wrong, and the remedy.
    #[must_use]
    pub(crate) fn words(&self, workflow_id: &str) -> (String, &'static str) {
        let workflow = quote(workflow_id);
        match self {
            Self::NoSchedule(name) if name.is_empty() => (
                format!("the workflow {workflow} has no `schedule`"),
                "`wfx exec` and `wfx start` start it without one",
            ),
            Self::NoSchedule(name) => (
                format!("the workflow {workflow} has no schedule {}", quote(name)),
                "`wfx schedule list` shows their names",
            ),
            Self::NothingMissed => (
                format!("no time of the workflow {workflow} was missed"),
                "name one, such as `--at 2026-01-31T02:30:00Z`; `wfx schedule history` shows them",
            ),
            Self::NoSuchTime(before, after) => {
                let near = [before, after].into_iter().flatten().map(ToString::to_string);
                let near = near.collect::<Vec<_>>().join(" and ");
                (
                    format!("the workflow {workflow} is not due at that time, but at {near}"),
                    "name a time as `wfx schedule history` and `wfx schedule next` show it",
                )
            }
            Self::Future(at) => (
                format!("{at} is yet to come"),
                "`wfx start` and `wfx exec` start a workflow now, whatever its schedules say",
            ),
            Self::Decided(row) => {
                let id = row.execution_id.as_deref().unwrap_or("unknown");
                (
                    format!("{} is started already, as execution {id}", row.scheduled_at),
                    "`wfx replay` runs an execution again",
                )
            }
            Self::Store(error) => (error.to_string(), "`wfx doctor` looks at the database"),
        }
    }
}
