//! Parameters: those that a workflow declares, and those that an execution is given.

use super::super::definition::{
    Definition, PROCESS_STRING_BYTES_MAX, Parameters, Scalar, environment_name,
};
use super::super::document::Value;
use super::super::parameter::{Kind, Parameter, Rules};
use super::super::problem::{Findings, Pointer, Problems};
use super::field::{Field, Fields};
use super::{Named, declared, name, nearest};
use crate::base::visible::{quote, quote_list};

const PREFIX: &str = "WFX_PARAM_";

/// A parameter beyond this number is no mistyped one.
const MISTYPED_MAX: usize = 50;

/// The `params` of a workflow.
pub(super) fn declared(fields: &Fields<'_>, findings: &mut Findings) -> Named<Parameter> {
    let mut declared = Named::new();
    let Some(map) = fields.get("params") else { return declared };
    let entries = map
        .entries("a map of names and default values, or of names and maps", findings)
        .unwrap_or_default();
    let pointers: Vec<String> = entries.iter().map(|entry| entry.field().at.to_string()).collect();
    name::refuse_clashes(
        entries.iter().zip(&pointers).map(|(entry, at)| (entry.name, entry.span, at.as_str())),
        "parameters",
        PREFIX,
        true,
        findings,
    );
    for (entry, at) in entries.iter().zip(pointers) {
        let name = entry.name;
        if name.is_empty() || name.chars().any(|c| c == '=' || c.is_control()) {
            let message = format!("{} cannot be the name of a parameter", quote(name));
            let help = "a name is not empty and has no `=` and no control character".to_owned();
            findings.add(entry.span, at, message, help);
            continue;
        }
        let field = entry.field();
        let more = PREFIX.len() + environment_name(name).len() + 1;
        let check_text = |field: &Field<'_>, value: &Scalar, findings: &mut Findings| {
            field.check_process_text(&value.to_string(), more, findings)
        };
        let parameter = if let Value::Map(_) = field.node.value {
            declared::read(&field, check_text, findings)
        } else {
            let value = field.scalar(findings);
            value.filter(|value| check_text(&field, value, findings).is_some()).map(Parameter::from)
        };
        declared.extend(parameter.map(|parameter| (name.to_owned(), parameter)));
    }
    declared
}

/// The source of parameters, and so where a missing one is to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBy {
    /// Flags of the command line.
    Flags,
    /// The `params` in the body of a request for a workflow that is known.
    Request,
    /// Not given: the body of the request is the workflow itself.
    Nobody,
}

impl GivenBy {
    fn remedy(self, name: &str, rules: Option<&Rules>) -> String {
        match self {
            Self::Flags => format!("give it with `-p {name}=VALUE`"),
            Self::Request => format!(
                "give it in the body of the request, with curl: `-H 'Content-Type: \
                 application/json' -d '{}'`",
                serde_json::json!({"params": {name: example(rules)}})
            ),
            Self::Nobody if rules.is_some() => {
                "give it a `default` in `params` of the workflow in the body".to_owned()
            }
            Self::Nobody => "give it a value in `params` of the workflow in the body".to_owned(),
        }
    }
}

/// A value of the type, for an example.
fn example(rules: Option<&Rules>) -> Scalar {
    let number = |rules: &Rules| rules.min.clone().or_else(|| rules.max.clone());
    match rules {
        Some(rules) if !rules.choices.is_empty() => rules.choices[0].clone(),
        Some(rules) => match rules.kind {
            Some(Kind::Int | Kind::Number) => {
                Scalar::Number(number(rules).unwrap_or_else(|| 1.into()))
            }
            Some(Kind::Bool) => Scalar::Bool(true),
            Some(Kind::String) | None => Scalar::String("VALUE".to_owned()),
        },
        None => Scalar::String("VALUE".to_owned()),
    }
}

/// The value of a typed parameter. Flags give text, of which the type makes a value; a request gives
/// values, which have to have the type. What it takes and what may be meant, if it is none.
fn typed(rules: &Rules, given: &Scalar, by: GivenBy) -> Result<Scalar, (String, Option<String>)> {
    let value = match (by, given) {
        (GivenBy::Flags, Scalar::String(text)) => rules.read(text),
        _ => rules.take(given),
    };
    value.map_err(|misfit| (misfit.takes, misfit.remedy.or_else(|| declared::near(rules, given))))
}

