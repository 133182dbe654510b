//! Whether an execution may proceed, decided from what the store has acknowledged. Pure: times
//! are durations since the process began.
//!
//! No attempt begins before its start is durable. While the store fails, running attempts may
//! finish, and an execution without any waits for at most the store timeout. If the caller allows
//! it, a new execution that cannot be stored in time runs unstored, until its first commit.

use std::sync::Arc;
use std::time::Duration;

use crate::repository::{CommitStatus, Health, StoreError};

/// How long a new execution that may run unstored waits for its first commit.
pub(crate) const FIRST_COMMIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The rules of one execution; they do not change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The execution is new: it was never stored.
    pub(crate) is_new: bool,
    /// It may run unstored.
    pub(crate) may_run_unstored: bool,
    /// How long to wait for a failing store.
    pub(crate) store_timeout: Duration,
    pub(crate) began: Duration,
}

/// The activity of the execution that is relevant here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activity {
    /// At least one attempt no longer waits for its start to be durable.
    pub(crate) attempts_running: bool,
    /// Its status is terminal, stored or not.
    pub(crate) is_ended: bool,
}

/// What to do now.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    /// Wait for events, and call again at `until` if there are none.
    Proceed {
        /// When time alone changes the answer.
        until: Option<Duration>,
    },
    /// Run without being stored from now on. Said once.
    RunUnstored,
    GiveUp(Loss),
}

/// Why an execution is given up.
#[derive(Debug, Clone)]
pub(crate) enum Loss {
    /// The store will never accept it.
    Refused(Arc<StoreError>),
    /// Nothing of it is stored, and nothing was started.
    NotStored(Arc<StoreError>),
    /// The store failed in the middle of it.
    StoreLost(Arc<StoreError>),
}

/// A change of the store's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HealthChange {
    /// It is as it was.
    None,
    /// It fails now.
    Failed,
    /// It works again.
    Recovered,
}

/// The durability of one execution.
#[derive(Debug)]
pub(crate) struct Durability {
    rules: Rules,
    /// The last version that was recorded.
    recorded: u64,
    commit: CommitStatus,
    runs_unstored: bool,
    is_stalled: bool,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    error: Arc<StoreError>,
    /// Since when a change waits for it.
    since: Duration,
}

impl Durability {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            recorded: 0,
            commit: CommitStatus::default(),
            runs_unstored: false,
            is_stalled: false,
            failing: None,
        }
    }

    /// A change was recorded as `version`.
    pub(crate) fn record(&mut self, version: u64, now: Duration) {
        let was_dirty = self.is_dirty();
        if let Some(failing) = &mut self.failing
            && !was_dirty
        {
            // Time in which the store failed while nothing waited for it does not count towards the
            // timeout.
            failing.since = now;
        }
        self.recorded = version;
    }

    /// The writer reported up to which version the execution is stored.
    pub(crate) fn acknowledge(&mut self, commit: CommitStatus) {
        self.commit = commit;
    }

    /// The writer reported whether the store works.
    pub(crate) fn note_health(&mut self, health: Health, now: Duration) -> HealthChange {
        match (health, &mut self.failing) {
            (Health::Failing { error }, Some(failing)) => {
                failing.error = error;
                HealthChange::None
            }
            (Health::Failing { error }, None) => {
                self.failing = Some(Failing { error, since: now });
                HealthChange::Failed
            }
            (Health::Working, Some(_)) => {
                self.failing = None;
                HealthChange::Recovered
            }
            (Health::Working, None) => HealthChange::None,
        }
    }

    /// The store hangs.
    pub(crate) fn note_stalled(&mut self) {
        self.is_stalled = true;
    }

    /// The last version that was recorded.
    pub(crate) fn version(&self) -> u64 {
        self.recorded
    }

    /// How far it is stored.
    pub(crate) fn commit(&self) -> &CommitStatus {
        &self.commit
    }

    /// Everything that was recorded is durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.commit.version >= self.recorded
    }

    /// A commit holds some of it.
    pub(crate) fn is_stored(&self) -> bool {
        !self.rules.is_new || self.commit.version > 0
    }

    /// Whether it runs unstored, from [`Next::RunUnstored`] until its first commit.
    pub(crate) fn is_shown_from_memory(&self) -> bool {
        self.runs_unstored && self.commit.version == 0
    }

    /// Whether [`Next::RunUnstored`] was returned.
    pub(crate) fn runs_unstored(&self) -> bool {
        self.runs_unstored
    }

    /// Whether an attempt whose start is in `version` no longer has to wait for that.
    pub(crate) fn may_begin(&self, version: u64) -> bool {
        may_begin(version, &self.commit, self.runs_unstored)
    }

    /// What to do now.
    pub(crate) fn next(&mut self, now: Duration, activity: Activity) -> Next {
        if !activity.attempts_running
            && let Some(loss) = self.loss(now, activity.is_ended)
        {
            return Next::GiveUp(loss);
        }
        let is_late = self.failing.is_some() || self.is_stalled || now >= self.first_commit_due();
        if is_late && self.run_unstored() {
            return Next::RunUnstored;
        }
        let first_commit = self.may_leave_store().then(|| self.first_commit_due());
        let patience = self.failing.as_ref().map(|failing| self.patience_ends(failing));
        let later = |due: &Duration| *due > now;
        Next::Proceed { until: [first_commit, patience].into_iter().flatten().filter(later).min() }
    }

    /// Runs it unstored from now on, if that is allowed and nothing of it is stored.
    pub(crate) fn run_unstored(&mut self) -> bool {
        let may = self.may_leave_store();
        self.runs_unstored |= may;
        may
    }

    fn may_leave_store(&self) -> bool {
        let Rules { is_new, may_run_unstored, .. } = self.rules;
        is_new && may_run_unstored && !self.runs_unstored && self.commit.version == 0
    }

    fn first_commit_due(&self) -> Duration {
        self.rules.began.saturating_add(FIRST_COMMIT_TIMEOUT)
    }

    fn patience_ends(&self, failing: &Failing) -> Duration {
        failing.since.saturating_add(self.rules.store_timeout)
    }

    fn is_dirty(&self) -> bool {
        self.recorded > self.commit.version
    }

    /// Why an execution without running attempts is to be given up.
    fn loss(&self, now: Duration, is_ended: bool) -> Option<Loss> {
        if let Some(error) = &self.commit.refused {
            return Some(Loss::Refused(Arc::clone(error)));
        }
        let failing = self.failing.as_ref().filter(|_| self.is_dirty())?;
        if self.rules.may_run_unstored {
            return None;
        }
        let error = || Arc::clone(&failing.error);
        let is_patient = now < self.patience_ends(failing);
        if self.is_stored() {
            return (!is_patient).then(|| Loss::StoreLost(error()));
        }
        // An execution cancelled before anything began has nothing to wait for.
        let is_pointless = !is_patient || !failing.error.may_pass() || is_ended;
        is_pointless.then(|| Loss::NotStored(error()))
    }
}

/// Whether an attempt whose start is in `version` may begin: a commit holds it, or the execution
/// runs unstored and nothing of it is stored. Once something is stored, each start waits for its
/// commit; once the store has refused it, no further attempt begins.
pub(crate) fn may_begin(version: u64, commit: &CommitStatus, runs_unstored: bool) -> bool {
    let is_unstored = commit.version == 0 && commit.refused.is_none();
    commit.version >= version || (runs_unstored && is_unstored)
}

#[cfg(test)]
mod tests;
