//! `wfx complete`: what may stand where a shell completes a word. Called by the scripts of `wfx
//! completions`; it reports no errors, which would come into the line that is typed.

use std::ffi::OsString;

use super::server_args::ServerArgs;
use super::{CliError, Context};
use crate::base::exit::Exit;
use crate::client::source::Source;
use crate::repository::ListFilter;
use crate::settings::{Environment, Flags, Settings};
use crate::terminal::{OutputFormat, Ui};

/// So many of the newest executions are offered, while their snapshots are not longer than this.
const EXECUTIONS_MAX: u32 = 50;
const SNAPSHOT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So many workflows are offered.
const WORKFLOWS_MAX: u32 = 1_000;

/// What is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// What names an execution: ids of workflows and of executions.
    Executions,
    /// Ids of workflows that have executions.
    Workflows,
    /// Ids of workflows that a daemon can start.
    Startable,
}

/// What is to be completed, if the arguments are those of a script. It is no command of the command
/// line, where help and the scripts themselves would name it.
pub(super) fn wanted(arguments: &[OsString]) -> Option<What> {
    match arguments {
        [_, complete, what] if complete == "complete" => match what.to_str()? {
            "executions" => Some(What::Executions),
            "workflows" => Some(What::Workflows),
            "startable" => Some(What::Startable),
            _ => None,
        },
        _ => None,
    }
}

/// Writes each candidate on a line; nothing where there is none, for whatever reason.
pub(super) fn run(what: What, environment: Environment) -> Exit {
    let settings = Settings::new(environment, Flags::default());
    let context = Context { ui: Ui::new(OutputFormat::Plain, true), settings };
    let mut text = String::new();
    for candidate in candidates(what, &context).unwrap_or_default() {
        // A shell would take others for several words, or for a flag.
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if candidate.chars().all(is_word) && !candidate.starts_with('-') {
            text += &candidate;
            text.push('\n');
        }
    }
    // The shell may have stopped reading.
    let _ = context.ui.bytes(text.as_bytes());
    Exit::Success
}

fn candidates(what: What, context: &Context) -> Result<Vec<String>, CliError> {
    // Another machine may take seconds to answer.
    if let Some(address) = context.settings.server()?
        && !address.is_here()
    {
        return Ok(Vec::new());
    }
    let source = ServerArgs::default().source(context)?;
    Ok(match (what, &source) {
        (What::Startable, Source::Server(server)) => server.workflow_ids()?,
        (What::Startable, Source::Database(_)) => Vec::new(),
        (What::Workflows, source) => source.workflow_ids(WORKFLOWS_MAX)?,
        (What::Executions, source) => {
            let mut all = source.workflow_ids(WORKFLOWS_MAX)?;
            let newest =
                source.list_short(&ListFilter::default(), EXECUTIONS_MAX, SNAPSHOT_BYTES_MAX)?;
            all.extend(newest.into_iter().map(|execution| execution.execution_id));
            all
        }
    })
}
