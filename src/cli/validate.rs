//! `wfx validate`: checks documents without running them.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::source::Document;
use super::{CliError, Context};
use crate::base::exit::Exit;
use crate::base::visible::visible;
use crate::terminal::{OutputFormat, Ui};
use crate::workflow::check::Problems;
use crate::workflow::definition::Definition;

/// What was typed after `wfx validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Workflows, JSON or YAML by their extension; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// What is wrong with a file.
enum Wrong {
    /// It cannot be read.
    Unread(CliError),
    /// It is no workflow.
    Bad(Problems),
}

/// A workflow, and what is allowed in it and hardly meant.
type Good = (Definition, Option<Problems>);

/// Checks every file and reports every problem.
///
/// # Errors
/// When the result cannot be written. Bad documents are exit 2.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let ui = &context.ui;
    let as_json = matches!(ui.format(), OutputFormat::Json | OutputFormat::Jsonl);
    let mut exit = Exit::Success;
    let mut results = Vec::new();
    for file in &args.files {
        let name = file.display().to_string();
        let checked = check(file);
        if checked.is_err() {
            exit = Exit::Usage;
        }
        if as_json {
            results.push(as_value(&name, &checked));
        } else {
            tell(ui, &name, &checked)?;
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

fn check(file: &Path) -> Result<Good, Wrong> {
    Document::read(file).map_err(Wrong::Unread)?.check().map_err(Wrong::Bad)
}

fn as_value(name: &str, checked: &Result<Good, Wrong>) -> Value {
    match checked {
        Ok((definition, lints)) => {
            let warnings: Vec<_> = lints.iter().flat_map(Problems::iter).collect();
            json!({"file": name, "valid": true, "id": definition.id,
                "steps": definition.steps.len(), "problems": [], "warnings": warnings})
        }
        Err(Wrong::Unread(error)) => {
            let problem = json!({"line": null, "column": null, "pointer": "",
                "message": error.to_string(), "help": null});
            json!({"file": name, "valid": false, "problems": [problem]})
        }
        Err(Wrong::Bad(problems)) => {
            let list: Vec<_> = problems.iter().collect();
            json!({"file": name, "valid": false, "problems": list})
        }
    }
}

fn tell(ui: &Ui, name: &str, checked: &Result<Good, Wrong>) -> io::Result<()> {
    match checked {
        Ok((definition, lints)) => {
            if let Some(lints) = lints {
                ui.warning(&lints.to_string());
            }
            let steps = definition.steps.len();
            let noun = if steps == 1 { "step" } else { "steps" };
            let (name, id) = (visible(name), &definition.id);
            ui.line(&format!("{name}: ok, workflow {id} with {steps} {noun}"))?;
        }
        Err(Wrong::Unread(error)) => ui.error(&error.to_string(), None),
        Err(Wrong::Bad(problems)) => ui.error(&problems.to_string(), None),
    }
    Ok(())
}
