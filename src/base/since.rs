//! From when on, as people write it: a duration before now, or a point in time.         (pure)

use std::fmt;
use std::str::FromStr;

use super::period::Period;
use super::timestamp::Timestamp;

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Since {
    /// So long ago.
    Ago(Period),
    /// At this time.
    At(Timestamp),
}

/// From when on, as it was given and as it was understood then: what happened "in the last 2h" is
/// asked for in the same words a minute later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// As it was given.
    pub given: Since,
    /// The time that it means.
    pub at: Timestamp,
}

impl From<Timestamp> for Start {
    fn from(at: Timestamp) -> Self {
        Self { given: Since::At(at), at }
    }
}

/// The text is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a duration such as 2h, or a time such as 2026-01-31T12:00:00Z")]
pub(crate) struct ParseSinceError;

impl Since {
    /// The time that it means.
    #[must_use]
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(period) => now.minus(period.duration()),
            Self::At(at) => at,
        }
    }

    /// Begins there.
    #[must_use]
    pub(crate) fn start(self, now: Timestamp) -> Start {
        Start { given: self, at: self.before(now) }
    }
}

impl FromStr for Since {
    type Err = ParseSinceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(period) = text.parse() {
            return Ok(Self::Ago(period));
        }
        Timestamp::parse_lenient(text).map(Self::At).map_err(|_| ParseSinceError)
    }
}

impl fmt::Display for Since {
    /// The same for all texts that mean the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(period) => write!(f, "{} ns ago", period.duration().as_nanos()),
            Self::At(at) => at.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_before_now_and_a_time_is_itself() {
        let now = Timestamp::from_micros(10_000_000);
        let since = |text: &str| text.parse::<Since>().map(|since| since.before(now));
        assert_eq!(since("4s"), Ok(Timestamp::from_micros(6_000_000)));
        assert_eq!(since("4"), since("4000ms"));
        assert_eq!(since("1970-01-01T00:00:03Z"), Ok(Timestamp::from_micros(3_000_000)));
        for text in ["", "yesterday", "-1h", "2h ago", "200 years", "1970-01-01T25:00:00Z"] {
            assert_eq!(since(text), Err(ParseSinceError), "{text}");
        }
    }

    #[test]
    fn texts_of_one_meaning_are_shown_the_same_and_others_differ() {
        let shown = |text: &str| text.parse::<Since>().unwrap().to_string();
        assert_eq!(shown("2h"), shown("7200"));
        assert_ne!(shown("2h"), shown("2h1ns"));
        assert_ne!(shown("2h"), shown("2026-01-31T12:00:00Z"));
        assert_eq!(shown("2026-01-31T13:00:00+01:00"), shown("2026-01-31T12:00:00Z"));
    }
}
