//! The front over real sockets. Clients send raw bytes, so that hostile ones can be sent.
//!
//! Every answer that a [`Client`] reads is checked for what all answers have, and a
//! [`TestServer`] that ends checks that the handler recorded each answer once, and no other.

mod access;
mod answer;
mod bodies;
mod framing;
mod heads;
mod live;
mod ordinary;
mod random;
mod stop;
mod targets;
mod time;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::http::api::route::Route;
use crate::http::exchange::chunk_source::ChunkSource;
use crate::http::exchange::handler::{AnsweredRequest, Handler, Remote, RoutedRequest};
use crate::http::exchange::live_stream::LiveSender;
use crate::http::exchange::reply::Reply;
use crate::http::front::connection_state::TimeLimits;
use crate::http::front::server::{Ending, FrontOptions, serve_within};
use crate::http::front::socket::Listener;
use answer::Answer;

/// No event is waited for longer: it is missing then.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A limit that must not be reached in a test.
const NEVER: Duration = Duration::from_secs(3_600);

/// More than the buffers of two sockets hold.
const BIG_BYTES: usize = 32 << 20;

/// What opens a front that has a token.
const TOKEN: &str = "s3cret-token";

const PING: &str = "GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// How it is done, within [`TIMEOUT`].
async fn in_time<T>(what: &str, done: impl Future<Output = T>) -> T {
    match timeout(TIMEOUT, done).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not come"),
    }
}

/// A GET of `path` with further lines, each ending in CR LF.
fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

/// A POST of JSON to where a body is taken.
fn post(body: &str) -> String {
    let length = body.len();
    post_with(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"), body)
}

/// A POST with these lines, each ending in CR LF, and these bytes behind its head.
fn post_with(lines: &str, body: &str) -> String {
    format!("POST /api/v1/workflows/w/execute HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{body}")
}

/// A POST whose body is in chunks, `chunks` being how they are written.
fn chunked(chunks: &str) -> String {
    post_with("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", chunks)
}

/// What the handler recorded of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recorded {
    label: &'static str,
    method: String,
    path: String,
    status: u16,
    request_id: String,
    remote: Option<Remote>,
}

/// Answers with what it was asked, and keeps what it recorded.
///
/// The workflow `big` has an answer of [`BIG_BYTES`]. Asked for the workflow `held`, it
/// answers when it is let go. The workflow `live` has a live stream as its answer, which the test
/// produces; that of the workflow `chunks` is sent chunk by chunk.
#[derive(Debug)]
struct EchoHandler {
    recorded: Mutex<Vec<Recorded>>,
    /// A request was recorded.
    recorded_one: Notify,
    /// Requests for `held` that have come.
    held: Semaphore,
    /// Those that may be answered.
    release: Semaphore,
    /// The producers' sides of the answers for `live`.
    live: mpsc::UnboundedSender<LiveSender>,
    lives: tokio::sync::Mutex<mpsc::UnboundedReceiver<LiveSender>>,
}

impl EchoHandler {
    fn new() -> Self {
        let (live, lives) = mpsc::unbounded_channel();
        Self {
            live,
            lives: tokio::sync::Mutex::new(lives),
            recorded: Mutex::new(Vec::new()),
            recorded_one: Notify::new(),
            held: Semaphore::new(0),
            release: Semaphore::new(0),
        }
    }
}

/// Chunks, the last one first.
struct Chunks(Vec<&'static str>);

impl ChunkSource for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.pop().map(|chunk| chunk.as_bytes().to_vec()))
    }
}

impl Handler for EchoHandler {
    type Route = Route;

    async fn handle(&self, call: RoutedRequest<Route>) -> Reply {
        if let Route::Workflow { workflow_id } = &call.route {
            match workflow_id.as_str() {
                "big" => return Reply::new(StatusCode::OK, "text/plain", vec![b'x'; BIG_BYTES]),
                "live" => {
                    let (reply, sender) = Reply::live("text/event-stream");
                    self.live.send(sender).unwrap();
                    return reply;
                }
                "chunks" => {
                    return Reply::json_chunks(b"[\"one\"".to_vec(), Chunks(vec!["]", ",\"two\""]));
                }
                "held" => {
                    self.held.add_permits(1);
                    self.release.acquire().await.unwrap().forget();
                }
                _ => {}
            }
        }
        Reply::json(&json!({
            "route": format!("{:?}", call.route),
            "query": call.query,
            "body": call.body.as_ref().map(|body| String::from_utf8_lossy(body)),
            "request_id": call.request_id,
        }))
    }

