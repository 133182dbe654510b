//! Text → [`Expression`].

use std::ops::Range;

use super::{
    Combination, DaysOfMonth, Expression, ExpressionError, SpecialDay, UnevenStep, Weekdays,
};
use crate::base::visible::quote;

/// The longest expression.
const TEXT_BYTES_MAX: usize = 1_000;

/// Words for expressions.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

type Result<T> = std::result::Result<T, ExpressionError>;

/// One of the five fields: its name and range, and what a step of it begins anew with.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    unit: &'static str,
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, unit: "hour" };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, unit: "day" };
const DAY: Field = Field { name: "day of the month", least: 1, most: 31, unit: "month" };
const MONTH: Field = Field { name: "month", least: 1, most: 12, unit: "year" };
/// 7 is Sunday too.
const WEEKDAY: Field = Field { name: "weekday", least: 0, most: 7, unit: "week" };
const FIELDS: [Field; 5] = [MINUTE, HOUR, DAY, MONTH, WEEKDAY];

/// A piece of the expression, and where it begins.
#[derive(Debug, Clone, Copy)]
struct Piece<'t> {
    text: &'t str,
    start: usize,
}

impl<'t> Piece<'t> {
    fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    fn refuse<T>(self, message: impl Into<String>, help: impl Into<String>) -> Result<T> {
        Err(ExpressionError { span: self.span(), message: message.into(), help: help.into() })
    }

    /// The pieces between the separators, and where each begins.
    fn split(self, separator: char) -> impl Iterator<Item = Piece<'t>> {
        let mut start = self.start;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, start };
            start += text.len() + separator.len_utf8();
            piece
        })
    }

    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        let start = self.start + before.len() + separator.len_utf8();
        Some((Piece { text: before, start: self.start }, Piece { text: after, start }))
    }
}

pub(super) fn parse(text: &str, combination: Combination) -> Result<Expression> {
    let whole = Piece { text: text.trim(), start: text.len() - text.trim_start().len() };
    if whole.text.len() > TEXT_BYTES_MAX {
        let message = format!("the expression is longer than {TEXT_BYTES_MAX} bytes");
        return whole.refuse(message, "make several schedules of it");
    }
    if whole.text.starts_with('@') {
        let fields = word(whole)?;
        let expression = fields_of(Piece { text: fields, start: whole.start }, combination)?;
        return Ok(Expression { text: whole.text.to_owned(), ..expression });
    }
    fields_of(whole, combination)
}

/// The five fields that a word stands for.
fn word(piece: Piece<'_>) -> Result<&'static str> {
    let lower = piece.text.to_ascii_lowercase();
    if let Some((_, fields)) = WORDS.iter().find(|(word, _)| *word == lower) {
        return Ok(fields);
    }
    if lower == "@reboot" {
        return piece.refuse(
            "`@reboot` is no time",
            "let the service manager start it at boot: a systemd unit with `ExecStart=wfx start \
             WORKFLOW` and `After=` the unit of `wfx serve`",
        );
    }
    if let Some(period) = lower.strip_prefix("@every") {
        let period = period.trim();
        let period = if period.is_empty() { "5m" } else { period };
        return piece.refuse(
            format!("{} is no expression", quote(piece.text)),
            format!("write `every: {period}` in place of `cron`"),
        );
    }
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    piece.refuse(
        format!("{} is not known", quote(piece.text)),
        format!("known are {}", words.join(", ")),
    )
}

fn fields_of(whole: Piece<'_>, combination: Combination) -> Result<Expression> {
    let mut fields = Vec::new();
    for word in whole.text.split_whitespace() {
        let start = whole.start + (word.as_ptr() as usize - whole.text.as_ptr() as usize);
        fields.push(Piece { text: word, start });
    }
    if let Some(first) = fields.first()
        && let Some((name, zone)) = first.text.split_once('=')
        && ["TZ", "CRON_TZ"].contains(&name)
    {
        let help = format!("leave it out and write `timezone: {zone}` beside `cron`");
        return first.refuse("the zone is no part of the expression", help);
    }
    let &[minute, hour, day, month, weekday] = &fields[..] else {
        return wrong_count(whole, &fields);
    };
    let mut uneven_steps = Vec::new();
    let minutes = plain(minute, MINUTE, &mut uneven_steps)?;
    let hours = plain(hour, HOUR, &mut uneven_steps)?;
    let days = days(day, &mut uneven_steps)?;
    let months = plain(month, MONTH, &mut uneven_steps)?;
    let weekdays = weekdays(weekday, &mut uneven_steps)?;
    Ok(Expression {
        text: whole.text.to_owned(),
        minutes,
        hours: u32::try_from(hours).unwrap_or(0),
        months: u16::try_from(months).unwrap_or(0),
        days,
        weekdays,
        combination,
        every_hour: hour.text == "*",
        uneven_steps,
    })
}

fn wrong_count<T>(whole: Piece<'_>, fields: &[Piece<'_>]) -> Result<T> {
    let names = "minute, hour, day of the month, month and weekday";
    if fields.len() <= 5 {
        let message = match fields.len() {
            0 => "the expression is empty".to_owned(),
            1 => format!("an expression has five fields, and this one has 1: {names}"),
            count => format!("an expression has five fields, and this one has {count}: {names}"),
        };
        return whole.refuse(message, "`30 2 * * *` is every day at 02:30; `*` is any value");
    }
    let extra = fields[5..].iter().map(|field| field.span()).fold(whole.span(), |_, span| span);
    let span = fields[5].start..extra.end;
    let is_year = fields[fields.len() - 1].text.parse::<u32>().is_ok_and(|number| number >= 1970);
    let help = if is_year {
        "there is no field for years: write `from:` and `until:` beside `cron`"
    } else {
        "there is no field for seconds: leave it out, or write `every: 10s` in place of `cron`"
    };
    let count = fields.len();
    let message = format!("an expression has five fields, and this one has {count}: {names}");
    Err(ExpressionError { span, message, help: help.to_owned() })
}

