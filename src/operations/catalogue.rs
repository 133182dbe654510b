//! The workflows of a folder. It is looked at again and again: what changed is read again, a
//! broken file is reported and leaves the last good version in its place. Of two files with one id,
//! the one that is in use stays.
//!
//! Looked at rather than watched by inotify: that misses changes on network file systems,
//! and a look at a few hundred files costs less than a millisecond.

mod limits;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use self::limits::{Limit, limits};
pub(crate) use self::limits::{add_limit, differing_limit};
use super::folder_defaults::{self, FILE_BYTES_MAX, UnusableDefaults};
use crate::base::timestamp::Timestamp;
use crate::repository::Policies;
use crate::workflow::check::{self, Format, Source};
use crate::workflow::compiled::CompiledWorkflow;
use crate::workflow::defaults::{self, FolderDefaults};

/// What changed less than this ago is left to the next look.
const SETTLING: Duration = Duration::from_millis(300);

/// The workflows of a folder, or none without one.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    folder: Option<PathBuf>,
    known: RwLock<Known>,
    /// Why the folder could not be read at the last look.
    folder_problem: Mutex<Option<String>>,
    /// How often anything of it changed.
    changes: AtomicU64,
}

/// What is known of the folder.
#[derive(Debug, Default)]
struct Known {
    files: BTreeMap<PathBuf, Entry>,
    /// What each file was read as.
    seen: HashMap<PathBuf, Seen>,
    /// Which file each workflow is run from.
    by_id: HashMap<String, PathBuf>,
    defaults: SeenDefaults,
}

/// The defaults of the folder as they were read last.
#[derive(Debug, Clone, Default, PartialEq)]
struct SeenDefaults {
    /// What of the file shows that it changes; `None` without a file, and where it has to be read
    /// again though nothing of it changed.
    stamp: Option<Stamp>,
    /// The last good version.
    good: Option<Arc<FolderDefaults>>,
    /// Why the file as it is now cannot be used.
    problem: Option<String>,
}

impl SeenDefaults {
    /// What workflows get. Before there was a good version, none can be run without what it would
    /// have set.
    fn usable(&self) -> Result<Option<&FolderDefaults>, String> {
        match (&self.good, &self.problem) {
            (Some(good), _) => Ok(Some(good)),
            (None, None) => Ok(None),
            (None, Some(problem)) => Err(format!(
                "the `{}` of its folder cannot be used: {problem}",
                defaults::FILE_NAME
            )),
        }
    }
}

/// A file as it was read last.
#[derive(Debug, Clone)]
struct Seen {
    /// What of it shows that it changes; `None` where it has to be read again though nothing of
    /// it changed.
    stamp: Option<Stamp>,
    /// The workflow that it holds, or why it holds none.
    content: Result<Arc<CompiledWorkflow>, String>,
}

/// What changes with a file's contents. A tool that keeps size and modification time still changes
/// the time of its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Modified,
    changed: (i64, i64),
}

/// Seconds and nanoseconds.
type Modified = (i64, i64);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether it has changed so short a time ago that it may be half written. Many documents are
    /// valid where they happen to be cut.
    fn is_being_written(&self, now: Timestamp, settling: Duration) -> bool {
        let (seconds, nanoseconds) = self.modified;
        let modified =
            Timestamp::from_micros(seconds.saturating_mul(1_000_000) + nanoseconds / 1_000);
        modified <= now && now.since(modified) < settling
    }
}

/// A workflow of the folder, or a file that is none.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its id; of a file that never was a workflow, the stem of its name.
    pub workflow_id: String,
    /// Where it stands.
    pub file: PathBuf,
    /// The last good version, which is run.
    pub compiled: Option<Arc<CompiledWorkflow>>,
    /// Why the file as it is now cannot be used.
    pub problem: Option<String>,
    /// When that version was read.
    pub loaded_at: Option<Timestamp>,
}

