//! The predecessor's two tables, rebuilt as those of wfx, in one transaction.
//!
//! The exact types of its columns are not known and any of the later ones may be
//! missing, so each value is read for what it is (see `convert`) and nothing that is
//! odd stops the rest.

mod convert;
mod snapshot;

use std::collections::HashMap;

use rusqlite::types::{ToSql, Value};
use rusqlite::{CachedStatement, Connection, Row, params_from_iter};

use self::convert::{Said, said};
use super::prune;
use crate::base::timestamp::Timestamp;
use crate::repository::sql::rows;
use crate::workflow::record::{ExecutionStatus, StepStatus};

const EXECUTIONS: &str = "workflow_executions";
const STEPS: &str = "workflow_execution_steps";
/// What the old tables are called until they are dropped.
const OLD_EXECUTIONS: &str = "predecessor_workflow_executions";
const OLD_STEPS: &str = "predecessor_workflow_execution_steps";

/// The predecessor's columns that have a place in wfx, each table's in the order that
/// they are read in below.
const EXECUTION_COLUMNS: [&str; 13] = [
    "execution_id",
    "workflow_id",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "updated_at",
    "steps_completed",
    "total_steps",
    "error",
    "step_order",
    "replay_of",
    "input_snapshot",
];
const STEP_COLUMNS: [&str; 8] = [
    "execution_id",
    "step_name",
    "agent_id",
    "depends_on",
    "status",
    "started_at",
    "completed_at",
    "error",
];

/// Whether both tables have the columns without which a row means nothing.
pub(crate) fn is_readable(connection: &Connection) -> rusqlite::Result<bool> {
    let has = |columns: &[String], name: &str| columns.iter().any(|c| c.eq_ignore_ascii_case(name));
    let executions = columns(connection, EXECUTIONS)?;
    let steps = columns(connection, STEPS)?;
    Ok(has(&executions, "execution_id") && has(&steps, "execution_id") && has(&steps, "step_name"))
}

/// Rebuilds both tables inside the caller's transaction; `apply_schema` makes the new
/// ones. Foreign keys must be off, so that those of other tables keep what they point to, and
/// `legacy_alter_table` on, so that views and triggers do too.
pub(crate) fn rebuild(
    connection: &Connection,
    apply_schema: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let executions = Columns::of(connection, EXECUTIONS, &EXECUTION_COLUMNS)?;
    let steps = Columns::of(connection, STEPS, &STEP_COLUMNS)?;
    set_aside(connection, EXECUTIONS, OLD_EXECUTIONS)?;
    set_aside(connection, STEPS, OLD_STEPS)?;
    connection.execute_batch(&format!(
        "CREATE INDEX predecessor_steps_of_execution ON {OLD_STEPS} (execution_id)"
    ))?;
    apply_schema()?;
    let kept =
        [executions.add_unknown(connection, EXECUTIONS)?, steps.add_unknown(connection, STEPS)?];
    copy(connection, &executions, &steps, &kept)?;
    prune::number_completions(connection)?;
    connection.execute_batch(COUNT_STEPS)?;
    connection.execute_batch(&format!("DROP TABLE {OLD_STEPS}; DROP TABLE {OLD_EXECUTIONS}"))
}

/// Renames a table, and drops its indices, whose names are wanted.
fn set_aside(connection: &Connection, table: &str, aside: &str) -> rusqlite::Result<()> {
    let names: Vec<String> = connection
        .prepare(
            "SELECT name FROM sqlite_schema
             WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL",
        )?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP INDEX {}", quoted(&name)))?;
    }
    let has_rowids: bool = connection.query_row(
        "SELECT NOT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
        [table],
        |row| row.get(0),
    )?;
    connection.execute_batch(&if has_rowids {
        format!("ALTER TABLE {table} RENAME TO {aside}")
    } else {
        format!("CREATE TABLE {aside} AS SELECT * FROM {table}; DROP TABLE {table}")
    })
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        // Hidden ones of virtual tables are 1; generated ones have values as well.
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The columns of an old table.
struct Columns {
    /// What selects the known ones, in their order; NULL for one that is missing.
    known: Vec<String>,
    /// Those that the predecessor is not known to have.
    unknown: Vec<String>,
}

