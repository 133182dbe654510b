//! Scheduled times: those to come, and rehearsals.

use std::fmt::Write;

use super::layout::Layout;
use super::style::{BOLD, DIM, of_decision};
use super::table::{self, Column};
use crate::base::json;
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::operations::rehearsal::{Rehearsed, RehearsedWorkflow, Upcoming, local};
use crate::operations::schedules::ScheduleStatus;
use crate::schedule::collapse::{Collapsed, Collapser};
use crate::schedule::decision::{Action, Decision, Reason};
use crate::schedule::simulation::{self, Span};
use crate::workflow::schedule_record::{DecisionRecord, PauseRecord};

/// The most rows of what was not started; JSON has all.
const ROWS_MAX: usize = 20;
/// The most columns of a picture.
const PICTURE_MAX: usize = 120;
const NAME_LEAST: usize = 16;

impl Layout {
    /// A table of times that are to come.
    pub(crate) fn upcoming(&self, times: &[Upcoming]) -> String {
        if times.is_empty() {
            return "nothing is scheduled\n".to_owned();
        }
        let columns = vec![
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("schedule").cut(NAME_LEAST).rank(2),
            Column::new("scheduled"),
            Column::new("zone").rank(1),
            Column::new("starts (UTC)"),
            Column::new("").rank(3),
        ];
        let mut table = table::Builder::new(*self, columns);
        for time in times {
            table.row(vec![
                table::cell(&visible(&time.workflow_id)),
                table::cell(&visible(&time.schedule)),
                table::cell(&time.local),
                table::cell(&time.timezone),
                table::cell(&instant(time.start_at)),
                table::cell(if time.blackout { "blackout" } else { "" }),
            ]);
        }
        table.finish()
    }

    /// Why a schedule has no next start.
    fn no_time(&self, one: &ScheduleStatus) -> Option<String> {
        let text = match (&one.paused, &one.next, &one.timezone) {
            (Some(PauseRecord { paused_until: None, .. }), ..) => "paused",
            (Some(PauseRecord { paused_until: Some(until), .. }), ..) => {
                return Some(format!("paused until {}", self.zone.minute(*until)));
            }
            (None, Some(_), _) => return None,
            (None, None, Some(_)) => "never",
            (None, None, None) => "no file has it",
        };
        Some(text.to_owned())
    }

    /// A table of schedules, what comes first at the top.
    pub(crate) fn schedules(&self, schedules: &[ScheduleStatus]) -> String {
        if schedules.is_empty() {
            return "no workflow has a schedule\n".to_owned();
        }
        let widest = |of: &dyn Fn(&ScheduleStatus) -> Option<Timestamp>| {
            let widths = schedules.iter().filter_map(of).map(|at| self.zone.minute(at).len());
            widths.max().unwrap_or(0)
        };
        let next = |it: &ScheduleStatus| it.next.as_ref().map(|next| next.start_at);
        let last = |it: &ScheduleStatus| it.last_decision.as_ref().map(|it| it.scheduled_until);
        // Words are not cut, only times.
        let widest_text = schedules.iter().map(|it| self.no_time(it).map_or(0, |text| text.len()));
        let widest_text = widest_text.max().unwrap_or(0);
        let columns = vec![
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("schedule").cut(NAME_LEAST).rank(1),
            Column::new("zone").rank(4),
            Column::new("next start").prefix(widest(&next).max(widest_text)),
            Column::new("last time").prefix(widest(&last)).rank(3),
            Column::new("decision").rank(2),
        ];
        let mut table = table::Builder::new(*self, columns);
        for one in schedules {
            let next_start = match self.no_time(one) {
                Some(text) => table::cell(&text),
                None => self.time(next(one)),
            };
            let decision = match &one.last_decision {
                Some(row) => table::state(row.action.as_str(), of_decision(row.action)),
                None => table::cell(""),
            };
            table.row(vec![
                table::cell(&visible(&one.workflow_id)),
                table::cell(&visible(&one.schedule)),
                table::cell(one.timezone.as_deref().unwrap_or_default()),
                next_start,
                self.time(last(one)),
                decision,
            ]);
        }
        table.finish()
    }

