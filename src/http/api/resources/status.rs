//! The state of every workflow.

use serde_json::json;

use crate::base::clock;
use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::operations::status::{self, ScheduleFacts};

impl Resources {
    /// Of those of the folder, and of those that have executions.
    pub(super) fn status(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let now = clock::now();
        let (summaries, facts) = self
            .readers
            .read(|reader| Ok((reader.summaries(None)?, ScheduleFacts::read(reader, now)?)))?;
        let workflows = status::of_workflows(&self.catalogue.list(), summaries, &facts, now);
        Ok(Reply::json(&json!({ "workflows": workflows })))
    }
}
