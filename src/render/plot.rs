//! Lines over an axis, drawn by the chart of ratatui into a buffer and printed.

use anstyle::{AnsiColor, Style};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Color;
use ratatui_core::symbols::Marker;
use ratatui_core::widgets::Widget;
use ratatui_widgets::chart::{Axis, Chart, Dataset, GraphType};

use super::style::DIM;

/// What to draw. Without colour, lines and levels differ by their characters.
pub(super) struct Plot<'a> {
    /// Lines, each through its points; a line without points is none.
    pub(super) lines: &'a [Vec<(f64, f64)>],
    /// Further lines, in another colour and of dots.
    pub(super) others: &'a [Vec<(f64, f64)>],
    /// A value marked as a horizontal line over the whole width.
    pub(super) level: Option<f64>,
    /// The first and the last x value.
    pub(super) x: (f64, f64),
    /// The greatest value; the least is 0.
    pub(super) top: f64,
    /// The columns of the plot, without the labels and the line of the axis.
    pub(super) columns: usize,
    /// The labels of 0 and of the greatest value, of the same width.
    pub(super) labels: [String; 2],
}

const LINE: Color = Color::Cyan;
const LEVEL: Color = Color::Red;
const OTHER: Color = Color::Yellow;

impl Plot<'_> {
    /// As lines of text with styles. The columns of the plot begin after the labels and the
    /// line of the axis.
    pub(super) fn draw(&self, width: u16, height: u16, unicode: bool) -> Vec<String> {
        let level: Vec<(f64, f64)> = match self.level {
            Some(level) => {
                // Every other column: dashes.
                let step = (self.x.1 - self.x.0) / (self.columns.max(2) - 1) as f64;
                let column = |at: usize| (self.x.0 + at as f64 * step, level);
                (0..self.columns).step_by(2).map(column).collect()
            }
            None => Vec::new(),
        };
        let (dash, point) =
            if unicode { ('╌', Marker::Braille) } else { ('-', Marker::Custom('*')) };
        let mut sets = vec![
            Dataset::default()
                .marker(Marker::Custom(dash))
                .graph_type(GraphType::Scatter)
                .style(LEVEL)
                .data(&level),
        ];
        let dot = if unicode { '·' } else { '.' };
        sets.extend(self.others.iter().map(|line| {
            Dataset::default()
                .marker(Marker::Custom(dot))
                .graph_type(GraphType::Line)
                .style(OTHER)
                .data(line)
        }));
        sets.extend(self.lines.iter().filter(|line| !line.is_empty()).map(|line| {
            Dataset::default().marker(point).graph_type(GraphType::Line).style(LINE).data(line)
        }));
        let chart = Chart::new(sets)
            .legend_position(None)
            .x_axis(Axis::default().bounds([self.x.0, self.x.1]))
            .y_axis(
                Axis::default()
                    .bounds([0.0, self.top])
                    .labels(self.labels.iter().map(String::as_str)),
            );
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer);
        (0..height).map(|row| line(&buffer, row, unicode)).collect()
    }
}

/// One row of a buffer, with a style code at each change.
fn line(buffer: &Buffer, row: u16, unicode: bool) -> String {
    let mut text = String::new();
    let mut last = Style::new();
    for column in 0..buffer.area.width {
        let Some(cell) = buffer.cell((column, row)) else { continue };
        let style = match cell.fg {
            LINE => AnsiColor::Cyan.on_default(),
            LEVEL => AnsiColor::Red.on_default(),
            OTHER => AnsiColor::Yellow.on_default(),
            _ => DIM,
        };
        let style = if cell.symbol() == " " { Style::new() } else { style };
        if style != last {
            text += &format!("{last:#}{style}");
            last = style;
        }
        match cell.symbol() {
            "│" if !unicode => text.push('|'),
            symbol => text.push_str(symbol),
        }
    }
    let text = format!("{text}{last:#}");
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(unicode: bool) -> Vec<String> {
        let lines = [vec![(0.0, 0.0), (5.0, 0.0), (5.1, 10.0), (10.0, 10.0)]];
        let plot = Plot {
            lines: &lines,
            others: &[],
            level: Some(5.0),
            x: (0.0, 10.0),
            columns: 22,
            top: 10.0,
            labels: [" 0".to_owned(), "10".to_owned()],
        };
        let lines = plot.draw(25, 5, unicode);
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_step_is_seen() {
        let drawn = drawn(false);
        assert!(drawn[0].starts_with("10|") && drawn[0].ends_with("***"), "{drawn:#?}");
        assert!(drawn[4].starts_with(" 0|***"), "{drawn:#?}");
        assert!(drawn[2].contains("- "), "{drawn:#?}");
        assert!(drawn.iter().all(|line| line.is_ascii() && line.len() <= 25));
    }

    #[test]
    fn with_unicode_lines_are_finer() {
        let drawn = drawn(true);
        assert!(drawn[0].contains('⠉') || drawn[0].contains('⠒'), "{drawn:#?}");
        assert!(drawn[2].contains('╌'), "{drawn:#?}");
    }
}
