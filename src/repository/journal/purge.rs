//! A purge and how it goes.

use std::sync::mpsc;
use std::time::Instant;

use crate::repository::error::StoreError;
use crate::workflow::retention::{Chosen, PrunePlan};

/// What a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Executions deleted, with their steps and output.
    pub executions: u64,
    /// Bytes that the database became smaller by.
    pub freed_bytes: u64,
}

/// A purge under way.
#[derive(Debug)]
pub(crate) struct Purge {
    pub(crate) chosen: Vec<Chosen>,
    /// Whether those go that are pinned.
    pub(crate) include_pinned: bool,
    /// How many of them were looked at.
    pub(crate) next: usize,
    pub(crate) deleted: u64,
    /// The database's size before, once known.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) progress: mpsc::Sender<PurgeProgress>,
    /// Since when others break it off, by rows that they hold.
    pub(crate) locked_since: Option<Instant>,
}

impl Purge {
    pub(crate) fn new(plan: &PrunePlan, progress: mpsc::Sender<PurgeProgress>) -> Self {
        let PrunePlan { chosen, include_pinned, .. } = plan;
        let (chosen, include_pinned) = (chosen.clone(), *include_pinned);
        Self {
            chosen,
            include_pinned,
            next: 0,
            deleted: 0,
            size_bytes: None,
            progress,
            locked_since: None,
        }
    }
}

/// How a purge goes.
#[derive(Debug)]
pub(crate) enum PurgeProgress {
    /// So many are deleted so far.
    Deleted(u64),
    /// Others have the database locked.
    Waits(StoreError),
    Ended(Result<Purged, StoreError>),
}
