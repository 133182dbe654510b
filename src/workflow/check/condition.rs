//! The keys of a step that decide whether it runs, and what follows if it does not.

use std::collections::HashMap;

use super::super::condition::{Condition, Pattern, Test};
use super::super::definition::{Flow, Scalar};
use super::super::document::{Node, Value};
use super::super::graph::Graph;
use super::super::problem::{Findings, Pointer, Span};
use super::super::record::StepStatus;
use super::field::{Field, Fields};
use super::{keys, nearest};
use crate::base::visible::{quote, quote_list};

/// The keys of a step that are read here.
pub(super) const KEYS: [&str; 3] = ["when", "continue_on_skip", "skip_exit_codes"];
const CLAUSE_KEYS: [&str; 11] =
    ["all", "any", "not", "param", "step", "output", "status", "is", "is_not", "in", "matches"];
const TESTS: [&str; 4] = ["is", "is_not", "in", "matches"];
/// How deep `all`, `any` and `not` may be nested.
const DEPTH_MAX: usize = 8;
/// The most clauses and values of one condition.
const SIZE_MAX: usize = 256;

const EXAMPLE: &str = "write `{param: NAME, is: VALUE}`, `{step: NAME, output: KEY, is: VALUE}` or \
     `{step: NAME, status: failed}`, combined with `all: […]`, `any: […]` and `not: …`";

/// A name in a condition, which is looked up once all steps are read.
pub(super) struct Named {
    name: String,
    span: Option<Span>,
    at: String,
    is_param: bool,
}

/// Reads them; `named` gets the parameters and steps that a condition names.
pub(super) fn flow(fields: &Fields<'_>, named: &mut Vec<Named>, findings: &mut Findings) -> Flow {
    let when = fields.get("when").and_then(|field| {
        let mut reader = Reader { named, size: 0 };
        reader.condition(&field, 1, findings)
    });
    let continue_on_skip =
        fields.get("continue_on_skip").and_then(|field| field.bool(findings)).unwrap_or(false);
    let skip_exit_codes = keys::exit_codes(fields, "skip_exit_codes", findings);
    if let (true, Some(field)) = (skip_exit_codes.contains(0), fields.get("skip_exit_codes")) {
        let help = "leave it out: 0 says that the step succeeded".to_owned();
        field.add(findings, "0 cannot be among `skip_exit_codes`", help);
    }
    Flow { when, continue_on_skip, skip_exit_codes }
}

struct Reader<'r> {
    named: &'r mut Vec<Named>,
    /// Clauses and values so far.
    size: usize,
}

