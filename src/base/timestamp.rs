//! Points in time: microseconds since the Unix epoch, written as RFC 3339 UTC.
//!
//! The one text form, `2026-01-31T08:15:00.000250Z`, has always six fractional
//! digits and ends in `Z`, so that texts sort as the times do. Nothing here reads
//! a clock; [`crate::base::clock`] does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no point in time that wfx reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: RFC 3339 is expected, such as 2026-01-31T08:15:00Z")]
pub struct ParseTimestampError(String);

impl Timestamp {
    /// The time `micros` microseconds after the epoch, held within the years that
    /// RFC 3339 can write.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(
            jiff::Timestamp::MIN.as_second() * 1_000_000,
            jiff::Timestamp::MAX.as_second() * 1_000_000,
        ))
    }

    /// In the form of HTTP headers (RFC 9110, section 5.6.7), to the second.
    #[must_use]
    pub fn to_http_date(self) -> String {
        let timestamp = jiff::Timestamp::from_microsecond(self.0).unwrap_or_default();
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer.timestamp_to_rfc9110_string(&timestamp).unwrap_or_default()
    }

    /// Parses a date of an HTTP header; nothing if it is none.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        parser.parse_timestamp(text).ok().map(|timestamp| Self(timestamp.as_microsecond()))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// This time plus `duration`, at most the last time that can be written.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This time minus `duration`, at least the first time that can be written.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// The time from `earlier` until this one; zero if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339, and, as the predecessor of wfx wrote it, ISO 8601 without a
    /// zone, which is read as UTC.
    ///
    /// # Errors
    /// [`ParseTimestampError`] when the text is neither.
    pub fn parse_lenient(text: &str) -> Result<Self, ParseTimestampError> {
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(timestamp.as_microsecond()));
        }
        text.parse::<jiff::civil::DateTime>()
            .ok()
            .and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil).ok())
            .map(|timestamp| Self(timestamp.as_microsecond()))
            .ok_or_else(|| ParseTimestampError(text.to_owned()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(timestamp) = jiff::Timestamp::from_microsecond(self.0) else {
            return Err(fmt::Error);
        };
        write!(f, "{timestamp:.6}")
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|timestamp| Self(timestamp.as_microsecond()))
            .map_err(|_| ParseTimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_six_digits_and_sorts_like_the_time() {
        let whole = Timestamp::from_micros(1_759_665_600_000_000);
        assert_eq!(whole.to_string(), "2025-10-05T12:00:00.000000Z");
        let later = whole.plus(Duration::from_micros(20));
        assert_eq!(later.to_string(), "2025-10-05T12:00:00.000020Z");
        assert!(later.to_string() > whole.to_string());
        assert_eq!(later.to_string().parse(), Ok(later));
    }

    #[test]
    fn the_first_and_the_last_time_have_a_text() {
        for micros in [i64::MIN, i64::MAX] {
            let end = Timestamp::from_micros(micros);
            assert_eq!(end.to_string().parse(), Ok(end));
        }
    }

    #[test]
    fn a_time_without_a_zone_is_utc_only_when_asked_for() {
        let naive = "2025-10-05T12:00:00.120000";
        assert!(naive.parse::<Timestamp>().is_err());
        assert_eq!(
            Timestamp::parse_lenient(naive).map(|t| t.to_string()),
            Ok("2025-10-05T12:00:00.120000Z".to_owned())
        );
        assert_eq!(
            Timestamp::parse_lenient("2025-10-05T14:00:00.12+02:00").map(|t| t.to_string()),
            Ok("2025-10-05T12:00:00.120000Z".to_owned())
        );
        assert!(Timestamp::parse_lenient("yesterday").is_err());
    }
}
