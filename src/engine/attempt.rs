//! One attempt of a step, as a separate task.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::context::EngineContext;
use super::durability;
use super::work::job::Job;
use super::work::parallelism::Permit;
use super::work::process::{self, Started};
use super::work::{Stop, sleep};
use crate::repository::CommitStatus;
use crate::system::limits;
use crate::workflow::definition::Work;
use crate::workflow::environment::{self, OWNER, Variables};
use crate::workflow::event::{AttemptEnd, Outcome};
use crate::workflow::record::AttemptKey;
use crate::workflow::report::{Observer, Report};
use crate::workflow::spec::ExecutionSpec;

/// Performs one attempt: waits until its start is durable, then does its work.
pub(crate) struct AttemptTask {
    pub(crate) spec: Arc<ExecutionSpec>,
    pub(crate) context: Arc<EngineContext>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stored: watch::Receiver<CommitStatus>,
    pub(crate) version: u64,
    /// Cancelled when the execution proceeds unstored.
    pub(crate) unstored: CancellationToken,
    pub(crate) variables: Result<Variables, environment::Clash>,
    pub(crate) step: usize,
    pub(crate) attempt: u32,
    pub(crate) elapsed: Duration,
    pub(crate) stop: Stop,
    /// That of its process.
    pub(crate) permit: Option<Permit>,
}

/// The result of an attempt.
pub(crate) enum Attempted {
    /// It was stopped before its start was durable.
    NotBegun,
    /// Files, processes or memory are exhausted: the attempt has not begun, and retains its permit.
    Postponed(io::Error, Option<Permit>),
    Ended(AttemptEnd),
}

impl AttemptTask {
    /// Its end, if it was made.
    pub(crate) async fn run(mut self) -> Attempted {
        let Self { stored, stop, version, unstored, .. } = &mut self;
        let may_begin = tokio::select! {
            biased;
            () = stop.gently.cancelled() => false,
            () = stop.now.cancelled() => false,
            may = may_begin(stored, *version, unstored) => may,
        };
        if !may_begin {
            return Attempted::NotBegun;
        }
        let permit = self.permit.take();
        match self.work().await {
            Ok(end) => Attempted::Ended(end),
            Err(error) => Attempted::Postponed(error, permit),
        }
    }

    async fn work(mut self) -> io::Result<AttemptEnd> {
        let variables = std::mem::replace(&mut self.variables, Ok(Variables::new()));
        let spec = Arc::clone(&self.spec);
        let step = spec.step(self.step);
        let attempt = self.attempt;
        let report_start = || {
            let at = self.context.clock.now();
            self.observer.report(&Report::AttemptStarted { step: &step.name, attempt, at });
        };
        if let Work::Sleep(period) = step.work {
            report_start();
            return Ok(sleep::run(period, step.timeout, self.elapsed, &self.stop).await);
        }
        let variables = match variables {
            Ok(mut variables) => {
                variables.insert(OWNER.into(), self.context.owner.id().into());
                variables
            }
            Err(clash) => {
                report_start();
                return Ok(AttemptEnd::instant(
                    Outcome::Failed(clash.to_string()),
                    self.context.clock.now(),
                ));
            }
        };
        let output_file = match self.context.scratch.file() {
            Ok(path) => path,
            Err(error) if limits::is_scarce(&error) => return Err(error),
            Err(error) => {
                report_start();
                let text = format!("cannot make the file for $WFX_OUTPUT: {error}");
                return Ok(AttemptEnd::instant(Outcome::Failed(text), self.context.clock.now()));
            }
        };
        let folder =
            PathBuf::from(&spec.snapshot.workdir).join(step.cwd.as_deref().unwrap_or_default());
        let execution_id = spec.execution_id.clone();
        let key = AttemptKey { execution_id, step: step.name.clone(), attempt };
        let (work, timeout) = (step.work.clone(), step.timeout);
        let skip_exit_codes = step.flow.skip_exit_codes.clone();
        let job = Job { work, folder, variables, output_file, timeout, skip_exit_codes, key };
        let observer = &self.observer;
        let listener = |stream, bytes: &[u8]| {
            observer.report(&Report::Output { step: &step.name, stream, bytes });
        };
        let listener: Option<process::Listener<'_>> =
            if observer.wants_output() { Some(&listener) } else { None };
        let begin = |started: Option<Started>| {
            report_start();
            started.map(|started| self.context.owner.begin_attempt(started.listed()))
        };
        process::run(job, &self.stop, listener, begin).await
    }
}

/// Waits until `version` is durable, or nothing is and nothing needs to be. What is stored
/// once waits for each further commit. `false` when the writer is gone.
async fn may_begin(
    stored: &mut watch::Receiver<CommitStatus>,
    version: u64,
    unstored: &CancellationToken,
) -> bool {
    let may = |runs_unstored| {
        move |commit: &CommitStatus| durability::may_begin(version, commit, runs_unstored)
    };
    if !unstored.is_cancelled() {
        tokio::select! {
            durable = stored.wait_for(may(false)) => return durable.is_ok(),
            () = unstored.cancelled() => {}
        }
    }
    stored.wait_for(may(true)).await.is_ok()
}
