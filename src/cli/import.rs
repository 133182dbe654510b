//! `wfx import`: what other programs run, as workflows.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::{CliError, Context, source};
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::units;
use crate::base::visible::quote;
use crate::base::zone;
use crate::operations::catalogue;
use crate::system::users;
use crate::workflow::crontab::{self, Imported, ImportedWorkflow, Options};

const EXAMPLES: &str = "\
Examples:
  crontab -l | wfx import crontab - --out workflows
  wfx import crontab /etc/crontab --out workflows --timezone Europe/Berlin
  wfx schedule sim workflows/*.yaml --from 2026-01-01 --to 2027-01-01

Exit codes:
  0  every line became a workflow     2  some did not; the others are written";

/// What was typed after `wfx import`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a workflow of each line of a crontab
    Crontab(CrontabArgs),
}

#[derive(Debug, clap::Args)]
struct CrontabArgs {
    /// The crontab; `-` reads standard input
    file: PathBuf,
    /// The folder for the workflows; it is created
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Whether each line names a user before its command, as in /etc/crontab; auto: as it looks
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    user_column: UserColumn,
    /// The zone in which cron reads the times [default: that of this machine]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Replace files that are there already
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum UserColumn {
    #[default]
    Auto,
    Yes,
    No,
}

/// Writes the workflows.
///
/// # Errors
/// Exit 2 for a crontab that cannot be read and files that are there already, 3 when a file cannot be
/// written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let Command::Crontab(args) = &args.command;
    let name = args.file.display().to_string();
    let text =
        if args.file.as_os_str() == "-" { source::stdin_text() } else { source::text(&args.file) };
    let refuse = |why: String| CliError::new(Exit::Usage, format!("cannot read `{name}`: {why}"));
    let text = text.map_err(refuse)?;
    let zone = match &args.timezone {
        Some(given) => match zone::named(given) {
            Some(_) => given.clone(),
            None => {
                let message = format!("{} is no time zone", quote(given));
                let hint = "write an IANA name, such as Europe/Berlin";
                return Err(CliError::new(Exit::Usage, message).with_hint(hint));
            }
        },
        None => zone_of_machine(context),
    };
    let user_column = match args.user_column {
        UserColumn::Auto => None,
        UserColumn::Yes => Some(true),
        UserColumn::No => Some(false),
    };
    let is_user = |name: &str| users::find(name).is_some();
    let imported = crontab::import(&text, &Options { user_column, zone: &zone, is_user: &is_user });
    if imported.workflows.is_empty() && imported.refused.is_empty() {
        return Err(CliError::new(Exit::Usage, format!("`{name}` has no line with a command")));
    }
    let files = write(args, &imported)?;
    show(&name, &imported, &files, args, context)?;
    Ok(if imported.refused.is_empty() { Exit::Success } else { Exit::Usage })
}

fn zone_of_machine(context: &Context) -> String {
    match clock::zone().iana_name() {
        Some(name) => name.to_owned(),
        None => {
            context.ui.warning(
                "the zone of this machine has no name, so times are taken for UTC: name their zone \
                 with --timezone",
            );
            "UTC".to_owned()
        }
    }
}

/// Writes a file for each workflow, unless one is there that may not be replaced.
fn write(args: &CrontabArgs, imported: &Imported) -> Result<Vec<PathBuf>, CliError> {
    let out = &args.out;
    let file = |workflow: &ImportedWorkflow| out.join(format!("{}.yaml", workflow.id));
    let files: Vec<PathBuf> = imported.workflows.iter().map(file).collect();
    let there: Vec<&PathBuf> =
        files.iter().filter(|file| file.symlink_metadata().is_ok()).collect();
    if let Some(first) = there.first()
        && !args.overwrite
    {
        let more = match there.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let message = format!("{} is there already{more}; nothing was written", first.display());
        let hint = "name another folder with --out, or replace them with --overwrite";
        return Err(CliError::new(Exit::Usage, message).with_hint(hint));
    }
    let failed = |what: &Path, error: &io::Error| {
        CliError::new(Exit::Environment, format!("cannot write {}: {error}", what.display()))
    };
    fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    for (file, workflow) in files.iter().zip(&imported.workflows) {
        let mut options = File::options();
        options.write(true);
        // Nobody else's file is replaced that came meanwhile.
        let options = match args.overwrite {
            true => options.create(true).truncate(true),
            false => options.create_new(true),
        };
        let written = options.open(file).and_then(|mut to| to.write_all(workflow.yaml.as_bytes()));
        written.map_err(|error| failed(file, &error))?;
    }
    Ok(files)
}

fn show(
    name: &str,
    imported: &Imported,
    files: &[PathBuf],
    args: &CrontabArgs,
    context: &Context,
) -> Result<(), CliError> {
    let ui = &context.ui;
    for refused in &imported.refused {
        let message = format!("{name}:{}: {}", refused.line, refused.message);
        ui.error(&message, Some(&refused.help));
    }
    if imported.user_column && args.user_column == UserColumn::Auto {
        ui.note("each line was taken to name a user; --user-column no says that it does not");
    }
    let same_id = other_workflows(args, imported);
    for id in same_id {
        ui.warning(&format!("another file in {} has the id {}", args.out.display(), quote(&id)));
    }
    if ui.format().is_json() {
        let workflows = imported.workflows.iter().zip(files).map(|(workflow, file)| {
            json!({"workflow_id": workflow.id, "file": file.display().to_string(),
                "line": workflow.line, "notes": workflow.notes})
        });
        let refused = imported.refused.iter().map(|refused| {
            json!({"line": refused.line, "message": refused.message, "help": refused.help})
        });
        let workflows: Vec<_> = workflows.collect();
        let refused: Vec<_> = refused.collect();
        ui.json(&json!({"user_column": imported.user_column, "workflows": workflows,
            "refused": refused}))?;
        return Ok(());
    }
    for (workflow, file) in imported.workflows.iter().zip(files) {
        ui.line(&format!("{}: line {}", file.display(), workflow.line))?;
    }
    let count = u64::try_from(files.len()).unwrap_or(u64::MAX);
    let refused = match imported.refused.len() {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    ui.note(&format!(
        "{}{refused}; what was not carried over stands in the files as comments",
        units::count(count, "workflow")
    ));
    Ok(())
}

/// Ids of written workflows that other files of the folder have too, by their names.
fn other_workflows(args: &CrontabArgs, imported: &Imported) -> Vec<String> {
    let stems: HashSet<String> = catalogue::workflow_files(&args.out)
        .unwrap_or_default()
        .iter()
        .filter(|file| file.extension().is_none_or(|extension| extension != "yaml"))
        .filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let ids = imported.workflows.iter().map(|workflow| &workflow.id);
    ids.filter(|id| stems.contains(*id)).cloned().collect()
}
