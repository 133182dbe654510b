//! The one that writes: a thread that stores what the slots in its queue hold, many
//! executions in one transaction, and answers each after the commit.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::change::{self, NotWritten, Unfinished, Written};
use super::connection::{self, Durability};
use super::error::{StoreError, StoreErrorKind};
use super::file::{self, Identity};
use super::prune::{self, Purged};
use super::queue::{Next, Queue};
use super::reader;
use super::slot::Slot;
use crate::clock;
use crate::workflow::record::{Change, ExecutionDetail};
use crate::workflow::retention::PrunePlan;

/// The first wait after a failure of the database; doubled up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_millis(20);
/// The longest wait: a database that works again is noticed within it.
const BACKOFF_MAX: Duration = Duration::from_millis(250);

/// So many completions are pruned with the commit that stores them.
const FEW: usize = 4;
/// When nothing came for so long, what retention has put off is done.
const IDLE: Duration = Duration::from_millis(10);

/// How a writer works.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// What a commit outlives.
    pub durability: Durability,
    /// How many finished executions are kept; `None` or 0: all.
    pub retention: Option<u64>,
    /// The most executions that wait to be stored.
    pub queue_capacity: usize,
    /// How long other processes may hold the database before that is a failure.
    pub busy_timeout: Duration,
}

/// Whether the database takes what is recorded.
#[derive(Debug, Clone, Default)]
pub enum Health {
    /// The last transaction was committed.
    #[default]
    Working,
    /// The last one failed; what it held is kept and tried again.
    Failing {
        /// Why.
        error: Arc<StoreError>,
    },
}

/// A handle on the writing thread. Dropped, it stores what it can, as [`Self::close`].
pub struct Writer {
    queue: Arc<Queue<Task>>,
    health: watch::Receiver<Health>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Writer {
    /// Opens the database at `path` and starts the thread. A missing database is
    /// made, readable by its owner only; one of the predecessor or of an older wfx is
    /// brought up.
    ///
    /// # Errors
    /// Of any kind but `Missing`, `Refused` and `Ambiguous`; nothing is written to a
    /// file that is refused.
    pub fn open(path: &Path, options: WriterOptions) -> Result<Self, StoreError> {
        let connection = connection::open_writable(path, options.durability, options.busy_timeout)?;
        let queue = Arc::new(Queue::new(options.queue_capacity));
        let (health_sender, health) = watch::channel(Health::Working);
        let mut worker = Worker {
            path: path.to_owned(),
            identity: file::identity(path),
            connection,
            options,
            queue: Arc::clone(&queue),
            health: health_sender,
            unfinished: Unfinished::default(),
            unpruned: Vec::new(),
            prune_more: false,
            give_back: false,
        };
        let thread = thread::Builder::new()
            .name("wfx-writer".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| StoreError::io("start the thread that writes", &error))?;
        Ok(Self { queue, health, thread: Some(thread) })
    }

    /// Asks for what `slot` holds to be stored. `false` when the queue is full: the
    /// slot stays dirty and is to be enqueued again later. A slot that waits already
    /// needs no second place.
    #[must_use]
    pub fn enqueue(&self, slot: &Arc<Slot>) -> bool {
        self.queue.push(slot)
    }

    /// How many executions wait to be stored.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.queue.len()
    }

