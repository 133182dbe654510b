//! The keys of a step that concern its process, and its exit codes.

use super::super::definition::ProcessKeys;
use super::super::document::Value;
use super::super::exit_codes::{EXIT_CODE_MAX, ExitCodes, ExitRange};
use super::super::problem::Findings;
use super::super::retry_on::RetryOn;
use super::field::{Field, Fields};
use super::nearest;
use crate::base::size::{self, Size};
use crate::base::visible::{brief, quote};

/// The signals that `stop_signal` takes, as `kill -l` names them on Linux.
const SIGNALS: [&str; 29] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// Other names of some of them.
const SIGNAL_ALIASES: [(&str, &str); 4] =
    [("IOT", "ABRT"), ("CLD", "CHLD"), ("POLL", "IO"), ("UNUSED", "SYS")];
/// The longest `title`.
const TITLE_BYTES_MAX: usize = 1_024;
/// The most files of one step.
const ENV_FILES_MAX: usize = 100;

/// The keys of a step that concern its process. `has_text`: `run` is a text, which a shell gets.
/// `has_process`: the step has a `run`.
pub(super) fn process(
    fields: &Fields<'_>,
    has_text: bool,
    has_process: bool,
    findings: &mut Findings,
) -> ProcessKeys {
    for (key, is_used, needs) in [
        ("shell", has_text, "`run` as a text"),
        ("stop_signal", has_process, "a `run`"),
        ("stop_timeout", has_process, "a `run`"),
        ("env_file", has_process, "a `run`"),
        ("stdout", has_process, "a `run`"),
        ("success_exit_codes", has_process, "a `run`"),
        ("output_limit", has_process, "a `run`"),
    ] {
        if let Some(field) = fields.get(key)
            && !is_used
        {
            let help = format!("remove `{key}`, or give the step {needs}");
            field.add(findings, format!("`{key}` needs {needs}"), help);
        }
    }
    let period =
        |key, findings: &mut Findings| fields.get(key).and_then(|field| field.period(findings));
    ProcessKeys {
        shell: shell(fields, findings),
        stop_signal: fields.get("stop_signal").and_then(|field| signal(&field, findings)),
        stop_timeout: period("stop_timeout", findings),
        env_file: fields.get("env_file").map(|it| env_files(&it, findings)).unwrap_or_default(),
        stdout: fields.get("stdout").and_then(|field| output_name(&field, findings)),
        success_exit_codes: exit_codes(fields, "success_exit_codes", findings),
        output_limit: output_limit(fields, findings),
    }
}

/// The `output_limit` of a step, a workflow, or the defaults of a folder.
pub(super) fn output_limit(fields: &Fields<'_>, findings: &mut Findings) -> Option<Size> {
    let field = fields.get("output_limit")?;
    let text = match &field.node.value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => {
            field.refuse(size::TAKES, findings);
            return None;
        }
    };
    let size = text.parse().ok();
    if size.is_none() {
        let help = "write bytes, or a whole number with KiB, MiB or GiB, such as `64MiB`; 0 keeps \
                    the last 64 KiB only";
        field.add(findings, format!("{} is not a size", quote(&text)), help.to_owned());
    }
    size
}

/// The `shell` of a workflow or a step.
pub(super) fn shell(fields: &Fields<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let field = fields.get("shell")?;
    if let Value::String(text) = &field.node.value {
        let words: Vec<&str> = text.split_whitespace().collect();
        let help = format!("write `shell: [{}, -c]`", brief(words.first().unwrap_or(&"bash")));
        field.add(findings, "`shell` takes a list of a program and its arguments, not text", help);
        return None;
    }
    let items = field.list("a list of a program and its arguments", findings)?;
    let argv: Vec<Option<String>> = items
        .iter()
        .enumerate()
        .map(|(index, node)| Field::item(node, field.at.index(index)).process_text(findings))
        .collect();
    if argv.first().is_none_or(|program| program.as_deref() == Some("")) {
        let help = "write the program and its arguments: `shell: [bash, -euo, pipefail, -c]`";
        field.add(findings, "`shell` names no program", help.to_owned());
        return None;
    }
    argv.into_iter().collect()
}

fn signal(field: &Field<'_>, findings: &mut Findings) -> Option<&'static str> {
    let text = match &field.node.value {
        Value::Number(number) => {
            let message =
                format!("`stop_signal` takes the name of a signal, not the number {number}");
            field.add(
                findings,
                message,
                "write its name, such as `INT`; `kill -l` lists them".to_owned(),
            );
            return None;
        }
        _ => field.text(findings)?,
    };
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let name = SIGNAL_ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |it| it.1);
    if let Some(known) = SIGNALS.iter().find(|known| **known == name) {
        return Some(known);
    }
    if ["KILL", "STOP"].contains(&name) {
        let message = format!("no process can handle {}", quote(&text));
        let help = "name the signal that asks it to end, such as `TERM`; `stop_timeout` says when \
                    it is killed";
        field.add(findings, message, help.to_owned());
        return None;
    }
    let help = match nearest::nearest(name, SIGNALS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "such as `TERM`, `INT`, `QUIT`, `HUP` or `USR1`; `kill -l` lists them".to_owned(),
    };
    field.add(findings, format!("{} is no signal", quote(&text)), help);
    None
}

