//! Times and durations as logs write them, to whole microseconds.
//!
//! All computations are in integers, so that times are judged exactly as written. Digits below a
//! microsecond are cut, never rounded: an event is not moved past a later one.

/// An error in a time or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Neither a decimal number nor a date.
    Unknown,
    /// Before the epoch, or below zero.
    Negative,
    /// After the year 9999, or beyond 64 bits.
    TooLarge,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// Microseconds since the epoch, or since whenever a trace began.
    pub(super) us: u64,
    /// Whether it is a time of day for certain: written as a date, or late enough.
    pub(super) is_wall: bool,
}

/// The first microsecond of the year 10000.
const END_US: u64 = 253_402_300_800 * MICROS;
/// From this value on, in 2001, a number of seconds is read as a time since the epoch: a trace that
/// counts from its own beginning would be thirty years long.
const WALL_US: u64 = 1_000_000_000 * MICROS;
const MICROS: u64 = 1_000_000;
/// This many digits always fit into 64 bits.
const SAFE_DIGITS: usize = 19;
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Seconds as a decimal number, or a date of RFC 3339.
pub(super) fn point(text: &str) -> Result<Point, Fault> {
    if text.as_bytes().get(4) == Some(&b'-') {
        return rfc3339(text).map(wall);
    }
    from_micros(decimal(text, 6)?)
}

/// A number of units, `10^digits` of which make a second, as a point in time.
pub(super) fn point_in(text: &str, digits: u32) -> Result<Point, Fault> {
    from_micros(decimal(text, 6 - digits.min(6))?)
}

fn from_micros(us: u64) -> Result<Point, Fault> {
    if us >= END_US {
        return Err(Fault::TooLarge);
    }
    Ok(Point { us, is_wall: us >= WALL_US })
}

/// A point that was written as a date.
pub(super) fn wall(us: u64) -> Point {
    Point { us, is_wall: true }
}

/// A decimal number, with or without an exponent, times `10^scale`, cut to a whole number.
pub(super) fn decimal(text: &str, scale: u32) -> Result<u64, Fault> {
    match plain(text.as_bytes(), scale) {
        Some(value) => Ok(value),
        None => any(text.as_bytes(), scale),
    }
}

/// Parses digits with or without a decimal point, few enough to fit, in one pass.
fn plain(bytes: &[u8], scale: u32) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > SAFE_DIGITS {
        return None;
    }
    let mut value = 0;
    let mut point = None;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() && at > 0 => point = Some(at + 1),
            _ => return None,
        }
    }
    let fraction = point.map_or(0, |point| bytes.len() - point);
    // Digits to be cut, or too many to fit: the general parser handles these.
    let missing = usize::try_from(scale).ok()?.checked_sub(fraction)?;
    let fits = bytes.len() + missing <= SAFE_DIGITS;
    fits.then(|| (0..missing).fold(value, |value, _| value * 10))
}

fn any(bytes: &[u8], scale: u32) -> Result<u64, Fault> {
    let (is_negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let (whole, rest) = digits(bytes);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => digits(rest),
        _ => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Fault::Unknown);
    }
    let exponent = exponent(rest)?;
    if is_negative && whole.iter().chain(fraction).any(|digit| *digit != b'0') {
        return Err(Fault::Negative);
    }
    shifted(whole, fraction, exponent + i64::from(scale))
}

/// The leading digits of `bytes`, and the rest.
fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.split_at(count)
}

fn exponent(bytes: &[u8]) -> Result<i64, Fault> {
    let (is_negative, rest) = match bytes {
        [] => return Ok(0),
        [b'e' | b'E', b'-', rest @ ..] => (true, rest),
        [b'e' | b'E', b'+', rest @ ..] | [b'e' | b'E', rest @ ..] => (false, rest),
        _ => return Err(Fault::Unknown),
    };
    let (digits, []) = digits(rest) else { return Err(Fault::Unknown) };
    if digits.is_empty() {
        return Err(Fault::Unknown);
    }
    // No line is so long that it could compensate an exponent of nine digits.
    let held = digits.iter().fold(0, |value: i64, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(999_999_999)
    });
    Ok(if is_negative { -held } else { held })
}

/// The digits with the point moved by `places` to the right, cut at it.
fn shifted(whole: &[u8], fraction: &[u8], places: i64) -> Result<u64, Fault> {
    let length = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(places);
    let mut wanted = usize::try_from(length).unwrap_or(0);
    let mut value: u64 = 0;
    for digit in whole.iter().chain(fraction).take(wanted) {
        value = value.checked_mul(10).ok_or(Fault::TooLarge)?;
        value = value.checked_add(u64::from(digit - b'0')).ok_or(Fault::TooLarge)?;
    }
    wanted = wanted.saturating_sub(whole.len() + fraction.len());
    while wanted > 0 && value > 0 {
        value = value.checked_mul(10).ok_or(Fault::TooLarge)?;
        wanted -= 1;
    }
    Ok(value)
}

