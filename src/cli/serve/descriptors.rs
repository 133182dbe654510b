//! How many files the daemon may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the database, its readers, the logs, the pipes of steps, and the connections that wait for
/// a place.
const OTHERS: u64 = 768;

/// Raises the limit so that so many connections leave room for what runs, as far as the
/// system allows; gives how many connections there may be.
pub(super) fn make_room(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = (connections as u64).saturating_add(OTHERS);
    if current.is_none_or(|current| current >= wanted) {
        return connections;
    }
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let limit = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => current.unwrap_or(raised),
    };
    let allowed = usize::try_from(limit.saturating_sub(OTHERS)).unwrap_or(connections);
    let allowed = allowed.clamp(1, connections);
    if allowed < connections {
        tracing::warn!(
            connections = allowed,
            asked = connections,
            open_files = limit,
            "fewer connections than asked for: the system limits the open files (ulimit -n)"
        );
    }
    allowed
}
