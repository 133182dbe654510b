//! Probable mistakes: allowed in a workflow and hardly intended, each with its span and what to
//! write instead. None of them makes a document invalid.

use super::super::definition::environment_name;
use super::super::document::{Node, Value};
use super::super::problem::{Findings, Pointer};
use super::field::Field;
use super::handlers;
use crate::base::visible::quote;

/// The remedy where a list of command lines was intended.
pub(crate) const LIST_IS_ONE_COMMAND: &str = "a list is one command and its arguments: write one step \
     for each command, or all lines as one text below `run: |`";

/// Programs whose arguments have a `$` of their own.
const READ_DOLLARS: [&str; 12] = [
    "awk", "gawk", "mawk", "perl", "ruby", "php", "envsubst", "jq", "ssh", "expect", "tclsh",
    "node",
];
/// Expressions that other workflow programs expand.
const EXPANDED_ELSEWHERE: [&str; 14] = [
    "param",
    "params",
    "parameters",
    "input",
    "inputs",
    "output",
    "outputs",
    "step",
    "steps",
    "workflow",
    "env",
    "vars",
    "secrets",
    "github",
];

/// Finds them in a document that is a workflow.
pub(super) fn find(root: &Node, findings: &mut Findings) {
    for key in ["steps"].into_iter().chain(handlers::KEYS) {
        find_in(root, key, findings);
    }
}

/// Finds them in one list of steps.
fn find_in(root: &Node, key: &str, findings: &mut Findings) {
    let at = Pointer::ROOT.key(key);
    let Some(Value::List(steps)) = value(root, key).map(|steps| &steps.value) else { return };
    for (index, step) in steps.iter().enumerate() {
        let Some(run) = value(step, "run") else { continue };
        let step_at = at.index(index);
        let field = Field::item(run, step_at.key("run"));
        match &run.value {
            Value::String(line) => expanded_elsewhere(&field, line, findings),
            Value::List(items) => {
                let texts: Vec<&str> = items.iter().map(text).collect();
                list_of_lines(&field, &texts, findings);
                for (index, node) in items.iter().enumerate() {
                    let item = Field::item(node, field.at.index(index));
                    expanded_elsewhere(&item, texts[index], findings);
                    variable_in_list(&item, &texts[..index], texts[index], findings);
                }
            }
            _ => {}
        }
    }
}

fn value<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

fn text(node: &Node) -> &str {
    match &node.value {
        Value::String(text) => text,
        _ => "",
    }
}

/// `[echo one, echo two]`: the name of a program with blanks in it. A path may have some.
fn list_of_lines(field: &Field<'_>, texts: &[&str], findings: &mut Findings) {
    let Some(program) = texts.first().map(|program| program.trim()) else { return };
    if program.contains(char::is_whitespace) && !program.contains('/') {
        let message = format!("{} is taken for the name of one program", quote(program));
        field.add(findings, message, LIST_IS_ONE_COMMAND.to_owned());
    }
}

/// `[find, $DIR]`: no shell runs it, so the program gets `$DIR` unchanged.
fn variable_in_list(field: &Field<'_>, before: &[&str], text: &str, findings: &mut Findings) {
    let Some(program) = before.first() else { return };
    let name = program.rsplit('/').next().unwrap_or_default();
    // The argument after `-c`, `-ec`, `-lc` is a shell command.
    let is_script =
        before.iter().any(|word| word.starts_with('-') && word.ends_with('c') && word.len() < 6);
    if is_script || READ_DOLLARS.contains(&name) {
        return;
    }
    if let Some(variable) = variable(text) {
        let message = format!(
            "`run` as a list expands nothing: the program gets {} as it stands",
            quote(variable)
        );
        let help = "write `run` as one text, which `sh -c` reads, such as `run: find \
                    \"$WFX_PARAM_DIR\"`, or `run: [sh, -c, …]`";
        field.add(findings, message, help.to_owned());
    }
}

/// The first `$NAME` or `${NAME…}`, the name as those of environments are.
fn variable(text: &str) -> Option<&str> {
    text.match_indices('$').find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let (braces, name) = match rest.strip_prefix('{') {
            Some(name) => (1, name),
            None => (0, rest),
        };
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit();
        let length = name.find(|c| !is_name(c)).unwrap_or(name.len());
        let begins = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
        let is_variable = begins && length >= 2 && !name[length..].starts_with(char::is_alphabetic);
        is_variable.then(|| {
            let closed = usize::from(braces == 1 && name[length..].starts_with('}'));
            &text[at..at + 1 + braces + length + closed]
        })
    })
}

