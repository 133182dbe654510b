//! On a terminal: a line for each running step, and a bar over all of them.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthStr;

use super::message::{Message, Screen};
use super::words::Words;
use crate::base::units;
use crate::base::visible::visible;
use crate::render::style::{BOLD, DIM};

/// Draws per second.
const RATE: u8 = 10;
const TICK: Duration = Duration::from_millis(100);
/// The most steps with a line of their own; the bar shows how many run in all.
const STEPS_SHOWN: usize = 12;
/// A bar is no longer than this, and no shorter: then it is left out.
const BAR_MOST: usize = 24;
const BAR_LEAST: usize = 5;

pub(super) struct Live {
    words: Words,
    /// Columns of the terminal.
    width: usize,
    screen: MultiProgress,
    overall: ProgressBar,
    /// The running steps; those past [`STEPS_SHOWN`] have no line.
    running: HashMap<String, Option<ProgressBar>>,
}

impl Live {
    pub(super) fn new(words: Words, width: u16) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
        let style = overall_style(words, BAR_MOST);
        let overall = screen.add(ProgressBar::new(0).with_style(style));
        Self { words, width: usize::from(width), screen, overall, running: HashMap::new() }
    }

    fn say(&self, text: &str) {
        // A terminal that went away is no reason to stop.
        let _ = self.screen.println(self.words.styled(text));
    }

    fn start(&mut self, step: &str, label: &str, attempt: u32) {
        let shown = self.running.values().flatten().count();
        let bar = (shown < STEPS_SHOWN).then(|| {
            let bar = self.screen.insert_before(&self.overall, ProgressBar::new_spinner());
            bar.set_style(step_style(self.words));
            let again =
                if attempt > 1 { format!(" {DIM}attempt {attempt}{DIM:#}") } else { String::new() };
            let message = format!("{BOLD}{}{BOLD:#}{again}", visible(label));
            bar.set_message(self.words.styled(&message).into_owned());
            bar.enable_steady_tick(TICK);
            bar
        });
        self.running.insert(step.to_owned(), bar);
        self.show_running_count();
    }

    /// Takes a step's line away.
    fn stop(&mut self, step: &str) {
        if let Some(Some(bar)) = self.running.remove(step) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        self.show_running_count();
    }

    fn show_running_count(&self) {
        let hidden = self.running.values().filter(|bar| bar.is_none()).count();
        let message = match (self.running.len(), hidden) {
            (0, _) => String::new(),
            (running, 0) => format!("{running} running"),
            (running, hidden) => format!("{running} running, {hidden} not shown"),
        };
        self.overall.set_message(message);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for bar in self.running.values().flatten() {
            bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
    }
}

impl Screen for Live {
    fn show(&mut self, message: &Message) {
        match message {
            Message::Started { execution_id, workflow_id, total_steps, reused_steps, .. } => {
                let name = units::fit(workflow_id, self.width / 3, self.words.unicode);
                let cells = bar_cells(self.width, &name, *total_steps);
                self.overall.set_style(overall_style(self.words, cells));
                self.overall.set_length(u64::from(*total_steps));
                self.overall.set_position(u64::from(*reused_steps));
                self.overall.set_prefix(name);
                self.overall.enable_steady_tick(TICK);
                self.say(&format!(
                    "{DIM}execution{DIM:#} {execution_id} {DIM}of{DIM:#} {workflow_id}"
                ));
            }
            Message::AttemptStarted { step, title, attempt, .. } => {
                self.start(step, title.as_ref().unwrap_or(step), *attempt);
            }
            Message::Missed { lines, .. } => self.say(&self.words.missed(*lines)),
            Message::Retry { step, text, .. } => {
                self.stop(step);
                self.say(text);
            }
            Message::StepEnded { step, text, last_lines, steps_completed, .. } => {
                self.stop(step);
                self.say(text);
                self.output(last_lines);
                self.overall.set_position(u64::from(*steps_completed));
            }
            Message::Notice { text, .. } => self.say(text),
            // The summary follows, with the same words.
            Message::Ended { .. } => self.overall.finish_and_clear(),
        }
    }

    fn output(&mut self, lines: &str) {
        if let Some(lines) = lines.strip_suffix('\n') {
            let _ = self.screen.println(lines);
        }
    }
}

/// A template that cannot be read leaves indicatif's own.
fn styled(style: ProgressStyle, template: &str, fallback: fn() -> ProgressStyle) -> ProgressStyle {
    style.template(template).unwrap_or_else(|_| fallback())
}

/// How wide the bar may be beside the text around it, in columns; 0: no bar.
fn bar_cells(width: usize, name: &str, total_steps: u32) -> usize {
    let counts = 2 * total_steps.to_string().len() + " [] / steps 59m ".len();
    let most_running = match total_steps as usize {
        0..=STEPS_SHOWN => "12 running",
        _ => "256 running, 244 not shown",
    };
    let room = width.saturating_sub(name.width() + counts + most_running.len());
    if room < BAR_LEAST { 0 } else { room.min(BAR_MOST) }
}

fn overall_style(words: Words, cells: usize) -> ProgressStyle {
    let bar = if cells > 0 { format!("[{{bar:{cells}.green}}] ") } else { String::new() };
    let style = styled(
        ProgressStyle::default_bar(),
        &format!("{{prefix:.bold}} {bar}{{pos}}/{{len}} steps {{elapsed}} {{msg:.dim}}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_leaves_room_for_the_text_beside_it() {
        assert_eq!(bar_cells(100, "nightly", 5), BAR_MOST);
        assert_eq!(bar_cells(80, "nightly", 5), BAR_MOST);
        assert_eq!(bar_cells(80, "nightly", 1000), 23);
        assert_eq!(bar_cells(60, "nightly", 5), BAR_MOST);
        assert_eq!(bar_cells(40, "nightly", 5), 5);
        assert_eq!(bar_cells(40, "nightly-report", 5), 0);
        assert_eq!(bar_cells(30, "nightly", 1000), 0);
    }
}
