//! The log of the daemon on standard error: text for people at a terminal, JSON elsewhere.
//!
//! Lines go through a [background writer](crate::logging::background_writer). A reader that does
//! not read loses lines, which are counted and reported; it never delays the daemon.

pub(crate) mod background_writer;

use std::io::{self, IsTerminal, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::base::json;
use crate::logging::background_writer::{BackgroundWriter, Intake, Sink};

/// The log, as long as it exists. When dropped, it waits until all is written, unless nothing reads
/// it.
#[derive(Debug)]
pub(crate) struct Log {
    _spool: BackgroundWriter<Vec<u8>>,
}

struct Stderr;

impl Sink<Vec<u8>> for Stderr {
    fn write(&mut self, line: Vec<u8>) {
        // Standard error may be closed; the failure is ignored.
        let _ = io::stderr().lock().write_all(&line);
    }

    fn lost(&mut self, count: u64) {
        tracing::warn!(lost = count, "lines of the log are missing here: nobody read them");
    }
}

/// Begins to log what is at least as severe as `level`: error, warn, info, debug or trace.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn start(level: &str) -> io::Result<Log> {
    let writer = BackgroundWriter::start("wfx-log", Stderr)?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(level.parse().unwrap_or(LevelFilter::INFO))
        .with_target(false)
        .with_writer(Lines(writer.intake().clone()));
    // If a log exists in this process, as in tests, it stays the one in use.
    if io::stderr().is_terminal() {
        let _ = tracing::subscriber::set_global_default(builder.finish());
    } else {
        let json = builder.json().flatten_event(true).with_current_span(false).finish();
        let _ = tracing::subscriber::set_global_default(json);
    }
    Ok(Log { _spool: writer })
}

#[derive(Debug, Clone)]
struct Lines(Intake<Vec<u8>>);

impl Write for Lines {
    /// Queues a whole line, or counts it as lost.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // JSON, or text with the colours of the formatter: the same escapes do for both.
        self.0.put(json::escaped(line.to_vec()));
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
