//! Two spans of history: how long steps took before, and since.
//!
//! - the median: the rank sum of F. Wilcoxon ("Individual comparisons by ranking methods",
//!   Biometrics Bulletin 1, 1945) with the correction for ties; its ratio is the estimate of J.
//!   L. Hodges and E. L. Lehmann ("Estimates of location based on rank tests", Annals of
//!   Mathematical Statistics 34, 1963) over the logarithms
//! - the tail: how many of what is beyond the 95th percentile of both lie in the later span, which
//!   without a difference is hypergeometric (R. A. Fisher, "The logic of inductive inference",
//!   Journal of the Royal Statistical Society 98, 1935), exactly: few of many are no normal count
//!
//! Both ask whether the spans differ, and not why: the machine, its load and what the steps
//! worked on differ as well.

use std::collections::BTreeMap;

use super::judgement::Judgement;
use super::paired::verdict::{Compared, Outcome, Unit, judgement};
use super::paired::{self, Change, Estimate, Floors, Z99, quantile, upper_tail};
use super::steps::{RUNS_MIN, StepRuns};

/// The limits of such a comparison.
pub(crate) const CAVEAT: &str = "two spans of history differ by more than the code: the machine, its load, \
     what the steps worked on; drift alone makes 4 of 10 such comparisons differ";

/// A step counts as slower only from a millisecond on, the precision of stored durations.
const FLOORS: Floors = Floors { median: 1.05, p95: 1.10, least_ms: 1.0 };
/// With more values, this many evenly spaced ones represent all, since every pair is compared.
const THINNED: usize = 1_000;
const P: f64 = 0.95;

/// Judges the later span against the one before.
#[must_use]
pub(crate) fn judge(before: Vec<StepRuns>, since: Vec<StepRuns>) -> Judgement {
    let mut earlier: BTreeMap<String, Vec<u64>> =
        before.into_iter().map(|runs| (runs.key(), runs.durations_ms)).collect();
    let mut endpoints = Vec::new();
    let mut warnings = vec![CAVEAT.to_owned()];
    for runs in since {
        let key = runs.key();
        match earlier.remove(&key) {
            Some(before) => endpoints.push(compared(key, &before, &runs.durations_ms)),
            None => warnings.push(format!("{key} ran only since, and is not judged")),
        }
    }
    warnings.extend(earlier.into_keys().map(|key| format!("{key} ran only before")));
    let known: Vec<[Estimate; 2]> = endpoints.iter().filter_map(|one| one.estimates).collect();
    let mut changes = paired::decide(&known, &FLOORS).into_iter();
    for one in endpoints.iter_mut().filter(|one| one.estimates.is_some()) {
        one.changes = changes.next().unwrap_or([Change::Same; 2]);
    }
    let outcome = Outcome { endpoints, doubts: Vec::new(), repeated: false };
    let mut judgement = judgement(outcome, &FLOORS, 1.0);
    "steps, two spans".clone_into(&mut judgement.source.name);
    judgement.warnings = warnings;
    judgement
}

fn compared(endpoint: String, before_ms: &[u64], since_ms: &[u64]) -> Compared {
    const NANOS: u64 = 1_000_000;
    let sorted = |durations: &[u64]| {
        let mut nanos: Vec<u64> = durations.iter().map(|ms| ms.saturating_mul(NANOS)).collect();
        nanos.sort_unstable();
        nanos
    };
    let (reference, judged) = (sorted(before_ms), sorted(since_ms));
    let is_enough = reference.len().min(judged.len()) as u64 >= RUNS_MIN;
    let estimates = is_enough.then(|| [median(&reference, &judged), tail(&reference, &judged)]);
    Compared {
        endpoint,
        requests: judged.len() as u64,
        reference,
        judged,
        unit: Unit::Runs,
        estimates,
        changes: [Change::Same; 2],
        withdrawn: [false; 2],
        is_doubted: false,
        errors: BTreeMap::new(),
    }
}

