//! One execution: how it went, its steps, timeline, output and lineage.

use std::io::{self, IsTerminal};

use serde::Serialize;

use super::{OutputFormat, Ui};
use crate::base::timestamp::Timestamp;
use crate::render::detail::{OutputShown, plain_rows};
use crate::repository::Lineage;
use crate::workflow::record::{Attempt, ExecutionDetail, ExecutionRecord, HandlerRecord};

impl Ui {
    /// Shows how an execution went, after it was run.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn execution_summary(&self, detail: &ExecutionDetail) -> io::Result<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Jsonl => {
                let mut steps = detail.steps.chunks(1);
                self.execution_json(detail.execution.clone(), detail.handlers.clone(), || {
                    Ok(steps.next().map(|steps| steps.iter().collect::<Vec<_>>()))
                })
            }
            OutputFormat::Plain => self.plain_rows(&plain_rows(detail)),
            // A stopped terminal gets no summary: writing it would block.
            OutputFormat::Table if self.stalled() && io::stdout().is_terminal() => Ok(()),
            OutputFormat::Table => self.text(&self.layout.summary(detail)),
        }
    }

    /// Writes an execution as JSON, its steps as they are read: `next` gives the next of them.
    ///
    /// # Errors
    /// When standard output cannot be written, or that of `next`.
    pub(crate) fn execution_json<T: Serialize, E: From<io::Error>>(
        &self,
        execution: ExecutionRecord,
        handlers: Vec<HandlerRecord>,
        next: impl FnMut() -> Result<Option<Vec<T>>, E>,
    ) -> Result<(), E> {
        self.json_around(&ExecutionDetail { execution, handlers, steps: Vec::new() }, next)
    }

    /// Shows everything that is known of an execution, for people or in fields.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn execution(
        &self,
        detail: &ExecutionDetail,
        attempts: &[Attempt],
        lineage: &Lineage,
        output: OutputShown,
        now: Timestamp,
    ) -> io::Result<()> {
        if self.format == OutputFormat::Plain {
            return self.plain_rows(&plain_rows(detail));
        }
        self.text(&self.layout.execution(detail, attempts, lineage, output, now))
    }

    /// Shows where the values of its definition came from; the fields for scripts do not have it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn definition_source(&self, execution: &ExecutionRecord) -> io::Result<()> {
        if self.format == OutputFormat::Plain {
            return Ok(());
        }
        self.text(&self.layout.source(&execution.input_snapshot.value()))
    }
}
