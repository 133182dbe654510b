//! Schedules: what comes next, what was decided, pauses, and times that are started by hand.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::base::visible::quote;
use crate::http::api::json_body;
use crate::http::api::query::{self, Query};
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::launch::invalid_parameters;
use crate::http::api::resources::{executions, faults, workflows};
use crate::http::exchange::bounded_wait::BoundedWait;
use crate::http::exchange::handler::Caller;
use crate::http::exchange::problem::{PointedError, Problem};
use crate::http::exchange::reply::Reply;
use crate::operations::rehearsal::Workflow;
use crate::operations::schedules::{
    self, NotPaused, NotRun, REASON_BYTES_MAX, StoredSchedules, Until,
};
use crate::workflow::check::{self, GivenBy};
use crate::workflow::compiled::{DefinitionSource, Snapshot};
use crate::workflow::schedule_record::PauseRecord;
use crate::workflow::trigger::{Trigger, TriggerKind};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;

/// The body of a request to pause.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    /// A time or a duration.
    until: Option<String>,
    reason: Option<String>,
}

/// The body of a request to start a scheduled time.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunBody {
    schedule: Option<String>,
    at: Option<Timestamp>,
}

impl Resources {
    /// Every schedule of the folder and of the database, what comes first at the top.
    pub(super) fn schedules(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let now = clock::now();
        let stored = self.readers.read(|reader| StoredSchedules::read(reader, now))?;
        let of_catalogue = self.catalogue.workflows();
        let workflows: Vec<Workflow> =
            of_catalogue.values().map(|compiled| Workflow::of(compiled.definition())).collect();
        let schedules = schedules::list(&workflows, stored, now);
        Ok(Reply::json(&json!({ "schedules": schedules })))
    }

