//! The query string: each key known, once, and readable.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use crate::base::period::Period;
use crate::base::visible::quote;
use crate::http::api::route::decode;
use crate::http::exchange::problem::Problem;
use crate::workflow::check::GivenBy;

/// The keys and values of a query string, without its `?`, in the order they were sent. `+`
/// is a space, as forms write it; a key without `=` has an empty value.
///
/// # Errors
/// 400 for a key that is not in `known`, one that comes twice, and what cannot be decoded.
pub fn pairs<'q>(
    query: &'q str,
    known: &[&'static str],
) -> Result<Vec<(&'static str, Cow<'q, str>)>, Problem> {
    let mut pairs: Vec<(&'static str, Cow<'q, str>)> = Vec::new();
    if query.is_empty() {
        return Ok(pairs);
    }
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (text(key, pair)?, text(value, pair)?);
        let Some(known_key) = known.iter().find(|known| **known == key) else {
            return Err(unknown(&key, known));
        };
        if pairs.iter().any(|(earlier, _)| earlier == known_key) {
            return Err(Problem::bad_request(format!(
                "the query has {} more than once",
                quote(&key)
            ))
            .with_hint("send each key once"));
        }
        pairs.push((known_key, value));
    }
    Ok(pairs)
}

fn text<'q>(written: &'q str, pair: &str) -> Result<Cow<'q, str>, Problem> {
    let undecodable = || {
        Problem::bad_request(format!("{} in the query is not escaped correctly", quote(pair)))
            .with_hint("escape each byte that is no letter or digit as % and two hex digits")
    };
    if !written.contains('+') {
        return decode(written).ok_or_else(undecodable);
    }
    let spaced = written.replace('+', " ");
    decode(&spaced).map(|text| Cow::Owned(text.into_owned())).ok_or_else(undecodable)
}

fn unknown(key: &str, known: &[&str]) -> Problem {
    let problem = Problem::bad_request(format!("the query has an unknown key {}", quote(key)));
    if known.is_empty() {
        return problem.with_hint("no query is taken here");
    }
    problem.with_hint(format!("known here: {}", known.join(", ")))
}

/// The query of a request: known keys, each once.
pub(super) struct Query<'q>(Vec<(&'static str, Cow<'q, str>)>);

impl<'q> Query<'q> {
    pub(super) fn read(query: &'q str, known: &[&'static str]) -> Result<Self, Problem> {
        pairs(query, known).map(Self)
    }

    /// The value of a key as what it stands for; 400 when it does not, with what it `takes`.
    pub(super) fn parsed<T: FromStr>(&self, key: &str, takes: &str) -> Result<Option<T>, Problem> {
        let value = self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        let read = |value: &Cow<'_, str>| {
            value.parse().map_err(|_| {
                Problem::bad_request(format!("the query key `{key}` cannot be {}", quote(value)))
                    .with_hint(format!("it takes {takes}"))
            })
        };
        value.map(read).transpose()
    }
}

/// The keys that [`wait`] reads.
pub(super) const WAIT_KEYS: [&str; 2] = ["wait", "fail"];

/// How a request waits for what it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// For how long.
    pub(super) limit: Duration,
    /// Whether the answer is 424 unless the execution succeeded.
    pub(super) fail: bool,
}

/// How a request waits for what it started, from the query: `wait=30s`, at most 5m, and
/// `fail=true`.
pub(super) fn wait(query: &Query<'_>) -> Result<Option<Wait>, Problem> {
    const WAIT_MAX: Duration = Duration::from_secs(300);
    let takes = "a duration of at most 5m such as 30s";
    let fail = query.parsed::<bool>("fail", "true or false")?.unwrap_or(false);
    match query.parsed::<Period>("wait", takes)? {
        Some(period) if period.duration() > WAIT_MAX => {
            Err(Problem::bad_request("the query key `wait` is too long")
                .with_hint(format!("it takes {takes}")))
        }
        None if fail => Err(Problem::bad_request("the query key `fail` needs `wait`").with_hint(
            "add how long the answer may wait for the end of the execution, such as wait=30s",
        )),
        period => Ok(period.map(|period| Wait { limit: period.duration(), fail })),
    }
}

