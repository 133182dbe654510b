//! How many finished executions are kept: as this process was told, or as the daemon that
//! uses the same database was.

use rusqlite::{Connection, OptionalExtension};

use super::rows;
use crate::repository::options::Retention;

/// How many are kept, stored or read as the rule says.
pub(crate) fn resolve(connection: &Connection, rule: Retention) -> rusqlite::Result<Option<u64>> {
    match rule {
        Retention::Given(keep) => Ok(keep),
        Retention::Followed { otherwise } => Ok(stored(connection)?.unwrap_or(otherwise)),
        Retention::Led(keep) => {
            // What is so already needs no commit, which a full disk would refuse.
            if stored(connection)? != Some(keep) {
                connection.execute(
                    "INSERT OR REPLACE INTO workflow_settings (name, value)
                     VALUES ('retention', ?1)",
                    [rows::integer(keep.unwrap_or(0)).to_string()],
                )?;
            }
            Ok(keep)
        }
    }
}

/// As many as a daemon was set to keep, if one was.
pub(crate) fn stored(connection: &Connection) -> rusqlite::Result<Option<Option<u64>>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM workflow_settings WHERE name = 'retention'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let keep = text.and_then(|text| text.parse::<u64>().ok());
    Ok(keep.map(|keep| Some(keep).filter(|keep| *keep > 0)))
}
