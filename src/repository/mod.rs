//! The store: the one module that speaks SQL.
//!
//! - `journal`: from a change to a commit, whichever the database: pending writes, a bounded
//!   queue, group commit on one thread, acknowledgement, health
//! - `read`: the handle for reading and what it answers with
//! - `sqlite`: the database: files, migrations, rows; implements what the other two need
//! - `ownership`: which process runs what, whether it is alive, what may change hands
//! - `notifications`: the outbox as it is handed out and taken back
//! - `open`: picks the database; `options`, `patience`, `alerts`, `sessions`, `error`: what these
//!   share

pub(crate) mod ownership;

mod address;
mod alerts;
pub(crate) mod error;
pub(crate) mod journal;
pub(crate) mod notifications;
mod open;
pub(crate) mod options;
mod patience;
mod postgres;
mod read;
pub(crate) mod sessions;
mod sql;
mod sqlite;

pub use address::StoreAddress;
pub(crate) use error::{StoreError, StoreErrorKind};
pub(crate) use journal::backend::{Catalogued, Policies};
pub(crate) use journal::health::Health;
pub(crate) use journal::opening::Opening;
pub(crate) use journal::output::{Chunk, ChunkRow, OutputBatch};
pub(crate) use journal::pending_write::{CommitStatus, PendingWrite, SlotStatus};
pub(crate) use journal::purge::Purged;
pub(crate) use journal::schedules::{Notified, RegisteredWorkflow, ScheduleChange, Trimmed};
pub(crate) use journal::writer::Writer;
pub(crate) use options::{
    BudgetOf, CommitObserver, Durability, OutputBudgets, Retention, WriterOptions,
};
pub(crate) use ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, Of, OwnerCount, TakenOver, Which,
};
pub(crate) use read::cursor;
pub(crate) use read::glance::{FailingWorkflow, NotableStep, StatusCounts};
pub(crate) use read::inspection::{
    Guarantee, Inspection, OldestTransaction, ServerInspection, ServerStatus, Storage,
};
pub(crate) use read::lineage::{Lineage, LineageNode, LineageRow, LineageRows};
pub(crate) use read::listing::{ListFilter, Listing, Position};
pub(crate) use read::pages::{ListPages, StepPages};
pub(crate) use read::queue::{Queue, QueuedExecution, QueuedGroup};
pub(crate) use read::reader::Reader;
pub(crate) use read::reference::{Candidate, Found, is_whole_id};
pub(crate) use read::schedules::{DecisionPosition, StoredSchedule, UnfinishedExecution};
pub(crate) use read::summary::{SummaryExecution, WorkflowSummary};

#[cfg(test)]
mod conformance;
