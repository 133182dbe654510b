//! The graph and the timeline, of the same nodes: steps, or equal siblings folded into one.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use maud::{Markup, html};

use super::found::Found;
use super::rows::Window;
use super::{Selection, is_bad};
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::http::page::view::View;
use crate::http::page::words;
use crate::render::svg::Mark;
use crate::render::svg::fold::{Folded, fold};
use crate::render::svg::gantt::{self, Bar, Scale, Stretch, Track, Wait};
use crate::render::svg::graph::{self, Node};
use crate::render::svg::layers::layout;
use crate::workflow::record::{StepRecord, StepStatus};

/// The labels of the axis.
const TICKS: i64 = 6;

/// What the bars of the timeline mean.
const BARS: [(&str, &str); 4] = [
    (words::SUCCESS.bar, "success"),
    (words::FAILED.bar, "failed or interrupted attempt, with its number"),
    (words::RUNNING.bar, "running"),
    (words::CANCELLED.bar, "cancelled or skipped"),
];

/// The nodes of an execution.
pub(super) struct Picture {
    pub folded: Folded,
    /// Nodes that took the longest, one after the other.
    critical: HashSet<(usize, usize)>,
}

impl Picture {
    pub(super) fn of(_: &View<'_>, found: &Found, selection: &Selection) -> Self {
        let steps = &found.steps;
        let before: Vec<Vec<usize>> = steps
            .iter()
            .map(|step| {
                step.depends_on.iter().filter_map(|name| found.index.get(name).copied()).collect()
            })
            .collect();
        let wanted: HashSet<usize> = [&selection.open, &selection.step]
            .into_iter()
            .flatten()
            .filter_map(|name| found.index.get(name).copied())
            .collect();
        let is_open =
            |step: usize| selection.open.as_deref() == Some("*") || wanted.contains(&step);
        let folded = fold(&before, &is_open);
        let mut node_of = vec![0; steps.len()];
        for (node, group) in folded.groups.iter().enumerate() {
            for &step in group {
                node_of[step] = node;
            }
        }
        let critical = critical_path(steps, &before);
        let critical =
            critical.windows(2).map(|pair| (node_of[pair[0]], node_of[pair[1]])).collect();
        Self { folded, critical }
    }

    /// The name of a node, and what of the page shows it.
    pub(super) fn name(&self, found: &Found, group: &[usize]) -> String {
        let step = &found.steps[group[0]];
        let title = found.defined.get(&step.name).and_then(|defined| defined.title.as_deref());
        let name = words::text(title.unwrap_or(&step.name));
        match group.len() {
            1 => name,
            many => format!("{} ×{many}", common(&name)),
        }
    }

    /// The panel with the graph.
    pub(super) fn graph(&self, found: &Found, selection: &Selection) -> Markup {
        if found.steps.is_empty() {
            return html! {};
        }
        let laid_out = layout(&self.folded.depends_on);
        let nodes: Vec<Node> =
            self.folded.groups.iter().map(|group| self.node(found, group, selection)).collect();
        let steps = words::count(found.steps.len() as u64, "step");
        let has_folded = self.folded.groups.iter().any(|group| group.len() > 1);
        html! {
            section class="panel" id="graph" {
                header {
                    h2 { "Graph" }
                    p {
                        (steps)
                        @if has_folded {
                            " in " (words::count(nodes.len() as u64, "node")) ". "
                            a href={ (selection.opened(Some("*"))) "#graph" } { "Show all steps" }
                        }
                        @else if selection.open.is_some() { ". " a href={ (selection.opened(None)) "#graph" } { "Fold equal steps" } }
                    }
                }
                div class="pad" {
                    div class="scroll" tabindex="0" role="region" aria-label="Graph of the steps; the table Steps says the same" {
                        (graph::draw(&laid_out, &nodes, &|from, to| self.critical.contains(&(from, to))))
                    }
                    p class="legend" {
                        span { svg width="24" height="8" aria-hidden="true" { path class="now" stroke-width="2.5" d="M0 4h24" {} } "took longest" }
                        span { svg width="24" height="8" aria-hidden="true" { path class="usual" stroke-dasharray="3 3" d="M0 4h24" {} } "did not run" }
                        @if has_folded { span { "stacked: steps that share what they wait for and what waits for them; select to open" } }
                        @if laid_out.left_out > 0 {
                            span { (words::count(laid_out.left_out as u64, "dependency that follows from others or finds no room is not drawn")) }
                        }
                    }
                }
            }
        }
    }

