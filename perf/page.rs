//! The web page: its list over a million executions, and an execution with 1,000 steps.

use std::fmt::Write as _;

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

/// Both pages.
pub(crate) fn pages() -> Result<Vec<Figure>, Failure> {
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
    let (first, first_bytes) = p50(&server, "/executions")?;
    let (deep, _) = p50(&server, &format!("/executions?cursor={}", STORED / 2))?;
    let (home, _) = p50(&server, "/")?;
    let (of_steps, bytes) = p50(&server, &format!("/executions/{id}"))?;
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