    /// A table of decisions.
    pub(crate) fn decisions(&self, decisions: &[DecisionRecord]) -> String {
        if decisions.is_empty() {
            return "nothing is decided yet: `wfx serve --workflows DIR` runs schedules\n"
                .to_owned();
        }
        let columns = vec![
            Column::new("scheduled"),
            Column::new("times").rank(5),
            Column::new("workflow").cut(NAME_LEAST).rank(1),
            Column::new("schedule").cut(NAME_LEAST).rank(4),
            Column::new("decision"),
            Column::new("why").cut(NAME_LEAST).rank(2),
            Column::new("execution").rank(3),
        ];
        let mut table = table::Builder::new(*self, columns);
        for row in decisions {
            let times = if row.count == 1 {
                self.zone.second(row.scheduled_at)
            } else {
                let (first, last) =
                    (self.zone.second(row.scheduled_at), self.zone.second(row.scheduled_until));
                format!("{first} to {last}")
            };
            let count = if row.count == 1 { String::new() } else { row.count.to_string() };
            let id = row.execution_id.as_deref().unwrap_or_default();
            table.row(vec![
                table::cell(&times),
                table::number(&count),
                table::cell(&visible(&row.workflow_id)),
                table::cell(&visible(&row.schedule)),
                table::state(row.action.as_str(), of_decision(row.action)),
                table::cell(&why(&row.reason)),
                table::cell(&visible(id)).short(visible(id).chars().take(13).collect()),
            ]);
        }
        table.finish()
    }

    /// A rehearsal: totals, a picture of each workflow, changes of clocks, and what was not started.
    pub(crate) fn rehearsed(&self, rehearsed: &Rehearsed) -> String {
        let Span { from, to } = rehearsed.span;
        let mut text = self.fold(&format!(
            "{} to {}, {}",
            instant(from),
            instant(to),
            units::duration(to.since(from))
        ));
        for down in &rehearsed.down {
            let length = units::duration(down.to.since(down.from));
            text += &self.fold(&format!("no daemon from {} for {length}", instant(down.from)));
        }
        text.push('\n');
        text += &self.totals(rehearsed);
        text.push('\n');
        text += &self.picture(rehearsed);
        let changes = rehearsed.clock_changes();
        if !changes.is_empty() {
            let _ = writeln!(text, "\n{BOLD}clock changes{BOLD:#}");
        }
        for (at, zone, before, after) in changes {
            let (verb, by) =
                if after > before { ("forward", after - before) } else { ("back", before - after) };
            let by = units::duration(std::time::Duration::from_secs(by.unsigned_abs()));
            let (before, after) = (offset(before), offset(after));
            let at = instant(at);
            let _ = writeln!(text, "  {at}  {zone}: {verb} by {by}, {before} to {after}");
        }
        text + &self.not_started(rehearsed)
    }

    fn totals(&self, rehearsed: &Rehearsed) -> String {
        let mut columns = vec![
            Column::new("workflow").cut(NAME_LEAST),
            Column::new("schedule").cut(NAME_LEAST).rank(1),
            Column::new("zone").rank(3),
            Column::new("takes").rank(2),
            Column::new("scheduled"),
        ];
        columns.extend(Action::ALL.map(|action| Column::new(action.as_str())));
        let mut table = table::Builder::new(*self, columns);
        for RehearsedWorkflow { workflow, takes, decisions } in &rehearsed.workflows {
            let mut counts = vec![[0_u64; Action::ALL.len()]; workflow.rules.schedules.len()];
            for decision in decisions {
                counts[decision.index()][decision.action as usize] += 1;
            }
            for (schedule, counts) in workflow.rules.schedules.iter().zip(counts) {
                let mut row = vec![
                    table::cell(&visible(&workflow.id)),
                    table::cell(&visible(&schedule.name)),
                    table::cell(schedule.zone_name()),
                    table::number(&units::duration(*takes)),
                    table::number(&counts.iter().sum::<u64>().to_string()),
                ];
                row.extend(counts.map(|count| table::number(&count.to_string())));
                table.row(row);
            }
        }
        table.finish()
    }

