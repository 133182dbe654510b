//! The web page: its list over a million executions, and an execution with 1,000 steps.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::client::{self, Single, get, post};
use crate::measure::{Failure, Figure, Target, median};
use crate::serve::Server;
use crate::store;

const STORED: usize = 1_000_000;
const REQUESTS: usize = 400;

/// The median of an answer, milliseconds.
fn p50(server: &Server, path: &str) -> Result<(f64, usize), Failure> {
    let mut client = Single::connect(server.address)?;
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        times.push(client.ask(&get(path))? * 1e3);
    }
    Ok((median(&times), client::ask(server.address, &get(path))?.len()))
}

/// A daemon over a full store, with an execution of 1,000 steps of which the last failed.
struct Full {
    _folder: tempfile::TempDir,
    server: Server,
    id: String,
}

fn full() -> Result<Full, Failure> {
    let folder = store::folder()?;
    let workflows = folder.path().join("workflows");
    std::fs::create_dir_all(&workflows)?;
    let mut ladder = "id: ladder\nsteps:\n".to_owned();
    for n in 1..1_000_i32 {
        let before: Vec<String> =
            [n - 2, n - 7].iter().filter(|n| **n > 0).map(|n| format!("s{n}")).collect();
        writeln!(ladder, "- {{name: s{n}, depends_on: [{}]}}", before.join(", "))?;
    }
    ladder += "- {name: end, fail: true, depends_on: [s999]}\n";
    std::fs::write(workflows.join("ladder.yaml"), ladder)?;
    let database = store::filled(folder.path(), "full.db", STORED)?;
    let server = Server::wfx(folder.path(), &database)?;
    let started = "/api/v1/workflows/ladder/execute?wait=60s";
    client::ask(server.address, &post(started))?;
    let list = client::ask(server.address, &get("/api/v1/workflows/executions?limit=1"))?;
    let list: serde_json::Value = serde_json::from_slice(&list)?;
    let id = list["items"][0]["execution_id"].as_str().ok_or("no execution")?.to_owned();
    Ok(Full { _folder: folder, server, id })
}

/// What Chromium found of one page.
#[derive(serde::Deserialize)]
struct Painted {
    painted: f64,
    elements: u64,
    longest: f64,
}

/// The pages as Chromium paints them.
pub(crate) fn paint() -> Result<Vec<Figure>, Failure> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target"));
    let tools = tools.join("page-tests");
    let chromium = Path::new("/usr/bin/chromium");
    if !chromium.exists() || !tools.join("node_modules/playwright-core").exists() {
        return Err("this needs Chromium, and what `tests/run page` installs".into());
    }
    let Full { _folder, server, id } = full()?;
    let base = format!("http://{}/executions", server.address);
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/perf/paint.mjs"))
        .args([tools.as_path(), chromium])
        .args([
            base.clone(),
            format!("{base}?cursor={}", STORED / 2),
            format!("{base}/{id}"),
            format!("{base}/{id}?rows=all"),
        ])
        .stderr(Stdio::inherit())
        .output()?;
    let lines = String::from_utf8(output.stdout)?;
    let all = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Painted>, _>>()?;
    let [first, deep, steps, rows] = &all[..] else {
        return Err("the browser did not open every page".into());
    };
    let line = |what: &str, one: &Painted| {
        format!("{what} {:.0} ms, {} elements", one.painted, one.elements)
    };
    Ok(vec![
        Figure {
            name: "page-paint-list: p50 until a list over 1,000,000 executions is painted, ms",
            lines: vec![line("newest", first), line("500,000 deep", deep)],
            value: first.painted.max(deep.painted),
            target: Target::AtMost(200.0),
        },
        Figure {
            name: "page-paint: p50 until an execution with 1,000 steps is painted, ms",
            lines: vec![line("as opened", steps), line("all rows", rows)],
            value: steps.painted,
            target: Target::AtMost(500.0),
        },
        Figure {
            name: "page-pan: the longest task while a graph of 1,000 steps is moved, ms",
            lines: vec!["0 where no task took 50 ms".to_owned()],
            value: steps.longest,
            target: Target::AtMost(50.0),
        },
    ])
}

/// Both pages.
pub(crate) fn pages() -> Result<Vec<Figure>, Failure> {
    let Full { _folder, server, id } = full()?;
    let server = &server;
    let (first, first_bytes) = p50(server, "/executions")?;
    let (deep, _) = p50(server, &format!("/executions?cursor={}", STORED / 2))?;
    let (home, _) = p50(server, "/")?;
    let (of_steps, bytes) = p50(server, &format!("/executions/{id}"))?;
    Ok(vec![
        Figure {
            name: "page-list: p50 of the list page over 1,000,000 executions, ms",
            lines: vec![
                format!("newest {first:.2} ms, {first_bytes} bytes; 500,000 deep {deep:.2} ms"),
                format!("home {home:.2} ms"),
            ],
            value: first.max(deep),
            target: Target::AtMost(3.0),
        },
        Figure {
            name: "page-steps: p50 of the page of a failed execution with 1,000 steps, ms",
            lines: vec![format!("{of_steps:.2} ms, {bytes} bytes")],
            value: of_steps,
            target: Target::AtMost(30.0),
        },
    ])
}
