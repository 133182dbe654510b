//! The access log: a line of JSON for each request, as `wfx slo-sim` reads it.
//!
//! ```text
//! {"t":1767225600.000123,"method":"GET","path":"/api/v1/ping","route":"/api/v1/ping",
//!  "status":200,"latency":0.000045,"request_id":"…","remote":"127.0.0.1:40312"}
//! ```
//!
//! `t` is the wall clock and `latency` a duration, both in seconds. Where the wall clock was set
//! since the start of the daemon, `clock_step` has by how many seconds, all steps together: `t`
//! less that is monotonic, and orders the lines as they were judged. What the service levels leave
//! out has `"slo":false`; where they count another status than that of the answer, `slo_status` is
//! it. A file that was moved away is made anew within a
//! second, as programs that rotate logs expect.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::base::clock;
use crate::base::json;
use crate::http::exchange::handler::{AnsweredRequest, Remote};
use crate::logging::background_writer::{BackgroundWriter, Sink};
use crate::slo::wall::Stamp;
use crate::system::files;

/// Of a path that is longer only so much is logged.
const PATH_BYTES_MAX: usize = 2048;
/// How often it is looked whether the file is still in its place.
const LOOK: Duration = Duration::from_secs(1);

/// Writes a line for each request, in the order in which they are logged.
#[derive(Debug)]
pub(crate) struct AccessLog {
    writer: Mutex<BackgroundWriter<Entry>>,
}

/// A request as it is logged.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    #[serde(serialize_with = "seconds")]
    t: u64,
    method: String,
    path: String,
    route: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    slo_status: Option<u16>,
    #[serde(serialize_with = "seconds")]
    latency: u64,
    request_id: String,
    #[serde(serialize_with = "client", skip_serializing_if = "Option::is_none")]
    remote: Option<Remote>,
    #[serde(skip_serializing_if = "is_true")]
    slo: bool,
    #[serde(serialize_with = "signed_seconds", skip_serializing_if = "is_zero")]
    clock_step: i64,
}

fn client<S: Serializer>(remote: &Option<Remote>, serializer: S) -> Result<S::Ok, S::Error> {
    match remote {
        Some(remote) => serializer.collect_str(remote),
        None => serializer.serialize_none(),
    }
}

/// Microseconds as seconds, exactly.
fn seconds<S: Serializer>(micros: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    write_seconds("", *micros, serializer)
}

fn signed_seconds<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let sign = if *micros < 0 { "-" } else { "" };
    write_seconds(sign, micros.unsigned_abs(), serializer)
}

fn write_seconds<S: Serializer>(sign: &str, micros: u64, to: S) -> Result<S::Ok, S::Error> {
    let text = format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    // Numbers keep their text here.
    serde_json::Number::from_string_unchecked(text).serialize(to)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_true(value: &bool) -> bool {
    *value
}

impl AccessLog {
    /// Begins to log to a file, after what it holds; to standard output for `-`.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread can be started.
    pub(crate) fn start(target: &Path) -> io::Result<Self> {
        let lines = Lines::open(target)?;
        Ok(Self { writer: Mutex::new(BackgroundWriter::start("wfx-access-log", lines)?) })
    }

    pub(crate) fn log(&self, entry: Entry) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).intake().put(entry);
    }
}

impl Entry {
    /// A request whose time is not known yet. `counts`: for the service levels.
    #[must_use]
    pub(crate) fn of(seen: &AnsweredRequest<'_>, counts: bool) -> Self {
        Self {
            t: 0,
            method: seen.method.to_owned(),
            path: cut(seen.path).to_owned(),
            route: seen.route_label,
            status: seen.status,
            slo_status: Some(seen.served_as).filter(|served_as| *served_as != seen.status),
            latency: micros(seen.latency),
            request_id: seen.request_id.to_owned(),
            remote: seen.remote,
            slo: counts,
            clock_step: 0,
        }
    }

    /// The same at a time.
    #[must_use]
    pub(crate) fn at(self, stamp: Stamp) -> Self {
        Self { t: stamp.wall_us, clock_step: stamp.clock_step_us, ..self }
    }
}

