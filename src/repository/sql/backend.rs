//! What the writer's thread needs of a database, by the queries that all databases share.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::change::{self, Inserts, Unfinished};
use super::{
    alerts, detail, groups, open_alerts, outbox, output, policies, prune, retention, schedules,
    sessions, takeover,
};
use crate::base::timestamp::Timestamp;
use crate::repository::alerts::SentAlerts;
use crate::repository::error::StoreError;
use crate::repository::journal::backend::{
    Backend, Catalogued, Deleted, Entry, IsOurs, NotWritten, Policies, Retained, Waiter, Written,
};
use crate::repository::journal::output::OutputBatch;
use crate::repository::journal::schedules::{ScheduleChange, ScheduleOutcome};
use crate::repository::notifications::{
    Claim, ClaimRequest, KeptUp, NewNotification, OpenAlert, Settlement,
};
use crate::repository::ownership::Judge;
use crate::repository::ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, TakenOver, Which,
};
use crate::repository::sessions::SessionChange;
use crate::repository::sql::{self, Connection};
use crate::workflow::output::Counts;
use crate::workflow::pin::Pin;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord};
use crate::workflow::retention::Chosen;
use crate::workflow::trigger::Requester;

/// What is particular to a database: how transactions begin and end, and what lies below it.
pub(crate) trait Driver: Send + 'static {
    /// For the queries of the transaction under way.
    fn connection(&self) -> Connection<'_>;

    /// Why something failed, in words for an operator, while `doing` something (a verb).
    fn explain(&self, doing: &str, error: &sql::Error) -> StoreError;

    /// Notes in the transaction under way as whom this process runs executions.
    fn own(&mut self, _owner: &str) -> sql::Result<()> {
        Ok(())
    }

    /// Waits for what other processes write who own executions, so that nothing more is written
    /// by them: those of whom `is_gone` says so.
    fn fence_off(&mut self, _is_gone: &mut dyn FnMut(&str) -> bool) -> sql::Result<()> {
        Ok(())
    }

    /// As [`Backend::check`].
    fn check(&mut self) -> Result<(), StoreError>;

    /// As [`Backend::compile_ahead`].
    fn compile_ahead(&mut self) -> bool {
        false
    }

    /// As [`Backend::begin`].
    fn begin(&mut self) -> sql::Result<()>;

    /// As [`Backend::begin_output`].
    fn begin_output(&mut self) -> sql::Result<()>;

    /// As [`Backend::commit_batch`]; without `goes_on` it is tried for a minute what became of a commit
    /// whose answer was lost.
    fn commit(&mut self, goes_on: Option<&mut dyn FnMut(StoreError) -> bool>) -> sql::Result<()>;

    /// Whether it could not be found out what became of the last commit.
    fn is_in_doubt(&self) -> bool {
        false
    }

    /// As [`Backend::write_at_once`].
    fn write_at_once(
        &mut self,
        _batch: &[Entry],
        _unfinished: &Unfinished,
        _bases: &HashMap<i64, Counts>,
        _goes_on: &mut dyn FnMut(StoreError) -> bool,
    ) -> sql::Result<Option<Vec<Written>>> {
        Ok(None)
    }

    /// As [`Backend::begin_retaining`].
    fn begin_retaining(&mut self, _keep: u64) -> sql::Result<()> {
        Ok(())
    }

    /// As [`Backend::end_retaining`].
    fn end_retaining(&mut self) -> sql::Result<bool> {
        Ok(false)
    }

    /// As [`Backend::rollback`].
    fn rollback(&mut self);

    /// What judges whether the owners of executions are alive.
    fn judge(&self) -> sql::Result<Judge>;

    /// Whether so much space is free that it should be given back.
    fn is_worth_giving_back(&self) -> sql::Result<bool>;

    /// As [`Backend::give_back`].
    fn give_back(&mut self) -> sql::Result<bool>;

    /// As [`Backend::size_bytes`].
    fn size_bytes(&mut self) -> sql::Result<u64>;

    /// As [`Backend::shrink`].
    fn shrink(&mut self) -> sql::Result<()>;

    /// As [`Backend::change_count`].
    fn change_count(&mut self) -> sql::Result<Option<i64>>;
}

/// A connection that writes, and what it knows.
pub(crate) struct SqlBackend<D> {
    driver: D,
    unfinished: Unfinished,
    /// What unfinished executions had written before this process ran them, by their seq.
    output_bases: HashMap<i64, Counts>,
    /// How much output is kept, and for how long.
    output_budgets: (u64, Duration),
    /// It could not be found out what became of a commit.
    is_in_doubt: bool,
}

