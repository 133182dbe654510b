//! The only room that writes to a terminal: what is written where, colour, width, progress bars.
//! [`render`](crate::render) makes the text.
//!
//! Data goes to standard output, all else to standard error. What comes from
//! documents and steps is shown with its control characters escaped, so that no
//! output of a step can drive the terminal.

pub(crate) mod progress;
pub(crate) mod recovery;

mod detail;
mod diff;
mod doctor;
mod listing;
mod perf_check;
mod pin;
mod purge;
mod queue;
mod replay;
mod schedule;
pub(crate) mod slo_sim;
mod status;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::base::clock;
use crate::base::json;
use crate::base::visible::visible;
use crate::base::zone::Zone;
use crate::render::layout::Layout;
use crate::render::style::{BOLD, ERROR, WARNING};
use crate::render::table;

pub(crate) use crate::render::detail::OutputShown;

/// How results are written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// JSON, one object per line
    Jsonl,
    /// Fields separated by tabs, without headers
    Plain,
}

impl OutputFormat {
    /// Whether it is JSON of either kind.
    #[must_use]
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

/// The width if it is unknown.
const WIDTH_DEFAULT: u16 = 100;
/// The least width that is laid out for.
const WIDTH_MIN: u16 = 30;

/// The terminal: what is written where, decided once.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    format: OutputFormat,
    layout: Layout,
    live: bool,
    live_colour: bool,
    /// Whether standard error has no reader, so that a write would block for ever.
    stalled: Arc<AtomicBool>,
}

