//! A connection to PostgreSQL, each statement of which is waited for.
//!
//! The protocol is that of tokio-postgres. Its connection has a runtime of its own, which works only
//! while somebody waits: the repository is used by threads that wait, as that of SQLite is.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_util::future::poll_fn;
use rusqlite::types::Value;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::{self, JoinHandle};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{AsyncMessage, Config, NoTls, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::ClientConfig;

use super::cursors::Cursors;
use super::dialect;
use super::error::{Error, Result};
use super::failure::Failure;
use super::given::{EPOCH_MICROS, given, with_nul};
use super::params::Params;
use crate::base::timestamp::Timestamp;

/// The number of the lock of [`Client::decide_alone`]: "wfx" and 1.
const DECISIONS: i64 = 0x77_66_78_01;
/// What the server calls the part of it that waits for standbys.
const WAITS_FOR_STANDBY: &str = "SyncRepWaitForLSN";

/// A connection to PostgreSQL.
pub(crate) struct Client {
    client: Arc<tokio_postgres::Client>,
    /// Taken out at the end only.
    runtime: Option<Runtime>,
    /// Statements that the server has compiled, by their text for SQLite.
    statements: RefCell<HashMap<Box<str>, Statement>>,
    /// The server gave up waiting for a standby.
    is_unreplicated: Arc<AtomicBool>,
    /// How long an answer is waited for; `None`: as long as it takes.
    patience: Option<Duration>,
    decides_alone: Cell<bool>,
    /// The connection is being closed, or an answer did not come in time: what comes now belongs to
    /// an earlier question.
    is_lost: Cell<bool>,
    /// What begins a transaction together with its first statement.
    begins_by: Cell<Option<&'static str>>,
    /// Results that are read piece by piece, while a transaction reads.
    pub(super) cursors: Cursors,
}

impl Client {
    /// Connects, and sets what `setup` sets. Waits so long for the connection, and `patience` for
    /// each answer later.
    pub(crate) fn connect(
        config: &Config,
        tls: Option<ClientConfig>,
        setup: &str,
        connecting: Duration,
        patience: Option<Duration>,
    ) -> std::result::Result<Self, Failure> {
        match tls {
            None => Self::connect_by(config, NoTls, setup, connecting, patience),
            Some(tls) => {
                let tls = MakeRustlsConnect::new(tls);
                Self::connect_by(config, tls, setup, connecting, patience)
            }
        }
    }

    fn connect_by<T>(
        config: &Config,
        tls: T,
        setup: &str,
        connecting: Duration,
        patience: Option<Duration>,
    ) -> std::result::Result<Self, Failure>
    where
        T: MakeTlsConnect<Socket> + Send,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
        let is_unreplicated = Arc::new(AtomicBool::new(false));
        let noticed = Arc::clone(&is_unreplicated);
        let client = wait(&runtime, Some(connecting), async {
            let (client, mut connection) = config.connect(tls).await?;
            tokio::spawn(async move {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    if let AsyncMessage::Notice(notice) = message
                        && notice.routine() == Some(WAITS_FOR_STANDBY)
                    {
                        noticed.store(true, Ordering::Relaxed);
                    }
                }
            });
            client.batch_execute(setup).await?;
            Ok(client)
        })?;
        Ok(Self {
            client: Arc::new(client),
            runtime: Some(runtime),
            statements: RefCell::default(),
            is_unreplicated,
            patience,
            decides_alone: Cell::new(false),
            is_lost: Cell::new(false),
            begins_by: Cell::new(None),
            cursors: Cursors::default(),
        })
    }

    /// Whether the connection is gone, or of no use.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.is_lost.get()
    }

    /// A statement, compiled by the server at its first use.
    pub(crate) fn prepare(&self, sql: &str) -> std::result::Result<Statement, Failure> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let text = dialect::for_postgres(sql);
        let client = &self.client;
        let statement = self.wait(async { Ok(client.prepare(&text).await?) })?;
        self.statements.borrow_mut().insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// Statements without parameters.
    pub(crate) fn batch(&self, sql: &str) -> std::result::Result<(), Failure> {
        let client = &self.client;
        self.wait(async { Ok(client.batch_execute(sql).await?) })
    }

    /// Begins a transaction and runs a statement in it, in one exchange with the server. Where that
    /// fails, no transaction is left.
    pub(crate) fn begin_with(
        &self,
        begin: &str,
        first: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> std::result::Result<Vec<Found>, Failure> {
        self.decides_alone.set(false);
        let client = &self.client;
        self.wait(async {
            let (begun, found) =
                tokio::join!(client.batch_execute(begin), client.query(first, values));
            begun?;
            match found {
                Ok(found) => Ok(found.into_iter().map(Found).collect()),
                Err(error) => {
                    // It fails as well where the connection is gone, and the transaction with it.
                    let _ = client.batch_execute("ROLLBACK").await;
                    Err(error.into())
                }
            }
        })
    }

    /// Begins a transaction that only reads by the next statement, in one exchange with the server.
    /// [`Self::end_reading`] ends it.
    pub(crate) fn begin_reading(&self, begin: &'static str) {
        self.begins_by.set(Some(begin));
        self.cursors.begin();
    }

    /// Ends a transaction that only reads, without waiting for the answer: it comes before that of
    /// the next statement.
    pub(crate) fn end_reading(&self) {
        self.cursors.end();
        if self.begins_by.take().is_some() || self.is_closed() {
            return;
        }
        let client = &self.client;
        // What fails here fails the next statement.
        let _ = self.wait(async {
            let mut ended = pin!(client.batch_execute("ROLLBACK"));
            poll_fn(|cx| {
                let _ = ended.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            // The task of the connection sends it.
            task::yield_now().await;
            Ok(())
        });
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self, begin: &str) -> std::result::Result<(), Failure> {
        self.decides_alone.set(false);
        self.batch(begin)
    }

    /// Makes durable what the transaction under way has written: as durable as the server promises.
    pub(crate) fn commit(&self) -> std::result::Result<(), Failure> {
        self.expect_replication();
        self.batch("COMMIT")?;
        self.replicated()
    }

    /// What the server says from now on about standbys is about the next commit.
    pub(crate) fn expect_replication(&self) {
        self.is_unreplicated.store(false, Ordering::Relaxed);
    }

    /// That the last commit did not give up waiting for a standby.
    pub(crate) fn replicated(&self) -> std::result::Result<(), Failure> {
        match self.is_unreplicated.swap(false, Ordering::Relaxed) {
            true => Err(Failure::NotReplicated),
            false => Ok(()),
        }
    }

    /// Takes the lock of all decisions, until the transaction under way has ended.
    pub(crate) fn decide_alone(&self) -> std::result::Result<(), Failure> {
        if !self.decides_alone.get() {
            let lock = self.prepare("SELECT pg_advisory_xact_lock(?1)")?;
            self.rows(&lock, &[&DECISIONS])?;
            self.decides_alone.set(true);
        }
        Ok(())
    }

    /// Runs a statement with values of the driver, and returns its rows.
    pub(crate) fn rows(
        &self,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> std::result::Result<Vec<Found>, Failure> {
        let (client, begin) = (&self.client, self.begins_by.take());
        self.wait(async {
            let rows = begun(client, begin, client.query(statement, values)).await?;
            Ok(rows.into_iter().map(Found).collect())
        })
    }

    /// Sends a statement with these numbers, whose answer [`Self::answer`] gives later: the server works
    /// meanwhile.
    pub(crate) fn send(
        &self,
        statement: &Statement,
        numbers: Vec<i64>,
    ) -> std::result::Result<Sent, Failure> {
        let (client, statement) = (Arc::clone(&self.client), statement.clone());
        self.wait(async {
            let sent = tokio::spawn(async move {
                let values: Vec<_> = numbers.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
                client.query(&statement, &values).await
            });
            // Both it and the task of the connection have to run for it to be sent.
            task::yield_now().await;
            task::yield_now().await;
            Ok(Sent(sent))
        })
    }

    /// Waits for the rows of a statement that was sent.
    pub(crate) fn answer(&self, sent: Sent) -> std::result::Result<Vec<Found>, Failure> {
        self.wait(async {
            match sent.0.await {
                Ok(rows) => Ok(rows?.into_iter().map(Found).collect()),
                Err(failed) => Err(Failure::Runtime(failed.into())),
            }
        })
    }

    /// Opens a cursor, another one of whose number may be open, and returns its first rows, in one
    /// exchange with the server.
    pub(super) fn open_cursor<P: Params>(
        &self,
        number: u32,
        is_declared: bool,
        declare: &Statement,
        params: &P,
        rows: usize,
    ) -> Result<Vec<Found>> {
        let given = given(params)?;
        let values: Vec<_> = given.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
        let (client, begin) = (&self.client, self.begins_by.take());
        let close = if is_declared { format!("CLOSE c{number}") } else { String::new() };
        let fetch = format!("FETCH {rows} FROM c{number}");
        let found = self.wait(begun(client, begin, async {
            let close =
                async { if is_declared { client.batch_execute(&close).await } else { Ok(()) } };
            let (closed, declared, found) = tokio::join!(
                close,
                client.execute(declare, &values),
                client.query_typed(&fetch, &[])
            );
            closed?;
            declared?;
            found
        }))?;
        Ok(found.into_iter().map(Found).collect())
    }

    /// At most so many further rows of a cursor.
    pub(super) fn fetch(&self, number: u32, rows: usize) -> Result<Vec<Found>> {
        let client = &self.client;
        let fetch = format!("FETCH {rows} FROM c{number}");
        let found = self.wait(async { Ok(client.query_typed(&fetch, &[]).await?) })?;
        Ok(found.into_iter().map(Found).collect())
    }

    /// Runs a statement, and returns how many rows it changed.
    pub(crate) fn execute<P: Params>(&self, statement: &Statement, params: &P) -> Result<usize> {
        let given = given(params)?;
        let values: Vec<_> = given.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
        let client = &self.client;
        let changed = self.wait(async { Ok(client.execute(statement, &values).await?) })?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// The rows that a statement finds.
    pub(crate) fn query<P: Params>(&self, statement: &Statement, params: &P) -> Result<FoundRows> {
        let given = given(params)?;
        let values: Vec<_> = given.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
        Ok(FoundRows { rows: self.rows(statement, &values)?, next: 0 })
    }

    fn wait<T: Send>(
        &self,
        work: impl Future<Output = std::result::Result<T, Failure>> + Send,
    ) -> std::result::Result<T, Failure> {
        let Some(runtime) = &self.runtime else { return Err(Failure::Silent(Duration::ZERO)) };
        wait(runtime, self.patience, work)
            .inspect_err(|failure| self.is_lost.set(self.is_lost.get() || failure.is_closed()))
    }
}

/// A statement that was sent, and not answered yet.
pub(crate) struct Sent(
    JoinHandle<std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>>,
);

/// Does `work` in one exchange with the server, after that begins a transaction if it is to.
async fn begun<T>(
    client: &tokio_postgres::Client,
    begin: Option<&'static str>,
    work: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
) -> std::result::Result<T, Failure> {
    let Some(begin) = begin else { return Ok(work.await?) };
    let (begun, outcome) = tokio::join!(client.batch_execute(begin), work);
    begun?;
    Ok(outcome?)
}

impl Drop for Client {
    fn drop(&mut self) {
        // A thread that drives another runtime cannot wait for the end of this one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits for `work`, at most `patience`.
fn wait<T: Send>(
    runtime: &Runtime,
    patience: Option<Duration>,
    work: impl Future<Output = std::result::Result<T, Failure>> + Send,
) -> std::result::Result<T, Failure> {
    let work = async {
        match patience {
            None => work.await,
            Some(patience) => match tokio::time::timeout(patience, work).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::Silent(patience)),
            },
        }
    };
    // A thread that drives a runtime cannot wait for another one. Where there are several threads,
    // another one goes on with what this one drives.
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => return runtime.block_on(work),
        Ok(RuntimeFlavor::MultiThread) => {
            return task::block_in_place(|| runtime.block_on(work));
        }
        Ok(_) => {}
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.block_on(work));
        waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A row that the server found.
pub(crate) struct Found(tokio_postgres::Row);

impl Found {
    /// The list of numbers that a column holds; empty for NULL.
    pub(crate) fn numbers(&self, column: usize) -> Result<Vec<i64>> {
        let numbers: Option<Vec<i64>> = self
            .0
            .try_get(column)
            .map_err(|error| Error::Column(column, Box::new(Failure::Driver(error))))?;
        Ok(numbers.unwrap_or_default())
    }

    /// Its size, as the server sent it.
    pub(super) fn bytes(&self) -> usize {
        self.0.raw_size_bytes()
    }

    /// What a column holds, as SQLite would give it.
    pub(crate) fn value(&self, column: usize) -> Result<Value> {
        let taken: Taken = self
            .0
            .try_get(column)
            .map_err(|error| Error::Column(column, Box::new(Failure::Driver(error))))?;
        Ok(taken.0)
    }
}

/// Rows that the server found.
pub(crate) struct FoundRows {
    rows: Vec<Found>,
    next: usize,
}

impl FoundRows {
    pub(crate) fn next(&mut self) -> Option<&Found> {
        let found = self.rows.get(self.next)?;
        self.next += 1;
        Some(found)
    }
}

/// What a column holds, as SQLite would give it.
struct Taken(Value);

impl<'a> FromSql<'a> for Taken {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(match *ty {
            Type::BOOL => Value::Integer(bool::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Integer(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(ty, raw)?),
            Type::TIMESTAMPTZ => {
                let micros = i64::from_sql(&Type::INT8, raw)?.saturating_add(EPOCH_MICROS);
                Value::Text(Timestamp::from_micros(micros).to_string())
            }
            // Texts of users, which may hold U+0000, are bytes for the server.
            Type::BYTEA => match std::str::from_utf8(raw) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => Value::Blob(raw.to_vec()),
            },
            Type::TEXT | Type::VARCHAR => Value::Text(with_nul(std::str::from_utf8(raw)?)),
            Type::NAME | Type::JSON | Type::UNKNOWN => {
                Value::Text(std::str::from_utf8(raw)?.to_owned())
            }
            _ => return Err(format!("{ty} is not read").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
