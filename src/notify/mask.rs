//! Replaces secrets in texts that go to channels by `***`.                             (pure)
//!
//! A secret is found as it is, and in the forms in which programs print it: line by line, escaped as
//! JSON, percent-encoded, and base64 at any position of a longer text. Values that are shorter than
//! [`LENGTH_MIN`] are not masked, since they would be found in every other text.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use regex::Regex;

use crate::base::json;

/// What stands for a secret.
pub(crate) const MASKED: &str = "***";
/// The shortest value that is masked, characters.
const LENGTH_MIN: usize = 6;
/// The shortest part of a secret that is masked where a text is cut in the middle of it, bytes.
const PART_MIN: usize = 4;
/// The most forms, and the most bytes of all of them together, so that the search ends soon.
const FORMS_MAX: usize = 10_000;
const FORMS_BYTES_MAX: usize = 4 << 20;

/// Words in the names of variables that hold secrets.
const SECRET_WORDS: [&str; 6] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"];
/// Ends of such names.
const SECRET_ENDS: [&str; 2] = ["KEY", "KEYS"];

/// What stays as it is in a value of a URL.
const IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The password in a URL.
#[expect(clippy::expect_used, reason = "the pattern is fixed, and a test uses it")]
static URL_PASSWORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:([^\s/]+)@").expect("a valid pattern")
});

/// Whether the value of a variable or parameter of this name is to be masked.
#[must_use]
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Secrets, in every form in which they are looked for.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    forms: BTreeSet<String>,
    bytes: usize,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("forms", &self.forms.len()).finish()
    }
}

impl Mask {
    /// Adds a secret.
    pub(crate) fn add(&mut self, value: &str) {
        let value = value.trim();
        self.add_forms(value);
        if value.contains(char::is_whitespace) {
            // As `echo $VALUE` prints it.
            self.add_forms(&value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if value.contains('\n') {
            value.lines().for_each(|line| self.add_forms(line.trim()));
        }
    }

    /// Adds a URL that is a secret: as a whole, its path with its query, and its user's password.
    pub(crate) fn add_url(&mut self, url: &str) {
        let url = url.trim();
        self.add(url);
        let Some((_, rest)) = url.split_once("://") else { return };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if path.len() > LENGTH_MIN {
            self.add(path);
        }
        if let Some((_, password)) =
            authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'))
        {
            self.add(password);
            self.add(&percent_decode_str(password).decode_utf8_lossy());
        }
    }

    /// Whether there is more than is searched for.
    #[must_use]
    pub(crate) fn is_too_long(&self) -> bool {
        self.bytes > FORMS_BYTES_MAX || self.forms.len() > FORMS_MAX
    }

    fn add_forms(&mut self, value: &str) {
        if value.chars().count() < LENGTH_MIN || self.is_too_long() {
            return;
        }
        self.insert(value.to_owned());
        if let Ok(quoted) = json::to_string(&value) {
            self.insert(quoted.trim_matches('"').to_owned());
        }
        let encoded = utf8_percent_encode(value, IN_VALUE).to_string();
        self.insert(with_lower_hex(&encoded));
        self.insert(encoded.replace("%20", "+"));
        self.insert(encoded);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            self.insert(engine.encode(value));
            // Of a longer text, the characters that only the value decides.
            for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
                let mut text = vec![0; before];
                text.extend_from_slice(value.as_bytes());
                let is_open = text.len() % 3 != 0;
                let encoded = engine.encode(&text);
                let end = encoded.len() - usize::from(is_open);
                self.insert(encoded[skip..end].to_owned());
            }
        }
    }

    fn insert(&mut self, form: String) {
        let bytes = form.len();
        if bytes >= LENGTH_MIN && self.forms.insert(form) {
            self.bytes += bytes;
        }
    }

    /// Where secrets are in a text, ascending and apart. With `begins_cut`, the text may begin in the
    /// middle of one; every text may end in the middle of one, since whoever prints it may be killed.
    #[must_use]
    pub(crate) fn ranges(&self, text: &str, begins_cut: bool) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for form in &self.forms {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(form.as_str())) {
                let start = from + at;
                found.push(start..start + form.len());
                // It may overlap with itself.
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
            }
            let parts = (PART_MIN..form.len()).rev();
            if begins_cut {
                let is_end = |length: &usize| {
                    let part = &form.as_bytes()[form.len() - length..];
                    text.as_bytes().starts_with(part)
                };
                found.extend(parts.clone().find(is_end).map(|length| 0..length));
            }
            let is_begin = |length: &usize| text.as_bytes().ends_with(&form.as_bytes()[..*length]);
            found
                .extend(parts.clone().find(is_begin).map(|length| text.len() - length..text.len()));
        }
        found.extend(
            URL_PASSWORD.captures_iter(text).filter_map(|it| it.get(1)).map(|it| it.range()),
        );
        found.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found {
            // A part may begin in the middle of a character.
            let start = (0..=range.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let end = (range.end..text.len()).find(|at| text.is_char_boundary(*at));
            let end = end.unwrap_or(text.len());
            match apart.last_mut() {
                Some(last) if last.end >= start => last.end = last.end.max(end),
                _ => apart.push(start..end),
            }
        }
        apart
    }

    /// A text that is whole, without its secrets.
    #[must_use]
    pub(crate) fn apply(&self, text: &str) -> String {
        replaced(text, 0, &self.ranges(text, false))
    }
}

/// A part of a text that begins at `from`, with `***` for each of the ranges that it shares with the
/// whole.
#[must_use]
pub(crate) fn replaced(part: &str, from: usize, ranges: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(part.len());
    let mut at = 0;
    for range in ranges {
        let start = range.start.saturating_sub(from).max(at);
        let end = range.end.saturating_sub(from).min(part.len());
        if start >= end {
            continue;
        }
        shown += &part[at..start];
        shown += MASKED;
        at = end;
    }
    shown + &part[at..]
}

