//! How long requests take.

use fastrand::Rng;

/// The longest latency is an hour: requests in flight have to fit into memory.
pub(super) const LATENCY_MAX_US: f64 = 3.6e9;
/// The 95th percentile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;

/// A distribution of latencies, in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Latency {
    /// Always the same.
    Constant(f64),
    /// `exp(mu + sigma Z)`, `Z` being standard normal.
    Lognormal {
        /// The logarithm of the median.
        mu: f64,
        /// Of the logarithms.
        sigma: f64,
    },
    /// `-mean ln U`.
    Exponential { mean: f64 },
    /// `min U^(-1 / alpha)`, at most `max`.
    Pareto {
        /// The least.
        min: f64,
        /// The tail index: the lower, the heavier.
        alpha: f64,
        /// What is greater is this.
        max: f64,
    },
    /// One of two.
    Bimodal {
        /// Of most requests.
        fast: Box<Latency>,
        /// Of the others.
        slow: Box<Latency>,
        /// The share of the others.
        slow_share: f64,
    },
}

impl Latency {
    /// A lognormal distribution by its median and its 95th percentile: sigma is
    /// `ln(p95 / median) / 1.645`.
    #[must_use]
    pub(crate) fn lognormal(median_us: f64, p95_us: f64) -> Self {
        Self::Lognormal { mu: median_us.ln(), sigma: (p95_us / median_us).ln() / Z95 }
    }

    /// One latency, microseconds.
    pub(super) fn draw(&self, rng: &mut Rng) -> f64 {
        let drawn = match self {
            Self::Constant(latency) => *latency,
            Self::Lognormal { mu, sigma } => (mu + sigma * normal(rng)).exp(),
            Self::Exponential { mean } => mean * exponential(rng),
            Self::Pareto { min, alpha, max } => (min * (exponential(rng) / alpha).exp()).min(*max),
            Self::Bimodal { fast, slow, slow_share } => {
                let one = if rng.f64() < *slow_share { slow } else { fast };
                one.draw(rng)
            }
        };
        drawn.min(LATENCY_MAX_US)
    }
}

/// An exponential number of mean 1, by inversion: `-ln U`.
pub(super) fn exponential(rng: &mut Rng) -> f64 {
    // From (0, 1], since the logarithm of 0 is undefined.
    -(1.0 - rng.f64()).ln()
}

/// A standard normal number, by the polar method (G. Marsaglia and T. A. Bray, "A convenient method
/// for generating normal variables", SIAM Review 6, 1964). The second number of each pair is
/// discarded: a draw then depends on nothing before it.
fn normal(rng: &mut Rng) -> f64 {
    loop {
        let (x, y) = (2.0 * rng.f64() - 1.0, 2.0 * rng.f64() - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(latency: &Latency) -> Vec<f64> {
        let mut rng = Rng::with_seed(7);
        let mut drawn: Vec<f64> = (0..100_000).map(|_| latency.draw(&mut rng)).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    #[track_caller]
    fn near(found: f64, expected: f64) {
        // Quantiles of 100,000 draws are much nearer than this.
        assert!((found / expected - 1.0).abs() < 0.03, "{found} instead of {expected}");
    }

    #[test]
    fn quantiles_are_those_that_were_asked_for() {
        let lognormal = sorted(&Latency::lognormal(20_000.0, 90_000.0));
        near(lognormal[50_000], 20_000.0);
        near(lognormal[95_000], 90_000.0);
        let exponential = sorted(&Latency::Exponential { mean: 30_000.0 });
        near(exponential.iter().sum::<f64>() / 1e5, 30_000.0);
        near(exponential[95_000], 30_000.0 * 20_f64.ln());
        let pareto = sorted(&Latency::Pareto { min: 10_000.0, alpha: 2.0, max: 1e6 });
        near(pareto[50_000], 10_000.0 * 2_f64.sqrt());
        near(pareto[99_000], 100_000.0);
        assert!(pareto[0] >= 10_000.0 && pareto[99_999] <= 1e6);
        let bimodal = sorted(&Latency::Bimodal {
            fast: Box::new(Latency::Constant(5_000.0)),
            slow: Box::new(Latency::Constant(800_000.0)),
            slow_share: 0.06,
        });
        let slow = bimodal.iter().filter(|latency| **latency > 5_000.0).count();
        near(slow as f64, 6_000.0);
    }

    #[test]
    fn nothing_takes_longer_than_an_hour() {
        let endless = Latency::Pareto { min: 1e9, alpha: 0.1, max: f64::INFINITY };
        assert_eq!(sorted(&endless)[99_999], LATENCY_MAX_US);
    }
}
