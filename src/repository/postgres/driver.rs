//! A connection that writes to PostgreSQL.

use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use super::address::Address;
use super::error::explain;
use super::open;
use crate::base::clock;
use crate::repository::error::StoreError;
use crate::repository::journal::backend::Opened;
use crate::repository::options::{Durability, WriterOptions};
use crate::repository::ownership::{Judge, Registry};
use crate::repository::patience::Patience;
use crate::repository::sql::backend::{Driver, SqlBackend};
use crate::repository::sql::client::Client;
use crate::repository::sql::{self, Connection, policies, retention};

/// Others hold rows and tables so long at most before a transaction fails and is tried again.
const LOCKS: &str = "SET lock_timeout = '250ms'; ";
/// How long a connection may take that replaces one that broke.
const RECONNECTING: Duration = Duration::from_secs(1);
/// How long it is tried to find out what became of a commit whose answer was lost.
const DOUBT: Duration = Duration::from_secs(60);
/// So long between two attempts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// A connection that writes to PostgreSQL.
pub(crate) struct PostgresDriver {
    address: Address,
    client: Client,
    number: NonZeroU32,
    durability: Durability,
    /// This process among all that ever wrote.
    token: i64,
    /// The number of the transaction under way, of those of the token.
    transaction: i64,
    is_under_way: bool,
    /// Whether the row of the token says who this process is, and whether the transaction under way
    /// says so.
    is_owned: bool,
    becomes_owned: bool,
}

/// Opens the database at `address` for writing; `waits` is called once, with the reason, when it has
/// to wait long for others.
pub(crate) fn open(
    address: &Address,
    options: &WriterOptions,
    waits: &mut dyn FnMut(&StoreError),
) -> Result<Opened<SqlBackend<PostgresDriver>>, StoreError> {
    address.prepare_state()?;
    let setup = setup(options.durability);
    let client = open::connect(address, &setup, options.busy_timeout.max(RECONNECTING), None)?;
    open::check_server(Connection::Postgres(&client), address, true)?;
    let fresh = NonZeroU32::new(fastrand::u32(1..)).unwrap_or(NonZeroU32::MIN);
    let mut patience = Patience::new(options.busy_timeout, waits);
    patience.until(|| open::migrate(&client, address, fresh))?;
    let number = open::number(&client, address)?;
    let queries = Connection::Postgres(&client);
    let keep = patience.until(|| {
        retention::resolve(queries, options.retention)
            .map_err(|error| explain("write to", address, &error))
    })?;
    let output_budgets = patience.until(|| {
        retention::resolve_output(queries, options.output)
            .map_err(|error| explain("write to", address, &error))
    })?;
    let has_policies =
        policies::exist(queries).map_err(|error| explain("read", address, &error))?;
    let token = open::register(&client, address)?;
    let mut driver = PostgresDriver {
        address: address.clone(),
        client,
        number,
        durability: options.durability,
        token,
        transaction: 0,
        is_under_way: false,
        is_owned: false,
        becomes_owned: false,
    };
    driver.prepare().map_err(|error| explain("write to", address, &error))?;
    let registry = Registry::new(&address.locks(number.get()), Some(number));
    let backend = SqlBackend::new(driver, output_budgets);
    Ok(Opened { backend, keep, has_policies, registry })
}

fn setup(durability: Durability) -> String {
    let synchronous = match durability {
        Durability::Full => "",
        Durability::Normal => "SET synchronous_commit = off; ",
    };
    format!("{LOCKS}{synchronous}{}", open::SETUP)
}

impl PostgresDriver {
    /// What this connection is, for the triggers that count.
    fn prepare(&mut self) -> sql::Result<()> {
        Ok(self.client.batch(&format!("SET wfx.slot = '{}'", self.token))?)
    }

    /// Connects anew where the connection broke.
    fn connect(&mut self) -> sql::Result<()> {
        if !self.client.is_closed() {
            return Ok(());
        }
        let setup = setup(self.durability);
        self.client = self.address.connect(&setup, RECONNECTING, None)?;
        self.prepare()
    }

