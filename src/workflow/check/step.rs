//! One step of a workflow.

use super::super::definition::{Flow, PROCESS_STRING_BYTES_MAX, ProcessKeys, Step, Work};
use super::super::document::{COMMAND_AS_TEXT, Node, Value};
use super::super::problem::{Findings, Pointer, Span};
use super::super::retry_on::RetryOn;
use super::field::{self, Field, Fields};
use super::{Named, Origin, condition, keys, name};
use crate::base::backoff::Retry;
use crate::base::period::Period;
use crate::base::visible::quote;

const STEP_KEYS: [&str; 20] = [
    "name",
    "depends_on",
    "run",
    "sleep",
    "fail",
    "env",
    "cwd",
    "timeout",
    "retry",
    "continue_on_error",
    "agent_id",
    "title",
    "description",
    "shell",
    "stop_signal",
    "stop_timeout",
    "env_file",
    "stdout",
    "success_exit_codes",
    "output_limit",
];
const RETRY_KEYS: [&str; 5] =
    ["max_attempts", "backoff", "max_backoff", "on_exit_codes", "on_timeout"];
/// The largest `max_attempts`.
const ATTEMPTS_MAX: u64 = 1_000;

/// A step as far as it could be read: other steps are checked against it even if
/// something is wrong with it.
pub(super) struct Read {
    pub(super) name: Option<String>,
    pub(super) name_place: Option<Span>,
    /// Where it is, as a JSON pointer.
    pub(super) at: String,
    /// `None`: left out, so that the step waits for the one listed before it.
    pub(super) depends_on: Option<Vec<Dependency>>,
    pub(super) depends_on_place: Option<Span>,
    /// What its condition names.
    pub(super) named: Vec<condition::Named>,
    /// Complete, except where there is a finding.
    pub(super) definition: Step,
}

/// A name in a `depends_on`.
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) span: Option<Span>,
    pub(super) at: String,
}

impl Read {
    /// The step; none when it has no name.
    pub(super) fn finish(self) -> Option<Step> {
        Some(Step { name: self.name?, ..self.definition })
    }
}

pub(super) fn read(node: &Node, at: Pointer<'_>, origin: Origin, findings: &mut Findings) -> Read {
    let mut read = Read {
        name: None,
        name_place: node.span,
        at: at.to_string(),
        depends_on: None,
        depends_on_place: node.span,
        named: Vec::new(),
        definition: Step {
            name: String::new(),
            title: None,
            description: None,
            depends_on: Vec::new(),
            work: Work::Nothing,
            fail: false,
            env: Named::new(),
            cwd: None,
            timeout: None,
            retry: Retry::default(),
            retry_on: RetryOn::default(),
            process: ProcessKeys::default(),
            continue_on_error: false,
            flow: Flow::default(),
            agent_id: None,
            extra: Named::new(),
        },
    };
    let Some(fields) = Fields::of(node, at, "a step", findings) else { return read };
    refuse_unknown(&fields, findings);
    if let Some(field) = fields.required("name", findings) {
        read.name_place = field.span();
        read.name = field.text(findings).filter(|text| {
            origin == Origin::Snapshot || name::check(&field, text, findings).is_some()
        });
    }
    if let Some(field) = fields.get("depends_on") {
        read.depends_on_place = field.span();
        read.depends_on = Some(dependencies(&field, findings));
    }
    let flag = |key, findings: &mut Findings| {
        fields.get(key).and_then(|field| field.bool(findings)).unwrap_or(false)
    };
    let step = &mut read.definition;
    step.work = work(&fields, findings);
    step.fail = flag("fail", findings);
    step.continue_on_error = flag("continue_on_error", findings);
    step.flow = condition::flow(&fields, &mut read.named, findings);
    step.env = field::env(&fields, findings);
    step.cwd = fields.get("cwd").and_then(|field| folder(&field, findings));
    step.timeout = fields.get("timeout").and_then(|field| field.timeout(findings));
    if let Some(field) = fields.get("retry") {
        (step.retry, step.retry_on) = retry(&field, findings).unwrap_or_default();
    }
    let run = fields.get("run");
    let has_text = run.is_some_and(|field| matches!(field.node.value, Value::String(_)));
    step.process = keys::process(&fields, has_text, run.is_some(), findings);
    let (skip, success) = (&step.flow.skip_exit_codes, &step.process.success_exit_codes);
    if let (Some(code), Some(field)) = (skip.shared(success), fields.get("skip_exit_codes")) {
        let message = format!("{code} is in `success_exit_codes` as well");
        field.add(findings, message, "keep it in one of the two".to_owned());
    }
    step.title = keys::title(&fields, findings);
    step.description = keys::words(&fields, "description", findings);
    step.agent_id = fields.get("agent_id").map(|field| field.node.to_json());
    step.extra = fields.extra();
    read
}

fn refuse_unknown(fields: &Fields<'_>, findings: &mut Findings) {
    if let Some(http) = fields.get("http") {
        let help = "until then, let `run` call a client such as curl".to_owned();
        http.add(findings, "`http` steps come with a later version of wfx", help);
        let known: Vec<&str> =
            STEP_KEYS.into_iter().chain(condition::KEYS).chain(["http"]).collect();
        fields.refuse_unknown(&known, findings);
    } else {
        let known: Vec<&str> = STEP_KEYS.into_iter().chain(condition::KEYS).collect();
        fields.refuse_unknown(&known, findings);
    }
}