    /// Follows whether the database works.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Deletes the executions of `plan`, a bounded number per transaction, and gives
    /// their space back. `progress` hears how many are deleted so far. One that is
    /// not finished is never deleted.
    ///
    /// # Errors
    /// When the database fails; what was told as progress is deleted.
    pub fn purge(
        &self,
        plan: &PrunePlan,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Purged, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Io, "cannot purge: the database is closed");
        let (told, telling) = mpsc::channel();
        let purge = Purge { seqs: plan.seqs.clone(), next: 0, deleted: 0, size_bytes: None, told };
        self.queue.push_task(Task::Purge(purge)).map_err(|_| closed())?;
        for message in telling {
            match message {
                Told::Deleted(deleted) => progress(deleted),
                Told::Ended(outcome) => return outcome,
            }
        }
        Err(closed())
    }

    /// What is stored of an execution, read back over the connection that wrote it: a
    /// process that ran one execution needs no second one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn detail(&self, execution_id: &str) -> Result<Option<ExecutionDetail>, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Io, "cannot read: the database is closed");
        let (answer, answered) = mpsc::channel();
        let task = Task::Detail { execution_id: execution_id.to_owned(), answer };
        self.queue.push_task(task).map_err(|_| closed())?;
        answered.recv().map_err(|_| closed())?
    }

    /// Stores what can be stored, deletes what retention asks for, ends the thread.
    ///
    /// # Errors
    /// When something enqueued could not be stored; its slots stay dirty.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.queue.close();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => {
                Err(StoreError::new(StoreErrorKind::Io, "the thread that writes has panicked"))
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to know closes it.
        let _ = self.end();
    }
}

/// What the thread is asked for beside storing.
#[derive(Debug)]
enum Task {
    Purge(Purge),
    Detail {
        execution_id: String,
        answer: mpsc::Sender<Result<Option<ExecutionDetail>, StoreError>>,
    },
}

/// A purge under way.
#[derive(Debug)]
struct Purge {
    seqs: Vec<i64>,
    next: usize,
    deleted: u64,
    /// The database's size before, once known.
    size_bytes: Option<u64>,
    told: mpsc::Sender<Told>,
}

#[derive(Debug)]
enum Told {
    Deleted(u64),
    Ended(Result<Purged, StoreError>),
}

/// One slot's part of a batch.
struct Item {
    slot: Arc<Slot>,
    change: Change,
    version: u64,
}

/// What lives on the thread.
struct Worker {
    path: PathBuf,
    identity: Option<Identity>,
    connection: Connection,
    options: WriterOptions,
    queue: Arc<Queue<Task>>,
    health: watch::Sender<Health>,
    unfinished: Unfinished,
    /// What completed since retention last deleted, in that order.
    unpruned: Vec<i64>,
    /// Retention has more to delete than one transaction may, or time to do it.
    prune_more: bool,
    /// Free pages are to go back to the file system.
    give_back: bool,
}

impl Worker {
    fn run(&mut self) -> Result<(), StoreError> {
        let mut backoff = BACKOFF;
        let mut purge: Option<Purge> = None;
        loop {
            let busy = self.prune_more || self.give_back || purge.is_some();
            let deferred = !self.unpruned.is_empty();
            let patience = match (busy, deferred) {
                (true, _) => Some(Duration::ZERO),
                (false, true) => Some(IDLE),
                (false, false) => None,
            };
            let Next { slots, task, closed } = self.queue.next(patience);
            if deferred && slots.is_empty() {
                self.prune_more = true;
            }
            let busy = busy || self.prune_more;
            if closed && slots.is_empty() && task.is_none() && !busy {
                return Ok(());
            }
            if let Err(error) = self.store(slots) {
                let error = Arc::new(error);
                let failing = Health::Failing { error: Arc::clone(&error) };
                self.health.send_replace(failing);
                // The last attempt is made after the queue is closed.
                if closed {
                    return Err((*error).clone());
                }
                self.queue.pause(backoff);
                backoff = (backoff * 2).min(BACKOFF_MAX);
            } else {
                backoff = BACKOFF;
            }
            match task {
                Some(Task::Detail { execution_id, answer }) => {
                    let detail = reader::detail(&self.connection, &execution_id)
                        .map_err(|error| StoreError::sqlite("read", &self.path, &error));
                    // The asker may be gone.
                    let _ = answer.send(detail);
                }
                Some(Task::Purge(next)) if purge.is_none() => purge = Some(next),
                // One at a time; it comes again.
                Some(next) => drop(self.queue.push_task(next)),
                None => {}
            }
            if let Some(current) = purge.take() {
                purge = self.purge(current);
            } else if self.prune_more || self.give_back {
                self.tidy();
            }
        }
    }

