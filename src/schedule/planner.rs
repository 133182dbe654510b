//! State and time → decisions. The daemon calls it with the time of day, `wfx schedule sim` with a
//! virtual clock; what is decided is the same.
//!
//! Between two calls any time may pass: what became due meanwhile is decided at the next one. The
//! newest due time within the start deadline starts late; older ones are made up for or missed.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::blackout::{Blackouts, Covered};
use super::decision::{Action, Decision, ExecutionNumber, Reason};
use super::rules::{CatchUp, Due, Overlap, Rules, START_DEADLINE, Schedule};
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;

/// A start later than this after its time is late.
const LATE: Duration = Duration::from_secs(1);
/// Runs that catch up begin within this after they were noticed.
const CATCH_UP_JITTER: Duration = Duration::from_secs(60);

/// So many times of a schedule wait to be made up for at most, so that what is stored of a schedule
/// has a bound. The newest ones count.
pub(super) const CATCH_UPS_MAX: usize = 5_000;

/// What is stored of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Nothing before this is ever decided.
    pub first_seen: Timestamp,
    /// Every scheduled time up to this one is decided.
    pub decided_until: Option<Timestamp>,
    /// Later times that are decided as well: they were reached before the clock was set back.
    pub decided_later: BTreeSet<Timestamp>,
    /// Times that wait.
    pub waiting: Vec<KnownWaiting>,
}

impl Known {
    /// Of a schedule of which nothing is decided yet.
    #[must_use]
    pub(crate) fn since(first_seen: Timestamp) -> Self {
        let (decided_later, waiting) = (BTreeSet::new(), Vec::new());
        Self { first_seen, decided_until: None, decided_later, waiting }
    }
}

/// A scheduled time that waits, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownWaiting {
    /// The scheduled time.
    pub scheduled_at: Timestamp,
    /// Whether it waits for the end of a blackout, and not for executions.
    pub is_deferred: bool,
    /// Whether it makes up for a missed time.
    pub catch_up: bool,
}

/// A span in which a workflow is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it; `None`: until somebody resumes it.
    pub until: Option<Timestamp>,
}

/// An execution of the workflow that has not ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unfinished {
    /// What the caller calls it.
    pub number: ExecutionNumber,
    /// Whether it makes up for a missed time.
    pub catch_up: bool,
}

/// Receives decisions. Of one that starts an execution it gives the number of that, unless that has
/// ended already.
pub(crate) type Sink<'s> = dyn FnMut(Decision) -> Option<ExecutionNumber> + 's;

/// The schedules of one workflow, and what of them waits.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    lanes: Vec<Lane>,
    overlap: Overlap,
    blackouts: Blackouts,
    pauses: Vec<Pause>,
    /// Oldest scheduled time first.
    catch_ups: VecDeque<Waiting>,
}

/// One schedule.
#[derive(Debug, Clone)]
struct Lane {
    rules: LaneRules,
    due: Due,
    next: Option<Timestamp>,
    /// Times that are decided already although later ones are not.
    decided_later: BTreeSet<Timestamp>,
    ordinal: u64,
    /// Waits for the end of a blackout.
    deferred: Option<Waiting>,
    /// Waits for executions.
    queued: Option<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct LaneRules {
    /// How much later than scheduled it starts.
    offset: Duration,
    start_deadline: Duration,
    catch_up: CatchUp,
    window: Option<Duration>,
}

/// A scheduled time that is not decided for good.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    schedule: usize,
    scheduled_at: Timestamp,
    ordinal: u64,
    /// When it may start; `None`: no end of the blackout is in sight.
    at: Option<Timestamp>,
    after_blackout: bool,
    /// Whether a decision says that it waits.
    is_announced: bool,
}

impl Waiting {
    fn decide(self, action: Action, reason: Reason) -> Decision {
        let Self { schedule, scheduled_at, ordinal, .. } = self;
        Decision { schedule, scheduled_at, ordinal, action, reason, catch_up: false }
    }
}

/// Executions that are in the way of others.
struct InTheWay<'u> {
    unfinished: &'u [Unfinished],
    started: Vec<Unfinished>,
}

