//! Opens a database of PostgreSQL: what it must be, its schema, the token of this process.

use std::num::NonZeroU32;
use std::time::Duration;

use super::address::Address;
use super::error::{explain, explain_failure};
use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::sql::client::Client;
use crate::repository::sql::{self, Connection, OptionalExtension};

/// The oldest release that is used, as the server numbers them.
const SERVER_MIN: i64 = 140_000;
/// What brings a database to each version of the schema.
const STEPS: [&str; 2] = [
    concat!(include_str!("schema/001_initial.sql"), include_str!("schema/write_v1.sql")),
    include_str!("schema/002_batches.sql"),
];
/// The version that they end with.
const NEWEST: i64 = 2;
/// The number of the lock that is held while the schema is changed: "wfx" and 0.
const SCHEMA_LOCK: i64 = 0x77_66_78_00;

/// What a session of a reader or of a writer sets first.
pub(crate) const SETUP: &str = "SET search_path = wfx; SET TIME ZONE 'UTC'; \
     SET client_encoding = 'UTF8'; SET client_min_messages = warning; \
     SET default_transaction_isolation = 'read committed'; SET idle_in_transaction_session_timeout = '30s'";

/// What the server must be.
pub(crate) fn check_server(
    connection: Connection<'_>,
    address: &Address,
    writes: bool,
) -> Result<(), StoreError> {
    let read = || {
        connection
            .prepare_cached(
                "SELECT current_setting('server_version_num')::bigint,
                   current_setting('server_version'), current_setting('server_encoding'),
                   pg_is_in_recovery()",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    };
    let (number, version, encoding, is_standby): (i64, String, String, bool) =
        read().map_err(|error| explain("open", address, &error))?;
    if number < SERVER_MIN {
        let message = format!("the server of {address} is PostgreSQL {version}");
        return Err(StoreError::new(StoreErrorKind::NotADatabase, message)
            .with_hint("wfx needs PostgreSQL 14 or later"));
    }
    if encoding != "UTF8" {
        let message = format!("the database {address} is encoded as {encoding}");
        return Err(StoreError::new(StoreErrorKind::NotADatabase, message)
            .with_hint("make one with `createdb --encoding=UTF8 --template=template0`"));
    }
    if writes && is_standby {
        let message = format!("the server of {address} is a standby, which cannot be written");
        return Err(StoreError::new(StoreErrorKind::ReadOnly, message).with_hint(
            "name the primary, or all servers with `?target_session_attrs=read-write`",
        ));
    }
    Ok(())
}

/// The version of the schema; `None` where there is none.
pub(crate) fn version(
    connection: Connection<'_>,
    address: &Address,
) -> Result<Option<i64>, StoreError> {
    let read = || -> sql::Result<(bool, Option<i64>)> {
        let (has_schema, has_settings) = connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'wfx'),
                   to_regclass('wfx.workflow_settings') IS NOT NULL",
            )?
            .query_row([], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?)))?;
        if !has_settings {
            return Ok((has_schema, None));
        }
        let version: Option<String> = connection
            .prepare_cached(
                "SELECT value FROM wfx.workflow_settings WHERE name = 'schema_version'",
            )?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok((true, version.and_then(|version| version.parse().ok())))
    };
    match read().map_err(|error| explain("read", address, &error))? {
        (true, None) => Err(StoreError::new(
            StoreErrorKind::NotADatabase,
            format!("the database {address} has a schema named wfx that wfx did not make"),
        )
        .with_hint("name another database")),
        (_, Some(version)) if version > NEWEST => Err(StoreError::new(
            StoreErrorKind::Newer,
            format!(
                "a newer wfx wrote the database {address}: its schema is version {version}, this wfx \
                 knows {NEWEST}"
            ),
        )
        .with_hint("use that wfx")),
        (_, version) => Ok(version),
    }
}

