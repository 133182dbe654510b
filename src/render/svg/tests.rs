use std::collections::HashSet;
use std::fs;
use std::path::Path;

use maud::Markup;
use proptest::prelude::*;

use super::fold::{FOLDED_FROM, fold};
use super::gantt::{self, Bar, Scale, Stretch, Track, Wait};
use super::layers::{Layout, NODE_HEIGHT, NODE_WIDTH, layout};
use super::{Mark, bars, curve, graph, strip};

const OK: Mark = Mark { class: "ok", bar: "b-ok", symbol: "i-ok", word: "success" };
const FAIL: Mark = Mark { class: "fail", bar: "b-fail", symbol: "i-fail", word: "failed" };
const REST: Mark = Mark { class: "off", bar: "b-off", symbol: "i-skip", word: "skipped" };

/// Compares a drawing with the file that holds it; writes the file anew if `WFX_GOLDEN` is set.
fn golden(name: &str, drawn: &Markup) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/svg/golden").join(name);
    let lines = drawn.0.replace("><", ">\n<") + "\n";
    if std::env::var_os("WFX_GOLDEN").is_some() {
        fs::write(&path, &lines).unwrap();
    }
    assert_eq!(lines, fs::read_to_string(&path).unwrap(), "{name}");
}

/// Extract, transform, load: with a failed step and what did not run after it.
fn etl() -> Vec<Vec<usize>> {
    let mut depends_on = vec![vec![]];
    depends_on.extend((0..12).map(|_| vec![0]));
    depends_on.push((1..=12).collect());
    depends_on.extend([vec![13], vec![13], vec![14], vec![16], vec![16], vec![17, 18], vec![0]]);
    depends_on
}

fn node(label: &str, mark: Mark) -> graph::Node {
    graph::Node {
        label: label.to_owned(),
        note: mark.word.to_owned(),
        mark,
        href: format!("#s-{label}"),
        key: label.to_owned(),
        is_bad: mark == FAIL,
        is_rest: mark == REST,
        is_on: false,
        states: Vec::new(),
    }
}

#[test]
fn a_graph_is_drawn_as_ever() {
    let folded = fold(&etl(), &|_| false);
    let nodes: Vec<graph::Node> = folded
        .groups
        .iter()
        .map(|group| match group.len() {
            1 if group[0] == 16 => node("load <b>&\"quoted\"", FAIL),
            1 if group[0] > 16 => node(&format!("after-{}", group[0]), REST),
            1 => node(&format!("step-{}", group[0]), OK),
            many => graph::Node {
                states: vec![(OK, many - 1), (FAIL, 1)],
                ..node(&format!("a-name-that-is-long ×{many}"), FAIL)
            },
        })
        .collect();
    assert_eq!(nodes.len(), 10);
    let drawn = graph::draw(&layout(&folded.depends_on), &nodes, &|from, to| to == from + 1);
    golden("graph.svg", &drawn);
}

#[test]
fn a_large_graph_is_drawn_in_tiles_that_have_every_node_once() {
    // 60 layers of 20 nodes: several tiles in both directions.
    let before: Vec<Vec<usize>> =
        (0..1_200_usize).map(|n| n.checked_sub(20).into_iter().collect()).collect();
    let nodes: Vec<graph::Node> = (0..1_200).map(|n| node(&format!("n{n}"), OK)).collect();
    let laid_out = layout(&before);
    let drawn = graph::draw(&laid_out, &nodes, &|_, _| false).into_string();
    let tiles: Vec<&str> = drawn.split("<div class=\"tile\">").skip(1).collect();
    assert_eq!(tiles.len(), 16);
    let number = |text: &str, name: &str| -> i64 {
        let (_, rest) = text.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let mut seen = Vec::new();
    for tile in tiles {
        let Some((_, view)) = tile.split_once("viewBox=\"") else { continue };
        let view: Vec<i64> =
            view.split('"').next().unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
        for part in tile.split("<a href=\"#s-n").skip(1) {
            let (x, y) = (number(part, "x"), number(part, "y"));
            // No node is cut at the side; what a tile cuts below is less than its margin.
            assert!(x >= view[0] && x + 148 <= view[0] + view[2], "{x} in {view:?}");
            assert!(y >= view[1] && y < view[1] + view[3], "{y} in {view:?}");
            let n: usize = part.split('"').next().unwrap().parse().unwrap();
            assert_eq!((x, y), laid_out.nodes[n]);
            seen.push(n);
            let style = include_str!("../../http/page/assets/style.css");
            let size = format!(".tile{{flex:none;width:{}px;height:{}px}}", view[2], view[3]);
            assert!(style.contains(&size), "{size}");
        }
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..1_200));
    // Lines are in pieces, so that those of other tiles are passed over.
    assert!(drawn.matches("<path").count() > 6);
}

