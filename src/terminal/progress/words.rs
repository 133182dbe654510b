//! The texts about an execution, the same on a terminal and elsewhere.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use anstyle::Style;

use crate::base::units;
use crate::base::visible::visible;
use crate::render::style::{BOLD, DIM, WARNING, of_execution, of_step};
use crate::workflow::concurrency::WaitingFor;
use crate::workflow::handler::HandlerKind;
use crate::workflow::record::{Attempt, ExecutionStatus, StepStatus};
use crate::workflow::report::Stream;

/// How many of its last lines are shown of a failing step.
const LINES_SHOWN: usize = 10;
/// The longest piece of a line that waits for its end.
const PIECE_BYTES_MAX: usize = 8 * 1024;

#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) unicode: bool,
    pub(super) colour: bool,
}

impl Words {
    /// The text with its styles, if they are wanted.
    pub(super) fn styled(self, text: &str) -> Cow<'_, str> {
        if self.colour {
            return Cow::Borrowed(text);
        }
        Cow::Owned(anstream::adapter::strip_str(text).to_string())
    }

    pub(super) fn execution_ended(
        self,
        status: ExecutionStatus,
        error: Option<&str>,
        duration: Duration,
    ) -> String {
        let look = of_execution(status);
        let state = look.paint(status.as_str());
        let error = error.map(|error| format!(": {}", visible(error))).unwrap_or_default();
        format!("execution {state} in {}{error}", units::duration(duration))
    }

    pub(super) fn step_ended(
        self,
        step: &str,
        status: StepStatus,
        error: Option<&str>,
        duration: Option<Duration>,
    ) -> String {
        let look = of_step(status);
        let sign = look.paint(&look.sign(self.unicode).to_string());
        let took = duration
            .map(|duration| format!(" in {}", units::duration(duration)))
            .unwrap_or_default();
        let error = error.map(|error| format!(": {}", visible(error))).unwrap_or_default();
        format!(
            "{sign} {BOLD}{}{BOLD:#} {}{took}{error}",
            visible(step),
            look.paint(status.as_str())
        )
    }

    /// What is said of a handler, which is no step.
    pub(super) fn of_handler(self, on: HandlerKind, text: &str) -> String {
        format!("{text} {DIM}({on}){DIM:#}")
    }

    pub(super) fn retry(self, step: &str, failed: &Attempt, max: u32, wait: Duration) -> String {
        let error = failed.error.as_deref().map(visible).unwrap_or_default();
        let step = visible(step);
        format!(
            "{WARNING}{}{WARNING:#} {BOLD}{step}{BOLD:#} attempt {} of {max} failed: {error}; again in {}",
            if self.unicode { '↻' } else { '~' },
            failed.attempt,
            units::duration(wait),
        )
    }

    pub(super) fn store_failing(self, error: &str, hint: Option<&str>) -> String {
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{WARNING}warning:{WARNING:#} {error}{hint}; no further step starts until it works")
    }

    pub(super) fn waiting(self, on: &WaitingFor) -> String {
        format!(
            "waiting for a slot of the concurrency group {}, held by {}; Ctrl-C leaves the queue",
            visible(&on.group),
            on.holders_text()
        )
    }

    pub(super) fn attempt_postponed(self, step: &str, error: &str) -> String {
        let (step, error) = (visible(step), visible(error));
        format!(
            "{WARNING}warning:{WARNING:#} step `{step}` waits, since the system lets wfx start no \
             further process: {error}"
        )
    }

    /// Lines of output are missing here.
    pub(super) fn missed(self, lines: u64) -> String {
        let lines = units::count(lines, "line");
        format!(
            "{WARNING}{lines} of output not shown{WARNING:#}: standard error is read too slowly"
        )
    }

    /// Appends a line of a step's output with its line end. There may be very many, so it contains
    /// no styles that [`Words::styled`] would have to strip.
    pub(super) fn add_output(self, step: &str, line: &[u8], text: &mut String) {
        let dim = if self.colour { DIM } else { Style::new() };
        let line = String::from_utf8_lossy(line);
        let bar = if self.unicode { '│' } else { '|' };
        // Text takes whatever is written to it.
        let _ = write!(text, "{dim}{} {bar}{dim:#} ", visible(step));
        text.push_str(&visible(line.trim_end_matches('\r')));
        text.push('\n');
    }

    /// The last lines of a failing attempt: of stderr, or of stdout if there is none.
    pub(super) fn last_lines(self, step: &str, attempt: &Attempt) -> String {
        let text = if attempt.stderr.text.trim().is_empty() {
            &attempt.stdout.text
        } else {
            &attempt.stderr.text
        };
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(LINES_SHOWN);
        let mut shown = String::new();
        for line in &lines[skipped..] {
            let line = units::fit(line, 1_000, self.unicode);
            self.add_output(step, line.as_bytes(), &mut shown);
        }
        shown
    }
}

/// What steps wrote, cut into lines.
#[derive(Debug, Default)]
pub(super) struct LineCutter {
    pieces: HashMap<(String, Stream), Vec<u8>>,
}

impl LineCutter {
    /// Takes bytes and passes on each line that is complete, or too long to wait for.
    pub(super) fn take(
        &mut self,
        step: &str,
        stream: Stream,
        bytes: &[u8],
        mut line: impl FnMut(&[u8]),
    ) {
        let piece = self.pieces.entry((step.to_owned(), stream)).or_default();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            for chunk in part.chunks(PIECE_BYTES_MAX) {
                piece.extend_from_slice(chunk);
                if piece.ends_with(b"\n") {
                    piece.pop();
                } else if piece.len() < PIECE_BYTES_MAX {
                    continue;
                }
                line(piece);
                piece.clear();
            }
        }
    }

    /// Drops the beginning of a line whose rest is lost.
    pub(super) fn forget(&mut self, of: &(String, Stream)) {
        self.pieces.remove(of);
    }

    /// Passes on the last line of an ended step if it has no line end.
    pub(super) fn finish(&mut self, step: &str, mut line: impl FnMut(&[u8])) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(piece) = self.pieces.remove(&(step.to_owned(), stream))
                && !piece.is_empty()
            {
                line(&piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_bounded() {
        let mut cutter = LineCutter::default();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut take = |cutter: &mut LineCutter, bytes: &[u8]| {
            cutter.take("a", Stream::Stdout, bytes, |line| lines.push(line.to_vec()));
        };
        take(&mut cutter, b"on");
        take(&mut cutter, b"e\n\ntw");
        take(&mut cutter, &vec![b'x'; 3 * PIECE_BYTES_MAX]);
        take(&mut cutter, b"\nend");
        cutter.finish("a", |line| lines.push(line.to_vec()));
        cutter.finish("a", |line| lines.push(line.to_vec()));
        assert_eq!(lines[..2], [b"one".to_vec(), b"".to_vec()]);
        assert_eq!(lines.last().unwrap(), b"end");
        assert!(lines.iter().all(|line| line.len() <= 2 * PIECE_BYTES_MAX));
        let all: usize = lines.iter().map(Vec::len).sum();
        assert_eq!(all, "one".len() + "tw".len() + 3 * PIECE_BYTES_MAX + "end".len());
    }
}
