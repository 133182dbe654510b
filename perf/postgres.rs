//! PostgreSQL as the store, against the same rows by tokio-postgres alone on the same server, which is
//! started for the measurement and syncs its commits.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Statement};
use wfx::parts::repository::{StoreAddress, Writer};

use crate::engine::{IN_FLIGHT, RETENTION, STORED, options, run};
use crate::measure::{Failure, Figure, PAIRS, Pairs, Target, alternate, median};
use crate::serve::{Server, WFX_START};
use crate::{Measured, client, store};

/// Executions of one measurement.
const EXECUTIONS: usize = 20_000;
/// Requests of one measurement with one client.
const REQUESTS: usize = 1_000;
/// The user of the server where benchmarks run as root, which it refuses: `nobody`.
const USER: u32 = 65_534;

const MAKE: &str = "WITH made AS (
       INSERT INTO wfx.workflow_executions (execution_id, workflow_id, status, created_at, started_at,
         completed_at, updated_at, steps_completed, total_steps, step_order, input_snapshot,
         completion_number)
       SELECT id, workflow_id, 'success', now(), now(), now(), now(), 3, 3, step_order::json,
         snapshot::json,
         nextval('wfx.completions')
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
         AS new (id, workflow_id, step_order, snapshot)
       RETURNING seq)
     INSERT INTO wfx.workflow_execution_steps (seq, position, step_name, status, started_at,
         completed_at, duration_ms, attempt, depends_on)
     SELECT seq, position, name, 'success', now(), now(), 0, 1, depends_on
     FROM made CROSS JOIN (VALUES (0, 'first', json '[]'), (1, 'second', json '[\"first\"]'),
       (2, 'third', json '[\"second\"]')) AS step (position, name, depends_on)";
/// The newest ones, as a list shows them.
const LIST: &str = "SELECT seq, execution_id, workflow_id, status, created_at, started_at,
       completed_at, updated_at, steps_completed, total_steps, step_order, replay_of, error, owner,
       outcome, pinned_at, pinned_by, pin_reason, trigger_kind, trigger_by, schedule, scheduled_at,
       cancel_requested_by, steps_failed, steps_skipped, concurrency_group, trigger_address
     FROM wfx.workflow_executions ORDER BY seq DESC LIMIT 20";

/// A server of PostgreSQL that ends with it.
struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Postgres {
    /// As Debian sets it up, but for the size of its log between two checkpoints, so that these come as
    /// seldom as in a site that writes much.
    fn start() -> Result<Self, Failure> {
        let programs = programs()?;
        let folder = store::folder()?;
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        if is_root {
            chown(folder.path(), Some(USER), Some(USER))?;
        }
        let as_user = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            if is_root {
                command.uid(USER).gid(USER);
            }
            command
        };
        let data = folder.path().join("data");
        let made = as_user("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "wfx", "-A", "trust", "-E", "UTF8"])
            .status()?;
        if !made.success() {
            return Err("initdb failed".into());
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = as_user("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "max_wal_size=4GB", "-c", "unix_socket_directories="])
            .spawn()?;
        let server = Self { folder, port, child };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err()
            || Bare::connect(&server.url("postgres")).is_err()
        {
            if begin.elapsed() > Duration::from_secs(60) {
                return Err("PostgreSQL does not start".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://wfx@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    fn address(&self, database: &str) -> Result<StoreAddress, Failure> {
        Ok(StoreAddress::postgres(&self.url(database), None, &self.folder.path().join("state"))?)
    }

    /// A database as wfx makes it, nothing in it.
    fn empty(&self, database: &str) -> Result<StoreAddress, Failure> {
        Bare::connect(&self.url("postgres"))?.batch(&format!("CREATE DATABASE {database}"))?;
        let address = self.address(database)?;
        Writer::open(&address, options(None))?.close()?;
        Ok(address)
    }

    /// One with so many finished executions.
    fn filled(&self, database: &str, count: usize) -> Result<StoreAddress, Failure> {
        let address = self.empty(database)?;
        let bare = Bare::connect(&self.url(database))?;
        bare.batch("SET synchronous_commit = off")?;
        bare.insert(&bare.call()?, count, 1_000)?;
        bare.batch("VACUUM ANALYZE")?;
        Ok(address)
    }
}

/// The folder of the newest release that is installed.
fn programs() -> Result<PathBuf, Failure> {
    let releases =
        fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL is not installed")?;
    let mut found: Vec<(u32, PathBuf)> = releases
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path).ok_or_else(|| "PostgreSQL is not installed".into())
}

/// A connection of tokio-postgres, and nothing else.
struct Bare {
    runtime: Runtime,
    client: tokio_postgres::Client,
    snapshot: String,
}

impl Bare {
    fn connect(url: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        })?;
        Ok(Self { runtime, client, snapshot: crate::snapshot::text() })
    }

    fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.runtime.block_on(self.client.batch_execute(sql))?)
    }

    /// The call that stores executions.
    fn call(&self) -> Result<Statement, Failure> {
        Ok(self.runtime.block_on(self.client.prepare(MAKE))?)
    }

    /// Stores `count` finished executions of three steps, `group` of them in each transaction.
    fn insert(&self, make: &Statement, count: usize, group: usize) -> Result<(), Failure> {
        for size in groups(count, group) {
            let rows = Rows::new(size, &self.snapshot);
            self.runtime.block_on(self.client.execute(make, &rows.values()))?;
        }
        Ok(())
    }
}