/// A field of values, ranges and steps.
fn plain(piece: Piece<'_>, field: Field, uneven: &mut Vec<UnevenStep>) -> Result<u64> {
    let mut bits = 0;
    for item in piece.split(',') {
        bits |= values(item, field, uneven)?;
    }
    Ok(bits)
}

fn days(piece: Piece<'_>, uneven: &mut Vec<UnevenStep>) -> Result<DaysOfMonth> {
    let mut days = DaysOfMonth { is_starred: piece.text.starts_with('*'), ..Default::default() };
    for item in piece.split(',') {
        match special_day(item)? {
            Some(special) => days.special.push(special),
            None => days.plain |= u32::try_from(values(item, DAY, uneven)?).unwrap_or(0),
        }
    }
    Ok(days)
}

/// `L`, `L-3`, `15W`, `LW`.
fn special_day(item: Piece<'_>) -> Result<Option<SpecialDay>> {
    let upper = item.text.to_ascii_uppercase();
    if upper == "L" {
        return Ok(Some(SpecialDay::BeforeLast(0)));
    }
    if upper == "LW" || upper == "WL" {
        return Ok(Some(SpecialDay::LastWorkingDay));
    }
    if let Some(days) = upper.strip_prefix("L-") {
        return match days.parse() {
            Ok(days @ 0..=30) if is_digits(&upper[2..]) => Ok(Some(SpecialDay::BeforeLast(days))),
            _ => item.refuse(
                format!("{} is no day before the last", quote(item.text)),
                "write `L-3` for the third day before the last day of the month, at most `L-30`",
            ),
        };
    }
    if let Some(day) = upper.strip_suffix('W') {
        return match day.parse() {
            Ok(number @ 1..=31) if is_digits(day) => {
                Ok(Some(SpecialDay::NearestWorkingDay(number)))
            }
            _ => item.refuse(
                format!("{} is no working day", quote(item.text)),
                "write `15W` for the working day nearest to the 15th, `LW` for the last one",
            ),
        };
    }
    Ok(None)
}

/// Whether the text has digits alone: `parse` takes a sign too.
fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn weekdays(piece: Piece<'_>, uneven: &mut Vec<UnevenStep>) -> Result<Weekdays> {
    let mut weekdays = Weekdays { is_starred: piece.text.starts_with('*'), ..Default::default() };
    for item in piece.split(',') {
        if let Some((weekday, which)) = item.split_once('#') {
            let weekday = value(weekday, WEEKDAY)? % 7;
            match which.text {
                "L" | "l" => weekdays.last |= 1 << weekday,
                "1" | "2" | "3" | "4" | "5" => {
                    weekdays.nth.push((weekday, which.text.parse().unwrap_or(1)));
                }
                _ => {
                    return which.refuse(
                        format!("{} is no week of a month", quote(which.text)),
                        "write `FRI#1` to `FRI#5`, or `FRI#L` for the last one",
                    );
                }
            }
            continue;
        }
        let last = item.text.to_ascii_uppercase();
        if let Some(name) = last.strip_suffix('L')
            && (name.is_empty() || WEEKDAYS.contains(&name) || name.parse::<u8>().is_ok())
        {
            let name = if name.is_empty() { "FRI" } else { name };
            let message = format!("{} is no weekday", quote(item.text));
            return item.refuse(message, format!("the last one of a month is `{name}#L`"));
        }
        let bits = values(item, WEEKDAY, uneven)?;
        weekdays.plain |= u8::try_from(bits & 0x7f | bits >> 7 & 1).unwrap_or(0);
    }
    Ok(weekdays)
}

