//! The HTTP client of webhooks: hyper-util's, which reuses a connection for the next alert and
//! follows no redirect.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::Authority;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;

use crate::system::tls;

/// Sends requests to one URL.
#[derive(Debug)]
pub(super) enum Client {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    /// A client for a URL: certificates are only loaded for https.
    pub(super) fn new(uri: &Uri) -> Result<Self, String> {
        let builder = legacy::Client::builder(TokioExecutor::new());
        if uri.scheme_str() != Some("https") {
            return Ok(Self::Plain(builder.build_http()));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client()?)
            .https_only()
            .enable_http1()
            .build();
        Ok(Self::Tls(builder.build(connector)))
    }

    /// The answer; its body is not read.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        let sent = match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        };
        sent.map_err(|error| reason(&error))
    }
}

/// The innermost cause is the useful one: `Connection refused`, not `client error (Connect)`.
fn reason(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The header for a user and a password in a URL.
pub(super) fn basic(uri: &Uri) -> Option<HeaderValue> {
    let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let user: Vec<u8> = percent_decode_str(user).collect();
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The URL as it is asked for.
pub(super) fn without_user(uri: &Uri) -> Result<Uri, String> {
    let mut parts = uri.clone().into_parts();
    let authority = parts.authority.ok_or("it has no host")?;
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    parts.authority = Some(host.parse::<Authority>().map_err(|error| error.to_string())?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_becomes_a_header() {
        let uri: Uri = "https://ops:p%40ss@hooks.example:8443/x?y=1".parse().unwrap();
        assert_eq!(without_user(&uri).unwrap(), "https://hooks.example:8443/x?y=1");
        assert_eq!(basic(&uri).unwrap(), format!("Basic {}", STANDARD.encode("ops:p@ss")));
        assert_eq!(basic(&"http://hooks.example/".parse().unwrap()), None);
    }
}
