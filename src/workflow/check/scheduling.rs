//! Reads the keys about scheduled starts: `schedule`, `overlap`, `blackout`, `expect`, `timezone`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use super::super::definition::Scalar;
use super::super::document::Value;
use super::super::parameter::Parameter;
use super::super::problem::{Findings, Span};
use super::super::scheduling::{Expectations, Scheduling};
use super::field::{Field, Fields};
use super::{Named, nearest};
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::base::visible::{quote, quote_list};
use crate::base::zone;
use crate::schedule::blackout::{Blackout, Spans, Then};
use crate::schedule::expression::{Combination, Expression};
use crate::schedule::rules::{Bound, CatchUp, Overlap, Schedule};
use crate::schedule::timing::{EVERY_MIN, Timing};

/// The keys of a workflow that are read here.
pub(super) const KEYS: [&str; 4] = ["schedule", "overlap", "blackout", "expect"];
const SCHEDULE_KEYS: [&str; 14] = [
    "cron",
    "every",
    "at",
    "days",
    "offset",
    "timezone",
    "name",
    "params",
    "start_deadline",
    "catch_up",
    "catch_up_window",
    "jitter",
    "from",
    "until",
];
const BLACKOUT_KEYS: [&str; 6] = ["cron", "for", "timezone", "from", "to", "then"];
const EXPECT_KEYS: [&str; 3] = ["start_within", "finish_within", "success_within"];
/// The most schedules, and the most blackouts, of a workflow.
const ITEMS_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 1_000;

const A_SCHEDULE: &str = "write `cron: \"30 2 * * *\"`, `every: 15m` or `at: 2026-12-24T18:00:00Z`";

/// What a workflow says about scheduled starts; `None` if it says nothing.
pub(super) fn read(
    fields: &Fields<'_>,
    declared: &Named<Parameter>,
    findings: &mut Findings,
) -> Option<Box<Scheduling>> {
    if KEYS.iter().all(|key| fields.get(key).is_none()) {
        return None;
    }
    let mut scheduling = Scheduling::default();
    if let Some(field) = fields.get("schedule") {
        (scheduling.rules.schedules, scheduling.params) = schedules(&field, declared, findings);
    }
    if let Some(field) = fields.get("overlap") {
        scheduling.rules.overlap =
            word(&field, &Overlap::ALL, Overlap::as_str, findings).unwrap_or_default();
    }
    scheduling.rules.blackouts = blackouts(fields, findings);
    scheduling.expect = expect(fields, findings).unwrap_or_default();
    Some(Box::new(scheduling))
}

/// An item of `schedule`, and each item where there is no list of them.
pub(super) fn items<'n>(field: &'n Field<'n>) -> Vec<Field<'n>> {
    match &field.node.value {
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, node)| Field::item(node, field.at.index(index))).collect()
        }
        _ => vec![*field],
    }
}

fn schedules(
    field: &Field<'_>,
    declared: &Named<Parameter>,
    findings: &mut Findings,
) -> (Vec<Schedule>, Vec<IndexMap<String, Scalar>>) {
    let items = items(field);
    if items.is_empty() || items.len() > ITEMS_MAX {
        let message = format!("`schedule` has {} items of 1 to {ITEMS_MAX}", items.len());
        field.add(findings, message, A_SCHEDULE.to_owned());
        return Default::default();
    }
    let mut names = HashSet::new();
    let mut read = Vec::new();
    for item in items {
        let Some((schedule, params)) = schedule(&item, declared, findings) else { continue };
        if !names.insert(schedule.name.clone()) {
            let message = format!("two schedules have the name {}", quote(&schedule.name));
            item.add(findings, message, "give each a `name` of its own".to_owned());
        }
        read.push((schedule, params));
    }
    read.into_iter().unzip()
}

