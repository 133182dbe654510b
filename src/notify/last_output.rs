//! Reads the last lines of the step that a notification names, when it is sent: from the database,
//! where its execution is still there.
//!
//! Nothing of it is stored with the notification. The outbox stays small, and who ends an execution
//! reads nothing.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task;
use tokio::time;

use super::excerpt::{Excerpt, excerpt};
use super::mask::{Mask, is_secret_name};
use super::own_words;
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

/// Why secrets are not known that are not searched for.
const TOO_LONG: &str = "the values of its secrets are too long";
/// How far the times of files may be behind the clock: they come from one that ticks.
const CLOCK_TICK_US: i64 = 10_000;
/// How many links a path may lead over, as in Linux.
const LINKS_MAX: usize = 40;

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
    /// the last lines of the step that it names. Where the secrets are not known, its error is left out
    /// like the lines.
    pub(crate) async fn of(&self, content: &Content, lines_max: usize) -> (Content, Excerpt) {
        let Some(execution_id) = &content.execution_id else {
            let masked = |error: &String| match self.own.is_too_long() {
                true => own_words::without_secrets(error, None, TOO_LONG),
                false => self.own.apply(error),
            };
            let error = content.error.as_ref().map(masked);
            return (Content { error, ..content.clone() }, Excerpt::default());
        };
        let wanted = Wanted {
            execution_id: execution_id.clone(),
            step: content.step.clone(),
            error: content.error.clone(),
            lines_max,
        };
        let read = time::timeout(TIME_MAX, self.read_in_background(wanted)).await;
        let took_too_long = || {
            let why = format!("reading its execution took longer than {} s", TIME_MAX.as_secs());
            Err(Unknown::Because(why))
        };
        let (error, excerpt) = read.unwrap_or_else(|_| took_too_long()).unwrap_or_else(|unknown| {
            let why = unknown.to_string();
            let step = content.step.as_deref();
            let error =
                content.error.as_ref().map(|error| own_words::without_secrets(error, step, &why));
            let excerpt = match unknown {
                Unknown::Because(why) if step.is_some() => withheld(why),
                _ => Excerpt::default(),
            };
            (error, excerpt)
        });
        let excerpt = if lines_max == 0 { Excerpt::default() } else { excerpt };
        (Content { error, ..content.clone() }, excerpt)
    }

    async fn read_in_background(&self, wanted: Wanted) -> Result<Masked, Unknown> {
        // It is never closed.
        let permit = READERS.acquire().await.ok();
        let (database, mut mask) = (self.database.clone(), self.own.clone());
        let read = move || {
            let _permit = permit;
            let read = read(&database, &wanted, &mut mask).map_err(|unknown| match unknown {
                // It may name a file by what is secret.
                Unknown::Because(why) => Unknown::Because(mask.apply(&why)),
                Unknown::Deleted => Unknown::Deleted,
            })?;
            Ok((wanted.error.as_ref().map(|error| mask.apply(error)), read))
        };
        match task::spawn_blocking(read).await {
            Ok(read) => read,
            Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
            Err(_) => Err(Unknown::Because("wfx ended while it read its execution".to_owned())),
        }
    }
}

/// What is read for a notification.
struct Wanted {
    execution_id: String,
    step: Option<String>,
    error: Option<String>,
    lines_max: usize,
}

/// The error and the last lines, without secrets.
type Masked = (Option<String>, Excerpt);

/// Why the secrets of an execution are not known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unknown {
    #[error("its execution was deleted, so that its secrets are not known")]
    Deleted,
    #[error("{0}")]
    Because(String),
}

impl From<StoreError> for Unknown {
    fn from(error: StoreError) -> Self {
        tracing::debug!(%error, "cannot read the execution of a notification");
        Self::Because("the database cannot be read".to_owned())
    }
}

fn withheld(why: String) -> Excerpt {
    Excerpt { withheld: Some(why), ..Excerpt::default() }
}

