//! `wfx status`: every workflow with its last execution, its last success and how long it usually
//! takes.

use std::collections::HashMap;

use serde_json::json;

use super::server_args::ServerArgs;
use super::source::folder;
use super::{CliError, Context, given};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::visible::quote;
use crate::operations::status::{self, ScheduleFacts, WorkflowStatus};
use crate::repository::{Reader, StoreErrorKind};

/// What was typed after `wfx status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this workflow
    #[arg(value_name = "WORKFLOW")]
    pub workflow: Option<String>,
    /// The folder of workflows, to show those that never ran and files that are broken
    /// [WFX_WORKFLOWS; default: none]
    #[arg(long, value_name = "DIR")]
    pub workflows: Option<String>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.server.values();
        values.extend(given([("WFX_WORKFLOWS", &self.workflows)]));
        values
    }
}

/// Shows it.
///
/// # Errors
/// Exit 2 for an unknown workflow, 3 when the database or the folder cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let workflows = match args.server.server(context)? {
        Some(server) => {
            if args.workflows.is_some() {
                let message = "--workflows names a folder here, and the daemon has one of its own";
                return Err(CliError::new(Exit::Usage, message).with_hint("leave it out"));
            }
            let mut workflows = server.status()?;
            workflows.retain(|workflow| {
                args.workflow.as_ref().is_none_or(|only| workflow.workflow_id == *only)
            });
            workflows
        }
        None => stored(args, context)?,
    };
    if let (Some(only), true) = (&args.workflow, workflows.is_empty()) {
        let message = format!("there is no execution of a workflow {}", quote(only));
        return Err(CliError::new(Exit::Usage, message)
            .with_hint("`wfx status` without a name shows every workflow"));
    }
    if context.ui.format().is_json() {
        context.ui.json(&json!({ "workflows": workflows }))?;
    } else {
        context.ui.status(&workflows)?;
    }
    Ok(Exit::Success)
}

/// The state of those of the database, and of the folder.
fn stored(args: &Args, context: &Context) -> Result<Vec<WorkflowStatus>, CliError> {
    let folder_of = context.settings.workflows()?;
    let mut entries = match &folder_of {
        Some(path) => folder(path)?.0.list(),
        None => Vec::new(),
    };
    let only = args.workflow.as_deref();
    let now = clock::now();
    let read = Reader::open(&context.settings.database()?)
        .and_then(|reader| Ok((reader.summaries(only)?, ScheduleFacts::read(&reader, now)?)));
    let (summaries, facts) = match read {
        // Nothing of the folder ran yet.
        Err(error) if error.kind() == StoreErrorKind::Missing && folder_of.is_some() => {
            (Vec::new(), ScheduleFacts::default())
        }
        read => read?,
    };
    entries.retain(|entry| only.is_none_or(|only| entry.workflow_id == only));
    Ok(status::of_workflows(&entries, summaries, &facts, now))
}
