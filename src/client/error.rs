//! What can go wrong between the command line and a daemon, in words.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use http::StatusCode;
use serde::Deserialize;

use super::address::ServerAddress;
use crate::system::tls::Failure;

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientErrorKind {
    /// The daemon refuses what was asked for.
    Refused,
    /// The executions of a concurrency group are in the way.
    Busy,
    /// What was asked for is not there.
    Unknown,
    /// The daemon cannot be reached, lets nobody in, or fails.
    Environment,
    /// The connection broke: the request may be sent again if it changes nothing.
    Broken,
}

/// Why a request was not answered as expected.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ClientError {
    kind: ClientErrorKind,
    message: String,
    hint: Option<String>,
}

/// A problem as the API sends it (RFC 9457).
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    errors: Vec<Pointed>,
}

#[derive(Debug, Deserialize)]
struct Pointed {
    pointer: String,
    detail: String,
}

impl ClientError {
    pub(super) fn new(kind: ClientErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same without a secret.
    pub(super) fn without(self, secret: &str) -> Self {
        let hide = |text: String| text.replace(secret, "[token]");
        Self { message: hide(self.message), hint: self.hint.map(hide), ..self }
    }

    /// What kind of error it is.
    #[must_use]
    pub(crate) fn kind(&self) -> ClientErrorKind {
        self.kind
    }

    /// Whether the daemon understood, and refuses what was asked for.
    #[must_use]
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.kind, ClientErrorKind::Refused | ClientErrorKind::Unknown)
    }

    /// What can be done.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// No connection was made.
    pub(super) fn connecting(address: &ServerAddress, error: &io::Error) -> Self {
        let kind = ClientErrorKind::Environment;
        match (address, error.kind()) {
            (ServerAddress::Unix(path), io::ErrorKind::NotFound) => {
                Self::new(kind, format!("there is no socket {}", path.display())).with_hint(
                    format!(
                        "`wfx serve --listen {address}` makes it; see whether the daemon runs, and \
                     whether --server or WFX_SERVER names its socket"
                    ),
                )
            }
            (ServerAddress::Unix(path), io::ErrorKind::PermissionDenied) => Self::new(
                kind,
                format!("the socket {} may not be used by this user", path.display()),
            )
            .with_hint(
                "its mode decides: work as its user, or start `wfx serve` with --listen-mode 0660 \
                 and join its group",
            ),
            (ServerAddress::Unix(path), io::ErrorKind::ConnectionRefused) if !is_socket(path) => {
                Self::new(kind, format!("{} is no socket", path.display()))
                    .with_hint("see whether --server or WFX_SERVER names that of `wfx serve`")
            }
            (_, io::ErrorKind::ConnectionRefused) => {
                Self::new(kind, format!("nobody listens on {address}"))
                    .with_hint("see whether the daemon runs, and where: `wfx serve --listen`")
            }
            (_, io::ErrorKind::TimedOut) => {
                Self::new(kind, format!("{address} does not answer: {error}"))
                    .with_hint("see whether the address is right and a firewall lets it through")
            }
            _ => {
                let message = format!("cannot connect to {address}: {error}");
                match Failure::of(error) {
                    Failure::Certificate => Self::new(kind, message).with_hint(
                        "its certificate is not trusted here: SSL_CERT_FILE names a file with \
                         certificates to trust",
                    ),
                    Failure::Handshake => Self::new(kind, message)
                        .with_hint("it does not speak TLS there: is it http:// instead?"),
                    Failure::Other => Self::new(kind, message)
                        .with_hint("see whether --server or WFX_SERVER is right"),
                }
            }
        }
    }

    /// The answer did not come as a whole.
    pub(super) fn broken(address: &ServerAddress, why: &str) -> Self {
        Self::new(ClientErrorKind::Broken, format!("the answer of {address} broke off: {why}"))
            .with_hint("see whether the daemon still runs, and try again")
    }

    /// The same for a request that may have been carried out.
    pub(crate) fn of_change(self) -> Self {
        match self.kind {
            ClientErrorKind::Broken => Self {
                hint: Some(
                    "whether it was done is not known: `wfx list` with the same --server shows it"
                        .to_owned(),
                ),
                ..self
            },
            _ => self,
        }
    }

    /// What answers is not wfx.
    pub(super) fn foreign(address: &ServerAddress, what: &str) -> Self {
        let message = format!("{address} does not answer as wfx does: {what}");
        Self::new(ClientErrorKind::Environment, message)
            .with_hint("see whether --server or WFX_SERVER names a `wfx serve`")
    }

    /// The daemon is of a version that cannot do what is asked for.
    pub(super) fn older(address: &ServerAddress, what: &str) -> Self {
        let message = format!("the wfx at {address} is older than this one and has no {what}");
        Self::new(ClientErrorKind::Environment, message).with_hint(match address {
            ServerAddress::Http(http) if !http.prefix.is_empty() => format!(
                "see whether the path `{}` of the URL is right; if it is, upgrade the daemon, \
                     or use a wfx of its version",
                http.prefix
            ),
            _ => "upgrade the daemon, or use a wfx of its version".to_owned(),
        })
    }

    /// An answer that says why not.
    pub(super) fn refused(
        address: &ServerAddress,
        status: StatusCode,
        is_problem: bool,
        body: &[u8],
        has_token: bool,
    ) -> Self {
        let problem = serde_json::from_slice::<Problem>(body).ok().filter(|_| is_problem);
        let Some(problem) = problem else {
            if status == StatusCode::UNAUTHORIZED
                || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            {
                return Self::foreign(address, &format!("it answers {status}"));
            }
            return Self::foreign(address, &format!("it answers {status} without saying why"));
        };
        let mut message = problem.detail;
        for Pointed { pointer, detail } in problem.errors {
            if !message.contains(&detail) {
                message += &format!("\n{pointer}: {detail}");
            }
        }
        let environment = |message: String| Self::new(ClientErrorKind::Environment, message);
        match status {
            StatusCode::UNAUTHORIZED if has_token => environment(format!(
                "{address} does not accept the token"
            ))
            .with_hint("--token-file or WFX_TOKEN must hold a token that `wfx serve` was given"),
            StatusCode::UNAUTHORIZED => environment(format!("{address} wants a token"))
                .with_hint("pass the file that holds it with --token-file, or set WFX_TOKEN"),
            StatusCode::NOT_FOUND if message.starts_with("there is nothing at") => {
                Self::older(address, "such endpoint")
            }
            StatusCode::NOT_FOUND => Self::new(ClientErrorKind::Unknown, message),
            StatusCode::BAD_REQUEST if message.starts_with("the query has an unknown key") => {
                Self::older(address, "such query")
            }
            StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE
                if message.contains("the concurrency group") =>
            {
                Self::new(ClientErrorKind::Busy, message)
            }
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::PAYLOAD_TOO_LARGE => Self::new(ClientErrorKind::Refused, message),
            _ => environment(format!("{address}: {message}"))
                .with_hint("the log of the daemon says more"),
        }
    }
}

fn is_socket(path: &Path) -> bool {
    // One that cannot be looked at may be one.
    std::fs::metadata(path).map_or(true, |metadata| metadata.file_type().is_socket())
}
