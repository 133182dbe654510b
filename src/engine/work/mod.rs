//! Performs one attempt of one step: [`process`] runs commands, [`sleep`] waits. [`orphans`] finds
//! and ends what a dead wfx left.

pub(crate) mod children;
pub(crate) mod detach;
pub(crate) mod env_file;
mod failure;
pub(crate) mod group;
pub(crate) mod job;
pub(crate) mod launch;
pub(crate) mod orphans;
pub(crate) mod outputs;
pub(crate) mod parallelism;
pub(crate) mod process;
pub(crate) mod scratch;
pub(crate) mod search;
pub(crate) mod sleep;
pub(crate) mod tree;

use tokio_util::sync::CancellationToken;

/// How a running attempt is asked to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// End in order: SIGTERM or the step's own signal, a grace, SIGKILL.
    pub gently: CancellationToken,
    /// No grace may be longer than [`job::GRACE`] from now on: wfx itself ends.
    pub soon: CancellationToken,
    /// End now: SIGKILL.
    pub now: CancellationToken,
}
