//! What is logged of the workflows of the folder.

use crate::operations::catalogue::{Catalogue, Event, What};
use crate::workflow::notification::Notify;

/// Logs what changed; `channels` are those of the configuration file.
pub(super) fn log_events(events: &[Event], catalogue: &Catalogue, channels: &[String]) {
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
