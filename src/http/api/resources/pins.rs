//! Executions that are pinned and unpinned.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::base::clock;
use crate::http::api::json_body;
use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::{executions, faults};
use crate::http::exchange::handler::Caller;
use crate::http::exchange::problem::{PointedError, Problem};
use crate::http::exchange::reply::Reply;
use crate::operations::pin::{self, NotPinned, REASON_BYTES_MAX};
use crate::workflow::pin::Pin;

/// Who pins over the API, where nobody says who asks.
const BY: &str = "api";
/// An execution that is not stored yet is, as soon as the database works.
const RETRY_AFTER: u32 = 1;

/// The body of a request to pin.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    reason: Option<String>,
}

impl Resources {
    /// Keeps an execution from retention.
    pub(super) async fn pin(
        &self,
        reference: &str,
        query: &str,
        body: Option<&[u8]>,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let body: Body = match body {
            None | Some(b"") => Body::default(),
            Some(body) => json_body::parse(body)?,
        };
        let reason = body.reason.filter(|reason| !reason.is_empty());
        let by = self.callers.name(caller).unwrap_or_else(|| BY.to_owned());
        self.set_pin(reference, Some(Pin { at: clock::now(), by, reason })).await
    }

    /// Lets retention delete an execution again.
    pub(super) async fn unpin(
        &self,
        reference: &str,
        query: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        executions::no_body(body)?;
        self.set_pin(reference, None).await
    }

    async fn set_pin(&self, reference: &str, pin: Option<Pin>) -> Result<Reply, Problem> {
        let execution_id = self.execution_id(reference)?;
        let answer = json!({"execution_id": execution_id, "pinned": pin});
        let (writer, memory) = (Arc::clone(&self.writer), Arc::clone(&self.memory));
        let id = execution_id.clone();
        let done = tokio::task::spawn_blocking(move || {
            pin::set(&writer, Some(&memory), &id, pin.as_ref(), Duration::ZERO)
        });
        match done.await.map_err(|fault| faults::fault(&fault.to_string()))? {
            Ok(()) => Ok(Reply::json(&answer)),
            Err(NotPinned::Unknown) => Err(executions::unknown(&execution_id)),
            Err(NotPinned::Unstored) => Err(Problem::unavailable(
                format!("execution {execution_id} is not stored yet"),
                RETRY_AFTER,
            )),
            Err(NotPinned::LongReason(bytes)) => {
                let detail = format!("`reason` has {bytes} bytes of at most {REASON_BYTES_MAX}");
                let fault = PointedError { pointer: "/reason".to_owned(), detail: detail.clone() };
                Err(Problem::bad_request(detail).with_errors(vec![fault]))
            }
            Err(NotPinned::Store(error)) => Err(faults::unavailable(&error)),
        }
    }
}
