//! The thread of the [writer](super::writer): takes what waits, stores it in one
//! transaction, answers after the commit, prunes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::watch;

use super::delivery::{Delivery, Outcome};
use super::pending_write::PendingWrite;
use super::queue::{Next, Queue};
use super::stall::AtWork;
use super::task::Task;
use super::writer::{Health, WriterOptions};
use crate::base::clock;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::ownership::Owner;
use crate::repository::sqlite::alerts::{self, SentAlerts};
use crate::repository::sqlite::change::{self, Inserts, NotWritten, Unfinished, Written};
use crate::repository::sqlite::connection::TELL_AFTER;
use crate::repository::sqlite::file_guard::FileGuard;
use crate::repository::sqlite::prune;
use crate::repository::sqlite::takeover::{self, CancelRequest};
use crate::repository::sqlite::{cancel, reader};
use crate::workflow::record::Change;

mod purge;

pub(crate) use self::purge::{Purge, PurgeProgress};

/// The first wait after a failure of the database; doubled up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_millis(20);
/// The longest wait: a database that works again is noticed within it.
const BACKOFF_MAX: Duration = Duration::from_millis(250);
/// How long a commit waits for other processes before that is told as a failure: who waits
/// its turn among many on a slow disk is none, and 2 s are promised.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long what somebody waits for does: the answer is promised within a second.
const ASK_PATIENCE: Duration = Duration::from_millis(500);
/// So often the writer looks at the files and for requests, if nothing else wakes it.
const LOOK: Duration = Duration::from_millis(500);
/// So many completions are pruned with the commit that stores them.
const FEW: usize = 4;
/// When nothing came for so long, what retention has put off is done.
const IDLE: Duration = Duration::from_millis(10);

/// One slot's part of a batch.
struct Item {
    pending: Arc<PendingWrite>,
    change: Change,
    version: u64,
}

/// Why a batch is not committed.
enum NotCommitted {
    /// Deleting what retention asks for failed: without it the batch may still be stored.
    Pruning,
    Failed(StoreError),
}

/// What lives on the thread.
pub(crate) struct Worker {
    path: PathBuf,
    connection: Connection,
    place: FileGuard,
    /// How many finished executions are kept, if not all.
    retention: Option<u64>,
    options: WriterOptions,
    queue: Arc<Queue<Task>>,
    health: watch::Sender<Health>,
    at_work: Arc<AtWork>,
    delivery: Arc<Delivery>,
    unfinished: Unfinished,
    /// How many completed since retention last deleted.
    unpruned: usize,
    /// Retention has more to delete than one transaction may, or time to do it.
    prune_more: bool,
    /// Why retention could not delete the last time.
    prune_error: Option<StoreError>,
    /// Free pages are to go back to the file system.
    give_back: bool,
    cancels: Option<cancel::Watch>,
    /// Alerts that were sent, of which that is not stored yet.
    sent_alerts: SentAlerts,
    /// This process, whose lock file is watched as the database is.
    owner: Option<Arc<Owner>>,
    /// Why others cannot see that this process is alive: then nothing is begun.
    unseen: Option<StoreError>,
    looked_at: Instant,
    /// When a transaction could begin last.
    begun_at: Instant,
}

impl Drop for Worker {
    /// Closing copies the log into the database, but not where the index of the log is cut, which
    /// would end the process.
    fn drop(&mut self) {
        if self.place.is_index_cut() {
            let off = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            // There is nobody left to tell.
            let _ = self.connection.set_db_config(off, true);
        }
    }
}

