//! Parses, runs, returns an exit code.

use std::process::ExitCode;

use wfx::{Environment, START_STEP, START_SUCCESSOR};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == START_STEP => return wfx::start_step(arguments).into(),
        Some(first) if first == START_SUCCESSOR => return wfx::start_successor(arguments).into(),
        _ => {}
    }
    wfx::run(std::env::args_os(), Environment::new(std::env::vars_os())).into()
}