    fn record(&self, seen: &AnsweredRequest<'_>) {
        self.recorded.lock().unwrap().push(Recorded {
            label: seen.route_label,
            method: seen.method.to_owned(),
            path: seen.path.to_owned(),
            status: seen.status,
            request_id: seen.request_id.to_owned(),
            remote: seen.remote,
        });
        self.recorded_one.notify_one();
    }
}

/// How a [`TestServer`] is set up.
struct Setup {
    options: FrontOptions,
    limits: TimeLimits,
}

impl Setup {
    /// Nobody needs a token, and no limit of time is reached.
    fn new() -> Self {
        Self {
            options: FrontOptions {
                allowed_hosts: Vec::new(),
                tokens: Vec::new(),
                public_url: None,
                metrics_open: false,
                max_connections: 64,
            },
            limits: TimeLimits {
                idle: NEVER,
                head: NEVER,
                body: NEVER,
                write: NEVER,
                // Only how long a client is waited for that has all it will get.
                linger: Duration::from_secs(5),
                idle_min: NEVER,
                body_min: NEVER,
                stream_min: NEVER,
                slot_wait: NEVER,
                retry_pause: Duration::from_millis(5),
            },
        }
    }

    async fn start(self) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (api, stop) = (Arc::new(EchoHandler::new()), CancellationToken::new());
        let served = serve_within(
            vec![Arc::new(Listener::Tcp(listener))],
            self.options,
            Arc::clone(&api),
            Ending { stop: stop.clone(), ..Ending::default() },
            self.limits,
        );
        let task = tokio::spawn(served);
        TestServer { address, api, stop, task, answered: Arc::default() }
    }
}

/// A front that serves.
struct TestServer {
    address: SocketAddr,
    api: Arc<EchoHandler>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Ids and states of the answers that clients have read.
    answered: Arc<Mutex<Vec<(String, u16)>>>,
}

impl TestServer {
    async fn start() -> Self {
        Setup::new().start().await
    }

    async fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).await.unwrap(), self)
    }

    /// A client that does not take much at a time.
    async fn connect_narrow(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Client::new(socket.connect(self.address).await.unwrap(), self)
    }

    /// The one answer to these bytes, after which the connection must be closed or kept.
    async fn ask(&self, bytes: impl AsRef<[u8]>, then: Afterwards) -> Answer {
        let mut client = self.connect().await;
        let answer = client.exchange(bytes).await;
        match then {
            Afterwards::Closed => client.expect_closed().await,
            Afterwards::Kept => client.expect_kept().await,
        }
        answer
    }

    /// The answer to a request after which the connection is kept.
    async fn ask_kept(&self, bytes: impl AsRef<[u8]>) -> Answer {
        self.ask(bytes, Afterwards::Kept).await
    }

    /// Sends bytes that must be refused with `status`, and nothing after them served.
    async fn refuses(&self, bytes: impl AsRef<[u8]>, status: u16) -> Answer {
        let answer = self.ask(&bytes, Afterwards::Closed).await;
        let sent = String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]);
        assert_eq!(answer.status, status, "{sent:?}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{sent:?}");
        answer
    }

    /// Asserts that another client is served just now.
    async fn expect_served(&self) {
        self.connect().await.expect_kept().await;
    }

    /// Waits until an answer is recorded.
    async fn recorded(&self, answer: &Answer) -> Recorded {
        self.recorded_where(|recorded| recorded.request_id == answer.id()).await
    }

    async fn recorded_where(&self, is_it: impl Fn(&Recorded) -> bool) -> Recorded {
        let found = async {
            loop {
                let found = self
                    .api
                    .recorded
                    .lock()
                    .unwrap()
                    .iter()
                    .find(|recorded| is_it(recorded))
                    .cloned();
                match found {
                    Some(recorded) => return recorded,
                    None => self.api.recorded_one.notified().await,
                }
            }
        };
        in_time("the record of a request", found).await
    }

    /// Stops it, and asserts that each answer that was read is recorded, and those in `unread`,
    /// and no other.
    async fn end_with(self, unread: &[(&str, u16)]) {
        self.stop.cancel();
        in_time("the end of the server", self.task).await.unwrap();
        let mut recorded = self.api.recorded.lock().unwrap().clone();
        for answered in self.answered.lock().unwrap().drain(..) {
            let at = recorded.iter().position(|recorded| {
                (recorded.request_id.as_str(), recorded.status) == (&answered.0, answered.1)
            });
            let at = at.unwrap_or_else(|| panic!("{answered:?} is not recorded: {recorded:?}"));
            recorded.remove(at);
        }
        let mut recorded: Vec<_> =
            recorded.iter().map(|recorded| (recorded.label, recorded.status)).collect();
        let mut unread = unread.to_vec();
        recorded.sort_unstable();
        unread.sort_unstable();
        assert_eq!(recorded, unread, "recorded, but never read");
    }

    async fn end(self) {
        self.end_with(&[]).await;
    }
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    Closed,
    Kept,
}

