//! The channels of notifications as a command uses them.

use std::sync::Arc;

use super::{CliError, Context};
use crate::base::exit::Exit;
use crate::notify::channel::{Channel, ChannelKind, Hidden};
use crate::notify::last_output::LastOutput;
use crate::notify::mask::Mask;
use crate::notify::sender::Sender;
use crate::notify::text::Links;
use crate::repository::StoreAddress;
use crate::workflow::notification::Notify;

/// Channels, ready to be sent to.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// Those that notifications go to.
    pub(super) senders: Vec<Arc<Sender>>,
    /// Those that are told that the daemon lives.
    pub(super) heartbeats: Vec<Arc<Sender>>,
    /// Who is notified where a workflow does not say.
    pub(super) default: Option<Arc<Notify>>,
    /// What there is to warn of.
    pub(super) warnings: Vec<String>,
    /// The secrets of this process, which no notification has.
    pub(super) secrets: Mask,
}

impl Channels {
    /// All channels of the settings.
    ///
    /// # Errors
    /// Exit 2 for one that cannot be used, 3 when nothing can be sent there from here.
    pub(super) fn open(context: &Context) -> Result<Self, CliError> {
        let settings = &context.settings;
        let (channels, warnings) = settings.usable_channels()?;
        let links = Links::new(settings.public_url()?);
        let mut opened =
            Self { default: settings.notify_default()?.map(Arc::new), warnings, ..Self::default() };
        settings.secrets().iter().for_each(|secret| opened.secrets.add_url(secret));
        for channel in channels {
            channel.secrets.iter().for_each(|Hidden(secret)| opened.secrets.add_url(secret));
            let is_heartbeat = matches!(channel.kind, ChannelKind::Heartbeat { .. });
            let sender = Arc::new(sender(channel, links.clone())?);
            if is_heartbeat {
                opened.heartbeats.push(sender);
            } else {
                opened.senders.push(sender);
            }
        }
        Ok(opened)
    }

    /// Whether there is a channel of this name that notifications can go to.
    pub(super) fn has(&self, name: &str) -> bool {
        self.senders.iter().any(|sender| sender.channel().name == name)
    }

    /// The names of those that notifications go to.
    pub(super) fn names(&self) -> Vec<String> {
        self.senders.iter().map(|sender| sender.channel().name.clone()).collect()
    }

    /// Every channel.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Sender>> {
        self.senders.iter().chain(&self.heartbeats)
    }

    /// What reads the output of steps for them.
    pub(super) fn last_output(&self, database: StoreAddress) -> Arc<LastOutput> {
        Arc::new(LastOutput::new(database, self.secrets.clone()))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.senders.is_empty() && self.heartbeats.is_empty()
    }
}

fn sender(channel: Channel, links: Links) -> Result<Sender, CliError> {
    let name = channel.name.clone();
    Sender::new(channel, links).map_err(|why| {
        CliError::new(Exit::Environment, format!("cannot send to the channel `{name}`: {why}"))
    })
}
