//! Writes one execution's change. A terminal row never changes.

use crate::repository::sql;
use crate::repository::sql::{CachedStatement, Connection, OptionalExtension, ToSql, params};
use std::collections::HashMap;
use std::sync::Arc;

use super::change_steps::{insert_attempt, insert_step, update_step, write_handler};
use super::groups::{self, Decision, Limits};
use super::refusal::{NotWritten, refused};
use super::rows::{self, Text, Times, integer, time};
use super::schedule_start;
use super::{incidents, policies};
use crate::repository::journal::backend::{SlotChange, Written};
use crate::repository::ownership::Judge;
use crate::workflow::record::{Change, Created, ExecutionState, ExecutionStatus, StepState};
use crate::workflow::retention_policy::{RetentionPolicy, StartRetention};

/// The `seq` of executions that are not finished, so that their updates need no search.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(pub(super) HashMap<String, Known>);

/// Which row is that of an execution, and its concurrency group.
type Known = (i64, Option<Arc<str>>);

impl Unfinished {
    /// Where an execution is stored, and whether it belongs to a concurrency group; `None` where that
    /// is not known here.
    pub(crate) fn known(&self, execution_id: &str) -> Option<(i64, bool)> {
        self.0.get(execution_id).map(|(seq, group)| (*seq, group.is_some()))
    }

    /// Takes over what a commit made true.
    pub(crate) fn apply(&mut self, execution_id: &str, written: Written) {
        if !written.finished {
            self.0.insert(execution_id.to_owned(), (written.seq, written.group));
        } else if !self.0.is_empty() {
            self.0.remove(execution_id);
        }
    }
}

/// Whether others may write meanwhile what these changes depend on, or wait for what they write: who
/// has a slot, what is started of a schedule, what is notified, what is kept.
pub(crate) fn decides<'e>(
    connection: Connection<'_>,
    unfinished: &Unfinished,
    entries: impl Iterator<Item = (&'e str, &'e Change)>,
) -> sql::Result<bool> {
    let (mut completes, mut creates) = (false, false);
    for (execution_id, change) in entries {
        let ends = change.head.status.is_terminal();
        let is_plain = match &change.created {
            Some(created) => {
                created.slot.is_none()
                    && created.scheduled.is_none()
                    && !matches!(created.retention, StartRetention::Defines(_))
            }
            // Of what other processes began it is not known whether it leaves a group.
            None => {
                !ends || unfinished.0.get(execution_id).is_some_and(|(_, group)| group.is_none())
            }
        };
        if !is_plain || change.events.is_some() {
            return Ok(true);
        }
        completes |= ends;
        creates |= change.created.is_some();
    }
    // What completes may be pruned, which waits for others; what is created by then must not have read
    // before that whether its workflow has its own retention.
    Ok(completes && (creates || policies::has_apart(connection)?))
}

/// Makes the row of a new execution.
pub(super) const INSERT_EXECUTION: &str =
    "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at,
       started_at, completed_at, updated_at, steps_completed, total_steps, replay_of,
       owner, error, step_order, input_snapshot, completion_number, outcome, ad_hoc,
       own_retention, trigger_kind, trigger_by, schedule, scheduled_at, steps_failed,
       steps_skipped, concurrency_group, trigger_address)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
       ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";
/// Makes the row of a step.
pub(super) const INSERT_STEP: &str =
    "INSERT INTO workflow_execution_steps (seq, position, step_name, status,
       started_at, completed_at, duration_ms, attempt, exit_code, depends_on, error,
       outputs, skip_reason, reused_from, reused_from_seq, reused_position)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
       CASE WHEN CAST(?14 AS TEXT) IS NULL THEN NULL ELSE coalesce(?15,
         (SELECT seq FROM workflow_executions WHERE execution_id = ?14)) END, ?16)";
