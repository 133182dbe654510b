//! A declared parameter: its default, and the rules that its values keep.

use std::cmp::Ordering;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Number;

use super::decimal;
use super::scalar::Scalar;
use crate::base::visible::{quote, quote_list};

/// The longest pattern, bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 4_096;
/// The most memory of a compiled pattern, bytes. `\w` takes some 30 KiB each time, since it has the
/// letters of all languages.
const PATTERN_PROGRAM_BYTES_MAX: usize = 10 << 20;
/// What is tried first, and doubled: so that it is known about how much a pattern takes.
const PATTERN_PROGRAM_BYTES_FIRST: usize = 16 << 10;
/// The most memory of a compiled pattern that takes values of any length: a match takes the product
/// of both, some second at most.
const PATTERN_PROGRAM_BYTES_USUAL: usize = 128 << 10;
/// The longest value of a larger one.
const LARGE_PATTERN_VALUE_BYTES_MAX: usize = 1_024;
/// The remedy for a larger one.
const PATTERN_TOO_LARGE: &str = "it is too large when it is compiled: repeat less, or name ASCII \
     characters, such as `[A-Za-z0-9_]` for `\\w`";

/// A parameter as a workflow declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// [`Scalar::Null`]: the parameter is required.
    pub default: Scalar,
    /// What a map declares; `None` for the short form, which is the default alone.
    pub rules: Option<Box<Rules>>,
}

/// What a parameter takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// `None`: any text, number or boolean.
    pub kind: Option<Kind>,
    /// The only values, if any are listed.
    pub choices: Vec<Scalar>,
    /// The smallest number.
    pub min: Option<Number>,
    /// The largest number.
    pub max: Option<Number>,
    /// What the whole text matches.
    pub pattern: Option<Pattern>,
    /// For people.
    pub description: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    String,
    /// A whole number of 64 bits.
    Int,
    Number,
    Bool,
}

impl Kind {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::String, Self::Int, Self::Number, Self::Bool];

    /// Its name in a document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Number => "number",
            Self::Bool => "bool",
        }
    }

    /// What it takes, in words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::Bool => "`true` or `false`",
        }
    }
}

/// A regular expression that a whole text has to match, in linear time.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    whole: regex::Regex,
    /// About how much memory it takes.
    bytes: usize,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// # Errors
    /// Why it is no regular expression, or too large a one.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("it has {} bytes of at most {PATTERN_BYTES_MAX}", text.len()));
        }
        let compile = |text: &str, bytes: usize| {
            let mut builder = regex::RegexBuilder::new(text);
            builder.size_limit(bytes).dfa_size_limit(PATTERN_PROGRAM_BYTES_USUAL).build()
        };
        // Alone first, so that `a)|(b` is no pattern.
        let mut bytes = PATTERN_PROGRAM_BYTES_FIRST;
        loop {
            match compile(text, bytes) {
                Err(regex::Error::CompiledTooBig(_)) if bytes < PATTERN_PROGRAM_BYTES_MAX => {
                    bytes = PATTERN_PROGRAM_BYTES_MAX.min(bytes * 2);
                }
                Err(regex::Error::CompiledTooBig(_)) => return Err(PATTERN_TOO_LARGE.to_owned()),
                Err(error) => return Err(reason(&error.to_string())),
                Ok(_) => break,
            }
        }
        // A comment of the flag `x` would hide the bracket on its line.
        let whole = compile(&format!(r"\A(?:{text})\z"), PATTERN_PROGRAM_BYTES_MAX)
            .or_else(|_| compile(&format!("\\A(?:{text}\n)\\z"), PATTERN_PROGRAM_BYTES_MAX))
            .map_err(|_| PATTERN_TOO_LARGE.to_owned())?;
        Ok(Self { text: text.to_owned(), whole, bytes })
    }

    /// About how much memory it takes.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The longest value that it takes, if a match of a longer one would take long.
    fn value_bytes_max(&self) -> Option<usize> {
        (self.bytes > PATTERN_PROGRAM_BYTES_USUAL).then_some(LARGE_PATTERN_VALUE_BYTES_MAX)
    }

    /// The regular expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether all of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.value_bytes_max().is_none_or(|most| text.len() <= most) && self.whole.is_match(text)
    }
}

/// The last line of an error of the parser; the others draw the expression.
fn reason(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Why a value is none of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What the parameter takes instead, to follow "takes".
    pub takes: String,
    /// What may be meant.
    pub remedy: Option<String>,
}

impl Rules {
    /// The value that text stands for, as a command line gives it.
    ///
    /// # Errors
    /// [`Misfit`]: it is none of the type, or against the rules.
    pub fn read(&self, text: &str) -> Result<Scalar, Misfit> {
        if let Some(choice) = self.choice(text)? {
            return Ok(choice);
        }
        let value = match self.kind {
            None | Some(Kind::String) => Some(Scalar::String(text.to_owned())),
            Some(Kind::Bool) => match text {
                "true" => Some(Scalar::Bool(true)),
                "false" => Some(Scalar::Bool(false)),
                _ => None,
            },
            Some(Kind::Int | Kind::Number) => as_number(text).map(Scalar::Number),
        };
        let value = value.ok_or_else(|| self.misfit(self.meant(text)))?;
        self.check(&value)?;
        Ok(value)
    }

