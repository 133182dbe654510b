//! One attempt of a step, as a task of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::definition::Work;
use super::engine::Means;
use super::environment::{self, OWNER, Variables};
use super::event::{AttemptEnd, Outcome};
use super::plan::Plan;
use super::record::AttemptKey;
use super::report::{Observer, Report};
use super::runner::process::{self, Job, Started};
use super::runner::{Stop, sleep};
use crate::clock;
use crate::repository::Stored;

/// One attempt on its own: it waits for its start to be durable, then does its work.
pub(super) struct AttemptTask {
    pub(super) plan: Arc<Plan>,
    pub(super) means: Arc<Means>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) stored: watch::Receiver<Stored>,
    pub(super) version: u64,
    /// Cancelled when the execution goes on without being stored.
    pub(super) unstored: CancellationToken,
    pub(super) variables: Result<Variables, environment::Clash>,
    pub(super) step: usize,
    pub(super) attempt: u32,
    pub(super) elapsed: Duration,
    pub(super) stop: Stop,
}

impl AttemptTask {
    /// Its end; `None` when it was stopped before its start was durable.
    pub(super) async fn run(mut self) -> Option<AttemptEnd> {
        let Self { stored, stop, version, unstored, .. } = &mut self;
        let may_begin = tokio::select! {
            biased;
            () = stop.gently.cancelled() => false,
            () = stop.now.cancelled() => false,
            may = may_begin(stored, *version, unstored) => may,
        };
        if may_begin { Some(self.work().await) } else { None }
    }

    async fn work(self) -> AttemptEnd {
        let plan = Arc::clone(&self.plan);
        let step = plan.step(self.step);
        let (attempt, at) = (self.attempt, clock::now());
        self.observer.report(&Report::AttemptStarted { step: &step.name, attempt, at });
        if let Work::Sleep(period) = step.work {
            return sleep::run(period, step.timeout, self.elapsed, &self.stop).await;
        }
        let variables = match self.variables {
            Ok(mut variables) => {
                variables.insert(OWNER.into(), self.means.owner.id().into());
                variables
            }
            Err(clash) => {
                return AttemptEnd::instant(Outcome::Failed(clash.to_string()), clock::now());
            }
        };
        let output_file = match self.means.scratch.file() {
            Ok(path) => path,
            Err(error) => {
                let text = format!("cannot make the file for $WFX_OUTPUT: {error}");
                return AttemptEnd::instant(Outcome::Failed(text), clock::now());
            }
        };
        let folder =
            PathBuf::from(&plan.snapshot.workdir).join(step.cwd.as_deref().unwrap_or_default());
        let execution_id = plan.execution_id.clone();
        let key = AttemptKey { execution_id, step: step.name.clone(), attempt };
        let (work, timeout) = (step.work.clone(), step.timeout);
        let job = Job { work, folder, variables, output_file, timeout, key };
        let observer = &self.observer;
        let listener = |stream, bytes: &[u8]| {
            observer.report(&Report::Output { step: &step.name, stream, bytes });
        };
        let listener: Option<process::Listener<'_>> =
            if observer.wants_output() { Some(&listener) } else { None };
        let begin = |started: Started| self.means.owner.begin_attempt(started.listed());
        process::run(job, &self.stop, listener, begin).await
    }
}

/// Waits until `version` is durable, or nothing is and nothing needs to be. What is stored
/// once waits for each further commit. `false` when the writer is gone.
async fn may_begin(
    stored: &mut watch::Receiver<Stored>,
    version: u64,
    unstored: &CancellationToken,
) -> bool {
    if !unstored.is_cancelled() {
        tokio::select! {
            durable = stored.wait_for(|stored| stored.version >= version) => return durable.is_ok(),
            () = unstored.cancelled() => {}
        }
    }
    stored.wait_for(|stored| stored.version == 0 || stored.version >= version).await.is_ok()
}
