//! Limits measured in this process: the same rows by rusqlite alone, the same
//! programs by the standard library alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rusqlite::{Connection, Statement, params};

use crate::measure::Failure;

const EXECUTION: &str =
    "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at, started_at,
       completed_at, updated_at, steps_completed, total_steps, replay_of, owner, error, step_order,
       input_snapshot)
     VALUES (?1, 'bench', 'success', ?2, ?2, ?2, ?2, 3, 3, NULL, NULL, NULL, ?3, ?4)";
const STEP: &str =
    "INSERT INTO workflow_execution_steps (seq, position, step_name, status, started_at,
       completed_at, duration_ms, attempt, exit_code, depends_on, error, outputs)
     VALUES (?1, ?2, ?3, 'success', ?4, ?4, 0, 1, NULL, ?5, NULL, NULL)";

/// Inserts `count` finished executions of three steps, `group` of them in each
/// transaction, the rows as wfx would store them.
pub(crate) fn insert(
    path: &Path,
    synchronous: &str,
    count: usize,
    group: usize,
    snapshot: &str,
) -> Result<(), Failure> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
         PRAGMA wal_autocheckpoint = 4000;"
    ))?;
    let mut statements = (connection.prepare(EXECUTION)?, connection.prepare(STEP)?);
    let mut done = 0;
    while done < count {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..group.min(count - done) {
            insert_one(&connection, &mut statements, snapshot)?;
            done += 1;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// How long each of `count` synced transactions with one finished execution takes, seconds;
/// `between` is done before each of them.
pub(crate) fn commits(
    path: &Path,
    count: usize,
    snapshot: &str,
    mut between: impl FnMut() -> Result<(), Failure>,
) -> Result<Vec<f64>, Failure> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    let mut statements = (connection.prepare(EXECUTION)?, connection.prepare(STEP)?);
    (0..count)
        .map(|_| {
            between()?;
            let begin = Instant::now();
            connection.execute_batch("BEGIN IMMEDIATE")?;
            insert_one(&connection, &mut statements, snapshot)?;
            connection.execute_batch("COMMIT")?;
            Ok(begin.elapsed().as_secs_f64())
        })
        .collect()
}

fn insert_one(
    connection: &Connection,
    (execution, step): &mut (Statement<'_>, Statement<'_>),
    snapshot: &str,
) -> Result<(), Failure> {
    let time = "2026-01-01T00:00:00.000000Z";
    let id = uuid::Uuid::now_v7().to_string();
    execution.execute(params![id, time, r#"["first","second","third"]"#, snapshot])?;
    let seq = connection.last_insert_rowid();
    for (position, name, depends_on) in
        [(0, "first", "[]"), (1, "second", r#"["first"]"#), (2, "third", r#"["second"]"#)]
    {
        step.execute(params![seq, position, name, time, depends_on])?;
    }
    Ok(())
}

/// How long each of `count` spawns of `sh -c true` with piped output takes, seconds.
pub(crate) fn spawn_shells(count: usize) -> Result<Vec<f64>, Failure> {
    (0..count)
        .map(|_| {
            let begin = Instant::now();
            let output = Command::new("/bin/sh")
                .args(["-c", "true"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?
                .wait_with_output()?;
            if !output.status.success() {
                return Err("sh failed".into());
            }
            Ok(begin.elapsed().as_secs_f64())
        })
        .collect()
}
