//! The launch of a partial replay.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::client::{self, get};
use crate::measure::{Failure, Figure, PAIRS, Pairs, Target, median};
use crate::serve::Server;
use crate::{Measured, store};

/// Steps of each workflow, one of which fails.
const STEPS: usize = 1_000;
/// Launches of one measurement.
const LAUNCHES: usize = 60;

/// A replay that reuses 999 of 1,000 steps, against one of as many steps that reuses none: from the
/// request to the answer, which waits for the commit of the start. Both start one process.
pub(crate) fn launch() -> Measured {
    let folder = store::folder()?;
    let workflows = folder.path().join("workflows");
    std::fs::create_dir_all(&workflows)?;
    // One fails last, and one first.
    std::fs::write(workflows.join("all.yaml"), workflow("all", STEPS - 1))?;
    std::fs::write(workflows.join("none.yaml"), workflow("none", 0))?;
    let server = Server::wfx(folder.path(), &store::empty(folder.path(), "ours.db")?)?;
    let (all, none) = (failed(server.address, "all")?, failed(server.address, "none")?);
    check(server.address, &all, STEPS - 1)?;
    check(server.address, &none, 0)?;
    let mut pairs = Pairs { ours: Vec::new(), other: Vec::new() };
    launches(server.address, &all)?;
    for _ in 0..PAIRS {
        pairs.ours.push(launches(server.address, &all)? * 1e3);
        pairs.other.push(launches(server.address, &none)? * 1e3);
    }
    Ok(Figure {
        name: "replay: p50 of the launch of a replay that reuses 999 of 1,000 steps against one \
               that reuses none",
        lines: pairs.lines("999 reused", "none reused", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}

/// Steps without work, but for the one at `fails`, which all others wait for or that waits for all.
fn workflow(id: &str, fails: usize) -> String {
    let mut text = format!("id: {id}\nsteps:\n");
    for step in 0..STEPS {
        let work = if step == fails { ", run: ['false']" } else { "" };
        let _ = writeln!(text, "- {{name: s{step}{work}}}");
    }
    text
}

fn ask(address: SocketAddr, request: &str) -> Result<serde_json::Value, Failure> {
    Ok(serde_json::from_slice(&client::ask(address, request)?)?)
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Runs a workflow to its failure; its id.
fn failed(address: SocketAddr, workflow: &str) -> Result<String, Failure> {
    let path = format!("/api/v1/workflows/{workflow}/execute");
    let started = ask(address, &post(&path, ""))?;
    let id = started["execution_id"].as_str().ok_or("not started")?.to_owned();
    await_end(address)?;
    Ok(id)
}

/// Waits until nothing runs.
fn await_end(address: SocketAddr) -> Result<(), Failure> {
    let running = get("/api/v1/workflows/executions?status=running&limit=1");
    while ask(address, &running)?["total"] != 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// How many steps a replay of it reuses.
fn check(address: SocketAddr, id: &str, expected: usize) -> Result<(), Failure> {
    let path = format!("/api/v1/workflows/executions/{id}/replay?dry_run=true");
    let plan = ask(address, &post(&path, r#"{"failed":true}"#))?;
    let steps = plan["steps"].as_array().ok_or("no plan")?;
    let reused = steps.iter().filter(|step| step["action"] == "reuse").count();
    if reused != expected {
        return Err(format!("{reused} steps are reused, not {expected}").into());
    }
    Ok(())
}

/// The median of launches one after another, seconds.
fn launches(address: SocketAddr, id: &str) -> Result<f64, Failure> {
    let request = post(&format!("/api/v1/workflows/executions/{id}/replay"), r#"{"failed":true}"#);
    let mut client = client::Single::connect(address)?;
    let mut seconds = Vec::with_capacity(LAUNCHES);
    for _ in 0..LAUNCHES {
        seconds.push(client.ask(&request)?);
        await_end(address)?;
    }
    Ok(median(&seconds))
}
