//! The workflows of files.

use serde_json::json;

use crate::base::visible::quote;
use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::operations::catalogue::Entry;
use crate::workflow::compiled::CompiledWorkflow;

impl Resources {
    /// All of them, broken ones too.
    pub(super) fn workflows(&self, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let entries = self.catalogue.list();
        let items: Vec<_> = entries.iter().map(summary).collect();
        Ok(Reply::json(&json!({"items": items, "total": items.len()})))
    }

    /// One of them, with its definition.
    pub(super) fn workflow(&self, workflow_id: &str, query: &str) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let entries = self.catalogue.list();
        // Of two files with one id, that which is run.
        let mut named = entries.iter().filter(|entry| entry.workflow_id == workflow_id);
        let entry = named
            .clone()
            .find(|entry| entry.compiled.is_some())
            .or_else(|| named.next())
            .ok_or_else(|| unknown(workflow_id))?;
        let mut value = summary(entry);
        let definition = entry.compiled.as_deref().map(CompiledWorkflow::definition);
        value["definition"] = json!(definition);
        if let Some(defaults) = definition.and_then(|definition| definition.from_folder.as_ref()) {
            value["defaults"] = json!(defaults);
        }
        Ok(Reply::json(&value))
    }
}

fn summary(entry: &Entry) -> serde_json::Value {
    let definition = entry.compiled.as_deref().map(CompiledWorkflow::definition);
    json!({
        "workflow_id": entry.workflow_id,
        "name": definition.and_then(|definition| definition.name.as_ref()),
        "description": definition.and_then(|definition| definition.description.as_ref()),
        "steps": definition.map(|definition| definition.steps.len()),
        "params": definition.map(|definition| &definition.params),
        "file": entry.file.display().to_string(),
        "loaded_at": entry.loaded_at,
        "problem": entry.problem,
    })
}

pub(super) fn unknown(workflow_id: &str) -> Problem {
    Problem::not_found(format!("there is no workflow {}", quote(workflow_id)))
        .with_hint("GET /api/v1/workflows shows those that are known")
}
