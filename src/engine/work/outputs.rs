//! Reads the outputs of a step: `key=value` lines in the file `$WFX_OUTPUT`, and values of several
//! lines between `key<<WORD` and a line `WORD`; and its standard output, if it is to be one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::workflow::output::tail::Whole;
use crate::workflow::record::Outputs;

/// The most bytes of outputs of one step.
pub(crate) const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// How many characters of a line are quoted.
const QUOTED_MAX: usize = 80;

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
    /// No process can be given such a value.
    #[error("line {line} of $WFX_OUTPUT has a NUL character, which no process can be given")]
    Nul {
        /// From 1.
        line: usize,
    },
    /// Neither `key=value` nor the beginning of a value of several lines.
    #[error(
        "line {line} of $WFX_OUTPUT is neither `key=value` nor `key<<WORD`, with a key of letters, \
         digits and `_`: {text:?}"
    )]
    BadLine {
        /// From 1.
        line: usize,
        text: String,
    },
    /// The word that ends a value of several lines never comes.
    #[error(
        "line {line} of $WFX_OUTPUT begins the value of `{key}`, and no later line is {word:?} \
         alone, which would end it"
    )]
    Unterminated {
        /// From 1.
        line: usize,
        key: String,
        word: String,
    },
    /// Standard output is no value of an output.
    #[error("standard output cannot be stored as the output `{key}`: {why}")]
    BadStdout { key: String, why: String },
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
    let mut lines = bytes.split(|&byte| byte == b'\n').enumerate();
    while let Some((index, bytes)) = lines.next() {
        let line = index + 1;
        let text = text_of(bytes, line)?;
        if text.is_empty() {
            continue;
        }
        let bad = || OutputsError::BadLine { line, text: brief(text) };
        // Whichever comes first, so that values may have both.
        let first = text.find('=').into_iter().chain(text.find("<<")).min().ok_or_else(bad)?;
        let (key, rest) = text.split_at(first);
        if !is_key(key) {
            return Err(bad());
        }
        if rest.contains('\0') {
            return Err(OutputsError::Nul { line });
        }
        let value = match rest.strip_prefix("<<") {
            Some(word) if word.is_empty() || word.contains(char::is_whitespace) => {
                return Err(bad());
            }
            Some(word) => {
                let mut value: Option<String> = None;
                loop {
                    let Some((index, bytes)) = lines.next() else {
                        let (key, word) = (key.to_owned(), brief(word));
                        return Err(OutputsError::Unterminated { line, key, word });
                    };
                    let more = text_of(bytes, index + 1)?;
                    if more == word {
                        break value.unwrap_or_default();
                    }
                    if more.contains('\0') {
                        return Err(OutputsError::Nul { line: index + 1 });
                    }
                    value = Some(value.map_or_else(|| more.to_owned(), |text| text + "\n" + more));
                }
            }
            None => rest[1..].to_owned(),
        };
        outputs.insert(key.to_owned(), value);
    }
    Ok(outputs)
}

/// The beginning of a text. It ends in an ellipsis where it is cut: notifications mask what a cut
/// leaves of a secret.
fn brief(text: &str) -> String {
    let cut = text.char_indices().nth(QUOTED_MAX).map_or(text.len(), |(at, _)| at);
    let ellipsis = if cut < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", &text[..cut])
}

