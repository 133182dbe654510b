//! Documents that are read as trees: JSON, YAML or TOML.

use std::path::Path;

use serde_json::Value;

use super::source;
use crate::workflow::check::{self, Format, Source};

/// The tree of a file, by its extension, elsewhere by the look of the text.
///
/// # Errors
/// Why there is none.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let text = source::text(path)?;
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return toml::from_str(&text).map_err(|error| error.to_string());
    }
    let format = Format::of(path).unwrap_or_else(|| check::sniff(&text));
    of_text(&text, format, &path.display().to_string())
}

/// The tree of a text that messages call `name`.
///
/// # Errors
/// Why there is none.
pub(super) fn of_text(text: &str, format: Format, name: &str) -> Result<Value, String> {
    check::tree(&Source { name, text, format, default_id: None })
        .map_err(|problems| problems.to_string())
}
