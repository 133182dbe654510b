//! A server of PostgreSQL that a test starts for itself.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::support::{Place, Ran, until};

/// The user that the server runs as where tests run as root, which it refuses: `nobody`.
const USER: u32 = 65_534;

/// A server with an empty database named `runs`, and a role named `wfx` that may do everything.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    /// What keeps the namespace of a small file system.
    space: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same with further lines of `postgresql.conf`.
    pub(crate) fn start_with(settings: &str) -> Self {
        let mut server = Self::empty();
        server.init("trust");
        server.configure(settings);
        server.begin();
        server.make_database();
        server
    }

    /// A folder for one, and a port.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(USER), Some(USER)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder, port, child: None, space: None }
    }

    /// Makes its data; `auth` is how those have to identify themselves who come over TCP.
    pub(crate) fn init(&self, auth: &str) {
        let mut init = self.program("initdb");
        init.args(["-D", "data", "-U", "wfx", "--auth-local", "trust", "--auth-host", auth]);
        init.args(["--no-sync", "-E", "UTF8"]);
        if auth != "trust" {
            fs::write(self.path("password"), "secret").unwrap();
            init.args(["--pwfile", "password"]);
        }
        assert!(init.stdout(Stdio::null()).status().unwrap().success());
    }

    pub(crate) fn make_database(&self) {
        assert!(self.psql("postgres", "CREATE DATABASE runs").is_some());
    }

    /// Adds lines to `postgresql.conf`, which count from the next start on, or after a reload.
    pub(crate) fn configure(&self, settings: &str) {
        let path = self.path("data/postgresql.conf");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n{settings}\n")).unwrap();
    }

    /// A file or folder beside its data.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a file or folder its own.
    pub(crate) fn own(&self, name: &str) {
        if is_root() {
            chown(self.path(name), Some(USER), Some(USER)).unwrap();
        }
    }

    /// A program of PostgreSQL, run as the user that the server runs as.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs().join(name));
        command.current_dir(self.folder.path()).env("LC_ALL", "C.UTF-8");
        if is_root() {
            command.uid(USER).gid(USER);
        }
        command
    }

    pub(crate) fn begin(&mut self) {
        self.spawn();
        until("PostgreSQL is ready", || self.psql("postgres", "SELECT 1").is_some());
    }

    fn spawn(&mut self) {
        let mut command = self.program("postgres");
        let port = self.port.to_string();
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.args(["-D", "data", "-p", &port, "-c", "listen_addresses=127.0.0.1", "-k"]);
        command.arg(self.folder.path()).stderr(log).stdin(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    /// Makes its data on a file system of so many bytes, in a namespace of its own, and begins.
    pub(crate) fn begin_in_small_space(&mut self, size: &str) {
        let script = format!(
            "mkdir small && mount -t tmpfs -o size={size},uid={USER},gid={USER} none small &&
             {run} {bin}/initdb -D small/data -U wfx -A trust --no-sync -E UTF8 --wal-segsize=1 >init.log &&
             echo max_wal_size=4MB >> small/data/postgresql.conf &&
             echo min_wal_size=2MB >> small/data/postgresql.conf &&
             touch made && exec sleep 100000",
            run = format_args!("setpriv --reuid={USER} --regid={USER} --clear-groups"),
            bin = programs().display(),
        );
        let mut shell = Command::new("unshare");
        shell.args(["-m", "sh", "-c", &script]).current_dir(self.folder.path());
        self.space = Some(shell.stdin(Stdio::null()).spawn().unwrap());
        until("the data is made", || self.path("made").exists());
        self.revive_in_small_space();
    }

    /// Begins it if it has ended, and waits until it is ready.
    pub(crate) fn revive_in_small_space(&mut self) {
        until("PostgreSQL is ready", || {
            let has_ended =
                self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            if has_ended {
                let script = format!(
                    "rm -f small/data/postmaster.pid; exec setpriv --reuid={USER} --regid={USER} \
                     --clear-groups {}/postgres -D small/data -p {} -c listen_addresses=127.0.0.1 -k {} \
                     2>>log",
                    programs().display(),
                    self.port,
                    self.folder.path().display()
                );
                self.child = Some(self.small_space(&script).spawn().unwrap());
            }
            self.psql("postgres", "SELECT 1").is_some()
        });
    }

    /// Runs a script where the small file system is.
    pub(crate) fn in_small_space(&self, script: &str) {
        // What fills it fails in the end.
        let _ = self.small_space(script).stderr(Stdio::null()).status().unwrap();
    }

    fn small_space(&self, script: &str) -> Command {
        let pid = self.space.as_ref().unwrap().id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid, "-m", "sh", "-c"]);
        command.arg(format!("cd {} && {script}", self.folder.path().display()));
        command.stdin(Stdio::null());
        command
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        let others = children(self.pid());
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // Its other processes notice that, and end.
        until("nothing of it is left", || {
            others.iter().all(|pid| test_kill_process(*pid).is_err())
        });
        fs::remove_file(self.path("data/postmaster.pid")).unwrap();
    }

    /// Asks it to end: INT is `pg_ctl stop -m fast`, QUIT `-m immediate`.
    pub(crate) fn stop(&mut self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
        self.child.take().unwrap().wait().unwrap();
    }

    /// Sends a signal to all of its processes.
    pub(crate) fn signal_all(&self, signal: Signal) {
        let postmaster = self.pid();
        // First those that would begin others, and last wake them.
        let mut all = vec![postmaster];
        all.extend(children(postmaster));
        for pid in all {
            let _ = kill_process(pid, signal);
        }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        Self::url_at(self.port, database)
    }

    /// The URL of a database at another port, such as that of a proxy.
    pub(crate) fn url_at(port: u16, database: &str) -> String {
        format!("postgres://wfx@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// What psql prints; `None` where the statement fails.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Option<String> {
        let output = self.psql_command(database, sql).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim_end().to_owned())
    }

    /// psql over the socket of the server, where nobody has to identify himself.
    pub(crate) fn psql_command(&self, database: &str, sql: &str) -> Command {
        let mut psql = self.program("psql");
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "wfx", "-h"]);
        psql.arg(self.folder.path()).args(["-p", &self.port.to_string(), "-d", database]);
        psql.args(["-c", sql]);
        psql
    }

    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.psql("runs", sql).unwrap_or_else(|| panic!("fails: {sql}"))
    }

    /// wfx with this database.
    pub(crate) fn wfx(&self, place: &Place, args: &[&str]) -> Command {
        Self::wfx_at(&self.url("runs"), place, args)
    }

    /// wfx with a database.
    pub(crate) fn wfx_at(url: &str, place: &Place, args: &[&str]) -> Command {
        let mut command = place.wfx(args);
        // Tests count what they stored.
        command.env("WFX_STORE", url).env("WORKFLOW_EXECUTION_RETENTION", "0");
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, place: &Place, args: &[&str], code: i32) -> Ran {
        let ran = Ran::of(&mut self.wfx(place, args));
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        ran
    }

    pub(crate) fn serve(&self, place: &Place) -> Daemon {
        Self::serve_at(&self.url("runs"), place)
    }

    pub(crate) fn serve_at(url: &str, place: &Place) -> Daemon {
        let args = ["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"];
        Daemon::of(&mut Self::wfx_at(url, place, &args))
    }

    /// A standby that replicates this server, under a name. It has begun when this returns.
    pub(crate) fn standby(&self, name: &str) -> Self {
        let mut standby = Self::empty();
        let mut copy = standby.program("pg_basebackup");
        copy.args(["-D", "data", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d"]);
        copy.arg(format!("host=127.0.0.1 port={} user=wfx application_name={name}", self.port));
        assert!(copy.status().unwrap().success());
        standby.begin();
        standby
    }

    /// Makes a standby a primary.
    pub(crate) fn promote(&self) {
        assert_eq!(self.psql("postgres", "SELECT pg_promote()").as_deref(), Some("t"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Of a test that failed.
            self.child = None;
            let pid = Pid::from_child(&child);
            for pid in children(pid) {
                let _ = kill_process(pid, Signal::CONT);
            }
            let _ = kill_process(pid, Signal::CONT);
            let _ = kill_process(pid, Signal::QUIT);
            let _ = child.wait();
        }
        if let Some(mut space) = self.space.take() {
            let _ = space.kill();
            let _ = space.wait();
        }
    }
}

/// The processes that a process has begun.
fn children(of: Pid) -> Vec<Pid> {
    let path = format!("/proc/{pid}/task/{pid}/children", pid = of.as_raw_nonzero());
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

pub(crate) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The folder of the newest release that is installed, or that of `WFX_POSTGRES_BIN`.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("WFX_POSTGRES_BIN") {
        return folder.into();
    }
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(Path::new("/usr/lib/postgresql"))
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
    found.pop().unwrap_or_else(|| panic!("PostgreSQL is installed by tests/run")).1
}
