//! Which process runs an execution, and whether it is alive.
//!
//! Each process that runs executions has an owner `id`, which it writes into the executions
//! it runs, and a lock file (`lock`) of that name in the folder `<database>-owners`. The id says
//! which process it is: number, start time, boot, machine, database. The `verdict` that
//! a process is dead needs a proof from these: a lock file that is missing proves nothing, since
//! cleaners, restores and copies remove files and bring them back. The lock file also lists the
//! `attempts` that run, for whoever has to end what a dead process left. Whether an execution may
//! change hands is decided in `takeover`.

pub(crate) mod id;

pub(crate) mod files;
pub(crate) mod takeover;

mod attempts;
mod judge;
pub(crate) mod lock;
mod look;
mod registry;
mod verdict;

pub(crate) use self::attempts::ListedAttempt;
pub(crate) use self::id::OwnerKind;
pub(crate) use self::judge::Judge;
pub(crate) use self::lock::Owner;
pub(crate) use self::registry::Registry;
pub(crate) use self::verdict::{Doubt, Liveness};
