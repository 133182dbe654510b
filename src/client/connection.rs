//! Requests to a daemon and their answers, one after the other over one connection.
//!
//! Everything runs on the calling thread. A unix socket needs no TLS and no names, so none of that
//! is set up for one.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::time;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::{HttpAddress, ServerAddress};
use super::error::{ClientError, ClientErrorKind};
use crate::system::tls;

/// How long connecting may take, with looking up the name and TLS.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the daemon may take to begin an answer, and between two parts of it.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// The longest answer.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What stands before the token.
const BEARER: &[u8] = b"Bearer ";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

type Sender = SendRequest<Full<Bytes>>;

/// A way to one daemon.
#[derive(Debug)]
pub(crate) struct Connection {
    address: ServerAddress,
    /// `Bearer …`, marked as sensitive.
    authorization: Option<HeaderValue>,
    runtime: Runtime,
    sender: RefCell<Option<Sender>>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub method: Method,
    /// With the query.
    pub path: String,
    /// JSON.
    pub body: Option<String>,
    /// How long the daemon was asked to wait before it answers.
    pub wait: Duration,
    /// The media type of a good answer.
    pub accept: &'static str,
}

impl Call {
    /// Reads.
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None, wait: Duration::ZERO, accept: JSON }
    }

    /// Changes something.
    pub(crate) fn post(path: String, body: Option<String>) -> Self {
        Self { method: Method::POST, path, body, wait: Duration::ZERO, accept: JSON }
    }
}

