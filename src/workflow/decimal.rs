//! Compares decimal numbers exactly, by their text: a float would take `0.1` and
//! `0.10000000000000000001` for one number.

use std::cmp::Ordering;

use serde_json::Number;

/// A number as 0.DIGITS × 10^exponent.
struct Decimal {
    is_negative: bool,
    /// Without zeros at either end; empty: zero.
    digits: Vec<u8>,
    exponent: i128,
}

impl Decimal {
    /// Of a JSON number, which has a valid text.
    fn of(number: &Number) -> Self {
        let text = number.as_str();
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = all.iter().take_while(|&&digit| digit == b'0').count();
        let trailing = all[leading..].iter().rev().take_while(|&&digit| digit == b'0').count();
        let digits = all[leading..all.len() - trailing].to_vec();
        let exponent = written_exponent(exponent) + as_i128(whole.len()) - as_i128(leading);
        Self { is_negative, digits, exponent }
    }
}

/// An exponent too large for this type exceeds every length of a document by far, so that the
/// largest one stands for it.
fn written_exponent(text: &str) -> i128 {
    const LIMIT: i128 = i128::MAX / 4;
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let size = digits.parse::<i128>().unwrap_or(LIMIT).min(LIMIT);
    if is_negative { -size } else { size }
}

fn as_i128(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX / 4)
}

/// Orders two numbers by their values.
#[must_use]
pub(crate) fn compare(a: &Number, b: &Number) -> Ordering {
    let (a, b) = (Decimal::of(a), Decimal::of(b));
    let sign = |it: &Decimal| match (it.digits.is_empty(), it.is_negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    let (sign_a, sign_b) = (sign(&a), sign(&b));
    if sign_a != sign_b || sign_a == 0 {
        return sign_a.cmp(&sign_b);
    }
    let size = a.exponent.cmp(&b.exponent).then_with(|| a.digits.cmp(&b.digits));
    if sign_a < 0 { size.reverse() } else { size }
}

/// Whether the text is that of a whole number: no fraction and no exponent.
#[must_use]
pub(crate) fn is_whole(number: &Number) -> bool {
    !number.as_str().contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_and_not_texts_are_compared() {
        for (a, order, b) in [
            ("1", Ordering::Equal, "1.000"),
            ("-0", Ordering::Equal, "0.0e9"),
            ("10", Ordering::Equal, "1e1"),
            ("0.1", Ordering::Less, "0.10000000000000000001"),
            ("9007199254740993", Ordering::Greater, "9007199254740992"),
            ("-2", Ordering::Less, "-1.5"),
            ("1e-999999999999999999999", Ordering::Greater, "0"),
            ("1e999999999999999999999", Ordering::Greater, "1e308"),
            ("-1e999", Ordering::Less, "-5"),
            ("0.05", Ordering::Less, "0.4"),
        ] {
            assert_eq!(compare(&number(a), &number(b)), order, "{a} {b}");
            assert_eq!(compare(&number(b), &number(a)), order.reverse(), "{b} {a}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_with_any_point_compare_as_integers(
            a in any::<i64>(), b in any::<i64>(), zeros in 0_usize..5,
        ) {
            let padded = format!("{b}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(compare(&number(&a.to_string()), &number(&padded)), a.cmp(&b));
            let shifted = format!("{a}{}e-{zeros}", "0".repeat(zeros));
            prop_assert_eq!(compare(&number(&shifted), &number(&b.to_string())), a.cmp(&b));
        }
    }
}