/// `2026-01-31T08:15:00.25+01:00` (RFC 3339, section 5.6), microseconds since the epoch.
pub(super) fn rfc3339(text: &str) -> Result<u64, Fault> {
    let bytes = text.as_bytes();
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', rest @ ..] = bytes else {
        return Err(Fault::Unknown);
    };
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let day = days(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)?;
    let (seconds, rest) = time_of_day(rest)?;
    let (fraction, rest) = fraction(rest)?;
    let offset = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => offset(*sign, &[*h1, *h2], &[*m1, *m2])?,
        // ISO 8601 has them without a colon, as strftime's `%z` writes them.
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] => offset(*sign, &[*h1, *h2], &[*m1, *m2])?,
        [sign @ (b'+' | b'-'), h1, h2] => offset(*sign, &[*h1, *h2], b"00")?,
        _ => return Err(Fault::Unknown),
    };
    since_epoch(day, seconds, offset, fraction)
}

/// `10/Oct/2000:13:55:36 -0700`, as nginx's `$time_local` and Apache's `%t` write it, microseconds
/// since the epoch, and whether it has a zone. Some have a fraction, and HAProxy's `%t` has no
/// zone: it is read as UTC.
pub(super) fn common_log(text: &str) -> Result<(u64, bool), Fault> {
    let bytes = text.as_bytes();
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', rest @ ..] = bytes else {
        return Err(Fault::Unknown);
    };
    let name: &[u8] = &[*m1, *m2, *m3];
    let month = (1..).zip(MONTHS).find(|(_, known)| *known == name).ok_or(Fault::Unknown)?.0;
    let day = days(number(&[*y1, *y2, *y3, *y4])?, month, number(&[*d1, *d2])?)?;
    let (seconds, rest) = time_of_day(rest)?;
    let (fraction, rest) = fraction(rest)?;
    let offset = match rest {
        [] => None,
        [b' ', sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            Some(offset(*sign, &[*h1, *h2], &[*m1, *m2])?)
        }
        _ => return Err(Fault::Unknown),
    };
    let us = since_epoch(day, seconds, offset.unwrap_or(0), fraction)?;
    Ok((us, offset.is_some()))
}

/// Microseconds of `.25`, if it comes, and what follows.
fn fraction(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let [b'.', rest @ ..] = bytes else { return Ok((0, bytes)) };
    let (fraction, rest) = digits(rest);
    if fraction.is_empty() {
        return Err(Fault::Unknown);
    }
    Ok((shifted(&[], fraction, 6)?, rest))
}

/// A time a while after another, never after the last one there is.
pub(super) fn later(us: u64, after_us: u64) -> u64 {
    us.saturating_add(after_us).min(END_US - 1)
}

