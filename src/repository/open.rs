//! The one place that picks a backend for writing.

use std::path::Path;

use super::address::{PostgresAddress, StoreAddress};
use super::error::StoreError;
use super::journal::opening::Opening;
use super::journal::writer::Writer;
use super::options::WriterOptions;
use super::postgres::address::Address;
use super::{postgres, sqlite};

impl StoreAddress {
    /// The database of PostgreSQL that a URL names. Where it has no password, that of `passwords`, a
    /// file as `PGPASSFILE` names one. `state` is the folder for what this machine keeps of its
    /// processes.
    ///
    /// # Errors
    /// `Refused` for what is no such URL; others when the file cannot be read.
    pub fn postgres(url: &str, passwords: Option<&Path>, state: &Path) -> Result<Self, StoreError> {
        Ok(Self::Postgres(PostgresAddress(Box::new(Address::parse(url, passwords, state)?))))
    }
}

impl Writer {
    /// Opens a store and starts the thread. A missing one is made, a file readable by its owner
    /// only; one of the predecessor or of an older wfx is brought up.
    ///
    /// # Errors
    /// Of any kind but `Missing`, `Refused` and `Ambiguous`; nothing is written to a
    /// file that is refused.
    pub fn open(
        address: impl Into<StoreAddress>,
        options: WriterOptions,
    ) -> Result<Self, StoreError> {
        Self::open_reporting(address, options, &mut |_| {})
    }

    /// The same; `waits` is called once, with the reason, when it has to wait long for others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_reporting(
        address: impl Into<StoreAddress>,
        options: WriterOptions,
        waits: &mut dyn FnMut(&StoreError),
    ) -> Result<Self, StoreError> {
        Self::finish(Self::begin_opening(address, options)?, waits)
    }

    /// The same, on the thread that writes, while the caller does something else.
    ///
    /// # Errors
    /// When there is no room for a thread.
    pub fn begin_opening(
        address: impl Into<StoreAddress>,
        options: WriterOptions,
    ) -> Result<Opening, StoreError> {
        match address.into() {
            StoreAddress::File(path) => Opening::begin(options, move |options, waits| {
                sqlite::driver::open(&path, options, waits)
            }),
            StoreAddress::Postgres(PostgresAddress(address)) => {
                Opening::begin(options, move |options, waits| {
                    postgres::driver::open(&address, options, waits)
                })
            }
        }
    }
}