fn schedule(
    item: &Field<'_>,
    declared: &Named<Parameter>,
    findings: &mut Findings,
) -> Option<(Schedule, IndexMap<String, Scalar>)> {
    if let Value::String(_) = item.node.value {
        let expression = expression(item, Combination::Either, findings)?;
        require(item, declared, &IndexMap::new(), findings);
        let name = expression.as_str().to_owned();
        return Some((new(Timing::Cron(Arc::new(expression)), name), IndexMap::new()));
    }
    let fields = Fields::of(item.node, item.at, "a schedule", findings)?;
    fields.refuse_unknown(&SCHEDULE_KEYS, findings);
    let timing = timing(item, &fields, findings);
    let zone = fields.get("timezone").map(|field| time_zone(&field, findings));
    let has_zone = zone.is_some();
    let params = params(item, &fields, declared, findings);
    let name = fields.get("name").map(|field| name(&field, findings));
    let is_named = name.is_some();
    let period =
        |key, findings: &mut Findings| fields.get(key).and_then(|field| field.timeout(findings));
    let start_deadline = fields.get("start_deadline").and_then(|field| field.period(findings));
    let catch_up = fields
        .get("catch_up")
        .and_then(|field| word(&field, &CatchUp::ALL, CatchUp::as_str, findings))
        .unwrap_or_default();
    let catch_up_window = period("catch_up_window", findings);
    let jitter = period("jitter", findings);
    let from = fields.get("from").and_then(|field| bound(&field, findings));
    let until = fields.get("until").and_then(|field| bound(&field, findings));
    let timing = timing?;
    let default_name = default_name(&timing);
    let name = name.unwrap_or(Some(default_name))?;
    let schedule = Schedule {
        is_named,
        zone: zone.unwrap_or(Some(TimeZone::UTC))?,
        has_zone,
        start_deadline,
        catch_up,
        catch_up_window,
        jitter,
        from,
        until,
        ..new(timing, name)
    };
    let has_limits = schedule.from.is_some() || schedule.until.is_some();
    if has_limits && !matches!(schedule.timing, Timing::At(_)) {
        let first = Timestamp::from_micros(i64::MIN);
        if schedule.after(first).next().is_none() {
            let message = "this never occurs: no time is between `from` and `until`";
            item.add(findings, message, "let `until` be later than `from`".to_owned());
        }
    }
    Some((schedule, params))
}

fn new(timing: Timing, name: String) -> Schedule {
    Schedule {
        name,
        is_named: false,
        timing,
        zone: TimeZone::UTC,
        has_zone: false,
        start_deadline: None,
        catch_up: CatchUp::None,
        catch_up_window: None,
        jitter: None,
        from: None,
        until: None,
    }
}

/// The name of a schedule without one: its time, as it is written again.
fn default_name(timing: &Timing) -> String {
    match timing {
        Timing::Cron(expression) => expression.as_str().to_owned(),
        Timing::Every { period, offset } if offset.is_zero() => {
            format!("every {}", Period::new(*period))
        }
        Timing::Every { period, offset } => {
            format!("every {} offset {}", Period::new(*period), Period::new(*offset))
        }
        Timing::At(at) => format!("at {at}"),
    }
}

fn timing(item: &Field<'_>, fields: &Fields<'_>, findings: &mut Findings) -> Option<Timing> {
    let given: Vec<&str> =
        ["cron", "every", "at"].into_iter().filter(|key| fields.get(key).is_some()).collect();
    let &[kind] = &given[..] else {
        let message = match given.len() {
            0 => "the schedule says no time".to_owned(),
            _ => format!("the schedule has {}: one of them", quote_list(given.iter().copied())),
        };
        item.add(findings, message, A_SCHEDULE.to_owned());
        return None;
    };
    let field = fields.get(kind)?;
    for (key, of) in [("days", "cron"), ("offset", "every")] {
        if let Some(other) = fields.get(key)
            && kind != of
        {
            let help = format!("leave it out: `{key}` belongs to `{of}`");
            other.add(findings, format!("`{key}` says nothing beside `{kind}`"), help);
        }
    }
    for key in ["from", "until", "jitter"] {
        if let Some(other) = fields.get(key)
            && kind == "at"
        {
            let message = format!("`{key}` says nothing beside `at`");
            other.add(findings, message, "leave it out: `at` is one time".to_owned());
        }
    }
    match kind {
        "cron" => {
            let combinations = [Combination::Any, Combination::All];
            let text = |it: Combination| if it == Combination::All { "all" } else { "any" };
            let days = fields.get("days");
            let days = days.and_then(|days| word(&days, &combinations, text, findings));
            let expression = expression(&field, days.unwrap_or_default(), findings)?;
            Some(Timing::Cron(Arc::new(expression)))
        }
        "every" => every(&field, fields, findings),
        _ => instant(&field, findings).map(Timing::At),
    }
}

