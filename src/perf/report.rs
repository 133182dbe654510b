//! A judgement as JSON, the words in which people are told of it, and as Markdown.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::baseline::Changes;
use super::judgement::Curves;
use super::judgement::{Comparison, Judged, Judgement, Metric, Outcome, Verdict};
use super::paired::verdict::percent;
use super::stats::Latency;
use crate::base::visible::visible;

const NANOS_PER_MS: f64 = 1_000_000.0;

/// A judgement and what was done about it.
#[derive(Debug)]
pub struct Report<'r> {
    /// What the run comes to.
    pub judgement: &'r Judgement,
    /// The file of the baseline.
    pub baseline: String,
    /// What an update changed; none: none was asked for, or it did not come to it.
    pub update: Option<&'r Changes>,
    /// Facts of an own measurement.
    pub measured: Option<Value>,
}

impl Report<'_> {
    /// The word for what an endpoint came to.
    #[must_use]
    pub fn verdict_of(&self, judged: &Judged) -> &'static str {
        if self.update.is_some() { "recorded" } else { judged.outcome.as_str() }
    }

    /// The document of `--format json` and `--summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let judgement = self.judgement;
        let endpoints: Map<String, Value> = judgement
            .endpoints
            .iter()
            .map(|judged| (judged.observed.endpoint.clone(), self.endpoint(judged)))
            .collect();
        json!({
            "verdict": judgement.verdict,
            "endpoints": endpoints,
            "baseline": self.baseline,
            "source": judgement.source,
            "untracked": judgement.untracked,
            "doubts": judgement.doubts,
            "warnings": judgement.warnings,
            "update": self.update,
            "measured": self.measured,
        })
    }

    fn endpoint(&self, judged: &Judged) -> Value {
        let observed = &judged.observed;
        let each = |figure: fn(&Comparison) -> Value| -> Value {
            let figures = judged.comparisons.iter().map(|c| (field(c.metric), figure(c)));
            figures.filter(|(_, figure)| !figure.is_null()).collect::<Map<_, _>>().into()
        };
        let baseline = each(|comparison| json!(comparison.baseline));
        let has_baseline = baseline.as_object().is_some_and(|figures| !figures.is_empty());
        json!({
            "median_ms": observed.median.value(),
            "p95_ms": observed.p95.value(),
            "p99_ms": observed.p99,
            "max_ms": observed.max,
            "samples": observed.samples,
            "requests": observed.requests,
            "errors": observed.errors,
            "error_kinds": observed.error_kinds.iter().cloned().collect::<indexmap::IndexMap<_, _>>(),
            "rate": observed.rate,
            "baseline": if has_baseline { baseline } else { Value::Null },
            "delta": each(|comparison| json!(comparison.delta().map(|d| d as f64 / NANOS_PER_MS))),
            "tolerance": each(|comparison| match comparison.paired {
                Some(_) => Value::Null,
                None => json!(comparison.tolerance),
            }),
            "paired": each(|comparison| json!(comparison.paired)),
            "sees": each(|comparison| match comparison.sees_percent() {
                Some(percent) => json!({"ms": comparison.sees, "percent": percent}),
                None => Value::Null,
            }),
            "verdict": self.verdict_of(judged),
            "reasons": judged.reasons,
        })
    }

    /// Markdown for people who look at a run of CI.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("### wfx perf-check: {}\n\n", headline(self.judgement));
        let pairs = self.judgement.endpoints.iter().flat_map(|judged| &judged.comparisons);
        let other = match pairs.clone().any(|comparison| comparison.paired.is_some()) {
            true => "reference",
            false => "baseline",
        };
        let _ = writeln!(
            text,
            "| endpoint | median | {other} | delta | p95 | {other} | delta | verdict |"
        );
        text += "|---|--:|--:|--:|--:|--:|--:|---|\n";
        for judged in &self.judgement.endpoints {
            let _ = write!(text, "| {} |", code(&judged.observed.endpoint));
            for metric in [Metric::Median, Metric::P95] {
                let found = judged.comparisons.iter().find(|c| c.metric == metric);
                for figure in cells(found) {
                    let _ = write!(text, " {figure} |");
                }
            }
            let verdict = self.verdict_of(judged);
            let strong = matches!(judged.outcome, Outcome::Regression | Outcome::Errors);
            let _ = if strong {
                writeln!(text, " **{verdict}** |")
            } else {
                writeln!(text, " {verdict} |")
            };
        }
        let mut sentences = reasons(self.judgement);
        sentences.extend(sight(self.judgement));
        sentences.extend(self.judgement.warnings.iter().cloned());
        for sentence in sentences {
            let _ = write!(text, "\n- {}", plain(&sentence));
        }
        text.push('\n');
        for judged in &self.judgement.endpoints {
            if let Some(curves) = &judged.curves {
                text += &chart(&judged.observed.endpoint, curves);
            }
        }
        text
    }
}

/// Markdown that says why there is no judgement.
#[must_use]
pub fn trouble_markdown(why: &str) -> String {
    format!("### wfx perf-check: error\n\n- {}\n", plain(&visible(why)))
}

