//! Measures a target: sends requests at a constant rate, whatever their results, and counts each
//! latency from the request's due time.
//!
//! A generator that waits for an answer before it sends the next request sends less to a stalled
//! target, and misses most of the stall (coordinated omission, Gil Tene, "How NOT to Measure
//! Latency"). Here each request is sent when it is due: over an idle connection, or over a new one;
//! if `connections_max` forbids that, it waits, and its wait counts. No samples are added
//! afterwards: every sample is of a request that was made.
//!
//! Each thread has its own runtime and connections. One is enough for most rates, and is woken once
//! for each request: the timer, the connections and the samples belong to it.

pub(crate) mod pairs;
pub(crate) mod scenario;

mod exchange;
mod samples;
mod schedule;
mod target;
mod timer;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use serde_json::{Value, json};

use self::samples::{Tally, ThreadSamples};
use self::scenario::Endpoint;
use self::schedule::{Dealer, Schedule};
pub(crate) use self::target::Target;
use self::worker::{Work, Worker};
use super::judgement::{Rounding, Run, Source};
use super::stats::Latency;
use crate::base::clock;
use crate::system::tls;

/// The number of requests per second that one thread can easily pace.
const RATE_OF_THREAD: f64 = 20_000.0;
/// Connections are opened in advance for answers that take this long, seconds.
const AHEAD: f64 = 0.1;
const AHEAD_MIN: usize = 2;
/// The time from when all threads are ready until the first request is due.
const LEAD: Duration = Duration::from_millis(20);
/// How often progress is reported.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Requests per second for an endpoint of weight 1.
    Rate(f64),
    /// Over this many connections; each sends as soon as the answer to its last request has
    /// arrived.
    Closed(usize),
}

/// What is to be measured, and how.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Where.
    pub target: Target,
    /// What; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How requests follow each other.
    pub pace: Pace,
    /// How long is measured.
    pub duration: Duration,
    /// How long requests are made before.
    pub warmup: Duration,
    /// The most connections.
    pub connections_max: usize,
    /// The time from a request's due time to its failure.
    pub timeout: Duration,
    /// How late the 99th of a hundred requests may be sent.
    pub late_max: Latency,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// It is no target.
    #[error("`{url}` cannot be measured: {why}")]
    Target {
        /// As it was given.
        url: String,
        why: String,
    },
    /// No connection could be opened.
    #[error("cannot reach {url}: {why}")]
    Unreachable {
        url: String,
        why: String,
        /// What is in the way.
        obstacle: Obstacle,
    },
    /// The system refused a thread or a timer.
    #[error("cannot send requests: {0}")]
    System(#[from] io::Error),
}

/// Why a target cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The target does not answer.
    Server,
    /// Its name is not found.
    Name,
    /// Its certificate is not trusted.
    Certificate,
    /// It does not speak TLS.
    Tls,
}

impl LoadError {
    /// A connection that was not made.
    fn of_connection(url: &str, error: &io::Error) -> Self {
        let obstacle = match tls::Failure::of(error) {
            tls::Failure::Certificate => Obstacle::Certificate,
            tls::Failure::Handshake => Obstacle::Tls,
            tls::Failure::Other => Obstacle::Server,
        };
        Self::Unreachable { url: url.to_owned(), why: error.to_string(), obstacle }
    }
}

/// Running totals of a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Snapshot {
    /// Since the beginning.
    pub elapsed: Duration,
    /// How long it takes, warm-up included.
    pub total: Duration,
    /// Whether answers are not recorded yet.
    pub warming_up: bool,
    /// Requests that were sent.
    pub sent: u64,
    /// Answers that were recorded.
    pub answered: u64,
    /// Requests that failed.
    pub errors: u64,
    /// The median of what was recorded, to 6 %.
    pub median: Latency,
    /// Its 95th percentile, to 6 %.
    pub p95: Latency,
    /// Connections that are open.
    pub connections: u64,
}

/// A run, and how it was made.
#[derive(Debug)]
pub(crate) struct Measured {
    /// What is judged.
    pub run: Run,
    /// The most connections that were open.
    pub connections: u64,
    /// The facts of it for machines.
    pub facts: Value,
}

