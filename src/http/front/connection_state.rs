//! The state of one connection, shared by the transport below hyper, the service above it, the task
//! that watches its time limits, and the server that may want it closed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::http::exchange::bounded_wait::WaitRegistry;
use crate::http::front::raw_head::{Framing, RawHead, RawHeadBuffer};
use crate::http::front::socket::Peer;

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct TimeLimits {
    /// Between requests.
    pub(in crate::http) idle: Duration,
    /// From the first byte of a head to its last.
    pub(in crate::http) head: Duration,
    /// For each [`RATE_BYTES`] of a request body.
    pub(in crate::http) body: Duration,
    /// For each [`RATE_BYTES`] of a response, while there are bytes that the peer does not take.
    pub(in crate::http) write: Duration,
    /// Until the peer closes its side after we have closed ours; also for the rest of a head while
    /// the server drains.
    pub(in crate::http) linger: Duration,
    /// A connection that is idle for less is not evicted.
    pub(in crate::http) idle_min: Duration,
    /// A connection is not evicted for a head or a body that is under way for less.
    pub(in crate::http) body_min: Duration,
    /// A live stream that runs for less is not ended to make room for another one.
    pub(in crate::http) stream_min: Duration,
    /// How long a request waits for a slot, and a long request body for bytes.
    pub(in crate::http) slot_wait: Duration,
    /// Before another try to accept after one failed or found no capacity.
    pub(in crate::http) retry_pause: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            write: Duration::from_secs(15),
            linger: Duration::from_secs(2),
            idle_min: Duration::from_secs(1),
            body_min: Duration::from_secs(1),
            stream_min: Duration::from_secs(60),
            slot_wait: Duration::from_secs(5),
            retry_pause: Duration::from_millis(100),
        }
    }
}

/// A peer that sends a body, or does not take all of a response, has to move so many bytes in the
/// time that its [`TimeLimits`] give it: with their defaults, 1 KiB a second.
const RATE_BYTES: usize = 15 * 1024;

/// What the connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request.
    Idle { since: Instant },
    /// The rest of its head. The timer fills in the time, since a head mostly comes whole and
    /// needs none.
    Head { since: Option<Instant> },
    /// More of its body, which was first waited for at `began`; so many bytes came after `since`.
    Body { since: Instant, bytes: usize, began: Instant },
    /// The response of the service.
    Busy,
    /// The rest of a response, which is produced and sent chunk by chunk. That may take as long as
    /// its producer needs: the peer is waited for only while there are bytes that it does not take.
    Streaming,
    /// The peer's close; what it still sends is thrown away.
    Lingering { since: Instant },
}

/// What the timer of a connection has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerAction {
    /// Wait until that time, or for a wake-up.
    Wait(Option<Instant>),
    /// Close the connection.
    Close,
    /// Answer 408 to an incomplete head, and close the connection.
    HeadTimedOut,
    /// Let reading the body fail.
    BodyTimedOut,
}

/// What a connection is doing, for the eviction of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It waits for a request.
    Idle { since: Instant },
    /// It waits for the rest of a head; `None` while that has just begun.
    ReadingHead { since: Option<Instant> },
    /// It waits for the rest of a body since then.
    ReadingBody { since: Instant },
    /// Its peer takes nothing or little of a response since then.
    Unread { since: Instant },
    /// Its request waits for what it started (`?wait`), and can be answered early.
    Waiting { since: Instant },
    /// A request is being answered.
    Answering,
    /// Everything is answered; it waits for the peer to close.
    Lingering { since: Instant },
}

/// The status of a connection, for the eviction of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionStatus {
    pub(super) peer: Peer,
    pub(super) activity: Activity,
    pub(super) has_slot: bool,
    pub(super) awaits_slot: bool,
    pub(super) awaits_body_bytes: bool,
    pub(super) holds_body_bytes: bool,
    pub(super) is_eviction_requested: bool,
    pub(super) is_close_requested: bool,
    /// Since when it has a live stream, unless that is being ended.
    pub(super) streams_since: Option<Instant>,
}

