//! The planner on a virtual clock: what would have been decided in a span of time.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::decision::{Action, Decision, ExecutionNumber, Reason};
use super::occurrences::{changes_after, offset};
use super::planner::{Known, Planner, Unfinished};
use super::rules::{Rules, Schedule};
use crate::base::timestamp::Timestamp;

/// What waits at the end of the span is followed for so long.
const FOLLOWED: Duration = Duration::from_secs(400 * 86_400);

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

/// What is rehearsed.
#[derive(Debug)]
pub(crate) struct Rehearsal<'r> {
    /// The workflow.
    pub workflow_id: &'r str,
    /// Its schedules.
    pub rules: &'r Rules,
    /// The identity of the database, on which jitter depends.
    pub database: &'r str,
    /// The scheduled times that are decided.
    pub span: Span,
    /// When nothing runs the schedules; executions go on meanwhile.
    pub down: &'r [Span],
    /// How long an execution takes.
    pub takes: Duration,
}

/// What becomes of one scheduled time. A long rehearsal has millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rehearsed {
    /// The index of the schedule in its workflow.
    pub schedule: u32,
    /// The scheduled time.
    pub scheduled_at: Timestamp,
    /// What is decided in the end.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// When it is started.
    pub start_at: Option<Timestamp>,
}

const _: () = assert!(size_of::<Rehearsed>() <= 40);

impl Rehearsed {
    /// The schedule among those of its workflow.
    #[must_use]
    pub(crate) fn of<'s>(&self, schedules: &'s [Schedule]) -> &'s Schedule {
        &schedules[self.index()]
    }

    /// The index of the schedule in its workflow.
    #[must_use]
    pub(crate) fn index(&self) -> usize {
        usize::try_from(self.schedule).unwrap_or(usize::MAX)
    }
}

struct Running {
    number: ExecutionNumber,
    ends: Timestamp,
    catch_up: bool,
}

/// Decides every scheduled time of a span, in the order of these times.
#[must_use]
pub(crate) fn rehearse(rehearsal: &Rehearsal<'_>) -> Vec<Rehearsed> {
    let Rehearsal { workflow_id, rules, database, span, takes, .. } = *rehearsal;
    let known = vec![Known::since(span.from); rules.schedules.len()];
    let mut planner = Planner::new(rules, workflow_id, database, &known);
    let mut record = Record { to: span.to, decisions: Vec::new(), waiting: HashMap::new() };
    let mut running: Vec<Running> = Vec::new();
    let mut unfinished = Vec::new();
    let mut count = 0;
    let down = merged(rehearsal.down);
    let mut now = up_from(span.from, &down);
    loop {
        running.retain(|execution| execution.ends > now);
        unfinished.clear();
        unfinished.extend(
            running.iter().map(|it| Unfinished { number: it.number, catch_up: it.catch_up }),
        );
        planner.decide(now, &unfinished, &mut |decision| {
            record.add(decision, now);
            if decision.action != Action::Started {
                return None;
            }
            if decision.reason == Reason::Replaces {
                running.clear();
            }
            count += 1;
            let ends = now.plus(takes);
            if ends > now {
                running.push(Running { number: count, ends, catch_up: decision.catch_up });
            }
            (ends > now).then_some(count)
        });
        let is_decided = planner.next_scheduled().is_none_or(|next| next >= span.to);
        if is_decided && record.waiting.is_empty() || now > span.to.plus(FOLLOWED) {
            break;
        }
        let freed = running.iter().map(|it| it.ends).min().filter(|_| planner.is_waiting());
        let Some(next) = planner.next_wake(now).into_iter().chain(freed).min() else { break };
        now = up_from(next, &down);
    }
    record.decisions.sort_unstable_by_key(|decision| (decision.scheduled_at, decision.schedule));
    record.decisions
}

/// The decisions so far.
struct Record {
    to: Timestamp,
    decisions: Vec<Rehearsed>,
    /// The indices of those that are not final.
    waiting: HashMap<(usize, Timestamp), usize>,
}

impl Record {
    fn add(&mut self, decision: Decision, now: Timestamp) {
        let Decision { schedule, scheduled_at, action, reason, .. } = decision;
        if scheduled_at >= self.to {
            return;
        }
        let start_at = Some(now).filter(|_| action == Action::Started);
        let index = u32::try_from(schedule).unwrap_or(u32::MAX);
        let decided = Rehearsed { schedule: index, scheduled_at, action, reason, start_at };
        let key = (schedule, scheduled_at);
        match self.waiting.get(&key) {
            Some(index) => self.decisions[*index] = decided,
            None => {
                if !action.is_final() {
                    self.waiting.insert(key, self.decisions.len());
                }
                self.decisions.push(decided);
            }
        }
        if action.is_final() {
            self.waiting.remove(&key);
        }
    }
}

/// The spans in order, those that touch each other as one.
#[must_use]
pub(crate) fn merged(spans: &[Span]) -> Vec<Span> {
    let mut sorted: Vec<Span> = spans.iter().filter(|span| span.from < span.to).copied().collect();
    sorted.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in sorted {
        match merged.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => merged.push(span),
        }
    }
    merged
}

/// When the clocks of a zone change in a span, with the offsets in seconds before and after.
#[must_use]
pub(crate) fn clock_changes(zone: &TimeZone, span: Span) -> Vec<(Timestamp, i64, i64)> {
    let second = |at: Timestamp| at.as_micros().div_euclid(1_000_000);
    let changes = changes_after(zone, second(span.from)).take_while(|at| *at < second(span.to));
    let changes = changes.map(|at| (at, offset(zone, at - 1), offset(zone, at)));
    changes
        .filter(|(_, before, after)| before != after)
        .map(|(at, before, after)| (Timestamp::from_micros(at * 1_000_000), before, after))
        .collect()
}

/// The first instant from `at` on that is in none of the spans, which are merged.
fn up_from(at: Timestamp, down: &[Span]) -> Timestamp {
    let next = down.partition_point(|span| span.from <= at);
    match next.checked_sub(1).map(|index| down[index]) {
        Some(span) if at < span.to => span.to,
        _ => at,
    }
}
