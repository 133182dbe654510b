use std::io::{self, Cursor, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::input::LINE_BYTES_MAX;
use super::*;

fn source(name: &str, bytes: impl AsRef<[u8]>) -> Source {
    Source { name: name.to_owned(), reader: Box::new(Cursor::new(bytes.as_ref().to_vec())) }
}

fn read_all(sources: Vec<Source>, options: &Options) -> Result<Trace, TraceError> {
    read(sources, options, &mut |_| {})
}

fn trace(bytes: impl AsRef<[u8]>) -> Trace {
    read_all(vec![source("log", bytes)], &Options::default()).unwrap()
}

fn error(bytes: impl AsRef<[u8]>, options: &Options) -> TraceError {
    read_all(vec![source("log", bytes)], options).unwrap_err()
}

fn with_format(format: &str) -> Options {
    Options { log_format: Some(format.parse().unwrap()), ..Options::default() }
}

/// Time in microseconds, status, path.
fn replayed(trace: &mut Trace) -> Vec<(u64, u16, Option<String>)> {
    let mut events = Vec::new();
    trace.replay(&mut |event, path_ref| events.push((event, path_ref))).unwrap();
    let with_path = |(event, path_ref): (Event, PathRef)| {
        (event.t_us, event.status, trace.path(path_ref).unwrap())
    };
    events.into_iter().map(with_path).collect()
}

fn statuses(trace: &mut Trace) -> Vec<u16> {
    replayed(trace).into_iter().map(|(_, status, _)| status).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_source_has_a_format_of_its_own() {
    let sources = vec![
        source("a.ndjson", "{\"t\":3,\"status\":200,\"path\":\"/a?b\"}\n"),
        source("b.csv", "\u{feff}status,t\r\n500,1\r\n\r\n501,2"),
        source("c.log", "4 404 /c\n"),
        source("empty", ""),
        source("d.gz", gzip(b"{\"t\":2,\"status\":502}\n")),
    ];
    let mut trace = read_all(sources, &with_format("$msec $status $uri")).unwrap();
    let path = |text: &str| Some(text.to_owned());
    assert_eq!(
        replayed(&mut trace),
        [
            (1_000_000, 500, None),
            (2_000_000, 501, None),
            (2_000_000, 502, None),
            (3_000_000, 200, path("/a")),
            (4_000_000, 404, path("/c")),
        ]
    );
    let expected = Tally { lines: 6, events: 5, without_latency: 5, ..Tally::default() };
    assert_eq!(trace.tally, expected);
    assert_eq!((trace.len(), trace.span_us()), (5, Some((1_000_000, 4_000_000))));
}

#[test]
fn lines_that_do_not_parse_are_counted_and_the_first_are_shown() {
    let mut text = b"{\"t\":1,\"status\":200}\n\n  \n".to_vec();
    text.extend_from_slice(
        b"1,200\n{\"t\":\0,\"status\":200}\n{\"t\":1,\"status\":200,\"path\":\"\xff\"}\n",
    );
    text.extend_from_slice(
        b"{\"t\":2,\"status\":201,\"slo\":false}\r\n{\"t\":2,\"status\":202}\r\n{\"t\":3,\"sta",
    );
    let mut mixed = trace(&text);
    // A field that is not UTF-8 spoils no line.
    assert_eq!(statuses(&mut mixed), [200, 200, 202]);
    let Tally { lines, events, left_out, unparsed, examples, .. } = mixed.tally;
    assert_eq!((lines, events, left_out, unparsed), (7, 3, 1, 3));
    let shown: Vec<String> = examples.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[0], "log:4: it is no JSON object");
    assert!(shown[1].starts_with("log:5: it is no JSON: "), "{}", shown[1]);
    assert!(shown[2].starts_with("log:9: it is no JSON: EOF"), "{}", shown[2]);
}

#[test]
fn at_most_five_examples_are_stored() {
    let trace = trace(format!("t,status\n1,200\n{}", "x\n".repeat(50)));
    assert_eq!((trace.tally.unparsed, trace.tally.examples.len()), (50, 5));
    assert_eq!(trace.tally.examples[4].line, 7);
}

#[test]
fn a_nul_in_any_format_spoils_its_line_only() {
    let csv = trace("t,status,path\n1,200,/\0\n2,201,/\n");
    assert_eq!((csv.tally.events, csv.tally.unparsed), (1, 1));
    let log = "1 200 /\n2 200 /\0\n3 200 /\n";
    let log = read_all(vec![source("log", log)], &with_format("$msec $status $uri")).unwrap();
    assert_eq!((log.tally.events, log.tally.unparsed), (2, 1));
}

#[test]
fn strict_stops_at_the_first_line_that_does_not_parse() {
    let strict = Options { strict: true, ..Options::default() };
    let wrong = error("{\"t\":1,\"status\":200}\n\n{\"t\":-1,\"status\":200}\n", &strict);
    assert_eq!(wrong.to_string(), "log:3: `t` is below zero, or before 1970");
    assert!(wrong.hint().contains("--strict") && !wrong.is_environment());
    assert_eq!(read_all(vec![source("log", "t,status\n1,200\n")], &strict).unwrap().len(), 1);
}

#[test]
fn a_log_without_any_event_is_refused() {
    let none = |text: &str| error(text, &Options::default());
    assert_eq!(none("").to_string(), "there is no event in log");
    assert_eq!(none("t,status\n").to_string(), "there is no event in log");
    let wrong = none("{\"t\":1}\n{}\n");
    assert_eq!(wrong.to_string(), "no event in 2 lines; the first: log:1: it has no `status`");
    // What was left out did parse.
    let left_out = trace("{\"slo\":false}\n");
    assert_eq!((left_out.len(), left_out.span_us(), left_out.tally.is_epoch), (0, None, false));
    assert!(left_out.is_empty());
}

#[test]
fn a_format_that_is_not_known_names_the_way_out() {
    let long = "x".repeat(2 * LINE_BYTES_MAX);
    for text in
        [&b"hello\n"[..], &b"[10/Oct/2000] 200\n".repeat(20), b"\xffhello\n", long.as_bytes()]
    {
        let beside = source("known", "t,status\n1,200\n");
        let sources = vec![beside, source("log", text)];
        let unknown = read_all(sources, &Options::default()).unwrap_err();
        assert_eq!(unknown.to_string(), "log is in no format that wfx knows by its first lines");
        assert!(unknown.hint().contains("--log-format 'combined $request_time'"));
    }
    // Said, and wrong: the lines are at fault.
    let wrong = error("hello\n".repeat(20), &with_format("$msec $status"));
    let message = wrong.to_string();
    assert!(message.starts_with("no event in 20 lines; the first: log:1: "), "{message}");
}

#[test]
fn what_was_cut_from_a_line_may_come_first() {
    let mut cut = trace("tus\":200}\n{\"t\":1,\"status\":201}\n");
    assert_eq!(statuses(&mut cut), [201]);
    assert_eq!(
        cut.tally.examples[0].why,
        "it is neither a JSON object nor the header of a CSV file"
    );
    let mut headed = trace("# made by a tool\nt,status\n1,202\n");
    assert_eq!(statuses(&mut headed), [202]);
}

#[test]
fn times_are_of_the_epoch_only_if_all_are() {
    let is_epoch = |text: &str| trace(text).tally.is_epoch;
    assert!(is_epoch("t,status\n2026-01-31T08:15:00Z,200\n1700000000,200\n"));
    assert!(is_epoch("t,status\n1970-01-01T00:00:00Z,200\n"));
    assert!(!is_epoch("t,status\n1700000000,200\n5,200\n"));
}

#[test]
fn disorder_is_counted_within_a_source() {
    let sources = vec![
        source("a", "t,status\n5,200\n4,201\n4,202\n"),
        source("b", "t,status\n1,203\n4,204\n"),
    ];
    let mut sorted = read_all(sources, &Options::default()).unwrap();
    assert_eq!(sorted.tally.out_of_order, 2);
    assert_eq!(statuses(&mut sorted), [203, 201, 202, 204, 200]);
    let as_given = Options { as_given: true, ..Options::default() };
    let mut given =
        read_all(vec![source("a", "t,status\n5,200\n4,201\n4,202\n")], &as_given).unwrap();
    assert_eq!(statuses(&mut given), [200, 201, 202]);
}

#[test]
fn gzip_of_several_members_is_one_text() {
    let mut bytes = gzip(b"t,status\n1,200\n2,2");
    bytes.extend(gzip(b"01\n3,202\n"));
    let length = u64::try_from(bytes.len()).unwrap();
    let mut progress = Vec::new();
    let mut trace =
        read(vec![source("log", bytes)], &Options::default(), &mut |bytes| progress.push(bytes))
            .unwrap();
    assert_eq!(statuses(&mut trace), [200, 201, 202]);
    assert!(progress.is_sorted());
    assert_eq!(progress.last(), Some(&length));
}

#[test]
fn gzip_that_ends_early_is_read_as_far_as_it_goes_and_others_as_well() {
    let lines: String =
        (0..200_000).map(|number| format!("{number},200,/item/{}\n", number * 7_919)).collect();
    let whole = gzip(format!("t,status,path\n{lines}").as_bytes());
    for length in [whole.len() - 100, whole.len() - 4] {
        let sources = vec![source("cut", &whole[..length]), source("next", "t,status\n1,503\n")];
        let cut = read_all(sources, &Options::default()).unwrap();
        let [(name, read)] = &cut.tally.ended_early[..] else { panic!("{:?}", cut.tally) };
        assert_eq!(name, "cut");
        assert!((199_000..200_002).contains(read), "{read}");
        // The line at the cut is not judged; that of the next source is.
        assert_eq!((cut.tally.events, cut.tally.unparsed), (*read, 0));
    }
    let damaged = error([&whole[..2], b"not gzip at all, for sure"].concat(), &Options::default());
    assert!(damaged.to_string().starts_with("cannot read log: "), "{damaged}");
    assert!(damaged.hint().contains("gzip -t") && !damaged.is_environment());
}

#[test]
fn zeros_and_text_behind_gzip_are_what_they_look_like() {
    let first = gzip(b"t,status\n1,200\n");
    let padding = vec![0; 700_000];
    for (rest, expected) in [
        (padding.clone(), &[200][..]),
        ([&padding[..], &gzip(b"2,201\n")].concat(), &[200, 201]),
        (b"2,202\n".to_vec(), &[200, 202]),
        ([&gzip(b"2,201\n")[..], b"3,202\n"].concat(), &[200, 201, 202]),
    ] {
        assert_eq!(statuses(&mut trace([&first[..], &rest].concat())), expected);
    }
}

#[test]
fn zeros_before_a_line_are_those_of_a_truncated_log() {
    let (one, two) = ("1 503 /\n", "2 502 /\n");
    for zeros in [1, 4_096, 3 * LINE_BYTES_MAX] {
        let text = [one.as_bytes(), &vec![0; zeros], two.as_bytes()].concat();
        let options = with_format("$msec $status $uri");
        let mut read = read_all(vec![source("log", &text)], &options).unwrap();
        assert_eq!(statuses(&mut read), [503, 502], "{zeros}");
        assert_eq!(read.tally.unparsed, 0);
        let text = [&vec![0; zeros], one.as_bytes(), &vec![0; zeros]].concat();
        let mut read = read_all(vec![source("log", &text)], &options).unwrap();
        assert_eq!((statuses(&mut read), read.tally.unparsed), (vec![503], 0), "{zeros}");
    }
}

#[test]
fn what_is_no_text_is_named_with_what_makes_it_one() {
    let mut tar = vec![b'a'; 1_024];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, what, remedy) in [
        (b"\x28\xb5\x2f\xfd\x04\x58 and so on".to_vec(), "zstd", "zstdcat log |"),
        (gzip(&tar), "tar archive", "tar -xOf log"),
        (gzip(&gzip(b"t,status\n")), "gzip more than once", "zcat log"),
        (b"\xff\xfet\0,\0\n".to_vec(), "UTF-16", "iconv -f UTF-16 -t UTF-8 log"),
        (b"t;status\n1;200\n".to_vec(), "CSV with semicolons", "< log |"),
    ] {
        for options in [Options::default(), with_format("combined")] {
            let error = error(&bytes, &options);
            let (message, hint) = (error.to_string(), error.hint().to_owned());
            assert!(message.contains(what) || hint.contains(what), "{what}: {message} {hint}");
            assert!(hint.contains(remedy), "{remedy}: {hint}");
        }
    }
}

