//! Executions: shown, listed, ended.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use crate::base::clock;
use crate::base::since::{Since, Start};
use crate::base::visible::quote;
use crate::engine::cancel::Cancel;
use crate::engine::recovery::One;
use crate::engine::work::orphans::{Process, Survivor};
use crate::http::api::json_body;
use crate::http::api::query::{self, Output, Query};
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::faults;
use crate::http::api::resources::long_answers::{self, AT_ONCE_BYTES, Page, PageRequest};
use crate::http::api::resources::readers::{Key, QueryAnswer};
use crate::http::exchange::handler::Caller;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::operations::cancel::{self, NotCancelled, Requested};
use crate::operations::query as executions;
use crate::repository::cursor::{self, CursorError};
use crate::repository::{LineageRow, LineageRows, ListFilter, Reader, TakenOver, is_whole_id};
use crate::workflow::record::{ExecutionDetail, ExecutionRecord, ExecutionStatus};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;

impl Resources {
    /// One execution with its steps.
    pub(super) fn execution(&self, reference: &str, query: &str) -> Result<Reply, Problem> {
        let query = Query::read(query, &["output"])?;
        if query::output(&query)? == Output::None {
            return self.without_output(&self.execution_id(reference)?);
        }
        // Most requests have a whole id.
        match self.shown_if_kept(reference)? {
            Some(shown) => Ok(shown),
            None => self.shown(&self.execution_id(reference)?),
        }
    }

    /// The id of the execution that a path means by an id, a prefix of one, `@latest`, `@N` or the
    /// id of a workflow.
    pub(super) fn execution_id(&self, reference: &str) -> Result<String, Problem> {
        // What runs here is ended even when the database cannot be read.
        if is_whole_id(reference) || self.memory.status(reference).is_some() {
            return Ok(reference.to_owned());
        }
        self.readers
            .read(|reader| executions::execution_id(reader, &self.memory, reference))?
            .ok_or_else(|| unknown(reference))
    }

    /// How an execution stands, in memory or in the database.
    pub(super) fn shown(&self, execution_id: &str) -> Result<Reply, Problem> {
        self.shown_if_kept(execution_id)?.ok_or_else(|| unknown(execution_id))
    }

    fn shown_if_kept(&self, execution_id: &str) -> Result<Option<Reply>, Problem> {
        if let Some((unstored, is_cut)) = self.memory.get_within(execution_id, AT_ONCE_BYTES) {
            return Ok(Some(match is_cut {
                false => Reply::json(&unstored),
                true => self.long_detail(unstored),
            }));
        }
        let key = Key::Execution(execution_id.to_owned());
        self.readers.answer(key, |reader| {
            let Some((detail, is_cut)) = reader.detail_within(execution_id, AT_ONCE_BYTES)? else {
                return Ok(None);
            };
            Ok(Some(if is_cut {
                QueryAnswer::Long(Box::new(self.long_detail(detail)))
            } else if is_final(&detail.execution) {
                QueryAnswer::Final(detail)
            } else {
                QueryAnswer::Current(detail)
            }))
        })
    }

    /// How an execution stands, without the text that its steps wrote.
    fn without_output(&self, execution_id: &str) -> Result<Reply, Problem> {
        if let Some((unstored, _)) = self.memory.get_within(execution_id, usize::MAX) {
            return Ok(Reply::json(&silenced(unstored)));
        }
        let read = |reader: &Reader| {
            let Some((detail, _)) = reader.detail_within(execution_id, 0)? else { return Ok(None) };
            let steps = reader.steps_without_text(execution_id)?;
            Ok(Some(ExecutionDetail { steps, ..detail }))
        };
        let detail = self.readers.read(read)?.ok_or_else(|| unknown(execution_id))?;
        Ok(Reply::json(&silenced(detail)))
    }

    /// The attempts of the steps of an execution that are kept.
    pub(super) fn attempts(&self, reference: &str, query: &str) -> Result<Reply, Problem> {
        let query = Query::read(query, &["output"])?;
        let output = query::output(&query)?;
        let execution_id = self.record(reference)?.execution_id;
        Ok(long_answers::attempts(Arc::clone(&self.readers), execution_id, output))
    }

