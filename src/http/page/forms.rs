//! Forms as browsers send them.

use crate::http::api::route::decode;
use crate::http::exchange::problem::Problem;

/// The prefix of fields that are parameters of a workflow.
pub(super) const PARAMETER: &str = "p.";

/// The fields of a form in the order they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

/// A form that was refused.
pub(super) struct Refused<'a> {
    pub form: &'a Form,
    pub problem: &'a Problem,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// 400 for what cannot be decoded.
    pub(super) fn read(body: Option<&[u8]>) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body.unwrap_or_default())
            .map_err(|_| Problem::bad_request("the form is not UTF-8"))?;
        let decoded = |text: &str| {
            let spaced = text.replace('+', " ");
            decode(&spaced)
                .map(std::borrow::Cow::into_owned)
                .ok_or_else(|| Problem::bad_request("the form is not escaped as it should be"))
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(key)?, decoded(value)?))
        });
        pairs.collect::<Result<_, Problem>>().map(Self)
    }

    /// The value of a field; the first one if there are several.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(PARAMETER)?, value.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let form =
            Form::read(Some(b"p.day=1+%2B+1&p.%C3%A4=%0D%0A&mode=all&mode=x&empty=&bare")).unwrap();
        let parameters: Vec<_> = form.parameters().collect();
        assert_eq!(parameters, [("day", "1 + 1"), ("ä", "\r\n")]);
        assert_eq!(form.get("mode"), Some("all"));
        assert_eq!(
            (form.get("empty"), form.get("bare"), form.get("none")),
            (Some(""), Some(""), None)
        );
        assert_eq!(Form::read(None).unwrap(), Form::default());
        for broken in [&b"a=%"[..], b"a=%zz", b"a=%ff", b"\xff=1"] {
            assert_eq!(Form::read(Some(broken)).unwrap_err().status(), 400);
        }
    }
}
