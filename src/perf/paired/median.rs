//! Whether requests in general take longer: the winsorised mean of the differences of
//! logarithms within pairs.
//!
//! The `g` greatest and the `g` least differences (a fifth each) are replaced by those next to
//! them, so that a tail decides nothing. The mean of the rest, trimmed, estimates the centre;
//! its standard error is that of J. W. Tukey and D. H. McLaughlin ("Less vulnerable confidence
//! and significance procedures for location based on a single sample", Sankhya A 25, 1963):
//! `s_w / ((1 - 2 share) √n)`, `s_w` being the standard deviation of the winsorised differences,
//! of which neighbours may be alike.

use super::{Estimate, Pair, Sample, Z99, quantile, squares, upper_tail};

/// The share of the differences at each end.
const SHARE: f64 = 0.2;

/// The estimate of the median's change from the pairs.
#[must_use]
pub(crate) fn estimate(sample: &Sample<'_>) -> Estimate {
    let differences: Vec<f64> = sample.pairs.iter().map(|pair| difference(*pair)).collect();
    let mut sorted = differences.clone();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    // A fifth of what was measured, which is some thousands.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0")]
    let cut = (n as f64 * SHARE) as usize;
    let trimmed = &sorted[cut..n - cut];
    let (Some(least), Some(most)) = (trimmed.first(), trimmed.last()) else { return NOTHING };
    let centre = trimmed.iter().sum::<f64>() / trimmed.len() as f64;
    let winsorised: Vec<f64> = differences.iter().map(|d| d.clamp(*least, *most)).collect();
    let mean = winsorised.iter().sum::<f64>() / n as f64;
    let off: Vec<f64> = winsorised.iter().map(|difference| difference - mean).collect();
    let deviation = (squares(&off) / (n as f64 - 1.0).max(1.0)).sqrt();
    let error = deviation / ((1.0 - 2.0 * SHARE) * (n as f64).sqrt());
    // Nothing varies, so any difference is certain.
    let z = match error > 0.0 {
        true => centre / error,
        false => centre.signum() * f64::from(u8::from(centre != 0.0)) * 99.0,
    };
    let [reference, judged] = [0, 1].map(|side| quantile(&sample.sides[side], 0.5));
    Estimate {
        ratio: centre.exp(),
        interval: ((centre - Z99 * error).exp(), (centre + Z99 * error).exp()),
        difference_ms: (judged - reference) / 1e6,
        p_slower: upper_tail(z),
        p_faster: upper_tail(-z),
    }
}

/// What nothing says.
pub(super) const NOTHING: Estimate = Estimate {
    ratio: 1.0,
    interval: (0.0, f64::INFINITY),
    difference_ms: 0.0,
    p_slower: 1.0,
    p_faster: 1.0,
};

/// A latency below the resolution of clocks counts as 1 ns.
fn difference((reference, judged): Pair) -> f64 {
    (judged.max(1) as f64).ln() - (reference.max(1) as f64).ln()
}
