//! The least that runs three programs one after the other and keeps what happened:
//! a spawn with piped output each, and four synced commits. What `wfx exec` is
//! measured against.

use std::process::{Command, Stdio};

use rusqlite::Connection;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: limit-exec DATABASE")?;
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS changes (id INTEGER PRIMARY KEY, what TEXT)",
    )?;
    let commit = |what: &str| {
        connection.prepare_cached("INSERT INTO changes (what) VALUES (?1)")?.execute([what])
    };
    commit("start")?;
    for step in ["first", "second", "third"] {
        let output = Command::new("true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?
            .wait_with_output()?;
        if !output.status.success() {
            return Err("true failed".into());
        }
        commit(step)?;
    }
    Ok(())
}
