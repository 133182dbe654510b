//! Why a request was not done, for its caller: RFC 9457.

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::error::Category;

use crate::base::json;

/// The media type of a problem.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// A problem that has no page of its own: RFC 9457, section 4.2.1.
const NO_TYPE: &str = "about:blank";

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<PointedError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is wrong at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PointedError {
    /// Where: a JSON pointer (RFC 6901), `""` for the whole document.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// A problem as it is sent.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[PointedError]>::is_empty")]
    errors: &'a [PointedError],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// A problem that is answered with `status`.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    /// 400: what was sent does not parse.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: the token is missing or wrong.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 404: nothing is there.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 405: something is there, but takes other methods.
    #[must_use]
    pub fn method_not_allowed(detail: impl Into<String>, allow: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
            .with_header(ALLOW, HeaderValue::from_static(allow))
    }

    /// 503: not now; worth another try after so many seconds.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .with_header(RETRY_AFTER, HeaderValue::from(retry_after_seconds))
    }

    /// 400 for a body that is no JSON, with the place.
    #[must_use]
    pub fn of_json(error: &serde_json::Error) -> Self {
        // Its message ends in the place where there is one.
        match error.classify() {
            Category::Data => Self::bad_request(format!("the body is not as expected: {error}")),
            _ => Self::bad_request(format!("the body is no JSON: {error}")),
        }
    }

    /// The same, with a sentence that says what can be done.
    #[must_use]
    pub fn with_hint(mut self, hint: impl AsRef<str>) -> Self {
        self.detail.push_str("; ");
        self.detail.push_str(hint.as_ref());
        self
    }

    /// The same, with what is wrong at each place of a document.
    #[must_use]
    pub fn with_errors(self, errors: Vec<PointedError>) -> Self {
        Self { errors, ..self }
    }

    /// The same, with a header in its answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The status of its answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What went wrong, for the caller.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong at each place of a document.
    #[must_use]
    pub fn errors(&self) -> &[PointedError] {
        &self.errors
    }

    pub(in crate::http) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// As it is sent.
    pub(in crate::http) fn to_json(&self, request_id: Option<&str>) -> Vec<u8> {
        let document = Document {
            r#type: NO_TYPE,
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            request_id,
        };
        // Text and numbers: there is nothing in it that could not be written.
        json::to_vec(&document).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn it_is_sent_as_the_rfc_says() {
        let written =
            |problem: &Problem, id| serde_json::from_slice::<Value>(&problem.to_json(id)).unwrap();
        let plain = Problem::not_found("no execution `x`").with_hint("see /api/v1/workflows");
        assert_eq!(
            written(&plain, None),
            json!({"type": "about:blank", "title": "Not Found", "status": 404,
                "detail": "no execution `x`; see /api/v1/workflows"})
        );
        let errors = vec![PointedError { pointer: "/steps/0".to_owned(), detail: "no".to_owned() }];
        let full = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no").with_errors(errors);
        assert_eq!(
            written(&full, Some("id")),
            json!({"type": "about:blank", "title": "Unprocessable Entity", "status": 422,
                "detail": "no", "request_id": "id",
                "errors": [{"pointer": "/steps/0", "detail": "no"}]})
        );
    }
}