/// A response to a head of which hyper made no request.
#[derive(Debug)]
pub(super) struct RefusedHead {
    pub(super) status: u16,
    pub(super) request_id: HeaderValue,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    peer: Peer,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    phase: Phase,
    pub(super) raw_heads: RawHeadBuffer,
    /// hyper has bytes of a response that the system has not taken.
    pub(super) is_unsent: bool,
    /// Since when the system does not take all of a response, and how much it took since then.
    write_blocked: Option<(Instant, usize)>,
    pub(super) body_timed_out: bool,
    pub(super) refused: Option<RefusedHead>,
    /// The server drains: no request after this one.
    is_draining: bool,
    /// The connection is closed after the next answer.
    closes_after_next: bool,
    /// Another connection needs the slot: this one is evicted if what it did since then goes on.
    evicted_since: Option<Instant>,
    /// Another connection needs the file descriptor.
    is_close_requested: bool,
    /// The slot that lets it make requests.
    pub(super) slot: Option<OwnedSemaphorePermit>,
    /// Its request waits for a slot.
    pub(super) awaits_slot: bool,
    /// Its request body waits for bytes of the bound that long ones share.
    pub(super) awaits_body_bytes: bool,
    /// Its request body holds such bytes.
    pub(super) holds_body_bytes: bool,
    /// Its request waits for what it started, since when, and is answered early when that is
    /// cancelled.
    waiting: Option<(Instant, CancellationToken)>,
    /// Its request was answered early, so that others get the slot.
    answered_early: bool,
    /// The live stream that is the rest of its response.
    live: Option<LiveStream>,
    waker: Option<Waker>,
}

/// A live stream of a connection.
#[derive(Debug)]
struct LiveStream {
    since: Instant,
    ended: CancellationToken,
    /// It is cut off once the system has taken all of it.
    is_cut_off_deferred: bool,
    /// Its place among the live streams of the server.
    _permit: OwnedSemaphorePermit,
}

/// What the transport has to do after a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterFlush {
    Nothing,
    /// Watch whether the peer leaves, which hyper does not do during a response.
    WatchPeer,
    /// Poll the body again, which waited for the flush.
    PollBody,
}

impl WaitRegistry for ConnectionState {
    fn begin_wait(&self, since: Instant, hurry: CancellationToken) {
        self.lock().waiting = Some((since, hurry));
    }

    fn end_wait(&self) {
        self.lock().waiting = None;
    }

    fn note_answered_early(&self) {
        self.lock().answered_early = true;
    }
}

