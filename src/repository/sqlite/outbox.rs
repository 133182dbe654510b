//! The outbox: events become incidents and notifications inside the transaction of the change that
//! they come with; what waits is claimed under a lease, and what was sent is settled.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::{Json, Text, time};
use crate::base::timestamp::Timestamp;
use crate::repository::notifications::{
    Attempted, Claim, ClaimRequest, Claimed, Ended, LEASE, NewNotification, NotificationFilter,
    NotificationRecord, NotificationState, Settlement,
};
use crate::repository::ownership::Judge;
use crate::workflow::incident::{Incident, decide};
use crate::workflow::notification::{
    Content, Event, EventKind, Events, Occurrence, brief_error, subject,
};

/// How long the history is kept, and how much of it.
const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
const KEPT_ROWS: i64 = 10_000;
/// How long notifications wait for a daemon that has their channel.
const UNSERVED: std::time::Duration = std::time::Duration::from_secs(86_400);
/// So many rows are deleted in one transaction.
const DELETED_AT_A_TIME: i64 = 1_000;
/// So many reminders are queued in one transaction.
const REMINDED_AT_A_TIME: i64 = 256;
/// How many rows a claim looks at for each that it may take: those of a thread wait for the one
/// before.
const LOOKED_AT: i64 = 256;

/// Stores what follows from events, inside the transaction of the change that they come with.
/// `execution` is its id and number; an event of an execution is counted once however often it is
/// written.
pub(crate) fn record(
    connection: &Connection,
    execution: Option<(&str, i64)>,
    events: &Events,
) -> rusqlite::Result<()> {
    let subject = subject(&events.workflow_id, events.is_ad_hoc);
    for event in &events.events {
        record_one(connection, execution, events, event, &subject)?;
    }
    Ok(())
}

/// An incident as it is stored.
struct Stored {
    id: i64,
    opened_at: Timestamp,
    last_execution: Option<String>,
    incident: Incident,
}

fn record_one(
    connection: &Connection,
    execution: Option<(&str, i64)>,
    events: &Events,
    event: &Event,
    subject: &str,
) -> rusqlite::Result<()> {
    let kind = event.occurrence.kind();
    let stored = match event.occurrence {
        Occurrence::Once(_) => None,
        _ => open_incident(connection, subject, kind)?,
    };
    let execution_id = execution.map(|(id, _)| id);
    if let (Some(stored), Some(id)) = (&stored, execution_id)
        && stored.last_execution.as_deref() == Some(id)
    {
        return Ok(());
    }
    let before = stored.as_ref().map(|stored| stored.incident.clone());
    let decision = decide(&events.notify, before, event.occurrence, event.at);
    let (incident_id, since) = match (&stored, &decision.incident) {
        (Some(stored), Some(incident)) => {
            connection
                .prepare_cached(
                    "UPDATE workflow_incidents SET occurrences = ?2, last_execution = ?3
                     WHERE incident_id = ?1",
                )?
                .execute(params![stored.id, incident.count, execution_id])?;
            (Some(stored.id), stored.opened_at)
        }
        (Some(stored), None) => {
            connection
                .prepare_cached(
                    "UPDATE workflow_incidents SET closed_at = ?2 WHERE incident_id = ?1",
                )?
                .execute(params![stored.id, event.at.to_string()])?;
            connection
                .prepare_cached(
                    "UPDATE workflow_incident_channels SET remind_at = NULL
                     WHERE incident_id = ?1 AND remind_at IS NOT NULL",
                )?
                .execute([stored.id])?;
            (Some(stored.id), stored.opened_at)
        }
        (None, Some(incident)) => {
            connection
                .prepare_cached(
                    "INSERT INTO workflow_incidents (subject, event, opened_at, occurrences,
                       last_execution) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    subject,
                    kind.as_str(),
                    event.at.to_string(),
                    incident.count,
                    execution_id
                ])?;
            (Some(connection.last_insert_rowid()), event.at)
        }
        (None, None) => (None, event.at),
    };
    let is_end = matches!(event.occurrence, Occurrence::Closed(_));
    for notice in &decision.notices {
        let about = match (incident_id, execution_id) {
            (Some(id), _) => format!("{subject}/{}/{id}", kind.as_str()),
            (None, Some(execution_id)) => format!("{subject}/{}/{execution_id}", kind.as_str()),
            (None, None) => format!("{subject}/{}/{}", kind.as_str(), event.at),
        };
        let content = Content {
            event: notice.event.as_str().to_owned(),
            at: event.at,
            incident: about.clone(),
            since,
            resolves: is_end.then(|| kind.as_str().to_owned()),
            is_reminder: notice.is_reminder,
            is_test: false,
            count: match decision.incident.as_ref().or(stored.as_ref().map(|it| &it.incident)) {
                Some(incident) if incident.count > 1 => Some(incident.count),
                _ => None,
            },
            workflow_id: Some(events.workflow_id.clone()),
            execution_id: execution_id.map(str::to_owned),
            number: execution.map(|(_, number)| number),
            status: event.status.map(|status| status.to_string()),
            step: event.step.clone(),
            error: event.error.as_deref().map(brief_error),
            trigger: events.trigger.clone(),
            alert: None,
        };
        let what = execution_id.unwrap_or(&about);
        let at = if execution_id.is_none() { format!("/{}", event.at) } else { String::new() };
        let row = Queued {
            id: new_id(),
            origin: format!("{what}/{}/{}{at}", kind.as_str(), notice.event.as_str()),
            channel: &notice.channel,
            thread: format!("{subject}/{}", kind.as_str()),
            incident_id,
            content: &content,
            created_at: event.at,
        };
        insert(connection, &row)?;
        if let (Some(incident_id), Some(incident)) = (incident_id, &decision.incident) {
            let rules = events.notify.rules.iter();
            let remind = rules
                .filter(|rule| rule.on.contains(&kind) && rule.to.contains(&notice.channel))
                .filter_map(|rule| rule.remind)
                .min();
            let remind_ms = remind.map(|it| i64::try_from(it.duration().as_millis()));
            connection
                .prepare_cached(
                    "INSERT INTO workflow_incident_channels (incident_id, channel, remind_ms,
                       remind_at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET remind_ms = ?3, remind_at = ?4",
                )?
                .execute(params![
                    incident_id,
                    notice.channel,
                    remind_ms.map(|ms| ms.unwrap_or(i64::MAX)),
                    time(incident.notified.get(&notice.channel).copied().flatten()),
                ])?;
        }
    }
    Ok(())
}

