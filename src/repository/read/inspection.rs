//! What there is to know of a database as a whole, for `wfx doctor`.

use crate::repository::error::StoreError;
use crate::repository::ownership::takeover::OwnerCount;

/// What there is to know of a database.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// The version of its schema.
    pub schema: i64,
    /// The size of its file.
    pub size_bytes: u64,
    /// How much of that is free pages.
    pub free_bytes: u64,
    /// The size of its write-ahead log.
    pub log_bytes: u64,
    /// Permission bits.
    pub mode: u32,
    /// How many executions it keeps.
    pub executions: u64,
    /// What `quick_check` (<https://www.sqlite.org/pragma.html#pragma_quick_check>) says
    /// beside ok.
    pub damages: Vec<String>,
    /// Why its files are not those that they should be.
    pub misplaced: Option<StoreError>,
    /// Why it cannot be written.
    pub unwritable: Option<StoreError>,
    /// Who has unfinished executions.
    pub owners: Vec<OwnerCount>,
    /// Lock files that dead processes left.
    pub dead_locks: usize,
    /// What does not count for the number of finished executions that are kept.
    pub retention: RetentionCounts,
    /// How much output is kept.
    pub output: OutputUsage,
}

/// How much output of steps is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputUsage {
    /// What it counts for in its budget, bytes as they were written.
    pub bytes: u64,
    /// What it takes in the database.
    pub compressed_bytes: u64,
    /// The budget that a daemon was set to, bytes, if one was.
    pub total_bytes: Option<u64>,
    /// How long it is kept, as a daemon was set to, seconds.
    pub age_seconds: Option<u64>,
}

/// What does not count for the number of finished executions that are kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetentionCounts {
    /// Workflows with their own retention, by id.
    pub workflows: Vec<String>,
    /// How many executions are pinned.
    pub pinned: u64,
}
