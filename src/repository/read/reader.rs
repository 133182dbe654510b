//! The handle for reading.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use super::durations::StepDurations;
use super::glance::{FailingWorkflow, NotableStep, StatusCounts};
use super::inspection::{Inspection, ServerStatus};
use super::lineage::Lineage;
use super::listing::{ListFilter, Listing};
use super::queue::{GROUPS_SHOWN, Queue};
use super::reference::{self, CANDIDATES_MAX, Candidate, Found, Reference};
use super::summary::WorkflowSummary;
use crate::base::timestamp::Timestamp;
use crate::repository::address::StoreAddress;
use crate::repository::alerts::SentAlerts;
use crate::repository::error::StoreError;
use crate::repository::notifications::{NotificationFilter, NotificationRecord};
use crate::repository::ownership::takeover::OwnerCount;
use crate::repository::ownership::{Judge, ListedAttempt, Liveness};
use crate::repository::sessions::StoredSession;
use crate::repository::sql::reader::SqlReader;
use crate::workflow::output::page::{OutputPage, PageRequest};
use crate::workflow::record::{Attempt, ExecutionDetail, ExecutionRecord, OwnerState, StepRecord};
use crate::workflow::retention::History;

impl From<Liveness> for OwnerState {
    fn from(liveness: Liveness) -> Self {
        match liveness {
            Liveness::Alive => Self::Alive,
            Liveness::Dead => Self::Dead,
            Liveness::Unknown(_) => Self::Unknown,
        }
    }
}

/// Reads a store, while others write to it. Each read sees one state of it and keeps none.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) backend: SqlReader,
}

impl Reader {
    /// Opens a store. Changes nothing, so an older one is refused.
    ///
    /// # Errors
    /// Of any kind but `Refused`, `Full` and `Ambiguous`.
    pub(crate) fn open(address: impl Into<StoreAddress>) -> Result<Self, StoreError> {
        Ok(Self { backend: SqlReader::open(&address.into())? })
    }