/// The number of the next completion, where one process writes at a time.
pub(super) const NEXT_COMPLETION: &str = "SELECT 1 + max(
       coalesce((SELECT max(completion_number) FROM workflow_executions
         WHERE completion_number IS NOT NULL AND own_retention IS NULL
           AND pinned_at IS NULL), 0),
       coalesce((SELECT max(completion_number) FROM workflow_executions
         WHERE completion_number IS NOT NULL
           AND (own_retention IS NOT NULL OR pinned_at IS NOT NULL)), 0))";
/// Notes how far an execution has come.
pub(super) const GOES_ON: &str =
    "UPDATE workflow_executions SET updated_at = ?2, steps_completed = ?3,
       steps_failed = ?10, steps_skipped = ?11
     WHERE seq = ?1 AND status = ?4 AND started_at IS ?5 AND error IS ?6 AND owner IS ?7
       AND execution_id = ?8 AND outcome IS ?9";
/// Changes an execution that has not ended.
pub(super) const UPDATE_EXECUTION: &str =
    "UPDATE workflow_executions SET status = ?2, started_at = ?3, completed_at = ?4,
       updated_at = ?5, steps_completed = ?6, owner = ?7, error = ?8,
       completion_number = ?11, outcome = coalesce(outcome, ?12), steps_failed = ?13,
       steps_skipped = ?14
     WHERE seq = ?1 AND completed_at IS NULL AND owner IS ?9 AND execution_id = ?10
       AND (concurrency_group IS NULL OR status <> 'pending' OR ?2 <> 'running')";

/// What the changes of one transaction share: the statements that make the rows of new
/// executions, and the number that the next completion gets.
pub(crate) struct Inserts<'c> {
    execution: CachedStatement<'c>,
    step: CachedStatement<'c>,
    next_completion: Option<i64>,
    /// Whether some executions do not count for the retention of all, once that was looked up.
    has_apart: Option<bool>,
    /// The retention of workflows, as far as that was looked up.
    retention: HashMap<String, Option<RetentionPolicy>>,
    /// The limits of concurrency groups, the same.
    limits: Limits,
    /// What judges whether the owners of executions are alive.
    judge: &'c dyn Fn() -> sql::Result<Judge>,
    /// Some of what is written may be stored already, by a commit of which nobody knows what became of it.
    is_in_doubt: bool,
}

impl<'c> Inserts<'c> {
    /// An execution whose steps were reused before it was stored has its number by now.
    pub(crate) fn new(
        connection: Connection<'c>,
        judge: &'c dyn Fn() -> sql::Result<Judge>,
        is_in_doubt: bool,
    ) -> sql::Result<Self> {
        Ok(Self {
            execution: connection.prepare_cached(INSERT_EXECUTION)?,
            step: connection.prepare_cached(INSERT_STEP)?,
            next_completion: None,
            has_apart: None,
            retention: HashMap::new(),
            limits: Limits::new(),
            judge,
            is_in_doubt,
        })
    }

    /// Whether the retention of its workflow applies to a new execution; stores that retention
    /// first where the start defines it. One look for each workflow in a transaction.
    fn has_own_retention(
        &mut self,
        connection: Connection<'_>,
        created: &Created,
    ) -> sql::Result<bool> {
        let workflow_id = created.workflow_id.as_str();
        let known = self.retention.get(workflow_id);
        let policy = match (created.retention, known) {
            (StartRetention::AdHoc, _) => return Ok(false),
            (StartRetention::Follows, Some(known)) => return Ok(known.is_some()),
            (StartRetention::Follows, None) => policies::stored(connection, workflow_id)?,
            (StartRetention::Defines(policy), Some(known)) if *known == policy => {
                return Ok(policy.is_some());
            }
            (StartRetention::Defines(policy), _) => {
                policies::set(connection, workflow_id, policy)?;
                self.has_apart = None;
                policy
            }
        };
        self.retention.insert(workflow_id.to_owned(), policy);
        Ok(policy.is_some())
    }

