//! The workflows of a folder. It is looked at again and again: what changed is read again, a
//! broken file is told and leaves the last good version in its place.
//!
//! Looked at rather than watched by inotify: that misses changes on network file systems,
//! and a look at a few hundred files costs less than a millisecond.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::timestamp::Timestamp;
use crate::workflow::check::{self, Format, Source};
use crate::workflow::prepared::Prepared;

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What changed less than this ago is left to the next look.
const SETTLING: Duration = Duration::from_millis(300);

/// The workflows of a folder, or none without one.
#[derive(Debug, Default)]
pub struct Catalogue {
    folder: Option<PathBuf>,
    files: RwLock<BTreeMap<PathBuf, Known>>,
    /// Why the folder could not be read at the last look.
    folder_problem: Mutex<Option<String>>,
}

/// What is known of one file.
#[derive(Debug, Clone)]
struct Known {
    /// What it was read as; `None` where it has to be read again though nothing of it changed.
    stamp: Option<Stamp>,
    workflow_id: String,
    /// The last good version.
    prepared: Option<Arc<Prepared>>,
    /// Why the file as it is now cannot be used.
    problem: Option<String>,
    loaded_at: Option<Timestamp>,
}

/// What changes with a file's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A workflow of the folder, or a file that is none.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id; of a file that never was a workflow, the stem of its name.
    pub workflow_id: String,
    /// Where it stands.
    pub file: PathBuf,
    /// The last good version, which is run.
    pub prepared: Option<Arc<Prepared>>,
    /// Why the file as it is now cannot be used.
    pub problem: Option<String>,
    /// When that version was read.
    pub loaded_at: Option<Timestamp>,
}

/// What a look at the folder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which file, or the folder.
    pub file: PathBuf,
    /// What became of it.
    pub what: What,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It holds this workflow, new or changed.
    Loaded(String),
    /// It is gone, and its workflow with it.
    Removed(String),
    /// It cannot be used, and why.
    Broken(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.what {
            What::Loaded(id) => write!(f, "{file}: workflow `{id}` loaded"),
            What::Removed(id) => write!(f, "{file}: gone, and workflow `{id}` with it"),
            What::Broken(why) => write!(f, "{file}: cannot be used: {why}"),
        }
    }
}

impl Catalogue {
    /// Reads every workflow of `folder`.
    ///
    /// # Errors
    /// When the folder cannot be read. Broken files are no error: see [`Self::list`].
    pub fn load(folder: &Path, now: Timestamp) -> io::Result<(Self, Vec<Event>)> {
        let catalogue = Self { folder: Some(folder.to_owned()), ..Self::default() };
        let names = workflow_files(folder)?;
        let events = catalogue.take(names, now, Duration::ZERO);
        Ok((catalogue, events))
    }

    /// Looks at the folder again, and tells what changed. A folder that cannot be read
    /// changes nothing, and is told once.
    pub fn rescan(&self, now: Timestamp) -> Vec<Event> {
        let Some(folder) = &self.folder else { return Vec::new() };
        // Whoever panicked had replaced it or not.
        let told = || self.folder_problem.lock().unwrap_or_else(PoisonError::into_inner);
        match workflow_files(folder) {
            Ok(names) => {
                told().take();
                self.take(names, now, SETTLING)
            }
            Err(error) => {
                let problem = error.to_string();
                let before = told().replace(problem.clone());
                if before.as_ref() == Some(&problem) {
                    return Vec::new();
                }
                vec![Event { file: folder.clone(), what: What::Broken(problem) }]
            }
        }
    }

    /// The workflow that goes by this id.
    #[must_use]
    pub fn get(&self, workflow_id: &str) -> Option<Arc<Prepared>> {
        let files = self.files.read().ok()?;
        let known = files.values().find(|k| k.workflow_id == workflow_id && k.prepared.is_some());
        known.and_then(|known| known.prepared.clone())
    }

