//! The way back: what a replay would run and reuse, said before it is done.

use maud::{Markup, html};

use super::found::Found;
use super::has_failed;
use crate::http::exchange::problem::Problem;
use crate::http::page::forms::{Form, PARAMETER};
use crate::http::page::view::View;
use crate::http::page::words;
use crate::operations::replay::PlannedStep;
use crate::render::svg::Mark;
use crate::workflow::record::ExecutionRecord;
use crate::workflow::selection::Action;

/// The steps that a row of the plan names.
const NAMED_MAX: usize = 12;
/// The rows of a plan.
const ROWS_MAX: usize = 12;

/// What somebody asked to see the plan of.
pub(in crate::http::page) struct Wanted<'a> {
    pub form: &'a Form,
    /// The same as the body of a request.
    pub body: &'a str,
}

impl Wanted<'_> {
    /// Why it cannot be done.
    pub(super) fn refusal(&self, view: &View<'_>, record: &ExecutionRecord) -> Option<Problem> {
        view.pages.resources.plan_of(record, self.body.as_bytes()).err()
    }
}

/// The panel.
pub(super) fn draw(
    view: &View<'_>,
    found: &Found,
    name: &str,
    wanted: Option<&Wanted<'_>>,
) -> Markup {
    let record = &found.record;
    let asked = |field: &str| wanted.and_then(|wanted| wanted.form.get(field));
    let default_mode = if has_failed(record.status) { "failed" } else { "all" };
    let mode = asked("mode").unwrap_or(default_mode);
    let definition = asked("definition").unwrap_or("snapshot");
    let body = match wanted {
        Some(wanted) => Some(wanted.body.to_owned()),
        None => (mode == "failed").then(|| r#"{"failed":true}"#.to_owned()),
    };
    let plan = body.map(|body| view.pages.resources.plan_of(record, body.as_bytes()));
    let to_run = match &plan {
        Some(Ok(steps)) => steps.iter().filter(|step| step.action == Action::Run).count() as u64,
        _ => u64::from(record.total_steps),
    };
    let button = match mode {
        "failed" => format!("Retry {}", words::count(to_run, "step")),
        _ => format!("Run {}", words::count(to_run, "step")),
    };
    let is_refused = matches!(plan, Some(Err(_))) && wanted.is_none();
    let radio = |field: &str, value: &str, current: &str| {
        html! { input type="radio" name=(field) value=(value) checked[value == current]; }
    };
    html! {
        section class="panel" id="retry" {
            header { h2 { "Run again" } p { "a new execution; this one stays as it is" } }
            form method="post" action={ (view.execution(&record.execution_id)) "/replay" } {
                div class="pad" {
                    fieldset {
                        legend class="vh" { "Which steps" }
                        label class="pick" { (radio("mode", "failed", mode)) span { "What did not succeed, and what follows" } }
                        @if !found.steps.is_empty() {
                            label class="pick" {
                                (radio("mode", "from", mode))
                                span {
                                    "From a step on "
                                    select name="from" aria-label="Step" {
                                        @for step in &found.steps {
                                            @let is_asked = match asked("from") {
                                                Some(from) => from == step.name,
                                                None => found.failed.is_some_and(|index| found.steps[index].name == step.name),
                                            };
                                            option value=(step.name) selected[is_asked] { (words::text(&step.name)) }
                                        }
                                    }
                                }
                            }
                        }
                        label class="pick" { (radio("mode", "all", mode)) span { "Everything, " (words::count(u64::from(record.total_steps), "step")) } }
                    }
                    fieldset {
                        legend { "Definition" }
                        label class="pick" { (radio("definition", "snapshot", definition)) span { "As it ran" } }
                        label class="pick" { (radio("definition", "current", definition)) span { "Current, as the folder of workflows has it" } }
                    }
                    @if !found.params.is_empty() {
                        details open[wanted.is_some()] {
                            summary { "Change parameters (" (found.params.len()) ")" }
                            @for (index, (param, value)) in found.params.iter().enumerate() {
                                @let field = format!("{PARAMETER}{param}");
                                @let value = asked(&field).map_or_else(|| words::value_text(value), str::to_owned);
                                div class="field" {
                                    label for={ "r" (index) } { (words::text(param)) }
                                    @if value.contains('\n') {
                                        textarea id={ "r" (index) } name=(field) rows="4" { "\n" (value) }
                                    } @else {
                                        input id={ "r" (index) } name=(field) value=(value) autocomplete="off";
                                    }
                                }
                            }
                        }
                    }
                    @if let Some(Err(problem)) = &plan {
                        div class="note warn" role="alert" {
                            p {
                                b { "This cannot be run: " } (words::text(problem.detail()))
                                @for error in problem.errors() { " " (words::text(&error.detail)) }
                            }
                        }
                    }
                }
                @if let Some(Ok(steps)) = &plan { (draw_plan(steps)) }
                div class="pad" {
                    div class="acts" {
                        @if !is_refused { button class="btn go" { (button) } }
                        button class="btn" name="dry_run" value="1" { "Show the plan" }
                    }
                    (words::command(&line(name, found, mode)))
                }
            }
        }
    }
}

/// The command that does the same.
fn line(name: &str, found: &Found, mode: &str) -> String {
    let name = if name.starts_with('@') { name } else { &found.record.execution_id };
    match mode {
        "failed" => format!("wfx retry {name}"),
        "from" => format!("wfx replay {name} --from STEP"),
        _ => format!("wfx replay {name}"),
    }
}

/// Which steps run and which are reused: those with the same reason stand together.
fn draw_plan(steps: &[PlannedStep]) -> Markup {
    let mut rows: Vec<(Action, &str, Vec<&str>)> = Vec::new();
    for action in [Action::Run, Action::Reuse] {
        for step in steps.iter().filter(|step| step.action == action) {
            let same = rows.iter_mut().find(|row| row.0 == action && row.1 == step.reason);
            match same {
                Some(row) => row.2.push(&step.name),
                None => rows.push((action, &step.reason, vec![&step.name])),
            }
        }
    }
    let total = |action: Action| steps.iter().filter(|step| step.action == action).count();
    let mut last = None;
    html! {
        table class="cards" id="plan" {
            thead { tr { th scope="col" { "plan" } th scope="col" { "steps" } th scope="col" { "reason" } } }
            tbody {
                @for (action, reason, names) in rows.iter().take(ROWS_MAX) {
                    tr {
                        td class="nw" {
                            @if last != Some(*action) {
                                @let (mark, word): (Mark, _) = match action {
                                    Action::Run => (words::RUNNING, "run"),
                                    Action::Reuse => (words::REUSED, "reuse"),
                                };
                                (words::status_as(mark, &format!("{word} {}", total(*action))))
                            }
                            @let () = last = Some(*action);
                        }
                        th scope="row" {
                            (words::text(&names[..names.len().min(NAMED_MAX)].join(", ")))
                            @if names.len() > NAMED_MAX { " and " (names.len() - NAMED_MAX) " more" }
                        }
                        td { (words::short(reason, 160)) }
                    }
                }
                @if rows.len() > ROWS_MAX { tr { td {} td colspan="2" { (rows.len() - ROWS_MAX) " more reasons; the command shows all" } } }
            }
        }
    }
}