    /// Counts a completion, where it does not count for the retention of all.
    fn count_apart(&mut self, connection: Connection<'_>, seq: i64) -> sql::Result<()> {
        // Others may decide meanwhile what counts apart; there the database counts by itself.
        if connection.has_writers() {
            return Ok(());
        }
        let has_apart = match self.has_apart {
            Some(has_apart) => has_apart,
            None => policies::has_apart(connection)?,
        };
        self.has_apart = Some(has_apart);
        if has_apart { policies::count_completion(connection, seq) } else { Ok(()) }
    }

    /// What was written is undone in part, and what was looked up may no longer hold.
    pub(crate) fn undone(&mut self) {
        self.retention.clear();
        self.limits.clear();
        self.has_apart = None;
    }

    /// Whether a new execution runs, if it needs a slot, or waits.
    fn slot(
        &mut self,
        connection: Connection<'_>,
        created: &Created,
    ) -> Result<Decision, NotWritten> {
        let Some(request) = &created.slot else { return Ok(Decision::Run) };
        let mut judge = self.judge;
        let workflow_id = &created.workflow_id;
        match groups::decide(connection, &mut self.limits, &mut judge, request, workflow_id)? {
            Decision::Refuse(error) => Err(NotWritten::Refused(error)),
            decision => Ok(decision),
        }
    }

    /// The number of a completion: greater than any that is stored. `None` for what has not
    /// ended. Where one process writes at a time, no other numbers meanwhile.
    fn completion(
        &mut self,
        connection: Connection<'_>,
        head: &ExecutionState,
    ) -> sql::Result<Option<i64>> {
        if !head.status.is_terminal() {
            return Ok(None);
        }
        let number = match self.next_completion {
            Some(number) => number,
            // What others number meanwhile is unknown there.
            None if connection.has_writers() => return connection.next_completion().map(Some),
            None => connection.prepare_cached(NEXT_COMPLETION)?.query_row([], |row| row.get(0))?,
        };
        self.next_completion = Some(number + 1);
        Ok(Some(number))
    }
}

/// Writes `change` inside the caller's transaction. Each update names the execution id beside its
/// `seq`: a database that was restored under a running wfx gives numbers out again.
pub(crate) fn write(
    connection: Connection<'_>,
    inserts: &mut Inserts<'_>,
    unfinished: &Unfinished,
    execution_id: &str,
    change: &Change,
) -> Result<Written, NotWritten> {
    let finished = change.head.status.is_terminal();
    let stored = match &change.created {
        Some(_) if inserts.is_in_doubt => look_up(connection, execution_id)?,
        _ => None,
    };
    let (seq, group, cancels) = match &change.created {
        Some(created) if stored.is_none() => {
            let mut times = Times::default();
            let cancels = match &created.scheduled {
                Some(start) => {
                    schedule_start::decide(connection, &created.workflow_id, execution_id, start)?
                }
                None => false,
            };
            let decision = inserts.slot(connection, created)?;
            let waiting;
            let change = match decision {
                Decision::Wait { .. } => {
                    waiting = groups::as_waiting(change, created);
                    &waiting
                }
                _ => change,
            };
            let completion = inserts.completion(connection, &change.head)?;
            let head = &change.head;
            let has_own_retention = inserts.has_own_retention(connection, created)?;
            let marks = Marks { completion, has_own_retention };
            insert_execution(inserts, execution_id, created, head, marks, &mut times)?;
            let seq = connection.last_insert_rowid()?;
            if finished {
                inserts.count_apart(connection, seq)?;
            }
            let pending = StepState::default();
            for (position, name) in (0_u32..).zip(&*created.step_order) {
                let depends_on =
                    created.depends_on.get(position as usize).map_or(&[][..], Vec::as_slice);
                let state = change.steps.get(&position).unwrap_or(&pending);
                insert_step(&mut inserts.step, seq, position, name, depends_on, state, &mut times)?;
            }
            let group = created.slot.as_ref().map(|slot| Arc::from(slot.group.as_str()));
            if let (Decision::Wait { replaces }, Some(group)) = (decision, &group) {
                if replaces {
                    let by = created.trigger.as_ref().and_then(|trigger| trigger.by.as_deref());
                    groups::replace(connection, group, seq, by, change.head.updated_at)?;
                }
                let on = Arc::new(groups::holders(connection, group)?);
                let slot = SlotChange::Waits { on, replaces };
                let group = Some(Arc::clone(group));
                return Ok(Written { seq, finished: false, group, slot, cancels });
            }
            (seq, group, cancels)
        }
        _ => {
            let (seq, group) = match stored.or_else(|| unfinished.0.get(execution_id).cloned()) {
                Some(known) => known,
                None => find(connection, execution_id)?,
            };
            if let (Some(created), Some(group)) = (&change.created, &group)
                && created.slot.is_some()
                && waits(connection, seq)?
            {
                // It was stored as waiting by the commit of which nobody knew.
                let on = Arc::new(groups::holders(connection, group)?);
                let slot = SlotChange::Waits { on, replaces: false };
                let group = Some(Arc::clone(group));
                return Ok(Written { seq, finished: false, group, slot, cancels: false });
            }
            // First: it proves that the row is still that of this execution.
            let completion = inserts.completion(connection, &change.head)?;
            let has_changed =
                update_execution(connection, seq, execution_id, &change.head, completion)?;
            if finished && has_changed {
                inserts.count_apart(connection, seq)?;
            }
            for (position, state) in &change.steps {
                update_step(connection, seq, *position, state)?;
            }
            (seq, group, false)
        }
    };
    for (position, handler) in &change.handlers {
        write_handler(connection, seq, *position, handler)?;
    }
    for attempt in &change.attempts {
        insert_attempt(connection, seq, attempt, inserts.is_in_doubt)?;
    }
    incidents::record(connection, Some((execution_id, seq)), change.events.as_deref())?;
    let left = finished && group.is_some();
    let slot = if left { SlotChange::Left } else { SlotChange::None };
    Ok(Written { seq, finished, group, slot, cancels })
}