/// One connection, seen from its other end.
struct Client {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// Read, and not yet part of an answer.
    unread: Vec<u8>,
    answered: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Client {
    fn new(stream: TcpStream, server: &TestServer) -> Self {
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        Self { reader, writer, unread: Vec::new(), answered: Arc::clone(&server.answered) }
    }

    /// Sends bytes. Whether the server still takes them is seen by what it answers.
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = in_time("room for bytes", self.writer.write_all(bytes.as_ref())).await;
    }

    /// Says that nothing more will be sent.
    async fn finish(&mut self) {
        self.writer.shutdown().await.unwrap();
    }

    /// Goes away without a word.
    fn abort(self) {
        let stream = self.reader.reunite(self.writer).unwrap();
        stream.set_zero_linger().unwrap();
    }

    /// Sends bytes and reads an answer while they go.
    async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        let answer = {
            let receive = read_answer(&mut self.reader, &mut self.unread, true);
            tokio::pin!(receive);
            let sent = self.writer.write_all(bytes.as_ref());
            let both = async {
                tokio::select! {
                    answer = &mut receive => answer,
                    _ = sent => receive.await,
                }
            };
            in_time("an answer", both).await
        };
        self.note(answer)
    }

    async fn answer(&mut self) -> Answer {
        self.read(true).await
    }

    /// Reads an answer to HEAD.
    async fn bodiless_answer(&mut self) -> Answer {
        self.read(false).await
    }

    async fn read(&mut self, has_body: bool) -> Answer {
        let answer = read_answer(&mut self.reader, &mut self.unread, has_body);
        let answer = in_time("an answer", answer).await;
        self.note(answer)
    }

    fn note(&self, answer: Answer) -> Answer {
        answer.check();
        if !answer.is_interim() {
            let seen = (answer.id().to_owned(), answer.status);
            self.answered.lock().unwrap().push(seen);
        }
        answer
    }

    /// Reads what still comes, up to the end of the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.unread);
        // A reset is an end as well.
        let _ = in_time("the end of the connection", self.reader.read_to_end(&mut rest)).await;
        rest
    }

    /// Asserts that nothing more comes, and the connection is closed.
    async fn expect_closed(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "more came: {}", String::from_utf8_lossy(&rest));
    }

    /// Asserts that a further request is answered, and nothing comes before that.
    async fn expect_kept(&mut self) {
        self.send(get("/api/v1/ping", &format!("Authorization: Bearer {TOKEN}\r\n"))).await;
        let answer = self.answer().await;
        assert_eq!((answer.status, answer.json()["route"].as_str()), (200, Some("Ping")));
        assert!(self.unread.is_empty(), "more came: {}", String::from_utf8_lossy(&self.unread));
    }
}

async fn read_answer(reader: &mut OwnedReadHalf, unread: &mut Vec<u8>, has_body: bool) -> Answer {
    loop {
        if let Some((answer, length)) = Answer::parse(unread, has_body) {
            unread.drain(..length);
            return answer;
        }
        let read = reader.read_buf(unread).await;
        if !matches!(read, Ok(1..)) {
            panic!("no answer ({read:?}), but {:?}", String::from_utf8_lossy(unread));
        }
    }
}
