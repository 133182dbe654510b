//! An answer as a strict client reads it.

use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer at the beginning of `bytes` and its length, once it is there as a whole.
    pub(super) fn parse(bytes: &[u8], has_body: bool) -> Option<(Self, usize)> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).expect("a head of ASCII");
        assert!(
            head.bytes().all(|byte| byte == b'\r' || byte == b'\n' || (32..127).contains(&byte))
        );
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let Some((status, reason)) = rest.and_then(|rest| rest.split_once(' ')) else {
            panic!("no answer: {head:?}");
        };
        assert!(status.len() == 3 && !reason.is_empty(), "{line}");
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            assert!(!name.contains([' ', '\t', '\r', '\n']), "{line:?}");
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let headers = headers.collect();
        let mut answer = Self { status: status.parse().unwrap(), headers, body: Vec::new() };
        let start = end + 4;
        if !has_body || answer.is_interim() || matches!(answer.status, 204 | 304) {
            return Some((answer, start));
        }
        let length: usize = answer.header("content-length").expect("a length").parse().unwrap();
        answer.body = bytes.get(start..start + length)?.to_vec();
        Some((answer, start + length))
    }

    /// A header; it may stand there once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "more than one {name}: {:?}", self.headers);
        value
    }

    pub(super) fn id(&self) -> &str {
        self.header("x-request-id").expect("an id")
    }

    pub(super) fn is_interim(&self) -> bool {
        self.status < 200
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(super) fn detail(&self) -> String {
        self.json()["detail"].as_str().expect("a detail").to_owned()
    }

    /// Checks what every answer has, and what every problem has.
    pub(super) fn check(&self) {
        if self.is_interim() {
            return;
        }
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        assert!(!self.id().is_empty(), "{self:?}");
        assert!(self.header("date").is_some_and(|date| date.ends_with(" GMT")), "{self:?}");
        if let Some(encoding) = self.header("transfer-encoding") {
            // The head of a stream, whose chunks are read one by one.
            assert_eq!((encoding, self.header("content-length")), ("chunked", None), "{self:?}");
            assert!(self.status == 200 && self.body.is_empty(), "{self:?}");
        }
        for name in ["access-control-allow-origin", "server"] {
            assert_eq!(self.header(name), None, "{self:?}");
        }
        if self.status < 400 || self.body.is_empty() {
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank", "{problem}");
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["request_id"], self.id(), "{problem}");
        for key in ["title", "detail"] {
            assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
    }
}