    /// Begins a transaction, in one exchange with the proof that nobody took over what this process
    /// runs. A process whose token is gone gets another one: what was taken over is refused by the
    /// names of owners.
    fn begin_by(&mut self, begin: &str) -> sql::Result<()> {
        self.connect()?;
        let transaction = self.transaction + 1;
        let proof = self
            .client
            .prepare("UPDATE fence SET commits = ?2 WHERE token = ?1 RETURNING token")?;
        let found = self.client.begin_with(begin, &proof, &[&self.token, &transaction]);
        self.is_under_way = true;
        if found?.is_empty() {
            self.rollback();
            let registered = open::register(&self.client, &self.address);
            self.token = registered.map_err(|error| sql::Error::Value(error.into()))?;
            self.transaction = 0;
            self.is_owned = false;
            self.prepare()?;
            return self.begin_by(begin);
        }
        self.transaction = transaction;
        Ok(())
    }

    /// Whether the last transaction was committed, although its answer was lost.
    fn is_committed(&mut self) -> sql::Result<bool> {
        self.connect()?;
        Connection::Postgres(&self.client)
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM fence WHERE token = ?1 AND commits = ?2)",
            )?
            .query_row([self.token, self.transaction], |row| row.get(0))
    }
}

impl Driver for PostgresDriver {
    fn connection(&self) -> Connection<'_> {
        Connection::Postgres(&self.client)
    }

    fn explain(&self, doing: &str, error: &sql::Error) -> StoreError {
        explain(doing, &self.address, error)
    }

    fn own(&mut self, owner: &str) -> sql::Result<()> {
        if !self.is_owned && !self.becomes_owned {
            self.connection()
                .prepare_cached("UPDATE fence SET owner = ?2 WHERE token = ?1")?
                .execute((self.token, owner))?;
            self.becomes_owned = true;
        }
        Ok(())
    }

    fn fence_off(&mut self, is_gone: &mut dyn FnMut(&str) -> bool) -> sql::Result<()> {
        let others: Vec<(i64, String)> = self
            .connection()
            .prepare_cached(
                "SELECT token, owner FROM fence WHERE owner IS NOT NULL AND token <> ?1
                 ORDER BY token",
            )?
            .query_map([self.token], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<sql::Result<_>>()?;
        for (token, _) in others.iter().filter(|(_, owner)| is_gone(owner)) {
            self.connection()
                .prepare_cached("SELECT CAST(leave(?1) AS TEXT)")?
                .query_row([*token], |_| Ok(()))?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin(&mut self) -> sql::Result<()> {
        self.begin_by("BEGIN")
    }

    fn begin_output(&mut self) -> sql::Result<()> {
        self.begin_by("BEGIN; SET LOCAL synchronous_commit = off")
    }

    fn commit(&mut self) -> sql::Result<()> {
        self.is_under_way = false;
        let becomes_owned = std::mem::take(&mut self.becomes_owned);
        let failure = match self.client.commit() {
            Ok(()) => {
                self.is_owned |= becomes_owned;
                return Ok(());
            }
            Err(failure) => failure,
        };
        if !failure.is_closed() {
            return Err(failure.into());
        }
        // The answer was lost: what became of the transaction is read, never assumed.
        let doubt = clock::monotonic();
        loop {
            match self.is_committed() {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(failure.into()),
                Err(error) if doubt.elapsed() >= DOUBT => return Err(error),
                Err(_) => thread::sleep(BETWEEN_ATTEMPTS),
            }
        }
    }

    fn rollback(&mut self) {
        self.becomes_owned = false;
        if std::mem::take(&mut self.is_under_way) && !self.client.is_closed() {
            // What cannot be undone goes with the connection.
            let _ = self.client.batch("ROLLBACK");
        }
    }

    fn judge(&self) -> sql::Result<Judge> {
        Ok(Registry::new(&self.address.locks(self.number.get()), Some(self.number)).judge())
    }

    fn is_worth_giving_back(&self) -> sql::Result<bool> {
        // The server reuses what is free, and gives it back by itself.
        Ok(false)
    }

    fn give_back(&mut self) -> sql::Result<bool> {
        Ok(false)
    }

    fn size_bytes(&mut self) -> sql::Result<u64> {
        super::inspect::size(self.connection())
    }

    fn shrink(&mut self) -> sql::Result<()> {
        Ok(())
    }

    fn change_count(&mut self) -> sql::Result<Option<i64>> {
        Ok(None)
    }
}

impl Drop for PostgresDriver {
    fn drop(&mut self) {
        // The counts of this process become part of the common ones, and its token ends.
        let leave = "BEGIN; SELECT wfx.leave(current_setting('wfx.slot')::bigint); COMMIT";
        if !self.client.is_closed() {
            let _ = self.client.batch(leave);
        }
    }
}
