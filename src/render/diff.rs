//! Two executions side by side.

use std::time::Duration;

use serde_json::Value;

use super::layout::Layout;
use super::style::{BAD, BOLD, DIM, GOOD, of_execution, of_step};
use super::table::{self, Cell, Column};
use crate::base::units;
use crate::base::visible::visible;
use crate::workflow::comparison::{
    ChangeKind, Compared, ComparedExecution, ComparedStep, Comparison, Sides,
};

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
        let columns = vec![
            Column::new(""),
            Column::new("step").cut(NAME_LEAST),
            Column::new("before"),
            Column::new("after"),
            Column::new("took before").rank(2),
            Column::new("took after").rank(1),
            Column::new("difference").rank(3),
        ];
        let mut table = table::Builder::new(*self, columns);
        for step in steps {
            let status = |step: &Option<ComparedStep>| match step {
                Some(step) => table::state(step.status.as_str(), of_step(step.status)),
                None => table::cell(""),
            };
            let milliseconds = |step: &Option<ComparedStep>| step.as_ref()?.duration_ms;
            let (before, after) = (milliseconds(&step.from), milliseconds(&step.to));
            let time = |ms: Option<u64>| table::number(&ms.map(took).unwrap_or_default());
            let difference = before.zip(after).map(|(before, after)| difference(before, after));
            table.row(vec![
                sign(step.change),
                table::cell(&visible(&step.name)),
                status(&step.from),
                status(&step.to),
                time(before),
                time(after),
                table::number(&difference.unwrap_or_default()),
            ]);
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
/// milliseconds; before them the parameters and the two executions.
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
        vec![
            "step".to_owned(),
            word(step.change).to_owned(),
            step.name.clone(),
            status(&step.from),
            status(&step.to),
            ms(&step.from),
            ms(&step.to),
        ]
    }));
    rows
}
