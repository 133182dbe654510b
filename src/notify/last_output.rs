//! Reads the last lines of the step that a notification names, when it is sent: from the database,
//! where its execution is still there.
//!
//! Nothing of it is stored with the notification. The outbox stays small, and who ends an execution
//! reads nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task;
use tokio::time;

use super::excerpt::{Excerpt, excerpt};
use super::mask::{Mask, is_secret_name};
use crate::base::timestamp::Timestamp;
use crate::base::visible::visible;
use crate::repository::{Reader, StoreAddress, StoreError};
use crate::system::files;
use crate::workflow::check;
use crate::workflow::compiled::Snapshot;
use crate::workflow::definition::Step;
use crate::workflow::dotenv;
use crate::workflow::notification::Content;
use crate::workflow::output::page::{PageRequest, Selection};
use crate::workflow::record::StepRecord;

/// The most bytes of output that are read.
const BYTES_MAX: usize = 64 * 1024;
/// How long reading may take: files of variables may be on a network that hangs.
const TIME_MAX: Duration = Duration::from_secs(2);
/// How many read at a time. One that hangs occupies a thread; nothing can end it.
const READERS_MAX: usize = 8;

static READERS: Semaphore = Semaphore::const_new(READERS_MAX);

/// Reads the output of steps for notifications.
#[derive(Debug)]
pub(crate) struct LastOutput {
    database: StoreAddress,
    /// The secrets of wfx itself, and of its environment.
    own: Mask,
}

impl LastOutput {
    /// From this database.
    pub(crate) fn new(database: StoreAddress, own: Mask) -> Self {
        Self { database, own }
    }

    /// What a channel is sent of a notification: its content without secrets, and at most so many of
    /// the last lines of the step that it names.
    pub(crate) async fn of(&self, content: &Content, lines_max: usize) -> (Content, Excerpt) {
        let (mask, excerpt) = match (&content.execution_id, &content.step) {
            (Some(execution_id), Some(step)) => {
                let read = self.read_in_background(execution_id.clone(), step.clone(), lines_max);
                time::timeout(TIME_MAX, read).await.unwrap_or_else(|_| {
                    let why = format!("reading it took longer than {} s", TIME_MAX.as_secs());
                    (self.own.clone(), withheld(why))
                })
            }
            _ => (self.own.clone(), Excerpt::default()),
        };
        let error = content.error.as_ref().map(|error| mask.apply(error));
        let excerpt = if lines_max == 0 { Excerpt::default() } else { excerpt };
        (Content { error, ..content.clone() }, excerpt)
    }

    async fn read_in_background(
        &self,
        execution_id: String,
        step: String,
        lines_max: usize,
    ) -> (Mask, Excerpt) {
        // It is never closed.
        let permit = READERS.acquire().await.ok();
        let (database, own) = (self.database.clone(), self.own.clone());
        let read = move || {
            let _permit = permit;
            let mut mask = own;
            let read = read(&database, &execution_id, &step, lines_max, &mut mask);
            let excerpt = read.unwrap_or_else(|error| {
                tracing::debug!(%error, "cannot read the output of a step for a notification");
                withheld("the database cannot be read".to_owned())
            });
            (mask, excerpt)
        };
        match task::spawn_blocking(read).await {
            Ok(read) => read,
            Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
            Err(_) => (self.own.clone(), Excerpt::default()),
        }
    }
}

fn withheld(why: String) -> Excerpt {
    Excerpt { withheld: Some(why), ..Excerpt::default() }
}

