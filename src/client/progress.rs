//! What happened between two looks at an execution, as the engine would have reported it.

use std::time::Duration;

use crate::base::timestamp::Timestamp;
use crate::workflow::handler::HandlerKind;
use crate::workflow::record::{
    Attempt, Captured, ExecutionDetail, HandlerRecord, StepRecord, StepStatus,
};
use crate::workflow::report::{Observer, Report, Stream};

/// What was seen of an execution so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    has_started: bool,
    steps: Vec<Look>,
    handlers: Vec<Look>,
}

/// What was seen of a step.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    attempt: u32,
    has_ended: bool,
}

/// Something that happened to a step.
struct Event<'a> {
    at: Timestamp,
    step: &'a StepRecord,
    /// After which outcome it runs, if it is a handler.
    on: Option<HandlerKind>,
    is_end: bool,
}

impl Seen {
    /// Whether the next report needs what steps wrote: one failed, or all of it is wanted.
    pub(crate) fn wants_output(&self, detail: &ExecutionDetail, verbose: bool) -> bool {
        let wants = |look: Look, step: &StepRecord| {
            let wrote = step.stdout_bytes + step.stderr_bytes > 0;
            let is_shown = verbose || step.status == StepStatus::Failed;
            is_ended(step) && !look.has_ended && wrote && is_shown
        };
        let looks = |seen: &[Look], at: usize| seen.get(at).copied().unwrap_or_default();
        let handlers = detail.handlers.iter().map(|handler| &handler.step);
        detail.steps.iter().enumerate().any(|(at, step)| wants(looks(&self.steps, at), step))
            || handlers.enumerate().any(|(at, step)| wants(looks(&self.handlers, at), step))
    }

    /// Reports what happened since the last look, oldest first.
    pub(crate) fn report(&mut self, detail: &ExecutionDetail, observer: &dyn Observer) {
        let execution = &detail.execution;
        let now = execution.updated_at.or(execution.created_at);
        let now = now.unwrap_or_else(|| Timestamp::from_micros(0));
        if !std::mem::replace(&mut self.has_started, true) {
            let reused = detail.steps.iter().filter(|step| step.reused_from.is_some()).count();
            observer.report(&Report::ExecutionStarted {
                execution_id: &execution.execution_id,
                workflow_id: &execution.workflow_id,
                total_steps: execution.total_steps,
                reused_steps: u32::try_from(reused).unwrap_or(u32::MAX),
                at: execution.started_at.unwrap_or(now),
            });
        }
        let mut events = Vec::new();
        self.steps.resize(detail.steps.len(), Look::default());
        for (look, step) in self.steps.iter_mut().zip(&detail.steps) {
            look.take(step, None, now, &mut events);
        }
        self.handlers.resize(detail.handlers.len(), Look::default());
        for (look, HandlerRecord { handler, step }) in
            self.handlers.iter_mut().zip(&detail.handlers)
        {
            look.take(step, Some(*handler), now, &mut events);
        }
        events.sort_by_key(|event| event.at);
        let ends = events.iter().filter(|event| event.is_end && event.on.is_none()).count();
        let ends = u32::try_from(ends).unwrap_or(u32::MAX);
        let mut completed = execution.steps_completed.saturating_sub(ends);
        for event in events {
            completed += u32::from(event.is_end && event.on.is_none());
            event.report(completed, observer);
        }
        if execution.status.is_terminal() {
            let times = execution.started_at.zip(execution.completed_at);
            observer.report(&Report::ExecutionEnded {
                status: execution.status,
                error: execution.error.as_deref(),
                duration: times.map(|(start, end)| end.since(start)).unwrap_or_default(),
                at: execution.completed_at.unwrap_or(now),
            });
        }
    }
}

impl Look {
    fn take<'a>(
        &mut self,
        step: &'a StepRecord,
        on: Option<HandlerKind>,
        now: Timestamp,
        events: &mut Vec<Event<'a>>,
    ) {
        // What is reused does not run.
        if step.reused_from.is_some() {
            return;
        }
        if step.attempt > self.attempt {
            // The time of a later attempt is not known.
            let first = step.started_at.filter(|_| step.attempt == 1);
            let at = first.or(step.completed_at).unwrap_or(now);
            events.push(Event { at, step, on, is_end: false });
        }
        if is_ended(step) && !self.has_ended {
            events.push(Event { at: step.completed_at.unwrap_or(now), step, on, is_end: true });
        }
        *self = Self { attempt: step.attempt, has_ended: is_ended(step) };
    }
}

fn is_ended(step: &StepRecord) -> bool {
    step.status.is_terminal()
}

