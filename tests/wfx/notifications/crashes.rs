//! `kill -9` between the change of state, the request and its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;

/// How many rounds there are: few in the suite, 200 by `WFX_TEST_NOTIFY_ROUNDS`.
fn rounds() -> usize {
    std::env::var("WFX_TEST_NOTIFY_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(6)
}

#[test]
fn every_notification_arrives_under_one_id_whenever_the_daemon_is_killed() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    std::fs::create_dir(place.path("workflows")).unwrap();
    let count = rounds();
    for round in 0..count {
        place.write(&format!("workflows/w{round}.yaml"), FAILS.replace("id: etl\n", ""));
    }
    let mut posts = Vec::new();
    for round in 0..count {
        let daemon = serve(&place);
        let path = format!("/api/v1/workflows/w{round}/execute");
        daemon.post(&path, "").expect(200);
        // Somewhere between the start of the execution and the answer of the receiver.
        std::thread::sleep(Duration::from_micros((round as u64 * 7_919) % 60_000));
        daemon.signal("KILL");
        daemon.end();
        posts.extend(receiver.rest());
    }
    let daemon = serve(&place);
    let unfinished = "SELECT count(*) FROM workflow_executions WHERE completed_at IS NULL";
    until("all executions have ended", || place.sql(unfinished) == "0");
    let pending = "SELECT count(*) FROM workflow_notifications WHERE state = 'pending'";
    until("all notifications were sent", || place.sql(pending) == "0");
    daemon.stop();
    posts.extend(receiver.rest());
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for post in &posts {
        let workflow = post.json()["data"]["workflow_id"].as_str().unwrap().to_owned();
        ids.entry(workflow).or_default().insert(post.header("webhook-id").unwrap().to_owned());
    }
    assert_eq!(ids.len(), count, "{ids:?}");
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
    assert_eq!(
        place.sql("SELECT count(*) FROM workflow_notifications WHERE state <> 'accepted'"),
        "0"
    );
}

#[test]
fn what_a_killed_daemon_was_sending_is_sent_at_once_by_another() {
    let receiver = Receiver::start(&[HANGS]);
    let place = place_with(&receiver, "");
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/etl.yaml", FAILS);
    let first = serve(&place);
    run(&first, "etl", "");
    let hung = receiver.next();
    let second = serve(&place);
    first.signal("KILL");
    first.end();
    let sent = receiver.next();
    assert_eq!(sent.header("webhook-id"), hung.header("webhook-id"));
    // The lease would have ended after 30 s.
    assert!(sent.at.duration_since(hung.at) < Duration::from_secs(20));
    second.stop();
}
