//! `wfx schedule list` and `wfx schedule history`.

use std::collections::HashMap;

use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::visible::quote;
use crate::cli::server_args::ServerArgs;
use crate::cli::source::folder;
use crate::cli::{CliError, Context, given};
use crate::operations::rehearsal::Workflow;
use crate::operations::schedules::{self, ScheduleStatus, StoredSchedules};
use crate::repository::{DecisionPosition, Reader, StoreErrorKind};
use crate::workflow::compiled::CompiledWorkflow;
use crate::workflow::schedule_record::DecisionRecord;

/// How many rows of decisions are read at a time.
const PAGE: u32 = 500;

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only those of this workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// The folder of workflows [WFX_WORKFLOWS; default: none]
    #[arg(long, value_name = "DIR")]
    workflows: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    /// Only those of this workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// How many rows; times in a row of which nothing was started are one
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl ListArgs {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        let mut values = self.server.values();
        values.extend(given([("WFX_WORKFLOWS", &self.workflows)]));
        values
    }
}

pub(super) fn list(args: &ListArgs, context: &Context) -> Result<Exit, CliError> {
    let mut schedules = match args.server.server(context)? {
        Some(server) => {
            super::refuse_folder(args.workflows.is_some())?;
            server.schedules()?
        }
        None => stored(context)?,
    };
    if let Some(only) = &args.workflow {
        schedules.retain(|schedule| schedule.workflow_id == *only);
        if schedules.is_empty() {
            let message = format!("there is no schedule of a workflow {}", quote(only));
            return Err(CliError::new(Exit::Usage, message)
                .with_hint("`wfx schedule list` without a name shows every schedule"));
        }
    }
    context.ui.schedules(&schedules)?;
    Ok(Exit::Success)
}

/// Those of the folder and of the database.
fn stored(context: &Context) -> Result<Vec<ScheduleStatus>, CliError> {
    let folder_of = context.settings.workflows()?;
    let workflows: Vec<Workflow> = match &folder_of {
        Some(path) => {
            let entries = folder(path)?.0.list();
            let compiled = entries.iter().filter_map(|entry| entry.compiled.as_deref());
            compiled.map(CompiledWorkflow::definition).map(Workflow::of).collect()
        }
        None => Vec::new(),
    };
    let now = clock::now();
    let read = Reader::open(&context.settings.database()?)
        .and_then(|reader| StoredSchedules::read(&reader, now));
    let stored = match read {
        // No daemon ran yet.
        Err(error) if error.kind() == StoreErrorKind::Missing && folder_of.is_some() => {
            StoredSchedules::default()
        }
        read => read?,
    };
    Ok(schedules::list(&workflows, stored, now))
}

pub(super) fn history(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    let only = args.workflow.as_deref();
    let server = args.server.server(context)?;
    let reader = match &server {
        None => Some(Reader::open(&context.settings.database()?)?),
        Some(_) => None,
    };
    let mut decisions: Vec<DecisionRecord> = Vec::new();
    loop {
        let left = args.limit.saturating_sub(u32::try_from(decisions.len()).unwrap_or(u32::MAX));
        let limit = left.min(PAGE);
        let last = decisions.last();
        let page = match (&server, &reader) {
            (Some(server), _) => server.decisions(only, last, limit)?,
            (None, Some(reader)) => {
                let position = last.map(DecisionPosition::after);
                reader.decisions(only, position.as_ref(), limit)?
            }
            (None, None) => Vec::new(),
        };
        let is_last = page.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        decisions.extend(page);
        if is_last || left <= limit {
            break;
        }
    }
    context.ui.decisions(&decisions)?;
    Ok(Exit::Success)
}
