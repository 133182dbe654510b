//! What the URLs of channels say.

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::notify::channel::{Email, Encryption, Hidden, Target};
use crate::system::http_client;

/// The receiver of a URL of HTTP.
pub(super) fn target(url: &str) -> Result<Target, String> {
    let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
    let scheme = match uri.scheme_str() {
        Some("http") => "http",
        Some("https") => "https",
        _ => return Err("it is neither http nor https".to_owned()),
    };
    if uri.host().is_none_or(str::is_empty) {
        return Err("it has no host".to_owned());
    }
    let authorization = http_client::basic(&uri);
    let uri = http_client::without_user(&uri)?;
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    Ok(Target { shown: format!("{scheme}://{host}/***"), authorization, uri })
}

/// `smtp[s]://[USER[:PASSWORD]@]HOST[:PORT][?tls=required|opportunistic|none]`. Without `tls`, a
/// password is never sent unencrypted.
pub(super) fn smtp_server(url: &str) -> Result<Email, String> {
    let (scheme, rest) = url.split_once("://").ok_or("it is no URL")?;
    let (rest, query) =
        rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let authority = rest.trim_end_matches('/');
    let (user, server) = match authority.rsplit_once('@') {
        Some((user, server)) => (Some(user), server),
        None => (None, authority),
    };
    let login = user.map(|user| {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (decode(user), Hidden(decode(password)))
    });
    let (encryption, default_port) = match (scheme, query) {
        ("smtps", None) => (Encryption::Implicit, 465),
        ("smtp", None) if login.is_some() => (Encryption::Required, 587),
        ("smtp", None) => (Encryption::Opportunistic, 25),
        ("smtp", Some("tls=required")) => (Encryption::Required, 587),
        ("smtp", Some("tls=opportunistic")) => (Encryption::Opportunistic, 25),
        ("smtp", Some("tls=none")) => (Encryption::None, 25),
        ("smtp" | "smtps", Some(_)) => return Err("what follows `?` is not known".to_owned()),
        _ => return Err("it is neither smtp nor smtps".to_owned()),
    };
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().map_err(|_| "its port is no number".to_owned())?)
        }
        _ => (server, default_port),
    };
    let host = host.trim_matches(['[', ']']);
    let is_host = !host.is_empty()
        && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
    if !is_host {
        return Err("it has no host".to_owned());
    }
    Ok(Email {
        host: host.to_owned(),
        port,
        encryption,
        login,
        from: String::new(),
        to: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_sent_in_the_open_by_default() {
        for (url, encryption, port) in [
            ("smtps://u@h", Encryption::Implicit, 465),
            ("smtp://u@h", Encryption::Required, 587),
            ("smtp://u:p@h:2525", Encryption::Required, 2525),
            ("smtp://h", Encryption::Opportunistic, 25),
            ("smtp://u@h?tls=none", Encryption::None, 25),
            ("smtp://[::1]:26", Encryption::Opportunistic, 26),
        ] {
            let email = smtp_server(url).unwrap();
            assert_eq!((email.encryption, email.port), (encryption, port), "{url}");
        }
        let email = smtp_server("smtps://a%40b:c%3Ad@h").unwrap();
        assert_eq!(email.login.unwrap(), ("a@b".to_owned(), Hidden("c:d".to_owned())));
        for url in ["h", "smtp://", "http://h", "smtp://h:x", "smtp://h?tls=maybe", "smtps://u@"] {
            assert!(smtp_server(url).is_err(), "{url}");
        }
    }
}
