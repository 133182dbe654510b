use super::*;
use crate::operations::diagnosis::State;

fn healthy() -> ServerInspection {
    ServerInspection {
        version: "15.20".to_owned(),
        encoding: "UTF8".to_owned(),
        status: ServerStatus {
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            names_standbys: true,
            standbys: 1,
            synchronous_standbys: Some(1),
            connections_left: 90,
            connections_max: 97,
            ..ServerStatus::default()
        },
        owns_schema: true,
        has_autovacuum: true,
        ..ServerInspection::default()
    }
}

/// What is not as it should be: each check with its state.
fn found(change: impl FnOnce(&mut ServerInspection)) -> Vec<(&'static str, State)> {
    let mut server = healthy();
    change(&mut server);
    let mut findings = Vec::new();
    judge(&server, 1 << 20, &mut findings);
    for finding in &findings {
        assert_eq!(finding.remedy.is_none(), finding.state == State::Ok, "{finding:?}");
    }
    let bad = findings.iter().filter(|finding| finding.state != State::Ok);
    bad.map(|finding| (finding.check, finding.state)).collect()
}

#[test]
fn a_server_with_a_synchronous_standby_is_all_right() {
    assert_eq!(found(|_| {}), []);
    // Of a role that may not see which standbys are synchronous.
    assert_eq!(found(|server| server.status.synchronous_standbys = None), []);
}

/// A slot that is dropped while somebody uses it takes a standby with it.
#[test]
fn what_keeps_old_rows_is_let_go_of_in_its_own_way() {
    assert!(let_go("session 12 of app (psql)").contains("pg_terminate_backend"));
    assert!(let_go("prepared transaction x").contains("ROLLBACK PREPARED"));
    let of_slot = let_go("replication slot standby1");
    assert!(of_slot.contains("active") && !of_slot.contains("pg_drop_replication_slot"));
}

#[test]
fn each_fault_is_named_with_a_remedy() {
    type Change = fn(&mut ServerInspection);
    let problems: [(&str, Change); 10] = [
        ("server", |it| it.status.is_standby = true),
        ("permissions", |it| it.is_read_only = true),
        ("permissions", |it| it.missing_rights = vec!["DELETE on fence".to_owned()]),
        ("durability", |it| it.status.fsync = false),
        ("durability", |it| it.status.synchronous_commit = "off".to_owned()),
        ("durability", |it| it.status.full_page_writes = false),
        ("durability", |it| it.status.is_relaxed = true),
        ("standbys", |it| it.status.synchronous_standbys = Some(0)),
        ("connections", |it| it.status.connections_left = 0),
        ("vacuum", |it| it.has_autovacuum = false),
    ];
    for (check, change) in problems {
        assert_eq!(found(change), [(check, State::Problem)]);
    }
    let old = |seconds| OldestTransaction {
        holder: "session 1 of carl".to_owned(),
        transactions: LONG_TRANSACTIONS + 1,
        seconds,
    };
    type Capturing = Box<dyn FnOnce(&mut ServerInspection)>;
    let notes: [(&str, Capturing); 8] = [
        ("permissions", Box::new(|it| it.owns_schema = false)),
        ("standbys", Box::new(|it| it.status.names_standbys = false)),
        ("standbys", Box::new(|it| (it.status.names_standbys, it.status.standbys) = (false, 0))),
        ("connections", Box::new(|it| it.status.connections_left = 3)),
        ("transactions", Box::new(move |it| it.status.oldest = Some(old(Some(3_600.0))))),
        ("transactions", Box::new(move |it| it.status.oldest = Some(old(None)))),
        ("vacuum", Box::new(|it| it.deadest = Some(("workflow_output".to_owned(), 10, 1_000_000)))),
        ("clock", Box::new(|it| it.status.clock_ahead_us = -5_000_000)),
    ];
    for (check, change) in notes {
        assert_eq!(found(change), [(check, State::Note)]);
    }
    // Many transactions a second make nothing old of one that has just begun.
    assert_eq!(found(move |it| it.status.oldest = Some(old(Some(1.0)))), []);
    // A question that took long says little of the clock.
    let slow = |it: &mut ServerInspection| {
        (it.status.clock_ahead_us, it.status.clock_doubt_us) = (5_000_000, 6_000_000);
    };
    assert_eq!(found(slow), []);
}

#[test]
fn what_a_commit_outlives_follows_from_what_it_waits_for() {
    let guarantee = |change: fn(&mut ServerStatus)| {
        let mut status = healthy().status;
        change(&mut status);
        status.guarantee()
    };
    assert_eq!(guarantee(|_| {}), Guarantee::Standby);
    assert_eq!(guarantee(|it| it.names_standbys = false), Guarantee::Server);
    assert_eq!(guarantee(|it| it.synchronous_commit = "local".to_owned()), Guarantee::Server);
    assert_eq!(guarantee(|it| it.synchronous_commit = "off".to_owned()), Guarantee::Nothing);
    assert_eq!(guarantee(|it| it.is_relaxed = true), Guarantee::Nothing);
    assert_eq!(guarantee(|it| it.fsync = false), Guarantee::Nothing);
}
