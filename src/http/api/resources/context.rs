//! What the resources answer from.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::memory::Memory;
use crate::engine::supervisor::Supervisor;
use crate::http::api::resources::callers::Callers;
use crate::http::api::resources::readers::Readers;
use crate::http::observe::observer::Observed;
use crate::notify::courier::Delivery;
use crate::notify::sender::Sender;
use crate::operations::catalogue::Catalogue;
use crate::operations::start::Definitions;
use crate::repository::{ServerStatus, Writer};

/// Where the notifications of the daemon go.
#[derive(Debug)]
pub(crate) struct DaemonChannels {
    /// The outbox.
    pub delivery: Delivery,
    /// The channels, those of heartbeats among them.
    pub senders: Vec<Arc<Sender>>,
}

/// What the resources answer from.
#[derive(Debug)]
pub(crate) struct Resources {
    /// Runs executions.
    pub supervisor: Arc<Supervisor>,
    /// Where they are stored.
    pub writer: Arc<Writer>,
    /// How the server of the database was a moment ago, if there is one and it answered.
    pub server: watch::Receiver<Option<ServerStatus>>,
    /// Those that are not stored yet.
    pub memory: Arc<Memory>,
    /// The workflows of files.
    pub catalogue: Arc<Catalogue>,
    /// Read-only connections that nobody uses at the moment.
    pub readers: Arc<Readers>,
    /// Who may define what is run.
    pub definitions: Definitions,
    /// Where steps run.
    pub workdir: String,
    /// Cancelled when nothing new is taken.
    pub draining: CancellationToken,
    /// The names of those who make requests.
    pub callers: Callers,
    /// Where notifications go.
    pub channels: DaemonChannels,
    /// What requests and executions are reported to.
    pub observed: Observed,
}
