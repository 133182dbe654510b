//! Passes messages from the engine to a screen, through a queue and a thread.
//!
//! The engine has one thread for timers, signals and pipes. If it wrote to standard error, a reader
//! that stalls (a pager, a stopped terminal, a full pipe) would delay every timeout and signal. So
//! the engine only queues messages.
//!
//! Output of steps is unbounded, so its part of the queue is bounded. When it is full, the engine
//! waits, which slows the step down as a full pipe would, and loses nothing. It waits for at most
//! [`PATIENCE`]: a slower reader loses lines, and their number is reported. All other messages are
//! few and never lost.
//!
//! Starting and waking a thread costs a short execution more than its writes do. So the thread
//! starts with the first message whose write may block; until then the engine writes messages
//! itself.

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::message::{Message, Screen};
use super::words::{LineCutter, Words};
use crate::base::clock;
use crate::render::titles::Titles;
use crate::workflow::report::{Observer, Report, Stream};

/// The most bytes of output that wait.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// The overhead counted for each message, so that many small ones are bounded too.
const OVERHEAD_BYTES: usize = 128;
/// The most bytes of output in one message: what is shown at a time.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// How long the reader may take for half of a full queue.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the end waits for a reader that accepts nothing.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);

/// The engine's end of the queue. When dropped, it waits until everything is shown; if the reader
/// accepts nothing for [`PATIENCE_AT_END`], it leaves the thread running and sets `stalled`.
pub(super) struct Courier {
    shared: Arc<Shared>,
    /// The writer, until the thread owns it.
    presenter: Mutex<Option<Presenter>>,
    words: Words,
    titles: Titles,
    verbose: bool,
    stalled: Arc<AtomicBool>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signals a new item, or that the queue is closed.
    arrived: Condvar,
    /// Signals that an item was shown and half of the queue is free, or that the end waits.
    went_on: Condvar,
}

enum Item {
    Message(Message),
    /// A step wrote something, cut anywhere.
    Output {
        step: String,
        stream: Stream,
        bytes: Vec<u8>,
    },
}

struct Queue {
    items: VecDeque<Item>,
    /// The size of the output among them, with overhead.
    output_bytes: usize,
    /// What remains of [`PATIENCE`], not counting the write in progress.
    patience: Duration,
    /// When a write began that has not ended.
    writing: Option<Instant>,
    /// The number of whole lines lost since the last report, and of which streams.
    missed: u64,
    missed_of: HashSet<(String, Stream)>,
    /// Streams whose current line lost its beginning.
    cut: HashSet<(String, Stream)>,
    /// How many items were shown.
    shown: u64,
    /// Nothing more will come.
    closed: bool,
    /// Everything is shown, and the screen is dropped.
    done: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            output_bytes: 0,
            patience: PATIENCE,
            writing: None,
            missed: 0,
            missed_of: HashSet::new(),
            cut: HashSet::new(),
            shown: 0,
            closed: false,
            done: false,
        }
    }
}

/// Shows on a screen what is in the queue.
struct Presenter {
    screen: Box<dyn Screen>,
    words: Words,
    titles: Titles,
    cutter: LineCutter,
}

impl Presenter {
    fn show(&mut self, item: &Item) {
        let lines = lines(item, self.words, &self.titles, &mut self.cutter);
        if !lines.is_empty() {
            self.screen.output(&lines);
        }
        if let Item::Message(message) = item {
            self.screen.show(message);
        }
    }

    /// Only before the first output, which starts the thread.
    fn show_at_once(&mut self, item: &Item) -> bool {
        matches!(item, Item::Message(message) if self.screen.show_at_once(message))
    }
}

impl Courier {
    /// A way to `screen`.
    pub(super) fn new(
        screen: Box<dyn Screen>,
        words: Words,
        titles: Titles,
        verbose: bool,
        stalled: Arc<AtomicBool>,
    ) -> Self {
        let cutter = LineCutter::default();
        let presenter = Presenter { screen, words, titles: titles.clone(), cutter };
        Self {
            shared: Arc::default(),
            presenter: Mutex::new(Some(presenter)),
            words,
            titles,
            verbose,
            stalled,
        }
    }