fn open_incident(
    connection: &Connection,
    subject: &str,
    kind: EventKind,
) -> rusqlite::Result<Option<Stored>> {
    let found = connection
        .prepare_cached(
            "SELECT incident_id, opened_at, occurrences, last_execution FROM workflow_incidents
             WHERE subject = ?1 AND event = ?2 AND closed_at IS NULL",
        )?
        .query_row(params![subject, kind.as_str()], |row| {
            Ok(Stored {
                id: row.get(0)?,
                opened_at: row.get::<_, Text<_>>(1)?.0,
                last_execution: row.get(3)?,
                incident: Incident { count: row.get(2)?, notified: BTreeMap::new() },
            })
        })
        .optional()?;
    let Some(mut stored) = found else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT channel, remind_at FROM workflow_incident_channels WHERE incident_id = ?1",
    )?;
    let mut rows = statement.query([stored.id])?;
    while let Some(row) = rows.next()? {
        let remind_at = row.get::<_, Option<Text<Timestamp>>>(1)?.map(|text| text.0);
        stored.incident.notified.insert(row.get(0)?, remind_at);
    }
    Ok(Some(stored))
}

fn new_id() -> String {
    format!("msg_{}", Uuid::now_v7().simple())
}

/// A row of the outbox that is made.
struct Queued<'a> {
    id: String,
    origin: String,
    channel: &'a str,
    thread: String,
    incident_id: Option<i64>,
    content: &'a Content,
    created_at: Timestamp,
}

fn insert(connection: &Connection, row: &Queued<'_>) -> rusqlite::Result<()> {
    let Queued { id, origin, channel, thread, incident_id, content, created_at } = row;
    let json = serde_json::to_string(content)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    connection
        .prepare_cached(
            "INSERT INTO workflow_notifications (notification_id, origin, channel, event, thread,
               workflow_id, execution_id, incident_id, state, created_at, next_at, after_seq,
               content)
             VALUES (?1, ?2 || '/' || ?3, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9, ?9,
               (SELECT max(seq) FROM workflow_notifications
                WHERE thread = ?5 AND channel = ?3 AND state = 'pending'), ?10)
             ON CONFLICT (origin) DO NOTHING",
        )?
        .execute(params![
            id,
            origin,
            channel,
            content.event,
            thread,
            content.workflow_id,
            content.execution_id,
            incident_id,
            created_at.to_string(),
            json,
        ])?;
    Ok(())
}

