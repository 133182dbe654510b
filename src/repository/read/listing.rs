//! Lists of executions: which, and where a page ends.

use crate::base::since::Start;
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

/// Where an execution stands in a list. Only the database that gave it knows what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Position(i64);

impl Position {
    /// The position that a database has this number for.
    pub(crate) fn new(number: i64) -> Self {
        Self(number)
    }

    /// What [`Self::new`] was given.
    pub(crate) fn number(self) -> i64 {
        self.0
    }
}

/// Which executions are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ListFilter {
    /// Only those of this workflow.
    pub workflow_id: Option<String>,
    /// Only those in this state.
    pub status: Option<ExecutionStatus>,
    /// Only those created at this time or later.
    pub since: Option<Start>,
    /// Only those after this one: the page after one that ended there. The total is not touched
    /// by it.
    pub after: Option<Position>,
}

/// A page of executions, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Listing {
    /// Those of the page.
    pub items: Vec<ExecutionRecord>,
    /// How many the filter fits in all.
    pub total: u64,
    /// The page ends before its limit, since it got too long.
    pub is_cut: bool,
    /// Where the last of them stands; `None` where the page is empty.
    pub end: Option<Position>,
}
