//! How long is waited for other processes that use the database.

use std::thread;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::repository::error::{StoreError, StoreErrorKind};

/// Between two tries at a database that another process has locked.
const LOCK_RETRY: Duration = Duration::from_millis(5);
/// After so long a wait its reason is reported.
pub(crate) const REPORT_AFTER: Duration = Duration::from_secs(1);

/// A wait for other processes that have the database locked.
pub(crate) struct Patience<'a> {
    since: Instant,
    limit: Duration,
    /// Called once, with the reason, when it takes long.
    report: Option<&'a mut dyn FnMut(&StoreError)>,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(limit: Duration, report: &'a mut dyn FnMut(&StoreError)) -> Self {
        Self { since: clock::monotonic(), limit, report: Some(report) }
    }

    /// Does the work, again and again while others have the database locked.
    pub(crate) fn until<T>(
        &mut self,
        mut work: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let error = match work() {
                Err(error) if error.kind() == StoreErrorKind::Locked => error,
                outcome => return outcome,
            };
            let waited = self.since.elapsed();
            if waited >= self.limit {
                return Err(error);
            }
            if waited >= REPORT_AFTER
                && let Some(report) = self.report.take()
            {
                report(&error);
            }
            thread::sleep(LOCK_RETRY);
        }
    }
}