impl Reader<'_> {
    fn condition(
        &mut self,
        field: &Field<'_>,
        depth: usize,
        findings: &mut Findings,
    ) -> Option<Condition> {
        if depth > DEPTH_MAX {
            let message = format!("conditions are nested more than {DEPTH_MAX} deep here");
            let help = "decide in a step of its own, and test its output or its status".to_owned();
            field.add(findings, message, help);
            return None;
        }
        self.grow(1, field, findings)?;
        if !matches!(field.node.value, Value::Map(_)) {
            let message = format!("a condition is a map, not {}", field.node.kind());
            let help = match field.node.value {
                Value::List(_) => "write `all: […]` or `any: […]`",
                _ => EXAMPLE,
            };
            field.add(findings, message, help.to_owned());
            return None;
        }
        let fields = Fields::of(field.node, field.at, "a condition", findings)?;
        fields.refuse_unknown(&CLAUSE_KEYS, findings);
        let kinds: Vec<&str> = ["all", "any", "not", "param", "step"]
            .into_iter()
            .filter(|key| fields.get(key).is_some())
            .collect();
        let [kind] = kinds[..] else {
            let (message, help) = if kinds.is_empty() {
                ("the condition tests nothing".to_owned(), EXAMPLE.to_owned())
            } else {
                let message =
                    format!("a condition has one of {}", quote_list(kinds.iter().copied()));
                (message, "make several of it, in a list below `all` or `any`".to_owned())
            };
            field.add(findings, message, help);
            return None;
        };
        let allowed: &[&str] = match kind {
            "param" => &["param", "is", "is_not", "in", "matches"],
            "step" => &["step", "output", "status", "is", "is_not", "in", "matches"],
            _ => &[],
        };
        let mut fits = true;
        for key in CLAUSE_KEYS.iter().filter(|key| **key != kind && !allowed.contains(*key)) {
            if let Some(other) = fields.get(key) {
                let message = format!("`{key}` does not go with `{kind}`");
                other.add(findings, message, EXAMPLE.to_owned());
                fits = false;
            }
        }
        let value = fields.get(kind)?;
        let condition = match kind {
            "all" => self.list(&value, depth, findings).map(Condition::All),
            "any" => self.list(&value, depth, findings).map(Condition::Any),
            "not" => self
                .condition(&value, depth + 1, findings)
                .map(|inner| Condition::Not(Box::new(inner))),
            "param" => self.param(&fields, &value, findings),
            _ => self.step(&fields, &value, findings),
        };
        condition.filter(|_| fits)
    }

    fn list(
        &mut self,
        field: &Field<'_>,
        depth: usize,
        findings: &mut Findings,
    ) -> Option<Vec<Condition>> {
        let items = field.list("a list of conditions", findings)?;
        if items.is_empty() {
            let help = "list at least one condition, or leave `when` out".to_owned();
            field.add(findings, format!("{} is empty", field.at.subject()), help);
            return None;
        }
        // All problems are wanted, but of a list that is too long only that.
        self.grow(0, field, findings)?;
        if items.len() > SIZE_MAX {
            self.grow(items.len(), field, findings)?;
        }
        let read: Vec<Option<Condition>> = items
            .iter()
            .enumerate()
            .map(|(index, node)| {
                self.condition(&Field::item(node, field.at.index(index)), depth + 1, findings)
            })
            .collect();
        read.into_iter().collect()
    }

    fn param(
        &mut self,
        fields: &Fields<'_>,
        value: &Field<'_>,
        findings: &mut Findings,
    ) -> Option<Condition> {
        let name = self.name(value, true, findings);
        let test = self.test(fields, findings);
        Some(Condition::Param { name: name?, test: test? })
    }

    fn step(
        &mut self,
        fields: &Fields<'_>,
        value: &Field<'_>,
        findings: &mut Findings,
    ) -> Option<Condition> {
        let step = self.name(value, false, findings);
        match (fields.get("output"), fields.get("status")) {
            (Some(output), None) => {
                let key = output.text(findings);
                let test = self.test(fields, findings);
                Some(Condition::Output { step: step?.into(), key: key?, test: test? })
            }
            (None, Some(status)) => {
                for test in TESTS.iter().filter_map(|key| fields.get(key)) {
                    let message = format!("{} does not go with `status`", test.at.subject());
                    let help = "write `status: failed`, or a list of statuses".to_owned();
                    test.add(findings, message, help);
                }
                let statuses = self.statuses(&status, findings);
                Some(Condition::Status { step: step?.into(), statuses: statuses? })
            }
            (None, None) => {
                value.add(
                    findings,
                    "the condition says nothing about the step",
                    EXAMPLE.to_owned(),
                );
                None
            }
            (Some(_), Some(status)) => {
                let help = "make two of it, in a list below `all` or `any`".to_owned();
                status.add(findings, "a condition has one of `output` and `status`", help);
                None
            }
        }
    }

    fn statuses(&mut self, field: &Field<'_>, findings: &mut Findings) -> Option<Vec<StepStatus>> {
        let nodes: Vec<(&Node, Pointer<'_>)> = match &field.node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| (node, field.at.index(index)))
                .collect(),
            _ => vec![(field.node, field.at)],
        };
        if nodes.is_empty() {
            let help = "name at least one, such as `failed`".to_owned();
            field.add(findings, "`status` is empty", help);
            return None;
        }
        self.grow(nodes.len(), field, findings)?;
        let known: Vec<&str> = StepStatus::ALL
            .into_iter()
            .filter(|status| status.is_terminal())
            .map(StepStatus::as_str)
            .collect();
        let mut statuses = Vec::with_capacity(nodes.len());
        let mut complete = true;
        for (node, at) in nodes {
            let item = Field::item(node, at);
            let status = item.text(findings).and_then(|text| {
                let status = text.parse::<StepStatus>().ok().filter(|s| s.is_terminal());
                if status.is_none() {
                    let near = nearest::nearest(&text, known.iter().copied());
                    let help = match near {
                        Some(near) => format!("did you mean {}?", quote(near)),
                        None => format!("it is one of {}", quote_list(known.iter().copied())),
                    };
                    let message = format!("a step never ends as {}", quote(&text));
                    item.add(findings, message, help);
                }
                status
            });
            match status {
                Some(status) if statuses.contains(&status) => {
                    let message = format!("`{status}` stands twice in `status`");
                    item.add(findings, message, "keep one of the two".to_owned());
                }
                Some(status) => statuses.push(status),
                None => complete = false,
            }
        }
        complete.then_some(statuses)
    }

    fn test(&mut self, fields: &Fields<'_>, findings: &mut Findings) -> Option<Test> {
        let given: Vec<&str> = TESTS.into_iter().filter(|key| fields.get(key).is_some()).collect();
        let [key] = given[..] else {
            let (message, help) = if given.is_empty() {
                (
                    "the condition compares with nothing".to_owned(),
                    "add `is: VALUE`, `is_not: VALUE`, `in: [VALUE, …]` or `matches: REGEX`",
                )
            } else {
                let message =
                    format!("a condition has one of {}", quote_list(given.iter().copied()));
                (message, "make several of it, in a list below `all` or `any`")
            };
            findings.add(fields.span, fields.at.to_string(), message, help.to_owned());
            return None;
        };
        let field = fields.get(key)?;
        match key {
            "is" => value(&field, findings).map(Test::Is),
            "is_not" => value(&field, findings).map(Test::IsNot),
            "in" => {
                let items = field.list("a list of values", findings)?;
                if items.is_empty() {
                    let help = "list at least one value".to_owned();
                    field.add(findings, "`in` is empty", help);
                    return None;
                }
                self.grow(items.len(), &field, findings)?;
                let read: Vec<Option<Scalar>> = items
                    .iter()
                    .enumerate()
                    .map(|(index, node)| value(&Field::item(node, field.at.index(index)), findings))
                    .collect();
                read.into_iter().collect::<Option<_>>().map(Test::In)
            }
            _ => {
                let text = field.text(findings)?;
                match Pattern::new(&text) {
                    Ok(pattern) if findings.take_patterns(pattern.bytes()) => {
                        Some(Test::Matches(pattern))
                    }
                    Ok(_) => {
                        let help = "test with `is` or `in`, or in a step of its own".to_owned();
                        field.add(findings, "the document has too many regular expressions", help);
                        None
                    }
                    Err(why) => {
                        let message = format!(
                            "{} is no regular expression that can be used: {why}",
                            quote(&text)
                        );
                        let help = "the syntax is that of Rust's `regex` crate: no look-around and \
                                    no back-references; put it in single quotes";
                        field.add(findings, message, help.to_owned());
                        None
                    }
                }
            }
        }
    }

    fn name(
        &mut self,
        field: &Field<'_>,
        is_param: bool,
        findings: &mut Findings,
    ) -> Option<String> {
        let name = field.text(findings)?;
        let (span, at) = (field.span(), field.at.to_string());
        self.named.push(Named { name: name.clone(), span, at, is_param });
        Some(name)
    }

    /// Counts clauses and values; `None` when there are too many.
    fn grow(&mut self, more: usize, field: &Field<'_>, findings: &mut Findings) -> Option<()> {
        let before = self.size;
        self.size += more;
        if self.size <= SIZE_MAX {
            return Some(());
        }
        if before <= SIZE_MAX {
            let message = format!("a condition has at most {SIZE_MAX} clauses and values");
            let help = "decide in a step of its own, and test its output or its status".to_owned();
            field.add(findings, message, help);
        }
        None
    }
}