    /// What an execution repeats, and what repeats it.
    pub(super) fn lineage(&self, reference: &str, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let record = self.record(reference)?;
        let read = |id: &str| self.readers.read(|reader| reader.lineage(id)).map(LineageRows::from);
        if record.persisted {
            return Ok(Reply::json(&read(&record.execution_id)?));
        }
        // No database has it; it may have what it repeats.
        let mut rows = match &record.replay_of {
            Some(original) => read(original)?,
            None => LineageRows { executions: Vec::new(), truncated: false },
        };
        rows.executions.push(LineageRow {
            execution_id: record.execution_id,
            seq: None,
            status: Some(record.status),
            created_at: record.created_at,
            reused_steps: 0,
            replay_of: record.replay_of,
        });
        Ok(Reply::json(&rows))
    }

    /// An execution whose steps are read later.
    fn long_detail(&self, detail: ExecutionDetail) -> Reply {
        let ExecutionDetail { execution, handlers, .. } = detail;
        let (memory, readers) = (Arc::clone(&self.memory), Arc::clone(&self.readers));
        long_answers::detail(memory, readers, execution, handlers)
    }

    /// The execution that a path means, without its steps, in memory or in the database.
    pub(in crate::http) fn record(&self, reference: &str) -> Result<ExecutionRecord, Problem> {
        let execution_id = self.execution_id(reference)?;
        if let Some(unstored) = executions::unstored(&self.memory, &execution_id) {
            return Ok(unstored);
        }
        self.readers
            .read(|reader| reader.execution(&execution_id))?
            .ok_or_else(|| unknown(&execution_id))
    }