    /// Every file of the folder, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Entry> {
        let Ok(files) = self.files.read() else { return Vec::new() };
        files
            .iter()
            .map(|(file, known)| Entry {
                workflow_id: known.workflow_id.clone(),
                file: file.clone(),
                prepared: known.prepared.clone(),
                problem: known.problem.clone(),
                loaded_at: known.loaded_at,
            })
            .collect()
    }

    /// How many workflows can be run, and how many files are broken.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let Ok(files) = self.files.read() else { return (0, 0) };
        let usable = files.values().filter(|known| known.prepared.is_some()).count();
        (usable, files.values().filter(|known| known.problem.is_some()).count())
    }

    fn take(&self, names: Vec<PathBuf>, now: Timestamp, settling: Duration) -> Vec<Event> {
        let before = self.files.read().map(|files| files.clone()).unwrap_or_default();
        let mut after: BTreeMap<PathBuf, Known> = BTreeMap::new();
        let mut events = Vec::new();
        for file in names {
            let earlier = before.get(&file);
            if is_being_written(&file, earlier, now, settling) {
                // It is looked at again soon.
                if let Some(earlier) = earlier {
                    after.insert(file, earlier.clone());
                }
                continue;
            }
            let known = look(&file, earlier, &after, now);
            let changed =
                |get: fn(&Known) -> &Option<String>| earlier.map(get) != Some(get(&known));
            if let Some(problem) = &known.problem
                && changed(|known| &known.problem)
            {
                let what = What::Broken(problem.clone());
                events.push(Event { file: file.clone(), what });
            }
            let is_new = earlier.is_none_or(|earlier| {
                earlier.prepared != known.prepared || earlier.problem.is_some()
            });
            if known.problem.is_none() && is_new {
                let what = What::Loaded(known.workflow_id.clone());
                events.push(Event { file: file.clone(), what });
            }
            after.insert(file, known);
        }
        for (file, known) in before.iter().filter(|(file, _)| !after.contains_key(*file)) {
            let what = What::Removed(known.workflow_id.clone());
            events.push(Event { file: file.clone(), what });
        }
        if let Ok(mut files) = self.files.write() {
            *files = after;
        }
        events
    }
}