impl<D: Driver> SqlBackend<D> {
    pub(crate) fn new(driver: D, output_budgets: (u64, Duration)) -> Self {
        Self {
            driver,
            unfinished: Unfinished::default(),
            output_bases: HashMap::new(),
            output_budgets,
            is_in_doubt: false,
        }
    }

    fn connection(&self) -> Connection<'_> {
        self.driver.connection()
    }

    fn write(
        &self,
        inserts: &mut Inserts<'_>,
        bases: &mut HashMap<i64, Counts>,
        entry: &Entry,
    ) -> Result<Written, NotWritten<sql::Error>> {
        let execution_id = entry.execution_id();
        let written = change::write(
            self.connection(),
            inserts,
            &self.unfinished,
            execution_id,
            &entry.change,
        )?;
        output::write(self.connection(), bases, written.seq, &entry.output, self.is_in_doubt)?;
        Ok(written)
    }

    /// Prepares the transaction under way for a batch. What only one process at a time may decide is
    /// decided after everything that others wrote, so that no two wait for each other.
    fn begin_batch(&mut self, batch: &[Entry]) -> sql::Result<()> {
        if !self.connection().has_writers() {
            return Ok(());
        }
        if let Some(owner) = batch.iter().find_map(|entry| entry.change.head.owner.as_deref()) {
            self.driver.own(owner)?;
        }
        let entries = batch.iter().map(|entry| (entry.execution_id(), &entry.change));
        match change::decides(self.connection(), &self.unfinished, entries)? {
            true => self.connection().decide_alone(),
            false => Ok(()),
        }
    }

    fn output_before(&self, now: Timestamp) -> Timestamp {
        now.minus(self.output_budgets.1)
    }

    fn judge(&self) -> sql::Result<Judge> {
        self.driver.judge()
    }
}

impl<D: Driver> Backend for SqlBackend<D> {
    type Error = sql::Error;

    fn explain(&self, doing: &str, error: &sql::Error) -> StoreError {
        self.driver.explain(doing, error)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.driver.check()
    }

    fn compile_ahead(&mut self) -> bool {
        self.driver.compile_ahead()
    }

    fn begin(&mut self) -> sql::Result<()> {
        self.driver.begin()
    }

    fn begin_output(&mut self) -> sql::Result<()> {
        self.driver.begin_output()
    }

    fn write_output(&mut self, execution_id: &str, batches: &[OutputBatch]) -> sql::Result<bool> {
        let Some(seq) = output::seq(self.connection(), &self.unfinished, execution_id)? else {
            return Ok(false);
        };
        let bases = &mut self.output_bases;
        output::write(self.driver.connection(), bases, seq, batches, self.is_in_doubt)?;
        Ok(true)
    }

    fn touch_output(&mut self) -> sql::Result<()> {
        output::touch(self.connection())
    }

    fn trim_output(&mut self, bytes: u64, now: Timestamp) -> sql::Result<Retained> {
        let before = self.output_before(now);
        let trimmed = output::trim(self.connection(), self.output_budgets.0, before, bytes)?;
        let is_worth_giving_back = match trimmed.chunks {
            0 => None,
            _ => Some(self.driver.is_worth_giving_back()?),
        };
        Ok(Retained { more: trimmed.more, is_worth_giving_back })
    }

    fn is_output_excessive(&mut self, now: Timestamp) -> sql::Result<bool> {
        let before = self.output_before(now);
        output::is_excessive(self.connection(), self.output_budgets.0, before)
    }

    fn commit(&mut self) -> sql::Result<()> {
        self.driver.commit(None)
    }

    fn commit_batch(&mut self, goes_on: &mut dyn FnMut(StoreError) -> bool) -> sql::Result<()> {
        let committed = self.driver.commit(Some(goes_on));
        self.is_in_doubt |= self.driver.is_in_doubt();
        committed
    }

    fn writes_at_once(&self) -> bool {
        self.connection().has_writers()
    }

    fn write_at_once(
        &mut self,
        batch: &[Entry],
        goes_on: &mut dyn FnMut(StoreError) -> bool,
    ) -> sql::Result<Option<Vec<Written>>> {
        if self.is_in_doubt {
            return Ok(None);
        }
        let bases = &self.output_bases;
        let written = self.driver.write_at_once(batch, &self.unfinished, bases, goes_on);
        self.is_in_doubt |= self.driver.is_in_doubt();
        written
    }

    fn rollback(&mut self) {
        self.driver.rollback();
    }

    fn write_all(&mut self, batch: &[Entry]) -> Result<Vec<Written>, NotWritten<sql::Error>> {
        self.begin_batch(batch)?;
        let mut bases = std::mem::take(&mut self.output_bases);
        let judge = || self.judge();
        let written =
            Inserts::new(self.connection(), &judge, self.is_in_doubt).map_err(NotWritten::from);
        let written = written.and_then(|mut inserts| {
            batch.iter().map(|entry| self.write(&mut inserts, &mut bases, entry)).collect()
        });
        self.output_bases = bases;
        written
    }

