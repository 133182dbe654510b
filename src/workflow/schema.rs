//! The published JSON Schema of workflow documents.

/// JSON Schema (draft 2020-12) of a workflow document. It covers what a schema can express; names
/// that must exist, be unique or wait for no cycle are checked by [`check`](super::check) alone.
pub(crate) const WORKFLOW: &str = include_str!("workflow.schema.json");
