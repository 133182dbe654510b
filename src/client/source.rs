//! The same values from a database or from a daemon, so that commands show both alike.

use std::collections::HashMap;

use super::error::ClientError;
use super::server::{OutputQuery, OutputRead, PageStart, Server};
use crate::repository::{Lineage, ListFilter, ListPages, Reader, StepPages, StoreError};
use crate::workflow::output::lines::{NamedPage, NamedPart};
use crate::workflow::output::page::{PageRequest, Selection};
use crate::workflow::record::{
    Attempt, ExecutionDetail, ExecutionRecord, HandlerRecord, StepRecord,
};

/// So much output is read at once.
const PAGE_BYTES: usize = 1 << 20;

/// Where executions are read from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A database of this machine.
    Database(Reader),
    /// A daemon.
    Server(Box<Server>),
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Server(#[from] ClientError),
    /// The execution was deleted between two reads.
    #[error("execution {0} was deleted while it was shown")]
    Deleted(String),
}

impl Source {
    /// The execution that `reference` means, without its steps.
    ///
    /// # Errors
    /// When it cannot be read, or several executions fit.
    pub(crate) fn record(&self, reference: &str) -> Result<Option<ExecutionRecord>, SourceError> {
        match self {
            Self::Database(reader) => match reader.resolve(reference, &[])? {
                Some(found) => Ok(reader.execution(&found.execution_id)?),
                None => Ok(None),
            },
            Self::Server(server) => {
                let detail = server.detail(reference, OutputRead::None)?;
                Ok(detail.map(|detail| detail.execution))
            }
        }
    }

    /// The same with its steps and handlers.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(crate) fn detail(
        &self,
        reference: &str,
        output: OutputRead,
    ) -> Result<Option<ExecutionDetail>, SourceError> {
        let reader = match self {
            Self::Database(reader) => reader,
            Self::Server(server) => return Ok(server.detail(reference, output)?),
        };
        let Some(found) = reader.resolve(reference, &[])? else { return Ok(None) };
        let execution_id = &found.execution_id;
        if output == OutputRead::Kept {
            return Ok(reader.detail(execution_id)?);
        }
        let Some((detail, _)) = reader.detail_within(execution_id, 0)? else { return Ok(None) };
        let steps = reader.steps_without_text(execution_id)?;
        Ok(Some(ExecutionDetail { steps, ..detail }))
    }

    /// The same, its steps to be read piece by piece: those of a database may be long.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(crate) fn in_pieces(&self, reference: &str) -> Result<Option<Pieces<'_>>, SourceError> {
        let reader = match self {
            Self::Database(reader) => reader,
            Self::Server(server) => {
                let detail = server.detail(reference, OutputRead::Kept)?;
                return Ok(detail.map(|detail| Pieces {
                    execution: detail.execution,
                    handlers: detail.handlers,
                    steps: Steps::Whole(Some(detail.steps)),
                }));
            }
        };
        let Some(execution) = self.record(reference)? else { return Ok(None) };
        let handlers = reader.detail_within(&execution.execution_id, 0)?;
        let handlers = handlers.map(|(detail, _)| detail.handlers).unwrap_or_default();
        let steps = Steps::Stored(reader, StepPages::of(&execution));
        Ok(Some(Pieces { execution, handlers, steps }))
    }

    /// The attempts of its steps that are kept, by position and number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn attempts(
        &self,
        execution_id: &str,
        output: OutputRead,
    ) -> Result<Vec<Attempt>, SourceError> {
        match self {
            Self::Database(reader) => Ok(reader.attempts(execution_id)?),
            Self::Server(server) => Ok(server.attempts(execution_id, output)?),
        }
    }

    /// What it repeats, and what repeats it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn lineage(&self, execution_id: &str) -> Result<Lineage, SourceError> {
        match self {
            Self::Database(reader) => Ok(reader.lineage(execution_id)?),
            Self::Server(server) => Ok(server.lineage(execution_id)?),
        }
    }

    /// A number that is another one once something was stored; `None` where none is known.
    #[must_use]
    pub(crate) fn version(&self) -> Option<i64> {
        match self {
            Self::Database(reader) => reader.version().ok().flatten(),
            Self::Server(_) => None,
        }
    }

    /// A part of what the steps of an execution print; `None` where there is no such execution or
    /// step.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn output(
        &self,
        execution_id: &str,
        query: &OutputQuery,
        from: u64,
    ) -> Result<Option<NamedPage>, SourceError> {
        let reader = match self {
            Self::Database(reader) => reader,
            Self::Server(server) => return Ok(server.output(execution_id, query, from)?),
        };
        let OutputQuery { step, attempt, stream, since } = query;
        let position = match step {
            None => None,
            Some(step) => match reader.position(execution_id, step)? {
                None => return Ok(None),
                position => position,
            },
        };
        let (attempt, stream, since) = (*attempt, *stream, *since);
        let selection = Selection { position, attempt, stream, since };
        let limit = PAGE_BYTES;
        let request = PageRequest { selection, from, limit, ends_at_gap: false, is_last: false };
        let Some(page) = reader.output(execution_id, &request)? else { return Ok(None) };
        let names = match page.parts.is_empty() {
            true => HashMap::new(),
            false => reader.names(execution_id)?,
        };
        let name = |position: u32| names.get(&position).cloned().unwrap_or_default();
        Ok(Some(NamedPage {
            parts: page.parts.into_iter().map(|part| NamedPart::of(part, name)).collect(),
            next_from: page.next_from,
            is_complete: page.is_complete,
        }))
    }

    /// The names of the steps and handlers of an execution, by position.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn names(&self, execution_id: &str) -> Result<HashMap<u32, String>, SourceError> {
        match self {
            Self::Database(reader) => Ok(reader.names(execution_id)?),
            Self::Server(server) => {
                let detail = server.detail(execution_id, OutputRead::None)?;
                let detail = detail.into_iter().flat_map(|detail| {
                    let handlers = detail.handlers.into_iter().map(|handler| handler.step);
                    detail.steps.into_iter().chain(handlers)
                });
                Ok(detail.map(|step| (step.position, step.name)).collect())
            }
        }
    }

    /// At most `limit` executions that fit `filter`, newest first, after the first `offset` of
    /// them, page by page.
    #[must_use]
    pub(crate) fn list(&self, filter: ListFilter, limit: u32, offset: u64) -> Pages<'_> {
        match self {
            Self::Database(reader) => {
                Pages::Stored(reader, ListPages::of(filter, limit, offset, usize::MAX))
            }
            Self::Server(server) => Pages::Served(ServedPages {
                server,
                filter,
                left: limit,
                start: Some(PageStart::Offset(offset)),
                total: 0,
            }),
        }
    }
}

