//! Incidents: events become notifications inside the transaction of the change that they come with.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

use uuid::Uuid;

use super::rows::{Json, Text, time};
use crate::base::timestamp::Timestamp;
use crate::workflow::incident::{Incident, decide};
use crate::workflow::notification::{
    Content, Event, EventKind, Events, Occurrence, brief_error, subject, workflow_of,
};

/// So many reminders are queued in one transaction.
const REMINDED_AT_A_TIME: i64 = 256;

/// Stores what follows from events, inside the transaction of the change that they come with.
/// `execution` is its id and number; an event of an execution is counted once however often it is
/// written.
pub(crate) fn record(
    connection: Connection<'_>,
    execution: Option<(&str, i64)>,
    events: Option<&Events>,
) -> sql::Result<()> {
    let Some(events) = events else { return Ok(()) };
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
    connection: Connection<'_>,
    execution: Option<(&str, i64)>,
    events: &Events,
    event: &Event,
    subject: &str,
) -> sql::Result<()> {
    let kind = event.occurrence.kind();
    let stored = match event.occurrence {
        Occurrence::Once(_) => None,
        occurrence => {
            let happens_again = matches!(occurrence, Occurrence::Opened(_));
            open_incident(connection, subject, kind, happens_again)?
        }
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
            (Some(connection.last_insert_rowid()?), event.at)
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
                     ON CONFLICT (incident_id, channel) DO UPDATE SET remind_ms = ?3, remind_at = ?4",
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

/// The open incident. Where what it is about `happens_again`, channels count as notified only if they may
/// have accepted something about it.
fn open_incident(
    connection: Connection<'_>,
    subject: &str,
    kind: EventKind,
    happens_again: bool,
) -> sql::Result<Option<Stored>> {
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
        "SELECT channel, remind_at FROM workflow_incident_channels AS c
         WHERE incident_id = ?1 AND NOT (?3 AND
           EXISTS (SELECT 1 FROM workflow_notifications AS n
             WHERE n.thread = ?2 AND n.channel = c.channel AND n.incident_id = c.incident_id
               AND n.state = 'given_up')
           AND NOT EXISTS (SELECT 1 FROM workflow_notifications AS n
             WHERE n.thread = ?2 AND n.channel = c.channel AND n.incident_id = c.incident_id
               AND n.state IN ('pending', 'accepted')))",
    )?;
    let thread = format!("{subject}/{}", kind.as_str());
    let mut rows = statement.query(params![stored.id, thread, happens_again])?;
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

fn insert(connection: Connection<'_>, row: &Queued<'_>) -> sql::Result<()> {
    let Queued { id, origin, channel, thread, incident_id, content, created_at } = row;
    let json =
        serde_json::to_string(content).map_err(|error| sql::Error::Value(Box::new(error)))?;
    connection
        .prepare_cached(
            "INSERT INTO workflow_notifications (notification_id, origin, channel, event, thread,
               workflow_id, execution_id, incident_id, state, created_at, next_at, after_seq,
               content)
             VALUES (?1, CAST(?2 AS TEXT) || '/' || CAST(?3 AS TEXT), ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9, ?9,
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

/// The thread of an incident, and what is known of it without its last notification.
fn of_incident(
    incident_id: i64,
    subject: &str,
    event: String,
    since: Timestamp,
    execution_id: Option<String>,
) -> (String, Content) {
    let thread = format!("{subject}/{event}");
    let content = Content {
        incident: format!("{thread}/{incident_id}"),
        event,
        at: since,
        since,
        resolves: None,
        is_reminder: true,
        is_test: false,
        count: None,
        workflow_id: Some(workflow_of(subject).to_owned()),
        execution_id,
        number: None,
        status: None,
        step: None,
        error: None,
        trigger: None,
        alert: None,
    };
    (thread, content)
}

/// Queues reminders that are due, inside the transaction under way; whether there were any.
pub(crate) fn remind(connection: Connection<'_>, now: Timestamp) -> sql::Result<bool> {
    let due: Vec<(i64, String, i64, Text<Timestamp>)> = connection
        .prepare_cached(
            "SELECT incident_id, channel, coalesce(remind_ms, 0), remind_at
             FROM workflow_incident_channels WHERE remind_at <= ?1 ORDER BY remind_at LIMIT ?2",
        )?
        .query_map(params![now.to_string(), REMINDED_AT_A_TIME], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<sql::Result<_>>()?;
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
        let (occurrences, unsaid) = connection
            .prepare_cached(
                "SELECT occurrences, subject, event, opened_at, last_execution
                 FROM workflow_incidents WHERE incident_id = ?1",
            )?
            .query_row([incident_id], |row| {
                let (subject, event): (String, String) = (row.get(1)?, row.get(2)?);
                let since = row.get::<_, Text<_>>(3)?.0;
                let unsaid = of_incident(*incident_id, &subject, event, since, row.get(4)?);
                Ok((row.get::<_, u32>(0)?, unsaid))
            })?;
        // What it said last goes with the history.
        let (thread, last) = last.map_or(unsaid, |(thread, Json(last))| (thread, last));
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