/// The value of a parameter in an earlier execution, as this type holds it: the type may have been
/// declared since. What it takes, if it is none.
fn typed_since(rules: &Rules, earlier: &Scalar) -> Result<Scalar, String> {
    rules.take(earlier).or_else(|misfit| match earlier {
        Scalar::Null => Err(misfit.takes),
        value => rules.read(&value.to_string()).map_err(|misfit| misfit.takes),
    })
}

/// The parameters of one execution: the declared defaults, and over them what is
/// `given` as name and value.
///
/// # Errors
/// Everything that is wrong with them: undeclared ones, missing ones, one given
/// twice, values that no process can be given.
pub fn parameters(
    definition: &Definition,
    given: &[(String, Scalar)],
    by: GivenBy,
) -> Result<Parameters, Problems> {
    parameters_over(definition, &Parameters::new(), given, by)
}

/// The same, with values that an earlier execution had in place of defaults. All of these are
/// declared, and not given.
///
/// # Errors
/// As [`parameters`], and earlier values that do not fit any more.
pub(crate) fn parameters_over(
    definition: &Definition,
    earlier: &Parameters,
    given: &[(String, Scalar)],
    by: GivenBy,
) -> Result<Parameters, Problems> {
    let mut findings = Findings::default();
    let mut parameters: Parameters =
        definition.params.iter().map(|(name, it)| (name.clone(), it.default.clone())).collect();
    let root = Pointer::ROOT.key("params");
    for (name, value) in earlier {
        let rules = definition.params.get(name).and_then(|it| it.rules.as_deref());
        let value = match rules.map(|rules| typed_since(rules, value)) {
            None => value.clone(),
            Some(Ok(value)) => value,
            Some(Err(takes)) => {
                let message = format!(
                    "the parameter {} takes {takes}, and the execution that is replayed had {}",
                    quote(name),
                    quote(&value.to_string())
                );
                findings.add(None, root.key(name).to_string(), message, by.remedy(name, rules));
                // It has a value, though a wrong one.
                Scalar::Bool(false)
            }
        };
        parameters.insert(name.clone(), value);
    }
    let mut refuse = |name: &str, message: String, help: Option<String>| {
        findings.add(None, root.key(name).to_string(), message, help);
    };
    for (index, (name, value)) in given.iter().enumerate() {
        let Some(parameter) = definition.params.get(name) else {
            let known = definition.params.keys().map(String::as_str);
            let near = (index < MISTYPED_MAX).then(|| nearest::nearest(name, known.clone()));
            let help = match near.flatten() {
                Some(near) => format!("did you mean {}?", quote(near)),
                None if definition.params.is_empty() => "it declares none in `params`".to_owned(),
                None => format!("it declares {}", quote_list(known)),
            };
            let message = format!("the workflow has no parameter {}", quote(name));
            refuse(name, message, Some(help));
            continue;
        };
        if given[..index].iter().any(|(earlier, _)| earlier == name) {
            let message = format!("the parameter {} is given twice", quote(name));
            refuse(name, message, Some("give it once".to_owned()));
            continue;
        }
        let text = value.to_string();
        let bytes = PREFIX.len() + environment_name(name).len() + 1 + text.len();
        if text.contains('\0') {
            let message = format!("the parameter {} has a NUL character", quote(name));
            refuse(name, message, Some("hand the data on in a file".to_owned()));
        } else if bytes > PROCESS_STRING_BYTES_MAX {
            let message = format!(
                "the parameter {} takes {bytes} bytes with its name, of at most \
                 {PROCESS_STRING_BYTES_MAX}",
                quote(name)
            );
            refuse(name, message, Some("put it into a file and give the file's name".to_owned()));
        }
        let value = match &parameter.rules {
            None => Ok(value.clone()),
            Some(rules) => typed(rules, value, by),
        };
        match value {
            Ok(value) => _ = parameters.insert(name.clone(), value),
            Err((takes, remedy)) => {
                let message =
                    format!("the parameter {} takes {takes}, not {}", quote(name), quote(&text));
                refuse(name, message, remedy);
                // It is given, though wrong.
                parameters.insert(name.clone(), Scalar::Bool(false));
            }
        }
    }
    for (name, _) in parameters.iter().filter(|(_, value)| **value == Scalar::Null) {
        let message = format!("the parameter {} is required", quote(name));
        let rules = definition.params.get(name).and_then(|it| it.rules.as_deref());
        let takes = rules.map(|rules| format!("; it takes {}", rules.in_words()));
        refuse(name, message, Some(by.remedy(name, rules) + &takes.unwrap_or_default()));
    }
    if findings.is_empty() {
        Ok(parameters)
    } else {
        Err(Problems::new(&definition.id, "", findings))
    }
}
