//! The thread that compresses much output. It has a low priority, so that a start that comes meanwhile
//! gets a processor first.

use std::sync::{OnceLock, mpsc};
use std::thread;

use tokio::sync::oneshot;

use crate::workflow::output::chunk::Compressor;

/// How much nicer than the rest of wfx the thread is. Each unit counts for a factor of about 1.25
/// (sched(7)), so it gives way to others that compute and is not starved by them: output that waits too
/// long is dropped.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Compressor) + Send>;

/// The thread; started with the first job, and ended with the last owner.
#[derive(Debug, Default)]
pub(super) struct BulkThread(OnceLock<Option<mpsc::Sender<Job>>>);

impl BulkThread {
    /// Does something there and waits for it; here, where there is no thread. `None` where the thread
    /// has panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Compressor) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |compressor| _ = sender.send(work(compressor)));
        let refused = match self.0.get_or_init(start) {
            Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            job(&mut Compressor::new());
        }
        receiver.await.ok()
    }
}

/// `None` where no thread can be started.
fn start() -> Option<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let work = move || {
        // Of this thread alone. Where it is not allowed, starts wait longer.
        let nice = rustix::process::getpriority_process(None).unwrap_or(0);
        let _ = rustix::process::setpriority_process(None, nice + NICENESS);
        let mut compressor = Compressor::new();
        for job in jobs {
            job(&mut compressor);
        }
    };
    thread::Builder::new().name("wfx-output".to_owned()).spawn(work).ok().map(|_| sender)
}
