//! Two builds side by side: pairs of requests, one to each, and the comparison of their latencies.
//!
//! Two runs one after the other differ by the drift of the machine, 5 to 20 %, before they
//! differ by the code. The requests of a pair are made within milliseconds of each other, in
//! random order, so that drift and bursts meet both, and only differences within pairs count.
//!
//! - the median: [`median`], winsorised differences of logarithms
//! - the tail: [`tail`], Savage scores of the ranks
//!
//! **Looks.** It is judged after [`LOOKS`] pairs, and measured on only where it is not clear
//! yet. Each look may raise a false alarm, so the level is spent over them: at `n` of the most
//! pairs `alpha ln(1 + (e - 1) n / most)` of it is spent (the Pocock-type function of K. K. G.
//! Lan and D. L. DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70,
//! 1983). The boundaries are those of Bonferroni: a little too strict, and true whatever the
//! dependence of the looks.
//!
//! **Neighbours.** A neighbour on the machine may meet one of the two for a second. Differences
//! that follow each other are then alike, and say less than as many that are not: their variance
//! is that of sums of [`BLOCK`] of them, where that is greater (as errors of clusters are, K.-Y.
//! Liang and S. L. Zeger, "Longitudinal data analysis using generalized linear models",
//! Biometrika 73, 1986).
//!
//! **Many endpoints.** Each endpoint asks two questions. The step-down procedure of S. Holm ("A
//! simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
//! 1979) holds the significance level for all questions together.
//!
//! **Floors.** What is certain may still be too small to matter: the ratio has to reach 1.05 for
//! a median and 1.10 for a 95th percentile, and the difference [`Floors::least_ms`]; and the
//! interval of the ratio has to lie on its side of 1.
//!
//! A slower endpoint is measured again, from the beginning; only if it is slower again, it is a
//! regression. [`verdict`] turns that into a judgement.

use serde::Serialize;

pub(crate) mod median;
pub(crate) mod tail;
pub(crate) mod verdict;

/// The first look is after this many pairs.
pub(crate) const LOOKS: [usize; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// Pairs that follow each other and may have met the same.
pub(crate) const BLOCK: usize = 25;
/// The level of all questions together, in each direction.
pub(crate) const ALPHA: f64 = 0.01;

/// The least relevant difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Floors {
    /// The ratio of medians.
    pub median: f64,
    /// The ratio of 95th percentiles.
    pub p95: f64,
    /// The difference of either, milliseconds.
    pub least_ms: f64,
}

impl Default for Floors {
    fn default() -> Self {
        Self { median: 1.05, p95: 1.10, least_ms: 0.05 }
    }
}

/// The latencies of a pair, in nanoseconds: of the reference, and of what is judged.
pub(crate) type Pair = (u64, u64);

/// Pairs, and their latencies in order.
#[derive(Debug)]
pub(crate) struct Sample<'p> {
    pairs: &'p [Pair],
    /// All latencies, each with twice the index of its pair, plus one for the target; sorted.
    ranked: Vec<(u64, usize)>,
    /// The latencies of the reference and of the target, sorted.
    sides: [Vec<f64>; 2],
}

impl<'p> Sample<'p> {
    /// From pairs in the order in which they were made.
    #[must_use]
    pub(crate) fn of(pairs: &'p [Pair]) -> Self {
        let mut ranked: Vec<(u64, usize)> = pairs
            .iter()
            .enumerate()
            .flat_map(|(at, (reference, judged))| [(*reference, 2 * at), (*judged, 2 * at + 1)])
            .collect();
        ranked.sort_unstable();
        let mut sides = [0, 1].map(|_| Vec::with_capacity(pairs.len()));
        for (nanos, position) in &ranked {
            sides[position % 2].push(*nanos as f64);
        }
        Self { pairs, ranked, sides }
    }
}

/// The result of one question so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// Target ÷ reference.
    pub ratio: f64,
    /// The confidence interval of 99 % of the ratio, at one look.
    pub interval: (f64, f64),
    /// Target − reference, milliseconds.
    pub difference_ms: f64,
    /// How unlikely this slowdown would be if the builds did not differ, over all looks so far.
    pub p_slower: f64,
    /// The same for faster.
    pub p_faster: f64,
}

/// The questions of one endpoint, over its looks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    looks: usize,
    /// Median, tail.
    smallest: [[f64; 2]; 2],
    latest: Option<[Estimate; 2]>,
    pairs: usize,
}

/// Whether more pairs are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// More pairs would not change the result.
    Enough,
    /// Whether there are as many pairs as the next look takes.
    More,
}