#[test]
fn a_timeline_is_drawn_as_ever() {
    const MINUTE: i64 = 60_000_000;
    let at = |from: i64, to: i64| Stretch { from, to };
    // The daemon was away for 9 hours.
    let ran = [
        at(0, 2_000),
        at(2_000, MINUTE),
        at(2 * MINUTE, 3 * MINUTE),
        at(543 * MINUTE, 545 * MINUTE),
    ];
    let waits = [at(MINUTE, 2 * MINUTE)];
    let scale = Scale::new(at(0, 545 * MINUTE), &ran, &waits, false);
    assert_eq!(scale.cuts(), [at(3 * MINUTE, 543 * MINUTE)]);
    assert_eq!(Scale::new(at(0, 545 * MINUTE), &ran, &waits, true).cuts(), []);
    let ticks = scale.ticks(6);
    let bar = |at: Stretch, mark, number| Bar {
        at,
        mark,
        number,
        title: format!("attempt {number:?}"),
        href: "#s-load".to_owned(),
    };
    let rows = [
        Track::Attempts { bars: vec![bar(ran[0], OK, None)], waits: Vec::new() },
        Track::Attempts {
            bars: vec![
                bar(ran[1], FAIL, Some(1)),
                bar(ran[2], FAIL, Some(2)),
                bar(ran[3], OK, Some(3)),
            ],
            waits: vec![Wait { at: waits[0], title: "waited 1 min".into(), label: "1 min".into() }],
        },
        Track::Band {
            bars: vec![at(0, MINUTE), at(0, 2 * MINUTE), at(MINUTE / 2, 2 * MINUTE)],
            mark: OK,
            title: "3 steps".to_owned(),
            href: "#all".to_owned(),
        },
    ];
    let minutes = |micros: i64| format!("{} min", micros / MINUTE);
    let mut all =
        gantt::grid(&scale, &ticks).0 + &gantt::axis(&scale, &ticks, &minutes, &minutes).0;
    for row in &rows {
        all += &gantt::row(&scale, row).0;
    }
    golden("timeline.svg", &maud::PreEscaped(all));
}

/// Labels are as wide as `13:42:10.123`, which is 13 % of a wide track.
#[test]
fn labels_of_an_axis_never_meet() {
    let at = |from: i64, to: i64| Stretch { from, to };
    for length in 1..2_000 {
        let whole = at(0, length * 1_000);
        let scale = Scale::new(whole, &[whole], &[], false);
        let words = |micros: i64| micros.to_string();
        let axis = gantt::axis(&scale, &scale.ticks(6), &words, &words).0;
        let places: Vec<f64> = axis
            .split(" x=\"")
            .skip(1)
            .map(|rest| rest.split('%').next().unwrap().parse().unwrap())
            .collect();
        let (end, starts) = places.split_last().unwrap();
        assert!((end - 100.0).abs() < 1e-9, "{axis}");
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= 13.0), "{axis}");
        assert!(starts.last().unwrap() + 13.0 <= end - 13.0, "{axis}");
    }
}

#[test]
fn bars_strips_and_curves_are_drawn_as_ever() {
    let past = |millis, mark: Mark| bars::Past {
        millis,
        mark,
        is_marked: mark != OK,
        title: format!("{millis} ms, {}", mark.word),
        href: format!("@{millis}"),
    };
    let history = [past(400, OK), past(2, FAIL), past(900, REST), past(0, OK)];
    let mut all = bars::against_usual(50, 100, OK, "half").0;
    all += &bars::against_usual(100, 100, OK, "as usual").0;
    all += &bars::against_usual(900, 100, FAIL, "nine times").0;
    all += &bars::history(&history, Some(400), &|millis| format!("{millis} ms")).0;
    all += &strip::states(&[(OK, false), (FAIL, true), (REST, false)], "one of three failed").0;
    all += &strip::heat(&[0, 1, 2, 3, 4, 400], "amounts").0;
    all += &curve::spark(&[Some(1.0), Some(2.0), None, Some(5.0)], Some(3.0), "a signal").0;
    golden("charts.svg", &maud::PreEscaped(all));
}

/// Random graphs without circles: each node waits for earlier ones.
fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..60)
        .prop_map(|lists| {
            let of = |(node, list): (usize, Vec<prop::sample::Index>)| match node {
                0 => Vec::new(),
                _ => list.iter().map(|index| index.index(node)).collect(),
            };
            lists.into_iter().enumerate().map(of).collect()
        })
}

