//! Tables fitted to the width: what is long is cut, what matters least is left out.

use comfy_table::presets::{ASCII_FULL_CONDENSED, UTF8_FULL_CONDENSED};
use comfy_table::{Attribute, CellAlignment, ContentArrangement, Table};
use unicode_width::UnicodeWidthStr;

use super::layout::Layout;
use super::style::Look;
use crate::base::units;

/// The width of lines and gaps beside each column, and of the last line.
const COLUMN_MARGIN: usize = 3;
const TABLE_MARGIN: usize = 1;

/// A column, as wide as its content unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    header: &'static str,
    narrow: Narrow,
    rank: Option<u8>,
}

/// How a column may be made narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrow {
    Never,
    /// Cut anywhere; other columns are left out before it is cut below this width.
    Cut(usize),
    /// To this many characters, or to the short text of its cells.
    Prefix(usize),
}

impl Column {
    pub(crate) fn new(header: &'static str) -> Self {
        Self { header, narrow: Narrow::Never, rank: None }
    }

    /// It may be cut, below `width` only when no column can be left out any more.
    pub(crate) fn cut(self, width: usize) -> Self {
        Self { narrow: Narrow::Cut(width), ..self }
    }

    /// If it does not fit, only its first characters are shown, or the short texts of its cells,
    /// which are no longer.
    pub(crate) fn prefix(self, characters: usize) -> Self {
        Self { narrow: Narrow::Prefix(characters), ..self }
    }

    /// It may be left out; the column with the greatest rank goes first.
    pub(crate) fn rank(self, rank: u8) -> Self {
        Self { rank: Some(rank), ..self }
    }

    /// The least width, given its natural width.
    fn least(&self, natural: usize) -> usize {
        match self.narrow {
            Narrow::Never => natural,
            Narrow::Cut(least) | Narrow::Prefix(least) => {
                natural.min(least.max(self.header.width()))
            }
        }
    }
}

/// The content of one row and column.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    /// What is shown where the text does not fit.
    short: Option<String>,
    is_number: bool,
    look: Option<Look>,
}

pub(crate) fn cell(text: &str) -> Cell {
    Cell { text: text.to_owned(), short: None, is_number: false, look: None }
}

pub(crate) fn number(text: &str) -> Cell {
    Cell { is_number: true, ..cell(text) }
}

pub(crate) fn state(text: &str, look: Look) -> Cell {
    Cell { look: Some(look), ..cell(text) }
}

impl Cell {
    /// The same with a text for a narrow column.
    pub(crate) fn short(self, short: String) -> Self {
        Self { short: Some(short), ..self }
    }
}

/// A table that is being filled.
pub(crate) struct Builder {
    layout: Layout,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Builder {
    pub(crate) fn new(layout: Layout, columns: Vec<Column>) -> Self {
        Self { layout, columns, rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(crate) fn finish(self) -> String {
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| cell.text.width()).fold(column.header.width(), usize::max)
            })
            .collect();
        let widths = fit(&self.columns, &natural, usize::from(self.layout.width));
        let mut table = Table::new();
        let style = if self.layout.unicode {
            UTF8_FULL_CONDENSED.with_rounded_corners()
        } else {
            ASCII_FULL_CONDENSED
        };
        table
            .load_style(style)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.layout.width)
            .force_no_tty();
        let headers = self.columns.iter().zip(&widths).filter(|(_, width)| width.is_some());
        table.set_header(headers.map(|(column, _)| {
            comfy_table::Cell::new(column.header).add_attribute(Attribute::Bold)
        }));
        if self.layout.colour {
            table.enforce_styling();
        }
        for row in self.rows {
            let cells = self.columns.iter().zip(row).zip(&widths);
            table.add_row(cells.filter_map(|((column, cell), width)| {
                width.map(|width| shown(column, &cell, width, self.layout.unicode))
            }));
        }
        format!("{table}\n")
    }
}

/// The width of each column, none for those that are left out.
fn fit(columns: &[Column], natural: &[usize], width: usize) -> Vec<Option<usize>> {
    let mut widths: Vec<Option<usize>> =
        columns.iter().zip(natural).map(|(column, natural)| Some(column.least(*natural))).collect();
    let total = |widths: &[Option<usize>]| {
        widths.iter().flatten().map(|width| width + COLUMN_MARGIN).sum::<usize>() + TABLE_MARGIN
    };
    while total(&widths) > width {
        let present = (0..columns.len()).filter(|&at| widths[at].is_some());
        let Some(last) =
            present.filter(|&at| columns[at].rank.is_some()).max_by_key(|&at| columns[at].rank)
        else {
            break;
        };
        widths[last] = None;
    }
    // No more columns can be left out: distribute what is lacking or spare.
    let mut lacking = total(&widths).saturating_sub(width);
    let mut spare = width.saturating_sub(total(&widths));
    for cuts in [true, false] {
        for ((column, natural), width) in columns.iter().zip(natural).zip(&mut widths) {
            let Some(width) = width else { continue };
            match column.narrow {
                Narrow::Cut(_) if cuts => {
                    let less = lacking.min(width.saturating_sub(column.header.width()));
                    let more = spare.min(natural - *width);
                    *width = *width - less + more;
                    lacking -= less;
                    spare -= more;
                }
                Narrow::Prefix(_) if !cuts && natural - *width <= spare => {
                    spare -= natural - *width;
                    *width = *natural;
                }
                _ => {}
            }
        }
    }
    widths
}

fn shown(column: &Column, cell: &Cell, width: usize, unicode: bool) -> comfy_table::Cell {
    let text = match column.narrow {
        Narrow::Never => cell.text.clone(),
        Narrow::Cut(_) => units::fit(&cell.text, width, unicode),
        Narrow::Prefix(least) if cell.text.width() > width => match &cell.short {
            Some(short) => short.clone(),
            None => cell.text.chars().take(least).collect(),
        },
        Narrow::Prefix(_) => cell.text.clone(),
    };
    let shown = comfy_table::Cell::new(text);
    let shown = if cell.is_number { shown.set_alignment(CellAlignment::Right) } else { shown };
    match cell.look {
        Some(Look { color: Some(color), .. }) => shown.fg(color),
        Some(_) => shown.add_attribute(Attribute::Dim),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::new("id").prefix(5).rank(2),
            Column::new("name").cut(10),
            Column::new("took").rank(1),
        ]
    }

    fn widths(width: usize) -> Vec<Option<usize>> {
        fit(&columns(), &[12, 20, 6], width)
    }

    #[test]
    fn what_is_cut_gets_what_is_left() {
        assert_eq!(widths(100), [Some(12), Some(20), Some(6)]);
        assert_eq!(widths(48), [Some(12), Some(20), Some(6)]);
        assert_eq!(widths(47), [Some(5), Some(20), Some(6)]);
        assert_eq!(widths(40), [Some(5), Some(19), Some(6)]);
        assert_eq!(widths(31), [Some(5), Some(10), Some(6)]);
    }

    #[test]
    fn the_least_is_left_out_first() {
        assert_eq!(widths(30), [None, Some(17), Some(6)]);
        assert_eq!(widths(23), [None, Some(10), Some(6)]);
        assert_eq!(widths(22), [None, Some(18), None]);
        assert_eq!(widths(10), [None, Some(6), None]);
        // The header stays whole.
        assert_eq!(widths(3), [None, Some(4), None]);
    }
}
