//! Where notifications go: channels of the configuration file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderValue, Uri};

use crate::base::signature::Secret;

/// A channel.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// Its name, which workflows use.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: ChannelKind,
    /// How many of the last lines of a failing step it gets.
    pub(crate) output_lines: usize,
    /// The values of its keys that are secret, and its URL: masked in what goes to any channel.
    pub(crate) secrets: Vec<Hidden>,
}

/// How many of the last lines of a failing step a channel gets that does not say.
pub(crate) const OUTPUT_LINES: usize = 10;
/// How many it may ask for.
pub(crate) const OUTPUT_LINES_MAX: usize = 50;

/// What a channel is.
#[derive(Debug, Clone)]
pub(crate) enum ChannelKind {
    /// A receiver of Standard Webhooks.
    Webhook { target: Target, secret: Option<Secret> },
    /// An incoming webhook of Slack, or of what takes the same.
    Slack { target: Target },
    /// Events API v2.
    PagerDuty { target: Target, routing_key: Hidden, severity: String },
    /// API v2 below this URL.
    Alertmanager { target: Target, labels: BTreeMap<String, String> },
    /// Mail.
    Email(Email),
    /// Is asked for every so often, while the daemon works.
    Heartbeat { target: Target, every: Duration },
}

impl ChannelKind {
    /// The word in the configuration file.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Alertmanager { .. } => "alertmanager",
            Self::Email(_) => "email",
            Self::Heartbeat { .. } => "heartbeat",
        }
    }

    /// The host and the port of its receiver.
    pub(crate) fn server(&self) -> (String, u16) {
        match self {
            Self::Webhook { target, .. }
            | Self::Slack { target }
            | Self::PagerDuty { target, .. }
            | Self::Alertmanager { target, .. }
            | Self::Heartbeat { target, .. } => {
                let uri = &target.uri;
                let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
                let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
                (host.to_owned(), uri.port_u16().unwrap_or(default))
            }
            Self::Email(email) => (email.host.clone(), email.port),
        }
    }

    /// Where it goes, without what is secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Webhook { target, .. }
            | Self::Slack { target }
            | Self::PagerDuty { target, .. }
            | Self::Alertmanager { target, .. }
            | Self::Heartbeat { target, .. } => target.shown.clone(),
            Self::Email(email) => format!("{}:{}", email.host, email.port),
        }
    }
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A URL that requests go to.
#[derive(Clone)]
pub(crate) struct Target {
    /// Without user and password.
    pub(crate) uri: Uri,
    /// Of the user and password, if there are any.
    pub(crate) authorization: Option<HeaderValue>,
    /// Scheme and host: the path may be a password.
    pub(crate) shown: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// How mail is sent.
#[derive(Debug, Clone)]
pub(crate) struct Email {
    /// The server.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    /// A user and a password.
    pub(crate) login: Option<(String, Hidden)>,
    /// A mailbox, `wfx <wfx@example.com>` or the address alone.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// TLS from the beginning: `smtps:`.
    Implicit,
    /// STARTTLS, and no mail without it.
    Required,
    /// STARTTLS where the server offers it.
    Opportunistic,
    /// None.
    None,
}
