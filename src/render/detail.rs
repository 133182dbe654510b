//! One execution: how it went, its steps, timeline, output and lineage.

use std::time::Duration;

use serde_json::Value;

use super::commands::Commands;
use super::layout::Layout;
use super::listing::took;
use super::style::{BOLD, DIM, of_execution, of_step};
use super::table;
use super::table::Column;
use super::timeline::{Axis, Row};
use super::titles::Titles;
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::repository::Lineage;
use crate::repository::ownership::id;
use crate::workflow::record::{
    Attempt, ExecutionDetail, ExecutionRecord, HandlerRecord, OUTPUT_KEPT_BYTES, OwnerState,
    SkipReason, StepRecord, StepStatus,
};
use crate::workflow::trigger::{Trigger, TriggerKind};

/// How many lines of each stream are shown unless all of it is asked for.
const LINES_SHOWN: usize = 10;
/// The width to which a step's name may be cut before columns are left out.
const NAME_LEAST: usize = 16;
/// Columns of a timeline beside names and bars: signs and gaps.
const TIMELINE_MARGIN: usize = 4;

/// How much of the output of steps is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OutputShown {
    /// The last lines.
    #[default]
    Tail,
    /// All that is stored.
    All,
    Nothing,
}

impl Layout {
    /// How an execution went, in a line, and why it failed.
    pub(crate) fn summary(&self, detail: &ExecutionDetail) -> String {
        let execution = &detail.execution;
        let look = of_execution(execution.status);
        let took = took(execution, execution.updated_at.unwrap_or_else(epoch));
        let state = look.paint(&format!("{} {}", look.sign(self.unicode), execution.status));
        let mut text = format!(
            "{state}  {BOLD}{}{BOLD:#}  {}  {}  {}  {}\n",
            visible(&execution.workflow_id),
            execution.number(),
            execution.execution_id,
            took.map(units::duration).unwrap_or_default(),
            steps(execution),
        );
        if let Some(error) = &execution.error {
            text += &format!("  {}\n", visible(error));
        }
        text
    }

    /// Everything that is known of an execution.
    pub(crate) fn execution(
        &self,
        detail: &ExecutionDetail,
        attempts: &[Attempt],
        lineage: &Lineage,
        output: OutputShown,
        now: Timestamp,
    ) -> String {
        let snapshot = detail.execution.input_snapshot.value();
        let titles = Titles::of_snapshot(&snapshot);
        let commands = Commands::of_snapshot(&snapshot);
        let mut text = self.facts(&detail.execution, &snapshot, now);
        text.push('\n');
        let start = detail.execution.started_at;
        text += &self.steps_table(&detail.steps, start, "step", &titles);
        if !detail.handlers.is_empty() {
            let handlers: Vec<StepRecord> =
                detail.handlers.iter().map(|it| named_by_kind(it, &titles)).collect();
            text.push('\n');
            text += &self.steps_table(&handlers, start, "handler", &titles);
        }
        text += &self.timeline(detail, attempts, &titles, now);
        if lineage.root.children.len() + usize::from(detail.execution.replay_of.is_some()) > 0 {
            text += &format!("\n{BOLD}lineage{BOLD:#}\n");
            text += &self.lineage_tree(lineage, &detail.execution.execution_id);
        }
        for step in &detail.steps {
            let command = self.command(&commands, &step.name, output);
            text += &self.step_facts(step, command, attempts, output, &titles);
        }
        for handler in &detail.handlers {
            let command = self.command(&commands, &handler.step.name, output);
            let row = named_by_kind(handler, &titles);
            text += &self.step_facts(&row, command, attempts, output, &titles);
        }
        text
    }

