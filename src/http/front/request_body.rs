//! Which bodies of requests are taken.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};

use crate::http::exchange::problem::Problem;

/// The longest body.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a body with these headers is taken.
///
/// # Errors
/// 415 unless it is plain JSON, or for the web page a form.
pub(super) fn check_type(headers: &HeaderMap, is_page: bool) -> Result<(), Problem> {
    let essence = if is_page { FORM } else { "application/json" };
    let refused = |detail: String| {
        let kind = if is_page { "a form" } else { "JSON" };
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            .with_hint(format!("send {kind} with `Content-Type: {essence}`"))
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(refused("a body with a Content-Encoding is not taken".to_owned()));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => Err(refused("the body has no Content-Type".to_owned())),
        (Some(_), Some(_)) => Err(refused("there is more than one Content-Type".to_owned())),
        (Some(value), None) => match value.to_str() {
            Ok(value) if is_type(value, essence) => Ok(()),
            _ => Err(refused(format!("a body of type {value:?} is not taken"))),
        },
    }
}

/// Whether it is that type, with `charset=utf-8` at most.
fn is_type(value: &str, expected: &str) -> bool {
    let (essence, parameters) = match value.split_once(';') {
        Some((essence, parameters)) => (essence, Some(parameters)),
        None => (value, None),
    };
    if !essence.trim().eq_ignore_ascii_case(expected) {
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
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_plain_json_is_taken() {
        let judged = |fields: &[(HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
            check_type(&headers, false).is_ok()
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

    #[test]
    fn the_page_takes_forms_and_nothing_else_does() {
        for (value, of_page, of_api) in [
            ("application/x-www-form-urlencoded", true, false),
            ("application/x-www-form-urlencoded; charset=UTF-8", true, false),
            ("application/json", false, true),
            ("multipart/form-data; boundary=x", false, false),
            ("text/plain", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            let judged = [true, false].map(|is_page| check_type(&headers, is_page).is_ok());
            assert_eq!(judged, [of_page, of_api], "{value}");
        }
    }
}
