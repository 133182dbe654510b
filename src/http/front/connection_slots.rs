//! Room for connections: places for those that make requests, and some more for those that wait
//! for one, so that a full server still accepts, and answers probes.
//!
//! A connection gets a place when it is accepted, if one is free. One without a place is
//! accepted all the same, as long as fewer than [`Room::waiting_max`] are; it may probe
//! (`/healthz`, `/readyz`), and any other request of it waits until a place is free. While
//! requests wait, connections that do nothing, or do not finish their head or body, give up
//! their places: those of an address that has more than its share first, then those that are
//! idle, then the oldest. After these, requests that wait for what they started (`?wait`) are
//! answered with the state reached by then. The same holds for the bytes of long bodies.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time;

use crate::clock;
use crate::http::front::connection_state::{Doing, Limits, Link, Standing};

/// A body up to this length is read without asking for room.
pub(super) const SMALL_BODY_BYTES: usize = 16 * 1024;
/// What all longer bodies may hold at a time.
const BODIES_BYTES: usize = 48 * 1024 * 1024;
/// Permits of the semaphore count kibibytes.
const UNIT: usize = 1024;
/// The least and the most connections without a place, and their part of those with one.
const WAITING_LEAST: usize = 8;
const WAITING_MOST: usize = 256;
const WAITING_PART: usize = 4;
/// How many connections are dropped at a time where no more can be accepted.
const DROPPED_AT_ONCE: usize = 32;

/// The connections of a server, and what they share.
#[derive(Debug)]
pub(super) struct Room {
    max: usize,
    places: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    open: Mutex<(u64, HashMap<u64, Arc<Link>>)>,
    /// A connection has ended.
    left: Notify,
    /// A request waits for a place, or a body for room.
    wanted: Notify,
}

