//! Sessions of the web page.

use super::rows;
use crate::base::timestamp::Timestamp;
use crate::repository::sessions::{SessionChange, StoredSession};
use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};

/// The session with this hash, also one that has expired.
pub(crate) fn find(connection: Connection<'_>, hash: &[u8]) -> sql::Result<Option<StoredSession>> {
    let found = connection
        .prepare_cached("SELECT token_proof, expires_at FROM workflow_sessions WHERE hash = ?1")?
        .query_row([hash], |row| {
            let expires_at: Option<Timestamp> = rows::optional(row, 1)?;
            Ok(expires_at.map(|expires_at| (row.get(0), expires_at)))
        })
        .optional()?
        .flatten();
    let session = found.map(|(token_proof, expires_at)| {
        Ok::<_, sql::Error>(StoredSession {
            hash: hash.to_vec(),
            token_proof: token_proof?,
            expires_at,
        })
    });
    session.transpose()
}

/// Begins or ends a session, inside the caller's transaction. Those that expired go.
pub(crate) fn change(
    connection: Connection<'_>,
    change: &SessionChange,
    now: Timestamp,
) -> sql::Result<()> {
    let mut end = connection.prepare_cached("DELETE FROM workflow_sessions WHERE hash = ?1")?;
    if let Some(hash) = &change.ends {
        end.execute([hash])?;
    }
    if let Some(session) = &change.begins {
        connection
            .prepare_cached("DELETE FROM workflow_sessions WHERE expires_at <= ?1")?
            .execute([now.to_string()])?;
        connection
            .prepare_cached(
                "INSERT INTO workflow_sessions (hash, token_proof, expires_at) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![session.hash, session.token_proof, session.expires_at.to_string()])?;
    }
    Ok(())
}
