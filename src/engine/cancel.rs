//! How an execution is ended from outside.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Ends an execution: orderly at the first request, at once at the second.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    /// End it in order.
    pub gently: CancellationToken,
    /// Kill what runs.
    pub now: CancellationToken,
    reason: Arc<OnceLock<String>>,
    /// Why what this one belongs to is ended.
    above: Option<Arc<OnceLock<String>>>,
}

impl Cancel {
    /// A cancel handle that is requested together with this one, and can be requested alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            gently: self.gently.child_token(),
            now: self.now.child_token(),
            reason: Arc::default(),
            above: Some(Arc::clone(&self.reason)),
        }
    }

    /// Asks for an end in order; a second time, at once.
    pub fn request(&self, reason: &str) {
        if self.reason.set(reason.to_owned()).is_ok() {
            self.gently.cancel();
        } else {
            self.now.cancel();
        }
    }

    /// Requests an orderly end. Further requests, over other ways too, do not make it more urgent.
    pub fn request_once(&self, reason: &str) {
        if self.reason.set(reason.to_owned()).is_ok() {
            self.gently.cancel();
        }
    }

    /// Why, for the record.
    #[must_use]
    pub fn reason(&self) -> String {
        let above = || self.above.as_ref().and_then(|above| above.get());
        self.reason.get().or_else(above).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_request_is_for_now() {
        let cancel = Cancel::default();
        cancel.request("first");
        assert!(cancel.gently.is_cancelled() && !cancel.now.is_cancelled());
        cancel.request("second");
        assert!(cancel.now.is_cancelled());
        assert_eq!(cancel.reason(), "first");
    }

    #[test]
    fn one_request_over_two_ways_is_one() {
        let cancel = Cancel::default();
        cancel.request_once("first");
        cancel.request_once("second");
        assert!(cancel.gently.is_cancelled() && !cancel.now.is_cancelled());
        assert_eq!(cancel.reason(), "first");
    }

    #[test]
    fn a_child_is_asked_alone_or_with_its_parent() {
        let parent = Cancel::default();
        let (one, other) = (parent.child(), parent.child());
        one.request("alone");
        assert!(!parent.gently.is_cancelled() && !other.gently.is_cancelled());
        parent.request("all");
        assert!(
            other.gently.is_cancelled() && !other.now.is_cancelled() && !one.now.is_cancelled()
        );
        assert_eq!((one.reason(), other.reason()), ("alone".to_owned(), "all".to_owned()));
    }
}
