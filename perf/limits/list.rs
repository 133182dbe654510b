//! The least that lists executions: open, select 20, print. What `wfx list` is
//! measured against.

use std::io::Write;

use rusqlite::{Connection, OpenFlags};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: limit-list DATABASE")?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(
        "SELECT seq, execution_id, workflow_id, status, created_at, started_at, completed_at,
           steps_completed, total_steps
         FROM workflow_executions ORDER BY seq DESC LIMIT 20",
    )?;
    let mut rows = statement.query([])?;
    let mut out = std::io::stdout().lock();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        write!(out, "@{seq}")?;
        for column in 1..7 {
            let text: Option<String> = row.get(column)?;
            write!(out, "\t{}", text.unwrap_or_default())?;
        }
        let (completed, total): (i64, i64) = (row.get(7)?, row.get(8)?);
        writeln!(out, "\t{completed}/{total}")?;
    }
    Ok(())
}
