//! Recognises files that are not logs of requests in a form that wfx reads.

use serde_json::{Map, Value};

use super::access;
use super::format::LogFormat;

/// The kind of a file, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    /// After "is ".
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Foreign {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }

    /// With the name of the source in the remedy.
    pub(super) fn in_source(mut self, name: &str) -> Self {
        if name != "-" {
            self.remedy = self.remedy.replace("FILE", name);
        }
        self
    }

    fn unpacked(what: &str, command: &str) -> Self {
        Self::new(what, format!("unpack it: `{command} FILE | wfx slo-sim --trace - …`"))
    }
}

/// The kind that the first bytes of a source show: compressed, an archive, or not text.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<Foreign> {
    let compressed: [(&[u8], &str, &str); 9] = [
        (b"\x28\xb5\x2f\xfd", "compressed by zstd", "zstdcat"),
        (b"\xfd7zXZ\0", "compressed by xz", "xzcat"),
        (b"BZh", "compressed by bzip2", "bzcat"),
        (b"\x04\x22\x4d\x18", "compressed by lz4", "lz4cat"),
        (b"LZIP", "compressed by lzip", "lzip -dc"),
        (b"\x1f\x9d", "compressed by compress", "zcat"),
        (b"PK\x03\x04", "a zip archive", "unzip -p"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so"),
        (b"Rar!", "a rar archive", "unrar p -inul"),
    ];
    if let Some((_, what, command)) = compressed.iter().find(|(magic, ..)| bytes.starts_with(magic))
    {
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        // A log may begin with such letters.
        if !bytes.iter().take(16).all(is_text) {
            return Some(Foreign::unpacked(what, command));
        }
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return Some(Foreign::new(
            "compressed by gzip more than once",
            "unpack it: `zcat FILE | wfx slo-sim --trace - …`",
        ));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(Foreign::new(
            "a tar archive",
            "unpack it: `tar -xOf FILE | wfx slo-sim --trace - …` reads all files in it",
        ));
    }
    let kinds: [(&[u8], &str, &str); 3] = [
        (
            b"LPKSHHRH",
            "a journal of systemd",
            "`journalctl -o cat --file FILE | wfx slo-sim --trace - …`",
        ),
        (
            b"SQLite format 3\0",
            "a database of SQLite",
            "export its requests as CSV with t and status",
        ),
        (b"PAR1", "a Parquet file", "export its requests as CSV with t and status"),
    ];
    if let Some((_, what, remedy)) = kinds.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Some(Foreign::new(*what, *remedy));
    }
    let utf16 = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [a, 0, b, 0, ..] if *a > 0 && *b > 0 => Some("UTF-16LE"),
        [0, a, 0, b, ..] if *a > 0 && *b > 0 => Some("UTF-16BE"),
        _ => None,
    };
    utf16.map(|name| {
        Foreign::new(
            format!("text in {name}"),
            format!("convert it: `iconv -f {name} -t UTF-8 FILE | wfx slo-sim --trace - …`"),
        )
    })
}

/// The kind that an unparsed line shows.
pub(super) fn of_line(line: &str) -> Option<Foreign> {
    let line = line.trim();
    if line.starts_with('{') {
        let Ok(Value::Object(object)) = serde_json::from_str(line) else { return None };
        return of_object(&object);
    }
    of_tool(line).or_else(|| of_header(line)).or_else(|| of_access_log(line))
}

fn of_object(object: &Map<String, Value>) -> Option<Foreign> {
    let has = |name: &str| object.contains_key(name);
    if has("log") && (has("stream") || has("time")) {
        return Some(Foreign::new(
            "a log of Docker, with each line of the server in a JSON object",
            "take the lines out: `jq -rj .log FILE | wfx slo-sim --trace - --log-format FORMAT`, \
             or `docker logs NAME`",
        ));
    }
    if has("MESSAGE") && has("__REALTIME_TIMESTAMP") {
        return Some(Foreign::new(
            "journald's JSON, with each line of the server as its MESSAGE",
            "take the lines out: `jq -r .MESSAGE FILE | wfx slo-sim --trace - --log-format \
             FORMAT`, or `journalctl -o cat`",
        ));
    }
    if (has("metric") && has("type")) || (has("metrics") && (has("root_group") || has("state"))) {
        return Some(Foreign::new("a result of k6", "`wfx perf-check --stats FILE` judges it"));
    }
    if has("latencyPercentiles") || (has("summary") && has("rps")) {
        return Some(Foreign::new("a result of oha", "`wfx perf-check --stats FILE` judges it"));
    }
    renamed(object)
}

