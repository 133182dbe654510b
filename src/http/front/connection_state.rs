//! What a connection is doing just now: known to the bytes below hyper, to the request
//! above it, to the task that watches the time, and to the server that may want it closed.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::http::exchange::bounded_wait::WaitRegistry;
use crate::http::front::raw_head::{Framing, Head, Tape};

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Limits {
    /// Between requests.
    pub(in crate::http) idle: Duration,
    /// From the first byte of a head to its last.
    pub(in crate::http) head: Duration,
    /// For each [`RATE_BYTES`] of a body.
    pub(in crate::http) body: Duration,
    /// For each [`RATE_BYTES`] of ours that it takes, where it does not take all there is.
    pub(in crate::http) write: Duration,
    /// Until it closes its side, once we have closed ours; and for the rest of a head while
    /// the server ends.
    pub(in crate::http) linger: Duration,
    /// A connection that is idle for less is not closed to make room.
    pub(in crate::http) idle_min: Duration,
    /// A head or a body that is under way for less is not given up to make room.
    pub(in crate::http) body_min: Duration,
    /// How long a request waits for a place, and a long body for room.
    pub(in crate::http) place: Duration,
    /// Before another try to accept, where that failed or there is no room.
    pub(in crate::http) pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            write: Duration::from_secs(15),
            linger: Duration::from_secs(2),
            idle_min: Duration::from_secs(1),
            body_min: Duration::from_secs(1),
            place: Duration::from_secs(5),
            pause: Duration::from_millis(100),
        }
    }
}

/// A peer that sends a body, or does not take all of our answer, has to do so many bytes in the
/// time that its [`Limits`] give it: with their defaults, 1 KiB a second.
const RATE_BYTES: usize = 15 * 1024;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request.
    Idle { since: Instant },
    /// The rest of its head. The time is filled in by the one that watches it, since a head
    /// mostly comes whole and needs none.
    Head { since: Option<Instant> },
    /// More of its body, which was first waited for at `began`; so many bytes came after `since`.
    Body { since: Instant, bytes: usize, began: Instant },
    /// Our answer.
    Busy,
    /// The rest of our answer, which is being made and sent piece by piece.
    Streaming,
    /// The peer's close; what it still sends is thrown away.
    Lingering { since: Instant },
}

/// What is to be done with a connection that the peer does not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before that time, or a wake-up.
    Wait(Option<Instant>),
    /// Close it.
    Close,
    /// Answer 408 to its half of a head, and close it.
    HeadTimedOut,
    /// Let the body fail.
    BodyTimedOut,
}

/// What a connection is doing, for whoever needs its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It waits for a request.
    Nothing { since: Instant },
    /// It waits for the rest of a head; the time is not known of one that has just begun.
    Head { since: Option<Instant> },
    /// It waits for the rest of a body, which began then.
    Body { since: Instant },
    /// Its peer does not take our answer, or little of it, since then.
    Unread { since: Instant },
    /// Its request waits for what it started, which it need not.
    Waiting { since: Instant },
    /// A request is being answered.
    Work,
    /// All is answered; the peer's close is waited for.
    Lingering { since: Instant },
}

/// How a connection stands, for whoever needs its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) peer: IpAddr,
    pub(super) doing: Doing,
    pub(super) has_place: bool,
    pub(super) wants_place: bool,
    pub(super) wants_body: bool,
    pub(super) is_long_body: bool,
    pub(super) is_spare: bool,
    pub(super) is_dropped: bool,
}

/// An answer that was given without hyper's knowing of a request.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) request_id: HeaderValue,
}

/// What a connection is doing just now.
#[derive(Debug)]
pub(super) struct Link {
    peer: IpAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    pub(super) tape: Tape,
    /// An answer is with hyper, and not yet with the system.
    pub(super) is_unsent: bool,
    /// Since when the system does not take all of our answer, and how much it has taken since.
    blocked: Option<(Instant, usize)>,
    pub(super) body_timed_out: bool,
    pub(super) refused: Option<Refused>,
    /// The server ends: no request after this one.
    is_ending: bool,
    /// Another connection needs the place, unless what began then is over.
    spare: Option<Instant>,
    /// Another connection needs the descriptor.
    is_dropped: bool,
    /// Its place among those that make requests.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Its request waits for a place.
    pub(super) wants_place: bool,
    /// Its body waits for room.
    pub(super) wants_body: bool,
    /// Its body takes of the room for long ones.
    pub(super) is_long_body: bool,
    /// Its request waits for what it started, since when, and is answered early when that is
    /// cancelled.
    waiting: Option<(Instant, CancellationToken)>,
    /// It was answered early, so that others get the place.
    gave_way: bool,
    waker: Option<Waker>,
}

