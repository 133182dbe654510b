//! Who has access: the one function that every request passes.
//!
//! A daemon that runs commands is reachable by every program and every web page of its
//! machine. Pages are refused by the name in `Host` (a foreign name that was made to resolve to
//! this machine: DNS rebinding) and by what browsers say of them (`Origin`, `Sec-Fetch-Site`);
//! programs by a token, where there is one. Requests whose end two readers may see at different
//! places (request smuggling) are refused before any of that.

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, StatusCode, Uri, Version};

use crate::base::tokens::NamedToken;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::tokens::{Session, Tokens};
use crate::http::front::authority::{Authority, Host, PublicUrl};
use crate::http::front::socket::Local;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The paths that need no token: they say whether the daemon lives.
const EXEMPT: &[&str] = &["/healthz", "/readyz"];

/// The path that needs none where the operator says so.
const METRICS: &str = "/metrics";

/// Who has access, as the operator has set it.
#[derive(Debug)]
pub struct Access {
    /// Names beside those of this machine, in lower case, without port.
    allowed_hosts: Vec<String>,
    public_url: Option<PublicUrl>,
    tokens: Tokens,
    metrics_open: bool,
}

/// What decides whether a request has access.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its version.
    pub version: Version,
    /// Its headers, as hyper has them.
    pub headers: &'a HeaderMap,
    /// A `Content-Length` stood beside a `Transfer-Encoding`.
    pub has_two_lengths: bool,
    /// A line of its head ended without a carriage return.
    pub has_bare_line_feed: bool,
    /// A `#` stood in its target.
    pub has_fragment: bool,
    /// What the client connected to.
    pub local: Local,
    /// It is for the web page.
    pub is_page: bool,
    /// It is for what needs no token.
    pub is_open: bool,
    /// Finds the session that its cookies belong to.
    pub session: &'a dyn Fn() -> Result<Option<Session>, Problem>,
}

/// How a request has access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// The name of its token, or of the token that began its session.
    pub token: Option<Arc<str>>,
    /// By a session.
    pub has_session: bool,
}

impl Access {
    /// Rules with these names beside those of this machine, these tokens if any is needed, and
    /// `/metrics` open to all or not. A name that is no [`Self::is_host`] gives nobody access.
    #[must_use]
    pub fn new(allowed_hosts: &[String], tokens: &[NamedToken], metrics_open: bool) -> Self {
        let name = |host: &String| Some(Authority::parse(host)?.host.to_string());
        Self {
            allowed_hosts: allowed_hosts
                .iter()
                .filter(|host| Self::is_host(host))
                .filter_map(name)
                .collect(),
            public_url: None,
            tokens: Tokens::of(tokens),
            metrics_open,
        }
    }

    /// The same, reached under this URL as well.
    #[must_use]
    pub fn reached_at(self, public_url: Option<PublicUrl>) -> Self {
        Self { public_url, ..self }
    }

    /// Whether it is a name that a `Host` can have.
    #[must_use]
    pub fn is_host(name: &str) -> bool {
        // Allowed in a name, and never part of one: a `*` is meant as a wildcard.
        Authority::parse(name).is_some() && !name.contains('*')
    }

