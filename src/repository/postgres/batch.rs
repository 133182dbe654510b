//! A batch of changes as the values of one call of `wfx.write_v1`.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;

use crate::repository::journal::backend::{Entry, SlotChange, Written};
use crate::repository::sql::client::Record;
use crate::repository::sql::rows::Times;
use crate::repository::sql::{self, change, change_steps, output, policies};
use crate::workflow::output::Counts;
use crate::workflow::record::{Created, StepState};
use crate::workflow::retention_policy::StartRetention;

/// The call; its last seven values are the lists of a [`Batch`].
pub(super) const CALL: &str =
    "SELECT seqs, chunks FROM write_v1(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// Which column of a new execution says that its workflow has its own retention.
const OWN_RETENTION: usize = 17;

/// A batch of changes as lists of rows. In them, the number of an execution that has none yet is that
/// of its entry of `created`, below 0 and counted from -1.
#[derive(Default)]
pub(super) struct Batch {
    created: Vec<Record>,
    created_steps: Vec<Record>,
    changed: Vec<Record>,
    changed_steps: Vec<Record>,
    handlers: Vec<Record>,
    attempts: Vec<Record>,
    output: Vec<Record>,
    /// Of each entry: its number so far, and whether it has ended.
    entries: Vec<(i64, bool)>,
}

impl Batch {
    /// `None` for a batch of which something is to be decided first (who has a slot, what is started of
    /// a schedule, what is notified), which changes what is stored already, or of which it is not known
    /// here where it is stored.
    pub(super) fn new(
        entries: &[Entry],
        unfinished: &change::Unfinished,
        bases: &HashMap<i64, Counts>,
    ) -> sql::Result<Option<Self>> {
        let mut batch = Self::default();
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
                -number(self.created.len())
            }
            None => match unfinished.known(entry.execution_id()) {
                Some((seq, false)) => {
                    let (id, head) = (entry.execution_id(), &change.head);
                    self.changed.push(change::changed_values(seq, id, head, None, row)?);
                    for (position, state) in &change.steps {
                        let Ok(row) = change_steps::changed_step_values(seq, *position, state, row)
                        else {
                            return Ok(false);
                        };
                        self.changed_steps.push(row?);
                    }
                    seq
                }
                _ => return Ok(false),
            },
        };
        self.entries.push((seq, change.head.status.is_terminal()));
        for (position, handler) in &change.handlers {
            let Ok(row) = change_steps::handler_values(seq, *position, handler, row) else {
                return Ok(false);
            };
            self.handlers.push(row?);
        }
        for attempt in &change.attempts {
            self.attempts.push(change_steps::attempt_values(seq, attempt, row)?);
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
        let with_limits = |values: &[&dyn sql::ToSql]| {
            let mut values = values.to_vec();
            if let Some(own_retention) = values.get_mut(OWN_RETENTION) {
                *own_retention = &defines;
            }
            values.extend([&keep as &dyn sql::ToSql, &success, &failed]);
            row(&values)
        };
        self.created.push(change::created_values(
            id,
            created,
            head,
            marks,
            &mut times,
            with_limits,
        )?);
        let seq = -number(self.created.len());
        let pending = StepState::default();
        for (position, name) in (0_u32..).zip(&*created.step_order) {
            let depends_on =
                created.depends_on.get(position as usize).map_or(&[][..], Vec::as_slice);
            let state = entry.change.steps.get(&position).unwrap_or(&pending);
            let made = change_steps::created_step_values(
                seq, position, name, depends_on, state, &mut times, row,
            );
            let Ok(row) = made else { return Ok(false) };
            self.created_steps.push(row?);
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
                self.output.push(output::chunk_values(seq, base, chunk, row)?);
            }
        }
        Ok(true)
    }

    /// The lists, in the order of the call.
    pub(super) fn lists(&self) -> [&(dyn ToSql + Sync); 7] {
        [
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

/// A row of a list.
fn row(values: &[&dyn sql::ToSql]) -> sql::Result<Record> {
    Record::new(&values)
}
