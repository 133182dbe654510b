//! Slots for the connections that make requests, and some more for those that wait for one, so
//! that a full server still accepts, and answers probes.
//!
//! A connection gets a slot when it is accepted, if one is free. One without a slot is accepted
//! all the same while fewer than [`ConnectionSlots::waiting_max`] are; it may probe (`/healthz`,
//! `/readyz`), and any other request of it waits until a slot is free. While requests wait,
//! connections are evicted that are idle, or do not finish their head or body: first those of an
//! address that has more than its share, then idle ones, then the oldest. After these, requests
//! that wait for what they started (`?wait`) are answered with the state reached by then. The same
//! holds for the bytes of long request bodies.
//!
//! A live stream keeps the slot of its connection for as long as it lasts, be it silent or not. So
//! that streams leave slots for requests, they get half of them at most, which needs two slots. So
//! that none keeps its place for ever, perhaps for a client that is gone without a word, the
//! oldest that has run for [`TimeLimits::stream_min`] is ended when another stream needs its place,
//! first one of an address that has more than its share. Where there is none, the new one is
//! refused.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time;

use crate::base::clock;
use crate::http::front::connection_state::{
    Activity, ConnectionState, ConnectionStatus, TimeLimits,
};
use crate::http::front::socket::Peer;

/// A request body up to this length is read without reserving bytes for it.
pub(super) const SMALL_BODY_BYTES: usize = 16 * 1024;
/// What all longer request bodies may hold at a time.
const BODIES_BYTES: usize = 48 * 1024 * 1024;
/// Permits of the semaphore count kibibytes.
const UNIT: usize = 1024;
/// How many connections may wait without a slot: a fourth of those with one, within these bounds.
const WAITING_LEAST: usize = 8;
const WAITING_MOST: usize = 256;
const WAITING_PART: usize = 4;
/// The part of the slots that may be held by live streams.
const STREAMS_PART: usize = 2;
/// How many connections are closed at a time when no more can be accepted.
const CLOSED_AT_ONCE: usize = 32;

/// The open connections of a server, and what they share.
#[derive(Debug)]
pub(super) struct ConnectionSlots {
    max: usize,
    slots: Arc<Semaphore>,
    body_bytes: Arc<Semaphore>,
    /// Places for live streams.
    streams: Arc<Semaphore>,
    streams_max: usize,
    open: Mutex<OpenConnections>,
    /// A connection has ended.
    ended: Notify,
    /// A request waits for a slot, or a body for bytes.
    awaited: Notify,
}

#[derive(Debug, Default)]
struct OpenConnections {
    last_number: u64,
    by_number: HashMap<u64, Arc<ConnectionState>>,
}

impl ConnectionSlots {
    pub(super) fn new(max_connections: usize) -> Self {
        let max = max_connections.min(Semaphore::MAX_PERMITS);
        let streams_max = max / STREAMS_PART;
        Self {
            max,
            streams: Arc::new(Semaphore::new(streams_max)),
            streams_max,
            slots: Arc::new(Semaphore::new(max)),
            body_bytes: Arc::new(Semaphore::new(BODIES_BYTES / UNIT)),
            open: Mutex::default(),
            ended: Notify::new(),
            awaited: Notify::new(),
        }
    }

    /// How many connections are accepted beyond those that have a slot.
    fn waiting_max(&self) -> usize {
        (self.max / WAITING_PART).clamp(WAITING_LEAST, WAITING_MOST)
    }

    /// Registers a connection, with a slot if one is free; returns its number.
    pub(super) fn insert(&self, state: &Arc<ConnectionState>) -> u64 {
        state.lock().slot = Arc::clone(&self.slots).try_acquire_owned().ok();
        let mut open = self.open();
        open.last_number += 1;
        let number = open.last_number;
        open.by_number.insert(number, Arc::clone(state));
        number
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&self, number: u64) {
        let state = self.open().by_number.remove(&number);
        if let Some(state) = state {
            state.lock().slot = None;
        }
        self.ended.notify_one();
    }

    /// Lets no connection make a request after the one in progress.
    pub(super) fn drain(&self) {
        self.open().by_number.values().for_each(|state| state.drain());
    }

