//! One attempt of a step, as a separate task.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::context::EngineContext;
use super::durability;
use super::output::{AttemptOutput, ExecutionOutput, Listener};
use super::work::env_file::{self, FilesRead};
use super::work::job::Job;
use super::work::launch::{self, Launch};
use super::work::parallelism::Permit;
use super::work::process::{self, Begun, Started};
use super::work::scratch::ScratchFile;
use super::work::{Stop, sleep};
use crate::base::period::Period;
use crate::base::size::Size;
use crate::repository::CommitStatus;
use crate::system::limits;
use crate::workflow::definition::Work;
use crate::workflow::environment::{self, OWNER, Variables};
use crate::workflow::event::{AttemptEnd, Outcome};
use crate::workflow::output::Source;
use crate::workflow::record::AttemptKey;
use crate::workflow::report::{Observer, Report};
use crate::workflow::retry_on::EndCause;
use crate::workflow::spec::ExecutionSpec;

/// The most bytes of variables of which a start is prepared while others wait.
const PREPARED_BYTES_MAX: usize = 64 * 1024;

/// Performs one attempt: waits until its start is durable, then does its work.
pub(crate) struct AttemptTask {
    pub(crate) spec: Arc<ExecutionSpec>,
    pub(crate) context: Arc<EngineContext>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stored: watch::Receiver<CommitStatus>,
    pub(crate) version: u64,
    /// Cancelled when the execution proceeds unstored.
    pub(crate) unstored: CancellationToken,
    /// Where what it prints goes.
    pub(crate) output: Arc<ExecutionOutput>,
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
    /// It ended. What it used is cleared away by the caller, once the end is on its way to the disk.
    Ended(Box<AttemptEnd>, Option<ScratchFile>),
}

/// What is to be done.
enum Prepared {
    Sleep(Period),
    /// With its start, where that was prepared as well.
    Process(Box<(Job, Option<Launch>)>),
    /// It fails at once, and why.
    Impossible(String),
}

impl AttemptTask {
    /// Its end, if it was made.
    pub(crate) async fn run(mut self) -> Attempted {
        // While the start is on its way to the disk.
        let prepared = self.prepare();
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
        let worked = match prepared {
            Ok(prepared) => self.work(prepared).await,
            Err(error) => Err(error),
        };
        match worked {
            Ok((end, used)) => Attempted::Ended(Box::new(end), used),
            Err(error) => Attempted::Postponed(error, permit),
        }
    }

    /// Prepares its work, of which nothing may be noticed yet.
    fn prepare(&mut self) -> io::Result<Prepared> {
        let spec = &self.spec;
        let step = spec.step(self.step);
        if let Work::Sleep(period) = step.work {
            return Ok(Prepared::Sleep(period));
        }
        let variables = match std::mem::replace(&mut self.variables, Ok(Variables::new())) {
            Ok(mut variables) => {
                variables.insert(OWNER.into(), self.context.owner.id().into());
                variables
            }
            Err(clash) => return Ok(Prepared::Impossible(clash.to_string())),
        };
        let output_file = match self.context.scratch.file() {
            Ok(file) => file,
            Err(error) if limits::is_scarce(&error) => return Err(error),
            Err(error) => {
                let text = format!("cannot make the file for $WFX_OUTPUT: {error}");
                return Ok(Prepared::Impossible(text));
            }
        };
        let folder =
            PathBuf::from(&spec.snapshot.workdir).join(step.cwd.as_deref().unwrap_or_default());
        let execution_id = spec.execution_id.clone();
        let key = AttemptKey { execution_id, step: step.name.clone(), attempt: self.attempt };
        let spec = Arc::clone(spec);
        let job = Job { spec, step: self.step, folder, variables, output_file, key };
        // Its variables are in it once more, which is for a moment only if they are few.
        let length = |(name, value): (&OsString, &OsString)| name.len() + value.len();
        let is_small = job.variables.iter().map(length).sum::<usize>() <= PREPARED_BYTES_MAX;
        let is_whole = step.process.env_file.is_empty();
        let launch = if is_whole && is_small { launch::prepare(&job).ok() } else { None };
        Ok(Prepared::Process(Box::new((job, launch))))
    }

    async fn work(self, prepared: Prepared) -> io::Result<(AttemptEnd, Option<ScratchFile>)> {
        let spec = Arc::clone(&self.spec);
        let step = spec.step(self.step);
        let attempt = self.attempt;
        let report_start = || {
            let at = self.context.clock.now();
            self.observer.report(&Report::AttemptStarted { step: &step.name, attempt, at });
        };
        let (mut job, launch) = match prepared {
            Prepared::Sleep(period) => {
                report_start();
                let end = sleep::run(period, step.timeout, self.elapsed, &self.stop).await;
                return Ok((end, None));
            }
            Prepared::Impossible(why) => {
                report_start();
                let end = AttemptEnd::instant(Outcome::Failed(why), self.context.clock.now());
                return Ok((end, None));
            }
            Prepared::Process(prepared) => *prepared,
        };
        let begun = Begun::now();
        if !step.process.env_file.is_empty() {
            let variables = std::mem::take(&mut job.variables);
            let (outcome, cause) =
                match env_file::read_all(&spec, self.step, variables, &self.stop, begun).await {
                    FilesRead::All(variables) => {
                        job.variables = variables;
                        (None, EndCause::Other)
                    }
                    FilesRead::Scarce(error) => return Err(error),
                    FilesRead::Unusable(why) => (Some(Outcome::Failed(why)), EndCause::Other),
                    FilesRead::TimedOut(why) => (Some(Outcome::Failed(why)), EndCause::Timeout),
                    FilesRead::Stopped => (Some(Outcome::Stopped), EndCause::Other),
                };
            if let Some(outcome) = outcome {
                report_start();
                let end = AttemptEnd::instant(outcome, begun.at);
                return Ok((AttemptEnd { duration: begun.elapsed(), cause, ..end }, None));
            }
        }
        let observer = &self.observer;
        let listener = |stream, bytes: &[u8]| {
            observer.report(&Report::Output { step: &step.name, stream, bytes });
        };
        let listener: Option<Listener<'_>> =
            if observer.wants_output() { Some(&listener) } else { None };
        let begin = |started: Option<Started>| {
            report_start();
            started.map(|started| self.context.owner.begin_attempt(started.listed()))
        };
        let source = Source { position: spec.position(self.step), attempt };
        let limit = step.process.output_limit.or(spec.snapshot.definition().output_limit);
        let output = AttemptOutput::new(&self.output, source, limit.map(Size::bytes), listener);
        let end = process::run(&job, launch, begun, &self.stop, output, begin).await?;
        Ok((end, Some(job.output_file)))
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