/// Adds the secrets of the execution to `mask`; returns nothing where it was deleted.
fn read(
    database: &StoreAddress,
    execution_id: &str,
    name: &str,
    lines_max: usize,
    mask: &mut Mask,
) -> Result<Excerpt, StoreError> {
    let reader = Reader::open(database)?;
    let Some(step) = step(&reader, execution_id, name)? else { return Ok(Excerpt::default()) };
    // The definition of this execution may be another one than that with which a reused step ran.
    for id in [Some(execution_id), step.reused_from.as_deref()].into_iter().flatten() {
        let Some(execution) = reader.execution(id)? else { continue };
        let Ok(snapshot) = check::snapshot(&execution.input_snapshot.value()) else {
            return Ok(withheld("its definition cannot be read".to_owned()));
        };
        if let Err(why) = add_secrets(&snapshot, &step, mask) {
            return Ok(withheld(why));
        }
    }
    if mask.is_too_long() {
        return Ok(withheld("the values of its secrets are too long".to_owned()));
    }
    if lines_max == 0 {
        return Ok(Excerpt::default());
    }
    let selection = Selection {
        position: Some(step.position),
        attempt: Some(step.attempt),
        ..Selection::default()
    };
    let request =
        PageRequest { selection, from: 0, limit: BYTES_MAX, ends_at_gap: false, is_last: true };
    let page = reader.output(execution_id, &request)?;
    Ok(page.map_or_else(Excerpt::default, |page| excerpt(&page, mask, lines_max)))
}

/// The step or handler of this name.
fn step(reader: &Reader, execution_id: &str, name: &str) -> Result<Option<StepRecord>, StoreError> {
    let Some(position) = reader.position(execution_id, name)? else { return Ok(None) };
    let (steps, _) = reader.steps(execution_id, position, 0)?;
    if let Some(step) = steps.into_iter().find(|step| step.name == name) {
        return Ok(Some(step));
    }
    let handlers = reader.detail_within(execution_id, 0)?.map(|(detail, _)| detail.handlers);
    let mut handlers = handlers.unwrap_or_default().into_iter().map(|handler| handler.step);
    Ok(handlers.find(|handler| handler.name == name))
}

/// Adds the values with names of secrets that a definition sets: in `env` and `params`, and in the
/// files of variables as they are now.
///
/// # Errors
/// A file of this step that cannot be read now, or was changed since the step began: nobody knows the
/// values that the step had.
fn add_secrets(snapshot: &Snapshot, record: &StepRecord, mask: &mut Mask) -> Result<(), String> {
    let definition = snapshot.definition();
    let handlers = definition.handlers.iter().map(|handler| &handler.step);
    let steps: Vec<&Step> = definition.steps.iter().chain(handlers).collect();
    for (name, value) in definition.env.iter().chain(steps.iter().flat_map(|step| &step.env)) {
        if is_secret_name(name) {
            mask.add(value);
        }
    }
    for (name, value) in &snapshot.params {
        if is_secret_name(name) {
            mask.add(&value.to_string());
        }
    }
    let mut seen: Vec<PathBuf> = Vec::new();
    // Steps pass values on to those that follow, so that the files of all are read.
    for step in steps {
        for path in &step.process.env_file {
            let file = Path::new(&snapshot.workdir).join(path);
            let is_own = step.name == record.name;
            if !is_own && seen.contains(&file) {
                continue;
            }
            let variables = variables(&file, is_own.then_some(record.started_at).flatten());
            seen.push(file);
            match variables {
                Ok(variables) => {
                    let secrets = variables.iter().filter(|(name, _)| is_secret_name(name));
                    secrets.for_each(|(_, value)| mask.add(value));
                }
                Err(why) if is_own => {
                    return Err(format!("the env_file `{}` {why}", visible(path)));
                }
                Err(_) => {}
            }
        }
    }
    Ok(())
}

/// The variables of a regular file that was not changed since then.
fn variables(file: &Path, since: Option<Timestamp>) -> Result<Vec<(String, String)>, &'static str> {
    let cannot_be_read = "cannot be read now, so that its secrets are not known";
    let metadata = file.metadata().map_err(|_| cannot_be_read)?;
    if !metadata.is_file() {
        return Err("is no regular file, so that its secrets are not known");
    }
    let changed_us = metadata.ctime().saturating_mul(1_000_000) + metadata.ctime_nsec() / 1_000;
    if since.is_some_and(|since| changed_us > since.as_micros()) {
        return Err("was changed since the step began, so that its secrets are not known");
    }
    let bytes = files::read(file, dotenv::FILE_BYTES_MAX).map_err(|_| cannot_be_read)?;
    dotenv::parse(&bytes).map_err(|_| cannot_be_read)
}
