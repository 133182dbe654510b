//! Whether slow requests take longer: Savage scores of the ranks.
//!
//! All latencies are ranked together; the one of rank `r` of `N` gets the sum of `1 / j` for `j`
//! from `N - r + 1` to `N`, minus 1 (I. R. Savage, "Contributions to the theory of rank order
//! statistics: the two-sample case", Annals of Mathematical Statistics 27, 1956): the slowest
//! count most, and how slow they are does not. Without a difference it is chance which request
//! of a pair has which score: the sum of the differences within pairs then has the mean 0 and
//! the variance of the sum of their squares; of the squares of sums of neighbours where these
//! are alike.
//!
//! The interval of the ratio is made of those of the two quantiles, each between the values whose
//! ranks are a fixed number of standard deviations of a binomial count off (W. J. Conover,
//! "Practical nonparametric statistics", 3.2), by the squares of their distances (G. Y. Zou and A.
//! Donner, "Construction of confidence limits about effect measures: a general approach",
//! Statistics in Medicine 27, 2008), over the logarithms.

use super::median::NOTHING;
use super::{Estimate, Sample, Z99, quantile, squares, upper_tail};

/// Of the percentile.
const P: f64 = 0.95;

/// The estimate of the 95th percentile's change from the pairs.
#[must_use]
pub(crate) fn estimate(sample: &Sample<'_>) -> Estimate {
    if sample.pairs.len() < 2 {
        return NOTHING;
    }
    let differences: Vec<f64> =
        scores(sample).into_iter().map(|[reference, judged]| judged - reference).collect();
    let squares = squares(&differences);
    let sum: f64 = differences.iter().sum();
    let z = if squares > 0.0 { sum / squares.sqrt() } else { 0.0 };
    let [reference, judged] = &sample.sides;
    let at = |sorted: &[f64], p: f64| quantile(sorted, p).max(1.0);
    let ratio = at(judged, P) / at(reference, P);
    let off = Z99 * (P * (1.0 - P) / sample.pairs.len() as f64).sqrt();
    let spread = |sorted: &[f64]| {
        let middle = at(sorted, P).ln();
        let (low, high) = (at(sorted, P - off).ln(), at(sorted, (P + off).min(1.0)).ln());
        (middle - low, high - middle)
    };
    let ((low_a, high_a), (low_b, high_b)) = (spread(reference), spread(judged));
    let interval = (ratio * (-(low_b.hypot(high_a))).exp(), ratio * high_b.hypot(low_a).exp());
    Estimate {
        ratio,
        interval,
        difference_ms: (at(judged, P) - at(reference, P)) / 1e6,
        p_slower: upper_tail(z),
        p_faster: upper_tail(-z),
    }
}

/// The scores of both sides of each pair; those of equal latencies are the mean of theirs.
fn scores(sample: &Sample<'_>) -> Vec<[f64; 2]> {
    let count = sample.ranked.len();
    let mut harmonic = 0.0;
    let by_rank: Vec<f64> = (0..count)
        .map(|rank| {
            harmonic += 1.0 / (count - rank) as f64;
            harmonic - 1.0
        })
        .collect();
    let mut scores = vec![[0.0; 2]; sample.pairs.len()];
    let mut rank = 0;
    for equal in sample.ranked.chunk_by(|a, b| a.0 == b.0) {
        let shared = by_rank[rank..rank + equal.len()].iter().sum::<f64>() / equal.len() as f64;
        for (_, position) in equal {
            scores[position / 2][position % 2] = shared;
        }
        rank += equal.len();
    }
    scores
}
