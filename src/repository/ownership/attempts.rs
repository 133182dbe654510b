//! The attempts that a process runs, listed in its lock file: for whoever ends what it left.
//!
//! One record of fixed length for each attempt that runs (numbers, an execution id, a step name of
//! at most 128 bytes), overwritten by another attempt after its end, so that the file never grows
//! beyond what runs at a time. Nothing is synced: the list has to outlive the process, not the
//! machine. What it misses is still found by the environment of processes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{self, RECORD_BYTES};
use crate::workflow::record::AttemptKey;

/// As much of a file is read: more records than any wfx has.
const FILE_BYTES_MAX: u64 = (RECORD_BYTES as u64) << 16;

/// An attempt that a process began and did not see the end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAttempt {
    /// Which attempt.
    pub key: AttemptKey,
    /// Its process group, the number of its first process.
    pub group: i32,
    /// The session of the wfx that began it.
    pub session: i32,
    /// Its first process started in one of these clock ticks since the boot, the last included.
    pub started_ticks: (u64, u64),
}

impl ListedAttempt {
    fn line(&self) -> Option<Vec<u8>> {
        let Self { key, group, session, started_ticks: (from, to) } = self;
        let AttemptKey { execution_id, step, attempt } = key;
        let mut line =
            format!("{group} {session} {from} {to} {attempt} {execution_id} {step}").into_bytes();
        // One that does not fit is found by its environment.
        let fits = line.len() < RECORD_BYTES;
        line.resize(RECORD_BYTES - 1, b' ');
        line.push(b'\n');
        fits.then_some(line)
    }

    fn parse(line: &str) -> Option<Self> {
        // Of a file that was cut, the beginning is zeros.
        let mut fields = line.trim_start_matches('\0').split_ascii_whitespace();
        let (group, session) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let started_ticks = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let attempt = fields.next()?.parse().ok()?;
        let (execution_id, step) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let key = AttemptKey { execution_id, step, attempt };
        (group > 1).then_some(Self { key, group, session, started_ticks })
    }
}

/// The list of one process.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    file: Option<Arc<File>>,
    records: Vec<Option<ListedAttempt>>,
    free: Vec<usize>,
}

impl Attempts {
    /// Writes to this file from now on, and what runs already.
    pub(crate) fn write_to(&self, file: Arc<File>) {
        let mut list = self.lock();
        list.file = Some(file);
        for index in 0..list.records.len() {
            list.write(index);
        }
    }

    fn begin(&self, recorded: ListedAttempt) -> usize {
        let mut list = self.lock();
        let index = match list.free.pop() {
            Some(index) => index,
            None => {
                list.records.push(None);
                list.records.len() - 1
            }
        };
        list.records[index] = Some(recorded);
        list.write(index);
        index
    }

    fn end(&self, index: usize) {
        let mut list = self.lock();
        list.records[index] = None;
        list.write(index);
        list.free.push(index);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn write(&self, index: usize) {
        let Some(file) = &self.file else { return };
        let line =
            self.records[index].as_ref().and_then(ListedAttempt::line).unwrap_or_else(|| {
                let mut blank = vec![b' '; RECORD_BYTES - 1];
                blank.push(b'\n');
                blank
            });
        // A disk that is full takes no record; then the search by environment is what is left.
        let _ = file.write_all_at(&line, ((index + 1) * RECORD_BYTES) as u64);
    }
}

/// An attempt that runs; dropped when its processes are gone.
#[derive(Debug)]
pub struct AttemptMark {
    attempts: Arc<Attempts>,
    index: usize,
}

impl AttemptMark {
    pub(crate) fn new(attempts: &Arc<Attempts>, recorded: ListedAttempt) -> Self {
        let index = attempts.begin(recorded);
        Self { attempts: Arc::clone(attempts), index }
    }
}

impl Drop for AttemptMark {
    fn drop(&mut self) {
        self.attempts.end(self.index);
    }
}

/// What the lock file of `owner` beside `database` lists; nothing where there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub(crate) fn listed(database: &Path, owner: &str) -> io::Result<Vec<ListedAttempt>> {
    let mut bytes = Vec::new();
    match files::open(&files::folder_of(database).join(owner)) {
        Ok(file) => file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(ListedAttempt::parse).collect())
}

/// Forgets the attempts that a dead process has listed: its processes are gone.
pub(crate) fn forget_attempts(database: &Path, owner: &str) {
    let opened = files::open_for_writing(&files::folder_of(database).join(owner));
    // What stays listed is looked for again, and not found.
    let _ = opened.and_then(|file| file.set_len(RECORD_BYTES as u64));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn recorded(group: i32, step: &str) -> ListedAttempt {
        let key = AttemptKey { execution_id: "e".to_owned(), step: step.to_owned(), attempt: 2 };
        ListedAttempt { key, group, session: 7, started_ticks: (100, 101) }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let one = recorded(42, "a.b-c_d");
        let line = one.line().unwrap();
        assert_eq!(line.len(), RECORD_BYTES);
        assert_eq!(ListedAttempt::parse(std::str::from_utf8(&line).unwrap()), Some(one));
        assert_eq!(recorded(42, &"x".repeat(RECORD_BYTES)).line(), None);
        for line in ["", "1 2 3", "0 7 1 1 1 e a", "1 7 1 1 1 e a", "x 7 1 1 1 e a"] {
            assert_eq!(ListedAttempt::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_file_lists_what_runs_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let open = || {
            Arc::new(
                File::options()
                    .create(true)
                    .append(false)
                    .truncate(false)
                    .write(true)
                    .open(&path)
                    .unwrap(),
            )
        };
        let read = || -> Vec<i32> {
            let text = fs::read_to_string(&path).unwrap();
            text.lines().filter_map(ListedAttempt::parse).map(|recorded| recorded.group).collect()
        };
        let attempts = Arc::new(Attempts::default());
        attempts.write_to(open());
        let first = AttemptMark::new(&attempts, recorded(10, "a"));
        let second = AttemptMark::new(&attempts, recorded(11, "b"));
        assert_eq!(read(), [10, 11]);
        drop(first);
        assert_eq!(read(), [11]);
        let third = AttemptMark::new(&attempts, recorded(12, "c"));
        assert_eq!(read(), [12, 11]);
        // A file made anew lists what runs.
        fs::remove_file(&path).unwrap();
        attempts.write_to(open());
        assert_eq!(read(), [12, 11]);
        drop((second, third));
        assert_eq!(read(), [] as [i32; 0]);
        assert_eq!(fs::metadata(&path).unwrap().len(), 3 * RECORD_BYTES as u64);
    }
}
