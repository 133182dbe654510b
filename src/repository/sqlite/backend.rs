//! SQLite as what the writer's thread writes to.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::change::{self, Inserts, Unfinished};
use super::error::explain;
use super::file_guard::FileGuard;
use super::{
    alerts, detail, groups, identity, open, open_alerts, outbox, output, policies, prune,
    retention, schedules, sessions, takeover,
};
use crate::base::timestamp::Timestamp;
use crate::repository::alerts::SentAlerts;
use crate::repository::error::StoreError;
use crate::repository::journal::backend::{
    Backend, Catalogued, Deleted, Entry, IsOurs, NotWritten, Opened, Policies, Retained, Waiter,
    Written,
};
use crate::repository::journal::output::OutputBatch;
use crate::repository::journal::schedules::{ScheduleChange, ScheduleOutcome};
use crate::repository::notifications::{
    Claim, ClaimRequest, KeptUp, NewNotification, OpenAlert, Settlement,
};
use crate::repository::options::{Durability, WriterOptions};
use crate::repository::ownership::takeover::{
    Abandonment, CancelNotice, CancelRequest, TakenOver, Which,
};
use crate::repository::ownership::{Judge, Registry};
use crate::repository::patience::Patience;
use crate::repository::sessions::SessionChange;
use crate::workflow::output::Counts;
use crate::workflow::pin::Pin;
use crate::workflow::record::{ExecutionDetail, ExecutionRecord};
use crate::workflow::retention::Chosen;

/// A connection that writes, and the files below it.
pub(crate) struct SqliteBackend {
    path: PathBuf,
    connection: Connection,
    files: FileGuard,
    unfinished: Unfinished,
    /// What unfinished executions had written before this process ran them, by their seq.
    output_bases: HashMap<i64, Counts>,
    /// How much output is kept, and for how long.
    output_budgets: (u64, Duration),
    /// Whether a commit is on the disk before it is acknowledged, and whether the next one is.
    durability: Durability,
    is_synced: bool,
}

/// Opens the database at `path` for writing; `waits` is called once, with the reason, when it has
/// to wait long for others.
pub(crate) fn open(
    path: &Path,
    options: &WriterOptions,
    waits: &mut dyn FnMut(&StoreError),
) -> Result<Opened<SqliteBackend>, StoreError> {
    let mut patience = Patience::new(options.busy_timeout, waits);
    let connection =
        open::open_writable(path, options.durability, options.trusted_owner, &mut patience)?;
    let keep = patience.until(|| {
        retention::resolve(&connection, options.retention)
            .map_err(|error| explain("write to", path, &error))
    })?;
    let output_budgets = patience.until(|| {
        retention::resolve_output(&connection, options.output)
            .map_err(|error| explain("write to", path, &error))
    })?;
    let fresh = NonZeroU32::new(fastrand::u32(1..)).unwrap_or(NonZeroU32::MIN);
    let identity = patience.until(|| {
        identity::establish(&connection, path, fresh)
            .map_err(|error| explain("write to", path, &error))
    })?;
    let has_policies =
        policies::exist(&connection).map_err(|error| explain("open", path, &error))?;
    let page_bytes =
        prune::page_bytes(&connection).map_err(|error| explain("open", path, &error))?;
    let files = FileGuard::new(path, page_bytes);
    let backend = SqliteBackend {
        path: path.to_owned(),
        connection,
        files,
        unfinished: Unfinished::default(),
        output_bases: HashMap::new(),
        output_budgets,
        durability: options.durability,
        is_synced: true,
    };
    Ok(Opened { backend, keep, has_policies, registry: Registry::new(path, Some(identity)) })
}

impl Drop for SqliteBackend {
    /// Closing copies the log into the database, but not where the index of the log is cut, which
    /// would end the process.
    fn drop(&mut self) {
        if self.files.is_index_cut() {
            let off = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            // There is nobody left to report to.
            let _ = self.connection.set_db_config(off, true);
        }
    }
}