/// What a look at the folder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Which file, or the folder.
    pub file: PathBuf,
    /// What became of it.
    pub what: What,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// It holds this workflow, new or changed.
    Loaded(String),
    /// It is gone, and its workflow with it.
    Removed(String),
    /// It cannot be used, and why.
    Broken(String),
    /// It holds the defaults of the folder, new or changed.
    DefaultsLoaded,
    /// The defaults of the folder are gone.
    DefaultsRemoved,
    /// It stays in use, though another file now has a workflow of the same id: that file.
    Contested(String, PathBuf),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.what {
            What::Loaded(id) => write!(f, "{file}: workflow `{id}` loaded"),
            What::Removed(id) => write!(f, "{file}: gone, and workflow `{id}` with it"),
            What::DefaultsLoaded => write!(f, "{file}: defaults of the folder loaded"),
            What::DefaultsRemoved => {
                write!(f, "{file}: gone, and the defaults of the folder with it")
            }
            What::Broken(why) => write!(f, "{file}: cannot be used: {why}"),
            What::Contested(id, other) => write!(
                f,
                "{file}: workflow `{id}` still runs from this file, though {} has the same id",
                other.display()
            ),
        }
    }
}

impl Catalogue {
    /// Reads every workflow of `folder`.
    ///
    /// # Errors
    /// When the folder cannot be read. Broken files are no error: see [`Self::list`].
    pub(crate) fn load(folder: &Path, now: Timestamp) -> io::Result<(Self, Vec<Event>)> {
        let catalogue = Self { folder: Some(folder.to_owned()), ..Self::default() };
        let names = workflow_files(folder)?;
        let events = catalogue.take(names, now, Duration::ZERO);
        Ok((catalogue, events))
    }

    /// Looks at the folder again, and reports what changed. A folder that cannot be read
    /// changes nothing, and is reported once.
    pub(crate) fn rescan(&self, now: Timestamp) -> Vec<Event> {
        let Some(folder) = &self.folder else { return Vec::new() };
        // Whoever panicked had replaced it or not.
        let reported = || self.folder_problem.lock().unwrap_or_else(PoisonError::into_inner);
        match workflow_files(folder) {
            Ok(names) => {
                reported().take();
                self.take(names, now, SETTLING)
            }
            Err(error) => {
                let problem = error.to_string();
                let before = reported().replace(problem.clone());
                if before.as_ref() == Some(&problem) {
                    return Vec::new();
                }
                vec![Event { file: folder.clone(), what: What::Broken(problem) }]
            }
        }
    }

    /// The workflow that goes by this id.
    #[must_use]
    pub(crate) fn get(&self, workflow_id: &str) -> Option<Arc<CompiledWorkflow>> {
        let known = self.known.read().ok()?;
        known.files.get(known.by_id.get(workflow_id)?)?.compiled.clone()
    }

