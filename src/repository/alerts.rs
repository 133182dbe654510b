//! When alerts were last sent.

use std::collections::BTreeMap;

use crate::base::timestamp::Timestamp;

/// Alerts that were sent, by their type, and when they were decided.
pub(crate) type SentAlerts = BTreeMap<String, Timestamp>;
