//! The one place that picks a backend for writing.

use std::path::Path;

use super::error::StoreError;
use super::journal::writer::Writer;
use super::options::WriterOptions;
use super::postgres::address::Address;
use super::{postgres, sqlite};

impl Writer {
    /// Opens the database at `path` and starts the thread. A missing database is
    /// made, readable by its owner only; one of the predecessor or of an older wfx is
    /// brought up.
    ///
    /// # Errors
    /// Of any kind but `Missing`, `Refused` and `Ambiguous`; nothing is written to a
    /// file that is refused.
    pub fn open(path: &Path, options: WriterOptions) -> Result<Self, StoreError> {
        Self::open_reporting(path, options, &mut |_| {})
    }

    /// Opens a database of PostgreSQL and starts the thread; what is missing there is made. `waits`
    /// is called once, with the reason, when it has to wait long for others.
    ///
    /// # Errors
    /// Of any kind but `Refused` and `Ambiguous`.
    pub(crate) fn open_postgres(
        address: &Address,
        options: WriterOptions,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<Self, StoreError> {
        let opened = postgres::driver::open(address, &options, waits)?;
        Self::start(opened, options)
    }

    /// The same; `waits` is called once, with the reason, when it has to wait long for others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_reporting(
        path: &Path,
        options: WriterOptions,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<Self, StoreError> {
        let opened = sqlite::driver::open(path, &options, waits)?;
        Self::start(opened, options)
    }
}
