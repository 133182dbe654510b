use super::*;

fn event<'a>(format: &str, line: &'a str) -> Parsed<'a> {
    match parse(&format.parse().unwrap(), line) {
        Ok(Line::Event(event)) => event,
        other => panic!("{line}: {other:?}"),
    }
}

fn why(format: &str, line: &str) -> String {
    parse(&format.parse().unwrap(), line).unwrap_err().to_string()
}

const LINE: &str = r#"::1 - bob smith [10/Oct/2000:13:55:36 -0700] "GET /a%20b?c=d HTTP/1.1" 404 - "-" "a \"b\" c""#;

#[test]
fn combined_with_and_without_a_duration() {
    let bare = event("combined", LINE);
    assert_eq!(bare.at, Point { us: 971_211_336_000_000, is_wall: true });
    assert_eq!((bare.status, bare.latency_us, bare.path.as_deref()), (404, None, Some("/a%20b")));
    for (format, value, latency_us) in [
        ("combined $request_time", "0.123", Some(123_000)),
        ("combined $request_time", "-", None),
        ("combined %D", "1234", Some(1_234)),
        ("combined %T", "2", Some(2_000_000)),
        ("combined %{ms}T", "2", Some(2_000)),
        ("combined $upstream_response_time", "-", None),
        ("combined $upstream_response_time", "0.010, -, 0.020 : 0.030", Some(60_000)),
    ] {
        assert_eq!(event(format, &format!("{LINE} {value}")).latency_us, latency_us, "{value}");
    }
    // The log has more at its end than the format says.
    for more in ["", " \"-\"", " \"198.51.100.1, 10.0.0.1\" 17 0.5"] {
        for format in ["common", "combined"] {
            assert_eq!(event(format, &format!("{LINE}{more}")).status, 404, "{format} {more}");
        }
    }
    assert!(parse(&"combined".parse().unwrap(), &format!("{LINE}x")).is_err());
    let main = format!("{LINE} \"198.51.100.1\"");
    assert_eq!(event("main", &main).status, 404);
    assert_eq!(event("main $request_time", &format!("{main} 0.5")).latency_us, Some(500_000));
    let host = format!("www.example:443 {LINE}");
    assert_eq!(event("vhost_combined %D", &format!("{host} 7")).latency_us, Some(7));
    assert_eq!(event("combinedio", &format!("{LINE} 10 20")).status, 404);
}

#[test]
fn an_unknown_duration_spoils_no_line() {
    for (format, line) in [
        ("$msec $status $request_time", "1 502"),
        ("$msec $status $request_time", "1 502 "),
        ("$msec $status $request_time", "1 502 -"),
        ("$msec $status $request_time", "1 502 -1"),
        ("$msec $status $request_time", "1 502 -0.001"),
        ("$msec $status $request_time", "1 502 NaN"),
        ("$msec $status rt=$upstream_response_time", "1 502 rt="),
        ("$msec $status $upstream_response_time $bytes", "1 502  77"),
        ("$msec $status $upstream_response_time $bytes $rest", "1 502  77 a b"),
        ("$msec $status $upstream_response_time $bytes", "1 502 -, - : - 77"),
        ("%{sec}t %>s %D", "1 502 -"),
        ("{$msec,$status,\"$upstream_response_time\"}", "{1,502,\"\"}"),
    ] {
        let event = event(format, line);
        assert_eq!((event.status, event.latency_us), (502, None), "{format}: {line}");
    }
    // One that was cut within its status says nothing.
    assert!(parse(&"$msec $status $request_time".parse().unwrap(), "1 50").is_err());
    assert!(parse(&"$msec $status $request_time".parse().unwrap(), "1 502 fast").is_err());
}

#[test]
fn lists_of_servers_before_the_time_are_lists() {
    let format = "$remote_addr [$time_local] \"$request\" $status $upstream_addr \
        $upstream_status $upstream_response_time $request_length";
    let start = "192.0.2.9 [28/Nov/2025:10:00:02 +0000] \"GET /p HTTP/1.1\" 200";
    for (rest, latency_us) in [
        ("10.0.0.1:80, 10.0.0.2:80 502, 200 0.001, 0.020 77", Some(21_000)),
        ("10.0.0.1:80, unix:/tmp/a : [::1]:80 502, 504 : 200 0.001, - : 0.5 77", Some(501_000)),
        ("- - - 77", None),
        ("   77", None),
    ] {
        let line = format!("{start} {rest}");
        let event = event(format, &line);
        assert_eq!((event.status, event.latency_us), (200, latency_us), "{rest}");
    }
    let first = event(
        "$upstream_connect_time $upstream_header_time $upstream_bytes_received $upstream_status \
         $status $msec $upstream_response_time",
        "-, 0.000 -, 0.002 0, 120 502, 200 : 504 504 5 0.001, 0.002 : 60.000",
    );
    assert_eq!((first.status, first.latency_us), (504, Some(60_003_000)));
    // The list of a client.
    let forwarded = "$http_x_forwarded_for $status $msec $request_time";
    let event = event(forwarded, "198.51.100.1, 200.1.1.1, 10.0.0.1 503 5 0.5");
    assert_eq!((event.status, event.latency_us), (503, Some(500_000)));
}