    fn facts(&self, execution: &ExecutionRecord, snapshot: &Value, now: Timestamp) -> String {
        let look = of_execution(execution.status);
        let state = look.paint(&format!("{} {}", look.sign(self.unicode), execution.status));
        let took = took(execution, now).map(units::duration);
        let mut text = String::new();
        let mut fact = |name: &str, value: &str| {
            text += &format!("{DIM}{name:<10}{DIM:#} {value}\n");
        };
        fact("execution", &format!("{}  {}", execution.execution_id, execution.number()));
        fact("workflow", &visible(&execution.workflow_id));
        match &took {
            Some(took) => fact("status", &format!("{state} in {took}")),
            None => fact("status", &state),
        }
        if let Some(on) = &execution.waiting_for {
            let held = format!("a slot of {}, held by {}", visible(&on.group), on.holders_text());
            fact("waits for", &held);
        } else if let Some(group) = &execution.concurrency_group {
            fact("group", &visible(group));
        }
        if let Some(owner) = &execution.owner {
            let owner = visible(&id::shown(owner));
            let note = match execution.owner_state {
                Some(OwnerState::Dead) => "it died: `wfx recover` goes on with the execution",
                Some(OwnerState::Unknown) => {
                    "whether it is alive is not known: `wfx recover` says why"
                }
                Some(OwnerState::Alive) | None => "",
            };
            match note {
                "" => fact("owner", &owner),
                note => fact("owner", &format!("{owner} {DIM}({note}){DIM:#}")),
            }
        }
        for (name, at) in [("created", execution.created_at), ("ended", execution.completed_at)] {
            if let Some(at) = at {
                fact(name, &self.zone.second(at));
            }
        }
        if let Some(outcome) = execution.outcome.filter(|_| !execution.status.is_terminal()) {
            let outcome = of_execution(outcome).paint(outcome.as_str());
            fact("outcome", &format!("{outcome} {DIM}(handlers run){DIM:#}"));
        }
        if let Some(error) = &execution.error {
            fact("error", &visible(error));
        }
        if let Some(pin) = &execution.pinned {
            let reason = pin.reason.iter().map(|reason| format!(": {}", visible(reason)));
            let reason: String = reason.collect();
            fact(
                "pinned",
                &format!("by {}, {}{reason}", visible(&pin.by), self.zone.second(pin.at)),
            );
        }
        if let Some(trigger) = &execution.trigger {
            fact("started by", &self.started_by(trigger));
        }
        let (by, from) = (&execution.cancel_requested_by, &execution.cancel_requested_address);
        if by.is_some() || from.is_some() {
            let said = |word: &str, who: &Option<String>| {
                who.as_deref().map_or_else(String::new, |who| format!(" {word} {}", visible(who)))
            };
            fact("cancel", &format!("asked for{}{}", said("by", by), said("from", from)));
        }
        if let Some(original) = &execution.replay_of {
            fact("replay of", &visible(original));
        }
        for (name, value) in snapshot["params"].as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let shown = units::fit(&visible(&value), 200, self.unicode);
            fact("parameter", &format!("{} = {shown}", visible(name)));
        }
        if let Some(folder) = snapshot["workdir"].as_str() {
            fact("folder", &visible(folder));
        }
        text
    }

    fn steps_table(
        &self,
        steps: &[StepRecord],
        start: Option<Timestamp>,
        what: &'static str,
        titles: &Titles,
    ) -> String {
        let any_exit = steps.iter().any(|step| step.exit_code.is_some());
        let any_retry = steps.iter().any(|step| step.attempt > 1);
        let mut columns = vec![Column::new(what).cut(NAME_LEAST), Column::new("status")];
        if any_retry {
            columns.push(Column::new("attempts").rank(3));
        }
        if any_exit {
            columns.push(Column::new("exit").rank(2));
        }
        let any_reused = steps.iter().any(|step| step.reused_from.is_some());
        if any_reused {
            columns.push(Column::new("reused from").rank(5));
        }
        columns.extend([Column::new("start").rank(4), Column::new("took").rank(1)]);
        let mut table = table::Builder::new(*self, columns);
        for step in steps {
            let mut row = vec![
                table::cell(&visible(titles.label(&step.name))),
                table::state(step.status.as_str(), of_step(step.status)),
            ];
            if any_retry {
                row.push(table::number(&step.attempt.to_string()));
            }
            if any_exit {
                let exit = step.exit_code.map(|code| code.to_string()).unwrap_or_default();
                row.push(table::number(&exit));
            }
            if any_reused {
                row.push(table::cell(&visible(&reused_from(step).unwrap_or_default())));
            }
            // A reused step ran before.
            let ran_here = step.started_at.filter(|_| step.reused_from.is_none());
            let offset = ran_here.zip(start).map(|(at, start)| at.since(start));
            let offset = offset.map(|offset| format!("+{}", units::duration(offset)));
            row.push(table::number(&offset.unwrap_or_default()));
            let took = step.duration_ms.map(|ms| units::duration(Duration::from_millis(ms)));
            row.push(table::number(&took.unwrap_or_default()));
            table.row(row);
        }
        table.finish()
    }

    fn timeline(
        &self,
        detail: &ExecutionDetail,
        attempts: &[Attempt],
        titles: &Titles,
        now: Timestamp,
    ) -> String {
        let Some(start) = detail.execution.started_at else { return String::new() };
        let end = detail.execution.completed_at.unwrap_or(now);
        let width = usize::from(self.width);
        let handlers: Vec<StepRecord> =
            detail.handlers.iter().map(|handler| named_by_kind(handler, titles)).collect();
        let all = || detail.steps.iter().chain(&handlers);
        let longest = all()
            .map(|step| visible(titles.label(&step.name)))
            .map(|label| unicode_width::UnicodeWidthStr::width(label.as_str()))
            .max()
            .unwrap_or(0);
        let names = longest.min(width / 3);
        let axis = Axis::new(start, end, width.saturating_sub(names + TIMELINE_MARGIN));
        let mut text = format!("\n{BOLD}timeline{BOLD:#}\n");
        text += &format!("{}  {DIM}{}{DIM:#}\n", " ".repeat(names + 2), axis.labels());
        let gap = if self.unicode { '┄' } else { '.' };
        for step in all() {
            let look = of_step(step.status);
            let label = visible(titles.label(&step.name));
            let name = units::pad(&units::fit(&label, names, self.unicode), names);
            let sign = look.paint(&look.sign(self.unicode).to_string());
            if let Some(original) = reused_from(step) {
                text += &format!("{sign} {name}  {DIM}reused from {}{DIM:#}\n", visible(&original));
                continue;
            }
            let mark = if self.unicode { '█' } else { look.ascii };
            let row = Row { stretches: stretches(step, attempts, end) };
            let bar = axis.bar(&row, mark, gap);
            text += format!("{sign} {name}  {}", look.paint(&bar)).trim_end();
            text.push('\n');
        }
        text
    }

    /// What a step runs.
    fn command(&self, commands: &Commands<'_>, step: &str, output: OutputShown) -> String {
        let (lines, left_out) = commands.lines(step, output == OutputShown::All);
        let line = |line: String| {
            format!("  {DIM}{}{DIM:#}\n", units::fit(&visible(&line), 2_000, self.unicode))
        };
        let mut text: String = lines.into_iter().map(line).collect();
        if left_out > 0 {
            let more = units::count(left_out as u64, "more line");
            text += &format!("  {DIM}({more}, `--output all` shows them){DIM:#}\n");
        }
        text
    }

    fn step_facts(
        &self,
        step: &StepRecord,
        command: String,
        attempts: &[Attempt],
        output: OutputShown,
        titles: &Titles,
    ) -> String {
        let mut text = command;
        if let Some(error) = &step.error
            && (step.status != StepStatus::Skipped
                || step.skip_reason.is_some_and(SkipReason::is_own))
        {
            text += &format!("  {}\n", of_step(step.status).paint(&visible(error)));
        }
        for (key, value) in &step.outputs {
            let value = units::fit(&visible(value), 200, self.unicode);
            text += &format!("  {DIM}output{DIM:#} {} = {value}\n", visible(key));
        }
        for attempt in attempts {
            if attempt.position == step.position && attempt.attempt < step.attempt {
                let error = attempt.error.as_deref().map(visible).unwrap_or_default();
                let status = of_step(attempt.status).paint(attempt.status.as_str());
                text += &format!("  {DIM}attempt {}{DIM:#} {status} {error}\n", attempt.attempt);
                if output == OutputShown::All {
                    let Attempt { stdout, stderr, .. } = attempt;
                    self.stream("stdout", &stdout.text, stdout.total_bytes, output, &mut text);
                    self.stream("stderr", &stderr.text, stderr.total_bytes, output, &mut text);
                }
            }
        }
        if let Some(note) = step.output_note.as_ref().filter(|_| output != OutputShown::Nothing) {
            text += &format!("  {DIM}{}{DIM:#}\n", visible(note));
        }
        if output != OutputShown::Nothing {
            self.stream("stdout", &step.stdout, step.stdout_bytes, output, &mut text);
            self.stream("stderr", &step.stderr, step.stderr_bytes, output, &mut text);
        }
        let name = visible(&step.name);
        match titles.title(&step.name) {
            _ if text.is_empty() => text,
            Some(title) => {
                format!("\n{BOLD}{}{BOLD:#} {DIM}{name}{DIM:#}\n{text}", visible(title))
            }
            None => format!("\n{BOLD}{name}{BOLD:#}\n{text}"),
        }
    }

    fn stream(
        &self,
        name: &str,
        stored: &str,
        total_bytes: u64,
        shown: OutputShown,
        text: &mut String,
    ) {
        if stored.is_empty() {
            return;
        }
        let lines: Vec<&str> = stored.lines().collect();
        let skipped = match shown {
            OutputShown::All => 0,
            _ => lines.len().saturating_sub(LINES_SHOWN),
        };
        let mut said = Vec::new();
        if total_bytes > OUTPUT_KEPT_BYTES as u64 {
            said.push(format!(
                "the last {} of {} are kept",
                units::bytes(OUTPUT_KEPT_BYTES as u64),
                units::bytes(total_bytes)
            ));
        }
        if skipped > 0 {
            let more = units::count(skipped as u64, "line");
            said.push(format!("{more} before these, `--output all` shows them"));
        }
        let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) };
        *text += &format!("  {DIM}{name}{said}{DIM:#}\n");
        for line in &lines[skipped..] {
            let line = match shown {
                OutputShown::All => visible(line),
                // A line may have 64 KiB.
                _ => units::fit(&visible(line), 2_000, self.unicode),
            };
            *text += &format!("  {}{line}\n", if self.unicode { "│ " } else { "| " });
        }
    }
}