    fn write_each(&mut self, batch: &[Entry]) -> sql::Result<Vec<Result<Written, StoreError>>> {
        self.begin_batch(batch)?;
        let mut bases = self.output_bases.clone();
        let judge = || self.judge();
        let mut inserts = Inserts::new(self.connection(), &judge, self.is_in_doubt)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for entry in batch {
            self.connection().execute("SAVEPOINT item", [])?;
            outcomes.push(match self.write(&mut inserts, &mut bases, entry) {
                Ok(written) => Ok(written),
                Err(NotWritten::Refused(error)) => {
                    self.connection().execute("ROLLBACK TO item", [])?;
                    inserts.undone();
                    Err(error)
                }
                Err(NotWritten::Failed(error)) => return Err(error),
            });
            self.connection().execute("RELEASE item", [])?;
        }
        Ok(outcomes)
    }

    fn committed(&mut self, execution_id: &str, written: Written) {
        if written.finished && !self.output_bases.is_empty() {
            self.output_bases.remove(&written.seq);
        }
        self.unfinished.apply(execution_id, written);
    }

    fn retain(&mut self, keep: Option<u64>, now: Option<Timestamp>) -> sql::Result<Retained> {
        self.connection().decide_alone()?;
        let pruned = prune::retain(self.connection(), keep, now)?;
        let is_worth_giving_back = match pruned.executions {
            0 => None,
            _ => Some(self.driver.is_worth_giving_back()?),
        };
        Ok(Retained { more: pruned.more, is_worth_giving_back })
    }

    fn begin_retaining(&mut self, keep: u64) -> sql::Result<()> {
        self.driver.begin_retaining(keep)
    }

    fn end_retaining(&mut self) -> sql::Result<bool> {
        self.driver.end_retaining()
    }

    fn has_policies(&mut self) -> sql::Result<bool> {
        policies::exist(self.connection())
    }

    fn is_retention_due(&mut self, now: Timestamp) -> sql::Result<bool> {
        policies::is_due(self.connection(), now)
    }

    fn set_policies(&mut self, policies: &Policies) -> sql::Result<()> {
        self.connection().decide_alone()?;
        policies.iter().try_for_each(|(workflow_id, policy)| {
            policies::set(self.connection(), workflow_id, *policy)
        })
    }

    fn pin(&mut self, execution_id: &str, pin: Option<&Pin>) -> sql::Result<bool> {
        self.connection().decide_alone()?;
        retention::pin(self.connection(), execution_id, pin)
    }

    fn session(&mut self, change: &SessionChange, now: Timestamp) -> sql::Result<()> {
        sessions::change(self.connection(), change, now)
    }

    fn delete(&mut self, chosen: &[Chosen], include_pinned: bool) -> sql::Result<Deleted> {
        self.connection().decide_alone()?;
        prune::delete_chosen(self.connection(), chosen, include_pinned)
    }

    fn give_back(&mut self) -> sql::Result<bool> {
        self.driver.give_back()
    }

    fn size_bytes(&mut self) -> sql::Result<u64> {
        self.driver.size_bytes()
    }

    fn shrink(&mut self) -> sql::Result<()> {
        self.driver.shrink()
    }

