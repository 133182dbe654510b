//! What a connection is doing just now: known to the bytes below hyper, to the request
//! above it, to the task that watches the time, and to the server that may want it closed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;

use super::tape::{Framing, Head, Tape};

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Between requests.
    pub(super) idle: Duration,
    /// From the first byte of a head to its last.
    pub(super) head: Duration,
    /// Between bytes of a body.
    pub(super) body: Duration,
    /// Between bytes of ours that it takes.
    pub(super) write: Duration,
    /// Until it closes its side, once we have closed ours; and for the rest of a head while
    /// the server ends.
    pub(super) linger: Duration,
    /// A connection that is idle for less is not closed to make room.
    pub(super) idle_min: Duration,
    /// A body that is under way for less is not given up to make room.
    pub(super) body_min: Duration,
    /// Before another try to accept, where that failed or there is no room.
    pub(super) pause: Duration,
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
            body_min: Duration::from_secs(15),
            pause: Duration::from_millis(100),
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request.
    Idle { since: Instant },
    /// The rest of its head. The time is filled in by the one that watches it, since a head
    /// mostly comes whole and needs none.
    Head { since: Option<Instant> },
    /// The next byte of its body, which was first waited for at `began`.
    Body { since: Instant, began: Instant },
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

/// An answer that was given without hyper's knowing of a request.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) request_id: HeaderValue,
}

/// What a connection is doing just now.
#[derive(Debug)]
pub(super) struct Link {
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    pub(super) tape: Tape,
    /// An answer is with hyper, and not yet with the system.
    pub(super) is_unsent: bool,
    /// Since when the system takes nothing of our answer.
    blocked_since: Option<Instant>,
    pub(super) body_timed_out: bool,
    pub(super) refused: Option<Refused>,
    /// The server ends: no request after this one.
    is_ending: bool,
    /// Another connection needs the place.
    is_spare: bool,
    waker: Option<Waker>,
}

impl Link {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Idle { since: now },
                tape: Tape::new(),
                is_unsent: false,
                blocked_since: None,
                body_timed_out: false,
                refused: None,
                is_ending: false,
                is_spare: false,
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

    /// Closes the connection if it is still idle or waits for a body.
    pub(super) fn make_room(&self) {
        let waker = {
            let mut state = self.lock();
            state.is_spare = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    /// Since when nothing is in progress.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        match state.phase {
            Phase::Idle { since } if !state.is_unsent => Some(since),
            _ => None,
        }
    }

    /// Since when a body is under way, as one is for days that comes byte by byte.
    pub(super) fn body_since(&self) -> Option<Instant> {
        match self.lock().phase {
            Phase::Body { began, .. } => Some(began),
            _ => None,
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
        let is_ending = state.is_ending;
        let deadline = match &mut state.phase {
            Phase::Idle { .. } if (is_ending || state.is_spare) && !state.is_unsent => {
                return Verdict::Close;
            }
            Phase::Idle { since } => Some(*since + limits.idle),
            Phase::Head { since } => {
                let limit = if is_ending { limits.head.min(limits.linger) } else { limits.head };
                Some(*since.get_or_insert_with(now) + limit)
            }
            // What was marked while it was idle is not blamed for a body that has just begun.
            Phase::Body { began, .. }
                if std::mem::take(&mut state.is_spare)
                    && now().saturating_duration_since(*began) >= limits.body_min =>
            {
                return Verdict::BodyTimedOut;
            }
            Phase::Body { since, .. } => Some(*since + limits.body),
            Phase::Busy | Phase::Streaming => None,
            Phase::Lingering { since } => Some(*since + limits.linger),
        };
        // What came while there was no place or no time for more is forgotten.
        state.is_spare = false;
        let blocked = state.blocked_since.map(|since| since + limits.write);
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
            _ if state.blocked_since.is_some() => Verdict::Close,
            Phase::Head { .. } => Verdict::HeadTimedOut,
            Phase::Body { .. } => {
                state.phase = Phase::Busy;
                state.body_timed_out = true;
                Verdict::BodyTimedOut
            }
            Phase::Idle { .. }
            | Phase::Lingering { .. }
            | Phase::Busy
            | Phase::Streaming => Verdict::Close,
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
        self.phase = Phase::Body { since: now, began: now };
    }

    /// Its body is there, or will not be waited for any longer.
    pub(super) fn stop_awaiting(&mut self) {
        self.phase = Phase::Busy;
    }

    /// Its answer goes to hyper. `is_clear`: where the request ends is certain, and it was
    /// read to there. `true` when the connection has to be closed after it.
    pub(super) fn answer(&mut self, is_clear: bool, now: Instant) -> bool {
        self.await_request(now);
        !is_clear || self.is_ending
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
        !self.is_unsent && !matches!(self.phase, Phase::Busy | Phase::Body { .. } | Phase::Streaming)
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
            Phase::Body { began, .. } => self.phase = Phase::Body { since: now(), began },
            Phase::Idle { .. } | Phase::Head { .. }
            | Phase::Busy
            | Phase::Streaming
            | Phase::Lingering { .. } => {}
        }
    }

    /// The system takes nothing, or something again.
    pub(super) fn blocked(&mut self, is_blocked: bool, now: impl Fn() -> Instant) {
        if !is_blocked {
            self.blocked_since = None;
        } else if self.blocked_since.is_none() {
            self.blocked_since = Some(now());
        }
    }

    /// All is said; the peer's close is waited for.
    pub(super) fn linger(&mut self, now: impl Fn() -> Instant) {
        if !matches!(self.phase, Phase::Lingering { .. }) {
            self.phase = Phase::Lingering { since: now() };
        }
    }
}
