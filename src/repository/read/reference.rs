//! Which execution somebody means.                                                      (pure)

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
    /// That with this id.
    Id(&'a str),
}

impl<'a> Reference<'a> {
    /// Reads `@latest`, `@N` or an id; `None` for what can name nothing.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some("latest") => Some(Self::Latest),
            Some(number) => number.parse().ok().map(Self::Number),
            None => (!text.is_empty()).then_some(Self::Id(text)),
        }
    }
}

/// The execution that a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its number in this database.
    pub seq: i64,
    /// Its id everywhere.
    pub execution_id: String,
}

/// An execution whose id begins with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) found: Found,
    pub(crate) workflow_id: String,
    /// As it is stored.
    pub(crate) created_at: String,
}

/// The one execution whose id begins with `prefix`, of at most [`CANDIDATES_MAX`] that do.
pub(crate) fn only_one(
    prefix: &str,
    candidates: Vec<Candidate>,
) -> Result<Option<Found>, StoreError> {
    if candidates.len() > 1 {
        let mut message = format!("`{prefix}` begins the ids of several executions:");
        for Candidate { found, workflow_id, created_at } in candidates.iter().take(CANDIDATES_SHOWN)
        {
            message.push_str(&format!(
                "\n  {} (@{}, {workflow_id}, {created_at})",
                found.execution_id, found.seq
            ));
        }
        if candidates.len() > CANDIDATES_SHOWN {
            message.push_str("\n  …");
        }
        return Err(StoreError::new(StoreErrorKind::Ambiguous, message)
            .with_hint("give more of the id, or @N with the seq"));
    }
    Ok(candidates.into_iter().next().map(|candidate| candidate.found))
}
