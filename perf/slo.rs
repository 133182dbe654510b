//! Service levels: the engine by itself, what it costs a request, logs, a made up day.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wfx::parts::slo::{Engine, Event, Policy};

use crate::Measured;
use crate::command::{self, WFX, limit};
use crate::measure::{Failure, Figure, PAIRS, Target, alternate, median, timed};
use crate::serve::{Server, reads};
use crate::store;

/// Requests in a second of the engine's benchmark.
const RATE: u64 = 100_000;
const WINDOW: Duration = Duration::from_secs(300);
const LINES: u64 = 3_000_000;

fn policy() -> Result<Policy, Failure> {
    Ok(Policy {
        error_rate: Some("0.05".parse()?),
        error_rate_5xx: Some("0.05".parse()?),
        error_rate_4xx: Some("0.10".parse()?),
        error_window: WINDOW,
        latency_p95: Some(Duration::from_millis(750)),
        latency_window: WINDOW,
        min_samples: 1,
        cooldown: WINDOW,
    })
}

/// A request of every status and latency; no two that follow each other are alike.
fn request(number: u64) -> Event {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let status = if mixed.is_multiple_of(50) { 500 } else { 200 };
    // From 1 ms to about 1 s, as often in each doubling.
    let latency_us = (1_000 << (mixed % 10)) + mixed % 1_000;
    Event { t_us: number * 1_000_000 / RATE, status, latency_us: Some(latency_us) }
}

/// Nanoseconds for each request with a full window of 30 million, and its memory.
pub(crate) fn engine() -> Result<Vec<Figure>, Failure> {
    const MEASURED: u64 = 5_000_000;
    let before = resident_kb()?;
    let mut engine = Engine::new(policy()?);
    let filled = RATE * WINDOW.as_secs();
    let mut breached = 0_u64;
    for number in 0..filled {
        breached += u64::from(!engine.record(request(number)).breached.is_empty());
    }
    let mut nanos = Vec::new();
    for round in 0..PAIRS as u64 {
        let begin = Instant::now();
        for number in 0..MEASURED {
            let judged = engine.record(request(filled + round * MEASURED + number));
            breached += u64::from(!judged.breached.is_empty());
        }
        nanos.push(begin.elapsed().as_nanos() as f64 / MEASURED as f64);
    }
    let megabytes = (resident_kb()? - before) / 1000.0;
    let nanos = median(&nanos);
    Ok(vec![
        Figure {
            name: "slo-engine: ns to record and judge a request, 100,000/s, 30 million in the window",
            lines: vec![format!("{nanos:.1} ns; {breached} evaluations breached")],
            value: nanos,
            target: Target::AtMost(100.0),
        },
        Figure {
            name: "slo-engine: MB of the engine then",
            lines: vec![format!("{megabytes:.2} MB")],
            value: megabytes,
            target: Target::AtMost(4.0),
        },
    ])
}

fn resident_kb() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
}

/// `/api/v1/ping` with service levels ÷ without.
pub(crate) fn ping() -> Measured {
    let front = |kind: &str| Server::of(Command::new(limit("limit-front")?).arg(kind));
    let (with, without) = (front("monitored")?, front("bare")?);
    let path = "/api/v1/ping";
    let (rate, _) = reads(&with, path, &without, path, 64)?;
    Ok(Figure {
        name: "slo-ping: /api/v1/ping with service levels against without, 64 connections",
        lines: rate.lines("with", "without", "requests/s"),
        value: rate.ratio(),
        target: Target::AtLeast(0.95),
    })
}

/// A log of the daemon, simulated ÷ only parsed.
pub(crate) fn ndjson() -> Measured {
    let folder = store::folder()?;
    let path = folder.path().join("access.ndjson");
    let mut log = BufWriter::new(File::create(&path)?);
    for number in 0..LINES {
        let Event { t_us, status, latency_us } = request(number * 100);
        let latency_us = latency_us.unwrap_or(0);
        let (seconds, micros) = (1_767_225_600 + t_us / 1_000_000, t_us % 1_000_000);
        writeln!(
            log,
            r#"{{"t":{seconds}.{micros:06},"method":"GET","path":"/api/v1/workflows/w{}/executions","route":"/api/v1/workflows/{{workflow_id}}/executions","status":{status},"latency":{}.{:06},"request_id":"01a20adc-8420-719b-ac57-91f0ff7fd02c","remote":"127.0.0.1:40312"}}"#,
            number % 100,
            latency_us / 1_000_000,
            latency_us % 1_000_000,
        )?;
    }
    log.into_inner()?.sync_all()?;
    let rate = |command: &mut Command| -> Result<f64, Failure> {
        let command = command.stdout(Stdio::null());
        let took = timed(|| command::run(command))?;
        Ok(LINES as f64 / took.as_secs_f64())
    };
    let mut ours = Command::new(WFX);
    ours.args(["slo-sim", "--format", "json", "--trace"]).arg(&path);
    let mut parse = Command::new(limit("limit-parse")?);
    parse.arg(&path);
    let pairs = alternate(|| rate(&mut ours), || rate(&mut parse))?;
    Ok(Figure {
        name: "slo-ndjson: requests/s of an access log simulated against parsed by serde_json",
        lines: pairs.lines("slo-sim", "serde_json", "requests/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.7),
    })
}

/// A day at 10,000 requests/s.
pub(crate) fn day() -> Measured {
    let folder = store::folder()?;
    let path = folder.path().join("day.yaml");
    std::fs::write(
        &path,
        "paths: {/api/orders: 3, /api/products: 7}\n\
         phases:\n\
         - {duration: 24h, rate: 10000, status: {200: 985, 404: 13, 500: 2},\n   \
            latency: {lognormal: {median: 60ms, p95: 240ms}}}\n\
         incidents: [{at: 12h, duration: 10m, errors: {503: 0.2}, latency_factor: 5}]\n",
    )?;
    let mut command = Command::new(WFX);
    command.args(["slo-sim", "--format", "json", "--scenario"]).arg(&path);
    let begin = Instant::now();
    let peak_kb = command::peak_kb(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Figure {
        name: "slo-day: peak MB of a day at 10,000 requests/s, 864 million of them",
        lines: vec![format!("{seconds:.0} s, {:.1} million requests/s", 864.0 / seconds)],
        value: peak_kb / 1000.0,
        target: Target::AtMost(32.0),
    })
}
