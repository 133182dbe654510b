//! Against the build before, side by side.

use super::files::Reports;
use super::{Args, Plan, load_plan, show};
use crate::base::exit::Exit;
use crate::cli::{CliError, Context};
use crate::perf::judgement::Policy;
use crate::perf::load::pairs::{self, PairsPlan};
use crate::perf::load::{Pace, Target};
use crate::perf::paired::Floors;
use crate::perf::paired::verdict::judgement;
use crate::perf::report::Report;

const HEADING: &str = "Against a reference";

/// The flags of `--reference`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReferenceArgs {
    /// Measure the build before side by side with --target, in pairs of requests, instead of a
    /// baseline: 500 to 8,000 pairs of each endpoint, as many as it takes
    #[arg(
        long,
        value_name = "URL",
        requires = "target",
        conflicts_with_all = ["stats", "steps", "closed", "connections", "duration", "update_baseline", "strict"],
        help_heading = HEADING
    )]
    pub(super) reference: Option<String>,
    /// A smaller difference does not matter, whatever its share, in ms
    #[arg(
        long,
        value_name = "MS",
        requires = "reference",
        default_value = "0.05",
        value_parser = milliseconds,
        help_heading = HEADING
    )]
    pub(super) least_difference_ms: f64,
    /// Of the order within pairs [default: another one each time]
    #[arg(long, value_name = "NUMBER", requires = "reference", help_heading = HEADING)]
    pub(super) seed: Option<u64>,
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|ms: &f64| ms.is_finite() && *ms >= 0.0);
    value.ok_or_else(|| "give milliseconds, a decimal of 0 or more".to_owned())
}

/// Judges the target against the reference.
pub(super) fn gate(
    url: &str,
    args: &Args,
    context: &Context,
    reports: &Reports,
) -> Result<Exit, CliError> {
    let policy = Plan::policy(args, context)?;
    let plan = pairs_plan(url, args, &policy)?;
    let outcome = context.ui.comparing(|tell| pairs::compare(&plan, tell))?;
    let judgement = judgement(outcome, &plan.floors, plan.error_rate_max);
    let report = Report {
        judgement: &judgement,
        baseline: url.to_owned(),
        update: None,
        measured: Some(serde_json::json!({
            "target": plan.target.url(),
            "reference": plan.reference.url(),
            "seed": plan.seed,
        })),
    };
    show(&report, context, reports)
}

fn pairs_plan(url: &str, args: &Args, policy: &Policy) -> Result<PairsPlan, CliError> {
    let refuse = |message: &str| CliError::new(Exit::Usage, message.to_owned());
    let Some(load) = load_plan(args, policy, None)? else {
        return Err(refuse("--reference needs a --target to compare it with"));
    };
    let Pace::Rate(rate) = load.pace else {
        return Err(refuse("--reference and --closed do not go together"));
    };
    let is_tracked = |name: &str| policy.filter.matches(name);
    Ok(PairsPlan {
        target: load.target,
        reference: Target::parse(url)?,
        endpoints: load.endpoints.into_iter().filter(|e| is_tracked(&e.name)).collect(),
        rate,
        warmup: load.warmup,
        timeout: load.timeout,
        floors: Floors { least_ms: args.reference.least_difference_ms, ..Floors::default() },
        error_rate_max: policy.error_rate_max,
        seed: args.reference.seed.unwrap_or_else(|| fastrand::u64(..)),
    })
}