impl Watch {
    /// Looks at all pairs so far, which are as many as the next look takes; `questions` are those
    /// of all endpoints.
    pub(crate) fn look(&mut self, pairs: &[Pair], floors: &Floors, questions: usize) -> Next {
        let share = spent(self.looks + 1) - spent(self.looks);
        if self.looks == 0 {
            self.smallest = [[1.0; 2]; 2];
        }
        self.looks += 1;
        self.pairs = pairs.len();
        let sample = Sample::of(pairs);
        let mut estimates = [median::estimate(&sample), tail::estimate(&sample)];
        for (estimate, smallest) in estimates.iter_mut().zip(&mut self.smallest) {
            // A result as unlikely as its share of the level is as unlikely as the level.
            smallest[0] = smallest[0].min(estimate.p_slower / share).min(1.0);
            smallest[1] = smallest[1].min(estimate.p_faster / share).min(1.0);
            (estimate.p_slower, estimate.p_faster) = (smallest[0], smallest[1]);
        }
        self.latest = Some(estimates);
        let least = [floors.median, floors.p95];
        let is_clear = estimates.iter().zip(least).all(|(estimate, floor)| {
            let level = ALPHA / questions as f64;
            let is_slower = estimate.p_slower <= level && estimate.ratio >= floor;
            is_slower && estimate.interval.0 > 1.0 || estimate.interval.1 < floor
        });
        // One question answered with "slower" is enough to measure again.
        let is_slower = estimates.iter().zip(least).any(|(estimate, floor)| {
            estimate.p_slower <= ALPHA / questions as f64 && estimate.interval.0 >= floor
        });
        if is_clear || is_slower || self.looks == LOOKS.len() { Next::Enough } else { Next::More }
    }

    /// How many pairs the next look takes.
    #[must_use]
    pub(crate) fn wanted(&self) -> Option<usize> {
        LOOKS.get(self.looks).copied()
    }

    /// The median and the tail after the last look.
    #[must_use]
    pub(crate) fn estimates(&self) -> Option<[Estimate; 2]> {
        self.latest
    }

    /// How many pairs the last look had.
    #[cfg(test)]
    pub(crate) fn pairs(&self) -> usize {
        self.pairs
    }
}

/// The share of the significance level that is spent after this many looks.
fn spent(looks: usize) -> f64 {
    let Some(last) = looks.checked_sub(1) else { return 0.0 };
    let most = LOOKS[LOOKS.len() - 1] as f64;
    let at = LOOKS.get(last).map_or(1.0, |pairs| *pairs as f64 / most);
    (1.0 + (std::f64::consts::E - 1.0) * at).ln()
}

/// The result for the median or the tail of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Slower, and by enough to matter.
    Slower,
    /// Faster, and by enough to matter.
    Faster,
    /// Neither.
    Same,
}

/// The results of all endpoints, by Holm's procedure over all their questions.
#[must_use]
pub(crate) fn decide(endpoints: &[[Estimate; 2]], floors: &Floors) -> Vec<[Change; 2]> {
    let slower = rejected(endpoints, |estimate| estimate.p_slower);
    let faster = rejected(endpoints, |estimate| estimate.p_faster);
    let least = [floors.median, floors.p95];
    (0..endpoints.len())
        .map(|endpoint| {
            [0, 1].map(|question| {
                let Estimate { ratio, difference_ms, .. } = endpoints[endpoint][question];
                let matters = difference_ms.abs() >= floors.least_ms;
                let (low, high) = endpoints[endpoint][question].interval;
                let is_slower = ratio >= least[question] && low > 1.0;
                let is_faster = ratio <= 1.0 / least[question] && high < 1.0;
                if slower[endpoint][question] && matters && is_slower {
                    Change::Slower
                } else if faster[endpoint][question] && matters && is_faster {
                    Change::Faster
                } else {
                    Change::Same
                }
            })
        })
        .collect()
}

/// Which questions are answered with yes: of `m`, the smallest p at `alpha / m`, the next at
/// `alpha / (m - 1)`, and so on, up to the first that is not.
fn rejected(endpoints: &[[Estimate; 2]], p: fn(&Estimate) -> f64) -> Vec<[bool; 2]> {
    let mut ordered: Vec<(f64, usize, usize)> = endpoints
        .iter()
        .enumerate()
        .flat_map(|(endpoint, questions)| [0, 1].map(|at| (p(&questions[at]), endpoint, at)))
        .collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rejected = vec![[false; 2]; endpoints.len()];
    let count = ordered.len();
    for (rank, (p, endpoint, at)) in ordered.into_iter().enumerate() {
        if p > ALPHA / (count - rank) as f64 {
            break;
        }
        rejected[endpoint][at] = true;
    }
    rejected
}

/// The sum of squares of differences around 0, or that of sums of neighbours around their mean
/// where it is greater.
fn squares(differences: &[f64]) -> f64 {
    let alone: f64 = differences.iter().map(|difference| difference * difference).sum();
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let blocks = differences.chunks(BLOCK);
    let blocks = blocks.map(|block| block.iter().map(|one| one - mean).sum::<f64>().powi(2));
    alone.max(blocks.sum())
}

/// The upper tail of the standard normal distribution: `erfc(z / √2) / 2`, by the continued
/// fraction of M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 26.2.14, where
/// it converges fast, and the series 26.2.10 elsewhere.
pub(in crate::perf) fn upper_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - upper_tail(-z);
    }
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z > 2.5 {
        let mut fraction = z;
        for k in (1..=60).rev() {
            fraction = z + f64::from(k) / fraction;
        }
        return density / fraction;
    }
    let (mut term, mut sum) = (z, z);
    for k in 1..=40 {
        term *= z * z / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 - density * sum
}

/// The quantile, interpolated between the two values around it.
pub(in crate::perf) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = p.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0")]
    let below = position as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// 99 % of the standard normal distribution lie within this distance of 0.
pub(in crate::perf) const Z99: f64 = 2.575_829_303_548_901;

#[cfg(test)]
mod tests;
