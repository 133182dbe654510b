//! Files with tokens.

use std::path::Path;

use super::CliError;
use crate::base::exit::Exit;
use crate::base::tokens::{self, NamedToken};
use crate::system::files;

/// The longest file with a token or a secret.
pub(super) const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The tokens that a daemon accepts.
///
/// # Errors
/// Exit 2 with the line that is wrong.
pub(super) fn of_daemon(file: &Path) -> Result<Vec<NamedToken>, CliError> {
    read(file).map_err(|why| {
        refuse(file, &why)
            .with_hint("write one token without spaces into it, or lines of `NAME TOKEN`")
    })
}

/// The one token that a client sends.
///
/// # Errors
/// Exit 2 for none, or more than one.
pub(super) fn of_client(file: &Path) -> Result<String, CliError> {
    let hint = "write one token without spaces into it";
    let mut tokens = read(file).map_err(|why| refuse(file, &why).with_hint(hint))?;
    match (tokens.pop(), tokens.len()) {
        (Some(token), 0) => Ok(token.token),
        (_, more) => {
            let why = format!("it holds {} tokens, and a client has one", more + 1);
            Err(refuse(file, &why).with_hint(hint))
        }
    }
}

fn read(file: &Path) -> Result<Vec<NamedToken>, String> {
    let text = files::read_text(file, SECRET_BYTES_MAX).map_err(|error| error.to_string())?;
    tokens::parse(&text).map_err(|error| error.to_string())
}

fn refuse(file: &Path, why: &str) -> CliError {
    CliError::new(Exit::Usage, format!("cannot take a token from {}: {why}", file.display()))
}
