//! Random bytes, and requests with random damage.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Whole requests to begin with.
fn whole() -> Vec<String> {
    vec![
        PING.to_owned(),
        get("/api/v1/workflows/a%20b?x=1", "X: y\r\nIf-None-Match: *\r\n"),
        get("http://localhost/healthz", "Connection: close\r\n"),
        PING.replace("GET", "HEAD"),
        PING.replace("1.1", "1.0"),
        post("[1, 2]"),
        chunked("3\r\n[1,\r\n3;x\r\n 2]\r\n0\r\nTrailer: x\r\n\r\n"),
        post_with("Content-Type: text/plain\r\nContent-Length: 3\r\n", "abc"),
        post_with(
            "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n",
            "[]",
        ),
    ]
}

/// What changes the meaning of the bytes around it.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "%",
    "%00",
    "/../",
    "//",
    "0\r\n\r\n",
    "\r\n\r\n",
    "\u{ff}",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Host: localhost\r\n",
    "Connection: close\r\n",
    "HTTP/1.0",
    "Expect: 100-continue\r\n",
    "Connection: upgrade\r\nUpgrade: x\r\n",
    "GET / HTTP/1.1\r\n",
];

#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Cut(Index, usize),
    Insert(Index, &'static str),
    Repeat(Index, usize),
    End(Index),
}

impl Damage {
    fn strategy() -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        prop_oneof![
            (at(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (at(), 1..20_usize).prop_map(|(at, length)| Self::Cut(at, length)),
            (at(), select(PIECES)).prop_map(|(at, piece)| Self::Insert(at, piece)),
            (at(), 1..60_usize).prop_map(|(at, length)| Self::Repeat(at, length)),
            at().prop_map(Self::End),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let (Self::Set(at, _)
        | Self::Cut(at, _)
        | Self::Insert(at, _)
        | Self::Repeat(at, _)
        | Self::End(at)) = self;
        let start = at.index(bytes.len() + 1);
        let end = |length: usize| (start + length).min(bytes.len());
        match self {
            Self::Set(_, byte) => {
                if let Some(old) = bytes.get_mut(start) {
                    *old = *byte;
                }
            }
            Self::Cut(_, length) => drop(bytes.drain(start..end(*length))),
            Self::Insert(_, piece) => drop(bytes.splice(start..start, piece.bytes())),
            Self::Repeat(_, length) => bytes.extend_from_within(start..end(*length)),
            Self::End(_) => bytes.truncate(start),
        }
    }
}

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let several = prop::collection::vec(select(whole()), 1..4);
    let damages = prop::collection::vec(Damage::strategy(), 0..5);
    let damaged = (several, damages).prop_map(|(requests, damages)| {
        let mut bytes = requests.concat().into_bytes();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        bytes
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..400), 5 => damaged]
}

/// The most answers that these bytes can get: one for each head that ends in them, and one
/// for what comes after the last.
fn answers_max(bytes: &[u8]) -> usize {
    let ends = |window: &[u8]| window.ends_with(b"\n\n") || window.ends_with(b"\n\r\n");
    (2..=bytes.len()).filter(|&end| ends(&bytes[..end])).count() + 1
}

/// Reads all that comes, and checks it answer by answer.
async fn check(server: &TestServer, bytes: &[u8]) {
    let mut client = server.connect().await;
    client.send(bytes).await;
    client.finish().await;
    let mut rest = client.rest().await;
    let (mut answers, mut is_closed) = (0, false);
    while !rest.is_empty() {
        assert!(!is_closed, "an answer after the last");
        let Some((head, _)) = Answer::parse(&rest, false) else {
            panic!("half a head: {}", String::from_utf8_lossy(&rest));
        };
        let has_body = head.is_interim() || server.recorded(&head).await.method != "HEAD";
        let Some((answer, length)) = Answer::parse(&rest, has_body) else {
            panic!("half an answer: {}", String::from_utf8_lossy(&rest));
        };
        rest.drain(..length);
        is_closed = answer.header("connection") == Some("close");
        answers += usize::from(!answer.is_interim());
        client.note(answer);
    }
    assert!(answers <= answers_max(bytes), "{answers} answers");
    drop(client);
    server.expect_served().await;
}

#[test]
fn whatever_comes_is_answered_well_or_not_at_all() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(TestServer::start());
    let config = Config { failure_persistence: None, ..Config::default() };
    let tried = TestRunner::new(config).run(&requests(), |bytes| {
        runtime.block_on(check(&server, &bytes));
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
    runtime.block_on(server.end());
}
