//! The locks of what the engine's tasks and the writer's thread share. A test puts in their
//! place those of a scheduler that tries many orders.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