impl SqliteBackend {
    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    fn write(
        &self,
        inserts: &mut Inserts<'_>,
        bases: &mut HashMap<i64, Counts>,
        entry: &Entry,
    ) -> Result<Written, NotWritten<rusqlite::Error>> {
        let execution_id = entry.execution_id();
        let written = change::write(
            &self.connection,
            inserts,
            &self.unfinished,
            execution_id,
            &entry.change,
        )?;
        output::write(&self.connection, bases, written.seq, &entry.output)?;
        Ok(written)
    }

    /// Lets the next commits be on the disk before they are acknowledged, or not.
    fn set_synced(&mut self, is_synced: bool) -> rusqlite::Result<()> {
        if self.durability == Durability::Full && self.is_synced != is_synced {
            // Not cached: it takes effect when it is compiled.
            self.connection.execute_batch(match is_synced {
                true => "PRAGMA synchronous = FULL",
                false => "PRAGMA synchronous = NORMAL",
            })?;
            self.is_synced = is_synced;
        }
        Ok(())
    }

    fn output_before(&self, now: Timestamp) -> Timestamp {
        now.minus(self.output_budgets.1)
    }

    fn judge(&self) -> rusqlite::Result<Judge> {
        change::judge(&self.connection, &self.path)
    }
}

impl Backend for SqliteBackend {
    type Error = rusqlite::Error;

    fn explain(&self, doing: &str, error: &rusqlite::Error) -> StoreError {
        explain(doing, &self.path, error)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.files.check()
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        self.set_synced(true)?;
        self.execute("BEGIN IMMEDIATE")
    }

    fn begin_output(&mut self) -> rusqlite::Result<()> {
        self.set_synced(false)?;
        self.execute("BEGIN IMMEDIATE")
    }

    fn write_output(
        &mut self,
        execution_id: &str,
        batches: &[OutputBatch],
    ) -> rusqlite::Result<bool> {
        let Some(seq) = output::seq(&self.connection, &self.unfinished, execution_id)? else {
            return Ok(false);
        };
        output::write(&self.connection, &mut self.output_bases, seq, batches)?;
        Ok(true)
    }

    fn touch_output(&mut self) -> rusqlite::Result<()> {
        self.execute("UPDATE workflow_output_usage SET bytes = bytes WHERE id = 1")
    }

    fn trim_output(&mut self, bytes: u64, now: Timestamp) -> rusqlite::Result<Retained> {
        let before = self.output_before(now);
        let trimmed = output::trim(&self.connection, self.output_budgets.0, before, bytes)?;
        let is_worth_giving_back = match trimmed.chunks {
            0 => None,
            _ => Some(prune::is_worth_giving_back(&self.connection)?),
        };
        Ok(Retained { more: trimmed.more, is_worth_giving_back })
    }

    fn is_output_excessive(&mut self, now: Timestamp) -> rusqlite::Result<bool> {
        let before = self.output_before(now);
        output::is_excessive(&self.connection, self.output_budgets.0, before)
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        self.execute("COMMIT")
    }

    fn rollback(&mut self) {
        // SQLite may have rolled back by itself; then there is nothing to do.
        let _ = self.execute("ROLLBACK");
    }

    fn write_all(&mut self, batch: &[Entry]) -> Result<Vec<Written>, NotWritten<rusqlite::Error>> {
        let mut bases = std::mem::take(&mut self.output_bases);
        let written = Inserts::new(&self.connection, &self.path).map_err(NotWritten::from);
        let written = written.and_then(|mut inserts| {
            batch.iter().map(|entry| self.write(&mut inserts, &mut bases, entry)).collect()
        });
        self.output_bases = bases;
        written
    }

