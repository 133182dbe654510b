//! Incidents and the outbox, row by row.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::timestamp::Timestamp;
use crate::repository::notifications::{
    Attempted, Claim, ClaimRequest, NewNotification, NotificationFilter, NotificationRecord,
    NotificationState, Settlement,
};
use crate::repository::ownership::Registry;
use crate::repository::sql::{self, incidents, notification_history, open_alerts, outbox};
use crate::workflow::notification::{Event, EventKind, Events, Notify, NotifyRule, Occurrence};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// A database with its tables.
fn database() -> (Place, Connection) {
    let place = Place::new();
    super::open(&place.path).close().unwrap();
    let connection = place.raw();
    (place, connection)
}

fn events(occurrence: Occurrence, second: i64, rule: NotifyRule) -> Events {
    Events {
        notify: Arc::new(Notify { rules: vec![rule] }),
        workflow_id: "etl".to_owned(),
        is_ad_hoc: false,
        trigger: None,
        events: vec![Event { occurrence, at: at(second), step: None, error: None, status: None }],
    }
}

fn queries(connection: &Connection) -> sql::Connection<'_> {
    sql::Connection::Sqlite(connection)
}

fn record(connection: &Connection, execution: Option<&str>, events: &Events) {
    incidents::record(queries(connection), execution.map(|id| (id, 1)), Some(events)).unwrap();
}

fn ops() -> NotifyRule {
    NotifyRule::to(vec!["ops".to_owned()])
}

fn request(owner: &str, second: i64) -> ClaimRequest {
    ClaimRequest {
        channel: "ops".to_owned(),
        owner: owner.to_owned(),
        limit: 4,
        now: at(second),
        until: at(second + 30),
        expired_before: at(second - 86_400),
        only: None,
    }
}

fn upkeep(place: &Place, connection: &Connection, now: Timestamp) -> bool {
    let mut judge = || Ok(Registry::new(&place.path, None).judge());
    outbox::upkeep(queries(connection), &mut judge, now).unwrap().is_queued
}

fn claim(place: &Place, connection: &Connection, request: &ClaimRequest) -> Claim {
    let mut judge = || Ok(Registry::new(&place.path, None).judge());
    outbox::claim(queries(connection), &mut judge, request).unwrap()
}

fn settle(connection: &Connection, seq: i64, owner: &str, second: i64, result: Attempted) {
    let owner = owner.to_owned();
    outbox::settle(queries(connection), &Settlement { seq, owner, at: at(second), result })
        .unwrap();
}

fn history(connection: &Connection) -> Vec<NotificationRecord> {
    let filter = NotificationFilter { limit: 100, ..NotificationFilter::default() };
    notification_history::history(queries(connection), &filter).unwrap()
}

fn seen(connection: &Connection) -> Vec<(String, NotificationState)> {
    history(connection).into_iter().rev().map(|it| (it.event, it.state)).collect()
}

#[test]
fn expectations_open_and_close_incidents_of_their_own() {
    let (_place, connection) = database();
    for kind in [EventKind::Missed, EventKind::Late, EventKind::Slow, EventKind::Stale] {
        record(&connection, None, &events(Occurrence::Opened(kind), 1, ops()));
        // It still is so: nothing more is said.
        record(&connection, None, &events(Occurrence::Opened(kind), 2, ops()));
        record(&connection, None, &events(Occurrence::Closed(kind), 3, ops()));
        record(&connection, None, &events(Occurrence::Closed(kind), 4, ops()));
        // The next one is another incident.
        record(&connection, None, &events(Occurrence::Opened(kind), 5, ops()));
    }
    let of: Vec<String> = seen(&connection).into_iter().map(|(event, _)| event).collect();
    let expected = ["missed", "late", "slow", "stale"].map(|kind| [kind, "recovered", kind]);
    assert_eq!(of, expected.concat());
}

#[test]
fn an_execution_counts_once_however_often_it_is_written() {
    let (_place, connection) = database();
    let rule = NotifyRule { after_failures: 2, ..ops() };
    let failed = events(Occurrence::Opened(EventKind::Failed), 1, rule);
    for _ in 0..3 {
        record(&connection, Some("first"), &failed);
    }
    assert!(seen(&connection).is_empty());
    record(&connection, Some("second"), &failed);
    record(&connection, Some("second"), &failed);
    assert_eq!(seen(&connection).len(), 1);
    let cancelled = events(
        Occurrence::Once(EventKind::Cancelled),
        2,
        NotifyRule { on: vec![EventKind::Cancelled], ..ops() },
    );
    record(&connection, Some("third"), &cancelled);
    record(&connection, Some("third"), &cancelled);
    assert_eq!(seen(&connection).len(), 2);
}