    fn find_abandoned(
        &mut self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> sql::Result<Abandonment> {
        let mut judge = self.judge()?;
        let executions = takeover::abandoned(self.connection(), &mut judge, which, owner, limit)?;
        Ok(Abandonment::new(executions, which, &judge))
    }

    fn take_over(
        &mut self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> sql::Result<Vec<TakenOver>> {
        self.connection().decide_alone()?;
        let mut judge = self.judge()?;
        if self.connection().has_writers() {
            // Before anybody else owns what they run, so that it is seen as they left it.
            let from = takeover::owners_of(self.connection(), &mut judge, which, owner, limit)?;
            self.driver.fence_off(&mut |other| {
                other != owner && (from.contains(other) || judge.liveness(other).is_dead())
            })?;
        }
        takeover::take(self.connection(), &mut judge, which, owner, limit)
    }

    fn sweep_owners(&mut self) -> sql::Result<()> {
        let mut judge = self.judge()?;
        let owners = takeover::owners(self.connection(), &mut judge)?;
        let named = open_alerts::named_owners(self.connection())?;
        judge.sweep(&owners.into_iter().filter_map(|owner| owner.owner).chain(named).collect());
        Ok(())
    }

    fn request_cancel(
        &mut self,
        execution_id: &str,
        requester: &Requester,
        now: Timestamp,
    ) -> sql::Result<CancelRequest> {
        takeover::request_cancel(self.connection(), execution_id, requester, now)
    }

    fn cancel_requests(&mut self, owner: &str) -> sql::Result<HashSet<CancelNotice>> {
        takeover::cancel_requests(self.connection(), owner)
    }

    fn change_count(&mut self) -> sql::Result<Option<i64>> {
        self.driver.change_count()
    }

    fn next_in_line(
        &mut self,
        group: &str,
        owner: &str,
        is_ours: IsOurs<'_>,
    ) -> sql::Result<Vec<Waiter>> {
        groups::next_in_line(self.connection(), &mut || self.judge(), group, owner, is_ours)
    }

    fn grant(
        &mut self,
        group: &str,
        owner: &str,
        is_ours: IsOurs<'_>,
        now: Timestamp,
    ) -> sql::Result<Vec<Waiter>> {
        self.connection().decide_alone()?;
        let next = self.next_in_line(group, owner, is_ours)?;
        let now = now.to_string();
        next.iter().try_for_each(|waiter| groups::grant(self.connection(), waiter, &now))?;
        Ok(next)
    }

    fn dead_holders(&mut self, groups: Option<&[String]>) -> sql::Result<Vec<String>> {
        groups::dead_holders(self.connection(), &mut self.judge()?, groups)
    }

    fn set_catalogue(&mut self, catalogued: &Catalogued) -> sql::Result<()> {
        self.connection().decide_alone()?;
        groups::set_catalogue(self.connection(), catalogued)
    }

    fn change_schedules(&mut self, change: &ScheduleChange) -> sql::Result<ScheduleOutcome> {
        self.connection().decide_alone()?;
        schedules::change(self.connection(), change)
    }

    fn store_alerts(&mut self, alerts: &SentAlerts) -> sql::Result<()> {
        alerts::store(self.connection(), alerts)
    }

    fn are_notifications_due(&mut self, request: &ClaimRequest) -> sql::Result<bool> {
        outbox::is_due(self.connection(), &mut || self.judge(), request)
    }

    fn next_notification_at(&mut self, channel: &str) -> sql::Result<Option<Timestamp>> {
        outbox::next_at(self.connection(), channel)
    }

    fn claim_notifications(&mut self, request: &ClaimRequest) -> sql::Result<Claim> {
        self.connection().decide_alone()?;
        outbox::claim(self.connection(), &mut || self.judge(), request)
    }

    fn settle_notifications(&mut self, settlements: &[Settlement]) -> sql::Result<()> {
        self.connection().decide_alone()?;
        settlements.iter().try_for_each(|one| outbox::settle(self.connection(), one))
    }

    fn add_notification(
        &mut self,
        notification: &NewNotification,
        now: Timestamp,
    ) -> sql::Result<Option<i64>> {
        self.connection().decide_alone()?;
        outbox::add(self.connection(), notification, now)
    }

    fn need_notifications_upkeep(&mut self, now: Timestamp) -> sql::Result<bool> {
        outbox::needs_upkeep(self.connection(), now)
    }

    fn keep_up_notifications(&mut self, now: Timestamp) -> sql::Result<KeptUp> {
        self.connection().decide_alone()?;
        outbox::upkeep(self.connection(), &mut || self.judge(), now)
    }

    fn has_orphaned_alerts(&mut self, owner: &str) -> sql::Result<bool> {
        let dead = open_alerts::dead_owners(self.connection(), &mut || self.judge(), owner)?;
        Ok(!dead.is_empty())
    }

    fn adopt_alerts(&mut self, owner: &str, channels: &[String]) -> sql::Result<Vec<OpenAlert>> {
        self.connection().decide_alone()?;
        open_alerts::adopt(self.connection(), &mut || self.judge(), owner, channels)
    }

    fn release_alerts(&mut self, owner: &str) -> sql::Result<()> {
        self.connection().decide_alone()?;
        open_alerts::release(self.connection(), owner)
    }

    fn set_couriers(&mut self, owner: &str, channels: &[String]) -> sql::Result<()> {
        self.connection().decide_alone()?;
        outbox::set_couriers(self.connection(), &mut || self.judge(), owner, channels)
    }

    fn left_to_send(&mut self, executions: &[String]) -> sql::Result<Vec<(i64, String)>> {
        outbox::left_to_send(self.connection(), &mut || self.judge(), executions)
    }

    fn execution(&mut self, execution_id: &str) -> sql::Result<Option<ExecutionRecord>> {
        detail::execution(self.connection(), execution_id)
    }

    fn detail(&mut self, execution_id: &str) -> sql::Result<Option<ExecutionDetail>> {
        detail::detail(self.connection(), execution_id)
    }
}
