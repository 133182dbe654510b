//! Which rows the timeline and the table of steps show: all, or a window of many.

use std::ops::Range;

use maud::{Markup, html};

use super::Selection;
use super::found::Found;
use crate::http::page::words;

/// The rows that a page shows at once.
const ROWS: usize = 100;

/// The rows that an address asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::page) enum Rows {
    All,
    /// Those of the window with this row, counted from 1.
    With(usize),
}

impl Rows {
    /// `None` where the text says nothing: the page chooses then.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            _ => text.parse().ok().filter(|row| *row > 0).map(Self::With),
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::With(row) => row.to_string(),
        }
    }
}

/// The rows of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub shown: Range<usize>,
    total: usize,
}

impl Window {
    /// The window that an address asks for, else the one with the row that matters most.
    pub(super) fn new(total: usize, asked: Option<Rows>, matters: usize) -> Self {
        let row = match asked {
            Some(Rows::All) => return Self { shown: 0..total, total },
            Some(Rows::With(row)) => row - 1,
            None => matters,
        };
        let first = row.min(total.saturating_sub(1)) / ROWS * ROWS;
        Self { shown: first..total.min(first + ROWS), total }
    }

    /// The window of the nodes of an execution: the selected step, else what failed, is in it.
    pub(super) fn of(groups: &[Vec<usize>], found: &Found, selection: &Selection) -> Self {
        let named = [&selection.step, &selection.open]
            .into_iter()
            .flatten()
            .find_map(|name| found.index.get(name).copied());
        let node = named
            .or(found.failed)
            .and_then(|step| groups.iter().position(|group| group.contains(&step)));
        Self::new(groups.len(), selection.rows, node.unwrap_or(0))
    }

    /// Links to the other rows; nothing where all are shown and always were.
    pub(super) fn links(&self, selection: &Selection, part: &str) -> Markup {
        if self.total <= ROWS {
            return html! {};
        }
        let Range { start, end } = self.shown;
        let to = |rows: Rows| {
            format!("{}#{part}", selection.with(|selection| selection.rows = Some(rows)))
        };
        let is_all = end - start == self.total;
        html! {
            nav class="rows" aria-label={ "Rows of " (part) } {
                @if is_all {
                    span { "All " (words::count(self.total as u64, "row")) }
                    a href=(to(Rows::With(1))) { "Show " (ROWS) " at once" }
                } @else {
                    span { "Rows " (words::thousands(start as u64 + 1)) " to " (words::thousands(end as u64)) " of " (words::thousands(self.total as u64)) }
                    @if start > 0 { a href=(to(Rows::With(start + 1 - ROWS))) { "Previous " (ROWS) } }
                    @if end < self.total { a href=(to(Rows::With(end + 1))) { "Next " (ROWS.min(self.total - end)) } }
                    a href=(to(Rows::All)) { "Show all rows" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_row_once() {
        for total in [0, 1, 99, 100, 101, 250, 1_000] {
            let mut next = 0;
            while next < total {
                let window = Window::new(total, Some(Rows::With(next + 1)), 0);
                assert_eq!(window.shown.start, next, "{total}");
                assert!(window.shown.len() <= ROWS);
                next = window.shown.end;
            }
            assert_eq!(Window::new(total, Some(Rows::All), 0).shown, 0..total);
            // A row that is not there is no reason to show nothing.
            let far = Window::new(total, Some(Rows::With(usize::MAX)), 0).shown;
            assert_eq!(far.end, total);
            assert_eq!(far.is_empty(), total == 0);
        }
    }

    #[test]
    fn what_matters_is_shown_unless_the_address_says_otherwise() {
        assert_eq!(Window::new(1_000, None, 512).shown, 500..600);
        assert_eq!(Window::new(1_000, Some(Rows::With(1)), 512).shown, 0..100);
        assert_eq!(Rows::read("0"), None);
        assert_eq!(Rows::read("-1"), None);
        assert_eq!(Rows::read("all"), Some(Rows::All));
        assert_eq!(Rows::read(&Rows::With(7).text()), Some(Rows::With(7)));
    }
}
