//! What there is to know of a database as a whole, for `wfx doctor`.

use crate::repository::error::StoreError;
use crate::repository::ownership::takeover::OwnerCount;

/// What there is to know of a database.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// The version of its schema.
    pub schema: i64,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// How many executions it keeps.
    pub executions: u64,
    /// What it lies in.
    pub storage: Storage,
    /// Who has unfinished executions.
    pub owners: Vec<OwnerCount>,
    /// Lock files that dead processes left.
    pub dead_locks: usize,
    /// What does not count for the number of finished executions that are kept.
    pub retention: RetentionCounts,
    /// How much output is kept.
    pub output: OutputUsage,
}

/// What a database lies in.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    File(FileInspection),
    Server(Box<ServerInspection>),
}

/// A file of SQLite, and those beside it.
#[derive(Debug, Clone)]
pub(crate) struct FileInspection {
    /// How much of it is free pages, bytes.
    pub free_bytes: u64,
    /// The size of its write-ahead log.
    pub log_bytes: u64,
    /// Permission bits.
    pub mode: u32,
    /// What `quick_check` (<https://www.sqlite.org/pragma.html#pragma_quick_check>) says
    /// beside ok.
    pub damages: Vec<String>,
    /// Why its files are not those that they should be.
    pub misplaced: Option<StoreError>,
    /// Why it cannot be written.
    pub unwritable: Option<StoreError>,
}

/// A server of PostgreSQL, as far as it concerns this database and this role.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerInspection {
    /// The release, as the server names it.
    pub version: String,
    /// The encoding of the database.
    pub encoding: String,
    /// What changes from minute to minute.
    pub status: ServerStatus,
    /// What the role may not do in the schema of wfx, such as `INSERT into workflow_output`.
    pub missing_rights: Vec<String>,
    /// The role owns the schema, so that it can bring it to a newer version.
    pub owns_schema: bool,
    /// Transactions of the role may only read, unless they ask for more.
    pub is_read_only: bool,
    /// The server cleans up its tables by itself.
    pub has_autovacuum: bool,
    /// The table with the most dead rows: its name, its live and its dead rows.
    pub deadest: Option<(String, u64, u64)>,
}

/// How a server is at the moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerStatus {
    /// It replicates another server, and can only be read.
    pub is_standby: bool,
    /// `fsync`: commits reach the disk.
    pub fsync: bool,
    /// `full_page_writes`: a page that was half written when the power failed can be repaired.
    pub full_page_writes: bool,
    /// `synchronous_commit` for this role and database: what a commit waits for.
    pub synchronous_commit: String,
    /// wfx itself is set not to wait for the disk ([`Durability::Normal`](crate::repository::Durability)).
    pub is_relaxed: bool,
    /// `synchronous_standby_names` names some.
    pub names_standbys: bool,
    /// How many standbys are connected.
    pub standbys: u64,
    /// How many of these commits may wait for; `None` where the role may not know.
    pub synchronous_standbys: Option<u64>,
    /// Who keeps the server from cleaning up the most.
    pub oldest: Option<OldestTransaction>,
    /// Rows of wfx's tables that were deleted or replaced, and are not cleaned up.
    pub dead_rows: u64,
    /// How many more connections the role can open to the database.
    pub connections_left: u64,
    /// How many connections all may open, but for those that are kept for administrators.
    pub connections_max: u64,
    /// By how much the clock of the server is ahead of the one here, microseconds.
    pub clock_ahead_us: i64,
    /// How far that may be wrong: half of the time that the question took, microseconds.
    pub clock_doubt_us: u64,
}

/// What a commit outlives that is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarantee {
    /// Not even a crash of the server.
    Nothing,
    /// A crash of the server, as far as its disk is there.
    Server,
    /// The loss of the server: a standby has it as well.
    Standby,
}

impl Guarantee {
    /// Its name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Server => "server",
            Self::Standby => "standby",
        }
    }
}

impl ServerStatus {
    /// What a commit outlives that this server acknowledges to wfx.
    pub(crate) fn guarantee(&self) -> Guarantee {
        match self.synchronous_commit.as_str() {
            _ if !self.fsync || self.is_relaxed => Guarantee::Nothing,
            "off" => Guarantee::Nothing,
            "local" => Guarantee::Server,
            _ if self.names_standbys => Guarantee::Standby,
            _ => Guarantee::Server,
        }
    }

    /// Whether commits wait for standbys of which none is connected.
    pub(crate) fn waits_in_vain(&self) -> bool {
        self.guarantee() == Guarantee::Standby && self.synchronous_standbys == Some(0)
    }
}

/// A transaction, or what else keeps old rows from being cleaned up.
#[derive(Debug, Clone, Default)]
pub(crate) struct OldestTransaction {
    /// Who it is, for people: `session 4711 of carl (psql)`.
    pub holder: String,
    /// How many transactions have begun since.
    pub transactions: u64,
    /// For how long it goes on, seconds, where that can be seen.
    pub seconds: Option<f64>,
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
