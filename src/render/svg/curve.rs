//! A line of values with its threshold.

use maud::{Markup, html};

/// Values over time, from 0 to a little above the largest one. Where there is no value, there is no
/// line.
#[must_use]
pub(crate) fn spark(values: &[Option<f64>], threshold: Option<f64>, title: &str) -> Markup {
    let known = values.iter().flatten().copied().chain(threshold);
    let most = known.fold(0.0_f64, f64::max).max(f64::MIN_POSITIVE) * 1.08;
    let y = |value: f64| ((1.0 - value / most) * 400.0).round() / 10.0;
    #[expect(clippy::cast_precision_loss, reason = "as many as there are pixels, at most")]
    let x = |index: usize| {
        let last = values.len().saturating_sub(1).max(1) as f64;
        (index as f64 / last * 1_000.0).round() / 10.0
    };
    let mut lines: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    for (index, value) in values.iter().enumerate() {
        match (value, lines.last_mut()) {
            (Some(value), Some(line)) => line.push((index, *value)),
            (None, Some(line)) if !line.is_empty() => lines.push(Vec::new()),
            _ => {}
        }
    }
    html! {
        svg class="spark" viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label=(title) {
            title { (title) }
            @if let Some(threshold) = threshold {
                path class="thr" d={ "M0 " (y(threshold)) "h100" } vector-effect="non-scaling-stroke" {}
            }
            @for line in lines.iter().filter(|line| !line.is_empty()) {
                @let points = line.iter().map(|&(index, value)| format!("{},{}", x(index), y(value)));
                polyline class="curve" points=(points.collect::<Vec<_>>().join(" "))
                    vector-effect="non-scaling-stroke" {}
            }
        }
    }
}
