//! What retention deletes is what the plan says, whatever happened before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use super::{Place, open};
use crate::base::period::Period;
use crate::repository::Reader;
use crate::repository::conformance::{at, change, created, creation, head};
use crate::repository::sql::change::{Inserts, Unfinished, write};
use crate::repository::sql::{self, policies, prune, retention};
use crate::workflow::pin::Pin;
use crate::workflow::record::{Change, Created, ExecutionStatus};
use crate::workflow::retention::{History, PrunePolicy, plan};
use crate::workflow::retention_policy::{RetentionPolicy, StartRetention};

/// Ages are counted from here, seconds.
const NOW: i64 = 100;

#[derive(Debug, Clone)]
enum Action {
    Start { workflow: u8, retention: StartRetention, status: ExecutionStatus, second: i64 },
    End { which: usize, status: ExecutionStatus, second: i64 },
    Pin { which: usize, is_pinned: bool },
    Define { workflow: u8, policy: Option<RetentionPolicy> },
    Retain { keep: Option<u64> },
}

fn any_policy() -> impl Strategy<Value = Option<RetentionPolicy>> {
    let age =
        || prop::option::of((0..120_u64).prop_map(|age| Period::new(Duration::from_secs(age))));
    let policy = (prop::option::of(1..6_u64), age(), age())
        .prop_map(|(keep, success, failed)| RetentionPolicy { keep, success, failed })
        .prop_filter("a limit", |p| p.keep.is_some() || p.success.is_some() || p.failed.is_some());
    prop::option::of(policy)
}

fn any_action() -> impl Strategy<Value = Action> {
    let statuses = || prop::sample::select(&ExecutionStatus::ALL[..]);
    let ends = statuses().prop_filter("an end", |status| status.is_terminal());
    let retention = prop_oneof![
        3 => Just(StartRetention::Follows),
        2 => any_policy().prop_map(StartRetention::Defines),
        1 => Just(StartRetention::AdHoc),
    ];
    prop_oneof![
        12 => (0..3_u8, retention, statuses(), 0..NOW).prop_map(
            |(workflow, retention, status, second)| Action::Start {
                workflow, retention, status, second
            }
        ),
        3 => (any::<usize>(), ends, 0..NOW)
            .prop_map(|(which, status, second)| Action::End { which, status, second }),
        3 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, is_pinned)| Action::Pin { which, is_pinned }),
        1 => (0..3_u8, any_policy())
            .prop_map(|(workflow, policy)| Action::Define { workflow, policy }),
        2 => prop::option::of(1..8_u64).prop_map(|keep| Action::Retain { keep }),
    ]
}

fn workflow_id(workflow: u8) -> String {
    format!("w{workflow}")
}

fn queries(connection: &Connection) -> sql::Connection<'_> {
    sql::Connection::Sqlite(connection)
}

fn store(connection: &Connection, execution_id: &str, change: &Change) {
    let judge = || unreachable!("nothing waits for a slot");
    let mut inserts = Inserts::new(queries(connection), &judge, false).unwrap();
    write(queries(connection), &mut inserts, &Unfinished::default(), execution_id, change).unwrap();
}

fn ids(history: &History) -> Vec<String> {
    history.executions.iter().map(|execution| execution.execution_id.to_string()).collect()
}

/// What triggers count is what is there.
fn assert_counts(connection: &Connection, history: &History) {
    let counted = |sql: &str| -> BTreeMap<String, i64> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).filter(|(_, count)| *count != 0).collect()
    };
    let count = |is_pinned: bool| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for one in history.executions.iter().filter(|one| one.completed.is_some()) {
            let is_own = history.policies.contains_key(&*one.workflow_id) && !one.is_ad_hoc;
            if one.pin.is_some() == is_pinned && (is_pinned || is_own) {
                *counts.entry(one.workflow_id.to_string()).or_insert(0) += 1;
            }
        }
        counts
    };
    assert_eq!(counted("SELECT workflow_id, finished FROM workflow_pinned_counts"), count(true));
    assert_eq!(counted("SELECT workflow_id, finished FROM workflow_retention"), count(false));
}