impl Layout {
    /// Who or what started an execution, in words.
    fn started_by(&self, trigger: &Trigger) -> String {
        let way = match trigger.kind {
            TriggerKind::Api => "API",
            TriggerKind::Cli => "command line",
            TriggerKind::Replay => "replay",
            TriggerKind::Schedule => "schedule",
        };
        let mut words = match &trigger.by {
            Some(by) => format!("{} ({way})", visible(by)),
            None => way.to_owned(),
        };
        if let Some(schedule) = &trigger.schedule {
            words += &format!(" {}", visible(schedule));
        }
        if let Some(at) = trigger.scheduled_at {
            words += &format!(", for {}", self.zone.second(at));
        }
        words
    }
}

/// `3/6 steps, 1 failed, 2 skipped`.
fn steps(execution: &ExecutionRecord) -> String {
    let mut text = format!("{}/{} steps", execution.steps_succeeded(), execution.total_steps);
    for (count, what) in [(execution.steps_failed, "failed"), (execution.steps_skipped, "skipped")]
    {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}

/// The execution that a step was reused from, as it is named in commands.
fn reused_from(step: &StepRecord) -> Option<String> {
    step.reuse().map(|reuse| reuse.number())
}

/// A handler as a row among steps: its name says after what it ran.
fn named_by_kind(handler: &HandlerRecord, titles: &Titles) -> StepRecord {
    let mut step = handler.step.clone();
    step.name = format!("{}: {}", handler.handler, titles.label(&step.name));
    step
}

/// When a step ran: its attempts where they are known.
fn stretches(
    step: &StepRecord,
    attempts: &[Attempt],
    end: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let known: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.position == step.position)
        .map(|attempt| (attempt.started_at, attempt.completed_at))
        .collect();
    if known.len() as u64 == u64::from(step.attempt) && !known.is_empty() {
        return known;
    }
    step.started_at.map(|start| (start, step.completed_at.unwrap_or(end))).into_iter().collect()
}

