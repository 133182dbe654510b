//! The layout of a graph in layers, from left to right: the same graph is laid out the same way,
//! whatever the state of its nodes.

use std::collections::HashSet;

/// The size of a node, and the room between two of them.
pub(crate) const NODE_WIDTH: i64 = 148;
pub(crate) const NODE_HEIGHT: i64 = 48;
pub(crate) const COLUMN: i64 = 172;
const GAP: i64 = 22;
/// The room that a long edge takes where it passes a layer.
const PASSAGE: i64 = 14;
/// Room around the picture, for the outline of nodes and what is stacked behind them.
const MARGIN: i64 = 7;
/// How often layers are sorted, and how often they are moved.
const SORTS: usize = 8;
const MOVES: usize = 8;
/// Beyond so many edges, those that follow from others are left out.
const EDGES_MAX: usize = 1_000;
/// Beyond so many passages, long edges are drawn straight.
const PASSAGES_MAX: usize = 4_000;
/// The most edges that are drawn.
const DRAWN_MAX: usize = 4_000;

/// Where a node or an edge lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The top left corner of each node.
    pub nodes: Vec<(i64, i64)>,
    /// The drawn edges.
    pub edges: Vec<Edge>,
    /// How many edges are not drawn, since others say the same or there are too many.
    pub left_out: usize,
    pub width: i64,
    pub height: i64,
}

/// An edge through points, from the right side of one node to the left side of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub from: usize,
    pub to: usize,
    /// Where it begins and ends, and what it passes between.
    pub points: Vec<(i64, i64)>,
}

/// What stands in a layer: a node, or the passage of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Node,
    Passage,
}

impl Item {
    fn height(self) -> i64 {
        match self {
            Self::Node => NODE_HEIGHT,
            Self::Passage => PASSAGE,
        }
    }
}

/// Lays out a graph. `depends_on` are the direct dependencies of each node; there is no circle, or
/// what is in one stands in the first layer.
#[must_use]
pub(crate) fn layout(depends_on: &[Vec<usize>]) -> Layout {
    let count = depends_on.len();
    let order = in_order(depends_on);
    let mut all: Vec<(usize, usize)> = Vec::new();
    for (to, list) in depends_on.iter().enumerate() {
        let list: HashSet<usize> = list.iter().copied().filter(|&from| from < count).collect();
        all.extend(list.into_iter().map(|from| (from, to)));
    }
    all.sort_unstable();
    let total = all.len();
    if all.len() > EDGES_MAX {
        all = without_implied(&all, &order, count);
    }
    all.truncate(DRAWN_MAX);
    let layer = layers_of(depends_on, &order);
    all.retain(|&(from, to)| layer[from] < layer[to]);
    let left_out = total - all.len();

    // Nodes first, then the passages of long edges, the shortest first while there is room.
    let mut items: Vec<Item> = vec![Item::Node; count];
    let mut item_layer = layer.clone();
    let mut by_span: Vec<usize> = (0..all.len()).collect();
    by_span.sort_by_key(|&edge| (layer[all[edge].1] - layer[all[edge].0], edge));
    let mut chains: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    let mut room = PASSAGES_MAX;
    for edge in by_span {
        let (from, to) = all[edge];
        let span = layer[to] - layer[from] - 1;
        if span > room {
            break;
        }
        room -= span;
        for at in 1..=span {
            chains[edge].push(items.len());
            items.push(Item::Passage);
            item_layer.push(layer[from] + at);
        }
    }
    let mut before = vec![Vec::new(); items.len()];
    let mut after = vec![Vec::new(); items.len()];
    for (edge, &(from, to)) in all.iter().enumerate() {
        let mut last = from;
        for &next in chains[edge].iter().chain([&to]) {
            // A long edge without passages says nothing about neighbours.
            if item_layer[next] == item_layer[last] + 1 {
                before[next].push(last);
                after[last].push(next);
            }
            last = next;
        }
    }
    let mut layers = vec![Vec::new(); item_layer.iter().max().map_or(0, |last| last + 1)];
    for (item, &at) in item_layer.iter().enumerate() {
        layers[at].push(item);
    }
    sort(&mut layers, &before, &after);
    let y = place(&layers, &items, &before, &after);

    let x = |layer: usize| MARGIN + i64::try_from(layer).unwrap_or(0) * COLUMN;
    let nodes: Vec<(i64, i64)> = (0..count).map(|node| (x(layer[node]), y[node])).collect();
    let middle = |item: usize| y[item] + items[item].height() / 2;
    let edges = all.iter().zip(&chains).map(|(&(from, to), chain)| {
        let mut points = vec![(nodes[from].0 + NODE_WIDTH, middle(from))];
        for &passage in chain {
            let left = x(item_layer[passage]);
            points.push((left, middle(passage)));
            points.push((left + NODE_WIDTH, middle(passage)));
        }
        points.push((nodes[to].0, middle(to)));
        Edge { from, to, points }
    });
    let bottom = (0..items.len()).map(|item| y[item] + items[item].height()).max().unwrap_or(0);
    Layout {
        edges: edges.collect(),
        left_out,
        width: x(layers.len().saturating_sub(1)) + NODE_WIDTH + MARGIN,
        height: bottom + MARGIN,
        nodes,
    }
}

