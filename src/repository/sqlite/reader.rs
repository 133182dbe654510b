//! Read-only connections. No read transaction outlives its query.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::alerts;
use super::connection;
use super::durations::{self, StepDurations};
use super::file::{self, Identity};
use super::file_guard::{self, IndexWatch};
use super::identity;
use super::inspect::{self, Inspection};
use super::lineage::{self, Lineage};
use super::retention;
use super::rows::{self, ATTEMPT_COLUMNS, EXECUTION_COLUMNS, STEP_COLUMNS, Text};
use super::takeover::{self, OwnerCount};
use crate::base::timestamp::Timestamp;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::ownership::{Judge, ListedAttempt, Liveness, attempts, lock};
use crate::workflow::record::{
    Attempt, ExecutionDetail, ExecutionRecord, ExecutionStatus, OwnerState, StepRecord,
};
use crate::workflow::retention::Finished;

/// How many executions an ambiguous prefix names.
const CANDIDATES_SHOWN: usize = 5;

/// Which executions are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFilter {
    /// Only those of this workflow.
    pub workflow_id: Option<String>,
    /// Only those in this state.
    pub status: Option<ExecutionStatus>,
    /// Only those created at this time or later.
    pub since: Option<Timestamp>,
    /// Only those with a lower `seq`: the page after one that ended there. The total is
    /// not touched by it.
    pub before: Option<i64>,
}

/// A page of executions, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Those of the page.
    pub items: Vec<ExecutionRecord>,
    /// How many the filter fits in all.
    pub total: u64,
    /// The page ends before its limit, since it got too long.
    pub is_cut: bool,
}

/// The execution that a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number in this database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: String,
}