fn find(connection: Connection<'_>, execution_id: &str) -> Result<Known, NotWritten> {
    look_up(connection, execution_id)?
        .ok_or_else(|| refused(format!("execution {execution_id} is not in the database")))
}

/// Whether an execution waits for a slot.
fn waits(connection: Connection<'_>, seq: i64) -> sql::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM workflow_executions WHERE seq = ?1 AND status = 'pending'")?
        .exists([seq])
}

fn look_up(connection: Connection<'_>, execution_id: &str) -> sql::Result<Option<Known>> {
    connection
        .prepare_cached(
            "SELECT seq, concurrency_group FROM workflow_executions WHERE execution_id = ?1",
        )?
        .query_row([execution_id], |row| {
            Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.map(Arc::from)))
        })
        .optional()
}

/// What retention orders executions by.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marks {
    /// Its number among those that ended.
    completion: Option<i64>,
    /// The retention of its workflow applies to it.
    has_own_retention: bool,
}

fn insert_execution(
    inserts: &mut Inserts<'_>,
    execution_id: &str,
    created: &Created,
    head: &ExecutionState,
    marks: Marks,
    times: &mut Times,
) -> Result<(), NotWritten> {
    let insert = |values: &[&dyn ToSql]| inserts.execution.execute(values);
    created_values(execution_id, created, head, marks, times, insert)?;
    Ok(())
}

