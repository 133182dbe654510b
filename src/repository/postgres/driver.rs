//! A connection that writes to PostgreSQL.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::address::Address;
use super::batch::{self, Batch};
use super::error::explain;
use super::open;
use super::pruner::Pruner;
use crate::base::clock;
use crate::repository::error::StoreError;
use crate::repository::journal::backend::{Entry, Opened, Written};
use crate::repository::options::{Durability, WriterOptions};
use crate::repository::ownership::{Judge, Registry};
use crate::repository::patience::Patience;
use crate::repository::sql::backend::{Driver, SqlBackend};
use crate::repository::sql::change::Unfinished;
use crate::repository::sql::client::Client;
use crate::repository::sql::failure::Failure;
use crate::repository::sql::{self, Connection, policies, retention};
use crate::workflow::output::Counts;

/// Others hold rows and tables so long at most before a transaction fails and is tried again.
const LOCKS: &str = "SET lock_timeout = '250ms'; ";
/// What begins a transaction.
const BEGIN: &str = "BEGIN";
/// How long a connection may take that replaces one that broke.
const RECONNECTING: Duration = Duration::from_secs(1);
/// How long it is tried to find out what became of a commit whose answer was lost.
const DOUBT: Duration = Duration::from_secs(60);
/// So long between two attempts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);
/// What the server says where the row of the process is gone.
const FENCED_OFF: &str = "WFX01";
/// After so many transactions the counts of a process become few rows again.
const TRANSACTIONS_PER_FOLD: i64 = 128;

