//! Benchmarks: wfx against a limit or a peer measured in the same run, alternating,
//! as ratios of medians. `perf/run` builds what they need; perf/README.md has the
//! figures.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark prints and measures time"
)]

mod client;
mod command;
mod engine;
mod groups;
mod limits;
mod load;
mod measure;
mod notify;
mod output;
mod page;
mod postgres;
mod recovery;
mod replay;
mod schedule;
mod serve;
mod slo;
mod snapshot;
mod store;
mod truth;

use std::process::ExitCode;

use crate::measure::{Failure, Figure};

const NAMES: [&str; 33] = [
    "engine",
    "stored",
    "retention",
    "disk",
    "exec",
    "shell",
    "conditions",
    "list",
    "recover",
    "replay",
    "start",
    "start-32",
    "groups",
    "notify",
    "wait",
    "client",
    "ping",
    "read",
    "page",
    "ready",
    "truth",
    "lateness",
    "saturation",
    "cpu",
    "samples",
    "slo-engine",
    "slo-ping",
    "slo-ndjson",
    "schedule-year",
    "scheduler",
    "output",
    "output-disk",
    "output-beside",
];
/// Those that are asked for by name or with all: each takes a while.
const LONG: [&str; 4] = ["memory", "recover-memory", "serve-memory", "slo-day"];
/// Those that are asked for by name alone: they need what not every machine has.
const NAMED: [&str; 6] = [
    "page-paint",
    "postgres",
    "postgres-stored",
    "postgres-retention",
    "postgres-wait",
    "postgres-list",
];

fn main() -> ExitCode {
    // `cargo bench` adds a flag of its own.
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let names: Vec<&str> = match asked.first().map(String::as_str) {
        None | Some("all") => NAMES.into_iter().chain(LONG).collect(),
        Some(_) => asked.iter().map(String::as_str).collect(),
    };
    for name in names {
        let measured = match name {
            "engine" => one(engine::throughput()),
            "stored" => one(engine::with_a_million_stored()),
            "retention" => one(engine::with_retention()),
            "disk" => one(engine::bytes_on_disk()),
            "exec" => one(command::exec()),
            "shell" => one(engine::shell_overhead()),
            "conditions" => one(engine::conditions()),
            "list" => one(command::list()),
            "recover" => one(recovery::throughput()),
            "replay" => one(replay::launch()),
            "memory" => one(command::memory()),
            "recover-memory" => one(recovery::memory()),
            "start" => serve::start(),
            "groups" => groups::groups(),
            "notify" => notify::notify(),
            "start-32" => one(serve::absolute()),
            "wait" => one(serve::wait()),
            "client" => one(command::start()),
            "ping" => serve::ping(),
            "read" => serve::reads_of_a_million(),
            "page" => page::pages(),
            "page-paint" => page::paint(),
            "postgres" => one(postgres::throughput()),
            "postgres-stored" => one(postgres::with_a_million_stored()),
            "postgres-retention" => one(postgres::with_retention()),
            "postgres-wait" => one(postgres::wait()),
            "postgres-list" => one(postgres::list()),
            "ready" => one(serve::ready()),
            "serve-memory" => serve::memory(),
            "truth" => one(load::truth()),
            "lateness" => one(load::lateness()),
            "saturation" => one(load::saturation()),
            "cpu" => one(load::cpu()),
            "samples" => one(load::memory()),
            "slo-engine" => slo::engine(),
            "slo-ping" => one(slo::ping()),
            "slo-ndjson" => one(slo::ndjson()),
            "schedule-year" => schedule::year(),
            "scheduler" => schedule::scheduler(),
            "output" => one(output::time()),
            "output-disk" => one(output::disk()),
            "output-beside" => one(output::beside()),
            "slo-day" => one(slo::day()),
            other => {
                let names = [&NAMES[..], &LONG, &NAMED].concat().join(", ");
                eprintln!("no benchmark `{other}`: there are {names}");
                return ExitCode::from(2);
            }
        };
        match measured {
            Ok(figures) => figures.iter().for_each(|figure| println!("{figure}")),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::from(3);
            }
        }
    }
    ExitCode::SUCCESS
}

/// What a benchmark gives.
type Measured = Result<Figure, Failure>;

fn one(measured: Measured) -> Result<Vec<Figure>, Failure> {
    measured.map(|figure| vec![figure])
}