fn check(layout: &Layout, depends_on: &[Vec<usize>]) {
    let boxes = &layout.nodes;
    for (index, &(x, y)) in boxes.iter().enumerate() {
        assert!(
            x >= 0 && y >= 0 && x + NODE_WIDTH <= layout.width && y + NODE_HEIGHT <= layout.height
        );
        for &(other_x, other_y) in &boxes[..index] {
            let apart = (x - other_x).abs() >= NODE_WIDTH || (y - other_y).abs() >= NODE_HEIGHT;
            assert!(apart, "{index} overlaps another: {layout:?}");
        }
    }
    for edge in &layout.edges {
        assert!(depends_on[edge.to].contains(&edge.from));
        let (from, to) = (boxes[edge.from], boxes[edge.to]);
        assert_eq!(edge.points[0], (from.0 + NODE_WIDTH, from.1 + NODE_HEIGHT / 2));
        assert_eq!(*edge.points.last().unwrap(), (to.0, to.1 + NODE_HEIGHT / 2));
        assert!(edge.points.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{edge:?}");
    }
}

proptest! {
    #[test]
    fn nodes_never_overlap_and_edges_end_at_their_nodes(depends_on in graphs()) {
        let first = layout(&depends_on);
        check(&first, &depends_on);
        let distinct: usize =
            depends_on.iter().map(|list| list.iter().collect::<HashSet<_>>().len()).sum();
        prop_assert_eq!(first.edges.len() + first.left_out, distinct);
        prop_assert_eq!(first.left_out, 0);
        prop_assert_eq!(&layout(&depends_on), &first);
    }

    #[test]
    fn each_step_is_in_one_node_and_folded_ones_are_alike(depends_on in graphs()) {
        let folded = fold(&depends_on, &|_| false);
        let mut all: Vec<usize> = folded.groups.iter().flatten().copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..depends_on.len()).collect::<Vec<_>>());
        for group in &folded.groups {
            prop_assert!(group.len() == 1 || group.len() >= FOLDED_FROM);
            let of = |step: usize| depends_on[step].iter().collect::<HashSet<_>>();
            prop_assert!(group.iter().all(|&step| of(step) == of(group[0])));
        }
        check(&layout(&folded.depends_on), &folded.depends_on);
        // Opened, each step is a node.
        prop_assert_eq!(fold(&depends_on, &|_| true).groups.len(), depends_on.len());
    }

    #[test]
    fn a_scale_keeps_the_order_and_its_ends(
        ran in prop::collection::vec((0_i64..1_000_000, 1_i64..100_000), 1..20),
    ) {
        let ran: Vec<Stretch> =
            ran.iter().map(|&(from, length)| Stretch { from: from * 1_000, to: (from + length) * 1_000 }).collect();
        let whole = Stretch {
            from: ran.iter().map(|stretch| stretch.from).min().unwrap(),
            to: ran.iter().map(|stretch| stretch.to).max().unwrap(),
        };
        let scale = Scale::new(whole, &ran, &[], false);
        let mut times: Vec<i64> = ran.iter().flat_map(|stretch| [stretch.from, stretch.to]).collect();
        times.sort_unstable();
        prop_assert!(scale.at(whole.from).abs() < 1e-9);
        prop_assert!((scale.at(whole.to) - 1.0).abs() < 1e-9);
        for pair in times.windows(2) {
            prop_assert!(scale.at(pair[0]) <= scale.at(pair[1]) + 1e-12);
        }
        // Nothing that ran is cut, and equal lengths look equal.
        for stretch in &ran {
            prop_assert!(scale.cuts().iter().all(|cut| cut.to <= stretch.from || cut.from >= stretch.to));
        }
        prop_assert!(scale.ticks(6).len() <= 64);
    }
}

#[test]
fn a_thousand_steps_are_laid_out_whatever_their_shape() {
    // Everything waits for everything before it: the edges that follow from others are left out.
    let dense: Vec<Vec<usize>> = (0..300).map(|node| (0..node).collect()).collect();
    let laid_out = layout(&dense);
    check(&laid_out, &dense);
    assert_eq!((laid_out.edges.len(), laid_out.left_out), (299, 300 * 299 / 2 - 299));
    // Siblings are one node, and open if they are asked for.
    let star: Vec<Vec<usize>> =
        (0..1_000).map(|node| if node == 0 { vec![] } else { vec![0] }).collect();
    let folded = fold(&star, &|_| false);
    assert_eq!(folded.groups.iter().map(Vec::len).collect::<Vec<_>>(), [1, 999]);
    let open = fold(&star, &|step| step == 500);
    check(&layout(&open.depends_on), &open.depends_on);
    // Neighbours in a ladder share nothing.
    let ladder: Vec<Vec<usize>> = (0..1_000_usize)
        .map(|node| [node.checked_sub(2), node.checked_sub(7)].into_iter().flatten().collect())
        .collect();
    check(&layout(&ladder), &ladder);
}