#[test]
fn fields_with_blanks_and_separators_end_where_the_others_fit() {
    let unquoted = "[$time_local] $remote_addr - $server_name $host to: $upstream_addr: \
        $request $status upstream_response_time $upstream_response_time msec $msec \
        request_time $request_time";
    let line = "[28/Nov/2025:10:00:01 +0000] 192.0.2.1 - a.example b.example to: \
        10.0.0.1:80: POST /x y HTTP/1.1 503 upstream_response_time 0.016 msec \
        1764324001.500 request_time 0.017";
    let found = event(unquoted, line);
    assert_eq!((found.status, found.latency_us), (503, Some(17_000)));
    assert_eq!(found.path.as_deref(), Some("/x y"));
    let bare = "$remote_addr $time_local $status $request_time \"$request\"";
    let found = event(bare, "192.0.2.4 28/Nov/2025:10:00:00 +0000 504 0.005 \"GET / HTTP/1.1\"");
    assert_eq!((found.status, found.latency_us), (504, Some(5_000)));
    // `escape=none` and a client that sends quotes.
    let line = format!("{} 0.5", LINE.replace("\\\"", "\""));
    assert_eq!(event("combined $request_time", &line).latency_us, Some(500_000));
    let found = event(
        "$http_user_agent $status $msec $request_time",
        "Mozilla/5.0 (X11; rv 200) 500 0 502 5 0.5",
    );
    assert_eq!((found.status, found.latency_us), (502, Some(500_000)));
    // Squid pads its durations.
    for (duration, latency_us) in [("    181", 181_000), (" 60001", 60_001_000)] {
        let line = format!(
            "1764324001.123 {duration} 192.0.2.1 TCP_MISS/503 0 GET http://example.com/a - \
             DIRECT/1.2.3.4 -"
        );
        let found = event("squid", &line);
        assert_eq!((found.status, found.latency_us), (503, Some(latency_us)), "{line}");
        assert_eq!(found.path.as_deref(), Some("/a"));
    }
}

#[test]
fn haproxy_logs_the_arrival_and_milliseconds() {
    for (line, status, later_us) in [
        (
            "Nov 28 10:00:01 lb haproxy[14389]: 192.0.2.2:33317 [28/Nov/2025:10:00:01.655] http-in \
             static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} \
             \"GET /index.html HTTP/1.1\"",
            200,
            109_000,
        ),
        (
            "127.0.0.1:43640 [28/Nov/2025:10:00:01.655] fe slow/b 0/0/-1/-1/+301 504 198 - - sH-- \
             1/1/0/0/0 0/0 \"GET /index.html HTTP/1.1\"",
            504,
            301_000,
        ),
    ] {
        let found = event("haproxy", line);
        assert_eq!((found.status, found.latency_us), (status, Some(later_us)));
        assert_eq!(found.at.us, 1_764_324_001_655_000 + later_us);
        assert_eq!(found.path.as_deref(), Some("/index.html"));
        assert!(found.marks.has_no_zone);
    }
    let refused = "127.0.0.1:1 [28/Nov/2025:10:00:01.655] fe fe/<NOSRV> -1/-1/-1/-1/0 400 0 - - \
                   PR-- 1/1/0/0/0 0/0 \"<BADREQ>\"";
    assert_eq!(event("haproxy", refused).status, 400);
}

#[test]
fn ambiguous_fields_are_rejected_quickly() {
    let format = "$a $b $c $d $e $f $g $status $msec";
    let line = "x ".repeat(100_000);
    assert!(parse(&format.parse().unwrap(), &line).is_err());
}

#[test]
fn the_time_of_apache_is_that_of_the_arrival() {
    let at = |format: &str, rest: &str| event(format, &format!("{LINE}{rest}")).at.us;
    let arrival = at("combined", "");
    for (format, rest, later_us) in [
        ("combined %D", " 60000000", 60_000_000),
        ("combined %T", " 2", 2_000_000),
        ("combined %{ms}D", " 250", 250_000),
        ("combined %{ms}T", " 250", 250_000),
        ("combined %D", " -", 0),
        // nginx logs the time of the answer.
        ("combined $request_time", " 60.000", 0),
    ] {
        assert_eq!(at(format, rest), arrival + later_us, "{format}");
    }
    let end = event("%{end:sec}t %>s %D", "100 200 5000000");
    assert_eq!(end.at.us, 100_000_000);
    let gunicorn = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s"#;
    let line = format!("{LINE} 1500000");
    let found = event(gunicorn, &line);
    assert_eq!((found.at.us, found.latency_us), (arrival, Some(1_500_000)));
}

