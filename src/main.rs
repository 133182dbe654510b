//! Parses, runs, returns an exit code.

use std::process::ExitCode;

use wfx::{Environment, START_STEP};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == START_STEP) {
        return wfx::start_step(arguments).into();
    }
    wfx::run(std::env::args_os(), Environment::new(std::env::vars_os())).into()
}
