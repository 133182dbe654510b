//! Durations as people write them: `500ms`, `2s`, `1m30s`, `2h`, or a number of
//! seconds such as `90` or `1.5`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A length of time that was read from a document or a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(Duration);

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration: write 500ms, 2s, 1m30s, 2h, or a number of seconds, at most 100 years"
)]
pub struct ParsePeriodError(String);

/// The longest valid duration: a hundred years. A longer one is a mistake and would exceed the
/// range of the clocks.
pub(crate) const PERIOD_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

impl Period {
    /// Wraps a duration.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// The length of time.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParsePeriodError(text.to_owned());
        let trimmed = text.trim();
        let plain_number = trimmed.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && trimmed
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'));
        let duration = if plain_number {
            let seconds: f64 = trimmed.parse().map_err(|_| refuse())?;
            Duration::try_from_secs_f64(seconds).map_err(|_| refuse())?
        } else {
            humantime::parse_duration(trimmed).map_err(|_| refuse())?
        };
        if duration > PERIOD_MAX { Err(refuse()) } else { Ok(Self(duration)) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spaced = humantime::format_duration(self.0).to_string();
        f.write_str(&spaced.replace(' ', ""))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u128> {
        text.parse::<Period>().ok().map(|p| p.duration().as_millis())
    }

    #[test]
    fn reads_units_and_bare_seconds() {
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("2h"), Some(7_200_000));
        assert_eq!(millis("1.5"), Some(1_500));
        assert_eq!(millis("0"), Some(0));
    }

    #[test]
    fn refuses_what_is_no_length_of_time() {
        for text in
            ["", "soon", "-1", "-1s", "1e400", "5 parsecs", "1..2", "9999999h", "nan", "inf"]
        {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn is_written_so_that_it_reads_back() {
        for text in ["1m30s", "500ms", "2h", "0s", "1day2h"] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string().parse(), Ok(period), "{period}");
        }
    }
}