fn epoch() -> Timestamp {
    Timestamp::from_micros(0)
}

/// The fields of `--format plain`.
pub(crate) fn plain_rows(detail: &ExecutionDetail) -> Vec<Vec<String>> {
    let execution = &detail.execution;
    let optional = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let took = execution
        .started_at
        .zip(execution.completed_at)
        .map(|(start, end)| u64::try_from(end.since(start).as_millis()).unwrap_or(u64::MAX));
    let mut rows = vec![vec![
        "execution".to_owned(),
        execution.execution_id.clone(),
        execution.number(),
        execution.workflow_id.clone(),
        execution.status.to_string(),
        optional(took),
        execution.error.clone().unwrap_or_default(),
    ]];
    let fields = |what: &str, step: &StepRecord| {
        let mut row = vec![
            what.to_owned(),
            step.name.clone(),
            step.status.to_string(),
            step.attempt.to_string(),
            step.exit_code.map(|code| code.to_string()).unwrap_or_default(),
            optional(step.duration_ms),
            step.error.clone().unwrap_or_default(),
        ];
        row.extend(reused_from(step).map(|original| format!("reused from {original}")));
        row
    };
    rows.extend(detail.steps.iter().map(|step| fields("step", step)));
    let handlers = detail.handlers.iter();
    rows.extend(handlers.map(|handler| fields(handler.handler.as_str(), &handler.step)));
    rows
}