#[test]
fn a_log_says_by_a_directive_what_it_is_made_of() {
    let log = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n\
        #Fields: date time cs-uri-stem sc-status time-taken\n2026-01-31 08:15:00 /a 500 15\n\
        #Date: 2026-02-01 00:00:00\n#Fields: date time sc-status time-taken cs-uri-stem\n\
        2026-01-31 08:15:01 503 - /b\n";
    for options in [Options::default(), with_format("combined")] {
        let mut trace = read_all(vec![source("log", log)], &options).unwrap();
        assert_eq!(statuses(&mut trace), [500, 503]);
        assert_eq!((trace.tally.unparsed, trace.tally.without_latency), (0, 1));
    }
}

#[test]
fn a_line_far_ahead_is_named_when_lines_are_taken_as_given() {
    let text = "t,status\n10,200\n100000,200\n11,503\n12,503\n";
    let options = Options { as_given: true, ..Options::default() };
    let given = read_all(vec![source("log", text)], &options).unwrap();
    let ahead = Ahead { source: "log".to_owned(), line: 3, by_us: 99_989_000_000, events: 2 };
    assert_eq!(given.tally.ahead, Some(ahead));
    assert_eq!(trace(text).tally.ahead, None);
    let near = read_all(vec![source("log", "t,status\n300,200\n0,200\n")], &options).unwrap();
    assert_eq!(near.tally.ahead, None);
}

