//! Concurrency groups: what a start costs that takes a slot, and how soon a free slot is taken.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::{self, get, post};
use crate::measure::{Failure, Figure, PAIRS, Target, median};
use crate::serve::{CONNECTIONS, Server, pairs, push, starts};
use crate::store;

/// How many wait for one slot.
const WAITERS: usize = 1_000;
const MANY: usize = 10_000;

const PLAIN: &str = "/api/v1/workflows/bench/execute";
const GROUPED: &str = "/api/v1/workflows/grouped/execute";
const FINISHED: &str = "/api/v1/workflows/executions?status=success&limit=1";

/// A server with a workflow of three empty steps whose group has room for all, and with one that
/// runs one by one.
fn server(folder: &Path) -> Result<Server, Failure> {
    let workflows = folder.join("workflows");
    std::fs::create_dir_all(&workflows)?;
    std::fs::write(
        workflows.join("grouped.yaml"),
        "id: grouped\nconcurrency: {limit: 1000}\nsteps: [{name: first}, {name: second}, {name: third}]\n",
    )?;
    for (id, work) in [("holder", "sleep: 1m"), ("waiter", "description: nothing")] {
        std::fs::write(
            workflows.join(format!("{id}.yaml")),
            format!(
                "id: {id}\nconcurrency: {{group: one, limit: 1, max_queued: 100000}}\nsteps: [{{name: a, {work}}}]\n"
            ),
        )?;
    }
    Server::wfx(folder, &store::empty(folder, "ours.db")?)
}

/// Starts with a group of limit 1,000 against starts without; how soon a free slot is taken while
/// 1,000 wait; what 10,000 that wait take.
pub(crate) fn groups() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    let server = server(folder.path())?;
    let run = |path| starts(&server, path, FINISHED, CONNECTIONS);
    run(PLAIN)?;
    let mut rate = pairs();
    for pair in 0..PAIRS {
        let (grouped, plain) = if pair % 2 == 0 {
            let grouped = run(GROUPED)?;
            (grouped, run(PLAIN)?)
        } else {
            let plain = run(PLAIN)?;
            (run(GROUPED)?, plain)
        };
        push(&mut rate, grouped.per_second, plain.per_second);
    }
    drop(server);
    let mut gaps: Vec<f64> = Vec::new();
    for _ in 0..PAIRS {
        gaps.push(wait(WAITERS)?.p99_ms);
    }
    let many = wait(MANY)?;
    Ok(vec![
        Figure {
            name: "group-start: 3 empty steps to their end, 64 connections, with a group of limit \
                   1,000 against without",
            lines: rate.lines("with a group", "without", "executions/s"),
            value: rate.ratio(),
            target: Target::AtLeast(0.80),
        },
        Figure {
            name: "group-slot: p99 from the end of one to the start of the next, 1,000 waiting, ms",
            lines: vec![format!("in each run: {gaps:.1?} ms")],
            value: median(&gaps),
            target: Target::AtMost(20.0),
        },
        Figure {
            name: "group-many: MB of the daemon with 10,000 waiting",
            lines: vec![format!(
                "{:.1} MB; all ran within {:.1} s, p99 from one to the next {:.1} ms",
                many.megabytes, many.seconds, many.p99_ms
            )],
            value: many.megabytes,
            target: Target::AtMost(150.0),
        },
    ])
}

struct Waited {
    p99_ms: f64,
    megabytes: f64,
    /// From the first free slot to the end of the last.
    seconds: f64,
}

/// Has so many wait for one slot, and looks at the times between them.
fn wait(count: usize) -> Result<Waited, Failure> {
    let folder = store::folder()?;
    let server = server(folder.path())?;
    let address = server.address;
    let holder = ask(address, &post("/api/v1/workflows/holder/execute"))?;
    let holder = holder["execution_id"].as_str().ok_or("not started")?.to_owned();
    client::load(address, &post("/api/v1/workflows/waiter/execute"), CONNECTIONS, count)?;
    let waiting = ask(address, &get("/api/v1/queue"))?["groups"][0]["waiting"].clone();
    if waiting != count {
        return Err(format!("{waiting} wait").into());
    }
    let megabytes = server.memory()?;
    let begin = Instant::now();
    ask(address, &post(&format!("/api/v1/workflows/executions/{holder}/cancel")))?;
    while ask(address, &get(FINISHED))?["total"] != count {
        std::thread::sleep(Duration::from_millis(1));
    }
    let seconds = begin.elapsed().as_secs_f64();
    drop(server);
    let database = rusqlite::Connection::open(folder.path().join("ours.db"))?;
    let mut gaps: Vec<f64> = database
        .prepare(
            "SELECT (julianday(started_at) - julianday(lag(completed_at) OVER (ORDER BY seq)))
               * 86400000.0
             FROM workflow_executions ORDER BY seq",
        )?
        .query_map([], |row| row.get::<_, Option<f64>>(0))?
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    gaps.sort_by(f64::total_cmp);
    let p99_ms = gaps.get(gaps.len() * 99 / 100).copied().ok_or("nothing ran")?;
    Ok(Waited { p99_ms, megabytes, seconds })
}

fn ask(address: SocketAddr, request: &str) -> Result<serde_json::Value, Failure> {
    Ok(serde_json::from_slice(&client::ask(address, request)?)?)
}