    /// Whether the URL under which the server is reached is `https`.
    pub(super) fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(PublicUrl::is_https)
    }

    /// Lets a request pass, with the name of its token if that has one, or says why not.
    ///
    /// # Errors
    /// 400 for heads that can be read in two ways and for a missing, repeated or malformed
    /// `Host`, 421 for a foreign one, 401 without the token, 403 for what a foreign web page
    /// asks to change.
    pub fn check(&self, request: &AccessRequest<'_>) -> Result<Granted, Problem> {
        check_framing(request)?;
        let host = self.check_host(request)?;
        self.check_target(request)?;
        let granted = self.check_token(request)?;
        self.check_origin(request, host.as_ref())?;
        Ok(granted)
    }

    fn check_host<'a>(
        &self,
        request: &AccessRequest<'a>,
    ) -> Result<Option<Authority<'a>>, Problem> {
        let mut hosts = request.headers.get_all(HOST).iter();
        let Some(host) = hosts.next() else {
            if request.version == Version::HTTP_10 {
                return Ok(None);
            }
            return Err(Problem::bad_request("the request has no Host"));
        };
        if hosts.next().is_some() {
            return Err(Problem::bad_request("the request has more than one Host"));
        }
        let written = host.to_str().ok();
        let Some(authority) = written.and_then(Authority::parse) else {
            return Err(Problem::bad_request(format!("the Host {host:?} is malformed")));
        };
        self.check_authority(&authority, request)?;
        Ok(Some(authority))
    }

    fn check_target(&self, request: &AccessRequest<'_>) -> Result<(), Problem> {
        if request.has_fragment {
            return Err(Problem::bad_request("the target has a fragment")
                .with_hint("send a `#` that is meant as %23"));
        }
        if let Some(written) = request.uri.authority() {
            let Some(authority) = Authority::parse(written.as_str()) else {
                return Err(Problem::bad_request("the host in the target is malformed"));
            };
            self.check_authority(&authority, request)?;
        }
        match request.uri.scheme_str() {
            None | Some("http" | "https") => Ok(()),
            Some(scheme) => {
                Err(Problem::bad_request(format!("the scheme `{scheme}` is not served here")))
            }
        }
    }

    fn check_authority(
        &self,
        authority: &Authority<'_>,
        request: &AccessRequest<'_>,
    ) -> Result<(), Problem> {
        let host = &authority.host;
        let is_public = |url: &PublicUrl| url.is_host(host);
        if is_local(host, request.local)
            || self.is_allowed(host)
            || self.public_url.as_ref().is_some_and(is_public)
        {
            return Ok(());
        }
        let detail = format!("`{}` is not served here", authority.host);
        let hint = "an operator can add names with --allowed-hosts and --public-url";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).with_hint(hint))
    }

    fn is_allowed(&self, host: &Host<'_>) -> bool {
        !self.allowed_hosts.is_empty() && self.allowed_hosts.contains(&host.to_string())
    }

    fn check_token(&self, request: &AccessRequest<'_>) -> Result<Granted, Problem> {
        // The file of a unix socket says who may connect.
        if request.local == Local::Unix || self.tokens.is_empty() || request.is_open {
            return Ok(Granted::default());
        }
        let path = request.uri.path();
        if EXEMPT.contains(&path) || self.metrics_open && path == METRICS {
            return Ok(Granted::default());
        }
        let mut given = request.headers.get_all(AUTHORIZATION).iter();
        let Some(value) = given.next() else {
            if let Some(token) = self.check_session(request)? {
                return Ok(Granted { token, has_session: true });
            }
            return Err(Problem::unauthorized("a token is needed")
                .with_hint("send it as `Authorization: Bearer TOKEN`"));
        };
        let token = bearer(value.as_bytes()).filter(|_| given.next().is_none());
        match token.and_then(|token| self.tokens.find(token)) {
            Some(token) => Ok(Granted { token: token.name().cloned(), has_session: false }),
            None => Err(Problem::unauthorized("the token is wrong")
                .with_hint("send it once, as `Authorization: Bearer TOKEN`")),
        }
    }

    /// The name of the token whose session a request has. Of the API, a session opens only what the
    /// page itself asks for: the browser says so.
    fn check_session(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Option<Option<Arc<str>>>, Problem> {
        if !request.is_page && fetch_site(request.headers) != Some(b"same-origin") {
            return Ok(None);
        }
        let Some(session) = (request.session)()? else { return Ok(None) };
        Ok(self.tokens.of_session(&session).map(|token| token.name().cloned()))
    }

    /// A page may have its reader's browser send a request anywhere; the browser says so.
    fn check_origin(
        &self,
        request: &AccessRequest<'_>,
        host: Option<&Authority<'_>>,
    ) -> Result<(), Problem> {
        if matches!(*request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let forbidden = |detail| Err(Problem::new(StatusCode::FORBIDDEN, detail));
        if request.is_page {
            // Every browser says where a form comes from; nothing else sends one.
            let is_same = fetch_site(request.headers).is_none_or(|site| site == b"same-origin");
            let has_one = request.headers.get_all(ORIGIN).iter().count() == 1;
            if !is_same || !has_one {
                return forbidden("this form was not sent by a page of this server".to_owned());
            }
        }
        for site in request.headers.get_all(SEC_FETCH_SITE) {
            if site.as_bytes().eq_ignore_ascii_case(b"cross-site") {
                return forbidden("a page of another site may not change anything here".to_owned());
            }
        }
        for origin in request.headers.get_all(ORIGIN) {
            let is_own =
                origin.to_str().is_ok_and(|origin| self.is_own_origin(origin, request, host));
            if !is_own {
                return forbidden(format!("a page of {origin:?} may not change anything here"));
            }
        }
        Ok(())
    }

    /// Whether an origin is this server: the port must be its own as well, since other
    /// programs of this machine serve pages too. Names that the operator has given may be
    /// those of a proxy, with whatever port.
    fn is_own_origin(
        &self,
        origin: &str,
        request: &AccessRequest<'_>,
        host: Option<&Authority<'_>>,
    ) -> bool {
        if self.public_url.is_some() && PublicUrl::parse(origin) == self.public_url {
            return true;
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let Some(authority) = Authority::parse(authority) else { return false };
        let port = authority.port.unwrap_or(default_port);
        let is_port_of_host = host.is_some_and(|host| host.port.unwrap_or(default_port) == port);
        let is_own_port = match request.local {
            Local::Address(address) => port == address.port() || is_port_of_host,
            // A browser comes through a proxy, which hands the name on by which it is reached.
            Local::Unix => {
                return is_port_of_host && host.is_some_and(|host| host.host == authority.host);
            }
        };
        self.is_allowed(&authority.host) || is_own_port && is_local(&authority.host, request.local)
    }
}

/// Refuses what two readers may understand in two ways.
fn check_framing(request: &AccessRequest<'_>) -> Result<(), Problem> {
    if request.has_bare_line_feed {
        return Err(Problem::bad_request("a line of the head ends without a carriage return"));
    }
    if request.has_two_lengths {
        return Err(Problem::bad_request(
            "the request has both a Content-Length and a Transfer-Encoding",
        ));
    }
    let mut encodings = request.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else { return Ok(()) };
    if encoding != "chunked" || encodings.next().is_some() {
        return Err(Problem::bad_request("the only Transfer-Encoding taken is `chunked`"));
    }
    Ok(())
}

/// What the browser says of where a request comes from; nothing, if it says so twice.
fn fetch_site(headers: &HeaderMap) -> Option<&[u8]> {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) => Some(site.as_bytes()),
        (Some(_), Some(_)) => Some(b""),
        (None, _) => None,
    }
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Bearer".len())?;
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    (scheme.eq_ignore_ascii_case(b"Bearer") && spaces > 0).then(|| &rest[spaces..])
}

/// Whether it is a name of this machine that no other machine can have. No name leads to a unix
/// socket, so every name means it.
fn is_local(host: &Host<'_>, local: Local) -> bool {
    let Local::Address(local) = local else { return true };
    match host {
        Host::Address(address) => address.is_loopback() || *address == local.ip().to_canonical(),
        Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests;
