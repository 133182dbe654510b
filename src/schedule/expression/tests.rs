use super::*;

fn expression(text: &str) -> Expression {
    Expression::parse(text, Combination::Either).unwrap()
}

/// The first dates that match, from 2026-01-01 on.
fn dates(text: &str, combination: Combination, count: usize) -> Vec<String> {
    let expression = Expression::parse(text, combination).unwrap();
    let mut local = calendar::days_from_date(2026, 1, 1) * DAY;
    let mut found = Vec::new();
    while found.len() < count {
        local = expression.first_from(local).unwrap();
        let (year, month, day) = calendar::date_from_days(local.div_euclid(DAY));
        found.push(format!("{year}-{month:02}-{day:02}"));
        local += DAY;
    }
    found
}

#[test]
fn days_with_letters_are_found() {
    for (text, expected) in [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L-3 * *", ["2026-01-28", "2026-02-25", "2026-03-28"]),
        // 15 February 2026 is a Sunday, 15 August a Saturday.
        ("0 0 15W 1-3 *", ["2026-01-15", "2026-02-16", "2026-03-16"]),
        ("0 0 15W 8 *", ["2026-08-14", "2027-08-16", "2028-08-15"]),
        // 1 August 2026 is a Saturday, 31 May a Sunday: within their month.
        ("0 0 1W 8 *", ["2026-08-03", "2027-08-02", "2028-08-01"]),
        ("0 0 31W 5 *", ["2026-05-29", "2027-05-31", "2028-05-31"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 0 * * FRI#2", ["2026-01-09", "2026-02-13", "2026-03-13"]),
        ("0 0 * * FRI#L", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 0 * * 5#5", ["2026-01-30", "2026-05-29", "2026-07-31"]),
        ("0 0 1,L * *", ["2026-01-01", "2026-01-31", "2026-02-01"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("@yearly", ["2026-01-01", "2027-01-01", "2028-01-01"]),
        ("@Weekly", ["2026-01-04", "2026-01-11", "2026-01-18"]),
        ("0 0 * jan mon", ["2026-01-05", "2026-01-12", "2026-01-19"]),
        ("0 0 * * SAT-SUN", ["2026-01-03", "2026-01-04", "2026-01-10"]),
    ] {
        assert_eq!(dates(text, Combination::Either, 3), expected, "{text}");
    }
    for sunday in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 * * 7-7"] {
        assert_eq!(dates(sunday, Combination::Either, 2), ["2026-01-04", "2026-01-11"], "{sunday}");
    }
    assert_eq!(
        dates("0 0 * * 5-7", Combination::Either, 3),
        ["2026-01-02", "2026-01-03", "2026-01-04"]
    );
}

#[test]
fn day_and_weekday_are_either_unless_one_begins_with_a_star_or_all_is_said() {
    let either = ["2026-01-02", "2026-01-09", "2026-01-13"];
    assert_eq!(dates("0 0 13 * FRI", Combination::Either, 3), either);
    assert_eq!(dates("0 0 13 * FRI", Combination::Any, 3), either);
    let both = ["2026-02-13", "2026-03-13", "2026-11-13"];
    assert_eq!(dates("0 0 13 * FRI", Combination::All, 3), both);
    // As in cron, a field that begins with `*` restricts what the other one leaves.
    assert_eq!(
        dates("0 0 */2 * FRI", Combination::Either, 3),
        ["2026-01-09", "2026-01-23", "2026-02-13"]
    );
    assert_eq!(dates("0 0 13 * */5", Combination::Either, 2), ["2026-02-13", "2026-03-13"]);
    assert!(expression("0 0 13 * FRI").has_two_readings());
    assert!(!expression("0 0 */2 * FRI").has_two_readings());
    assert!(!Expression::parse("0 0 13 * FRI", Combination::Any).unwrap().has_two_readings());
}

#[test]
fn steps_that_begin_anew_are_noted() {
    let uneven = |text: &str| {
        let expression = expression(text);
        let steps = expression.uneven_steps().iter();
        steps.map(|step| format!("{} {}", step.text, step.unit)).collect::<Vec<_>>()
    };
    assert_eq!(uneven("*/7 * * * *"), ["*/7 hour"]);
    assert_eq!(uneven("0 */5 * * *"), ["*/5 day"]);
    assert_eq!(uneven("0 0 */2 * *"), ["*/2 month"]);
    assert_eq!(uneven("0 0 1 */5 *"), ["*/5 year"]);
    assert_eq!(uneven("*/15 */6 * */3 *"), [] as [&str; 0]);
    assert_eq!(uneven("0-30/7 * * * *"), [] as [&str; 0]);
}

#[test]
fn mistakes_are_reported_where_they_are() {
    for (text, wrong, message, help) in [
        ("", "", "empty", "`30 2 * * *`"),
        ("0 0 * *", "0 0 * *", "has 4", "any value"),
        ("0 */10 * * * *", "*", "has 6", "`every: 10s`"),
        ("0 0 0 1 1 ? 2030", "? 2030", "has 7", "`from:`"),
        ("60 * * * *", "60", "from 0 to 59", "field 1"),
        ("* 24 * * *", "24", "from 0 to 23", "field 2"),
        ("* * 0 * *", "0", "from 1 to 31", "field 3"),
        ("* * * 13 *", "13", "from 1 to 12", "JAN to DEC"),
        ("* * * * 8", "8", "from 0 to 7", "Sunday"),
        ("  0 0 * * FRY", "FRY", "no weekday", "SUN to SAT"),
        ("0 0 ? * *", "?", "no day of the month", "write `*`"),
        ("H H * * *", "H", "no minute", "jitter"),
        ("0 0 * * FRI#6", "6", "no week", "FRI#5"),
        ("0 0 * * FRIL", "FRIL", "no weekday", "`FRI#L`"),
        ("0 0 L-31 * *", "L-31", "before the last", "L-30"),
        ("0 0 32W * *", "32W", "working day", "`LW`"),
        ("0 0 +5W * *", "+5W", "working day", "`15W`"),
        ("*/0 * * * *", "0", "no step", "`*/5`"),
        ("*/+5 * * * *", "+5", "no step", "`*/5`"),
        ("*/90 * * * *", "90", "step of 90", "`every: 90m`"),
        ("0 */36 * * *", "36", "step of 36", "`every: 36h`"),
        ("0 22-2 * * *", "22-2", "backwards", "`22-23,0-2`"),
        ("0 0 * * FRI-MON", "FRI-MON", "backwards", "`5-6,0-1`"),
        ("0,,5 * * * *", "", "empty item", "comma"),
        ("1-2-3 * * * *", "2-3", "no minute", "0 to 59"),
        ("-1 * * * *", "", "no minute", "0 to 59"),
        ("@reboot", "@reboot", "no time", "systemd"),
        ("@every 5m", "@every 5m", "no expression", "`every: 5m`"),
        ("@dayly", "@dayly", "not known", "@daily"),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", "CRON_TZ=Asia/Tokyo", "zone", "`timezone: Asia/Tokyo`"),
        ("0 0 30 2 *", "0 0 30 2 *", "never", "`L`"),
        ("0 0 31 4,6,9,11 *", "0 0 31 4,6,9,11 *", "never", "`L`"),
    ] {
        let error = Expression::parse(text, Combination::Either).unwrap_err();
        assert_eq!(&text[error.span.clone()], wrong, "{text}: {error:?}");
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert!(error.help.contains(help), "{text}: {error:?}");
    }
    let never = Expression::parse("0 0 29 2 MON#1", Combination::All).unwrap_err();
    assert!(never.message.contains("never"));
    assert!(Expression::parse("0 0 29 2 MON#5", Combination::All).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in "[-*/,#@LW0-9A-Z \t?é]{0,24}") {
        if let Err(error) = Expression::parse(&text, Combination::Either) {
            proptest::prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
        }
    }
}
