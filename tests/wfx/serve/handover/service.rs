//! A daemon and its successors as one service, and clients of it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::EXECUTIONS;
use crate::daemon::{Answer, exchange};
use crate::support::{Place, processes_with, until};

/// Set for all processes of a service.
const FAMILY: &str = "TEST_FAMILY";

/// The processes of one service. They are all killed when this is dropped.
pub(in crate::serve) struct Service {
    /// The first of them.
    pub(in crate::serve) first: Child,
    /// The one that serves.
    pub(in crate::serve) pid: u32,
    pub(in crate::serve) address: SocketAddr,
    pub(in crate::serve) token: Option<String>,
    log: PathBuf,
    family: String,
    /// How many have begun to serve so far.
    served: usize,
}

impl Service {
    pub(in crate::serve) fn start(place: &Place, more: &[&str]) -> Self {
        Self::of_program(place, Path::new(env!("CARGO_BIN_EXE_wfx")), more)
    }

    /// wfx, started from this path.
    pub(in crate::serve) fn of_program(place: &Place, program: &Path, more: &[&str]) -> Self {
        let wfx = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
        let mut command = Command::new(program);
        command.args(wfx.get_args()).args(more).env_clear().current_dir(place.path(""));
        command.envs(wfx.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::of(command.stdin(Stdio::null()), place)
    }

    pub(in crate::serve) fn of(command: &mut Command, place: &Place) -> Self {
        let log = place.path("log");
        let file = File::options().append(true).create(true).open(&log).unwrap();
        // The log of a service before this one.
        let served = processes(&fs::read_to_string(&log).unwrap()).len();
        let family = place.path("").display().to_string();
        let first = command
            .env(FAMILY, &family)
            .stdout(Stdio::null())
            .stderr(Stdio::from(file))
            .spawn()
            .unwrap();
        let pid = first.id();
        let address = SocketAddr::from(([0; 4], 0));
        let mut service = Self { first, pid, address, token: None, log, family, served };
        service.wait_for_next();
        service.address = service.addresses()[0];
        service
    }

    /// The whole log of all processes.
    pub(in crate::serve) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    pub(in crate::serve) fn wait_for_log(&self, text: &str) {
        until(text, || self.log().contains(text));
    }

    /// Waits until the next process serves.
    pub(in crate::serve) fn wait_for_next(&mut self) {
        until("one more serves", || self.processes().len() > self.served);
        // On a busy machine the one after it may serve already.
        self.pid = self.processes()[self.served];
        self.served += 1;
    }

    /// Those that have begun to serve, in that order.
    pub(in crate::serve) fn processes(&self) -> Vec<u32> {
        processes(&self.log())
    }

    /// The TCP addresses of the process that serves.
    pub(in crate::serve) fn addresses(&self) -> Vec<SocketAddr> {
        let serving = serving(&self.log()).into_iter().filter(|(pid, _)| *pid == self.pid);
        serving.filter_map(|(_, address)| address.parse().ok()).collect()
    }

    pub(in crate::serve) fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    /// Hands over to the next process.
    pub(in crate::serve) fn reload(&mut self) {
        self.signal("USR2");
        self.wait_for_next();
    }

    /// All processes of it that are alive, those of steps with them.
    pub(in crate::serve) fn family(&self) -> Vec<u32> {
        let mut found = processes_with(&format!("{FAMILY}={}", self.family));
        found.retain(|pid| is_alive(*pid));
        found
    }

    pub(in crate::serve) fn client(&self) -> Connection {
        Connection { stream: None, address: self.address, token: self.token.clone() }
    }

    /// The daemons among them.
    pub(in crate::serve) fn daemons(&self) -> Vec<u32> {
        let mut found = self.family();
        found.retain(|pid| {
            // One that has just ended has none.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            !environment.is_empty() && !environment.windows(17).any(|it| it == b"WFX_EXECUTION_ID=")
        });
        found
    }

    /// Whether a fresh connection gets an answer.
    pub(in crate::serve) fn answers(&self) -> bool {
        self.client().ask("GET", "/healthz").is_ok_and(|(answer, _)| answer.contains(" 200 "))
    }

    pub(in crate::serve) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    pub(in crate::serve) fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let stream = TcpStream::connect(self.address).unwrap();
        let close = "Connection: close\r\n";
        exchange(stream, &request(method, path, self.token.as_deref(), close, body)).unwrap()
    }

    pub(in crate::serve) fn execution(&self, id: &str) -> Value {
        self.get(&format!("{EXECUTIONS}/{id}")).expect(200)
    }

    /// Stops it, and waits until all processes have ended.
    pub(in crate::serve) fn stop(self) {
        self.signal("TERM");
        until("all have ended", || self.family().is_empty());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for pid in self.family() {
            signal(pid, "KILL");
        }
        let _ = self.first.kill();
        let _ = self.first.wait();
    }
}

fn processes(log: &str) -> Vec<u32> {
    let mut pids: Vec<u32> = serving(log).into_iter().map(|(pid, _)| pid).collect();
    pids.dedup();
    pids
}

/// Processes that have begun to serve, each with an address.
fn serving(log: &str) -> Vec<(u32, String)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["message"] == "serving")
        .map(|line| {
            let pid = line["pid"].as_u64().unwrap().try_into().unwrap();
            (pid, line["address"].as_str().unwrap().to_owned())
        })
        .collect()
}

pub(in crate::serve) fn signal(pid: u32, name: &str) {
    // It may have ended.
    let _ =
        Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Whether a process runs; one that has ended and is not reaped does not.
pub(in crate::serve) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.starts_with(" Z") && !rest.starts_with(" X"))
}

/// The children of a process.
pub(in crate::serve) fn children_of(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Puts a script in the place of a program.
pub(in crate::serve) fn executable(path: &Path, script: &str) {
    let new = path.with_extension("new");
    fs::write(&new, script).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, path).unwrap();
}

fn request(method: &str, path: &str, token: Option<&str>, more: &str, body: &str) -> String {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{token}{more}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A client that keeps its connection.
pub(in crate::serve) struct Connection {
    stream: Option<BufReader<TcpStream>>,
    address: SocketAddr,
    token: Option<String>,
}

impl Connection {
    /// Sends a request, over a new connection where the last one was closed by an answer. Returns
    /// the answer, and whether the connection stays.
    pub(in crate::serve) fn ask(&mut self, method: &str, path: &str) -> io::Result<(String, bool)> {
        let token = self.token.clone();
        self.ask_as(method, path, token.as_deref())
    }

    pub(in crate::serve) fn ask_as(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
    ) -> io::Result<(String, bool)> {
        self.ask_with(method, path, token, "")
    }

    pub(in crate::serve) fn ask_with(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> io::Result<(String, bool)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                stream.set_nodelay(true)?;
                none.insert(BufReader::new(stream))
            }
        };
        let asked = stream.get_mut().write_all(request(method, path, token, "", body).as_bytes());
        let answered = asked.and_then(|()| answer(stream));
        if !matches!(&answered, Ok((_, true))) {
            self.stream = None;
        }
        answered
    }

    /// Opens a connection for each request from now on.
    pub(in crate::serve) fn renew(&mut self) {
        self.stream = None;
    }
}

fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<(String, bool)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.trim().parse().ok());
    let mut body = vec![0; length.ok_or_else(|| io::Error::other(head.clone()))?];
    stream.read_exact(&mut body)?;
    let stays = !lower.contains("\r\nconnection: close");
    Ok((head + &String::from_utf8_lossy(&body), stays))
}
