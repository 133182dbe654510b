//! The log of the daemon on standard error: text for people at a terminal, JSON elsewhere.
//!
//! Lines go through a bounded queue to a thread. A reader that does not read (a stopped
//! terminal, a pipe that nobody empties) costs lines, which are counted and told, and never
//! holds up the daemon.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The most lines that wait.
const LINES_MAX: usize = 4096;
/// How long the end waits for a reader that takes nothing.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);

/// The log, for as long as it lives. Dropped, it waits until all is written, unless nobody
/// reads.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    ended: mpsc::Receiver<()>,
}

#[derive(Debug, Clone)]
struct Lines {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    End,
}

/// Begins to log what is at least as severe as `level`: error, warn, info, debug or trace.
///
/// # Errors
/// When no thread can be started.
pub fn start(level: &str) -> io::Result<Log> {
    let (queue, messages) = mpsc::sync_channel(LINES_MAX);
    let (tell, ended) = mpsc::channel();
    let lines = Lines { queue, lost: Arc::default() };
    let lost = Arc::clone(&lines.lost);
    thread::Builder::new().name("wfx-log".to_owned()).spawn(move || {
        write_all(&messages, &lost);
        let _ = tell.send(());
    })?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(level.parse().unwrap_or(LevelFilter::INFO))
        .with_target(false)
        .with_writer(lines.clone());
    // A second one in this process, as tests may start, keeps the first.
    if io::stderr().is_terminal() {
        let _ = tracing::subscriber::set_global_default(builder.finish());
    } else {
        let json = builder.json().flatten_event(true).with_current_span(false).finish();
        let _ = tracing::subscriber::set_global_default(json);
    }
    Ok(Log { lines, ended })
}

fn write_all(messages: &mpsc::Receiver<Message>, lost: &AtomicU64) {
    // Who closed standard error does not want to know.
    let write = |bytes: &[u8]| drop(io::stderr().lock().write_all(bytes));
    while let Ok(Message::Line(line)) = messages.recv() {
        write(&line);
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => tracing::warn!(lost, "lines of the log are missing here: nobody read them"),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A full queue is that of a reader that does not read.
        if self.lines.queue.try_send(Message::End).is_ok() {
            let _ = self.ended.recv_timeout(PATIENCE_AT_END);
        }
    }
}

impl Write for Lines {
    /// Takes a whole line, or counts it as lost.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Message::Line(line.to_vec())) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