fn median(before: &[u64], since: &[u64]) -> Estimate {
    let (n, m) = (before.len() as f64, since.len() as f64);
    let mut all: Vec<(u64, bool)> = before.iter().map(|value| (*value, false)).collect();
    all.extend(since.iter().map(|value| (*value, true)));
    all.sort_unstable();
    let (mut rank, mut sum, mut ties) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let count = equal.len() as f64;
        let shared = rank + f64::midpoint(count, 1.0);
        sum += shared * equal.iter().filter(|(_, is_later)| *is_later).count() as f64;
        ties += count.powi(3) - count;
        rank += count;
    }
    let expected = m * (n + m + 1.0) / 2.0;
    let variance = n * m / 12.0 * ((n + m + 1.0) - ties / ((n + m) * (n + m - 1.0)));
    let z = if variance > 0.0 { (sum - expected) / variance.sqrt() } else { 0.0 };
    let (ratio, interval) = shift(before, since);
    let middle = |sorted: &[u64]| quantile(&floats(sorted), 0.5);
    Estimate {
        ratio,
        interval,
        difference_ms: (middle(since) - middle(before)) / 1e6,
        p_slower: upper_tail(z),
        p_faster: upper_tail(-z),
    }
}

/// The median of the ratios of all pairs, and its confidence interval of 99 %.
fn shift(before: &[u64], since: &[u64]) -> (f64, (f64, f64)) {
    let (before, since) = (thinned(before), thinned(since));
    let logarithm = |value: u64| (value.max(1) as f64).ln();
    let mut shifts: Vec<f64> = since
        .iter()
        .flat_map(|later| before.iter().map(|earlier| logarithm(*later) - logarithm(*earlier)))
        .collect();
    shifts.sort_by(f64::total_cmp);
    let (n, m) = (before.len() as f64, since.len() as f64);
    let off = Z99 * (n * m * (n + m + 1.0) / 12.0).sqrt() / (n * m);
    let at = |p: f64| quantile(&shifts, p).exp();
    (at(0.5), (at(0.5 - off), at(0.5 + off)))
}

fn thinned(sorted: &[u64]) -> Vec<u64> {
    if sorted.len() <= THINNED {
        return sorted.to_vec();
    }
    let last = sorted.len() - 1;
    (0..THINNED).map(|at| sorted[at * last / (THINNED - 1)]).collect()
}

fn tail(before: &[u64], since: &[u64]) -> Estimate {
    let (n, m) = (before.len() as f64, since.len() as f64);
    let mut all: Vec<u64> = before.iter().chain(since).copied().collect();
    all.sort_unstable();
    let limit = quantile(&floats(&all), P);
    let beyond =
        |sorted: &[u64]| sorted.iter().filter(|value| **value as f64 > limit).count() as f64;
    let (of_since, of_before) = (beyond(since), beyond(before));
    let at = |sorted: &[u64], p: f64| quantile(&floats(sorted), p).max(1.0);
    let spread = |sorted: &[u64]| {
        let off = Z99 * (P * (1.0 - P) / sorted.len() as f64).sqrt();
        let middle = at(sorted, P).ln();
        (middle - at(sorted, P - off).ln(), at(sorted, (P + off).min(1.0)).ln() - middle)
    };
    let ((low_a, high_a), (low_b, high_b)) = (spread(before), spread(since));
    let ratio = at(since, P) / at(before, P);
    Estimate {
        ratio,
        interval: (ratio * (-low_b.hypot(high_a)).exp(), ratio * high_b.hypot(low_a).exp()),
        difference_ms: (at(since, P) - at(before, P)) / 1e6,
        p_slower: at_least((of_since, m), (of_before, n)),
        p_faster: at_least((of_before, n), (of_since, m)),
    }
}

/// The probability that chance alone puts at least this many of the values beyond a limit into a
/// group: `(beyond, all)` of the group, and of the other.
fn at_least((of_group, group): (f64, f64), (of_other, other): (f64, f64)) -> f64 {
    let both = of_group + of_other;
    let up_to = |end: f64| (0_u32..).map(f64::from).take_while(move |at| *at < end);
    // `C(both, x) C(group + other - both, group - x) / C(group + other, group)`, as products of
    // as many factors as there are values beyond.
    let mut likely = up_to(of_group)
        .map(|at| (both - at) * (group - at) / ((at + 1.0) * (group + other - at)))
        .chain(up_to(of_other).map(|at| (other - at) / (group + other - of_group - at)))
        .map(f64::ln)
        .sum::<f64>()
        .exp();
    // Too small for a number: as far on one side of what is likely as on the other.
    if likely == 0.0 {
        let is_below = of_group * (group + other) < both * group;
        return if is_below { 1.0 } else { 0.0 };
    }
    let (mut sum, mut x) = (0.0, of_group);
    while x <= both.min(group) {
        sum += likely;
        likely *= (both - x) * (group - x) / ((x + 1.0) * (other - both + x + 1.0));
        x += 1.0;
    }
    sum.min(1.0)
}

