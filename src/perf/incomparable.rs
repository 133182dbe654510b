//! Why a run and a baseline cannot be compared: a gate that silently compares nothing would
//! let everything pass.

use super::judgement::Metric;

/// How many endpoints an error names.
const NAMED_MAX: usize = 10;

/// Why a run and a baseline cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// Nothing was measured.
    #[error("the source has no endpoints")]
    Nothing,
    /// No endpoint is tracked.
    #[error("TRACK_ENDPOINTS `{filter}` matches none of the {among}: {}", names(.endpoints))]
    Filter {
        filter: String,
        /// What `endpoints` are.
        among: &'static str,
        endpoints: Vec<String>,
    },
    /// The baseline has endpoints that were not measured.
    #[error("the baseline has what was not observed: {}", names(.0))]
    Unobserved(Vec<String>),
    /// No endpoint that was observed is in the baseline.
    #[error(
        "nothing was judged: the baseline has none of what was observed: {}",
        names(.observed)
    )]
    NothingJudged {
        /// What was observed.
        observed: Vec<String>,
        /// What the baseline has.
        known: Vec<String>,
    },
    /// A figure is none.
    #[error("the {metric} of {endpoint} is `{found}` and no latency")]
    NoLatency {
        endpoint: String,
        metric: Metric,
        /// The value found.
        found: String,
    },
    /// A figure that is needed is not there.
    #[error("the source states no {metric} of {endpoint}")]
    Missing { endpoint: String, metric: Metric },
}

impl Incomparable {
    /// What can be done.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Nothing => "let it measure at least one".to_owned(),
            Self::Filter { .. } => {
                "give substrings of endpoints as they are written there, or unset it".to_owned()
            }
            Self::Unobserved(_) => "measure them, leave them out with TRACK_ENDPOINTS, or remove \
                 them from the baseline"
                .to_owned(),
            Self::NothingJudged { known, .. } if known.is_empty() => {
                "it is empty: record what was observed with --update-baseline".to_owned()
            }
            Self::NothingJudged { known, .. } => format!(
                "it has {}: were endpoints renamed? --update-baseline records those that are new",
                names(known)
            ),
            Self::NoLatency { .. } => {
                "measure again: without requests there are no figures".to_owned()
            }
            Self::Missing { metric: Metric::P95, .. } => "let it state 95 % (of Locust: \
                 PERCENTILES_TO_REPORT), or remove `p95_ms` from the baseline"
                .to_owned(),
            Self::Missing { .. } => "measure again".to_owned(),
        }
    }
}

fn names(endpoints: &[String]) -> String {
    let mut text = endpoints.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if endpoints.len() > NAMED_MAX {
        text += &format!(" and {} more", endpoints.len() - NAMED_MAX);
    }
    text
}
