//! Where the daemon listens: on sockets that were handed over, or on new ones.

use std::net::SocketAddr;

use super::super::CliError;
use super::succession::successor::Sockets;
use super::{Options, Place, environment};
use crate::http::front::socket::Listener;

/// The listening sockets.
#[derive(Debug)]
pub(super) struct Listening {
    /// In the order of the settings.
    pub listeners: Vec<Listener>,
    /// Those that were handed over, by their places.
    pub adopted: Vec<usize>,
}

/// Takes what fits of `handed_over`, and binds the rest. It must be in a runtime.
///
/// # Errors
/// Exit 3 for what cannot be bound.
pub(super) fn listen(options: &Options, mut handed_over: Sockets) -> Result<Listening, CliError> {
    // Port 0 takes any port, but none that another place names.
    let mut found: Vec<_> =
        options.listen.iter().map(|place| handed_over.take(|it| fits(it, place, true))).collect();
    let mut listening = Listening { listeners: Vec::new(), adopted: Vec::new() };
    for (place, found) in options.listen.iter().zip(&mut found) {
        let found = found.take().or_else(|| handed_over.take(|it| fits(it, place, false)));
        listening.listeners.push(match found {
            Some((number, listener)) => {
                listening.adopted.push(number);
                listener
            }
            None => bind(place, options)?,
        });
    }
    Ok(listening)
}

fn fits(listener: &Listener, place: &Place, exactly: bool) -> bool {
    match place {
        Place::Tcp(addresses) => listener.is_at(addresses, exactly),
        Place::Unix(path) => listener.is_at_path(path),
    }
}

fn bind(place: &Place, options: &Options) -> Result<Listener, CliError> {
    let (listener, what) = match place {
        Place::Tcp(addresses) => (Listener::tcp(addresses), list(addresses)),
        Place::Unix(path) => {
            (Listener::unix(path, options.listen_mode), format!("unix:{}", path.display()))
        }
    };
    listener.map_err(|error| environment(&format!("listen on {what}"), &error))
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