/// The nodes, each after those that it waits for; what waits for itself comes last.
fn in_order(depends_on: &[Vec<usize>]) -> Vec<usize> {
    let count = depends_on.len();
    let mut waits: Vec<usize> = vec![0; count];
    let mut after = vec![Vec::new(); count];
    for (to, list) in depends_on.iter().enumerate() {
        for &from in list.iter().filter(|&&from| from < count) {
            waits[to] += 1;
            after[from].push(to);
        }
    }
    let mut order: Vec<usize> = (0..count).filter(|&node| waits[node] == 0).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for &later in &after[node] {
            waits[later] -= 1;
            if waits[later] == 0 {
                order.push(later);
            }
        }
    }
    order
}

/// The length of the longest path that leads to each node.
fn layers_of(depends_on: &[Vec<usize>], order: &[usize]) -> Vec<usize> {
    let mut layer = vec![0; depends_on.len()];
    for &node in order {
        let before = depends_on[node].iter().filter(|&&from| from < layer.len());
        layer[node] = before.map(|&from| layer[from] + 1).max().unwrap_or(0);
    }
    layer
}

/// The edges that no path of others replaces.
fn without_implied(edges: &[(usize, usize)], order: &[usize], count: usize) -> Vec<(usize, usize)> {
    let words = count.div_ceil(64);
    // What leads to each node.
    let mut leads = vec![vec![0_u64; words]; count];
    let mut before = vec![Vec::new(); count];
    for &(from, to) in edges {
        before[to].push(from);
    }
    let mut rank = vec![0; count];
    for (at, &node) in order.iter().enumerate() {
        rank[node] = at;
    }
    let mut kept = Vec::new();
    for &node in order {
        // The nearest first: what leads to it is implied.
        before[node].sort_unstable_by_key(|&from| std::cmp::Reverse(rank[from]));
        let mut seen = vec![0_u64; words];
        for &from in &before[node] {
            if seen[from / 64] & (1 << (from % 64)) == 0 {
                kept.push((from, node));
            }
            seen[from / 64] |= 1 << (from % 64);
            for (word, more) in seen.iter_mut().zip(&leads[from]) {
                *word |= more;
            }
        }
        leads[node] = seen;
    }
    kept.sort_unstable();
    kept
}

/// Sorts the layers by the middle of what each item is joined to, forth and back.
fn sort(layers: &mut [Vec<usize>], before: &[Vec<usize>], after: &[Vec<usize>]) {
    let mut at: Vec<usize> = vec![0; before.len()];
    let note = |layer: &[usize], at: &mut Vec<usize>| {
        for (index, &item) in layer.iter().enumerate() {
            at[item] = index;
        }
    };
    for layer in layers.iter() {
        note(layer, &mut at);
    }
    let mut best: Option<(u64, Vec<Vec<usize>>)> = None;
    for round in 0..SORTS {
        let is_forth = round % 2 == 0;
        let joined = if is_forth { before } else { after };
        let indices: Vec<usize> = match is_forth {
            true => (0..layers.len()).collect(),
            false => (0..layers.len()).rev().collect(),
        };
        for index in indices {
            let mut keyed: Vec<(u64, usize, usize)> = layers[index]
                .iter()
                .map(|&item| {
                    let joined = &joined[item];
                    // In thousandths; what is joined to nothing stays where it is.
                    let key = match joined.len() {
                        0 => at[item] as u64 * 1_000,
                        many => {
                            joined.iter().map(|&other| at[other] as u64).sum::<u64>() * 1_000
                                / many as u64
                        }
                    };
                    (key, at[item], item)
                })
                .collect();
            keyed.sort_unstable();
            layers[index] = keyed.into_iter().map(|(_, _, item)| item).collect();
            note(&layers[index], &mut at);
        }
        let crossings = crossings(layers, after, &at);
        if best.as_ref().is_none_or(|(fewest, _)| crossings < *fewest) {
            best = Some((crossings, layers.to_vec()));
        }
        if crossings == 0 {
            break;
        }
    }
    if let Some((_, best)) = best {
        layers.clone_from_slice(&best);
    }
}

