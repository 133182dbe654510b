//! A strip of cells, each an execution or an amount: what happened lately, at a glance.

use maud::{Markup, html};

use super::Mark;

/// The width and height of a cell.
const CELL: usize = 10;
const HEIGHT: usize = 18;

/// The last executions as cells, the newest at the right. What went wrong is taller, so that colour
/// is not all that tells it.
#[must_use]
pub(crate) fn states(cells: &[(Mark, bool)], title: &str) -> Markup {
    html! {
        svg width=(cells.len() * CELL) height=(HEIGHT) role="img" aria-label=(title) {
            title { (title) }
            @for (index, (mark, is_bad)) in cells.iter().enumerate() {
                @let (y, height) = if *is_bad { (0, HEIGHT) } else { (5, HEIGHT - 10) };
                rect class=(mark.bar) x=(index * CELL) y=(y) width=(CELL - 2) height=(height) {}
            }
        }
    }
}

/// Amounts as four shades; the title names what they stand for.
#[must_use]
pub(crate) fn heat(amounts: &[u64], title: &str) -> Markup {
    let most = amounts.iter().copied().max().unwrap_or(0).max(1);
    html! {
        svg width=(amounts.len() * CELL) height=(HEIGHT) role="img" aria-label=(title) {
            title { (title) }
            @for (index, &amount) in amounts.iter().enumerate() {
                @let class = match amount {
                    0 => "cut",
                    amount => ["q1", "q2", "q3", "q4"][shade(amount, most)],
                };
                rect class=(class) x=(index * CELL) y="1" width=(CELL - 2) height=(HEIGHT - 2) {}
            }
        }
    }
}

/// The quarter of the largest amount that it lies in.
fn shade(amount: u64, most: u64) -> usize {
    let quarter = (u128::from(amount) * 4).div_ceil(u128::from(most)).clamp(1, 4) - 1;
    usize::try_from(quarter).unwrap_or(3)
}
