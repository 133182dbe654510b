//! The graph of the steps.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::layers::{COLUMN, Layout, NODE_HEIGHT, NODE_WIDTH};
use super::{Mark, ratio, symbol_at};
use crate::base::units;

/// The columns of text in a node.
const LABEL_CELLS: usize = 15;
const NOTE_CELLS: usize = 18;
/// Graphs with more nodes are drawn in tiles. A tile ends between two layers.
const TILED_FROM: usize = 100;
const TILE_WIDTH: i64 = 8 * COLUMN;
const TILE_HEIGHT: i64 = 720;

/// What a node shows.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its name, with `×N` where it stands for several steps.
    pub label: String,
    /// The line below.
    pub note: String,
    pub mark: Mark,
    /// Where it leads to.
    pub href: String,
    /// The id of its element, for links and for what follows the selection.
    pub key: String,
    /// It has what failed.
    pub is_bad: bool,
    /// It did not run.
    pub is_rest: bool,
    /// It is selected.
    pub is_on: bool,
    /// How many of its steps are in each state; nothing for a single step.
    pub states: Vec<(Mark, usize)>,
}

/// Draws the nodes at their places. `is_critical` says whether an edge is part of the path that
/// took the longest.
#[must_use]
pub(crate) fn draw(
    layout: &Layout,
    nodes: &[Node],
    is_critical: &dyn Fn(usize, usize) -> bool,
) -> Markup {
    let (width, height) = (layout.width, layout.height);
    let is_tiled = nodes.len() > TILED_FROM;
    // Lines that begin in one column of tiles are one path, so that what is not seen is passed over.
    let mut lines: [BTreeMap<i64, String>; 3] = Default::default();
    for edge in &layout.edges {
        let is_rest = nodes.get(edge.to).is_some_and(|node| node.is_rest);
        let kind = match (is_critical(edge.from, edge.to), is_rest) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        let column = match edge.points.first() {
            Some((x, _)) if is_tiled => x.div_euclid(TILE_WIDTH),
            _ => 0,
        };
        add_curve(lines[kind].entry(column).or_default(), &edge.points);
    }
    let edges = html! {
        g class="edges" {
            @for (lines, class) in lines.iter().zip([None, Some("dim"), Some("crit")]) {
                @for path in lines.values() { path class=[class] d=(path) {} }
            }
        }
    };
    let placed = nodes.iter().zip(&layout.nodes);
    html! {
        @if is_tiled {
            div class="tiled" {
                (picture(0, 0, width, height, &edges))
                (tiles(placed, width, height))
            }
        } @else {
            (picture(0, 0, width, height, &html! {
                (edges)
                @for (node, &(x, y)) in placed { (draw_node(node, x, y)) }
            }))
        }
    }
}

/// A part of the plane.
fn picture(x: i64, y: i64, width: i64, height: i64, contents: &Markup) -> Markup {
    html! {
        svg width=(width) height=(height) viewBox={ (x) " " (y) " " (width) " " (height) } { (contents) }
    }
}

/// A node, and where it is.
type Placed<'a> = (&'a Node, i64, i64);

/// The nodes of a large graph in tiles, of which a browser lays out those that are seen. The style
/// sheet has the size of a tile as well.
fn tiles<'a>(
    placed: impl Iterator<Item = (&'a Node, &'a (i64, i64))>,
    width: i64,
    height: i64,
) -> Markup {
    let mut tiles: BTreeMap<(i64, i64), Vec<Placed<'_>>> = BTreeMap::new();
    for (node, &(x, y)) in placed {
        let tile = (y.div_euclid(TILE_HEIGHT), x.div_euclid(TILE_WIDTH));
        tiles.entry(tile).or_default().push((node, x, y));
    }
    let (rows, columns) =
        ((height - 1).div_euclid(TILE_HEIGHT), (width - 1).div_euclid(TILE_WIDTH));
    html! {
        div class="tiles" {
            @for row in 0..=rows {
                div {
                    @for column in 0..=columns {
                        div class="tile" {
                            @if let Some(nodes) = tiles.get(&(row, column)) {
                                (picture(column * TILE_WIDTH, row * TILE_HEIGHT, TILE_WIDTH, TILE_HEIGHT, &html! {
                                    @for &(node, x, y) in nodes { (draw_node(node, x, y)) }
                                }))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn draw_node(node: &Node, x: i64, y: i64) -> Markup {
    let class = match (node.is_bad, node.is_rest) {
        (true, _) => "node sel",
        (false, true) => "node rest",
        (false, false) => "node",
    };
    let rect = |x: i64, y: i64, class: &str| {
        html! { rect class=(class) x=(x) y=(y) width=(NODE_WIDTH) height=(NODE_HEIGHT) rx="4" {} }
    };
    html! {
        a href=(node.href) data-key=(node.key) class=[node.is_on.then_some("on")] {
            title { (node.label) ": " (node.note) }
            @if !node.states.is_empty() {
                (rect(x + 6, y - 6, "node"))
                (rect(x + 3, y - 3, "node"))
            }
            (rect(x, y, class))
            (symbol_at(node.mark, x + 9, y + 7))
            text class="b" x=(x + 31) y=(y + 20) { (fitted(&node.label, LABEL_CELLS)) }
            text x=(x + 31) y=(y + 37) { (units::fit(&node.note, NOTE_CELLS, true)) }
            (states(&node.states, x, y + NODE_HEIGHT - 4))
        }
    }
}

/// A label in its room; how many steps it stands for is never cut.
fn fitted(label: &str, cells: usize) -> String {
    match label.rsplit_once(" ×") {
        Some((name, count)) => {
            let count = format!(" ×{count}");
            let room = cells.saturating_sub(count.chars().count());
            format!("{}{count}", units::fit(name, room, true))
        }
        None => units::fit(label, cells, true),
    }
}

/// The states of folded steps as one bar.
fn states(states: &[(Mark, usize)], x: i64, y: i64) -> Markup {
    let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
    let all = states.iter().map(|(_, of)| count(*of)).sum::<i64>();
    let mut done = 0;
    html! {
        @for (mark, of) in states {
            @let from = x + NODE_WIDTH * done / all.max(1);
            @let to = x + NODE_WIDTH * (done + count(*of)) / all.max(1);
            // Those that are few are seen as well.
            @let width = (to - from).max(i64::from(ratio(count(*of), all) > 0.0) * 2);
            rect class=(mark.bar) x=(from) y=(y) width=(width) height="4" {}
            @let () = done += count(*of);
        }
    }
}

/// A line through points that is bent where it changes its height.
fn add_curve(path: &mut String, points: &[(i64, i64)]) {
    use std::fmt::Write as _;
    let Some((&(x, y), rest)) = points.split_first() else { return };
    let _ = write!(path, "M{x} {y}");
    let mut last = (x, y);
    for &(x, y) in rest {
        let _ = if y == last.1 {
            write!(path, "H{x}")
        } else {
            let middle = i64::midpoint(last.0, x);
            write!(path, "C{middle} {} {middle} {y} {x} {y}", last.1)
        };
        last = (x, y);
    }
}
