//! Two executions side by side.

use std::time::Duration;

use serde_json::Value;

use super::layout::Layout;
use super::style::{BAD, BOLD, DIM, GOOD, of_execution, of_step};
use super::table::{self, Cell, Column};
use crate::base::units;
use crate::base::visible::visible;
use crate::workflow::comparison::{
    ChangeKind, Compared, ComparedExecution, ComparedHandler, ComparedStep, Comparison, Sides,
};
use crate::workflow::handler::HandlerKind;
use crate::workflow::record::StepStatus;

/// The width to which a step's name may be cut before columns are left out.
const NAME_LEAST: usize = 16;
/// The longest value of a parameter that is shown.
const VALUE_MAX: usize = 60;

impl Layout {
    /// What differs between two executions.
    pub(crate) fn comparison(&self, comparison: &Comparison) -> String {
        let Sides { from, to } = &comparison.executions;
        let mut text =
            format!("{}{}", self.compared_execution("-", from), self.compared_execution("+", to));
        let arrow = self.arrow();
        let mut fact = |name: &str, value: &str| {
            text += &format!("{DIM}{name:<10}{DIM:#} {value}\n");
        };
        if from.workdir != to.workdir {
            let folder =
                |side: &ComparedExecution| visible(side.workdir.as_deref().unwrap_or("(none)"));
            fact("folder", &format!("{} {arrow} {}", folder(from), folder(to)));
        }
        fact(
            "definition",
            if comparison.definition.is_empty() { "same" } else { "changed, see below" },
        );
        let changed = comparison.params.iter().filter(|param| param.change != ChangeKind::Same);
        let is_same = changed.clone().next().is_none();
        match (comparison.params.len(), is_same) {
            (0, _) => {}
            (count, true) => fact("parameters", &format!("same ({count})")),
            _ => changed.for_each(|param| fact("parameter", &self.parameter(param))),
        }
        text.push('\n');
        text += &self.compared_steps(&comparison.steps);
        if !comparison.handlers.is_empty() {
            text.push('\n');
            text += &self.compared_handlers(&comparison.handlers);
        }
        if !comparison.definition.is_empty() {
            text += &format!("\n{BOLD}definition{BOLD:#}\n");
            text += &self.unified_diff(&comparison.definition);
        }
        text
    }

    fn compared_execution(&self, sign: &str, execution: &ComparedExecution) -> String {
        let look = of_execution(execution.status);
        let status = look.paint(&format!("{} {}", look.sign(self.unicode), execution.status));
        let took = execution.duration_ms.map(took).unwrap_or_default();
        format!(
            "{sign} {}  {status}  {BOLD}{}{BOLD:#}  {}  {took}\n",
            number(execution),
            visible(&execution.workflow_id),
            visible(&execution.execution_id),
        )
    }

    fn parameter(&self, param: &Compared<Value>) -> String {
        let value = |value: &Option<Value>| match value {
            None => "(none)".to_owned(),
            Some(Value::String(text)) => visible(text),
            Some(value) => visible(&value.to_string()),
        };
        let shown = |side| units::fit(&value(side), VALUE_MAX, self.unicode);
        let (from, to) = (shown(&param.from), shown(&param.to));
        format!("{} = {from} {} {to}", visible(&param.name), self.arrow())
    }

    fn arrow(&self) -> char {
        if self.unicode { '→' } else { '>' }
    }

    fn compared_steps(&self, steps: &[Compared<ComparedStep>]) -> String {
        let row = |step: &Compared<ComparedStep>| Row {
            change: step.change,
            name: visible(&step.name),
            status: [&step.from, &step.to].map(|side| side.as_ref().map(|step| step.status)),
            duration_ms: [&step.from, &step.to].map(|side| side.as_ref()?.duration_ms),
            reused_from: reused_from(step),
        };
        self.compared_rows("step", steps.iter().map(row).collect())
    }

    fn compared_handlers(&self, handlers: &[Compared<ComparedHandler>]) -> String {
        let row = |handler: &Compared<ComparedHandler>| {
            let sides = [&handler.from, &handler.to];
            let kind = kind(handler).map(|kind| format!("{kind}: ")).unwrap_or_default();
            Row {
                change: handler.change,
                name: kind + &visible(&handler.name),
                status: sides.map(|side| side.as_ref().map(|handler| handler.status)),
                duration_ms: sides.map(|side| side.as_ref()?.duration_ms),
                reused_from: String::new(),
            }
        };
        self.compared_rows("handler", handlers.iter().map(row).collect())
    }

    fn compared_rows(&self, what: &'static str, rows: Vec<Row>) -> String {
        let any_reused = rows.iter().any(|row| !row.reused_from.is_empty());
        let mut columns = vec![
            Column::new(""),
            Column::new(what).cut(NAME_LEAST),
            Column::new("before"),
            Column::new("after"),
        ];
        if any_reused {
            columns.push(Column::new("reused from").rank(2));
        }
        columns.extend([
            Column::new("took before").rank(3),
            Column::new("took after").rank(1),
            Column::new("difference").rank(4),
        ]);
        let mut table = table::Builder::new(*self, columns);
        for row in rows {
            let status = |status: Option<StepStatus>| match status {
                Some(status) => table::state(status.as_str(), of_step(status)),
                None => table::cell(""),
            };
            let time = |ms: Option<u64>| table::number(&ms.map(took).unwrap_or_default());
            let [before, after] = row.duration_ms;
            let difference = before.zip(after).map(|(before, after)| difference(before, after));
            let mut cells = vec![
                sign(row.change),
                table::cell(&row.name),
                status(row.status[0]),
                status(row.status[1]),
            ];
            if any_reused {
                cells.push(table::cell(&row.reused_from));
            }
            cells.extend([
                time(before),
                time(after),
                table::number(&difference.unwrap_or_default()),
            ]);
            table.row(cells);
        }
        table.finish()
    }

