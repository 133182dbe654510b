//! The access log: a line of JSON for each request, as `wfx slo-sim` reads it.
//!
//! ```text
//! {"t":1767225600.000123,"method":"GET","path":"/api/v1/ping","route":"/api/v1/ping",
//!  "status":200,"latency":0.000045,"request_id":"…","remote":"127.0.0.1:40312"}
//! ```
//!
//! `t` is the wall clock at the start of the daemon plus what the monotonic clock counted
//! since, in seconds, so that it never goes back; `latency` is in seconds. What the service
//! levels leave out has `"slo":false`. A file that was moved away is made anew within a
//! second, as programs that rotate logs expect.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use super::Seen;
use crate::clock;
use crate::spool::{Sink, Spool};

/// Of a path that is longer only so much is logged.
const PATH_BYTES_MAX: usize = 2048;
/// How often it is looked whether the file is still in its place.
const LOOK: Duration = Duration::from_secs(1);

/// Writes a line for each request, in the order in which it is told of them.
#[derive(Debug)]
pub struct AccessLog {
    spool: Mutex<Spool<Entry>>,
}

/// A request as it is logged.
#[derive(Debug, Serialize)]
pub struct Entry {
    #[serde(serialize_with = "seconds")]
    t: u64,
    method: String,
    path: String,
    route: &'static str,
    status: u16,
    #[serde(serialize_with = "seconds")]
    latency: u64,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<SocketAddr>,
    #[serde(skip_serializing_if = "is_true")]
    slo: bool,
}

/// Microseconds as seconds, exactly.
fn seconds<S: Serializer>(micros: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    // Numbers keep their text here.
    serde_json::Number::from_string_unchecked(text).serialize(serializer)
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
    pub fn start(target: &Path) -> io::Result<Self> {
        let lines = Lines::open(target)?;
        Ok(Self { spool: Mutex::new(Spool::start("wfx-access-log", lines)?) })
    }

    /// Logs a request.
    pub fn log(&self, entry: Entry) {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner).entrance().put(entry);
    }
}

impl Entry {
    /// A request whose time is not known yet. `counts`: for the service levels.
    #[must_use]
    pub fn of(seen: &Seen<'_>, counts: bool) -> Self {
        Self {
            t: 0,
            method: seen.method.to_owned(),
            path: cut(seen.path).to_owned(),
            route: seen.route_label,
            status: seen.status,
            latency: micros(seen.latency),
            request_id: seen.request_id.to_owned(),
            remote: seen.remote,
            slo: counts,
        }
    }

    /// The same at a time, microseconds since the Unix epoch.
    #[must_use]
    pub fn at(self, t_us: u64) -> Self {
        Self { t: t_us, ..self }
    }
}

/// What is longer is no path of ours, and must not fill the memory while it waits.
pub(super) fn cut(path: &str) -> &str {
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
}

impl Lines {
    fn open(target: &Path) -> io::Result<Self> {
        if target == Path::new("-") {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        }
        Ok(Self::File(LogFile {
            file: BufWriter::new(open(target)?),
            path: target.to_owned(),
            looked_at: clock::monotonic(),
            is_failing: false,
        }))
    }
}

/// Paths of requests may tell more than everybody should know.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

impl LogFile {
    /// Goes on with a new file where the old one was moved away.
    fn look(&mut self) {
        self.looked_at = clock::monotonic();
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.path).map(identity).ok();
        let ours = self.file.get_ref().metadata().map(identity).ok();
        if there != ours {
            let outcome = self.file.flush().and_then(|()| open(&self.path));
            match outcome {
                Ok(file) => self.file = BufWriter::new(file),
                Err(error) => self.tell(Err(error)),
            }
        }
    }

    /// Tells a failure once, until it is over.
    fn tell(&mut self, outcome: io::Result<()>) {
        match outcome {
            Err(error) if !self.is_failing => {
                tracing::warn!(%error, path = %self.path.display(), "cannot write the access log");
                self.is_failing = true;
            }
            Err(_) => {}
            Ok(()) => self.is_failing = false,
        }
    }
}

impl Sink<Entry> for Lines {
    fn write(&mut self, entry: Entry) {
        let Ok(mut line) = serde_json::to_vec(&entry) else { return };
        line.push(b'\n');
        match self {
            // Who closed standard output does not want to know.
            Self::Stdout(stdout) => _ = stdout.write_all(&line),
            Self::File(file) => {
                if file.looked_at.elapsed() >= LOOK {
                    file.look();
                }
                if let Err(error) = file.file.write_all(&line) {
                    file.tell(Err(error));
                }
            }
        }
    }

    fn pause(&mut self) {
        match self {
            Self::Stdout(stdout) => _ = stdout.flush(),
            Self::File(file) => {
                let flushed = file.file.flush();
                file.tell(flushed);
            }
        }
    }

    fn lost(&mut self, count: u64) {
        tracing::warn!(lost = count, "lines of the access log are missing: it could not keep up");
    }
}
