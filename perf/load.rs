//! `wfx perf-check --target`: whether what it tells is true, and what it costs.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::WFX;
use crate::measure::{Failure, Figure, Target, alternate, median};
use crate::truth::{Manner, Truth};
use crate::{Measured, store};

const ENDPOINT: &str = "GET /x";
/// In milliseconds, of what the server recorded.
const OFF_MAX: f64 = 1.5;

/// Measures `url` with `args`, and gives the JSON that is told and the CPU seconds it took.
fn measure(url: &str, args: &[&str]) -> Result<(Value, f64), Failure> {
    let folder = store::folder()?;
    let mut command = Command::new("/usr/bin/time");
    command
        .args(["-f", "%U %S %M", WFX, "perf-check", "--update-baseline", "--format", "json"])
        .args(["--target", url, "--endpoint", ENDPOINT, "--baseline"])
        .arg(folder.path().join("baseline.json"))
        .args(args)
        .stderr(Stdio::piped());
    let output = command.output()?;
    let told: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let stderr = String::from_utf8(output.stderr)?;
    let usage = stderr.lines().last().unwrap_or_default();
    let numbers: Vec<f64> = usage.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [user, system, kilobytes] = numbers[..] else { return Err(stderr.into()) };
    let mut told = told;
    told["kilobytes"] = kilobytes.into();
    Ok((told, user + system))
}

fn figure(told: &Value, name: &str) -> Result<f64, Failure> {
    told["endpoints"][ENDPOINT][name].as_f64().ok_or_else(|| format!("no {name}: {told}").into())
}

/// At 200/s against servers that know better: how far the median and p95 are off at most,
/// in ms, and in a stall p95 against 750 ms.
pub(crate) fn truth() -> Measured {
    let args = ["--rate", "200", "--duration", "20s", "--warmup", "0s"];
    let mut lines = Vec::new();
    let mut off: f64 = 0.0;
    for (name, manner) in [("10 ms", Manner::Steady), ("6 % at 100 ms", Manner::Tailed)] {
        let server = Truth::start(manner)?;
        let (told, _) = measure(&server.url(), &args)?;
        let recorded = server.take();
        let count = recorded.len();
        for (field, true_nanos) in [
            ("median_ms", (recorded[(count - 1) / 2] + recorded[count / 2]) / 2),
            ("p95_ms", recorded[95 * (count - 1) / 100]),
        ] {
            let (seen, known) = (figure(&told, field)?, true_nanos as f64 / 1e6);
            off = off.max((seen - known).abs());
            lines.push(format!("{name}: {field} {seen:.3}, recorded {known:.3}"));
        }
    }
    let server = Truth::start(Manner::Stalling)?;
    let (told, _) = measure(&server.url(), &args)?;
    let p95 = figure(&told, "p95_ms")?;
    let share = (p95 - 750.0).abs() / 750.0;
    lines.push(format!(
        "a stall of 1 s each 5 s: p95 {p95:.1} ms of 750, {:.1} % off",
        share * 100.0
    ));
    if share > 0.03 {
        return Err(format!("the stall was missed: {}", lines.join("; ")).into());
    }
    Ok(Figure {
        name: "truth: how far median and p95 are off at 200/s, ms; in a stall p95 within 3 %",
        lines,
        value: off,
        target: Target::AtMost(OFF_MAX),
    })
}

/// How late requests are sent at 1,000/s, µs.
pub(crate) fn lateness() -> Measured {
    let server = Truth::start(Manner::AtOnce)?;
    let mut late = Vec::new();
    for _ in 0..crate::measure::PAIRS {
        let args = ["--rate", "1000", "--duration", "5s", "--warmup", "1s"];
        let (told, _) = measure(&server.url(), &args)?;
        let p99 = told["measured"]["late_p99_ms"].as_f64().ok_or("no lateness")?;
        late.push(p99 * 1_000.0);
    }
    Ok(Figure {
        name: "lateness: p99 of how late requests are sent at 1,000/s, µs",
        lines: vec![format!("runs: {late:.0?}")],
        value: median(&late),
        target: Target::AtMost(200.0),
    })
}

/// Requests in a second over 64 connections, against wrk.
pub(crate) fn saturation() -> Measured {
    let server = Truth::start(Manner::AtOnce)?;
    let url = format!("{}/x", server.url());
    let pairs = alternate(
        || {
            let args = ["--closed", "64", "--duration", "3s", "--warmup", "500ms"];
            let (told, _) = measure(&server.url(), &args)?;
            told["measured"]["rate_reached"].as_f64().ok_or_else(|| "no rate".into())
        },
        || {
            let output = Command::new("wrk").args(["-t2", "-c64", "-d3s", &url]).output()?;
            let text = String::from_utf8(output.stdout)?;
            let line = text.lines().find(|line| line.starts_with("Requests/sec:"));
            let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
            number.ok_or_else(|| text.clone().into())
        },
    )?;
    Ok(Figure {
        name: "saturation: --closed 64, requests/s against wrk -t2 -c64",
        lines: pairs.lines("wfx", "wrk", "/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.80),
    })
}

/// CPU time of a request at 200/s, against oha.
pub(crate) fn cpu() -> Measured {
    const REQUESTS: f64 = 1_000.0;
    let server = Truth::start(Manner::AtOnce)?;
    let url = format!("{}/x", server.url());
    let pairs = alternate(
        || {
            let args = ["--rate", "200", "--duration", "5s", "--warmup", "0s"];
            Ok(measure(&server.url(), &args)?.1 / REQUESTS * 1e6)
        },
        || {
            let oha = std::env::var("OHA").unwrap_or_else(|_| "oha".to_owned());
            let mut command = Command::new("/usr/bin/time");
            command.args(["-f", "%U %S", &oha, "-q", "200", "-n", "1000", "-c", "50"]);
            command.args(["--no-tui", "--output-format", "json", &url]);
            let output = command.output()?;
            let stderr = String::from_utf8(output.stderr)?;
            if !output.status.success() {
                return Err(format!("cannot run oha, which OHA names: {stderr}").into());
            }
            let numbers = stderr.lines().last().unwrap_or_default();
            let numbers: Vec<f64> = numbers.split(' ').filter_map(|n| n.parse().ok()).collect();
            let [user, system] = numbers[..] else { return Err(stderr.into()) };
            Ok((user + system) / REQUESTS * 1e6)
        },
    )?;
    Ok(Figure {
        name: "cpu: CPU time of a request at 200/s, against oha",
        lines: pairs.lines("wfx", "oha", "µs"),
        value: pairs.ratio(),
        target: Target::AtMost(1.0),
    })
}

/// Peak memory that a million samples add, MB.
pub(crate) fn memory() -> Measured {
    let server = Truth::start(Manner::AtOnce)?;
    let run = |duration: &str| -> Result<(f64, f64), Failure> {
        let args = ["--rate", "20000", "--duration", duration, "--warmup", "0s"];
        let (told, _) = measure(&server.url(), &args)?;
        let kilobytes = told["kilobytes"].as_f64().ok_or("no memory")?;
        Ok((kilobytes * 1024.0 / 1e6, figure(&told, "samples")?))
    };
    let (small, few) = run("5s")?;
    let (large, many) = run("55s")?;
    Ok(Figure {
        name: "samples: MB that a million samples take",
        lines: vec![format!("{few} samples: {small:.1} MB; {many} samples: {large:.1} MB")],
        value: (large - small) / (many - few) * 1e6,
        target: Target::AtMost(16.0),
    })
}