fn dependencies(field: &Field<'_>, findings: &mut Findings) -> Vec<Dependency> {
    if let Value::String(name) = &field.node.value {
        let message = "`depends_on` takes a list of step names, not text";
        field.add(findings, message, format!("write [{name}]"));
        return Vec::new();
    }
    if field.node.value == Value::Null {
        let message = "`depends_on` takes a list of step names, not nothing";
        let help = "write [] for a step that starts at once, or leave the key out for one that \
                    waits for the step listed before it";
        field.add(findings, message, help.to_owned());
        return Vec::new();
    }
    let items = field.list("a list of step names", findings).unwrap_or_default();
    let mut names: Vec<Dependency> = Vec::with_capacity(items.len());
    for (index, node) in items.iter().enumerate() {
        let item = Field::item(node, field.at.index(index));
        let Some(name) = item.text(findings) else { continue };
        if names.iter().any(|earlier| earlier.name == name) {
            let message = format!("{} stands twice in `depends_on`", quote(&name));
            item.add(findings, message, "keep one of the two".to_owned());
            continue;
        }
        names.push(Dependency { name, span: item.span(), at: item.at.to_string() });
    }
    names
}

fn work(fields: &Fields<'_>, findings: &mut Findings) -> Work {
    let run = fields.get("run");
    let sleep = fields.get("sleep");
    if let (Some(_), Some(sleep)) = (&run, &sleep) {
        let help = "make two steps of it".to_owned();
        sleep.add(findings, "a step has one of `run` and `sleep`, not both", help);
    }
    match (run, sleep) {
        (Some(field), _) => command(&field, findings).unwrap_or(Work::Nothing),
        (None, Some(field)) => field.period(findings).map_or(Work::Nothing, Work::Sleep),
        (None, None) => Work::Nothing,
    }
}

fn command(field: &Field<'_>, findings: &mut Findings) -> Option<Work> {
    match &field.node.value {
        Value::String(line) => {
            if line.is_empty() {
                let help = "leave `run` out for a step that does nothing".to_owned();
                field.add(findings, "`run` is empty", help);
                return None;
            }
            field.check_process_text(line, 0, findings)?;
            Some(Work::Shell(line.clone()))
        }
        Value::List(items) => {
            let argv: Vec<Option<String>> = items
                .iter()
                .enumerate()
                .map(|(index, node)| {
                    Field::item(node, field.at.index(index)).process_text(findings)
                })
                .collect();
            if argv.first().is_none_or(|program| program.as_deref() == Some("")) {
                let help = "write the program and its arguments: `run: [ls, -l]`".to_owned();
                field.add(findings, "`run` names no program", help);
                return None;
            }
            argv.into_iter().collect::<Option<_>>().map(Work::Argv)
        }
        _ => {
            let message = format!(
                "`run` takes a line for `sh -c` or a list of a program and its arguments, not {}",
                field.node.kind()
            );
            let help = match field.node.value {
                Value::Bool(_) | Value::Number(_) => Some("put it in quotes".to_owned()),
                Value::Null => Some("leave `run` out for a step that does nothing".to_owned()),
                Value::Map(_) => Some(COMMAND_AS_TEXT.to_owned()),
                _ => None,
            };
            field.add(findings, message, help);
            None
        }
    }
}

fn folder(field: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let folder = field.text(findings)?;
    if folder.is_empty() || folder.contains('\0') || folder.len() > PROCESS_STRING_BYTES_MAX {
        let message = format!("{} cannot be the path of a folder", quote(&folder));
        field.add(findings, message, "leave `cwd` out for the folder wfx runs in".to_owned());
        return None;
    }
    Some(folder)
}

fn retry(field: &Field<'_>, findings: &mut Findings) -> Option<(Retry, RetryOn)> {
    let fields = Fields::of(field.node, field.at, "`retry`", findings)?;
    fields.refuse_unknown(&RETRY_KEYS, findings);
    let period = |key, findings: &mut Findings| -> Option<Period> {
        fields.get(key).and_then(|field| field.period(findings))
    };
    let default = Retry::default();
    let max_attempts = match fields.get("max_attempts") {
        Some(field) => field.integer(1..=ATTEMPTS_MAX, findings),
        None => {
            let help = "add `max_attempts`: the first attempt counts".to_owned();
            field.add(findings, "`retry` does not say how often", help);
            None
        }
    };
    let backoff = period("backoff", findings).unwrap_or(default.backoff);
    let max_backoff = match fields.get("max_backoff") {
        Some(field) => {
            let most = field.period(findings);
            if most.is_some_and(|most| most < backoff) {
                let message = format!("`max_backoff` is shorter than `backoff`, {backoff}");
                field.add(findings, message, "raise it, or lower `backoff`".to_owned());
            }
            most.unwrap_or(default.max_backoff)
        }
        None => default.max_backoff.max(backoff),
    };
    let on = keys::retry_on(&fields, findings);
    let max_attempts = u32::try_from(max_attempts?).ok()?;
    Some((Retry { max_attempts, backoff, max_backoff }, on))
}
