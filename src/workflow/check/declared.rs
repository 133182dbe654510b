//! A parameter that is declared as a map: its type, its values and its bounds.

use super::super::decimal;
use super::super::definition::Scalar;
use super::super::document::{Node, Value};
use super::super::parameter::{Kind, Misfit, Parameter, Pattern, Rules};
use super::super::problem::Findings;
use super::field::{Field, Fields};
use super::nearest;
use crate::base::visible::quote;

const KEYS: [&str; 7] = ["type", "enum", "min", "max", "pattern", "default", "description"];
/// The most values of one `enum`.
const CHOICES_MAX: usize = 1_000;
/// What a pattern that cannot be used counts: its compilation may have taken as long as that of a
/// large one.
const PATTERN_TRIED_BYTES: usize = 1 << 20;

/// Other words for the types, as other programs have them.
const KIND_ALIASES: [(&str, &str); 8] = [
    ("str", "string"),
    ("text", "string"),
    ("integer", "int"),
    ("float", "number"),
    ("double", "number"),
    ("decimal", "number"),
    ("boolean", "bool"),
    ("choice", "string` with `enum"),
];

/// The long form of a parameter. `check_text` refuses what no process can be given.
pub(super) fn read(
    field: &Field<'_>,
    check_text: impl Fn(&Field<'_>, &Scalar, &mut Findings) -> Option<()>,
    findings: &mut Findings,
) -> Option<Parameter> {
    let fields = Fields::of(field.node, field.at, "a parameter", findings)?;
    fields.refuse_unknown(&KEYS, findings);
    let mut rules = Rules {
        kind: fields.get("type").and_then(|field| kind(&field, findings)),
        description: fields.get("description").and_then(|field| field.text(findings)),
        ..Rules::default()
    };
    let choices =
        fields.get("enum").map(|it| choices(&it, &check_text, findings)).unwrap_or_default();
    if rules.kind.is_none() && fields.get("type").is_none() {
        rules.kind = common_kind(&choices);
    }
    bounds(&fields, &mut rules, findings);
    rules.pattern = fields.get("pattern").and_then(|field| pattern(&field, &mut rules, findings));
    // Each value on its own, before they are the only ones.
    let listed = fields.get("enum");
    let nodes: &[Node] = match listed.as_ref().map(|field| &field.node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    };
    for (index, node) in nodes.iter().enumerate() {
        let Some(list) = &listed else { continue };
        let item = Field::item(node, list.at.index(index));
        if let Some(value) = super::scalar_of(node).filter(|value| *value != Scalar::Null)
            && let Err(misfit) = rules.take(&value)
        {
            refuse(&item, &value, &misfit, "of `enum`", findings);
        }
    }
    rules.choices = choices;
    let default = match fields.get("default") {
        None => Scalar::Null,
        Some(field) => match field.scalar(findings)? {
            Scalar::Null => Scalar::Null,
            value => {
                check_text(&field, &value, findings)?;
                match rules.take(&value) {
                    Ok(value) => value,
                    Err(misfit) => {
                        let near = near(&rules, &value);
                        let misfit = Misfit { remedy: misfit.remedy.or(near), ..misfit };
                        refuse(&field, &value, &misfit, "of `default`", findings);
                        return None;
                    }
                }
            }
        },
    };
    Some(Parameter { default, rules: Some(Box::new(rules)) })
}

fn refuse(field: &Field<'_>, value: &Scalar, misfit: &Misfit, of: &str, findings: &mut Findings) {
    let message = format!(
        "the value {} {of} does not fit: the parameter takes {}",
        quote(&value.to_string()),
        misfit.takes
    );
    field.add(findings, message, misfit.remedy.clone());
}

/// The listed value that may be meant.
pub(super) fn near(rules: &Rules, value: &Scalar) -> Option<String> {
    let texts: Vec<String> = rules.choices.iter().map(ToString::to_string).collect();
    let near = nearest::nearest(&value.to_string(), texts.iter().map(String::as_str))?;
    Some(format!("did you mean {}?", quote(near)))
}

fn kind(field: &Field<'_>, findings: &mut Findings) -> Option<Kind> {
    let word = field.text(findings)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    if kind.is_none() {
        let names = Kind::ALL.map(Kind::as_str);
        let alias = KIND_ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, kind)| *kind);
        let help = match alias.or_else(|| nearest::nearest(&word, names)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "known are `string`, `int`, `number` and `bool`".to_owned(),
        };
        field.add(findings, format!("{} is no type of a parameter", quote(&word)), help);
    }
    kind
}

