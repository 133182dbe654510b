//! A batch of changes as the values of one call of `wfx.write_v2`.

use std::collections::HashMap;

use tokio_postgres::types::{ToSql, Type};

use crate::repository::journal::backend::{Entry, SlotChange, Written};
use crate::repository::sql::given::Records;
use crate::repository::sql::rows::Times;
use crate::repository::sql::{self, change, change_steps, output, policies};
use crate::workflow::output::Counts;
use crate::workflow::record::{Created, StepState};
use crate::workflow::retention_policy::StartRetention;

/// The call; all but the first three values are those of a [`Batch`], of which the last seven are lists.
pub(super) const CALL: &str = "SELECT seqs, chunks
     FROM write_v2(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
/// How many values of the call come before the lists.
const BEFORE_LISTS: usize = 7;

/// Which column of a new execution says that its workflow has its own retention.
const OWN_RETENTION: usize = 17;

/// A batch of changes as lists of rows. In them, the number of an execution that has none yet is that
/// of its entry of `created`, below 0 and counted from -1.
pub(super) struct Batch {
    created: Records,
    created_steps: Records,
    changed: Records,
    changed_steps: Records,
    handlers: Records,
    attempts: Records,
    output: Records,
    /// How many of `created` have ended, and whether any of `changed` does.
    ended: i64,
    ends: bool,
    /// Whether any of `created` defines the retention of its workflow.
    defines: bool,
    /// Whether any of `created_steps` is reused from an execution whose number was not known.
    reuses: bool,
    /// Of each entry: its number so far, and whether it has ended.
    entries: Vec<(i64, bool)>,
}

impl Batch {
    /// `None` for a batch of which something is to be decided first (who has a slot, what is started of
    /// a schedule, what is notified), which changes what is stored already, or of which it is not known
    /// here where it is stored.
    ///
    /// `types` are those of the parameters of the call.
    pub(super) fn new(
        types: &[Type],
        entries: &[Entry],
        unfinished: &change::Unfinished,
        bases: &HashMap<i64, Counts>,
    ) -> sql::Result<Option<Self>> {
        let mut lists = types.iter().skip(BEFORE_LISTS);
        let mut list = || Records::of(lists.next().unwrap_or(&Type::UNKNOWN));
        let mut batch = Self {
            created: list()?,
            created_steps: list()?,
            changed: list()?,
            changed_steps: list()?,
            handlers: list()?,
            attempts: list()?,
            output: list()?,
            ended: 0,
            ends: false,
            defines: false,
            reuses: false,
            entries: Vec::with_capacity(entries.len()),
        };
        for entry in entries {
            if !batch.add(entry, unfinished, bases)? {
                return Ok(None);
            }
        }
        Ok(Some(batch))
    }

    fn add(
        &mut self,
        entry: &Entry,
        unfinished: &change::Unfinished,
        bases: &HashMap<i64, Counts>,
    ) -> sql::Result<bool> {
        let change = &entry.change;
        let has_ended = change.head.status.is_terminal();
        if change.events.is_some() {
            return Ok(false);
        }
        let seq = match &change.created {
            Some(created) => {
                if !is_plain(created) {
                    return Ok(false);
                }
                if !self.create(entry, created)? {
                    return Ok(false);
                }
                self.ended += i64::from(has_ended);
                -number(self.created.len())
            }
            None => match unfinished.known(entry.execution_id()) {
                Some((seq, false)) => {
                    let (id, head) = (entry.execution_id(), &change.head);
                    let changed = &mut self.changed;
                    change::changed_values(seq, id, head, None, |row| changed.push(&row))?;
                    let changed = &mut self.changed_steps;
                    for (position, state) in &change.steps {
                        let Ok(pushed) =
                            change_steps::changed_step_values(seq, *position, state, |row| {
                                changed.push(&row)
                            })
                        else {
                            return Ok(false);
                        };
                        pushed?;
                    }
                    self.ends |= has_ended;
                    seq
                }
                _ => return Ok(false),
            },
        };
        self.entries.push((seq, has_ended));
        let handlers = &mut self.handlers;
        for (position, handler) in &change.handlers {
            let Ok(pushed) =
                change_steps::handler_values(seq, *position, handler, |row| handlers.push(&row))
            else {
                return Ok(false);
            };
            pushed?;
        }
        let attempts = &mut self.attempts;
        for attempt in &change.attempts {
            change_steps::attempt_values(seq, attempt, |row| attempts.push(&row))?;
        }
        self.add_output(entry, seq, bases)
    }

    fn create(&mut self, entry: &Entry, created: &Created) -> sql::Result<bool> {
        let mut times = Times::default();
        let (id, head) = (entry.execution_id(), &entry.change.head);
        let marks = change::Marks::default();
        let (defines, (keep, success, failed)) = match created.retention {
            StartRetention::Defines(policy) => (Some(0), policies::limits(policy)),
            StartRetention::Follows | StartRetention::AdHoc => (None, policies::limits(None)),
        };
        self.defines |= defines.is_some();
        let list = &mut self.created;
        let with_limits = |values: &[&dyn sql::ToSql]| {
            let mut values = values.to_vec();
            if let Some(own_retention) = values.get_mut(OWN_RETENTION) {
                *own_retention = &defines;
            }
            values.extend([&keep as &dyn sql::ToSql, &success, &failed]);
            list.push(&&*values)
        };
        change::created_values(id, created, head, marks, &mut times, with_limits)?;
        let seq = -number(self.created.len());
        let pending = StepState::default();
        let list = &mut self.created_steps;
        for (position, name) in (0_u32..).zip(&*created.step_order) {
            let depends_on =
                created.depends_on.get(position as usize).map_or(&[][..], Vec::as_slice);
            let state = entry.change.steps.get(&position).unwrap_or(&pending);
            self.reuses |= state.reused.as_ref().is_some_and(|reused| reused.seq.is_none());
            let push = |row: &[&dyn sql::ToSql]| list.push(&row);
            let pushed = change_steps::created_step_values(
                seq, position, name, depends_on, state, &mut times, push,
            );
            let Ok(pushed) = pushed else { return Ok(false) };
            pushed?;
        }
        Ok(true)
    }

    fn add_output(
        &mut self,
        entry: &Entry,
        seq: i64,
        bases: &HashMap<i64, Counts>,
    ) -> sql::Result<bool> {
        for batch in &entry.output {
            let base = match (batch.is_resumed, bases.get(&seq)) {
                (false, _) => Counts::default(),
                (true, Some(base)) => *base,
                (true, None) => return Ok(false),
            };
            for chunk in &batch.chunks {
                let is_new = chunk.row.get().is_none()
                    && chunk.drops.iter().all(|(row, _)| row.get().is_none());
                if !is_new {
                    return Ok(false);
                }
                let list = &mut self.output;
                output::chunk_values(seq, base, chunk, |row| list.push(&row))?;
            }
        }
        Ok(true)
    }

    /// Its values, in the order of the call.
    pub(super) fn values(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &self.ended,
            &self.ends,
            &self.defines,
            &self.reuses,
            &self.created,
            &self.created_steps,
            &self.changed,
            &self.changed_steps,
            &self.handlers,
            &self.attempts,
            &self.output,
        ]
    }

    /// What it did, once it is committed with these numbers of executions and of chunks of output;
    /// `None` where they are not of this batch.
    pub(super) fn written(
        &self,
        entries: &[Entry],
        seqs: &[i64],
        chunks: &[i64],
    ) -> Option<Vec<Written>> {
        if seqs.len() != self.created.len() || chunks.len() != self.output.len() {
            return None;
        }
        let stored = entries.iter().flat_map(|entry| &entry.output).flat_map(|one| &one.chunks);
        for (chunk, row) in stored.zip(chunks) {
            chunk.row.set(*row);
        }
        let written = self.entries.iter().map(|(seq, finished)| {
            let index = usize::try_from(-seq - 1).ok();
            let seq = index.and_then(|index| seqs.get(index)).copied().unwrap_or(*seq);
            let slot = SlotChange::None;
            Written { seq, finished: *finished, group: None, slot, cancels: false }
        });
        Some(written.collect())
    }
}

/// Whether nothing is to be decided before an execution begins.
fn is_plain(created: &Created) -> bool {
    created.slot.is_none() && created.scheduled.is_none()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
