use super::*;

fn pieces(text: &str) -> Vec<Piece> {
    text.parse::<LogFormat>().unwrap_or_else(|error| panic!("{text}: {error}")).pieces
}

fn read_pieces(text: &str) -> Vec<Piece> {
    let is_kept =
        |piece: &Piece| !matches!(piece, Piece::Literal(_) | Piece::Skipped | Piece::SkippedList);
    pieces(text).into_iter().filter(is_kept).collect()
}

const LOCAL: Piece = Piece::Time(Time::Local);
const REQUEST: Piece = Piece::Path(Target::Request);

#[test]
fn names_stand_for_formats_and_take_a_duration() {
    assert_eq!(read_pieces("common"), [LOCAL, REQUEST, Piece::Status]);
    assert_eq!(read_pieces(" combined "), read_pieces("common"));
    for (text, latency) in [
        ("combined $request_time", Latency::Decimal),
        ("combined ${request_time:ms}", Latency::Unit(3)),
        ("combined rt=$upstream_response_time", Latency::Upstreams(0)),
        ("common %D", Latency::Unit(6)),
        ("common %{ms}D", Latency::Unit(3)),
        ("main \"$request_time\"", Latency::Decimal),
        ("vhost_combined %D", Latency::Unit(6)),
        ("combinedio %D", Latency::Unit(6)),
        ("combined \"%{ms}T\"", Latency::Unit(3)),
        ("combined %T", Latency::Unit(0)),
    ] {
        assert_eq!(
            read_pieces(text),
            [LOCAL, REQUEST, Piece::Status, Piece::Latency(latency)],
            "{text}"
        );
    }
}

#[test]
fn a_format_is_read_as_it_stands_in_a_configuration() {
    let plain = pieces("$msec \"$request\" $status ${request_time}s");
    for text in [
        "log_format timed '$msec \"$request\" ' '$status ${request_time}s';",
        "log_format timed\n  '$msec \"$request\" '\n  '$status ${request_time}s';",
        "'$msec \"$request\" '\n'$status ${request_time}s'",
        r#"$msec \"$request\" $status ${request_time}s"#,
    ] {
        assert_eq!(pieces(text), plain, "{text}");
    }
    let apache = pieces("%t \"%r\" %>s %D");
    assert_eq!(pieces(r#"LogFormat "%t \"%r\" %>s %D" timed"#), apache);
    assert_eq!(pieces(r#""%t \"%r\" %>s %D""#), apache);
    // The quotes of the log itself.
    for text in [r#""%U" %s "%t""#, r#""%U" "%s" "%t""#] {
        assert_eq!(pieces(text)[0], Piece::Literal("\"".to_owned()), "{text}");
    }
}

#[test]
fn of_two_that_say_the_same_the_better_one_is_read() {
    assert_eq!(
        read_pieces(
            "$time_local $msec $status $upstream_response_time $request_time $request $request_uri"
        ),
        [
            Piece::Time(Time::Epoch(0)),
            Piece::Status,
            Piece::Latency(Latency::Decimal),
            Piece::Path(Target::Uri)
        ]
    );
    assert_eq!(
        read_pieces("%t %{usec}t %{usec_frac}t %s %>s %T %D"),
        [Piece::Time(Time::Epoch(6)), Piece::Status, Piece::Latency(Latency::Unit(6))]
    );
    assert_eq!(
        read_pieces("%{begin:sec}t.%{usec_frac}t %>s %400,501{User-agent}i %!200s %^FB"),
        [Piece::Time(Time::Epoch(0)), Piece::Time(Time::Fraction(6)), Piece::Status]
    );
    assert_eq!(read_pieces("$status $status $msec"), [Piece::Status, Piece::Time(Time::Epoch(0))]);
}

#[test]
fn what_cannot_be_read_is_named_with_a_way_out() {
    for (text, message, hint) in [
        ("", "it is empty", "combined $request_time"),
        ("$status $request_time", "the format has no time", "$time_local"),
        ("%t %D", "the format has no status", "%>s"),
        ("combine", "the format has no time", "combined $request_time"),
        ("$msec$status", "`$msec` and `$status` have nothing between them", "a space"),
        ("$msec ${status", "`${status` has no closing brace", "${name}"),
        ("%t %>s %{Referer", "`%{Referer` has no closing brace", "%{name}i"),
        ("%t %>s %{min}T", "`%{min}T` has the unit `min`, which wfx does not read", "%{ms}D"),
        (
            "$msec $status ${request_time:h}",
            "`request_time:h` has the unit `h`, which wfx does not read",
            "${request_time:ms}",
        ),
        ("%{%H:%M}t %>s", "`%{%H:%M}t` makes no whole time", "%{msec}t"),
        ("%{%H:%M}t %{%z}t %>s", "`%{%H:%M}t %{%z}t` makes no whole time", "%Y-%m-%d"),
        ("%h %^[%d:%t %^] %s", "`%^` is of GoAccess, whose formats wfx does not read", "%D"),
        ("%t %>s %", "`%` is no directive of Apache", "%%"),
        ("%t %>s %ä", "`%` is no directive of Apache", "%%"),
    ] {
        let error = text.parse::<LogFormat>().unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
        assert!(error.hint().contains(hint), "{text}: {}", error.hint());
    }
}
