//! Scheduled times that are to come, and rehearsals of many workflows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;
use crate::schedule::rules::Rules;
use crate::schedule::simulation::{self, Rehearsal, Span};
use crate::workflow::definition::Definition;

/// A workflow with its schedules.
#[derive(Debug)]
pub(crate) struct Workflow {
    /// Its id.
    pub id: String,
    /// Its schedules.
    pub rules: Rules,
}

impl Workflow {
    /// What a definition says of its starts.
    #[must_use]
    pub(crate) fn of(definition: &Definition) -> Self {
        let rules = definition.scheduling.as_ref().map(|scheduling| scheduling.rules.clone());
        Self { id: definition.id.clone(), rules: rules.unwrap_or_default() }
    }
}

/// A scheduled time that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upcoming {
    /// Its workflow.
    pub workflow_id: String,
    /// Its schedule.
    pub schedule: String,
    /// The zone of that.
    pub timezone: String,
    /// The scheduled time.
    pub scheduled_at: Timestamp,
    /// The same on the clocks of the zone, with their offset.
    pub local: String,
    /// When it starts, later by its jitter.
    pub start_at: Timestamp,
    /// Whether a blackout is in its way.
    pub blackout: bool,
}

/// The first `count` scheduled times strictly after an instant, in order.
#[must_use]
pub(crate) fn upcoming(
    workflows: &[Workflow],
    database: &str,
    after: Timestamp,
    count: usize,
) -> Vec<Upcoming> {
    let mut heap = BinaryHeap::new();
    let mut due = Vec::new();
    for (index, workflow) in workflows.iter().enumerate() {
        for (at, schedule) in workflow.rules.schedules.iter().enumerate() {
            let mut times = schedule.after(after);
            heap.extend(times.next().map(|first| Reverse((first, index, at, due.len()))));
            due.push((times, schedule.offset(database, &workflow.id)));
        }
    }
    let mut found = Vec::new();
    while found.len() < count
        && let Some(Reverse((scheduled_at, index, at, source))) = heap.pop()
    {
        let (times, offset) = &mut due[source];
        found.push(of_schedule(&workflows[index], at, scheduled_at, *offset));
        heap.extend(times.next().map(|next| Reverse((next, index, at, source))));
    }
    found
}

/// The next scheduled time of each schedule, at most `count` of them, what starts first at the top.
#[must_use]
pub(crate) fn next_of_each(
    workflows: &[Workflow],
    database: &str,
    after: Timestamp,
    count: usize,
) -> Vec<Upcoming> {
    let mut next = Vec::new();
    for workflow in workflows {
        for (at, schedule) in workflow.rules.schedules.iter().enumerate() {
            let Some(scheduled_at) = schedule.after(after).next() else { continue };
            let offset = schedule.offset(database, &workflow.id);
            next.push((scheduled_at.plus(offset), workflow, at, scheduled_at, offset));
        }
    }
    next.sort_by_key(|(start_at, workflow, at, ..)| (*start_at, &workflow.id, *at));
    next.truncate(count);
    let of =
        |(_, workflow, at, scheduled_at, offset)| of_schedule(workflow, at, scheduled_at, offset);
    next.into_iter().map(of).collect()
}

/// One time of a schedule, by the index of that.
fn of_schedule(
    workflow: &Workflow,
    at: usize,
    scheduled_at: Timestamp,
    offset: Duration,
) -> Upcoming {
    let Workflow { id, rules } = workflow;
    let schedule = &rules.schedules[at];
    let start_at = scheduled_at.plus(offset);
    Upcoming {
        workflow_id: id.clone(),
        schedule: schedule.name.clone(),
        timezone: schedule.zone_name().to_owned(),
        scheduled_at,
        local: local(scheduled_at, &schedule.zone),
        start_at,
        blackout: rules.is_in_blackout(start_at),
    }
}