impl Source {
    /// The newest that fit `filter`, at most `limit` and not many more `bytes` than these.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn list_short(
        &self,
        filter: &ListFilter,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<ExecutionRecord>, SourceError> {
        match self {
            Self::Database(reader) => Ok(reader.list_within(filter, limit, 0, bytes)?.items),
            Self::Server(server) => Ok(server.list(filter, limit, &PageStart::Offset(0))?.items),
        }
    }

    /// The ids of at most `limit` workflows that have executions, or that a daemon has.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn workflow_ids(&self, limit: u32) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Database(reader) => Ok(reader.workflow_ids(limit)?),
            Self::Server(server) => Ok(server.workflow_ids()?),
        }
    }
}

/// An execution whose steps are read piece by piece.
#[derive(Debug)]
pub(crate) struct Pieces<'a> {
    pub execution: ExecutionRecord,
    pub handlers: Vec<HandlerRecord>,
    pub steps: Steps<'a>,
}

/// The steps of an execution.
#[derive(Debug)]
pub(crate) enum Steps<'a> {
    Stored(&'a Reader, StepPages),
    /// All of them at once.
    Whole(Option<Vec<StepRecord>>),
}

impl Steps<'_> {
    /// The next of them; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read, or `execution_id` was deleted meanwhile.
    pub(crate) fn next(
        &mut self,
        execution_id: &str,
    ) -> Result<Option<Vec<StepRecord>>, SourceError> {
        match self {
            Self::Whole(steps) => Ok(steps.take()),
            Self::Stored(reader, pages) => {
                let steps = pages.next(|id, next, bytes| reader.steps(id, next, bytes))?;
                if steps.is_none() && !pages.is_over() {
                    return Err(SourceError::Deleted(execution_id.to_owned()));
                }
                Ok(steps)
            }
        }
    }
}

/// A list of executions.
#[derive(Debug)]
pub(crate) enum Pages<'a> {
    Stored(&'a Reader, ListPages),
    Served(ServedPages<'a>),
}

/// A list that a daemon gives.
#[derive(Debug)]
pub(crate) struct ServedPages<'a> {
    server: &'a Server,
    filter: ListFilter,
    left: u32,
    /// `None`: nothing follows.
    start: Option<PageStart>,
    total: u64,
}

impl Pages<'_> {
    /// The next of them; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<ExecutionRecord>>, SourceError> {
        match self {
            Self::Stored(reader, pages) => Ok(pages.next(|filter, limit, offset, bytes| {
                reader.list_within(filter, limit, offset, bytes)
            })?),
            Self::Served(pages) => Ok(pages.next()?),
        }
    }

    /// How many fit in all, once the first page was read.
    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        match self {
            Self::Stored(_, pages) => pages.total().unwrap_or(0),
            Self::Served(pages) => pages.total,
        }
    }
}

impl ServedPages<'_> {
    fn next(&mut self) -> Result<Option<Vec<ExecutionRecord>>, ClientError> {
        let Some(start) = self.start.take().filter(|_| self.left > 0) else { return Ok(None) };
        let page = self.server.list(&self.filter, self.left, &start)?;
        if let PageStart::Offset(_) = start {
            self.total = page.total;
        }
        self.left = self.left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        // A page without an execution is the last one, whatever it says.
        self.start = page.next_cursor.filter(|_| !page.items.is_empty()).map(PageStart::Cursor);
        Ok(Some(page.items))
    }
}
