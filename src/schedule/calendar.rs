//! Dates as numbers of days, in the Gregorian calendar. A local time is a number of seconds since
//! 1970-01-01T00:00:00 on the clocks of its zone, whatever their offset.

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// The last year in which anything is due.
pub(super) const YEAR_MAX: i64 = 9_998;

/// The days from 1970-01-01 to a date (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`).
pub(super) fn days_from_date(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date so many days after 1970-01-01: year, month, day (`civil_from_days`).
pub(super) fn date_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |number: i64| u8::try_from(number).unwrap_or(0);
    (year, small(month), small(day))
}

/// The day of the week, 0 for Sunday.
pub(super) fn weekday(days: i64) -> u8 {
    u8::try_from((days + 4).rem_euclid(7)).unwrap_or(0)
}

/// How many days a month has.
pub(super) fn month_length(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_those_of_jiff() {
        for days in (-140_000..2_900_000).step_by(97) {
            let (year, month, day) = date_from_days(days);
            assert_eq!(days_from_date(year, month, day), days);
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days);
            assert_eq!((i64::from(date.year()), date.month(), date.day()), {
                (year, i8::try_from(month).unwrap(), i8::try_from(day).unwrap())
            });
            let weekday_of = date.weekday().to_sunday_zero_offset();
            assert_eq!(i8::try_from(weekday(days)).unwrap(), weekday_of);
            assert_eq!(i8::try_from(month_length(year, month)).unwrap(), date.days_in_month());
        }
    }
}
