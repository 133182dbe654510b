//! The rules for bodies: which are taken, and how deep JSON may nest.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::http::exchange::problem::Problem;

/// The longest body.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The most lists and objects in each other.
pub const DEPTH_MAX: usize = 64;

/// Reads a body as strict JSON.
///
/// # Errors
/// 400 with the line and the column for what is no JSON, nests too deep, or is no `T`.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    check_depth(body)?;
    serde_json::from_slice(body).map_err(|error| Problem::of_json(&error))
}

/// Refuses JSON that nests deeper than [`DEPTH_MAX`], before it is read.
///
/// # Errors
/// 400 with the line and the column.
pub fn check_depth(body: &[u8]) -> Result<(), Problem> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut is_escaped = false;
    for (at, &byte) in body.iter().enumerate() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            let (line, column) = place(body, at);
            return Err(Problem::bad_request(format!(
                "the body nests deeper than {DEPTH_MAX} at line {line} column {column}"
            )));
        }
    }
    Ok(())
}

/// Line and column of a byte, both from 1.
fn place(body: &[u8], at: usize) -> (usize, usize) {
    let before = &body[..at];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (line, at - start + 1)
}

/// Whether a body with these headers is taken.
///
/// # Errors
/// 415 unless it is plain JSON.
pub(in crate::http) fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: String| {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            .with_hint("send JSON with `Content-Type: application/json`")
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(refused("a body with a Content-Encoding is not taken".to_owned()));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => Err(refused("the body has no Content-Type".to_owned())),
        (Some(_), Some(_)) => Err(refused("there is more than one Content-Type".to_owned())),
        (Some(value), None) => match value.to_str() {
            Ok(value) if is_json(value) => Ok(()),
            _ => Err(refused(format!("a body of type {value:?} is not taken"))),
        },
    }
}

/// Whether it is `application/json`, with `charset=utf-8` at most.
fn is_json(value: &str) -> bool {
    let (essence, parameters) = match value.split_once(';') {
        Some((essence, parameters)) => (essence, Some(parameters)),
        None => (value, None),
    };
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return false;
    }
    let Some((name, charset)) = parameters.and_then(|parameters| parameters.split_once('=')) else {
        return parameters.is_none_or(|rest| rest.trim().is_empty());
    };
    let charset = charset.trim_end();
    let unquoted = charset.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    name.trim_start().eq_ignore_ascii_case("charset")
        && unquoted.unwrap_or(charset).eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_nests_so_deep_and_no_deeper() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        parse::<Value>(nested(64).as_bytes()).unwrap();
        let told = parse::<Value>(format!("\n {}", nested(65)).as_bytes()).unwrap_err();
        assert_eq!(told.status(), 400);
        assert!(told.detail().contains("line 2 column 66"), "{}", told.detail());
        // A million brackets are refused before anything recurses.
        parse::<Value>("[".repeat(1 << 20).as_bytes()).unwrap_err();
        let many = format!("[{}[]]", "[],".repeat(1000));
        parse::<Value>(many.as_bytes()).unwrap();
        for text in [r#""[[[[\"[[""#, r#"{"\\": "[\\\"["}"#] {
            parse::<Value>(text.replace('[', &"[".repeat(100)).as_bytes()).unwrap();
        }
        let after = format!(r#"["\\", {}]"#, nested(64));
        parse::<Value>(after.as_bytes()).unwrap_err();
    }

    #[test]
    fn what_is_no_strict_json_is_refused_with_its_place() {
        for text in [
            &b""[..],
            b"{",
            b"{}}",
            b"{} {}",
            b"{'a': 1}",
            b"{\"a\": 1,}",
            b"[1,]",
            b"// x\n{}",
            b"NaN",
            b"01",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"\"\x01\"",
            b"]]]]",
        ] {
            let told = parse::<Value>(text).unwrap_err();
            assert_eq!(told.status(), 400, "{text:?}");
            assert!(told.detail().contains("line 1 column"), "{text:?} {}", told.detail());
        }
    }

    #[test]
    fn only_plain_json_is_taken() {
        let judged = |fields: &[(hyper::header::HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
            check_type(&headers).is_ok()
        };
        for (value, taken) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json;", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/json; charset=\"utf-8", false),
            ("application/json; charset", false),
            ("application/json; charset=utf-8; x=y", false),
            ("application/json; boundary=x", false),
            ("application/json, text/plain", false),
            ("application/jsonx", false),
            ("application/problem+json", false),
            ("text/plain", false),
            ("text/json", false),
            ("", false),
        ] {
            assert_eq!(judged(&[(CONTENT_TYPE, value)]), taken, "{value}");
        }
        let json = (CONTENT_TYPE, "application/json");
        assert!(!judged(&[]));
        assert!(!judged(&[json.clone(), json.clone()]));
        assert!(!judged(&[json.clone(), (CONTENT_ENCODING, "gzip")]));
        assert!(!judged(&[json, (CONTENT_ENCODING, "identity")]));
    }
}
