//! Files of variables for a step (`env_file`). Values are data: nothing in them is expanded or run.
//!
//! A line is `NAME=VALUE`, with blanks around both and `export ` before it; empty lines and those
//! that begin with `#` say nothing. A value without quotes ends at the end of the line, or at a
//! `#` after a blank. One in single quotes is taken to the letter, one in double quotes knows the
//! escapes `\n`, `\r`, `\t`, `\"`, `\\` and `\$`; both may have several lines. No error quotes a
//! value, since it may be a secret.

use super::environment;

/// The largest file, bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// A line that is none of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct BadLine {
    /// From 1.
    pub line: usize,
    pub what: String,
}

/// The variables of a file in its order; a name may come twice.
///
/// # Errors
/// [`BadLine`] for the first line that is wrong.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, BadLine> {
    let line_of = |at: usize| 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
    let bad = |at, what: &str| BadLine { line: line_of(at), what: what.to_owned() };
    let text =
        std::str::from_utf8(bytes).map_err(|error| bad(error.valid_up_to(), "it is not UTF-8"))?;
    if let Some(at) = text.find('\0') {
        return Err(bad(at, "it has a NUL character, which no process can be given"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut scanner = Scanner { rest: text, line: 1 };
    let mut variables = Vec::new();
    while !scanner.rest.is_empty() {
        variables.extend(scanner.variable()?);
    }
    Ok(variables)
}

struct Scanner<'a> {
    /// From the beginning of a line.
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    fn bad<T>(&self, what: impl Into<String>) -> Result<T, BadLine> {
        Err(BadLine { line: self.line, what: what.into() })
    }

    /// Takes the rest of the line with its end.
    fn take_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// The variable of the next line, if it has one.
    fn variable(&mut self) -> Result<Option<(String, String)>, BadLine> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            self.take_line();
            return Ok(None);
        }
        let Some((before, value)) = line.split_once('=') else {
            return self.bad("it is not `NAME=VALUE`");
        };
        let name = before.trim();
        let name = match name.strip_prefix("export") {
            Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim(),
            _ => name,
        };
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return self.bad("a name has letters, digits and `_`, and does not begin with a digit");
        }
        if environment::is_reserved(name) {
            return self.bad(format!("`{name}` is set by wfx itself: choose another name"));
        }
        let blanks = value.len() - value.trim_start_matches([' ', '\t']).len();
        self.rest = &self.rest[before.len() + 1 + blanks..];
        let value = match self.rest.chars().next() {
            Some('\'') => self.single_quoted()?,
            Some('"') => self.double_quoted()?,
            _ => bare(self.take_line()).to_owned(),
        };
        Ok(Some((name.to_owned(), value)))
    }

    fn single_quoted(&mut self) -> Result<String, BadLine> {
        let Some((value, rest)) = self.rest[1..].split_once('\'') else {
            return self.bad("the quote `'` is not closed");
        };
        self.rest = rest;
        self.line += value.matches('\n').count();
        self.after_quote()?;
        Ok(value.to_owned())
    }

    fn double_quoted(&mut self) -> Result<String, BadLine> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        let mut lines = 0;
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    self.line += lines;
                    self.after_quote()?;
                    return Ok(value);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, c @ ('"' | '\\' | '$'))) => value.push(c),
                    _ => {
                        self.line += lines;
                        return self.bad(
                            "in double quotes `\\` is followed by n, r, t, `\"`, `\\` or `$`; in \
                             single quotes it stands for itself",
                        );
                    }
                },
                c => {
                    lines += usize::from(c == '\n');
                    value.push(c);
                }
            }
        }
        self.bad("the quote `\"` is not closed")
    }

    /// Nothing but a comment may follow a closed quote.
    fn after_quote(&mut self) -> Result<(), BadLine> {
        let line = self.rest.split('\n').next().unwrap_or_default().trim();
        if !line.is_empty() && !line.starts_with('#') {
            return self.bad("something follows the closing quote");
        }
        self.take_line();
        Ok(())
    }
}

/// A value without quotes.
fn bare(line: &str) -> &str {
    if line.starts_with('#') {
        return "";
    }
    let comment = line.match_indices('#').map(|(at, _)| at);
    let end = comment.into_iter().find(|&at| line[..at].ends_with([' ', '\t']));
    line[..end.unwrap_or(line.len())].trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn values_are_data() {
        let text = "\u{feff}# a comment\n\nA=1\nexport B = two words  # not this\nC=a#b\r\n\
                    D='$(id) \\n # \"x\"'\nE=\"a\\n\\\"b\\\"\\\\ \\$HOME $HOME\" # said\nF=\n\
                    G='line 1\nline 2'\nN=\u{a0}x\u{a0} \nH=`id` $(id) ${A}\nI=#none\n_j2=x=y=z\nA=2";
        assert_eq!(
            pairs(text),
            [
                pair("A", "1"),
                pair("B", "two words"),
                pair("C", "a#b"),
                pair("D", "$(id) \\n # \"x\""),
                pair("E", "a\n\"b\"\\ $HOME $HOME"),
                pair("F", ""),
                pair("G", "line 1\nline 2"),
                // A blank is a space or a tab.
                pair("N", "\u{a0}x\u{a0}"),
                pair("H", "`id` $(id) ${A}"),
                pair("I", ""),
                pair("_j2", "x=y=z"),
                pair("A", "2"),
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named_and_no_value_is() {
        for (line, text) in [
            ("", "secret"),
            ("", "1A=secret"),
            ("", "A B=secret"),
            ("", "=secret"),
            ("", "é=secret"),
            ("", "A='secret"),
            ("", "A=\"secret"),
            ("", "A='x' secret"),
            ("", "A=\"\\x secret\""),
            ("", "A=secret\0"),
            ("", "WFX_PARAM_A=secret"),
            ("B='1\n2'\n", "C=\"secret\\\n\""),
        ] {
            let text = format!("# first\nX='a'\n{line}{text}\nY=b\n");
            let expected = 3 + line.matches('\n').count();
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, expected, "{text:?}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(parse(b"A=1\nB=\xff").unwrap_err().line, 2);
    }

    proptest! {
        #[test]
        fn any_text_in_double_quotes_comes_back(values in prop::collection::vec("[^\0]{0,30}", 0..5)) {
            let mut text = String::new();
            for (index, value) in values.iter().enumerate() {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                text += &format!("V{index}=\"{value}\"\n");
            }
            let read: Vec<String> = pairs(&text).into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn no_bytes_end_in_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
