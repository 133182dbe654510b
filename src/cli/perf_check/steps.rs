//! The durations of steps in the database.

use super::files::Reports;
use super::{Args, Plan, load_plan, show};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::since::Since;
use crate::base::timestamp::Timestamp;
use crate::cli::{CliError, Context};
use crate::perf::judgement::Run;
use crate::perf::report::Report;
use crate::perf::spans;
use crate::perf::steps::{self, StepRuns};
use crate::repository::Reader;

const HEADING: &str = "Steps";

/// The flags of `--steps`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StepsArgs {
    /// Judge how long steps of workflows took, as the database has them
    #[arg(
        long,
        help_heading = HEADING,
        conflicts_with_all = ["stats", "target", "scenario", "endpoint"]
    )]
    pub(super) steps: bool,
    /// Only steps of this workflow
    #[arg(long, value_name = "ID", requires = "steps", help_heading = HEADING)]
    pub(super) workflow: Option<String>,
    /// Only executions of the last 7d, or since 2026-01-31T12:00:00Z
    #[arg(
        long,
        value_name = "TIME",
        requires = "steps",
        help_heading = HEADING
    )]
    pub(super) since: Option<Since>,
    /// Compare them with the executions from 14d ago, or from 2026-01-17T12:00:00Z, up to --since,
    /// instead of a baseline
    #[arg(
        long,
        value_name = "TIME",
        requires_all = ["steps", "since"],
        conflicts_with_all = ["update_baseline", "strict"],
        help_heading = HEADING
    )]
    pub(super) reference_since: Option<Since>,
}

/// Which steps are judged.
pub(super) struct StepsPlan {
    pub(super) workflow_id: Option<String>,
    since: Option<Since>,
}

impl StepsArgs {
    pub(super) fn plan(&self) -> Option<StepsPlan> {
        self.steps.then(|| StepsPlan { workflow_id: self.workflow.clone(), since: self.since })
    }
}

impl StepsPlan {
    /// What the database has of them.
    pub(super) fn read(&self, context: &Context) -> Result<Run, CliError> {
        let reader = Reader::open(&context.settings.database()?)?;
        let since = self.since.map(|since| since.before(clock::now()));
        Ok(steps::run(&runs(&reader, self.workflow_id.as_deref(), since, None)?))
    }
}

fn runs(
    reader: &Reader,
    workflow_id: Option<&str>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<StepRuns>, CliError> {
    let durations = reader.step_durations(workflow_id, since, until)?;
    let runs = durations.into_iter().map(|((workflow_id, step), durations_ms)| StepRuns {
        workflow_id,
        step,
        durations_ms,
    });
    Ok(runs.collect())
}

/// Judges what ran since a time against what ran before it.
pub(super) fn gate(
    reference: Since,
    args: &Args,
    context: &Context,
    reports: &Reports,
) -> Result<Exit, CliError> {
    let usage = |message: &str| CliError::new(Exit::Usage, message.to_owned());
    let now = clock::now();
    let begin = reference.before(now);
    let since = args.steps.since.map(|since| since.before(now)).filter(|since| begin < *since);
    let Some(since) = since else {
        return Err(usage("--reference-since has to be before --since"));
    };
    let policy = Plan::policy(args, context)?;
    // Nothing is measured, and flags that ask for it are refused.
    load_plan(args, &policy, None)?;
    let filter = policy.filter;
    let reader = Reader::open(&context.settings.database()?)?;
    let of = |since, until| {
        let runs = runs(&reader, args.steps.workflow.as_deref(), Some(since), until);
        runs.map(|mut runs| {
            runs.retain(|runs| filter.matches(&runs.key()));
            runs
        })
    };
    let judgement = spans::judge(of(begin, Some(since))?, of(since, None)?);
    if judgement.endpoints.is_empty() {
        let hint = "name other times, or another --workflow; `wfx list --since` shows what ran";
        return Err(usage("no step ran in both spans").with_hint(hint));
    }
    let report = Report {
        judgement: &judgement,
        baseline: format!("{begin} to {since}"),
        update: None,
        measured: None,
    };
    show(&report, context, reports)
}