    /// A line of marks for each workflow, over the span.
    fn picture(&self, rehearsed: &Rehearsed) -> String {
        let ids = rehearsed.workflows.iter().map(|it| visible(&it.workflow.id));
        let names: Vec<String> =
            ids.map(|id| units::fit(&id, usize::from(self.width) / 3, self.unicode)).collect();
        let label = names.iter().map(|name| unicode_width::UnicodeWidthStr::width(name.as_str()));
        let label = label.chain([12]).max().unwrap_or(12);
        let width = usize::from(self.width).saturating_sub(label + 2).clamp(10, PICTURE_MAX);
        let column = |at: Timestamp| column(rehearsed.span, at, width);
        let (ok, late, skipped, missed, waits) = if self.unicode {
            ('█', '▒', '–', '✗', '▷')
        } else {
            ('#', '~', '-', 'x', '>')
        };
        let mut text = String::new();
        for (name, workflow) in names.iter().zip(&rehearsed.workflows) {
            // What is least expected is shown of a column: later marks of this list.
            let marks = [' ', ok, late, skipped, waits, missed];
            let mut cells = vec![0; width];
            for decision in &workflow.decisions {
                let mark = match (decision.action, decision.reason) {
                    (Action::Started, Reason::OnTime | Reason::Replaces) => 1,
                    (Action::Started, _) => 2,
                    (Action::Skipped, _) => 3,
                    (Action::Queued | Action::Deferred, _) => 4,
                    (Action::Missed, _) => 5,
                };
                let cell: &mut usize = &mut cells[column(decision.scheduled_at)];
                *cell = mark.max(*cell);
            }
            let cells: String = cells.into_iter().map(|mark| marks[mark]).collect();
            let _ = writeln!(text, "{}  {}", units::pad(name, label), cells.trim_end());
        }
        let mut row = |what: &str, mark: char, columns: Vec<(usize, usize)>| {
            let is_in = |at: usize| columns.iter().any(|(from, to)| (*from..=*to).contains(&at));
            let cells: String = (0..width).map(|at| if is_in(at) { mark } else { ' ' }).collect();
            if !columns.is_empty() {
                let _ = writeln!(text, "{}  {}", units::pad(what, label), cells.trim_end());
            }
        };
        let last = |at: Timestamp| column(Timestamp::from_micros(at.as_micros() - 1));
        let down = rehearsed.down.iter().filter(|it| it.to > rehearsed.span.from);
        let down = down.filter(|it| it.from < rehearsed.span.to);
        row("no daemon", '=', down.map(|it| (column(it.from), last(it.to))).collect());
        let changes = rehearsed.clock_changes();
        row("clock change", '^', changes.iter().map(|it| (column(it.0), column(it.0))).collect());
        let each = units::duration(rehearsed.span.to.since(rehearsed.span.from) / width_of(width));
        let legend = format!(
            "each column is {each}: {ok} started, {late} started later, {skipped} skipped, {missed} \
             missed, {waits} waits"
        );
        let _ = writeln!(text, "{DIM}{}{DIM:#}", self.fold(&legend).trim_end());
        text
    }

    fn not_started(&self, rehearsed: &Rehearsed) -> String {
        let mut rows: Vec<(&RehearsedWorkflow, Collapsed)> = Vec::new();
        for workflow in &rehearsed.workflows {
            let mut collapser = Collapser::default();
            let mut ordinals = vec![0; workflow.workflow.rules.schedules.len()];
            for decision in &workflow.decisions {
                let schedule = decision.index();
                let simulation::Rehearsed { scheduled_at, action, reason, .. } = *decision;
                let ordinal = ordinals[schedule];
                ordinals[schedule] += 1;
                // Which execution is in the way changes from row to row.
                let reason = match reason {
                    Reason::Overlap(_) => Reason::Overlap(0),
                    other => other,
                };
                if action != Action::Started {
                    let catch_up = false;
                    let decision =
                        Decision { schedule, scheduled_at, ordinal, action, reason, catch_up };
                    collapser.push(decision);
                }
            }
            rows.extend(collapser.finish().into_iter().map(|row| (workflow, row)));
        }
        if rows.is_empty() {
            return String::new();
        }
        rows.sort_by_key(|(_, row)| row.first.scheduled_at);
        let mut text = format!("\n{BOLD}not started{BOLD:#}\n");
        for (workflow, row) in rows.iter().take(ROWS_MAX) {
            let schedule = &workflow.workflow.rules.schedules[row.first.schedule];
            let times = if row.count == 1 {
                instant(row.first.scheduled_at)
            } else {
                let (first, last) = (instant(row.first.scheduled_at), instant(row.until));
                format!("{first} to {last}, {} times", row.count)
            };
            let (id, name) = (visible(&workflow.workflow.id), visible(&schedule.name));
            let (action, why) = (row.first.action.as_str(), words(row.first.reason));
            text += &self.fold(&format!("  {id} ({name}) {action} {times}: {why}"));
        }
        match rows.len().saturating_sub(ROWS_MAX) {
            0 => {}
            more => text += &format!("  and {more} more; `--format json` has all\n"),
        }
        text
    }
}