#[test]
fn what_is_strange_about_events_is_counted() {
    let log = "[28/Nov/2025:10:00:01.655] 503 181\n[28/Nov/2025:10:00:02 +0000] -1 0.5\n\
        [28/Nov/2025:10:00:02 +0000] 000 -1\n";
    let options = with_format("[$time_local] $status $request_time");
    let tally = read_all(vec![source("log", log)], &options).unwrap().tally;
    assert_eq!((tally.without_zone, tally.without_status, tally.whole_durations), (1, 2, 1));
    assert_eq!((tally.without_latency, tally.unparsed), (1, 0));
}

#[test]
fn a_line_that_is_too_long_is_skipped_wherever_it_stands() {
    let (first, last) = ("{\"t\":1,\"status\":200}\n", "{\"t\":2,\"status\":201}\n");
    let long = format!("{{\"path\":\"{}\"}}\n", "x".repeat(3 * LINE_BYTES_MAX));
    for (text, line, statuses_read) in [
        (format!("{first}{long}{last}"), 2, &[200, 201][..]),
        (format!("{first}{long}{long}{last}"), 2, &[200, 201]),
        (format!("{first}{last}{}", long.trim_end()), 3, &[200, 201]),
        (format!("{long}{last}"), 1, &[201]),
    ] {
        let mut trace = trace(&text);
        assert_eq!(statuses(&mut trace), statuses_read);
        let example = &trace.tally.examples[0];
        assert_eq!((example.line, example.why.as_str()), (line, "it is longer than 1 MiB"));
        let lines = u64::try_from(text.lines().count()).unwrap();
        assert_eq!(
            (trace.tally.lines, trace.tally.lines - trace.tally.unparsed),
            (lines, trace.len())
        );
    }
}

