//! Occurrences against an independent, slow reading: the clocks of a zone, second by second.
//!
//! A local time is due at the first instant at which the clocks show it or a later one. The normal
//! suite tries each zone a few times; `WFX_DIFFERENTIAL_SECONDS=300 cargo test --release
//! differential` tries for so long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::expression::{Combination, Expression};
use super::occurrences::Occurrences;
use crate::base::zone;

const DAY: i64 = 86_400;
/// How long a compared span is; it begins a day before a change of the clocks, or anywhere.
const SPAN: i64 = 2 * DAY;
/// What the clocks showed before it counts too.
const BEFORE: i64 = 3 * DAY;
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// An item of a field, as it is written and as it is meant.
#[derive(Debug, Clone)]
enum Item {
    Any(i8),
    Range(i8, i8, i8),
    BeforeLast(i8),
    NearestWorkingDay(i8),
    LastWorkingDay,
    NthWeekday(i8, i8),
    LastWeekday(i8),
}

impl Item {
    fn text(&self) -> String {
        match self {
            Self::Any(1) => "*".to_owned(),
            Self::Any(step) => format!("*/{step}"),
            Self::Range(only, most, _) if only == most => only.to_string(),
            Self::Range(least, most, 1) => format!("{least}-{most}"),
            Self::Range(least, most, step) => format!("{least}-{most}/{step}"),
            Self::BeforeLast(0) => "L".to_owned(),
            Self::BeforeLast(days) => format!("L-{days}"),
            Self::NearestWorkingDay(day) => format!("{day}W"),
            Self::LastWorkingDay => "LW".to_owned(),
            Self::NthWeekday(day, nth) => {
                format!("{}#{nth}", WEEKDAYS[usize::from(day.unsigned_abs())])
            }
            Self::LastWeekday(day) => format!("{day}#L"),
        }
    }

    fn matches(&self, value: i8, first: i8, at: DateTime) -> bool {
        let date = at.date();
        match *self {
            Self::Any(step) => (value - first) % step == 0,
            Self::Range(least, most, step) => {
                (least..=most).contains(&value) && (value - least) % step == 0
            }
            Self::BeforeLast(days) => date == date.last_of_month() - Span::new().days(days),
            Self::LastWorkingDay => {
                let is_working = |day: &jiff::civil::Date| {
                    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
                };
                let mut day = date.last_of_month();
                while !is_working(&day) {
                    day = day.yesterday().unwrap();
                }
                date == day
            }
            Self::NearestWorkingDay(wanted) => {
                let Ok(wanted) = jiff::civil::Date::new(date.year(), date.month(), wanted) else {
                    return false;
                };
                // The nearest of the working days of its month; no two are equally near.
                let days = (1..=date.days_in_month())
                    .map(|day| jiff::civil::Date::new(date.year(), date.month(), day).unwrap())
                    .filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
                days.min_by_key(|day| (i32::from(day.day()) - i32::from(wanted.day())).abs())
                    == Some(date)
            }
            Self::NthWeekday(day, nth) => {
                let weekday = Weekday::from_sunday_zero_offset(day).unwrap();
                date.nth_weekday_of_month(nth, weekday).is_ok_and(|it| it == date)
            }
            Self::LastWeekday(day) => {
                let weekday = Weekday::from_sunday_zero_offset(day).unwrap();
                date.nth_weekday_of_month(-1, weekday).is_ok_and(|it| it == date)
            }
        }
    }
}

struct Cron {
    fields: [Vec<Item>; 5],
    all: bool,
}

impl Cron {
    fn random(random: &mut fastrand::Rng) -> Self {
        let field = |random: &mut fastrand::Rng, least: i8, most: i8, any_of_ten: u8| {
            if random.u8(0..10) < any_of_ten {
                return vec![Item::Any(1)];
            }
            if random.u8(0..4) == 0 {
                return vec![Item::Any(random.i8(2..=(most - least).min(20)))];
            }
            let count = random.usize(1..=3);
            let item = |random: &mut fastrand::Rng| {
                let (a, b) = (random.i8(least..=most), random.i8(least..=most));
                match random.u8(0..3) {
                    0 if a < b => Item::Range(a, b, random.i8(1..=b - a)),
                    1 if a < b => Item::Range(a, b, 1),
                    _ => Item::Range(a, a, 1),
                }
            };
            (0..count).map(|_| item(random)).collect()
        };
        let mut days = field(random, 1, 31, 6);
        let mut weekdays = field(random, 0, 6, 6);
        match random.u8(0..14) {
            0 => days = vec![Item::BeforeLast(random.i8(0..=30))],
            1 => days = vec![Item::NearestWorkingDay(random.i8(1..=31))],
            2 => days.push(Item::LastWorkingDay),
            3 => weekdays = vec![Item::NthWeekday(random.i8(0..7), random.i8(1..=5))],
            4 => weekdays.push(Item::LastWeekday(random.i8(0..7))),
            _ => {}
        }
        Self {
            fields: [
                field(random, 0, 59, 2),
                field(random, 0, 23, 3),
                days,
                field(random, 1, 12, 8),
                weekdays,
            ],
            all: random.bool(),
        }
    }