    fn node(&self, found: &Found, group: &[usize], selection: &Selection) -> Node {
        let label = self.name(found, group);
        let first = &found.steps[group[0]];
        let mark = mark_of(found, group);
        let is_rest = group.iter().all(|&step| {
            matches!(
                found.steps[step].status,
                StepStatus::Skipped | StepStatus::Pending | StepStatus::Cancelled
            )
        });
        let is_bad = group.iter().any(|&step| is_bad(found.steps[step].status));
        let (note, href, states) = match group.len() {
            1 => (note(first), selection.to_step(&first.name, None), Vec::new()),
            _ => {
                let states = states(found, group);
                let words: Vec<String> =
                    states.iter().map(|(mark, count)| format!("{count} {}", mark.word)).collect();
                let open = selection.opened(Some(&first.name));
                (words.join(", "), format!("{open}#graph"), states)
            }
        };
        let is_on = group.len() == 1 && selection.step.as_deref() == Some(&first.name);
        Node { label, note, mark, href, key: first.name.clone(), is_bad, is_rest, is_on, states }
    }

    /// The panel with the timeline.
    pub(super) fn timeline(
        &self,
        view: &View<'_>,
        found: &Found,
        window: &Window,
        selection: &Selection,
    ) -> Markup {
        let now = view.now;
        let stretches: Vec<Vec<Ran>> =
            found.steps.iter().map(|step| ran(found, step, now)).collect();
        let of_handlers: Vec<Vec<Ran>> =
            found.handlers.iter().map(|handler| ran(found, &handler.step, now)).collect();
        let all: Vec<Stretch> =
            stretches.iter().chain(&of_handlers).flatten().map(|ran| ran.at).collect();
        let record = &found.record;
        let (Some(first), Some(last)) =
            (all.iter().map(|at| at.from).min(), all.iter().map(|at| at.to).max())
        else {
            return html! {};
        };
        let start = record.started_at.map_or(first, |at| at.as_micros().min(first));
        let end = match record.completed_at {
            Some(at) => at.as_micros().max(last),
            None => now.as_micros().max(last),
        };
        let waits: Vec<Stretch> =
            stretches.iter().chain(&of_handlers).flat_map(|ran| pauses(ran)).collect();
        let scale =
            Scale::new(Stretch { from: start, to: end }, &all, &waits, selection.is_true_scale);
        let ticks = scale.ticks(TICKS);
        let marks: HashSet<&str> =
            stretches.iter().chain(&of_handlers).flatten().map(|ran| ran.mark.bar).collect();
        let clock = |at: i64| match end - start {
            0..60_000_000 => view.civil.millis(Timestamp::from_micros(at)),
            _ => view.civil.clock(Timestamp::from_micros(at)),
        };
        let groups = &self.folded.groups[window.shown.clone()];
        let is_large = groups.len() > 100;
        html! {
            section class={ "panel" (if is_large { " big-list" } else { "" }) } id="timeline" {
                header {
                    h2 { "Timeline" }
                    p {
                        "times in " (view.civil.abbreviation(Timestamp::from_micros(start))) ". "
                        @match (scale.cuts().len(), selection.is_true_scale) {
                            (0, false) => {}
                            (0, true) => { a href={ (selection.with(|one| one.is_true_scale = false)) "#timeline" } { "Cut long pauses" } }
                            (cuts, _) => {
                                (words::count(cuts as u64, "pause")) " cut. "
                                a href={ (selection.with(|one| one.is_true_scale = true)) "#timeline" } { "Show without the cut" }
                            }
                        }
                    }
                }
                (window.links(selection, "timeline"))
                svg class="sprite" aria-hidden="true" { (gantt::grid(&scale, &ticks)) }
                table class="gantt cards" data-cuts=(scale.cuts().len()) {
                    thead {
                        tr {
                            th scope="col" { "step" }
                            th scope="col" class="tl" {
                                svg class="track" role="img" aria-label={ "from " (clock(start)) " to " (clock(end)) } {
                                    (gantt::axis(&scale, &ticks, &clock, &spoken))
                                }
                            }
                            th class="r" scope="col" { "took" }
                        }
                    }
                    tbody {
                        @for group in groups {
                            (self.row(found, group, &stretches, &scale, selection))
                        }
                        @for (handler, ran) in found.handlers.iter().zip(&of_handlers) {
                            (single(found, &handler.step, &format!("handler {}", handler.handler), ran, &scale, selection))
                        }
                    }
                }
                div class="pad" {
                    p class="legend" {
                        @for (bar, word) in BARS {
                            @if marks.contains(bar) {
                                span { svg width="14" height="10" aria-hidden="true" { rect class=(bar) width="14" height="10" {} } (word) }
                            }
                        }
                        @if !waits.is_empty() {
                            span { svg width="24" height="10" aria-hidden="true" { path class="b-pause" d="M0 5h24" {} } "wait before a retry" }
                        }
                        @if !scale.cuts().is_empty() {
                            span { svg width="14" height="10" aria-hidden="true" { rect class="cut" width="14" height="10" {} } "cut: nothing ran" }
                        }
                    }
                }
            }
        }
    }

