//! Measures two targets side by side: a pair of requests for each endpoint, one to each, in
//! random order.
//!
//! Requests are due at equal intervals, the two of a pair one after the other, and are sent when
//! due, whatever the results of earlier ones; latency counts from the due time.
//! [`crate::perf::paired`] judges them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use super::exchange::{Answer, exchange};
use super::samples::Tally;
use super::scenario::Endpoint;
use super::target::{Route, Sender, Target};
use super::timer::Timer;
use super::{LoadError, allow_files, request};
use crate::base::clock;
use crate::perf::judgement::are_too_many;
use crate::perf::paired::verdict::{Compared, Outcome, Unit};
use crate::perf::paired::{self, Change, Estimate, Floors, Next, Pair, Watch};

/// After this many consecutive failures, a side is considered gone.
const GONE: u32 = 20;
/// One in this many pairs may have two different statuses.
const OTHER_STATUS: u64 = 100;
/// Answers count as different if the medians of their body sizes differ by more than a tenth.
const OTHER_SIZE: u64 = 10;
/// Bodies of a few bytes more or less are the same: a number has another digit.
const SIZE_MIN: u64 = 32;

/// What is to be measured, and how.
#[derive(Debug, Clone)]
pub(crate) struct PairsPlan {
    /// The build that is judged.
    pub target: Target,
    /// The build before.
    pub reference: Target,
    /// The endpoints; at least one.
    pub endpoints: Vec<Endpoint>,
    /// Pairs in a second of an endpoint of weight 1.
    pub rate: f64,
    /// How long pairs are made that do not count.
    pub warmup: Duration,
    /// The time from a request's due time to its failure.
    pub timeout: Duration,
    /// The least relevant difference.
    pub floors: Floors,
    /// The largest share of the requests of either side that may fail.
    pub error_rate_max: f64,
    /// Of the order within pairs.
    pub seed: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Pairs of all endpoints that are done.
    pub pairs: u64,
    /// Pairs that all endpoints need for their next look, together.
    pub wanted: u64,
    /// Whether slower endpoints are being measured again.
    pub again: bool,
}

/// Measures; `on_progress` is called about once a second.
///
/// # Errors
/// [`LoadError`]: one of them cannot be reached, or both are one.
pub(crate) fn compare(
    plan: &PairsPlan,
    on_progress: &mut dyn FnMut(&Reached),
) -> Result<Outcome, LoadError> {
    allow_files();
    let routes = [plan.reference.resolve()?, plan.target.resolve()?];
    if routes[0].meets(&routes[1]) {
        return Err(LoadError::Target {
            url: plan.reference.url().to_owned(),
            why: "it is the address of --target: nothing would be compared".to_owned(),
        });
    }
    let mut sides = Vec::new();
    for (route, target) in routes.into_iter().zip([&plan.reference, &plan.target]) {
        let requests = plan.endpoints.iter().map(|endpoint| request(target, endpoint));
        sides.push(Side {
            route,
            requests: requests.collect::<Result<_, _>>()?,
            idle: RefCell::default(),
            failed_in_turn: Cell::new(0),
        });
    }
    crate::system::files::check_for_runtimes(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut bench = Bench::new(plan, sides);
        bench.open(plan).await?;
        Ok(bench.compare(plan, on_progress).await?)
    })
}

/// One of the two.
struct Side {
    route: Route,
    /// A request of each endpoint.
    requests: Vec<Request<Full<Bytes>>>,
    idle: RefCell<VecDeque<Sender>>,
    failed_in_turn: Cell<u32>,
}

/// One measurement of an endpoint so far.
#[derive(Default)]
struct Series {
    watch: Watch,
    pairs: Vec<Pair>,
    is_done: bool,
    /// Requests and failures of each side.
    requests: u64,
    errors: [BTreeMap<String, u64>; 2],
    statuses: BTreeMap<[u16; 2], u64>,
    sizes: [Vec<u64>; 2],
}

/// A request that has come back, or not.
type Ended = Result<(u64, Answer), String>;

/// A pair in flight: the results of the reference and of the target.
#[derive(Default)]
struct Halves([Option<Ended>; 2]);

struct Shared {
    endpoints: Vec<Endpoint>,
    sides: Vec<Side>,
    tally: Arc<Tally>,
    timeout: Duration,
    in_flight: Cell<usize>,
    request_done: Notify,
}