impl Event<'_> {
    fn report(&self, steps_completed: u32, observer: &dyn Observer) {
        let Self { at, step, on, is_end } = *self;
        if !is_end {
            let attempt = step.attempt;
            return observer.report(&Report::AttemptStarted { step: &step.name, attempt, at });
        }
        if observer.wants_output() {
            for (stream, text) in [(Stream::Stdout, &step.stdout), (Stream::Stderr, &step.stderr)] {
                if !text.is_empty() {
                    let bytes = text.as_bytes();
                    observer.report(&Report::Output { step: &step.name, stream, bytes });
                }
            }
        }
        let attempt = last_attempt(step);
        let (status, error) = (step.status, step.error.as_deref());
        let duration = step.duration_ms.map(Duration::from_millis);
        observer.report(&match on {
            None => Report::StepEnded {
                step: &step.name,
                status,
                error,
                attempt: attempt.as_ref(),
                duration,
                steps_completed,
                at,
            },
            Some(on) => Report::HandlerEnded {
                handler: &step.name,
                on,
                status,
                error,
                attempt: attempt.as_ref(),
                duration,
                steps_completed,
                at,
            },
        });
    }
}

/// The last attempt of a step that ended.
fn last_attempt(step: &StepRecord) -> Option<Attempt> {
    let (started_at, completed_at) = step.started_at.zip(step.completed_at)?;
    let captured = |text: &String, total_bytes| Captured { text: text.clone(), total_bytes };
    (step.attempt > 0).then(|| Attempt {
        position: step.position,
        attempt: step.attempt,
        status: step.status,
        started_at,
        completed_at,
        duration_ms: step.duration_ms.unwrap_or_default(),
        exit_code: step.exit_code,
        error: step.error.clone(),
        stdout: captured(&step.stdout, step.stdout_bytes),
        stderr: captured(&step.stderr, step.stderr_bytes),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Words(Mutex<Vec<String>>);

    impl Observer for Words {
        fn report(&self, report: &Report<'_>) {
            let words = match *report {
                Report::ExecutionStarted { total_steps, reused_steps, .. } => {
                    format!("begin {total_steps} {reused_steps}")
                }
                Report::AttemptStarted { step, attempt, .. } => format!("{step} {attempt}"),
                Report::StepEnded { step, status, steps_completed, .. } => {
                    format!("{step} {status} {steps_completed}")
                }
                Report::HandlerEnded { handler, on, status, .. } => {
                    format!("{on} {handler} {status}")
                }
                Report::ExecutionEnded { status, .. } => format!("end {status}"),
                _ => "other".to_owned(),
            };
            self.0.lock().unwrap().push(words);
        }
    }

    fn step(name: &str, status: &str, attempt: u32, times: [Option<u32>; 2]) -> serde_json::Value {
        let time = |at: Option<u32>| at.map(|at| format!("2026-01-31T08:15:{at:02}.000000Z"));
        serde_json::json!({"name": name, "status": status, "depends_on": [],
            "started_at": time(times[0]), "completed_at": time(times[1]), "error": null,
            "position": 0, "duration_ms": null, "attempt": attempt, "exit_code": null,
            "stdout": "", "stdout_bytes": 3, "stderr": "", "stderr_bytes": 0, "outputs": {},
            "reused_from": (name == "old").then_some("x"), "reused_from_seq": null,
            "output_note": null})
    }

    fn detail(
        status: &str,
        completed: u32,
        steps: &[serde_json::Value],
        handlers: &[serde_json::Value],
    ) -> ExecutionDetail {
        serde_json::from_str(
            &serde_json::json!({"execution": {"seq": 1, "execution_id": "e", "workflow_id": "w",
                "status": status, "created_at": "2026-01-31T08:15:00.000000Z", "started_at": null,
                "completed_at": null, "updated_at": "2026-01-31T08:15:30.000000Z",
                "steps_completed": completed, "total_steps": steps.len(), "step_order": [],
                "replay_of": null, "input_snapshot": {}, "error": null, "outcome": null,
                "owner": null, "owner_state": null, "persisted": true},
                "handlers": handlers, "steps": steps})
            .to_string(),
        )
        .unwrap()
    }

    #[test]
    fn each_thing_is_reported_once_and_in_its_order() {
        let (mut seen, words) = (Seen::default(), Words::default());
        let old = step("old", "success", 1, [Some(1), Some(2)]);
        let first = detail(
            "running",
            1,
            &[
                old.clone(),
                step("a", "running", 1, [Some(3), None]),
                step("b", "pending", 0, [None; 2]),
            ],
            &[],
        );
        seen.report(&first, &words);
        seen.report(&first, &words);
        let mut handler = step("h", "success", 1, [Some(9), Some(9)]);
        handler["handler"] = "on_failure".into();
        let last = detail(
            "failed",
            3,
            &[
                old,
                step("a", "success", 1, [Some(3), Some(8)]),
                step("b", "failed", 2, [Some(4), Some(7)]),
            ],
            &[handler],
        );
        assert!(seen.wants_output(&last, false) && !seen.wants_output(&first, false));
        seen.report(&last, &words);
        assert_eq!(
            words.0.into_inner().unwrap(),
            [
                "begin 3 1",
                "a 1",
                "b 2",
                "b failed 2",
                "a success 3",
                "h 1",
                "on_failure h success",
                "end failed"
            ]
        );
    }
}