impl Columns {
    fn of(connection: &Connection, table: &str, known: &[&str]) -> rusqlite::Result<Self> {
        let found = columns(connection, table)?;
        let (here, unknown): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|name| known.iter().any(|known| name.eq_ignore_ascii_case(known)));
        let known = known
            .iter()
            .map(|known| match here.iter().find(|name| name.eq_ignore_ascii_case(known)) {
                Some(name) => quoted(name),
                None => "NULL".to_owned(),
            })
            .collect();
        Ok(Self { known, unknown })
    }

    /// What to select: the known ones, then the others.
    fn selected(&self) -> String {
        let unknown = self.unknown.iter().map(|name| quoted(name));
        self.known.iter().cloned().chain(unknown).collect::<Vec<_>>().join(", ")
    }

    /// Adds the unknown ones to the new table and returns their names there. They take
    /// any value, so that each stays exactly what it was.
    fn add_unknown(&self, connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
        let mut taken = columns(connection, table)?;
        let mut added = Vec::with_capacity(self.unknown.len());
        for column in &self.unknown {
            let mut name = column.clone();
            while taken.iter().any(|taken| taken.eq_ignore_ascii_case(&name)) {
                name.insert_str(0, "predecessor_");
            }
            let column = quoted(&name);
            connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} ANY"))?;
            added.push(column);
            taken.push(name);
        }
        Ok(added)
    }
}

/// `INSERT` of `columns` and the `unknown` ones of an old table.
fn insert<'c>(
    connection: &'c Connection,
    table: &str,
    columns: &str,
    unknown: &[String],
) -> rusqlite::Result<CachedStatement<'c>> {
    let columns: Vec<&str> =
        columns.split(", ").chain(unknown.iter().map(String::as_str)).collect();
    connection.prepare_cached(&format!(
        "INSERT INTO {table} ({}) VALUES (?{})",
        columns.join(", "),
        ", ?".repeat(columns.len() - 1)
    ))
}

/// A row of the old executions, by which their order is found.
struct Place {
    rowid: i64,
    execution_id: String,
    created_at: Timestamp,
}

/// The old executions, oldest first. Of several with one id the last one counts.
fn places(connection: &Connection, columns: &Columns) -> rusqlite::Result<Vec<Place>> {
    let mut statement = connection.prepare(&format!(
        "SELECT _rowid_, {} FROM {OLD_EXECUTIONS} ORDER BY _rowid_",
        // The id and the times.
        [0, 3, 4, 6, 5].map(|index: usize| columns.known[index].as_str()).join(", ")
    ))?;
    let mut rows = statement.query([])?;
    let mut by_id: HashMap<String, Place> = HashMap::new();
    while let Some(row) = rows.next()? {
        let rowid: i64 = row.get(0)?;
        let execution_id =
            convert::word(row.get_ref(1)?).unwrap_or_else(|| format!("predecessor-{rowid}"));
        let mut created_at = None;
        for index in 2..6 {
            created_at = created_at.or(convert::time(row.get_ref(index)?));
        }
        let created_at = created_at.unwrap_or(Timestamp::from_micros(0));
        by_id.insert(execution_id.clone(), Place { rowid, execution_id, created_at });
    }
    let mut places: Vec<Place> = by_id.into_values().collect();
    places.sort_unstable_by_key(|place| (place.created_at, place.rowid));
    Ok(places)
}

