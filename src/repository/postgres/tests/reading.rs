//! How a reader asks the server: in few exchanges, a piece at a time, and again where it has to.

use super::super::source::PostgresSource;
use super::server::Server;
use super::{Place, Store};
use crate::repository::conformance::{creation, head, store, store_change};
use crate::repository::sql::{Connection, OptionalExtension};
use crate::workflow::record::ExecutionStatus;

/// A query of so many numbers, each in a row of a thousand bytes.
const NUMBERS: &str = "SELECT n, repeat('x', 1000) FROM generate_series(1, ?1) AS n ORDER BY n";

#[test]
fn long_results_come_piece_by_piece_also_within_each_other() {
    let place = Place::new();
    place.open().close().unwrap();
    let source = PostgresSource::open(&place.address()).unwrap();
    for _ in 0..2 {
        let sum = source.read(|connection| {
            let mut outer = connection.prepare_long(NUMBERS)?;
            let mut rows = outer.query([5_000_i64])?;
            let mut sum = 0;
            while let Some(row) = rows.next()? {
                let number: i64 = row.get(0)?;
                // Others ask meanwhile, also for long results, of which they read a part.
                if number % 500 == 0 {
                    let mut inner = connection.prepare_long(NUMBERS)?;
                    for length in [40, 3_000] {
                        let mut rows = inner.query([length])?;
                        assert_eq!(rows.next()?.unwrap().get::<_, i64>(0)?, 1);
                    }
                    let all = inner.query_map([3_000_i64], |row| row.get::<_, i64>(0))?;
                    let all: Vec<i64> = all.collect::<Result<_, _>>()?;
                    assert!(all.len() == 3_000 && all.is_sorted());
                    let one = connection.prepare_cached("SELECT count(*) FROM fence")?.exists([])?;
                    assert!(one);
                }
                sum += number;
            }
            Ok(sum)
        });
        assert_eq!(sum.unwrap(), 5_000 * 5_001 / 2);
    }
}

#[test]
fn no_transaction_outlives_what_is_read_in_it() {
    let place = Place::new();
    let writer = place.open();
    let source = PostgresSource::open(&place.address()).unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'wfx'
           AND state LIKE 'idle in transaction%'";
    for answer in [Ok(1), Err(())] {
        let read = source.read(|connection| {
            let statement = match answer {
                Ok(_) => "SELECT CAST(1 AS BIGINT)",
                Err(()) => "SELECT CAST(1 / 0 AS BIGINT)",
            };
            connection.prepare_cached(statement)?.query_row([], |row| row.get::<_, i64>(0))
        });
        assert_eq!(read.map_err(|_| ()), answer);
        // Nobody waited for its end, but nobody has to ask for it either.
        crate::repository::conformance::until("no transaction is left", || {
            Server::shared().sql(&place.name, sessions).as_deref() == Some("0")
        });
    }
    writer.close().unwrap();
}

#[test]
fn a_reader_whose_connection_is_ended_reads_over_another_one() {
    let place = Place::new();
    let writer = place.open();
    store(&writer, "one", ExecutionStatus::Success, 1);
    let reader = place.reader();
    for round in 0..3 {
        assert!(reader.detail("one").unwrap().is_some());
        place
            .raw()
            .batch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .unwrap();
        assert!(reader.detail("one").unwrap().is_some(), "{round}");
    }
    // Also between two queries of one read.
    let source = PostgresSource::open(&place.address()).unwrap();
    let mut runs = 0;
    let found = source.read(|connection| {
        runs += 1;
        let count = |connection: Connection<'_>| {
            connection
                .prepare_cached("SELECT count(*) FROM workflow_executions")?
                .query_row([], |row| row.get::<_, i64>(0))
                .optional()
        };
        count(connection)?;
        if runs == 1 {
            connection
                .prepare_cached("SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS TEXT)")?
                .exists([])?;
        }
        count(connection)
    });
    assert_eq!((found.unwrap(), runs), (Some(1), 2));
    store_change(&writer, "two", creation(1, head(ExecutionStatus::Running, 0)));
    writer.close().unwrap();
}
