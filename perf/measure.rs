//! Pairs, medians and how they are shown.

use std::fmt;
use std::time::{Duration, Instant};

/// Why a benchmark could not be run.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// How many pairs are measured.
pub(crate) const PAIRS: usize = 7;

/// A measured ratio or size, and what it should be.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<String>,
    pub(crate) value: f64,
    pub(crate) target: Target,
}

/// What a figure should be.
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for line in &self.lines {
            writeln!(f, "  {line}")?;
        }
        let (sign, target, met) = match self.target {
            Target::AtLeast(target) => ("at least", target, self.value >= target),
            Target::AtMost(target) => ("at most", target, self.value <= target),
        };
        let verdict = if met { "met" } else { "NOT MET" };
        writeln!(f, "  => {:.3} ({sign} {target}: {verdict})", self.value)
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

pub(crate) fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

/// Measures both in turn, each first in every other pair, and gives the medians and
/// the median of the pairs' ratios, `ours` ÷ `other`.
pub(crate) fn alternate(
    mut ours: impl FnMut() -> Result<f64, Failure>,
    mut other: impl FnMut() -> Result<f64, Failure>,
) -> Result<Pairs, Failure> {
    let mut pairs = Pairs { ours: Vec::new(), other: Vec::new() };
    for pair in 0..PAIRS {
        if pair % 2 == 0 {
            pairs.ours.push(ours()?);
            pairs.other.push(other()?);
        } else {
            pairs.other.push(other()?);
            pairs.ours.push(ours()?);
        }
    }
    Ok(pairs)
}

/// The results of alternating runs.
pub(crate) struct Pairs {
    pub(crate) ours: Vec<f64>,
    pub(crate) other: Vec<f64>,
}

impl Pairs {
    pub(crate) fn ratio(&self) -> f64 {
        let ratios: Vec<f64> = self.ours.iter().zip(&self.other).map(|(a, b)| a / b).collect();
        median(&ratios)
    }

    pub(crate) fn lines(&self, ours: &str, other: &str, unit: &str) -> Vec<String> {
        let ratios: Vec<String> =
            self.ours.iter().zip(&self.other).map(|(a, b)| format!("{:.2}", a / b)).collect();
        vec![
            format!("{ours}: {:.4} {unit}", median(&self.ours)),
            format!("{other}: {:.4} {unit}", median(&self.other)),
            format!("pairs: {}", ratios.join(" ")),
        ]
    }
}
