//! Executions that are started: of a known workflow, of a definition in the request, again.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::json;

use crate::base::clock;
use crate::base::visible::quote;
use crate::engine::driver::RunError;
use crate::engine::start_ack::StartOutcome;
use crate::engine::supervisor::{Full, Submitted};
use crate::http::api::json_body;
use crate::http::api::query::{self, Query, Wait};
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::{executions, faults, workflows};
use crate::http::exchange::bounded_wait::BoundedWait;
use crate::http::exchange::handler::Caller;
use crate::http::exchange::problem::PointedError;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::operations::replay::{self, NotReplayable, Plan, PlannedStep, Request};
use crate::operations::start::{self, InvalidStart, NotStarted, Unfit};
use crate::repository::StoreErrorKind;
use crate::workflow::check::{self, Format, GivenBy, Problems, Source};
use crate::workflow::check::{ReplayBody, WhichDefinition};
use crate::workflow::compiled::{CompiledWorkflow, DefinitionSource, Snapshot};
use crate::workflow::record::{ExecutionDetail, ExecutionRecord, ExecutionStatus, StepRecord};
use crate::workflow::report::Observer;
use crate::workflow::selection::UnknownStep;
use crate::workflow::spec::ExecutionSpec;
use crate::workflow::trigger::{Trigger, TriggerKind};

/// Beyond the answer that is promised within a second.
const RETRY_AFTER: u32 = 1;

impl Resources {
    /// Runs a workflow: a known one, or what the body defines.
    pub(in crate::http) async fn execute(
        &self,
        workflow_id: &str,
        query: &str,
        body: Option<Bytes>,
        caller: &Caller,
        bounded_wait: &BoundedWait,
    ) -> Result<Reply, Problem> {
        let query = Query::read(query, &[&query::WAIT_KEYS[..], &["params"]].concat())?;
        let wait = query::wait(&query)?;
        let by = query::given_by(&query)?;
        let snapshot = self.snapshot(workflow_id, body.as_deref(), by)?;
        // It is not kept for as long as the execution is waited for.
        drop(body);
        let trigger = Trigger::by(TriggerKind::Api, self.callers.requester(caller));
        let spec = self.supervisor.plan(snapshot, None).triggered(Some(trigger));
        self.launch(spec, wait, bounded_wait).await
    }

    /// What a request runs.
    fn snapshot(
        &self,
        workflow_id: &str,
        body: Option<&[u8]>,
        by: GivenBy,
    ) -> Result<Snapshot, Problem> {
        let text = match body {
            None | Some(b"") => "{}",
            Some(body) => {
                let serde::de::IgnoredAny = json_body::parse(body)?;
                std::str::from_utf8(body)
                    .map_err(|_| Problem::bad_request("the body is not UTF-8"))?
            }
        };
        let source =
            Source { name: "body", text, format: Format::Json, default_id: Some(workflow_id) };
        let workdir = self.workdir.clone();
        start::of_request(workflow_id, &source, by, &self.catalogue, self.definitions, workdir)
            .map_err(|why| invalid_start(why, workflow_id))
    }

    /// Runs the snapshot of an execution again.
    pub(in crate::http) async fn replay(
        &self,
        reference: &str,
        query: &str,
        body: Option<&[u8]>,
        caller: &Caller,
        bounded_wait: &BoundedWait,
    ) -> Result<Reply, Problem> {
        let query = Query::read(query, &[&query::WAIT_KEYS[..], &["dry_run", "params"]].concat())?;
        let wait = query::wait(&query)?;
        let dry_run = query.parsed::<bool>("dry_run", "true or false")?.unwrap_or(false);
        let body = replay_body(body)?;
        let original = self.record(reference)?;
        let execution_id = &original.execution_id;
        let plan = self.planned(&original, &body, query::given_by(&query)?)?;
        if dry_run {
            return Ok(Reply::json(&json!({ "steps": self.planned_steps(&plan)? })));
        }
        let replay_of = Some(execution_id.to_owned());
        let trigger = Trigger::by(TriggerKind::Replay, self.callers.requester(caller))
            .repeating(original.trigger.as_ref());
        let spec = self.supervisor.plan(plan.snapshot, replay_of).triggered(Some(trigger));
        self.launch(spec.reusing(plan.reused), wait, bounded_wait).await
    }

    /// What a replay of an execution would do, from the body of a request for one.
    pub(in crate::http) fn plan_of(
        &self,
        original: &ExecutionRecord,
        body: &[u8],
    ) -> Result<Vec<PlannedStep>, Problem> {
        self.planned_steps(&self.planned(original, &replay_body(Some(body))?, GivenBy::Flags)?)
    }

