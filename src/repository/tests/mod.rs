//! The repository on real files.

mod delivery;
mod migration;
mod opening;
mod pending_write;
mod upgrade;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Durability, PendingWrite, Retention, Writer, WriterOptions};
use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::workflow::record::{
    Change, Created, ExecutionState, ExecutionStatus, StepState, StepStatus,
};

/// A folder with a place for a database.
struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wfx.db");
        Self { folder, path }
    }

    /// A connection past the repository.
    fn raw(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        crate::repository::sqlite::file::beside(&self.path, suffix)
    }

    /// The files beside each other, but for the log, which the last one to close may
    /// leave empty.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort();
        names
    }
}

fn options() -> WriterOptions {
    WriterOptions {
        durability: Durability::Normal,
        trusted_owner: None,
        retention: Retention::Given(None),
        queue_capacity: 4096,
        busy_timeout: Duration::from_secs(5),
        commits: None,
    }
}

fn open(path: &Path) -> Writer {
    Writer::open(path, options()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_750_000_000 + seconds) * 1_000_000)
}

/// The head of an execution that came to `status` in second `second`.
fn head(status: ExecutionStatus, second: i64) -> ExecutionState {
    ExecutionState {
        status,
        started_at: (status != ExecutionStatus::Pending).then(|| at(0)),
        completed_at: status.is_terminal().then(|| at(second)),
        updated_at: at(second),
        steps_completed: 0,
        error: None,
        owner: Some("exec-1-0".to_owned()),
    }
}

fn created(steps: usize) -> Arc<Created> {
    let step_order: Vec<String> = (0..steps).map(|step| format!("s{step}")).collect();
    let depends_on = (0..steps).map(|step| step_order[..step].iter().rev().take(1).cloned());
    Arc::new(Created {
        workflow_id: "w".to_owned(),
        created_at: at(0),
        depends_on: depends_on.map(Iterator::collect).collect(),
        step_order: step_order.into(),
        replay_of: None,
        input_snapshot: r#"{"definition":{},"params":{},"workdir":"/"}"#.to_owned(),
    })
}

fn change(head: ExecutionState) -> Change {
    Change { head, created: None, steps: [].into(), attempts: Vec::new() }
}

fn creation(steps: usize, head: ExecutionState) -> Change {
    Change { created: Some(created(steps)), ..change(head) }
}

fn ended(status: StepStatus) -> StepState {
    StepState { status, completed_at: Some(at(1)), attempt: 1, ..StepState::default() }
}

/// Waits until `condition` holds.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = clock::monotonic();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Enqueues the slot until everything recorded is answered.
fn await_commit(writer: &Writer, pending: &Arc<PendingWrite>) {
    until("the slot is stored", || {
        let settled = pending.stored().borrow().refused.is_some() || !pending.is_dirty();
        // Full: it is offered again.
        let _ = settled || writer.enqueue(pending);
        settled
    });
}

/// Stores a whole execution that ended in second `second`.
fn store(writer: &Writer, id: &str, status: ExecutionStatus, second: i64) -> Arc<PendingWrite> {
    let pending = PendingWrite::new(id.to_owned());
    pending.record(creation(2, head(status, second)));
    await_commit(writer, &pending);
    pending
}
