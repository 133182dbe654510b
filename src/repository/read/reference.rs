//! Which execution somebody means.                                                      (pure)

use uuid::Uuid;

use crate::repository::error::{StoreError, StoreErrorKind};

/// How many executions an ambiguous prefix names.
const CANDIDATES_SHOWN: usize = 5;
/// So many candidates tell whether there are more than are named.
pub(crate) const CANDIDATES_MAX: usize = CANDIDATES_SHOWN + 1;

/// What names one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// The newest.
    Latest,
    /// That with this `seq`.
    Number(i64),
    /// That with this id, or whose id begins so, or the newest of the workflow with this id.
    Name(&'a str),
}

impl<'a> Reference<'a> {
    /// Reads `@latest`, `@N` or a name; `None` for what can name nothing.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some("latest") => Some(Self::Latest),
            Some(number) => number.parse().ok().map(Self::Number),
            None => (!text.is_empty()).then_some(Self::Name(text)),
        }
    }
}

/// The execution that a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its number in this database, once it is stored.
    pub seq: Option<i64>,
    /// Its id everywhere.
    pub execution_id: String,
}

/// An execution that a name may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) found: Found,
    pub(crate) workflow_id: String,
    /// As it is stored.
    pub(crate) created_at: String,
}

/// Whether this is a whole id as wfx gives them out, so that nothing else can be meant.
#[must_use]
pub(crate) fn is_whole_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

/// The one execution that `name` means, which is no whole id: that whose id begins so, of at most
/// [`CANDIDATES_MAX`] that do, or the latest of the workflow with this id.
pub(crate) fn only_one(
    name: &str,
    by_prefix: Vec<Candidate>,
    of_workflow: Option<Candidate>,
) -> Result<Option<Found>, StoreError> {
    let several = match &of_workflow {
        // It may be among those by prefix as well.
        Some(latest) => by_prefix.iter().any(|candidate| candidate.found != latest.found),
        None => by_prefix.len() > 1,
    };
    if !several {
        return Ok(of_workflow.or_else(|| by_prefix.into_iter().next()).map(|one| one.found));
    }
    let mut message = match &of_workflow {
        None => format!("`{name}` begins the ids of several executions:"),
        Some(latest) => format!(
            "`{name}` is a workflow, whose latest execution is\n  {}\nand it begins the ids of \
             executions:",
            latest.shown()
        ),
    };
    for candidate in by_prefix.iter().take(CANDIDATES_SHOWN) {
        message.push_str("\n  ");
        message.push_str(&candidate.shown());
    }
    if by_prefix.len() > CANDIDATES_SHOWN {
        message.push_str("\n  …");
    }
    Err(StoreError::new(StoreErrorKind::Ambiguous, message)
        .with_hint("give more of the id, or @N with the seq"))
}

impl Candidate {
    fn shown(&self) -> String {
        let number =
            self.found.seq.map_or_else(|| "not stored yet".to_owned(), |seq| format!("@{seq}"));
        format!("{} ({number}, {}, {})", self.found.execution_id, self.workflow_id, self.created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, seq: i64) -> Candidate {
        Candidate {
            found: Found { seq: Some(seq), execution_id: id.to_owned() },
            workflow_id: "w".to_owned(),
            created_at: "2026-01-31T12:00:00Z".to_owned(),
        }
    }

    fn one(by_prefix: &[(&str, i64)], of_workflow: Option<(&str, i64)>) -> Result<i64, String> {
        let by_prefix = by_prefix.iter().map(|(id, seq)| candidate(id, *seq)).collect();
        let of_workflow = of_workflow.map(|(id, seq)| candidate(id, seq));
        match only_one("name", by_prefix, of_workflow) {
            Ok(found) => Ok(found.and_then(|found| found.seq).unwrap_or(0)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_name_means_one_execution_or_is_ambiguous() {
        assert_eq!(one(&[], None), Ok(0));
        assert_eq!(one(&[("a1", 1)], None), Ok(1));
        assert_eq!(one(&[], Some(("b1", 2))), Ok(2));
        // The same one by both.
        assert_eq!(one(&[("a1", 1)], Some(("a1", 1))), Ok(1));
        for (by_prefix, of_workflow) in [
            (&[("a1", 1), ("a2", 2)][..], None),
            (&[("a1", 1)], Some(("b1", 2))),
            (&[("a1", 1), ("a2", 2)], Some(("a1", 1))),
        ] {
            let message = one(by_prefix, of_workflow).unwrap_err();
            for (id, seq) in by_prefix.iter().chain(&of_workflow) {
                assert!(message.contains(&format!("{id} (@{seq}, w, ")), "{message}");
            }
        }
    }
}
