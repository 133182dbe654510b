//! `wfx serve` as a process, against bare hyper and a loop of rusqlite.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{self, get, post};
use crate::command::{WFX, limit};
use crate::measure::{Failure, Figure, PAIRS, Pairs, Target, median};
use crate::{Measured, limits, store};

/// Executions of one measurement.
const STARTS: usize = 30_000;
/// Requests of one measurement of a read.
const READS: usize = 60_000;
pub(crate) const CONNECTIONS: usize = 64;
const STORED: usize = 1_000_000;

/// A server that ends with it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `wfx serve` over a database, with retention off: the limit deletes nothing either.
    pub(crate) fn wfx(folder: &Path, database: &Path) -> Result<Self, Failure> {
        Self::wfx_at(folder, database, &[])
    }

    /// The same, which listens on these unix sockets as well.
    pub(crate) fn wfx_at(
        folder: &Path,
        database: &Path,
        sockets: &[&Path],
    ) -> Result<Self, Failure> {
        let database = [OsStr::new("--db"), database.as_os_str()];
        let sockets: Vec<String> =
            sockets.iter().map(|socket| format!("--listen=unix:{}", socket.display())).collect();
        Self::wfx_with(folder, database.into_iter().chain(sockets.iter().map(OsStr::new)))
    }

    /// The same with these arguments.
    pub(crate) fn wfx_with<'a>(
        folder: &Path,
        arguments: impl Iterator<Item = &'a OsStr>,
    ) -> Result<Self, Failure> {
        let workflows = folder.join("workflows");
        std::fs::create_dir_all(&workflows)?;
        std::fs::write(
            workflows.join("bench.yaml"),
            "id: bench\nsteps: [{name: first}, {name: second}, {name: third}]\n",
        )?;
        let config = folder.join("config.toml");
        let mut child = Command::new(WFX)
            .args(["serve", "--listen", "127.0.0.1:0", "--workflows"])
            .arg(&workflows)
            .args(arguments)
            .env("WORKFLOW_EXECUTION_RETENTION", "0")
            .envs(config.exists().then_some(("WFX_CONFIG", &config)))
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let address = loop {
            let line = lines.next().ok_or("wfx serve ended")??;
            let value: serde_json::Value = serde_json::from_str(&line)?;
            if let Some(address) = value["address"].as_str() {
                break address.parse()?;
            }
        };
        // Whoever does not read its log would lose lines of it, which costs work.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// Bare hyper, on so many threads.
    fn limit(database: &Path, threads: usize) -> Result<Self, Failure> {
        Self::of(
            Command::new(limit("limit-serve")?)
                .arg(database)
                .arg(crate::snapshot::text())
                .arg(threads.to_string()),
        )
    }

    /// One that writes its address as its first line.
    pub(crate) fn of(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// The CPU time that it took so far, seconds.
    fn cpu(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(") ").ok_or("no name in stat")?.1;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks / 100.0)
    }

    /// Its resident memory, MB; without the pages of files that it has mapped.
    pub(crate) fn memory(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no value")?.parse()?;
        Ok(kilobytes / 1000.0)
    }

    /// How many executions have ended, durably.
    fn finished(&self, path: &str) -> Result<u64, Failure> {
        let value: serde_json::Value =
            serde_json::from_slice(&client::ask(self.address, &get(path))?)?;
        Ok(value.as_u64().or_else(|| value["total"].as_u64()).ok_or("no count")?)
    }
}

/// What one measurement of starts gives.
pub(crate) struct Starts {
    pub(crate) per_second: f64,
    /// Of the server, seconds for each execution.
    cpu: f64,
    p99: f64,
}

/// Starts executions and waits until all have ended.
pub(crate) fn starts(
    server: &Server,
    start: &str,
    finished: &str,
    connections: usize,
) -> Result<Starts, Failure> {
    let before = server.finished(finished)?;
    let cpu = server.cpu()?;
    let begin = Instant::now();
    let mut load = client::load(server.address, &post(start), connections, STARTS)?;
    while server.finished(finished)? - before < STARTS as u64 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Starts {
        per_second: STARTS as f64 / seconds,
        cpu: (server.cpu()? - cpu) / STARTS as f64,
        p99: load.percentile(99),
    })
}

pub(crate) const WFX_START: &str = "/api/v1/workflows/bench/execute";
const WFX_FINISHED: &str = "/api/v1/workflows/executions?status=success&limit=1";

