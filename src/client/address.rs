//! Where a daemon is: `unix:PATH`, `http://…` or `https://…`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use http::Uri;

/// Where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServerAddress {
    /// A socket of this machine.
    Unix(PathBuf),
    /// A URL.
    Http(HttpAddress),
}

/// The parts of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpAddress {
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// As the header `Host` has it.
    pub authority: String,
    /// What stands before each path; empty, or with a slash at its beginning only.
    pub prefix: String,
}

/// Why a text is no address of a daemon. It does not repeat the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseAddressError(&'static str);

impl ServerAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseAddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            // As URLs write an absolute path as well.
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains('\0') {
                return Err(ParseAddressError("`unix:` is followed by the path of a socket"));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let refuse = |why| Err(ParseAddressError(why));
        let Ok(uri) = text.parse::<Uri>() else {
            return refuse("write unix:PATH, http://HOST:PORT or https://HOST");
        };
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return refuse("write unix:PATH, http://HOST:PORT or https://HOST"),
        };
        let Some(authority) = uri.authority() else { return refuse("the URL has no host") };
        if authority.as_str().contains('@') {
            return refuse(
                "a user and a password do not belong into the URL: a token comes from \
                 --token-file or WFX_TOKEN",
            );
        }
        if uri.query().is_some() {
            return refuse("the URL of a daemon has no query");
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let has_bad_port = authority.port_u16().is_none()
            && authority.as_str().rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        if host.is_empty() || has_bad_port {
            return refuse("the host or the port of the URL is none");
        }
        Ok(Self::Http(HttpAddress {
            is_tls,
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            host,
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        }))
    }

    /// Whether it is on this machine.
    #[must_use]
    pub(crate) fn is_here(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Http(address) => address.is_loopback(),
        }
    }

    /// Whether others on the way may read what is sent.
    #[must_use]
    pub(crate) fn is_readable_by_others(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Http(address) => !address.is_tls && !address.is_loopback(),
        }
    }
}

impl HttpAddress {
    fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Http(HttpAddress { is_tls, authority, prefix, .. }) => {
                let scheme = if *is_tls { "https" } else { "http" };
                write!(f, "{scheme}://{authority}{prefix}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, shown, is_readable) in [
            ("unix:/run/wfx.sock", "unix:/run/wfx.sock", false),
            ("unix:///run/wfx.sock", "unix:/run/wfx.sock", false),
            ("unix:wfx.sock", "unix:wfx.sock", false),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", false),
            ("http://localhost:8080", "http://localhost:8080", false),
            ("http://[::1]:8080", "http://[::1]:8080", false),
            ("http://wfx.example:8080", "http://wfx.example:8080", true),
            ("https://wfx.example/ops/", "https://wfx.example/ops", false),
        ] {
            let address = ServerAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.is_readable_by_others(), is_readable, "{text}");
        }
        let ServerAddress::Http(address) = ServerAddress::parse("https://[::1]/x").unwrap() else {
            panic!("no URL");
        };
        assert_eq!((address.host.as_str(), address.port), ("::1", 443));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in [
            "",
            "unix:",
            "wfx.example:8080",
            "127.0.0.1:8080",
            "ftp://x",
            "http://",
            "http://x:99999",
            "http://x/?a=1",
            "https://u:s3cret@x",
        ] {
            let error = ServerAddress::parse(text).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
