//! What is kept of each request that is answered: metrics, service levels, a line in the
//! access log.

use std::sync::Arc;

use hyper::StatusCode;

use super::{Query, Resources, fault};
use crate::http::access_log::{self, AccessLog, Entry};
use crate::http::{Problem, Reply, Seen};
use crate::metrics::{self, Metrics, Snapshot};
use crate::slo::monitor::{Answered, Monitor};
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::{Observer, Report};

/// Who is told of each request.
#[derive(Debug)]
pub struct Observed {
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
    /// Who is told of an execution of a workflow.
    #[must_use]
    pub fn of_execution(&self, execution_id: &str, workflow_id: &str) -> Arc<dyn Observer> {
        Arc::new(OfExecution {
            counted: self.metrics.observer(workflow_id),
            execution_id: execution_id.to_owned(),
            workflow_id: workflow_id.to_owned(),
        })
    }

    pub(super) fn request(&self, seen: &Seen<'_>) {
        if seen.status >= 500 {
            let Seen { route_label: route, status, request_id, .. } = *seen;
            tracing::warn!(request_id, route, status, "a request failed");
        }
        self.metrics.request(seen.route_label, seen.method, seen.status, seen.latency);
        let counts = seen.method != "-" && !NOT_SERVED.contains(&seen.route_label);
        let answered = counts.then(|| Answered {
            status: seen.status,
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

impl Resources {
    /// How the service levels stand.
    pub(super) fn slo(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        Ok(Reply::json(&self.observed.monitor.status()))
    }

    /// All metrics, as Prometheus reads them.
    pub(super) async fn metrics(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let (loaded, broken) = self.catalogue.counts();
        let now = Snapshot {
            running: self.supervisor.in_flight(),
            steps_running: self.supervisor.step_places().taken(),
            steps_waiting: self.supervisor.step_places().waiting(),
            steps_postponed: self.supervisor.step_places().postponed(),
            unstored: self.memory.len(),
            queue_depth: self.writer.queue_depth(),
            queue_refusals: self.writer.queue_refusals(),
            is_store_up: self.is_store_up(),
            workflows_loaded: loaded,
            workflows_broken: broken,
            service_levels: self.observed.monitor.standings(),
        };
        let metrics = Arc::clone(&self.observed.metrics);
        // Thousands of histograms take a while to write.
        let text = tokio::task::spawn_blocking(move || metrics.encode(&now)).await;
        match text {
            Ok(Ok(text)) => Ok(Reply::new(StatusCode::OK, metrics::CONTENT_TYPE, text)),
            Ok(Err(error)) => Err(fault(&error.to_string())),
            Err(error) => Err(fault(&error.to_string())),
        }
    }
}
