//! The value of a YAML scalar: the core schema of YAML 1.2; numbers retain their text.

use serde_json::Number;

use super::Value;
use crate::base::visible::quote;

/// Why a scalar has no value.
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// The value of a scalar without quotes.
///
/// A number that is valid JSON retains its text; other forms become their value: `0x1f` is 31, `.5`
/// is 0.5. Digits after a leading zero, such as `0755`, are text, since readers of YAML disagree
/// whether they are octal.
pub(super) fn resolve(text: &str) -> Result<Value, Refusal> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(Refusal {
            message: format!("{} is not a number that can be kept", quote(text)),
            help: "put it in quotes if it is meant as text",
        });
    }
    match number(text) {
        Some(number) => number.map(Value::Number),
        None => Ok(Value::String(text.to_owned())),
    }
}

/// The value of a scalar with a tag of the core schema, in quotes or not.
pub(super) fn resolve_as(tag: &str, text: &str) -> Result<Value, Refusal> {
    if tag == "str" {
        return Ok(Value::String(text.to_owned()));
    }
    let value = resolve(text)?;
    let fits = match (&value, tag) {
        (Value::Null, "null") | (Value::Bool(_), "bool") | (Value::Number(_), "float") => true,
        (Value::Number(number), "int") => !number.to_string().contains(['.', 'e', 'E']),
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    Err(Refusal {
        message: format!("{} is not what its tag `!!{tag}` says", quote(text)),
        help: "remove the tag, or write a value that fits it",
    })
}

/// The text of a value as JSON would write it; nothing for lists and maps.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::List(_) | Value::Map(_) => String::new(),
    }
}

/// None when the text is no number.
fn number(text: &str) -> Option<Result<Number, Refusal>> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            let value = u128::from_str_radix(digits, radix).ok().and_then(|n| json(&n.to_string()));
            return Some(value.ok_or_else(|| Refusal {
                message: format!("{} is too large a number", quote(text)),
                help: "put it in quotes if it is meant as text",
            }));
        }
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { "-" } else { "" };
    let mantissa_end = digits.find(['e', 'E']).unwrap_or(digits.len());
    let (mantissa, exponent) = digits.split_at(mantissa_end);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    json(&format!("{sign}{whole}{point}{fraction}{exponent}")).map(Ok)
}

fn json(text: &str) -> Option<Number> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match resolve(text) {
            Ok(Value::String(text)) => format!("text {text}"),
            Ok(Value::Null) => "null".to_owned(),
            Ok(value) => canonical(&value),
            Err(refusal) => refusal.message,
        }
    }

    #[test]
    fn a_number_retains_its_text_or_becomes_its_value() {
        for same in ["0", "-0", "1.10", "1e+5", "123456789012345678901234567890", "-1.50e-7"] {
            assert_eq!(shown(same), same);
        }
        for (text, value) in [
            ("0x1f", "31"),
            ("0o17", "15"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+12", "12"),
            ("-.5e3", "-0.5e+3"),
        ] {
            assert_eq!(shown(text), value, "{text}");
        }
    }

    #[test]
    fn what_readers_of_yaml_disagree_about_is_text() {
        for text in [
            "yes", "no", "on", "off", "y", "0755", "1_000", "12:30", "0b1", "-0x1f", "e5", ".",
            "-", "1e", "+",
        ] {
            assert_eq!(shown(text), format!("text {text}"));
        }
    }

    #[test]
    fn the_core_schema_has_three_spellings_of_each_word() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(shown(text), "null");
        }
        for text in ["true", "True", "TRUE"] {
            assert_eq!(shown(text), "true");
        }
    }

    #[test]
    fn numbers_without_an_end_are_refused() {
        for text in [".inf", "-.INF", ".nan", &format!("0x{}", "f".repeat(40))] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_must_fit() {
        assert!(matches!(resolve_as("str", "5"), Ok(Value::String(_))));
        assert!(matches!(resolve_as("int", "5"), Ok(Value::Number(_))));
        assert!(matches!(resolve_as("float", "5"), Ok(Value::Number(_))));
        for (tag, text) in [("int", "5.5"), ("int", "x"), ("bool", "yes"), ("null", "x")] {
            assert!(resolve_as(tag, text).is_err(), "{tag} {text}");
        }
    }
}
