//! Parses, runs, returns an exit code.

use std::process::ExitCode;

use wfx::settings::Environment;

fn main() -> ExitCode {
    wfx::cli::run(std::env::args_os(), Environment::new(std::env::vars_os())).into()
}