impl InTheWay<'_> {
    fn first(&self, counts: impl Fn(&Unfinished) -> bool) -> Option<ExecutionNumber> {
        let mut all = self.unfinished.iter().chain(&self.started);
        all.find(|it| counts(it)).map(|it| it.number)
    }

    fn start(&mut self, decision: Decision, sink: &mut Sink<'_>) {
        if decision.reason == Reason::Replaces {
            self.unfinished = &[];
            self.started.clear();
        }
        let number = sink(decision);
        let catch_up = decision.catch_up;
        self.started.extend(number.map(|number| Unfinished { number, catch_up }));
    }
}

/// Why nothing may start at an instant.
#[derive(Clone, Copy)]
enum Suppressed {
    Skip(Reason),
    Defer(Option<Timestamp>),
}

fn suppressed(pauses: &[Pause], blackouts: &mut Blackouts, at: Timestamp) -> Option<Suppressed> {
    let is_in = |it: &Pause| it.from <= at && it.until.is_none_or(|until| at < until);
    if pauses.iter().any(is_in) {
        return Some(Suppressed::Skip(Reason::Paused));
    }
    Some(match blackouts.cover(at)? {
        Covered::Skip => Suppressed::Skip(Reason::Blackout),
        Covered::Defer(end) => Suppressed::Defer(end),
    })
}

impl LaneRules {
    fn of(schedule: &Schedule, offset: Duration) -> Self {
        Self {
            offset,
            start_deadline: schedule.start_deadline.map_or(START_DEADLINE, Period::duration),
            catch_up: schedule.catch_up,
            window: schedule.catch_up_window.map(Period::duration),
        }
    }
}

impl Planner {
    /// A planner for the schedules of a workflow, each with what is stored of it. Jitter depends on
    /// the identity of the database.
    #[must_use]
    pub(crate) fn new(rules: &Rules, workflow_id: &str, database: &str, known: &[Known]) -> Self {
        let lane = |(schedule, known): (&Schedule, &Known)| {
            let before = known.first_seen.minus(Duration::from_micros(1));
            let due = schedule.after(known.decided_until.map_or(before, |it| it.max(before)));
            let mut lane = Lane {
                rules: LaneRules::of(schedule, schedule.offset(database, workflow_id)),
                due,
                next: None,
                decided_later: known.decided_later.clone(),
                ordinal: 0,
                deferred: None,
                queued: None,
            };
            lane.go_on();
            lane
        };
        let mut planner = Self {
            lanes: rules.schedules.iter().zip(known).map(lane).collect(),
            overlap: rules.overlap,
            blackouts: Blackouts::new(&rules.blackouts),
            pauses: Vec::new(),
            catch_ups: VecDeque::new(),
        };
        for (index, known) in known.iter().enumerate().take(planner.lanes.len()) {
            known.waiting.iter().for_each(|waiting| planner.restore(index, *waiting));
        }
        planner.catch_ups.make_contiguous().sort_by_key(|it| (it.scheduled_at, it.schedule));
        planner
    }

    /// Goes on with a time that waited when a planner before this one ended.
    fn restore(&mut self, index: usize, known: KnownWaiting) {
        let lane = &mut self.lanes[index];
        let due = known.scheduled_at.plus(lane.rules.offset);
        let mut waiting = Waiting {
            schedule: index,
            scheduled_at: known.scheduled_at,
            ordinal: lane.ordinal,
            at: Some(due),
            after_blackout: known.is_deferred,
            is_announced: true,
        };
        // What lies between two times that waited may be decided: they are no row of several.
        lane.ordinal += 2;
        let in_place = match known {
            KnownWaiting { is_deferred: true, .. } => {
                // The blackout may be another one by now, or none.
                if let Some(Covered::Defer(end)) = self.blackouts.cover(due) {
                    waiting.at = end;
                }
                &mut lane.deferred
            }
            KnownWaiting { catch_up: true, .. } => {
                self.catch_ups.push_back(Waiting { at: None, ..waiting });
                return;
            }
            KnownWaiting { .. } => &mut lane.queued,
        };
        if in_place.is_none_or(|other| other.scheduled_at < waiting.scheduled_at) {
            *in_place = Some(waiting);
        }
    }