/// Prunes until there is nothing more to do.
fn retain(connection: &Connection, keep: Option<u64>) {
    while prune::retain(queries(connection), keep, Some(at(NOW))).unwrap().more {}
}

fn perform(place: &Place, actions: &[Action]) {
    let connection = place.raw();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let reader = Reader::open(&place.path).unwrap();
    let mut defined: HashMap<String, RetentionPolicy> = HashMap::new();
    let mut define = |workflow: u8, policy: Option<RetentionPolicy>| match policy {
        Some(policy) => _ = defined.insert(workflow_id(workflow), policy),
        None => _ = defined.remove(&workflow_id(workflow)),
    };
    let mut started = Vec::new();
    for (number, action) in actions.iter().enumerate() {
        match action {
            Action::Start { workflow, retention, status, second } => {
                let created = Created {
                    workflow_id: workflow_id(*workflow),
                    retention: *retention,
                    ..created(1)
                };
                let creation =
                    Change { created: Some(Arc::new(created)), ..change(head(*status, *second)) };
                let execution_id = format!("e{number}");
                store(&connection, &execution_id, &creation);
                started.push(execution_id);
                if let StartRetention::Defines(policy) = retention {
                    define(*workflow, *policy);
                }
            }
            Action::End { which, status, second } => {
                let history = reader.history().unwrap();
                let mut unfinished: Vec<_> = history.executions;
                unfinished.retain(|execution| execution.completed.is_none());
                if let Some(one) = unfinished.get(which % unfinished.len().max(1)) {
                    store(&connection, &one.execution_id, &change(head(*status, *second)));
                }
            }
            Action::Pin { which, is_pinned } => {
                let Some(execution_id) = started.get(which % started.len().max(1)) else {
                    continue;
                };
                let pin = Pin { at: at(1), by: "anna".to_owned(), reason: None };
                let pin = Some(&pin).filter(|_| *is_pinned);
                retention::pin(queries(&connection), execution_id, pin).unwrap();
            }
            Action::Define { workflow, policy } => {
                policies::set(queries(&connection), &workflow_id(*workflow), *policy).unwrap();
                define(*workflow, *policy);
            }
            Action::Retain { keep } => {
                let before = reader.history().unwrap();
                let policy = PrunePolicy { keep: *keep, ..PrunePolicy::default() };
                let plan = plan(&policy, &before, at(NOW));
                retain(&connection, *keep);
                let after = reader.history().unwrap();
                let goes = |id: &&String| plan.chosen.iter().any(|one| *one.execution_id == ***id);
                let expected: Vec<String> =
                    ids(&before).iter().filter(|id| !goes(id)).cloned().collect();
                assert_eq!(ids(&after), expected);
                for gone in before.executions.iter().filter(|one| !after.executions.contains(one)) {
                    assert!(gone.completed.is_some() && gone.pin.is_none(), "{gone:?}");
                }
                assert!(!policies::is_due(queries(&connection), at(NOW)).unwrap());
                assert_counts(&connection, &after);
            }
        }
    }
    assert_eq!(reader.history().unwrap().policies, defined);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn retention_deletes_what_the_plan_says(
        mut actions in prop::collection::vec(any_action(), 1..80),
        keep in prop::option::of(1..8_u64),
    ) {
        let place = Place::new();
        open(&place.path).close().unwrap();
        actions.push(Action::Retain { keep });
        perform(&place, &actions);
    }
}