fn value(field: &Field<'_>, findings: &mut Findings) -> Option<Scalar> {
    match field.scalar(findings)? {
        Scalar::Null => {
            let help = "write text, a number, `true` or `false`; `\"\"` for an empty text";
            field.add(findings, format!("{} has no value", field.at.subject()), help.to_owned());
            None
        }
        value => Some(value),
    }
}

/// Refuses what conditions name and is not there: parameters that are not declared, steps that are
/// no dependency. `steps` are names, and what their conditions name. `graph` is missing where the steps wait for each other.
pub(super) fn check_names(
    steps: &[(Option<&str>, &[Named])],
    params: &[&str],
    graph: Option<&Graph>,
    findings: &mut Findings,
) {
    if steps.iter().all(|(_, named)| named.is_empty()) {
        return;
    }
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (at, (name, _)) in steps.iter().enumerate() {
        if let Some(name) = name {
            index.entry(name).or_insert(at);
        }
    }
    for (at, (_, named)) in steps.iter().enumerate() {
        // Only of steps with a condition: it takes a walk through the graph.
        let before = graph.filter(|_| !named.is_empty()).map(|graph| graph.ancestors(at));
        for named in *named {
            let name = named.name.as_str();
            let (message, help) = if named.is_param {
                if params.contains(&name) {
                    continue;
                }
                let near = suggestion(name, params.iter().copied(), findings);
                let help =
                    near.or_else(|| Some(format!("declare it in `params`: `{name}: VALUE`")));
                (format!("the workflow has no parameter {}", quote(name)), help)
            } else {
                match (index.get(name), &before) {
                    (None, _) => {
                        let near = suggestion(name, index.keys().copied(), findings);
                        (format!("no step is called {}", quote(name)), near)
                    }
                    (Some(found), _) if *found == at => {
                        let help = "test a step before it".to_owned();
                        ("a step cannot test itself before it has run".to_owned(), Some(help))
                    }
                    (Some(found), Some(before)) if before.binary_search(found).is_err() => {
                        let message = format!("the step does not depend on {}", quote(name));
                        let help = format!("add {} to its `depends_on`", quote(name));
                        (message, Some(help))
                    }
                    _ => continue,
                }
            };
            findings.add(named.span, named.at.clone(), message, help);
        }
    }
}

fn suggestion<'k>(
    name: &str,
    known: impl Iterator<Item = &'k str>,
    findings: &Findings,
) -> Option<String> {
    let near = findings.may_suggest().then(|| nearest::nearest(name, known)).flatten();
    near.map(|near| format!("did you mean {}?", quote(near)))
}
