//! The thread that writes: it opens the database first, while its caller does something else.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::backend::{Backend, Opened};
use super::delivery::Delivery;
use super::health::Health;
use super::queue::Queue;
use super::stall::AtWork;
use super::task::Task;
use super::worker::{Keeps, Worker};
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::options::WriterOptions;
use crate::repository::ownership::Registry;

/// The thread that writes. Dropped, it stores what it can, and ends.
pub(super) struct Thread {
    pub(super) queue: Arc<Queue<Task>>,
    handle: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Thread {
    /// Lets nothing more in, and waits until what waits is stored.
    pub(super) fn end(&self) -> Result<(), StoreError> {
        self.queue.close();
        // It is taken by one only.
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        match handle.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(panicked()),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Who wants to know closes the writer.
        let _ = self.end();
    }
}

fn panicked() -> StoreError {
    StoreError::new(StoreErrorKind::Io, "the thread that writes has panicked")
}

/// How far the thread has come that opens a database.
enum Progress {
    /// It waits long for others, and why.
    Waits(StoreError),
    Failed(StoreError),
    Opened {
        at_work: Arc<AtWork>,
        delivery: Arc<Delivery>,
        registry: Registry,
    },
}

/// A database that is being opened for writing. Dropped, it is closed as soon as it is open.
pub struct Opening {
    thread: Thread,
    health: watch::Receiver<Health>,
    busy_timeout: Duration,
    progress: mpsc::Receiver<Progress>,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// What a handle on the thread consists of, once the database is open.
pub(super) struct Started {
    pub(super) thread: Thread,
    pub(super) health: watch::Receiver<Health>,
    pub(super) at_work: Arc<AtWork>,
    pub(super) delivery: Arc<Delivery>,
    pub(super) busy_timeout: Duration,
    pub(super) registry: Registry,
}

impl Opening {
    /// Starts the thread, which opens the database with `open` and then writes. `open` gets a
    /// function to report, once, why it has to wait long.
    pub(crate) fn begin<B: Backend>(
        options: WriterOptions,
        open: impl FnOnce(&WriterOptions, &mut dyn FnMut(&StoreError)) -> Result<Opened<B>, StoreError>
        + Send
        + 'static,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new(options.queue_capacity));
        let busy_timeout = options.busy_timeout;
        let (health_sender, health) = watch::channel(Health::Working);
        let (sender, progress) = mpsc::channel();
        let tasks = Arc::clone(&queue);
        let work = move || {
            // Who has given up waiting needs no report.
            let mut waits = |error: &StoreError| {
                _ = sender.send(Progress::Waits(error.clone()));
            };
            let Opened { backend, keep, has_policies, registry } = match open(&options, &mut waits)
            {
                Ok(opened) => opened,
                Err(error) => {
                    _ = sender.send(Progress::Failed(error));
                    return Ok(());
                }
            };
            let keeps = Keeps { keep, has_policies };
            let mut worker = Worker::new(backend, keeps, options, tasks, health_sender);
            let (at_work, delivery) = (worker.at_work(), worker.delivery());
            _ = sender.send(Progress::Opened { at_work, delivery, registry });
            drop(sender);
            worker.run()
        };
        let handle = thread::Builder::new()
            .name("wfx-writer".to_owned())
            .spawn(work)
            .map_err(|error| StoreError::io("start the thread that writes", &error))?;
        let thread = Thread { queue, handle: Mutex::new(Some(handle)) };
        Ok(Self { thread, health, busy_timeout, progress })
    }

    /// Waits until the database is open, and calls `waits` with what keeps it from that.
    pub(super) fn wait(self, waits: &mut dyn FnMut(&StoreError)) -> Result<Started, StoreError> {
        let Self { thread, health, busy_timeout, progress } = self;
        for progress in progress {
            match progress {
                Progress::Waits(error) => waits(&error),
                Progress::Failed(error) => return Err(error),
                Progress::Opened { at_work, delivery, registry } => {
                    return Ok(Started {
                        thread,
                        health,
                        at_work,
                        delivery,
                        busy_timeout,
                        registry,
                    });
                }
            }
        }
        Err(panicked())
    }
}
