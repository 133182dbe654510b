//! The durations of steps in the database.

use super::super::list::{self, Since};
use crate::cli::{CliError, Context};
use crate::clock;
use crate::perf::steps::{self, StepRuns};
use crate::perf::verdict::Run;
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
        value_parser = list::since,
        help_heading = HEADING
    )]
    pub(super) since: Option<Since>,
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
        let durations = reader.step_durations(self.workflow_id.as_deref(), since)?;
        let runs = durations.into_iter().map(|((workflow_id, step), durations_ms)| StepRuns {
            workflow_id,
            step,
            durations_ms,
        });
        Ok(steps::run(&runs.collect::<Vec<_>>()))
    }
}