/// Start to finished, 3 empty steps: executions per second, CPU, p99 of the start.
pub(crate) fn start() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    let ours = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    let limit = Server::limit(&store::empty(folder.path(), "limit.db")?, 2)?;
    let wfx = || starts(&ours, WFX_START, WFX_FINISHED, CONNECTIONS);
    let bare = || starts(&limit, "/start", "/finished", CONNECTIONS);
    wfx()?;
    bare()?;
    let (mut rate, mut cpu, mut p99) = (pairs(), pairs(), pairs());
    for pair in 0..PAIRS {
        let (a, b) = if pair % 2 == 0 {
            let a = wfx()?;
            (a, bare()?)
        } else {
            let b = bare()?;
            (wfx()?, b)
        };
        push(&mut rate, a.per_second, b.per_second);
        push(&mut cpu, a.cpu * 1e6, b.cpu * 1e6);
        push(&mut p99, a.p99 * 1e3, b.p99 * 1e3);
    }
    let names = ("wfx serve", "bare hyper, a group commit for each change");
    Ok(vec![
        Figure {
            name: "start: 3 empty steps to their end, 64 connections, against bare hyper that \
                   group-commits each change",
            lines: rate.lines(names.0, names.1, "executions/s"),
            value: rate.ratio(),
            target: Target::AtLeast(0.80),
        },
        Figure {
            name: "start-cpu: server CPU for each execution",
            lines: cpu.lines(names.0, names.1, "us"),
            value: cpu.ratio(),
            target: Target::AtMost(1.25),
        },
        Figure {
            name: "start-p99: p99 of the start",
            lines: p99.lines(names.0, names.1, "ms"),
            value: p99.ratio(),
            target: Target::AtMost(1.5),
        },
    ])
}

/// With 32 in flight, as Restate was measured.
pub(crate) fn absolute() -> Measured {
    let folder = store::folder()?;
    let ours = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    starts(&ours, WFX_START, WFX_FINISHED, 32)?;
    let rates = (0..PAIRS)
        .map(|_| Ok(starts(&ours, WFX_START, WFX_FINISHED, 32)?.per_second))
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(Figure {
        name: "start-32: 32 in flight, against the 694/s of Restate 1.7 on such a machine",
        lines: vec![format!("wfx serve: {:.0} executions/s", median(&rates))],
        value: median(&rates) / 694.0,
        target: Target::AtLeast(10.0),
    })
}

/// One client that waits for the end, against the one commit that this needs, made between its
/// requests: a commit after a pause takes longer than one in a loop.
pub(crate) fn wait() -> Measured {
    const RUNS: usize = 2_000;
    let folder = store::folder()?;
    let ours = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    let limit = store::empty(folder.path(), "limit.db")?;
    let snapshot = crate::snapshot::text();
    let request = post(&format!("{WFX_START}?wait=10s"));
    let mut client = client::Single::connect(ours.address)?;
    let mut pairs = Pairs { ours: Vec::new(), other: Vec::new() };
    let mut alone = Vec::new();
    for _ in 0..PAIRS {
        let mut waits = Vec::with_capacity(RUNS);
        let commits = limits::commits(&limit, RUNS, &snapshot, || {
            waits.push(client.ask(&request)?);
            Ok(())
        })?;
        pairs.ours.push(median(&waits) * 1e3);
        pairs.other.push(median(&commits) * 1e3);
        alone.push(median(&limits::commits(&limit, RUNS, &snapshot, || Ok(()))?) * 1e3);
    }
    let mut lines = pairs.lines("?wait", "commit", "ms");
    lines.push(format!("commit in a loop: {:.4} ms", median(&alone)));
    Ok(Figure {
        name: "wait: p50 of start-and-wait of 3 empty steps, one client, against the synced \
               commit it needs, made between its requests",
        lines,
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}

/// `/api/v1/ping` against the leanest hyper.
pub(crate) fn ping() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    let ours = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    let limit = Server::limit(&store::empty(folder.path(), "limit.db")?, 2)?;
    let (rate, cpu) = reads(&ours, "/api/v1/ping", &limit, "/ping", CONNECTIONS)?;
    let names = ("/api/v1/ping", "bare hyper");
    Ok(vec![
        Figure {
            name: "ping: /api/v1/ping through everything against the leanest hyper, 64 connections",
            lines: rate.lines(names.0, names.1, "requests/s"),
            value: rate.ratio(),
            target: Target::AtLeast(0.80),
        },
        Figure {
            name: "ping-cpu: server CPU for each request",
            lines: cpu.lines(names.0, names.1, "us"),
            value: cpu.ratio(),
            target: Target::AtMost(1.3),
        },
    ])
}

/// Reads over a million stored executions, against ping.
pub(crate) fn reads_of_a_million() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    let ours = Server::wfx(folder.path(), &store::filled(folder.path(), "full.db", STORED)?)?;
    let list = "/api/v1/workflows/executions?limit=20";
    let page: serde_json::Value = serde_json::from_slice(&client::ask(ours.address, &get(list))?)?;
    let id = page["items"][0]["execution_id"].as_str().ok_or("no execution")?;
    let one = format!("/api/v1/workflows/executions/{id}");
    let deep = format!("{list}&cursor={}", STORED / 2);
    let ping = "/api/v1/ping";
    let (of_list, _) = reads(&ours, list, &ours, ping, CONNECTIONS)?;
    let (of_one, _) = reads(&ours, &one, &ours, ping, CONNECTIONS)?;
    let (of_deep, _) = reads(&ours, list, &ours, &deep, CONNECTIONS)?;
    Ok(vec![
        Figure {
            name: "read-list: list of 20 of 1,000,000 against ping",
            lines: of_list.lines("list", "ping", "requests/s"),
            value: of_list.ratio(),
            target: Target::AtLeast(0.5),
        },
        Figure {
            name: "read-one: GET of one of 1,000,000 against ping",
            lines: of_one.lines("GET", "ping", "requests/s"),
            value: of_one.ratio(),
            target: Target::AtLeast(0.5),
        },
        Figure {
            name: "read-deep: time of a list by cursor, 500,000 deep against the newest",
            lines: of_deep.lines("newest", "deep", "requests/s"),
            value: of_deep.ratio(),
            target: Target::AtMost(1.5),
        },
    ])
}