/// A read-only connection. Works while others write.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    /// Which file was opened.
    file: Option<Identity>,
    index: RefCell<IndexWatch>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the database at `path`. Changes nothing, so an older one is refused.
    ///
    /// # Errors
    /// Of any kind but `Refused`, `Full` and `Ambiguous`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = file::identity(path);
        let connection = connection::open_read_only(path)?;
        let index = RefCell::new(IndexWatch::new(path));
        Ok(Self { connection, path: path.to_owned(), file, index })
    }

    /// When the last alert of each type that was sent was decided.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sent_alerts(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        self.read(alerts::stored)
    }

    /// Whether the file that was opened still is the one at the path.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.file.is_some() && file::identity(&self.path) == self.file && self.has_index()
    }

    fn has_index(&self) -> bool {
        self.index.borrow_mut().is_whole()
    }

    /// A number that is another one once anybody has stored something. It says nothing to
    /// other connections.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn version(&self) -> Result<i64, StoreError> {
        let version = || {
            self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
        };
        version().map_err(|error| StoreError::sqlite("read", &self.path, &error))
    }

    /// At most `limit` executions that fit `filter`, newest first, after the first
    /// `offset` of them; and how many fit in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(
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
    pub fn list_within(
        &self,
        filter: &ListFilter,
        limit: u32,
        offset: u64,
        bytes: usize,
    ) -> Result<Listing, StoreError> {
        let mut listing = self.read(|connection| {
            let index = narrowest_index(connection, filter)?;
            let (condition, mut values) = condition(filter);
            let total = match filter.since {
                None => counted(connection, filter.workflow_id.as_deref(), filter.status)?,
                Some(_) => connection
                    .prepare_cached(&format!(
                        "SELECT count(*) FROM workflow_executions{index}{condition}"
                    ))?
                    .query_row(params_from_iter(&values), |row| row.get(0))
                    .map(rows::count)?,
            };
            let condition = match filter.before {
                None => condition,
                Some(before) => {
                    values.push(Value::from(before));
                    let joined = if condition.is_empty() { " WHERE" } else { " AND" };
                    format!("{condition}{joined} seq < ?")
                }
            };
            values.push(Value::from(limit));
            values.push(Value::from(rows::integer(offset)));
            // The inner query skips in an index where one fits, not over whole rows.
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {EXECUTION_COLUMNS} FROM workflow_executions WHERE seq IN
                       (SELECT seq FROM workflow_executions{index}{condition}
                        ORDER BY seq DESC LIMIT ? OFFSET ?)
                     ORDER BY seq DESC"
            ))?;
            let mut rows = statement.query_map(params_from_iter(&values), rows::execution)?;
            let (mut items, mut length, mut is_cut) = (Vec::new(), 0, false);
            while let Some(row) = rows.next() {
                let execution = row?;
                length += execution.input_snapshot.as_str().len();
                items.push(execution);
                if length > bytes {
                    is_cut = rows.next().is_some();
                    break;
                }
            }
            Ok(Listing { items, total, is_cut })
        })?;
        self.look_at_owners(&mut listing.items)?;
        Ok(listing)
    }

    /// What judges whether owners of these executions are alive.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn judge(&self) -> Result<Judge, StoreError> {
        let identity = self.read(|connection| identity::read(connection, &self.path))?;
        Ok(Judge::new(&self.path, identity))
    }

    fn look_at_owners(&self, executions: &mut [ExecutionRecord]) -> Result<(), StoreError> {
        if executions.iter().all(|execution| execution.owner.is_none()) {
            return Ok(());
        }
        let mut judge = self.judge()?;
        for execution in executions {
            execution.owner_state =
                execution.owner.as_ref().map(|owner| match judge.liveness(owner) {
                    Liveness::Alive => OwnerState::Alive,
                    Liveness::Dead => OwnerState::Dead,
                    Liveness::Unknown(_) => OwnerState::Unknown,
                });
        }
        Ok(())
    }

    /// The execution that `reference` means: `@latest`, `@N` with its `seq`, its whole
    /// id or a prefix that no other has. `None` when there is none.
    ///
    /// # Errors
    /// `Ambiguous` when several executions begin so, naming some; others when the
    /// database cannot be read.
    pub fn resolve(&self, reference: &str) -> Result<Option<Found>, StoreError> {
        if let Some(number) = reference.strip_prefix('@') {
            if number == "latest" {
                return self.find("ORDER BY seq DESC LIMIT 1", []);
            }
            let Ok(seq) = number.parse::<i64>() else { return Ok(None) };
            return self.find("WHERE seq = ?1", [seq]);
        }
        if reference.is_empty() {
            return Ok(None);
        }
        if let Some(found) = self.find("WHERE execution_id = ?1", [reference])? {
            return Ok(Some(found));
        }
        self.by_prefix(&reference.to_ascii_lowercase())
    }

    fn find<P: rusqlite::Params>(
        &self,
        condition: &str,
        parameters: P,
    ) -> Result<Option<Found>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT seq, execution_id FROM workflow_executions {condition}"
                ))?
                .query_row(parameters, |row| {
                    Ok(Found { seq: row.get(0)?, execution_id: row.get(1)? })
                })
                .optional()
        })
    }

    fn by_prefix(&self, prefix: &str) -> Result<Option<Found>, StoreError> {
        // Every text that begins with the prefix lies before the prefix with the last
        // character there is.
        let end = format!("{prefix}{}", char::MAX);
        let limit = rows::integer(CANDIDATES_SHOWN as u64 + 1);
        let candidates: Vec<(Found, String, String)> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, execution_id, workflow_id, created_at FROM workflow_executions
                     WHERE execution_id >= ?1 AND execution_id < ?2
                     ORDER BY execution_id LIMIT ?3",
                )?
                .query_map((prefix, &end, limit), |row| {
                    let found = Found { seq: row.get(0)?, execution_id: row.get(1)? };
                    Ok((found, row.get(2)?, row.get(3)?))
                })?
                .collect()
        })?;
        if candidates.len() > 1 {
            let mut message = format!("`{prefix}` begins the ids of several executions:");
            for (found, workflow_id, created_at) in candidates.iter().take(CANDIDATES_SHOWN) {
                message.push_str(&format!(
                    "\n  {} (@{}, {workflow_id}, {created_at})",
                    found.execution_id, found.seq
                ));
            }
            if candidates.len() > CANDIDATES_SHOWN {
                message.push_str("\n  …");
            }
            return Err(StoreError::new(StoreErrorKind::Ambiguous, message)
                .with_hint("give more of the id, or @N with the seq"));
        }
        Ok(candidates.into_iter().next().map(|(found, _, _)| found))
    }

    /// An execution with its steps and their last output.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn detail(&self, execution_id: &str) -> Result<Option<ExecutionDetail>, StoreError> {
        let mut detail = self.read(|connection| detail(connection, execution_id))?;
        if let Some(detail) = &mut detail {
            self.look_at_owners(std::slice::from_mut(&mut detail.execution))?;
        }
        Ok(detail)
    }

    /// The same, its steps ending with the one whose text makes them longer than so many `bytes`
    /// in all; whether there are further ones, which [`Self::steps`] reads.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn detail_within(
        &self,
        execution_id: &str,
        bytes: usize,
    ) -> Result<Option<(ExecutionDetail, bool)>, StoreError> {
        let mut detail = self.read(|connection| {
            let Some(execution) = execution(connection, execution_id)? else { return Ok(None) };
            let (steps, is_cut) = steps(connection, execution_id, 0, bytes)?;
            Ok(Some((ExecutionDetail { execution, steps }, is_cut)))
        })?;
        if let Some((detail, _)) = &mut detail {
            self.look_at_owners(std::slice::from_mut(&mut detail.execution))?;
        }
        Ok(detail)
    }

    /// An execution without its steps.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn execution(&self, execution_id: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        let mut execution = self.read(|connection| execution(connection, execution_id))?;
        if let Some(execution) = &mut execution {
            self.look_at_owners(std::slice::from_mut(execution))?;
        }
        Ok(execution)
    }

    /// The steps of an execution from the one at `position` on, as [`Self::detail_within`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn steps(
        &self,
        execution_id: &str,
        position: u32,
        bytes: usize,
    ) -> Result<(Vec<StepRecord>, bool), StoreError> {
        self.read(|connection| steps(connection, execution_id, position, bytes))
    }

    /// The kept attempts of an execution's steps, by position and number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn attempts(&self, execution_id: &str) -> Result<Vec<Attempt>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {ATTEMPT_COLUMNS} FROM workflow_execution_attempts
                     WHERE seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
                     ORDER BY position, attempt"
                ))?
                .query_map([execution_id], rows::attempt)?
                .collect()
        })
    }

    /// What the execution replays, up to the first one, and what replays it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn lineage(&self, execution_id: &str) -> Result<Lineage, StoreError> {
        self.read(|connection| lineage::read(connection, execution_id))
    }

    /// A look at the database and its files as a whole; reads all of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inspect(&self) -> Result<Inspection, StoreError> {
        self.read(|connection| inspect::inspect(connection, &self.path))
    }

    /// The processes that have unfinished executions, or had when they died.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn owners(&self) -> Result<Vec<OwnerCount>, StoreError> {
        let mut judge = self.judge()?;
        self.read(|connection| takeover::owners(connection, &mut judge))
    }

    /// What dead processes list of the attempts that they ran, also of executions that were never
    /// stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn listed_by_dead(&self) -> Result<Vec<(String, Vec<ListedAttempt>)>, StoreError> {
        let judge = self.judge()?;
        let dead = lock::dead_owners(&self.path, &judge).into_iter();
        let listed = dead.map(|owner| {
            let listed = attempts::listed(&self.path, &owner).unwrap_or_default();
            (owner, listed)
        });
        Ok(listed.filter(|(_, listed)| !listed.is_empty()).collect())
    }

    /// Removes the lock files of dead processes that nobody needs any more. The database stays as
    /// it is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sweep_owners(&self) -> Result<(), StoreError> {
        self.read(|connection| takeover::sweep(connection, &self.path))
    }

    /// How many finished executions a daemon was told to keep, if one was; the inner `None`
    /// is all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn retention(&self) -> Result<Option<Option<u64>>, StoreError> {
        self.read(retention::stored)
    }

    /// How long each run of a step took that succeeded, milliseconds, by workflow and step; of
    /// executions created at `since` or later and before `until`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn step_durations(
        &self,
        workflow_id: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<StepDurations, StoreError> {
        self.read(|connection| durations::of_steps(connection, workflow_id, since, until))
    }

    /// All finished executions, for [`crate::workflow::retention::spec`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn finished(&self) -> Result<Vec<Finished>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, execution_id, completion_number, status, completed_at
                     FROM workflow_executions INDEXED BY workflow_executions_finished
                     WHERE completion_number IS NOT NULL AND completed_at IS NOT NULL",
                )?
                .query_map([], |row| {
                    Ok(Finished {
                        seq: row.get(0)?,
                        execution_id: row.get(1)?,
                        completion: row.get(2)?,
                        status: row.get::<_, Text<_>>(3)?.0,
                        completed_at: row.get::<_, Text<_>>(4)?.0,
                    })
                })?
                .collect()
        })
    }

    /// Runs queries on one state of the database, and lets it go.
    fn read<T>(
        &self,
        queries: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if !self.has_index() {
            return Err(file_guard::index_cut(&self.path));
        }
        let run = || {
            let transaction = self.connection.unchecked_transaction()?;
            let answer = queries(&transaction)?;
            transaction.finish()?;
            Ok(answer)
        };
        run().map_err(|error| StoreError::sqlite("read", &self.path, &error))
    }
}

