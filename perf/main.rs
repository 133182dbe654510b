//! Benchmarks: wfx against a limit or a peer measured in the same run, alternating,
//! as ratios of medians. `perf/run` builds what they need; perf/README.md has the
//! figures.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark prints and measures time"
)]

mod command;
mod engine;
mod limits;
mod load;
mod measure;
mod recovery;
mod store;
mod truth;

use std::process::ExitCode;

use crate::measure::{Failure, Figure};

const NAMES: [&str; 13] = [
    "engine",
    "stored",
    "retention",
    "disk",
    "exec",
    "shell",
    "list",
    "recover",
    "truth",
    "lateness",
    "saturation",
    "cpu",
    "samples",
];

fn main() -> ExitCode {
    // `cargo bench` adds a flag of its own.
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let names: Vec<&str> = match asked.first().map(String::as_str) {
        None | Some("all") => NAMES.into_iter().chain(["memory", "recover-memory"]).collect(),
        Some(_) => asked.iter().map(String::as_str).collect(),
    };
    for name in names {
        let measured = match name {
            "engine" => engine::throughput(),
            "stored" => engine::with_a_million_stored(),
            "retention" => engine::with_retention(),
            "disk" => engine::bytes_on_disk(),
            "exec" => command::exec(),
            "shell" => engine::shell_overhead(),
            "list" => command::list(),
            "recover" => recovery::throughput(),
            "truth" => load::truth(),
            "lateness" => load::lateness(),
            "saturation" => load::saturation(),
            "cpu" => load::cpu(),
            "samples" => load::memory(),
            "memory" => command::memory(),
            "recover-memory" => recovery::memory(),
            other => {
                eprintln!(
                    "no benchmark `{other}`: there are {}, memory, recover-memory",
                    NAMES.join(", ")
                );
                return ExitCode::from(2);
            }
        };
        match measured {
            Ok(figure) => println!("{figure}"),
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
