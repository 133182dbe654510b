//! The store: the one module that speaks SQL.
//!
//! - `journal`: from a change to a commit, whichever the database: pending writes, a bounded
//!   queue, group commit on one thread, acknowledgement, health
//! - `read`: the handle for reading and what it answers with
//! - `sqlite`: the database: files, migrations, rows; implements what the other two need
//! - `ownership`: which process runs what, whether it is alive, what may change hands
//! - `open`: picks the database; `options`, `patience`, `alerts`, `error`: what these share

pub mod ownership;

mod alerts;
mod error;
mod journal;
mod open;
mod options;
mod patience;
mod read;
mod sqlite;

pub use alerts::SentAlerts;
pub use error::{StoreError, StoreErrorKind};
pub use journal::health::Health;
pub use journal::pending_write::{CommitStatus, PendingWrite};
pub use journal::purge::Purged;
pub use journal::writer::Writer;
pub use options::{CommitObserver, Durability, Retention, WriterOptions};
pub use ownership::takeover::{
    Abandoned, Abandonment, CancelRequest, Of, OwnerCount, TakenOver, Which,
};
pub use read::cursor;
pub use read::durations::StepDurations;
pub use read::inspection::Inspection;
pub use read::lineage::{Lineage, LineageNode};
pub use read::listing::{ListFilter, Listing, Position};
pub use read::pages::{ListPages, StepPages};
pub use read::reader::Reader;
pub use read::reference::Found;

#[cfg(test)]
mod conformance;
