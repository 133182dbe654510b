//! The five fields of cron: which local times they match.
//!
//! The parser is our own. Of the crates on crates.io none has these rules: croner and saffron work on
//! chrono and have other rules at clock changes, cron and jiff-cron count seconds as a sixth field,
//! and none reports where in the expression a mistake is.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use super::calendar::{self, DAY, YEAR_MAX};

/// Years after which all dates and weekdays repeat.
const CYCLE_YEARS: i64 = 400;

/// A checked expression. It matches some date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    /// As it was written, without blanks around it.
    text: String,
    /// Bit `n` for minute `n`; likewise below.
    minutes: u64,
    hours: u32,
    months: u16,
    days: DaysOfMonth,
    weekdays: Weekdays,
    combination: Combination,
    /// Whether the field of hours is `*`.
    every_hour: bool,
    /// Steps that begin anew in each hour, day, month or year.
    uneven_steps: Vec<UnevenStep>,
}

/// How day of month and weekday are combined where both are restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Combination {
    /// One of both matches, as in cron; validate has a note.
    #[default]
    Either,
    /// The same, on purpose.
    Any,
    /// Both match.
    All,
}

/// A step that does not divide its range, so that the last distance is shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnevenStep {
    /// As it was written.
    pub text: String,
    /// What it begins anew with: `hour`, `day`, `month` or `year`.
    pub unit: &'static str,
}

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    /// The bytes of the expression that are wrong.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct DaysOfMonth {
    plain: u32,
    special: Vec<SpecialDay>,
    /// Whether the field begins with `*`.
    is_starred: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpecialDay {
    /// `L` and `L-3`: so many days before the last one.
    BeforeLast(u8),
    /// `15W`: the working day nearest to this one, within its month.
    NearestWorkingDay(u8),
    /// `LW`: the last working day.
    LastWorkingDay,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Weekdays {
    plain: u8,
    /// `FRI#2`: the weekday, and which of the month.
    nth: Vec<(u8, u8)>,
    /// `FRI#L`.
    last: u8,
    is_starred: bool,
}

impl Expression {
    /// Reads an expression, or a word such as `@daily`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn parse(text: &str, combination: Combination) -> Result<Self, ExpressionError> {
        let expression = parse::parse(text, combination)?;
        if expression.matches_any_date() {
            return Ok(expression);
        }
        let (start, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
        Err(ExpressionError {
            span: start..end,
            message: "this never occurs: no month of any year has such a day".to_owned(),
            help: "name a day that its months have; `L` is the last day of a month".to_owned(),
        })
    }

    /// As it was written.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the field of hours is `*`: the schedule counts elapsed time, not times of the day.
    #[must_use]
    pub(crate) fn counts_elapsed_time(&self) -> bool {
        self.every_hour
    }

    /// Whether day of month and weekday are both restricted and nothing says which is meant.
    #[must_use]
    pub(crate) fn has_two_readings(&self) -> bool {
        self.restricts_both() && self.combination == Combination::Either
    }

    /// Steps that begin anew.
    #[must_use]
    pub(crate) fn uneven_steps(&self) -> &[UnevenStep] {
        &self.uneven_steps
    }

    /// What was said about how days and weekdays are combined.
    #[must_use]
    pub(crate) fn combination(&self) -> Combination {
        self.combination
    }

    fn restricts_both(&self) -> bool {
        !self.days.is_starred && !self.weekdays.is_starred
    }

    fn matches_any_date(&self) -> bool {
        let mut months =
            (2000..2000 + CYCLE_YEARS).flat_map(|year| (1..=12).map(move |m| (year, m)));
        months.any(|(year, month)| self.has_month(month) && self.days_of(year, month) != 0)
    }

    fn has_month(&self, month: u8) -> bool {
        self.months >> month & 1 == 1
    }

    /// The days of a month that match: bit `n` for day `n`.
    fn days_of(&self, year: i64, month: u8) -> u32 {
        let length = calendar::month_length(year, month);
        let all = u32::MAX >> (31 - length) & !1;
        let first = calendar::weekday(calendar::days_from_date(year, month, 1));
        let by_day = self.days.of_month(length, first);
        let by_weekday = self.weekdays.of_month(length, first);
        let is_either = self.restricts_both() && self.combination != Combination::All;
        all & if is_either { by_day | by_weekday } else { by_day & by_weekday }
    }

    /// The first minute of the day from `minute` on that matches.
    fn minute_from(&self, minute: i64) -> Option<i64> {
        let (hour, minute) = (minute / 60, minute % 60);
        if self.hours >> hour & 1 == 1 {
            let later = self.minutes >> minute;
            if later != 0 {
                return Some(hour * 60 + minute + i64::from(later.trailing_zeros()));
            }
        }
        let later = u64::from(self.hours) >> (hour + 1);
        let skipped = i64::from(later.trailing_zeros());
        (later != 0).then(|| (hour + 1 + skipped) * 60 + i64::from(self.minutes.trailing_zeros()))
    }

    /// The first local time from `local` on that matches, in seconds; both as the clocks of a zone
    /// show them.
    #[must_use]
    pub(super) fn first_from(&self, local: i64) -> Option<i64> {
        let minute = local.div_euclid(60) + i64::from(local.rem_euclid(60) > 0);
        let mut day = minute.div_euclid(DAY / 60);
        let mut minute_of_day = minute.rem_euclid(DAY / 60);
        let (mut year, mut month, mut day_of_month) = calendar::date_from_days(day);
        let last_year = YEAR_MAX.min(year + CYCLE_YEARS);
        while year <= last_year {
            let month_start = day - i64::from(day_of_month);
            let days = if self.has_month(month) { self.days_of(year, month) } else { 0 };
            let mut left = days >> day_of_month << day_of_month;
            while left != 0 {
                let found = left.trailing_zeros();
                if found != u32::from(day_of_month) {
                    minute_of_day = 0;
                }
                if let Some(minute) = self.minute_from(minute_of_day) {
                    return Some((month_start + i64::from(found)) * DAY + minute * 60);
                }
                left &= left - 1;
            }
            day = month_start + i64::from(calendar::month_length(year, month)) + 1;
            (day_of_month, minute_of_day) = (1, 0);
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        None
    }
}

impl DaysOfMonth {
    /// The days of a month of this length whose first day is this weekday.
    fn of_month(&self, length: u8, first: u8) -> u32 {
        let weekday = |day: u8| (first + day - 1) % 7;
        let special = self.special.iter().filter_map(|special| match *special {
            SpecialDay::BeforeLast(days) => length.checked_sub(days).filter(|day| *day > 0),
            SpecialDay::NearestWorkingDay(day) if day > length => None,
            SpecialDay::NearestWorkingDay(day) => Some(match weekday(day) {
                6 if day == 1 => 3,
                6 => day - 1,
                0 if day == length => day - 2,
                0 => day + 1,
                _ => day,
            }),
            SpecialDay::LastWorkingDay => Some(match weekday(length) {
                6 => length - 1,
                0 => length - 2,
                _ => length,
            }),
        });
        special.fold(self.plain, |days, day| days | 1 << day)
    }
}

impl Weekdays {
    fn of_month(&self, length: u8, first: u8) -> u32 {
        if self.plain == 0x7f {
            return u32::MAX;
        }
        let first_of = |weekday: u8| 1 + (weekday + 7 - first) % 7;
        let mut days = 0;
        for weekday in 0..7 {
            let bit = 1 << weekday;
            let weeks = (first_of(weekday)..=length).step_by(7);
            if self.plain & bit != 0 {
                days |= weeks.clone().fold(0, |days, day| days | 1_u32 << day);
            }
            if self.last & bit != 0 {
                days |= weeks.max().map_or(0, |day| 1 << day);
            }
        }
        let nth = self.nth.iter().map(|(weekday, nth)| first_of(*weekday) + 7 * (nth - 1));
        nth.filter(|day| *day <= length).fold(days, |days, day| days | 1 << day)
    }
}
