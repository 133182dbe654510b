//! Answers that are too long to be read and written at once: their begin is read on the way of
//! the request, the rest piece by piece while the client takes it.
//!
//! Each piece is a read of its own, so that no read transaction lasts as long as a client reads.
//! What has ended is the same in all of them; of what runs, later steps are read later.

use std::sync::Arc;

use serde::Serialize;

use super::readers::Readers;
use crate::http::{Pieces, Reply};
use crate::json;
use crate::repository::{ListFilter, Listing};
use crate::workflow::memory::Memory;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord};

/// So much stored text is read on the way of a request; what is longer comes in pieces.
pub(super) const AT_ONCE_BYTES: usize = 128 * 1024;
/// A piece ends with the step or execution that makes its stored text longer than this.
const PIECE_TEXT_BYTES: usize = 64 * 1024;
/// A page ends with the execution whose stored JSON makes it longer than this.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What follows the last step of an execution.
const STEPS_END: &[u8] = b"]}";

/// An execution whose steps are too long to be written on the way of the request, all of them: of
/// control characters their JSON has six times the length.
pub(super) fn detail(
    memory: Arc<Memory>,
    readers: Arc<Readers>,
    execution: ExecutionRecord,
) -> Reply {
    let execution_id = execution.execution_id.clone();
    let first = ExecutionDetail { execution, steps: Vec::new() };
    let Ok(mut begin) = json::to_vec(&first) else { return Reply::json(&first) };
    begin.truncate(begin.len() - STEPS_END.len());
    let rest = Steps { memory, readers, execution_id, next: 0, is_over: false };
    Reply::json_pieces(begin, rest)
}

/// The steps of an execution.
struct Steps {
    memory: Arc<Memory>,
    readers: Arc<Readers>,
    execution_id: String,
    next: u32,
    is_over: bool,
}

impl Pieces for Steps {
    fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.is_over {
            return Ok(None);
        }
        let Self { execution_id, next, .. } = self;
        let (steps, has_more) = match self.memory.steps(execution_id, *next, PIECE_TEXT_BYTES) {
            Some(unstored) => unstored,
            None => self
                .readers
                .read(|reader| reader.steps(execution_id, *next, PIECE_TEXT_BYTES))
                .map_err(|problem| problem.detail().to_owned())?,
        };
        if steps.is_empty() {
            return Err(format!("execution {execution_id} was deleted while it was sent"));
        }
        let is_first = *next == 0;
        *next = next.saturating_add(u32::try_from(steps.len()).unwrap_or(u32::MAX));
        let mut piece = Vec::new();
        for step in &steps {
            append(&mut piece, step)?;
        }
        if is_first {
            // It has none before it.
            piece.remove(0);
        }
        if !has_more {
            self.is_over = true;
            piece.extend_from_slice(STEPS_END);
        }
        Ok(Some(piece))
    }
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
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
    pub(super) fn whole(listing: Listing, asked: &Asked) -> Self {
        let Listing { items, total, is_cut } = listing;
        let has_more = is_cut || items.len() as u64 == u64::from(asked.limit);
        let next_cursor = items.last().filter(|_| has_more).and_then(cursor);
        let (limit, offset) = (asked.limit, asked.offset);
        Self { items, total, limit, offset, next_cursor }
    }
}

/// Where the page after one goes on that ends with this execution.
fn cursor(last: &ExecutionRecord) -> Option<String> {
    last.seq.map(|seq| seq.to_string())
}

/// A page of which only the first executions are read.
pub(super) fn page(readers: Arc<Readers>, first: Listing, asked: &Asked) -> Reply {
    let Listing { items, total, .. } = first;
    let mut begin = Items::BEGIN.to_vec();
    for item in &items {
        if append(&mut begin, item).is_err() {
            return Reply::json(&items);
        }
    }
    // The first has none before it.
    begin.remove(Items::BEGIN.len());
    let mut rest =
        Items { readers, asked: asked.clone(), total, taken: 0, bytes: 0, is_over: false };
    rest.count(&items);
    Reply::json_pieces(begin, rest)
}

/// The other executions of a page.
struct Items {
    readers: Arc<Readers>,
    /// `before` moves on with what was read.
    asked: Asked,
    total: u64,
    taken: u32,
    /// The stored JSON of what was read.
    bytes: usize,
    is_over: bool,
}

impl Items {
    const BEGIN: &[u8] = br#"{"items":["#;

    fn count(&mut self, items: &[ExecutionRecord]) {
        self.taken = self.taken.saturating_add(u32::try_from(items.len()).unwrap_or(u32::MAX));
        self.bytes += items.iter().map(|item| item.input_snapshot.as_str().len()).sum::<usize>();
        if let Some(last) = items.last() {
            self.asked.filter.before = last.seq;
        }
    }

    /// What follows the last execution.
    fn end(&self, has_more: bool) -> Result<Vec<u8>, String> {
        let next_cursor =
            self.asked.filter.before.filter(|_| has_more).map(|before| before.to_string());
        let Asked { limit, offset, .. } = self.asked;
        let page = Page { items: Vec::new(), total: self.total, limit, offset, next_cursor };
        let page = json::to_vec(&page).map_err(|error| error.to_string())?;
        Ok(page[Self::BEGIN.len()..].to_vec())
    }
}

impl Pieces for Items {
    fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.is_over {
            return Ok(None);
        }
        let left = self.asked.limit - self.taken;
        let (mut piece, mut has_more) = (Vec::new(), left == 0 || self.bytes > PAGE_BYTES);
        if !has_more {
            let bytes = PIECE_TEXT_BYTES.min(PAGE_BYTES - self.bytes);
            let filter = &self.asked.filter;
            let listing = self
                .readers
                .read(|reader| reader.list_within(filter, left, 0, bytes))
                .map_err(|problem| problem.detail().to_owned())?;
            for item in &listing.items {
                append(&mut piece, item)?;
            }
            self.count(&listing.items);
            if listing.is_cut {
                return Ok(Some(piece));
            }
            has_more = self.taken == self.asked.limit;
        }
        self.is_over = true;
        piece.extend_from_slice(&self.end(has_more)?);
        Ok(Some(piece))
    }
}

/// Writes a further value of a list.
fn append(list: &mut Vec<u8>, value: &impl Serialize) -> Result<(), String> {
    list.push(b',');
    list.extend_from_slice(&json::to_vec(value).map_err(|error| error.to_string())?);
    Ok(())
}
