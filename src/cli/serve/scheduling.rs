//! Runs the schedules of the folder of workflows, as long as this process decides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::http::api::resources::context::Resources;
use crate::operations::scheduler::{Parts, Reporting, Scheduler};
use crate::repository::StoreAddress;
use crate::schedule::decision::Action;
use crate::workflow::report::Observer;

/// How soon it is tried again after a fault of wfx.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// A scheduler that has not finished a round for so long does not work. A round waits for the
/// database for less, and there is one each second at least.
const SILENT: Duration = Duration::from_secs(30);

/// Whether the schedules of this process are decided. Nothing is expected of a process that decides
/// none, such as one that has handed over.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<Option<Beat>>);

/// The last round, of a process that decides.
#[derive(Debug)]
struct Beat {
    /// When the last one succeeded; before the first one, when the process began to decide.
    succeeded_at: Instant,
    /// Why the last one failed, if it did.
    problem: Option<String>,
}

impl Pulse {
    fn set(&self, change: impl FnOnce(&mut Option<Beat>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// This process decides from now on, until what is returned is dropped.
    fn begin(&self, now: Instant) -> Deciding<'_> {
        self.set(|beat| *beat = Some(Beat { succeeded_at: now, problem: None }));
        Deciding(self)
    }

    fn round(&self, problem: Option<&str>, now: Instant) {
        self.set(|beat| {
            let Some(beat) = beat else { return };
            beat.problem = problem.map(str::to_owned);
            if problem.is_none() {
                beat.succeeded_at = now;
            }
        });
    }

    /// Why schedules are not decided, if they should be.
    pub(super) fn problem(&self, now: Instant) -> Option<String> {
        let beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Beat { succeeded_at, problem } = beat.as_ref()?;
        if let Some(problem) = problem {
            return Some(format!("schedules are not decided: {problem}"));
        }
        let is_silent = now.saturating_duration_since(*succeeded_at) >= SILENT;
        let silent = || format!("schedules have not been decided for {} s", SILENT.as_secs());
        is_silent.then(silent)
    }
}

/// A process decides while it has this.
struct Deciding<'p>(&'p Pulse);

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.0.set(|beat| *beat = None);
    }
}

/// Decides and starts, again and again until `ends`; what was started by then goes on.
pub(super) async fn run_schedules(
    resources: Arc<Resources>,
    database: StoreAddress,
    pulse: Arc<Pulse>,
    ends: CancellationToken,
) {
    let _deciding = pulse.begin(clock::monotonic());
    while !ends.is_cancelled() {
        let (mut scheduler, mut inbox) = Scheduler::new(parts(&resources, &database, &pulse));
        loop {
            let round = tokio::task::spawn_blocking(move || {
                let wait = scheduler.round(clock::now(), &mut inbox);
                (scheduler, inbox, wait)
            });
            let wait;
            (scheduler, inbox, wait) = match round.await {
                Ok(after) => after,
                Err(error) => {
                    tracing::error!(%error, "a fault of wfx: schedules are read anew");
                    time::sleep(AFTER_FAULT).await;
                    break;
                }
            };
            tokio::select! {
                biased;
                () = ends.cancelled() => return,
                () = inbox.wait() => {}
                () = time::sleep(wait) => {}
            }
        }
    }
}

fn parts(resources: &Arc<Resources>, database: &StoreAddress, pulse: &Arc<Pulse>) -> Parts {
    Parts {
        supervisor: Arc::clone(&resources.supervisor),
        writer: Arc::clone(&resources.writer),
        catalogue: Arc::clone(&resources.catalogue),
        database: database.clone(),
        workdir: resources.workdir.clone(),
        reports: Box::new(Reports { resources: Arc::clone(resources), pulse: Arc::clone(pulse) }),
    }
}

/// Counts what a scheduler reports.
struct Reports {
    resources: Arc<Resources>,
    pulse: Arc<Pulse>,
}

impl Reporting for Reports {
    fn observer(&self, execution_id: &str, workflow_id: &str) -> Arc<dyn Observer> {
        self.resources.observed.of_execution(execution_id, workflow_id)
    }

    fn round(&self, problem: Option<&str>) {
        self.pulse.round(problem, clock::monotonic());
    }

    fn decided(&self, action: Action, count: u64) {
        self.resources.observed.metrics.schedule_decided(action.as_str(), count);
    }

    fn late(&self, late: Duration) {
        self.resources.observed.metrics.schedule_late(late);
    }

    fn overdue(&self, open: &[(String, &'static str)]) {
        self.resources.observed.metrics.workflows_overdue(open);
    }

    fn last_success(&self, workflow_id: &str, at: Timestamp) {
        self.resources.observed.metrics.last_success(workflow_id, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_decides_must_succeed_again_and_again() {
        let (pulse, start) = (Pulse::default(), clock::monotonic());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pulse.problem(after(100)), None, "it decides nothing");
        pulse.round(Some("late news"), after(100));
        assert_eq!(pulse.problem(after(100)), None);
        let deciding = pulse.begin(start);
        assert_eq!(pulse.problem(after(29)), None);
        assert!(pulse.problem(after(30)).unwrap().contains("for 30 s"));
        pulse.round(None, after(31));
        assert_eq!(pulse.problem(after(60)), None);
        pulse.round(Some("locked"), after(60));
        assert_eq!(pulse.problem(after(60)).unwrap(), "schedules are not decided: locked");
        pulse.round(None, after(61));
        assert_eq!(pulse.problem(after(62)), None);
        drop(deciding);
        assert_eq!(pulse.problem(after(1_000)), None);
    }
}
