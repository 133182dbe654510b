//! Connections that read. No transaction outlives its query.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::time::Duration;

use super::address::Address;
use super::error::explain;
use super::{inspect, open};
use crate::repository::error::StoreError;
use crate::repository::ownership::{Judge, Registry};
use crate::repository::read::inspection::{Inspection, ServerStatus};
use crate::repository::sql::client::Client;
use crate::repository::sql::failure::Failure;
use crate::repository::sql::{self, Connection};

/// How long a connection may take, and how long each answer.
const CONNECTING: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the same is read at most.
const ATTEMPTS_MAX: u32 = 5;
/// A state of the database, which others do not change.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What a session of the server shows: another snapshot once a transaction of any database has written.
/// A standby has no name for it.
macro_rules! snapshot {
    () => {
        "SELECT CASE WHEN NOT pg_is_in_recovery()
           THEN pg_backend_pid() || ' ' || CAST(pg_current_snapshot() AS TEXT) END"
    };
}
const SNAPSHOT: &str = snapshot!();
/// The same, and a number that is another one once anybody has stored something: each transaction that
/// writes changes the rows of its process, and tokens of processes are never given twice.
const VERSION: &str = concat!(
    snapshot!(),
    ", hashtextextended((SELECT last_value FROM fence_tokens)
         || coalesce(string_agg(';' || token || ':' || number, '' ORDER BY token, number), ''), 0)
     FROM commits"
);

/// What a connection showed when it was last asked for its version.
#[derive(Default)]
struct Seen {
    snapshot: Option<String>,
    version: Option<i64>,
    /// Nobody had stored anything since the time before: so it may be now.
    is_steady: bool,
}

/// A connection that reads.
pub(crate) struct PostgresSource {
    address: Address,
    client: RefCell<Client>,
    number: NonZeroU32,
    seen: RefCell<Seen>,
    /// How often the connection was replaced.
    reconnections: Cell<u32>,
}

/// What is read together.
#[derive(Clone, Copy)]
enum Reads {
    /// One statement, which needs no transaction.
    Once,
    /// One state of the database, in a transaction.
    OneState,
}

impl PostgresSource {
    /// Opens the database at `address`. Changes nothing, so an older one is refused.
    pub(crate) fn open(address: &Address) -> Result<Self, StoreError> {
        let client = open::connect(address, open::SETUP, CONNECTING, Some(PATIENCE))?;
        open::check_readable(&client, address)?;
        let number = open::number(&client, address)?;
        let client = RefCell::new(client);
        let (seen, reconnections) = (RefCell::default(), Cell::default());
        Ok(Self { address: address.clone(), client, number, seen, reconnections })
    }

    pub(crate) fn judge(&self) -> Judge {
        Registry::new(&self.address.locks(self.number.get()), Some(self.number)).judge()
    }

    pub(crate) fn database_number(&self) -> NonZeroU32 {
        self.number
    }

    /// A number that is another one once anybody has stored something. As long as nobody has, a cheaper
    /// question tells.
    pub(crate) fn data_version(&self) -> Result<i64, StoreError> {
        let Seen { snapshot, version, is_steady } = self.seen.take();
        if let (true, Some(_), Some(version)) = (is_steady, &snapshot, version) {
            let reconnections = self.reconnections.get();
            let now: Option<String> = self.attempt(Reads::Once, |connection| {
                connection.prepare_cached(SNAPSHOT)?.query_row([], |row| row.get(0))
            })?;
            // Another run of the server may name another state alike.
            if now == snapshot && reconnections == self.reconnections.get() {
                self.seen.replace(Seen { snapshot, version: Some(version), is_steady });
                return Ok(version);
            }
        }
        let (snapshot, now) = self.attempt(Reads::Once, |connection| {
            connection.prepare_cached(VERSION)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        })?;
        let is_steady = version.is_none_or(|version| version == now);
        self.seen.replace(Seen { snapshot, version: Some(now), is_steady });
        Ok(now)
    }

    pub(crate) fn inspect(&self) -> Result<Inspection, StoreError> {
        let mut judge = self.judge();
        self.read(|connection| inspect::inspect(connection, &mut judge))
    }

    /// How the server is at the moment.
    pub(crate) fn status(&self) -> Result<ServerStatus, StoreError> {
        self.read(inspect::status)
    }

    /// Runs queries on one state of the database, and lets it go. They run anew where the connection
    /// was lost since it was used last, or where a standby had to break them off.
    pub(crate) fn read<T>(
        &self,
        queries: impl FnMut(Connection<'_>) -> sql::Result<T>,
    ) -> Result<T, StoreError> {
        self.attempt(Reads::OneState, queries)
    }

    fn attempt<T>(
        &self,
        reads: Reads,
        mut queries: impl FnMut(Connection<'_>) -> sql::Result<T>,
    ) -> Result<T, StoreError> {
        let mut attempt = 1;
        loop {
            let is_new = self.client.borrow().is_closed();
            if is_new {
                let client = open::connect(&self.address, open::SETUP, CONNECTING, Some(PATIENCE))?;
                open::check_readable(&client, &self.address)?;
                self.client.replace(client);
                self.reconnections.set(self.reconnections.get().wrapping_add(1));
            }
            let client = self.client.borrow();
            let answer = match reads {
                Reads::Once => queries(Connection::Postgres(&client)),
                Reads::OneState => {
                    client.begin_reading(BEGIN);
                    let answer = queries(Connection::Postgres(&client));
                    // A transaction that only reads has nothing to lose.
                    client.end_reading();
                    answer
                }
            };
            drop(client);
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let is_worth_it = match &error {
                sql::Error::Postgres(failure) if failure.is_closed() => {
                    !is_new && !matches!(failure, Failure::Silent(_))
                }
                sql::Error::Postgres(failure) => failure.is_transient(),
                _ => false,
            };
            if !is_worth_it || attempt == ATTEMPTS_MAX {
                return Err(explain("read", &self.address, &error));
            }
            attempt += 1;
        }
    }
}
