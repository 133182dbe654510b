//! How transactions begin.

use std::time::Duration;

use super::super::backend::Backend;
use super::Worker;
use crate::base::clock;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::patience::REPORT_AFTER;

impl<B: Backend> Worker<B> {
    /// Begins a transaction that may write, once it is sure that the database is still the one that
    /// was opened, and nobody else writes; waits `patience` for others, and when wfx ends only a
    /// moment.
    pub(super) fn begin(&mut self, patience: Duration) -> Result<(), StoreError> {
        self.begin_reporting(patience, &mut |_| {})
    }

    /// Whether the database is still the one that was opened, and others see that this process lives.
    pub(super) fn may_begin(&mut self) -> Result<(), StoreError> {
        self.backend.check()?;
        match &self.unseen {
            Some(unseen) => Err(unseen.clone()),
            None => Ok(()),
        }
    }

    /// The same; `waits` is called once, with the reason, when others take long.
    pub(super) fn begin_reporting(
        &mut self,
        patience: Duration,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<(), StoreError> {
        self.begin_with(B::begin, patience, waits)
    }

    /// The same for any kind of transaction.
    pub(super) fn begin_with(
        &mut self,
        begin: fn(&mut B) -> Result<(), B::Error>,
        patience: Duration,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<(), StoreError> {
        self.may_begin()?;
        let start = clock::monotonic();
        let mut is_reported = false;
        loop {
            let Err(error) = begin(&mut self.backend) else {
                self.begun_at = clock::monotonic();
                return Ok(());
            };
            // Others who hold a lock are no disk that hangs.
            self.at_work.begin();
            let error = self.backend.explain("write to", &error);
            let over = start.elapsed() >= patience.min(self.options.busy_timeout);
            if error.kind() != StoreErrorKind::Locked || over || self.queue.is_closed() {
                return Err(error);
            }
            if !is_reported && start.elapsed() >= REPORT_AFTER {
                waits(&error);
                is_reported = true;
            }
        }
    }
}
