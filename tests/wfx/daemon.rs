//! A real daemon for the tests, and a client that sends what it is told over a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, Ran};

/// Longer than any answer takes on a loaded machine; a hang ends the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// `wfx serve` on a port of its own.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// Clients of several threads ask one daemon.
    log: Mutex<Receiver<String>>,
    told: Vec<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Asserts the status and gives the body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}

impl Daemon {
    /// Starts `wfx serve` with these arguments and waits until it serves.
    pub(crate) fn start(place: &Place, args: &[&str]) -> Self {
        Self::of(place.wfx(["serve", "--listen", "127.0.0.1:0"]).args(args))
    }

    /// The same of a command that has more to it.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let mut daemon = Self {
            child,
            address: SocketAddr::from(([0; 4], 0)),
            log: Mutex::new(log),
            told: Vec::new(),
        };
        let line = daemon.wait_for_log("\"message\":\"serving\"");
        let line: Value = serde_json::from_str(&line).unwrap();
        daemon.address = line["address"].as_str().unwrap().parse().unwrap();
        daemon
    }

    /// Waits for a line of the log with `text` in it, and gives it.
    #[track_caller]
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        loop {
            match self.log.get_mut().unwrap().recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.told.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no {text:?} in the log ({error}): {:#?}", self.told),
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// A POST of JSON; without a body for an empty one.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send(&post(path, body))
    }

    /// Sends bytes as they are and reads until the connection is closed.
    #[track_caller]
    pub(crate) fn send(&self, request: &str) -> Answer {
        self.try_send(request).unwrap_or_else(|error| panic!("{error}: {request}"))
    }

    pub(crate) fn try_send(&self, request: &str) -> std::io::Result<Answer> {
        exchange(TcpStream::connect(self.address)?, request)
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Its end, with its whole log.
    pub(crate) fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.told.extend(self.log.get_mut().unwrap().iter());
        Ran { code, stdout, stderr: std::mem::take(&mut self.told).join("\n") }
    }

    /// Asks it to end and asserts that it does so as it should.
    #[track_caller]
    pub(crate) fn stop(self) -> Ran {
        self.signal("TERM");
        let ran = self.end();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Of a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends bytes as they are and reads until the connection is closed.
pub(crate) fn exchange(mut stream: TcpStream, request: &str) -> std::io::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| std::io::Error::other(format!("no answer: {answer:?}")))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let is_chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    let whole = is_chunked.then(|| dechunked(body)).transpose()?;
    let body = whole.as_deref().unwrap_or(body);
    Ok(Answer {
        status: status.ok_or_else(|| std::io::Error::other(head.to_owned()))?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// The body that comes in these chunks, to the last of them.
fn dechunked(mut rest: &str) -> std::io::Result<String> {
    let cut = || std::io::Error::other("the chunks of the body are cut off");
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").ok_or_else(cut)?;
        let size = usize::from_str_radix(size, 16).map_err(std::io::Error::other)?;
        if size == 0 {
            return Ok(body);
        }
        // A chunk may end within a character.
        let chunk = after.as_bytes().get(..size).ok_or_else(cut)?;
        body.push_str(std::str::from_utf8(chunk).map_err(std::io::Error::other)?);
        rest = after.get(size + 2..).ok_or_else(cut)?;
    }
}

/// A POST of JSON as it is sent; without a body for an empty one.
pub(crate) fn post(path: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
