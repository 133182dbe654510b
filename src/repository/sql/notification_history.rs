//! The history of notifications.

use crate::repository::sql;
use crate::repository::sql::{Connection, Row, params};
use std::collections::BTreeMap;

use super::rows::{self, Text};
use crate::base::timestamp::Timestamp;
use crate::repository::notifications::{NotificationFilter, NotificationRecord, NotificationState};

const COLUMNS: &str = "seq, notification_id, channel, event, workflow_id, execution_id, state, \
     created_at, CASE WHEN claimed_by IS NULL THEN next_at END, ended_at, attempts, error";

fn of_row(row: &Row<'_>) -> sql::Result<NotificationRecord> {
    let optional = |column: usize| -> sql::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<Text<Timestamp>>>(column)?.map(|text| text.0))
    };
    let state: String = row.get(6)?;
    Ok(NotificationRecord {
        seq: row.get(0)?,
        id: row.get(1)?,
        channel: row.get(2)?,
        event: row.get(3)?,
        workflow_id: row.get(4)?,
        execution_id: row.get(5)?,
        state: NotificationState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .unwrap_or(NotificationState::Pending),
        created_at: row.get::<_, Text<_>>(7)?.0,
        next_at: optional(8)?,
        ended_at: optional(9)?,
        attempts: row.get(10)?,
        error: row.get(11)?,
    })
}

/// The history, newest first.
pub(crate) fn history(
    connection: Connection<'_>,
    filter: &NotificationFilter,
) -> sql::Result<Vec<NotificationRecord>> {
    let mut statement = connection.prepare_long(&format!(
        "SELECT {COLUMNS} FROM workflow_notifications
         WHERE (CAST(?1 AS TEXT) IS NULL OR channel = ?1)
           AND (CAST(?2 AS TEXT) IS NULL OR workflow_id = ?2)
           AND (CAST(?3 AS TEXT) IS NULL OR state = ?3)
           AND (CAST(?4 AS BIGINT) IS NULL OR seq < ?4)
         ORDER BY seq DESC LIMIT ?5"
    ))?;
    let state = filter.state.map(NotificationState::as_str);
    let rows = statement.query_map(
        params![filter.channel, filter.workflow_id, state, filter.before, filter.limit],
        of_row,
    )?;
    rows.collect()
}

/// How many notifications wait, by channel.
pub(crate) fn pending(connection: Connection<'_>) -> sql::Result<BTreeMap<String, u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT channel, count(*) FROM workflow_notifications WHERE state = 'pending'
         GROUP BY channel",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, rows::count(row.get(1)?))))?;
    rows.collect()
}