impl Worker {
    pub(crate) fn new(
        path: &Path,
        connection: Connection,
        retention: Option<u64>,
        options: WriterOptions,
        queue: Arc<Queue<Task>>,
        health: watch::Sender<Health>,
    ) -> Result<Self, StoreError> {
        let page_bytes = prune::page_bytes(&connection)
            .map_err(|error| StoreError::sqlite("open", path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            place: FileGuard::new(path, page_bytes),
            connection,
            retention: retention.filter(|retention| *retention > 0),
            options,
            queue,
            health,
            at_work: Arc::default(),
            delivery: Arc::default(),
            unfinished: Unfinished::default(),
            unpruned: 0,
            prune_more: false,
            prune_error: None,
            give_back: false,
            cancels: None,
            sent_alerts: SentAlerts::new(),
            owner: None,
            unseen: None,
            looked_at: clock::monotonic(),
            begun_at: clock::monotonic(),
        })
    }

    pub(crate) fn at_work(&self) -> Arc<AtWork> {
        Arc::clone(&self.at_work)
    }

    pub(crate) fn delivery(&self) -> Arc<Delivery> {
        Arc::clone(&self.delivery)
    }

    pub(crate) fn run(&mut self) -> Result<(), StoreError> {
        let mut backoff = BACKOFF;
        let mut purge: Option<Purge> = None;
        loop {
            let tidying = self.prune_more || self.give_back;
            let deferred = self.unpruned > 0;
            let patience = match (tidying, deferred) {
                _ if purge.is_some() => Duration::ZERO,
                (true, _) if self.prune_error.is_some() => BACKOFF_MAX,
                (true, _) => Duration::ZERO,
                (false, true) => IDLE,
                (false, false) => LOOK,
            };
            self.at_work.rest();
            let Next { pending, task, closed } = self.queue.next(patience);
            self.at_work.begin();
            if deferred && pending.is_empty() {
                self.prune_more = true;
            }
            let tidying = self.prune_more || self.give_back;
            if closed && pending.is_empty() && task.is_none() && purge.is_none() && !tidying {
                return Ok(());
            }
            if let Err(error) = self.store(pending) {
                self.fails(error.clone());
                // The last attempt is made after the queue is closed.
                if closed {
                    return Err(error);
                }
                self.queue.pause(backoff);
                backoff = (backoff * 2).min(BACKOFF_MAX);
            } else {
                backoff = BACKOFF;
            }
            match task {
                Some(Task::Purge(next)) if purge.is_none() => purge = Some(next),
                // One at a time; it comes again.
                Some(Task::Purge(next)) => drop(self.queue.push_task(Task::Purge(next))),
                Some(task) => self.perform(task),
                None => {}
            }
            if self.looked_at.elapsed() >= LOOK {
                self.look();
            }
            if let Some(current) = purge.take() {
                purge = self.purge(current);
            } else if self.prune_more || self.give_back {
                self.tidy();
                if let (true, Some(error)) = (closed, &self.prune_error) {
                    return Err(error.clone());
                }
            }
        }
    }

    /// Answers a task that is done at once. The asker may be gone.
    fn perform(&mut self, task: Task) {
        match task {
            Task::Detail { execution_id, answer } => {
                let detail = self.place.check().and_then(|()| {
                    reader::detail(&self.connection, &execution_id)
                        .map_err(|error| StoreError::sqlite("read", &self.path, &error))
                });
                let _ = answer.send(detail);
            }
            Task::TakeOver { which, owner, limit, answer } => {
                let path = self.path.clone();
                let taken = self.transaction(|connection| {
                    takeover::take(connection, &path, &which, &owner, limit)
                });
                let _ = answer.send(taken);
            }
            Task::FindAbandoned { which, owner, limit, answer } => {
                let found =
                    takeover::abandoned(&self.connection, &self.path, &which, &owner, limit);
                let _ = answer.send(found);
            }
            // What cannot be read now is swept another time.
            Task::SweepOwners => _ = takeover::sweep(&self.connection, &self.path),
            Task::AlertSent { kind, decided_at } => {
                self.sent_alerts.insert(kind.to_owned(), decided_at);
                self.store_sent_alerts();
            }
            Task::KeepOwner(owner) => self.owner = Some(owner),
            Task::RequestCancel { execution_id, answer } => {
                let path = self.path.clone();
                let now = clock::now();
                let request = self.transaction(|connection| {
                    takeover::request_cancel(connection, &execution_id, now)
                        .map_err(|error| StoreError::sqlite("write to", &path, &error))
                });
                if let (Ok(CancelRequest::Stored { owner: Some(owner) }), Some(watch)) =
                    (&request, &mut self.cancels)
                {
                    watch.tell(owner, &execution_id);
                }
                let _ = answer.send(request);
            }
            Task::WatchCancels { owner, sender } => {
                self.cancels = Some(cancel::Watch::new(owner, sender));
            }
            Task::Purge(_) => {}
        }
    }

