//! A receiver of webhooks on loopback, which answers as a test wants it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver as Channel, Sender};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any retry takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Takes requests until the test ends.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posts: Channel<Post>,
}

/// Never answers.
pub(crate) const HANGS: &str = "hangs";
/// Closes the connection without an answer.
pub(crate) const CLOSES: &str = "";

impl Receiver {
    /// One that answers the first requests so, each a status line with headers or one of the
    /// constants above, and those that follow with 204.
    pub(crate) fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, posts) = mpsc::channel();
        std::thread::spawn(move || {
            let mut answers = answers.iter();
            let mut held = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = answers.next().copied().unwrap_or("204 No Content");
                // Whoever listened may have gone.
                held.extend(take(stream, answer, &sender));
            }
        });
        Self { address, posts }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    #[track_caller]
    pub(crate) fn next(&self) -> Post {
        self.posts.recv_timeout(PATIENCE).unwrap()
    }

    /// What came and was not asked for yet.
    pub(crate) fn rest(&self) -> Vec<Post> {
        self.posts.try_iter().collect()
    }
}

/// Takes one request of a connection and answers it; gives the connection back that is held.
fn take(stream: TcpStream, answer: &str, told: &Sender<Post>) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    #[expect(clippy::disallowed_methods, reason = "what is waited for is time")]
    let at = Instant::now();
    let post = Post { line: lines[0].clone(), headers, body, at };
    let _ = told.send(post);
    let mut stream = reader.into_inner();
    match answer {
        HANGS => return Some(stream),
        CLOSES => {}
        status => {
            let close = "Connection: close\r\nContent-Length: 0\r\n\r\n";
            let _ = write!(stream, "HTTP/1.1 {status}\r\n{close}");
        }
    }
    None
}