/// How much of the output of steps an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Output {
    /// The end of each stream, as it is kept.
    #[default]
    Tail,
    /// None; only how long it was.
    None,
}

impl FromStr for Output {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tail" => Ok(Self::Tail),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

/// How much of the output of steps is wanted: `output=none`.
pub(super) fn output(query: &Query<'_>) -> Result<Output, Problem> {
    Ok(query.parsed::<Output>("output", "tail or none")?.unwrap_or_default())
}

/// How the parameters in a body are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParamsAre {
    /// Values of JSON: `3` is a number and `"3"` a text.
    Json,
    /// Text as in flags of the command line: `"3"` is a number where one is declared.
    Text,
}

impl FromStr for ParamsAre {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(()),
        }
    }
}

/// Where the parameters of a request come from: `params=text` says that they were flags.
pub(super) fn given_by(query: &Query<'_>) -> Result<GivenBy, Problem> {
    let are = query.parsed::<ParamsAre>("params", "json or text")?;
    Ok(match are.unwrap_or(ParamsAre::Json) {
        ParamsAre::Json => GivenBy::Request,
        ParamsAre::Text => GivenBy::Flags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["limit", "offset", "status"];

    #[test]
    fn keys_and_values_come_decoded_and_in_order() {
        let read = |query| {
            let pairs = pairs(query, KNOWN).unwrap();
            pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read("offset=5&limit=10"), ["offset=5", "limit=10"]);
        assert_eq!(read("l%69mit=%31"), ["limit=1"]);
        assert_eq!(read("status=a+b%2Bc=d"), ["status=a b+c=d"]);
        assert_eq!(read("limit"), ["limit="]);
        assert_eq!(read("limit="), ["limit="]);
    }

    #[test]
    fn what_was_sent_is_repeated_shortened_and_visible() {
        let long = "x".repeat(50_000);
        let hostile = format!("{long}%0a%00%e2%80%ae");
        for query in [format!("{hostile}=1"), format!("limit={hostile}"), format!("limit=%{long}")]
        {
            let problem = Query::read(&query, KNOWN)
                .and_then(|query| query.parsed::<u32>("limit", "a number"))
                .unwrap_err();
            assert!(problem.detail().len() < 300, "{}", problem.detail().len());
        }
        let problem = Query::read("limit=%0a%00%e2%80%ae", KNOWN)
            .and_then(|query| query.parsed::<u32>("limit", "a number"))
            .unwrap_err();
        assert!(problem.detail().contains(r"`\n\u{0}\u{202e}`"), "{}", problem.detail());
    }

    #[test]
    fn what_is_unknown_repeated_or_undecodable_is_refused() {
        for (query, told) in [
            ("limits=1", "unknown key `limits`"),
            ("Limit=1", "unknown key `Limit`"),
            ("=1", "unknown key ``"),
            ("limit=1&", "unknown key ``"),
            ("limit=1&&offset=1", "unknown key ``"),
            ("limit=1&limit=1", "more than once"),
            ("limit=1&l%69mit=2", "more than once"),
            ("limit=%", "escaped"),
            ("limit=%f", "escaped"),
            ("limit=%ff", "escaped"),
            ("limit=+%ff", "escaped"),
            ("%zz=1", "escaped"),
        ] {
            let problem = pairs(query, KNOWN).unwrap_err();
            assert_eq!(problem.status(), 400, "{query}");
            assert!(problem.detail().contains(told), "{query}: {}", problem.detail());
        }
        assert!(pairs("x=1", &[]).unwrap_err().detail().contains("no query is taken here"));
    }
}
