//! Reads the outputs of a step: `key=value` lines in the file `$WFX_OUTPUT`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::workflow::record::Outputs;

/// The most bytes of outputs of one step.
pub(crate) const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// Why the outputs of a step cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputsError {
    /// The file cannot be read.
    #[error("cannot read the outputs in $WFX_OUTPUT: {0}")]
    Unreadable(#[from] io::Error),
    /// The path is not the file that wfx created.
    #[error("$WFX_OUTPUT is no longer a regular file")]
    NotAFile,
    /// More than [`OUTPUT_BYTES_MAX`].
    #[error("the outputs in $WFX_OUTPUT exceed {OUTPUT_BYTES_MAX} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("line {line} of $WFX_OUTPUT is not UTF-8")]
    NotText {
        /// From 1.
        line: usize,
    },
    /// Not `key=value`.
    #[error(
        "line {line} of $WFX_OUTPUT is not `key=value` with a key of letters, digits and `_`: {text:?}"
    )]
    BadLine {
        /// From 1.
        line: usize,
        text: String,
    },
}

/// Reads the file at `path`; a file that was removed hands nothing on.
///
/// # Errors
/// [`OutputsError`] with the line at fault.
pub(crate) fn read(path: &Path) -> Result<Outputs, OutputsError> {
    // O_NONBLOCK: opening a pipe at this path must not block.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(nonblocking).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outputs::new()),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(OutputsError::NotAFile);
    }
    parse(&read_bounded(file)?)
}

fn read_bounded(file: File) -> Result<Vec<u8>, OutputsError> {
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > OUTPUT_BYTES_MAX { Err(OutputsError::TooLarge) } else { Ok(bytes) }
}

/// Reads the lines; empty ones are passed over, a later value of a key replaces
/// an earlier one.
///
/// # Errors
/// [`OutputsError`] with the line at fault.
pub(crate) fn parse(bytes: &[u8]) -> Result<Outputs, OutputsError> {
    let mut outputs = Outputs::new();
    for (index, bytes) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = index + 1;
        let text = std::str::from_utf8(bytes).map_err(|_| OutputsError::NotText { line })?;
        if text.is_empty() {
            continue;
        }
        let bad = || OutputsError::BadLine { line, text: text.chars().take(80).collect() };
        let (key, value) = text.split_once('=').ok_or_else(bad)?;
        let starts_well = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well
            || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            || value.contains('\0')
        {
            return Err(bad());
        }
        outputs.insert(key.to_owned(), value.to_owned());
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_to_the_letter() {
        let outputs = parse(b"a=1\n\n_b2= $(rm -rf /) \nurl=http://x/?a=b\na=2").unwrap();
        let pairs: Vec<(&str, &str)> =
            outputs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "2"), ("_b2", " $(rm -rf /) "), ("url", "http://x/?a=b")]);
    }

    #[test]
    fn a_bad_line_is_named() {
        for text in ["novalue", "=x", "1a=x", "a b=x", "a-b=x", "a=\0", "é=1"] {
            let error = parse(format!("good=1\n{text}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line 2 of $WFX_OUTPUT"), "{error}");
        }
        assert!(matches!(parse(b"a=\xff"), Err(OutputsError::NotText { line: 1 })));
    }
}
