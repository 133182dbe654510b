//! Performs one attempt of one step: [`process`] runs commands, [`sleep`] waits. [`orphans`] finds
//! and ends what a dead wfx left.

pub mod children;
pub mod detach;
mod failure;
pub mod group;
pub mod job;
pub mod orphans;
pub mod outputs;
pub mod parallelism;
pub mod process;
pub mod scratch;
pub mod search;
pub mod sleep;
pub mod tail;
pub mod tree;

use tokio_util::sync::CancellationToken;

/// How a running attempt is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// End in order: SIGTERM, a grace, SIGKILL.
    pub gently: CancellationToken,
    /// End now: SIGKILL.
    pub now: CancellationToken,
}
