//! A server whose latencies are known, since it records them itself.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::measure::Failure;

/// How it answers.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// At once.
    AtOnce,
    /// After 10 ms.
    Steady,
    /// After 10 ms, and 6 of 100 after 100 ms.
    Tailed,
    /// At once, but for the first second of every five, in which it stalls.
    Stalling,
}

/// A server on a port of its own, until the process ends.
pub(crate) struct Truth {
    pub(crate) address: SocketAddr,
    recorded: Arc<Mutex<Vec<u64>>>,
}

impl Truth {
    pub(crate) fn start(manner: Manner) -> Result<Self, Failure> {
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let (ready, address) = std::sync::mpsc::channel();
        let kept = Arc::clone(&recorded);
        std::thread::spawn(move || -> std::io::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(serve(manner, &kept, &ready))
        });
        Ok(Self { address: address.recv()?, recorded })
    }

    /// The latencies of the requests since the last call, in nanoseconds, sorted.
    pub(crate) fn take(&self) -> Vec<u64> {
        let mut recorded =
            self.recorded.lock().map_or_else(|_| Vec::new(), |mut r| std::mem::take(&mut *r));
        recorded.sort_unstable();
        recorded
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(
    manner: Manner,
    recorded: &Arc<Mutex<Vec<u64>>>,
    ready: &std::sync::mpsc::Sender<SocketAddr>,
) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let _ = ready.send(listener.local_addr()?);
    let start = Instant::now();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let recorded = Arc::clone(recorded);
        let service = service_fn(move |_: Request<hyper::body::Incoming>| {
            let recorded = Arc::clone(&recorded);
            async move {
                if !matches!(manner, Manner::AtOnce) {
                    answer(manner, start, &recorded).await;
                }
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(manner: Manner, start: Instant, recorded: &Mutex<Vec<u64>>) {
    let arrived = Instant::now();
    match manner {
        Manner::AtOnce => {}
        Manner::Steady => tokio::time::sleep(Duration::from_millis(10)).await,
        Manner::Tailed => {
            let count = recorded.lock().map_or(0, |recorded| recorded.len());
            // Spread, and exactly 6 of 100.
            let slow = count * 6 / 100 != (count + 1) * 6 / 100;
            let millis = if slow { 100 } else { 10 };
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        Manner::Stalling => {
            let into = arrived.duration_since(start).as_millis() % 5_000;
            if into < 1_000 {
                let left = 1_000 - u64::try_from(into).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(left)).await;
            }
        }
    }
    let nanos = u64::try_from(arrived.elapsed().as_nanos()).unwrap_or(u64::MAX);
    if let Ok(mut recorded) = recorded.lock() {
        recorded.push(nanos);
    }
}