/// JSON that has a time and a status under other names than those that wfx reads.
fn renamed(object: &Map<String, Value>) -> Option<Foreign> {
    const TIMES: [&str; 14] = [
        "t",
        "time",
        "timestamp",
        "@timestamp",
        "ts",
        "time_iso8601",
        "msec",
        "time_local",
        "datetime",
        "date",
        "start_time",
        "StartUTC",
        "eventTime",
        "asctime",
    ];
    const STATUSES: [&str; 9] = [
        "status",
        "DownstreamStatus",
        "status_code",
        "statusCode",
        "response_code",
        "responseCode",
        "http_status",
        "code",
        "response",
    ];
    // With the factor to seconds.
    const DURATIONS: [(&str, &str); 15] = [
        ("latency", ""),
        ("request_time", ""),
        ("duration", ""),
        ("Duration", "/1e9"),
        ("duration_ms", "/1e3"),
        ("latency_ms", "/1e3"),
        ("response_time", ""),
        ("elapsed", ""),
        ("upstream_response_time", ""),
        ("responseTime", "/1e3"),
        ("elapsed_ms", "/1e3"),
        ("duration_us", "/1e6"),
        ("took", "/1e3"),
        ("time_taken", ""),
        ("Ta", "/1e3"),
    ];
    const PATHS: [&str; 8] =
        ["path", "uri", "request_uri", "RequestPath", "url", "request", "http_path", "cs_uri_stem"];
    let get = |name: &str| object.get(name);
    let status = STATUSES.into_iter().find(|name| get(name).is_some())?;
    // Traefik's own time is that of the answer, its start that of the arrival.
    let time = TIMES.into_iter().find(|name| get(name).is_some())?;
    let duration = DURATIONS.into_iter().find(|(name, _)| get(name).is_some());
    if time == "t" && status == "status" {
        return None;
    }
    let field = |name: &str| {
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            format!(".{name}")
        } else {
            format!(".\"{name}\"")
        }
    };
    let mut recipe = format!("t: {}, status: {}", field(time), field(status));
    if let Some((name, factor)) = duration {
        let number = if matches!(get(name), Some(Value::String(_))) && !factor.is_empty() {
            format!("({}|tonumber)", field(name))
        } else {
            field(name)
        };
        let value = if factor.is_empty() { number } else { format!("({number}{factor})") };
        recipe.push_str(&format!(", latency: {value}"));
    }
    let path = match get("request") {
        Some(Value::Object(request)) if request.contains_key("uri") => {
            Some(".request.uri".to_owned())
        }
        _ => PATHS.into_iter().find(|name| matches!(get(name), Some(Value::String(_)))).map(field),
    };
    if let Some(path) = path {
        recipe.push_str(&format!(", path: {path}"));
    }
    Some(Foreign::new(
        "JSON with other names than wfx reads",
        format!(
            "if nginx writes it, give its log_format as --log-format; otherwise rename: `jq -c \
             '{{{recipe}}}' FILE | wfx slo-sim --trace -` (t in seconds or RFC 3339, latency in \
             seconds)"
        ),
    ))
}

fn of_tool(line: &str) -> Option<Foreign> {
    if line.starts_with("Type,Name,Request Count") {
        return Some(Foreign::new(
            "statistics of Locust",
            "`wfx perf-check --stats FILE` judges them",
        ));
    }
    let level = line.split(':').next().unwrap_or_default();
    if ["INFO", "WARNING", "ERROR"].contains(&level)
        && line.get(level.len() + 1..).is_some_and(|rest| rest.starts_with("    "))
        && line.contains(" - \"")
    {
        return Some(Foreign::new(
            "a log of uvicorn, which has no times",
            "have it log `%(asctime)s` and the status (uvicorn --log-config), or take the log of \
             the proxy before it",
        ));
    }
    None
}

/// Headers of CSV with other names or another separator.
fn of_header(line: &str) -> Option<Foreign> {
    for (separator, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
        let has = |wanted: &str| {
            line.split(separator)
                .any(|field| field.trim_matches(['"', ' ']).eq_ignore_ascii_case(wanted))
        };
        if has("t") && has("status") {
            let commas = if separator == ';' { "tr ';,' ',.'" } else { "tr '\\t|' ',,'" };
            return Some(Foreign::new(
                format!("CSV with {name} between its fields"),
                format!("put commas there: `{commas} < FILE | wfx slo-sim --trace -`"),
            ));
        }
    }
    let names: Vec<&str> = line.split(',').map(|name| name.trim_matches(['"', ' '])).collect();
    let column = |name: &str| names.iter().position(|known| *known == name).map(|at| at + 1);
    let (time, elapsed) = (column("timeStamp")?, column("elapsed")?);
    let (code, label) = (column("responseCode")?, column("label").unwrap_or(1));
    Some(Foreign::new(
        "a result of JMeter",
        format!(
            "rename its columns: `awk -F, 'NR==1{{print \"t,status,latency_ms,path\";next}} \
             {{print (${time}+${elapsed})/1000\",\"(${code}~/^[0-9]+$/?${code}:599)\",\"${elapsed}\
             \",\"${label}}}' OFMT='%.3f' CONVFMT='%.3f' FILE | wfx slo-sim --trace -`"
        ),
    ))
}