/// Requests per second and CPU per request, of two paths in turn.
pub(crate) fn reads(
    ours: &Server,
    our_path: &str,
    other: &Server,
    other_path: &str,
    connections: usize,
) -> Result<(Pairs, Pairs), Failure> {
    let (mut rate, mut cpu) = (pairs(), pairs());
    let one = |server: &Server, path: &str| -> Result<(f64, f64), Failure> {
        let cpu = server.cpu()?;
        let load = client::load(server.address, &get(path), connections, READS)?;
        let cpu = server.cpu()? - cpu;
        Ok((READS as f64 / load.seconds, cpu / READS as f64 * 1e6))
    };
    one(ours, our_path)?;
    one(other, other_path)?;
    for pair in 0..PAIRS {
        let (a, b) = if pair % 2 == 0 {
            let a = one(ours, our_path)?;
            (a, one(other, other_path)?)
        } else {
            let b = one(other, other_path)?;
            (one(ours, our_path)?, b)
        };
        push(&mut rate, a.0, b.0);
        push(&mut cpu, a.1, b.1);
    }
    Ok((rate, cpu))
}

/// From the start of the process to `/readyz`, a million stored, against `wfx list`.
pub(crate) fn ready() -> Measured {
    let folder = store::folder()?;
    let database = store::filled(folder.path(), "full.db", STORED)?;
    let pairs = crate::measure::alternate(
        || {
            let begin = Instant::now();
            let server = Server::wfx(folder.path(), &database)?;
            client::ask(server.address, &get("/readyz"))?;
            Ok(begin.elapsed().as_secs_f64() * 1e3)
        },
        || {
            let begin = Instant::now();
            let listed = Command::new(WFX)
                .arg("list")
                .arg("--db")
                .arg(&database)
                .stdout(Stdio::null())
                .status()?;
            if !listed.success() {
                return Err("wfx list failed".into());
            }
            Ok(begin.elapsed().as_secs_f64() * 1e3)
        },
    )?;
    Ok(Figure {
        name: "ready: from the start to /readyz on 1,000,000 executions, against `wfx list`",
        lines: pairs.lines("ready", "wfx list", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(5.0),
    })
}

/// Resident memory, idle and after a million starts.
pub(crate) fn memory() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    let server = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    client::ask(server.address, &get("/readyz"))?;
    let idle = server.memory()?;
    client::load(server.address, &post(WFX_START), CONNECTIONS, STORED)?;
    let after = server.memory()?;
    let binary = std::fs::metadata(PathBuf::from(WFX))?.len();
    Ok(vec![
        Figure {
            name: "serve-idle: resident memory of an idle daemon, MB",
            lines: vec![format!("the binary: {:.1} MB", binary as f64 / 1e6)],
            value: idle,
            target: Target::AtMost(15.0),
        },
        Figure {
            name: "serve-memory: resident memory after 1,000,000 starts, MB",
            lines: Vec::new(),
            value: after,
            target: Target::AtMost(60.0),
        },
    ])
}

pub(crate) fn pairs() -> Pairs {
    Pairs { ours: Vec::new(), other: Vec::new() }
}

pub(crate) fn push(pairs: &mut Pairs, ours: f64, other: f64) {
    pairs.ours.push(ours);
    pairs.other.push(other);
}