    /// When the last alert of each type that was sent was decided.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn sent_alerts(&self) -> Result<SentAlerts, StoreError> {
        self.backend.sent_alerts()
    }

    /// The number that tells this database from others; `None` where nothing was stored in it yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn database_number(&self) -> Result<Option<NonZeroU32>, StoreError> {
        self.backend.database_number()
    }

    /// Whether what was opened still is what others find there.
    #[must_use]
    pub(crate) fn is_in_place(&self) -> bool {
        self.backend.is_in_place()
    }

    /// A number that is another one once anybody has stored something; `None` where the database
    /// counts no changes. It says nothing to other connections.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn version(&self) -> Result<Option<i64>, StoreError> {
        self.backend.data_version()
    }

    /// At most `limit` executions that fit `filter`, newest first, after the first
    /// `offset` of them; and how many fit in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    #[cfg(test)]
    pub(crate) fn list(
        &self,
        filter: &ListFilter,
        limit: u32,
        offset: u64,
    ) -> Result<Listing, StoreError> {
        self.list_within(filter, limit, offset, usize::MAX)
    }

    /// The same, a page ending with the execution whose snapshot makes them longer than so
    /// many `bytes` in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn list_within(
        &self,
        filter: &ListFilter,
        limit: u32,
        offset: u64,
        bytes: usize,
    ) -> Result<Listing, StoreError> {
        let mut listing = self.backend.list(filter, limit, offset, bytes)?;
        self.look_at_owners(&mut listing.items)?;
        Ok(listing)
    }

    /// At most `limit` executions that fit `filter`, newest first, without their snapshots and the
    /// names of their steps.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn brief(
        &self,
        filter: &ListFilter,
        limit: u32,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        let mut found = self.backend.brief(filter, limit)?;
        self.look_at_owners(&mut found)?;
        Ok(found)
    }

    /// How many executions are stored in each state, of one workflow or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn status_counts(
        &self,
        workflow_id: Option<&str>,
    ) -> Result<StatusCounts, StoreError> {
        self.backend.status_counts(workflow_id)
    }

    /// At most `limit` steps of execution `seq` that run, or that ended it if `has_ended`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn notable_steps(
        &self,
        seq: i64,
        has_ended: bool,
        limit: u32,
    ) -> Result<Vec<NotableStep>, StoreError> {
        self.backend.notable_steps(seq, has_ended, limit)
    }

    /// The id of the newest success of a workflow before execution `seq`, among the thousand
    /// before it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn success_before(
        &self,
        workflow_id: &str,
        seq: i64,
    ) -> Result<Option<String>, StoreError> {
        self.backend.success_before(workflow_id, seq)
    }

    /// How many executions of a workflow succeeded after execution `seq`, of the thousand newest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn successes_after(&self, workflow_id: &str, seq: i64) -> Result<u64, StoreError> {
        self.backend.successes_after(workflow_id, seq)
    }

    /// How long at most `limit` of the newest successes of a workflow took that were no replays,
    /// milliseconds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn durations(&self, workflow_id: &str, limit: u32) -> Result<Vec<u64>, StoreError> {
        self.backend.durations(workflow_id, limit)
    }

    /// At most `limit` workflows whose newest finished execution did not succeed, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn failing_workflows(&self, limit: u32) -> Result<Vec<FailingWorkflow>, StoreError> {
        self.backend.failing_workflows(limit)
    }

    /// As [`Self::attempts`], without the text of their output.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn attempts_without_text(
        &self,
        execution_id: &str,
    ) -> Result<Vec<Attempt>, StoreError> {
        self.backend.attempts_without_text(execution_id)
    }

    /// The session of the web page with this hash, also one that has expired.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn session(&self, hash: &[u8]) -> Result<Option<StoredSession>, StoreError> {
        self.backend.session(hash)
    }

    /// What judges whether owners of these executions are alive.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn judge(&self) -> Result<Judge, StoreError> {
        self.backend.judge()
    }

    fn look_at_owners(&self, executions: &mut [ExecutionRecord]) -> Result<(), StoreError> {
        if executions.iter().all(|execution| execution.owner.is_none()) {
            return Ok(());
        }
        let mut judge = self.judge()?;
        for execution in executions {
            execution.owner_state =
                execution.owner.as_ref().map(|owner| judge.liveness(owner).into());
        }
        Ok(())
    }

    /// The execution that `reference` means: `@latest`, `@N` with its `seq`, its whole id, a prefix
    /// that no other has, or the id of a workflow, whose latest one it is. `None` when there is
    /// none. `unstored` are executions that no database has, in the order they were accepted.
    ///
    /// # Errors
    /// `Ambiguous` when several executions fit, naming some; others when the database cannot be
    /// read.
    pub(crate) fn resolve(
        &self,
        reference: &str,
        unstored: &[Candidate],
    ) -> Result<Option<Found>, StoreError> {
        let later = |of: &dyn Fn(&&Candidate) -> bool| unstored.iter().rev().find(of).cloned();
        let newer =
            |stored: Option<Candidate>, unstored: Option<Candidate>| match (stored, unstored) {
                (Some(stored), Some(unstored)) if stored.created_at > unstored.created_at => {
                    Some(stored)
                }
                (stored, unstored) => unstored.or(stored),
            };
        match Reference::parse(reference) {
            None => Ok(None),
            Some(Reference::Number(seq)) => Ok(self.backend.with_number(seq)?),
            Some(Reference::Latest) => {
                let latest = newer(self.backend.latest(None)?, later(&|_| true));
                Ok(latest.map(|latest| latest.found))
            }
            Some(Reference::Name(name)) => {
                if let Some(found) = self.backend.with_id(name)? {
                    return Ok(Some(found));
                }
                let prefix = name.to_ascii_lowercase();
                let mut by_prefix = self.backend.with_prefix(&prefix, CANDIDATES_MAX)?;
                let fits = |one: &&Candidate| one.found.execution_id.starts_with(&prefix);
                by_prefix.extend(unstored.iter().filter(fits).cloned());
                let of_workflow =
                    newer(self.backend.latest(Some(name))?, later(&|one| one.workflow_id == name));
                reference::only_one(name, by_prefix, of_workflow)
            }
        }
    }

    /// An execution with its steps and handlers, and their last output.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn detail(&self, execution_id: &str) -> Result<Option<ExecutionDetail>, StoreError> {
        Ok(self.detail_within(execution_id, usize::MAX)?.map(|(detail, _)| detail))
    }

    /// The same, its steps ending with the one whose text makes them longer than so many `bytes`
    /// in all; whether there are further ones, which [`Self::steps`] reads.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn detail_within(
        &self,
        execution_id: &str,
        bytes: usize,
    ) -> Result<Option<(ExecutionDetail, bool)>, StoreError> {
        let Some((mut detail, is_cut)) = self.backend.detail(execution_id, bytes)? else {
            return Ok(None);
        };
        self.look_at_owners(std::slice::from_mut(&mut detail.execution))?;
        Ok(Some((detail, is_cut)))
    }

    /// An execution without its steps.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn execution(
        &self,
        execution_id: &str,
    ) -> Result<Option<ExecutionRecord>, StoreError> {
        let mut execution = self.backend.execution(execution_id)?;
        if let Some(execution) = &mut execution {
            self.look_at_owners(std::slice::from_mut(execution))?;
        }
        Ok(execution)
    }

    /// The steps of an execution from the one at `position` on, as [`Self::detail_within`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn steps(
        &self,
        execution_id: &str,
        position: u32,
        bytes: usize,
    ) -> Result<(Vec<StepRecord>, bool), StoreError> {
        self.backend.steps(execution_id, position, bytes)
    }

    /// All steps of an execution, without the text of their output.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn steps_without_text(
        &self,
        execution_id: &str,
    ) -> Result<Vec<StepRecord>, StoreError> {
        self.backend.steps_without_text(execution_id)
    }

    /// The kept attempts of an execution's steps, by position and number; those of a reused step
    /// are read where it really ran.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn attempts(&self, execution_id: &str) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.attempts_after(execution_id, (0, 0), usize::MAX)?.0)
    }

    /// The same after the one with this position and number, ending with the one whose text makes
    /// them longer than so many `bytes`; and whether there are further ones.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn attempts_after(
        &self,
        execution_id: &str,
        after: (u32, u32),
        bytes: usize,
    ) -> Result<(Vec<Attempt>, bool), StoreError> {
        self.backend.attempts(execution_id, after, bytes)
    }

    /// A part of what the steps of an execution print, in the order of arrival; of a reused step, what
    /// it printed where it really ran. `None` where there is no such execution.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn output(
        &self,
        execution_id: &str,
        request: &PageRequest,
    ) -> Result<Option<OutputPage>, StoreError> {
        self.backend.output(execution_id, request)
    }

    /// The position of a step or handler.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn position(
        &self,
        execution_id: &str,
        name: &str,
    ) -> Result<Option<u32>, StoreError> {
        self.backend.position(execution_id, name)
    }

    /// The names of the steps and handlers of an execution, by position.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn names(&self, execution_id: &str) -> Result<HashMap<u32, String>, StoreError> {
        self.backend.names(execution_id)
    }

    /// How much the stored output counts for in its budget, bytes.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn output_usage(&self) -> Result<u64, StoreError> {
        self.backend.output_usage()
    }

    /// What the execution replays, up to the first one, and what replays it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn lineage(&self, execution_id: &str) -> Result<Lineage, StoreError> {
        self.backend.lineage(execution_id)
    }

    /// A look at the database and its files as a whole; reads all of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn inspect(&self) -> Result<Inspection, StoreError> {
        self.backend.inspect()
    }

    /// How the server of the database is at the moment; `None` where there is none. Takes a moment,
    /// whatever is stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn server_status(&self) -> Result<Option<ServerStatus>, StoreError> {
        self.backend.server_status()
    }

    /// The processes that have unfinished executions, or had when they died.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn owners(&self) -> Result<Vec<OwnerCount>, StoreError> {
        self.backend.owners(&mut self.judge()?)
    }

    /// What dead processes list of the attempts that they ran, also of executions that were never
    /// stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn listed_by_dead(&self) -> Result<Vec<(String, Vec<ListedAttempt>)>, StoreError> {
        let judge = self.judge()?;
        let listed = judge.dead_owners().into_iter().map(|owner| {
            let listed = judge.listed(&owner);
            (owner, listed)
        });
        Ok(listed.filter(|(_, listed)| !listed.is_empty()).collect())
    }

    /// Removes the lock files of dead processes that nobody needs any more. The database stays as
    /// it is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn sweep_owners(&self) -> Result<(), StoreError> {
        let mut judge = self.judge()?;
        let owners = self.backend.owners(&mut judge)?;
        judge.sweep(&owners.into_iter().filter_map(|owner| owner.owner).collect());
        Ok(())
    }

    /// How many finished executions a daemon was set to keep, if one was; the inner `None`
    /// is all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn retention(&self) -> Result<Option<Option<u64>>, StoreError> {
        self.backend.retention()
    }

    /// How long each run of a step took that succeeded, milliseconds, by workflow and step; of
    /// executions created at `since` or later and before `until`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn step_durations(
        &self,
        workflow_id: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<StepDurations, StoreError> {
        self.backend.step_durations(workflow_id, since, until)
    }

    /// The ids of at most `limit` workflows that have executions, sorted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn workflow_ids(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.backend.workflow_ids(limit)
    }

    /// What is known of all executions of each workflow that has some, or of one workflow, in the
    /// order of their ids.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn summaries(
        &self,
        workflow_id: Option<&str>,
    ) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.backend.summaries(workflow_id)
    }

    /// Who holds the slots of concurrency groups, and who waits for them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn queue(&self) -> Result<Queue, StoreError> {
        let mut queue = self.backend.queue(GROUPS_SHOWN)?;
        if !queue.groups.is_empty() {
            let mut judge = self.judge()?;
            for one in queue.groups.iter_mut().flat_map(|group| &mut group.executions) {
                one.owner_state = one.owner.as_ref().map(|owner| judge.liveness(owner).into());
            }
        }
        Ok(queue)
    }

    /// How many wait for each concurrency group that somebody waits for: those with the most, at
    /// most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn groups_waiting(&self, limit: usize) -> Result<Vec<(String, u64)>, StoreError> {
        self.backend.groups_waiting(limit)
    }

    /// Notifications, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Vec<NotificationRecord>, StoreError> {
        self.backend.notifications(filter)
    }

    /// How many notifications wait, by channel.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn pending_notifications(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.backend.pending_notifications()
    }

    /// All executions, and the retention of workflows, for [`crate::workflow::retention::plan`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn history(&self) -> Result<History, StoreError> {
        self.backend.history()
    }
}
