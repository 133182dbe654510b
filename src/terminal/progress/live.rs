//! On a terminal: a line for each running step, and a bar over all of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::style::{BOLD, DIM};
use super::words::{LineCutter, Words};
use crate::workflow::problem::visible;
use crate::workflow::record::StepStatus;
use crate::workflow::report::{Observer, Report};

/// Draws per second.
const RATE: u8 = 10;
const TICK: Duration = Duration::from_millis(100);
/// The most steps with a line of their own: the bar says how many run in all.
const STEPS_SHOWN: usize = 12;

pub(super) struct Live {
    words: Words,
    verbose: bool,
    colour: bool,
    screen: MultiProgress,
    overall: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The running steps; those past [`STEPS_SHOWN`] have no line.
    running: HashMap<String, Option<ProgressBar>>,
    cutter: LineCutter,
}

impl Live {
    pub(super) fn new(words: Words, verbose: bool, colour: bool) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
        let overall = screen.add(ProgressBar::new(0).with_style(overall_style(words)));
        Self { words, verbose, colour, screen, overall, state: Mutex::default() }
    }

    fn say(&self, text: &str) {
        // A terminal that went away is no reason to stop.
        let _ = self.screen.println(self.styled(text));
    }

    /// The text with its styles, if they are wanted.
    fn styled(&self, text: &str) -> String {
        if self.colour {
            return text.to_owned();
        }
        anstream::adapter::strip_str(text).to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, step: &str, attempt: u32) {
        let mut state = self.state();
        let shown = state.running.values().flatten().count();
        let bar = (shown < STEPS_SHOWN).then(|| {
            let bar = self.screen.insert_before(&self.overall, ProgressBar::new_spinner());
            bar.set_style(step_style(self.words));
            let again =
                if attempt > 1 { format!(" {DIM}attempt {attempt}{DIM:#}") } else { String::new() };
            bar.set_message(self.styled(&format!("{BOLD}{}{BOLD:#}{again}", visible(step))));
            bar.enable_steady_tick(TICK);
            bar
        });
        state.running.insert(step.to_owned(), bar);
        self.tell_running(&state);
    }

    /// Takes a step's line away, after what it had begun to write.
    fn stop(&self, step: &str) {
        let mut state = self.state();
        state.cutter.finish(step, |line| self.say(&self.words.output(step, line)));
        if let Some(Some(bar)) = state.running.remove(step) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        self.tell_running(&state);
    }

    fn tell_running(&self, state: &State) {
        let hidden = state.running.values().filter(|bar| bar.is_none()).count();
        let message = match (state.running.len(), hidden) {
            (0, _) => String::new(),
            (running, 0) => format!("{running} running"),
            (running, hidden) => format!("{running} running, {hidden} not shown"),
        };
        self.overall.set_message(message);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for bar in self.state().running.values().flatten() {
            bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
    }
}

impl Observer for Live {
    fn report(&self, report: &Report<'_>) {
        match *report {
            Report::ExecutionStarted { execution_id, workflow_id, total_steps, .. } => {
                self.overall.set_length(u64::from(total_steps));
                self.overall.set_prefix(visible(workflow_id));
                self.overall.enable_steady_tick(TICK);
                self.say(&format!(
                    "{DIM}execution{DIM:#} {execution_id} {DIM}of{DIM:#} {}",
                    visible(workflow_id)
                ));
            }
            Report::AttemptStarted { step, attempt, .. } => self.start(step, attempt),
            Report::Output { step, stream, bytes } => {
                let mut lines = Vec::new();
                self.state().cutter.take(step, stream, bytes, |line| {
                    lines.push(self.words.output(step, line));
                });
                if !lines.is_empty() {
                    self.say(&lines.join("\n"));
                }
            }
            Report::RetryScheduled { step, failed, max_attempts, wait, .. } => {
                self.stop(step);
                self.say(&self.words.retry(step, failed, max_attempts, wait));
            }
            Report::StepEnded {
                step, status, error, attempt, duration, steps_completed, ..
            } => {
                self.stop(step);
                self.say(&self.words.step_ended(step, status, error, duration));
                if let (StepStatus::Failed, false, Some(attempt)) = (status, self.verbose, attempt)
                {
                    for line in self.words.last_lines(step, attempt) {
                        self.say(&line);
                    }
                }
                self.overall.set_position(u64::from(steps_completed));
            }
            Report::StoreFailing { error, hint, .. } => {
                self.say(&self.words.store_failing(error, hint));
            }
            Report::StoreWorking { .. } => self.say("the database works again"),
            // The summary follows, with the same words.
            Report::ExecutionEnded { .. } => self.overall.finish_and_clear(),
        }
    }

    fn wants_output(&self) -> bool {
        self.verbose
    }
}

/// A template that cannot be read leaves indicatif's own.
fn styled(style: ProgressStyle, template: &str, fallback: fn() -> ProgressStyle) -> ProgressStyle {
    style.template(template).unwrap_or_else(|_| fallback())
}

fn overall_style(words: Words) -> ProgressStyle {
    let style = styled(
        ProgressStyle::default_bar(),
        "{prefix:.bold} [{bar:24.green}] {pos}/{len} steps {elapsed} {msg:.dim}",
        ProgressStyle::default_bar,
    );
    style.progress_chars(if words.unicode { "━╸ " } else { "=> " })
}

fn step_style(words: Words) -> ProgressStyle {
    let style = styled(
        ProgressStyle::default_spinner(),
        "{spinner:.cyan} {wide_msg} {elapsed:.dim}",
        ProgressStyle::default_spinner,
    );
    style.tick_chars(if words.unicode { "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ " } else { "|/-\\ " })
}
