//! Runs the schedules of the folder of workflows, as long as this process decides.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::base::timestamp::Timestamp;
use crate::http::api::resources::context::Resources;
use crate::operations::scheduler::{Parts, Reporting, Scheduler};
use crate::schedule::decision::Action;
use crate::workflow::report::Observer;

/// How soon it is tried again after a fault of wfx.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// Decides and starts, again and again until `ends`; what was started by then goes on.
pub(super) async fn run_schedules(
    resources: Arc<Resources>,
    database: PathBuf,
    ends: CancellationToken,
) {
    while !ends.is_cancelled() {
        let (mut scheduler, mut inbox) = Scheduler::new(parts(&resources, database.clone()));
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

fn parts(resources: &Arc<Resources>, database: PathBuf) -> Parts {
    Parts {
        supervisor: Arc::clone(&resources.supervisor),
        writer: Arc::clone(&resources.writer),
        catalogue: Arc::clone(&resources.catalogue),
        database,
        workdir: resources.workdir.clone(),
        reports: Box::new(Counted(Arc::clone(resources))),
    }
}

/// Counts what a scheduler reports.
struct Counted(Arc<Resources>);

impl Reporting for Counted {
    fn observer(&self, execution_id: &str, workflow_id: &str) -> Arc<dyn Observer> {
        self.0.observed.of_execution(execution_id, workflow_id)
    }

    fn decided(&self, action: Action, count: u64) {
        self.0.observed.metrics.schedule_decided(action.as_str(), count);
    }

    fn late(&self, late: Duration) {
        self.0.observed.metrics.schedule_late(late);
    }

    fn overdue(&self, open: &[(String, &'static str)]) {
        self.0.observed.metrics.workflows_overdue(open);
    }

    fn last_success(&self, workflow_id: &str, at: Timestamp) {
        self.0.observed.metrics.last_success(workflow_id, at);
    }
}
