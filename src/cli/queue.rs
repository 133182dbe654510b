//! `wfx queue`: who waits for a slot of a concurrency group, for whom and since when.

use std::collections::HashMap;

use super::server_args::ServerArgs;
use super::{CliError, Context};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::repository::Reader;

/// What was typed after `wfx queue`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this concurrency group, as it is shown: `deploy` or `deploy[environment=prod]`
    #[arg(value_name = "GROUP")]
    pub group: Option<String>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        self.server.values()
    }
}

/// Shows it.
///
/// # Errors
/// Exit 3 when the database or the daemon cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let mut queue = match args.server.server(context)? {
        Some(server) => server.queue()?,
        None => Reader::open(&context.settings.database()?)?.queue()?,
    };
    if let Some(only) = &args.group {
        queue.groups.retain(|group| group.group == *only);
    }
    if context.ui.format().is_json() {
        context.ui.json(&queue)?;
    } else {
        context.ui.queue(&queue, clock::now())?;
    }
    Ok(Exit::Success)
}