    /// Another number once anything of it changed.
    #[must_use]
    pub(crate) fn version(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The workflows that can be run, by id.
    #[must_use]
    pub(crate) fn workflows(&self) -> BTreeMap<String, Arc<CompiledWorkflow>> {
        let Ok(known) = self.known.read() else { return BTreeMap::new() };
        let of = |(id, file): (&String, &PathBuf)| {
            Some((id.clone(), known.files.get(file)?.compiled.clone()?))
        };
        known.by_id.iter().filter_map(of).collect()
    }

    /// The retention of the workflows that were loaded, `None` for one without its own.
    #[must_use]
    pub(crate) fn loaded_retention(&self, events: &[Event]) -> Policies {
        let loaded = events.iter().filter_map(|event| match &event.what {
            What::Loaded(id) => Some((id, self.get(id)?)),
            _ => None,
        });
        loaded.map(|(id, compiled)| (id.clone(), compiled.definition().retention)).collect()
    }

    /// Every file of the folder, by name.
    #[must_use]
    pub(crate) fn list(&self) -> Vec<Entry> {
        let Ok(known) = self.known.read() else { return Vec::new() };
        known.files.values().cloned().collect()
    }

    /// How many workflows can be run, and how many files are broken.
    #[must_use]
    pub(crate) fn counts(&self) -> (usize, usize) {
        let Ok(known) = self.known.read() else { return (0, 0) };
        let broken = known.files.values().filter(|file| file.problem.is_some()).count();
        (known.by_id.len(), broken + usize::from(known.defaults.problem.is_some()))
    }

    fn take(&self, names: Vec<PathBuf>, now: Timestamp, settling: Duration) -> Vec<Event> {
        let Ok(before) = self.known.read() else { return Vec::new() };
        let Some(folder) = &self.folder else { return Vec::new() };
        let file = folder.join(defaults::FILE_NAME);
        let changed_defaults = look_at_defaults(&before.defaults, &file, now, settling);
        let defaults = changed_defaults.as_ref().unwrap_or(&before.defaults);
        let Some(seen) = look(&before, names, now, settling, defaults) else { return Vec::new() };
        let after = Known { defaults: defaults.clone(), ..settle(&before, seen, now) };
        let mut events = defaults_changes(&before.defaults, &after.defaults, &file);
        events.extend(changes(&before, &after));
        drop(before);
        if let Ok(mut known) = self.known.write() {
            *known = after;
        }
        self.changes.fetch_add(1, Ordering::Release);
        events
    }
}

/// Reads the defaults of the folder if they changed.
fn look_at_defaults(
    before: &SeenDefaults,
    file: &Path,
    now: Timestamp,
    settling: Duration,
) -> Option<SeenDefaults> {
    if folder_defaults::is_absent(file) {
        let none = SeenDefaults::default();
        return (*before != none).then_some(none);
    }
    let stamp = fs::metadata(file).ok().map(|metadata| Stamp::of(&metadata));
    let is_as_before = stamp.is_some() && before.stamp == stamp;
    if is_as_before || stamp.is_some_and(|stamp| stamp.is_being_written(now, settling)) {
        return None;
    }
    let good = before.good.clone();
    let after = match folder_defaults::read(file) {
        Ok(read) => SeenDefaults { stamp, good: Some(Arc::new(read)), problem: None },
        Err(UnusableDefaults::Bad(problems)) => {
            SeenDefaults { stamp, good, problem: Some(problems.to_string()) }
        }
        Err(UnusableDefaults::Unread(_, why)) => {
            SeenDefaults { stamp: None, good, problem: Some(why) }
        }
    };
    (*before != after).then_some(after)
}

/// What is to be reported of the defaults.
fn defaults_changes(before: &SeenDefaults, after: &SeenDefaults, file: &Path) -> Vec<Event> {
    let what = match &after.problem {
        Some(problem) if before.problem.as_ref() != Some(problem) => What::Broken(problem.clone()),
        Some(_) => return Vec::new(),
        None if after.good.is_none() && *before != *after => What::DefaultsRemoved,
        None if after.good != before.good || before.problem.is_some() => What::DefaultsLoaded,
        None => return Vec::new(),
    };
    vec![Event { file: file.to_owned(), what }]
}

/// Reads the files that changed, or all if the defaults did; `None` where nothing did, which is
/// what most looks find.
fn look(
    before: &Known,
    names: Vec<PathBuf>,
    now: Timestamp,
    settling: Duration,
    defaults: &SeenDefaults,
) -> Option<HashMap<PathBuf, Seen>> {
    let usable = defaults.usable();
    let have_changed = before.defaults.usable() != usable;
    let mut changed: HashMap<PathBuf, Option<Seen>> = HashMap::new();
    let mut same = 0;
    for file in &names {
        let earlier = before.seen.get(file);
        let stamp = fs::metadata(file).ok().map(|metadata| Stamp::of(&metadata));
        let is_as_before =
            !have_changed && stamp.is_some() && earlier.is_some_and(|seen| seen.stamp == stamp);
        if is_as_before {
            same += 1;
        } else if stamp.is_some_and(|stamp| stamp.is_being_written(now, settling)) {
            // It is looked at again soon.
            match earlier {
                Some(_) => same += 1,
                None => _ = changed.insert(file.clone(), None),
            }
        } else {
            let seen = see(file, stamp, &usable);
            let is_news = earlier.is_none_or(|earlier| {
                earlier.stamp != seen.stamp || earlier.content != seen.content
            });
            if is_news {
                changed.insert(file.clone(), Some(seen));
            } else {
                same += 1;
            }
        }
    }
    let is_same_folder = changed.values().all(Option::is_none) && same == before.seen.len();
    if is_same_folder && before.defaults == *defaults {
        return None;
    }
    let seen = names.into_iter().filter_map(|file| {
        let seen = match changed.remove(&file) {
            Some(seen) => seen?,
            None => before.seen.get(&file)?.clone(),
        };
        Some((file, seen))
    });
    Some(seen.collect())
}

/// A file that has a workflow of an id: its right to it, lower is better, and its name.
type Claim<'a> = (u8, Reverse<Modified>, &'a Path);

