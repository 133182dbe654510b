//! Why the database did not do what was asked, in words for an operator.

/// What went wrong, for those who decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// No slot of the concurrency group is free, and the workflow rejects starts then.
    GroupBusy,
    /// As many wait for the concurrency group as may.
    GroupFull,
    /// The scheduled time is decided already.
    Decided,
    /// An execution of the workflow has not ended, and the scheduled start allows none beside it.
    Overlaps,
    /// There is no database at that place, or nothing in it yet.
    Missing,
    /// What lies there is no database of wfx.
    NotADatabase,
    /// A database whose content is broken.
    Damaged,
    /// A newer wfx wrote it.
    Newer,
    /// An older wfx or its predecessor wrote it; a command that writes brings it up.
    NeedsMigration,
    /// Another process held it for longer than was waited.
    Locked,
    /// The file or its folder cannot be written, or not be read.
    ReadOnly,
    /// No space is left.
    Full,
    /// The file was deleted, replaced or emptied while it was open.
    Gone,
    /// The system failed to read or write.
    Io,
    /// The rows asked for contradict those that are there.
    Refused,
    /// It belongs to another user.
    NotOurs,
    /// Others cannot see that this process is alive, since its lock file cannot be kept.
    Unseen,
    /// An id prefix fits several executions.
    Ambiguous,
}

/// Why the database did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    hint: Option<String>,
}

impl StoreError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether it passes by itself: another process holds the database for a while.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.kind == StoreErrorKind::Locked
    }

    /// Whether a start was refused for the executions of its concurrency group.
    #[must_use]
    pub fn is_of_group(&self) -> bool {
        matches!(self.kind, StoreErrorKind::GroupBusy | StoreErrorKind::GroupFull)
    }

    /// Whether a start was refused for what was decided of its scheduled time, or for executions
    /// that are in its way.
    #[must_use]
    pub fn is_of_schedule(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Decided | StoreErrorKind::Overlaps)
    }

    /// Whether the database takes nothing, whatever is written to it.
    #[must_use]
    pub(crate) fn is_of_database(&self) -> bool {
        use StoreErrorKind::{Damaged, Full, Gone, Io, ReadOnly};
        matches!(self.kind, Damaged | Full | Gone | Io | ReadOnly)
    }

    pub(crate) fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// An error of the file system while `doing` something, which names the place.
    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let message = format!("cannot {doing}: {error}");
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::new(StoreErrorKind::ReadOnly, message).with_hint(
                    "make the file and its folder accessible, or name another place with --db",
                )
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::new(StoreErrorKind::Full, message)
                    .with_hint("free space on its file system, or name another place with --db")
            }
            _ => Self::new(StoreErrorKind::Io, message).with_hint("name another place with --db"),
        }
    }
}
