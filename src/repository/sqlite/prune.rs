//! Gives pages back to the file system.

use rusqlite::Connection;

/// Free pages (1 MiB) that are worth moving others for.
const FREE_PAGES_WORTH: i64 = 256;
/// Pages given back in one transaction.
const PAGES_PER_TRANSACTION: u32 = 1024;

/// Numbers the finished executions by the times at which they completed, where a database had
/// no numbers.
pub(crate) fn number_completions(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "UPDATE workflow_executions SET completion_number = numbered.number
         FROM (SELECT seq, row_number() OVER (ORDER BY completed_at, seq) AS number
               FROM workflow_executions WHERE completed_at IS NOT NULL) AS numbered
         WHERE numbered.seq = workflow_executions.seq",
    )
}

/// Whether so many pages are free that they should be given back: many, and not just
/// those that the next executions will fill.
pub(crate) fn is_worth_giving_back(connection: &Connection) -> rusqlite::Result<bool> {
    let free = pages(connection, "freelist_count")?;
    Ok(free >= FREE_PAGES_WORTH && free >= pages(connection, "page_count")? / 8)
}

/// Gives some free pages back; `false` when none are left.
pub(crate) fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    if pages(connection, "freelist_count")? == 0 {
        return Ok(false);
    }
    // A row for each page; who takes only the first gives one page back.
    let pragma = format!("PRAGMA incremental_vacuum({PAGES_PER_TRANSACTION})");
    let mut statement = connection.prepare_cached(&pragma)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(pages(connection, "freelist_count")? > 0)
}

/// The size of the database in bytes, once its log is copied into it.
pub(crate) fn size_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let bytes = pages(connection, "page_count")? * pages(connection, "page_size")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// How many pages are free.
pub(crate) fn free_pages(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(u64::try_from(pages(connection, "freelist_count")?).unwrap_or(0))
}

/// The size of a page, bytes.
pub(crate) fn page_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(u64::try_from(pages(connection, "page_size")?).unwrap_or(0))
}

fn pages(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_given_back_many_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("pages.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA auto_vacuum = INCREMENTAL;
                 CREATE TABLE t (x);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
                 INSERT INTO t SELECT zeroblob(4000) FROM n;
                 DELETE FROM t;",
            )
            .unwrap();
        let before = free_pages(&connection).unwrap();
        assert!(give_back(&connection).unwrap());
        let given = before - free_pages(&connection).unwrap();
        assert_eq!(given, u64::from(PAGES_PER_TRANSACTION));
        assert!(!give_back(&connection).unwrap());
    }
}
