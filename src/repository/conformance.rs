//! What every backend must do, whichever database it is: one suite, run on each of them by the
//! macro [`conformance`](crate::repository::conformance::conformance), which also is the list of
//! its tests.

pub(crate) mod delivery;
pub(crate) mod glances;
pub(crate) mod groups;
pub(crate) mod ownership;
pub(crate) mod reading;
pub(crate) mod retention;
pub(crate) mod schedules;
pub(crate) mod writing;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::repository::ownership::OwnerKind;
use crate::repository::{Durability, PendingWrite, Reader, Retention, StoreError};
use crate::repository::{Writer, WriterOptions};
use crate::workflow::record::{
    Attempt, Captured, Change, Created, ExecutionState, ExecutionStatus, StepState, StepStatus,
};
use crate::workflow::retention_policy::StartRetention;

/// A store of the backend that is tried. Dropped, it is gone.
pub(crate) trait Store: Sync + Sized {
    /// Keeps others from writing, for as long as it lives.
    type Hold;

    /// An empty store.
    fn new() -> Self;

    /// Opens it for writing.
    fn open_with(&self, options: WriterOptions) -> Result<Writer, StoreError>;

    /// Opens it for reading; something was stored before.
    fn reader(&self) -> Reader;

    /// Keeps writers from committing, as another process does that writes for long.
    fn hold(&self) -> Self::Hold;

    /// The id of a process of this kind that is proven dead.
    fn dead_owner(&self, writer: &Writer, kind: OwnerKind, nonce: u32) -> String;

    /// Opens it for writing as tests mostly do.
    fn open(&self) -> Writer {
        self.open_with(options()).unwrap()
    }

    /// The ids of all executions, oldest first.
    fn ids(&self) -> Vec<String> {
        let listing = self.reader().list(&Default::default(), 10_000, 0).unwrap();
        listing.items.into_iter().rev().map(|execution| execution.execution_id).collect()
    }
}

/// Makes a test of each function of the suite, for one [`Store`].
macro_rules! conformance {
    ($store:ty) => {
        $crate::repository::conformance::conformance! { $store;
            delivery::commits_are_acknowledged_by_a_task_or_by_the_writer,
            delivery::every_commit_is_acknowledged_while_tasks_come_and_go,
            delivery::the_writer_acknowledges_after_a_runtime_has_ended,
            glances::brief_lists_are_lists_without_snapshots,
            glances::glances_are_of_what_is_stored,
            glances::sessions_begin_and_end,
            groups::slots_are_given_in_the_order_of_arrival_and_never_beyond_the_limit,
            groups::nobody_begins_without_a_slot,
            groups::a_start_without_a_slot_is_refused_where_it_may_not_wait,
            groups::the_slots_of_two_processes_go_to_those_that_came_first,
            groups::dead_processes_are_skipped_in_the_queue_and_named_as_holders,
            ownership::a_take_over_moves_what_dead_processes_left_and_nothing_else,
            ownership::two_that_take_over_never_get_the_same_execution,
            ownership::only_executions_that_were_looked_for_are_taken_over,
            ownership::a_write_by_another_owner_is_refused,
            ownership::owners_are_counted,
            ownership::a_request_to_cancel_is_reported_once,
            reading::each_filter_lists_what_it_names_newest_first,
            reading::a_page_ends_with_its_limit_or_its_bytes,
            reading::a_list_goes_on_where_it_ended_while_executions_come_and_go,
            reading::references_find_one_execution,
            reading::steps_are_read_piece_by_piece,
            reading::lineage_leads_from_the_first_execution_to_its_replays,
            reading::durations_are_those_of_steps_that_succeeded,
            reading::summaries_are_of_each_workflow,
            reading::reused_steps_have_the_output_of_where_they_ran,
            reading::readers_read_while_the_writer_writes,
            reading::a_reader_notices_what_others_store,
            retention::retention_keeps_those_that_completed_last_and_all_unfinished,
            retention::purging_deletes_what_was_chosen_and_nothing_unfinished,
            retention::what_a_daemon_was_set_to_keep_is_stored_and_followed,
            retention::a_workflow_with_its_own_retention_is_kept_apart,
            retention::a_long_history_gets_and_loses_its_own_retention,
            retention::the_retention_of_workflows_is_stored_by_and_by,
            retention::pinned_executions_stay,
            retention::alerts_that_were_sent_are_stored_and_hold_nothing_up,
            schedules::a_schedule_begins_when_it_is_seen_and_anew_with_other_times,
            schedules::a_scheduled_time_is_started_once,
            schedules::times_without_a_start_collapse_and_the_oldest_rows_go,
            schedules::a_clock_that_was_ahead_leaves_starts_alone,
            schedules::one_time_of_a_row_is_started_by_hand,
            schedules::a_pause_takes_the_place_of_another_and_ends_once,
            schedules::a_time_is_decided_where_a_row_reaches_it_whatever_waits_around_it,
            schedules::a_row_is_kept_at_least_until_the_next_one,
            schedules::an_expectation_that_several_daemons_note_is_noted_once,
            schedules::a_start_that_is_stored_ends_what_was_missed_and_not_what_is_late,
            schedules::rows_are_those_of_a_model,
            writing::many_pending_writes_are_stored_in_the_order_they_came,
            writing::what_waits_together_is_committed_together,
            writing::nothing_is_acknowledged_before_its_commit,
            writing::a_full_queue_refuses_and_loses_nothing,
            writing::one_refused_item_spoils_nothing_else,
            writing::what_has_ended_never_changes,
            writing::every_value_is_read_back_as_it_was_stored,
            writing::a_store_that_others_hold_is_reported_and_tried_again,
            writing::handlers_are_stored_beside_steps_and_no_outcome_changes,
            writing::coalesced_writes_end_equal_to_the_state_in_memory,
        }
    };
    ($store:ty; $($part:ident :: $name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $crate::repository::conformance::$part::$name::<$store>();
            }
        )*
    };
}
pub(crate) use conformance;

