//! Durations of workflow steps as figures that a baseline judges.

use super::baseline::Baseline;
use super::judgement::{Observed, Reading, Run, Source};
use super::stats::{self, Latency, Summary};

/// The prefix of a step's key.
const PREFIX: &str = "STEP ";
/// Stretches of a distribution's shape.
const SHAPE_BINS: usize = 16;

/// The fewest runs of a step for a verdict. Histories are short: a nightly workflow runs thirty
/// times in a month.
pub(crate) const RUNS_MIN: u64 = 20;

/// A step that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepRuns {
    /// Its workflow.
    pub workflow_id: String,
    /// Its name.
    pub step: String,
    /// How long each run took that succeeded, milliseconds.
    pub durations_ms: Vec<u64>,
}

impl StepRuns {
    /// Its key in a baseline: `STEP workflow/step`.
    #[must_use]
    pub(crate) fn key(&self) -> String {
        format!("{PREFIX}{}/{}", self.workflow_id, self.step)
    }
}

/// The keys of the baseline that a run must contain: those of steps, of one workflow if only that
/// was requested.
#[must_use]
pub(crate) fn of_steps(key: &str, workflow_id: Option<&str>) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|step| match workflow_id {
        Some(workflow_id) => {
            step.strip_prefix(workflow_id).is_some_and(|rest| rest.starts_with('/'))
        }
        None => true,
    })
}

/// The part of the baseline for a run that measures requests, or for one of steps: neither knows
/// what the other judges.
#[must_use]
pub(crate) fn part(baseline: Baseline, is_of_steps: bool, workflow_id: Option<&str>) -> Baseline {
    baseline.only(|key| match is_of_steps {
        true => of_steps(key, workflow_id),
        false => !of_steps(key, None),
    })
}

/// The figures of steps.
#[must_use]
pub(crate) fn run(runs: &[StepRuns]) -> Run {
    let endpoints = runs.iter().map(observed).collect();
    let notes = vec![
        "only steps that succeeded are judged; `wfx list --status failed` shows the others"
            .to_owned(),
    ];
    let source = Source { name: "steps".to_owned(), own: true, notes, ..Source::default() };
    Run { source, endpoints, doubts: Vec::new(), is_late: false }
}

fn observed(runs: &StepRuns) -> Observed {
    const NANOS: u64 = 1_000_000;
    let endpoint = runs.key();
    let mut nanos: Vec<u64> =
        runs.durations_ms.iter().map(|millis| millis.saturating_mul(NANOS)).collect();
    let summary = Summary::of(&mut nanos);
    let reading = |latency: Option<Latency>| latency.map_or(Reading::Absent, Reading::Value);
    let count = nanos.len() as u64;
    Observed {
        endpoint,
        median: reading(summary.map(|summary| summary.median)),
        p95: reading(summary.map(|summary| summary.p95)),
        p99: summary.map(|summary| summary.p99),
        max: summary.map(|summary| summary.max),
        samples: Some(count),
        requests: count,
        shape: stats::shape(&nanos, SHAPE_BINS),
        ..Observed::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let text = r#"{"version":2,"endpoints":{
            "GET /x":{"median_ms":1.0,"p95_ms":2.0},
            "STEP nightly/load":{"median_ms":1.0,"p95_ms":2.0},
            "STEP nightly-2/load":{"median_ms":1.0,"p95_ms":2.0}}}"#;
        Baseline::parse(text).unwrap()
    }

    fn keys(baseline: &Baseline) -> Vec<&str> {
        baseline.iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn requests_and_steps_know_nothing_of_each_other() {
        assert_eq!(keys(&part(baseline(), false, None)), ["GET /x"]);
        let steps = part(baseline(), true, None);
        assert_eq!(keys(&steps), ["STEP nightly-2/load", "STEP nightly/load"]);
        assert_eq!(keys(&part(baseline(), true, Some("nightly"))), ["STEP nightly/load"]);
    }

    #[test]
    fn figures_are_those_of_the_runs() {
        let runs = StepRuns {
            workflow_id: "nightly".to_owned(),
            step: "load".to_owned(),
            durations_ms: (1..=40).rev().collect(),
        };
        let run = run(&[runs]);
        let observed = &run.endpoints[0];
        assert_eq!((observed.endpoint.as_str(), observed.samples), ("STEP nightly/load", Some(40)));
        assert_eq!(observed.median.value().unwrap().as_ms(), 20.5);
        assert_eq!(observed.p95.value().unwrap().as_ms(), 38.0);
    }
}
