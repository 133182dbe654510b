//! Where requests go: a URL, its addresses, connections to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::Full;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::samples::Tally;
use super::{LoadError, Obstacle};
use crate::system::tls;

/// A connection over which requests are sent, one after the other.
pub(super) type Sender = SendRequest<Full<Bytes>>;

#[derive(Debug, Clone)]
pub(crate) struct Target {
    url: String,
    /// As the header `Host` has it.
    pub(super) authority: String,
    /// The prefix of every path.
    pub(super) prefix: String,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Target {
    /// Reads `http://host:port/prefix` or `https://…`.
    ///
    /// # Errors
    /// Why it is no target.
    pub(crate) fn parse(url: &str) -> Result<Self, LoadError> {
        let refuse = |why: &str| LoadError::Target { url: url.to_owned(), why: why.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|_| refuse("it is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refuse("it does not start with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("a user and a password are sent as a header: --header"));
        }
        if uri.query().is_some() {
            return Err(refuse("a query belongs to an endpoint"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(refuse("it has no host"));
        }
        Ok(Self {
            url: url.trim().to_owned(),
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            host,
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
        })
    }

    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Looks its addresses up, and what it needs to be trusted.
    pub(super) fn resolve(&self) -> Result<Route, LoadError> {
        use std::net::ToSocketAddrs;
        let unreachable =
            |why: String, obstacle| LoadError::Unreachable { url: self.url.clone(), why, obstacle };
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let addresses: Vec<_> =
            addresses.map_err(|error| unreachable(error.to_string(), Obstacle::Name))?.collect();
        let tls = if self.is_tls {
            let name = ServerName::try_from(self.host.clone());
            let name = name.map_err(|error| unreachable(error.to_string(), Obstacle::Name))?;
            let connector =
                tls::http_connector().map_err(|why| unreachable(why, Obstacle::Certificate))?;
            Some((connector, name))
        } else {
            None
        };
        Ok(Route { addresses, tls, has_long_heads: Arc::default() })
    }
}

impl Route {
    /// Whether both targets resolve to a common address, under any name.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let own: Vec<_> = other.addresses.iter().map(|address| comparable(*address)).collect();
        self.addresses.iter().any(|address| own.contains(&comparable(*address)))
    }
}

/// The address for comparisons. Loopback and unspecified addresses count as one: a server on this
/// machine mostly listens to both families, and the unspecified address leads to it as well.
fn comparable(address: SocketAddr) -> (IpAddr, u16) {
    let ip = address.ip().to_canonical();
    let is_here = ip.is_unspecified() || ip == IpAddr::V6(Ipv6Addr::LOCALHOST);
    (if is_here { Ipv4Addr::LOCALHOST.into() } else { ip }, address.port())
}

/// How the target is reached.
#[derive(Clone)]
pub(super) struct Route {
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Whether answers have more headers than room is usually made for.
    has_long_heads: Arc<AtomicBool>,
}

/// The most headers of an answer that has more than hyper makes room for on the stack (100).
const HEADERS_MAX: usize = 4_096;

impl Route {
    /// Opens a connection, which counts in `tally` until it closes.
    pub(super) async fn connect(&self, tally: &Arc<Tally>) -> io::Result<Sender> {
        let stream = TcpStream::connect(self.addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.speak(stream, tally).await,
            Some((tls, name)) => self.speak(tls.connect(name.clone(), stream).await?, tally).await,
        }
    }

    /// Makes room for more headers on connections that are opened from now on, which costs
    /// time with each answer.
    pub(super) fn expect_long_heads(&self) {
        self.has_long_heads.store(true, Ordering::Relaxed);
    }

    async fn speak<S>(&self, stream: S, tally: &Arc<Tally>) -> io::Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut http = http1::Builder::new();
        // Old servers fold headers over several lines, which other clients read as well.
        http.allow_obsolete_multiline_headers_in_responses(true);
        if self.has_long_heads.load(Ordering::Relaxed) {
            http.max_headers(HEADERS_MAX);
        }
        let (sender, connection) =
            http.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let tally = Arc::clone(tally);
        tally.connected();
        tokio::task::spawn_local(async move {
            // The request that waits for an answer reports the error.
            let _ = connection.await;
            tally.disconnected();
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url_with_a_host() {
        let target = Target::parse("https://Example.org/base/").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.is_tls), ("Example.org", 443, true));
        assert_eq!((target.authority.as_str(), target.prefix.as_str()), ("Example.org", "/base"));
        let target = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.prefix.as_str()), ("::1", 8080, ""));
        assert_eq!(target.authority, "[::1]:8080");
        for bad in ["", "x", "127.0.0.1:80", "ftp://x", "http://", "http://u:p@x", "http://x/?a"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_is_one_by_all_its_names() {
        let route = |url: &str| Target::parse(url).unwrap().resolve().unwrap();
        let one = route("http://127.0.0.1:8080");
        for name in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"] {
            let other = route(&format!("http://{name}:8080"));
            assert!(one.meets(&other) && other.meets(&one), "{name}");
            assert!(!one.meets(&route(&format!("http://{name}:8081"))), "{name}");
        }
        for other in ["http://127.0.0.2:8080", "http://192.0.2.1:8080", "http://[2001:db8::1]:8080"]
        {
            assert!(!one.meets(&route(other)), "{other}");
        }
    }
}
