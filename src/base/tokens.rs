//! The tokens of the API as files hold them: one token, or lines of `NAME TOKEN`.        (pure)

use std::fmt;

/// The longest name of a token.
const NAME_LENGTH_MAX: usize = 64;

/// A token, and the name of who has it.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedToken {
    /// Who has it; `None` for the only one, which has no name.
    pub name: Option<String>,
    /// The secret.
    pub token: String,
}

impl fmt::Debug for NamedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedToken").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wrong with a file of tokens. It names lines, and never what stands in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseTokensError {
    #[error("it holds no token of one line")]
    Empty,
    #[error("line {0} is neither `NAME TOKEN` nor the only token")]
    Shape(usize),
    #[error(
        "the name in line {0} is none: letters, digits and `._@-`, at most {NAME_LENGTH_MAX}, the \
         first a letter or a digit"
    )]
    Name(usize),
    #[error("the token in line {0} has characters that no request can send")]
    Token(usize),
    #[error("lines {0} and {1} have the same token")]
    Repeated(usize, usize),
}

/// Reads a file of tokens: lines of `NAME TOKEN`, or one token alone. Blank lines, and lines that
/// begin with `#`, say nothing.
///
/// # Errors
/// The first line that is wrong, from 1.
pub(crate) fn parse(text: &str) -> Result<Vec<NamedToken>, ParseTokensError> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines: Vec<(usize, &str)> =
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
    let mut tokens: Vec<(usize, NamedToken)> = Vec::new();
    for &(number, line) in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, token) = match words[..] {
            [token] if lines.len() == 1 => (None, token),
            [name, token] => (Some(name), token),
            _ => return Err(ParseTokensError::Shape(number)),
        };
        if name.is_some_and(|name| !is_name(name)) {
            return Err(ParseTokensError::Name(number));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) && name.is_some() {
            return Err(ParseTokensError::Token(number));
        }
        if let Some((earlier, _)) = tokens.iter().find(|(_, it)| it.token == token) {
            return Err(ParseTokensError::Repeated(*earlier, number));
        }
        let name = name.map(str::to_owned);
        tokens.push((number, NamedToken { name, token: token.to_owned() }));
    }
    if tokens.is_empty() {
        return Err(ParseTokensError::Empty);
    }
    Ok(tokens.into_iter().map(|(_, token)| token).collect())
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_LENGTH_MAX
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(Option<String>, String)>, ParseTokensError> {
        let tokens = parse(text)?;
        Ok(tokens.into_iter().map(|it| (it.name, it.token)).collect())
    }

    #[test]
    fn a_file_has_one_token_or_names_with_tokens() {
        assert_eq!(read("s3cret\n"), Ok(vec![(None, "s3cret".to_owned())]));
        assert_eq!(read("# mine\n\n  s3cret  \n"), Ok(vec![(None, "s3cret".to_owned())]));
        let named = |name: &str, token: &str| (Some(name.to_owned()), token.to_owned());
        assert_eq!(
            read("# who\nalice a-token\r\n\n\tci.deploy@x  b-token\n"),
            Ok(vec![named("alice", "a-token"), named("ci.deploy@x", "b-token")])
        );
        // One person may have two, while one replaces the other.
        assert_eq!(read("a 1\na 2"), Ok(vec![named("a", "1"), named("a", "2")]));
    }

    #[test]
    fn errors_name_the_line_and_never_the_token() {
        for (text, error) in [
            ("", ParseTokensError::Empty),
            ("# only\n\n", ParseTokensError::Empty),
            ("a s3cret\nt0ken", ParseTokensError::Shape(2)),
            ("s3cret\nt0ken", ParseTokensError::Shape(1)),
            ("a s3cret t0ken", ParseTokensError::Shape(1)),
            ("\na,b s3cret", ParseTokensError::Name(2)),
            ("-a s3cret", ParseTokensError::Name(1)),
            ("a s3crét", ParseTokensError::Token(1)),
            ("a s3cret\nb x\nc s3cret", ParseTokensError::Repeated(1, 3)),
        ] {
            let found = parse(text).unwrap_err();
            assert_eq!(found, error, "{text}");
            let shown = format!("{found} {:?}", parse("a s3cret"));
            assert!(!shown.contains("s3cr") && !shown.contains("t0ken"), "{shown}");
        }
    }
}