/// The same as JSON.
#[must_use]
pub fn trouble_json(why: &str) -> Value {
    json!({"verdict": "error", "endpoints": {}, "error": why})
}

/// The quantiles of two builds, as GitHub and GitLab draw them
/// (<https://mermaid.js.org/syntax/xyChart.html>).
fn chart(endpoint: &str, curves: &Curves) -> String {
    let list = |values: &[f64]| {
        values.iter().map(|value| format!("{value:.3}")).collect::<Vec<_>>().join(", ")
    };
    let percents: Vec<_> = curves.percents.iter().map(|percent| format!("{percent}")).collect();
    // Quotes would end the title.
    let title = visible(endpoint).replace(['"', '`', '#', ';', '<', '>'], "'");
    format!(
        "\n```mermaid\nxychart-beta\n  title \"{title}: target first, then the reference\"\n  \
         x-axis \"percent of requests\" [{}]\n  y-axis \"answered within, ms\"\n  line [{}]\n  \
         line [{}]\n```\n",
        percents.join(", "),
        list(&curves.judged),
        list(&curves.reference),
    )
}

/// The name of a metric's field.
fn field(metric: Metric) -> String {
    format!("{metric}_ms")
}

/// What was measured, its baseline and the difference, as text.
#[must_use]
pub fn cells(comparison: Option<&Comparison>) -> [String; 3] {
    let told = |latency: Option<Latency>| latency.map(|l| l.to_string()).unwrap_or_default();
    let Some(comparison) = comparison else { return Default::default() };
    [
        told(comparison.observed),
        told(comparison.baseline),
        match comparison.paired {
            Some(paired) => percent(paired.ratio),
            None => comparison.delta().map(signed).unwrap_or_default(),
        },
    ]
}

fn signed(nanos: i64) -> String {
    let size = Latency::from_nanos(nanos.unsigned_abs());
    match nanos {
        0 => size.to_string(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

/// The verdict in a line.
#[must_use]
pub fn headline(judgement: &Judgement) -> String {
    let count = |outcome| judgement.endpoints.iter().filter(|j| j.outcome == outcome).count();
    let verdict = match judgement.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    };
    let all = crate::base::units::count(judgement.endpoints.len() as u64, "endpoint");
    let mut parts = vec![all];
    for (outcome, word) in [
        (Outcome::Regression, "slower"),
        (Outcome::Errors, "failing"),
        (Outcome::Inconclusive, "inconclusive"),
        (Outcome::New, "new"),
    ] {
        if count(outcome) > 0 {
            parts.push(format!("{} {word}", count(outcome)));
        }
    }
    if judgement.untracked > 0 {
        parts.push(format!("{} not tracked", judgement.untracked));
    }
    format!("{verdict} ({})", parts.join(", "))
}

/// Why what did not pass did not, in a sentence each.
#[must_use]
pub fn reasons(judgement: &Judgement) -> Vec<String> {
    let of_endpoints = judgement.endpoints.iter().flat_map(|judged| {
        let endpoint = &judged.observed.endpoint;
        judged.reasons.iter().map(move |reason| format!("{endpoint}: {reason}"))
    });
    judgement.doubts.iter().cloned().chain(of_endpoints).collect()
}

/// The smallest regression that this gate was certain to catch.
#[must_use]
pub fn sight(judgement: &Judgement) -> Option<String> {
    let seen: Vec<String> = [Metric::Median, Metric::P95]
        .into_iter()
        .filter_map(|metric| {
            let (endpoint, comparison) = judgement.dimmest(metric)?;
            let percent = comparison.sees_percent()?;
            Some(format!("{metric} +{} (+{percent:.0} % of {endpoint})", comparison.sees))
        })
        .collect();
    if seen.is_empty() {
        return None;
    }
    Some(format!("the smallest regression this gate was sure to catch: {}", seen.join(", ")))
}

/// Text as code in a table, whatever it holds.
fn code(text: &str) -> String {
    let text = visible(text);
    if !text.is_empty() && text.trim() == text && !text.contains(['`', '\\']) {
        return format!("`{}`", text.replace('|', "\\|"));
    }
    let mut code = String::from("<code>");
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            let _ = write!(code, "&#{};", u32::from(c));
        } else {
            code.push(c);
        }
    }
    code + "</code>"
}

/// Text that is nothing but text to Markdown.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '~' | '&' | '<' | '>' | '[' | ']' | '|' | '#' => {
                plain.push('\\');
                plain.push(c);
            }
            // A formula begins with it, escaped or not.
            '$' => plain += "&#36;",
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_nothing_but_text_to_markdown() {
        assert_eq!(code("GET /x|y?a=<b>&$c"), "`GET /x\\|y?a=<b>&$c`");
        for (hostile, shown) in [
            ("a`b", "<code>a&#96;b</code>"),
            ("a\\|b", "<code>a&#92;&#124;b</code>"),
            ("a\n|b", "<code>a&#92;n&#124;b</code>"),
            (" a", "<code> a</code>"),
        ] {
            assert_eq!(code(hostile), shown, "{hostile:?}");
        }
        assert_eq!(plain("a_b\n~~c~~ &lt; $d$"), "a\\_b \\~\\~c\\~\\~ \\&lt; &#36;d&#36;");
    }
}
