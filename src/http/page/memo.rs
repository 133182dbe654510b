//! What pages show of the past and need not read again for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most values that are kept.
const VALUES_MAX: usize = 4_096;

/// Values that are kept for a while.
#[derive(Debug)]
pub(super) struct Memo<K, V> {
    kept_for: Duration,
    values: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    pub(super) fn new(kept_for: Duration) -> Self {
        Self { kept_for, values: Mutex::default() }
    }

    /// The value of `key`, made anew if it is too old at `now`.
    pub(super) fn get<E>(
        &self,
        key: K,
        now: Instant,
        make: impl FnOnce(&K) -> Result<V, E>,
    ) -> Result<V, E> {
        {
            // Each change is one insertion.
            let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((until, value)) = values.get(&key)
                && now < *until
            {
                return Ok(value.clone());
            }
        }
        let value = make(&key)?;
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= VALUES_MAX {
            values.clear();
        }
        values.insert(key, (now + self.kept_for, value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    #[test]
    fn a_value_is_made_anew_when_it_is_too_old() {
        let memo = Memo::new(Duration::from_secs(5));
        let begin = clock::monotonic();
        let get = |seconds: u64, value: u32| {
            memo.get("key", begin + Duration::from_secs(seconds), |_| Ok::<_, ()>(value)).unwrap()
        };
        assert_eq!([get(0, 1), get(4, 2), get(5, 3), get(9, 4), get(10, 5)], [1, 1, 3, 3, 5]);
        let later = begin + Duration::from_secs(60);
        assert_eq!(memo.get("other", later, |_| Err("why")), Err("why"));
    }
}
