//! Notifications: how soon a receiver has one, and what many that wait cost starts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, SystemTime};

use crate::client::{self, post};
use crate::measure::{Failure, Figure, PAIRS, Target};
use crate::serve::{CONNECTIONS, Server, pairs, push, starts};
use crate::store;

/// How many wait for a receiver that is not there.
const QUEUED: usize = 10_000;
/// How many are timed.
const TIMED: usize = 300;

const PLAIN: &str = "/api/v1/workflows/bench/execute";
const FINISHED: &str = "/api/v1/workflows/executions?status=success&limit=1";

/// From the change of state to the receiver; starts with 10,000 that wait against starts without.
pub(crate) fn notify() -> Result<Vec<Figure>, Failure> {
    let mut delays = delays()?;
    delays.sort_by(f64::total_cmp);
    let percentile = |percent: usize| delays[(delays.len() * percent / 100).min(delays.len() - 1)];
    let (folder, other_folder) = (store::folder()?, store::folder()?);
    let queued = server(folder.path(), true)?;
    let empty = server(other_folder.path(), false)?;
    let run = |server: &Server| starts(server, PLAIN, FINISHED, CONNECTIONS);
    run(&queued)?;
    run(&empty)?;
    let mut rate = pairs();
    for pair in 0..PAIRS {
        let (with, without) = if pair % 2 == 0 {
            let with = run(&queued)?;
            (with, run(&empty)?)
        } else {
            let without = run(&empty)?;
            (run(&queued)?, without)
        };
        push(&mut rate, with.per_second, without.per_second);
    }
    Ok(vec![
        Figure {
            name: "notify-delay: p50 from the end of an execution to the receiver on loopback, ms",
            lines: vec![format!(
                "p50 {:.1}, p95 {:.1}, p99 {:.1} ms of {TIMED}",
                percentile(50),
                percentile(95),
                percentile(99)
            )],
            value: percentile(50),
            target: Target::AtMost(20.0),
        },
        Figure {
            name: "notify-queued: 3 empty steps to their end, 64 connections, with 10,000 \
                   notifications that wait for a dead receiver against none",
            lines: rate.lines("with them", "without", "executions/s"),
            value: rate.ratio(),
            target: Target::AtLeast(0.95),
        },
    ])
}

/// A server; with 10,000 notifications to a port where nobody listens.
fn server(folder: &Path, is_queued: bool) -> Result<Server, Failure> {
    let database = store::empty(folder, "ours.db")?;
    if is_queued {
        std::fs::write(
            folder.join("config.toml"),
            "[notify.dead]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\n",
        )?;
        // Makes the tables.
        drop(Server::wfx(folder, &database)?);
        let connection = rusqlite::Connection::open(&database)?;
        let at = wfx::parts::base::clock::now();
        connection.execute_batch(&format!(
            "INSERT INTO workflow_notifications (notification_id, channel, event, thread, state,
               created_at, next_at, content)
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {QUEUED})
             SELECT 'msg_' || n, 'dead', 'failed', 't' || n, 'pending', '{at}', '{at}',
               json_object('event', 'failed', 'at', '{at}', 'incident', 'i' || n, 'since', '{at}')
             FROM n"
        ))?;
    }
    Server::wfx(folder, &database)
}

/// Milliseconds from the end of each failed execution to its notification.
fn delays() -> Result<Vec<f64>, Failure> {
    let folder = store::folder()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    std::fs::write(
        folder.path().join("config.toml"),
        format!("[notify.ops]\ntype = \"webhook\"\nurl = \"{url}\"\n"),
    )?;
    let workflows = folder.path().join("workflows");
    std::fs::create_dir_all(&workflows)?;
    for number in 0..TIMED {
        let document = "notify: [{to: ops}]\nsteps: [{name: a, fail: true}]\n";
        std::fs::write(workflows.join(format!("w{number}.yaml")), document)?;
    }
    let server = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    let received = receive(listener);
    let mut delays = Vec::with_capacity(TIMED);
    for number in 0..TIMED {
        client::ask(server.address, &post(&format!("/api/v1/workflows/w{number}/execute")))?;
        delays.push(received.recv_timeout(Duration::from_secs(30))?);
    }
    Ok(delays)
}

/// Takes requests, and gives how old the event of each is, ms.
fn receive(listener: TcpListener) -> Receiver<f64> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || {
                // Whoever measures waits in vain for what fails here.
                let _ = take(stream, &sender);
            });
        }
    });
    receiver
}

/// Answers the requests of a connection.
fn take(stream: TcpStream, sender: &Sender<f64>) -> Result<(), Failure> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let body: serde_json::Value = serde_json::from_slice(&body)?;
        let at = body["timestamp"].as_str().ok_or("no time")?;
        let at: wfx::parts::base::Timestamp = at.parse()?;
        let delay_us = now.as_micros() as f64 - at.as_micros() as f64;
        sender.send(delay_us / 1_000.0)?;
        reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
