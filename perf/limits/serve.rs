//! The least that serves what `wfx serve` is measured against: bare hyper, and a thread
//! that stores executions by rusqlite alone, as many of their changes as wait in one
//! transaction. An execution of three steps changes eight times: it is created, each step
//! starts and ends, it ends.
//!
//! `GET /ping` answers, `POST /start` answers when the start is durable, `GET /finished`
//! tells how many executions have ended, durably.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, Statement, params};
use tokio::sync::oneshot;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The most changes of one transaction, as in wfx.
const BATCH_MAX: usize = 512;
/// Created, three starts, three ends, ended.
const CHANGES: u8 = 8;
const TIME: &str = "2026-01-01T00:00:00.000000Z";

const EXECUTION: &str =
    "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at, started_at,
       completed_at, updated_at, steps_completed, total_steps, replay_of, owner, error, step_order,
       input_snapshot)
     VALUES (?1, 'bench', 'running', ?2, ?2, NULL, ?2, 0, 3, NULL, 'bench', NULL, ?3, ?4)";
const STEP: &str =
    "INSERT INTO workflow_execution_steps (seq, position, step_name, status, started_at,
       completed_at, duration_ms, attempt, exit_code, depends_on, error, outputs)
     VALUES (?1, ?2, ?3, 'pending', NULL, NULL, NULL, 1, NULL, ?4, NULL, NULL)";
const STEP_STARTS: &str = "UPDATE workflow_execution_steps SET status = 'running', started_at = ?3
     WHERE seq = ?1 AND position = ?2";
const STEP_ENDS: &str = "UPDATE workflow_execution_steps SET status = 'success',
       completed_at = ?3, duration_ms = 0 WHERE seq = ?1 AND position = ?2";
const ENDS: &str = "UPDATE workflow_executions SET status = 'success', completed_at = ?2,
       updated_at = ?2, steps_completed = 3, owner = NULL WHERE seq = ?1";

/// An execution that waits for its next change to be stored.
struct Waiting {
    /// How many of its changes are stored.
    stored: u8,
    seq: i64,
    execution_id: String,
    started: Option<oneshot::Sender<()>>,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: limit-serve DATABASE SNAPSHOT THREADS";
    let path = arguments.next().ok_or(usage)?;
    let snapshot = arguments.next().ok_or(usage)?;
    let threads: usize = arguments.next().ok_or(usage)?.parse()?;
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    let (queue, waiting) = mpsc::channel::<Waiting>();
    let finished = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&finished);
    std::thread::spawn(move || store(&connection, &snapshot, &waiting, &count));
    let mut runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        runtime.worker_threads(threads);
    }
    runtime.enable_all().build()?.block_on(serve(queue, finished))
}

#[expect(clippy::print_stdout, reason = "tells its address")]
async fn serve(queue: mpsc::Sender<Waiting>, finished: Arc<AtomicU64>) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (queue, finished) = (queue.clone(), Arc::clone(&finished));
        let service =
            service_fn(move |request| answer(request, queue.clone(), Arc::clone(&finished)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    queue: mpsc::Sender<Waiting>,
    finished: Arc<AtomicU64>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::POST, "/start") => {
            let execution_id = uuid::Uuid::now_v7().to_string();
            let body = format!("{{\"execution_id\":\"{execution_id}\",\"status\":\"started\"}}");
            let (started, done) = oneshot::channel();
            let _ = queue.send(Waiting { stored: 0, seq: 0, execution_id, started: Some(started) });
            let _ = done.await;
            Bytes::from(body)
        }
        (_, "/finished") => finished.load(Ordering::Relaxed).to_string().into(),
        _ => Bytes::from_static(b"{\"status\":\"ok\"}"),
    };
    let mut response = Response::new(Full::new(body));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// Stores what waits until nobody can ask any more.
fn store(
    connection: &Connection,
    snapshot: &str,
    queue: &mpsc::Receiver<Waiting>,
    finished: &AtomicU64,
) -> Result<(), Failure> {
    let mut statements = Statements {
        execution: connection.prepare(EXECUTION)?,
        step: connection.prepare(STEP)?,
        step_starts: connection.prepare(STEP_STARTS)?,
        step_ends: connection.prepare(STEP_ENDS)?,
        ends: connection.prepare(ENDS)?,
    };
    let mut batch: Vec<Waiting> = Vec::new();
    loop {
        if batch.is_empty() {
            batch.push(queue.recv()?);
        }
        batch.extend(queue.try_iter().take(BATCH_MAX.saturating_sub(batch.len())));
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for waiting in &mut batch {
            statements.change(connection, waiting, snapshot)?;
        }
        connection.execute_batch("COMMIT")?;
        for waiting in &mut batch {
            waiting.stored += 1;
            if let Some(started) = waiting.started.take() {
                let _ = started.send(());
            }
        }
        let before = batch.len();
        batch.retain(|waiting| waiting.stored < CHANGES);
        finished.fetch_add((before - batch.len()) as u64, Ordering::Relaxed);
    }
}

struct Statements<'c> {
    execution: Statement<'c>,
    step: Statement<'c>,
    step_starts: Statement<'c>,
    step_ends: Statement<'c>,
    ends: Statement<'c>,
}

impl Statements<'_> {
    fn change(
        &mut self,
        connection: &Connection,
        waiting: &mut Waiting,
        snapshot: &str,
    ) -> rusqlite::Result<()> {
        match waiting.stored {
            0 => {
                let order = r#"["first","second","third"]"#;
                let id = &waiting.execution_id;
                self.execution.execute(params![id, TIME, order, snapshot])?;
                waiting.seq = connection.last_insert_rowid();
                for (position, name, depends_on) in [
                    (0, "first", "[]"),
                    (1, "second", r#"["first"]"#),
                    (2, "third", r#"["second"]"#),
                ] {
                    self.step.execute(params![waiting.seq, position, name, depends_on])?;
                }
            }
            7 => _ = self.ends.execute(params![waiting.seq, TIME])?,
            change if change % 2 == 1 => {
                self.step_starts.execute(params![waiting.seq, change / 2, TIME])?;
            }
            change => _ = self.step_ends.execute(params![waiting.seq, change / 2 - 1, TIME])?,
        }
        Ok(())
    }
}
