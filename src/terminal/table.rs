//! Tables fitted to the width.

use comfy_table::presets::{ASCII_FULL_CONDENSED, UTF8_FULL_CONDENSED};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

use super::Ui;
use super::style::Look;

/// A table that is being filled.
pub(super) struct Builder {
    table: Table,
}

impl Builder {
    pub(super) fn new(ui: &Ui, headers: &[&str]) -> Self {
        let mut table = Table::new();
        let style = if ui.unicode {
            UTF8_FULL_CONDENSED.with_rounded_corners()
        } else {
            ASCII_FULL_CONDENSED
        };
        table
            .load_style(style)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(ui.width)
            .force_no_tty()
            .set_header(
                headers.iter().map(|header| Cell::new(header).add_attribute(Attribute::Bold)),
            );
        if ui.colour {
            table.enforce_styling();
        }
        Self { table }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.table.add_row(cells);
    }

    pub(super) fn finish(self) -> String {
        format!("{}\n", self.table)
    }
}

pub(super) fn cell(text: &str) -> Cell {
    Cell::new(text)
}

pub(super) fn number(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

pub(super) fn state(text: &str, look: Look) -> Cell {
    match look.color {
        Some(color) => Cell::new(text).fg(color),
        None => Cell::new(text).add_attribute(Attribute::Dim),
    }
}