/// Decides what each file is used for. A workflow that is run from a file stays that file's for as
/// long as it has it, so that a copy that is put beside it never takes its place. At the start the
/// file is taken whose name is the id, then the one that was edited last.
fn settle(before: &Known, seen: HashMap<PathBuf, Seen>, now: Timestamp) -> Known {
    let held = |file: &Path, id: &str| before.by_id.get(id).is_some_and(|holder| holder == file);
    // Whoever has a workflow of this id, in order of their right to it.
    let mut claims: HashMap<&str, BTreeSet<Claim<'_>>> = HashMap::new();
    for (file, seen) in &seen {
        let last_good = || before.files.get(file).filter(|entry| entry.compiled.is_some());
        let id = match &seen.content {
            Ok(compiled) => Some(compiled.definition().id.as_str()),
            Err(_) => last_good().map(|entry| entry.workflow_id.as_str()),
        };
        if let Some(id) = id {
            let right = match () {
                () if held(file, id) => 0,
                () if file.file_stem().is_some_and(|stem| stem == id) => 1,
                () => 2,
            };
            // A copy that was put beside it is older than the edit that it was made for.
            let modified = seen.stamp.map_or((0, 0), |stamp| stamp.modified);
            claims.entry(id).or_default().insert((right, Reverse(modified), file));
        }
    }
    let by_id: HashMap<String, PathBuf> = claims
        .iter()
        .filter_map(|(id, files)| Some(((*id).to_owned(), files.first()?.2.to_owned())))
        .collect();
    let limits = limits(before, &by_id, &seen);
    let files = seen
        .iter()
        .map(|(file, seen)| (file.clone(), entry(before, (&by_id, &limits), file, seen, now)))
        .collect();
    drop(claims);
    Known { files, seen, by_id, defaults: SeenDefaults::default() }
}

fn entry(
    before: &Known,
    (by_id, limits): (&HashMap<String, PathBuf>, &HashMap<String, Limit>),
    file: &Path,
    seen: &Seen,
    now: Timestamp,
) -> Entry {
    let earlier = before.files.get(file);
    let problem = match &seen.content {
        Ok(compiled) => {
            let workflow_id = &compiled.definition().id;
            match by_id.get(workflow_id) {
                Some(holder) if holder != file => format!(
                    "the workflow `{workflow_id}` is that of {}: give one of them another `id`",
                    holder.display()
                ),
                _ if differing_limit(limits, compiled.definition()).is_some() => {
                    differing_limit(limits, compiled.definition()).unwrap_or_default()
                }
                _ => {
                    let same = earlier.filter(|it| it.compiled.as_ref() == Some(compiled));
                    return Entry {
                        workflow_id: workflow_id.clone(),
                        file: file.to_owned(),
                        compiled: Some(Arc::clone(compiled)),
                        problem: None,
                        loaded_at: same.map_or(Some(now), |same| same.loaded_at),
                    };
                }
            }
        }
        Err(problem) => problem.clone(),
    };
    // The last good version stays in use, unless another file has it by now.
    let kept = earlier
        .filter(|earlier| by_id.get(&earlier.workflow_id).is_some_and(|holder| holder == file));
    let stem = || file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Entry {
        workflow_id: kept.map_or_else(stem, |kept| kept.workflow_id.clone()),
        file: file.to_owned(),
        compiled: kept.and_then(|kept| kept.compiled.clone()),
        problem: Some(problem),
        loaded_at: kept.and_then(|kept| kept.loaded_at),
    }
}

