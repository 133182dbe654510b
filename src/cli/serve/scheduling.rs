//! Runs the schedules of the folder of workflows, as long as this process decides.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::http::api::resources::context::Resources;
use crate::operations::scheduler::{Hooks, Parts, Scheduler};

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
    let Resources { supervisor, writer, catalogue, workdir, .. } = &**resources;
    let observing = Arc::clone(resources);
    let metrics = || Arc::clone(&resources.observed.metrics);
    let (decided, lateness, overdue, success) = (metrics(), metrics(), metrics(), metrics());
    let hooks = Hooks {
        observer: Box::new(move |execution_id, workflow_id| {
            observing.observed.of_execution(execution_id, workflow_id)
        }),
        decided: Box::new(move |action, count| decided.schedule_decided(action.as_str(), count)),
        lateness: Box::new(move |late| lateness.schedule_late(late)),
        overdue: Box::new(move |open| overdue.workflows_overdue(open)),
        last_success: Box::new(move |workflow_id, at| success.last_success(workflow_id, at)),
    };
    Parts {
        supervisor: Arc::clone(supervisor),
        writer: Arc::clone(writer),
        catalogue: Arc::clone(catalogue),
        database,
        workdir: workdir.clone(),
        hooks,
    }
}
