//! One call for a batch writes what statements write.

use std::sync::Arc;

use super::server::Server;
use super::{Place, Store};
use crate::repository::Writer;
use crate::repository::conformance::{
    at, attempt, await_commit, change, creation, ended, head, store, store_change, until,
};
use crate::repository::journal::output::{Chunk, ChunkRow, OutputBatch};
use crate::repository::journal::pending_write::PendingWrite;
use crate::workflow::handler::HandlerKind;
use crate::workflow::output::{Counts, Source};
use crate::workflow::record::{
    Change, Created, ExecutionStatus, HandlerState, Reuse, SkipReason, StepState, StepStatus,
};
use crate::workflow::retention_policy::{RetentionPolicy, StartRetention};
use crate::workflow::trigger::{Trigger, TriggerKind};

/// What is stored, without what transactions are numbered by.
const ALL: &str = "
    SELECT row_to_json(e) FROM wfx.workflow_executions AS e ORDER BY seq;
    SELECT row_to_json(s) FROM wfx.workflow_execution_steps AS s ORDER BY seq, position;
    SELECT row_to_json(h) FROM wfx.workflow_execution_handlers AS h ORDER BY seq, position;
    SELECT row_to_json(a) FROM wfx.workflow_execution_attempts AS a ORDER BY seq, position, attempt;
    SELECT row_to_json(o) FROM wfx.workflow_output AS o ORDER BY chunk;
    SELECT workflow_id, status, sum(executions) FROM wfx.workflow_execution_counts
      GROUP BY 1, 2 HAVING sum(executions) <> 0 ORDER BY 1, 2;
    SELECT coalesce(sum(bytes), 0) FROM wfx.workflow_output_usage;";

/// An execution with something in every column, from its start to its end.
fn life() -> [Change; 3] {
    let trigger = Trigger {
        kind: TriggerKind::Api,
        by: Some("who\0ever".to_owned()),
        address: Some("192.0.2.1".to_owned()),
        schedule: None,
        scheduled_at: None,
    };
    let created = creation(4, head(ExecutionStatus::Running, 0));
    let created = Created {
        replay_of: Some("before".to_owned()),
        trigger: Some(trigger),
        retention: StartRetention::AdHoc,
        input_snapshot: r#"{"b":"\u0000","a":[1, 2]}"#.to_owned(),
        ..created.created.as_deref().unwrap().clone()
    };
    let reused = Reuse { execution_id: "before".to_owned(), seq: None, position: Some(1) };
    let mut begun = change(head(ExecutionStatus::Running, 0));
    begun.created = Some(Arc::new(created));
    begun
        .steps
        .insert(0, StepState { reused: Some(Arc::new(reused)), ..ended(StepStatus::Success) });
    begun.steps.insert(1, StepState { status: StepStatus::Running, ..StepState::default() });

    let mut goes_on = change(head(ExecutionStatus::Running, 1));
    goes_on.head.outcome = Some(ExecutionStatus::Failed);
    goes_on.head.steps_failed = 1;
    let outputs = [("key".to_owned(), "{\"z\": 1, \"a\": \"\0\"}".to_owned())];
    goes_on.steps.insert(
        1,
        StepState {
            started_at: Some(at(0)),
            duration_ms: Some(7),
            exit_code: Some(-1),
            error: Some("it\0 failed".to_owned()),
            outputs: outputs.into_iter().collect(),
            ..ended(StepStatus::Failed)
        },
    );
    goes_on.attempts = vec![attempt(1, 1, "first\0"), attempt(1, 2, "")];
    let handler = |status| HandlerState {
        on: HandlerKind::Failure,
        name: "on_failure".to_owned(),
        state: StepState { status, attempt: 1, ..StepState::default() },
    };
    goes_on.handlers.insert(4, handler(StepStatus::Running));

    let mut ends = change(head(ExecutionStatus::Failed, 2));
    ends.head.error = Some("step `s1` failed".to_owned());
    ends.head.steps_skipped = 2;
    for position in [2, 3] {
        let skipped = ended(StepStatus::Skipped);
        let skip_reason = Some(SkipReason::Dependency);
        ends.steps.insert(position, StepState { skip_reason, ..skipped });
    }
    ends.handlers.insert(4, handler(StepStatus::Success));
    [begun, goes_on, ends]
}

fn output() -> OutputBatch {
    let bytes = Counts { stdout: 5, stderr: 2 };
    let chunk = Chunk {
        row: ChunkRow::default(),
        source: Source { position: 1, attempt: 1 },
        own: Counts::default(),
        all: Counts::default(),
        end: bytes,
        bytes,
        // Not so old that it is deleted at once.
        began_at: at(1_000_000_000),
        ended_at: at(1_000_000_001),
        data: vec![0, 255, 1],
        drops: Vec::new(),
    };
    OutputBatch { chunks: vec![chunk], bytes: 7, is_resumed: false }
}