/// Adds the secrets of the execution to `mask`, and reads the last lines of the step.
fn read(database: &StoreAddress, wanted: &Wanted, mask: &mut Mask) -> Result<Excerpt, Unknown> {
    let Wanted { execution_id, lines_max, .. } = wanted;
    let reader = Reader::open(database)?;
    let step = match &wanted.step {
        Some(name) => Some(step(&reader, execution_id, name)?.ok_or(Unknown::Deleted)?),
        None => None,
    };
    // The definition of this execution may be another one than that with which a reused step ran.
    let reused_from = step.as_ref().and_then(|step| step.reused_from.as_deref());
    for id in [Some(execution_id.as_str()), reused_from].into_iter().flatten() {
        let execution = reader.execution(id)?.ok_or(Unknown::Deleted)?;
        let Ok(snapshot) = check::snapshot(&execution.input_snapshot.value()) else {
            return Err(Unknown::Because("its definition cannot be read".to_owned()));
        };
        add_secrets(&snapshot, step.as_ref(), mask).map_err(Unknown::Because)?;
    }
    if mask.is_too_long() {
        return Err(Unknown::Because(TOO_LONG.to_owned()));
    }
    let Some(step) = step.filter(|_| *lines_max > 0) else { return Ok(Excerpt::default()) };
    let selection = Selection {
        position: Some(step.position),
        attempt: Some(step.attempt),
        ..Selection::default()
    };
    let request =
        PageRequest { selection, from: 0, limit: BYTES_MAX, ends_at_gap: false, is_last: true };
    let page = reader.output(execution_id, &request)?;
    Ok(page.map_or_else(Excerpt::default, |page| excerpt(&page, mask, *lines_max)))
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
fn add_secrets(
    snapshot: &Snapshot,
    record: Option<&StepRecord>,
    mask: &mut Mask,
) -> Result<(), String> {
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
            let own = record.filter(|record| record.name == step.name);
            let is_own = own.is_some();
            if !is_own && seen.contains(&file) {
                continue;
            }
            let variables = variables(&file, own.and_then(|record| record.started_at));
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
    let changed = changed(file).map_err(|_| cannot_be_read)?;
    if since.is_some_and(|since| changed > since.as_micros() - CLOCK_TICK_US) {
        return Err("was changed since the step began, so that its secrets are not known");
    }
    let bytes = files::read(file, dotenv::FILE_BYTES_MAX).map_err(|_| cannot_be_read)?;
    dotenv::parse(&bytes).map_err(|_| cannot_be_read)
}

/// When a file was last changed, or what leads to it: a link, or a folder that was moved there. In
/// microseconds since 1970.
fn changed(file: &Path) -> io::Result<i64> {
    let us =
        |seconds: i64, nanoseconds: i64| seconds.saturating_mul(1_000_000) + nanoseconds / 1_000;
    let ctime = |metadata: &Metadata| us(metadata.ctime(), metadata.ctime_nsec());
    let mut newest = ctime(&file.metadata()?);
    let parts = |path: &Path| -> Vec<PathBuf> {
        path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let (mut folder, mut ahead, mut links) = (PathBuf::new(), parts(file), 0);
    while let Some(part) = ahead.pop() {
        if part == Path::new("..") {
            // It has no links any more.
            folder.pop();
            continue;
        }
        let path = folder.join(&part);
        let metadata = path.symlink_metadata()?;
        if metadata.is_symlink() {
            newest = newest.max(ctime(&metadata));
            links += 1;
            if links > LINKS_MAX {
                return Err(io::Error::other("too many links"));
            }
            ahead.extend(parts(&path.read_link()?));
            continue;
        }
        // What is done in a folder changes both of its times, and what is done with it only one.
        if metadata.is_dir() && ctime(&metadata) > us(metadata.mtime(), metadata.mtime_nsec()) {
            newest = newest.max(ctime(&metadata));
        }
        folder = path;
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::text::tests::hostile;

    /// What is sent of a failure about which nothing can be read.
    async fn sent(error: &str) -> (Option<String>, Option<String>) {
        let database = StoreAddress::File("/no/such/database".into());
        let content = Content {
            step: Some("a".to_owned()),
            error: Some(format!("step `a` failed: {error}")),
            ..hostile("")
        };
        let (content, excerpt) = LastOutput::new(database, Mask::default()).of(&content, 10).await;
        (content.error, excerpt.withheld)
    }

    #[tokio::test]
    async fn nothing_is_said_of_an_execution_that_cannot_be_read() {
        let why = "the database cannot be read".to_owned();
        let left_out = format!("step `a` failed: left out: {why}");
        assert_eq!(sent("cannot start `s3cret`").await, (Some(left_out), Some(why.clone())));
        let error = "step `a` failed: exit code 1".to_owned();
        assert_eq!(sent("exit code 1").await, (Some(error), Some(why)));
        // Whoever waits for others that hang waits for so long at most.
        let hanging = READERS.acquire_many(8).await.unwrap();
        let (error, withheld) = sent("cannot start `s3cret`").await;
        drop(hanging);
        let why = "reading its execution took longer than 2 s";
        assert_eq!(error.unwrap(), format!("step `a` failed: left out: {why}"));
        assert_eq!(withheld.unwrap(), why);
    }

    #[test]
    fn a_change_of_what_leads_to_a_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("folder")).unwrap();
        std::fs::write(path("folder/file"), "").unwrap();
        let (mut before, mut number) = (changed(&path("folder/file")).unwrap(), 0);
        // Times of files tick.
        let mut later = |change: &dyn Fn(u32), name: &str| {
            let mut now = before;
            while now == before {
                number += 1;
                change(number);
                now = changed(&path(name)).unwrap();
            }
            assert!(now > before);
            before = now;
        };
        let link = |to: &str, name: &str| {
            let _ = std::fs::remove_file(path(name));
            std::os::unix::fs::symlink(to, path(name)).unwrap();
        };
        later(&|_| std::fs::write(path("folder/file"), "x").unwrap(), "folder/file");
        later(&|_| link("folder", "link"), "link/file");
        later(&|_| link("../folder/./file", "folder/other"), "link/other");
        later(
            &|number| {
                let to = path(&format!("folder-{number}"));
                std::fs::rename(path("folder"), &to).unwrap();
                std::fs::rename(to, path("folder")).unwrap();
            },
            "link/../folder/file",
        );
        // A change that the clock of files shows as before the start may have come after it.
        std::fs::write(path("folder/file"), "A=1").unwrap();
        let at = changed(&path("folder/file")).unwrap();
        let read = |after_us| {
            variables(&path("folder/file"), Some(Timestamp::from_micros(at + after_us))).is_ok()
        };
        assert_eq!([0, 4_000, CLOCK_TICK_US].map(read), [false, false, true]);
        link("loop", "loop");
        assert!(changed(&path("loop")).is_err() && changed(&path("none")).is_err());
    }
}
