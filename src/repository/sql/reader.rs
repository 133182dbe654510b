//! What is read of a store, by the queries that all databases share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::num::NonZeroU32;

use super::rows::{self, Text};
use super::{
    alerts, detail, durations, glance, groups, lineage, list, notification_history, output,
    overdue, policies, retention, schedule_queries, sessions, summary, takeover,
};
use crate::base::timestamp::Timestamp;
use crate::repository::address::{PostgresAddress, StoreAddress};
use crate::repository::alerts::SentAlerts;
use crate::repository::error::StoreError;
use crate::repository::notifications::{NotificationFilter, NotificationRecord};
use crate::repository::ownership::Judge;
use crate::repository::ownership::takeover::OwnerCount;
use crate::repository::postgres::source::PostgresSource;
use crate::repository::read::durations::StepDurations;
use crate::repository::read::glance::{FailingWorkflow, NotableStep, StatusCounts};
use crate::repository::read::inspection::{Inspection, ServerStatus};
use crate::repository::read::lineage::Lineage;
use crate::repository::read::listing::{ListFilter, Listing};
use crate::repository::read::queue::Queue;
use crate::repository::read::reference::{Candidate, Found};
use crate::repository::read::schedules::{DecisionPosition, StoredSchedule, UnfinishedExecution};
use crate::repository::read::summary::WorkflowSummary;
use crate::repository::sessions::StoredSession;
use crate::repository::sql::{self, Connection, OptionalExtension, Params, Row};
use crate::repository::sqlite::source::SqliteSource;
use crate::workflow::output::page::{OutputPage, PageRequest};
use crate::workflow::record::{Attempt, ExecutionDetail, ExecutionRecord, StepRecord};
use crate::workflow::retention::{History, Stored};
use crate::workflow::schedule_record::{DecisionRecord, OverdueRecord, PauseRecord};

const CANDIDATES: &str =
    "SELECT seq, execution_id, workflow_id, created_at FROM workflow_executions";

fn candidate(row: &Row<'_>) -> sql::Result<Candidate> {
    let found = Found { seq: row.get(0)?, execution_id: row.get(1)? };
    Ok(Candidate { found, workflow_id: row.get(2)?, created_at: row.get(3)? })
}

/// A store that is read.
pub(crate) struct SqlReader {
    source: Source,
}

/// Where it lies.
enum Source {
    Sqlite(Box<SqliteSource>),
    Postgres(Box<PostgresSource>),
}

impl fmt::Debug for SqlReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlReader").finish_non_exhaustive()
    }
}

impl SqlReader {
    /// Opens a store. Changes nothing, so an older one is refused.
    pub(crate) fn open(address: &StoreAddress) -> Result<Self, StoreError> {
        let source = match address {
            StoreAddress::File(path) => Source::Sqlite(Box::new(SqliteSource::open(path)?)),
            StoreAddress::Postgres(PostgresAddress(address)) => {
                Source::Postgres(Box::new(PostgresSource::open(address)?))
            }
        };
        Ok(Self { source })
    }

    /// Whether what was opened still is what others find there.
    pub(crate) fn is_in_place(&self) -> bool {
        match &self.source {
            Source::Sqlite(source) => source.is_in_place(),
            Source::Postgres(_) => true,
        }
    }

    /// A number that is another one once anybody has stored something; `None` where the database
    /// counts no changes.
    pub(crate) fn data_version(&self) -> Result<Option<i64>, StoreError> {
        match &self.source {
            Source::Sqlite(source) => source.data_version().map(Some),
            Source::Postgres(source) => source.data_version().map(Some),
        }
    }

    pub(crate) fn judge(&self) -> Result<Judge, StoreError> {
        match &self.source {
            Source::Sqlite(source) => source.judge(),
            Source::Postgres(source) => Ok(source.judge()),
        }
    }

    pub(crate) fn database_number(&self) -> Result<Option<NonZeroU32>, StoreError> {
        match &self.source {
            Source::Sqlite(source) => source.database_number(),
            Source::Postgres(source) => Ok(Some(source.database_number())),
        }
    }

