//! Looks from time to time how the server of the database is, for probes and metrics: these show what
//! was found last, and never wait for it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::repository::{Durability, Reader, ServerStatus, StoreAddress, StoreError};

/// So often it is looked.
const EVERY: Duration = Duration::from_secs(5);

/// What is known of the server of the database.
pub(super) struct ServerWatch {
    store: StoreAddress,
    /// That of what this process writes.
    durability: Durability,
    found: watch::Sender<Option<ServerStatus>>,
}

impl ServerWatch {
    pub(super) fn new(store: &StoreAddress, durability: Durability) -> Self {
        Self { store: store.clone(), durability, found: watch::Sender::default() }
    }

    /// Follows what is found.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<ServerStatus>> {
        self.found.subscribe()
    }

    /// Begins to look, where there is a server.
    pub(super) fn start(&self, ends: &CancellationToken) {
        if self.store.file().is_none() {
            let found = self.found.clone();
            tokio::spawn(watch(self.store.clone(), self.durability, found, ends.clone()));
        }
    }
}

/// Looks again and again until it is to end. One that does not answer is unknown.
async fn watch(
    store: StoreAddress,
    durability: Durability,
    found: watch::Sender<Option<ServerStatus>>,
    ends: CancellationToken,
) {
    let mut reader = None;
    loop {
        let (kept, place) = (reader.take(), store.clone());
        let looked = tokio::task::spawn_blocking(move || look(kept, &place)).await;
        let status = match looked {
            Ok(Ok((kept, status))) => {
                reader = Some(kept);
                let is_relaxed = durability == Durability::Normal;
                status.map(|status| ServerStatus { is_relaxed, ..status })
            }
            // Whoever writes reports it.
            Ok(Err(_)) | Err(_) => None,
        };
        found.send_replace(status);
        if ends.run_until_cancelled(time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

fn look(
    kept: Option<Reader>,
    store: &StoreAddress,
) -> Result<(Reader, Option<ServerStatus>), StoreError> {
    let reader = kept.map_or_else(|| Reader::open(store), Ok)?;
    let status = reader.server_status()?;
    Ok((reader, status))
}