/// `*`, `5`, `1-5`, and each with a step: bit `n` for value `n`.
fn values(item: Piece<'_>, field: Field, uneven: &mut Vec<UnevenStep>) -> Result<u64> {
    let (base, step) = match item.split_once('/') {
        Some((base, step)) => (base, Some(step)),
        None => (item, None),
    };
    if base.text.is_empty() {
        return item.refuse(
            format!("the field of the {} has an empty item", field.name),
            "write `*` for any value, and no comma or slash too many",
        );
    }
    // Seven would be Sunday for the second time.
    let most = if field.name == WEEKDAY.name { 6 } else { field.most };
    let (least, most) = if base.text == "*" {
        (field.least, most)
    } else if let Some((least, most)) = base.split_once('-') {
        range(base, value(least, field)?, value(most, field)?, field)?
    } else {
        let only = value(base, field)?;
        (only, if step.is_some() { most.max(only) } else { only })
    };
    let Some(step_piece) = step else { return Ok(bits(least, most, 1)) };
    let step = match step_piece.text.parse::<u64>() {
        Ok(step) if step > 0 && is_digits(step_piece.text) => step,
        _ => {
            let message = format!("{} is no step", quote(step_piece.text));
            return step_piece.refuse(message, "write a whole number from 1, such as `*/5`");
        }
    };
    let size = u64::from(most - least) + 1;
    if step >= size && size > 1 || step > size {
        let message = format!(
            "a step of {step} is not below the {size} values from {least} to {most}, so that only \
             {least} would be left"
        );
        let help = if field.name == MINUTE.name && base.text == "*" {
            format!("write `every: {step}m` in place of `cron`, or `{least}` for once an hour")
        } else if field.name == HOUR.name && base.text == "*" {
            format!("write `every: {step}h` in place of `cron`, or `{least}` for once a day")
        } else {
            format!("write `{least}` in place of {}", quote(item.text))
        };
        return step_piece.refuse(message, help);
    }
    let is_whole = base.text == "*" && [MINUTE.name, HOUR.name, MONTH.name].contains(&field.name);
    let is_day = base.text == "*" && field.name == DAY.name;
    if step > 1 && (is_whole && !size.is_multiple_of(step) || is_day) {
        uneven.push(UnevenStep { text: item.text.to_owned(), unit: field.unit });
    }
    Ok(bits(least, most, step))
}

fn range(piece: Piece<'_>, least: u8, most: u8, field: Field) -> Result<(u8, u8)> {
    // `SAT-SUN`: the week may end with Sunday.
    let most = if field.name == WEEKDAY.name && most == 0 && least > 0 { 7 } else { most };
    if least > most {
        let end = if field.name == WEEKDAY.name { 6 } else { field.most };
        let first = if least == end { least.to_string() } else { format!("{least}-{end}") };
        let second =
            if most == field.least { most.to_string() } else { format!("{}-{most}", field.least) };
        return piece.refuse(
            format!("the range {} goes backwards", quote(piece.text)),
            format!("write `{first},{second}`"),
        );
    }
    Ok((least, most))
}

/// One value: a number, or the name of a month or a weekday.
fn value(piece: Piece<'_>, field: Field) -> Result<u8> {
    let upper = piece.text.to_ascii_uppercase();
    let named = |names: &[&str], first: u8| {
        let at = names.iter().position(|name| *name == upper)?;
        u8::try_from(at).ok().map(|at| at + first)
    };
    let name = match field.name {
        name if name == MONTH.name => named(&MONTHS, 1),
        name if name == WEEKDAY.name => named(&WEEKDAYS, 0),
        _ => None,
    };
    if let Some(value) = name {
        return Ok(value);
    }
    let is_number = !upper.is_empty() && upper.bytes().all(|byte| byte.is_ascii_digit());
    let number = upper.parse::<u8>().ok().filter(|_| is_number);
    let takes = takes(field);
    match number {
        Some(number) if (field.least..=field.most).contains(&number) => Ok(number),
        _ if is_number => {
            let message = format!("the {} is from {} to {}", field.name, field.least, field.most);
            let at = FIELDS.iter().position(|other| other.name == field.name).unwrap_or(0) + 1;
            piece.refuse(message, format!("{} is in field {at}, which takes {takes}", piece.text))
        }
        _ => {
            let message = format!("{} is no {}", quote(piece.text), field.name);
            let help = match upper.as_str() {
                "?" => "write `*` for any value".to_owned(),
                "H" => {
                    "write a number, and `jitter: 10m` beside `cron` to spread starts".to_owned()
                }
                "L" | "W" | "LW" => format!("`L` and `W` are for the {}; {takes}", DAY.name),
                _ => format!("write {takes}"),
            };
            piece.refuse(message, help)
        }
    }
}

fn takes(field: Field) -> String {
    let names = match field.name {
        name if name == MONTH.name => ", or JAN to DEC",
        name if name == WEEKDAY.name => ", 0 and 7 being Sunday, or SUN to SAT",
        _ => "",
    };
    format!("{} to {}{names}", field.least, field.most)
}

/// Every `step`th bit from `least` to `most`.
fn bits(least: u8, most: u8, step: u64) -> u64 {
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    (least..=most).step_by(step).fold(0, |bits, value| bits | 1 << value)
}
