//! What is particular to PostgreSQL, on a real server; and the suite that every backend passes.

mod server;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// An empty database on a server of its own.
struct Place {
    state: TempDir,
    name: String,
}

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{number}_{}", std::process::id());
        Server::shared().create(&name);
        Self { state: tempfile::tempdir().unwrap(), name }
    }

    fn address(&self) -> Address {
        address(&self.name, self.state.path())
    }

    fn place(&self) -> StoreAddress {
        StoreAddress::Postgres(PostgresAddress(self.address()))
    }

    /// A connection past the repository.
    fn raw(&self) -> Client {
        let patience = Duration::from_secs(30);
        self.address().connect("SET search_path = wfx", patience, Some(patience)).unwrap()
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
        Writer::open(&self.place(), options)
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.place()).unwrap()
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
