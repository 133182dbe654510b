//! Executions: shown, listed, ended.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::readers::{Found, Key};
use super::{Query, Resources};
use crate::http::{Problem, Reply, body};
use crate::repository::{CancelRequest, ListFilter, Listing, TakenOver, Which};
use crate::workflow::cancel::Cancel;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord, ExecutionStatus};
use crate::workflow::recovery::{self, One};
use crate::workflow::runner::leftover::{Process, Survivor};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;
/// A page ends with the execution whose stored JSON makes it longer than this.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

impl Resources {
    /// One execution with its steps.
    pub(super) fn execution(&self, execution_id: &str, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        if let Some(unstored) = self.memory.get(execution_id) {
            return Ok(Reply::json(&unstored));
        }
        let key = Key::Execution(execution_id.to_owned());
        let answer = self.readers.answer(key, |reader| {
            let detail = reader.detail(execution_id)?;
            Ok(detail.map(|detail| Found { lasts: is_final(&detail.execution), value: detail }))
        })?;
        answer.ok_or_else(|| unknown(execution_id))
    }

    /// How an execution stands, in memory or in the database.
    pub(super) fn detail(&self, execution_id: &str) -> Result<ExecutionDetail, Problem> {
        if let Some(detail) = self.memory.get(execution_id) {
            return Ok(detail);
        }
        self.readers
            .read(|reader| reader.detail(execution_id))?
            .ok_or_else(|| unknown(execution_id))
    }

    /// A page of executions, newest first.
    pub(super) fn list(&self, workflow_id: Option<&str>, query: &str) -> Result<Reply, Problem> {
        let query = Query::read(query, &["limit", "offset", "status", "cursor"])?;
        let limit = query.parsed::<u32>("limit", "a number from 1 to 500")?;
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request("the query key `limit` is out of its range")
                .with_hint("it takes a number from 1 to 500"));
        }
        let offset = query.parsed::<u64>("offset", "a number of 0 or more")?;
        let before = query.parsed::<i64>("cursor", "a `next_cursor` of an earlier answer")?;
        if before.is_some() && offset.is_some() {
            return Err(Problem::bad_request("the query has both `cursor` and `offset`")
                .with_hint("give one of them"));
        }
        let takes = "pending, running, success, failed, cancelled or interrupted";
        let status = query.parsed::<ExecutionStatus>("status", takes)?;
        let filter =
            ListFilter { workflow_id: workflow_id.map(str::to_owned), status, since: None, before };
        let offset = offset.unwrap_or(0);
        let key = Key::List {
            workflow_id: workflow_id.map(str::to_owned),
            status,
            before,
            limit,
            offset,
        };
        let find = || {
            self.readers.answer(key, |reader| {
                let listing = reader.list_within(&filter, limit, offset, PAGE_BYTES)?;
                let page = PageOf::new(listing, limit, offset);
                Ok(Some(Found { lasts: page.items.iter().all(is_final), value: page }))
            })
        };
        // Skipping takes about a millisecond for each 50,000, and of a state that few are in
        // all may have to be looked at.
        let found = if offset > 1_000 || status.is_some() {
            tokio::task::block_in_place(find)
        } else {
            find()
        }?;
        found.ok_or_else(|| super::fault("a page is neither there nor missing"))
    }

    /// Asks whoever runs it to end it; ends it here when that process is dead.
    pub(super) async fn cancel(
        &self,
        execution_id: &str,
        query: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        no_body(body)?;
        let done = Reply::json(&json!({"execution_id": execution_id, "status": "cancelling"}));
        if let Some(unstored) = self.memory.get(execution_id) {
            if unstored.execution.status.is_terminal() {
                return Err(has_ended(execution_id, unstored.execution.status));
            }
            self.supervisor.cancel(execution_id);
            return Ok(done);
        }
        let (writer, id) = (self.writer.clone(), execution_id.to_owned());
        let request =
            tokio::task::spawn_blocking(move || writer.request_cancel(&id, Duration::ZERO))
                .await
                .map_err(|fault| super::fault(&fault.to_string()))?;
        match request {
            // What runs here needs no database to be ended.
            Err(_) if self.supervisor.cancel(execution_id) => Ok(done),
            Err(error) => Err(super::unavailable(&error)),
            Ok(CancelRequest::Unknown) => Err(unknown(execution_id)),
            Ok(CancelRequest::Ended(status)) => Err(has_ended(execution_id, status)),
            Ok(CancelRequest::Stored { .. }) => {
                if !self.supervisor.cancel(execution_id) {
                    self.settle(execution_id);
                }
                Ok(done)
            }
        }
    }

    /// Ends an execution whose process is dead; one that has an owner is left to it.
    fn settle(&self, execution_id: &str) {
        let (supervisor, id) = (self.supervisor.clone(), execution_id.to_owned());
        let metrics = Arc::clone(&self.observed.metrics);
        tokio::spawn(async move {
            let counted = |taken: &TakenOver| metrics.observer(&taken.execution.workflow_id);
            let which = Which::one(&id);
            match recovery::recover_one(&supervisor, which, counted, &Cancel::default()).await {
                Ok(One::Ran(Ok(_)) | One::NotAbandoned) => {}
                Ok(One::Ran(Err(error))) => {
                    tracing::warn!(execution_id = id, %error, "cannot end a dead execution yet");
                }
                Ok(One::Held(survivors)) => {
                    for Survivor { process: Process { pid, name, .. }, why } in survivors {
                        tracing::warn!(
                            execution_id = id,
                            pid,
                            name,
                            why,
                            "cannot end a dead execution: a process that works for it is left"
                        );
                    }
                }
                Err(error) => {
                    tracing::warn!(execution_id = id, %error, "cannot end a dead execution yet");
                }
            }
        });
    }
}

/// A page as it is answered.
#[derive(Serialize)]
struct PageOf {
    items: Vec<ExecutionRecord>,
    total: u64,
    limit: u32,
    offset: u64,
    next_cursor: Option<String>,
}

impl PageOf {
    fn new(listing: Listing, limit: u32, offset: u64) -> Self {
        let Listing { items, total, is_cut } = listing;
        let has_more = is_cut || items.len() as u64 == u64::from(limit);
        let next = items.last().filter(|_| has_more).and_then(|item| item.seq);
        let next_cursor = next.map(|seq| seq.to_string());
        Self { items, total, limit, offset, next_cursor }
    }
}

/// Whether it will be shown the same until it is deleted: of one that runs, the life of its
/// process is shown as well, which no database knows.
fn is_final(execution: &ExecutionRecord) -> bool {
    execution.status.is_terminal()
}

/// Refuses a body where none is taken, but for an object with nothing in it.
pub(super) fn no_body(body: Option<&[u8]>) -> Result<(), Problem> {
    let Some(body) = body else { return Ok(()) };
    match body::parse::<serde_json::Map<_, _>>(body)?.keys().next() {
        None => Ok(()),
        Some(key) => {
            Err(Problem::bad_request(format!("this takes no body, and `{key}` is not known"))
                .with_hint("send none, or `{}`"))
        }
    }
}

pub(super) fn unknown(execution_id: &str) -> Problem {
    Problem::not_found(format!("no execution `{execution_id}` is kept"))
}

fn has_ended(execution_id: &str, status: ExecutionStatus) -> Problem {
    Problem::new(StatusCode::CONFLICT, format!("execution {execution_id} has ended as {status}"))
}