/// How many of the last transactions were one call.
fn calls(place: &Place) -> String {
    let calls = "SELECT count(*) FROM wfx.commits WHERE seqs IS NOT NULL";
    Server::shared().sql(&place.name, calls).unwrap()
}

fn first(writer: &Writer) {
    // Who the process is, is written beside the first change, statement by statement.
    store(writer, "before", ExecutionStatus::Success, 1);
}

#[test]
fn one_call_writes_what_statements_write() {
    let (by_calls, by_statements) = (Place::new(), Place::new());

    let writer = by_calls.open();
    first(&writer);
    let pending = PendingWrite::new("life".to_owned());
    for (number, change) in life().into_iter().enumerate() {
        if number == 1 {
            pending.output().push(output());
        }
        pending.record(change);
        await_commit(&writer, &pending);
        assert_eq!(calls(&by_calls), "1", "change {number}");
    }

    first(&by_statements.open());
    for (number, change) in life().into_iter().enumerate() {
        // A process that has just begun knows of nothing.
        let writer = by_statements.open();
        let pending = PendingWrite::new("life".to_owned());
        if number == 1 {
            pending.output().push(output());
        }
        pending.record(change);
        await_commit(&writer, &pending);
        assert_eq!(calls(&by_statements), "0", "change {number}");
    }

    let all = |place: &Place| Server::shared().sql(&place.name, ALL).unwrap();
    let (by_calls, by_statements) = (all(&by_calls), all(&by_statements));
    assert!(by_calls.lines().count() > 12, "{by_calls}");
    for (one, other) in by_calls.lines().zip(by_statements.lines()) {
        assert_eq!(one, other);
    }
    assert_eq!(by_calls.lines().count(), by_statements.lines().count());
}

#[test]
fn counts_of_many_changes_stay_few_rows() {
    let place = Place::new();
    let writer = place.open();
    let sql = |sql: &str| Server::shared().sql(&place.name, sql).unwrap();
    for number in 0..300 {
        let status = [ExecutionStatus::Success, ExecutionStatus::Failed][number % 2];
        store(&writer, &format!("e{number}"), status, 1);
    }
    let counts = "SELECT status, sum(executions) FROM wfx.workflow_execution_counts
        GROUP BY 1 HAVING sum(executions) <> 0 ORDER BY 1";
    assert_eq!(sql(counts), "failed|150\nsuccess|150");
    let rows: u32 = sql("SELECT count(*) FROM wfx.workflow_execution_counts").parse().unwrap();
    assert!(rows < 150, "{rows}");
    writer.close().unwrap();
    until("the counts are the common ones", || {
        sql("SELECT slot, executions FROM wfx.workflow_execution_counts ORDER BY 2")
            == "0|150\n0|150"
    });
    assert_eq!(sql("SELECT count(*) FROM wfx.commits"), "0");
}

#[test]
fn a_change_that_is_refused_does_not_keep_its_batch_from_being_stored() {
    let place = Place::new();
    let writer = place.open();
    first(&writer);
    let refused = store_change(&writer, "before", creation(1, head(ExecutionStatus::Success, 1)));
    assert!(refused.stored().borrow().refused.is_some());
    let ends = store_change(&writer, "missing", change(head(ExecutionStatus::Success, 1)));
    assert!(ends.stored().borrow().refused.is_some());
    store(&writer, "after", ExecutionStatus::Success, 1);
    assert_eq!(place.ids(), ["before", "after"]);
}

#[test]
fn a_start_that_defines_the_retention_that_is_stored_is_one_call() {
    let place = Place::new();
    let writer = place.open();
    first(&writer);
    let start = |id: &str, policy| {
        let created = creation(1, head(ExecutionStatus::Running, 0));
        let created = Created {
            retention: StartRetention::Defines(policy),
            ..created.created.as_deref().unwrap().clone()
        };
        let created = Change {
            created: Some(Arc::new(created)),
            ..change(head(ExecutionStatus::Running, 0))
        };
        let stored = store_change(&writer, id, created);
        assert!(stored.stored().borrow().refused.is_none());
    };
    start("none", None);
    assert_eq!(calls(&place), "1");
    let policy = RetentionPolicy { keep: Some(5), success: None, failed: None };
    start("begins", Some(policy));
    start("same", Some(policy));
    start("more", Some(RetentionPolicy { keep: Some(6), ..policy }));
    let sql = |sql: &str| Server::shared().sql(&place.name, sql).unwrap();
    until("all of the workflow are marked", || {
        sql("SELECT count(*) FROM wfx.workflow_executions WHERE own_retention IS NULL") == "0"
    });
    assert_eq!(sql("SELECT keep FROM wfx.workflow_retention"), "6");
    start("ends", None);
    until("none is marked", || {
        sql("SELECT count(*) FROM wfx.workflow_executions WHERE own_retention IS NOT NULL") == "0"
    });
}
