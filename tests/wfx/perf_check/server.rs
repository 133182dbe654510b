//! A server that answers as a test wants it to, and remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: hyper::HeaderMap,
    pub(super) body: String,
}

/// How it is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Not before so much time.
    pub(super) after: Duration,
    /// Not before so many requests came.
    pub(super) once: usize,
    /// And the connection is closed.
    pub(super) closes: bool,
    /// With a body of so many bytes.
    pub(super) bytes: usize,
    /// The server ends instead when so many requests came.
    pub(super) dies_at: usize,
}

/// At once, with 200.
pub(super) const OK: Answer = Answer {
    status: 200,
    after: Duration::ZERO,
    once: 0,
    closes: false,
    bytes: 2,
    dies_at: usize::MAX,
};

#[derive(Clone)]
struct Shared {
    manner: Arc<dyn Fn(&Seen) -> Answer + Send + Sync>,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Sender<usize>,
}

/// It runs until the test ends.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(super) fn start(manner: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_tls(manner, None)
    }

    pub(super) fn with_tls(
        manner: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
        tls: Option<(TlsAcceptor, Duration)>,
    ) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (count, counted) = watch::channel(0);
        let shared = Shared { manner: Arc::new(manner), seen: Arc::clone(&seen), count };
        let (ready, address) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // Dropping the runtime closes every connection.
            runtime.block_on(serve(shared, counted, tls, &ready));
        });
        Self { address: address.recv().unwrap(), seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests were like this.
    pub(super) fn count(&self, line: &str) -> usize {
        self.seen().iter().filter(|seen| seen.line == line).count()
    }
}

/// What a server needs that calls itself `localhost`, and the file by which it is trusted.
pub(super) fn certificate(folder: &Path) -> (TlsAcceptor, std::path::PathBuf) {
    let no_authority = "basicConstraints=critical,CA:FALSE";
    let extensions = ["-addext", "subjectAltName=DNS:localhost", "-addext", no_authority];
    self_signed(folder, "localhost", &extensions)
}

/// A certificate of a common name that is its own issuer, made with more arguments.
pub(super) fn self_signed(
    folder: &Path,
    name: &str,
    more: &[&str],
) -> (TlsAcceptor, std::path::PathBuf) {
    let (key, chain) = (folder.join("key.pem"), folder.join("chain.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", &format!("/CN={name}")])
        .args(more)
        .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), chain.as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let certificates = CertificateDer::pem_file_iter(&chain).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), chain)
}

async fn serve(
    shared: Shared,
    mut counted: watch::Receiver<usize>,
    tls: Option<(TlsAcceptor, Duration)>,
    ready: &mpsc::Sender<SocketAddr>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    ready.send(listener.local_addr().unwrap()).unwrap();
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (shared, tls) = (shared.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => connection(stream, shared).await,
                    Some((tls, slowness)) => {
                        tokio::time::sleep(slowness).await;
                        if let Ok(stream) = tls.accept(stream).await {
                            connection(stream, shared).await;
                        }
                    }
                }
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = counted.wait_for(|count| *count == usize::MAX) => {}
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, shared: Shared) {
    let service = service_fn(|request| answer(request, shared.clone()));
    let serving = hyper::server::conn::http1::Builder::new();
    // A client may leave at any time.
    let _ = serving.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Shared,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = Seen {
        line: format!("{} {}", head.method, head.uri),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let answer = (shared.manner)(&seen);
    let count = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen);
        all.len()
    };
    if count >= answer.dies_at {
        shared.count.send_replace(usize::MAX);
        std::future::pending::<()>().await;
    }
    shared.count.send_replace(count);
    let mut counted = shared.count.subscribe();
    counted.wait_for(|count| *count >= answer.once).await.unwrap();
    tokio::time::sleep(answer.after).await;
    let mut response = Response::builder().status(answer.status);
    if answer.closes {
        response = response.header("Connection", "close");
    }
    Ok(response
        .header("Location", "/elsewhere")
        .body(Full::new(Bytes::from(vec![b'o'; answer.bytes])))
        .unwrap())
}