    /// Shows the item directly while no thread is running and none is needed.
    fn shows(&self, item: &Item) -> bool {
        let mut slot = self.presenter.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut presenter) = slot.take() else { return false };
        if presenter.show_at_once(item) {
            *slot = Some(presenter);
            return true;
        }
        match self.shared.start(presenter) {
            Ok(()) => false,
            // If no thread can be started, write directly: slow, but nothing is lost.
            Err(mut presenter) => {
                presenter.show(item);
                *slot = Some(presenter);
                true
            }
        }
    }
}

impl Observer for Courier {
    fn report(&self, report: &Report<'_>) {
        let item = match *report {
            Report::Output { step, stream, bytes } => {
                Item::Output { step: step.to_owned(), stream, bytes: bytes.to_owned() }
            }
            _ => match Message::new(report, self.words, &self.titles, self.verbose) {
                Some(message) => Item::Message(message),
                None => return,
            },
        };
        if self.shows(&item) {
            return;
        }
        match item {
            Item::Message(message) => self.shared.push(message),
            Item::Output { step, stream, bytes } => self.shared.offer(&step, stream, &bytes),
        }
    }

    fn wants_output(&self) -> bool {
        self.verbose
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        let is_threads = self.presenter.get_mut().is_ok_and(|presenter| presenter.is_none());
        if is_threads && !self.shared.close() {
            self.stalled.store(true, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message that must not be lost.
    fn push(&self, message: Message) {
        let mut queue = self.lock();
        if let Message::AttemptStarted { step, .. } = &message {
            queue.cut.retain(|(cut, _)| cut != step);
        }
        queue.report_missed();
        queue.items.push_back(Item::Message(message));
        self.arrived.notify_one();
    }

    /// Queues output, or counts its lines when there is no room.
    fn offer(&self, step: &str, stream: Stream, bytes: &[u8]) {
        let mut queue = self.lock();
        if !queue.has_room(bytes.len()) {
            queue = self.wait_for_room(queue);
        }
        if queue.has_room(bytes.len()) {
            queue.push_output(step, stream, bytes);
            self.arrived.notify_one();
        } else {
            queue.miss(step, stream, bytes);
        }
    }

    /// Waits until half of the queue is free, at most until the patience is used up. Only time in
    /// which the reader accepts nothing counts, not the work of the thread.
    fn wait_for_room<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        while queue.is_behind() {
            let patience = queue.patience_left();
            if patience.is_zero() {
                break;
            }
            let waited = self.went_on.wait_timeout(queue, patience);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue
    }

    /// Starts the thread; gives the shower back when the system has none.
    fn start(self: &Arc<Self>, presenter: Presenter) -> Result<(), Presenter> {
        let shared = Arc::clone(self);
        let parcel = Arc::new(Mutex::new(Some(presenter)));
        let theirs = Arc::clone(&parcel);
        let take = |parcel: &Mutex<Option<Presenter>>| {
            parcel.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let started = thread::Builder::new().name("wfx-progress".to_owned()).spawn(move || {
            if let Some(presenter) = take(&theirs) {
                shared.show_all(presenter);
            }
        });
        match started {
            Ok(_) => Ok(()),
            Err(_) => take(&parcel).map_or(Ok(()), Err),
        }
    }

    /// The thread: shows items until the queue is closed.
    fn show_all(&self, mut presenter: Presenter) {
        while let Some(item) = self.take() {
            self.lock().writing = Some(clock::monotonic());
            presenter.show(&item);
            self.wrote();
        }
        // A screen that is dropped draws once more.
        drop(presenter);
        self.lock().done = true;
        self.went_on.notify_all();
    }

    fn wrote(&self) {
        let mut queue = self.lock();
        queue.patience = queue.patience_left();
        queue.writing = None;
        queue.shown += 1;
        if !queue.is_behind() {
            queue.patience = PATIENCE;
        }
        if queue.closed || !queue.is_behind() {
            self.went_on.notify_all();
        }
    }

    fn take(&self) -> Option<Item> {
        let mut queue = self.lock();
        loop {
            if queue.items.is_empty() {
                queue.report_missed();
            }
            if let Some(item) = queue.items.pop_front() {
                queue.output_bytes -= cost(&item);
                return Some(item);
            }
            if queue.closed {
                return None;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything is shown; returns `false` when the reader accepts nothing.
    fn close(&self) -> bool {
        let mut queue = self.lock();
        queue.closed = true;
        self.arrived.notify_one();
        while !queue.done {
            let shown = queue.shown;
            let (after, waited) = self
                .went_on
                .wait_timeout_while(queue, PATIENCE_AT_END, |q| !q.done && q.shown == shown)
                .unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return false;
            }
            queue = after;
        }
        true
    }
}

impl Queue {
    fn has_room(&self, bytes: usize) -> bool {
        self.output_bytes + bytes <= OUTPUT_BYTES_MAX
    }

    /// Whether more than half of it waits.
    fn is_behind(&self) -> bool {
        self.output_bytes > OUTPUT_BYTES_MAX / 2
    }

    fn push_output(&mut self, step: &str, stream: Stream, mut bytes: &[u8]) {
        if !self.cut.is_empty() && self.cut.contains(&(step.to_owned(), stream)) {
            // The beginning of its line is lost, so the rest is dropped as well.
            let rest = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |n| n + 1);
            self.miss(step, stream, &bytes[..rest]);
            bytes = &bytes[rest..];
        }
        if bytes.is_empty() {
            return;
        }
        self.report_missed();
        for bytes in bytes.chunks(MESSAGE_BYTES_MAX) {
            match self.items.back_mut() {
                Some(Item::Output { step: last, stream: to, bytes: before })
                    if last == step
                        && *to == stream
                        && before.len() + bytes.len() <= MESSAGE_BYTES_MAX =>
                {
                    before.extend_from_slice(bytes);
                    self.output_bytes += bytes.len();
                }
                _ => {
                    let bytes = bytes.to_owned();
                    let item = Item::Output { step: step.to_owned(), stream, bytes };
                    self.output_bytes += cost(&item);
                    self.items.push_back(item);
                }
            }
        }
    }

    /// Counts output that is lost.
    fn miss(&mut self, step: &str, stream: Stream, bytes: &[u8]) {
        self.missed += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let of = (step.to_owned(), stream);
        if bytes.ends_with(b"\n") {
            self.cut.remove(&of);
        } else {
            self.cut.insert(of.clone());
        }
        self.missed_of.insert(of);
    }

    /// Queues a message with the number of missing lines, if any.
    fn report_missed(&mut self) {
        if !self.missed_of.is_empty() {
            // A part of one line is missing at least.
            let lines = mem::take(&mut self.missed).max(1);
            let of = mem::take(&mut self.missed_of);
            let message = Message::Missed { lines, of, at: clock::now() };
            self.items.push_back(Item::Message(message));
        }
    }

    fn patience_left(&self) -> Duration {
        let writing = self.writing.map_or(Duration::ZERO, |begun| begun.elapsed());
        self.patience.saturating_sub(writing)
    }
}

/// The item's size in the bounded part of the queue.
fn cost(item: &Item) -> usize {
    match item {
        Item::Output { step, bytes, .. } => OVERHEAD_BYTES + step.len() + bytes.len(),
        Item::Message(_) => 0,
    }
}

/// The lines of output that are complete with `item`, to be shown before it.
fn lines(item: &Item, words: Words, titles: &Titles, cutter: &mut LineCutter) -> String {
    let mut text = String::new();
    match item {
        Item::Output { step, stream, bytes } => {
            let label = titles.label(step);
            cutter.take(step, *stream, bytes, |line| words.add_output(label, line, &mut text));
        }
        Item::Message(Message::Retry { step, .. } | Message::StepEnded { step, .. }) => {
            cutter.finish(step, |line| words.add_output(titles.label(step), line, &mut text));
        }
        Item::Message(Message::Missed { of, .. }) => of.iter().for_each(|of| cutter.forget(of)),
        Item::Message(_) => {}
    }
    text
}
