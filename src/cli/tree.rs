//! Documents that are read as trees: JSON, YAML or TOML.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::workflow::check::{self, Format, Source};

/// The longest document that is read.
const BYTES_MAX: u64 = check::DOCUMENT_BYTES_MAX as u64;

/// The tree of a file, by its extension, elsewhere by the look of the text.
///
/// # Errors
/// Why there is none.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err("it is longer than 16 MiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("toml") => return toml::from_str(&text).map_err(|error| error.to_string()),
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ => check::sniff(&text),
    };
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
