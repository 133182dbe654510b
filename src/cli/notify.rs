//! `wfx notify`: tries channels, and shows what was sent.

use std::collections::HashMap;
use std::sync::Arc;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

use super::channels::Channels;
use super::server_args::ServerArgs;
use super::{CliError, Context, session};
use crate::base::exit::Exit;
use crate::base::visible::visible;
use crate::notify::courier::{Delivery, Unobserved};
use crate::notify::testing::{self, Tested};
use crate::repository::Reader;
use crate::repository::Retention;
use crate::repository::notifications::{NotificationFilter, NotificationRecord, NotificationState};
use crate::repository::ownership::OwnerKind;
use crate::workflow::notification::EventKind;

const EXAMPLES: &str = "\
Examples:
  wfx notify test                    a test to every channel
  wfx notify test ops --event recovered
  wfx notify history --state given_up";

/// What was typed after `wfx notify`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a notification that is marked as a test, and wait for the answer of the receiver
    Test(TestArgs),
    /// Show notifications, newest first: what was accepted, waits or was given up
    History(HistoryArgs),
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// A channel of the configuration file; left out: all of them
    #[arg(value_name = "CHANNEL")]
    channel: Option<String>,
    /// What the test is about
    #[arg(long, value_name = "EVENT", default_value = "failed", value_parser = event())]
    event: EventKind,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Args)]
struct HistoryArgs {
    /// Only those to this channel
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Only those about this workflow
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = state())]
    state: Option<NotificationState>,
    /// How many at most, up to 10000
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    server: ServerArgs,
}

fn event() -> impl TypedValueParser<Value = EventKind> {
    PossibleValuesParser::new(EventKind::ALL.map(EventKind::as_str))
        .try_map(|text| EventKind::parse(&text).ok_or("no event"))
}

fn state() -> impl TypedValueParser<Value = NotificationState> {
    PossibleValuesParser::new(NotificationState::ALL.map(NotificationState::as_str)).try_map(
        |text| {
            let mut known = NotificationState::ALL.into_iter();
            known.find(|state| state.as_str() == text).ok_or("no state")
        },
    )
}

impl Args {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        match &self.command {
            Command::Test(args) => args.server.values(),
            Command::History(args) => args.server.values(),
        }
    }
}

/// Tries channels or shows the history.
///
/// # Errors
/// Exit 2 for an unknown channel, 3 when the database or the daemon fails.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match &args.command {
        Command::Test(args) => test(args, context),
        Command::History(args) => history(args, context),
    }
}

fn test(args: &TestArgs, context: &Context) -> Result<Exit, CliError> {
    let tested = match args.server.server(context)? {
        Some(server) => server.test_channels(args.channel.as_deref(), args.event)?,
        None => test_here(args, context)?,
    };
    if context.ui.format().is_json() {
        context.ui.json(&json!({ "tested": tested }))?;
    } else {
        let rows: Vec<Vec<String>> = tested.iter().map(row_of_test).collect();
        context.ui.table(&["channel", "type", "result", "id"], &rows)?;
    }
    let all = tested.iter().all(|tested| tested.accepted);
    Ok(if all { Exit::Success } else { Exit::Environment })
}

fn row_of_test(tested: &Tested) -> Vec<String> {
    let Tested { channel, kind, id, accepted, error } = tested;
    let result = match error {
        Some(error) => visible(error),
        None if *accepted => "accepted".to_owned(),
        None => "not accepted".to_owned(),
    };
    vec![visible(channel), kind.clone(), result, id.clone().unwrap_or_default()]
}

fn test_here(args: &TestArgs, context: &Context) -> Result<Vec<Tested>, CliError> {
    let channels = Channels::open(context)?;
    for warning in &channels.warnings {
        context.ui.warning(warning);
    }
    let senders = channels.all();
    let wanted =
        senders.filter(|it| args.channel.as_ref().is_none_or(|name| it.channel().name == *name));
    let wanted: Vec<_> = wanted.map(Arc::clone).collect();
    if wanted.is_empty() {
        let message = match &args.channel {
            Some(name) => format!("there is no channel `{}`", visible(name)),
            None => "there is no channel".to_owned(),
        };
        let hint = "add a table such as `[notify.ops]` to the configuration file; `wfx config` shows \
                    which file is read";
        return Err(CliError::new(Exit::Usage, message).with_hint(hint));
    }
    let database = context.settings.database()?;
    let options = session::options(context, Retention::Given(None))?;
    let writer = Arc::new(session::writer(context, options)?);
    let owner = session::claim(&database, &writer, OwnerKind::Exec)?;
    let delivery = Delivery {
        writer: Arc::clone(&writer),
        owner: owner.id().to_owned(),
        observer: Arc::new(Unobserved),
        last_output: channels.last_output(database),
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            CliError::new(Exit::Environment, format!("cannot set up timers: {error}"))
        })?;
    let tested = runtime.block_on(async {
        let tests = wanted.iter().map(|sender| testing::test(&delivery, sender, args.event));
        futures_util::future::join_all(tests).await
    });
    runtime.shutdown_background();
    writer.close()?;
    Ok(tested)
}

fn history(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    let filter = NotificationFilter {
        channel: args.channel.clone(),
        workflow_id: args.workflow.clone(),
        state: args.state,
        before: None,
        limit: args.limit,
    };
    let items = match args.server.server(context)? {
        Some(server) => server.notifications(&filter)?,
        None => Reader::open(&context.settings.database()?)?.notifications(&filter)?,
    };
    if context.ui.format().is_json() {
        context.ui.json(&json!({ "items": items }))?;
    } else {
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        let columns =
            ["time", "channel", "event", "workflow", "execution", "state", "attempts", "error"];
        context.ui.table(&columns, &rows)?;
    }
    Ok(Exit::Success)
}

fn row(record: &NotificationRecord) -> Vec<String> {
    let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default();
    vec![
        record.created_at.to_string(),
        visible(&record.channel),
        visible(&record.event),
        text(&record.workflow_id),
        text(&record.execution_id),
        record.state.as_str().to_owned(),
        record.attempts.to_string(),
        text(&record.error),
    ]
}