/// A connection that writes to PostgreSQL.
pub(crate) struct PostgresDriver {
    address: Address,
    client: Client,
    number: NonZeroU32,
    durability: Durability,
    /// This process among all that ever wrote.
    token: i64,
    /// The number of the transaction under way, of those of the token, and that of the last one that
    /// was committed.
    transaction: i64,
    committed: i64,
    is_under_way: bool,
    /// A token and the number of its last transaction, of which it could not be found out what became
    /// of it. Nothing is written before that token has ended.
    doubt: Option<(i64, i64)>,
    /// Of which transaction it is known when the counts became few rows, and from which rows on these
    /// are (`fold` of the schema).
    folded: (i64, [i64; 2]),
    /// What retention deletes with, beside what this connection writes.
    pruner: Pruner,
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
        committed: 0,
        is_under_way: false,
        doubt: None,
        folded: (0, [0; 2]),
        pruner: Pruner::default(),
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
        self.end_doubt()?;
        let transaction = self.transaction + 1;
        let proof = self.client.prepare(
            "WITH mine AS (SELECT token FROM fence WHERE token = ?1 FOR SHARE),
               forgotten AS (DELETE FROM commits WHERE token = ?1 AND number = ?3)
             INSERT INTO commits (token, number) SELECT token, CAST(?2 AS BIGINT) FROM mine
             RETURNING token",
        )?;
        let numbers: [&(dyn ToSql + Sync); 3] = [&self.token, &transaction, &self.committed];
        let found = self.client.begin_with(begin, &proof, &numbers);
        self.is_under_way = true;
        if found?.is_empty() {
            self.rollback();
            self.register()?;
            return self.begin_by(begin);
        }
        self.transaction = transaction;
        Ok(())
    }

    /// Becomes another process for the others that write: one that was declared dead.
    fn register(&mut self) -> sql::Result<()> {
        let registered = open::register(&self.client, &self.address);
        self.token = registered.map_err(|error| sql::Error::Value(error.into()))?;
        (self.transaction, self.committed) = (0, 0);
        self.folded = (0, [0; 2]);
        self.is_owned = false;
        self.prepare()
    }

    /// The transaction with the last number is committed.
    fn done(&mut self) {
        self.committed = self.transaction;
        self.is_owned |= std::mem::take(&mut self.becomes_owned);
    }

    /// Makes the counts of this process few rows again, where they have become many.
    fn fold(&mut self) {
        let (at, since) = self.folded;
        if self.transaction - at < TRANSACTIONS_PER_FOLD {
            return;
        }
        // What fails here is done the next time: sums are right in any case.
        let folded = Connection::Postgres(&self.client)
            .prepare_cached("SELECT counts, sizes FROM fold(?1, ?2, ?3)")
            .and_then(|mut fold| {
                fold.query_row([self.token, since[0], since[1]], |row| {
                    Ok([row.get(0)?, row.get(1)?])
                })
            });
        self.folded = (self.transaction, folded.unwrap_or(since));
    }

    /// What became of the last transaction, whose answer was lost or who had waited in vain for a
    /// standby: what it answered (`Some`: it is committed). Asks until the server answers, as long as
    /// `goes_on` has it so.
    ///
    /// The token ends first. So the server has ended that transaction, and cannot begin it later from
    /// what still is on its way; and the answer itself waits for standbys.
    fn resolve(
        &mut self,
        goes_on: &mut dyn FnMut(StoreError) -> bool,
    ) -> sql::Result<Option<(Vec<i64>, Vec<i64>)>> {
        let (token, number) = (self.token, self.transaction);
        self.doubt = Some((token, number));
        loop {
            let error = match self.end_token(token, number) {
                Ok(answer) => {
                    self.doubt = None;
                    self.forget(token);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if !goes_on(self.explain("write to", &error)) {
                return Err(error);
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Ends a token of this process that is in doubt, whatever became of its last transaction.
    fn end_doubt(&mut self) -> sql::Result<()> {
        if let Some((token, number)) = self.doubt {
            self.end_token(token, number)?;
            self.doubt = None;
            self.forget(token);
        }
        Ok(())
    }

    /// Removes what a token of this process has left that has ended: its counts become common ones.
    fn forget(&self, token: i64) {
        // What stays is right as well.
        let _ = self.client.batch(&format!(
            "BEGIN; SELECT leave({token}); DELETE FROM commits WHERE token = {token}; COMMIT"
        ));
    }

    /// Ends a token, and returns what its transaction had answered; `None`: it is not committed.
    /// Another process may have ended it before, which leaves what is known of its transaction.
    fn end_token(&mut self, token: i64, number: i64) -> sql::Result<Option<(Vec<i64>, Vec<i64>)>> {
        self.connect()?;
        self.client.begin(BEGIN)?;
        let ended = || -> sql::Result<_> {
            let end = self.client.prepare("DELETE FROM fence WHERE token = ?1")?;
            self.client.rows(&end, &[&token])?;
            // Written again, so that the commit waits for standbys also at a further attempt.
            let read = self.client.prepare(
                "UPDATE commits SET number = number WHERE token = ?1 AND number = ?2
                 RETURNING seqs, chunks",
            )?;
            let found = self.client.rows(&read, &[&token, &number])?;
            found.first().map(|row| Ok((row.numbers(0)?, row.numbers(1)?))).transpose()
        };
        let answer = ended();
        if answer.is_err() && !self.client.is_closed() {
            let _ = self.client.batch("ROLLBACK");
        }
        let answer = answer?;
        self.client.commit()?;
        Ok(answer)
    }

    /// Sends a batch, and returns what the server answered.
    fn call(&mut self, call: &Statement, batch: &Batch) -> sql::Result<Answered> {
        self.transaction += 1;
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![&self.token, &self.transaction, &self.committed];
        values.extend(batch.values());
        self.client.expect_replication();
        let answered = self.client.rows(call, &values).and_then(|rows| {
            self.client.replicated()?;
            Ok(rows)
        });
        match answered {
            Ok(rows) => match rows.first() {
                Some(row) => Ok(Answered::Committed(row.numbers(0)?, row.numbers(1)?)),
                None => Ok(Answered::Refused),
            },
            Err(failure) if failure.is_closed() || matches!(failure, Failure::NotReplicated) => {
                Ok(Answered::Lost)
            }
            Err(failure) if failure.code() == Some(FENCED_OFF) => Ok(Answered::FencedOff),
            // Statement by statement, the reason is found out, and others are waited for.
            Err(_) => Ok(Answered::Refused),
        }
    }
}

/// What came of a call.
enum Answered {
    /// Its executions and its chunks of output have these numbers.
    Committed(Vec<i64>, Vec<i64>),
    /// Nothing was written.
    Refused,
    /// Nothing was written, since this process was declared dead.
    FencedOff,
    /// It is not known whether it is committed.
    Lost,
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
        self.begin_by(BEGIN)
    }

    fn begin_output(&mut self) -> sql::Result<()> {
        self.begin_by("BEGIN; SET LOCAL synchronous_commit = off")
    }

    fn commit(&mut self, goes_on: Option<&mut dyn FnMut(StoreError) -> bool>) -> sql::Result<()> {
        self.is_under_way = false;
        let Err(failure) = self.client.commit() else {
            self.done();
            self.fold();
            return Ok(());
        };
        if !failure.is_closed() && !matches!(failure, Failure::NotReplicated) {
            self.becomes_owned = false;
            return Err(failure.into());
        }
        // What became of the transaction is read, never assumed.
        self.becomes_owned = false;
        let error = failure.into();
        let begun = clock::monotonic();
        let answer = match goes_on {
            Some(goes_on) => self.resolve(goes_on)?,
            None => self.resolve(&mut |_| begun.elapsed() < DOUBT)?,
        };
        match answer {
            Some(_) => Ok(()),
            None => Err(error),
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    fn write_at_once(
        &mut self,
        entries: &[Entry],
        unfinished: &Unfinished,
        bases: &HashMap<i64, Counts>,
        goes_on: &mut dyn FnMut(StoreError) -> bool,
    ) -> sql::Result<Option<Vec<Written>>> {
        // As whom this process runs executions is written beside the first of them.
        let is_owned = |entry: &Entry| entry.change.head.owner.is_some();
        if !self.is_owned && entries.iter().any(is_owned) {
            return Ok(None);
        }
        self.connect()?;
        self.end_doubt()?;
        let call = self.client.prepare(batch::CALL)?;
        let Some(batch) = Batch::new(call.params(), entries, unfinished, bases)? else {
            return Ok(None);
        };
        let answer = match self.call(&call, &batch)? {
            Answered::Committed(seqs, chunks) => {
                self.done();
                self.fold();
                Some((seqs, chunks))
            }
            Answered::Refused => None,
            Answered::FencedOff => {
                self.register()?;
                None
            }
            Answered::Lost => self.resolve(goes_on)?,
        };
        Ok(answer.and_then(|(seqs, chunks)| batch.written(entries, &seqs, &chunks)))
    }

    fn begin_retaining(&mut self, keep: u64) -> sql::Result<()> {
        let setup = setup(self.durability);
        self.pruner.begin(&self.address, &setup, self.token, keep)
    }

    fn end_retaining(&mut self) -> sql::Result<bool> {
        self.pruner.end()
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
        // It holds the row of the token; what came of it nobody waits for any more.
        let _ = self.pruner.end();
        // The counts of this process become part of the common ones, and its token ends.
        let leave = "BEGIN; SELECT wfx.leave(current_setting('wfx.slot')::bigint); \
             DELETE FROM wfx.commits WHERE token = current_setting('wfx.slot')::bigint; COMMIT";
        if !self.client.is_closed() {
            let _ = self.client.batch(leave);
        }
    }
}
