//! Durations and sizes as people read them, and text cut to a width.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `340 ms`, `1.2 s`, `2m 03s`, `1h 02m`, `3d 04h`.
#[must_use]
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        // Cut, not rounded, so that 59.96 s does not become 60.0 s.
        1..60 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// `2 ms`, `8.6 s`, `21 s`, `4 min 44 s`, `1 d 16 h`: two units at most, as a page has room for. A
/// number and its unit are never parted.
#[must_use]
pub(crate) fn spoken(duration: Duration) -> String {
    const NBSP: char = '\u{a0}';
    let seconds = duration.as_secs();
    let two = |whole: u64, unit: &str, rest: u64, part: &str| match rest {
        0 => format!("{whole}{NBSP}{unit}"),
        rest => format!("{whole}{NBSP}{unit} {rest}{NBSP}{part}"),
    };
    match seconds {
        0 => format!("{}{NBSP}ms", duration.as_millis()),
        1..10 => format!("{seconds}.{}{NBSP}s", duration.subsec_millis() / 100),
        10..60 => format!("{seconds}{NBSP}s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    }
}

/// `512 B`, `1.2 KiB`, `953.6 MiB`.
#[must_use]
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1 step`, `2 steps`.
#[must_use]
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The text in at most `width` cells, an ellipsis at its end when it is cut.
#[must_use]
pub(crate) fn fit(text: &str, width: usize, unicode: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let ellipsis = if unicode { '…' } else { '~' };
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(c);
    }
    cut.push(ellipsis);
    cut
}

/// The text, filled with spaces to `width` cells.
#[must_use]
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_for_each_size() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (59_990, "59.9 s"),
            (123_000, "2m 03s"),
            (3_720_000, "1h 02m"),
            (273_600_000, "3d 04h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn spoken_durations_have_two_units_at_most() {
        for (millis, text) in [
            (2, "2 ms"),
            (8_650, "8.6 s"),
            (21_900, "21 s"),
            (284_000, "4 min 44 s"),
            (3_120_000, "52 min"),
            (13_620_000, "3 h 47 min"),
            (144_000_000, "1 d 16 h"),
        ] {
            assert_eq!(spoken(Duration::from_millis(millis)).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (65_536, "64.0 KiB"),
            (1_000_000_008, "953.6 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn what_is_cut_fits() {
        assert_eq!(fit("abcdef", 6, true), "abcdef");
        assert_eq!(fit("abcdef", 5, true), "abcd…");
        assert_eq!(fit("日本語です", 5, true), "日本…");
        assert_eq!(fit("abcdef", 3, false), "ab~");
        assert_eq!(pad("日本", 6), "日本  ");
    }
}
