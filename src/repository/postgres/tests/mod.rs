//! What is particular to PostgreSQL, on a real server; and the suite that every backend passes.

mod batch;
mod others;
mod reading;
mod retention;
mod server;
mod trouble;
mod versions;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use self::server::Server;
use super::address::Address;
use crate::repository::address::{PostgresAddress, StoreAddress};
use crate::repository::conformance::{Store, conformance};
use crate::repository::ownership::OwnerKind;
use crate::repository::ownership::id::OwnerId;
use crate::repository::sql::client::Client;
use crate::repository::{Reader, StoreError, Writer, WriterOptions};

conformance!(Place);

/// Databases that tests are done with.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Makes a database as if nothing had been stored in it: what tests stored goes, and numbers begin
/// anew. Triggers count nothing meanwhile.
const EMPTIED: &str = "
    SET session_replication_role = replica;
    DO $$
    DECLARE item text;
    BEGIN
      FOR item IN SELECT format('wfx.%I', relname) FROM pg_class
        WHERE relnamespace = 'wfx'::regnamespace AND relkind = 'r'
          AND relname <> 'workflow_settings'
      LOOP
        EXECUTE 'DELETE FROM ' || item;
      END LOOP;
      FOR item IN SELECT format('wfx.%I', relname) FROM pg_class
        WHERE relnamespace = 'wfx'::regnamespace AND relkind = 'S'
      LOOP
        EXECUTE 'ALTER SEQUENCE ' || item || ' RESTART';
      END LOOP;
      DELETE FROM wfx.workflow_settings WHERE name NOT IN ('schema_version', 'identity');
    END $$;";

/// An empty database, on a server that tests share.
struct Place {
    state: TempDir,
    name: String,
    /// Whether others may have it later.
    is_shared: bool,
}

impl Place {
    /// One that others are done with, or a new one.
    fn new() -> Self {
        let free = FREE.lock().unwrap().pop();
        let Some(name) = free else { return Self::made(true) };
        let place = Self { state: tempfile::tempdir().unwrap(), name, is_shared: true };
        place.raw().batch(EMPTIED).unwrap();
        place
    }

    /// One without the tables of wfx.
    fn fresh() -> Self {
        Self::made(false)
    }

    fn made(is_shared: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{number}_{}", std::process::id());
        Server::shared().create(&name);
        Self { state: tempfile::tempdir().unwrap(), name, is_shared }
    }

    fn address(&self) -> Address {
        address(&self.name, self.state.path())
    }

    fn place(&self) -> StoreAddress {
        StoreAddress::Postgres(PostgresAddress(Box::new(self.address())))
    }

    /// A connection past the repository.
    fn raw(&self) -> Client {
        let patience = Duration::from_secs(30);
        self.address().connect("SET search_path = wfx", patience, Some(patience)).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Who may still use it after a failure is unknown.
        if thread::panicking() || !self.is_shared {
            return;
        }
        let has_tables = "SELECT to_regclass('wfx.workflow_settings') IS NOT NULL";
        if Server::shared().sql(&self.name, has_tables).as_deref() == Some("t") {
            FREE.lock().unwrap().push(std::mem::take(&mut self.name));
        }
    }
}

fn address(name: &str, state: &Path) -> Address {
    Address::parse(&Server::shared().url(name), None, state).unwrap()
}

impl Store for Place {
    type Hold = Client;

    fn new() -> Self {
        Self::new()
    }

    fn open_with(&self, options: WriterOptions) -> Result<Writer, StoreError> {
        Writer::open(self.place(), options)
    }

    fn reader(&self) -> Reader {
        Reader::open(self.place()).unwrap()
    }

    fn hold(&self) -> Client {
        let holder = self.raw();
        holder.batch("BEGIN; LOCK TABLE workflow_executions, fence IN EXCLUSIVE MODE").unwrap();
        holder
    }

    fn dead_owner(&self, writer: &Writer, kind: OwnerKind, nonce: u32) -> String {
        let owner = writer.claim_owner(kind, nonce).unwrap();
        let mut id = OwnerId::parse(owner.id()).unwrap();
        // A process that started at another time had the same number.
        if let Some(proof) = &mut id.proof {
            proof.started_ticks += 1;
        }
        id.to_string()
    }
}