/// How many scheduled times lie in each of the next `hours` hours; `None` where there are more than
/// `most`.
#[must_use]
pub(crate) fn times_an_hour(
    workflows: &[Workflow],
    now: Timestamp,
    hours: usize,
    most: usize,
) -> Option<Vec<u64>> {
    const HOUR: Duration = Duration::from_secs(3_600);
    let end = now.plus(HOUR * u32::try_from(hours).ok()?);
    let mut counts = vec![0; hours];
    let mut left = most;
    for schedule in workflows.iter().flat_map(|workflow| &workflow.rules.schedules) {
        for at in schedule.after(now).take_while(|at| *at < end) {
            left = left.checked_sub(1)?;
            let hour = usize::try_from(at.since(now).as_secs() / HOUR.as_secs()).ok()?;
            *counts.get_mut(hour)? += 1;
        }
    }
    Some(counts)
}

/// A time on the clocks of a zone, with their offset.
#[must_use]
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> String {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    let format = if at.as_micros() % 1_000_000 == 0 {
        "%Y-%m-%dT%H:%M:%S%:z"
    } else {
        "%Y-%m-%dT%H:%M:%S%.f%:z"
    };
    instant.to_zoned(zone.clone()).strftime(format).to_string()
}

/// What would become of the scheduled times of a span.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    /// The span.
    pub span: Span,
    /// When no daemon runs, in order.
    pub down: Vec<Span>,
    /// Each workflow that has schedules.
    pub workflows: Vec<RehearsedWorkflow>,
}

/// A workflow and its decisions.
#[derive(Debug)]
pub(crate) struct RehearsedWorkflow {
    /// Which.
    pub workflow: Workflow,
    /// How long its executions take.
    pub takes: Duration,
    /// In the order of the scheduled times.
    pub decisions: Vec<simulation::Rehearsed>,
}

/// Rehearses workflows, each with its duration; `None` when there are more than `most` times.
pub(crate) fn rehearse(
    workflows: Vec<Workflow>,
    database: &str,
    span: Span,
    down: &[Span],
    takes: impl Fn(&Workflow) -> Duration,
    most: usize,
) -> Option<Rehearsed> {
    let mut left = most;
    let mut rehearsed = Vec::new();
    for workflow in workflows {
        let rules = &workflow.rules;
        if rules.schedules.is_empty() {
            continue;
        }
        let before = span.from.minus(Duration::from_micros(1));
        for schedule in &rules.schedules {
            let times = schedule.after(before).take_while(|at| *at < span.to);
            left = left.checked_sub(times.take(left + 1).count())?;
        }
        let takes = takes(&workflow);
        let workflow_id = workflow.id.as_str();
        let rehearsal = Rehearsal { workflow_id, rules, database, span, down, takes };
        let decisions = simulation::rehearse(&rehearsal);
        rehearsed.push(RehearsedWorkflow { workflow, takes, decisions });
    }
    Some(Rehearsed { span, down: simulation::merged(down), workflows: rehearsed })
}

impl Rehearsed {
    /// All decisions in the order of the scheduled times: each with the index of its workflow.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (usize, &simulation::Rehearsed)> {
        let mut heap = BinaryHeap::new();
        let head = |workflow: usize, index: usize| {
            let decision = self.workflows[workflow].decisions.get(index)?;
            Some(Reverse((decision.scheduled_at, workflow, index)))
        };
        heap.extend((0..self.workflows.len()).filter_map(|workflow| head(workflow, 0)));
        std::iter::from_fn(move || {
            let Reverse((_, workflow, index)) = heap.pop()?;
            heap.extend(head(workflow, index + 1));
            Some((workflow, &self.workflows[workflow].decisions[index]))
        })
    }

    /// When the clocks of the zones change in the span: the instant, the name of the zone, and the
    /// offsets in seconds before and after, in order.
    #[must_use]
    pub(crate) fn clock_changes(&self) -> Vec<(Timestamp, String, i64, i64)> {
        let schedules = self.workflows.iter().flat_map(|it| &it.workflow.rules.schedules);
        let mut changes: Vec<_> = schedules
            .flat_map(|schedule| {
                let name = schedule.zone_name().to_owned();
                let changes = simulation::clock_changes(&schedule.zone, self.span);
                changes
                    .into_iter()
                    .map(move |(at, before, after)| (at, name.clone(), before, after))
            })
            .collect();
        changes.sort_unstable();
        changes.dedup();
        changes
    }
}