#[test]
fn times_are_written_as_the_format_says() {
    let us = 1_764_324_001_000_000;
    for (format, line, expected) in [
        (
            r#"%h %l %u [%{%d/%b/%Y:%H:%M:%S}t.%{msec_frac}t %{%z}t] "%r" %>s %b"#,
            r#"192.0.2.1 - - [28/Nov/2025:11:00:01.123 +0100] "GET /x HTTP/1.1" 200 5"#,
            us + 123_000,
        ),
        (
            r#"%{%Y-%m-%dT%H:%M:%S%z}t %h "%r" %>s %D"#,
            r#"2025-11-28T10:00:01+0000 192.0.2.1 "GET /x HTTP/1.1" 200 12345"#,
            us + 12_345,
        ),
        ("%{end:%Y-%m-%d %H:%M:%S}t %>s %D", "2025-11-28 10:00:01 503 12345", us),
        ("$time_iso8601 $status", "2025-11-28T10:00:01+0000 200", us),
        ("[$time_local] $status", "[28/Nov/2025:10:00:01.250] 200", us + 250_000),
    ] {
        assert_eq!(event(format, line).at.us, expected, "{format}");
    }
}

#[test]
fn the_times_of_several_servers_end_where_the_next_field_begins() {
    let format = "$msec $upstream_response_time $status";
    for (line, latency_us) in [
        ("1.5 0.010, 0.020 : 0.030 200", Some(60_000)),
        ("1.5 - : 0.030 200", Some(30_000)),
        ("1.5 - 200", None),
    ] {
        assert_eq!(event(format, line).latency_us, latency_us, "{line}");
    }
}

#[test]
fn times_are_put_together() {
    let at = |format, line| event(format, line).at.us;
    assert_eq!(at("%{sec}t.%{usec_frac}t %>s", "1700000000.000123 200"), 1_700_000_000_000_123);
    assert_eq!(at("%{msec_frac}t %{sec}t %>s", "007 1700000000 200"), 1_700_000_000_007_000);
    assert_eq!(at("%{usec}t %>s", "1700000000000123 200"), 1_700_000_000_000_123);
    assert_eq!(at("$msec|$status", "1700000000.123|200"), 1_700_000_000_123_000);
    assert_eq!(at("$time_iso8601 $status", "2000-10-10T13:55:36-07:00 200"), 971_211_336_000_000);
}

#[test]
fn quotes_inside_of_quotes_end_nothing() {
    let format = r#"$msec "$request" $status"#;
    let path =
        |request: &str| event(format, &format!("1 \"{request}\" 400")).path.map(Cow::into_owned);
    assert_eq!(path(r"GET /a\x22b\x5Cc HTTP/1.1").as_deref(), Some(r#"/a"b\c"#));
    assert_eq!(path(r#"GET /a\" 7 \\ HTTP/1.1"#).as_deref(), Some(r#"/a" 7 \"#));
    assert_eq!(path(r"GET /\xC3\xA9\n HTTP/1.1").as_deref(), Some(r"/é\n"));
    // Bytes that are no text stay as they were written.
    assert_eq!(path(r"GET /\xFF\xzz HTTP/1.1").as_deref(), Some(r"/\xFF\xzz"));
}

#[test]
fn the_path_is_what_was_asked_for() {
    let format = r#"$msec "$request" $status"#;
    for (request, path) in [
        ("GET / HTTP/1.1", Some("/")),
        ("GET /a b?c HTTP/2.0", Some("/a b")),
        ("GET /a", Some("/a")),
        ("GET http://example.org/a?b HTTP/1.1", Some("/a")),
        ("GET http://example.org HTTP/1.1", Some("/")),
        ("GET /login?next=http://example.org/ HTTP/1.1", Some("/login")),
        ("GET /to/http://example.org/x HTTP/1.1", Some("/to/http://example.org/x")),
        ("GET ?a HTTP/1.1", None),
        ("-", None),
        ("", None),
        (r"\x16\x03\x01", None),
    ] {
        let line = format!("1 \"{request}\" 400");
        assert_eq!(event(format, &line).path.as_deref(), path, "{request}");
    }
    assert_eq!(event("$msec $status $uri", "1 200 -").path, None);
    assert_eq!(event("%{sec}t %s %U", "1 200 /é").path.as_deref(), Some("/é"));
}

#[test]
fn a_line_of_another_format_is_reported() {
    let format = "$msec $status \"$uri\" $request_time";
    for (line, expected) in [
        ("1 200", "it is not of the log format: ` \"` does not follow where it should"),
        ("1 200 \"/a\\\" 2", "it is not of the log format: `\" ` does not follow where it should"),
        ("x 200 \"/\" 1", "`time` is no number"),
        (
            "1e20 200 \"/\" 1",
            "`time` is after the year 9999: seconds are expected, not milliseconds",
        ),
        ("1 abc \"/\" 1", "`status` is no whole number from 0 to 999"),
        ("1 200 \"/\" fast", "`duration` is no number"),
        ("1 200 \"/\" 1 2", "`duration` is no number"),
    ] {
        assert_eq!(why(format, line), expected, "{line}");
    }
    assert_eq!(
        why("$time_local|$status|", "31/Feb/2000:13:55:36 -0700|200|"),
        "`time` is not as in 10/Oct/2000:13:55:36 -0700"
    );
    assert_eq!(why("$msec|$status|", "1|200|more"), "it goes on after what the log format names");
}
