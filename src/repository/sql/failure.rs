//! Why a statement failed on a server of PostgreSQL.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the server or the connection reports.
    Driver(tokio_postgres::Error),
    /// The server did not answer in time.
    Silent(Duration),
    /// Committed on the server, but perhaps on no standby: that was given up.
    NotReplicated,
    /// What others do has to end first.
    Busy(&'static str),
    /// The runtime of the connection cannot be made.
    Runtime(std::io::Error),
    /// No certificate of a server can be checked.
    Tls(String),
}

impl Failure {
    /// The code by which the server reports it
    /// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Driver(error) => error.code().map(tokio_postgres::error::SqlState::code),
            _ => None,
        }
    }

    /// Whether the same may well succeed at once: what others did at the same time was in the way, be
    /// it a deadlock, another state of the rows or, on a standby, what it had to replay.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.code(), Some("40001" | "40P01"))
    }

    /// Whether nothing more can be asked on this connection.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            // Class 57P: the server ends, or does not accept connections yet.
            Self::Driver(error) => match error.code() {
                Some(code) => code.code().starts_with("57P") || code.code().starts_with("08"),
                None => true,
            },
            Self::Silent(_) => true,
            Self::NotReplicated | Self::Busy(_) | Self::Runtime(_) | Self::Tls(_) => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => {
                if let Some(reported) = error.as_db_error() {
                    f.write_str(reported.message())?;
                    if let Some(detail) = reported.detail() {
                        write!(f, " ({detail})")?;
                    }
                    return write!(f, ", SQLSTATE {}", reported.code().code());
                }
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            Self::Silent(patience) => {
                write!(f, "the server has not answered for {} s", patience.as_secs_f32())
            }
            Self::NotReplicated => f.write_str(
                "the server gave up waiting for a standby, which may not have what was stored",
            ),
            Self::Runtime(error) => error.fmt(f),
            Self::Busy(why) => f.write_str(why),
            Self::Tls(why) => f.write_str(why),
        }
    }
}

impl StdError for Failure {}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}