impl ConnectionState {
    pub(super) fn new(peer: Peer, now: Instant) -> Self {
        Self {
            peer,
            inner: Mutex::new(Inner {
                phase: Phase::Idle { since: now },
                raw_heads: RawHeadBuffer::new(),
                is_unsent: false,
                write_blocked: None,
                body_timed_out: false,
                refused: None,
                is_draining: false,
                closes_after_next: false,
                evicted_since: None,
                is_close_requested: false,
                slot: None,
                awaits_slot: false,
                awaits_body_bytes: false,
                holds_body_bytes: false,
                waiting: None,
                answered_early: false,
                live: None,
                waker: None,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No request after the one in progress, which is ended if it is a live stream.
    pub(super) fn drain(&self) {
        let (waker, stream) = {
            let mut state = self.lock();
            state.is_draining = true;
            (state.waker.take(), state.live.as_ref().map(|live| live.ended.clone()))
        };
        stream.inspect(CancellationToken::cancel);
        waker.inspect(Waker::wake_by_ref);
    }

    /// No request after the next one, or the one in progress, which is ended if it is a live stream.
    pub(super) fn close_after_next(&self) {
        let stream = {
            let mut state = self.lock();
            state.closes_after_next = true;
            state.live.as_ref().map(|live| live.ended.clone())
        };
        stream.inspect(CancellationToken::cancel);
    }

    /// Ends the live stream that the connection has since then.
    pub(super) fn end_stream(&self, since: Instant) {
        let (waker, stream) = {
            let mut state = self.lock();
            let stream = state.live.as_ref().filter(|live| live.since == since);
            let Some(stream) = stream.map(|live| live.ended.clone()) else { return };
            (state.waker.take(), stream)
        };
        stream.cancel();
        waker.inspect(Waker::wake_by_ref);
    }

    /// Closes the connection if what it did since that time goes on: being idle, or waiting for a
    /// head, a body or a reader. A request that waits since then is answered early.
    pub(super) fn request_eviction(&self, since: Instant) {
        let waker = {
            let mut state = self.lock();
            if let Some((_, hurry)) = state.waiting.as_ref().filter(|(began, _)| *began == since) {
                hurry.cancel();
                return;
            }
            state.evicted_since = Some(since);
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    /// Closes the connection as it stands.
    pub(super) fn close_now(&self) {
        let waker = {
            let mut state = self.lock();
            state.is_close_requested = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }

    /// The status, for the eviction of connections.
    pub(super) fn status(&self) -> ConnectionStatus {
        let state = self.lock();
        let activity = match state.phase {
            Phase::Lingering { since } => Activity::Lingering { since },
            _ if state.is_unsent => Activity::Answering,
            Phase::Idle { since } => Activity::Idle { since },
            Phase::Head { since } => Activity::ReadingHead { since },
            Phase::Body { began, .. } => Activity::ReadingBody { since: began },
            Phase::Busy | Phase::Streaming => match &state.waiting {
                Some((since, _)) => Activity::Waiting { since: *since },
                None => Activity::Answering,
            },
        };
        let is_hurried = state.waiting.as_ref().is_some_and(|(_, hurry)| hurry.is_cancelled());
        let activity = match state.write_blocked {
            Some((since, _)) if !matches!(activity, Activity::Lingering { .. }) => {
                Activity::Unread { since }
            }
            _ => activity,
        };
        ConnectionStatus {
            peer: self.peer,
            activity,
            has_slot: state.slot.is_some(),
            awaits_slot: state.awaits_slot,
            awaits_body_bytes: state.awaits_body_bytes,
            holds_body_bytes: state.holds_body_bytes,
            is_eviction_requested: state.evicted_since.is_some()
                || is_hurried
                || state.answered_early,
            is_close_requested: state.is_close_requested,
            streams_since: state
                .live
                .as_ref()
                .filter(|live| !live.ended.is_cancelled())
                .map(|live| live.since),
        }
    }

    /// What the timer has to do next. `now` is called only if need be.
    pub(super) fn next_action(
        &self,
        limits: &TimeLimits,
        context: &Context<'_>,
        now: impl Fn() -> Instant,
    ) -> TimerAction {
        let mut state = self.lock();
        let state = &mut *state;
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        if state.is_close_requested {
            return TimerAction::Close;
        }
        if let Some((since, _)) = state.write_blocked
            && state.evicted_since == Some(since)
        {
            return TimerAction::Close;
        }
        let is_draining = state.is_draining;
        let deadline = match &mut state.phase {
            Phase::Idle { .. }
                if (is_draining || state.evicted_since.is_some()) && !state.is_unsent =>
            {
                return TimerAction::Close;
            }
            Phase::Idle { since } => Some(*since + limits.idle),
            // A request to evict it that was meant for what it did earlier does not count.
            Phase::Head { since: Some(began) } if state.evicted_since == Some(*began) => {
                state.slot = None;
                return TimerAction::HeadTimedOut;
            }
            Phase::Body { began, .. } if state.evicted_since == Some(*began) => {
                state.slot = None;
                return TimerAction::BodyTimedOut;
            }
            Phase::Head { since } => {
                let limit = if is_draining { limits.head.min(limits.linger) } else { limits.head };
                Some(*since.get_or_insert_with(now) + limit)
            }
            Phase::Body { since, .. } => Some(*since + limits.body),
            Phase::Busy | Phase::Streaming => None,
            Phase::Lingering { since } => Some(*since + limits.linger),
        };
        // The eviction was meant for what is over.
        state.evicted_since = None;
        let write_blocked = state.write_blocked.map(|(since, _)| since + limits.write);
        TimerAction::Wait(match (deadline, write_blocked) {
            // While the peer takes nothing, only that limit counts.
            (_, Some(write_blocked)) => Some(write_blocked),
            (deadline, None) => deadline,
        })
    }

    /// What to do about a deadline that [`Self::next_action`] gave and that has passed.
    pub(super) fn action_on_timeout(&self) -> TimerAction {
        let mut state = self.lock();
        match state.phase {
            _ if state.is_close_requested || state.write_blocked.is_some() => TimerAction::Close,
            Phase::Head { .. } => TimerAction::HeadTimedOut,
            Phase::Body { .. } => {
                state.phase = Phase::Busy;
                state.body_timed_out = true;
                TimerAction::BodyTimedOut
            }
            Phase::Idle { .. } | Phase::Lingering { .. } | Phase::Busy | Phase::Streaming => {
                TimerAction::Close
            }
        }
    }
}

impl Inner {
    /// hyper handed out a request; returns what was seen in the bytes of its head.
    pub(super) fn begin_request(&mut self, framing: Framing) -> Option<RawHead> {
        self.phase = Phase::Busy;
        self.raw_heads.take_head(framing)
    }

    /// The service waits for the body of the request.
    pub(super) fn begin_body(&mut self, now: Instant) {
        self.phase = Phase::Body { since: now, bytes: 0, began: now };
    }

    /// The body is complete, or the service does not wait for it at the moment.
    pub(super) fn end_body(&mut self) {
        self.holds_body_bytes = false;
        self.phase = Phase::Busy;
    }

    /// The response goes to hyper. `stays`: the connection may be kept. Returns whether it has to be
    /// closed after this response.
    pub(super) fn answer(&mut self, stays: bool, now: Instant) -> bool {
        self.await_request(now);
        !stays || self.is_draining || self.closes_after_next || self.answered_early
    }

    fn await_request(&mut self, now: Instant) {
        self.is_unsent = true;
        self.phase = if self.raw_heads.has_more() {
            Phase::Head { since: Some(now) }
        } else {
            Phase::Idle { since: now }
        };
    }

    /// The response that was just handed over is sent chunk by chunk: what is written until
    /// [`Self::finish_answer`] is part of it, however long that takes.
    pub(super) fn begin_stream(&mut self) {
        self.phase = Phase::Streaming;
    }

    /// The same for a live stream, which `ended` ends and which holds `permit`.
    pub(super) fn begin_live_stream(
        &mut self,
        now: Instant,
        ended: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) {
        self.begin_stream();
        if self.is_draining || self.closes_after_next {
            ended.cancel();
        }
        let is_cut_off_deferred = false;
        self.live = Some(LiveStream { since: now, ended, is_cut_off_deferred, _permit: permit });
    }

    /// Whether a live stream cannot be cut off yet, since the system has not taken all of it. Its
    /// body is polled again when that has happened.
    pub(super) fn defers_cut_off(&mut self) -> bool {
        if let Some(live) = &mut self.live {
            live.is_cut_off_deferred = self.is_unsent;
        }
        self.is_unsent
    }

    /// All of such a response is with hyper, or it was given up.
    pub(super) fn finish_answer(&mut self, now: Instant) {
        self.live = None;
        if self.phase == Phase::Streaming {
            self.await_request(now);
        }
    }

    /// Whether what is written now is no response of the service, but one of hyper to a head that
    /// it could not read.
    pub(super) fn is_hyper_answer(&self) -> bool {
        !self.is_unsent
            && !matches!(self.phase, Phase::Busy | Phase::Body { .. } | Phase::Streaming)
    }

    /// Whether a head that hyper could not read has no answer yet.
    pub(super) fn awaits_refusal(&self) -> bool {
        self.refused.is_none() && self.is_hyper_answer()
    }

    /// hyper has read these bytes.
    pub(super) fn received(&mut self, bytes: &[u8], now: impl Fn() -> Instant) {
        self.raw_heads.record(bytes);
        match self.phase {
            Phase::Idle { .. } if self.raw_heads.has_more() => {
                self.phase = Phase::Head { since: None }
            }
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

    /// The system takes no more of a response at the moment.
    pub(super) fn block_write(&mut self, now: impl Fn() -> Instant) {
        if self.write_blocked.is_none() {
            self.write_blocked = Some((now(), 0));
        }
    }

    /// The system has taken so many bytes of a response. Fewer than [`RATE_BYTES`] are no progress.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.write_blocked = self.write_blocked.and_then(|(since, before)| {
            let bytes = before.saturating_add(bytes);
            (bytes < RATE_BYTES).then_some((since, bytes))
        });
    }

    /// The system has taken all that hyper had.
    pub(super) fn flushed(&mut self) -> AfterFlush {
        self.is_unsent = false;
        self.write_blocked = None;
        let Some(live) = &mut self.live else { return AfterFlush::Nothing };
        match std::mem::take(&mut live.is_cut_off_deferred) {
            true => AfterFlush::PollBody,
            false => AfterFlush::WatchPeer,
        }
    }

    /// We have closed our side; the peer is to close its own.
    pub(super) fn linger(&mut self, now: impl Fn() -> Instant) {
        // It will make no further request.
        self.slot = None;
        if !matches!(self.phase, Phase::Lingering { .. }) {
            self.phase = Phase::Lingering { since: now() };
        }
    }
}