/// For reading: nothing is changed, so an older one is refused.
pub(crate) fn check_readable(client: &Client, address: &Address) -> Result<(), StoreError> {
    let connection = Connection::Postgres(client);
    check_server(connection, address, false)?;
    match version(connection, address)? {
        Some(version) if version == NEWEST => Ok(()),
        Some(version) => Err(StoreError::new(
            StoreErrorKind::NeedsMigration,
            format!("the database {address} was written by an older wfx (schema {version})"),
        )
        .with_hint("a command that writes brings it up, such as `wfx serve`")),
        None => Err(StoreError::new(
            StoreErrorKind::Missing,
            format!("nothing was stored in the database {address} yet"),
        )
        .with_hint("`wfx serve` or `wfx exec` makes its tables")),
    }
}

/// Brings the schema to the newest version, one process at a time.
pub(crate) fn migrate(
    client: &Client,
    address: &Address,
    fresh: NonZeroU32,
) -> Result<(), StoreError> {
    let connection = Connection::Postgres(client);
    if version(connection, address)? == Some(NEWEST) {
        return Ok(());
    }
    let failed = |error: sql::Error| explain("prepare", address, &error);
    client.begin("BEGIN").map_err(|error| failed(error.into()))?;
    let run = || -> Result<(), StoreError> {
        connection
            .prepare_cached("SELECT pg_advisory_xact_lock(?1)")
            .and_then(|mut lock| lock.query_row([SCHEMA_LOCK], |_| Ok(())))
            .map_err(failed)?;
        let from = version(connection, address)?.unwrap_or(0);
        for (step, to) in STEPS.iter().zip(1..).skip(usize::try_from(from).unwrap_or(0)) {
            connection.execute_batch(step).map_err(failed)?;
            connection
                .execute_batch(&format!(
                    "INSERT INTO wfx.workflow_settings VALUES ('schema_version', '{to}')
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value;
                     INSERT INTO wfx.workflow_settings VALUES ('identity', '{fresh:08x}')
                       ON CONFLICT (name) DO NOTHING;"
                ))
                .map_err(failed)?;
        }
        client.commit().map_err(|error| failed(error.into()))
    };
    run().inspect_err(|_| _ = client.batch("ROLLBACK"))?;
    // Views for people, where the role may make any; what is there already stays.
    let _ = client.batch(include_str!("schema/views.sql"));
    Ok(())
}

/// The number that tells this database from others.
pub(crate) fn number(client: &Client, address: &Address) -> Result<NonZeroU32, StoreError> {
    let read = || -> sql::Result<String> {
        Connection::Postgres(client)
            .prepare_cached("SELECT value FROM workflow_settings WHERE name = 'identity'")?
            .query_row([], |row| row.get(0))
    };
    let text = read().map_err(|error| explain("read", address, &error))?;
    u32::from_str_radix(&text, 16).ok().and_then(NonZeroU32::new).ok_or_else(|| {
        StoreError::new(
            StoreErrorKind::Damaged,
            format!("the database {address} has no number of its own"),
        )
    })
}

/// A token for a process that writes: it never comes twice, also after a failover that lost commits,
/// since it begins with the timeline of the server.
pub(crate) fn register(client: &Client, address: &Address) -> Result<i64, StoreError> {
    let insert = || -> sql::Result<i64> {
        Connection::Postgres(client)
            .prepare_cached(
                "INSERT INTO fence (token)
                 VALUES ((('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
                   << 31) | nextval('fence_tokens'))
                 RETURNING token",
            )?
            .query_row([], |row| row.get(0))
    };
    insert().map_err(|error| explain("register in", address, &error))
}

/// Connects for writing or reading.
pub(crate) fn connect(
    address: &Address,
    setup: &str,
    connecting: Duration,
    patience: Option<Duration>,
) -> Result<Client, StoreError> {
    address
        .connect(setup, connecting, patience)
        .map_err(|failure| explain_failure("open", address, &failure))
}