#[test]
fn the_longest_line_has_a_mebibyte() {
    let line = |length: usize| {
        let start = "{\"t\":1,\"status\":200,\"path\":\"";
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    for end in ["", "\n"] {
        let longest = trace(line(LINE_BYTES_MAX) + end);
        assert_eq!((longest.tally.events, longest.tally.unparsed), (1, 0));
        let longer = format!("{}{end}", line(LINE_BYTES_MAX + 2));
        let both = trace(format!("{}\n{longer}", line(LINE_BYTES_MAX)));
        assert_eq!((both.tally.events, both.tally.unparsed), (1, 1));
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange(
        first in prop::sample::select(vec!["", "{\"t\":1,\"status\":200}\n", "t,status,path\n", "1 200 \"/\" 1\n"]),
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..6),
                prop::sample::select(vec!["{", "\"", "\\", "\n", "\r", ",", " ", "\0", "é", "1", "-", ".", "\\x2"])
                    .prop_map(|text| text.as_bytes().to_vec()),
            ],
            0..60,
        ),
        format in prop::sample::select(vec![
            "", "combined $request_time", "$msec $status \"$request\" $upstream_response_time", "%t %U %s %D é",
        ]),
    ) {
        let text = [first.as_bytes(), &pieces.concat()].concat();
        let log_format = format.parse().ok();
        match read_all(vec![source("log", &text)], &Options { log_format, ..Options::default() }) {
            Ok(mut trace) => {
                let Tally { lines, events, left_out, unparsed, .. } = trace.tally;
                prop_assert!(events + left_out + unparsed <= lines);
                prop_assert_eq!(replayed(&mut trace).len() as u64, events);
            }
            Err(error) => prop_assert!(!error.is_environment(), "{}", error),
        }
    }
}