impl Connection {
    /// A way to the daemon at `address`; connected to with the first request.
    ///
    /// # Errors
    /// When the token cannot be sent, or no timers can be set up.
    pub(crate) fn new(address: ServerAddress, token: Option<&str>) -> Result<Self, ClientError> {
        let environment = |what: String| ClientError::new(ClientErrorKind::Environment, what);
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                environment("the token has characters that no token has".to_owned())
            })?;
            value.set_sensitive(true);
            Ok(value)
        });
        let authorization = authorization.transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| environment(format!("cannot set up timers and signals: {error}")))?;
        Ok(Self { address, authorization, runtime, sender: RefCell::default() })
    }

    /// Where the daemon is.
    #[must_use]
    pub(crate) fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Runs something beside the connection on the same thread.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The body of a good answer. What only reads is sent a second time if the connection breaks.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub(crate) fn send(&self, call: &Call) -> Result<Bytes, ClientError> {
        self.block_on(self.sent(call))
    }

    /// The same within [`Self::block_on`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn sent(&self, call: &Call) -> Result<Bytes, ClientError> {
        self.answered(call).await.map(|(_, body)| body)
    }

    /// The same with the headers of the answer.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn answered(&self, call: &Call) -> Result<(HeaderMap, Bytes), ClientError> {
        let sent = match self.exchange(call).await {
            Err(error) if error.kind() == ClientErrorKind::Broken && call.method == Method::GET => {
                self.exchange(call).await
            }
            Err(error) if call.method != Method::GET => Err(error.of_change()),
            sent => sent,
        };
        sent.map_err(|error| self.without_token(error))
    }

    /// The same error, should what answered have repeated the token.
    pub(super) fn without_token(&self, error: ClientError) -> ClientError {
        let token =
            self.authorization.as_ref().and_then(|value| value.as_bytes().strip_prefix(BEARER));
        match token.map(String::from_utf8_lossy) {
            Some(token) if !token.is_empty() => error.without(&token),
            _ => error,
        }
    }

    async fn exchange(&self, call: &Call) -> Result<(HeaderMap, Bytes), ClientError> {
        let address = &self.address;
        // The other end may just close a connection that was used before, and then nobody knows
        // whether it has read what came last: what changes something gets a new connection.
        let kept = self.sender.take().filter(|_| call.method == Method::GET);
        let mut sender = match kept {
            Some(sender) if !sender.is_closed() => sender,
            _ => match time::timeout(CONNECT_TIME, self.connect()).await {
                Ok(Ok(sender)) => sender,
                Ok(Err(error)) => return Err(ClientError::connecting(address, &error)),
                Err(_) => {
                    let error = io::Error::new(io::ErrorKind::TimedOut, "no answer within 10s");
                    return Err(ClientError::connecting(address, &error));
                }
            },
        };
        let broken =
            |error: &dyn std::error::Error| ClientError::broken(address, &innermost(error));
        let late = || {
            let message = format!("{address} took longer than {ANSWER_TIME:?} to answer");
            ClientError::new(ClientErrorKind::Environment, message)
                .with_hint("see what the daemon does: its log, /metrics")
        };
        sender.ready().await.map_err(|error| broken(&error))?;
        let answer =
            time::timeout(call.wait + ANSWER_TIME, sender.send_request(self.request(call)?))
                .await
                .map_err(|_| late())?;
        let answer = answer.map_err(|error| {
            // It speaks, and not HTTP.
            if error.is_parse() {
                return ClientError::foreign(address, "it does not speak HTTP/1.1");
            }
            broken(&error)
        })?;
        let (parts, mut body) = answer.into_parts();
        let mut first = Bytes::new();
        let mut all = Vec::new();
        loop {
            let frame = time::timeout(ANSWER_TIME, body.frame()).await.map_err(|_| late())?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            if first.len() + all.len() + data.len() > ANSWER_BYTES_MAX {
                let message = format!(
                    "the answer of {address} is longer than {} MiB",
                    ANSWER_BYTES_MAX >> 20
                );
                return Err(ClientError::new(ClientErrorKind::Environment, message)
                    .with_hint("ask for less, or use --db on the machine of the daemon"));
            }
            // Most answers come in one piece.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&std::mem::take(&mut first));
                }
                all.extend_from_slice(&data);
            }
        }
        let body = if all.is_empty() { first } else { all.into() };
        self.sender.replace(Some(sender));
        let body = self.judge(&parts, body, call.accept)?;
        Ok((parts.headers, body))
    }

    /// The body of an answer, if it is a good one of wfx.
    fn judge(
        &self,
        parts: &http::response::Parts,
        body: Bytes,
        expected: &'static str,
    ) -> Result<Bytes, ClientError> {
        let address = &self.address;
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        let status = parts.status;
        if status == StatusCode::OK {
            return match kind {
                Some(kind) if kind == expected => Ok(body),
                // What has no bytes has no type.
                None if body.is_empty() && expected != JSON => Ok(body),
                _ => Err(ClientError::foreign(address, "its answer is no JSON")),
            };
        }
        if status.is_redirection() {
            let target = parts.headers.get(LOCATION).and_then(|target| target.to_str().ok());
            let what = format!("it redirects to {}", target.unwrap_or("nowhere"));
            return Err(ClientError::foreign(address, &what));
        }
        let has_token = self.authorization.is_some();
        Err(ClientError::refused(address, status, kind == Some(PROBLEM), &body, has_token))
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, ClientError> {
        let (host, prefix) = match &self.address {
            ServerAddress::Unix(_) => ("localhost", ""),
            ServerAddress::Http(address) => (address.authority.as_str(), address.prefix.as_str()),
        };
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{prefix}{}", call.path))
            .header(HOST, host)
            .header(USER_AGENT, concat!("wfx/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, call.accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let body = call.body.clone().map(Bytes::from).unwrap_or_default();
        request.body(Full::new(body)).map_err(|error| {
            let message = format!("this cannot be asked for: {error}");
            ClientError::new(ClientErrorKind::Refused, message)
        })
    }

    async fn connect(&self) -> io::Result<Sender> {
        match &self.address {
            ServerAddress::Unix(path) => speak(UnixStream::connect(path).await?).await,
            ServerAddress::Http(HttpAddress { is_tls, host, port, .. }) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                if !is_tls {
                    return speak(stream).await;
                }
                let connector = tls::http_connector().map_err(io::Error::other)?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                speak(connector.connect(name, stream).await?).await
            }
        }
    }
}

async fn speak<S>(stream: S) -> io::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // The request that waits for an answer reports the error.
        let _ = connection.await;
    });
    Ok(sender)
}

/// The innermost cause is the useful one.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
