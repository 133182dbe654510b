//! A look at a database and its server as a whole, for `wfx doctor`, probes and metrics.

use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::ownership::Judge;
use crate::repository::read::inspection::{
    Inspection, OldestTransaction, ServerInspection, ServerStatus, Storage,
};
use crate::repository::sql::rows::Text;
use crate::repository::sql::{self, Connection, OptionalExtension, inspection, rows, takeover};

/// What a role needs that runs executions, of each table.
const TABLE_RIGHTS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// The size of what is stored, bytes.
pub(crate) fn size(connection: Connection<'_>) -> sql::Result<u64> {
    connection
        .prepare_cached("SELECT pg_database_size(current_database())")?
        .query_row([], |row| row.get(0))
        .map(rows::count)
}

pub(crate) fn inspect(connection: Connection<'_>, judge: &mut Judge) -> sql::Result<Inspection> {
    let owners = takeover::owners(connection, judge)?;
    let unfinished: Vec<&str> = owners.iter().filter_map(|owner| owner.owner.as_deref()).collect();
    let dead_locks =
        judge.dead_owners().iter().filter(|owner| !unfinished.contains(&owner.as_str())).count();
    let schema: String = connection
        .prepare_cached("SELECT value FROM workflow_settings WHERE name = 'schema_version'")?
        .query_row([], |row| row.get(0))?;
    Ok(Inspection {
        schema: schema.parse().unwrap_or(0),
        size_bytes: size(connection)?,
        executions: inspection::executions(connection)?,
        storage: Storage::Server(Box::new(server(connection)?)),
        owners,
        dead_locks,
        retention: inspection::retention_counts(connection)?,
        output: inspection::output_usage(connection)?,
    })
}

fn server(connection: Connection<'_>) -> sql::Result<ServerInspection> {
    let status = status(connection)?;
    let (version, encoding, is_read_only, has_autovacuum, owns_schema) = connection
        .prepare_cached(
            "SELECT current_setting('server_version'), current_setting('server_encoding'),
               current_setting('default_transaction_read_only') = 'on',
               current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on',
               pg_has_role(nspowner, 'USAGE')
             FROM pg_catalog.pg_namespace WHERE nspname = 'wfx'",
        )?
        .query_row([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
    let deadest = connection
        .prepare_cached(
            "SELECT CAST(relname AS TEXT), n_live_tup, n_dead_tup FROM pg_stat_user_tables
             WHERE schemaname = 'wfx' ORDER BY n_dead_tup DESC LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, rows::count(row.get(1)?), rows::count(row.get(2)?))))
        .optional()?;
    let missing_rights = missing_rights(connection)?;
    Ok(ServerInspection {
        version,
        encoding,
        status,
        missing_rights,
        owns_schema,
        is_read_only,
        has_autovacuum,
        deadest,
    })
}

/// What the role may not do in the schema of wfx that runs executions there.
fn missing_rights(connection: Connection<'_>) -> sql::Result<Vec<String>> {
    let tests: Vec<String> = TABLE_RIGHTS
        .iter()
        .map(|right| {
            format!(
                "SELECT '{right}' AS missing, oid, relname FROM pg_catalog.pg_class
                 WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'wfx')
                   AND relkind IN ('r', 'p') AND NOT has_table_privilege(oid, '{right}')"
            )
        })
        .collect();
    connection
        .prepare_cached(&format!(
            "SELECT missing || ' on ' || relname FROM (
               {}
               UNION ALL
               SELECT 'USAGE', oid, relname FROM pg_catalog.pg_class
               WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'wfx')
                 AND CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(oid, 'USAGE')
                   ELSE false END
             ) AS rights ORDER BY relname, missing",
            tests.join(" UNION ALL ")
        ))?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// How the server is at the moment. Reads nothing of the tables of wfx, and so takes a moment
/// whatever is stored.
pub(crate) fn status(connection: Connection<'_>) -> sql::Result<ServerStatus> {
    let mut status = connection
        .prepare_cached(
            "SELECT pg_is_in_recovery(), current_setting('fsync') = 'on',
               current_setting('full_page_writes') = 'on', current_setting('synchronous_commit'),
               current_setting('synchronous_standby_names') <> ''",
        )?
        .query_row([], |row| {
            Ok(ServerStatus {
                is_standby: row.get(0)?,
                fsync: row.get(1)?,
                full_page_writes: row.get(2)?,
                synchronous_commit: row.get(3)?,
                names_standbys: row.get(4)?,
                ..ServerStatus::default()
            })
        })?;
    add_standbys(connection, &mut status)?;
    add_connections(connection, &mut status)?;
    status.oldest = oldest(connection)?;
    status.dead_rows = connection
        .prepare_cached(
            "SELECT CAST(coalesce(sum(n_dead_tup), 0) AS BIGINT) FROM pg_stat_user_tables
             WHERE schemaname = 'wfx'",
        )?
        .query_row([], |row| row.get(0))
        .map(rows::count)?;
    add_clock(connection, &mut status)?;
    Ok(status)
}