impl Room {
    pub(super) fn new(max_connections: usize) -> Self {
        let max = max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            max,
            places: Arc::new(Semaphore::new(max)),
            bodies: Arc::new(Semaphore::new(BODIES_BYTES / UNIT)),
            open: Mutex::default(),
            left: Notify::new(),
            wanted: Notify::new(),
        }
    }

    /// How many connections are accepted beyond those that have a place.
    fn waiting_max(&self) -> usize {
        (self.max / WAITING_PART).clamp(WAITING_LEAST, WAITING_MOST)
    }

    /// Takes in a connection, with a place if one is free; gives what names it.
    pub(super) fn insert(&self, link: &Arc<Link>) -> u64 {
        link.lock().place = Arc::clone(&self.places).try_acquire_owned().ok();
        let mut open = self.open();
        open.0 += 1;
        let number = open.0;
        open.1.insert(number, Arc::clone(link));
        number
    }

    /// It has ended.
    pub(super) fn remove(&self, number: u64) {
        let link = self.open().1.remove(&number);
        if let Some(link) = link {
            link.lock().place = None;
        }
        self.left.notify_one();
    }

    pub(super) fn end(&self) {
        self.open().1.values().for_each(|link| link.end());
    }

    fn open(&self) -> MutexGuard<'_, (u64, HashMap<u64, Arc<Link>>)> {
        // Each change is one insertion or one removal.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more connection can be accepted, and sees to that.
    pub(super) async fn await_vacancy(&self, limits: &Limits) {
        let most = self.max.saturating_add(self.waiting_max());
        loop {
            let left = self.left.notified();
            if self.open().1.len() < most {
                return;
            }
            self.drop_some();
            let _ = time::timeout(limits.pause, left).await;
        }
    }

    /// Waits for the place that the request of a connection needs; `false` when none came free
    /// in time.
    pub(super) async fn await_place(&self, link: &Link, limits: &Limits) -> bool {
        if link.lock().place.is_some() {
            return true;
        }
        link.lock().wants_place = true;
        self.wanted.notify_one();
        let place = Arc::clone(&self.places).acquire_owned();
        let place = time::timeout(limits.place, place).await;
        let mut state = link.lock();
        state.wants_place = false;
        state.place = place.ok().and_then(Result::ok);
        state.place.is_some()
    }

    /// Waits for the room that a long body takes; `None` when there was none in time.
    pub(super) async fn await_body(
        &self,
        link: &Link,
        bytes: usize,
        limits: &Limits,
    ) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.min(BODIES_BYTES).div_ceil(UNIT)).unwrap_or(u32::MAX);
        if let Ok(share) = Arc::clone(&self.bodies).try_acquire_many_owned(units) {
            return Some(share);
        }
        link.lock().wants_body = true;
        self.wanted.notify_one();
        let share = Arc::clone(&self.bodies).acquire_many_owned(units);
        let share = time::timeout(limits.place, share).await;
        link.lock().wants_body = false;
        share.ok()?.ok()
    }

    /// Has connections make room for as long as requests wait. Never ends.
    pub(super) async fn keep(&self, limits: &Limits) {
        loop {
            let wanted = self.wanted.notified();
            if self.make_room(limits) {
                time::sleep(limits.pause).await;
            } else {
                wanted.await;
            }
        }
    }

    fn standings(&self) -> Vec<(Arc<Link>, Standing)> {
        let open = self.open();
        open.1.values().map(|link| (Arc::clone(link), link.standing())).collect()
    }

    /// Has as many connections make room as requests wait, where they may; whether any waits.
    fn make_room(&self, limits: &Limits) -> bool {
        let standings = self.standings();
        let shares = Shares::of(&standings, self.max);
        let now = clock::monotonic();
        let waiting = |wants: fn(&Standing) -> bool| {
            standings.iter().filter(move |(_, standing)| wants(standing))
        };
        // Those that were asked already will have made room in a moment.
        let asked = |is_one: fn(&Standing) -> bool| {
            standings.iter().filter(|(_, s)| s.is_spare && is_one(s)).count()
        };
        let choose = |is_one: fn(&Standing) -> bool, wanted: fn(&Standing) -> bool| {
            // Others are not kept waiting by an address that has more than its share.
            let modest = waiting(wanted).any(|(_, standing)| !shares.has_more(standing.peer));
            let count = waiting(wanted).count().saturating_sub(asked(is_one));
            let mut chosen: Vec<_> = standings
                .iter()
                .filter(|(_, standing)| is_one(standing) && !standing.is_spare)
                .filter_map(|(link, standing)| {
                    let (rank, since, min) = match standing.doing {
                        Doing::Nothing { since } => (0, since, limits.idle_min),
                        Doing::Head { since } => (1, since?, limits.body_min),
                        Doing::Body { since } | Doing::Unread { since } => {
                            (1, since, limits.body_min)
                        }
                        Doing::Waiting { since } => (2, since, limits.body_min),
                        Doing::Work | Doing::Lingering { .. } => return None,
                    };
                    let has_more = shares.has_more(standing.peer);
                    let is_old = now.saturating_duration_since(since) >= min;
                    (is_old || has_more && modest)
                        .then_some(((Reverse(has_more), rank, since), link))
                })
                .collect();
            chosen.sort_unstable_by_key(|(order, _)| *order);
            chosen.into_iter().take(count).for_each(|((.., since), link)| link.make_room(since));
        };
        choose(|standing| standing.has_place, |standing| standing.wants_place);
        choose(
            |standing| standing.is_long_body && matches!(standing.doing, Doing::Body { .. }),
            |standing| standing.wants_body,
        );
        standings.iter().any(|(_, standing)| standing.wants_place || standing.wants_body)
    }

    /// Drops a few of those that are the least loss: who was answered, who has no place and made
    /// no request, who waits for a place; of an address that has more than its share first.
    fn drop_some(&self) {
        let standings = self.standings();
        if standings.iter().any(|(_, standing)| standing.is_dropped) {
            // They are on their way.
            return;
        }
        let shares = Shares::of(&standings, self.max);
        let mut chosen: Vec<_> = standings
            .iter()
            .filter_map(|(link, standing)| {
                let (rank, since) = match standing.doing {
                    Doing::Lingering { since } => (0, Some(since)),
                    _ if standing.has_place => return None,
                    Doing::Nothing { since } | Doing::Body { since } | Doing::Unread { since } => {
                        (1, Some(since))
                    }
                    Doing::Head { since } => (1, since),
                    Doing::Work if standing.wants_place => (2, None),
                    Doing::Waiting { .. } | Doing::Work => return None,
                };
                let has_more = shares.has_more(standing.peer);
                // One whose time nobody noted has just begun.
                Some(((rank, Reverse(has_more), since.is_none(), since), link))
            })
            .collect();
        chosen.sort_unstable_by_key(|(order, _)| *order);
        chosen.into_iter().take(DROPPED_AT_ONCE).for_each(|(_, link)| link.drop_now());
    }
}

/// How many connections each address has.
struct Shares {
    counts: HashMap<IpAddr, usize>,
    share: usize,
}

impl Shares {
    fn of(standings: &[(Arc<Link>, Standing)], max: usize) -> Self {
        let mut counts = HashMap::new();
        for (_, standing) in standings {
            *counts.entry(standing.peer).or_default() += 1;
        }
        let share = max / counts.len().max(1);
        Self { counts, share }
    }

    /// Whether an address has more than its share, where there is any other.
    fn has_more(&self, peer: IpAddr) -> bool {
        self.counts.len() > 1 && self.counts.get(&peer).is_some_and(|count| *count > self.share)
    }
}