    /// Stores what the slots hold. On a failure everything is back in the queue.
    fn store(&mut self, slots: Vec<Arc<Slot>>) -> Result<(), StoreError> {
        let batch: Vec<Item> = slots
            .into_iter()
            .filter_map(|slot| {
                let (change, version) = slot.take()?;
                Some(Item { slot, change, version })
            })
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        match self.commit(&batch) {
            Ok(outcomes) => {
                for (item, outcome) in batch.into_iter().zip(outcomes) {
                    match outcome {
                        Ok(written) => {
                            self.unfinished.apply(item.slot.execution_id(), written);
                            item.slot.committed(item.version);
                        }
                        Err(error) => item.slot.refused(Arc::new(error)),
                    }
                }
                self.works();
                Ok(())
            }
            Err(error) => {
                let slots = batch.into_iter().map(|item| {
                    item.slot.put_back(item.change);
                    item.slot
                });
                self.queue.put_back(slots.collect::<Vec<_>>().into_iter());
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

    /// Writes the batch in one transaction. First as if nothing could be refused; when
    /// something is, again with a savepoint for each item.
    fn commit(&mut self, batch: &[Item]) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.begin()?;
        let outcome = match self.write_all(batch) {
            Ok(written) => Ok(written.into_iter().map(Ok).collect()),
            Err(NotWritten::Failed(error)) => Err(error),
            Err(NotWritten::Refused(_)) => {
                self.rollback();
                self.begin()?;
                self.write_each(batch)
            }
        };
        let outcome = outcome.and_then(|outcomes: Vec<Result<Written, StoreError>>| {
            let completed: Vec<i64> = outcomes
                .iter()
                .flatten()
                .filter_map(|written| written.finished.then_some(written.seq))
                .collect();
            let prune_now = self.is_prune_due(completed);
            if prune_now {
                self.prune()?;
            }
            self.execute("COMMIT")?;
            if prune_now && !self.prune_more {
                self.unpruned.clear();
            }
            Ok(outcomes)
        });
        outcome.map_err(|error| {
            self.rollback();
            StoreError::sqlite("write to", &self.path, &error)
        })
    }

    fn write_all(&self, batch: &[Item]) -> Result<Vec<Written>, NotWritten> {
        batch.iter().map(|item| self.write(item)).collect()
    }

    fn write_each(&self, batch: &[Item]) -> rusqlite::Result<Vec<Result<Written, StoreError>>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for item in batch {
            self.execute("SAVEPOINT item")?;
            outcomes.push(match self.write(item) {
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

    fn write(&self, item: &Item) -> Result<Written, NotWritten> {
        change::write(&self.connection, &self.unfinished, item.slot.execution_id(), &item.change)
    }

    /// Notes what completed, and tells whether retention is to delete now: one by one as
    /// they come; many at a time when there are many, which costs a fraction of the pages.
    fn is_prune_due(&mut self, completed: Vec<i64>) -> bool {
        if completed.is_empty() || self.options.retention.is_none_or(|retention| retention == 0) {
            return false;
        }
        self.unpruned.extend(completed);
        let count = self.unpruned.len();
        count <= FEW || count >= prune::WORTH_DELETING
    }

    /// Deletes what retention asks for, inside the transaction under way.
    fn prune(&mut self) -> rusqlite::Result<()> {
        let Some(retention) = self.options.retention.filter(|retention| *retention > 0) else {
            return Ok(());
        };
        let pruned = prune::retain(&self.connection, retention, &self.unpruned)?;
        self.prune_more = pruned.more;
        if pruned.executions > 0 {
            self.give_back = prune::is_worth_giving_back(&self.connection)?;
        }
        Ok(())
    }

    /// Goes on with what retention left over, one transaction's worth.
    fn tidy(&mut self) {
        let done = self.begin().and_then(|()| {
            let outcome = if self.prune_more {
                self.prune()
            } else {
                prune::give_back(&self.connection).map(|more| self.give_back = more)
            };
            outcome.and_then(|()| self.execute("COMMIT")).map_err(|error| {
                self.rollback();
                StoreError::sqlite("prune", &self.path, &error)
            })
        });
        // The commit, not what came after, decided whether more is left; after a failure
        // the next completion starts it again.
        if done.is_err() || !self.prune_more {
            self.unpruned.clear();
        }
        if done.is_err() {
            self.prune_more = false;
            self.give_back = false;
        }
    }

    /// Takes a purge one transaction further; returns it while there is more to do.
    fn purge(&mut self, mut purge: Purge) -> Option<Purge> {
        let outcome = match self.purge_some(&mut purge) {
            Ok(None) => return Some(purge),
            Ok(Some(purged)) => Ok(purged),
            Err(error) => Err(error),
        };
        // The asker may be gone; then nobody wants to know.
        let _ = purge.told.send(Told::Ended(outcome));
        None
    }

    fn purge_some(&mut self, purge: &mut Purge) -> Result<Option<Purged>, StoreError> {
        self.begin()?;
        let outcome = self.purge_in_transaction(purge).and_then(|done| {
            self.execute("COMMIT")?;
            Ok(done)
        });
        let (next, deleted, more) = outcome.map_err(|error| {
            self.rollback();
            StoreError::sqlite("purge", &self.path, &error)
        })?;
        if deleted > purge.deleted {
            let _ = purge.told.send(Told::Deleted(deleted));
        }
        (purge.next, purge.deleted) = (next, deleted);
        if more {
            return Ok(None);
        }
        // So that the file shrinks now, not when the log is full.
        let failed = |error: rusqlite::Error| StoreError::sqlite("purge", &self.path, &error);
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(failed)?;
        let before = purge.size_bytes.unwrap_or(0);
        let after = prune::size_bytes(&self.connection).map_err(failed)?;
        Ok(Some(Purged { executions: deleted, freed_bytes: before.saturating_sub(after) }))
    }

    /// The next place in the list, how many are deleted in all, whether there is more.
    fn purge_in_transaction(&self, purge: &mut Purge) -> rusqlite::Result<(usize, u64, bool)> {
        if purge.size_bytes.is_none() {
            purge.size_bytes = Some(prune::size_bytes(&self.connection)?);
        }
        if purge.next == purge.seqs.len() {
            let more = prune::give_back(&self.connection)?;
            return Ok((purge.next, purge.deleted, more));
        }
        let end = purge.seqs.len().min(purge.next + prune::WORTH_DELETING);
        let some = purge.seqs[purge.next..end].to_vec();
        let deleted = prune::delete(&self.connection, some)? as u64;
        Ok((end, purge.deleted + deleted, true))
    }

    /// Begins a transaction that may write, once it is sure that the file is still the
    /// one that was opened, and nobody else writes.
    fn begin(&mut self) -> Result<(), StoreError> {
        self.check_place()?;
        let start = clock::monotonic();
        loop {
            match self.execute("BEGIN IMMEDIATE") {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let error = StoreError::sqlite("write to", &self.path, &error);
                    if error.kind() != StoreErrorKind::Locked
                        || start.elapsed() >= self.options.busy_timeout
                    {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// A deleted database takes writes into the void, so the place is looked at before
    /// each transaction. Another file there is never taken: the log beside it may be that
    /// of the first one, and would be written over it.
    fn check_place(&self) -> Result<(), StoreError> {
        let now = file::identity(&self.path);
        if now.is_some() && now == self.identity {
            return Ok(());
        }
        let what = if now.is_none() { "deleted or emptied" } else { "replaced by another" };
        Err(StoreError::new(
            StoreErrorKind::Gone,
            format!("cannot write to the database {}: the file was {what}", self.path.display()),
        )
        .with_hint("put it back; what is not stored yet is kept and tried again"))
    }

    fn rollback(&self) {
        // SQLite may have rolled back by itself; then there is nothing to do.
        let _ = self.execute("ROLLBACK");
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}
