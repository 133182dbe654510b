//! That an execution is kept by hand.

use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;

/// That retention never deletes an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Since when.
    pub at: Timestamp,
    /// Who wanted that.
    pub by: String,
    /// Why, if that was said.
    pub reason: Option<String>,
}

impl Pin {
    /// `pinned by anna: before the audit`.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        match &self.reason {
            Some(reason) => format!("pinned by {}: {reason}", self.by),
            None => format!("pinned by {}", self.by),
        }
    }
}
