//! The HTTP client of webhooks and notifications: hyper-util's, which reuses a connection for the
//! next one and follows no redirect.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;

use crate::base::timestamp::Timestamp;
use crate::system::tls;

/// Sends requests to one URL.
#[derive(Debug)]
pub(crate) enum Client {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    /// A client for a URL: certificates are only loaded for https.
    pub(crate) fn new(uri: &Uri) -> Result<Self, String> {
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
    pub(crate) async fn send(
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
pub(crate) fn basic(uri: &Uri) -> Option<HeaderValue> {
    let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let user: Vec<u8> = percent_decode_str(user).collect();
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The URL as it is asked for.
pub(crate) fn without_user(uri: &Uri) -> Result<Uri, String> {
    let mut parts = uri.clone().into_parts();
    let authority = parts.authority.ok_or("it has no host")?;
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    parts.authority = Some(host.parse::<Authority>().map_err(|error| error.to_string())?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

/// Whether the same request would be refused again: so for 4xx (RFC 9110, section 15.5), except
/// those that depend on time.
pub(crate) fn is_final(status: StatusCode) -> bool {
    const MATTERS_OF_TIME: [StatusCode; 3] =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !MATTERS_OF_TIME.contains(&status)
}

/// How long `Retry-After` asks to wait: seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    Timestamp::parse_http_date(text).map(|date| date.since(now))
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

    #[test]
    fn only_a_matter_of_time_is_tried_again() {
        let refused: Vec<u16> =
            (300..600).filter(|code| is_final(StatusCode::from_u16(*code).unwrap())).collect();
        let expected: Vec<u16> =
            (400..500).filter(|code| ![408, 425, 429].contains(code)).collect();
        assert_eq!(refused, expected);
    }

    #[test]
    fn a_receiver_says_when_to_come_again() {
        let now = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after("18446744073709551616", now), Some(Duration::MAX));
    }
}
