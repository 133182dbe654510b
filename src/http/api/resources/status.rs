//! The state of every workflow.

use serde_json::json;

use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::operations::status;

impl Resources {
    /// Of those of the folder, and of those that have executions.
    pub(super) fn status(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let summaries = self.readers.read(|reader| reader.summaries(None))?;
        let workflows = status::of_workflows(&self.catalogue.list(), summaries);
        Ok(Reply::json(&json!({ "workflows": workflows })))
    }
}
