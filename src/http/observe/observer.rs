//! What is kept of each request that is answered: metrics, service levels, a line in the
//! access log.

use std::sync::Arc;

use crate::http::exchange::handler::AnsweredRequest;
use crate::http::observe::access_log::{self, AccessLog, Entry};
use crate::metrics::Metrics;
use crate::slo::monitor::{Answered, Monitor};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::{Observer, Report};

/// What each request is reported to.
#[derive(Debug)]
pub(crate) struct Observed {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who judges the service by them.
    pub monitor: Monitor,
    /// Where requests are logged.
    pub access_log: Option<AccessLog>,
}

/// The routes by which others watch the daemon, which say nothing of how it serves; and what
/// came without a head that could be read.
const NOT_SERVED: [&str; 3] = ["/metrics", "/healthz", "/readyz"];

impl Observed {
    /// The observer of an execution of a workflow.
    #[must_use]
    pub(crate) fn of_execution(&self, execution_id: &str, workflow_id: &str) -> Arc<dyn Observer> {
        Arc::new(OfExecution {
            counted: self.metrics.observer(workflow_id),
            execution_id: execution_id.to_owned(),
            workflow_id: workflow_id.to_owned(),
        })
    }

    pub(in crate::http) fn request(&self, seen: &AnsweredRequest<'_>) {
        if seen.status >= 500 {
            let AnsweredRequest { route_label: route, status, request_id, .. } = *seen;
            tracing::warn!(request_id, route, status, "a request failed");
        }
        self.metrics.request(seen.route_label, seen.method, seen.status, seen.latency);
        let counts = seen.method != "-" && !seen.is_page && !NOT_SERVED.contains(&seen.route_label);
        let answered = counts.then(|| Answered {
            status: seen.served_as,
            latency: seen.latency,
            path: access_log::cut(seen.path),
        });
        let entry = self.access_log.as_ref().map(|log| (log, Entry::of(seen, counts)));
        self.monitor.pass(answered, seen.ended, |stamp| {
            if let Some((log, entry)) = entry {
                log.log(entry.at(stamp));
            }
        });
    }
}

/// Counts what happens to an execution, and logs its end if somebody should look at it.
struct OfExecution {
    counted: Arc<dyn Observer>,
    execution_id: String,
    workflow_id: String,
}

impl Observer for OfExecution {
    fn report(&self, report: &Report<'_>) {
        self.counted.report(report);
        let Self { execution_id, workflow_id, .. } = self;
        if let Report::AttemptPostponed { step, error, .. } = *report {
            tracing::warn!(
                execution_id,
                workflow_id,
                step,
                error,
                "steps wait, since the system lets wfx start no further process"
            );
        }
        if let Report::ExecutionEnded { status, error, .. } = *report {
            match status {
                ExecutionStatus::Failed | ExecutionStatus::Interrupted => {
                    tracing::warn!(execution_id, workflow_id, error, "an execution ended {status}");
                }
                _ => tracing::debug!(execution_id, workflow_id, "an execution ended {status}"),
            }
        }
    }
}
