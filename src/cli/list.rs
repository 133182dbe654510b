//! `wfx list`: executions, newest first.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::server_args::ServerArgs;
use super::{CliError, Context};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::since::Since;
use crate::repository::{ListFilter, Listing};
use crate::workflow::record::{ExecutionRecord, ExecutionStatus};

/// What was typed after `wfx list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only executions of this workflow
    #[arg(long, value_name = "ID")]
    pub workflow: Option<String>,
    /// Only executions in this state
    #[arg(long, value_name = "STATUS", value_parser = status())]
    pub status: Option<ExecutionStatus>,
    /// How many at most, up to 10000
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// How many of the newest to leave out
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub offset: u64,
    /// Only executions created in the last 2h, or since 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// A status, with those that there are for help and completions.
fn status() -> impl TypedValueParser<Value = ExecutionStatus> {
    PossibleValuesParser::new(ExecutionStatus::ALL.map(ExecutionStatus::as_str))
        .try_map(|text| text.parse::<ExecutionStatus>())
}

/// Lists a page.
///
/// # Errors
/// Exit 3 when the database or the daemon cannot be read.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let now = clock::now();
    let filter = ListFilter {
        workflow_id: args.workflow.clone(),
        status: args.status,
        since: args.since.map(|since| since.start(now)),
        after: None,
    };
    let source = args.server.source(context)?;
    let mut pages = source.list(filter, args.limit, args.offset);
    let first = pages.next()?.unwrap_or_default();
    let total = pages.total();
    if context.ui.format().is_json() {
        let mut first = Some(first);
        let next = || match first.take() {
            Some(first) => Ok(Some(first)),
            None => Ok::<_, CliError>(pages.next()?),
        };
        context.ui.list_json(total, args.limit, args.offset, next)?;
        return Ok(Exit::Success);
    }
    let (mut items, mut piece) = (Vec::new(), Some(first));
    while let Some(more) = piece {
        // Tables show nothing of what was given, which may be a megabyte each.
        let without = |item| ExecutionRecord { input_snapshot: Default::default(), ..item };
        items.extend(more.into_iter().map(without));
        piece = pages.next()?;
    }
    context.ui.list(&Listing { items, total, ..Listing::default() }, args.offset, now)?;
    Ok(Exit::Success)
}
