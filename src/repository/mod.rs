//! The database: the one module that speaks SQL.
//!
//! - [`writer`]: the handle on one thread, the [`worker`]: a bounded [`queue`] of [`pending`]s,
//!   group commit, a look whether the files are still in their [`place`]; [`task`]: what else it
//!   is asked for; [`stall`]: whether it hangs; [`delivery`]: how those who wait hear of it;
//!   [`change`] writes one execution's change, [`prune`] deletes executions that [`keep`] does
//!   not keep
//! - [`reader`]: read-only connections; [`lineage`]: what was replayed from what
//! - [`rows`]: what a column holds and what it means
//! - [`migrate`], [`predecessor`], `schema/*.sql`: how a database becomes current
//! - [`takeover`]: executions whose process died; [`cancel`]: requests to end executions of other processes
//! - [`inspect`]: a look at all of it; [`alerts`]: when the last ones were sent
//! - [`backup`]: the copy that is kept of an older one
//! - [`connection`], [`mod@file`], [`error`]: how it is opened and what can go wrong
//! - [`ownership`]: which process runs what, and whether it is alive; [`identity`]: which database
//!   a file is, that it may be a copy of

pub mod journal;
pub mod ownership;
pub mod sqlite;

mod error;

pub use error::{StoreError, StoreErrorKind};
pub use journal::pending_write::{CommitStatus, PendingWrite};
pub use journal::writer::{CommitObserver, Health, Writer, WriterOptions};
pub use sqlite::connection::Durability;
pub use sqlite::durations::StepDurations;
pub use sqlite::inspect::Inspection;
pub use sqlite::lineage::{Lineage, LineageNode};
pub use sqlite::pages::{ListPages, StepPages};
pub use sqlite::prune::Purged;
pub use sqlite::reader::{Found, ListFilter, Listing, Reader};
pub use sqlite::retention::Retention;
pub use sqlite::takeover::{
    Abandoned, Abandonment, CancelRequest, Of, OwnerCount, TakenOver, Which,
};

#[cfg(test)]
mod conformance;
