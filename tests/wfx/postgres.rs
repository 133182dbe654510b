//! The commands and the daemon on a real server of PostgreSQL, which a test starts for itself.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::support::{Place, Ran, until};

/// The user that the server runs as where tests run as root, which it refuses: `nobody`.
const USER: u32 = 65_534;

/// A server with an empty database.
struct Server {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(USER), Some(USER)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, child: None };
        let mut init = server.program("initdb");
        init.args(["-D", "data", "-U", "wfx", "-A", "trust", "--no-sync", "-E", "UTF8"]);
        assert!(init.stdout(Stdio::null()).status().unwrap().success());
        server.begin();
        assert!(server.psql("postgres", "CREATE DATABASE runs").is_some());
        server
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs().join(name));
        command.current_dir(self.folder.path());
        if is_root() {
            command.uid(USER).gid(USER);
        }
        command
    }

    fn begin(&mut self) {
        let mut command = self.program("postgres");
        let port = self.port.to_string();
        command.args(["-D", "data", "-p", &port, "-c", "listen_addresses=127.0.0.1", "-k"]);
        command.arg(self.folder.path()).stderr(Stdio::null()).stdin(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        until("the port is open", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        until("PostgreSQL is ready", || self.psql("postgres", "SELECT 1").is_some());
    }

    /// Ends it as a crash does.
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // Its other processes notice that, and end.
        let pid = self.folder.path().join("data/postmaster.pid");
        until("nothing of it is left", || {
            self.psql("postgres", "SELECT 1").is_none() && fs::remove_file(&pid).is_ok()
        });
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://wfx@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// What psql prints; `None` where the statement fails.
    fn psql(&self, database: &str, sql: &str) -> Option<String> {
        let mut psql = self.program("psql");
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let output = psql.arg(self.url(database)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim_end().to_owned())
    }

    fn sql(&self, sql: &str) -> String {
        self.psql("runs", sql).unwrap()
    }

    /// wfx with this database.
    fn wfx(&self, place: &Place, args: &[&str]) -> Command {
        let mut command = place.wfx(args);
        command.env("WFX_STORE", self.url("runs"));
        command
    }

    #[track_caller]
    fn run(&self, place: &Place, args: &[&str], code: i32) -> Ran {
        let ran = Ran::of(&mut self.wfx(place, args));
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        ran
    }

    fn serve(&self, place: &Place) -> Daemon {
        let args = ["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"];
        Daemon::of(&mut self.wfx(place, &args))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            let _ = child.wait();
        }
    }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The folder of the newest release that is installed.
fn programs() -> PathBuf {
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

#[test]
fn commands_work_with_a_database_on_a_server() {
    let server = Server::start();
    let place = Place::new();
    let list = server.run(&place, &["list"], 3);
    assert!(list.stderr.contains("nothing was stored"), "{list:?}");
    let document = "id: w\nsteps:\n- {name: a, run: 'echo printed; echo n=1 >> $WFX_OUTPUT'}\n- {name: b, \
                    depends_on: [a], run: 'test -e there'}\n";
    place.write("w.yaml", document);
    server.run(&place, &["exec", "w.yaml"], 1);
    place.write("there", "");
    server.run(&place, &["retry", "@latest"], 0);
    let shown = server.run(&place, &["show", "@2", "--format", "json"], 0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["execution"]["status"], "success");
    assert_eq!(shown["steps"][0]["reused_from_seq"], 1);
    assert_eq!(server.run(&place, &["logs", "@1", "a"], 0).stdout, "printed\n");
    server.run(&place, &["doctor"], 0);
    assert_eq!(server.run(&place, &["list", "--format", "jsonl"], 0).stdout.lines().count(), 2);
    // For people, under the names of the tables.
    let rows = "SELECT seq, status, error FROM public.workflow_executions ORDER BY seq";
    assert_eq!(server.sql(rows), "1|failed|step `b` failed: exit code 1\n2|success|");
    server.run(&place, &["purge", "--all"], 0);
    assert_eq!(server.sql("SELECT count(*) FROM wfx.workflow_execution_steps"), "0");
    assert_eq!(
        server.sql("SELECT coalesce(sum(executions), 0) FROM wfx.workflow_execution_counts"),
        "0"
    );
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let server = Server::start();
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a}]\n");
    let refused = |url: &str, code: i32, words: &str| {
        let ran = place.run(["exec", "w.yaml", "--store", url]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("secret"), "{words}: {ran:?}");
    };
    let port = server.port;
    refused(&format!("postgres://wfx:secret@127.0.0.1:{port}/none?sslmode=disable"), 3, "createdb");
    refused("postgres://wfx:secret@127.0.0.1:1/runs?sslmode=disable", 3, "Connection refused");
    refused("postgres://wfx:secret@/runs", 2, "names no host");
    refused("mysql://wfx:secret@h/runs", 2, "postgres://user@host/database");
    refused("@no-such-file", 3, "no-such-file");
    assert!(
        server
            .psql(
                "postgres",
                "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
            )
            .is_some()
    );
    refused(&server.url("latin"), 3, "LATIN1");
    assert!(server.psql("postgres", "CREATE DATABASE other").is_some());
    assert!(server.psql("other", "CREATE SCHEMA wfx").is_some());
    refused(&server.url("other"), 3, "did not make");
    assert!(server.psql("postgres", "CREATE ROLE guest LOGIN").is_some());
    let guest = format!("postgres://guest@127.0.0.1:{port}/runs?sslmode=disable");
    refused(&guest, 3, "give the role the right");
    server.run(&place, &["exec", "w.yaml"], 0);
    server.sql("UPDATE wfx.workflow_settings SET value = '99' WHERE name = 'schema_version'");
    refused(&server.url("runs"), 3, "a newer wfx");
    // Of two flags none is preferred.
    let both = place.run(["list", "--store", &server.url("runs"), "--db", "x.db"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_daemon_goes_on_after_a_crash_of_itself_or_of_the_server() {
    let mut server = Server::start();
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    place.write(
        "workflows/w.yaml",
        "steps:\n- {name: a, run: 'until test -e go; do sleep 0.02; done', retry: {max_attempts: 3}}\n\
         - {name: b, depends_on: [a]}\n",
    );
    place.write("workflows/quick.yaml", "steps: [{name: a, run: 'true'}]\n");
    let daemon = server.serve(&place);
    let started = daemon.post("/api/v1/workflows/w/execute", "").expect(200);
    assert_eq!(started["persisted"], true, "{started}");
    daemon.signal("KILL");
    daemon.end();
    // The next one ends what is left of the step, and goes on.
    let daemon = server.serve(&place);
    let running = "SELECT count(*) FROM wfx.workflow_executions WHERE status = 'running'";
    until("it goes on", || {
        server.sql("SELECT max(attempt) FROM wfx.workflow_execution_steps") == "2"
    });
    server.kill();
    // What is started meanwhile runs, and is stored once the server is back.
    let unstored = daemon.post("/api/v1/workflows/quick/execute", "").expect(200);
    assert_eq!(unstored["persisted"], false, "{unstored}");
    place.write("go", "");
    server.begin();
    until("all is stored", || {
        server.sql(running) == "0"
            && server.sql("SELECT count(*) FROM wfx.workflow_executions WHERE status = 'success'")
                == "2"
    });
    let listed = "SELECT coalesce(sum(executions), 0) FROM wfx.workflow_execution_counts";
    assert_eq!(server.sql(listed), "2");
    daemon.stop();
}