/// Queues a notification that belongs to no change, or stores how it ended. Queued once only.
pub(crate) fn add(
    connection: &Connection,
    new: &NewNotification,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let json = serde_json::to_string(&new.content)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let (state, error) = match &new.ended {
        Some((state, error)) => (*state, error.as_deref()),
        None => (NotificationState::Pending, None),
    };
    let is_pending = state == NotificationState::Pending;
    let next_at = match &new.claimed_by {
        Some(_) => now.plus(LEASE),
        None => now,
    };
    let inserted = connection
        .prepare_cached(
            "INSERT INTO workflow_notifications (notification_id, origin, channel, event, thread,
               workflow_id, state, created_at, next_at, ended_at, attempts, claimed_by, after_seq,
               error, content)
             VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
               (SELECT max(seq) FROM workflow_notifications
                WHERE thread = ?4 AND channel = ?2 AND state = 'pending'), ?12, ?13)
             ON CONFLICT (notification_id) DO UPDATE SET state = excluded.state,
               ended_at = excluded.ended_at, attempts = attempts + 1, next_at = NULL,
               claimed_by = NULL, error = excluded.error
             WHERE state = 'pending' AND excluded.state <> 'pending'",
        )?
        .execute(params![
            new.id,
            new.channel,
            new.content.event,
            new.thread,
            new.content.workflow_id,
            state.as_str(),
            new.content.at.to_string(),
            is_pending.then(|| next_at.to_string()),
            (!is_pending).then(|| now.to_string()),
            i64::from(!is_pending),
            new.claimed_by.as_deref().filter(|_| is_pending),
            error,
            json,
        ])?;
    Ok((inserted > 0).then(|| connection.last_insert_rowid()))
}

/// Whether a claim would find something. Begins no transaction.
pub(crate) fn is_due(
    connection: &Connection,
    judge: &mut dyn FnMut() -> rusqlite::Result<Judge>,
    request: &ClaimRequest,
) -> rusqlite::Result<bool> {
    let is_due = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_notifications
             WHERE state = 'pending' AND channel = ?1 AND next_at <= ?2)",
        )?
        .query_row(params![request.channel, request.now.to_string()], |row| row.get(0))?;
    Ok(is_due || !dead_claims(connection, judge, &request.owner)?.is_empty())
}

