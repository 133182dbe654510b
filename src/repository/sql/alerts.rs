//! When the last alert of each type was sent, so that a daemon that starts again keeps to the
//! cooldown. Stored after the fact and as far as possible: an alert never waits for it.

use super::retention;
use crate::repository::alerts::SentAlerts;
use crate::repository::sql;
use crate::repository::sql::Connection;

/// What the names of these settings begin with; the type of the alert follows.
const PREFIX: &str = "alert_sent_at:";

/// Writes these over what is stored of their types.
pub(crate) fn store(connection: Connection<'_>, alerts: &SentAlerts) -> sql::Result<()> {
    let mut statement = connection.prepare_cached(retention::SET)?;
    for (kind, decided_at) in alerts {
        statement.execute([format!("{PREFIX}{kind}"), decided_at.to_string()])?;
    }
    Ok(())
}

/// Those that are stored; what is no time is left out.
pub(crate) fn stored(connection: Connection<'_>) -> sql::Result<SentAlerts> {
    let mut statement = connection.prepare_cached(
        "SELECT substr(name, length(?1) + 1), value FROM workflow_settings
         WHERE substr(name, 1, length(?1)) = ?1",
    )?;
    let rows = statement.query_map([PREFIX], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let mut alerts = SentAlerts::new();
    for row in rows {
        let (kind, decided_at): (String, String) = row?;
        alerts.extend(decided_at.parse().ok().map(|decided_at| (kind, decided_at)));
    }
    Ok(alerts)
}