    /// Whether a value of a document or a request is one of the parameter: it has to have the type.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn take(&self, value: &Scalar) -> Result<Scalar, Misfit> {
        let fits = match (self.kind, value) {
            (_, Scalar::Null) => false,
            (None, _)
            | (Some(Kind::String), Scalar::String(_))
            | (Some(Kind::Int | Kind::Number), Scalar::Number(_))
            | (Some(Kind::Bool), Scalar::Bool(_)) => true,
            _ => false,
        };
        if !fits {
            return Err(self.misfit(self.meant_by(value)));
        }
        if let Some(choice) = self.choice(&value.to_string())? {
            return Ok(choice);
        }
        self.check(value)?;
        Ok(value.clone())
    }

    /// The listed value that has this text; `None` if no values are listed.
    fn choice(&self, text: &str) -> Result<Option<Scalar>, Misfit> {
        if self.choices.is_empty() {
            return Ok(None);
        }
        match self.choices.iter().find(|choice| choice.to_string() == text) {
            Some(choice) => Ok(Some(choice.clone())),
            None => Err(self.misfit(None)),
        }
    }

    /// Checks a value that has the type against bounds and pattern.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn check(&self, value: &Scalar) -> Result<(), Misfit> {
        let is_within = match value {
            Scalar::Number(number) => {
                let is_kind = self.kind != Some(Kind::Int)
                    || (decimal::is_whole(number) && number.as_str().parse::<i64>().is_ok());
                let over = |bound: &Number, order| decimal::compare(number, bound) == order;
                is_kind
                    && !self.min.as_ref().is_some_and(|min| over(min, Ordering::Less))
                    && !self.max.as_ref().is_some_and(|max| over(max, Ordering::Greater))
            }
            Scalar::String(text) => {
                self.pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
            }
            Scalar::Null | Scalar::Bool(_) => true,
        };
        if is_within { Ok(()) } else { Err(self.misfit(None)) }
    }

    fn misfit(&self, remedy: Option<String>) -> Misfit {
        Misfit { takes: self.in_words(), remedy }
    }

    /// What it takes, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        if !self.choices.is_empty() {
            let texts: Vec<String> = self.choices.iter().map(Scalar::to_string).collect();
            return match &texts[..] {
                [only] => quote(only),
                texts => format!("one of {}", quote_list(texts.iter().map(String::as_str))),
            };
        }
        let mut words =
            self.kind.map_or("text, a number, `true` or `false`", Kind::in_words).to_owned();
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => words += &format!(" from {min} to {max}"),
            (Some(min), None) => words += &format!(" of at least {min}"),
            (None, Some(max)) => words += &format!(" of at most {max}"),
            (None, None) if self.kind == Some(Kind::Int) => words += " of 64 bits",
            (None, None) => {}
        }
        if let Some(pattern) = &self.pattern {
            words += &format!(" that matches {}", quote(pattern.as_str()));
            if let Some(most) = pattern.value_bytes_max() {
                words +=
                    &format!(" and has at most {most} bytes, since that is large when compiled");
            }
        }
        words
    }

    /// The value that a text probably means, as a remedy.
    fn meant(&self, text: &str) -> Option<String> {
        let plain = text.trim().to_ascii_lowercase();
        match self.kind? {
            Kind::Bool => match plain.as_str() {
                "true" | "yes" | "y" | "on" | "1" | "t" => Some("write `true`".to_owned()),
                "false" | "no" | "n" | "off" | "0" | "f" => Some("write `false`".to_owned()),
                _ => None,
            },
            Kind::Int | Kind::Number => {
                let digits = plain.trim_start_matches('+').replace('_', "");
                let bare = digits.trim_start_matches('0');
                let bare = if bare.is_empty() && !digits.is_empty() { "0" } else { bare };
                let bare = if bare.starts_with('.') { format!("0{bare}") } else { bare.to_owned() };
                as_number(&bare).map(|number| format!("write `{number}`"))
            }
            Kind::String => None,
        }
    }

    fn meant_by(&self, value: &Scalar) -> Option<String> {
        match (self.kind, value) {
            (Some(Kind::String), Scalar::Number(_) | Scalar::Bool(_)) => {
                Some("put it in quotes".to_owned())
            }
            (Some(Kind::Int | Kind::Number), Scalar::String(text)) if as_number(text).is_some() => {
                Some("write it without quotes".to_owned())
            }
            (Some(Kind::Bool), Scalar::String(text))
                if ["true", "false"].contains(&text.as_str()) =>
            {
                Some("write it without quotes".to_owned())
            }
            (_, Scalar::String(text)) => self.meant(text),
            (Some(Kind::Bool), value) => self.meant(&value.to_string()),
            _ => None,
        }
    }
}