/// The virtual machine code of a statement, with the indexes that it uses.
fn query_plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_last_completion_is_looked_up_in_two_indexes() {
    let place = Place::new();
    open(&place.path).close().unwrap();
    let plan = query_plan(
        &place.raw(),
        "SELECT 1 + max(
           coalesce((SELECT max(completion_number) FROM workflow_executions
             WHERE completion_number IS NOT NULL AND own_retention IS NULL
               AND pinned_at IS NULL), 0),
           coalesce((SELECT max(completion_number) FROM workflow_executions
             WHERE completion_number IS NOT NULL
               AND (own_retention IS NOT NULL OR pinned_at IS NOT NULL)), 0))",
    );
    for index in ["workflow_executions_finished", "workflow_executions_finished_apart"] {
        assert!(
            plan.lines().any(|line| line.contains("SEARCH")
                && line.ends_with(&format!("{index} (completion_number>?)"))),
            "{plan}"
        );
    }
}

#[test]
fn executions_that_requests_defined_are_known_after_an_upgrade() {
    use crate::repository::sqlite::migrate::{APPLICATION_ID, STEPS};
    let place = Place::new();
    let connection = place.raw();
    connection
        .execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
        .unwrap();
    for step in &STEPS[..6] {
        connection.execute_batch(step).unwrap();
    }
    let long = "x".repeat(20_000);
    for (id, end) in [
        ("catalogue", r#""source":"catalogue"}"#),
        ("request", r#""source":"request"}"#),
        ("file", r#""source":"file","defaults":{"file":"f","set":[]}}"#),
        ("unmarked", r#""n":1}"#),
        ("earlier", r#""n":1,"ad_hoc":true}"#),
    ] {
        let snapshot = format!(r#"{{"definition":{{"description":"{long}"}},"params":{{}},{end}"#);
        connection
            .execute(
                "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at,
                   completed_at, completion_number, updated_at, steps_completed, total_steps,
                   step_order, input_snapshot)
                 VALUES (?1, 'w', 'success', '2026-01-02T03:04:05.000000Z',
                   '2026-01-02T03:04:06.000000Z', 1, '2026-01-02T03:04:06.000000Z', 0, 0, '[]', ?2)",
                [id, &snapshot],
            )
            .unwrap();
    }
    connection.pragma_update(None, "user_version", 6).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    drop(connection);
    open(&place.path).close().unwrap();
    let history = Reader::open(&place.path).unwrap().history().unwrap();
    let ad_hoc = history.executions.iter().filter(|one| one.is_ad_hoc);
    assert_eq!(ad_hoc.map(|one| &*one.execution_id).collect::<Vec<_>>(), ["request", "earlier"]);
}

#[test]
fn a_long_output_is_deleted_in_many_transactions() {
    const CHUNKS: i64 = 40;
    let place = Place::new();
    drop(open(&place.path));
    let connection = place.raw();
    for id in ["long", "short"] {
        store(&connection, id, &creation(0, head(ExecutionStatus::Success, 1)));
    }
    let seq: i64 = connection
        .query_row("SELECT min(seq) FROM workflow_executions", [], |row| row.get(0))
        .unwrap();
    for chunk in 0..CHUNKS {
        connection
            .execute(
                "INSERT INTO workflow_output SELECT NULL, ?1, 0, 1, 0, 0, 0, 0, ?2, 0, 0, 0, 0, ?2,
                   0, 0, 1 << 20, x'00'",
                (seq, chunk + 1),
            )
            .unwrap();
    }
    let left = || -> i64 {
        let count = "SELECT count(*) FROM workflow_output";
        connection.query_row(count, [], |row| row.get(0)).unwrap()
    };
    let mut transactions = 0;
    loop {
        let before = left();
        let pruned = prune::retain(queries(&connection), Some(0), None).unwrap();
        assert!(before - left() <= 8, "{} of {before} chunks at once", before - left());
        transactions += 1;
        if !pruned.more {
            break;
        }
    }
    assert!(transactions >= CHUNKS / 8, "{transactions}");
    let count = "SELECT count(*) FROM workflow_executions";
    assert_eq!(connection.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}
