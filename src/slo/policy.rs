//! The objectives: thresholds, windows, cooldown.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::indicator::Indicator;

/// The most decimals of a share: with them, comparisons are exact in 128 bits for counts below
/// 2^44.
const DECIMALS_MAX: usize = 24;

/// A share of requests as a decimal of 0 or more, stored exactly: no comparison with a rate is ever
/// rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    text: String,
    /// The value is this divided by `10^decimals`; above 1 it is only known to be above.
    numerator: u128,
    denominator: u128,
}

/// The text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal of 0 or more with at most {DECIMALS_MAX} digits after the point")]
pub struct ParseShareError(String);

impl Share {
    /// Whether `part` of `whole` is this share or more. Nothing of nothing is not.
    #[must_use]
    pub fn is_reached(&self, part: u64, whole: u64) -> bool {
        let (part, whole) = (u128::from(part), u128::from(whole));
        whole > 0 && part * self.denominator >= whole * self.numerator
    }

    /// The nearest floating-point number, to be shown.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.text.parse().unwrap_or(f64::INFINITY)
    }
}

impl FromStr for Share {
    type Err = ParseShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseShareError(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() == 0 && !text.contains('0')
            || !digits(whole)
            || !digits(fraction)
            || fraction.len() > DECIMALS_MAX
        {
            return Err(refuse());
        }
        let denominator = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| refuse())?);
        let whole = whole.trim_start_matches('0');
        let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().unwrap_or(0) };
        let numerator = match whole {
            "" => fraction,
            "1" => denominator + fraction,
            // No rate can reach it.
            _ => 2 * denominator,
        };
        Ok(Self { text: text.to_owned(), numerator, denominator })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialOrd for Share {
    /// By value; two above 1 compare as equal.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (left, right) = (
            self.numerator.checked_mul(other.denominator)?,
            other.numerator.checked_mul(self.denominator)?,
        );
        Some(left.cmp(&right))
    }
}

/// The objectives of a service, and when breaches are reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Of 4xx and 5xx together; `None`: off, never breached. So are the others.
    pub error_rate: Option<Share>,
    /// Of 5xx.
    pub error_rate_5xx: Option<Share>,
    /// Of 4xx.
    pub error_rate_4xx: Option<Share>,
    /// How far back the rates look.
    pub error_window: Duration,
    /// Of the 95th percentile.
    pub latency_p95: Option<Duration>,
    /// The window of the percentile.
    pub latency_window: Duration,
    /// With fewer events in its window an indicator is not judged.
    pub min_samples: u64,
    /// The least time between two alerts of one type.
    pub cooldown: Duration,
}

impl Policy {
    /// The threshold of an indicator: a share, or seconds; `None` when it is off.
    #[must_use]
    pub fn threshold(&self, indicator: Indicator) -> Option<f64> {
        match indicator {
            Indicator::LatencyP95 => self.latency_p95.as_ref().map(Duration::as_secs_f64),
            _ => self.share(indicator).map(Share::value),
        }
    }

    /// The threshold of a rate; `None` when it is off, or the indicator is no rate.
    #[must_use]
    pub fn share(&self, indicator: Indicator) -> Option<&Share> {
        match indicator {
            Indicator::ErrorRate => self.error_rate.as_ref(),
            Indicator::ErrorRate5xx => self.error_rate_5xx.as_ref(),
            Indicator::ErrorRate4xx => self.error_rate_4xx.as_ref(),
            Indicator::LatencyP95 => None,
        }
    }

    /// How far back a signal looks.
    #[must_use]
    pub fn window(&self, indicator: Indicator) -> Duration {
        match indicator {
            Indicator::LatencyP95 => self.latency_window,
            _ => self.error_window,
        }
    }

    /// The same in seconds.
    #[must_use]
    pub fn window_seconds(&self, indicator: Indicator) -> f64 {
        self.window(indicator).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn a_share_is_compared_exactly() {
        for (text, part, whole, reached) in [
            ("0.05", 5, 100, true),
            ("0.05", 4, 81, false),
            ("0.1", 1, 10, true),
            ("0.10", 1, 10, true),
            ("0", 0, 1, true),
            ("0.0", 0, 0, false),
            ("1", 7, 7, true),
            ("1.000000000000000000000001", 7, 7, false),
            ("99999999999999999999999999999999999999999999", 7, 7, false),
            (".5", 1, 2, true),
            ("0.333333333333333333333333", 1, 3, true),
            ("0.333333333333333333333334", 1, 3, false),
            ("0.000000000000000000000001", 1, 1 << 43, true),
        ] {
            assert_eq!(share(text).is_reached(part, whole), reached, "{part}/{whole} >= {text}");
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", ".", "-1", "5%", "1e-2", "0,5", "NaN", "1.2.3", "٣"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert!("0.0000000000000000000000001".parse::<Share>().is_err());
        assert!("0.5000000000000000000000000".parse::<Share>().is_ok());
    }
}