struct Bench {
    shared: Rc<Shared>,
    rng: Rng,
    timer: Option<Timer>,
}

impl Bench {
    fn new(plan: &PairsPlan, sides: Vec<Side>) -> Self {
        let shared = Shared {
            endpoints: plan.endpoints.clone(),
            sides,
            tally: Arc::new(Tally::new()),
            timeout: plan.timeout,
            in_flight: Cell::new(0),
            request_done: Notify::new(),
        };
        Self { shared: Rc::new(shared), rng: Rng::with_seed(plan.seed), timer: None }
    }

    /// Opens a connection to each, before any is needed.
    async fn open(&mut self, plan: &PairsPlan) -> Result<(), LoadError> {
        self.timer = Some(Timer::new()?);
        for (side, target) in self.shared.sides.iter().zip([&plan.reference, &plan.target]) {
            let opening = side.route.connect(&self.shared.tally);
            let opened = tokio::time::timeout(plan.timeout, opening).await;
            match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(sender) => side.idle.borrow_mut().push_back(sender),
                Err(error) => {
                    return Err(LoadError::of_connection(target.url(), &error));
                }
            }
        }
        Ok(())
    }

    async fn compare(
        &mut self,
        plan: &PairsPlan,
        on_progress: &mut dyn FnMut(&Reached),
    ) -> io::Result<Outcome> {
        self.warm_up(plan).await?;
        let all: Vec<usize> = (0..plan.endpoints.len()).collect();
        let first = self.measure(plan, &all, on_progress, false).await?;
        let mut doubts = doubts(plan, &all, &first);
        let mut endpoints = compared(plan, &all, first);
        let slower: Vec<usize> =
            all.into_iter().filter(|at| endpoints[*at].changes.contains(&Change::Slower)).collect();
        // Then there is no second measurement, so no result is certain.
        for endpoint in &mut endpoints {
            endpoint.is_doubted = !doubts.is_empty();
        }
        let repeated = !slower.is_empty() && doubts.is_empty();
        if repeated {
            let again = self.measure(plan, &slower, on_progress, true).await?;
            doubts = self::doubts(plan, &slower, &again);
            for (at, again) in slower.iter().zip(compared(plan, &slower, again)) {
                let first = std::mem::replace(&mut endpoints[*at], again);
                let now = &mut endpoints[*at];
                now.is_doubted = doubts.iter().any(|(of, _)| of == at);
                for question in [0, 1] {
                    let was_slower = first.changes[question] == Change::Slower;
                    let is_slower = now.changes[question] == Change::Slower;
                    now.withdrawn[question] = was_slower && !is_slower;
                    if is_slower && !was_slower {
                        now.changes[question] = Change::Same;
                    }
                }
                now.requests += first.requests;
                for (kind, count) in first.errors {
                    *now.errors.entry(kind).or_default() += count;
                }
            }
        }
        let doubts = doubts.into_iter().map(|(_, doubt)| doubt).collect();
        Ok(Outcome { endpoints, doubts, repeated })
    }

    async fn warm_up(&mut self, plan: &PairsPlan) -> io::Result<()> {
        let all: Vec<usize> = (0..plan.endpoints.len()).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let rounds = (plan.warmup.as_secs_f64() * plan.rate) as usize;
        let jobs = vec![all; rounds].concat();
        self.send(plan, &jobs).await.map(drop)
    }

    /// Measures endpoints until each is clear.
    async fn measure(
        &mut self,
        plan: &PairsPlan,
        which: &[usize],
        on_progress: &mut dyn FnMut(&Reached),
        again: bool,
    ) -> io::Result<Vec<Series>> {
        let mut series: Vec<Series> = which.iter().map(|_| Series::default()).collect();
        loop {
            let jobs = missing(&series);
            let wanted = |one: &Series| one.watch.wanted().unwrap_or(one.pairs.len());
            on_progress(&Reached {
                pairs: series.iter().map(|one| one.pairs.len() as u64).sum(),
                wanted: series.iter().map(|one| wanted(one) as u64).sum(),
                again,
            });
            if jobs.is_empty() {
                return Ok(series);
            }
            // About a second at a time, so that progress can be reported.
            let chunk = self.chunk(plan, &jobs);
            let asked: Vec<usize> = chunk.iter().map(|at| which[*at]).collect();
            let ended = self.send(plan, &asked).await?;
            for (at, halves) in chunk.iter().zip(ended) {
                series[*at].take(halves);
            }
            if self.shared.sides.iter().any(Side::is_gone) {
                return Ok(series);
            }
            for one in series.iter_mut().filter(|one| !one.is_done) {
                if one.is_failing(plan.error_rate_max) {
                    one.is_done = true;
                } else if one.watch.wanted().is_some_and(|wanted| one.pairs.len() >= wanted) {
                    let next = one.watch.look(&one.pairs, &plan.floors, 2 * which.len());
                    one.is_done = next == Next::Enough;
                }
            }
        }
    }

    fn chunk(&self, plan: &PairsPlan, jobs: &[usize]) -> Vec<usize> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let count = (plan.rate * self.shared.endpoints.len() as f64) as usize;
        jobs.iter().take(count.max(50)).copied().collect()
    }

    /// Makes a pair of requests for each of the endpoints, and waits for all.
    async fn send(&mut self, plan: &PairsPlan, endpoints: &[usize]) -> io::Result<Vec<Halves>> {
        let halves: Rc<RefCell<Vec<Halves>>> = Rc::default();
        halves.borrow_mut().resize_with(endpoints.len(), Halves::default);
        let Some(timer) = &mut self.timer else { return Ok(Vec::new()) };
        let mut due = clock::monotonic();
        for (pair, &endpoint) in endpoints.iter().enumerate() {
            let rate = plan.rate * plan.endpoints[endpoint].weight;
            // Endpoints take turns: each pair has the time of its share.
            let distance = Duration::from_secs_f64(0.5 / rate / self.shared.endpoints.len() as f64);
            let first = usize::from(self.rng.bool());
            for side in [first, 1 - first] {
                timer.until(due).await?;
                let (shared, halves) = (Rc::clone(&self.shared), Rc::clone(&halves));
                shared.in_flight.set(shared.in_flight.get() + 1);
                spawn_local(async move {
                    let ended = shared.ask(side, endpoint, due).await;
                    halves.borrow_mut()[pair].0[side] = Some(ended);
                    shared.in_flight.set(shared.in_flight.get() - 1);
                    if shared.in_flight.get() == 0 {
                        shared.request_done.notify_one();
                    }
                });
                due += distance;
            }
            if self.shared.sides.iter().any(Side::is_gone) {
                break;
            }
        }
        while self.shared.in_flight.get() > 0 {
            self.shared.request_done.notified().await;
        }
        Ok(halves.take())
    }
}

