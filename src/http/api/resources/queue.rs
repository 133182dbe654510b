//! Who waits for a slot of a concurrency group.

use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::repository::Reader;

impl Resources {
    /// The groups in which something runs or waits.
    pub(super) fn queue(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let queue = self.readers.read(Reader::queue)?;
        Ok(Reply::json(&queue))
    }
}
