//! Executions of daemons that died, which are taken over and continued.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::engine::recovery::{self, Taken};
use crate::engine::work::orphans::{Ended, Ender, Process, Survivor};
use crate::http::api::resources::context::Resources;
use crate::repository::ownership::{Doubt, OwnerKind, id};
use crate::repository::{StoreError, TakenOver, Which};

/// How often executions of daemons that died are looked for.
const RECOVER_EVERY: Duration = Duration::from_secs(30);
/// After what time they are looked for once more when a daemon has ended.
const RECOVER_SOON: Duration = Duration::from_secs(1);

/// Takes over what dead daemons left, again and again until `ends`; what was taken over by then is
/// continued. `left_behind`: a daemon has just ended.
pub(super) async fn recover_again_and_again(
    resources: Arc<Resources>,
    left_behind: Arc<Notify>,
    ends: CancellationToken,
) {
    let mut orphans = Orphans::default();
    let mut pause = RECOVER_EVERY;
    loop {
        if let Err(error) = recover(&resources, &mut orphans, &ends).await {
            tracing::warn!(%error, "cannot take over executions of daemons that died");
        }
        resources.writer.sweep_owners();
        tokio::select! {
            () = ends.cancelled() => return,
            () = time::sleep(pause) => pause = RECOVER_EVERY,
            // It closes the link a moment before it is gone.
            () = left_behind.notified() => pause = RECOVER_SOON,
        }
    }
}

/// Ends executions that hold a slot of a concurrency group though their `exec` died.
pub(super) async fn settle_dead_holders(resources: Arc<Resources>) {
    let mut dead = resources.writer.dead_holders(true);
    while let Some(execution_id) = dead.recv().await {
        if resources.draining.is_cancelled() {
            return;
        }
        let resources = Arc::clone(&resources);
        tokio::spawn(async move {
            let Resources { supervisor, observed, .. } = &*resources;
            let counted = |taken: &TakenOver| {
                let execution = &taken.execution;
                observed.of_execution(&execution.execution_id, &execution.workflow_id)
            };
            match recovery::settle(supervisor, &execution_id, counted).await {
                Ok(None) => {}
                Ok(Some(Ok(status))) => {
                    let message = "its process died, and others of its group or its schedules wait";
                    tracing::warn!(execution_id, "ended as {status}: {message}");
                }
                Ok(Some(Err(error))) => {
                    tracing::warn!(execution_id, %error, "cannot end what a dead process held");
                }
                Err(error) => {
                    tracing::warn!(execution_id, %error, "cannot end what a dead process held");
                }
            }
        });
    }
}

/// What was seen of the dead, from one look to the next.
#[derive(Default)]
struct Orphans {
    ender: Ender,
    /// What was reported, so that each is reported once.
    held: HashSet<i32>,
    in_doubt: BTreeMap<String, Doubt>,
}

impl Orphans {
    fn report(&mut self, ended: &Ended) {
        let gone = ended.asked.saturating_sub(ended.survivors.len());
        if gone > 0 {
            tracing::warn!(ended = gone, "ended processes that steps of a dead daemon had left");
        }
        for Survivor { process: Process { pid, name, key }, why } in &ended.survivors {
            if self.held.insert(*pid) {
                let (execution_id, step) = (&key.execution_id, &key.step);
                tracing::error!(
                    execution_id,
                    step,
                    pid,
                    name,
                    why,
                    "an execution is left alone: a process that works for it cannot be ended"
                );
            }
        }
        self.held.retain(|pid| ended.survivors.iter().any(|it| it.process.pid == *pid));
    }

    /// Reports executions of which it cannot be proven that their process is dead.
    fn report_doubts(&mut self, in_doubt: BTreeMap<String, Doubt>) {
        for (owner, doubt) in &in_doubt {
            if !self.in_doubt.contains_key(owner) {
                let owner = id::shown(owner);
                tracing::warn!(
                    owner,
                    "executions are left alone: {doubt}; if you are sure that nobody runs one \
                     of them, `wfx recover ID --assume-dead` goes on with it"
                );
            }
        }
        self.in_doubt = in_doubt;
    }
}

/// Goes on with what daemons left that died, as far as there is room for it.
async fn recover(
    resources: &Resources,
    orphans: &mut Orphans,
    ends: &CancellationToken,
) -> Result<(), StoreError> {
    let (supervisor, observed) = (&resources.supervisor, &resources.observed);
    let mut which = Which::kind(OwnerKind::Serve);
    loop {
        if !supervisor.has_room() || ends.is_cancelled() {
            return Ok(());
        }
        let Taken { executions, ended, in_doubt } =
            recovery::take(supervisor, &mut which, recovery::BATCH, &mut orphans.ender).await?;
        orphans.report(&ended);
        orphans.report_doubts(in_doubt);
        // What is held back is excepted from now on, so that others come.
        let is_all = executions.is_empty() && ended.survivors.is_empty();
        // Taken over and not begun, they are left to the next start.
        if is_all || resources.draining.is_cancelled() {
            return Ok(());
        }
        for taken in executions {
            let execution = &taken.execution;
            let (execution_id, workflow_id) = (&execution.execution_id, &execution.workflow_id);
            tracing::info!(execution_id, workflow_id, "going on with it");
            observed.metrics.recovered();
            let observer = observed.of_execution(execution_id, workflow_id);
            supervisor.go_on(taken, observer);
        }
    }
}