#[test]
fn requests_have_incidents_of_their_own() {
    let (_place, connection) = database();
    let failed = events(Occurrence::Opened(EventKind::Failed), 1, ops());
    let closed =
        Events { is_ad_hoc: true, ..events(Occurrence::Closed(EventKind::Failed), 2, ops()) };
    record(&connection, Some("a"), &failed);
    record(&connection, Some("b"), &closed);
    assert_eq!(seen(&connection).len(), 1);
    record(&connection, Some("c"), &Events { is_ad_hoc: true, ..failed });
    assert_eq!(seen(&connection).len(), 2);
}

#[test]
fn a_lease_keeps_others_away_until_it_ends() {
    let (place, connection) = database();
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), 1, ops()));
    // Both are alive: this very process.
    let owners: Vec<_> = [1, 2]
        .map(|nonce| Registry::new(&place.path, None).claim(OwnerKind::Serve, nonce).unwrap())
        .into();
    let [first, second] = [owners[0].id(), owners[1].id()];
    let claimed = claim(&place, &connection, &request(first, 10)).claimed;
    assert_eq!(claimed.len(), 1);
    let again = claim(&place, &connection, &request(second, 20));
    assert_eq!((again.claimed.len(), again.next_at), (0, Some(at(40))));
    let after = claim(&place, &connection, &request(second, 40)).claimed;
    assert_eq!(after[0].id, claimed[0].id);
    // What the first one did not deliver changes nothing any more; what it did, holds.
    let failed = Attempted::Failed { error: "late".to_owned(), again_at: at(99) };
    settle(&connection, claimed[0].seq, first, 41, failed);
    settle(&connection, claimed[0].seq, first, 42, Attempted::GivenUp { error: "late".to_owned() });
    assert_eq!(seen(&connection)[0].1, NotificationState::Pending);
    settle(&connection, claimed[0].seq, first, 43, Attempted::Accepted);
    assert_eq!(seen(&connection)[0].1, NotificationState::Accepted);
}

#[test]
fn a_claim_of_the_dead_is_free_at_once() {
    let (place, connection) = database();
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), 1, ops()));
    // Number 0 is nobody's.
    assert_eq!(claim(&place, &connection, &request("nobody", 10)).claimed.len(), 1);
    assert_eq!(claim(&place, &connection, &request("other", 11)).claimed.len(), 1);
}

#[test]
fn an_end_comes_after_its_beginning_and_not_for_nobody() {
    let (place, connection) = database();
    let open = |second| events(Occurrence::Opened(EventKind::Failed), second, ops());
    let close = |second| events(Occurrence::Closed(EventKind::Failed), second, ops());
    record(&connection, Some("a"), &open(1));
    record(&connection, Some("b"), &close(2));
    let owner = "exec-1-1";
    let first = claim(&place, &connection, &request(owner, 10)).claimed;
    assert_eq!(first.iter().map(|it| it.content.event.as_str()).collect::<Vec<_>>(), ["failed"]);
    settle(&connection, first[0].seq, owner, 11, Attempted::Accepted);
    let second = claim(&place, &connection, &request(owner, 12)).claimed;
    assert_eq!(second[0].content.event, "recovered");
    settle(&connection, second[0].seq, owner, 13, Attempted::Accepted);
    // The next one is given up.
    record(&connection, Some("c"), &open(20));
    record(&connection, Some("d"), &close(21));
    let third = claim(&place, &connection, &request(owner, 30)).claimed;
    settle(&connection, third[0].seq, owner, 31, Attempted::GivenUp { error: "no".to_owned() });
    assert!(claim(&place, &connection, &request(owner, 32)).claimed.is_empty());
    use NotificationState::{Accepted, Dropped, GivenUp};
    let states: Vec<_> = seen(&connection).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [Accepted, Accepted, GivenUp, Dropped]);
}

#[test]
fn what_is_a_day_old_is_given_up() {
    let (place, connection) = database();
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), 1, ops()));
    let late = claim(&place, &connection, &request("exec-1-1", 90_000));
    assert_eq!((late.claimed.len(), late.expired.len()), (0, 1));
    assert_eq!(seen(&connection)[0].1, NotificationState::GivenUp);
}