/// Copies every execution with its steps. Steps without an execution stay behind.
fn copy(
    connection: &Connection,
    executions: &Columns,
    steps: &Columns,
    [unknown_of_executions, unknown_of_steps]: &[Vec<String>; 2],
) -> rusqlite::Result<()> {
    let mut read_execution = connection.prepare(&format!(
        "SELECT {} FROM {OLD_EXECUTIONS} WHERE _rowid_ = ?1",
        executions.selected()
    ))?;
    let mut read_steps = connection.prepare(&format!(
        "SELECT {} FROM {OLD_STEPS} WHERE execution_id = ?1 ORDER BY _rowid_",
        steps.selected()
    ))?;
    let mut insert_execution = insert(
        connection,
        EXECUTIONS,
        "execution_id, workflow_id, status, created_at, started_at, completed_at, updated_at, \
         steps_completed, total_steps, replay_of, error, step_order, input_snapshot",
        unknown_of_executions,
    )?;
    let mut insert_step = insert(
        connection,
        STEPS,
        "seq, position, step_name, status, started_at, completed_at, duration_ms, attempt, \
         depends_on, error",
        unknown_of_steps,
    )?;
    for place in places(connection, executions)? {
        let mut rows = read_execution.query([place.rowid])?;
        let Some(row) = rows.next()? else { continue };
        let step_order = convert::json(row.get_ref(10)?).as_ref().and_then(convert::names);
        let mut steps = Step::read_all(read_steps.query([convert::owned(row.get_ref(0)?)])?)?;
        put_in_order(&mut steps, &step_order.unwrap_or_default());
        let execution = Execution::read(row, &place, &steps)?;
        execution.insert(&mut insert_execution, &place, &steps, row)?;
        let seq = connection.last_insert_rowid();
        for (position, step) in (0_i64..).zip(&steps) {
            step.insert(&mut insert_step, seq, position, execution.completed_at)?;
        }
    }
    Ok(())
}

/// As version 9 of the schema counts the steps of what it finds.
const COUNT_STEPS: &str =
    "UPDATE workflow_executions SET steps_failed = counted.failed, steps_skipped = counted.skipped
     FROM (SELECT seq, sum(status IN ('failed', 'cancelled', 'interrupted')) AS failed,
             sum(status = 'skipped') AS skipped
           FROM workflow_execution_steps GROUP BY seq) AS counted
     WHERE counted.seq = workflow_executions.seq";

/// Sorts by the stored order; what it does not name comes after, as it was stored.
fn put_in_order(steps: &mut [Step], step_order: &[String]) {
    let index: HashMap<&str, usize> =
        step_order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    steps.sort_by_key(|step| index.get(step.name.as_str()).copied().unwrap_or(usize::MAX));
}

/// An old execution, as wfx stores one.
struct Execution {
    workflow_id: String,
    status: ExecutionStatus,
    started_at: Option<Timestamp>,
    completed_at: Timestamp,
    updated_at: Timestamp,
    steps_completed: u32,
    total_steps: u32,
    replay_of: Option<String>,
    error: Option<String>,
    input_snapshot: String,
}

impl Execution {
    /// Reads a row of [`EXECUTION_COLUMNS`].
    fn read(row: &Row<'_>, place: &Place, steps: &[Step]) -> rusqlite::Result<Self> {
        let workflow_id = convert::word(row.get_ref(1)?).unwrap_or_else(|| "unknown".to_owned());
        let word = convert::word(row.get_ref(2)?);
        let said = said(word.as_deref());
        let error = convert::text(row.get_ref(9)?).filter(|error| !error.is_empty());
        let status = convert::execution_status(said, error.is_some());
        let error = error.or_else(|| match said {
            Said::Ended(_) => None,
            Said::Waiting | Said::Running => {
                Some("the predecessor of wfx never finished it".to_owned())
            }
            Said::Unknown => Some(format!(
                "the predecessor of wfx left it in the state `{}`",
                word.unwrap_or_default()
            )),
        });
        let started_at = convert::time(row.get_ref(4)?);
        let completed_at = convert::time(row.get_ref(5)?);
        let updated_at = convert::time(row.get_ref(6)?);
        let of_steps = steps.iter().flat_map(|step| [step.started_at, step.completed_at]);
        let last_known = [started_at, updated_at].into_iter().chain(of_steps).flatten();
        let completed_at =
            completed_at.unwrap_or_else(|| last_known.fold(place.created_at, Timestamp::max));
        // Every step has ended now, one way or another.
        let ended = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let total_steps = convert::count(row.get_ref(8)?).unwrap_or(0).max(ended);
        let steps_completed =
            convert::count(row.get_ref(7)?).unwrap_or(0).max(ended).min(total_steps);
        let input_snapshot = snapshot::text(&workflow_id, steps, convert::json(row.get_ref(12)?));
        Ok(Self {
            workflow_id,
            status,
            started_at,
            completed_at,
            updated_at: updated_at.unwrap_or(completed_at),
            steps_completed,
            total_steps,
            replay_of: convert::word(row.get_ref(11)?),
            error,
            input_snapshot,
        })
    }