/// A path, or a list of them.
fn env_files(field: &Field<'_>, findings: &mut Findings) -> Vec<String> {
    let Value::List(items) = &field.node.value else {
        return path(field, findings).into_iter().collect();
    };
    if items.is_empty() || items.len() > ENV_FILES_MAX {
        let message = format!("`env_file` lists {} files", items.len());
        field.add(findings, message, format!("list from 1 to {ENV_FILES_MAX}, or leave it out"));
        return Vec::new();
    }
    let item = |(index, node)| path(&Field::item(node, field.at.index(index)), findings);
    items.iter().enumerate().filter_map(item).collect()
}

fn path(field: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let text = field.text(findings)?;
    if text.is_empty() {
        let help = "leave `env_file` out for none".to_owned();
        field.add(findings, "the path of a file is not empty", help);
        return None;
    }
    field.check_process_text(&text, 0, findings)?;
    Some(text)
}

/// The name of an output, as in the lines of `$WFX_OUTPUT`.
fn output_name(field: &Field<'_>, findings: &mut Findings) -> Option<String> {
    const LENGTH_MAX: usize = 128;
    let name = field.text(findings)?;
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name && name.len() <= LENGTH_MAX {
        return Some(name);
    }
    let message = format!("{} cannot be the name of an output", quote(&name));
    let help = format!(
        "write letters, digits and `_`, at most {LENGTH_MAX}, and no digit first; to write to a \
         file, redirect the command: `run: make > log`"
    );
    field.add(findings, message, help);
    None
}

/// A list of exit codes and ranges of them; none if the key is not there.
pub(super) fn exit_codes(fields: &Fields<'_>, key: &str, findings: &mut Findings) -> ExitCodes {
    let Some(field) = fields.get(key) else { return ExitCodes::default() };
    let expected = "a list of exit codes, such as `[75, \"64-70\"]`";
    let Some(items) = field.list(expected, findings) else { return ExitCodes::default() };
    if items.is_empty() {
        let help = "leave the key out, or list at least one exit code".to_owned();
        field.add(findings, format!("`{key}` is empty"), help);
    }
    let item = |(index, node)| exit_range(&Field::item(node, field.at.index(index)), findings);
    ExitCodes::new(items.iter().enumerate().filter_map(item).collect())
}

fn exit_range(field: &Field<'_>, findings: &mut Findings) -> Option<ExitRange> {
    let text = match &field.node.value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => {
            let message = format!("an exit code is a number or a range, not {}", field.node.kind());
            field.add(findings, message, "write `75` or `\"64-70\"`".to_owned());
            return None;
        }
    };
    let code = |text: &str| {
        let text = text.trim();
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u8>().ok())?
    };
    let range = match text.split_once('-') {
        Some((first, last)) => code(first).zip(code(last)),
        None => code(&text).map(|only| (only, only)),
    };
    match range {
        Some((first, last)) if first <= last => Some(ExitRange { first, last }),
        Some((first, last)) => {
            let message = format!("the range {} ends before it begins", quote(&text));
            field.add(findings, message, format!("write `\"{last}-{first}\"`"));
            None
        }
        None => {
            let message = format!("{} is no exit code", quote(&text));
            let help = format!(
                "write a number from 0 to {EXIT_CODE_MAX}, or a range such as `\"64-70\"`; a \
                 process that a signal ends has no exit code"
            );
            field.add(findings, message, help);
            None
        }
    }
}

/// The keys of `retry` that say which failures are retried.
pub(super) fn retry_on(retry: &Fields<'_>, findings: &mut Findings) -> RetryOn {
    let timeout = retry.get("on_timeout").and_then(|field| field.bool(findings)).unwrap_or(true);
    RetryOn { exit_codes: exit_codes(retry, "on_exit_codes", findings), timeout }
}

/// A `title` or `description` of a step: any text but an empty one.
pub(super) fn words(fields: &Fields<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    let field = fields.get(key)?;
    let text = field.text(findings)?;
    if text.trim().is_empty() {
        field.add(findings, format!("`{key}` is empty"), "leave it out".to_owned());
        return None;
    }
    Some(text)
}

/// The `title` of a step, which stands before each line of its output on a terminal.
pub(super) fn title(fields: &Fields<'_>, findings: &mut Findings) -> Option<String> {
    let title = words(fields, "title", findings)?;
    if title.len() > TITLE_BYTES_MAX {
        let message = format!("`title` has {} bytes of at most {TITLE_BYTES_MAX}", title.len());
        fields.get("title")?.add(findings, message, "put it into `description`".to_owned());
        return None;
    }
    Some(title)
}
