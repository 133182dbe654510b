//! Parses, runs, returns an exit code.

use std::process::ExitCode;

use wfx::engine::work::detach;
use wfx::settings::Environment;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == detach::ARGUMENT) {
        return wfx::cli::start_step(arguments).into();
    }
    wfx::cli::run(std::env::args_os(), Environment::new(std::env::vars_os())).into()
}
