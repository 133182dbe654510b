//! The executions of this process that wait for a slot of a concurrency group.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Weak};

use super::pending_write::PendingWrite;

/// Who waits here, by execution id. Whoever does not listen any more does not wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    by_id: HashMap<String, Weak<PendingWrite>>,
    by_group: BTreeMap<Arc<str>, HashSet<String>>,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One more waits for `group`.
    pub(crate) fn add(&mut self, group: &Arc<str>, pending: &Arc<PendingWrite>) {
        let id = pending.execution_id().to_owned();
        self.by_id.insert(id.clone(), Arc::downgrade(pending));
        self.by_group.entry(Arc::clone(group)).or_default().insert(id);
    }

    /// One that has its slot, or has ended.
    pub(crate) fn remove(&mut self, group: &str, execution_id: &str) -> Option<Arc<PendingWrite>> {
        let pending = self.by_id.remove(execution_id);
        if let Some(of_group) = self.by_group.get_mut(group) {
            of_group.remove(execution_id);
            if of_group.is_empty() {
                self.by_group.remove(group);
            }
        }
        pending?.upgrade()
    }

    /// Whether somebody listens who waits.
    pub(crate) fn has(&self, execution_id: &str) -> bool {
        self.by_id.get(execution_id).is_some_and(|pending| pending.strong_count() > 0)
    }

    /// The groups that somebody waits for.
    pub(crate) fn groups(&self) -> Vec<Arc<str>> {
        self.by_group.keys().cloned().collect()
    }

    /// Forgets those that do not listen any more.
    pub(crate) fn sweep(&mut self) {
        let by_id = &mut self.by_id;
        by_id.retain(|_, pending| pending.strong_count() > 0);
        self.by_group.retain(|_, ids| {
            ids.retain(|id| by_id.contains_key(id));
            !ids.is_empty()
        });
    }
}
