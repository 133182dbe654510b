//! The hosts and ports that requests name: in `Host`, in `Origin`, in their target.

use std::net::{IpAddr, Ipv6Addr};

/// The URL under which a server is reached, as far as browsers say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    is_tls: bool,
    /// In lower case, without port.
    host: String,
    port: u16,
}

impl PublicUrl {
    /// Reads `http://HOST:PORT/PATH` or `https://…`; `None` for what is neither.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let Authority { host, port } = Authority::parse(authority)?;
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        Some(Self { is_tls, host: host.to_string(), port })
    }

    pub(super) fn is_https(&self) -> bool {
        self.is_tls
    }

    pub(super) fn is_host(&self, host: &Host<'_>) -> bool {
        host.to_string() == self.host
    }
}

/// `host[:port]`: RFC 3986, section 3.2, without a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: Host<'a>,
    pub(super) port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl std::fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(&name.to_ascii_lowercase()),
        }
    }
}

impl<'a> Authority<'a> {
    pub(super) fn parse(written: &'a str) -> Option<Self> {
        let (host, port) = if let Some(rest) = written.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address = address.parse::<Ipv6Addr>().ok()?;
            let port = if rest.is_empty() { "" } else { rest.strip_prefix(':')? };
            (Host::Address(IpAddr::V6(address).to_canonical()), port)
        } else {
            let (host, port) = written.split_once(':').unwrap_or((written, ""));
            let is_name = !host.is_empty() && host.bytes().all(is_of_name);
            let address = host.parse::<IpAddr>().ok();
            (address.map_or(is_name.then_some(Host::Name(host)), |a| Some(Host::Address(a)))?, port)
        };
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { host, port })
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_http_with_a_host() {
        for url in ["http://x", "https://wfx.example.com/ops/", "HTTPS://[::1]:8443/?a#b"] {
            assert!(PublicUrl::parse(url).is_some(), "{url}");
        }
        for none in ["wfx.example.com", "ftp://x", "https://", "https:///x", "https://a b"] {
            assert_eq!(PublicUrl::parse(none), None, "{none}");
        }
    }
}
