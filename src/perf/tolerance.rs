//! How much slower something may be.

use std::fmt;
use std::str::FromStr;

use super::stats::Latency;

/// How much slower a figure may be than its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// By an absolute amount.
    Absolute(Latency),
    /// By this share of the baseline.
    Share(f64),
}

/// The tolerances of an endpoint that has its own; none: that of all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerances {
    /// Of the median.
    pub median: Option<Tolerance>,
    /// Of the 95th percentile.
    pub p95: Option<Tolerance>,
}

impl Tolerance {
    /// The tolerance beside a baseline.
    #[must_use]
    pub fn of(self, baseline: Latency) -> Latency {
        match self {
            Self::Absolute(latency) => latency,
            Self::Share(share) => Latency::from_ms(baseline.as_ms() * share).unwrap_or_default(),
        }
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::Absolute(Latency::default())
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(latency) => latency.fmt(f),
            Self::Share(share) => write!(f, "{} %", share * 100.0),
        }
    }
}

/// `10%`, `5ms` or `0.5 ms`.
impl FromStr for Tolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let number = |text: &str| text.trim_end().parse::<f64>().ok().filter(|n| n.is_finite());
        let found = match (text.strip_suffix('%'), text.strip_suffix("ms")) {
            (Some(percent), _) => number(percent)
                .filter(|percent| (0.0..=10_000.0).contains(percent))
                .map(|percent| Self::Share(percent / 100.0)),
            (_, Some(ms)) => number(ms).and_then(Latency::from_ms).map(Self::Absolute),
            _ => None,
        };
        found.ok_or_else(|| {
            format!("`{text}` is no tolerance: give a share such as 10%, or a time such as 5ms")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_share_or_a_time() {
        let ms = |ms| Latency::from_ms(ms).unwrap();
        for (text, of_ten) in
            [("10%", 1.0), ("2.5 %", 0.25), ("0%", 0.0), ("5ms", 5.0), ("0.5 ms", 0.5)]
        {
            let tolerance: Tolerance = text.parse().unwrap();
            assert_eq!(tolerance.of(ms(10.0)), ms(of_ten), "{text}");
        }
        for text in ["", "10", "%", "-1%", "NaN%", "inf ms", "-5ms", "10s", "1e9%"] {
            assert!(text.parse::<Tolerance>().unwrap_err().contains("10%"), "{text}");
        }
    }
}