    /// Sets when the workflow is paused, in place of what was set before.
    pub(crate) fn set_pauses(&mut self, pauses: Vec<Pause>) {
        self.pauses = pauses;
    }

    /// The first scheduled time that is not decided in any way.
    #[must_use]
    pub(crate) fn next_scheduled(&self) -> Option<Timestamp> {
        self.lanes.iter().filter_map(|lane| lane.next).min()
    }

    /// The first time after `now` at which there may be something to decide, other than when an
    /// execution ends.
    #[must_use]
    pub(crate) fn next_wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        let of_lane = |lane: &Lane| {
            let due = lane.next.map(|next| next.plus(lane.rules.offset));
            let deferred = lane.deferred.and_then(|deferred| deferred.at);
            due.into_iter().chain(deferred).min()
        };
        let of_lanes = self.lanes.iter().filter_map(of_lane).min();
        let of_waiting = if self.is_waiting() {
            let later = self.catch_ups.front().and_then(|it| it.at).filter(|at| *at > now);
            let end = self.blackouts.cover(now).and_then(|_| self.blackouts.end_of_all(now));
            later.into_iter().chain(end).min()
        } else {
            None
        };
        of_lanes.into_iter().chain(of_waiting).filter(|at| *at > now).min()
    }

    /// Whether something waits for the end of executions.
    #[must_use]
    pub(crate) fn is_waiting(&self) -> bool {
        !self.catch_ups.is_empty() || self.lanes.iter().any(|lane| lane.queued.is_some())
    }

    /// How much later than its scheduled times a schedule starts.
    #[must_use]
    pub(crate) fn offset(&self, schedule: usize) -> Duration {
        self.lanes.get(schedule).map(|lane| lane.rules.offset).unwrap_or_default()
    }

    /// What waits: the index of its schedule, its time, and whether it is for the end of a blackout.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (usize, Timestamp, bool)> + '_ {
        let of = |it: Waiting, is_deferred| (it.schedule, it.scheduled_at, is_deferred);
        let deferred = self.lanes.iter().filter_map(|lane| lane.deferred);
        let queued = self.lanes.iter().filter_map(|lane| lane.queued);
        let others = queued.chain(self.catch_ups.iter().copied());
        deferred.map(move |it| of(it, true)).chain(others.map(move |it| of(it, false)))
    }

    /// Decides what is to be decided by `now`, while these executions have not ended.
    pub(crate) fn decide(
        &mut self,
        now: Timestamp,
        unfinished: &[Unfinished],
        sink: &mut Sink<'_>,
    ) {
        let mut way = InTheWay { unfinished, started: Vec::new() };
        self.start_queued(now, &mut way, sink);
        let before = self.catch_ups.len();
        for index in 0..self.lanes.len() {
            self.advance(index, now, &mut way, sink);
        }
        let has_more = self.catch_ups.len() > before;
        if has_more {
            self.catch_ups.make_contiguous().sort_by_key(|it| (it.scheduled_at, it.schedule));
        }
        self.start_catch_ups(now, &mut way, sink);
        if has_more {
            for waiting in self.catch_ups.iter_mut().filter(|it| !it.is_announced) {
                waiting.is_announced = true;
                let queued = waiting.decide(Action::Queued, Reason::BehindOthers);
                sink(Decision { catch_up: true, ..queued });
            }
        }
    }

    /// Starts what `overlap: queue_latest` has queued, oldest first, once nothing is in the way.
    fn start_queued(&mut self, now: Timestamp, way: &mut InTheWay<'_>, sink: &mut Sink<'_>) {
        loop {
            let queued = self.lanes.iter().filter_map(|lane| lane.queued);
            let Some(oldest) = queued.min_by_key(|it| (it.scheduled_at, it.schedule)) else {
                return;
            };
            if way.first(|_| true).is_some() {
                return;
            }
            match suppressed(&self.pauses, &mut self.blackouts, now) {
                Some(Suppressed::Defer(_)) => return,
                Some(Suppressed::Skip(reason)) => {
                    sink(oldest.decide(Action::Skipped, reason));
                }
                None => way.start(oldest.decide(Action::Started, Reason::AfterQueue), sink),
            }
            self.lanes[oldest.schedule].queued = None;
        }
    }

    fn start_catch_ups(&mut self, now: Timestamp, way: &mut InTheWay<'_>, sink: &mut Sink<'_>) {
        while let Some(first) = self.catch_ups.front().copied() {
            let is_beside_others = self.overlap == Overlap::Allow;
            let blocks = |it: &Unfinished| it.catch_up || !is_beside_others;
            if first.at.is_some_and(|at| at > now) || way.first(blocks).is_some() {
                return;
            }
            match suppressed(&self.pauses, &mut self.blackouts, now) {
                Some(Suppressed::Skip(reason @ Reason::Paused)) => {
                    let skipped = first.decide(Action::Skipped, reason);
                    sink(Decision { catch_up: true, ..skipped });
                }
                Some(_) => return,
                None => {
                    let started = first.decide(Action::Started, Reason::CatchUp);
                    way.start(Decision { catch_up: true, ..started }, sink);
                }
            }
            self.catch_ups.pop_front();
        }
    }

    /// Decides the times of one schedule that became due.
    fn advance(
        &mut self,
        index: usize,
        now: Timestamp,
        way: &mut InTheWay<'_>,
        sink: &mut Sink<'_>,
    ) {
        let Self { lanes, overlap, blackouts, pauses, catch_ups } = self;
        let lane = &mut lanes[index];
        let newest = VecDeque::new();
        let mut older = Older { rules: lane.rules, now, schedule: index, newest, catch_ups };
        // The newest due time so far that nothing suppresses.
        let mut candidate = lane.deferred.take_if(|it| it.at.is_some_and(|at| at <= now));
        while let Some(scheduled_at) = lane.next
            && scheduled_at.plus(lane.rules.offset) <= now
        {
            let ordinal = lane.ordinal;
            lane.ordinal += 1;
            lane.go_on();
            let at = scheduled_at.plus(lane.rules.offset);
            let mut waiting = Waiting {
                schedule: index,
                scheduled_at,
                ordinal,
                at: Some(at),
                after_blackout: false,
                is_announced: false,
            };
            match suppressed(pauses, blackouts, at) {
                Some(Suppressed::Skip(reason)) => {
                    sink(waiting.decide(Action::Skipped, reason));
                    continue;
                }
                Some(Suppressed::Defer(end)) => {
                    waiting.at = end;
                    waiting.after_blackout = true;
                    if end.is_none_or(|end| end > now) {
                        defer(&mut lane.deferred, waiting, sink);
                        continue;
                    }
                    if let Some(earlier) = candidate.take_if(|earlier| earlier.at == end) {
                        sink(earlier.decide(Action::Skipped, Reason::Superseded));
                    }
                }
                None => {}
            }
            if let Some(previous) = candidate.replace(waiting) {
                older.push(previous, sink);
            }
        }
        if let Some(newest) = candidate {
            let age = newest.at.map_or(Duration::ZERO, |at| now.since(at));
            if age <= lane.rules.start_deadline {
                let suppressed = suppressed(pauses, blackouts, now);
                lane.start(newest, age, suppressed, *overlap, way, sink);
            } else {
                older.push(newest, sink);
            }
        }
        older.finish(sink);
    }
}