fn text_of(bytes: &[u8], line: usize) -> Result<&str, OutputsError> {
    std::str::from_utf8(bytes).map_err(|_| OutputsError::NotText { line })
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Adds standard output without its last line end as the output `key`.
///
/// # Errors
/// [`OutputsError::BadStdout`] when it is too long or no text, or when `$WFX_OUTPUT` has the key.
pub(crate) fn add_stdout(
    outputs: &mut Outputs,
    key: &str,
    stdout: Whole,
) -> Result<(), OutputsError> {
    let bad = |why: String| OutputsError::BadStdout { key: key.to_owned(), why };
    let too_long =
        || bad(format!("it has {} bytes of at most {OUTPUT_BYTES_MAX}", stdout.total_bytes));
    let mut bytes = stdout.bytes.ok_or_else(too_long)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() > OUTPUT_BYTES_MAX {
        return Err(too_long());
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| bad(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
    if text.contains('\0') {
        return Err(bad("it has a NUL character, which no process can be given".to_owned()));
    }
    if outputs.contains_key(key) {
        return Err(bad(
            "$WFX_OUTPUT has an output of this name too: rename one of them".to_owned()
        ));
    }
    outputs.insert(key.to_owned(), text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_taken_to_the_letter() {
        let outputs = parse(b"a=1\n\n_b2= $(rm -rf /) \nurl=http://x/?a=b\na=2").unwrap();
        let pairs: Vec<(&str, &str)> =
            outputs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "2"), ("_b2", " $(rm -rf /) "), ("url", "http://x/?a=b")]);
    }

    #[test]
    fn a_value_may_have_several_lines() {
        let text =
            b"a<<END\none\n\n  b=2 <<END\nEND\nb=x<<y\nc<<E=F\nE=F\nd<<A\n\nA\n_e<<-\nx\r\n-";
        let outputs = parse(text).unwrap();
        let pairs: Vec<(&str, &str)> =
            outputs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [("a", "one\n\n  b=2 <<END"), ("b", "x<<y"), ("c", ""), ("d", ""), ("_e", "x\r")]
        );
    }

    #[test]
    fn a_value_that_does_not_end_is_named() {
        let error = parse(b"x=1\nlog<<EOF\nline\nEOF \n").unwrap_err().to_string();
        for part in ["line 2", "`log`", "\"EOF\""] {
            assert!(error.contains(part), "{error}");
        }
        for text in ["a<<", "a<< EOF\nEOF", "a b<<E\nE", "<<E\nE", "a<<E F\nE F"] {
            assert!(
                matches!(parse(text.as_bytes()), Err(OutputsError::BadLine { .. })),
                "{text:?}"
            );
        }
        assert!(matches!(parse(b"a<<E\n\xff\nE"), Err(OutputsError::NotText { line: 2 })));
        assert!(matches!(parse(b"a<<E\n\0\nE"), Err(OutputsError::Nul { line: 2 })));
    }

    #[test]
    fn standard_output_is_taken_whole_or_not_at_all() {
        let take = |bytes: &[u8]| {
            let (total_bytes, bytes) = (bytes.len() as u64, Some(bytes.to_vec()));
            let mut outputs = Outputs::from([("other".to_owned(), "1".to_owned())]);
            let taken = add_stdout(&mut outputs, "it", Whole { bytes, total_bytes });
            assert_eq!(outputs["other"], "1");
            taken.map(|()| outputs["it"].clone()).map_err(|error| error.to_string())
        };
        assert_eq!(take(b""), Ok(String::new()));
        assert_eq!(take(b"a\n\n"), Ok("a\n".to_owned()));
        let most = "x".repeat(OUTPUT_BYTES_MAX);
        assert_eq!(take(format!("{most}\n").as_bytes()), Ok(most.clone()));
        for (bytes, why) in [
            (format!("{most}x").as_bytes(), "65537 bytes of at most 65536"),
            (b"ab\xff", "byte 2 is not UTF-8"),
            (b"a\0", "NUL"),
        ] {
            assert!(take(bytes).unwrap_err().contains(why));
        }
        let mut both = Outputs::from([("it".to_owned(), String::new())]);
        assert!(add_stdout(&mut both, "it", Whole::default()).is_err());
        let whole = Whole { bytes: Some(Vec::new()), total_bytes: 0 };
        let error = add_stdout(&mut both, "it", whole).unwrap_err().to_string();
        assert!(error.contains("rename"), "{error}");
    }

    proptest! {
        #[test]
        fn any_lines_but_the_word_come_back(
            values in prop::collection::vec("[^\0]{0,40}", 0..5),
        ) {
            let mut text = String::new();
            let mut expected = Outputs::new();
            for (index, value) in values.into_iter().enumerate() {
                if !value.split('\n').any(|line| line == "END") {
                    text += &format!("v{index}<<END\n{value}\nEND\n");
                    expected.insert(format!("v{index}"), value);
                }
            }
            prop_assert_eq!(parse(text.as_bytes()).unwrap(), expected);
        }
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
