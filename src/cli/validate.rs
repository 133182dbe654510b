//! `wfx validate`: checks documents without running them.

use std::path::PathBuf;

use serde_json::json;

use super::source::Document;
use super::{CliError, Context};
use crate::exit::Exit;
use crate::terminal::OutputFormat;
use crate::workflow::problem::visible;

/// What was typed after `wfx validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Workflows, JSON or YAML by their extension; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Checks every file and tells every problem.
///
/// # Errors
/// When the result cannot be written. Bad documents are exit 2.
pub fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let ui = &context.ui;
    let as_json = matches!(ui.format(), OutputFormat::Json | OutputFormat::Jsonl);
    let mut exit = Exit::Success;
    let mut results = Vec::new();
    for file in &args.files {
        let name = file.display().to_string();
        let checked = match Document::read(file) {
            Ok(document) => document.check(),
            Err(error) => {
                exit = Exit::Usage;
                if as_json {
                    let problem = json!({"line": null, "column": null, "pointer": "",
                        "message": error.to_string(), "help": null});
                    results.push(json!({"file": name, "valid": false, "problems": [problem]}));
                } else {
                    ui.error(&error.to_string(), None);
                }
                continue;
            }
        };
        match checked {
            Ok(definition) if as_json => {
                results.push(json!({"file": name, "valid": true, "id": definition.id,
                    "steps": definition.steps.len(), "problems": []}));
            }
            Ok(definition) => {
                let steps = definition.steps.len();
                let noun = if steps == 1 { "step" } else { "steps" };
                ui.line(&format!(
                    "{}: ok, workflow {} with {steps} {noun}",
                    visible(&name),
                    definition.id
                ))?;
            }
            Err(problems) => {
                exit = Exit::Usage;
                if as_json {
                    let list: Vec<_> = problems.iter().collect();
                    results.push(json!({"file": name, "valid": false, "problems": list}));
                } else {
                    ui.error(&problems.to_string(), None);
                }
            }
        }
    }
    match ui.format() {
        OutputFormat::Json => ui.json(&results)?,
        OutputFormat::Jsonl => {
            for result in &results {
                ui.json(result)?;
            }
        }
        _ => {}
    }
    Ok(exit)
}