impl Lane {
    /// Goes to the next time that is not decided.
    fn go_on(&mut self) {
        let Self { decided_later, ordinal, .. } = self;
        self.next = self.due.find(|at| {
            let is_decided = decided_later.remove(at);
            // Those around it are no row of several.
            *ordinal += u64::from(is_decided);
            !is_decided
        });
    }

    /// Starts a time that is due, unless something is against that.
    fn start(
        &mut self,
        due: Waiting,
        age: Duration,
        suppressed: Option<Suppressed>,
        overlap: Overlap,
        way: &mut InTheWay<'_>,
        sink: &mut Sink<'_>,
    ) {
        match suppressed {
            Some(Suppressed::Skip(reason)) => {
                sink(due.decide(Action::Skipped, reason));
                return;
            }
            Some(Suppressed::Defer(end)) => {
                let later = Waiting { at: end, after_blackout: true, ..due };
                defer(&mut self.deferred, later, sink);
                return;
            }
            None => {}
        }
        let mut reason = match () {
            () if due.after_blackout => Reason::AfterBlackout,
            () if age > LATE => Reason::Late,
            () => Reason::OnTime,
        };
        if let Some(other) = way.first(|_| true) {
            match overlap {
                Overlap::Allow => {}
                Overlap::Replace => reason = Reason::Replaces,
                Overlap::Skip => {
                    sink(due.decide(Action::Skipped, Reason::Overlap(other)));
                    return;
                }
                Overlap::QueueLatest => {
                    if let Some(earlier) = self.queued.replace(due) {
                        sink(earlier.decide(Action::Skipped, Reason::Superseded));
                    }
                    sink(due.decide(Action::Queued, Reason::Overlap(other)));
                    return;
                }
            }
        }
        way.start(due.decide(Action::Started, reason), sink);
    }
}