    /// Stores which alerts were sent, if others let it. Otherwise it is tried again at the next
    /// look, and a failure says nothing: what matters more fails as well, and tells.
    fn store_sent_alerts(&mut self) {
        if self.sent_alerts.is_empty() || self.begin(Duration::ZERO).is_err() {
            return;
        }
        let stored = alerts::store(&self.connection, &self.sent_alerts)
            .and_then(|()| self.execute("COMMIT"));
        match stored {
            Ok(()) => self.sent_alerts.clear(),
            Err(_) => self.rollback(),
        }
    }

    /// Does something as one, waiting for others a moment only.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Who waits behind one that failed is not kept waiting as long again.
        if let Health::Failing { error } = &*self.health.borrow()
            && self.looked_at.elapsed() < LOOK
        {
            return Err(StoreError::clone(error));
        }
        let outcome = self.begin(ASK_PATIENCE).and_then(|()| {
            let value = work(&self.connection)?;
            self.execute("COMMIT")
                .map_err(|error| StoreError::sqlite("write to", &self.path, &error))?;
            Ok(value)
        });
        outcome.inspect_err(|error| {
            self.rollback();
            self.fails(error.clone());
        })
    }

    /// Looks whether the files are still there, whether somebody wants something cancelled,
    /// and whether others let a transaction begin.
    fn look(&mut self) {
        self.looked_at = clock::monotonic();
        self.unseen = self.owner.as_ref().and_then(|owner| owner.keep().err()).map(|error| {
            let path = self.path.display();
            let message = format!("cannot keep the lock file of this process beside {path}: {error}");
            StoreError::new(StoreErrorKind::Unseen, message).with_hint(format!(
                "make {path}-owners a folder that this user may write to; nothing is begun until then"
            ))
        });
        if let Err(error) = self.place.check() {
            self.fails(error);
            return;
        }
        if let Some(watch) = &mut self.cancels {
            // A database that cannot be read fails to be written as well, which tells.
            let _ = watch.look(&self.connection);
        }
        self.store_sent_alerts();
        let is_failing = matches!(*self.health.borrow(), Health::Failing { .. });
        // What waits is tried again by itself, and tells then.
        if self.queue.len() == 0 && (is_failing || self.begun_at.elapsed() >= LOOK) {
            let patience = if is_failing { Duration::ZERO } else { LOCK_PATIENCE };
            match self.begin(patience) {
                Ok(()) => {
                    self.rollback();
                    self.works();
                }
                // When wfx ends, nobody has waited for others.
                Err(error) if !is_failing && !self.queue.is_closed() => self.fails(error),
                Err(_) => {}
            }
        }
    }

    fn fails(&self, error: StoreError) {
        // What was stored before is not to look as if it could not be.
        self.delivery.tell();
        self.health.send_replace(Health::Failing { error: Arc::new(error) });
    }

    /// Stores what the slots hold. On a failure everything is back in the queue.
    fn store(&mut self, pending: Vec<Arc<PendingWrite>>) -> Result<(), StoreError> {
        let batch: Vec<Item> = pending
            .into_iter()
            .filter_map(|pending| {
                let (change, version) = pending.take()?;
                Some(Item { pending, change, version })
            })
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        let began = clock::monotonic();
        match self.commit(&batch) {
            Ok(outcomes) => {
                if let Some(observer) = &self.options.commits {
                    observer.committed(batch.len(), began.elapsed());
                }
                let items = batch.into_iter().zip(outcomes);
                let outcomes =
                    items.map(|(Item { pending, version, .. }, written)| match written {
                        Ok(written) => {
                            let seq = written.seq;
                            self.unfinished.apply(pending.execution_id(), written);
                            Outcome::committed(pending, version, seq)
                        }
                        Err(error) => Outcome::refused(pending, error),
                    });
                self.delivery.hand_over(outcomes.collect());
                self.works();
                Ok(())
            }
            Err(error) => {
                let pending = batch.into_iter().map(|item| {
                    item.pending.put_back(item.change);
                    item.pending
                });
                self.queue.put_back(pending.collect::<Vec<_>>().into_iter());
                Err(error)
            }
        }
    }

    fn works(&self) {
        self.health.send_if_modified(|health| {
            let was_failing = matches!(health, Health::Failing { .. });
            *health = Health::Working;
            was_failing
        });
    }

    /// Writes the batch in one transaction, with what retention deletes for it; if that
    /// cannot be deleted, without.
    fn commit(&mut self, batch: &[Item]) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let outcome = match self.try_commit(batch, true) {
            Err(NotCommitted::Pruning) => self.try_commit(batch, false),
            outcome => outcome,
        };
        outcome.map_err(|why| match why {
            NotCommitted::Failed(error) => error,
            NotCommitted::Pruning => self.prune_error.clone().unwrap_or_else(|| {
                StoreError::new(StoreErrorKind::Io, "cannot prune the database")
            }),
        })
    }

    fn try_commit(
        &mut self,
        batch: &[Item],
        may_prune: bool,
    ) -> Result<Vec<Result<Written, StoreError>>, NotCommitted> {
        self.begin(LOCK_PATIENCE).map_err(NotCommitted::Failed)?;
        let outcome = self.write_and_prune(batch, may_prune);
        if outcome.is_err() {
            self.rollback();
        }
        outcome
    }

    fn write_and_prune(
        &mut self,
        batch: &[Item],
        may_prune: bool,
    ) -> Result<Vec<Result<Written, StoreError>>, NotCommitted> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| {
            NotCommitted::Failed(StoreError::sqlite("write to", &path, &error))
        };
        let outcomes = self.write_batch(batch)?;
        let completed = outcomes.iter().flatten().filter(|written| written.finished).count();
        let prune_now = may_prune && self.is_prune_due(completed);
        if prune_now && let Err(error) = self.prune() {
            self.prune_error = Some(StoreError::sqlite("prune", &path, &error));
            self.prune_more = true;
            return Err(NotCommitted::Pruning);
        }
        self.execute("COMMIT").map_err(failed)?;
        if prune_now && !self.prune_more {
            self.unpruned = 0;
        } else if self.retention.is_some() {
            self.unpruned += completed;
        }
        Ok(outcomes)
    }

    /// First as if nothing could be refused; when something is, again with a savepoint
    /// for each item.
    fn write_batch(
        &mut self,
        batch: &[Item],
    ) -> Result<Vec<Result<Written, StoreError>>, NotCommitted> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| {
            NotCommitted::Failed(StoreError::sqlite("write to", &path, &error))
        };
        match self.write_all(batch) {
            Ok(written) => Ok(written.into_iter().map(Ok).collect()),
            Err(NotWritten::Failed(error)) => Err(failed(error)),
            Err(NotWritten::Refused(_)) => {
                self.rollback();
                self.begin(LOCK_PATIENCE).map_err(NotCommitted::Failed)?;
                self.write_each(batch).map_err(failed)
            }
        }
    }

    fn write_all(&self, batch: &[Item]) -> Result<Vec<Written>, NotWritten> {
        let mut inserts = Inserts::new(&self.connection)?;
        batch.iter().map(|item| self.write(&mut inserts, item)).collect()
    }

    fn write_each(&self, batch: &[Item]) -> rusqlite::Result<Vec<Result<Written, StoreError>>> {
        let mut inserts = Inserts::new(&self.connection)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for item in batch {
            self.execute("SAVEPOINT item")?;
            outcomes.push(match self.write(&mut inserts, item) {
                Ok(written) => Ok(written),
                Err(NotWritten::Refused(error)) => {
                    self.execute("ROLLBACK TO item")?;
                    Err(error)
                }
                Err(NotWritten::Failed(error)) => return Err(error),
            });
            self.execute("RELEASE item")?;
        }
        Ok(outcomes)
    }

    fn write(&self, inserts: &mut Inserts<'_>, item: &Item) -> Result<Written, NotWritten> {
        let execution_id = item.pending.execution_id();
        change::write(&self.connection, inserts, &self.unfinished, execution_id, &item.change)
    }

    /// Whether retention is to delete now: one by one as they complete; many at a time when
    /// there are many, which costs a fraction of the pages.
    fn is_prune_due(&self, completed: usize) -> bool {
        if completed == 0 || self.retention.is_none() || self.prune_error.is_some() {
            return false;
        }
        let count = self.unpruned + completed;
        count <= FEW || count >= prune::WORTH_DELETING
    }

    /// Deletes what retention asks for, inside the transaction under way.
    fn prune(&mut self) -> rusqlite::Result<()> {
        let Some(retention) = self.retention else { return Ok(()) };
        let pruned = prune::retain(&self.connection, retention)?;
        self.prune_more = pruned.more;
        if pruned.executions > 0 {
            self.give_back = prune::is_worth_giving_back(&self.connection)?;
        }
        Ok(())
    }

    /// Goes on with what retention left over, one transaction's worth. After a failure it
    /// is tried again later.
    fn tidy(&mut self) {
        let pruning = self.prune_more;
        let done = self.begin(LOCK_PATIENCE).and_then(|()| {
            let outcome = if pruning {
                self.prune()
            } else {
                prune::give_back(&self.connection).map(|more| self.give_back = more)
            };
            outcome.and_then(|()| self.execute("COMMIT")).map_err(|error| {
                self.rollback();
                StoreError::sqlite("prune", &self.path, &error)
            })
        });
        match done {
            Ok(()) => {
                self.prune_error = None;
                if !self.prune_more {
                    self.unpruned = 0;
                }
            }
            Err(error) => {
                self.prune_more = pruning;
                self.prune_error = Some(error);
            }
        }
    }

    /// Begins a transaction that may write, once it is sure that the files are still those
    /// that were opened, and nobody else writes; waits `patience` for others, and when
    /// wfx ends only a moment.
    fn begin(&mut self, patience: Duration) -> Result<(), StoreError> {
        self.begin_telling(patience, &mut |_| {})
    }

    /// The same; `waits` is told once, with the reason, when others take long.
    fn begin_telling(
        &mut self,
        patience: Duration,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<(), StoreError> {
        self.place.check()?;
        if let Some(unseen) = &self.unseen {
            return Err(unseen.clone());
        }
        let start = clock::monotonic();
        let mut is_told = false;
        loop {
            let Err(error) = self.execute("BEGIN IMMEDIATE") else {
                self.begun_at = clock::monotonic();
                return Ok(());
            };
            // Others who hold a lock are no disk that hangs.
            self.at_work.begin();
            let error = StoreError::sqlite("write to", &self.path, &error);
            let over = start.elapsed() >= patience.min(self.options.busy_timeout);
            if error.kind() != StoreErrorKind::Locked || over || self.queue.is_closed() {
                return Err(error);
            }
            if !is_told && start.elapsed() >= TELL_AFTER {
                waits(&error);
                is_told = true;
            }
        }
    }

    fn rollback(&self) {
        // SQLite may have rolled back by itself; then there is nothing to do.
        let _ = self.execute("ROLLBACK");
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}
