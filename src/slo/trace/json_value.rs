//! A value of a JSON document, as a field of a line.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::line::{Raw, Why};

/// A value as it is written.
pub(super) fn raw(value: Option<&RawValue>) -> Result<Raw<'_>, Why> {
    let text = value.map_or("null", RawValue::get);
    Ok(match text.as_bytes().first() {
        Some(b'"') => {
            Raw::Text(serde_json::from_str::<Text<'_>>(text).map_err(|error| json(&error))?.0)
        }
        Some(b't') => Raw::Bool(true),
        Some(b'f') => Raw::Bool(false),
        Some(b'n') | None => Raw::Null,
        Some(b'{' | b'[') => Raw::Nested,
        Some(_) => Raw::Number(text),
    })
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn json(error: &serde_json::Error) -> Why {
    let text = error.to_string();
    // The message names the line separately; here it is always the first.
    Why::Json(text.replace("at line 1 column", "at column"))
}
