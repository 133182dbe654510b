//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};

use super::postgres::address::Address;

/// Where a store is.
#[derive(Debug, Clone)]
pub enum StoreAddress {
    /// A file of SQLite.
    File(PathBuf),
    /// A database on a server of PostgreSQL.
    Postgres(PostgresAddress),
}

/// A database on a server of PostgreSQL, and as whom it is used.
#[derive(Debug, Clone)]
pub struct PostgresAddress(pub(super) Box<Address>);

impl StoreAddress {
    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(PostgresAddress(address)) => address.fmt(f),
        }
    }
}

impl From<&Self> for StoreAddress {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl From<&Path> for StoreAddress {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for StoreAddress {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}