/// `${params.x}`, `${{ inputs.x }}`, `{{ params.x }}`, `$(params.x)`: other programs expand these.
fn expanded_elsewhere(field: &Field<'_>, text: &str, findings: &mut Findings) {
    let Some((shown, word, name)) = placeholder(text) else { return };
    let help = if word.starts_with("param") || word.starts_with("input") {
        format!(
            "parameters are variables of the environment: \"$WFX_PARAM_{}\"",
            environment_name(name)
        )
    } else {
        "what a step may use is in its environment: parameters as `$WFX_PARAM_…`, what others put \
         out as `$WFX_STEP_…`"
            .to_owned()
    };
    let message = format!("wfx expands nothing in `run`: {} stays as it is", quote(shown));
    field.add(findings, message, help);
}

/// The first placeholder, its word, and the name after that.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    const OPENINGS: [(&str, &str); 4] = [("${{", "}}"), ("{{", "}}"), ("${", "}"), ("$(", ")")];
    text.char_indices().filter(|(_, c)| matches!(c, '$' | '{')).find_map(|(at, _)| {
        let rest = &text[at..];
        let (open, close) = OPENINGS.into_iter().find(|(open, _)| rest.starts_with(open))?;
        let inner = &rest[open.len()..];
        let end = inner.find(close)?;
        let (word, name) = inner[..end].trim().split_once('.')?;
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let shown = &rest[..open.len() + end + close.len()];
        (is_name && EXPANDED_ELSEWHERE.contains(&word)).then_some((shown, word, name))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Source, read_with_lints};

    fn lints(run: &str) -> Vec<(String, String, String)> {
        let text = format!("steps:\n- name: a\n  run: {run}\n");
        let source =
            Source { name: "w.yaml", text: &text, format: Format::Yaml, default_id: Some("w") };
        let (_, lints) = read_with_lints(&source).unwrap();
        let found = lints.iter().flat_map(super::super::Problems::iter);
        found.map(|it| (it.pointer.clone(), it.message.clone(), it.help.clone().unwrap())).collect()
    }

    #[test]
    fn what_is_hardly_meant_is_found_where_it_stands() {
        for (run, pointer, message, help) in [
            ("[echo one, echo two]", "", "`echo one`", "`run: |`"),
            ("[\"\\tls  -l\"]", "", "one program", "one step"),
            ("[find, $WFX_PARAM_DIR, -type, f]", "/1", "`$WFX_PARAM_DIR`", "sh -c"),
            ("[cp, a, \"${HOME}/b\"]", "/2", "`${HOME}`", "sh -c"),
            ("[cp, a, \"${HOME:-/}/b\"]", "/2", "`${HOME`", "sh -c"),
            ("echo ${params.who}", "", "`${params.who}`", "\"$WFX_PARAM_WHO\""),
            ("echo \"${{ inputs.my-name }}\"", "", "`${{ inputs.my-name }}`", "$WFX_PARAM_MY_NAME"),
            ("'echo {{ params.x }}'", "", "`{{ params.x }}`", "$WFX_PARAM_X"),
            ("echo $(params.x)", "", "`$(params.x)`", "$WFX_PARAM_X"),
            ("[echo, \"${steps.a.outputs.b}\"]", "/1", "`${steps.a.outputs.b}`", "$WFX_STEP_"),
        ] {
            let found = lints(run);
            assert_eq!(found.len(), 1, "{run}: {found:?}");
            assert_eq!(found[0].0, format!("/steps/0/run{pointer}"), "{run}");
            assert!(found[0].1.contains(message) && found[0].2.contains(help), "{found:?}");
        }
    }

    #[test]
    fn what_is_meant_is_left_alone() {
        for run in [
            "echo $HOME ${WFX_PARAM_X} ${x:-y.z} $(date)",
            "[sh, -c, 'echo $WFX_PARAM_X']",
            "[sudo, bash, -ec, 'echo $WFX_PARAM_X']",
            "[awk, '{print $NF}', f]",
            "[grep, 'a$', f]",
            "[echo, costs $5, '$', '$$', '$x', 'US$A']",
            "[\"/opt/My Tools/run\", x]",
            "docker ps --format '{{.Names}} {{ .Id }}'",
            "mvn -Dv='${project.version}'",
            "[ls, -l]",
            "[true]",
        ] {
            assert_eq!(lints(run), [], "{run}");
        }
    }
}