fn choices(
    field: &Field<'_>,
    check_text: &impl Fn(&Field<'_>, &Scalar, &mut Findings) -> Option<()>,
    findings: &mut Findings,
) -> Vec<Scalar> {
    let Some(items) = field.list("a list of values", findings) else { return Vec::new() };
    if items.is_empty() || items.len() > CHOICES_MAX {
        let message = format!("`enum` has {} values", items.len());
        let help = format!("list from 1 to {CHOICES_MAX}, or leave it out for any value");
        field.add(findings, message, help);
        return Vec::new();
    }
    let mut choices: Vec<Scalar> = Vec::with_capacity(items.len());
    let mut texts = std::collections::HashSet::new();
    for (index, node) in items.iter().enumerate() {
        let item = Field::item(node, field.at.index(index));
        let Some(value) = item.scalar(findings) else { continue };
        if value == Scalar::Null {
            let help = "write text, a number, `true` or `false`".to_owned();
            item.add(findings, "a value of `enum` is missing", help);
        } else if !texts.insert(value.to_string()) {
            let message = format!("{} stands twice in `enum`", quote(&value.to_string()));
            item.add(findings, message, "keep one of the two".to_owned());
        } else if check_text(&item, &value, findings).is_some() {
            choices.push(value);
        }
    }
    choices
}

/// The type that all listed values have; `None` if they have several, which are told apart by
/// their text.
fn common_kind(choices: &[Scalar]) -> Option<Kind> {
    let kind = |value: &Scalar| match value {
        Scalar::String(_) => Some(Kind::String),
        Scalar::Bool(_) => Some(Kind::Bool),
        Scalar::Number(number) if decimal::is_whole(number) => Some(Kind::Int),
        Scalar::Number(_) => Some(Kind::Number),
        Scalar::Null => None,
    };
    let is = |wanted: &[Kind]| {
        let fits = |value| kind(value).is_some_and(|kind| wanted.contains(&kind));
        !choices.is_empty() && choices.iter().all(fits)
    };
    if is(&[Kind::String]) {
        Some(Kind::String)
    } else if is(&[Kind::Bool]) {
        Some(Kind::Bool)
    } else if is(&[Kind::Int]) {
        Some(Kind::Int)
    } else if is(&[Kind::Int, Kind::Number]) {
        Some(Kind::Number)
    } else {
        None
    }
}

fn bounds(fields: &Fields<'_>, rules: &mut Rules, findings: &mut Findings) {
    let mut bound = |key: &'static str| {
        let field = fields.get(key)?;
        if !matches!(rules.kind, Some(Kind::Int | Kind::Number)) {
            // Of a type that is unknown, that was said.
            if rules.kind.is_some() || fields.get("type").is_none() {
                let help = format!("add `type: int` or `type: number`, or remove `{key}`");
                field.add(findings, format!("`{key}` is for numbers"), help);
            }
            return None;
        }
        let Value::Number(number) = &field.node.value else {
            let message = format!("`{key}` takes a number, not {}", field.node.kind());
            field.add(findings, message, "write a number without quotes".to_owned());
            return None;
        };
        if rules.kind == Some(Kind::Int)
            && !(decimal::is_whole(number) && number.as_str().parse::<i64>().is_ok())
        {
            let message = format!("`{key}` is not a whole number of 64 bits: {number}");
            field.add(findings, message, "write one, or set `type: number`".to_owned());
            return None;
        }
        Some(number.clone())
    };
    let (min, max) = (bound("min"), bound("max"));
    if let (Some(min), Some(max)) = (&min, &max)
        && decimal::compare(min, max).is_gt()
        && let Some(field) = fields.get("max")
    {
        let message = format!("`max` is smaller than `min`, {min}");
        field.add(findings, message, "raise it, or lower `min`".to_owned());
    }
    (rules.min, rules.max) = (min, max);
}

fn pattern(field: &Field<'_>, rules: &mut Rules, findings: &mut Findings) -> Option<Pattern> {
    let text = field.text(findings)?;
    match rules.kind {
        None => rules.kind = Some(Kind::String),
        Some(Kind::String) => {}
        Some(kind) => {
            let message = format!("`pattern` is for text, and the type is `{}`", kind.as_str());
            let help = "remove it, or set `type: string`".to_owned();
            field.add(findings, message, help);
            return None;
        }
    }
    // Each takes time to compile, a wrong one as well.
    let too_many = |field: &Field<'_>, findings: &mut Findings| {
        let help = "leave the pattern out, and check the value in a step".to_owned();
        field.add(findings, "the document has too many regular expressions", help);
    };
    if !findings.take_patterns(0) {
        too_many(field, findings);
        return None;
    }
    match Pattern::new(&text) {
        Ok(pattern) if findings.take_patterns(pattern.bytes()) => Some(pattern),
        Ok(_) => {
            too_many(field, findings);
            None
        }
        Err(why) => {
            findings.take_patterns(PATTERN_TRIED_BYTES);
            let message = format!("`pattern` is no regular expression that can be used: {why}");
            let help = "write one of linear time, without look-around and back references; all of \
                        the value has to match it";
            field.add(findings, message, help.to_owned());
            None
        }
    }
}