/// A line of an access log whose format was not given, or another than it has.
fn of_access_log(line: &str) -> Option<Foreign> {
    let fits = |format: &str| {
        format.parse::<LogFormat>().is_ok_and(|format| access::parse(&format, line).is_ok())
    };
    let last = line.rsplit(' ').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    for name in ["combined", "vhost_combined", "common"] {
        if !fits(name) {
            continue;
        }
        for duration in ["$request_time", "%D"] {
            let with = format!("{name} {duration}");
            if is_number && last.contains('.') == (duration == "$request_time") && fits(&with) {
                return Some(access_log(&with, "the last field may be the duration"));
            }
        }
        return Some(access_log(
            name,
            "with a duration after it, such as 'combined $request_time'",
        ));
    }
    None
}

fn access_log(format: &str, remark: &str) -> Foreign {
    Foreign::new(
        "an access log",
        format!(
            "try --log-format '{format}': {remark}; best is what the server's configuration has"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(found: Option<Foreign>, what: &str, remedy: &str) {
        let Some(found) = found else { panic!("{what}: nothing") };
        assert!(found.what.contains(what), "{what}: {found:?}");
        assert!(found.remedy.contains(remedy), "{remedy}: {found:?}");
    }

    #[test]
    fn what_is_packed_is_named_with_what_unpacks_it() {
        for (bytes, what, remedy) in [
            (&b"\x28\xb5\x2f\xfd\x04\x58"[..], "zstd", "zstdcat FILE"),
            (b"\xfd7zXZ\0\0\x04", "xz", "xzcat FILE"),
            (b"BZh91AY&SY\xef\x0a", "bzip2", "bzcat FILE"),
            (b"\x04\x22\x4d\x18\x64", "lz4", "lz4cat FILE"),
            (b"PK\x03\x04\x14\0", "zip archive", "unzip -p FILE"),
            (b"\xff\xfet\0,\0", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE"),
            (b"t\0,\0s\0", "UTF-16LE", "iconv"),
            (b"\0t\0,\0s", "UTF-16BE", "iconv"),
            (b"LPKSHHRH\0", "journal", "journalctl"),
        ] {
            is(of_bytes(bytes), what, remedy);
        }
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        is(of_bytes(&tar), "tar archive", "tar -xOf FILE");
        for text in [&b"BZhang.example 200 /a b c d e f"[..], b"t,status\n", b"", b"\0\0\0\0x"] {
            assert_eq!(of_bytes(text), None);
        }
    }

    #[test]
    fn objects_of_others_are_named_with_a_way_out() {
        for (line, what, remedy) in [
            (r#"{"log":"GET /\n","stream":"stdout","time":"x"}"#, "Docker", "jq -rj .log FILE"),
            (r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"GET"}"#, "journald", "jq -r .MESSAGE"),
            (r#"{"metric":"http_reqs","type":"Point","data":{}}"#, "k6", "perf-check --stats"),
            (r#"{"summary":{},"latencyPercentiles":{},"rps":{}}"#, "oha", "perf-check --stats"),
            (
                r#"{"time":"x","status":404,"request_time":0.5,"uri":"/a"}"#,
                "other names",
                "{t: .time, status: .status, latency: .request_time, path: .uri}",
            ),
            (
                r#"{"@timestamp":1.5,"request":{"uri":"/a"},"duration":0.1,"status":503}"#,
                "other names",
                "{t: .\"@timestamp\", status: .status, latency: .duration, path: .request.uri}",
            ),
            (
                r#"{"DownstreamStatus":502,"Duration":1,"RequestPath":"/a","StartUTC":"x","time":"y"}"#,
                "other names",
                "{t: .time, status: .DownstreamStatus, latency: (.Duration/1e9), path: .RequestPath}",
            ),
        ] {
            is(of_line(line), what, remedy);
        }
        assert_eq!(of_line(r#"{"t":1,"status":"x"}"#), None);
        assert_eq!(of_line("{"), None);
    }

    #[test]
    fn lines_of_others_are_named_with_a_way_out() {
        let combined =
            r#"1.1.1.1 - - [28/Nov/2025:10:00:01 +0000] "GET /x HTTP/1.1" 200 5 "-" "M""#;
        for (line, what, remedy) in [
            ("INFO:     1.1.1.1:5 - \"GET /x HTTP/1.1\" 200 OK", "uvicorn", "asctime"),
            ("t;status;latency", "semicolons", "tr ';,' ',.' < FILE"),
            (
                "timeStamp,elapsed,label,responseCode,success",
                "JMeter",
                "{print ($1+$2)/1000\",\"($4~/^[0-9]+$/?$4:599)\",\"$2\",\"$3}",
            ),
            ("Type,Name,Request Count,Failure Count", "Locust", "--stats FILE"),
            (combined, "access log", "--log-format 'combined'"),
            (&format!("{combined} 0.010"), "access log", "--log-format 'combined $request_time'"),
            (&format!("{combined} 1234"), "access log", "--log-format 'combined %D'"),
            (&format!("{combined} \"-\""), "access log", "--log-format 'combined'"),
        ] {
            is(of_line(line), what, remedy);
        }
        assert_eq!(of_line("hello"), None);
    }
}
