//! Every metric of the daemon, declared once, in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! Labels whose values clients or documents choose are bounded: beyond the cap a workflow, a step
//! or a method is counted as [`OTHER`].

mod notifications;
mod schedules;
mod server;
mod service_levels;
mod total;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use self::notifications::Notifications;
use self::schedules::Schedules;
use self::server::Server;
use self::service_levels::ServiceLevels;
use self::total::Total;
use crate::base::timestamp::Timestamp;
use crate::repository::{CommitObserver, ServerStatus};
use crate::slo::monitor::Standings;
use crate::workflow::record::{ExecutionStatus, StepStatus};
use crate::workflow::report::{Observer, Report};

/// The label of every name beyond the cap.
pub(crate) const OTHER: &str = "_other";
/// The maximum number of (workflow, step) pairs with series of their own.
const STEPS_MAX: usize = 2_000;
/// The media type of [`Metrics::encode`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"];
/// Buckets of requests: from a ping to a request that waits for a disk.
const REQUEST_SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Buckets of commits: from a fast disk to one that hardly responds.
const COMMIT_SECONDS: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];
/// Buckets of waits for a slot: from the end of another execution to a day.
const WAIT_SECONDS: [f64; 12] =
    [0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
const BATCH_SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Every collector.
pub struct Metrics {
    registry: Registry,
    step_duration: HistogramVec,
    step_errors: IntCounterVec,
    executions: IntCounterVec,
    handlers: IntCounterVec,
    started: IntCounter,
    running: IntGauge,
    unstored: IntGauge,
    queue_depth: IntGauge,
    queue_refusals: Total,
    steps_running: IntGauge,
    steps_waiting: IntGauge,
    steps_postponed: Total,
    output_printed: Total,
    output_dropped: Total,
    output_stored: IntGauge,
    store_up: IntGauge,
    refused_changes: Total,
    commit_duration: Histogram,
    commit_batch: Histogram,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    workflows: IntGaugeVec,
    recovered: IntCounter,
    group_waiting: IntGaugeVec,
    group_wait: Histogram,
    service_levels: ServiceLevels,
    schedules: Schedules,
    notifications: Notifications,
    server: Server,
    steps: RwLock<Steps>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// The collectors of steps that were seen, by workflow and name.
#[derive(Default)]
struct Steps {
    of: HashMap<String, HashMap<String, StepMetrics>>,
    count: usize,
}

#[derive(Clone)]
struct StepMetrics {
    duration: Histogram,
    errors: IntCounter,
}

/// Values that are read when metrics are collected.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Executions that run in this process, or have ended and are not stored.
    pub running: usize,
    /// Steps whose processes run.
    pub steps_running: usize,
    /// Steps that wait until fewer run.
    pub steps_waiting: u64,
    /// Attempts that could not begin, since the start.
    pub steps_postponed: u64,
    /// Bytes that steps have printed, since the start.
    pub output_printed: u64,
    /// Of these, bytes that the store was too slow for, or failed to take.
    pub output_dropped: u64,
    /// What the stored output counts for in its budget, bytes; `None`: it cannot be read.
    pub output_stored: Option<u64>,
    /// Executions that no commit holds yet.
    pub unstored: usize,
    /// Executions that wait for the writer.
    pub queue_depth: usize,
    /// How often the queue was full, since the start.
    pub queue_refusals: u64,
    /// Changes that the database refused, since the start.
    pub refused_changes: u64,
    /// How the server of the database is, if there is one.
    pub(crate) server: Option<ServerStatus>,
    /// Whether the last commit succeeded.
    pub is_store_up: bool,
    /// Workflow files that are loaded.
    pub workflows_loaded: usize,
    /// Workflow files that are broken.
    pub workflows_broken: usize,
    /// How many wait for the concurrency groups that most wait for.
    pub groups_waiting: Vec<(String, u64)>,
    /// How many notifications wait, by channel.
    pub notifications_pending: BTreeMap<String, u64>,
    /// The state of the service levels.
    pub service_levels: Standings,
}

impl Metrics {
    /// All collectors at zero; the step durations in `buckets`, seconds.
    ///
    /// # Errors
    /// For two of one name or bad buckets.
    pub fn new(buckets: &[f64]) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let on = &registry;
        let metrics = Self {
            step_duration: histograms(
                on,
                (
                    "workflow_step_duration_seconds",
                    "How long steps took, from first attempt to end.",
                ),
                buckets,
                &["workflow_id", "step_name"],
            )?,
            step_errors: counters(
                on,
                ("workflow_step_errors_total", "Steps that ended failed or interrupted."),
                &["workflow_id", "step_name"],
            )?,
            executions: counters(
                on,
                ("wfx_executions_total", "Executions that ended, by the state they ended in."),
                &["status"],
            )?,
            handlers: counters(
                on,
                ("wfx_handlers_total", "Handlers that ended, by their kind and how they ended."),
                &["kind", "status"],
            )?,
            started: counter(
                on,
                (
                    "wfx_executions_started_total",
                    "Executions that began here or were gone on with.",
                ),
            )?,
            running: gauge(
                on,
                ("wfx_executions_running", "Executions that run, or ended and are not stored."),
            )?,
            unstored: gauge(
                on,
                ("wfx_executions_unstored", "Executions that run or ended and no commit holds."),
            )?,
            queue_depth: gauge(
                on,
                ("wfx_store_queue_depth", "Executions that wait for the next commit."),
            )?,
            steps_running: gauge(
                on,
                ("wfx_steps_running", "Steps whose processes run, at most --max-steps."),
            )?,
            steps_waiting: gauge(
                on,
                ("wfx_steps_waiting", "Steps that wait until fewer run than --max-steps."),
            )?,
            steps_postponed: Total::of(counter(
                on,
                (
                    "wfx_steps_postponed_total",
                    "Attempts of steps that could not begin for want of files, processes or \
                     memory, and were put off.",
                ),
            )?),
            output_printed: Total::of(counter(
                on,
                ("wfx_output_printed_bytes_total", "Bytes that steps have printed."),
            )?),
            output_dropped: Total::of(counter(
                on,
                (
                    "wfx_output_dropped_bytes_total",
                    "Bytes that steps have printed while the database failed or was too slow, and \
                     that are not kept.",
                ),
            )?),
            output_stored: gauge(
                on,
                ("wfx_output_stored_bytes", "Size of the output that is kept, of --output-total."),
            )?,
            queue_refusals: Total::of(counter(
                on,
                ("wfx_store_queue_refusals_total", "Times that the queue of the writer was full."),
            )?),
            store_up: gauge(on, ("wfx_store_up", "1 while the database takes commits, else 0."))?,
            refused_changes: Total::of(counter(
                on,
                (
                    "wfx_store_refused_changes_total",
                    "Changes of executions that the database refused for good, such as those of one \
                     that another process has taken over.",
                ),
            )?),
            commit_duration: histogram(
                on,
                ("wfx_store_commit_duration_seconds", "How long commits took."),
                &COMMIT_SECONDS,
            )?,
            commit_batch: histogram(
                on,
                ("wfx_store_commit_batch_size", "Executions with changes in one commit."),
                &BATCH_SIZES,
            )?,
            requests: counters(
                on,
                ("wfx_http_requests_total", "Requests that were answered."),
                &["route", "method", "status"],
            )?,
            request_duration: histograms(
                on,
                ("wfx_http_request_duration_seconds", "From the head of requests to their answer."),
                &REQUEST_SECONDS,
                &["route"],
            )?,
            workflows: {
                let options = Opts::new(
                    "wfx_workflow_files",
                    "Workflow files, loaded as they are or broken.",
                );
                registered(on, IntGaugeVec::new(options, &["state"])?)?
            },
            recovered: counter(
                on,
                ("wfx_executions_recovered_total", "Executions taken over from a dead daemon."),
            )?,
            group_waiting: {
                let options = Opts::new(
                    "wfx_group_waiting",
                    "Executions that wait for a slot of a concurrency group; of the groups that \
                     most wait for.",
                );
                registered(on, IntGaugeVec::new(options, &["group"])?)?
            },
            group_wait: histogram(
                on,
                (
                    "wfx_group_wait_seconds",
                    "How long executions waited for a slot of their concurrency group; those that \
                     had one at once are not counted.",
                ),
                &WAIT_SECONDS,
            )?,
            service_levels: ServiceLevels::new(on)?,
            schedules: Schedules::new(on)?,
            notifications: Notifications::new(on)?,
            server: Server::new()?,
            steps: RwLock::default(),
            registry: registry.clone(),
        };
        for status in ExecutionStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            metrics.executions.with_label_values(&[status.as_str()]);
        }
        let build = Opts::new("wfx_build_info", "The version of wfx, as a label.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        registered(on, Gauge::with_opts(build)?)?.set(1.0);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Everything as text, with what is only known now.
    ///
    /// # Errors
    /// When a collector gives what the format does not have.
    pub fn encode(&self, now: &Snapshot) -> prometheus::Result<String> {
        let set =
            |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.running, now.running);
        set(&self.steps_running, now.steps_running);
        set(&self.steps_waiting, usize::try_from(now.steps_waiting).unwrap_or(usize::MAX));
        self.steps_postponed.reach(now.steps_postponed);
        self.output_printed.reach(now.output_printed);
        self.output_dropped.reach(now.output_dropped);
        if let Some(stored) = now.output_stored {
            self.output_stored.set(i64::try_from(stored).unwrap_or(i64::MAX));
        }
        set(&self.unstored, now.unstored);
        set(&self.queue_depth, now.queue_depth);
        set(&self.store_up, usize::from(now.is_store_up));
        set(&self.workflows.with_label_values(&["loaded"]), now.workflows_loaded);
        set(&self.workflows.with_label_values(&["broken"]), now.workflows_broken);
        self.group_waiting.reset();
        for (group, waiting) in &now.groups_waiting {
            let waiting = i64::try_from(*waiting).unwrap_or(i64::MAX);
            self.group_waiting.with_label_values(&[group]).set(waiting);
        }
        self.queue_refusals.reach(now.queue_refusals);
        self.refused_changes.reach(now.refused_changes);
        self.service_levels.set(&now.service_levels);
        self.notifications.set_pending(&now.notifications_pending);
        let mut families = self.registry.gather();
        if let Some(server) = &now.server {
            families.append(&mut self.server.gather(server));
        }
        TextEncoder::new().encode_to_string(&families)
    }

    /// A request was answered.
    pub fn request(&self, route: &str, method: &str, status: u16, latency: Duration) {
        let method = if METHODS.contains(&method) { method } else { OTHER };
        let digits = [status / 100, status / 10 % 10, status % 10]
            .map(|digit| b'0' + u8::try_from(digit % 10).unwrap_or(0));
        let status = std::str::from_utf8(&digits).unwrap_or(OTHER);
        self.requests.with_label_values(&[route, method, status]).inc();
        self.request_duration.with_label_values(&[route]).observe(latency.as_secs_f64());
    }

    /// So many scheduled times were decided so.
    pub(crate) fn schedule_decided(&self, action: &str, count: u64) {
        self.schedules.decided(action, count);
    }

    /// The start of a scheduled time was stored, so long after it.
    pub(crate) fn schedule_late(&self, late: Duration) {
        self.schedules.late(late);
    }

    /// The expectations that are not met, each with its workflow.
    pub(crate) fn workflows_overdue(&self, open: &[(String, &'static str)]) {
        self.schedules.overdue(open);
    }

    /// When a success of a workflow ended.
    pub(crate) fn last_success(&self, workflow_id: &str, at: Timestamp) {
        self.schedules.succeeded(workflow_id, at);
    }

    /// An execution of a process that died was taken over.
    pub fn recovered(&self) {
        self.recovered.inc();
    }

    /// The observer that counts the steps of a workflow's executions.
    #[must_use]
    pub fn observer(self: &Arc<Self>, workflow_id: &str) -> Arc<dyn Observer> {
        Arc::new(OfWorkflow { metrics: Arc::clone(self), workflow_id: workflow_id.to_owned() })
    }

    fn step(&self, workflow_id: &str, step: &str) -> StepMetrics {
        // A thread that panicked had completed its change of one map.
        let known = self.steps.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.of.get(workflow_id).and_then(|steps| steps.get(step)) {
            return found.clone();
        }
        drop(known);
        let mut known = self.steps.write().unwrap_or_else(PoisonError::into_inner);
        if known.count >= STEPS_MAX {
            return self.labelled(OTHER, OTHER);
        }
        let made = self.labelled(workflow_id, step);
        let steps = known.of.entry(workflow_id.to_owned()).or_default();
        if steps.insert(step.to_owned(), made.clone()).is_none() {
            known.count += 1;
        }
        made
    }

    fn labelled(&self, workflow_id: &str, step: &str) -> StepMetrics {
        let labels = [workflow_id, step];
        StepMetrics {
            duration: self.step_duration.with_label_values(&labels),
            errors: self.step_errors.with_label_values(&labels),
        }
    }
}

impl CommitObserver for Metrics {
    fn committed(&self, executions: usize, took: Duration) {
        self.commit_duration.observe(took.as_secs_f64());
        self.commit_batch.observe(u32::try_from(executions).map_or(f64::MAX, f64::from));
    }
}

/// Counts what happens to executions of one workflow.
struct OfWorkflow {
    metrics: Arc<Metrics>,
    workflow_id: String,
}

impl Observer for OfWorkflow {
    fn report(&self, report: &Report<'_>) {
        let metrics = &self.metrics;
        match *report {
            Report::ExecutionStarted { .. } => metrics.started.inc(),
            Report::StepEnded { step, status, duration, .. } => {
                // A step that never started has no duration.
                let Some(duration) = duration else { return };
                let of_step = metrics.step(&self.workflow_id, step);
                of_step.duration.observe(duration.as_secs_f64());
                if matches!(status, StepStatus::Failed | StepStatus::Interrupted) {
                    of_step.errors.inc();
                }
            }
            Report::HandlerEnded { on, status, .. } => {
                metrics.handlers.with_label_values(&[on.as_str(), status.as_str()]).inc();
            }
            Report::SlotTaken { waited, .. } => metrics.group_wait.observe(waited.as_secs_f64()),
            Report::ExecutionEnded { status, at, .. } => {
                if status == ExecutionStatus::Success {
                    metrics.last_success(&self.workflow_id, at);
                }
                metrics.executions.with_label_values(&[status.as_str()]).inc();
            }
            _ => {}
        }
    }
}

/// A name and its help.
type Named = (&'static str, &'static str);

fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(registry: &Registry, (name, help): Named) -> prometheus::Result<IntCounter> {
    registered(registry, IntCounter::new(name, help)?)
}

fn gauges(
    registry: &Registry,
    (name, help): Named,
    labels: &[&str],
) -> prometheus::Result<GaugeVec> {
    registered(registry, GaugeVec::new(Opts::new(name, help), labels)?)
}

fn gauge(registry: &Registry, (name, help): Named) -> prometheus::Result<IntGauge> {
    registered(registry, IntGauge::new(name, help)?)
}

fn counters(
    registry: &Registry,
    (name, help): Named,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn histogram(
    registry: &Registry,
    (name, help): Named,
    buckets: &[f64],
) -> prometheus::Result<Histogram> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(registry, Histogram::with_opts(options)?)
}

fn histograms(
    registry: &Registry,
    (name, help): Named,
    buckets: &[f64],
    labels: &[&str],
) -> prometheus::Result<HistogramVec> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(registry, HistogramVec::new(options, labels)?)
}

#[cfg(test)]
mod tests;
