//! `wfx config`: every setting, its value and where it comes from.

use serde_json::json;

use super::{CliError, Context};
use crate::base::exit::Exit;
use crate::repository::Reader;
use crate::settings::{Origin, RETENTION, Shown};
use crate::terminal::OutputFormat;

/// What was typed after `wfx config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows the settings, bad ones with what is wrong with them.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn run(_args: &Args, context: &Context) -> Result<Exit, CliError> {
    let mut shown = context.settings.shown();
    follow_daemon(&mut shown, context);
    let files = context.settings.config_files();
    if matches!(context.ui.format(), OutputFormat::Json | OutputFormat::Jsonl) {
        let settings: Vec<_> = shown
            .iter()
            .map(|setting| {
                json!({
                    "name": setting.name,
                    "group": setting.group.name(),
                    "value": setting.value,
                    "origin": setting.origin.to_string(),
                    "problem": setting.problem,
                })
            })
            .collect();
        let files: Vec<_> = files
            .iter()
            .map(|(path, used)| json!({"path": path.display().to_string(), "used": used}))
            .collect();
        context.ui.json(&json!({"settings": settings, "files": files}))?;
        return Ok(Exit::Success);
    }
    show(shown, context)?;
    for channel in context.settings.channels().unwrap_or_default() {
        channel.warnings.iter().for_each(|warning| context.ui.warning(warning));
    }
    if let Some(error) = context.settings.config_problem() {
        context.ui.warning(&error.to_string());
    }
    for (path, used) in files {
        let state = if used { "used" } else { "not used" };
        context.ui.note(&format!("configuration file {}: {state}", path.display()));
    }
    Ok(Exit::Success)
}

/// A table with a heading for each group; `plain` has one line for each setting.
fn show(shown: Vec<Shown>, context: &Context) -> Result<(), CliError> {
    let is_plain = context.ui.format() == OutputFormat::Plain;
    let indent = if is_plain { "" } else { "  " };
    let row = |setting: Shown| {
        let value = match (setting.value, setting.problem) {
            (Some(value), Some(problem)) => format!("{value}  (bad: {problem})"),
            (None, Some(problem)) => format!("(bad: {problem})"),
            (Some(value), None) => value,
            (None, None) => "(unset)".to_owned(),
        };
        vec![format!("{indent}{}", setting.name), value, setting.origin.to_string()]
    };
    let mut rows = Vec::new();
    let mut group = None;
    for setting in shown {
        if !is_plain && group.replace(setting.group) != Some(setting.group) {
            rows.push(vec![setting.group.title().to_owned(), String::new(), String::new()]);
        }
        rows.push(row(setting));
    }
    context.ui.table(&["setting", "value", "from"], &rows)?;
    Ok(())
}

/// Replaces the default retention by the one that a daemon has stored in this database.
fn follow_daemon(shown: &mut [Shown], context: &Context) {
    let Some(retention) = shown
        .iter_mut()
        .find(|setting| setting.name == RETENTION && setting.origin == Origin::Default)
        .filter(|setting| setting.problem.is_none())
    else {
        return;
    };
    // A database that cannot be read is no matter here.
    let stored = || Reader::open(&context.settings.database().ok()?).ok()?.retention().ok()?;
    if let Some(keep) = stored() {
        retention.value = Some(keep.unwrap_or(0).to_string());
        retention.origin = Origin::Database;
    }
}
