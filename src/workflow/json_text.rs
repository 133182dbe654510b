//! JSON that is stored and passed on as text.                                            (pure)

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// JSON that is passed on as it is stored, character by character.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// What the text says.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        // It was read as JSON before.
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