    fn planned_steps(&self, plan: &Plan) -> Result<Vec<PlannedStep>, Problem> {
        plan.steps(|id| self.readers.read(|reader| reader.execution(id)))
    }

    /// What a replay of an execution does.
    fn planned(
        &self,
        original: &ExecutionRecord,
        body: &ReplayBody,
        by: GivenBy,
    ) -> Result<Plan, Problem> {
        let execution_id = &original.execution_id;
        let refuse = |why| not_replayable(why, execution_id);
        let snapshot = replay::of_execution(original).map_err(refuse)?;
        if !replay::may_request(&snapshot, self.definitions, &self.catalogue) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "only what came from the folder of --workflows is replayed here, and this \
                 execution's definition came from a file or a request",
            )
            .with_hint("use `wfx replay`, or start `wfx serve` with --definitions api"));
        }
        let with = match body.definition {
            WhichDefinition::Snapshot => None,
            WhichDefinition::Current => Some(self.current(&original.workflow_id)?),
        };
        let (from, params) = (&body.from[..], &body.params[..]);
        let request = Request { from, failed: body.failed, params, by, with };
        let prepared = replay::prepare(original, snapshot, request).map_err(refuse)?;
        let steps = match prepared.is_partial() {
            true => self.recorded_steps(execution_id)?,
            false => Vec::new(),
        };
        prepared.plan(steps).map_err(refuse)
    }

    /// What the catalogue holds of a workflow.
    fn current(
        &self,
        workflow_id: &str,
    ) -> Result<(Arc<CompiledWorkflow>, DefinitionSource), Problem> {
        let compiled = self.catalogue.get(workflow_id).ok_or_else(|| {
            let detail = format!(
                "the folder of --workflows has no workflow {} any more",
                quote(workflow_id)
            );
            let fault = PointedError { pointer: "/definition".to_owned(), detail: detail.clone() };
            Problem::new(StatusCode::CONFLICT, detail)
                .with_hint(
                    "put its file there, or replay the definition that the execution ran, \
                     `\"definition\": \"snapshot\"`",
                )
                .with_errors(vec![fault])
        })?;
        Ok((compiled, DefinitionSource::Catalogue))
    }

    /// The steps of an execution without the text of their output, in memory or in the database.
    pub(in crate::http) fn recorded_steps(
        &self,
        execution_id: &str,
    ) -> Result<Vec<StepRecord>, Problem> {
        match self.memory.steps(execution_id, 0, usize::MAX) {
            Some((steps, _)) => Ok(steps),
            None => self.readers.read(|reader| reader.steps_without_text(execution_id)),
        }
    }

    /// Runs it on its own, if there is room for one more.
    fn submit(
        &self,
        spec: ExecutionSpec,
        observer: Arc<dyn Observer>,
        waited_for: bool,
    ) -> Result<Submitted, Problem> {
        let submitted = start::submit(&self.supervisor, &self.writer, spec, observer, waited_for);
        submitted.map_err(|why| {
            let full = match why {
                NotStarted::Unseen(error) => return faults::unavailable(&error),
                NotStarted::Full(full) => full,
            };
            let detail = match full {
                Full::Executions(_) => format!(
                    "{} executions run or are not stored yet, which is as many as \
                     --max-in-flight allows",
                    self.supervisor.bounds().executions
                ),
                Full::Memory(taken) => format!(
                    "the executions that run or are not stored yet take {} MiB of memory, and \
                     with this one more than {} MiB",
                    taken >> 20,
                    self.supervisor.bounds().memory_bytes >> 20
                ),
            };
            Problem::unavailable(detail, RETRY_AFTER)
        })
    }

    pub(super) async fn launch(
        &self,
        spec: ExecutionSpec,
        wait: Option<Wait>,
        bounded_wait: &BoundedWait,
    ) -> Result<Reply, Problem> {
        if self.draining.is_cancelled() {
            return Err(Problem::unavailable("wfx is being stopped", RETRY_AFTER));
        }
        let replay_of = spec.replay_of.clone();
        let observer = self.observed.of_execution(&spec.execution_id, spec.workflow_id());
        let submitted = self.submit(spec, observer, wait.is_some())?;
        let execution_id = submitted.execution_id;
        let foreseen = match submitted.start_ack.foreseen {
            Some(foreseen) => foreseen.await.ok().and_then(|detail| {
                Some((UnnumberedAnswer::write(&detail)?, detail.execution.status))
            }),
            None => None,
        };
        // An end without a launch is answered below.
        let Ok(launch) = submitted.start_ack.launched.await else {
            return Err(match submitted.ended.await {
                Ok(Err(RunError::Withdrawn)) => {
                    Problem::unavailable("wfx is being stopped", RETRY_AFTER)
                }
                Ok(Err(RunError::NoSlot(error)))
                    if error.is_of_schedule() || error.kind() == StoreErrorKind::GroupBusy =>
                {
                    let problem = Problem::new(StatusCode::CONFLICT, error.to_string());
                    match error.hint() {
                        Some(hint) => problem.with_hint(hint),
                        None => problem,
                    }
                }
                Ok(Err(RunError::NoSlot(error) | RunError::NotStored(error))) => {
                    faults::unavailable(&error)
                }
                Ok(Err(error)) => {
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
                }
                _ => faults::fault("an execution ended before it was launched"),
            });
        };
        if let Some(error) = &launch.refused {
            return Err(faults::unavailable(error));
        }
        if let Some(wait) = wait {
            let launched = clock::monotonic();
            if let (Some(seq), Some((foreseen, status))) = (launch.ended_as, foreseen) {
                let shown = Reply::json_text(foreseen.numbered(seq));
                return Ok(with_outcome(shown, wait, Some(status)).counted_until(launched));
            }
            let ended = bounded_wait.wait_for(wait.limit, submitted.ended).await;
            let status = ended.and_then(Result::ok).and_then(Result::ok);
            // It was accepted; that it cannot be read, or was deleted again, changes nothing of
            // that.
            let shown = self.shown(&execution_id);
            let shown =
                shown.unwrap_or_else(|_| started(&execution_id, &launch, replay_of.as_deref()));
            return Ok(with_outcome(shown, wait, status).counted_until(launched));
        }
        Ok(started(&execution_id, &launch, replay_of.as_deref()))
    }
}

