//! A value as YAML for people: block style, scripts as they were written.               (pure)
//!
//! What it writes reads back as the same value.

use serde_json::Value;

/// A list of scalars that is not longer than this stands on one line.
const LINE_BYTES: usize = 60;

/// The text, each line with its end.
#[must_use]
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => entries(map, 0, &mut text),
        Value::Array(list) if !list.is_empty() => items(list, 0, &mut text),
        scalar => text = format!("{}\n", flow(scalar)),
    }
    text
}

fn entries(map: &serde_json::Map<String, Value>, depth: usize, text: &mut String) {
    for (key, value) in map {
        indent(depth, text);
        text.push_str(&plain_or_quoted(key));
        text.push(':');
        after(value, depth, text);
    }
}

fn items(list: &[Value], depth: usize, text: &mut String) {
    for value in list {
        indent(depth, text);
        text.push('-');
        match value {
            // The first key stands behind the dash.
            Value::Object(map) if !map.is_empty() => {
                let from = text.len();
                entries(map, depth + 1, text);
                text.replace_range(from..from + 2 * (depth + 1), " ");
            }
            value => after(value, depth, text),
        }
    }
}

/// What stands behind a `:` or a `-`.
fn after(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            entries(map, depth + 1, text);
        }
        Value::Array(list) if !list.is_empty() && !is_short(value) => {
            text.push('\n');
            items(list, depth + 1, text);
        }
        Value::String(script) if is_block(script) => {
            let (body, sign) = match script.strip_suffix('\n') {
                Some(body) => (body, "|"),
                None => (script.as_str(), "|-"),
            };
            text.push(' ');
            text.push_str(sign);
            text.push('\n');
            for line in body.split('\n') {
                if !line.is_empty() {
                    indent(depth + 1, text);
                    text.push_str(line);
                }
                text.push('\n');
            }
        }
        value => {
            text.push(' ');
            text.push_str(&flow(value));
            text.push('\n');
        }
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// On one line. JSON is YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text),
        value => value.to_string(),
    }
}

fn is_short(list: &Value) -> bool {
    let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
    list.as_array().is_some_and(|list| list.iter().all(is_scalar))
        && list.to_string().len() <= LINE_BYTES
}

/// Whether it is written as a block of lines: it has several, and no character is lost there.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let is_lost = |c: char| c.is_control() && c != '\n' && c != '\t';
    // Blank lines at the end would be cut, and blanks in front would be taken as indentation.
    text.contains('\n')
        && !body.is_empty()
        && !body.ends_with('\n')
        && !body.starts_with(['\n', ' ', '\t'])
        && !body
            .split('\n')
            .any(|line| line.ends_with([' ', '\t']) || line.trim().is_empty() && !line.is_empty())
        && !text.contains(is_lost)
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'])
}

/// A word that is nothing but text stands without quotes.
fn plain_or_quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _-./".contains(c));
    // The last five are booleans to readers of YAML 1.1.
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if is_plain && !words.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::workflow::check::{self, Source};
    use crate::workflow::document::Format;

    fn read_back(text: &str) -> Result<Value, String> {
        let source = Source { name: "test", text, format: Format::Yaml, default_id: None };
        check::tree(&source).map_err(|problems| format!("{problems}\n{text}"))
    }

    #[test]
    fn a_definition_looks_as_people_write_it() {
        let value = json!({
            "id": "etl", "timeout": "5m", "share": 1.5, "flag": true, "word": "no", "env": {},
            "steps": [
                {"name": "a", "depends_on": [], "run": "set -e\n\nmake \"$X\"\n"},
                {"name": "b", "depends_on": ["a"], "run": ["sh", "-c", "x\ny"], "retry": {"max_attempts": 3}},
            ],
        });
        let expected = "id: etl\ntimeout: \"5m\"\nshare: 1.5\nflag: true\nword: \"no\"\nenv: {}\nsteps:\n  \
                        - name: a\n    depends_on: []\n    run: |\n      set -e\n\n      make \"$X\"\n  \
                        - name: b\n    depends_on: [\"a\"]\n    run: [\"sh\",\"-c\",\"x\\ny\"]\n    \
                        retry:\n      max_attempts: 3\n";
        assert_eq!(yaml(&value), expected.replace("timeout: 5m", "timeout: \"5m\""));
        assert_eq!(read_back(&yaml(&value)).unwrap(), value);
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z ._/-]{0,12}",
            "([ \\t]?[a-z#:'\"|>&*!%@`{}\\[\\],-]{0,6} ?\n){0,4}[a-z ]{0,5}\n?",
            any::<String>(),
            Just("null".to_owned()),
            Just("~".to_owned()),
            Just("1e3".to_owned()),
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            texts().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((texts(), inner), 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_back_as_the_same(value in values()) {
            // A document is a map.
            let value = json!({"k": value});
            prop_assert_eq!(read_back(&yaml(&value)), Ok(value));
        }
    }
}