fn every(field: &Field<'_>, fields: &Fields<'_>, findings: &mut Findings) -> Option<Timing> {
    let period = field.period(findings)?.duration();
    let offset = fields.get("offset");
    let offset_field = offset.as_ref();
    let offset = match offset_field {
        Some(field) => field.period(findings)?.duration(),
        None => Duration::ZERO,
    };
    if period < EVERY_MIN {
        let message = "`every` is at least 1s";
        field.add(findings, message, "write `every: 1s`, or let a step repeat its work".to_owned());
        return None;
    }
    if let Some(field) = offset_field
        && offset >= period
    {
        let help = format!("write less than {}", Period::new(period));
        field.add(findings, "`offset` is below `every`", help);
        return None;
    }
    // Periods are counted in microseconds.
    let whole = |it: Duration| it.subsec_nanos().is_multiple_of(1_000);
    if !whole(period) || !whole(offset) {
        field.add(
            findings,
            "`every` is a number of microseconds",
            "write `every: 1500ms`".to_owned(),
        );
        return None;
    }
    Some(Timing::Every { period, offset })
}

/// The value of `cron`, or a whole schedule as text.
fn expression(
    field: &Field<'_>,
    combination: Combination,
    findings: &mut Findings,
) -> Option<Expression> {
    let text = field.text(findings)?;
    match Expression::parse(&text, combination) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let span = field.span().map(|span| within(span, &text, &error.span));
            findings.add(span, field.at.to_string(), error.message, error.help);
            None
        }
    }
}

/// Where a part of a value is in the document, if the value is written there as it is, with quotes
/// or without.
fn within(span: Span, text: &str, part: &std::ops::Range<usize>) -> Span {
    let start = match (span.end - span.start).checked_sub(text.len()) {
        Some(0) => span.start,
        Some(2) => span.start + 1,
        _ => return span,
    };
    Span { start: start + part.start, end: start + part.end.max(part.start + 1) }
}

/// An IANA name of a zone.
pub(super) fn time_zone(field: &Field<'_>, findings: &mut Findings) -> Option<TimeZone> {
    let text = field.text(findings)?;
    let found = zone::named(&text);
    if found.is_none() {
        let is_offset = text.contains(['+', ':']) || text.starts_with('-');
        let near = findings.may_suggest().then(|| near_zone(&text)).flatten();
        let help = match near {
            Some(near) if !is_offset => format!("did you mean {}?", quote(&near)),
            _ if is_offset => "an offset does not follow the clocks of a place: write the name of \
                               a zone, such as `Europe/Berlin`, or `UTC`"
                .to_owned(),
            _ => "write an IANA name, such as `Europe/Berlin`, `America/New_York` or `UTC`"
                .to_owned(),
        };
        field.add(findings, format!("{} is no time zone", quote(&text)), help);
    }
    found
}

fn near_zone(text: &str) -> Option<String> {
    let names = zone::names();
    let place = |name: &str| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let wanted = place(&text.trim().replace(' ', "_"));
    if let Some(same) = names.iter().find(|name| place(name) == wanted) {
        return Some(same.clone());
    }
    let near_of = |names: &[String]| {
        nearest::nearest(text, names.iter().map(String::as_str)).map(str::to_owned)
    };
    let near: Vec<String> = names.chunks(200).filter_map(near_of).collect();
    near_of(&near)
}

