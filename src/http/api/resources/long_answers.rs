//! Answers that are too long to be read and written at once: their begin is read on the way of
//! the request, the rest in [pages] while the client takes it.
//!
//! [pages]: crate::repository::ListPages

use std::sync::Arc;

use serde::Serialize;

use crate::base::json;
use crate::engine::memory::Memory;
use crate::http::api::query::Output;
use crate::http::api::resources::readers::Readers;
use crate::http::exchange::chunk_source::ChunkSource;
use crate::http::exchange::reply::Reply;
use crate::repository::{ListFilter, ListPages, Listing, StepPages, cursor};
use crate::workflow::record::{ExecutionDetail, ExecutionRecord, HandlerRecord};
use crate::workflow::record_json::AttemptRow;

/// So much stored text is read on the way of a request; what is longer comes in chunks.
pub(super) const AT_ONCE_BYTES: usize = 128 * 1024;
/// A page ends with the execution whose stored JSON makes it longer than this.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What follows the last step of an execution, and its last attempt.
const STEPS_END: &[u8] = b"]}";

/// An execution whose steps are too long to be written on the way of the request, all of them: of
/// control characters their JSON has six times the length.
pub(super) fn detail(
    memory: Arc<Memory>,
    readers: Arc<Readers>,
    execution: ExecutionRecord,
    handlers: Vec<HandlerRecord>,
) -> Reply {
    let pages = StepPages::of(&execution);
    let execution_id = execution.execution_id.clone();
    let first = ExecutionDetail { execution, handlers, steps: Vec::new() };
    let Ok(mut begin) = json::to_vec(&first) else { return Reply::json(&first) };
    begin.truncate(begin.len() - STEPS_END.len());
    let rest = Steps { memory, readers, execution_id, pages, is_first: true };
    Reply::json_chunks(begin, rest)
}

/// The steps of an execution.
struct Steps {
    memory: Arc<Memory>,
    readers: Arc<Readers>,
    execution_id: String,
    pages: StepPages,
    is_first: bool,
}

impl ChunkSource for Steps {
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.pages.is_over() {
            return Ok(None);
        }
        let (memory, readers) = (&self.memory, &self.readers);
        let steps = self.pages.next(|execution_id, next, bytes| {
            match memory.steps(execution_id, next, bytes) {
                Some(unstored) => Ok(unstored),
                None => readers
                    .read(|reader| reader.steps(execution_id, next, bytes))
                    .map_err(|problem| problem.detail().to_owned()),
            }
        })?;
        let Some(steps) = steps else {
            return Err(format!("execution {} was deleted while it was sent", self.execution_id));
        };
        let mut chunk = Vec::new();
        for step in &steps {
            append(&mut chunk, step)?;
        }
        if std::mem::replace(&mut self.is_first, false) {
            // It has none before it.
            chunk.remove(0);
        }
        if self.pages.is_over() {
            chunk.extend_from_slice(STEPS_END);
        }
        Ok(Some(chunk))
    }
}

/// The attempts of an execution that are kept.
pub(super) fn attempts(readers: Arc<Readers>, execution_id: String, output: Output) -> Reply {
    let begin = br#"{"attempts":["#.to_vec();
    let attempts = Attempts { readers, execution_id, output, after: (0, 0), is_over: false };
    Reply::json_chunks(begin, attempts)
}

/// Attempts by the position of their step and their number.
struct Attempts {
    readers: Arc<Readers>,
    execution_id: String,
    output: Output,
    /// The last one that was written.
    after: (u32, u32),
    is_over: bool,
}

impl ChunkSource for Attempts {
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.is_over {
            return Ok(None);
        }
        let is_first = self.after == (0, 0);
        let (attempts, has_more) = self
            .readers
            .read(|reader| reader.attempts_after(&self.execution_id, self.after, AT_ONCE_BYTES))
            .map_err(|problem| problem.detail().to_owned())?;
        let mut chunk = Vec::new();
        for mut attempt in attempts {
            self.after = (attempt.position, attempt.attempt);
            if self.output == Output::None {
                attempt.stdout.text.clear();
                attempt.stderr.text.clear();
            }
            append(&mut chunk, &AttemptRow::from(attempt))?;
        }
        if is_first && !chunk.is_empty() {
            // The first has none before it.
            chunk.remove(0);
        }
        self.is_over = !has_more;
        if self.is_over {
            chunk.extend_from_slice(STEPS_END);
        }
        Ok(Some(chunk))
    }
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub(super) struct PageRequest {
    pub(super) filter: ListFilter,
    pub(super) limit: u32,
    pub(super) offset: u64,
}

/// A page as it is answered.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub(super) items: Vec<ExecutionRecord>,
    total: u64,
    limit: u32,
    offset: u64,
    next_cursor: Option<String>,
}

impl Page {
    /// A page that was read at once.
    pub(super) fn whole(listing: Listing, request: &PageRequest) -> Self {
        let Listing { items, total, is_cut, end } = listing;
        let has_more = is_cut || items.len() as u64 == u64::from(request.limit);
        let next_cursor = end.filter(|_| has_more).map(|end| cursor::token(&request.filter, end));
        let (limit, offset) = (request.limit, request.offset);
        Self { items, total, limit, offset, next_cursor }
    }
}

/// A page of which only the first executions are read.
pub(super) fn page(readers: Arc<Readers>, first: &Listing, request: &PageRequest) -> Reply {
    let Listing { items, total, .. } = first;
    let mut begin = Items::BEGIN.to_vec();
    let total = *total;
    for item in items {
        if append(&mut begin, item).is_err() {
            return Reply::json(items);
        }
    }
    // The first has none before it.
    begin.remove(Items::BEGIN.len());
    let PageRequest { filter, limit, offset } = request;
    let pages = ListPages::of(filter.clone(), *limit, *offset, PAGE_BYTES).after(first);
    Reply::json_chunks(
        begin,
        Items { readers, pages, total, limit: *limit, offset: *offset, is_over: false },
    )
}

/// The other executions of a page.
struct Items {
    readers: Arc<Readers>,
    pages: ListPages,
    total: u64,
    limit: u32,
    offset: u64,
    is_over: bool,
}

impl Items {
    const BEGIN: &[u8] = br#"{"items":["#;

    /// What follows the last execution.
    fn end(&self) -> Result<Vec<u8>, String> {
        let filter = self.pages.filter();
        let next_cursor = self.pages.goes_on_after().map(|end| cursor::token(filter, end));
        let Self { total, limit, offset, .. } = *self;
        let page = Page { items: Vec::new(), total, limit, offset, next_cursor };
        let page = json::to_vec(&page).map_err(|error| error.to_string())?;
        Ok(page[Self::BEGIN.len()..].to_vec())
    }
}

impl ChunkSource for Items {
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.is_over {
            return Ok(None);
        }
        let readers = &self.readers;
        let items = self.pages.next(|filter, limit, offset, bytes| {
            readers
                .read(|reader| reader.list_within(filter, limit, offset, bytes))
                .map_err(|problem| problem.detail().to_owned())
        })?;
        let mut chunk = Vec::new();
        for item in items.iter().flatten() {
            append(&mut chunk, item)?;
        }
        if self.pages.is_over() {
            self.is_over = true;
            chunk.extend_from_slice(&self.end()?);
        }
        Ok(Some(chunk))
    }
}

/// Writes a further value of a list.
fn append(list: &mut Vec<u8>, value: &impl Serialize) -> Result<(), String> {
    list.push(b',');
    list.extend_from_slice(&json::to_vec(value).map_err(|error| error.to_string())?);
    Ok(())
}
