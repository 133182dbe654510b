//! What the tests share: a place of its own for each, and the real binary in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with a home, a database and documents, which nobody else uses.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("config.toml"), "").unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("wfx.db")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// wfx, with nothing of this process's environment but PATH.
    pub(crate) fn wfx<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wfx"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LANG", "C.UTF-8")
            .env("WFX_CONFIG", self.path("config.toml"))
            .env("WFX_DB", self.database())
            .stdin(Stdio::null());
        command
    }

    /// Runs wfx to its end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(&mut self.wfx(args))
    }

    /// Runs a workflow and gives its execution as JSON; `code` is how it is to end.
    pub(crate) fn exec(&self, document: &str, code: i32) -> Value {
        self.exec_with(document, &[], code)
    }

    pub(crate) fn exec_with(&self, document: &str, more: &[&str], code: i32) -> Value {
        let file = self.write("workflow.yaml", document);
        let mut command = self.wfx(["exec", "--format", "json"]);
        command.arg(file).args(more);
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        ran.json()
    }

    /// What `wfx show` knows of an execution.
    pub(crate) fn show(&self, id: &str) -> Value {
        let ran = self.run(["show", id, "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()
    }

    /// The executions as `wfx list` tells them.
    pub(crate) fn list(&self) -> Value {
        let ran = self.run(["list", "--limit", "1000", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()
    }

    /// The one value that a query gives, by SQLite itself and not by wfx.
    pub(crate) fn sql(&self, query: &str) -> String {
        // Whoever opens a database after a crash has it to himself for a moment.
        let output = Command::new("sqlite3")
            .args(["-cmd", ".timeout 20000"])
            .arg(self.database())
            .arg(query)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit code and that stderr tells each of these texts.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, told: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in told {
            assert!(self.stderr.contains(text), "no {text:?} in {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A wfx that runs, and what it tells line by line.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    told: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, told: String::new() }
    }

    /// Waits until a line of stderr has `text` in it.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            self.told += &line;
            if line.contains(text) {
                return;
            }
            assert!(read > 0, "no {text:?} came: {}", self.told);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Its end.
    pub(crate) fn end(mut self) -> Ran {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut rest).unwrap();
        let mut ran = Ran::from(self.child.wait_with_output().unwrap());
        ran.stderr = self.told + &rest;
        ran
    }
}

/// Waits until `condition` holds, which others bring about.
#[expect(clippy::disallowed_methods, reason = "a wait that must not last for ever")]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !condition() {
        let passed = begin.elapsed();
        assert!(passed < std::time::Duration::from_secs(60), "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Gives `input` to a command.
pub(crate) fn with_stdin(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

/// The steps of an execution by name.
pub(crate) fn steps(execution: &Value) -> BTreeMap<String, Value> {
    execution["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["name"].as_str().unwrap().to_owned(), step.clone()))
        .collect()
}

/// `name status` of each step, in `step_order`.
pub(crate) fn states(execution: &Value) -> Vec<String> {
    execution["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!("{} {}", step["name"].as_str().unwrap(), step["status"].as_str().unwrap())
        })
        .collect()
}

/// The processes whose environment has `variable`, such as `WFX_EXECUTION_ID=…`.
pub(crate) fn processes_with(variable: &str) -> Vec<u32> {
    processes_with_any(&[variable.to_owned()])
}

/// The processes whose environment has one of `variables`.
pub(crate) fn processes_with_any(variables: &[String]) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Processes of others, and those that end just now, cannot be read.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let wanted = |entry: &[u8]| variables.iter().any(|variable| entry == variable.as_bytes());
        if environment.split(|&b| b == 0).any(wanted) {
            found.push(pid);
        }
    }
    found
}

/// `wfx exec -v` of a document, once one of its steps has written `begun`.
pub(crate) fn start_exec(place: &Place, document: &str) -> Running {
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running
}

/// No process works for the newest execution any more.
#[track_caller]
pub(crate) fn nobody_is_left(place: &Place) {
    let id = place.sql("SELECT execution_id FROM workflow_executions ORDER BY seq DESC LIMIT 1");
    assert_eq!(processes_with(&format!("WFX_EXECUTION_ID={id}")), [] as [u32; 0]);
}
