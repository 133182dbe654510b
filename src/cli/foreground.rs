//! Runs one execution in the foreground, for `exec`, `replay` and `recover ID`: shows
//! progress and the end.

use std::sync::Arc;

use super::session::Session;
use super::{CliError, Context, show};
use crate::base::exit::Exit;
use crate::engine::driver::RunError;
use crate::render::titles::Titles;
use crate::system::users;
use crate::terminal::{self, OutputFormat};
use crate::workflow::compiled::Snapshot;
use crate::workflow::record::ExecutionStatus;
use crate::workflow::report::{Observer, Unobserved};
use crate::workflow::schedule_record::ScheduledStart;
use crate::workflow::spec::ReusedStep;
use crate::workflow::trigger::{Requester, Trigger, TriggerKind};

/// What is to be run.
#[derive(Debug)]
pub(super) struct Run {
    /// The definition, the parameters and the working folder.
    pub snapshot: Snapshot,
    /// The execution that it repeats.
    pub replay_of: Option<String>,
    /// Who or what started that.
    pub repeats: Option<Trigger>,
    /// The scheduled time that it starts.
    pub scheduled: Option<ScheduledStart>,
    /// The steps of that execution that are not run.
    pub reused: Vec<ReusedStep>,
    /// What is shown while it runs.
    pub progress: Progress,
}

impl Run {
    /// A new execution.
    pub(super) fn new(snapshot: Snapshot, progress: Progress) -> Self {
        let (replay_of, repeats, scheduled, reused) = (None, None, None, Vec::new());
        Self { snapshot, replay_of, repeats, scheduled, reused, progress }
    }
}

/// What is shown of an execution while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing, and nothing at the end either if it succeeds.
    Quiet,
    /// How its steps go.
    Steps,
    /// The output of the steps as well, as it comes.
    Output,
}

impl Progress {
    /// How its steps go, and their output if that is wanted.
    pub(super) fn of(verbose: bool) -> Self {
        if verbose { Self::Output } else { Self::Steps }
    }
}

/// Runs it to its end, stored, and shows how it went.
///
/// # Errors
/// Exit 3 when the database or the temporary folder fails.
pub(super) fn run(run: Run, context: &Context) -> Result<Exit, CliError> {
    let kind = if run.replay_of.is_some() { TriggerKind::Replay } else { TriggerKind::Cli };
    let prepare = || {
        let trigger = Trigger::by(kind, Requester::user(users::name(users::own())));
        (Titles::of(run.snapshot.definition()), trigger.repeating(run.repeats.as_ref()))
    };
    let (session, (titles, trigger)) = Session::open_while(context, prepare)?;
    let plan = session.supervisor.plan(run.snapshot, run.replay_of);
    let mut plan = plan.triggered(Some(trigger)).reusing(run.reused);
    if let Some(scheduled) = run.scheduled {
        plan = plan.scheduled(scheduled);
    }
    let execution_id = plan.execution_id.clone();
    let observer: Arc<dyn Observer> = match run.progress {
        Progress::Quiet => Arc::new(Unobserved),
        shown => terminal::progress::observer(&context.ui, shown == Progress::Output, titles),
    };
    let (result, signalled) = session
        .block_on(async |supervisor, cancel| supervisor.run(plan, &observer, cancel).await)?;
    // All progress is shown before the summary.
    drop(observer);
    session.deliver_notifications(vec![execution_id.clone()], context);
    if run.progress == Progress::Quiet {
        return finish_quietly(session, result, signalled, &execution_id, context);
    }
    finish(session, result, signalled, &execution_id, context)
}

/// As [`finish`]; of a success nothing is shown, of anything else all that `show` has.
fn finish_quietly(
    session: Session,
    result: Result<ExecutionStatus, RunError>,
    signalled: Option<Exit>,
    execution_id: &str,
    context: &Context,
) -> Result<Exit, CliError> {
    let Ok(status) = result else {
        return finish(session, result, signalled, execution_id, context);
    };
    if let Err(error) = session.close() {
        context.ui.warning(&error.to_string());
    }
    if status != ExecutionStatus::Success {
        match show::run_stored(&show::Args::of(execution_id), context) {
            Err(error) if error.exit == Exit::Environment => return Err(error),
            // Who stopped reading still gets the exit code of the execution, and so does who finds
            // that another process has pruned it.
            Err(error) if !error.message.is_empty() => context.ui.warning(&error.message),
            _ => {}
        }
    }
    Ok(exit(status, signalled))
}

/// The exit code of an execution that ended so.
pub(super) fn exit(status: ExecutionStatus, signalled: Option<Exit>) -> Exit {
    match (status, signalled) {
        (ExecutionStatus::Cancelled, Some(exit)) => exit,
        (ExecutionStatus::Success, _) => Exit::Success,
        _ => Exit::Failed,
    }
}

/// Closes the database and shows how an execution went that ran in the foreground.
///
/// # Errors
/// Exit 3 when it could not be stored.
pub(super) fn finish(
    session: Session,
    result: Result<ExecutionStatus, RunError>,
    signalled: Option<Exit>,
    execution_id: &str,
    context: &Context,
) -> Result<Exit, CliError> {
    // A table says nothing of steps.
    let has_steps = context.ui.format() != OutputFormat::Table;
    let detail = result.is_ok().then(|| session.writer.last_detail(execution_id, has_steps));
    // While the database is being closed. The execution has ended and is stored, whatever can
    // still be shown of it.
    let shown = match detail.transpose() {
        Ok(Some(Some(detail))) => context.ui.execution_summary(&detail),
        Ok(Some(None)) => {
            let status = result.as_ref().map(ToString::to_string).unwrap_or_default();
            context.ui.warning(&format!(
                "execution {execution_id} ended as {status} and was pruned by another process since"
            ));
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => {
            context.ui.warning(&error.to_string());
            Ok(())
        }
    };
    let closed = session.close();
    let status = result.map_err(|error| match (&error, signalled) {
        (RunError::NotStored(_), Some(exit)) => gave_up(&error, execution_id).with_exit(exit),
        _ => gave_up(&error, execution_id),
    })?;
    // It is stored; what failed after that is retention.
    if let Err(error) = closed {
        context.ui.warning(&error.to_string());
    }
    match shown {
        // Who stopped reading still gets the exit code of the execution.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        shown => shown?,
    }
    Ok(exit(status, signalled))
}

/// The error for an execution that did not run to its end.
pub(super) fn gave_up(error: &RunError, execution_id: &str) -> CliError {
    let exit = match error {
        RunError::Illegal(_) | RunError::NoSlot(_) => Exit::Failed,
        _ => Exit::Environment,
    };
    let mut message = format!("execution {execution_id}: {error}");
    if matches!(error, RunError::StoreLost(_)) {
        message +=
            &format!("\n  `wfx recover {execution_id}` goes on with it when the database works");
    }
    let cli_error = CliError::new(exit, message);
    match error.store_error().and_then(|error| error.hint()) {
        Some(hint) => cli_error.with_hint(hint),
        None => cli_error,
    }
}