impl Shared {
    /// The latency of a request and its answer.
    async fn ask(&self, side: usize, endpoint: usize, due: Instant) -> Ended {
        let side = &self.sides[side];
        let mut sender = side.take_idle();
        let asked = exchange(&side.route, &self.tally, &mut sender, &side.requests[endpoint]);
        let ended = tokio::time::timeout_at((due + self.timeout).into(), asked).await;
        let latency = clock::monotonic().saturating_duration_since(due);
        let ended = ended.unwrap_or_else(|_| Err("timed out".to_owned()));
        let ended = ended.and_then(|answer| {
            if self.endpoints[endpoint].expects(answer.status) {
                Ok(answer)
            } else {
                Err(format!("status {}", answer.status.as_u16()))
            }
        });
        // A late answer over this connection would be taken for the next one.
        if ended.is_ok() {
            side.idle.borrow_mut().extend(sender);
        }
        let failed = if ended.is_ok() { 0 } else { side.failed_in_turn.get() + 1 };
        side.failed_in_turn.set(failed);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        ended.map(|answer| (nanos, answer))
    }
}

impl Side {
    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let sender = idle.pop_front()?;
            if !sender.is_closed() {
                return Some(sender);
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.failed_in_turn.get() >= GONE
    }
}

/// The indices of the endpoints that need a pair for their next look, each as often as it needs
/// one, in turns.
fn missing(series: &[Series]) -> Vec<usize> {
    let mut left: Vec<usize> = series
        .iter()
        .map(|one| match one.watch.wanted() {
            Some(wanted) if !one.is_done => wanted.saturating_sub(one.pairs.len()),
            _ => 0,
        })
        .collect();
    let mut jobs = Vec::new();
    while left.iter().any(|left| *left > 0) {
        for (at, left) in left.iter_mut().enumerate().filter(|(_, left)| **left > 0) {
            jobs.push(at);
            *left -= 1;
        }
    }
    jobs
}

