//! A look at a database as a whole, for `wfx doctor`.

use crate::repository::ownership::Judge;
use crate::repository::read::inspection::Inspection;
use crate::repository::sql::{self, Connection, inspection, rows, takeover};

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
        free_bytes: 0,
        log_bytes: 0,
        mode: 0o600,
        executions: inspection::executions(connection)?,
        damages: Vec::new(),
        misplaced: None,
        unwritable: None,
        owners,
        dead_locks,
        retention: inspection::retention_counts(connection)?,
        output: inspection::output_usage(connection)?,
    })
}
