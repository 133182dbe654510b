//! Whether a workflow does what is expected of it: state and time → what is late, slow or stale.
//!                                                                                           (pure)

use super::schedule_record::OverdueKind;
use super::scheduling::Expectations;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;

/// A start that a schedule asked for: an execution, or a scheduled time that waits for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedStart {
    /// The schedule's name.
    pub schedule: String,
    /// The scheduled time.
    pub scheduled_at: Timestamp,
    /// That time and the schedule's jitter.
    pub due: Timestamp,
    /// When it started, if it did.
    pub started_at: Option<Timestamp>,
    /// The execution, once there is one.
    pub execution_id: Option<String>,
}

/// An execution that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// Which.
    pub execution_id: String,
    /// When its first step began.
    pub started_at: Timestamp,
}

/// What a workflow does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doing {
    /// Starts that are not over.
    pub starts: Vec<ExpectedStart>,
    /// What runs.
    pub running: Vec<Running>,
    /// The end of the last success; without one, since when one is expected. A pause that ended
    /// later counts in its place.
    pub fresh_since: Option<Timestamp>,
}

/// What an expectation that is not met is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The schedule's name.
    pub schedule: Option<String>,
    /// Its scheduled time.
    pub scheduled_at: Option<Timestamp>,
    /// The execution.
    pub execution_id: Option<String>,
}

/// What is not as expected, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What is late, slow or stale.
    pub overdue: Vec<(OverdueKind, Subject)>,
    /// The newest scheduled time that was started in time.
    pub punctual: Option<Timestamp>,
    /// When time alone changes that.
    pub next: Option<Timestamp>,
}

impl Verdict {
    /// Whether `since` is longer ago than it may; if not, when it will be.
    fn is_over(&mut self, since: Timestamp, within: Period, now: Timestamp) -> bool {
        let end = since.plus(within.duration());
        let is_over = now >= end;
        if !is_over {
            self.next = self.next.into_iter().chain([end]).min();
        }
        is_over
    }
}

/// Judges a workflow. Of several executions the one that was due or started first counts.
pub(crate) fn judge(expect: Expectations, doing: &Doing, now: Timestamp) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(within) = expect.start_within {
        let mut late = None;
        for start in &doing.starts {
            let end = start.due.plus(within.duration());
            let is_late = match start.started_at {
                Some(started_at) => started_at > end,
                None => verdict.is_over(start.due, within, now),
            };
            if start.started_at.is_some() && !is_late {
                verdict.punctual = verdict.punctual.max(Some(start.scheduled_at));
            }
            if is_late && late.is_none() {
                late = Some(Subject {
                    schedule: Some(start.schedule.clone()),
                    scheduled_at: Some(start.scheduled_at),
                    execution_id: start.execution_id.clone(),
                });
            }
        }
        verdict.overdue.extend(late.map(|late| (OverdueKind::Late, late)));
    }
    if let Some(within) = expect.finish_within {
        let mut slow = None;
        for running in &doing.running {
            if verdict.is_over(running.started_at, within, now) && slow.is_none() {
                let execution_id = Some(running.execution_id.clone());
                slow = Some(Subject { execution_id, ..Subject::default() });
            }
        }
        verdict.overdue.extend(slow.map(|slow| (OverdueKind::Slow, slow)));
    }
    if let (Some(within), Some(since)) = (expect.success_within, doing.fresh_since)
        && verdict.is_over(since, within, now)
    {
        verdict.overdue.push((OverdueKind::Stale, Subject::default()));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn within(seconds: u64) -> Option<Period> {
        Some(Period::new(Duration::from_secs(seconds)))
    }

    fn start(due: i64, started_at: Option<i64>) -> ExpectedStart {
        ExpectedStart {
            schedule: "s".to_owned(),
            scheduled_at: at(due - 5),
            due: at(due),
            started_at: started_at.map(at),
            execution_id: None,
        }
    }

    fn kinds(verdict: &Verdict) -> Vec<OverdueKind> {
        verdict.overdue.iter().map(|(kind, _)| *kind).collect()
    }

    #[test]
    fn a_start_is_late_from_its_due_time_on_and_whether_or_not_it_came() {
        let expect = Expectations { start_within: within(60), ..Expectations::default() };
        let of = |start: ExpectedStart, now| {
            judge(expect, &Doing { starts: vec![start], ..Doing::default() }, at(now))
        };
        let waits = of(start(100, None), 159);
        assert_eq!((kinds(&waits), waits.next), (vec![], Some(at(160))));
        assert_eq!(kinds(&of(start(100, None), 160)), [OverdueKind::Late]);
        assert_eq!(waits.punctual, None, "it has not started");
        let punctual = of(start(100, Some(160)), 900);
        assert_eq!((kinds(&punctual), punctual.punctual), (vec![], Some(at(95))));
        let late = of(start(100, Some(161)), 161);
        assert_eq!((kinds(&late), late.next), (vec![OverdueKind::Late], None));
        assert_eq!((late.overdue[0].1.scheduled_at, late.punctual), (Some(at(95)), None));
    }

    #[test]
    fn an_execution_is_slow_while_it_runs_and_a_workflow_stale_without_success() {
        let expect = Expectations {
            finish_within: within(10),
            success_within: within(100),
            ..Expectations::default()
        };
        let running = |id: &str, started_at| Running {
            execution_id: id.to_owned(),
            started_at: at(started_at),
        };
        let doing = Doing {
            running: vec![running("a", 5), running("b", 1)],
            fresh_since: Some(at(0)),
            ..Doing::default()
        };
        let verdict = judge(expect, &doing, at(12));
        assert_eq!(verdict.overdue[0].1.execution_id.as_deref(), Some("b"));
        assert_eq!((kinds(&verdict), verdict.next), (vec![OverdueKind::Slow], Some(at(15))));
        let later = judge(expect, &doing, at(100));
        assert_eq!(kinds(&later), [OverdueKind::Slow, OverdueKind::Stale]);
        let nothing = judge(Expectations::default(), &doing, at(100));
        assert_eq!(nothing, Verdict::default());
    }
}