    fn write_each(
        &mut self,
        batch: &[Entry],
    ) -> rusqlite::Result<Vec<Result<Written, StoreError>>> {
        let mut bases = self.output_bases.clone();
        let mut inserts = Inserts::new(&self.connection, &self.path)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for entry in batch {
            self.execute("SAVEPOINT item")?;
            outcomes.push(match self.write(&mut inserts, &mut bases, entry) {
                Ok(written) => Ok(written),
                Err(NotWritten::Refused(error)) => {
                    self.execute("ROLLBACK TO item")?;
                    inserts.undone();
                    Err(error)
                }
                Err(NotWritten::Failed(error)) => return Err(error),
            });
            self.execute("RELEASE item")?;
        }
        Ok(outcomes)
    }

    fn committed(&mut self, execution_id: &str, written: Written) {
        if written.finished && !self.output_bases.is_empty() {
            self.output_bases.remove(&written.seq);
        }
        self.unfinished.apply(execution_id, written);
    }

    fn retain(&mut self, keep: Option<u64>, now: Option<Timestamp>) -> rusqlite::Result<Retained> {
        let pruned = prune::retain(&self.connection, keep, now)?;
        let is_worth_giving_back = match pruned.executions {
            0 => None,
            _ => Some(prune::is_worth_giving_back(&self.connection)?),
        };
        Ok(Retained { more: pruned.more, is_worth_giving_back })
    }

    fn has_policies(&mut self) -> rusqlite::Result<bool> {
        policies::exist(&self.connection)
    }

    fn is_retention_due(&mut self, now: Timestamp) -> rusqlite::Result<bool> {
        policies::is_due(&self.connection, now)
    }

    fn set_policies(&mut self, policies: &Policies) -> rusqlite::Result<()> {
        policies.iter().try_for_each(|(workflow_id, policy)| {
            policies::set(&self.connection, workflow_id, *policy)
        })
    }

    fn pin(&mut self, execution_id: &str, pin: Option<&Pin>) -> rusqlite::Result<bool> {
        retention::pin(&self.connection, execution_id, pin)
    }

    fn session(&mut self, change: &SessionChange, now: Timestamp) -> rusqlite::Result<()> {
        sessions::change(&self.connection, change, now)
    }

    fn delete(&mut self, chosen: &[Chosen], include_pinned: bool) -> rusqlite::Result<Deleted> {
        prune::delete_chosen(&self.connection, chosen, include_pinned)
    }

    fn give_back(&mut self) -> rusqlite::Result<bool> {
        prune::give_back(&self.connection)
    }

    fn size_bytes(&mut self) -> rusqlite::Result<u64> {
        prune::size_bytes(&self.connection)
    }