/// The processes that are proven dead and have claims.
fn dead_claims(
    connection: &Connection,
    judge: &mut dyn FnMut() -> rusqlite::Result<Judge>,
    own: &str,
) -> rusqlite::Result<Vec<String>> {
    let owners: Vec<String> = connection
        .prepare_cached(
            "SELECT DISTINCT claimed_by FROM workflow_notifications
             WHERE claimed_by IS NOT NULL AND claimed_by <> ?1",
        )?
        .query_map([own], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if owners.is_empty() {
        return Ok(owners);
    }
    let mut judge = judge()?;
    Ok(owners.into_iter().filter(|owner| judge.liveness(owner).is_dead()).collect())
}

/// When the next notification of a channel is due; `None`: none waits.
pub(crate) fn next_at(
    connection: &Connection,
    channel: &str,
) -> rusqlite::Result<Option<Timestamp>> {
    let next: Option<Text<Timestamp>> = connection
        .prepare_cached(
            "SELECT min(next_at) FROM workflow_notifications WHERE state = 'pending' AND channel = ?1",
        )?
        .query_row([channel], |row| row.get(0))?;
    Ok(next.map(|text| text.0))
}

/// Claims what is due, inside the transaction under way. The end of an incident of which no
/// notification was accepted is dropped.
pub(crate) fn claim(
    connection: &Connection,
    judge: &mut dyn FnMut() -> rusqlite::Result<Judge>,
    request: &ClaimRequest,
) -> rusqlite::Result<Claim> {
    let now = request.now.to_string();
    for owner in dead_claims(connection, judge, &request.owner)? {
        connection
            .prepare_cached(
                "UPDATE workflow_notifications SET claimed_by = NULL, next_at = ?2
                 WHERE claimed_by = ?1",
            )?
            .execute(params![owner, now])?;
    }
    let expired = expire(connection, request)?;
    let candidates: Vec<(Claimed, bool)> = connection
        .prepare_cached(
            "SELECT n.seq, n.notification_id, n.content, n.attempts, n.created_at,
               CASE WHEN n.event = 'recovered' AND n.incident_id IS NOT NULL THEN NOT EXISTS (
                 SELECT 1 FROM workflow_incident_channels c
                 WHERE c.incident_id = n.incident_id AND c.channel = n.channel AND c.accepted = 1)
               WHEN n.event = 'resolved' THEN 'given_up' = coalesce((
                 SELECT b.state FROM workflow_notifications b
                 WHERE b.thread = n.thread AND b.channel = n.channel AND b.seq < n.seq
                   AND b.event <> 'resolved' ORDER BY b.seq DESC LIMIT 1), '')
               ELSE 0 END
             FROM workflow_notifications n
             WHERE n.state = 'pending' AND n.channel = ?1 AND n.next_at <= ?2
               AND (n.after_seq IS NULL OR NOT EXISTS (SELECT 1 FROM workflow_notifications b
                 WHERE b.seq = n.after_seq AND b.state = 'pending'))
             ORDER BY n.next_at LIMIT ?3",
        )?
        .query_map(params![request.channel, now, LOOKED_AT], |row| {
            let claimed = Claimed {
                seq: row.get(0)?,
                id: row.get(1)?,
                content: row.get::<_, Json<Content>>(2)?.0,
                attempts: row.get(3)?,
                created_at: row.get::<_, Text<_>>(4)?.0,
            };
            Ok((claimed, row.get(5)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut claimed = Vec::new();
    for (one, is_for_nobody) in candidates {
        if is_for_nobody {
            let error = "no notification of what is over was accepted";
            end(connection, one.seq, NotificationState::Dropped, Some(error), &now)?;
            continue;
        }
        let is_wanted = request.only.as_ref().is_none_or(|only| only.contains(&one.seq));
        if claimed.len() < request.limit && is_wanted {
            connection
                .prepare_cached(
                    "UPDATE workflow_notifications SET claimed_by = ?2, next_at = ?3 WHERE seq = ?1",
                )?
                .execute(params![one.seq, request.owner, request.until.to_string()])?;
            claimed.push(one);
        }
    }
    Ok(Claim { claimed, expired, next_at: next_at(connection, &request.channel)? })
}

fn expire(connection: &Connection, request: &ClaimRequest) -> rusqlite::Result<Vec<Ended>> {
    connection
        .prepare_cached(
            "UPDATE workflow_notifications SET state = 'given_up', ended_at = ?3, next_at = NULL,
               error = coalesce(error, 'no receiver accepted it within a day')
             WHERE state = 'pending' AND channel = ?1 AND created_at < ?2 AND claimed_by IS NULL
             RETURNING notification_id, error",
        )?
        .query_map(
            params![request.channel, request.expired_before.to_string(), request.now.to_string()],
            |row| Ok(Ended { id: row.get(0)?, error: row.get(1)? }),
        )?
        .collect()
}

fn end(
    connection: &Connection,
    seq: i64,
    state: NotificationState,
    error: Option<&str>,
    now: &str,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE workflow_notifications SET state = ?2, ended_at = ?4, next_at = NULL,
               claimed_by = NULL, error = ?3
             WHERE seq = ?1 AND state = 'pending'",
        )?
        .execute(params![seq, state.as_str(), error, now])
}

/// Stores the result of an attempt, inside the transaction under way. That it was accepted holds
/// whoever has the lease now.
pub(crate) fn settle(connection: &Connection, settlement: &Settlement) -> rusqlite::Result<()> {
    let Settlement { seq, owner, at, result } = settlement;
    let now = at.to_string();
    if *result != Attempted::Returned {
        connection
            .prepare_cached(
                "UPDATE workflow_notifications SET attempts = attempts + 1
                 WHERE seq = ?1 AND state = 'pending'",
            )?
            .execute([seq])?;
    }
    match result {
        Attempted::Accepted => {
            if end(connection, *seq, NotificationState::Accepted, None, &now)? > 0 {
                connection
                    .prepare_cached(
                        "UPDATE workflow_incident_channels SET accepted = 1
                         WHERE (incident_id, channel) IN (SELECT incident_id, channel
                           FROM workflow_notifications WHERE seq = ?1)",
                    )?
                    .execute([seq])?;
            }
        }
        Attempted::GivenUp { error } => {
            if is_claimed(connection, *seq, owner)? {
                end(connection, *seq, NotificationState::GivenUp, Some(error), &now)?;
            }
        }
        Attempted::Failed { error, again_at } => {
            connection
                .prepare_cached(
                    "UPDATE workflow_notifications SET claimed_by = NULL, next_at = ?3, error = ?4
                     WHERE seq = ?1 AND claimed_by = ?2 AND state = 'pending'",
                )?
                .execute(params![seq, owner, again_at.to_string(), error])?;
        }
        Attempted::Returned => {
            connection
                .prepare_cached(
                    "UPDATE workflow_notifications SET claimed_by = NULL, next_at = ?3
                     WHERE seq = ?1 AND claimed_by = ?2 AND state = 'pending'",
                )?
                .execute(params![seq, owner, now])?;
        }
    }
    Ok(())
}

fn is_claimed(connection: &Connection, seq: i64, owner: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_notifications WHERE seq = ?1 AND claimed_by = ?2)",
        )?
        .query_row(params![seq, owner], |row| row.get(0))
}

/// Whether an incident is to be notified again, or the history is too long. Begins no transaction.
pub(crate) fn needs_upkeep(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_incident_channels WHERE remind_at <= ?1)
               OR EXISTS (SELECT 1 FROM workflow_notifications WHERE ended_at < ?2)
               OR EXISTS (SELECT 1 FROM workflow_incidents WHERE closed_at < ?2)
               OR (SELECT coalesce(max(seq) - min(seq), 0) >= ?3 FROM workflow_notifications)
               OR EXISTS (SELECT 1 FROM workflow_notifications WHERE state = 'pending'
                 AND next_at < ?4
                 AND channel NOT IN (SELECT channel FROM workflow_notification_couriers))",
        )?
        .query_row(
            params![
                now.to_string(),
                now.minus(KEPT).to_string(),
                KEPT_ROWS,
                now.minus(UNSERVED).to_string()
            ],
            |row| row.get(0),
        )
}