/// An execution with its steps and their last output, by queries on one connection.
pub(crate) fn detail(
    connection: &Connection,
    execution_id: &str,
) -> rusqlite::Result<Option<ExecutionDetail>> {
    let Some(execution) = execution(connection, execution_id)? else { return Ok(None) };
    let (steps, _) = steps(connection, execution_id, 0, usize::MAX)?;
    Ok(Some(ExecutionDetail { execution, steps }))
}

fn execution(
    connection: &Connection,
    execution_id: &str,
) -> rusqlite::Result<Option<ExecutionRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {EXECUTION_COLUMNS} FROM workflow_executions WHERE execution_id = ?1"
        ))?
        .query_row([execution_id], rows::execution)
        .optional()
}

/// The steps from `position` on, up to the one that makes their text longer than `bytes`; and
/// whether there are further ones.
fn steps(
    connection: &Connection,
    execution_id: &str,
    position: u32,
    bytes: usize,
) -> rusqlite::Result<(Vec<StepRecord>, bool)> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {STEP_COLUMNS} FROM workflow_execution_steps AS steps
         LEFT JOIN workflow_execution_attempts AS last
           ON last.seq = steps.seq AND last.position = steps.position
           AND last.attempt = steps.attempt
         WHERE steps.seq = (SELECT seq FROM workflow_executions WHERE execution_id = ?1)
           AND steps.position >= ?2 ORDER BY steps.position"
    ))?;
    let mut rows = statement.query((execution_id, position))?;
    let (mut steps, mut length) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let step = rows::step(row)?;
        length += step.text_bytes();
        steps.push(step);
        if length > bytes {
            return Ok((steps, rows.next()?.is_some()));
        }
    }
    Ok((steps, false))
}