    fn shrink(&mut self) -> rusqlite::Result<()> {
        // So that the file shrinks now, not when the log is full.
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    fn find_abandoned(
        &mut self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> rusqlite::Result<Abandonment> {
        let mut judge = self.judge()?;
        let executions = takeover::abandoned(&self.connection, &mut judge, which, owner, limit)?;
        Ok(Abandonment::new(executions, which, &judge))
    }

    fn take_over(
        &mut self,
        which: &Which,
        owner: &str,
        limit: usize,
    ) -> rusqlite::Result<Vec<TakenOver>> {
        takeover::take(&self.connection, &mut self.judge()?, which, owner, limit)
    }

    fn sweep_owners(&mut self) -> rusqlite::Result<()> {
        let mut judge = self.judge()?;
        let owners = takeover::owners(&self.connection, &mut judge)?;
        let named = open_alerts::named_owners(&self.connection)?;
        judge.sweep(&owners.into_iter().filter_map(|owner| owner.owner).chain(named).collect());
        Ok(())
    }

    fn request_cancel(
        &mut self,
        execution_id: &str,
        by: Option<&str>,
        now: Timestamp,
    ) -> rusqlite::Result<CancelRequest> {
        takeover::request_cancel(&self.connection, execution_id, by, now)
    }

    fn cancel_requests(&mut self, owner: &str) -> rusqlite::Result<HashSet<CancelNotice>> {
        takeover::cancel_requests(&self.connection, owner)
    }

    fn change_count(&mut self) -> rusqlite::Result<Option<i64>> {
        self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    fn next_in_line(
        &mut self,
        group: &str,
        owner: &str,
        is_ours: IsOurs<'_>,
    ) -> rusqlite::Result<Vec<Waiter>> {
        groups::next_in_line(&self.connection, &mut || self.judge(), group, owner, is_ours)
    }

    fn grant(
        &mut self,
        group: &str,
        owner: &str,
        is_ours: IsOurs<'_>,
        now: Timestamp,
    ) -> rusqlite::Result<Vec<Waiter>> {
        let next = self.next_in_line(group, owner, is_ours)?;
        let now = now.to_string();
        next.iter().try_for_each(|waiter| groups::grant(&self.connection, waiter, &now))?;
        Ok(next)
    }

    fn dead_holders(&mut self, groups: Option<&[String]>) -> rusqlite::Result<Vec<String>> {
        groups::dead_holders(&self.connection, &mut self.judge()?, groups)
    }

    fn set_catalogue(&mut self, catalogued: &Catalogued) -> rusqlite::Result<()> {
        groups::set_catalogue(&self.connection, catalogued)
    }

    fn change_schedules(&mut self, change: &ScheduleChange) -> rusqlite::Result<ScheduleOutcome> {
        schedules::change(&self.connection, change)
    }

    fn store_alerts(&mut self, alerts: &SentAlerts) -> rusqlite::Result<()> {
        alerts::store(&self.connection, alerts)
    }

    fn are_notifications_due(&mut self, request: &ClaimRequest) -> rusqlite::Result<bool> {
        outbox::is_due(&self.connection, &mut || self.judge(), request)
    }

    fn next_notification_at(&mut self, channel: &str) -> rusqlite::Result<Option<Timestamp>> {
        outbox::next_at(&self.connection, channel)
    }

    fn claim_notifications(&mut self, request: &ClaimRequest) -> rusqlite::Result<Claim> {
        outbox::claim(&self.connection, &mut || self.judge(), request)
    }

    fn settle_notifications(&mut self, settlements: &[Settlement]) -> rusqlite::Result<()> {
        settlements.iter().try_for_each(|one| outbox::settle(&self.connection, one))
    }

    fn add_notification(
        &mut self,
        notification: &NewNotification,
        now: Timestamp,
    ) -> rusqlite::Result<Option<i64>> {
        outbox::add(&self.connection, notification, now)
    }

    fn need_notifications_upkeep(&mut self, now: Timestamp) -> rusqlite::Result<bool> {
        outbox::needs_upkeep(&self.connection, now)
    }

    fn keep_up_notifications(&mut self, now: Timestamp) -> rusqlite::Result<KeptUp> {
        outbox::upkeep(&self.connection, &mut || self.judge(), now)
    }

    fn set_couriers(&mut self, owner: &str, channels: &[String]) -> rusqlite::Result<()> {
        outbox::set_couriers(&self.connection, &mut || self.judge(), owner, channels)
    }

    fn has_orphaned_alerts(&mut self, owner: &str) -> rusqlite::Result<bool> {
        let dead = open_alerts::dead_owners(&self.connection, &mut || self.judge(), owner)?;
        Ok(!dead.is_empty())
    }

    fn adopt_alerts(
        &mut self,
        owner: &str,
        channels: &[String],
    ) -> rusqlite::Result<Vec<OpenAlert>> {
        open_alerts::adopt(&self.connection, &mut || self.judge(), owner, channels)
    }

    fn release_alerts(&mut self, owner: &str) -> rusqlite::Result<()> {
        open_alerts::release(&self.connection, owner)
    }

    fn left_to_send(&mut self, executions: &[String]) -> rusqlite::Result<Vec<(i64, String)>> {
        outbox::left_to_send(&self.connection, &mut || self.judge(), executions)
    }

    fn execution(&mut self, execution_id: &str) -> rusqlite::Result<Option<ExecutionRecord>> {
        detail::execution(&self.connection, execution_id)
    }

    fn detail(&mut self, execution_id: &str) -> rusqlite::Result<Option<ExecutionDetail>> {
        detail::detail(&self.connection, execution_id)
    }
}