    fn text(&self) -> String {
        let field = |items: &Vec<Item>| items.iter().map(Item::text).collect::<Vec<_>>().join(",");
        self.fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    fn matches(&self, at: DateTime) -> bool {
        let weekday = at.date().weekday().to_sunday_zero_offset();
        let values =
            [(at.minute(), 0), (at.hour(), 0), (at.day(), 1), (at.month(), 1), (weekday, 0)];
        let matches: Vec<bool> = (self.fields.iter().zip(values))
            .map(|(items, (value, first))| items.iter().any(|it| it.matches(value, first, at)))
            .collect();
        let starred = |field: usize| matches!(self.fields[field][0], Item::Any(_));
        let either = !starred(2) && !starred(4) && !self.all;
        let days = if either { matches[2] || matches[4] } else { matches[2] && matches[4] };
        matches[0] && matches[1] && matches[3] && days
    }

    fn is_elapsed(&self) -> bool {
        matches!(self.fields[1][..], [Item::Any(1)])
    }
}

/// What the clocks show.
fn local(zone: &TimeZone, at: i64) -> DateTime {
    zone.to_datetime(Timestamp::from_second(at).unwrap())
}

/// Every instant from `start` to `end` at which the expression is due.
fn slow(cron: &Cron, zone: &TimeZone, start: i64, end: i64) -> Vec<i64> {
    let mut due = Vec::new();
    let mut at = start - BEFORE;
    // The first local minute that no instant so far has reached.
    let mut next_minute = local(zone, at);
    next_minute = next_minute.date().at(next_minute.hour(), next_minute.minute(), 0, 0)
        + Span::new().minutes(1);
    while at < end {
        let shown = local(zone, at);
        let mut is_due = false;
        if cron.is_elapsed() {
            is_due = shown.second() == 0 && cron.matches(shown);
        } else {
            while next_minute <= shown {
                is_due |= cron.matches(next_minute);
                next_minute += Span::new().minutes(1);
            }
        }
        if is_due && at >= start {
            due.push(at);
        }
        // Minutes of the clock begin with a minute of UTC, except where offsets have seconds.
        let whole = [at, at + 60, at - DAY, at + DAY].iter().all(|at| {
            i64::from(zone.to_offset(Timestamp::from_second(*at).unwrap()).seconds()) % 60 == 0
        });
        at += if whole && at % 60 == 0 { 60 } else { 1 };
    }
    due
}

/// Compares one random expression around one change of the clocks of a zone.
fn compare(zone: &TimeZone, random: &mut fastrand::Rng) {
    let year = |year: i16| jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap();
    let (first, last) = (year(1970).timestamp().as_second(), year(2100).timestamp().as_second());
    let anywhere = random.i64(first + 10 * DAY..last - 10 * DAY);
    let change = zone.following(Timestamp::from_second(anywhere).unwrap()).next();
    let change = change.map(|change| change.timestamp().as_second()).filter(|at| *at < last);
    let start = change.unwrap_or(anywhere) - random.i64(0..DAY);
    let cron = Cron::random(random);
    let text = cron.text();
    let combination = if cron.all { Combination::All } else { Combination::Either };
    let Ok(expression) = Expression::parse(&text, combination) else {
        // The generator writes nothing else that is refused.
        let months = (2000..2400).flat_map(|year| (1..=12).map(move |month| (year, month)));
        let matches_some_day = months.flat_map(|(year, month)| {
            let first = jiff::civil::date(year, month, 1);
            first.series(Span::new().days(1)).take(31).filter(move |it| it.month() == month)
        });
        let mut matches_some_day = matches_some_day.filter(|date| {
            let weekday = date.weekday().to_sunday_zero_offset();
            let any = |field: usize, value, first| {
                let at = date.at(0, 0, 0, 0);
                cron.fields[field].iter().any(|item| item.matches(value, first, at))
            };
            any(2, date.day(), 1) && any(3, date.month(), 1) && any(4, weekday, 0)
        });
        assert_eq!(matches_some_day.next(), None, "{text} is refused");
        return;
    };
    let expression = Arc::new(expression);
    let end = start + SPAN;
    let expected = slow(&cron, zone, start, end);
    let name = zone.iana_name().unwrap_or("UTC");
    let after = |after: i64| Occurrences::after(Arc::clone(&expression), zone.clone(), after);
    let found: Vec<i64> = after(start - 1).take_while(|at| *at < end).collect();
    assert_eq!(found, expected, "{text} in {name} from {start}");
    for _ in 0..3 {
        let begin = random.i64(start..end);
        let next = after(begin).next().filter(|at| *at < end);
        assert!(next.is_none_or(|next| next > begin));
        let expected = expected.iter().find(|at| **at > begin).copied();
        assert_eq!(next, expected, "{text} in {name} after {begin}");
    }
}

#[test]
fn differential_all_zones_agree_with_their_clocks() {
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seconds = std::env::var("WFX_DIFFERENTIAL_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let mut random = fastrand::Rng::with_seed(seed.unwrap_or(7));
    let zones: Vec<TimeZone> = zone::names().iter().filter_map(|name| zone::named(name)).collect();
    assert!(zones.len() > 300, "{}", zones.len());
    #[expect(clippy::disallowed_methods, reason = "a long run ends at some time")]
    let begin = Instant::now();
    let mut rounds = 0;
    loop {
        for zone in &zones {
            compare(zone, &mut random);
        }
        rounds += 1;
        if seconds.is_none_or(|seconds| begin.elapsed() > seconds) {
            break;
        }
    }
    assert!(rounds > 0);
}