/// `%2F` -> `%2f`.
fn with_lower_hex(encoded: &str) -> String {
    let mut lower = String::with_capacity(encoded.len());
    for (index, part) in encoded.split('%').enumerate() {
        if index == 0 {
            lower += part;
            continue;
        }
        let (hex, rest) = part.split_at(part.len().min(2));
        lower.push('%');
        lower += &hex.to_ascii_lowercase();
        lower += rest;
    }
    lower
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn mask(values: &[&str]) -> Mask {
        let mut mask = Mask::default();
        values.iter().for_each(|value| mask.add(value));
        mask
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "WFX_TOKEN",
            "api_token",
            "DB_PASSWORD",
            "db_passwd_2",
            "SECRET_KEY_BASE",
            "AWS_ACCESS_KEY",
            "apikey",
            "GOOGLE_CREDENTIALS",
            "Passphrase",
            "GithubToken",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["HOME", "KEYBOARD", "PASS", "USER", "KEY_ID", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_masked_in_every_form() {
        let secret = "s3cr/et \"x\"&ü";
        let mask = mask(&[secret]);
        let percent = "s3cr%2Fet%20%22x%22%26%C3%BC";
        for shown in [
            secret.to_owned(),
            "{\"a\":\"s3cr/et \\\"x\\\"&ü\"}".to_owned(),
            percent.to_owned(),
            percent.to_ascii_lowercase(),
            percent.replace("%20", "+"),
            STANDARD.encode(secret),
        ] {
            let text = format!("a {shown} b");
            let masked = mask.apply(&text);
            assert!(masked.contains(MASKED) && !masked.contains("s3cr"), "{text}: {masked}");
            assert!(!masked.contains(&STANDARD.encode(secret)[..10]), "{text}: {masked}");
            assert!(masked.starts_with("a ") && masked.ends_with(" b"), "{masked}");
        }
        assert_eq!(mask.apply("nothing here"), "nothing here");
    }

    #[test]
    fn short_values_are_left() {
        assert_eq!(mask(&["12345", "", "a\nb"]).apply("12345 a b"), "12345 a b");
        assert_eq!(mask(&["123456"]).apply("12345 123456"), "12345 ***");
    }

    #[test]
    fn lines_of_a_secret_are_masked_alone() {
        let mask = mask(&["-----BEGIN-----\nabcdefgh\nijklmnop\n"]);
        assert_eq!(mask.apply("abcdefgh"), MASKED);
        assert_eq!(mask.apply("-----BEGIN----- abcdefgh ijklmnop"), MASKED);
        assert_eq!(mask.apply("x -----BEGIN-----\nabcdefgh\nijklmnop y"), "x *** y");
    }

    #[test]
    fn what_a_cut_leaves_of_a_secret_is_masked() {
        let mask = mask(&["correct-horse"]);
        let cut = |text: &str| replaced(text, 0, &mask.ranges(text, true));
        assert_eq!(cut("horse and more"), "*** and more");
        assert_eq!(mask.apply("and more corre"), "and more ***");
        assert_eq!(mask.apply("horse and more"), "horse and more");
    }

    #[test]
    fn passwords_of_urls_are_masked() {
        let mask = Mask::default();
        for (text, masked) in [
            ("postgres://u:p@ss@host/db", "postgres://u:***@host/db"),
            ("to http://h:80/path?mail=a@b", "to http://h:80/path?mail=a@b"),
            ("redis://:pw@h x", "redis://:***@h x"),
        ] {
            assert_eq!(mask.apply(text), masked);
        }
        let mut own = Mask::default();
        own.add_url("https://hooks.example.com/services/T0/abcdef?x=1");
        own.add_url("https://user:p%40ssword@example.com/");
        assert_eq!(own.apply("POST /services/T0/abcdef?x=1 401"), "POST *** 401");
        assert_eq!(own.apply("p@ssword p%40ssword /"), "*** *** /");
    }

    #[test]
    fn too_many_secrets_are_known_to_be_too_many() {
        let mut many = Mask::default();
        (0..20_000).for_each(|n| many.add(&format!("secret-{n}")));
        let mut long = Mask::default();
        long.add(&"x1".repeat(1 << 20));
        assert!(many.is_too_long() && long.is_too_long() && !mask(&["secret"]).is_too_long());
        assert!(many.forms.len() < 2 * FORMS_MAX);
    }

    proptest! {
        #[test]
        fn no_secret_is_left(
            before in "[ -)+-~ü]{0,9}", secret in "[ -~ü]{6,20}", after in "[ -)+-~ü]{0,9}",
        ) {
            prop_assume!(secret.trim().chars().count() >= 6);
            let mask = mask(&[&secret]);
            let secret = secret.trim();
            let masked = mask.apply(&format!("{before}{secret}{after}"));
            prop_assert!(!masked.contains(secret), "{masked}");
            let encoded = STANDARD.encode(format!("{before}{secret}{after}"));
            let masked = mask.apply(&encoded);
            prop_assert!(masked.contains(MASKED), "{encoded} {masked}");
            // What is left decodes to less than half of it.
            let left = encoded.len() - (masked.len() - MASKED.len());
            prop_assert!(left * 3 >= secret.len() * 2, "{encoded} {masked}");
        }

        #[test]
        fn any_text_is_masked_at_characters(text in "\\PC{0,30}", secret in "\\PC{6,12}") {
            let mask = mask(&[&secret]);
            let _ = replaced(&text, 0, &mask.ranges(&text, true));
        }
    }
}