/// What is to be reported, by name of the file.
fn changes(before: &Known, after: &Known) -> Vec<Event> {
    let mut events = Vec::new();
    for (file, entry) in &after.files {
        let earlier = before.files.get(file);
        let mut report = |file: &PathBuf, what| events.push(Event { file: file.clone(), what });
        match &entry.problem {
            Some(problem) if earlier.and_then(|it| it.problem.as_ref()) != Some(problem) => {
                report(file, What::Broken(problem.clone()));
                // Whoever edits the one in use looks there, not at the copy.
                if let Some(Ok(compiled)) = after.seen.get(file).map(|seen| &seen.content)
                    && let Some(holder) = after.by_id.get(&compiled.definition().id)
                {
                    let id = compiled.definition().id.clone();
                    report(holder, What::Contested(id, file.clone()));
                }
            }
            Some(_) => {}
            None => {
                let is_new = earlier.is_none_or(|earlier| {
                    earlier.compiled != entry.compiled || earlier.problem.is_some()
                });
                if is_new {
                    report(file, What::Loaded(entry.workflow_id.clone()));
                }
            }
        }
    }
    for (file, entry) in before.files.iter().filter(|(file, _)| !after.files.contains_key(*file)) {
        let what = What::Removed(entry.workflow_id.clone());
        events.push(Event { file: file.clone(), what });
    }
    events
}

/// The files of a folder that should be workflows, by name.
pub(crate) fn workflow_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        // What editors keep for a moment begins or ends so.
        let is_hidden = name.is_none_or(|name| name.starts_with(['.', '#', '~']));
        let is_defaults = path.file_name().is_some_and(|name| name == defaults::FILE_NAME);
        if !is_hidden && !is_defaults && Format::of(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file that had this `stamp` just before.
fn see(
    file: &Path,
    stamp: Option<Stamp>,
    defaults: &Result<Option<&FolderDefaults>, String>,
) -> Seen {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match read(file, &stem, defaults) {
        Ok(compiled) => Seen { stamp, content: Ok(Arc::new(compiled)) },
        Err(Unusable::Unchanged(problem)) => Seen { stamp, content: Err(problem) },
        Err(Unusable::Now(problem)) => Seen { stamp: None, content: Err(problem) },
    }
}

/// Why a file cannot be used.
enum Unusable {
    /// It holds no workflow, and will not before it changes.
    Unchanged(String),
    /// Something beside it is in the way, which may end.
    Now(String),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // It is no text.
            io::ErrorKind::InvalidData => Self::Unchanged(error.to_string()),
            _ => Self::Now(error.to_string()),
        }
    }
}

fn read(
    file: &Path,
    stem: &str,
    defaults: &Result<Option<&FolderDefaults>, String>,
) -> Result<CompiledWorkflow, Unusable> {
    if Path::new(defaults::FILE_NAME).file_stem().is_some_and(|reserved| reserved == stem) {
        let why = format!("the defaults of a folder are in `{}`: rename it", defaults::FILE_NAME);
        return Err(Unusable::Unchanged(why));
    }
    // A pipe would keep us waiting for somebody who writes into it.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = File::options().read(true).custom_flags(flags).open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(Unusable::Now("it is no regular file".to_owned()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Unusable::Unchanged(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let mut text = String::new();
    opened.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let source = Source {
        name: &file.display().to_string(),
        text: &text,
        format: Format::of(file).unwrap_or_else(|| check::sniff(&text)),
        default_id: Some(stem),
    };
    let unusable = |why: String| Unusable::Unchanged(why.trim_end().to_owned());
    let definition = check::read(&source).map_err(|problems| unusable(problems.to_string()))?;
    let definition = match defaults {
        Ok(None) => definition,
        Ok(Some(defaults)) => definition.with_defaults(defaults),
        Err(why) => return Err(Unusable::Unchanged(why.clone())),
    };
    CompiledWorkflow::of(definition).map_err(|cycle| unusable(cycle.to_string()))
}

#[cfg(test)]
mod tests;