    /// A page of executions, newest first.
    pub(super) async fn list(
        &self,
        workflow_id: Option<&str>,
        query: &str,
    ) -> Result<Reply, Problem> {
        let query = Query::read(query, &["limit", "offset", "status", "since", "cursor"])?;
        let limit = query.parsed::<u32>("limit", "a number from 1 to 500")?;
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request("the query key `limit` is out of its range")
                .with_hint("it takes a number from 1 to 500"));
        }
        let offset = query.parsed::<u64>("offset", "a number of 0 or more")?;
        let token = query.parsed::<String>("cursor", "a `next_cursor` of an earlier answer")?;
        if token.is_some() && offset.is_some() {
            return Err(Problem::bad_request("the query has both `cursor` and `offset`")
                .with_hint("give one of them"));
        }
        let takes = "pending, running, success, failed, cancelled or interrupted";
        let status = query.parsed::<ExecutionStatus>("status", takes)?;
        let takes = "a duration such as 2h, or a time such as 2026-01-31T12:00:00Z";
        let since = query.parsed::<Since>("since", takes)?;
        let now = clock::now();
        let workflow = workflow_id.map(str::to_owned);
        let since = since.map(|since| since.start(now));
        let mut filter =
            ListFilter { workflow_id: workflow, status, since, ..ListFilter::default() };
        if let Some(token) = token {
            let after =
                cursor::parse(&filter, &token).map_err(|error| unreadable(&token, error))?;
            filter.after = Some(after);
        }
        let after = filter.after;
        let offset = offset.unwrap_or(0);
        let request = PageRequest { filter, limit, offset };
        let key = Key::List {
            workflow_id: workflow_id.map(str::to_owned),
            status,
            since: since.map(|since| since.given),
            after,
            limit,
            offset,
        };
        // What happened in the last hours is less and less, although nothing changes.
        let may_shrink = matches!(since, Some(Start { given: Since::Ago(_), .. }));
        let find = || {
            self.readers.answer(key, |reader| {
                let listing = reader.list_within(&request.filter, limit, offset, AT_ONCE_BYTES)?;
                if listing.is_cut {
                    let readers = Arc::clone(&self.readers);
                    return Ok(Some(QueryAnswer::Long(Box::new(long_answers::page(
                        readers, &listing, &request,
                    )))));
                }
                let page = Page::whole(listing, &request);
                Ok(Some(match !may_shrink && page.items.iter().all(is_final) {
                    true => QueryAnswer::Final(page),
                    false => QueryAnswer::Current(page),
                }))
            })
        };
        // Skipping takes about a millisecond for each 50,000, and of a state that few are in
        // all may have to be looked at.
        let found = if offset > 1_000 || status.is_some() || since.is_some() {
            let _turn = self.readers.slow_turn().await;
            tokio::task::block_in_place(find)
        } else {
            find()
        }?;
        found.ok_or_else(|| faults::fault("a page is neither there nor missing"))
    }

    /// Asks the process that runs it to end it; ends it here when that process is dead.
    pub(in crate::http) async fn cancel(
        &self,
        reference: &str,
        query: &str,
        body: Option<&[u8]>,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        no_body(body)?;
        let requester = self.callers.requester(caller);
        let execution_id = &*self.execution_id(reference)?;
        let (supervisor, writer) = (Arc::clone(&self.supervisor), Arc::clone(&self.writer));
        let (memory, id) = (Arc::clone(&self.memory), execution_id.to_owned());
        let requested = tokio::task::spawn_blocking(move || {
            cancel::request(&supervisor, &writer, Some(&memory), &id, &requester, Duration::ZERO)
        });
        match requested.await.map_err(|fault| faults::fault(&fault.to_string()))? {
            Ok(Requested::Here) => {}
            Ok(Requested::Stored { .. }) => self.end_abandoned(execution_id),
            Err(NotCancelled::Unknown) => return Err(unknown(execution_id)),
            Err(NotCancelled::Ended(status)) => return Err(has_ended(execution_id, status)),
            Err(NotCancelled::Store(error)) => return Err(faults::unavailable(&error)),
        }
        Ok(Reply::json(&json!({"execution_id": execution_id, "status": "cancelling"})))
    }

    /// Ends an execution whose process is dead; one that has an owner is left to it.
    fn end_abandoned(&self, execution_id: &str) {
        let (supervisor, id) = (self.supervisor.clone(), execution_id.to_owned());
        let metrics = Arc::clone(&self.observed.metrics);
        tokio::spawn(async move {
            let counted = |taken: &TakenOver| metrics.observer(&taken.execution.workflow_id);
            let cancel = Cancel::default();
            match cancel::finish_abandoned(&supervisor, &id, counted, &cancel).await {
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

/// The same without what its steps wrote.
fn silenced(mut detail: ExecutionDetail) -> ExecutionDetail {
    let handlers = detail.handlers.iter_mut().map(|handler| &mut handler.step);
    for step in detail.steps.iter_mut().chain(handlers) {
        step.stdout.clear();
        step.stderr.clear();
    }
    detail
}

/// Whether it will be shown the same until it is deleted: of one that runs, the life of its
/// process is shown as well, which no database knows.
fn is_final(execution: &ExecutionRecord) -> bool {
    execution.status.is_terminal()
}

/// Refuses a body where none is taken, but for an object with nothing in it.
pub(super) fn no_body(body: Option<&[u8]>) -> Result<(), Problem> {
    let Some(body) = body else { return Ok(()) };
    match json_body::parse::<serde_json::Map<_, _>>(body)?.keys().next() {
        None => Ok(()),
        Some(key) => Err(Problem::bad_request(format!(
            "this takes no body, and {} is not known",
            quote(key)
        ))
        .with_hint("send none, or `{}`")),
    }
}

/// What cannot be continued.
fn unreadable(token: &str, error: CursorError) -> Problem {
    let token = quote(token);
    Problem::bad_request(format!("the query key `cursor` cannot be {token}: {error}")).with_hint(
        "it takes the `next_cursor` of the page before, unchanged, with the same filters; begin \
         again without it",
    )
}

pub(super) fn unknown(execution_id: &str) -> Problem {
    Problem::not_found(format!("no execution {} is kept", quote(execution_id)))
}

fn has_ended(execution_id: &str, status: ExecutionStatus) -> Problem {
    Problem::new(StatusCode::CONFLICT, format!("execution {execution_id} has ended as {status}"))
}