/// The answer to whoever does not wait.
fn started(execution_id: &str, launch: &StartOutcome, replay_of: Option<&str>) -> Reply {
    let mut answer = json!({
        "execution_id": execution_id,
        "status": if launch.waiting_for.is_some() { "queued" } else { "started" },
        "persisted": launch.persisted,
    });
    if let Some(on) = &launch.waiting_for {
        answer["waiting_for"] = json!(**on);
    }
    if let Some(replay_of) = replay_of {
        answer["replay_of"] = json!(replay_of);
    }
    Reply::json(&answer)
}

/// The answer with a status that says that the execution did not succeed, or not yet, if the client
/// asked for that.
fn with_outcome(shown: Reply, wait: Wait, status: Option<ExecutionStatus>) -> Reply {
    match status {
        Some(ExecutionStatus::Success) => shown,
        _ if wait.fail => shown.with_outcome(StatusCode::FAILED_DEPENDENCY),
        _ => shown,
    }
}

/// The answer to whoever waits for an execution that ends as it begins, written while that is
/// being stored: its number is all that is missing.
struct UnnumberedAnswer(Vec<u8>);

impl UnnumberedAnswer {
    const START: &[u8] = br#"{"execution":{"seq":"#;
    const NO_NUMBER: &[u8] = b"null";

    /// `None` where the number does not stand where it is expected.
    fn write(detail: &ExecutionDetail) -> Option<Self> {
        let text = crate::base::json::to_vec(detail).ok()?;
        let rest = text.strip_prefix(Self::START)?.strip_prefix(Self::NO_NUMBER)?;
        Some(Self(rest.to_vec()))
    }

    fn numbered(self, seq: i64) -> Vec<u8> {
        [Self::START, seq.to_string().as_bytes(), &self.0].concat()
    }
}

fn invalid_start(why: InvalidStart, workflow_id: &str) -> Problem {
    let unprocessable = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    match why {
        InvalidStart::UnknownWorkflow => workflows::unknown(workflow_id),
        InvalidStart::DefinitionRefused => Problem::new(
            StatusCode::FORBIDDEN,
            "definitions are taken from the folder of --workflows only",
        )
        .with_hint("put the workflow there, or start `wfx serve` with --definitions api"),
        InvalidStart::Given(problems) => invalid("the body gives no valid parameters", &problems),
        InvalidStart::Document(problems) => invalid("the body is no valid workflow", &problems),
        InvalidStart::OtherId(id) => {
            let detail = format!(
                "the workflow of the body is {}, that of the path {}",
                quote(&id),
                quote(workflow_id)
            );
            let fault = PointedError { pointer: "/id".to_owned(), detail: detail.clone() };
            unprocessable(detail).with_errors(vec![fault])
        }
        InvalidStart::Unfit(Unfit::Parameters(problems)) => invalid_parameters(&problems),
        InvalidStart::Unfit(Unfit::Cycle(cycle)) => {
            unprocessable(format!("the steps wait for each other: {cycle}"))
        }
    }
}

