//! One thread that sends: its connections and samples.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::exchange::exchange;
use super::samples::{Tally, ThreadSamples};
use super::scenario::Endpoint;
use super::schedule::{Dealer, Schedule};
use super::target::{Route, Sender};
use super::timer::Timer;
use crate::base::clock;

/// The wait after a failed connection, so that an unavailable target is not flooded.
const PAUSE: Duration = Duration::from_millis(10);

/// What all threads share.
pub(super) struct Work {
    pub(super) endpoints: Vec<Endpoint>,
    /// A request of each endpoint.
    pub(super) requests: Vec<Request<Full<Bytes>>>,
    pub(super) route: Route,
    pub(super) tally: Arc<Tally>,
    pub(super) timeout: Duration,
    pub(super) warmup: Duration,
    pub(super) duration: Duration,
    /// How late a request may be sent.
    pub(super) grace: Duration,
}

/// A request that is to be made.
#[derive(Debug, Clone, Copy)]
struct Job {
    due: Instant,
    endpoint: usize,
    /// Not part of the warm-up.
    measured: bool,
}

/// One thread's connections and samples.
pub(super) struct Worker {
    work: Arc<Work>,
    connections_max: usize,
    /// The one that was idle longest is first, so that none is idle until the target
    /// closes it.
    idle: RefCell<VecDeque<Sender>>,
    open: Cell<usize>,
    waiting: RefCell<VecDeque<Job>>,
    in_flight: Cell<usize>,
    request_done: Notify,
    samples: RefCell<ThreadSamples>,
    begin: Cell<Option<Instant>>,
    /// Whether it matters when requests are sent.
    paced: bool,
}

impl Worker {
    pub(super) fn new(work: Arc<Work>, connections_max: usize, paced: bool) -> Rc<Self> {
        let samples = ThreadSamples::new(work.endpoints.len());
        Rc::new(Self {
            work,
            connections_max,
            idle: RefCell::default(),
            open: Cell::new(0),
            waiting: RefCell::default(),
            in_flight: Cell::new(0),
            request_done: Notify::new(),
            samples: RefCell::new(samples),
            begin: Cell::new(None),
            paced,
        })
    }