pub(crate) fn options() -> WriterOptions {
    WriterOptions {
        durability: Durability::Normal,
        trusted_owner: None,
        retention: Retention::Given(None),
        queue_capacity: 4096,
        busy_timeout: Duration::from_secs(5),
        output: crate::repository::OutputBudgets::default(),
        commits: None,
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_750_000_000 + seconds) * 1_000_000)
}

/// The state of an execution that came to `status` in second `second`.
pub(crate) fn head(status: ExecutionStatus, second: i64) -> ExecutionState {
    ExecutionState {
        status,
        started_at: (status != ExecutionStatus::Pending).then(|| at(0)),
        completed_at: status.is_terminal().then(|| at(second)),
        updated_at: at(second),
        steps_completed: 0,
        steps_failed: 0,
        steps_skipped: 0,
        error: None,
        outcome: None,
        owner: Some("exec-1-0".to_owned()),
    }
}

pub(crate) fn created(steps: usize) -> Created {
    let step_order: Vec<String> = (0..steps).map(|step| format!("s{step}")).collect();
    let depends_on = (0..steps).map(|step| step_order[..step].iter().rev().take(1).cloned());
    Created {
        workflow_id: "w".to_owned(),
        created_at: at(0),
        depends_on: depends_on.map(Iterator::collect).collect(),
        step_order: step_order.into(),
        replay_of: None,
        trigger: None,
        input_snapshot: r#"{"definition":{},"params":{},"workdir":"/"}"#.to_owned(),
        retention: StartRetention::Follows,
        slot: None,
        scheduled: None,
    }
}

pub(crate) fn change(head: ExecutionState) -> Change {
    Change {
        head,
        created: None,
        steps: [].into(),
        handlers: [].into(),
        attempts: Vec::new(),
        events: None,
    }
}

pub(crate) fn creation(steps: usize, head: ExecutionState) -> Change {
    Change { created: Some(Arc::new(created(steps))), ..change(head) }
}

pub(crate) fn ended(status: StepStatus) -> StepState {
    StepState { status, completed_at: Some(at(1)), attempt: 1, ..StepState::default() }
}

pub(crate) fn attempt(position: u32, number: u32, output: &str) -> Attempt {
    Attempt {
        position,
        attempt: number,
        status: StepStatus::Failed,
        started_at: at(1),
        completed_at: at(2),
        duration_ms: 1000,
        exit_code: Some(1),
        error: Some("exit code 1".to_owned()),
        stdout: Captured { text: output.to_owned(), total_bytes: output.len() as u64 },
        stderr: Captured::default(),
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = clock::monotonic();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Enqueues a pending write until everything recorded is acknowledged or refused.
pub(crate) fn await_commit(writer: &Writer, pending: &Arc<PendingWrite>) {
    until("the pending write is stored", || {
        let is_answered = pending.stored().borrow().refused.is_some() || !pending.is_dirty();
        // Where the queue is full, it is offered again.
        let _ = is_answered || writer.enqueue(pending);
        is_answered
    });
}

/// Stores a change of an execution of which nothing was written before by this process.
pub(crate) fn store_change(writer: &Writer, id: &str, change: Change) -> Arc<PendingWrite> {
    let pending = PendingWrite::new(id.to_owned());
    pending.record(change);
    await_commit(writer, &pending);
    pending
}

/// Stores a whole execution that ended in second `second`.
pub(crate) fn store(
    writer: &Writer,
    id: &str,
    status: ExecutionStatus,
    second: i64,
) -> Arc<PendingWrite> {
    store_change(writer, id, creation(2, head(status, second)))
}

/// Pending writes of so many executions that succeeded.
pub(crate) fn pending(count: usize) -> Vec<Arc<PendingWrite>> {
    let pending: Vec<_> = (0..count).map(|n| PendingWrite::new(format!("e{n:05}"))).collect();
    for pending in &pending {
        pending.record(creation(3, head(ExecutionStatus::Success, 1)));
    }
    pending
}