    fn row(
        &self,
        found: &Found,
        group: &[usize],
        stretches: &[Vec<Ran>],
        scale: &Scale,
        selection: &Selection,
    ) -> Markup {
        if let [only] = group {
            return single(found, &found.steps[*only], "", &stretches[*only], scale, selection);
        }
        let name = self.name(found, group);
        let bars: Vec<Stretch> =
            group.iter().flat_map(|&step| &stretches[step]).map(|ran| ran.at).collect();
        let (from, to) =
            (bars.iter().map(|bar| bar.from).min(), bars.iter().map(|bar| bar.to).max());
        let took = from.zip(to).map(|(from, to)| spoken(to - from));
        let mark = mark_of(found, group);
        let open = selection.opened(Some(&found.steps[group[0]].name));
        let title = format!("{name}: {}", took.as_deref().unwrap_or("did not run"));
        let track = Track::Band { bars, mark, title, href: format!("{open}#timeline") };
        html! {
            tr {
                th scope="row" { (heading(mark, &html! { a href={ (open) "#timeline" } { (name) } })) }
                td class="tl" { (gantt::row(scale, &track)) }
                td class="r" { (took.unwrap_or_else(|| "–".to_owned())) }
            }
        }
    }
}

fn heading(mark: Mark, name: &Markup) -> Markup {
    html! {
        span class="st nm" {
            span class=(mark.class) { (words::icon(mark)) }
            span class="vh" { (mark.word) ": " }
            (name)
        }
    }
}

fn single(
    found: &Found,
    step: &StepRecord,
    what: &str,
    ran: &[Ran],
    scale: &Scale,
    selection: &Selection,
) -> Markup {
    let mark = words::of_step(step.status, step.reused_from.is_some());
    let has_several = ran.len() > 1;
    let bars = ran.iter().map(|one| {
        let took = spoken(one.at.to - one.at.from);
        let title = match has_several {
            true => format!("{}, attempt {}: {}, {took}", step.name, one.number, one.mark.word),
            false => format!("{}: {}, {took}", step.name, one.mark.word),
        };
        Bar {
            at: one.at,
            mark: one.mark,
            number: has_several.then_some(one.number),
            title: words::text(&title),
            href: selection.to_step(&step.name, has_several.then_some(one.number)),
        }
    });
    let waits = pauses(ran).into_iter().map(|at| Wait {
        at,
        title: format!("waited {}", spoken(at.to - at.from)),
        label: spoken(at.to - at.from),
    });
    let track = Track::Attempts { bars: bars.collect(), waits: waits.collect() };
    // What runs has taken so long until now.
    let took = match (step.duration_ms, ran.first(), ran.last()) {
        (Some(took), ..) => words::millis(took),
        (None, Some(first), Some(last)) => spoken(last.at.to - first.at.from),
        _ => "–".to_owned(),
    };
    let is_shown = selection.step.as_deref() == Some(&step.name);
    let title = found.defined.get(&step.name).and_then(|defined| defined.title.as_deref());
    html! {
        tr class=[is_shown.then_some("on")] {
            th scope="row" {
                (heading(mark, &html! {
                    a href=(selection.to_step(&step.name, None)) data-key=(step.name) { (words::text(title.unwrap_or(&step.name))) }
                }))
            }
            td class="tl" { (gantt::row(scale, &track)) @if !what.is_empty() { span class="vh" { (what) } } }
            td class="r" { (took) }
        }
    }
}