/// Standbys that are connected. A role without `pg_read_all_stats` sees how many, and no more.
fn add_standbys(connection: Connection<'_>, status: &mut ServerStatus) -> sql::Result<()> {
    let (all, known, synchronous): (i64, i64, i64) = connection
        .prepare_cached(
            "SELECT count(*), count(sync_state),
               count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))
             FROM pg_stat_replication",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    status.standbys = rows::count(all);
    status.synchronous_standbys = (known == all).then(|| rows::count(synchronous));
    Ok(())
}

fn add_connections(connection: Connection<'_>, status: &mut ServerStatus) -> sql::Result<()> {
    let (max, left) = connection
        .prepare_cached(
            "SELECT general, least(general - in_use,
               CASE WHEN rolconnlimit >= 0 AND NOT rolsuper THEN rolconnlimit - mine END,
               CASE WHEN datconnlimit >= 0 AND NOT rolsuper THEN datconnlimit - here END)
             FROM (SELECT CAST(current_setting('max_connections') AS BIGINT)
                 - CAST(current_setting('superuser_reserved_connections') AS BIGINT)
                 - CAST(coalesce(current_setting('reserved_connections', true), '0') AS BIGINT)
                 AS general) AS limits,
               (SELECT count(*) FILTER (WHERE usesysid IS NOT NULL) AS in_use,
                   count(*) FILTER (WHERE usename = current_user) AS mine,
                   count(*) FILTER (WHERE datname = current_database()) AS here
                 FROM pg_stat_activity WHERE datid IS NOT NULL) AS sessions,
               pg_catalog.pg_roles, pg_catalog.pg_database
             WHERE rolname = current_user AND datname = current_database()",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    (status.connections_max, status.connections_left) = (rows::count(max), rows::count(left));
    Ok(())
}

/// What keeps the most old rows of this database from being cleaned up.
fn oldest(connection: Connection<'_>) -> sql::Result<Option<OldestTransaction>> {
    connection
        .prepare_cached(
            "SELECT holder, transactions, seconds FROM (
               SELECT 'session ' || pid || coalesce(' of ' || usename, '')
                   || coalesce(' (' || nullif(application_name, '') || ')', '') AS holder,
                 CAST(greatest(age(backend_xmin), age(backend_xid)) AS BIGINT) AS transactions,
                 CAST(extract(epoch FROM clock_timestamp() - xact_start) AS FLOAT8) AS seconds
               FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND (datid IS NULL OR datname = current_database())
                 AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
               UNION ALL
               SELECT 'prepared transaction ' || gid, CAST(age(transaction) AS BIGINT),
                 CAST(extract(epoch FROM clock_timestamp() - prepared) AS FLOAT8)
               FROM pg_prepared_xacts WHERE database = current_database()
               UNION ALL
               SELECT 'replication slot ' || slot_name,
                 CAST(greatest(age(xmin), age(catalog_xmin)) AS BIGINT), NULL
               FROM pg_replication_slots WHERE xmin IS NOT NULL
             ) AS holders ORDER BY transactions DESC, seconds DESC NULLS LAST LIMIT 1",
        )?
        .query_row([], |row| {
            Ok(OldestTransaction {
                holder: row.get(0)?,
                transactions: rows::count(row.get(1)?),
                seconds: row.get(2)?,
            })
        })
        .optional()
}

fn add_clock(connection: Connection<'_>, status: &mut ServerStatus) -> sql::Result<()> {
    let mut statement = connection.prepare_cached("SELECT clock_timestamp()")?;
    let asked = clock::now();
    let there: Text<Timestamp> = statement.query_row([], |row| row.get(0))?;
    let half = (clock::now().as_micros() - asked.as_micros()) / 2;
    status.clock_ahead_us = there.0.as_micros() - asked.as_micros() - half;
    status.clock_doubt_us = half.unsigned_abs();
    Ok(())
}