/// How many executions each group has.
fn groups(count: usize, group: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(group).map(move |first| group.min(count - first))
}

/// The parameters of a group of executions.
struct Rows {
    ids: Vec<String>,
    workflows: Vec<&'static str>,
    orders: Vec<&'static str>,
    snapshots: Vec<String>,
}

impl Rows {
    fn new(size: usize, snapshot: &str) -> Self {
        Self {
            ids: (0..size).map(|_| uuid::Uuid::now_v7().to_string()).collect(),
            workflows: vec!["bench"; size],
            orders: vec![r#"["first","second","third"]"#; size],
            snapshots: vec![snapshot.to_owned(); size],
        }
    }

    fn values(&self) -> [&(dyn ToSql + Sync); 4] {
        [&self.ids, &self.workflows, &self.orders, &self.snapshots]
    }
}

/// Against tokio-postgres alone, groups of as many as are in flight: the same rows, without a fence,
/// checks and an engine. An execution of empty steps has ended by the time that its start is stored, so
/// that wfx stores it once as well.
pub(crate) fn throughput() -> Measured {
    let server = Postgres::start()?;
    let ours = server.empty("ours")?;
    server.empty("bare")?;
    let bare = Bare::connect(&server.url("bare"))?;
    let call = bare.call()?;
    let limit = || {
        let begin = Instant::now();
        bare.insert(&call, EXECUTIONS, IN_FLIGHT)?;
        Ok(EXECUTIONS as f64 / begin.elapsed().as_secs_f64())
    };
    run(&ours, None, EXECUTIONS)?;
    limit()?;
    let pairs = alternate(|| run(&ours, None, EXECUTIONS), limit)?;
    Ok(Figure {
        name: "postgres: 3 empty steps, 64 in flight, against tokio-postgres that stores the same rows \
               by UNNEST",
        lines: pairs.lines("engine and repository", "tokio-postgres alone", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.60),
    })
}

/// With a million stored executions against none.
pub(crate) fn with_a_million_stored() -> Measured {
    let server = Postgres::start()?;
    let (full, empty) = (server.filled("filled", STORED)?, server.empty("empty")?);
    run(&full, None, EXECUTIONS)?;
    run(&empty, None, EXECUTIONS)?;
    let pairs = alternate(|| run(&full, None, EXECUTIONS), || run(&empty, None, EXECUTIONS))?;
    Ok(Figure {
        name: "postgres-stored: throughput with 1,000,000 stored against an empty database",
        lines: pairs.lines("1,000,000 stored", "empty at first", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.85),
    })
}

/// With retention, each execution pruning an older one, against none.
pub(crate) fn with_retention() -> Measured {
    let server = Postgres::start()?;
    let (on, off) = (server.filled("pruned", RETENTION)?, server.filled("unpruned", RETENTION)?);
    let keep = u64::try_from(RETENTION).ok();
    run(&on, keep, EXECUTIONS)?;
    run(&off, None, EXECUTIONS)?;
    let pairs = alternate(|| run(&on, keep, EXECUTIONS), || run(&off, None, EXECUTIONS))?;
    Ok(Figure {
        name: "postgres-retention: throughput with retention at its limit against retention off",
        lines: pairs.lines("on, 10,000 kept", "off", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.85),
    })
}

/// `wfx serve` on a database of the server.
fn serve(server: &Postgres, folder: &Path, database: &str) -> Result<Server, Failure> {
    let store = server.url(database);
    let address = [OsStr::new("--store"), OsStr::new(&store)];
    Server::wfx_with(folder, address.into_iter())
}

/// A start that is waited for, one client, against the call it needs, made bare between its requests.
pub(crate) fn wait() -> Measured {
    let server = Postgres::start()?;
    let folder = store::folder()?;
    server.empty("ours")?;
    server.empty("bare")?;
    let ours = serve(&server, folder.path(), "ours")?;
    let bare = Bare::connect(&server.url("bare"))?;
    let call = bare.call()?;
    let request = client::post(&format!("{WFX_START}?wait=10s"));
    let mut client = client::Single::connect(ours.address)?;
    let mut pairs = Pairs { ours: Vec::new(), other: Vec::new() };
    for _ in 0..PAIRS {
        let (mut waits, mut commits) = (Vec::new(), Vec::new());
        for _ in 0..REQUESTS {
            waits.push(client.ask(&request)?);
            let begin = Instant::now();
            bare.insert(&call, 1, 1)?;
            commits.push(begin.elapsed().as_secs_f64());
        }
        pairs.ours.push(median(&waits) * 1e3);
        pairs.other.push(median(&commits) * 1e3);
    }
    Ok(Figure {
        name: "postgres-wait: p50 of start-and-wait of 3 empty steps, one client, against the synced \
               call it needs, made between its requests",
        lines: pairs.lines("?wait", "call", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}

/// A list of 20 of a million, against its query made bare between the requests.
pub(crate) fn list() -> Measured {
    let server = Postgres::start()?;
    let folder = store::folder()?;
    server.filled("filled", STORED)?;
    let ours = serve(&server, folder.path(), "filled")?;
    let bare = Bare::connect(&server.url("filled"))?;
    let query = bare.runtime.block_on(bare.client.prepare(LIST))?;
    let request = client::get("/api/v1/workflows/executions?limit=20");
    let mut client = client::Single::connect(ours.address)?;
    let mut pairs = Pairs { ours: Vec::new(), other: Vec::new() };
    for _ in 0..PAIRS {
        let (mut lists, mut queries) = (Vec::new(), Vec::new());
        for _ in 0..REQUESTS {
            lists.push(client.ask(&request)?);
            let begin = Instant::now();
            let rows = bare.runtime.block_on(bare.client.query(&query, &[]))?;
            queries.push(begin.elapsed().as_secs_f64());
            if rows.len() != 20 {
                return Err("not 20 rows".into());
            }
        }
        pairs.ours.push(median(&lists) * 1e3);
        pairs.other.push(median(&queries) * 1e3);
    }
    Ok(Figure {
        name: "postgres-list: p50 of a list of 20 of 1,000,000 through HTTP, against its query made bare",
        lines: pairs.lines("list", "query", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}
