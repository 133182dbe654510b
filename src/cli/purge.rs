//! `wfx purge`: deletes finished executions, and says before what it would delete and why.

use super::{CliError, Context, session};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::period::Period;
use crate::operations::purge::{self, Planned};
use crate::repository::{Reader, Retention, StoreError, WriterOptions};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::retention::PrunePolicy;

/// What was typed after `wfx purge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many of the finished executions that completed last stay. Without --older-than and --all,
    /// workflows with their own `retention` follow that
    /// [default without --older-than and --all: WORKFLOW_EXECUTION_RETENTION]
    #[arg(value_name = "RETENTION", allow_negative_numbers = true, conflicts_with = "all")]
    pub retention: Option<i64>,
    /// Only executions that completed longer ago than this
    #[arg(long, value_name = "DURATION")]
    pub older_than: Option<Period>,
    /// Only executions in this state: success, failed, cancelled, interrupted
    #[arg(long, value_name = "STATUS", value_parser = finished)]
    pub status: Option<ExecutionStatus>,
    /// Every finished execution that the other options let through
    #[arg(long)]
    pub all: bool,
    /// Delete pinned executions like others
    #[arg(long)]
    pub include_pinned: bool,
    /// Show what would be deleted, and why each execution goes or stays; delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: list every execution
    #[arg(short, long, requires = "dry_run")]
    pub verbose: bool,
}

/// Deletes, or shows what would be deleted.
///
/// # Errors
/// Exit 3 when the database fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let policy = policy(args, context)?;
    let database = context.settings.database()?;
    let follows = args.retention.is_none()
        && args.older_than.is_none()
        && !args.all
        && !context.settings.is_retention_set()?;
    let plan = |reader: &Reader| purge::plan(reader, policy, follows, clock::now());
    if args.dry_run {
        let planned = plan(&Reader::open(&database)?)?;
        context.ui.purge_plan(&planned, args.verbose)?;
        return Ok(Exit::Success);
    }
    // A purge makes no database.
    if let Err(error) = Reader::open(&database)
        && error.kind() == crate::repository::StoreErrorKind::Missing
    {
        return Err(error.into());
    }
    let busy_timeout = context.settings.store_timeout()?;
    let patience = Period::new(busy_timeout);
    let options = WriterOptions {
        durability: context.settings.durability()?,
        trusted_owner: context.settings.trusted_owner()?,
        retention: Retention::Given(None),
        queue_capacity: 1,
        busy_timeout,
        output: context.settings.output_budgets(false)?,
        commits: None,
    };
    let writer = session::writer(context, options)?;
    let Planned { plan, .. } = plan(&Reader::open(&database)?)?;
    let progress = context.ui.progress_bar(plan.executions());
    let mut waits =
        |error: &StoreError| progress.say(|| session::report_wait(context, error, patience));
    let purged = writer.purge_reporting(&plan, &mut |deleted| progress.set(deleted), &mut waits)?;
    drop(progress);
    writer.close()?;
    context.ui.purge(&plan, &purged)?;
    Ok(Exit::Success)
}

fn policy(args: &Args, context: &Context) -> Result<PrunePolicy, CliError> {
    let others = args.older_than.is_some() || args.all;
    if let (Some(status), None, false) = (args.status, args.retention, others) {
        context.ui.note(&format!(
            "only those beyond the retention go; `--all --status {status}` deletes every one"
        ));
    }
    let keep = match args.retention {
        Some(count) if count <= 0 => {
            context.ui.note(
                "a retention of 0 or less keeps everything; `wfx purge --all` deletes every \
                 finished execution",
            );
            Some(0)
        }
        Some(count) => u64::try_from(count).ok(),
        None if others => None,
        None => context.settings.retention()?,
    };
    Ok(PrunePolicy {
        keep,
        older_than: args.older_than,
        status: args.status,
        all: args.all,
        include_pinned: args.include_pinned,
    })
}

fn finished(text: &str) -> Result<ExecutionStatus, String> {
    let status: ExecutionStatus = text
        .parse()
        .map_err(|error: crate::workflow::record::ParseStatusError| error.to_string())?;
    if status.is_terminal() {
        Ok(status)
    } else {
        Err(format!("executions that are {status} are never deleted"))
    }
}