/// Seconds since midnight of `13:55:36`, and what follows. A leap second is the one before
/// it, as clocks in computers have it.
fn time_of_day(bytes: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = bytes else {
        return Err(Fault::Unknown);
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let second = number(&[*s1, *s2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return Err(Fault::Unknown);
    }
    Ok((hour * 3_600 + minute * 60 + second.min(59), rest))
}

/// Seconds east of Greenwich.
fn offset(sign: u8, hours: &[u8], minutes: &[u8]) -> Result<i64, Fault> {
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if hours > 23 || minutes > 59 {
        return Err(Fault::Unknown);
    }
    let seconds = hours * 3_600 + minutes * 60;
    Ok(if sign == b'-' { -seconds } else { seconds })
}

fn since_epoch(day: i64, seconds: i64, offset: i64, fraction: u64) -> Result<u64, Fault> {
    let seconds = u64::try_from(day * 86_400 + seconds - offset).map_err(|_| Fault::Negative)?;
    let us = seconds * MICROS + fraction;
    if us < END_US { Ok(us) } else { Err(Fault::TooLarge) }
}

/// Digits only, few enough.
fn number(bytes: &[u8]) -> Result<i64, Fault> {
    bytes.iter().try_fold(0, |value, byte| match byte {
        b'0'..=b'9' => Ok(value * 10 + i64::from(byte - b'0')),
        _ => Err(Fault::Unknown),
    })
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years begin in March, so that
/// the leap day is the last one: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> Result<i64, Fault> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return Err(Fault::Unknown),
    };
    if !(1..=last).contains(&day) {
        return Err(Fault::Unknown);
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Ok(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn numbers_are_exact_and_cut() {
        for (text, scale, value) in [
            ("0", 6, 0),
            ("-0.0", 6, 0),
            ("0.1", 6, 100_000),
            ("1.9999999", 6, 1_999_999),
            ("1700000000.123456", 6, 1_700_000_000_123_456),
            ("12.3456", 3, 12_345),
            ("1.2e-05", 6, 12),
            ("1.7E9", 6, 1_700_000_000_000_000),
            ("17e+1", 0, 170),
            ("0e999999999999999999999", 6, 0),
            ("5e-999999999999999999999", 6, 0),
            (".5", 3, 500),
            ("5.", 3, 5_000),
            ("000000000000000000000000000001", 3, 1_000),
            ("18446744073709551615", 0, u64::MAX),
        ] {
            assert_eq!(decimal(text, scale), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_reported() {
        for (text, fault) in [
            ("", Fault::Unknown),
            ("-", Fault::Unknown),
            (".", Fault::Unknown),
            ("+1", Fault::Unknown),
            ("1e", Fault::Unknown),
            ("1e+", Fault::Unknown),
            ("1.2.3", Fault::Unknown),
            ("0x10", Fault::Unknown),
            ("NaN", Fault::Unknown),
            ("Infinity", Fault::Unknown),
            ("1 ", Fault::Unknown),
            ("١", Fault::Unknown),
            ("-0.0000001", Fault::Negative),
            ("-1", Fault::Negative),
            ("18446744073709551616", Fault::TooLarge),
            ("1e30", Fault::TooLarge),
            ("1e999999999999999999999", Fault::TooLarge),
        ] {
            assert_eq!(decimal(text, 0), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_point_is_seconds_or_a_date() {
        let second = |us, is_wall| Ok(Point { us, is_wall });
        assert_eq!(point("12.5"), second(12_500_000, false));
        assert_eq!(point("999999999.999999"), second(999_999_999_999_999, false));
        assert_eq!(point("1000000000"), second(WALL_US, true));
        assert_eq!(point("1970-01-01T00:00:01Z"), second(1_000_000, true));
        assert_eq!(point("9999-12-31T23:59:59.9999999Z"), second(END_US - 1, true));
        assert_eq!(point("253402300799.9999999"), second(END_US - 1, true));
        assert_eq!(point_in("1700000000123", 3), second(1_700_000_000_123_000, true));
        // Milliseconds read as seconds.
        assert_eq!(point("1700000000123"), Err(Fault::TooLarge));
        assert_eq!(point("9999-12-31T23:59:59-00:01"), Err(Fault::TooLarge));
        assert_eq!(point("1969-12-31T23:59:59Z"), Err(Fault::Negative));
        assert_eq!(point("-3"), Err(Fault::Negative));
    }

    #[test]
    fn dates_that_are_none_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+010",
            "2026-01-01T00:00:00+1",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01",
            "2026-",
        ] {
            assert_eq!(point(text), Err(Fault::Unknown), "{text}");
        }
        for text in
            ["10/oct/2000:13:55:36 -0700", "10/Oct/2000:13:55:36 ", "31/Jun/2000:00:00:00 +0000"]
        {
            assert_eq!(common_log(text), Err(Fault::Unknown), "{text}");
        }
    }

    #[test]
    fn dates_have_zones() {
        let us = rfc3339("2000-10-10T20:55:36Z").unwrap();
        assert_eq!(common_log("10/Oct/2000:13:55:36 -0700"), Ok((us, true)));
        assert_eq!(common_log("10/Oct/2000:20:55:36.25"), Ok((us + 250_000, false)));
        for text in ["2000-10-10T13:55:36-0700", "2000-10-10T13:55:36-07"] {
            assert_eq!(rfc3339(text), Ok(us), "{text}");
        }
        assert_eq!(rfc3339("2000-10-10T20:55:36Z"), Ok(971_211_336_000_000));
        assert_eq!(rfc3339("2024-02-29t23:59:60.5z"), rfc3339("2024-03-01T05:29:59.5+05:30"));
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(us in 0..END_US) {
            let timestamp = jiff::Timestamp::from_microsecond(i64::try_from(us).unwrap()).unwrap();
            prop_assert_eq!(rfc3339(&timestamp.to_string()), Ok(us));
            let local = timestamp.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            prop_assert_eq!(common_log(&local), Ok((us / MICROS * MICROS, true)));
        }

        #[test]
        fn the_short_way_says_what_the_long_way_says(
            text in "[0-9]{0,14}\\.?[0-9]{0,8}",
            scale in 0_u32..7,
        ) {
            if let Some(value) = plain(text.as_bytes(), scale) {
                prop_assert_eq!(Ok(value), any(text.as_bytes(), scale), "{}", text);
            }
        }

        #[test]
        fn a_number_is_what_it_was(us in 0..END_US) {
            prop_assert_eq!(decimal(&format!("{}.{:06}", us / MICROS, us % MICROS), 6), Ok(us));
        }
    }
}
