//! Passwords in URLs, whoever they belong to.                                           (pure)

use std::ops::Range;

use super::view::cut_at;

/// How much is looked at of what may be one URL, bytes.
const URL_MAX: usize = 4_096;

/// Where the passwords of URLs are in a text.
pub(super) fn passwords(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let schemes = text.windows(3).enumerate().filter(|(_, window)| window == b"://");
    schemes.filter_map(|(at, _)| {
        let start = at + 3;
        text[..at].last().filter(|byte| byte.is_ascii_alphanumeric())?;
        let rest = &text[start..text.len().min(start + URL_MAX)];
        let is_end = |index: &usize| ends_url(rest[*index]) || cut_at(&rest[*index..]).is_some();
        let end = (0..rest.len()).find(is_end).unwrap_or(rest.len());
        let is_cut = end == rest.len() || cut_at(&rest[end..]).is_some();
        let password = password(&rest[..end], is_cut)?;
        (!password.is_empty()).then_some(start + password.start..start + password.end)
    })
}

/// Whether a URL ends here. Bytes that are in no text are of what was not decoded.
fn ends_url(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f | b'"' | b'\'' | b'`' | b'<' | b'>' | 0xf8..)
}

/// The password in what follows `://`. It may have unescaped `/`, `?`, `#` and `@`, so it goes up to
/// the last `@`, where what is before the first `/` can be no host with a port.
fn password(url: &[u8], is_cut: bool) -> Option<Range<usize>> {
    let find = |range: Range<usize>, byte: u8| {
        url[range.clone()].iter().position(|it| *it == byte).map(|at| range.start + at)
    };
    let authority = (0..url.len()).find(|at| b"/?#".contains(&url[*at])).unwrap_or(url.len());
    let last_at = url.iter().rposition(|byte| *byte == b'@');
    let host = url[..authority].iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    if let (Some(colon), Some(last_at)) = (find(0..host, b':'), last_at) {
        return Some(colon + 1..last_at);
    }
    if url[host..authority].starts_with(b"[") {
        return None;
    }
    // A user without a host yet, or a host with a port.
    let colon = find(host..authority, b':')?;
    let port = &url[colon + 1..authority];
    if port.len() <= 5 && port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    match last_at.filter(|at| *at > colon) {
        Some(last_at) => Some(colon + 1..last_at),
        None => is_cut.then_some(colon + 1..url.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_and_nothing_else() {
        for (text, masked) in [
            ("postgres://u:p@ss@host/db", "postgres://u:***@host/db"),
            ("redis://:pw@h x", "redis://:***@h x"),
            ("http://me@corp.example:pw@proxy:3128/", "http://me@corp.example:***@proxy:3128/"),
            ("postgres://u:pa/ss@host/db", "postgres://u:***@host/db"),
            ("postgres://u:p?#/@ss@host/db x@y", "postgres://u:***@host/db x@y"),
            (
                "{\"url\":\"amqp://u:pw@h/\",\"to\":\"a@b\"}",
                "{\"url\":\"amqp://u:***@h/\",\"to\":\"a@b\"}",
            ),
            ("https://proxy/?to=ftp://u:pw@h", "https://proxy/?to=ftp://u:***@h"),
            // Cut.
            ("cannot reach postgres://u:passw", "cannot reach postgres://u:***"),
            ("cannot reach postgres://u:pa/ss", "cannot reach postgres://u:***"),
            ("cannot reach postgres://u:passw… again", "cannot reach postgres://u:***… again"),
            ("http://me@corp.example:pass", "http://me@corp.example:***"),
            // No passwords.
            ("to http://h:80/path?mail=a@b", "to http://h:80/path?mail=a@b"),
            ("to https://host/a:b@c", "to https://host/a:b@c"),
            ("to https://host?a:b@c", "to https://host?a:b@c"),
            ("to http://h:8080", "to http://h:8080"),
            ("to http://h:8080/x", "to http://h:8080/x"),
            ("to http://h:", "to http://h:"),
            ("to http://[::1]:8080/a@b", "to http://[::1]:8080/a@b"),
            ("ssh://git@host:22/a@b", "ssh://git@host:22/a@b"),
            ("http://h:name x", "http://h:name x"),
            ("std::fs://x:y :// a:b@c", "std::fs://x:y :// a:b@c"),
        ] {
            let mut shown = text.as_bytes().to_vec();
            let found: Vec<_> = passwords(text.as_bytes()).collect();
            for range in found.into_iter().rev() {
                shown.splice(range, *b"***");
            }
            assert_eq!(String::from_utf8(shown).unwrap(), masked, "{text}");
        }
    }
}