    /// Lets each connection make one more request.
    pub(super) fn close_after_next(&self) {
        self.open().by_number.values().for_each(|state| state.close_after_next());
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        // Each change is one insertion or one removal.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more connection can be accepted; closes others if need be.
    pub(super) async fn wait_for_capacity(&self, limits: &TimeLimits) {
        let most = self.max.saturating_add(self.waiting_max());
        loop {
            let ended = self.ended.notified();
            if self.open().by_number.len() < most {
                return;
            }
            self.close_some();
            let _ = time::timeout(limits.retry_pause, ended).await;
        }
    }

    /// Waits for the slot that the request of a connection needs; `false` when none was free in
    /// time.
    pub(super) async fn acquire_slot(&self, state: &ConnectionState, limits: &TimeLimits) -> bool {
        if state.lock().slot.is_some() {
            return true;
        }
        state.lock().awaits_slot = true;
        self.awaited.notify_one();
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = time::timeout(limits.slot_wait, slot).await;
        let mut state = state.lock();
        state.awaits_slot = false;
        state.slot = slot.ok().and_then(Result::ok);
        state.slot.is_some()
    }

    /// Waits for the bytes that a long request body takes; `None` when they were not free in time.
    pub(super) async fn reserve_body_bytes(
        &self,
        state: &ConnectionState,
        bytes: usize,
        limits: &TimeLimits,
    ) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.min(BODIES_BYTES).div_ceil(UNIT)).unwrap_or(u32::MAX);
        if let Ok(share) = Arc::clone(&self.body_bytes).try_acquire_many_owned(units) {
            return Some(share);
        }
        state.lock().awaits_body_bytes = true;
        self.awaited.notify_one();
        let share = Arc::clone(&self.body_bytes).acquire_many_owned(units);
        let share = time::timeout(limits.slot_wait, share).await;
        state.lock().awaits_body_bytes = false;
        share.ok()?.ok()
    }

    /// Waits for the place of a live stream; `None` when none was free, or could be made free in
    /// time.
    pub(super) async fn acquire_stream(&self, limits: &TimeLimits) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.streams).try_acquire_owned() {
            return Some(permit);
        }
        if !self.end_a_stream(limits) {
            return None;
        }
        let permit = Arc::clone(&self.streams).acquire_owned();
        time::timeout(limits.slot_wait, permit).await.ok()?.ok()
    }

    /// Ends the live stream that is the least loss; `false` when none may be ended.
    fn end_a_stream(&self, limits: &TimeLimits) -> bool {
        let mut statuses = self.statuses();
        statuses.retain(|(_, status)| status.streams_since.is_some());
        let shares = FairShares::of(&statuses, self.streams_max);
        let now = clock::monotonic();
        let oldest = statuses
            .iter()
            .filter_map(|(state, status)| {
                let since = status.streams_since?;
                let is_old = now.saturating_duration_since(since) >= limits.stream_min;
                is_old.then_some(((Reverse(shares.exceeds(status.peer)), since), state))
            })
            .min_by_key(|(order, _)| *order);
        let Some(((_, since), state)) = oldest else { return false };
        state.end_stream(since);
        true
    }

    /// Evicts connections for as long as requests wait. Never returns.
    pub(super) async fn run_evictions(&self, limits: &TimeLimits) {
        loop {
            let awaited = self.awaited.notified();
            if self.evict_for_waiting(limits) {
                time::sleep(limits.retry_pause).await;
            } else {
                awaited.await;
            }
        }
    }

    fn statuses(&self) -> Vec<(Arc<ConnectionState>, ConnectionStatus)> {
        let open = self.open();
        open.by_number.values().map(|state| (Arc::clone(state), state.status())).collect()
    }

    /// Asks as many connections for their slot as requests wait, where that is allowed. Returns
    /// whether any waits.
    fn evict_for_waiting(&self, limits: &TimeLimits) -> bool {
        let statuses = self.statuses();
        let shares = FairShares::of(&statuses, self.max);
        let now = clock::monotonic();
        let waiting = |waits: fn(&ConnectionStatus) -> bool| {
            statuses.iter().filter(move |(_, status)| waits(status))
        };
        // Those that were asked before will be gone in a moment.
        let asked = |is_candidate: fn(&ConnectionStatus) -> bool| {
            let is_asked = |status: &ConnectionStatus| status.is_eviction_requested;
            statuses.iter().filter(|(_, status)| is_asked(status) && is_candidate(status)).count()
        };
        let evict = |is_candidate: fn(&ConnectionStatus) -> bool,
                     waits: fn(&ConnectionStatus) -> bool| {
            // An address with more than its share does not delay the others.
            let is_fair = waiting(waits).any(|(_, status)| !shares.exceeds(status.peer));
            let count = waiting(waits).count().saturating_sub(asked(is_candidate));
            let mut chosen: Vec<_> = statuses
                .iter()
                .filter(|(_, status)| is_candidate(status) && !status.is_eviction_requested)
                .filter_map(|(state, status)| {
                    let (rank, since, min) = match status.activity {
                        Activity::Idle { since } => (0, since, limits.idle_min),
                        Activity::ReadingHead { since } => (1, since?, limits.body_min),
                        Activity::ReadingBody { since } | Activity::Unread { since } => {
                            (1, since, limits.body_min)
                        }
                        Activity::Waiting { since } => (2, since, limits.body_min),
                        Activity::Answering | Activity::Lingering { .. } => return None,
                    };
                    let exceeds = shares.exceeds(status.peer);
                    let is_old = now.saturating_duration_since(since) >= min;
                    (is_old || exceeds && is_fair)
                        .then_some(((Reverse(exceeds), rank, since), state))
                })
                .collect();
            chosen.sort_unstable_by_key(|(order, _)| *order);
            chosen
                .into_iter()
                .take(count)
                .for_each(|((.., since), state)| state.request_eviction(since));
        };
        evict(|status| status.has_slot, |status| status.awaits_slot);
        evict(
            |status| {
                status.holds_body_bytes && matches!(status.activity, Activity::ReadingBody { .. })
            },
            |status| status.awaits_body_bytes,
        );
        statuses.iter().any(|(_, status)| status.awaits_slot || status.awaits_body_bytes)
    }

    /// Closes a few connections that are the least loss: those that have their last answer, then
    /// those that have no slot and made no request, then those that wait for a slot; of each,
    /// first those of an address that has more than its share.
    fn close_some(&self) {
        let statuses = self.statuses();
        if statuses.iter().any(|(_, status)| status.is_close_requested) {
            // These will be gone in a moment.
            return;
        }
        let shares = FairShares::of(&statuses, self.max);
        let mut chosen: Vec<_> = statuses
            .iter()
            .filter_map(|(state, status)| {
                let (rank, since) = match status.activity {
                    Activity::Lingering { since } => (0, Some(since)),
                    _ if status.has_slot => return None,
                    Activity::Idle { since }
                    | Activity::ReadingBody { since }
                    | Activity::Unread { since } => (1, Some(since)),
                    Activity::ReadingHead { since } => (1, since),
                    Activity::Answering if status.awaits_slot => (2, None),
                    Activity::Waiting { .. } | Activity::Answering => return None,
                };
                let exceeds = shares.exceeds(status.peer);
                // One whose time was not noted yet has just begun.
                Some(((rank, Reverse(exceeds), since.is_none(), since), state))
            })
            .collect();
        chosen.sort_unstable_by_key(|(order, _)| *order);
        chosen.into_iter().take(CLOSED_AT_ONCE).for_each(|(_, state)| state.close_now());
    }
}

/// How many connections each address has.
struct FairShares {
    counts: HashMap<Peer, usize>,
    share: usize,
}

impl FairShares {
    fn of(statuses: &[(Arc<ConnectionState>, ConnectionStatus)], max: usize) -> Self {
        let mut counts = HashMap::new();
        for (_, status) in statuses {
            *counts.entry(status.peer).or_default() += 1;
        }
        let share = max / counts.len().max(1);
        Self { counts, share }
    }

    /// Whether an address has more than its share, where there is another address.
    fn exceeds(&self, peer: Peer) -> bool {
        self.counts.len() > 1 && self.counts.get(&peer).is_some_and(|count| *count > self.share)
    }
}