fn name(field: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let name = field.text(findings)?;
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let message = format!("{} cannot be the name of a schedule", quote(&name));
        let help = format!("a name is text of at most {NAME_BYTES_MAX} bytes on one line");
        field.add(findings, message, help);
        return None;
    }
    Some(name)
}

fn params(
    item: &Field<'_>,
    fields: &Fields<'_>,
    declared: &Named<Parameter>,
    findings: &mut Findings,
) -> IndexMap<String, Scalar> {
    let given = fields.get("params");
    let entries = given
        .as_ref()
        .and_then(|field| field.entries("a map of parameters", findings))
        .unwrap_or_default();
    let mut params = IndexMap::new();
    for entry in entries {
        let field = entry.field();
        let Some(value) = field.scalar(findings) else { continue };
        let Some(parameter) = declared.get(entry.name) else {
            let message = format!("the workflow has no parameter {}", quote(entry.name));
            let known = declared.keys().map(String::as_str);
            let help = match nearest::nearest(entry.name, known.clone()) {
                Some(near) => format!("did you mean {}?", quote(near)),
                None if declared.is_empty() => "it declares none in `params`".to_owned(),
                None => format!("it declares {}", quote_list(known)),
            };
            findings.add(entry.span, field.at.to_string(), message, help);
            continue;
        };
        if value == Scalar::Null {
            let message = format!("the parameter {} has no value", quote(entry.name));
            field.add(findings, message, "give it one, or leave it out".to_owned());
            continue;
        }
        let taken = parameter.rules.as_ref().map_or(Ok(value.clone()), |rules| rules.take(&value));
        match taken {
            Ok(value) => _ = params.insert(entry.name.to_owned(), value),
            Err(misfit) => {
                let (name, value) = (quote(entry.name), quote(&value.to_string()));
                let message = format!("the parameter {name} takes {}, not {value}", misfit.takes);
                field.add(findings, message, misfit.remedy);
                params.insert(entry.name.to_owned(), Scalar::Bool(false));
            }
        }
    }
    require(item, declared, &params, findings);
    params
}

/// Refuses a schedule without which a required parameter has no value: none of its executions would
/// start.
fn require(
    item: &Field<'_>,
    declared: &Named<Parameter>,
    given: &IndexMap<String, Scalar>,
    findings: &mut Findings,
) {
    for (name, parameter) in declared {
        if parameter.default == Scalar::Null && !given.contains_key(name) {
            let message = format!("the schedule gives no value to the parameter {}", quote(name));
            let help =
                format!("write `params: {{{name}: …}}` in the schedule, or give it a default");
            item.add(findings, message, help);
        }
    }
}

/// One of a few words.
fn word<T: Copy>(
    field: &Field<'_>,
    all: &[T],
    text: impl Fn(T) -> &'static str,
    findings: &mut Findings,
) -> Option<T> {
    let given = field.text(findings)?;
    let found = all.iter().copied().find(|it| text(*it) == given);
    if found.is_none() {
        let known = all.iter().map(|it| text(*it));
        let help = match nearest::nearest(&given, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}", quote_list(known)),
        };
        let message = format!("{} does not take {}", field.at.subject(), quote(&given));
        field.add(findings, message, help);
    }
    found
}

/// A point in time with its offset.
fn instant(field: &Field<'_>, findings: &mut Findings) -> Option<Timestamp> {
    let text = field.text(findings)?;
    let found = text.parse::<Timestamp>().ok();
    if found.is_none() {
        let is_local = text.parse::<jiff::civil::DateTime>().is_ok();
        let message = match is_local {
            true => format!("{} has no offset", quote(&text)),
            false => format!("{} is no time", quote(&text)),
        };
        let help = "write it with the offset of its zone, such as `2026-12-24T18:00:00+01:00`, or \
                    with `Z` in UTC";
        field.add(findings, message, help.to_owned());
    }
    found
}