    pub(crate) fn inspect(&self) -> Result<Inspection, StoreError> {
        match &self.source {
            Source::Sqlite(source) => source.inspect(),
            Source::Postgres(source) => source.inspect(),
        }
    }

    /// How the server is at the moment; `None` where there is none.
    pub(crate) fn server_status(&self) -> Result<Option<ServerStatus>, StoreError> {
        match &self.source {
            Source::Sqlite(_) => Ok(None),
            Source::Postgres(source) => source.status().map(Some),
        }
    }

    /// Runs queries on one state of the database, and lets it go; perhaps more than once.
    fn read<T>(
        &self,
        queries: impl FnMut(Connection<'_>) -> sql::Result<T>,
    ) -> Result<T, StoreError> {
        match &self.source {
            Source::Sqlite(source) => source.read(queries),
            Source::Postgres(source) => source.read(queries),
        }
    }

    pub(crate) fn list(
        &self,
        filter: &ListFilter,
        limit: u32,
        offset: u64,
        bytes: usize,
    ) -> Result<Listing, StoreError> {
        self.read(|connection| list::list(connection, filter, limit, offset, bytes))
    }

    pub(crate) fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Vec<NotificationRecord>, StoreError> {
        self.read(|connection| notification_history::history(connection, filter))
    }

    pub(crate) fn pending_notifications(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(notification_history::pending)
    }

    pub(crate) fn brief(
        &self,
        filter: &ListFilter,
        limit: u32,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.read(|connection| list::brief(connection, filter, limit))
    }

    pub(crate) fn status_counts(
        &self,
        workflow_id: Option<&str>,
    ) -> Result<StatusCounts, StoreError> {
        self.read(|connection| glance::status_counts(connection, workflow_id))
    }

    pub(crate) fn notable_steps(
        &self,
        seq: i64,
        has_ended: bool,
        limit: u32,
    ) -> Result<Vec<NotableStep>, StoreError> {
        self.read(|connection| glance::notable_steps(connection, seq, has_ended, limit))
    }

    pub(crate) fn success_before(
        &self,
        workflow_id: &str,
        seq: i64,
    ) -> Result<Option<String>, StoreError> {
        self.read(|connection| glance::success_before(connection, workflow_id, seq))
    }

    pub(crate) fn successes_after(&self, workflow_id: &str, seq: i64) -> Result<u64, StoreError> {
        self.read(|connection| glance::successes_after(connection, workflow_id, seq))
    }

    pub(crate) fn durations(&self, workflow_id: &str, limit: u32) -> Result<Vec<u64>, StoreError> {
        self.read(|connection| glance::durations(connection, workflow_id, limit))
    }

    pub(crate) fn failing_workflows(&self, limit: u32) -> Result<Vec<FailingWorkflow>, StoreError> {
        self.read(|connection| glance::failing_workflows(connection, limit))
    }

    pub(crate) fn attempts_without_text(
        &self,
        execution_id: &str,
    ) -> Result<Vec<Attempt>, StoreError> {
        self.read(|connection| glance::attempts(connection, execution_id))
    }

    pub(crate) fn session(&self, hash: &[u8]) -> Result<Option<StoredSession>, StoreError> {
        self.read(|connection| sessions::find(connection, hash))
    }

    pub(crate) fn with_number(&self, seq: i64) -> Result<Option<Found>, StoreError> {
        self.candidate("WHERE seq = ?1", [seq]).map(|one| one.map(|one| one.found))
    }

    pub(crate) fn with_id(&self, id: &str) -> Result<Option<Found>, StoreError> {
        self.candidate("WHERE execution_id = ?1", [id]).map(|one| one.map(|one| one.found))
    }

    /// The latest execution, of one workflow or of all.
    pub(crate) fn latest(&self, workflow: Option<&str>) -> Result<Option<Candidate>, StoreError> {
        match workflow {
            None => self.candidate("ORDER BY seq DESC LIMIT 1", []),
            Some(id) => self.candidate("WHERE workflow_id = ?1 ORDER BY seq DESC LIMIT 1", [id]),
        }
    }

    fn candidate<P: Params>(
        &self,
        condition: &str,
        parameters: P,
    ) -> Result<Option<Candidate>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{CANDIDATES} {condition}"))?
                .query_row(&parameters, candidate)
                .optional()
        })
    }

    /// At most `limit` executions whose ids begin so.
    pub(crate) fn with_prefix(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<Candidate>, StoreError> {
        // Every text that begins with the prefix lies before the prefix with the last
        // character there is.
        let end = format!("{prefix}{}", char::MAX);
        let limit = rows::integer(limit as u64);
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "{CANDIDATES} WHERE execution_id >= ?1 AND execution_id < ?2
                     ORDER BY execution_id LIMIT ?3"
                ))?
                .query_map((prefix, &end, limit), candidate)?
                .collect()
        })
    }

    pub(crate) fn execution(
        &self,
        execution_id: &str,
    ) -> Result<Option<ExecutionRecord>, StoreError> {
        self.read(|connection| detail::execution(connection, execution_id))
    }

    /// An execution and its first steps, of one state of the database.
    pub(crate) fn detail(
        &self,
        execution_id: &str,
        bytes: usize,
    ) -> Result<Option<(ExecutionDetail, bool)>, StoreError> {
        self.read(|connection| {
            let Some(execution) = detail::execution(connection, execution_id)? else {
                return Ok(None);
            };
            let (steps, is_cut) = detail::steps(connection, execution_id, 0, bytes)?;
            let handlers = detail::handlers(connection, &execution)?;
            Ok(Some((ExecutionDetail { execution, handlers, steps }, is_cut)))
        })
    }

    pub(crate) fn steps(
        &self,
        execution_id: &str,
        position: u32,
        bytes: usize,
    ) -> Result<(Vec<StepRecord>, bool), StoreError> {
        self.read(|connection| detail::steps(connection, execution_id, position, bytes))
    }

    pub(crate) fn steps_without_text(
        &self,
        execution_id: &str,
    ) -> Result<Vec<StepRecord>, StoreError> {
        self.read(|connection| detail::steps_without_text(connection, execution_id))
    }

    pub(crate) fn attempts(
        &self,
        execution_id: &str,
        after: (u32, u32),
        bytes: usize,
    ) -> Result<(Vec<Attempt>, bool), StoreError> {
        self.read(|connection| detail::attempts(connection, execution_id, after, bytes))
    }

    pub(crate) fn output(
        &self,
        execution_id: &str,
        request: &PageRequest,
    ) -> Result<Option<OutputPage>, StoreError> {
        self.read(|connection| output::pages::page(connection, execution_id, request))
    }

    pub(crate) fn position(
        &self,
        execution_id: &str,
        name: &str,
    ) -> Result<Option<u32>, StoreError> {
        self.read(|connection| output::pages::position(connection, execution_id, name))
    }

    pub(crate) fn names(&self, execution_id: &str) -> Result<HashMap<u32, String>, StoreError> {
        self.read(|connection| output::pages::names(connection, execution_id))
    }

    pub(crate) fn output_usage(&self) -> Result<u64, StoreError> {
        self.read(output::usage)
    }

    pub(crate) fn queue(&self, limit: usize) -> Result<Queue, StoreError> {
        self.read(|connection| groups::queue(connection, limit))
    }

    pub(crate) fn groups_waiting(&self, limit: usize) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|connection| groups::waiting(connection, limit))
    }

    pub(crate) fn workflow_ids(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read(|connection| list::workflow_ids(connection, limit))
    }

    pub(crate) fn lineage(&self, execution_id: &str) -> Result<Lineage, StoreError> {
        self.read(|connection| lineage::read(connection, execution_id))
    }

    pub(crate) fn owners(&self, judge: &mut Judge) -> Result<Vec<OwnerCount>, StoreError> {
        self.read(|connection| takeover::owners(connection, judge))
    }

    pub(crate) fn retention(&self) -> Result<Option<Option<u64>>, StoreError> {
        self.read(retention::stored)
    }

    pub(crate) fn sent_alerts(&self) -> Result<SentAlerts, StoreError> {
        self.read(alerts::stored)
    }

    pub(crate) fn step_durations(
        &self,
        workflow_id: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<StepDurations, StoreError> {
        self.read(|connection| durations::of_steps(connection, workflow_id, since, until))
    }

    pub(crate) fn summaries(
        &self,
        workflow_id: Option<&str>,
    ) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.read(|connection| summary::of_workflows(connection, workflow_id))
    }

    pub(crate) fn schedules(
        &self,
        workflows: Option<&BTreeSet<String>>,
    ) -> Result<Vec<StoredSchedule>, StoreError> {
        self.read(|connection| schedule_queries::stored(connection, workflows))
    }

    pub(crate) fn decided_across(
        &self,
        now: Timestamp,
    ) -> Result<Option<Vec<DecisionRecord>>, StoreError> {
        self.read(|connection| {
            let is_ahead = schedule_queries::is_ahead(connection, now)?;
            is_ahead.then(|| schedule_queries::rows_across(connection, now)).transpose()
        })
    }

    pub(crate) fn decisions(
        &self,
        workflow_id: Option<&str>,
        before: Option<&DecisionPosition>,
        limit: u32,
    ) -> Result<Vec<DecisionRecord>, StoreError> {
        self.read(|connection| schedule_queries::decisions(connection, workflow_id, before, limit))
    }

    pub(crate) fn decision(
        &self,
        workflow_id: &str,
        schedule: &str,
        at: Timestamp,
    ) -> Result<Option<DecisionRecord>, StoreError> {
        self.read(|connection| {
            schedule_queries::stored_decision(connection, workflow_id, schedule, at)
        })
    }

    pub(crate) fn last_decisions(&self) -> Result<Vec<DecisionRecord>, StoreError> {
        self.read(schedule_queries::last_decisions)
    }

    pub(crate) fn pauses(&self, since: Timestamp) -> Result<Vec<PauseRecord>, StoreError> {
        self.read(|connection| schedule_queries::pauses(connection, since))
    }

    pub(crate) fn unfinished(&self) -> Result<Vec<UnfinishedExecution>, StoreError> {
        self.read(overdue::unfinished)
    }

    pub(crate) fn overdue(&self) -> Result<Vec<OverdueRecord>, StoreError> {
        self.read(overdue::open)
    }

    pub(crate) fn last_success(&self, workflow_id: &str) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| overdue::last_success(connection, workflow_id))
    }

    pub(crate) fn history(&self) -> Result<History, StoreError> {
        self.read(|connection| {
            // The indexes have the numbers of completions: long snapshots need not be read.
            let mut executions = connection
                .prepare_long(
                    "SELECT seq, execution_id, workflow_id, status, completion_number,
                       completed_at, ad_hoc, pinned_at, pinned_by, pin_reason
                     FROM workflow_executions INDEXED BY workflow_executions_finished
                     WHERE completion_number IS NOT NULL AND own_retention IS NULL
                       AND pinned_at IS NULL AND completed_at IS NOT NULL
                     UNION ALL
                     SELECT seq, execution_id, workflow_id, status, completion_number,
                       completed_at, ad_hoc, pinned_at, pinned_by, pin_reason
                     FROM workflow_executions INDEXED BY workflow_executions_finished_apart
                     WHERE completion_number IS NOT NULL
                       AND (own_retention IS NOT NULL OR pinned_at IS NOT NULL)
                       AND completed_at IS NOT NULL
                     UNION ALL
                     SELECT seq, execution_id, workflow_id, status, NULL, NULL, ad_hoc,
                       pinned_at, pinned_by, pin_reason
                     FROM workflow_executions
                     WHERE status IN ('pending', 'running') AND status <> 'success'",
                )?
                .query_map([], |row| {
                    let number: Option<i64> = row.get(4)?;
                    Ok(Stored {
                        seq: row.get(0)?,
                        execution_id: row.get(1)?,
                        workflow_id: row.get(2)?,
                        status: row.get::<_, Text<_>>(3)?.0,
                        completed: number.zip(rows::optional(row, 5)?),
                        is_ad_hoc: row.get::<_, Option<i64>>(6)?.is_some(),
                        pin: rows::pin(row, 7)?.map(Box::new),
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            executions.sort_unstable_by_key(|execution| execution.seq);
            Ok(History { executions, policies: policies::all(connection)? })
        })
    }
}
