//! A judgement as Markdown.

use std::fmt::Write;

use super::words::{cells, headline, reasons, sensitivity};
use crate::base::visible::visible;
use crate::perf::judgement::{Curves, Metric, Outcome};
use crate::perf::report::Report;

/// Markdown for people who look at a run of CI.
pub(crate) fn document(report: &Report<'_>) -> String {
    let mut text = format!("### wfx perf-check: {}\n\n", headline(report.judgement));
    let pairs = report.judgement.endpoints.iter().flat_map(|judged| &judged.comparisons);
    let other = match pairs.clone().any(|comparison| comparison.paired.is_some()) {
        true => "reference",
        false => "baseline",
    };
    let _ =
        writeln!(text, "| endpoint | median | {other} | delta | p95 | {other} | delta | verdict |");
    text += "|---|--:|--:|--:|--:|--:|--:|---|\n";
    for judged in &report.judgement.endpoints {
        let _ = write!(text, "| {} |", code(&judged.observed.endpoint));
        for metric in [Metric::Median, Metric::P95] {
            let found = judged.comparisons.iter().find(|c| c.metric == metric);
            for figure in cells(found) {
                let _ = write!(text, " {figure} |");
            }
        }
        let verdict = report.verdict_of(judged);
        let strong = matches!(judged.outcome, Outcome::Regression | Outcome::Errors);
        let _ = if strong {
            writeln!(text, " **{verdict}** |")
        } else {
            writeln!(text, " {verdict} |")
        };
    }
    let mut sentences = reasons(report.judgement);
    sentences.extend(sensitivity(report.judgement));
    sentences.extend(report.judgement.warnings.iter().cloned());
    for sentence in sentences {
        let _ = write!(text, "\n- {}", plain(&sentence));
    }
    text.push('\n');
    for judged in &report.judgement.endpoints {
        if let Some(curves) = &judged.curves {
            text += &chart(&judged.observed.endpoint, curves);
        }
    }
    text
}

/// Markdown that says why there is no judgement.
pub(crate) fn trouble(why: &str) -> String {
    format!("### wfx perf-check: error\n\n- {}\n", plain(&visible(why)))
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

/// Text as code in a table cell, with special characters escaped.
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
            // It begins a formula even if it is escaped.
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