    fn insert(
        &self,
        statement: &mut CachedStatement<'_>,
        place: &Place,
        steps: &[Step],
        row: &Row<'_>,
    ) -> rusqlite::Result<()> {
        let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
        let created_at = place.created_at.to_string();
        let (started_at, step_order) = (rows::time(self.started_at), rows::names(&names));
        let (completed_at, updated_at) =
            (self.completed_at.to_string(), self.updated_at.to_string());
        let unknown = unknown(row, EXECUTION_COLUMNS.len())?;
        let known: [&dyn ToSql; 13] = [
            &place.execution_id,
            &self.workflow_id,
            &self.status.as_str(),
            &created_at,
            &started_at,
            &completed_at,
            &updated_at,
            &self.steps_completed,
            &self.total_steps,
            &self.replay_of,
            &self.error,
            &step_order,
            &self.input_snapshot,
        ];
        let unknown = unknown.iter().map(|value| value as &dyn ToSql);
        statement.execute(params_from_iter(known.into_iter().chain(unknown))).map(|_| ())
    }
}

/// An old step.
struct Step {
    name: String,
    agent_id: Option<String>,
    /// The column named some, or said that there are none.
    has_depends_on: bool,
    depends_on: Vec<String>,
    status: StepStatus,
    /// The predecessor did not see it end.
    was_left: bool,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    error: Option<String>,
    unknown: Vec<Value>,
}

impl Step {
    /// Reads rows of [`STEP_COLUMNS`] of one execution. Of several with one name the
    /// last one counts, in the place of the first.
    fn read_all(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<Vec<Self>> {
        let mut steps: Vec<Self> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        while let Some(row) = rows.next()? {
            let step = Self::read(row, steps.len())?;
            match index.get(&step.name) {
                Some(&at) => steps[at] = step,
                None => {
                    index.insert(step.name.clone(), steps.len());
                    steps.push(step);
                }
            }
        }
        Ok(steps)
    }

    fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        let depends_on = convert::json(row.get_ref(3)?).as_ref().and_then(convert::names);
        let said = said(convert::word(row.get_ref(4)?).as_deref());
        let started_at = convert::time(row.get_ref(5)?);
        let error = convert::text(row.get_ref(7)?).filter(|error| !error.is_empty());
        Ok(Self {
            name: convert::text(row.get_ref(1)?)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| format!("step-{}", at + 1)),
            agent_id: convert::text(row.get_ref(2)?),
            has_depends_on: depends_on.is_some(),
            depends_on: depends_on.unwrap_or_default(),
            status: convert::step_status(said, error.is_some(), started_at.is_some()),
            was_left: !matches!(said, Said::Ended(_)),
            started_at,
            completed_at: convert::time(row.get_ref(6)?),
            error,
            unknown: unknown(row, STEP_COLUMNS.len())?,
        })
    }

    fn insert(
        &self,
        statement: &mut CachedStatement<'_>,
        seq: i64,
        position: i64,
        execution_completed_at: Timestamp,
    ) -> rusqlite::Result<()> {
        let ended = self.completed_at.or(self.was_left.then_some(execution_completed_at));
        // Of a step that was left nobody knows how long it ran.
        let duration_ms = self
            .started_at
            .zip(self.completed_at)
            .map(|(start, end)| i64::try_from(end.since(start).as_millis()).unwrap_or(i64::MAX));
        let attempt = match self.status {
            StepStatus::Pending | StepStatus::Skipped => 0,
            StepStatus::Cancelled => i64::from(self.started_at.is_some()),
            _ => 1,
        };
        let (started_at, completed_at) = (rows::time(self.started_at), rows::time(ended));
        let depends_on = rows::names(&self.depends_on);
        let known: [&dyn ToSql; 10] = [
            &seq,
            &position,
            &self.name,
            &self.status.as_str(),
            &started_at,
            &completed_at,
            &duration_ms,
            &attempt,
            &depends_on,
            &self.error,
        ];
        let unknown = self.unknown.iter().map(|value| value as &dyn ToSql);
        statement.execute(params_from_iter(known.into_iter().chain(unknown))).map(|_| ())
    }
}

/// The values of a row after its `known` first ones.
fn unknown(row: &Row<'_>, known: usize) -> rusqlite::Result<Vec<Value>> {
    (known..row.as_ref().column_count()).map(|at| Ok(convert::owned(row.get_ref(at)?))).collect()
}