#[test]
fn reminders_come_once_each_and_only_while_it_is_open() {
    let (place, connection) = database();
    let rule = || NotifyRule {
        remind: Some(crate::base::period::Period::new(Duration::from_secs(3_600))),
        ..ops()
    };
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), 0, rule()));
    assert!(!outbox::needs_upkeep(queries(&connection), at(3_599)).unwrap());
    assert!(outbox::needs_upkeep(queries(&connection), at(3_600)).unwrap());
    assert!(upkeep(&place, &connection, at(3_600)));
    assert!(!upkeep(&place, &connection, at(3_700)));
    assert_eq!(seen(&connection).len(), 2);
    record(&connection, Some("b"), &events(Occurrence::Closed(EventKind::Failed), 4_000, rule()));
    assert!(!upkeep(&place, &connection, at(99_000)));
}

#[test]
fn reminders_go_on_after_the_history_is_gone() {
    let (place, connection) = database();
    let rule = NotifyRule {
        remind: Some(crate::base::period::Period::new(Duration::from_secs(3_600))),
        ..ops()
    };
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), 0, rule));
    let before = history(&connection).remove(0);
    connection.execute("DELETE FROM workflow_notifications", []).unwrap();
    assert!(upkeep(&place, &connection, at(3_600)));
    let reminder = history(&connection).remove(0);
    assert_eq!(
        (&reminder.event, &reminder.workflow_id, &reminder.execution_id),
        (&before.event, &before.workflow_id, &before.execution_id)
    );
    let claimed = claim(&place, &connection, &request("exec-1-1", 3_601)).claimed;
    assert!(claimed[0].content.is_reminder);
    assert_eq!(claimed[0].content.since, at(0));
}

#[test]
fn the_history_is_bounded_in_time_and_number() {
    let (place, connection) = database();
    connection
        .execute_batch(
            "INSERT INTO workflow_notifications (notification_id, channel, event, thread, state,
               created_at, ended_at, content)
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10500)
             SELECT 'm' || n, 'ops', 'failed', 't', 'accepted', '2026-01-01T00:00:00.000000Z',
               '2026-01-01T00:00:00.000000Z', '{}' FROM n",
        )
        .unwrap();
    let count = || -> i64 {
        let sql = "SELECT count(*) FROM workflow_notifications";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let soon: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
    upkeep(&place, &connection, soon);
    assert_eq!(count(), 10_000);
    assert!(!outbox::needs_upkeep(queries(&connection), soon).unwrap());
    let later: Timestamp = "2026-02-02T00:00:00Z".parse().unwrap();
    while outbox::needs_upkeep(queries(&connection), later).unwrap() {
        upkeep(&place, &connection, later);
    }
    assert_eq!(count(), 0);
}

#[test]
fn what_was_sent_before_it_could_be_stored_is_stored_as_sent() {
    let (_place, connection) = database();
    let failed = events(Occurrence::Opened(EventKind::Failed), 1, ops());
    record(&connection, Some("a"), &failed);
    let content = {
        let sql = "SELECT content FROM workflow_notifications";
        let json: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        serde_json::from_str(&json).unwrap()
    };
    let new = NewNotification {
        id: "msg_1".to_owned(),
        channel: "ops".to_owned(),
        thread: "slo/x".to_owned(),
        content,
        ended: None,
        claimed_by: None,
        raised_by: None,
    };
    // Its commit came late, after a second.
    assert!(outbox::add(queries(&connection), &new, at(2)).unwrap().is_some());
    assert!(outbox::add(queries(&connection), &new, at(2)).unwrap().is_none());
    let ended = Some((NotificationState::Accepted, None));
    outbox::add(queries(&connection), &NewNotification { ended, ..new.clone() }, at(3)).unwrap();
    let of = history(&connection).into_iter().find(|it| it.id == "msg_1").unwrap();
    assert_eq!((of.state, of.attempts), (NotificationState::Accepted, 1));
}

/// An alert of the breach that began at that second, or its end.
fn alert(id: &str, since: i64, is_end: bool) -> NewNotification {
    let (_place, connection) = database();
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), since, ops()));
    let sql = "SELECT content FROM workflow_notifications";
    let json: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    let mut content: crate::workflow::notification::Content = serde_json::from_str(&json).unwrap();
    content.event = if is_end { "resolved" } else { "slo_x" }.to_owned();
    content.resolves = is_end.then(|| "slo_x".to_owned());
    NewNotification {
        id: id.to_owned(),
        channel: "ops".to_owned(),
        thread: "slo/slo_x".to_owned(),
        content,
        ended: None,
        claimed_by: None,
        raised_by: Some("serve-1-gone".to_owned()),
    }
}

