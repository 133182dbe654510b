//! Scheduled times and rehearsals.

use std::io;

use serde_json::json;

use super::{OutputFormat, Ui};
use crate::base::timestamp::Timestamp;
use crate::operations::rehearsal::{Rehearsed, Upcoming};
use crate::operations::schedules::ScheduleStatus;
use crate::render::schedule::DecisionsJson;
use crate::workflow::schedule_record::DecisionRecord;

/// Lines are written in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

impl Ui {
    /// Shows times that are to come.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn schedule_next(&self, times: &[Upcoming]) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&json!({ "times": times })),
            OutputFormat::Jsonl => times.iter().try_for_each(|time| self.json(time)),
            OutputFormat::Plain => {
                let row = |time: &Upcoming| {
                    vec![
                        time.workflow_id.clone(),
                        time.schedule.clone(),
                        time.scheduled_at.to_string(),
                        time.local.clone(),
                        time.timezone.clone(),
                        time.start_at.to_string(),
                    ]
                };
                self.plain_rows(&times.iter().map(row).collect::<Vec<_>>())
            }
            OutputFormat::Table => self.text(&self.layout.upcoming(times)),
        }
    }

    /// Shows schedules with what comes next.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn schedules(&self, schedules: &[ScheduleStatus]) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&json!({ "schedules": schedules })),
            OutputFormat::Jsonl => schedules.iter().try_for_each(|schedule| self.json(schedule)),
            OutputFormat::Plain => {
                let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
                let row = |it: &ScheduleStatus| {
                    let last = it.last_decision.as_ref();
                    vec![
                        it.workflow_id.clone(),
                        it.schedule.clone(),
                        it.timezone.clone().unwrap_or_default(),
                        time(it.next.as_ref().map(|next| next.start_at)),
                        time(last.map(|last| last.scheduled_until)),
                        last.map(|last| last.action.as_str().to_owned()).unwrap_or_default(),
                        it.paused.as_ref().map(|_| "paused".to_owned()).unwrap_or_default(),
                    ]
                };
                self.plain_rows(&schedules.iter().map(row).collect::<Vec<_>>())
            }
            OutputFormat::Table => self.text(&self.layout.schedules(schedules)),
        }
    }

    /// Shows decisions, the latest scheduled time first.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn decisions(&self, decisions: &[DecisionRecord]) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => self.json(&json!({ "decisions": decisions })),
            OutputFormat::Jsonl => decisions.iter().try_for_each(|decision| self.json(decision)),
            OutputFormat::Plain => {
                let row = |it: &DecisionRecord| {
                    vec![
                        it.workflow_id.clone(),
                        it.schedule.clone(),
                        it.scheduled_at.to_string(),
                        it.scheduled_until.to_string(),
                        it.count.to_string(),
                        it.action.as_str().to_owned(),
                        it.reason.clone(),
                        it.execution_id.clone().unwrap_or_default(),
                        it.decided_at.to_string(),
                    ]
                };
                self.plain_rows(&decisions.iter().map(row).collect::<Vec<_>>())
            }
            OutputFormat::Table => self.text(&self.layout.decisions(decisions)),
        }
    }

    /// Shows a rehearsal: a summary for people, every decision otherwise.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn rehearsed(&self, rehearsed: &Rehearsed) -> io::Result<()> {
        let (begin, between, end) = match self.format {
            OutputFormat::Table => return self.text(&self.layout.rehearsed(rehearsed)),
            OutputFormat::Json => ("{\n  \"decisions\": [", "\n    ", "\n  ]\n}\n"),
            OutputFormat::Jsonl => ("", "", ""),
            OutputFormat::Plain => {
                return self.plain_decisions(rehearsed);
            }
        };
        let mut piece = begin.to_owned();
        let mut is_first = true;
        for line in DecisionsJson::new(rehearsed).lines() {
            if self.format == OutputFormat::Json {
                piece += if std::mem::replace(&mut is_first, false) { "" } else { "," };
                piece += between;
                piece += &line;
            } else {
                piece += &line;
                piece.push('\n');
            }
            if piece.len() > PIECE_BYTES {
                self.bytes(piece.as_bytes())?;
                piece.clear();
            }
        }
        piece += end;
        self.bytes(piece.as_bytes())
    }

    fn plain_decisions(&self, rehearsed: &Rehearsed) -> io::Result<()> {
        let mut rows = Vec::new();
        for (index, decision) in rehearsed.in_order() {
            let workflow = &rehearsed.workflows[index].workflow;
            let schedule = decision.of(&workflow.rules.schedules);
            rows.push(vec![
                workflow.id.clone(),
                schedule.name.clone(),
                decision.scheduled_at.to_string(),
                decision.action.as_str().to_owned(),
                decision.reason.as_str().to_owned(),
                decision.start_at.map(|at| at.to_string()).unwrap_or_default(),
            ]);
            if rows.len() == 1_000 {
                self.plain_rows(&rows)?;
                rows.clear();
            }
        }
        self.plain_rows(&rows)
    }
}
