//! `wfx pin` and `wfx unpin`: whether retention may delete an execution.

use super::server_args::ServerArgs;
use super::{CliError, Context, lookup, session};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::client::server::{OutputRead, Server};
use crate::operations::pin::{self, NotPinned, REASON_BYTES_MAX};
use crate::repository::Retention;
use crate::system::users;
use crate::workflow::pin::Pin;

/// What was typed after `wfx pin`.
#[derive(Debug, clap::Args)]
pub(crate) struct PinArgs {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    /// Why it is kept, for those who find it later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// What was typed after `wfx unpin`.
#[derive(Debug, clap::Args)]
pub(crate) struct UnpinArgs {
    /// An execution: its id, a unique prefix of it, @latest, @N as `wfx list` shows it, or a
    /// workflow's id for its latest one
    pub id: String,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Pins an execution; one that is pinned already gets the new reason.
///
/// # Errors
/// Exit 2 for an unknown execution or a reason that is too long, 3 when the database fails.
pub(crate) fn pin(args: &PinArgs, context: &Context) -> Result<Exit, CliError> {
    let reason = args.reason.clone().filter(|reason| !reason.is_empty());
    let pin = Pin { at: clock::now(), by: users::name(users::own()), reason };
    set(&args.id, Some(&pin), &args.server, context)
}

/// Unpins an execution.
///
/// # Errors
/// Exit 2 for an unknown execution, 3 when the database fails.
pub(crate) fn unpin(args: &UnpinArgs, context: &Context) -> Result<Exit, CliError> {
    set(&args.id, None, &args.server, context)
}

fn set(
    reference: &str,
    pin: Option<&Pin>,
    server: &ServerArgs,
    context: &Context,
) -> Result<Exit, CliError> {
    if let Some(server) = server.server(context)? {
        return set_served(&server, reference, pin, context);
    }
    let reader = session::reader(context)?;
    let before = lookup::record(&reader, reference)?;
    if pin.is_none() && before.pinned.is_none() {
        context.ui.note(&format!("execution {} is not pinned", before.execution_id));
    } else {
        let writer = session::writer(context, session::options(context, Retention::Given(None))?)?;
        let patience = context.settings.store_timeout()?;
        pin::set(&writer, None, &before.execution_id, pin, patience).map_err(|why| match why {
            NotPinned::Unknown | NotPinned::Unstored => lookup::unknown(reference),
            NotPinned::LongReason(bytes) => CliError::new(
                Exit::Usage,
                format!("the reason has {bytes} bytes of at most {REASON_BYTES_MAX}"),
            ),
            NotPinned::Store(error) => error.into(),
        })?;
        writer.close()?;
    }
    let Some(execution) = reader.execution(&before.execution_id)? else {
        return Err(lookup::unknown(reference));
    };
    context.ui.pinned(&execution)?;
    Ok(Exit::Success)
}

/// The same with a daemon, which records who asked for it.
fn set_served(
    server: &Server,
    reference: &str,
    pin: Option<&Pin>,
    context: &Context,
) -> Result<Exit, CliError> {
    let look = |id: &str| {
        let detail = server.detail(id, OutputRead::None)?;
        detail.map(|detail| detail.execution).ok_or_else(|| lookup::unknown(reference))
    };
    let before = look(reference)?;
    if pin.is_none() && before.pinned.is_none() {
        context.ui.note(&format!("execution {} is not pinned", before.execution_id));
    } else {
        server.pin(&before.execution_id, pin)?;
    }
    context.ui.pinned(&look(&before.execution_id)?)?;
    Ok(Exit::Success)
}
