//! Sessions of the web page, as they are stored.

use crate::base::timestamp::Timestamp;

/// A session of which nothing is stored that opens one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSession {
    /// The hash of the session.
    pub hash: Vec<u8>,
    /// What only the token that began it gives, together with the session.
    pub token_proof: Vec<u8>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// What becomes of sessions. A login ends the session that the browser had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SessionChange {
    pub begins: Option<StoredSession>,
    /// The hash of the one that ends.
    pub ends: Option<Vec<u8>>,
}
