//! Metrics of schedules and of what is expected of workflows.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{GaugeVec, Histogram, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{OTHER, counters, gauges, histogram, registered};
use crate::base::timestamp::Timestamp;
use crate::schedule::decision::Action;

/// The maximum number of workflows with series of their own.
const WORKFLOWS_MAX: usize = 2_000;
/// Buckets of starts: from the next commit to a daemon that was down.
const LATE_SECONDS: [f64; 12] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// The collectors.
pub(super) struct Schedules {
    decisions: IntCounterVec,
    lateness: Histogram,
    last_success: GaugeVec,
    overdue: IntGaugeVec,
    /// The workflows that have series of their own.
    known: Mutex<HashSet<String>>,
}

impl Schedules {
    pub(super) fn new(on: &Registry) -> prometheus::Result<Self> {
        let overdue = Opts::new(
            "wfx_workflow_overdue",
            "1 for each expectation that a workflow does not meet: missed, late, slow, stale.",
        );
        let schedules = Self {
            decisions: counters(
                on,
                ("wfx_schedule_decisions_total", "Scheduled times by what was decided of them."),
                &["action"],
            )?,
            lateness: histogram(
                on,
                (
                    "wfx_schedule_lateness_seconds",
                    "From scheduled times, with their jitter, to the commits of their starts; \
                     without those that waited or make up for others.",
                ),
                &LATE_SECONDS,
            )?,
            last_success: gauges(
                on,
                (
                    "wfx_workflow_last_success_timestamp_seconds",
                    "When the last success of a workflow ended, in seconds since 1970.",
                ),
                &["workflow_id"],
            )?,
            overdue: registered(on, IntGaugeVec::new(overdue, &["workflow_id", "kind"])?)?,
            known: Mutex::default(),
        };
        for action in Action::ALL {
            schedules.decisions.with_label_values(&[action.as_str()]);
        }
        Ok(schedules)
    }

    pub(super) fn decided(&self, action: &str, count: u64) {
        self.decisions.with_label_values(&[action]).inc_by(count);
    }

    pub(super) fn late(&self, late: Duration) {
        self.lateness.observe(late.as_secs_f64());
    }

    pub(super) fn overdue(&self, open: &[(String, &'static str)]) {
        self.overdue.reset();
        for (count, (workflow_id, kind)) in open.iter().enumerate() {
            let workflow_id = if count < WORKFLOWS_MAX { workflow_id } else { OTHER };
            self.overdue.with_label_values(&[workflow_id, *kind]).set(1);
        }
    }

    /// A workflow beyond the cap has no series: those of others would not be its.
    pub(super) fn succeeded(&self, workflow_id: &str, at: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(workflow_id) {
            if known.len() >= WORKFLOWS_MAX {
                return;
            }
            known.insert(workflow_id.to_owned());
        }
        drop(known);
        let seconds = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0));
        let gauge = self.last_success.with_label_values(&[workflow_id]);
        gauge.set(gauge.get().max(seconds.as_secs_f64()));
    }
}