/// The column of an instant.
fn column(span: Span, at: Timestamp, width: usize) -> usize {
    let length = i128::from(span.to.as_micros() - span.from.as_micros()).max(1);
    let since = i128::from(at.as_micros()) - i128::from(span.from.as_micros());
    let at = since * i128::try_from(width).unwrap_or(1) / length;
    usize::try_from(at.max(0)).unwrap_or(0).min(width - 1)
}

fn width_of(width: usize) -> u32 {
    u32::try_from(width).unwrap_or(1).max(1)
}

/// A time in UTC to the second.
fn instant(at: Timestamp) -> String {
    crate::base::zone::Zone::Utc.second(at)
}

/// `+01:00`.
fn offset(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let rest = if rest == 0 { String::new() } else { format!(":{rest:02}") };
    format!("{sign}{hours:02}:{minutes:02}{rest}")
}

/// A stored reason in words. A newer wfx may know others.
pub(crate) fn why(reason: &str) -> String {
    let known = Reason::ALL.into_iter().find(|known| known.as_str() == reason);
    known.map_or_else(|| visible(reason), |known| words(known).to_owned())
}

/// A reason in words.
fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::OnTime => "it was time",
        Reason::Late => "it was late, within its start deadline",
        Reason::CatchUp => "it makes up for a missed time",
        Reason::AfterQueue => "it waited for another execution",
        Reason::AfterBlackout => "the blackout had ended",
        Reason::Replaces => "it replaced another execution",
        Reason::Paused => "the workflow was paused",
        Reason::Blackout => "there was a blackout",
        Reason::Overlap(_) => "an earlier execution had not ended",
        Reason::Superseded => "a newer time took its place",
        Reason::NoCatchUp => "no daemon ran, and there is no catch-up",
        Reason::TooMany => "no daemon ran, and too many newer times are made up for",
        Reason::NotLast => "no daemon ran, and only the last time is made up for",
        Reason::OutsideWindow => "no daemon ran, and it is older than the catch-up window",
        Reason::BehindOthers => "other executions come first",
        Reason::GroupFull => "its concurrency group took no further execution",
        Reason::Unfit => "the workflow could not be started as its file was",
        Reason::Removed => "the schedule was removed or changed",
        Reason::ByHand => "somebody started it by hand",
    }
}

/// The decisions as JSON, one after the other; with `separator` between them.
pub(crate) struct DecisionsJson<'r> {
    rehearsed: &'r Rehearsed,
    /// Id and name of each schedule of each workflow, as JSON.
    names: Vec<(String, Vec<String>)>,
}

impl<'r> DecisionsJson<'r> {
    /// For these.
    pub(crate) fn new(rehearsed: &'r Rehearsed) -> Self {
        let text = |text: &str| json::to_string(&text).unwrap_or_default();
        let names = rehearsed.workflows.iter().map(|it| {
            let schedules = it.workflow.rules.schedules.iter();
            (text(&it.workflow.id), schedules.map(|schedule| text(&schedule.name)).collect())
        });
        Self { rehearsed, names: names.collect() }
    }

    /// Each as one line, without its end.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.rehearsed.in_order().map(|(index, decision)| {
            let simulation::Rehearsed { scheduled_at, action, reason, start_at, .. } = *decision;
            let rules = &self.rehearsed.workflows[index].workflow.rules;
            let (id, schedules) = &self.names[index];
            let local = local(scheduled_at, &decision.of(&rules.schedules).zone);
            let (action, reason) = (action.as_str(), reason.as_str());
            let start = match start_at {
                Some(at) => format!("\"{at}\""),
                None => "null".to_owned(),
            };
            format!(
                "{{\"workflow_id\":{id},\"schedule\":{},\"scheduled_at\":\"{scheduled_at}\",\
                 \"local\":\"{local}\",\"action\":\"{action}\",\"reason\":\"{reason}\",\
                 \"start_at\":{start}}}",
                schedules[decision.index()]
            )
        })
    }
}
