//! The queries, written once for every database, and how they reach it.
//!
//! - `connection`, `statement`: a connection to either database, with the interface of its driver; `params`,
//!   `row`, `error`: what goes in and comes out
//! - `dialect`: the few words that differ
//! - `client`, `given`: a connection to PostgreSQL that is waited for; what its statements are given
//! - `long_rows`, `pieces`, `cursors`: results that are not in memory as a whole
//! - `ahead`: the statements that are compiled before somebody waits for them
//! - the rest: queries, by what they are about

pub(crate) mod client;
mod connection;
mod cursors;
mod dialect;
mod error;
pub(crate) mod failure;
pub(crate) mod given;
mod long_rows;
mod params;
mod pieces;
mod row;
mod statement;

pub(crate) mod ahead;
pub(crate) mod alerts;
pub(crate) mod backend;
pub(crate) mod change;
pub(crate) mod change_steps;
pub(crate) mod detail;
pub(crate) mod durations;
pub(crate) mod glance;
pub(crate) mod groups;
pub(crate) mod incidents;
pub(crate) mod inspection;
pub(crate) mod lineage;
pub(crate) mod list;
pub(crate) mod notification_history;
pub(crate) mod open_alerts;
pub(crate) mod outbox;
pub(crate) mod output;
pub(crate) mod overdue;
pub(crate) mod policies;
pub(crate) mod prune;
pub(crate) mod reader;
pub(crate) mod refusal;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod schedule_queries;
pub(crate) mod schedule_start;
pub(crate) mod schedules;
pub(crate) mod sessions;
pub(crate) mod summary;
pub(crate) mod takeover;

pub(crate) use connection::Connection;
pub(crate) use error::{Error, OptionalExtension, Result};
pub(crate) use params::{Params, params_from_iter};
pub(crate) use row::{Bytes, Row};
pub(crate) use rusqlite::params;
pub(crate) use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, Value, ValueRef};
pub(crate) use statement::CachedStatement;
