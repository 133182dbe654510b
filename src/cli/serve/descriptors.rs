//! How many connections the daemon can have by the files that it may open.

use crate::system::limits::{self, FILES_OF_STEP, UNCOUNTED_FILES};

/// At least so many steps find the files they need beside all connections.
const STEPS_LEAST: u64 = 64;
/// Connections that are accepted beyond those that have places.
const WAITING: u64 = 256;

/// How many of so many connections there may be. The limit is raised when they come.
pub(super) fn make_room(connections: usize) -> usize {
    let others = UNCOUNTED_FILES + WAITING + STEPS_LEAST * FILES_OF_STEP;
    let Some(limit) = limits::open_files_max() else { return connections };
    let allowed = usize::try_from(limit.saturating_sub(others)).unwrap_or(connections);
    let allowed = allowed.clamp(1, connections);
    if allowed < connections {
        tracing::warn!(
            connections = allowed,
            asked = connections,
            open_files = limit,
            "fewer connections than asked for: the system limits the open files (ulimit -Hn)"
        );
    }
    allowed
}