/// Measures; `on_progress` hears of it ten times a second.
///
/// # Errors
/// [`LoadError`]; a target that fails later is a matter of what was measured.
pub(crate) fn measure(
    plan: &Plan,
    on_progress: &mut dyn FnMut(&Snapshot),
) -> Result<Measured, LoadError> {
    allow_files();
    let route = plan.target.resolve()?;
    let tally = Arc::new(Tally::new());
    let work = Arc::new(Work {
        endpoints: plan.endpoints.clone(),
        requests: plan
            .endpoints
            .iter()
            .map(|endpoint| request(&plan.target, endpoint))
            .collect::<Result<_, _>>()?,
        route,
        tally: Arc::clone(&tally),
        timeout: plan.timeout,
        warmup: plan.warmup,
        duration: plan.duration,
        grace: Duration::from_nanos(plan.late_max.as_nanos()),
    });
    let (done, doing) = mpsc::channel();
    let mut readiness = Vec::new();
    let mut starts = Vec::new();
    let mut threads = Vec::new();
    let shares = plan.shares();
    crate::system::files::check_for_runtimes(shares.len())?;
    for share in shares {
        let (start, begin) = tokio::sync::oneshot::channel();
        let (work, done) = (Arc::clone(&work), done.clone());
        let (ready, is_ready) = mpsc::channel();
        readiness.push(is_ready);
        starts.push(start);
        let thread = thread::Builder::new().name("wfx-load".to_owned());
        threads.push(thread.spawn(move || {
            let samples = run_share(work, share, &ready, begin);
            // A thread that waits here waits for all of them.
            let _ = done.send(());
            samples
        })?);
    }
    drop(done);
    let openings: Vec<_> = readiness.iter().filter_map(|ready| ready.recv().ok()).collect();
    if openings.len() < threads.len() {
        // A thread ended with an error before the start: none begins.
        starts.clear();
    }
    if let Some(error) = openings.into_iter().find_map(Result::err) {
        return Err(LoadError::of_connection(plan.target.url(), &error));
    }
    let begin = clock::monotonic() + LEAD;
    for start in starts {
        // The error of a thread that ended is reported below.
        let _ = start.send(begin);
    }
    while doing.recv_timeout(TELL_EVERY) != Err(RecvTimeoutError::Disconnected) {
        on_progress(&snapshot(plan, &tally, begin));
    }
    let mut samples = ThreadSamples::new(plan.endpoints.len());
    for thread in threads {
        let part = thread.join().map_err(|_| io::Error::other("a thread that sends failed"))?;
        samples.merge(part?);
    }
    Ok(measured(plan, samples, &tally))
}

/// One thread's part of the work.
#[derive(Debug, Clone)]
struct Share {
    own: usize,
    all: usize,
    /// Of a pace by rate: all requests of all threads.
    schedule: Option<Schedule>,
    dealer: Dealer,
    /// Connections that it may open, and those that it opens ahead.
    connections_max: usize,
    ahead: usize,
}

impl Plan {
    fn weights(&self) -> Vec<f64> {
        self.endpoints.iter().map(|endpoint| endpoint.weight).collect()
    }

    /// Requests in a second, of all endpoints.
    fn rate(&self, of_one: f64) -> f64 {
        of_one * self.weights().iter().sum::<f64>()
    }

    fn shares(&self) -> Vec<Share> {
        let cpus = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let dealer = Dealer::new(self.weights());
        let (all, schedule, connections, ahead) = match self.pace {
            Pace::Rate(of_one) => {
                let rate = self.rate(of_one);
                let schedule = Schedule::new(self.weights(), rate, self.warmup + self.duration);
                let all = (1..cpus).find(|n| *n as f64 * RATE_OF_THREAD >= rate).unwrap_or(cpus);
                let ahead = (AHEAD_MIN..self.connections_max).find(|n| *n as f64 >= rate * AHEAD);
                let ahead = ahead.unwrap_or(self.connections_max);
                (all.min(self.connections_max), Some(schedule), self.connections_max, ahead)
            }
            Pace::Closed(connections) => (cpus.min(connections), None, connections, connections),
        };
        // The remainder of the division goes to the first threads.
        let part = |of: usize, own: usize| of / all + usize::from(own < of % all);
        (0..all)
            .map(|own| Share {
                own,
                all,
                schedule: schedule.clone(),
                dealer: dealer.clone(),
                connections_max: part(connections, own),
                ahead: part(ahead, own).max(1),
            })
            .collect()
    }
}

