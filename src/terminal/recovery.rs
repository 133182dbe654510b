//! Progress of a recovery: a line for each execution that ended, a bar over all of them, and the
//! result.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::{OutputFormat, Ui};
use crate::base::units;
use crate::base::visible::visible;
use crate::engine::recovery::{Recovered, Watcher};
use crate::engine::work::orphans::{Process, Survivor};
use crate::render::style::{BOLD, WARNING, of_execution};
use crate::workflow::record::ExecutionStatus;

/// How long the end waits for a reader of standard error that accepts nothing.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);

/// Shows the progress of a recovery and counts the results. A thread of its own writes, so that a
/// reader that stalls delays nothing.
pub(crate) struct Progress {
    ui: Ui,
    tally: Mutex<Tally>,
    lines: Mutex<Option<Sender<Shown>>>,
    /// Receives a notice for each line that was written; disconnected when the thread ends.
    shown: Mutex<Receiver<()>>,
    store_fails: Mutex<bool>,
    alive: u64,
    /// Executions that were reported as left alone.
    left: u64,
}

/// A line to write.
struct Shown {
    text: String,
    /// How many executions ended with it.
    ended: u64,
}

/// The results of the executions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    by_status: BTreeMap<ExecutionStatus, u64>,
    executions: Vec<Line>,
    ended_processes: usize,
    /// Executions left alone because processes of theirs cannot be ended.
    held: BTreeSet<String>,
    not_stored: u64,
    /// The first execution that could not be ended, and why.
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
    pub(crate) fn is_success(&self) -> bool {
        self.not_stored == 0
            && self.held.is_empty()
            && self.by_status.keys().all(|status| *status == ExecutionStatus::Success)
    }
}

impl Progress {
    /// Starts the progress of a recovery of `total` executions; `alive` further ones are run by
    /// other processes, and `left` ones have been reported as left alone.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(ui: &Ui, total: u64, alive: u64, left: u64) -> io::Result<Self> {
        let (lines, to_show) = mpsc::channel::<Shown>();
        let (written, shown) = mpsc::channel();
        let screen = ui.clone();
        thread::Builder::new().name("wfx-progress".to_owned()).spawn(move || {
            let bar = screen.progress_bar(total);
            for Shown { text, ended } in to_show {
                bar.say(|| screen.write_stderr(&text));
                bar.add(ended);
                // The receiver may have stopped waiting.
                let _ = written.send(());
            }
        })?;
        Ok(Self {
            ui: ui.clone(),
            tally: Mutex::default(),
            lines: Mutex::new(Some(lines)),
            shown: Mutex::new(shown),
            store_fails: Mutex::default(),
            alive,
            left,
        })
    }

    /// The executions that ended so far.
    pub(crate) fn execution_ids(&self) -> Vec<String> {
        self.tally().executions.iter().map(|line| line.execution_id.clone()).collect()
    }

    /// Shows the results.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn finish(&self) -> io::Result<Tally> {
        self.wait_until_shown();
        let tally = self.tally().clone();
        let ui = &self.ui;
        if tally.executions.is_empty() && tally.held.is_empty() {
            match (self.alive, self.left) {
                (0, 0) => ui.note("no process died with an unfinished execution"),
                (0, _) => {}
                (1, _) => ui.note("1 execution is run by a process that is alive"),
                (count, _) => {
                    ui.note(&format!("{count} executions are run by processes that are alive"));
                }
            }
        }
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
            OutputFormat::Table => ui.styled_line(&summary(&tally))?,
        }
        Ok(tally)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, text: String, ended: u64) {
        if let Some(lines) = &*self.lines.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = lines.send(Shown { text, ended });
        }
    }

    fn wait_until_shown(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take();
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match shown.recv_timeout(PATIENCE_AT_END) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => return self.ui.give_up_on_stderr(),
            }
        }
    }
}

fn summary(tally: &Tally) -> String {
    let held = match tally.held.len() as u64 {
        0 => String::new(),
        count => format!("; {} left alone", units::count(count, "execution")),
    };
    if tally.executions.is_empty() {
        return format!("nothing to recover{held}");
    }
    let mut parts: Vec<String> =
        tally.by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    if tally.not_stored > 0 {
        parts.push(format!("{} not brought to an end", tally.not_stored));
    }
    let what = units::count(tally.executions.len() as u64, "execution");
    let processes = match tally.ended_processes {
        0 => String::new(),
        count => format!("; ended {}", left_processes(count)),
    };
    format!("recovered {what}: {}{processes}{held}", parts.join(", "))
}

fn left_processes(count: usize) -> String {
    let what = if count == 1 { "process" } else { "processes" };
    format!("{count} {what} that steps had left")
}

impl Watcher for Progress {
    fn attempt_postponed(&self, step: &str, error: &str) {
        let (step, error) = (visible(step), visible(error));
        self.show(
            format!(
                "{WARNING}warning:{WARNING:#} step `{step}` waits, since the system lets wfx start \
                 no further process: {error}"
            ),
            0,
        );
    }

    fn ended_processes(&self, count: usize) {
        self.tally().ended_processes += count;
        self.show(format!("ended {}", left_processes(count)), 0);
    }

    fn held_by(&self, survivor: &Survivor) {
        let Survivor { process: Process { pid, name, key }, why } = survivor;
        self.tally().held.insert(key.execution_id.clone());
        self.show(
            format!(
                "{WARNING}warning:{WARNING:#} {} is left alone: process {pid} ({}) of step {} \
                 cannot be ended: {why}",
                key.execution_id,
                visible(name),
                visible(&key.step)
            ),
            0,
        );
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
                let sign = look.paint(&look.sign(self.ui.layout.unicode).to_string());
                format!("{sign} {id} {BOLD}{workflow}{BOLD:#} {}", look.paint(status.as_str()))
            }
            (None, error) => {
                format!(
                    "{id} {BOLD}{workflow}{BOLD:#}: {}",
                    visible(error.as_deref().unwrap_or_default())
                )
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
        self.show(text, 1);
    }

    fn store_failing(&self, error: Option<&str>) {
        let fails = error.is_some();
        let mut known = self.store_fails.lock().unwrap_or_else(PoisonError::into_inner);
        // Each execution reports it; it is shown once.
        if std::mem::replace(&mut *known, fails) != fails {
            self.show(
                match error {
                    Some(error) => format!(
                        "{WARNING}warning:{WARNING:#} {error}; no further step starts until it works"
                    ),
                    None => "the database works again".to_owned(),
                },
                0,
            );
        }
    }
}
