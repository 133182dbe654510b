//! Alerts of service levels whose breach is not over, and the daemons that resolve them.

use super::rows::{Json, Text};
use super::takeover;
use crate::base::timestamp::Timestamp;
use crate::repository::notifications::{NewNotification, NotificationState, OpenAlert};
use crate::repository::ownership::Judge;
use crate::repository::sql::{self, Connection, params};

/// Stores what a notification opens or ends, inside the transaction that stores the notification.
pub(crate) fn follow(connection: Connection<'_>, new: &NewNotification) -> sql::Result<()> {
    let Some(owner) = &new.raised_by else { return Ok(()) };
    let since = new.content.since.to_string();
    if let Some(event) = &new.content.resolves {
        connection
            .prepare_cached(
                "DELETE FROM workflow_open_alerts WHERE channel = ?1 AND event = ?2 AND since = ?3",
            )?
            .execute(params![new.channel, event, since])?;
        return Ok(());
    }
    // Nobody has heard of it, so there is nothing to resolve.
    if matches!(new.ended, Some((NotificationState::GivenUp, _))) {
        return Ok(());
    }
    let json =
        serde_json::to_string(&new.content).map_err(|error| sql::Error::Value(Box::new(error)))?;
    connection
        .prepare_cached(
            "INSERT INTO workflow_open_alerts (owner, channel, event, since, content)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (owner, channel, event, since) DO UPDATE SET content = excluded.content",
        )?
        .execute(params![owner, new.channel, new.content.event, since, json])?;
    Ok(())
}

/// The owners other than this one whose death is proven. Begins no transaction.
pub(crate) fn dead_owners(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    own: &str,
) -> sql::Result<Vec<String>> {
    let others = "SELECT DISTINCT owner FROM workflow_open_alerts WHERE owner <> ?1";
    takeover::dead_of(connection, judge, others, own)
}

/// Makes a daemon the owner of what dead ones have left on its channels, inside the transaction
/// under way.
pub(crate) fn adopt(
    connection: Connection<'_>,
    judge: &mut dyn FnMut() -> sql::Result<Judge>,
    own: &str,
    channels: &[String],
) -> sql::Result<Vec<OpenAlert>> {
    let mut adopted = Vec::new();
    for owner in dead_owners(connection, judge, own)? {
        for channel in channels {
            make_room(connection, &owner, own, Some(channel))?;
            let mut statement = connection.prepare_cached(
                "UPDATE workflow_open_alerts SET owner = ?1
                 WHERE owner = ?2 AND channel = ?3 RETURNING since, content",
            )?;
            let mut rows = statement.query(params![own, owner, channel])?;
            while let Some(row) = rows.next()? {
                adopted.push(OpenAlert {
                    channel: channel.clone(),
                    since: row.get::<_, Text<Timestamp>>(0)?.0,
                    content: row.get::<_, Json<_>>(1)?.0,
                });
            }
        }
    }
    Ok(adopted)
}

/// Deletes what the new owner has of the same breaches, which that of the old one replaces.
fn make_room(
    connection: Connection<'_>,
    from: &str,
    to: &str,
    channel: Option<&str>,
) -> sql::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM workflow_open_alerts AS there WHERE there.owner = ?2 AND EXISTS (
               SELECT 1 FROM workflow_open_alerts AS comes
               WHERE comes.owner = ?1 AND comes.channel = there.channel
                 AND comes.event = there.event AND comes.since = there.since
                 AND comes.channel = coalesce(CAST(?3 AS TEXT), comes.channel))",
        )?
        .execute(params![from, to, channel])
        .map(|_| ())
}

/// Leaves what a daemon has to the next one, inside the transaction under way.
pub(crate) fn release(connection: Connection<'_>, owner: &str) -> sql::Result<()> {
    make_room(connection, owner, "", None)?;
    connection
        .prepare_cached("UPDATE workflow_open_alerts SET owner = '' WHERE owner = ?1")?
        .execute([owner])?;
    Ok(())
}

/// The processes that are named here and in the outbox: whether they are alive is still to be
/// judged.
pub(crate) fn named_owners(connection: Connection<'_>) -> sql::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT owner FROM workflow_open_alerts
             UNION SELECT owner FROM workflow_notification_couriers
             UNION SELECT claimed_by FROM workflow_notifications WHERE claimed_by IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}
