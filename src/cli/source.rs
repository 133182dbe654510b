//! Reads a workflow document from a file or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::CliError;
use crate::exit::Exit;
use crate::workflow::check::{self, Format, Problems, Source};
use crate::workflow::definition::Definition;

/// The largest document that is read.
const DOCUMENT_BYTES_MAX: u64 = check::DOCUMENT_BYTES_MAX as u64;

/// The text of a document and what it is.
#[derive(Debug)]
pub(super) struct Document {
    name: String,
    text: String,
    format: Format,
    default_id: Option<String>,
}

impl Document {
    /// Reads `argument`, `-` being standard input. The format goes by the
    /// extension, elsewhere by the look of the text.
    ///
    /// # Errors
    /// Exit 2 when it cannot be read, is too large or is not UTF-8.
    pub(super) fn read(argument: &Path) -> Result<Self, CliError> {
        let name = argument.display().to_string();
        let refuse = |why: &str| CliError::new(Exit::Usage, format!("cannot read `{name}`: {why}"));
        let is_stdin = argument.as_os_str() == "-";
        let bytes = if is_stdin { bounded(io::stdin().lock()) } else { from_file(argument) };
        let bytes = bytes.map_err(|error| refuse(&error.to_string()))?;
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(refuse("a workflow of more than 16 MiB is not taken"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            refuse(&format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
        })?;
        let extension = argument.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("json") => Format::Json,
            Some("yaml" | "yml") => Format::Yaml,
            _ => check::sniff(&text),
        };
        let stem = argument.file_stem().filter(|_| !is_stdin);
        let default_id = stem.map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, text, format, default_id })
    }

    /// Checks it.
    ///
    /// # Errors
    /// [`Problems`], all of them.
    pub(super) fn check(&self) -> Result<Definition, Problems> {
        check::read(&Source {
            name: &self.name,
            text: &self.text,
            format: self.format,
            default_id: self.default_id.as_deref(),
        })
    }
}

fn from_file(path: &Path) -> io::Result<Vec<u8>> {
    bounded(File::open(path)?)
}

fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
