//! What is measured: all metrics, and the state of the service levels.

use std::sync::Arc;

use hyper::StatusCode;

use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::faults::fault;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::metrics::{self, Snapshot};
use crate::repository::Reader;

/// The most concurrency groups that have a metric of their own.
const GROUPS_MAX: usize = 100;

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
        let is_store_up = self.is_store_up();
        // One that does not answer is not waited for.
        let readers = is_store_up.then_some(&self.readers);
        let notifications_pending =
            readers.and_then(|it| it.read(Reader::pending_notifications).ok());
        let groups_waiting =
            readers.and_then(|it| it.read(|reader| reader.groups_waiting(GROUPS_MAX)).ok());
        let now = Snapshot {
            // The database is reported as down, if it is.
            groups_waiting: groups_waiting.unwrap_or_default(),
            notifications_pending: notifications_pending.unwrap_or_default(),
            running: self.supervisor.in_flight(),
            steps_running: self.supervisor.step_places().taken(),
            steps_waiting: self.supervisor.step_places().waiting(),
            steps_postponed: self.supervisor.step_places().postponed(),
            output_printed: self.supervisor.output().printed_bytes(),
            output_dropped: self.supervisor.output().dropped_bytes(),
            output_stored: readers.and_then(|it| it.read(Reader::output_usage).ok()),
            unstored: self.memory.len(),
            queue_depth: self.writer.queue_depth(),
            queue_refusals: self.writer.queue_refusals(),
            refused_changes: self.writer.refused_changes(),
            server: self.server.borrow().clone().filter(|_| is_store_up),
            is_store_up,
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