/// The number with exactly this text.
fn as_number(text: &str) -> Option<Number> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if is_plain { serde_json::from_str(text).ok() } else { None }
}

impl From<Scalar> for Parameter {
    /// The short form.
    fn from(default: Scalar) -> Self {
        Self { default, rules: None }
    }
}

impl Serialize for Parameter {
    /// As it was declared: the default alone, or a map.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(rules) = &self.rules else { return self.default.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        if let Some(kind) = rules.kind {
            map.serialize_entry("type", kind.as_str())?;
        }
        if !rules.choices.is_empty() {
            map.serialize_entry("enum", &rules.choices)?;
        }
        if let Some(min) = &rules.min {
            map.serialize_entry("min", min)?;
        }
        if let Some(max) = &rules.max {
            map.serialize_entry("max", max)?;
        }
        if let Some(pattern) = &rules.pattern {
            map.serialize_entry("pattern", pattern.as_str())?;
        }
        if self.default != Scalar::Null {
            map.serialize_entry("default", &self.default)?;
        }
        if let Some(description) = &rules.description {
            map.serialize_entry("description", description)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(kind: Kind) -> Rules {
        Rules { kind: Some(kind), ..Rules::default() }
    }

    fn read(rules: &Rules, text: &str) -> Result<String, String> {
        let read = rules.read(text).map(|value| value.to_string());
        read.map_err(|misfit| misfit.remedy.unwrap_or(misfit.takes))
    }

    #[test]
    fn text_becomes_a_value_of_the_type() {
        for (kind, text, expected) in [
            (Kind::Int, "3", Ok("3")),
            (Kind::Int, "-0", Ok("-0")),
            (Kind::Int, "9223372036854775807", Ok("9223372036854775807")),
            (Kind::Int, "9223372036854775808", Err("a whole number of 64 bits")),
            (Kind::Int, "3.0", Err("a whole number of 64 bits")),
            (Kind::Int, "1e3", Err("a whole number of 64 bits")),
            (Kind::Int, "+5", Err("write `5`")),
            (Kind::Int, "007", Err("write `7`")),
            (Kind::Int, " 3", Err("write `3`")),
            (Kind::Int, "1_000", Err("write `1000`")),
            (Kind::Int, "", Err("a whole number of 64 bits")),
            (Kind::Int, "٣", Err("a whole number of 64 bits")),
            (Kind::Number, "1.10", Ok("1.10")),
            (Kind::Number, "1e5", Ok("1e+5")),
            (Kind::Number, ".5", Err("write `0.5`")),
            (Kind::Number, "NaN", Err("a number")),
            (Kind::Bool, "true", Ok("true")),
            (Kind::Bool, "yes", Err("write `true`")),
            (Kind::Bool, "OFF", Err("write `false`")),
            (Kind::Bool, "maybe", Err("`true` or `false`")),
            (Kind::String, "$(id)\n", Ok("$(id)\n")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read(&rules(kind), text), expected, "{kind:?} {text:?}");
        }
    }

    #[test]
    fn a_pattern_takes_the_whole_text_in_linear_time() {
        let takes = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().matches(text);
        assert!(takes("v[0-9]+", "v12") && !takes("v[0-9]+", "v12; id") && !takes("a|b", "ab"));
        assert!(!takes("(?m)^a$", "a\nb") && !takes("a$", "a\n"));
        assert!(takes("(?x) a # a comment", "a") && !takes("(?x) a # a comment", "b"));
        assert!(takes(r"\w{1,128}", "größe") && !takes(r"\w{1,128}", "a b"));
        assert!(!takes("(a+)+$", &format!("{}b", "a".repeat(100_000))));
        for bad in ["(", "a)|(b", "(?=a)", r"(a)\1", "[z-a]", "(a{1000}){1000}"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
        assert!(Pattern::new(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_large_pattern_takes_no_long_value() {
        let rules = |pattern: &str| Rules {
            pattern: Some(Pattern::new(pattern).unwrap()),
            ..rules(Kind::String)
        };
        let (small, large) = (rules("[ab]*"), rules("(?:[ab]{1,1000}){1,8}|[ab]*"));
        let long = "ab".repeat(50_000);
        assert!(small.read(&long).is_ok());
        assert!(large.read(&long[..1_024]).is_ok());
        let misfit = large.read(&long[..1_025]).unwrap_err();
        assert!(misfit.takes.contains("at most 1024 bytes"), "{misfit:?}");
    }

    #[test]
    fn many_values_are_not_all_listed() {
        let choices = (0..1_000).map(|n| Scalar::String(format!("v{n}"))).collect();
        let rules = Rules { choices, ..rules(Kind::String) };
        let takes = rules.read("x").unwrap_err().takes;
        assert!(takes.starts_with("one of `v0`, `v1`") && takes.ends_with("`v9`, …"), "{takes}");
    }
}
