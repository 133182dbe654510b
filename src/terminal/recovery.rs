//! A recovery: a line for each execution that came to its end, a bar over all of them,
//! and what became of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;

use super::style::{BOLD, of_execution};
use super::{OutputFormat, Ui, units};
use crate::workflow::problem::visible;
use crate::workflow::record::ExecutionStatus;
use crate::workflow::recovery::{Recovered, Watcher};
use crate::workflow::report::{Observer, Report};

/// Shows how a recovery goes on, and keeps count.
pub struct Progress {
    ui: Ui,
    bar: ProgressBar,
    tally: Mutex<Tally>,
    store: Arc<StoreWatch>,
}

/// What became of the executions.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    by_status: BTreeMap<ExecutionStatus, u64>,
    executions: Vec<Line>,
    ended_processes: usize,
    not_stored: u64,
    /// The first that could not be brought to its end, and why.
    pub first_error: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Line {
    execution_id: String,
    workflow_id: String,
    status: Option<ExecutionStatus>,
    previous_owner: Option<String>,
    error: Option<String>,
}

impl Tally {
    /// Whether all of them ended well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.not_stored == 0
            && self.by_status.keys().all(|status| *status == ExecutionStatus::Success)
    }
}

impl Progress {
    /// For a recovery of `total` executions.
    #[must_use]
    pub fn new(ui: &Ui, total: u64) -> Self {
        let bar =
            if ui.live && total > 0 { ProgressBar::new(total) } else { ProgressBar::hidden() };
        Self { ui: ui.clone(), bar, tally: Mutex::default(), store: Arc::default() }
    }

    /// Shows what became of all of them.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn finish(&self) -> io::Result<Tally> {
        self.bar.finish_and_clear();
        let tally = self.tally().clone();
        let ui = &self.ui;
        match ui.format {
            OutputFormat::Json => ui.json(&json!({
                "executions": tally.executions,
                "ended_processes": tally.ended_processes,
            }))?,
            OutputFormat::Jsonl => {
                for line in &tally.executions {
                    ui.json(line)?;
                }
            }
            OutputFormat::Plain => {
                let row = |line: &Line| {
                    let status = line.status.map(ExecutionStatus::as_str).unwrap_or_default();
                    vec![line.execution_id.clone(), line.workflow_id.clone(), status.to_owned()]
                };
                ui.plain_rows(&tally.executions.iter().map(row).collect::<Vec<_>>())?;
            }
            OutputFormat::Table => ui.line(&summary(&tally))?,
        }
        Ok(tally)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| self.ui.note(text));
    }
}

fn summary(tally: &Tally) -> String {
    if tally.executions.is_empty() {
        return "nothing to recover".to_owned();
    }
    let mut parts: Vec<String> =
        tally.by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    if tally.not_stored > 0 {
        parts.push(format!("{} not brought to an end", tally.not_stored));
    }
    let what = units::count(tally.executions.len() as u64, "execution");
    let processes = match tally.ended_processes {
        0 => String::new(),
        count => format!("; ended {count} left over by steps"),
    };
    format!("recovered {what}: {}{processes}", parts.join(", "))
}

impl Watcher for Progress {
    fn ended_processes(&self, count: usize) {
        self.tally().ended_processes += count;
        let what = if count == 1 { "process" } else { "processes" };
        self.say(&format!("ended {count} {what} that steps had left"));
    }

    fn recovered(&self, recovered: &Recovered) {
        let id = &recovered.execution_id;
        let workflow = visible(&recovered.workflow_id);
        let (status, error) = match &recovered.outcome {
            Ok(status) => (Some(*status), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let text = match (status, &error) {
            (Some(status), _) => {
                let look = of_execution(status);
                let sign = look.paint(&look.sign(self.ui.unicode).to_string());
                format!("{sign} {id} {BOLD}{workflow}{BOLD:#} {}", look.paint(status.as_str()))
            }
            (None, error) => {
                format!("{id} {BOLD}{workflow}{BOLD:#}: {}", error.as_deref().unwrap_or_default())
            }
        };
        {
            let mut tally = self.tally();
            match (status, &error) {
                (Some(status), _) => *tally.by_status.entry(status).or_default() += 1,
                (None, error) => {
                    tally.not_stored += 1;
                    if tally.first_error.is_none() {
                        tally.first_error =
                            error.as_ref().map(|error| format!("execution {id}: {error}"));
                    }
                }
            }
            tally.executions.push(Line {
                execution_id: id.clone(),
                workflow_id: recovered.workflow_id.clone(),
                status,
                previous_owner: recovered.previous_owner.clone(),
                error,
            });
        }
        self.say(&text);
        self.bar.inc(1);
    }

    fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.store) as Arc<dyn Observer>
    }
}

/// Tells once, not once for each execution, that the store fails or works again.
#[derive(Debug, Default)]
struct StoreWatch {
    is_failing: Mutex<bool>,
}

impl Observer for StoreWatch {
    fn report(&self, report: &Report<'_>) {
        let failing = match report {
            Report::StoreFailing { .. } => true,
            Report::StoreWorking { .. } => false,
            _ => return,
        };
        let mut known = self.is_failing.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *known, failing) == failing {
            return;
        }
        match report {
            Report::StoreFailing { error, .. } => {
                super::tell(&format!("warning: {error}; no further step starts until it works"));
            }
            _ => super::tell("the database works again"),
        }
    }
}