/// Gives what it is sent, piece by piece.
struct Pieces {
    pieces: Receiver<io::Result<Vec<u8>>>,
    begun: Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.begun.read(buffer)?;
        if count > 0 {
            return Ok(count);
        }
        self.begun = Cursor::new(self.pieces.recv().unwrap_or_else(|_| Ok(Vec::new()))?);
        self.begun.read(buffer)
    }
}

fn pieces() -> (Sender<io::Result<Vec<u8>>>, Source) {
    let (sender, pieces) = channel();
    (
        sender,
        Source {
            name: "log".to_owned(),
            reader: Box::new(Pieces { pieces, begun: Cursor::default() }),
        },
    )
}

#[test]
fn text_may_come_in_any_pieces() {
    let bytes = gzip(b"t,status\n1,200\n2,201\n");
    for length in [1, 3, bytes.len()] {
        let (sender, source) = pieces();
        for piece in bytes.chunks(length) {
            sender.send(Ok(piece.to_vec())).unwrap();
            sender.send(Err(io::ErrorKind::Interrupted.into())).unwrap();
        }
        drop(sender);
        assert_eq!(statuses(&mut read_all(vec![source], &Options::default()).unwrap()), [200, 201]);
    }
}

#[test]
fn an_error_of_a_source_names_it_and_what_was_read() {
    let (sender, source) = pieces();
    sender.send(Ok(b"t,status\n1,200\n2,20".to_vec())).unwrap();
    sender.send(Err(io::Error::other("the disk is gone"))).unwrap();
    let error = read_all(vec![source], &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read log: the disk is gone; 2 lines of it read before");
    assert!(!error.is_environment());
}

#[test]
fn an_error_does_not_wait_for_a_source_that_stands_still() {
    let (sender, source) = pieces();
    let strict = Options { strict: true, ..Options::default() };
    // More than is read ahead, and then nothing: the sender stays.
    let filling = [b"{\"t\":1,\"status\":200}\nx\n".to_vec(), vec![b' '; 1000]];
    filling
        .into_iter()
        .cycle()
        .take(3 * LINE_BYTES_MAX / 1000)
        .for_each(|piece| sender.send(Ok(piece)).unwrap());
    let error = read_all(vec![source], &strict).unwrap_err();
    assert_eq!(error.to_string(), "log:2: it is no JSON object");
    drop(sender);
}

#[test]
fn little_memory_changes_nothing() {
    let text: String = (0..5_000_u64)
        .map(|number| {
            let (t, status) = (number * 7_919 % 1_000, 200 + number % 400);
            format!(
                "{{\"t\":{t},\"status\":{status},\"latency\":0.5,\"path\":\"/item/{}\"}}\n",
                number % 700
            )
        })
        .collect();
    for as_given in [false, true] {
        let options = Options { as_given, ..Options::default() };
        let limited = |limits| {
            let mut trace =
                read_within(limits, vec![source("log", &text)], &options, &mut |_| {}).unwrap();
            let events = replayed(&mut trace);
            (trace.tally, events)
        };
        let (tally, events) = limited(LIMITS);
        assert_eq!(limited(Limits { events: 64, path_bytes: 1_000 }), (tally, events.clone()));
        assert_eq!(events.is_sorted_by_key(|(t_us, _, _)| *t_us), !as_given);
        assert_eq!(events.len(), 5_000);
    }
}

#[test]
fn a_real_log_of_nginx_is_read_whole() {
    let log = include_bytes!("../../../fixtures/traffic/nginx.log");
    let options = Options { strict: true, ..with_format("combined $request_time") };
    let mut trace = read_all(vec![source("nginx.log", log)], &options).unwrap();
    assert_eq!(
        trace.len(),
        u64::try_from(log.iter().filter(|byte| **byte == b'\n').count()).unwrap()
    );
    assert_eq!((trace.tally.without_latency, trace.tally.is_epoch), (0, true));
    let events = replayed(&mut trace);
    let failed = events.iter().filter(|(_, status, _)| *status == 502);
    assert!(failed.clone().count() > 100);
    assert!(failed.clone().all(|(_, _, path)| path.as_deref() == Some("/api/orders/")));
    // nginx logs a request when it was answered: its times are in order.
    assert_eq!(trace.tally.out_of_order, 0);
}
