//! A server of PostgreSQL that tests start for themselves.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use crate::repository::conformance::until;

/// The user that the server runs as where tests run as root, which it refuses: `nobody`.
const USER: u32 = 65_534;

/// A server that ends with this process, whose tests share it.
pub(super) struct Server {
    port: u16,
    programs: PathBuf,
    /// Closed when this process ends, however it does; then the server ends as well.
    _alive: Mutex<Child>,
}

impl Server {
    pub(super) fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap().keep();
        let is_root = rustix::process::getuid().is_root();
        if is_root {
            chown(&folder, Some(USER), Some(USER)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = format!(
            "cd {folder} &&
             {programs}/initdb -D data -U wfx -A trust --no-sync -E UTF8 >init.log 2>&1 &&
             {{ {programs}/postgres -D data -p {port} -k {folder} -c listen_addresses=127.0.0.1 \
                  -c fsync=off -c max_connections=200 >log 2>&1 & }} &&
             server=$! && read -r _; kill -INT $server; wait $server; rm -rf {folder}",
            folder = folder.display(),
            programs = programs.display(),
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::piped()).process_group(0);
        if is_root {
            shell.uid(USER).gid(USER);
        }
        let alive = shell.spawn().unwrap();
        until("PostgreSQL answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let server = Self { port, programs, _alive: Mutex::new(alive) };
        until("PostgreSQL is ready", || server.sql("postgres", "SELECT 1").is_some());
        server
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://wfx@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    pub(super) fn create(&self, database: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {database}")).unwrap();
    }

    /// What psql prints for a statement; `None` where it fails.
    pub(super) fn sql(&self, database: &str, sql: &str) -> Option<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
            &self.url(database),
        ]);
        let output = psql.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim_end().to_owned())
    }
}

/// The folder of the newest release that is installed, or that of `WFX_POSTGRES_BIN`.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("WFX_POSTGRES_BIN") {
        return folder.into();
    }
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    found.sort();
    let (_, path) = found.pop().expect("PostgreSQL is installed by tests/run");
    path
}