/// What [`Inserts::new`] is given of a new execution.
pub(crate) fn created_values<T>(
    execution_id: &str,
    created: &Created,
    head: &ExecutionState,
    marks: Marks,
    times: &mut Times,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> T {
    let trigger = created.trigger.as_ref();
    take(params![
        execution_id,
        created.workflow_id,
        head.status.as_str(),
        times.text(created.created_at),
        head.started_at.map(|at| times.text(at)),
        head.completed_at.map(|at| times.text(at)),
        times.text(head.updated_at),
        head.steps_completed,
        integer(created.step_order.len() as u64),
        created.replay_of,
        owner(head),
        head.error,
        rows::names(&created.step_order),
        created.input_snapshot,
        marks.completion,
        outcome(head),
        (created.retention == StartRetention::AdHoc).then_some(1),
        marks.has_own_retention.then_some(1),
        trigger.map(|trigger| trigger.kind.as_str()),
        trigger.and_then(|trigger| trigger.by.as_deref()),
        trigger.and_then(|trigger| trigger.schedule.as_deref()),
        time(trigger.and_then(|trigger| trigger.scheduled_at)),
        head.steps_failed,
        head.steps_skipped,
        created.slot.as_ref().map(|slot| slot.group.as_str()),
        trigger.and_then(|trigger| trigger.address.as_deref()),
    ])
}

/// Notes how far an execution has come of which nothing else changed. Leaves the indexed
/// columns alone: SQLite writes their pages even when the value stays.
fn goes_on(
    connection: Connection<'_>,
    seq: i64,
    execution_id: &str,
    head: &ExecutionState,
) -> sql::Result<bool> {
    let changed = connection.prepare_cached(GOES_ON)?.execute(params![
        seq,
        head.updated_at.to_string(),
        head.steps_completed,
        head.status.as_str(),
        time(head.started_at),
        head.error,
        head.owner,
        execution_id,
        outcome(head),
        head.steps_failed,
        head.steps_skipped,
    ])?;
    Ok(changed > 0)
}

/// Whether it was not so already.
fn update_execution(
    connection: Connection<'_>,
    seq: i64,
    execution_id: &str,
    head: &ExecutionState,
    completion: Option<i64>,
) -> Result<bool, NotWritten> {
    if !head.status.is_terminal() && goes_on(connection, seq, execution_id, head)? {
        return Ok(true);
    }
    let mut update = connection.prepare_cached(UPDATE_EXECUTION)?;
    let changed =
        changed_values(seq, execution_id, head, completion, |values| update.execute(values))?;
    if changed > 0 {
        return Ok(true);
    }
    let stored = connection
        .prepare_cached(
            "SELECT status, owner FROM workflow_executions WHERE seq = ?1 AND execution_id = ?2",
        )?
        .query_row(params![seq, execution_id], |row| {
            Ok((row.get::<_, Text<ExecutionStatus>>(0)?.0, row.get::<_, Option<String>>(1)?))
        })
        .optional()?;
    match stored {
        Some((ExecutionStatus::Pending, owner)) if owner == head.owner => {
            Err(refused("the execution waits for a slot of its concurrency group".to_owned()))
        }
        Some((status, owner)) if !status.is_terminal() => Err(refused(format!(
            "the execution was taken over by {}",
            owner.as_deref().unwrap_or("nobody")
        ))),
        Some((status, _)) if status == head.status => Ok(false),
        Some((status, _)) => Err(refused(format!(
            "the execution has ended as {status} and cannot be {}",
            head.status
        ))),
        None => Err(refused(
            "the execution was deleted from the database, or an older copy of the database was \
             restored"
                .to_owned(),
        )),
    }
}

/// What [`update_execution`] gives of an execution that goes on.
pub(crate) fn changed_values<T>(
    seq: i64,
    execution_id: &str,
    head: &ExecutionState,
    completion: Option<i64>,
    take: impl FnOnce(&[&dyn ToSql]) -> T,
) -> T {
    take(params![
        seq,
        head.status.as_str(),
        time(head.started_at),
        time(head.completed_at),
        head.updated_at.to_string(),
        head.steps_completed,
        owner(head),
        head.error,
        head.owner,
        execution_id,
        completion,
        outcome(head),
        head.steps_failed,
        head.steps_skipped,
    ])
}

/// An execution that ended belongs to no process.
fn owner(head: &ExecutionState) -> Option<&str> {
    if head.status.is_terminal() { None } else { head.owner.as_deref() }
}

/// The outcome, where handlers follow it.
fn outcome(head: &ExecutionState) -> Option<&'static str> {
    head.outcome.map(ExecutionStatus::as_str)
}
