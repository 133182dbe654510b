//! `wfx validate`: checks documents without running them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::source::Document;
use super::{CliError, Context};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::visible::{quote_list, visible};
use crate::operations::catalogue;
use crate::operations::folder_defaults::{self, UnusableDefaults};
use crate::operations::rehearsal::local;
use crate::schedule::rules::Schedule;
use crate::terminal::{OutputFormat, Ui};
use crate::workflow::check::Problems;
use crate::workflow::defaults::{AppliedDefaults, FILE_NAME, FolderDefaults};
use crate::workflow::definition::Definition;
use crate::workflow::notification::Notify;

/// How many times of each schedule are shown.
const NEXT_TIMES: usize = 3;

/// What was typed after `wfx validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Workflows, JSON or YAML by their extension, or folders of them; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// What is wrong with a file.
enum Wrong {
    /// It cannot be read.
    Unread(String),
    /// It is no workflow, or no defaults.
    Bad(Problems),
}

/// What a file holds.
enum Good {
    /// A workflow, and what is allowed in it and hardly meant.
    Workflow(Box<Definition>, Option<Problems>),
    /// The defaults of its folder.
    Defaults(Box<FolderDefaults>),
}

/// Checks every file and reports every problem.
///
/// # Errors
/// When the result cannot be written. Bad documents are exit 2.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let ui = &context.ui;
    let as_json = matches!(ui.format(), OutputFormat::Json | OutputFormat::Jsonl);
    let mut exit = Exit::Success;
    let mut results = Vec::new();
    // What is wrong with the configuration file is no matter here.
    let channels = context.settings.channels().unwrap_or_default();
    let channels: Vec<String> = channels.into_iter().map(|channel| channel.name).collect();
    for (file, checked) in checked(&args.files) {
        let name = file.display().to_string();
        if checked.is_err() {
            exit = Exit::Usage;
        }
        if as_json {
            results.push(as_value(&name, &checked, &channels));
        } else {
            tell(ui, &name, &checked, &channels)?;
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

/// The files, those of folders, and the defaults of their folders if something is wrong with these
/// that is not reported with the file of defaults itself.
fn checked(arguments: &[PathBuf]) -> Vec<(PathBuf, Result<Good, Wrong>)> {
    let mut results = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for argument in arguments {
        if !argument.is_dir() {
            files.push(argument.clone());
            continue;
        }
        match catalogue::workflow_files(argument) {
            Err(error) => results.push((argument.clone(), Err(Wrong::Unread(error.to_string())))),
            Ok(found) => {
                let defaults =
                    Some(argument.join(FILE_NAME)).filter(|file| !folder_defaults::is_absent(file));
                if found.is_empty() && defaults.is_none() {
                    let why = format!("the folder `{}` holds no workflow", argument.display());
                    results.push((argument.clone(), Err(Wrong::Unread(why))));
                }
                files.extend(defaults.into_iter().chain(found));
            }
        }
    }
    let listed: HashSet<PathBuf> = files.iter().cloned().collect();
    let mut looked_at = HashSet::new();
    for file in files {
        let beside = file.with_file_name(FILE_NAME);
        if file.as_os_str() != "-"
            && !looked_at.contains(&beside)
            && let Err(why) = folder_defaults::beside(&file)
        {
            looked_at.insert(beside.clone());
            // Of a file that reads well, somebody else is the owner.
            if !listed.contains(&beside) || folder_defaults::read(&beside).is_ok() {
                results.push((beside, Err(why.into())));
            }
        }
        let checked = check(&file);
        results.push((file, checked));
    }
    refuse_differing_limits(&mut results, arguments);
    results
}

/// The channels that a workflow names and the configuration file does not have. Where that has none,
/// it may be another machine's, and nothing is known.
fn unknown_channels(definition: &Definition, known: &[String]) -> Vec<String> {
    let named = definition.notify.iter().flat_map(Notify::channels);
    let unknown = named.filter(|name| !known.is_empty() && !known.iter().any(|it| it == name));
    unknown.map(str::to_owned).collect()
}

fn unknown_channel(name: &str, known: &[String]) -> String {
    format!(
        "`notify` names the channel `{name}`, and the configuration file has only {}",
        quote_list(known.iter().map(String::as_str))
    )
}

/// Workflows of one folder that give a concurrency group another limit than the file before them.
fn refuse_differing_limits(results: &mut [(PathBuf, Result<Good, Wrong>)], arguments: &[PathBuf]) {
    for folder in arguments.iter().filter(|argument| argument.is_dir()) {
        let mut limits = HashMap::new();
        for (file, checked) in results.iter_mut().filter(|(file, _)| file.parent() == Some(folder))
        {
            let Ok(Good::Workflow(definition, _)) = checked else { continue };
            catalogue::add_limit(&mut limits, file, definition);
            if let Some(why) = catalogue::differing_limit(&limits, definition) {
                let why = format!("{}: {why}", file.display());
                *checked = Err(Wrong::Unread(why));
            }
        }
    }
}

fn check(file: &Path) -> Result<Good, Wrong> {
    if file.file_name().is_some_and(|name| name == FILE_NAME) {
        return Ok(Good::Defaults(Box::new(folder_defaults::read(file)?)));
    }
    let document = Document::read(file).map_err(|error| Wrong::Unread(error.to_string()))?;
    let (definition, lints) = document.check_alone().map_err(Wrong::Bad)?;
    Ok(Good::Workflow(Box::new(definition), lints))
}

impl From<UnusableDefaults> for Wrong {
    fn from(why: UnusableDefaults) -> Self {
        match why {
            UnusableDefaults::Unread(..) => Self::Unread(why.to_string()),
            UnusableDefaults::Bad(problems) => Self::Bad(problems),
        }
    }
}

fn as_value(name: &str, checked: &Result<Good, Wrong>, channels: &[String]) -> Value {
    match checked {
        Ok(Good::Workflow(definition, lints)) => {
            let warnings = lints.iter().flat_map(Problems::iter).map(|lint| json!(lint));
            let unknown = unknown_channels(definition, channels).into_iter().map(|name| {
                json!({"line": null, "column": null, "pointer": "/notify",
                    "message": unknown_channel(&name, channels), "help": null})
            });
            let warnings: Vec<Value> = warnings.chain(unknown).collect();
            let mut value = json!({"file": name, "valid": true, "id": definition.id,
                "steps": definition.steps.len(), "problems": [], "warnings": warnings});
            let schedules = next_times(definition);
            if !schedules.is_empty() {
                value["schedules"] = json!(schedules);
            }
            if let Some(defaults) = &definition.from_folder {
                value["defaults"] = json!(defaults);
            }
            value
        }
        Ok(Good::Defaults(_)) => {
            json!({"file": name, "valid": true, "problems": [], "warnings": []})
        }
        Err(Wrong::Unread(why)) => {
            let problem = json!({"line": null, "column": null, "pointer": "",
                "message": why, "help": null});
            json!({"file": name, "valid": false, "problems": [problem]})
        }
        Err(Wrong::Bad(problems)) => {
            let list: Vec<_> = problems.iter().collect();
            json!({"file": name, "valid": false, "problems": list})
        }
    }
}

/// When a schedule is due next.
#[derive(Debug, Serialize)]
struct NextTimes {
    schedule: String,
    timezone: String,
    /// On the clocks of the zone, with their offset.
    next: Vec<String>,
}

fn next_times(definition: &Definition) -> Vec<NextTimes> {
    let Some(scheduling) = &definition.scheduling else { return Vec::new() };
    let now = clock::now();
    let of_schedule = |schedule: &Schedule| NextTimes {
        schedule: visible(&schedule.name),
        timezone: schedule.zone_name().to_owned(),
        next: schedule.after(now).take(NEXT_TIMES).map(|at| local(at, &schedule.zone)).collect(),
    };
    scheduling.rules.schedules.iter().map(of_schedule).collect()
}

fn tell(ui: &Ui, name: &str, checked: &Result<Good, Wrong>, channels: &[String]) -> io::Result<()> {
    let name = visible(name);
    match checked {
        Ok(Good::Workflow(definition, lints)) => {
            if let Some(lints) = lints {
                ui.warning(&lints.to_string());
            }
            for unknown in unknown_channels(definition, channels) {
                ui.warning(&format!("{name}: {}", unknown_channel(&unknown, channels)));
            }
            let steps = definition.steps.len();
            let noun = if steps == 1 { "step" } else { "steps" };
            ui.line(&format!("{name}: ok, workflow {} with {steps} {noun}", definition.id))?;
            for NextTimes { schedule, timezone, next } in next_times(definition) {
                let next = if next.is_empty() { "never again".to_owned() } else { next.join(", ") };
                ui.line(&format!("  {schedule}: next {next} ({timezone})"))?;
            }
            if let Some(AppliedDefaults { file, set }) = &definition.from_folder {
                let set = set.iter().map(|pointer| visible(pointer.trim_start_matches('/')));
                let set = set.collect::<Vec<_>>().join(", ");
                ui.line(&format!("  {set}: from {}", visible(file)))?;
            }
        }
        Ok(Good::Defaults(defaults)) => {
            let keys: Vec<String> = defaults.keys().iter().map(|key| visible(key)).collect();
            let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
            ui.line(&format!("{name}: ok, defaults for the workflows of its folder: {keys}"))?;
        }
        Err(Wrong::Unread(why)) => ui.error(why, None),
        Err(Wrong::Bad(problems)) => ui.error(&problems.to_string(), None),
    }
    Ok(())
}
