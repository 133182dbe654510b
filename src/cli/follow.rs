//! Follows an execution that a daemon runs, as `exec` shows one that it runs itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind};
use tokio::time;

use super::{CliError, Context, foreground, session};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::client::error::ClientError;
use crate::client::progress::Seen;
use crate::client::server::{OutputRead, Server};
use crate::render::titles::Titles;
use crate::terminal::{self, OutputFormat};
use crate::workflow::record::ExecutionDetail;
use crate::workflow::report::{Observer, Unobserved};

/// Between two looks: at first, and at most.
const LOOK_MIN: Duration = Duration::from_millis(50);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// The wait until the next look grows with the time that passed: to this part of it.
const LOOK_SHARE: u32 = 20;
/// How long a daemon that does not answer is asked again: it may be restarting.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is shown of an execution on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing.
    Nothing,
    /// How its steps go.
    Steps,
    /// What they wrote as well, once they have ended.
    Output,
}

/// How following ended.
enum Followed {
    Ended(Box<ExecutionDetail>),
    /// The user left.
    Left(Exit),
}

/// Follows an execution to its end and shows how it went; the exit code is that of `exec`. A signal
/// ends the following only.
///
/// # Errors
/// Exit 3 when the daemon cannot be asked any more.
pub(super) fn follow(
    server: &Server,
    execution_id: &str,
    shown: Shown,
    first_look: impl FnOnce(&ExecutionDetail),
    context: &Context,
) -> Result<Exit, CliError> {
    let followed =
        server.block_on(look_until_the_end(server, execution_id, shown, first_look, context));
    match followed? {
        Followed::Ended(detail) => finish(server, *detail, context),
        Followed::Left(exit) => {
            context.ui.note(&format!(
                "execution {execution_id} goes on; `wfx cancel {execution_id} --server {address}` \
                 ends it, `wfx show {execution_id} --server {address}` shows it",
                address = server.address()
            ));
            Ok(exit)
        }
    }
}

/// Shows how an execution went that has ended.
///
/// # Errors
/// Exit 3 when its output is shown and cannot be read.
fn finish(server: &Server, detail: ExecutionDetail, context: &Context) -> Result<Exit, CliError> {
    let id = &detail.execution.execution_id;
    let with_output = match context.ui.format() {
        OutputFormat::Json | OutputFormat::Jsonl => server.detail(id, OutputRead::Kept)?,
        OutputFormat::Table | OutputFormat::Plain => None,
    };
    finish_known(&with_output.unwrap_or(detail), context)
}

/// The same of an execution whose output was read, if it is shown.
///
/// # Errors
/// When it cannot be written.
pub(super) fn finish_known(detail: &ExecutionDetail, context: &Context) -> Result<Exit, CliError> {
    match context.ui.execution_summary(detail) {
        // Who stopped reading still gets the exit code of the execution.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(foreground::exit(detail.execution.status, None))
}

async fn look_until_the_end(
    server: &Server,
    execution_id: &str,
    shown: Shown,
    first_look: impl FnOnce(&ExecutionDetail),
    context: &Context,
) -> Result<Followed, CliError> {
    let mut signals = Signals::new().map_err(|error| {
        CliError::new(Exit::Environment, format!("cannot set up signals: {error}"))
    })?;
    let since = clock::monotonic();
    let (mut seen, mut observer, mut first_look) = (Seen::default(), None, Some(first_look));
    let mut patience = Patience::default();
    loop {
        let look = async {
            let detail = server.look(execution_id, OutputRead::None).await?;
            let wanted = detail
                .as_ref()
                .is_some_and(|detail| seen.wants_output(detail, shown == Shown::Output));
            match wanted && shown != Shown::Nothing {
                true => server.look(execution_id, OutputRead::Kept).await,
                false => Ok(detail),
            }
        };
        let looked = tokio::select! {
            looked = look => looked,
            exit = signals.next() => return Ok(Followed::Left(exit)),
        };
        match looked {
            Ok(Some(detail)) => {
                patience = Patience::default();
                if let Some(first_look) = first_look.take() {
                    first_look(&detail);
                }
                let observer = observer.get_or_insert_with(|| observing(&detail, shown, context));
                seen.report(&detail, observer.as_ref());
                if detail.execution.status.is_terminal() {
                    return Ok(Followed::Ended(Box::new(detail)));
                }
            }
            Ok(None) => {
                let message = format!("execution {execution_id} was deleted while it was followed");
                return Err(CliError::new(Exit::Environment, message));
            }
            Err(error) => patience.bear(error, execution_id, context)?,
        }
        let wait = (since.elapsed() / LOOK_SHARE).clamp(LOOK_MIN, LOOK_MAX);
        tokio::select! {
            () = time::sleep(wait) => {}
            exit = signals.next() => return Ok(Followed::Left(exit)),
        }
    }
}

fn observing(detail: &ExecutionDetail, shown: Shown, context: &Context) -> Arc<dyn Observer> {
    if shown == Shown::Nothing {
        return Arc::new(Unobserved);
    }
    let titles = Titles::of_snapshot(&detail.execution.input_snapshot.value());
    terminal::progress::observer(&context.ui, shown == Shown::Output, titles)
}

/// How long errors have been borne.
#[derive(Debug, Default)]
struct Patience(Option<std::time::Instant>);

impl Patience {
    fn bear(
        &mut self,
        error: ClientError,
        execution_id: &str,
        context: &Context,
    ) -> Result<(), CliError> {
        if error.is_refusal() {
            return Err(error.into());
        }
        let Some(since) = self.0 else {
            self.0 = Some(clock::monotonic());
            context.ui.warning(&format!("{error}; asking again for {}s", PATIENCE.as_secs()));
            return Ok(());
        };
        if since.elapsed() < PATIENCE {
            return Ok(());
        }
        let exit = CliError::from(error);
        let hint = format!(
            "the execution goes on where the daemon does: `wfx show {execution_id}` with the same \
             --server shows it"
        );
        Err(exit.with_hint(hint))
    }
}

/// The signals that end the following.
struct Signals(Vec<(Signal, Exit)>);

impl Signals {
    fn new() -> std::io::Result<Self> {
        let ignored = session::ignored_signals();
        let mut signals = Vec::new();
        for (kind, exit) in [
            (SignalKind::interrupt(), Exit::Interrupted),
            (SignalKind::terminate(), Exit::Terminated),
            (SignalKind::hangup(), Exit::Terminated),
        ] {
            let signal = session::unless_ignored(ignored, kind)?;
            signals.extend(signal.map(|signal| (signal, exit)));
        }
        Ok(Self(signals))
    }

    async fn next(&mut self) -> Exit {
        let each = self.0.iter_mut().map(|(signal, exit)| {
            Box::pin(async move {
                // It ends with the runtime only.
                let _ = signal.recv().await;
                *exit
            })
        });
        let each: Vec<_> = each.collect();
        if each.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(each).await.0
    }
}