/// The WHERE clause of a filter and its values.
fn condition(filter: &ListFilter) -> (String, Vec<Value>) {
    let mut terms = Vec::new();
    let mut values = Vec::new();
    if let Some(workflow_id) = &filter.workflow_id {
        terms.push("workflow_id = ?");
        values.push(Value::from(workflow_id.clone()));
    }
    if let Some(status) = filter.status {
        terms.push("status = ?");
        if status != ExecutionStatus::Success {
            // What lets SQLite use the index, which has no successes.
            terms.push("status <> 'success'");
        }
        values.push(Value::from(status.as_str().to_owned()));
    }
    if let Some(since) = filter.since {
        terms.push("created_at >= ?");
        values.push(Value::from(since.to_string()));
    }
    if terms.is_empty() {
        return (String::new(), values);
    }
    (format!(" WHERE {}", terms.join(" AND ")), values)
}

/// The index that leads to the fewest rows, by the counts.
fn narrowest_index(connection: &Connection, filter: &ListFilter) -> rusqlite::Result<&'static str> {
    const BY_WORKFLOW: &str = " INDEXED BY workflow_executions_by_workflow";
    const BY_STATUS: &str = " INDEXED BY workflow_executions_by_status";
    Ok(match (filter.workflow_id.as_deref(), filter.status) {
        (None, None) => "",
        (Some(_), None) => BY_WORKFLOW,
        (None, Some(ExecutionStatus::Success)) => "",
        (None, Some(_)) => BY_STATUS,
        (Some(_), Some(ExecutionStatus::Success)) => BY_WORKFLOW,
        (Some(workflow_id), Some(status)) => {
            let of_workflow = counted(connection, Some(workflow_id), None)?;
            if of_workflow <= counted(connection, None, Some(status))? {
                BY_WORKFLOW
            } else {
                BY_STATUS
            }
        }
    })
}

/// How many executions there are of a workflow and in a state, without counting them.
fn counted(
    connection: &Connection,
    workflow_id: Option<&str>,
    status: Option<ExecutionStatus>,
) -> rusqlite::Result<u64> {
    let filter =
        ListFilter { workflow_id: workflow_id.map(str::to_owned), status, ..Default::default() };
    let (condition, values) = condition(&filter);
    connection
        .prepare_cached(&format!(
            "SELECT coalesce(sum(executions), 0) FROM workflow_execution_counts{condition}"
        ))?
        .query_row(params_from_iter(&values), |row| row.get(0))
        .map(rows::count)
}