/// Queues reminders that are due and deletes old history, inside the transaction under way;
/// returns whether something was queued.
pub(crate) fn upkeep(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let is_reminded = remind(connection, now)?;
    connection
        .prepare_cached(
            "UPDATE workflow_notifications SET state = 'given_up', ended_at = ?2, next_at = NULL,
               claimed_by = NULL, error = coalesce(error, 'no daemon has this channel')
             WHERE state = 'pending' AND next_at < ?1
               AND channel NOT IN (SELECT channel FROM workflow_notification_couriers)",
        )?
        .execute(params![now.minus(UNSERVED).to_string(), now.to_string()])?;
    let before = now.minus(KEPT).to_string();
    connection
        .prepare_cached(
            "DELETE FROM workflow_notifications WHERE seq IN (
               SELECT seq FROM workflow_notifications WHERE ended_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before, DELETED_AT_A_TIME])?;
    connection
        .prepare_cached(
            "DELETE FROM workflow_notifications WHERE seq IN (
               SELECT seq FROM workflow_notifications
               WHERE ended_at IS NOT NULL
                 AND seq <= (SELECT seq FROM workflow_notifications
                   ORDER BY seq DESC LIMIT 1 OFFSET ?1)
               LIMIT ?2)",
        )?
        .execute(params![KEPT_ROWS, DELETED_AT_A_TIME])?;
    // Of an incident whose end is still to be notified, the channels are needed.
    connection
        .prepare_cached(
            "DELETE FROM workflow_incident_channels WHERE incident_id IN (
               SELECT incident_id FROM workflow_incidents WHERE closed_at < ?1
               ORDER BY closed_at LIMIT ?2)",
        )?
        .execute(params![before, DELETED_AT_A_TIME])?;
    connection
        .prepare_cached(
            "DELETE FROM workflow_incidents WHERE incident_id IN (
               SELECT incident_id FROM workflow_incidents WHERE closed_at < ?1
               ORDER BY closed_at LIMIT ?2)",
        )?
        .execute(params![before, DELETED_AT_A_TIME])?;
    Ok(is_reminded)
}