    /// What was decided of a workflow's scheduled times, or of all, the latest first.
    pub(super) fn decisions(
        &self,
        workflow_id: Option<&str>,
        query: &str,
    ) -> Result<Reply, Problem> {
        let query = Query::read(query, &["limit", "cursor"])?;
        let takes = format!("a number from 1 to {LIMIT_MAX}");
        let limit = query.parsed::<u32>("limit", &takes)?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request(format!("the query key `limit` cannot be {limit}"))
                .with_hint(format!("it takes {takes}")));
        }
        let cursor = query.parsed::<String>("cursor", "what `next_cursor` was before")?;
        let position = cursor.map(|cursor| schedules::position(&cursor)).transpose();
        let position = position.map_err(|why| {
            Problem::bad_request(why.to_string())
                .with_hint("take the `next_cursor` of the page before, as it was")
        })?;
        let decisions =
            self.readers.read(|reader| reader.decisions(workflow_id, position.as_ref(), limit))?;
        let is_full = decisions.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next_cursor = decisions.last().filter(|_| is_full).map(schedules::cursor);
        Ok(Reply::json(&json!({ "decisions": decisions, "next_cursor": next_cursor })))
    }

    /// Lets the schedules of a workflow, or of all, start nothing.
    pub(in crate::http) async fn pause(
        &self,
        workflow_id: Option<&str>,
        query: &str,
        body: Option<&[u8]>,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let body: PauseBody = match body {
            None | Some(b"") => PauseBody::default(),
            Some(body) => json_body::parse(body)?,
        };
        self.known(workflow_id)?;
        let now = clock::now();
        let until = body.until.as_deref().map(str::parse::<Until>).transpose();
        let until = until.map_err(|why| pointed("/until", format!("`until`: {why}")))?;
        let requester = self.callers.requester(caller);
        let pause = PauseRecord {
            workflow_id: workflow_id.map(str::to_owned),
            paused_at: now,
            paused_until: until.map(|until| until.after(now)),
            reason: body.reason.filter(|reason| !reason.is_empty()),
            paused_by: requester.by,
            paused_address: requester.address,
        };
        let (writer, stored) = (Arc::clone(&self.writer), pause.clone());
        let done =
            tokio::task::spawn_blocking(move || schedules::pause(&writer, &stored, Duration::ZERO));
        match done.await.map_err(|fault| faults::fault(&fault.to_string()))? {
            Ok(()) => Ok(Reply::json(&pause)),
            Err(NotPaused::Past(until)) => {
                Err(pointed("/until", format!("the pause would have ended at {until}")))
            }
            Err(NotPaused::LongReason(bytes)) => Err(pointed(
                "/reason",
                format!("`reason` has {bytes} bytes of at most {REASON_BYTES_MAX}"),
            )),
            Err(NotPaused::Store(error)) => Err(faults::unavailable(&error)),
        }
    }

    /// Lets them start again.
    pub(in crate::http) async fn resume(
        &self,
        workflow_id: Option<&str>,
        query: &str,
        body: Option<&[u8]>,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        executions::no_body(body)?;
        self.known(workflow_id)?;
        let (writer, requester) = (Arc::clone(&self.writer), self.callers.requester(caller));
        let id = workflow_id.map(str::to_owned);
        let done = tokio::task::spawn_blocking(move || {
            let now = clock::now();
            schedules::resume(&writer, id.as_deref(), requester, now, Duration::ZERO)
        });
        let done = done.await.map_err(|fault| faults::fault(&fault.to_string()))?;
        let was_paused = done.map_err(|error| faults::unavailable(&error))?;
        Ok(Reply::json(&json!({ "workflow_id": workflow_id, "was_paused": was_paused })))
    }

    /// Refuses a workflow that neither the folder nor the database has schedules of.
    fn known(&self, workflow_id: Option<&str>) -> Result<(), Problem> {
        let Some(id) = workflow_id else { return Ok(()) };
        let compiled = self.catalogue.get(id);
        if compiled.is_some_and(|compiled| compiled.definition().has_schedules()) {
            return Ok(());
        }
        let only = std::iter::once(id.to_owned()).collect();
        match self.readers.read(|reader| reader.schedules(Some(&only)))?.is_empty() {
            true => {
                Err(Problem::not_found(format!("no schedule of a workflow {} is known", quote(id)))
                    .with_hint("GET /api/v1/schedules shows those that are"))
            }
            false => Ok(()),
        }
    }

    /// Starts one scheduled time by hand.
    pub(in crate::http) async fn run_scheduled(
        &self,
        workflow_id: &str,
        query: &str,
        body: Option<&[u8]>,
        caller: &Caller,
        bounded_wait: &BoundedWait,
    ) -> Result<Reply, Problem> {
        let query = Query::read(query, &query::WAIT_KEYS)?;
        let wait = query::wait(&query)?;
        let body: RunBody = match body {
            None | Some(b"") => RunBody::default(),
            Some(body) => json_body::parse(body)?,
        };
        let compiled =
            self.catalogue.get(workflow_id).ok_or_else(|| workflows::unknown(workflow_id))?;
        let workflow = Workflow::of(compiled.definition());
        let now = clock::now();
        let by_hand = self.readers.read(|reader| {
            Ok(schedules::by_hand(&workflow, reader, body.schedule.as_deref(), body.at, now))
        })?;
        let (index, scheduled) = by_hand.map_err(|why| not_run(&why, workflow_id))?;
        let scheduling = compiled.definition().scheduling.as_ref();
        let params = scheduling.and_then(|it| it.params.get(index).cloned()).unwrap_or_default();
        let params: Vec<_> = params.into_iter().collect();
        let params = check::parameters(compiled.definition(), &params, GivenBy::Nobody)
            .map_err(|problems| invalid_parameters(&problems))?;
        let (workdir, source) = (self.workdir.clone(), Some(DefinitionSource::Catalogue));
        let snapshot = Snapshot { compiled, params, workdir, source };
        let trigger = Trigger::by(TriggerKind::Schedule, self.callers.requester(caller));
        let spec = self.supervisor.plan(snapshot, None).triggered(Some(trigger));
        self.launch(spec.scheduled(scheduled), wait, bounded_wait).await
    }
}

fn pointed(pointer: &str, detail: String) -> Problem {
    let fault = PointedError { pointer: pointer.to_owned(), detail: detail.clone() };
    Problem::bad_request(detail).with_errors(vec![fault])
}

fn not_run(why: &NotRun, workflow_id: &str) -> Problem {
    let (detail, hint) = why.words(workflow_id);
    match why {
        NotRun::Store(error) => faults::unavailable(error),
        NotRun::Decided(_) => Problem::new(StatusCode::CONFLICT, detail).with_hint(hint),
        NotRun::NothingMissed | NotRun::NoSuchTime(..) | NotRun::Future(_) => {
            pointed("/at", detail).with_hint(hint)
        }
        NotRun::NoSchedule(_) => pointed("/schedule", detail).with_hint(hint),
    }
}
