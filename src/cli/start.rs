//! `wfx start`: starts a workflow of a daemon's folder.

use std::collections::HashMap;

use serde_json::json;

use super::follow::{self, Shown};
use super::server_args::ServerArgs;
use super::{CliError, Context, exec};
use crate::base::exit::Exit;
use crate::base::visible::visible;
use crate::client::server::{Server, Started, Waited};

/// What was typed after `wfx start`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The id of a workflow in the folder of `wfx serve --workflows`
    pub workflow: String,
    /// A parameter; repeat for more
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = exec::parameter)]
    pub param: Vec<(String, String)>,
    /// Wait for its end: the exit codes are those of `wfx exec`. Ctrl-C leaves the execution running
    #[arg(short, long)]
    pub wait: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        self.server.values()
    }
}

/// Starts it, and waits for its end if that is wanted.
///
/// # Errors
/// Exit 2 for an unknown workflow and parameters that do not fit it, 3 when the daemon fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let server = args.server.needed(context)?;
    if !args.wait {
        let started = server.start(&args.workflow, &args.param)?;
        return show_start(&started, context);
    }
    if context.ui.is_live() {
        let started = server.start(&args.workflow, &args.param)?;
        return follow::follow(&server, &started.execution_id, Shown::Steps, |_| {}, context);
    }
    wait(&server, args, context)
}

/// Waits with one request, unless it takes longer than a daemon waits.
fn wait(server: &Server, args: &Args, context: &Context) -> Result<Exit, CliError> {
    let execution_id = match server.start_and_wait(&args.workflow, &args.param)? {
        Waited::Detail(detail) if detail.execution.status.is_terminal() => {
            return follow::finish_known(&detail, context);
        }
        Waited::Detail(detail) => detail.execution.execution_id,
        Waited::Started(started) => started.execution_id,
    };
    follow::follow(server, &execution_id, Shown::Nothing, |_| {}, context)
}

fn show_start(started: &Started, context: &Context) -> Result<Exit, CliError> {
    let Started { execution_id, persisted, waiting_for } = started;
    if context.ui.format().is_json() {
        let status = if waiting_for.is_some() { "queued" } else { "started" };
        let mut answer =
            json!({"execution_id": execution_id, "status": status, "persisted": persisted});
        if let Some(on) = waiting_for {
            answer["waiting_for"] = json!(on);
        }
        context.ui.json(&answer)?;
    } else {
        context.ui.line(execution_id)?;
    }
    if let Some(on) = waiting_for {
        context.ui.note(&format!(
            "it waits for a slot of the concurrency group {}, held by {}",
            visible(&on.group),
            on.holders_text()
        ));
    }
    if !persisted {
        context.ui.warning(
            "the daemon cannot store it yet: it runs, and is lost if the daemon dies before it can",
        );
    }
    Ok(Exit::Success)
}