fn remind(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let due: Vec<(i64, String, i64, Text<Timestamp>)> = connection
        .prepare_cached(
            "SELECT incident_id, channel, coalesce(remind_ms, 0), remind_at
             FROM workflow_incident_channels WHERE remind_at <= ?1 ORDER BY remind_at LIMIT ?2",
        )?
        .query_map(params![now.to_string(), REMINDED_AT_A_TIME], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (incident_id, channel, remind_ms, Text(due_at)) in &due {
        let remind = std::time::Duration::from_millis(u64::try_from(*remind_ms).unwrap_or(0));
        let next = (!remind.is_zero()).then(|| now.plus(remind));
        connection
            .prepare_cached(
                "UPDATE workflow_incident_channels SET remind_at = ?3
                 WHERE incident_id = ?1 AND channel = ?2",
            )?
            .execute(params![incident_id, channel, time(next)])?;
        let last: Option<(String, Json<Content>)> = connection
            .prepare_cached(
                "SELECT thread, content FROM workflow_notifications
                 WHERE incident_id = ?1 AND channel = ?2 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row(params![incident_id, channel], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // What it said last goes with the history; then there is nothing to say again.
        let Some((thread, Json(last))) = last else { continue };
        let occurrences: u32 = connection
            .prepare_cached("SELECT occurrences FROM workflow_incidents WHERE incident_id = ?1")?
            .query_row([incident_id], |row| row.get(0))?;
        let content = Content {
            at: now,
            is_reminder: true,
            count: (occurrences > 1).then_some(occurrences),
            ..last
        };
        let row = Queued {
            id: new_id(),
            origin: format!("{incident_id}/reminder/{due_at}"),
            channel,
            thread,
            incident_id: Some(*incident_id),
            content: &content,
            created_at: now,
        };
        insert(connection, &row)?;
    }
    Ok(!due.is_empty())
}

/// Stores which channels a daemon delivers, and forgets daemons that are dead, inside the
/// transaction under way.
pub(crate) fn set_couriers(
    connection: &Connection,
    judge: &mut Judge,
    owner: &str,
    channels: &[String],
) -> rusqlite::Result<()> {
    let owners: Vec<String> = connection
        .prepare_cached("SELECT DISTINCT owner FROM workflow_notification_couriers")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let forget = "DELETE FROM workflow_notification_couriers WHERE owner = ?1";
    for stored in owners {
        if stored == owner || judge.liveness(&stored).is_dead() {
            connection.prepare_cached(forget)?.execute([stored])?;
        }
    }
    for channel in channels {
        connection
            .prepare_cached("INSERT OR IGNORE INTO workflow_notification_couriers VALUES (?1, ?2)")?
            .execute(params![owner, channel])?;
    }
    Ok(())
}

/// What of an execution's notifications waits to be sent: rows and channels. Channels that a daemon
/// delivers, whose death is not proven, are left out.
pub(crate) fn left_to_send(
    connection: &Connection,
    judge: &mut dyn FnMut() -> rusqlite::Result<Judge>,
    executions: &[String],
) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut left: Vec<(i64, String)> = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT seq, channel FROM workflow_notifications
         WHERE state = 'pending' AND execution_id = ?1",
    )?;
    for execution in executions {
        let rows = statement.query_map([execution], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            left.push(row?);
        }
    }
    if left.is_empty() {
        return Ok(left);
    }
    let couriers: Vec<(String, String)> = connection
        .prepare_cached("SELECT owner, channel FROM workflow_notification_couriers")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut judge = judge()?;
    left.retain(|(_, channel)| {
        !couriers
            .iter()
            .any(|(owner, served)| served == channel && !judge.liveness(owner).is_dead())
    });
    Ok(left)
}

/// How a notification stands, by its id.
pub(crate) fn by_id(
    connection: &Connection,
    id: &str,
) -> rusqlite::Result<Option<NotificationRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM workflow_notifications WHERE notification_id = ?1"
        ))?
        .query_row([id], of_row)
        .optional()
}

const COLUMNS: &str = "seq, notification_id, channel, event, workflow_id, execution_id, state, \
     created_at, CASE WHEN claimed_by IS NULL THEN next_at END, ended_at, attempts, error";

fn of_row(row: &Row<'_>) -> rusqlite::Result<NotificationRecord> {
    let optional = |column: usize| -> rusqlite::Result<Option<Timestamp>> {
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
    connection: &Connection,
    filter: &NotificationFilter,
) -> rusqlite::Result<Vec<NotificationRecord>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflow_notifications
         WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR workflow_id = ?2)
           AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR seq < ?4)
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
pub(crate) fn pending(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT channel, count(*) FROM workflow_notifications WHERE state = 'pending'
         GROUP BY channel",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, super::rows::count(row.get(1)?))))?;
    rows.collect()
}