    /// A unified diff in colours, its text made visible.
    pub(crate) fn unified_diff(&self, diff: &str) -> String {
        let mut text = String::new();
        for line in diff.lines() {
            let shown = visible(line);
            text += &match line.chars().next() {
                Some('-') => BAD.paint(&shown),
                Some('+') => GOOD.paint(&shown),
                Some('@') => format!("{DIM}{shown}{DIM:#}"),
                _ => shown,
            };
            text.push('\n');
        }
        text
    }
}

/// A step or handler; the first and the second side of each pair.
struct Row {
    change: ChangeKind,
    name: String,
    status: [Option<StepStatus>; 2],
    duration_ms: [Option<u64>; 2],
    /// Where a step really ran that one of the sides reused.
    reused_from: String,
}

/// Where a step really ran that one of the sides reused, and which side that is.
fn reused_from(step: &Compared<ComparedStep>) -> String {
    match [&step.from, &step.to].map(|side| side.as_ref().and_then(ran_in)) {
        [None, None] => String::new(),
        [Some(before), None] => format!("before: {before}"),
        [None, Some(after)] => format!("after: {after}"),
        [Some(before), Some(after)] if before == after => format!("both: {after}"),
        [Some(before), Some(after)] => format!("before: {before}, after: {after}"),
    }
}

/// The execution in which a reused step really ran, as it is named in commands.
fn ran_in(step: &ComparedStep) -> Option<String> {
    let execution_id = step.reused_from.as_ref()?;
    Some(step.reused_from_seq.map_or_else(|| visible(execution_id), |seq| format!("@{seq}")))
}

/// After which outcome a handler ran: in the second, if it ran there.
fn kind(handler: &Compared<ComparedHandler>) -> Option<HandlerKind> {
    handler.to.as_ref().or(handler.from.as_ref()).map(|handler| handler.handler)
}

fn number(execution: &ComparedExecution) -> String {
    execution.seq.map(|seq| format!("@{seq}")).unwrap_or_default()
}

fn sign(change: ChangeKind) -> Cell {
    match change {
        ChangeKind::Same => table::cell(""),
        ChangeKind::Changed => table::cell("~"),
        ChangeKind::Added => table::state("+", GOOD),
        ChangeKind::Removed => table::state("-", BAD),
    }
}

fn took(ms: u64) -> String {
    units::duration(Duration::from_millis(ms))
}

fn difference(before: u64, after: u64) -> String {
    match after.checked_sub(before) {
        Some(0) => String::new(),
        Some(more) => format!("+{}", took(more)),
        None => format!("-{}", took(before - after)),
    }
}

/// The fields of `--format plain`: `step`, what changed, the name, both states, both durations in
/// milliseconds, both executions in which it really ran, if it was reused; before them the
/// parameters and the two executions. Then `on_success` and so on, the same of each handler.
pub(crate) fn plain_rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let word = |change: ChangeKind| match change {
        ChangeKind::Same => "same",
        ChangeKind::Changed => "changed",
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
    };
    let optional = |ms: Option<u64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
    let Sides { from, to } = &comparison.executions;
    let mut rows: Vec<Vec<String>> = [("from", from), ("to", to)]
        .map(|(side, execution)| {
            vec![
                side.to_owned(),
                execution.execution_id.clone(),
                number(execution),
                execution.workflow_id.clone(),
                execution.status.to_string(),
                optional(execution.duration_ms),
            ]
        })
        .into();
    let is_same = comparison.definition.is_empty();
    rows.push(vec!["definition".to_owned(), if is_same { "same" } else { "changed" }.to_owned()]);
    rows.extend(comparison.params.iter().map(|param| {
        let value = |value: &Option<Value>| match value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let change = word(param.change).to_owned();
        vec![
            "parameter".to_owned(),
            change,
            param.name.clone(),
            value(&param.from),
            value(&param.to),
        ]
    }));
    rows.extend(comparison.steps.iter().map(|step| {
        let status = |step: &Option<ComparedStep>| {
            step.as_ref().map(|step| step.status.to_string()).unwrap_or_default()
        };
        let ms =
            |step: &Option<ComparedStep>| optional(step.as_ref().and_then(|step| step.duration_ms));
        let reused =
            |step: &Option<ComparedStep>| step.as_ref().and_then(ran_in).unwrap_or_default();
        vec![
            "step".to_owned(),
            word(step.change).to_owned(),
            step.name.clone(),
            status(&step.from),
            status(&step.to),
            ms(&step.from),
            ms(&step.to),
            reused(&step.from),
            reused(&step.to),
        ]
    }));
    rows.extend(comparison.handlers.iter().map(|handler| {
        let sides = [&handler.from, &handler.to];
        let [from, to] = sides.map(|side| {
            side.as_ref().map(|handler| handler.status.to_string()).unwrap_or_default()
        });
        let [took_before, took_after] =
            sides.map(|side| optional(side.as_ref().and_then(|handler| handler.duration_ms)));
        vec![
            kind(handler).map(|kind| kind.to_string()).unwrap_or_default(),
            word(handler.change).to_owned(),
            handler.name.clone(),
            from,
            to,
            took_before,
            took_after,
        ]
    }));
    rows
}
