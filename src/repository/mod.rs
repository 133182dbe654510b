//! The database: the one module that speaks SQL.
//!
//! - [`writer`]: the handle on one thread, the [`worker`]: a bounded [`queue`] of [`slot`]s,
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

pub mod ownership;
pub mod pages;
pub mod reader;
pub mod slot;
pub mod writer;

mod alerts;
mod backup;
mod cancel;
mod change;
mod connection;
mod delivery;
mod durations;
mod error;
mod file;
mod identity;
mod inspect;
mod keep;
mod lineage;
mod migrate;
mod place;
mod predecessor;
mod prune;
mod queue;
mod rows;
mod stall;
mod sync;
mod takeover;
mod task;
mod worker;

pub use connection::Durability;
pub use durations::StepDurations;
pub use error::{StoreError, StoreErrorKind};
pub use inspect::Inspection;
pub use keep::Retention;
pub use lineage::{Lineage, LineageNode};
pub use prune::Purged;
pub use reader::{Found, ListFilter, Listing, Reader};
pub use slot::{Slot, Stored};
pub use takeover::{Abandoned, Abandonment, CancelRequest, Of, OwnerCount, TakenOver, Which};
pub use writer::{CommitObserver, Health, Writer, WriterOptions};

#[cfg(test)]
mod tests;
