//! The workflows that are measured.

use std::sync::Arc;

use wfx::parts::workflow::check::{self, Format, Source};
use wfx::parts::workflow::{CompiledWorkflow, Parameters, Snapshot};

use crate::measure::Failure;

pub(crate) fn of(document: &str) -> Result<Snapshot, Failure> {
    let source = Source { name: "bench", text: document, format: Format::Yaml, default_id: None };
    let definition = check::read(&source)?;
    let compiled = Arc::new(CompiledWorkflow::of(definition)?);
    let workdir = "/".to_owned();
    Ok(Snapshot { compiled, params: Parameters::new(), workdir, source: None })
}

pub(crate) fn three_empty_steps() -> Result<Snapshot, Failure> {
    of("id: bench\nsteps: [{name: first}, {name: second}, {name: third}]")
}

/// What wfx stores of the workflow that is measured.
pub(crate) fn text() -> String {
    three_empty_steps().map(|s| serde_json::json!(s).to_string()).unwrap_or_default()
}
