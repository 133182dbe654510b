//! What is too long to be read at once: the steps of an execution, and lists of executions, read
//! piece by piece.
//!
//! Each piece is a read of its own, so that no read transaction lasts as long as somebody takes
//! what was read. What has ended is the same in all of them; of what runs, later steps are read
//! later.

use super::listing::{ListFilter, Listing, Position};
use crate::workflow::record::{ExecutionRecord, StepRecord};

/// A piece ends with the step or execution that makes its stored text longer than this.
const PIECE_TEXT_BYTES: usize = 64 * 1024;

/// The steps of an execution, from the first on.
#[derive(Debug)]
pub(crate) struct StepPages {
    execution_id: String,
    next: u32,
    is_over: bool,
}

impl StepPages {
    /// Those of this execution.
    #[must_use]
    pub(crate) fn of(execution: &ExecutionRecord) -> Self {
        let execution_id = execution.execution_id.clone();
        Self { execution_id, next: 0, is_over: execution.total_steps == 0 }
    }

    /// Whether nothing follows.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next piece; `None` at the end, and where the execution was deleted, which
    /// [`Self::is_over`] tells apart. `read` gives the steps of an execution from a position on,
    /// up to so many bytes, and whether there are more.
    ///
    /// # Errors
    /// That of `read`.
    pub(crate) fn next<E>(
        &mut self,
        read: impl FnOnce(&str, u32, usize) -> Result<(Vec<StepRecord>, bool), E>,
    ) -> Result<Option<Vec<StepRecord>>, E> {
        if self.is_over {
            return Ok(None);
        }
        let (steps, has_more) = read(&self.execution_id, self.next, PIECE_TEXT_BYTES)?;
        if steps.is_empty() {
            return Ok(None);
        }
        self.next = self.next.saturating_add(u32::try_from(steps.len()).unwrap_or(u32::MAX));
        self.is_over = !has_more;
        Ok(Some(steps))
    }
}

/// Executions, newest first.
#[derive(Debug)]
pub(crate) struct ListPages {
    /// `after` moves on with what was read.
    filter: ListFilter,
    left: u32,
    offset: u64,
    bytes_left: usize,
    total: Option<u64>,
    has_more: bool,
    is_over: bool,
}

impl ListPages {
    /// At most `limit` of those that fit, after the first `offset` of them. They end with the one
    /// whose snapshot makes them longer than so many `bytes` in all.
    #[must_use]
    pub(crate) fn of(filter: ListFilter, limit: u32, offset: u64, bytes: usize) -> Self {
        let is_over = limit == 0;
        Self {
            filter,
            left: limit,
            offset,
            bytes_left: bytes,
            total: None,
            has_more: false,
            is_over,
        }
    }

    /// The same, after a first page that was read already.
    #[must_use]
    pub(crate) fn after(mut self, first: &Listing) -> Self {
        self.take(first);
        self
    }

    /// How many fit in all, once the first piece was read.
    #[must_use]
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Where the list goes on, if there may be more: then they ended for their number or their
    /// length.
    #[must_use]
    pub(crate) fn goes_on_after(&self) -> Option<Position> {
        self.filter.after.filter(|_| self.has_more)
    }

    /// Which executions are listed.
    #[must_use]
    pub(crate) fn filter(&self) -> &ListFilter {
        &self.filter
    }

    /// Whether nothing follows.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next piece; `None` at the end. `read` gives at most so many of those that fit, after so
    /// many of them, and up to so many bytes.
    ///
    /// # Errors
    /// That of `read`.
    pub(crate) fn next<E>(
        &mut self,
        read: impl FnOnce(&ListFilter, u32, u64, usize) -> Result<Listing, E>,
    ) -> Result<Option<Vec<ExecutionRecord>>, E> {
        if self.is_over {
            return Ok(None);
        }
        let bytes = PIECE_TEXT_BYTES.min(self.bytes_left);
        let listing = read(&self.filter, self.left, self.offset, bytes)?;
        self.take(&listing);
        Ok(Some(listing.items))
    }

    fn take(&mut self, listing: &Listing) {
        let items = &listing.items;
        self.total.get_or_insert(listing.total);
        self.left = self.left.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let bytes: usize = items.iter().map(|item| item.input_snapshot.as_str().len()).sum();
        let is_long = bytes > self.bytes_left;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        if listing.end.is_some() {
            self.filter.after = listing.end;
            self.offset = 0;
        }
        self.has_more = listing.is_cut || self.left == 0;
        self.is_over = self.left == 0 || is_long || !listing.is_cut;
    }
}