    /// Opens connections before any is needed.
    pub(super) async fn open(&self, count: usize) -> io::Result<()> {
        for opened in 0..count.min(self.connections_max) {
            let opening = self.work.route.connect(&self.work.tally);
            let opened_in_time = tokio::time::timeout(self.work.timeout, opening).await;
            match opened_in_time.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(sender) => {
                    self.idle.borrow_mut().push_back(sender);
                    self.open.set(self.open.get() + 1);
                }
                // A target that refuses more connections causes an error later, when they are
                // needed.
                Err(_) if opened > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends at the times of the schedule, of which this is the worker `own` of `all`.
    pub(super) async fn pace(
        self: &Rc<Self>,
        schedule: Schedule,
        begin: Instant,
        own: usize,
        all: usize,
    ) -> io::Result<()> {
        self.begin.set(Some(begin));
        let mut timer = Timer::new()?;
        for arrival in schedule.skip(own).step_by(all) {
            let due = begin + arrival.due;
            timer.until(due).await?;
            let measured = arrival.due >= self.work.warmup;
            self.dispatch(Job { due, endpoint: arrival.endpoint, measured });
        }
        while self.in_flight.get() > 0 {
            self.request_done.notified().await;
        }
        Ok(())
    }

    /// Sends over `connections` as fast as answers come.
    pub(super) async fn saturate(
        self: &Rc<Self>,
        dealer: Dealer,
        begin: Instant,
        connections: usize,
    ) -> io::Result<()> {
        self.begin.set(Some(begin));
        let dealer = Rc::new(RefCell::new(dealer));
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (worker, dealer) = (Rc::clone(self), Rc::clone(&dealer));
                let sender = self.idle.borrow_mut().pop_front();
                spawn_local(async move { worker.saturate_one(sender, &dealer, begin).await })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        Ok(())
    }

    async fn saturate_one(
        &self,
        mut sender: Option<Sender>,
        dealer: &RefCell<Dealer>,
        begin: Instant,
    ) {
        let end = begin + self.work.warmup + self.work.duration;
        loop {
            let due = clock::monotonic();
            if due >= end {
                return;
            }
            let endpoint = dealer.borrow_mut().next();
            let measured = due >= begin + self.work.warmup;
            self.perform(&mut sender, Job { due, endpoint, measured }).await;
            if sender.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The samples.
    pub(super) fn into_samples(self: Rc<Self>) -> ThreadSamples {
        self.samples.take()
    }

    /// Gives the request to a connection: an idle one, a new one, or the first that
    /// becomes idle.
    fn dispatch(self: &Rc<Self>, job: Job) {
        self.in_flight.set(self.in_flight.get() + 1);
        let sender = self.take_idle();
        if sender.is_none() {
            if self.open.get() >= self.connections_max {
                self.work.tally.waited.fetch_add(1, Ordering::Relaxed);
                self.waiting.borrow_mut().push_back(job);
                return;
            }
            self.open.set(self.open.get() + 1);
        }
        let worker = Rc::clone(self);
        spawn_local(async move { worker.serve(sender, job).await });
    }

    fn take_idle(&self) -> Option<Sender> {
        loop {
            let sender = self.idle.borrow_mut().pop_front()?;
            if !sender.is_closed() {
                return Some(sender);
            }
            self.open.set(self.open.get() - 1);
        }
    }

    /// Performs a request, then the waiting ones.
    async fn serve(&self, mut sender: Option<Sender>, mut job: Job) {
        loop {
            self.perform(&mut sender, job).await;
            self.in_flight.set(self.in_flight.get() - 1);
            match self.waiting.borrow_mut().pop_front() {
                Some(next) => job = next,
                None => break,
            }
        }
        match sender {
            Some(sender) => self.idle.borrow_mut().push_back(sender),
            None => self.open.set(self.open.get() - 1),
        }
        if self.in_flight.get() == 0 {
            self.request_done.notify_one();
        }
    }

    /// Makes a request and records the result.
    async fn perform(&self, sender: &mut Option<Sender>, job: Job) {
        self.work.tally.sent.fetch_add(1, Ordering::Relaxed);
        if self.paced && job.measured {
            let now = clock::monotonic();
            let length = self.work.warmup + self.work.duration + self.work.grace;
            let end = self.begin.get().map(|begin| begin + length);
            let in_time = end.is_none_or(|end| now <= end);
            self.samples.borrow_mut().sent(now.saturating_duration_since(job.due), in_time);
        }
        let ended = self.attempt(sender, job).await;
        let latency = clock::monotonic().saturating_duration_since(job.due);
        if !job.measured {
            return;
        }
        let expected = |status: StatusCode| self.work.endpoints[job.endpoint].expects(status);
        match ended {
            Ok(status) if expected(status) => {
                self.work.tally.answered(latency);
                self.samples.borrow_mut().answered(job.endpoint, latency);
            }
            Ok(status) => self.fail(job, format!("status {}", status.as_u16())),
            Err(kind) => self.fail(job, kind),
        }
    }

    /// The status of the answer, if it came in time.
    async fn attempt(&self, sender: &mut Option<Sender>, job: Job) -> Result<StatusCode, String> {
        let late = || Err("timed out".to_owned());
        let limit = job.due + self.work.timeout;
        if clock::monotonic() >= limit {
            // The request timed out before it could be sent: the target cannot keep up, so it is
            // not sent. Many more requests may have timed out; yielding lets the thread send others
            // between them.
            tokio::task::yield_now().await;
            return late();
        }
        let request = &self.work.requests[job.endpoint];
        let exchange = exchange(&self.work.route, &self.work.tally, sender, request);
        let ended = tokio::time::timeout_at(limit.into(), exchange).await;
        let ended = match ended {
            Ok(ended) => ended.map(|answer| answer.status),
            Err(_) => late(),
        };
        if ended.is_err() {
            // A late answer over this connection would be taken for the next one.
            *sender = None;
        }
        ended
    }

    fn fail(&self, job: Job, kind: String) {
        self.work.tally.errors.fetch_add(1, Ordering::Relaxed);
        self.samples.borrow_mut().failed(job.endpoint, kind);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn a_request_on_its_way_takes_little() {
        let work = Work {
            endpoints: Vec::new(),
            requests: Vec::new(),
            route: Target::parse("http://127.0.0.1:1").unwrap().resolve().unwrap(),
            tally: Arc::new(Tally::new()),
            timeout: PAUSE,
            warmup: PAUSE,
            duration: PAUSE,
            grace: PAUSE,
        };
        let worker = Worker::new(Arc::new(work), 1, true);
        let job = Job { due: clock::monotonic(), endpoint: 0, measured: true };
        // A target that stalls has as many of them as the rate makes.
        let bytes = size_of_val(&worker.serve(None, job));
        assert!(bytes <= 1_024, "{bytes}");
    }
}