/// The files of a folder that should be workflows, by name.
fn workflow_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        // What editors keep for a moment begins or ends so.
        let is_hidden = name.is_none_or(|name| name.starts_with(['.', '#', '~']));
        if !is_hidden && Format::of(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file has changed so short a time ago that it may be half written. Many
/// documents are valid where they happen to be cut.
fn is_being_written(
    file: &Path,
    earlier: Option<&Known>,
    now: Timestamp,
    settling: Duration,
) -> bool {
    let Ok(metadata) = fs::metadata(file) else { return false };
    let is_as_before = earlier.is_some_and(|e| e.stamp.as_ref() == Some(&Stamp::of(&metadata)));
    let micros = metadata.mtime_nsec() / 1_000;
    let modified = Timestamp::from_micros(metadata.mtime().saturating_mul(1_000_000) + micros);
    !is_as_before && modified <= now && now.since(modified) < settling
}

/// What is to be known of a file now; `before_it` are the files before it in the folder.
fn look(
    file: &Path,
    earlier: Option<&Known>,
    before_it: &BTreeMap<PathBuf, Known>,
    now: Timestamp,
) -> Known {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stamp = fs::metadata(file).ok().map(|metadata| Stamp::of(&metadata));
    let taken = |id: &str| {
        before_it.iter().find(|(_, known)| known.workflow_id == id && known.prepared.is_some())
    };
    if let Some(earlier) = earlier
        && stamp.is_some()
        && earlier.stamp == stamp
        && (earlier.prepared.is_none() || taken(&earlier.workflow_id).is_none())
    {
        return earlier.clone();
    }
    let outcome = read(file, &stem).and_then(|prepared| match taken(&prepared.definition().id) {
        Some((other, _)) => {
            let other = other.display();
            let why =
                format!("the workflow `{}` is that of {other} already", prepared.definition().id);
            Err(Unusable::Now(why))
        }
        None => Ok(prepared),
    });
    match outcome {
        Ok(prepared) => {
            let same = earlier.and_then(|earlier| earlier.prepared.clone());
            let same = same.filter(|same| **same == prepared);
            let loaded_at = match (&same, earlier) {
                (Some(_), Some(earlier)) => earlier.loaded_at,
                _ => Some(now),
            };
            let workflow_id = prepared.definition().id.clone();
            let prepared = Some(same.unwrap_or_else(|| Arc::new(prepared)));
            Known { stamp, workflow_id, prepared, problem: None, loaded_at }
        }
        Err(unusable) => {
            let (stamp, problem) = match unusable {
                Unusable::Unchanged(problem) => (stamp, problem),
                Unusable::Now(problem) => (None, problem),
            };
            let kept = earlier.filter(|earlier| taken(&earlier.workflow_id).is_none());
            Known {
                stamp,
                workflow_id: kept.map_or(stem, |kept| kept.workflow_id.clone()),
                prepared: kept.and_then(|kept| kept.prepared.clone()),
                problem: Some(problem),
                loaded_at: kept.and_then(|kept| kept.loaded_at),
            }
        }
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

fn read(file: &Path, stem: &str) -> Result<Prepared, Unusable> {
    // A pipe would keep us waiting for somebody who writes into it.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = File::options().read(true).custom_flags(flags).open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(Unusable::Now("it is no regular file".to_owned()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Unusable::Now(format!("it is larger than {FILE_BYTES_MAX} bytes")));
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
    Prepared::of(definition).map_err(|cycle| unusable(cycle.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "steps: [{name: a}]";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn at_epoch(second: u64) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn told(events: &[Event]) -> Vec<String> {
        let name = |event: &Event| event.file.file_name().unwrap().to_string_lossy().into_owned();
        events
            .iter()
            .map(|event| match &event.what {
                What::Loaded(id) => format!("{} loaded {id}", name(event)),
                What::Removed(id) => format!("{} removed {id}", name(event)),
                What::Broken(_) => format!("{} broken", name(event)),
            })
            .collect()
    }

    #[test]
    fn files_come_change_break_mend_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.yaml", GOOD);
        write("b.json", "{\"id\": \"bee\", \"steps\": [{\"name\": \"a\"}]}");
        write(".hidden.yaml", GOOD);
        write("notes.txt", GOOD);
        let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
        assert_eq!(told(&events), ["a.yaml loaded a", "b.json loaded bee"]);
        assert!(catalogue.get("a").is_some() && catalogue.get("bee").is_some());
        assert_eq!(told(&catalogue.rescan(at(2))), [] as [&str; 0]);

        write("a.yaml", "steps: [{name: a}, {name: b}]");
        write("b.json", "{\"id\": \"bee\", \"steps");
        assert_eq!(told(&catalogue.rescan(at(3))), ["a.yaml loaded a", "b.json broken"]);
        assert_eq!(catalogue.get("a").unwrap().definition().steps.len(), 2);
        assert_eq!(
            catalogue.get("bee").unwrap().definition().steps.len(),
            1,
            "the last good version"
        );
        assert_eq!(catalogue.counts(), (2, 1));
        assert_eq!(told(&catalogue.rescan(at(4))), [] as [&str; 0]);

        write("b.json", "{\"id\": \"bee\", \"steps\": [{\"name\": \"a\"}]} ");
        assert_eq!(told(&catalogue.rescan(at(5))), ["b.json loaded bee"]);
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        assert_eq!(told(&catalogue.rescan(at(6))), ["a.yaml removed a"]);
        assert!(catalogue.get("a").is_none());
        assert_eq!(catalogue.list()[0].loaded_at, Some(at(1)), "the same as before it broke");
    }

    #[test]
    fn the_first_of_two_with_one_id_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.yaml", "id: one\nsteps: [{name: a}]");
        let (catalogue, _) = Catalogue::load(folder.path(), at(1)).unwrap();
        write("a.yaml", "id: one\nsteps: [{name: a}, {name: b}]");
        assert_eq!(told(&catalogue.rescan(at(2))), ["a.yaml loaded one", "b.yaml broken"]);
        assert_eq!(catalogue.get("one").unwrap().definition().steps.len(), 2);
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        assert_eq!(told(&catalogue.rescan(at(3))), ["b.yaml loaded one", "a.yaml removed one"]);
        assert_eq!(catalogue.get("one").unwrap().definition().steps.len(), 1);
    }

    #[test]
    fn a_file_is_read_once_however_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        let modified = fs::FileTimes::new().set_modified(at_epoch(1));
        // Not even its size changes.
        let write = |text: &str| {
            fs::write(&file, text).unwrap();
            File::options().write(true).open(&file).unwrap().set_times(modified).unwrap();
        };
        for (first, then) in [(GOOD, "stepz: [{name: a}]"), ("stepz: [{name: a}]", GOOD)] {
            write(first);
            let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
            assert_eq!(events.len(), 1);
            write(then);
            assert_eq!(told(&catalogue.rescan(at(2))), [] as [&str; 0], "{first}");
            File::options().write(true).open(&file).unwrap().set_modified(at_epoch(2)).unwrap();
            assert_eq!(catalogue.rescan(at(3)).len(), 1, "{first}");
        }
    }

    #[test]
    fn what_stands_in_the_way_of_a_file_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Only what the link leads to comes.
        std::os::unix::fs::symlink(path("later/a"), path("a.yaml")).unwrap();
        let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
        assert_eq!(told(&events), ["a.yaml broken"]);
        fs::create_dir(path("later")).unwrap();
        fs::write(path("later/a"), GOOD).unwrap();
        assert_eq!(told(&catalogue.rescan(at(2))), ["a.yaml loaded a"]);
        // The id is another's; then it is free, and nothing of this file changes.
        fs::write(path("b.yaml"), "id: a\nsteps: [{name: b}]").unwrap();
        assert_eq!(told(&catalogue.rescan(at(3))), ["b.yaml broken"]);
        assert_eq!(told(&catalogue.rescan(at(4))), [] as [&str; 0]);
        fs::remove_file(path("a.yaml")).unwrap();
        assert_eq!(told(&catalogue.rescan(at(5))), ["b.yaml loaded a", "a.yaml removed a"]);
    }

    #[test]
    fn what_is_no_file_of_a_workflow_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("folder.yaml")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe.yaml"), 0o600.into()).unwrap();
        fs::write(path("binary.json"), b"\xff\xfe").unwrap();
        fs::write(path("large.yaml"), "#".repeat(2 << 20)).unwrap();
        std::os::unix::fs::symlink("nowhere", path("link.yaml")).unwrap();
        let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
        assert_eq!(events.len(), 5, "{events:?}");
        assert!(events.iter().all(|event| matches!(event.what, What::Broken(_))), "{events:?}");
        assert_eq!(catalogue.counts(), (0, 5));
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(matches!(&catalogue.rescan(at(2))[..], [Event { what: What::Broken(_), .. }]));
        assert_eq!(catalogue.list().len(), 5, "nothing is forgotten with the folder");
        assert_eq!(catalogue.rescan(at(3)), [], "it is told once");
        fs::create_dir(folder.path()).unwrap();
        assert_eq!(catalogue.rescan(at(4)).len(), 5);
        fs::remove_dir(folder.path()).unwrap();
        assert_eq!(catalogue.rescan(at(5)).len(), 1, "it is told again");
    }
}
