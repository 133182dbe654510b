//! The flags of commands that work with a daemon as well as with a database.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{CliError, Context, given, tokens};
use crate::base::exit::Exit;
use crate::client::error::{ClientError, ClientErrorKind};
use crate::client::server::Server;
use crate::client::source::{Source, SourceError};
use crate::repository::Reader;

const DAEMON: &str = "Daemon";

/// Which daemon, and with which token.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServerArgs {
    /// Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or
    /// https://HOST [WFX_SERVER; default: none]
    #[arg(long, value_name = "WHERE", help_heading = DAEMON)]
    pub server: Option<String>,
    /// The file with the token that the daemon wants [WFX_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE", help_heading = DAEMON)]
    pub token_file: Option<PathBuf>,
    /// Send to another machine over http://, where others can read the token
    #[arg(long, help_heading = DAEMON)]
    pub insecure: bool,
}

impl ServerArgs {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        given([("WFX_SERVER", &self.server)]).collect()
    }

    /// The daemon, if there is to be one.
    ///
    /// # Errors
    /// Exit 2 for settings that are wrong.
    pub(super) fn server(&self, context: &Context) -> Result<Option<Server>, CliError> {
        let Some(address) = context.settings.server()? else {
            if self.token_file.is_some() || self.insecure {
                let message = "--token-file and --insecure are for a daemon, and none is named";
                return Err(CliError::new(Exit::Usage, message)
                    .with_hint("name it with --server or WFX_SERVER"));
            }
            return Ok(None);
        };
        if address.is_readable_by_others() && !self.insecure {
            let message = format!(
                "what is sent to {address} can be read and changed on the way, the token too"
            );
            return Err(CliError::new(Exit::Usage, message).with_hint(
                "use https:// (a proxy before the daemon), or a tunnel to a unix socket, or accept \
                 it with --insecure",
            ));
        }
        // On a unix socket the file decides, and nobody asks for a token.
        let token = match &self.token_file {
            Some(file) => Some(tokens::of_client(file)?),
            None => context.settings.token()?,
        };
        Ok(Some(Server::new(address, token.as_deref())?))
    }

    /// The daemon; a command that works with nothing else.
    ///
    /// # Errors
    /// As [`Self::server`], and exit 2 when none is named.
    pub(super) fn needed(&self, context: &Context) -> Result<Server, CliError> {
        self.server(context)?.ok_or_else(|| {
            CliError::new(Exit::Usage, "no daemon is named that is to run it").with_hint(
                "name it with --server or WFX_SERVER, such as `--server unix:/run/wfx.sock` or \
                 `--server http://127.0.0.1:8080`; without a daemon, `wfx exec FILE` runs a workflow",
            )
        })
    }

    /// Where executions are read from.
    ///
    /// # Errors
    /// As [`Self::server`], and exit 3 when the database cannot be read.
    pub(super) fn source(&self, context: &Context) -> Result<Source, CliError> {
        match self.server(context)? {
            Some(server) => Ok(Source::Server(Box::new(server))),
            None => Ok(Source::Database(Reader::open(&context.settings.database()?)?)),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let exit = match error.kind() {
            ClientErrorKind::Refused | ClientErrorKind::Unknown => Exit::Usage,
            ClientErrorKind::Busy => Exit::Failed,
            ClientErrorKind::Environment | ClientErrorKind::Broken => Exit::Environment,
        };
        let cli_error = Self::new(exit, error.to_string());
        match error.hint() {
            Some(hint) => cli_error.with_hint(hint),
            None => cli_error,
        }
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Store(error) => error.into(),
            SourceError::Server(error) => error.into(),
            SourceError::Deleted(_) => Self::new(Exit::Environment, error.to_string()),
        }
    }
}