#[test]
fn the_end_of_a_breach_is_sent_where_any_notification_of_it_was_accepted() {
    let ended = |mut alert: NewNotification, state| {
        alert.ended = Some((state, None));
        alert
    };
    let (accepted, given_up) = (NotificationState::Accepted, NotificationState::GivenUp);
    // Of this breach: accepted, then a repetition given up. Of another one: given up only.
    for (begun, other, is_sent) in [
        (vec![accepted, given_up], vec![], true),
        (vec![accepted], vec![given_up], true),
        (vec![given_up], vec![accepted], false),
        (vec![given_up], vec![], false),
        // The history is bounded.
        (vec![], vec![given_up], true),
    ] {
        let (place, connection) = database();
        for (since, states) in [(1, begun), (2, other)] {
            for (index, state) in states.into_iter().enumerate() {
                let alert = ended(alert(&format!("msg_{since}_{index}"), since, false), state);
                outbox::add(queries(&connection), &alert, at(3)).unwrap();
            }
        }
        outbox::add(queries(&connection), &alert("msg_end", 1, true), at(4)).unwrap();
        let mut judge = || Ok(Registry::new(&place.path, None).judge());
        let claim = outbox::claim(queries(&connection), &mut judge, &request("serve", 5)).unwrap();
        assert_eq!(claim.claimed.len(), usize::from(is_sent), "{:?}", history(&connection));
    }
}

#[test]
fn open_alerts_change_hands_once_and_only_from_the_dead() {
    let (place, connection) = database();
    let registry = Registry::new(&place.path, None);
    let alive = registry.claim(crate::repository::ownership::OwnerKind::Serve, 1).unwrap();
    let mut judge = || Ok(Registry::new(&place.path, None).judge());
    let mut adopt = |own: &str, channels: &[&str]| {
        let channels: Vec<String> = channels.iter().map(|&name| name.to_owned()).collect();
        let adopted = open_alerts::adopt(queries(&connection), &mut judge, own, &channels).unwrap();
        adopted.into_iter().map(|open| open.since).collect::<Vec<_>>()
    };
    outbox::add(queries(&connection), &alert("msg_1", 1, false), at(1)).unwrap();
    let of_alive =
        NewNotification { raised_by: Some(alive.id().to_owned()), ..alert("msg_2", 2, false) };
    outbox::add(queries(&connection), &of_alive, at(2)).unwrap();
    assert!(adopt("serve-2-other", &["mail"]).is_empty(), "it does not have the channel");
    assert_eq!(adopt(alive.id(), &["mail", "ops"]), [at(1)]);
    assert!(adopt("serve-2-other", &["ops"]).is_empty(), "its owner lives now");
    // It ends.
    open_alerts::release(queries(&connection), alive.id()).unwrap();
    assert_eq!(adopt("serve-2-other", &["ops"]), [at(1), at(2)]);
    outbox::add(queries(&connection), &alert("msg_3", 1, true), at(3)).unwrap();
    assert_eq!(open_alerts::named_owners(queries(&connection)).unwrap(), ["serve-2-other"]);
    outbox::add(queries(&connection), &alert("msg_4", 2, true), at(3)).unwrap();
    assert!(open_alerts::named_owners(queries(&connection)).unwrap().is_empty());
}

#[test]
fn what_waits_for_a_channel_of_a_dead_daemon_alone_is_given_up_after_a_day() {
    let (place, connection) = database();
    record(&connection, Some("a"), &events(Occurrence::Opened(EventKind::Failed), 0, ops()));
    // It was killed, or handed over to one that does not have the channel.
    connection
        .execute("INSERT INTO workflow_notification_couriers VALUES ('serve-1-gone', 'ops')", [])
        .unwrap();
    assert!(!outbox::needs_upkeep(queries(&connection), at(86_000)).unwrap());
    assert!(outbox::needs_upkeep(queries(&connection), at(87_000)).unwrap());
    let mut judge = || Ok(Registry::new(&place.path, None).judge());
    let kept_up = outbox::upkeep(queries(&connection), &mut judge, at(87_000)).unwrap();
    let of = &history(&connection)[0];
    // It is logged.
    assert_eq!(kept_up.unserved, [(of.id.clone(), "ops".to_owned())]);
    assert_eq!(of.state, NotificationState::GivenUp);
    assert_eq!(of.error.as_deref(), Some("no daemon has this channel"));
}