impl Ui {
    /// Looks at the terminal, and at `COLUMNS`, `LC_ALL`, `LC_CTYPE`, `LANG`, `TERM`,
    /// `NO_COLOR` and `CLICOLOR_FORCE`. On a terminal times are local unless they are to be in `utc`.
    #[must_use]
    pub(crate) fn new(format: OutputFormat, utc: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let columns = variable("COLUMNS").and_then(|columns| columns.trim().parse().ok());
        let terminal = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col);
        let width = columns.or(terminal).filter(|width| *width > 0).unwrap_or(WIDTH_DEFAULT);
        let locale =
            variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG"));
        let unicode = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let live_colour =
            anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        let zone = match io::stdout().is_terminal() && !utc {
            true => Zone::Of(clock::zone),
            false => Zone::Utc,
        };
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        Self {
            format,
            layout: Layout { width: width.max(WIDTH_MIN), unicode, colour, zone },
            live: io::stderr().is_terminal() && !dumb,
            live_colour,
            stalled: Arc::default(),
        }
    }

    /// How results are written.
    #[must_use]
    pub(crate) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub(crate) fn writes_to_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// How times are written.
    #[must_use]
    pub(crate) fn zone(&self) -> Zone {
        self.layout.zone
    }

    /// Whether progress is drawn on a terminal.
    #[must_use]
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Writes a value as JSON: in lines, or on one line for `jsonl`.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        // Converted to a value first, so that embedded JSON text is formatted like the rest.
        let value = serde_json::to_value(value)?;
        let text = match self.format {
            OutputFormat::Jsonl => json::to_string(&value)?,
            _ => json::to_string_pretty(&value)?,
        };
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes a value as [`Self::json`] does, with a long list where it has its last empty one.
    /// `next` gives the next values of that; no more of it is held than these.
    fn json_around<T: Serialize, E: From<io::Error>>(
        &self,
        value: &impl Serialize,
        mut next: impl FnMut() -> Result<Option<Vec<T>>, E>,
    ) -> Result<(), E> {
        let text = |value: serde_json::Result<serde_json::Value>| -> io::Result<String> {
            Ok(match self.format {
                OutputFormat::Jsonl => json::to_string(&value?)?,
                // Two levels deep in the document.
                _ => json::to_string_pretty(&value?)?,
            })
        };
        let (separator, indent) = match self.format {
            OutputFormat::Jsonl => ("", None),
            _ => ("\n    ", Some("\n    ")),
        };
        let around = text(serde_json::to_value(value))?;
        let (begin, end) = around.rsplit_once("[]").unwrap_or((&around, ""));
        self.bytes(begin.as_bytes())?;
        self.bytes(b"[")?;
        let mut is_empty = true;
        while let Some(values) = next()? {
            for value in &values {
                let value = text(serde_json::to_value(value))?;
                let value = indent.map_or(value.clone(), |indent| value.replace('\n', indent));
                let comma = if std::mem::replace(&mut is_empty, false) { "" } else { "," };
                self.bytes(format!("{comma}{separator}{value}").as_bytes())?;
            }
        }
        let close = if is_empty || indent.is_none() { "]" } else { "\n  ]" };
        Ok(self.bytes(format!("{close}{end}\n").as_bytes())?)
    }

    /// Writes rows: a table fitted to the width, or fields separated by tabs.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn table(&self, headers: &[&'static str], rows: &[Vec<String>]) -> io::Result<()> {
        if self.format == OutputFormat::Plain {
            return self.plain_rows(rows);
        }
        let mut table = table::Builder::new(
            self.layout,
            headers.iter().map(|header| table::Column::new(header)).collect(),
        );
        for row in rows {
            table.row(row.iter().map(|cell| table::cell(&visible(cell))).collect());
        }
        self.text(&table.finish())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Writes a line of data with invisible characters escaped.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn line(&self, line: &str) -> io::Result<()> {
        self.styled_line(&visible(line))
    }

    /// Writes a line of data that has styles, and nothing else that needs to be escaped.
    fn styled_line(&self, line: &str) -> io::Result<()> {
        self.text(&format!("{line}\n"))
    }

    /// Reports an error and its remedy. Invisible characters in the texts are escaped here, as in
    /// warnings and notes.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        let hint = hint
            .map(|hint| format!("\n  {BOLD}help:{BOLD:#} {}", visible_lines(hint)))
            .unwrap_or_default();
        self.write_stderr(&format!("{ERROR}error:{ERROR:#} {}{hint}", visible_lines(message)));
    }

    /// Reports what may be wrong.
    pub(crate) fn warning(&self, message: &str) {
        self.write_stderr(&format!("{WARNING}warning:{WARNING:#} {}", visible_lines(message)));
    }

    /// Reports something beside the data.
    pub(crate) fn note(&self, message: &str) {
        self.write_stderr(&visible_lines(message));
    }

    /// Reports why the arguments are no command line.
    pub(crate) fn usage_error(&self, error: &clap::Error, arguments: &[OsString]) {
        let is_plain = |argument: &OsString| {
            argument.to_str().is_some_and(|argument| visible(argument) == argument)
        };
        if arguments.iter().all(is_plain) {
            // clap chooses the colours. Standard error may be closed; the failure is ignored.
            let _ = error.print();
        } else {
            self.write_stderr(visible_lines(&error.render().to_string()).trim_end());
        }
    }

    /// A bar over `total` things, on a terminal only.
    #[must_use]
    pub(crate) fn progress_bar(&self, total: u64) -> Bar {
        let bar = if self.live {
            indicatif::ProgressBar::new(total)
        } else {
            indicatif::ProgressBar::hidden()
        };
        Bar(bar)
    }

    /// Stops writing to standard error, which has no reader.
    fn give_up_on_stderr(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// Whether progress stopped writing to standard error, which has no reader.
    fn stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// A spinner, on a terminal only.
    #[must_use]
    pub(crate) fn spinner(&self, what: &str) -> Bar {
        let bar = if self.live {
            indicatif::ProgressBar::new_spinner().with_message(visible(what))
        } else {
            indicatif::ProgressBar::hidden()
        };
        bar.enable_steady_tick(Duration::from_millis(100));
        Bar(bar)
    }

    fn write_stderr(&self, message: &str) {
        if self.stalled() {
            return;
        }
        // Standard error may be closed; the failure is ignored.
        let _ = writeln!(anstream::stderr().lock(), "{message}");
    }

    /// Writes text with styles, which are left out where they are not wanted.
    fn text(&self, text: &str) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    fn plain_rows(&self, rows: &[Vec<String>]) -> io::Result<()> {
        let mut text = String::new();
        for row in rows {
            let fields: Vec<String> = row.iter().map(|field| visible(field)).collect();
            text += &fields.join("\t");
            text.push('\n');
        }
        self.bytes(text.as_bytes())
    }
}

/// The lines of a text, each with invisible characters escaped. A later line that looks like a
/// workflow command of GitHub Actions, which reads standard error, is escaped too.
fn visible_lines(text: &str) -> String {
    let mut lines = text.split('\n').map(visible);
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |mut all, line| {
        all.push('\n');
        match line.trim_start().strip_prefix("::") {
            Some(rest) => {
                all.push_str("\\u{3a}:");
                all.push_str(rest);
            }
            None => all.push_str(&line),
        }
        all
    })
}

/// A bar that is cleared when it is dropped.
#[derive(Debug)]
pub(crate) struct Bar(indicatif::ProgressBar);

impl Bar {
    /// Advances the bar by `more`.
    pub(crate) fn add(&self, more: u64) {
        self.0.inc(more);
    }

    /// Runs `print` with the bar hidden.
    pub(crate) fn say(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Sets the position of the bar.
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
