//! Probable mistakes: allowed in a workflow and hardly intended, each with its span and what to
//! write instead. None of them makes a document invalid.

use super::super::definition::environment_name;
use super::super::document::{Node, Value};
use super::super::problem::{Findings, Pointer};
use super::field::Field;
use super::{handlers, schedule_lint};
use crate::base::visible::{brief, quote};

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

/// How many words of a `shell` a message has.
const SHELL_WORDS_SHOWN: usize = 8;

/// Finds them in a document that is a workflow.
pub(super) fn find(root: &Node, findings: &mut Findings) {
    schedule_lint::find(root, findings);
    environment(root, Pointer::ROOT, findings);
    shell(root, Pointer::ROOT, findings);
    for key in ["steps"].into_iter().chain(handlers::KEYS) {
        find_in(root, key, findings);
    }
}

/// Finds them in one list of steps.
fn find_in(root: &Node, key: &str, findings: &mut Findings) {
    let at = Pointer::ROOT.key(key);
    let Some(Value::List(steps)) = value(root, key).map(|steps| &steps.value) else { return };
    for (index, step) in steps.iter().enumerate() {
        let step_at = at.index(index);
        environment(step, step_at, findings);
        shell(step, step_at, findings);
        literal_paths(step, step_at, findings);
        exit_codes(step, step_at, findings);
        let Some(run) = value(step, "run") else { continue };
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

/// `env: {A: $HOME/x}`: a value is data.
fn environment(node: &Node, at: Pointer<'_>, findings: &mut Findings) {
    let Some(Value::Map(entries)) = value(node, "env").map(|env| &env.value) else { return };
    let env_at = at.key("env");
    for entry in entries {
        let field = Field::item(&entry.value, env_at.key(&entry.key));
        let text = text(&entry.value);
        let found = variable(text).or_else(|| placeholder(text).map(|(shown, ..)| shown));
        let Some(found) = found else { continue };
        let message = format!("a value of `env` is literal: {} stays as it is", quote(found));
        let help = "steps inherit the variables of wfx and find parameters as `$WFX_PARAM_…`: let \
                    the command put them together";
        field.add(findings, message, help.to_owned());
    }
}

/// `cwd: $HOME/x`, `env_file: ~/x`: a path is data.
fn literal_paths(step: &Node, at: Pointer<'_>, findings: &mut Findings) {
    for key in ["cwd", "env_file"] {
        let (Some(node), key_at) = (value(step, key), at.key(key)) else { continue };
        let mut look = |field: Field<'_>| {
            let text = text(field.node);
            let found = variable(text)
                .or_else(|| placeholder(text).map(|(shown, ..)| shown))
                .or_else(|| text.starts_with("~/").then_some("~"));
            if let Some(found) = found {
                let message = format!("`{key}` is literal: {} stays as it is", quote(found));
                field.add(findings, message, "write the path out".to_owned());
            }
        };
        match &node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, item)| look(Field::item(item, key_at.index(index)))),
            _ => look(Field::item(node, key_at)),
        }
    }
}

/// `shell: [bash]`: the text of `run` would be the name of a file.
fn shell(node: &Node, at: Pointer<'_>, findings: &mut Findings) {
    const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"];
    let Some(shell) = value(node, "shell") else { return };
    let Value::List(items) = &shell.value else { return };
    let texts: Vec<&str> = items.iter().map(text).collect();
    let field = Field::item(shell, at.key("shell"));
    let is_shell = |word: &&str| SHELLS.contains(&word.rsplit('/').next().unwrap_or_default());
    let takes_text = |word: &&str| word.starts_with('-') && word.contains('c');
    if texts.iter().any(is_shell) && !texts.iter().any(takes_text) {
        let message = "without `-c`, a shell takes the text of `run` for the name of a file";
        let words: Vec<String> = texts.iter().take(SHELL_WORDS_SHOWN).map(|it| brief(it)).collect();
        let more = if texts.len() > words.len() { ", …" } else { "" };
        let help = format!("write `shell: [{}{more}, -c]`", words.join(", "));
        field.add(findings, message, help);
    }
    for (index, node) in items.iter().enumerate() {
        if let Some(found) = variable(texts[index]) {
            let message = format!("`shell` is a list: {} stays as it is", quote(found));
            let item = Field::item(node, field.at.index(index));
            item.add(findings, message, "write its value out".to_owned());
        }
    }
}

/// `success_exit_codes: [24]`: 0 is a failure then.
fn exit_codes(step: &Node, at: Pointer<'_>, findings: &mut Findings) {
    let Some(codes) = value(step, "success_exit_codes") else { return };
    let Value::List(items) = &codes.value else { return };
    let has_zero = |item: &Node| match &item.value {
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.split('-').next().is_some_and(|it| it.trim() == "0"),
        _ => true,
    };
    if !items.iter().any(has_zero) {
        let field = Field::item(codes, at.key("success_exit_codes"));
        let message = "the exit code 0 is a failure of this step, since the list lacks it";
        field.add(findings, message, "add 0, unless that is intended".to_owned());
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