impl Series {
    fn take(&mut self, Halves([reference, judged]): Halves) {
        // A pair that was not begun.
        let (Some(reference), Some(judged)) = (reference, judged) else { return };
        self.requests += 1;
        if let (Ok((before, one)), Ok((now, other))) = (&reference, &judged) {
            self.pairs.push((*before, *now));
            let statuses = [one.status.as_u16(), other.status.as_u16()];
            *self.statuses.entry(statuses).or_default() += 1;
            self.sizes[0].push(one.bytes);
            self.sizes[1].push(other.bytes);
        }
        for (errors, ended) in self.errors.iter_mut().zip([reference, judged]) {
            if let Err(kind) = ended {
                *errors.entry(kind).or_default() += 1;
            }
        }
    }

    fn errors(&self, side: usize) -> u64 {
        self.errors[side].values().sum()
    }

    /// Whether there were so many failures that more pairs would say nothing.
    fn is_failing(&self, error_rate_max: f64) -> bool {
        let failed = self.errors(0).max(self.errors(1));
        failed >= u64::from(GONE) && are_too_many(failed, self.requests, error_rate_max)
    }
}

/// Why no result is possible, with the indices of the endpoints: the reference fails, or the
/// answers differ.
fn doubts(plan: &PairsPlan, which: &[usize], series: &[Series]) -> Vec<(usize, String)> {
    let mut doubts = Vec::new();
    for (at, one) in which.iter().zip(series) {
        let name = &plan.endpoints[*at].name;
        let mut doubt = |why: String| doubts.push((*at, format!("{name}: {why}")));
        let failed = one.errors(0);
        if are_too_many(failed, one.requests, plan.error_rate_max) {
            let most = one.errors[0].iter().max_by_key(|(_, count)| **count);
            let most = most.map_or("", |(kind, _)| kind.as_str());
            doubt(format!("the reference failed {failed} of {} requests: {most}", one.requests));
        }
        let others = one.statuses.iter().filter(|([reference, judged], _)| reference != judged);
        if let Some(([reference, judged], _)) = others.clone().max_by_key(|(_, count)| **count)
            && others.map(|(_, count)| count).sum::<u64>() * OTHER_STATUS > one.pairs.len() as u64
        {
            doubt(format!("the reference answers {reference} where the target answers {judged}"));
        }
        let [reference, judged] = [0, 1].map(|side| middle(&one.sizes[side]));
        let off = reference.abs_diff(judged);
        if off > SIZE_MIN && off * OTHER_SIZE > reference.max(judged) {
            doubt(format!(
                "the reference answers {reference} bytes where the target answers {judged}"
            ));
        }
    }
    doubts
}

fn middle(sizes: &[u64]) -> u64 {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// The results of all endpoints together.
fn compared(plan: &PairsPlan, which: &[usize], series: Vec<Series>) -> Vec<Compared> {
    let known: Vec<[Estimate; 2]> = series.iter().filter_map(|one| one.watch.estimates()).collect();
    let mut changes = paired::decide(&known, &plan.floors).into_iter();
    let named = which.iter().zip(series);
    named
        .map(|(at, one)| {
            let estimates = one.watch.estimates();
            let changes = match estimates {
                Some(_) => changes.next().unwrap_or([Change::Same; 2]),
                None => [Change::Same; 2],
            };
            let [_, errors] = one.errors;
            Compared {
                endpoint: plan.endpoints[*at].name.clone(),
                reference: side(&one.pairs, |pair| pair.0),
                judged: side(&one.pairs, |pair| pair.1),
                unit: Unit::Pairs,
                estimates,
                changes,
                withdrawn: [false; 2],
                is_doubted: false,
                requests: one.requests,
                errors,
            }
        })
        .collect()
}

fn side(pairs: &[Pair], of: fn(&Pair) -> u64) -> Vec<u64> {
    let mut sorted: Vec<u64> = pairs.iter().map(of).collect();
    sorted.sort_unstable();
    sorted
}
