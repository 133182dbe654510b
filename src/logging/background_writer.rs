//! Entries that a thread of its own writes, so that a slow target (a stopped terminal, a pipe
//! without a reader, a full disk) never delays the code that logs.
//!
//! The queue is bounded. An entry that does not fit is dropped and counted, and the count is
//! reported to the writer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

/// The most that waits.
const CAPACITY: usize = 4096;
/// How long the end waits for a target that accepts nothing: one second, checked in this many
/// steps.
const LOOK_AT_END: Duration = Duration::from_millis(10);
const LOOKS_AT_END: u32 = 100;

/// What writes, on the thread.
pub(crate) trait Sink<T>: Send + 'static {
    /// Writes one. It may wait.
    fn write(&mut self, item: T);

    /// Nothing more waits for the moment.
    fn pause(&mut self) {}

    /// How many entries were dropped since the last report.
    fn lost(&mut self, count: u64);

    /// Nothing more will come.
    fn end(&mut self) {
        self.pause();
    }
}

/// Passes entries to their writer. When dropped, it waits until all are written, unless the writer
/// makes no progress.
#[derive(Debug)]
pub(crate) struct BackgroundWriter<T> {
    intake: Intake<T>,
    ended: Receiver<()>,
}

/// Accepts entries.
#[derive(Debug)]
pub(crate) struct Intake<T> {
    queue: SyncSender<Option<T>>,
    lost: Arc<AtomicU64>,
}

impl<T> Clone for Intake<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), lost: Arc::clone(&self.lost) }
    }
}

impl<T: Send + 'static> BackgroundWriter<T> {
    /// Starts the thread, which goes by `name`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(name: &str, mut sink: impl Sink<T>) -> io::Result<Self> {
        let (queue, items) = mpsc::sync_channel(CAPACITY);
        let (notifier, ended) = mpsc::channel();
        let intake = Intake { queue, lost: Arc::default() };
        let lost = Arc::clone(&intake.lost);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            write_all(&items, &lost, &mut sink);
            let _ = notifier.send(());
        })?;
        Ok(Self { intake, ended })
    }

    /// Accepts entries.
    #[must_use]
    pub(crate) fn intake(&self) -> &Intake<T> {
        &self.intake
    }
}

fn write_all<T>(items: &Receiver<Option<T>>, lost: &AtomicU64, sink: &mut impl Sink<T>) {
    loop {
        let item = items.try_recv().or_else(|_| {
            sink.pause();
            items.recv()
        });
        let Ok(Some(item)) = item else { break };
        sink.write(item);
        report_lost(lost, sink);
    }
    // Entries that arrived since then found the queue closed.
    report_lost(lost, sink);
    // A log records its own losses.
    while let Ok(Some(item)) = items.try_recv() {
        sink.write(item);
    }
    sink.end();
}

fn report_lost<T>(lost: &AtomicU64, sink: &mut impl Sink<T>) {
    match lost.swap(0, Ordering::Relaxed) {
        0 => {}
        count => sink.lost(count),
    }
}

impl<T> Intake<T> {
    /// Queues an entry; one that does not fit is dropped and counted.
    pub(crate) fn put(&self, item: T) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Some(item)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<T> Drop for BackgroundWriter<T> {
    fn drop(&mut self) {
        for _ in 0..LOOKS_AT_END {
            match self.intake.queue.try_send(None) {
                Ok(()) => {
                    let _ = self.ended.recv_timeout(LOOK_AT_END * LOOKS_AT_END);
                    return;
                }
                // The target may still accept something.
                Err(TrySendError::Full(_)) => _ = self.ended.recv_timeout(LOOK_AT_END),
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Held {
        begin: Receiver<()>,
        reports: Sender<Result<u32, u64>>,
    }

    impl Sink<u32> for Held {
        fn write(&mut self, item: u32) {
            if item == 0 {
                self.begin.recv().unwrap();
            }
            self.reports.send(Ok(item)).unwrap();
        }

        fn lost(&mut self, count: u64) {
            self.reports.send(Err(count)).unwrap();
        }
    }

    #[test]
    fn dropped_entries_are_counted_and_the_rest_stays_in_order() {
        let (go, begin) = channel();
        let (reports, received) = channel();
        let writer = BackgroundWriter::start("test", Held { begin, reports }).unwrap();
        // The writer may have taken the first entry, or it may still be in the queue.
        let count = CAPACITY + 10;
        (0..count).for_each(|item| writer.intake().put(u32::try_from(item).unwrap()));
        go.send(()).unwrap();
        let mut received = received.iter();
        let written: Vec<u32> = received.by_ref().map_while(Result::ok).collect();
        assert_eq!(written, [0]);
        drop(writer);
        let rest: Vec<u32> = received.map(Result::unwrap).collect();
        assert!(rest.len() >= CAPACITY - 1 && rest.len() < count - 1);
        assert!(rest.is_sorted());
    }

    /// Drops entries and ends while the writer is paused, and reports the losses as a log does.
    struct Late {
        queue: SyncSender<Option<u32>>,
        lost: Arc<AtomicU64>,
        written: Vec<u32>,
    }

    impl Sink<u32> for Late {
        fn write(&mut self, item: u32) {
            self.written.push(item);
        }

        fn pause(&mut self) {
            self.lost.fetch_add(3, Ordering::Relaxed);
            self.queue.send(None).unwrap();
        }

        fn lost(&mut self, count: u64) {
            self.queue.send(Some(u32::try_from(count).unwrap())).unwrap();
        }

        fn end(&mut self) {
            self.written.push(0);
        }
    }

    #[test]
    fn entries_dropped_at_the_end_are_reported() {
        let (queue, items) = mpsc::sync_channel(CAPACITY);
        queue.send(Some(1)).unwrap();
        let lost = Arc::<AtomicU64>::default();
        let mut sink = Late { queue, lost: Arc::clone(&lost), written: Vec::new() };
        write_all(&items, &lost, &mut sink);
        assert_eq!(sink.written, [1, 3, 0]);
    }

    #[test]
    fn all_is_written_at_the_end() {
        let (go, begin) = channel();
        let (reports, received) = channel();
        let writer = BackgroundWriter::start("test", Held { begin, reports }).unwrap();
        go.send(()).unwrap();
        (0..100).for_each(|item| writer.intake().put(item));
        drop(writer);
        assert_eq!(received.iter().map(Result::unwrap).collect::<Vec<_>>(), Vec::from_iter(0..100));
    }
}