/// A date, or a point in time with its offset.
fn bound(field: &Field<'_>, findings: &mut Findings) -> Option<Bound> {
    if let Value::String(text) = &field.node.value
        && !text.contains(['T', 't', ' '])
        && let Ok(date) = text.parse()
    {
        return Some(Bound::Date(date));
    }
    instant(field, findings).map(Bound::Time)
}

/// The `blackout` of a workflow, or of the defaults of a folder.
pub(super) fn blackouts(fields: &Fields<'_>, findings: &mut Findings) -> Vec<Blackout> {
    let Some(field) = fields.get("blackout") else { return Vec::new() };
    let items = items(&field);
    if items.len() > ITEMS_MAX {
        let message = format!("`blackout` has {} items of at most {ITEMS_MAX}", items.len());
        field.add(findings, message, "leave out those that are over".to_owned());
        return Vec::new();
    }
    items.iter().filter_map(|item| blackout(item, findings)).collect()
}

fn blackout(item: &Field<'_>, findings: &mut Findings) -> Option<Blackout> {
    let fields = Fields::of(item.node, item.at, "a blackout", findings)?;
    fields.refuse_unknown(&BLACKOUT_KEYS, findings);
    let then = fields.get("then");
    let then = then.and_then(|field| word(&field, &Then::ALL, Then::as_str, findings));
    let (cron, length) = (fields.get("cron"), fields.get("for"));
    let (from, to) = (fields.get("from"), fields.get("to"));
    let zone = fields.get("timezone").map(|field| time_zone(&field, findings));
    let spans = match (cron, length, from, to) {
        (Some(cron), Some(length), None, None) => {
            let expression = expression(&cron, Combination::Either, findings);
            let length = length.timeout(findings);
            let has_zone = zone.is_some();
            let zone = zone.unwrap_or(Some(TimeZone::UTC));
            let start = Timing::Cron(Arc::new(expression?));
            Spans::Repeated { start, length: length?, zone: zone?, has_zone }
        }
        (None, None, Some(from), Some(to)) => {
            if let Some(zone) = fields.get("timezone") {
                let help = "leave it out: `from` and `to` have their offsets";
                zone.add(findings, "`timezone` says nothing beside `from`", help.to_owned());
            }
            let (from, until) = (instant(&from, findings), instant(&to, findings));
            let (from, until) = (from?, until?);
            if from >= until {
                let help = "let `to` be later than `from`".to_owned();
                to.add(findings, "the blackout ends before it begins", help);
                return None;
            }
            Spans::Once { from, to: until }
        }
        _ => {
            let help = "write `{cron: \"0 22 * * FRI\", for: 58h}` or `{from: 2026-12-24T00:00:00Z, \
                        to: 2026-12-27T00:00:00Z}`";
            item.add(
                findings,
                "a blackout has `cron` and `for`, or `from` and `to`",
                help.to_owned(),
            );
            return None;
        }
    };
    if spans.has_no_end() {
        let message = "this blackout has no end: it begins anew before it is over";
        item.add(
            findings,
            message,
            "let `for` be shorter than the time to the next one".to_owned(),
        );
        return None;
    }
    Some(Blackout { spans, then: then.unwrap_or_default() })
}

/// The `expect` of a workflow, or of the defaults of a folder.
pub(super) fn expect(fields: &Fields<'_>, findings: &mut Findings) -> Option<Expectations> {
    let field = fields.get("expect")?;
    let map = Fields::of(field.node, field.at, "`expect`", findings)?;
    map.refuse_unknown(&EXPECT_KEYS, findings);
    if EXPECT_KEYS.iter().all(|key| map.get(key).is_none()) {
        let help = format!("give it {}, or leave it out", quote_list(EXPECT_KEYS.iter().copied()));
        field.add(findings, "`expect` expects nothing", help);
    }
    let mut period = |key| map.get(key).and_then(|field| field.timeout(findings));
    Some(Expectations {
        start_within: period("start_within"),
        finish_within: period("finish_within"),
        success_within: period("success_within"),
    })
}
