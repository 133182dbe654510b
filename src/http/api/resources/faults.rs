//! Problems that are not the fault of the client.

use hyper::StatusCode;

use crate::http::exchange::problem::Problem;
use crate::repository::{StoreError, StoreErrorKind};

/// What is wrong is wfx.
pub(in crate::http) fn fault(detail: &str) -> Problem {
    tracing::error!(detail, "a fault of wfx");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("a fault of wfx: {detail}"))
}

pub(in crate::http) fn unavailable(error: &StoreError) -> Problem {
    const RETRY_AFTER: u32 = 2;
    let problem = match error.kind() {
        // Of what was asked for, not of the store.
        StoreErrorKind::Ambiguous => Problem::new(StatusCode::CONFLICT, error.to_string()),
        _ => Problem::unavailable(error.to_string(), RETRY_AFTER),
    };
    match error.hint() {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}