/// What is longer is no path of ours, and must not fill the memory while it waits.
pub(in crate::http) fn cut(path: &str) -> &str {
    match path.char_indices().find(|(at, _)| *at >= PATH_BYTES_MAX) {
        Some((end, _)) => &path[..end],
        None => path,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Where the lines go.
enum Lines {
    Stdout(BufWriter<io::Stdout>),
    File(LogFile),
}

struct LogFile {
    path: PathBuf,
    file: BufWriter<File>,
    looked_at: Instant,
    is_failing: bool,
    /// Lines that the file did not take, and that are not reported yet.
    missing: u64,
}

impl Lines {
    fn open(target: &Path) -> io::Result<Self> {
        if target == Path::new("-") {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        }
        LogFile::open(target).map(Self::File)
    }
}

/// Paths of requests may tell more than everybody should know.
fn open(path: &Path) -> io::Result<File> {
    files::append(path, 0o640)
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(open(path)?),
            path: path.to_owned(),
            looked_at: clock::monotonic(),
            is_failing: false,
            missing: 0,
        })
    }

    /// Goes on with a new file where the old one was moved away.
    fn look(&mut self) {
        self.looked_at = clock::monotonic();
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.path).map(identity).ok();
        let ours = self.file.get_ref().metadata().map(identity).ok();
        if there != ours {
            match open(&self.path) {
                // What the old one does not take is given up: kept open, it would keep its
                // space, which may be the very reason.
                Ok(file) => {
                    let _ = self.file.flush();
                    self.missing += self.waiting();
                    let (_old, _rest) =
                        std::mem::replace(&mut self.file, BufWriter::new(file)).into_parts();
                }
                Err(error) => self.tell(Err(error)),
            }
        }
    }

    /// How many lines wait to be written, of one of them perhaps only the rest.
    fn waiting(&self) -> u64 {
        self.file.buffer().iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    fn write(&mut self, line: &[u8]) {
        if self.looked_at.elapsed() >= LOOK {
            self.look();
        }
        if let Err(error) = self.file.write_all(line) {
            self.missing += 1;
            self.tell(Err(error));
        }
    }

    fn flush(&mut self) {
        let flushed = self.file.flush();
        self.tell(flushed);
    }

    /// Tells how many lines are not in the file.
    fn tell_missing(&mut self) {
        match std::mem::take(&mut self.missing) {
            0 => {}
            lost => tracing::warn!(lost, "lines of the access log are missing: not written"),
        }
    }

    /// Tells a failure once, until it is over, and then what it cost.
    fn tell(&mut self, outcome: io::Result<()>) {
        match outcome {
            Err(error) if !self.is_failing => {
                tracing::warn!(%error, path = %self.path.display(), "cannot write the access log");
                self.is_failing = true;
            }
            Err(_) => {}
            Ok(()) => {
                self.is_failing = false;
                self.tell_missing();
            }
        }
    }
}

impl Sink<Entry> for Lines {
    fn write(&mut self, entry: Entry) {
        let Ok(mut line) = json::to_vec(&entry) else { return };
        line.push(b'\n');
        match self {
            // Who closed standard output does not want to know.
            Self::Stdout(stdout) => _ = stdout.write_all(&line),
            Self::File(file) => file.write(&line),
        }
    }

    fn pause(&mut self) {
        match self {
            Self::Stdout(stdout) => _ = stdout.flush(),
            Self::File(file) => file.flush(),
        }
    }

    fn lost(&mut self, count: u64) {
        tracing::warn!(lost = count, "lines of the access log are missing: it could not keep up");
    }
    fn end(&mut self) {
        self.pause();
        if let Self::File(file) = self {
            file.missing += file.waiting();
            file.tell_missing();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_not_held_by_a_log_that_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        // Takes nothing, as a full disk does.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        log.write(b"one\n");
        log.flush();
        assert!(log.is_failing);
        std::fs::remove_file(&path).unwrap();
        log.look();
        log.write(b"two\n");
        assert_eq!(log.missing, 1, "the first");
        log.flush();
        assert!(!log.is_failing && log.missing == 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn lines_that_a_full_disk_takes_later_are_whole_and_the_others_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        let line = [&[b'x'; 99][..], b"\n"].concat();
        for _ in 0..1_000 {
            log.write(&line);
            log.flush();
        }
        assert_eq!(log.missing + log.waiting(), 1_000);
        assert!(log.waiting() > 0 && log.file.buffer().len().is_multiple_of(line.len()));
    }
}