impl WaitRegistry for Link {
    fn begin_wait(&self, since: Instant, hurry: CancellationToken) {
        self.lock().waiting = Some((since, hurry));
    }

    fn end_wait(&self) {
        self.lock().waiting = None;
    }

    fn note_answered_early(&self) {
        self.lock().gave_way = true;
    }
}

impl Link {
    pub(super) fn new(peer: IpAddr, now: Instant) -> Self {
        Self {
            peer,
            state: Mutex::new(State {
                phase: Phase::Idle { since: now },
                tape: Tape::new(),
                is_unsent: false,
                blocked: None,
                body_timed_out: false,
                refused: None,
                is_ending: false,
                spare: None,
                is_dropped: false,
                place: None,
                wants_place: false,
                wants_body: false,
                is_long_body: false,
                waiting: None,
                gave_way: false,
                waker: None,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No request after the one in progress.
    pub(super) fn end(&self) {
        let waker = {
            let mut state = self.lock();
            state.is_ending = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    /// Closes the connection if it is still idle, or waits for a head or a body, since that time;
    /// answers a request that has waited since then.
    pub(super) fn make_room(&self, since: Instant) {
        let waker = {
            let mut state = self.lock();
            if let Some((_, hurry)) = state.waiting.as_ref().filter(|(began, _)| *began == since) {
                hurry.cancel();
                return;
            }
            state.spare = Some(since);
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    /// Closes the connection as it stands.
    pub(super) fn drop_now(&self) {
        let waker = {
            let mut state = self.lock();
            state.is_dropped = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    /// How it stands, for whoever needs its place.
    pub(super) fn standing(&self) -> Standing {
        let state = self.lock();
        let doing = match state.phase {
            Phase::Lingering { since } => Doing::Lingering { since },
            _ if state.is_unsent => Doing::Work,
            Phase::Idle { since } => Doing::Nothing { since },
            Phase::Head { since } => Doing::Head { since },
            Phase::Body { began, .. } => Doing::Body { since: began },
            Phase::Busy | Phase::Streaming => match &state.waiting {
                Some((since, _)) => Doing::Waiting { since: *since },
                None => Doing::Work,
            },
        };
        let is_hurried = state.waiting.as_ref().is_some_and(|(_, hurry)| hurry.is_cancelled());
        let doing = match state.blocked {
            Some((since, _)) if !matches!(doing, Doing::Lingering { .. }) => {
                Doing::Unread { since }
            }
            _ => doing,
        };
        Standing {
            peer: self.peer,
            doing,
            has_place: state.place.is_some(),
            wants_place: state.wants_place,
            wants_body: state.wants_body,
            is_long_body: state.is_long_body,
            is_spare: state.spare.is_some() || is_hurried || state.gave_way,
            is_dropped: state.is_dropped,
        }
    }

    /// Follows what is to be done. `now` is read only if need be.
    pub(super) fn judge(
        &self,
        limits: &Limits,
        context: &Context<'_>,
        now: impl Fn() -> Instant,
    ) -> Verdict {
        let mut state = self.lock();
        let state = &mut *state;
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        if state.is_dropped {
            return Verdict::Close;
        }
        if let Some((since, _)) = state.blocked
            && state.spare == Some(since)
        {
            return Verdict::Close;
        }
        let is_ending = state.is_ending;
        let deadline = match &mut state.phase {
            Phase::Idle { .. } if (is_ending || state.spare.is_some()) && !state.is_unsent => {
                return Verdict::Close;
            }
            Phase::Idle { since } => Some(*since + limits.idle),
            // What was marked while it did something else is not blamed for what has begun since.
            Phase::Head { since: Some(began) } if state.spare == Some(*began) => {
                state.place = None;
                return Verdict::HeadTimedOut;
            }
            Phase::Body { began, .. } if state.spare == Some(*began) => {
                state.place = None;
                return Verdict::BodyTimedOut;
            }
            Phase::Head { since } => {
                let limit = if is_ending { limits.head.min(limits.linger) } else { limits.head };
                Some(*since.get_or_insert_with(now) + limit)
            }
            Phase::Body { since, .. } => Some(*since + limits.body),
            Phase::Busy | Phase::Streaming => None,
            Phase::Lingering { since } => Some(*since + limits.linger),
        };
        // What came while there was no place or no time for more is forgotten.
        state.spare = None;
        let blocked = state.blocked.map(|(since, _)| since + limits.write);
        Verdict::Wait(match (deadline, blocked) {
            // A peer that takes nothing is waited for because of that only.
            (_, Some(blocked)) => Some(blocked),
            (deadline, None) => deadline,
        })
    }

    /// What follows from a deadline that [`Self::judge`] gave and that has passed.
    pub(super) fn time_out(&self) -> Verdict {
        let mut state = self.lock();
        match state.phase {
            _ if state.is_dropped || state.blocked.is_some() => Verdict::Close,
            Phase::Head { .. } => Verdict::HeadTimedOut,
            Phase::Body { .. } => {
                state.phase = Phase::Busy;
                state.body_timed_out = true;
                Verdict::BodyTimedOut
            }
            Phase::Idle { .. } | Phase::Lingering { .. } | Phase::Busy | Phase::Streaming => {
                Verdict::Close
            }
        }
    }
}

impl State {
    /// A request was handed out, its head complete; what was seen of that in the bytes.
    pub(super) fn begin(&mut self, framing: Framing) -> Option<Head> {
        self.phase = Phase::Busy;
        self.tape.take(framing)
    }

    /// Its body is waited for.
    pub(super) fn await_body(&mut self, now: Instant) {
        self.phase = Phase::Body { since: now, bytes: 0, began: now };
    }

    /// Its body is there, or will not be waited for at the moment.
    pub(super) fn stop_awaiting(&mut self) {
        self.is_long_body = false;
        self.phase = Phase::Busy;
    }

    /// Its answer goes to hyper. `is_clear`: where the request ends is certain, and it was
    /// read to there. `true` when the connection has to be closed after it.
    pub(super) fn answer(&mut self, is_clear: bool, now: Instant) -> bool {
        self.await_request(now);
        !is_clear || self.is_ending || self.gave_way
    }

    fn await_request(&mut self, now: Instant) {
        self.is_unsent = true;
        self.phase = if self.tape.has_more() {
            Phase::Head { since: Some(now) }
        } else {
            Phase::Idle { since: now }
        };
    }

    /// The answer that was just handed over is the begin of one that comes piece by piece: what
    /// is written until [`Self::finish_answer`] is part of it, however long that takes.
    pub(super) fn begin_stream(&mut self) {
        self.phase = Phase::Streaming;
    }

    /// All of such an answer is with hyper, or will never be.
    pub(super) fn finish_answer(&mut self, now: Instant) {
        if self.phase == Phase::Streaming {
            self.await_request(now);
        }
    }

    /// Whether what is written now is no answer of the service: it is hyper's own then, to a
    /// head that it could not read.
    pub(super) fn is_of_hyper(&self) -> bool {
        !self.is_unsent
            && !matches!(self.phase, Phase::Busy | Phase::Body { .. } | Phase::Streaming)
    }

    /// Whether a head that hyper could not read has no answer yet.
    pub(super) fn is_unanswered(&self) -> bool {
        self.refused.is_none() && self.is_of_hyper()
    }

    /// hyper has read these bytes.
    pub(super) fn received(&mut self, bytes: &[u8], now: impl Fn() -> Instant) {
        self.tape.record(bytes);
        match self.phase {
            Phase::Idle { .. } if self.tape.has_more() => self.phase = Phase::Head { since: None },
            Phase::Body { since, bytes: before, began } => {
                let bytes = before.saturating_add(bytes.len());
                self.phase = if bytes >= RATE_BYTES {
                    Phase::Body { since: now(), bytes: 0, began }
                } else {
                    Phase::Body { since, bytes, began }
                };
            }
            Phase::Idle { .. }
            | Phase::Head { .. }
            | Phase::Busy
            | Phase::Streaming
            | Phase::Lingering { .. } => {}
        }
    }

    /// The system takes nothing more of our answer at the moment.
    pub(super) fn block(&mut self, now: impl Fn() -> Instant) {
        if self.blocked.is_none() {
            self.blocked = Some((now(), 0));
        }
    }

    /// The system has taken so many bytes of our answer. A few of many do not count as progress.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.blocked = self.blocked.and_then(|(since, before)| {
            let bytes = before.saturating_add(bytes);
            (bytes < RATE_BYTES).then_some((since, bytes))
        });
    }

    /// The system has taken all there was.
    pub(super) fn flushed(&mut self) {
        self.is_unsent = false;
        self.blocked = None;
    }

    /// All is said; the peer's close is waited for.
    pub(super) fn linger(&mut self, now: impl Fn() -> Instant) {
        // It will make no further request.
        self.place = None;
        if !matches!(self.phase, Phase::Lingering { .. }) {
            self.phase = Phase::Lingering { since: now() };
        }
    }
}