fn run_share(
    work: Arc<Work>,
    share: Share,
    ready: &mpsc::Sender<io::Result<()>>,
    begin: tokio::sync::oneshot::Receiver<Instant>,
) -> io::Result<ThreadSamples> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let worker = Worker::new(work, share.connections_max, share.schedule.is_some());
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let opened = worker.open(share.ahead).await;
        if ready.send(opened).is_err() {
            return Ok(());
        }
        // No thread begins if another one could not.
        let Ok(begin) = begin.await else { return Ok(()) };
        match share.schedule {
            Some(schedule) => worker.pace(schedule, begin, share.own, share.all).await,
            None => worker.saturate(share.dealer, begin, share.connections_max).await,
        }
    })?;
    Ok(worker.into_samples())
}

fn request(target: &Target, endpoint: &Endpoint) -> Result<Request<Full<Bytes>>, LoadError> {
    let mut request = Request::new(Full::new(Bytes::from(endpoint.body.clone())));
    *request.method_mut() = endpoint.method.clone();
    let path = format!("{}{}", target.prefix, endpoint.path);
    *request.uri_mut() = path.parse().map_err(|error| LoadError::Target {
        url: target.url().to_owned(),
        why: format!("it and the path of an endpoint are no URL: {error}"),
    })?;
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&target.authority) {
        headers.insert(HOST, host);
    }
    headers
        .insert(USER_AGENT, HeaderValue::from_static(concat!("wfx/", env!("CARGO_PKG_VERSION"))));
    for (name, _) in &endpoint.headers {
        headers.remove(name);
    }
    for (name, value) in &endpoint.headers {
        headers.append(name, value.clone());
    }
    Ok(request)
}

fn snapshot(plan: &Plan, tally: &Tally, begin: Instant) -> Snapshot {
    let elapsed = clock::monotonic().saturating_duration_since(begin);
    let (answered, median, p95) = tally.answers();
    Snapshot {
        elapsed,
        total: plan.warmup + plan.duration,
        warming_up: elapsed < plan.warmup,
        sent: tally.sent.load(Ordering::Relaxed),
        answered,
        errors: tally.errors.load(Ordering::Relaxed),
        median,
        p95,
        connections: tally.connections.load(Ordering::Relaxed),
    }
}

fn measured(plan: &Plan, mut samples: ThreadSamples, tally: &Tally) -> Measured {
    let sending = samples.sending();
    let connections = tally.connections_max.load(Ordering::Relaxed);
    let waited = tally.waited.load(Ordering::Relaxed);
    let endpoints = plan.endpoints.iter().zip(std::mem::take(&mut samples.endpoints));
    let endpoints: Vec<_> = endpoints
        .map(|(endpoint, samples)| samples.observed(endpoint.name.clone(), plan.duration))
        .collect();
    let answered = endpoints.iter().map(|observed| observed.requests).sum::<u64>();
    let reached = match plan.pace {
        Pace::Rate(_) => sending.in_time,
        Pace::Closed(_) => answered,
    } as f64
        / plan.duration.as_secs_f64();
    let mut facts = json!({
        "target": plan.target.url(),
        "duration_s": plan.duration.as_secs_f64(),
        "warmup_s": plan.warmup.as_secs_f64(),
        "connections": connections,
        "rate_reached": reached,
    });
    let mut doubts = Vec::new();
    let mut is_late = false;
    let mut name = "wfx";
    match plan.pace {
        Pace::Rate(of_one) => {
            let rate = plan.rate(of_one);
            doubts = sending.doubts(rate, plan.duration, plan.late_max, waited);
            is_late = sending.late_p99 > plan.late_max;
            facts["rate_asked"] = json!(rate);
            facts["waited_for_connection"] = json!(waited);
            facts["late_median_ms"] = json!(sending.late_median);
            facts["late_p99_ms"] = json!(sending.late_p99);
        }
        Pace::Closed(connections) => {
            facts["closed"] = json!(connections);
            name = "wfx --closed";
        }
    }
    let source = Source {
        name: name.to_owned(),
        own: true,
        coordinated_omission: matches!(plan.pace, Pace::Closed(_)),
        rounding: Rounding::None,
        notes: Vec::new(),
    };
    Measured { run: Run { source, endpoints, doubts, is_late }, connections, facts }
}

/// Connections are files: as many as the system lets this process have.
fn allow_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Fewer may be enough.
    let _ = setrlimit(Resource::Nofile, limit);
}