/// One attempt.
struct Ran {
    at: Stretch,
    mark: Mark,
    number: u32,
}

/// When a step ran, attempt by attempt; one that was reused ran elsewhere.
fn ran(found: &Found, step: &StepRecord, now: Timestamp) -> Vec<Ran> {
    if step.reused_from.is_some() {
        return Vec::new();
    }
    let stretch = |from: Timestamp, to: Timestamp| Stretch {
        from: from.as_micros(),
        to: to.as_micros().max(from.as_micros()),
    };
    let kept = found.attempts_of(step);
    let mut all: Vec<Ran> = kept
        .iter()
        .map(|attempt| Ran {
            at: stretch(attempt.started_at, attempt.completed_at),
            mark: words::of_step(attempt.status, false),
            number: attempt.attempt,
        })
        .collect();
    let last = kept.last().map(|attempt| attempt.completed_at);
    let (Some(start), mark) = (step.started_at, words::of_step(step.status, false)) else {
        return all;
    };
    match (step.completed_at, last) {
        (Some(end), None) => all.push(Ran { at: stretch(start, end), mark, number: step.attempt }),
        (None, last) if step.status == StepStatus::Running => {
            let from = last.unwrap_or(start);
            all.push(Ran { at: stretch(from, now.max(from)), mark, number: step.attempt });
        }
        _ => {}
    }
    all
}

/// The waits between attempts.
fn pauses(ran: &[Ran]) -> Vec<Stretch> {
    ran.windows(2)
        .map(|pair| Stretch { from: pair[0].at.to, to: pair[1].at.from })
        .filter(|pause| pause.to > pause.from)
        .collect()
}

fn spoken(micros: i64) -> String {
    units::spoken(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// The steps that determined how long it took: the last to end, what it waited for, and so on.
fn critical_path(steps: &[StepRecord], before: &[Vec<usize>]) -> Vec<usize> {
    let ended =
        |step: &usize| steps[*step].completed_at.filter(|_| steps[*step].started_at.is_some());
    let last = (0..steps.len())
        .filter(|step| ended(step).is_some())
        .max_by_key(|step| (ended(step), *step));
    let mut path: Vec<usize> = last.into_iter().collect();
    while let Some(&step) = path.last() {
        let slowest = before[step].iter().copied().filter(|step| ended(step).is_some());
        match slowest.max_by_key(|step| (ended(step), *step)) {
            Some(earlier) if path.len() <= steps.len() => path.push(earlier),
            _ => break,
        }
    }
    path.reverse();
    path
}

/// What stands for several steps: the worst of them.
fn mark_of(found: &Found, group: &[usize]) -> Mark {
    let first = states(found, group);
    first.first().map_or(words::PENDING, |(mark, _)| *mark)
}

/// How many steps are in each state, the worst first.
fn states(found: &Found, group: &[usize]) -> Vec<(Mark, usize)> {
    const WORST_FIRST: [&str; 8] = [
        "failed",
        "interrupted",
        "running",
        "pending",
        "cancelled",
        "skipped",
        "success",
        "reused",
    ];
    let mut counts: HashMap<&str, (Mark, usize)> = HashMap::new();
    for &step in group {
        let step = &found.steps[step];
        let mark = words::of_step(step.status, step.reused_from.is_some());
        counts.entry(mark.word).or_insert((mark, 0)).1 += 1;
    }
    WORST_FIRST.iter().filter_map(|word| counts.remove(word)).collect()
}

fn note(step: &StepRecord) -> String {
    let mark = words::of_step(step.status, step.reused_from.is_some());
    match (step.status, step.exit_code, step.duration_ms) {
        (StepStatus::Failed, Some(code), _) => format!("failed, exit {code}"),
        (StepStatus::Success, _, Some(took)) => format!("{}, {}", mark.word, words::millis(took)),
        _ => mark.word.to_owned(),
    }
}

/// The name of siblings: theirs without the number at its end.
fn common(name: &str) -> String {
    let cut =
        name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '.', ' ']);
    if cut.is_empty() { name.to_owned() } else { cut.to_owned() }
}
