//! One kit for every chart that is drawn as SVG: data in, markup out.                      (pure)
//!
//! Geometry stands in attributes and colour in classes, so that a page needs no inline style.
//! Whatever is laid out against time is in percent: bars stretch with the page, and text does not.

pub(crate) mod bars;
pub(crate) mod curve;
pub(crate) mod fold;
pub(crate) mod gantt;
pub(crate) mod graph;
pub(crate) mod layers;
pub(crate) mod strip;
#[cfg(test)]
mod tests;

use maud::{Markup, html};

/// A status as every chart draws it: the class that colours it, and the symbol that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The class of text and symbol, such as `ok`.
    pub class: &'static str,
    /// The class of a bar, such as `b-ok`.
    pub bar: &'static str,
    /// The id of the symbol in the page, such as `i-ok`.
    pub symbol: &'static str,
    /// The word that always stands beside the symbol.
    pub word: &'static str,
}

/// A share of a width as an attribute: `12.5%`.
pub(crate) fn percent(share: f64) -> String {
    let rounded = (share * 10_000.0).round() / 100.0;
    format!("{rounded}%")
}

/// A symbol of the page at a place of a drawing.
pub(crate) fn symbol_at(mark: Mark, x: i64, y: i64) -> Markup {
    html! {
        g class=(mark.class) { use href={ "#" (mark.symbol) } x=(x) y=(y) width="16" height="16" {} }
    }
}

/// The ratio of two lengths of time; 0 where there is no length.
#[expect(clippy::cast_precision_loss, reason = "what is drawn has fewer digits")]
pub(crate) fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { part as f64 / whole as f64 }
}
