//! Access logs in JSON of servers that always use the same names: Caddy and Traefik.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json_value::raw;
use super::line::{self, Fields, Line, Why};

/// What distinguishes them, and which fields are read.
#[derive(Deserialize)]
struct Document<'a> {
    // Caddy: https://caddyserver.com/docs/logging#structured-logs
    #[serde(borrow)]
    logger: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    duration: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    // Traefik: https://doc.traefik.io/traefik/observability/access-logs/
    #[serde(borrow, rename = "StartUTC")]
    start: Option<&'a RawValue>,
    #[serde(borrow, rename = "DownstreamStatus")]
    downstream_status: Option<&'a RawValue>,
    #[serde(borrow, rename = "Duration")]
    nanoseconds: Option<&'a RawValue>,
    #[serde(borrow, rename = "RequestPath")]
    request_path: Option<&'a RawValue>,
}

/// The request of Caddy.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
}

/// Reads a line of one of them; nothing for any other object.
pub(super) fn parse(line: &str) -> Option<Result<Line<'_>, Why>> {
    let document: Document<'_> = serde_json::from_str(line).ok()?;
    if document.start.is_some() && document.downstream_status.is_some() {
        return Some(traefik(&document));
    }
    let logger = document.logger.as_deref()?;
    if document.ts.is_none() || !(logger.starts_with("http") || logger.starts_with("admin")) {
        return None;
    }
    if !logger.starts_with("http.log.access") {
        // What Caddy says of itself.
        return Some(Ok(Line::LeftOut));
    }
    Some(caddy(&document))
}

/// It logs a request after its answer.
fn caddy<'a>(document: &Document<'a>) -> Result<Line<'a>, Why> {
    let request =
        document.request.map(|request| serde_json::from_str::<Request<'a>>(request.get()));
    let uri = request.and_then(Result::ok).and_then(|request| request.uri);
    Fields {
        t: raw(document.ts)?,
        status: raw(document.status)?,
        latency: raw(document.duration)?,
        path: raw(uri)?,
        ..Fields::EMPTY
    }
    .line()
}

/// Its start is the arrival of the request, and more precise than its time of the answer.
fn traefik<'a>(document: &Document<'a>) -> Result<Line<'a>, Why> {
    let mut line = Fields {
        t: raw(document.start)?,
        status: raw(document.downstream_status)?,
        path: raw(document.request_path)?,
        ..Fields::EMPTY
    }
    .line()?;
    let nanoseconds = raw(document.nanoseconds)?;
    let bad = || Why::Bad("Duration", "is neither a number nor a text");
    if let (Line::Event(event), Some(text)) = (&mut line, nanoseconds.text().map_err(|()| bad())?) {
        event.latency_us =
            line::duration("Duration", text, 0)?.map(|nanoseconds| nanoseconds / 1_000);
        event.at.us = event.at.us.saturating_add(event.latency_us.unwrap_or(0));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::super::line::Parsed;
    use super::super::ndjson;
    use super::*;

    fn event(line: &str) -> Parsed<'_> {
        match ndjson::parse(line) {
            Ok(Line::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn caddy_is_read() {
        let line = r#"{"level":"error","ts":1764324001.25,"logger":"http.log.access.log0","msg":"handled request","request":{"method":"GET","uri":"/a?b","headers":{"t":["x"]}},"duration":0.000929675,"size":0,"status":503}"#;
        let found = event(line);
        assert_eq!(
            (found.at.us, found.status, found.latency_us),
            (1_764_324_001_250_000, 503, Some(929))
        );
        assert_eq!(found.path.as_deref(), Some("/a"));
        let dated = line.replace("1764324001.25", "\"2025-11-28T10:00:01.25Z\"");
        assert_eq!(event(&dated).at.us, 1_764_324_001_250_000);
        let own = r#"{"level":"info","ts":1764324000.5,"logger":"http","msg":"server running"}"#;
        assert_eq!(ndjson::parse(own), Ok(Line::LeftOut));
        let other = r#"{"level":"info","ts":1,"logger":"mine","status":200}"#;
        assert_eq!(ndjson::parse(other), Err(Why::Missing("t")));
    }

    #[test]
    fn traefik_is_read_at_the_time_of_its_answers() {
        let line = r#"{"ClientAddr":"192.0.2.1:1","DownstreamStatus":502,"Duration":30001500999,"RequestPath":"/a?b","StartUTC":"2025-11-28T10:00:01.123456789Z","level":"info","time":"2025-11-28T10:00:31Z"}"#;
        let found = event(line);
        assert_eq!((found.status, found.latency_us), (502, Some(30_001_500)));
        assert_eq!(found.at.us, 1_764_324_001_123_456 + 30_001_500);
        assert_eq!(found.path.as_deref(), Some("/a"));
        let unknown = line.replace("30001500999", "-1");
        assert_eq!((event(&unknown).latency_us, event(&unknown).status), (None, 502));
    }
}
