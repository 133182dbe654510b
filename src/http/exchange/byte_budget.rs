//! The bytes that all long replies of a server may hold.
//!
//! Bytes are counted from before they are produced until the system has taken them, so that
//! neither the number of clients nor how slowly they read decides how much memory is used.

use std::sync::Arc;

use hyper::body::Bytes;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// A reply up to this length is sent without being counted.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// What all long replies may hold at a time.
const BUDGET_BYTES: usize = 48 * 1024 * 1024;
/// How many chunks are produced at a time.
const PRODUCERS_MAX: usize = 2;
/// Permits of a semaphore count kibibytes.
const UNIT: usize = 1024;

/// The bytes that all long replies of a server may hold.
#[derive(Debug)]
pub(in crate::http) struct ByteBudget {
    bytes: Arc<Semaphore>,
    producers: Arc<Semaphore>,
}

/// Bytes, counted for as long as anybody holds them.
struct CountedBytes {
    bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes, which hold `share` for as long as anybody holds them.
pub(in crate::http) fn counted(bytes: Bytes, share: OwnedSemaphorePermit) -> Bytes {
    Bytes::from_owner(CountedBytes { bytes, _share: share })
}

/// Part of the budget, reserved for bytes that are not there yet.
#[derive(Debug)]
pub(in crate::http) struct ReservedBytes(OwnedSemaphorePermit);

impl ReservedBytes {
    /// Counts `bytes`, and gives back what they do not need. Bytes beyond the reservation are
    /// there already and are not counted.
    pub(in crate::http) fn count(mut self, bytes: impl Into<Bytes>) -> Bytes {
        let bytes = bytes.into();
        let surplus = self.0.num_permits().saturating_sub(bytes.len().div_ceil(UNIT));
        drop(self.0.split(surplus));
        counted(bytes, self.0)
    }
}

impl ByteBudget {
    pub(in crate::http) fn new() -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(BUDGET_BYTES / UNIT)),
            producers: Arc::new(Semaphore::new(PRODUCERS_MAX)),
        }
    }

    /// The bytes, counted if they are many; `None` when others hold too many.
    pub(in crate::http) fn admit(&self, bytes: Bytes) -> Option<Bytes> {
        if bytes.len() <= SMALL_BYTES_MAX {
            return Some(bytes);
        }
        let share = Arc::clone(&self.bytes).try_acquire_many_owned(units(bytes.len())).ok()?;
        Some(counted(bytes, share))
    }

    /// Waits until there is room for so many bytes.
    pub(in crate::http) async fn reserve(
        &self,
        bytes: usize,
    ) -> Result<ReservedBytes, AcquireError> {
        Arc::clone(&self.bytes).acquire_many_owned(units(bytes)).await.map(ReservedBytes)
    }

    /// Waits for a turn to produce a chunk.
    pub(in crate::http) async fn producer_turn(
        &self,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.producers).acquire_owned().await
    }
}

/// So many bytes as permits; one reply may take all there are.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.min(BUDGET_BYTES).div_ceil(UNIT)).unwrap_or(u32::MAX)
}
