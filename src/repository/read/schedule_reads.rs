//! What the handle for reading gives of schedules.

use std::collections::BTreeSet;

use super::reader::Reader;
use super::schedules::{DecisionPosition, StoredSchedule, UnfinishedExecution};
use crate::base::timestamp::Timestamp;
use crate::repository::error::StoreError;
use crate::workflow::schedule_record::{DecisionRecord, OverdueRecord, PauseRecord};

impl Reader {
    /// The schedules of these workflows as they are stored, or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn schedules(
        &self,
        workflows: Option<&BTreeSet<String>>,
    ) -> Result<Vec<StoredSchedule>, StoreError> {
        self.backend.schedules(workflows)
    }

    /// Rows of decisions that begin at `now` or before and end later; `None` where nothing was
    /// decided for a time after `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn decided_across(
        &self,
        now: Timestamp,
    ) -> Result<Option<Vec<DecisionRecord>>, StoreError> {
        self.backend.decided_across(now)
    }

    /// At most `limit` rows of decisions, of a workflow or of all, the latest scheduled time first,
    /// from a position on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn decisions(
        &self,
        workflow_id: Option<&str>,
        before: Option<&DecisionPosition>,
        limit: u32,
    ) -> Result<Vec<DecisionRecord>, StoreError> {
        self.backend.decisions(workflow_id, before, limit)
    }

    /// What was decided of a scheduled time, alone or with others in one row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn decision(
        &self,
        workflow_id: &str,
        schedule: &str,
        at: Timestamp,
    ) -> Result<Option<DecisionRecord>, StoreError> {
        self.backend.decision(workflow_id, schedule, at)
    }

    /// The last decision of each schedule.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn last_decisions(&self) -> Result<Vec<DecisionRecord>, StoreError> {
        self.backend.last_decisions()
    }

    /// The pauses that end after `since`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn pauses(&self, since: Timestamp) -> Result<Vec<PauseRecord>, StoreError> {
        self.backend.pauses(since)
    }

    /// Every execution that has not ended, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn unfinished(&self) -> Result<Vec<UnfinishedExecution>, StoreError> {
        self.backend.unfinished()
    }

    /// The expectations that are not met.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn overdue(&self) -> Result<Vec<OverdueRecord>, StoreError> {
        self.backend.overdue()
    }

    /// When the last success of a workflow ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn last_success(&self, workflow_id: &str) -> Result<Option<Timestamp>, StoreError> {
        self.backend.last_success(workflow_id)
    }
}
