//! The queries, written once for every database, and how they reach it.
//!
//! - `connection`: a connection to either database, with the interface of its driver; `params`,
//!   `row`, `error`: what goes in and comes out
//! - `dialect`: the few words that differ
//! - `client`: a connection to PostgreSQL that is waited for
//! - the rest: queries, by what they are about

pub(crate) mod client;
mod connection;
mod dialect;
mod error;
mod params;
mod row;

pub(crate) use connection::{CachedStatement, Connection, Rows};
pub(crate) use error::{Error, OptionalExtension, Result};
pub(crate) use params::{Params, params_from_iter};
pub(crate) use row::{Bytes, Row};
pub(crate) use rusqlite::params;
pub(crate) use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, Value, ValueRef};