/// Lets a time wait for the end of a blackout, in place of an earlier one.
fn defer(deferred: &mut Option<Waiting>, later: Waiting, sink: &mut Sink<'_>) {
    if let Some(earlier) = deferred.replace(later) {
        sink(earlier.decide(Action::Skipped, Reason::Superseded));
    }
    sink(later.decide(Action::Deferred, Reason::Blackout));
}

/// Times that were noticed too late to start.
struct Older<'c> {
    rules: LaneRules,
    now: Timestamp,
    schedule: usize,
    /// Those that are made up for unless there are newer ones, oldest first.
    newest: VecDeque<Waiting>,
    catch_ups: &'c mut VecDeque<Waiting>,
}

impl Older<'_> {
    /// Adds the next one.
    fn push(&mut self, missed: Waiting, sink: &mut Sink<'_>) {
        let is_within = |window: Duration| missed.scheduled_at > self.now.minus(window);
        let (max, reason) = match self.rules.catch_up {
            CatchUp::None => (0, Reason::NoCatchUp),
            CatchUp::Last => (1, Reason::NotLast),
            CatchUp::All if !self.rules.window.is_none_or(is_within) => (0, Reason::OutsideWindow),
            CatchUp::All => (CATCH_UPS_MAX, Reason::TooMany),
        };
        self.newest.push_back(missed);
        self.limit(max, reason, sink);
    }

    /// Lets the oldest ones go that are more than `max`.
    fn limit(&mut self, max: usize, reason: Reason, sink: &mut Sink<'_>) {
        while self.newest.len() > max
            && let Some(oldest) = self.newest.pop_front()
        {
            sink(oldest.decide(Action::Missed, reason));
        }
    }

    fn finish(mut self, sink: &mut Sink<'_>) {
        if self.newest.is_empty() {
            return;
        }
        if self.rules.catch_up == CatchUp::All {
            let others = self.catch_ups.iter().filter(|it| it.schedule == self.schedule).count();
            self.limit(CATCH_UPS_MAX.saturating_sub(others), Reason::TooMany, sink);
        }
        for missed in std::mem::take(&mut self.newest) {
            self.catch_up(missed, sink);
        }
    }

    fn catch_up(&mut self, missed: Waiting, sink: &mut Sink<'_>) {
        let is_within = |window: Duration| missed.scheduled_at > self.now.minus(window);
        if self.rules.window.is_none_or(is_within) {
            let later = self.rules.offset.as_micros() % CATCH_UP_JITTER.as_micros();
            let later = Duration::from_micros(u64::try_from(later).unwrap_or(0));
            let at = Some(self.now.plus(later));
            self.catch_ups.push_back(Waiting { at, is_announced: false, ..missed });
        } else {
            sink(missed.decide(Action::Missed, Reason::OutsideWindow));
        }
    }
}
