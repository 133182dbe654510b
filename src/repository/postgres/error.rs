//! What an error of PostgreSQL means, in words for an operator.

use super::address::Address;
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::sql::failure::Failure;
use crate::repository::sql::{self};

/// An error while `doing` something (a verb) with the database at `address`.
pub(crate) fn explain(doing: &str, address: &Address, error: &sql::Error) -> StoreError {
    match error {
        sql::Error::Postgres(failure) => explain_failure(doing, address, failure),
        error => {
            let kind = match error {
                // What wfx did not write.
                sql::Error::Column(..) => StoreErrorKind::Damaged,
                sql::Error::Value(_) => StoreErrorKind::Refused,
                _ => StoreErrorKind::Io,
            };
            StoreError::new(kind, format!("cannot {doing} the database {address}: {error}"))
        }
    }
}

/// The same for what the server or the connection reports.
pub(crate) fn explain_failure(doing: &str, address: &Address, failure: &Failure) -> StoreError {
    let (kind, hint) = sort(failure);
    let explained =
        StoreError::new(kind, format!("cannot {doing} the database {address}: {failure}"));
    match hint {
        Some(hint) => explained.with_hint(hint),
        None => explained,
    }
}

/// Kinds and remedies, by the codes of the server
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn sort(failure: &Failure) -> (StoreErrorKind, Option<&'static str>) {
    use StoreErrorKind as Kind;
    let in_the_way = "another session holds locks on its tables: `SELECT pid, query FROM pg_locks JOIN \
         pg_stat_activity USING (pid) WHERE relation IN (SELECT oid FROM pg_class WHERE \
         relnamespace = 'wfx'::regnamespace)` shows which";
    let Some(code) = failure.code() else {
        return match failure {
            Failure::NotReplicated => (
                Kind::Io,
                Some(
                    "see that a standby of synchronous_standby_names is connected: `SELECT \
                     application_name, state, sync_state FROM pg_stat_replication`",
                ),
            ),
            Failure::Busy(_) => (Kind::Locked, Some(in_the_way)),
            _ => (
                Kind::Io,
                Some(
                    "see that the server runs and that host and port are right; where the \
                     certificate is not trusted, name that of its authority with sslrootcert",
                ),
            ),
        };
    };
    match code {
        // Locks that are not to be had at once, deadlocks, rows that moved meanwhile.
        "55P03" | "40P01" | "40001" => (Kind::Locked, Some(in_the_way)),
        "53100" => (Kind::Full, Some("free space on the server")),
        "53300" => {
            (Kind::Io, Some("close sessions of others or raise max_connections on the server"))
        }
        "25006" => (
            Kind::ReadOnly,
            Some("name the primary: this server is a standby, or set to read only"),
        ),
        "42501" => (
            Kind::ReadOnly,
            Some(
                "let the role make its schema (`GRANT CREATE ON DATABASE`), or connect as the owner of \
                 the schema wfx",
            ),
        ),
        "28P01" | "28000" => (
            Kind::NotOurs,
            Some(
                "check role and password (in the URL, in the file of PGPASSFILE or in ~/.pgpass), and that \
                 pg_hba.conf on the server lets this host connect",
            ),
        ),
        "3D000" => (Kind::NotADatabase, Some("make the database: `createdb`")),
        "XX001" | "XX002" => (Kind::Damaged, Some("restore a backup of the server")),
        _ if code.starts_with("22") || code.starts_with("23") || code.starts_with("54") => {
            (Kind::Refused, None)
        }
        _ => (Kind::Io, None),
    }
}