pub(super) fn invalid_parameters(problems: &Problems) -> Problem {
    invalid("the parameters do not fit the workflow", problems)
}

fn not_replayable(why: NotReplayable, execution_id: &str) -> Problem {
    match why {
        NotReplayable::Unfinished(status) => Problem::new(
            StatusCode::CONFLICT,
            format!("execution {execution_id} is {status}; it can be replayed when it has ended"),
        ),
        NotReplayable::Snapshot(problems) => {
            invalid("the snapshot of the execution cannot be run any more", &problems)
        }
        NotReplayable::Parameters(problems) => {
            invalid("the parameters do not fit the workflow", &problems)
        }
        NotReplayable::UnknownSteps(unknown) => unknown_steps(&unknown),
        NotReplayable::NothingLeft(_) => Problem::new(
            StatusCode::CONFLICT,
            format!("nothing is left to run: every step of {execution_id} can be reused"),
        )
        .with_hint(
            "name a step in `from` to run it and all that depend on it, or leave out `failed` to \
             run everything",
        ),
        NotReplayable::Deleted => executions::unknown(execution_id),
        NotReplayable::OtherWorkflow { original, given } => Problem::new(
            StatusCode::CONFLICT,
            format!("{} defines the workflow {}", quote(&original), quote(&given)),
        ),
    }
}

fn unknown_steps(unknown: &[UnknownStep]) -> Problem {
    let errors = unknown.iter().map(|unknown| PointedError {
        pointer: format!("/from/{}", unknown.index),
        detail: unknown.message(),
    });
    let detail = "`from` names steps that the workflow does not have";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(errors.collect())
}

/// Reads the body of a replay; none asks for nothing.
fn replay_body(body: Option<&[u8]>) -> Result<ReplayBody, Problem> {
    let Some(body) = body else { return Ok(ReplayBody::default()) };
    let _: HashMap<String, serde::de::IgnoredAny> = json_body::parse(body)?;
    let text =
        std::str::from_utf8(body).map_err(|_| Problem::bad_request("the body is not UTF-8"))?;
    let source = Source { name: "body", text, format: Format::Json, default_id: None };
    check::replay_body(&source).map_err(|problems| {
        let of_params = |at: &str| at == "/params" || at.starts_with("/params/");
        if problems.iter().all(|problem| of_params(&problem.pointer)) {
            return invalid("the body gives no valid parameters", &problems);
        }
        let first = problems.iter().next();
        let first = first.map(|problem| problem.message.as_str()).unwrap_or_default();
        let detail = format!("the body is not as expected: {first}");
        Problem::bad_request(detail).with_errors(pointed(&problems))
    })
}

fn invalid(detail: &str, problems: &Problems) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(pointed(problems))
}

fn pointed(problems: &Problems) -> Vec<PointedError> {
    problems
        .iter()
        .map(|problem| {
            let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            PointedError {
                pointer: problem.pointer.clone(),
                detail: format!("{}{help}", problem.message),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::timestamp::Timestamp;
    use crate::workflow::record::ExecutionStatus;

    #[test]
    fn an_answer_written_before_its_number_is_known_is_that_written_after() {
        let record = ExecutionRecord {
            seq: None,
            execution_id: "e".to_owned(),
            workflow_id: "w".to_owned(),
            status: ExecutionStatus::Success,
            created_at: Some(Timestamp::from_micros(0)),
            started_at: None,
            completed_at: None,
            updated_at: None,
            steps_completed: 0,
            steps_failed: 0,
            steps_skipped: 0,
            total_steps: 0,
            step_order: Vec::new(),
            replay_of: None,
            trigger: None,
            cancel_requested_by: None,
            cancel_requested_address: None,
            input_snapshot: Default::default(),
            error: None,
            outcome: None,
            owner: None,
            owner_state: None,
            persisted: true,
            pinned: None,
            concurrency_group: None,
            waiting_for: None,
        };
        let mut detail =
            ExecutionDetail { execution: record, handlers: Vec::new(), steps: Vec::new() };
        let before = UnnumberedAnswer::write(&detail).unwrap().numbered(7);
        detail.execution.seq = Some(7);
        assert_eq!(before, serde_json::to_vec(&detail).unwrap());
        assert!(UnnumberedAnswer::write(&detail).is_none());
    }
}
