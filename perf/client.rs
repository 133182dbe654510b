//! A client that costs little, the same for whoever is measured: one request again and
//! again over connections that are kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::measure::Failure;

/// What came of a number of requests.
pub(crate) struct Load {
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Of each request, in no order.
    pub(crate) latencies: Vec<f64>,
}

impl Load {
    /// The latency that so many per cent do not exceed, seconds.
    pub(crate) fn percentile(&mut self, percent: usize) -> f64 {
        self.latencies.sort_by(f64::total_cmp);
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or(f64::NAN)
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

pub(crate) fn post(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")
}

/// Sends `request` `count` times over so many connections, each with one at a time.
pub(crate) fn load(
    address: SocketAddr,
    request: &str,
    connections: usize,
    count: usize,
) -> Result<Load, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(Client::connect(address).await?);
        }
        let sent = Arc::new(AtomicUsize::new(0));
        let request: Arc<str> = Arc::from(request);
        let begin = Instant::now();
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let (sent, request) = (Arc::clone(&sent), Arc::clone(&request));
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while sent.fetch_add(1, Ordering::Relaxed) < count {
                        let at = Instant::now();
                        client.ask(request.as_bytes()).await.map_err(|e| e.to_string())?;
                        latencies.push(at.elapsed().as_secs_f64());
                    }
                    Ok::<_, String>(latencies)
                })
            })
            .collect();
        let mut latencies = Vec::with_capacity(count);
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(Load { seconds: begin.elapsed().as_secs_f64(), latencies })
    })
}

/// Sends one request and gives the body of its answer.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Result<Vec<u8>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = Client::connect(address).await?;
        let range = client.ask(request.as_bytes()).await?;
        Ok(client.buffer[range].to_vec())
    })
}

/// One client with one connection, that sends a request when it is told to.
pub(crate) struct Single {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Single {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(Client::connect(address))?;
        Ok(Self { runtime, client })
    }

    /// Sends `request`; how long its answer took, seconds.
    pub(crate) fn ask(&mut self, request: &str) -> Result<f64, Failure> {
        let begin = Instant::now();
        self.runtime.block_on(self.client.ask(request.as_bytes()))?;
        Ok(begin.elapsed().as_secs_f64())
    }
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// The place of the answer's body in the buffer.
    async fn ask(&mut self, request: &[u8]) -> Result<std::ops::Range<usize>, Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let Some(head) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let begin = head + 4;
            if !self.buffer.starts_with(b"HTTP/1.1 200 ") {
                return Err(String::from_utf8_lossy(&self.buffer).into_owned().into());
            }
            let length = find(&self.buffer[..head], b"content-length: ")
                .map(|at| {
                    let digits =
                        self.buffer[at + 16..head].iter().take_while(|b| b.is_ascii_digit());
                    digits.fold(0, |value, digit| value * 10 + usize::from(digit - b'0'))
                })
                .ok_or("an answer without a length")?;
            while self.buffer.len() < begin + length {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err("the server closed the connection".into());
                }
            }
            return Ok(begin..begin + length);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
