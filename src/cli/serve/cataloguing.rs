//! The workflows of the folder, read again and again; what changed is logged.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::{CliError, source};
use crate::base::clock;
use crate::operations::catalogue::{Catalogue, Event, What};
use crate::repository::{Catalogued, Policies, Writer};
use crate::workflow::notification::Notify;

/// How often the folder of workflows is looked at.
const RESCAN_EVERY: Duration = Duration::from_secs(1);
/// A look at very many files is followed by a pause of so many times its length: it takes less than
/// 5 % of a core.
const RESCAN_SHARE: u32 = 20;

/// Logs what changed; `channels` are those of the configuration file.
fn log_events(events: &[Event], catalogue: &Catalogue, channels: &[String]) {
    for event in events {
        if let What::Loaded(id) = &event.what
            && let Some(compiled) = catalogue.get(id)
        {
            let named = compiled.definition().notify.iter().flat_map(Notify::channels);
            for channel in named.filter(|name| !channels.iter().any(|known| known == name)) {
                tracing::warn!(
                    "{}: workflow `{id}` notifies the channel `{channel}`, which the configuration \
                     file does not have: its notifications wait for a daemon that has it, for a day",
                    event.file.display()
                );
            }
        }
        match event.what {
            What::Broken(_) | What::Contested(..) => tracing::warn!("{event}"),
            What::Loaded(_) | What::Removed(_) | What::DefaultsLoaded | What::DefaultsRemoved => {
                tracing::info!("{event}");
            }
        }
    }
}

/// Looks at the folder again and again, and takes over what changed.
pub(super) async fn rescan_again_and_again(
    catalogue: Arc<Catalogue>,
    writer: Arc<Writer>,
    channels: Vec<String>,
    (draining, handed_over): (CancellationToken, CancellationToken),
) {
    let mut pause = RESCAN_EVERY;
    let mut groups = catalogue.groups(&Catalogued::default());
    while !draining.is_cancelled() {
        time::sleep(pause).await;
        let scanning = Arc::clone(&catalogue);
        let begun = clock::monotonic();
        let scanned = tokio::task::spawn_blocking(move || scanning.rescan(clock::now())).await;
        let events = scanned.unwrap_or_default();
        // The successor does the same.
        if !handed_over.is_cancelled() {
            log_events(&events, &catalogue, &channels);
            writer.set_policies(catalogue.loaded_retention(&events));
            if !events.is_empty() {
                groups = catalogue.groups(&groups);
                writer.set_catalogued(groups.clone());
            }
        }
        pause = RESCAN_EVERY.max(begun.elapsed() * RESCAN_SHARE);
    }
}

/// The workflows of the folder, and the retention of each.
pub(super) fn catalogue(
    folder: Option<&Path>,
    channels: &[String],
) -> Result<(Catalogue, Policies), CliError> {
    let Some(folder) = folder else { return Ok((Catalogue::default(), Policies::new())) };
    let (catalogue, events) = source::folder(folder)?;
    log_events(&events, &catalogue, channels);
    let retention = catalogue.loaded_retention(&events);
    Ok((catalogue, retention))
}