fn floats(sorted: &[u64]) -> Vec<f64> {
    sorted.iter().map(|value| *value as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::judgement::{Outcome as Word, Verdict};

    fn runs(step: &str, count: u64, base_ms: u64) -> StepRuns {
        StepRuns {
            workflow_id: "w".to_owned(),
            step: step.to_owned(),
            durations_ms: (0..count).map(|n| base_ms + n * 7919 % 41).collect(),
        }
    }

    #[test]
    fn what_is_too_unlikely_for_a_number_lies_on_one_of_two_sides() {
        assert_eq!(at_least((0.0, 50_000.0), (5_000.0, 50_000.0)), 1.0);
        assert_eq!(at_least((5_000.0, 50_000.0), (0.0, 50_000.0)), 0.0);
    }

    fn outcome(before: StepRuns, since: StepRuns) -> (Verdict, Word) {
        let judgement = judge(vec![before], vec![since]);
        (judgement.verdict, judgement.endpoints[0].outcome)
    }

    #[test]
    fn what_takes_longer_since_is_found() {
        let slower = outcome(runs("a", 60, 100), runs("a", 60, 130));
        assert_eq!(slower, (Verdict::Fail, Word::Regression));
        let same = outcome(runs("a", 60, 100), runs("a", 50, 101));
        assert_eq!(same, (Verdict::Pass, Word::Pass));
        let faster = judge(vec![runs("a", 60, 130)], vec![runs("a", 60, 100)]);
        assert_eq!(faster.verdict, Verdict::Pass);
        assert!(faster.endpoints[0].reasons[0].contains("median is faster"), "{faster:?}");
        let few = outcome(runs("a", 60, 100), runs("a", RUNS_MIN - 1, 300));
        assert_eq!(few, (Verdict::Inconclusive, Word::Inconclusive));
    }

    #[test]
    fn it_says_what_it_cannot_know() {
        let judgement = judge(
            vec![runs("a", 30, 10), runs("gone", 30, 10)],
            vec![runs("a", 30, 10), runs("new", 30, 10)],
        );
        let warnings = judgement.warnings.join("\n");
        for text in ["differ by more than the code", "STEP w/new ran only since", "STEP w/gone"] {
            assert!(warnings.contains(text), "{warnings}");
        }
    }

    #[test]
    fn the_tail_is_counted_exactly() {
        // Of 10 balls of which 4 are red: 3 or more among 5 drawn, (4 * 15 + 6) / 252.
        let found = at_least((3.0, 5.0), (1.0, 5.0));
        assert!((found - 66.0 / 252.0).abs() < 1e-12, "{found}");
        assert!((at_least((0.0, 5.0), (4.0, 5.0)) - 1.0).abs() < 1e-12);
        assert!((at_least((0.0, 5.0), (0.0, 5.0)) - 1.0).abs() < 1e-12);
        // All 2 that are beyond in one of two groups of 20: 20 / 40 * 19 / 39.
        assert!((at_least((2.0, 20.0), (0.0, 20.0)) - 0.5 * 19.0 / 39.0).abs() < 1e-12);
        // 4 of 51 among 20 of 1,020: no normal count, which would say 0.001.
        let found = at_least((4.0, 20.0), (47.0, 1_000.0));
        assert!(found > 0.01 && found < 0.03, "{found}");
    }

    #[test]
    fn the_rank_sum_is_that_of_the_books() {
        // Of 1, 2, 3 and 4, 5, 6 the greatest that is possible: z = 9 / sqrt(9 * 7 / 12) / 2.
        let found = median(&[1, 2, 3], &[4, 5, 6]);
        let z: f64 = 4.5 / (9.0_f64 * 7.0 / 12.0).sqrt();
        assert!((found.p_slower - upper_tail(z)).abs() < 1e-12, "{found:?}");
        // Nothing but ties says nothing.
        assert!(median(&[5; 30], &[5; 30]).p_slower > 0.4);
        // A tenth more everywhere is a tenth more.
        let before: Vec<u64> = (1..=2_000).map(|n| n * 1_000).collect();
        let since: Vec<u64> = before.iter().map(|n| n * 11 / 10).collect();
        let found = median(&before, &since);
        assert!((found.ratio - 1.1).abs() < 0.01 && found.interval.0 < 1.1, "{found:?}");
    }
}
