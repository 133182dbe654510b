//! The program `wfx` as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::{Failure, Figure, PAIRS, Pairs, Target, median, timed};
use crate::serve::Server;
use crate::{Measured, store};

pub(crate) const WFX: &str = env!("CARGO_BIN_EXE_wfx");
/// Runs of one measurement: a process is too short for one to tell.
const RUNS: usize = 41;
const STORED: usize = 1_000_000;

/// A limit that is a program of its own, which `perf/run` builds.
pub(crate) fn limit(name: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(WFX).with_file_name("examples").join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("no {}: start perf/run", path.display()).into())
    }
}

pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

/// Alternates run by run, and gives the medians of each [`RUNS`] of them.
fn alternate_runs(ours: &mut Command, other: &mut Command) -> Result<Pairs, Failure> {
    let mut pairs = Pairs { ours: Vec::new(), other: Vec::new() };
    run(ours)?;
    run(other)?;
    for _ in 0..PAIRS {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            a.push(timed(|| run(ours))?.as_secs_f64() * 1000.0);
            b.push(timed(|| run(other))?.as_secs_f64() * 1000.0);
        }
        pairs.ours.push(median(&a));
        pairs.other.push(median(&b));
    }
    Ok(pairs)
}

/// `wfx exec` of three programs against a bare loop.
pub(crate) fn exec() -> Measured {
    let folder = store::folder()?;
    let document = folder.path().join("three.yaml");
    let steps =
        "steps: [{name: a, run: ['true']}, {name: b, run: ['true']}, {name: c, run: ['true']}]";
    std::fs::write(&document, steps)?;
    let mut ours = Command::new(WFX);
    ours.arg("exec").arg(&document).arg("--db").arg(folder.path().join("exec.db"));
    let mut other = Command::new(limit("limit-exec")?);
    other.arg(folder.path().join("limit.db"));
    let pairs = alternate_runs(&mut ours, &mut other)?;
    Ok(Figure {
        name: "exec: `wfx exec` of three `run: [\"true\"]` against a bare loop with 4 synced commits",
        lines: pairs.lines("wfx exec", "bare loop", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}

/// `wfx list` on a million executions against the least that lists.
pub(crate) fn list() -> Measured {
    let folder = store::folder()?;
    let database = store::filled(folder.path(), "list.db", STORED)?;
    let mut ours = Command::new(WFX);
    ours.arg("list").arg("--db").arg(&database);
    let mut other = Command::new(limit("limit-list")?);
    other.arg(&database);
    let pairs = alternate_runs(&mut ours, &mut other)?;
    Ok(Figure {
        name: "list: `wfx list` on 1,000,000 executions against a minimal program",
        lines: pairs.lines("wfx list", "minimal", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}

/// `wfx start --wait` over a unix socket against `curl` that does the same.
pub(crate) fn start() -> Measured {
    let folder = store::folder()?;
    let database = store::empty(folder.path(), "start.db")?;
    let socket = folder.path().join("wfx.sock");
    let _server = Server::wfx_at(folder.path(), &database, &[&socket])?;
    let mut ours = Command::new(WFX);
    ours.args(["start", "bench", "--wait", "--server"]);
    ours.arg(format!("unix:{}", socket.display()));
    let mut other = Command::new("curl");
    other.args(["-sf", "-X", "POST", "--unix-socket"]).arg(&socket);
    other.arg("http://localhost/api/v1/workflows/bench/execute?wait=300s");
    let pairs = alternate_runs(&mut ours, &mut other)?;
    Ok(Figure {
        name: "client: `wfx start --wait` of 3 empty steps over a unix socket against curl",
        lines: pairs.lines("wfx start --wait", "curl", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.2),
    })
}

/// The peak memory of `wfx exec` on the fixture with 500 steps.
pub(crate) fn memory() -> Measured {
    let folder = store::folder()?;
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workflows/fleet.json");
    let mut command = Command::new(WFX);
    command.arg("exec").arg(document).arg("--db").arg(folder.path().join("memory.db"));
    let peak_kb = peak_kb(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    Ok(Figure {
        name: "memory: peak MB of `wfx exec` on the fixture with 500 steps",
        lines: vec![format!("{peak_kb} kB")],
        value: peak_kb / 1024.0,
        target: Target::AtMost(30.0),
    })
}

/// Runs a command to its good end and gives the peak of its memory, kB.
pub(crate) fn peak_kb(command: &mut Command) -> Result<f64, Failure> {
    let mut child = command.spawn()?;
    let mut peak_kb: u32 = 0;
    // The system keeps the peak for as long as the process lives.
    while child.try_wait()?.is_none() {
        if let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kb = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            peak_kb = peak_kb.max(kb.unwrap_or(0));
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    if !child.wait()?.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(f64::from(peak_kb))
}