/// How many pairs of edges cross between neighbouring layers.
fn crossings(layers: &[Vec<usize>], after: &[Vec<usize>], at: &[usize]) -> u64 {
    let mut total = 0;
    for (index, layer) in layers.iter().enumerate() {
        let Some(next) = layers.get(index + 1) else { break };
        // Ends so far, as a tree of sums.
        let mut sums = vec![0_u64; next.len() + 1];
        let mut seen = 0_u64;
        for &item in layer {
            let mut ends: Vec<usize> = after[item].iter().map(|&end| at[end]).collect();
            ends.sort_unstable();
            for &end in &ends {
                let (mut node, mut before) = (end + 1, 0);
                while node > 0 {
                    before += sums[node];
                    node &= node - 1;
                }
                total += seen - before;
            }
            for end in ends {
                seen += 1;
                let mut node = end + 1;
                while node < sums.len() {
                    sums[node] += 1;
                    node += node & node.wrapping_neg();
                }
            }
        }
    }
    total
}

/// The top of each item: as close to what it is joined to as the order of its layer allows.
fn place(
    layers: &[Vec<usize>],
    items: &[Item],
    before: &[Vec<usize>],
    after: &[Vec<usize>],
) -> Vec<i64> {
    let mut y = vec![0_i64; items.len()];
    for layer in layers {
        let mut top = 0;
        for &item in layer {
            y[item] = top;
            top += items[item].height() + GAP;
        }
    }
    let middle = |y: &[i64], item: usize| y[item] + items[item].height() / 2;
    for round in 0..MOVES {
        let is_forth = round % 2 == 0;
        let indices: Vec<usize> = match is_forth {
            true => (0..layers.len()).collect(),
            false => (0..layers.len()).rev().collect(),
        };
        for index in indices {
            let wanted: Vec<i64> = layers[index]
                .iter()
                .map(|&item| {
                    let joined = if is_forth { &before[item] } else { &after[item] };
                    let Ok(many) = i64::try_from(joined.len()) else { return y[item] };
                    if many == 0 {
                        return y[item];
                    }
                    let sum: i64 = joined.iter().map(|&other| middle(&y, other)).sum();
                    sum / many - items[item].height() / 2
                })
                .collect();
            let heights: Vec<i64> =
                layers[index].iter().map(|&item| items[item].height()).collect();
            for (&item, top) in layers[index].iter().zip(closest(&wanted, &heights)) {
                y[item] = top;
            }
        }
    }
    let top = y.iter().copied().min().unwrap_or(0);
    y.iter().map(|at| at - top + MARGIN).collect()
}

/// The tops closest to those wanted, in this order and without overlap: neighbours that would
/// overlap are moved together, around the mean of what they want.
fn closest(wanted: &[i64], heights: &[i64]) -> Vec<i64> {
    // As if no item had a height: then they only must not change their order.
    let mut offset = 0;
    let mut offsets = Vec::with_capacity(wanted.len());
    // Each block: the sum of what its items want, and how many they are.
    let mut blocks: Vec<(i64, i64)> = Vec::new();
    for (want, height) in wanted.iter().zip(heights) {
        offsets.push(offset);
        blocks.push((want - offset, 1));
        offset += height + GAP;
        while let [.., (sum, count), (next, more)] = blocks[..]
            && sum.div_euclid(count) > next.div_euclid(more)
        {
            blocks.pop();
            if let Some(last) = blocks.last_mut() {
                *last = (sum + next, count + more);
            }
        }
    }
    let flat = blocks.iter().flat_map(|&(sum, count)| {
        let count_of = usize::try_from(count).unwrap_or(0);
        std::iter::repeat_n(sum.div_euclid(count), count_of)
    });
    flat.zip(offsets).map(|(at, offset)| at + offset).collect()
}
