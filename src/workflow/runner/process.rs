//! A step that runs a command, in a process group of its own.
//!
//! The group ends with its first process: what is left gets SIGTERM, and SIGKILL
//! after [`GRACE`]. A process that left the group (`setsid`) goes on, but its
//! output is no longer read. Spawning has no `pre_exec` closure, and the program's
//! path is [searched](super::search) before: otherwise the standard library forks
//! instead of calling `posix_spawn`, and a fork copies the page tables of all of wfx.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::net::unix::pipe;
use tokio::time;

use super::Stop;
use super::group::Group;
use super::outputs;
use super::search;
use super::tail::Tail;
use crate::clock;
use crate::process_table;
use crate::repository::ownership::ListedAttempt;
use crate::workflow::definition::Work;
use crate::workflow::environment::{self, OUTPUT_FILE, Variables};
use crate::workflow::event::{AttemptEnd, Outcome};
use crate::workflow::period::Period;
use crate::workflow::record::{AttemptKey, Captured, Outputs};
use crate::workflow::report::Stream;

/// Between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(5);
/// After SIGKILL, how long is waited for processes that cannot be killed.
const GIVE_UP_AFTER_KILL: Duration = Duration::from_secs(1);
/// Between looks at a group whose first process has ended.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 64 * 1024;

/// A command to be run once.
#[derive(Debug)]
pub struct Job {
    /// The command line or the program.
    pub work: Work,
    /// Where it runs.
    pub folder: PathBuf,
    /// Its whole environment but the output file.
    pub variables: Variables,
    /// The empty file for its outputs.
    pub output_file: PathBuf,
    /// Longest time.
    pub timeout: Option<Period>,
}

/// Who wants the output as it comes.
pub type Listener<'a> = &'a (dyn Fn(Stream, &[u8]) + Send + Sync);

/// A process that was started, as it can be recognised later.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// Its number, and that of its process group.
    pid: u32,
    /// It started between these times since the boot.
    between: (Duration, Duration),
}

impl Started {
    /// What is listed of it, but for the session.
    #[must_use]
    pub fn listed(self, key: AttemptKey) -> ListedAttempt {
        let group = i32::try_from(self.pid).unwrap_or(0);
        let (from, to) = self.between;
        let started_ticks = (process_table::ticks(from), process_table::ticks(to));
        ListedAttempt { key, group, session: 0, started_ticks }
    }
}

/// Runs the command to its end, that of its process group. What `began` answers is dropped then.
pub async fn run<T>(
    job: Job,
    stop: &Stop,
    listener: Option<Listener<'_>>,
    began: impl FnOnce(Started) -> T,
) -> AttemptEnd {
    let (started_at, begun) = (clock::now(), clock::monotonic());
    let before = clock::since_boot();
    let ended = match spawn(&job) {
        Ok(child) => {
            let between = (before, clock::since_boot());
            let _running = began(Started { pid: child.id(), between });
            Running::new(child, begun, listener).watch(&job, stop).await
        }
        Err(error) => Ended::not_started(spawn_error(&job, &error)),
    };
    let outputs = outputs::read(&job.output_file);
    let _ = std::fs::remove_file(&job.output_file);
    let (outcome, outputs) = match (ended.outcome, outputs) {
        (Outcome::Success, Err(error)) => (Outcome::Failed(error.to_string()), Outputs::new()),
        (outcome, outputs) => (outcome, outputs.unwrap_or_default()),
    };
    AttemptEnd {
        outcome,
        outputs,
        started_at,
        duration: begun.elapsed(),
        exit_code: ended.exit_code,
        stdout: ended.stdout,
        stderr: ended.stderr,
    }
}

struct Ended {
    outcome: Outcome,
    exit_code: Option<i32>,
    stdout: Captured,
    stderr: Captured,
}

impl Ended {
    fn not_started(error: String) -> Self {
        Self {
            outcome: Outcome::Failed(error),
            exit_code: None,
            stdout: Captured::default(),
            stderr: Captured::default(),
        }
    }
}

fn spawn(job: &Job) -> io::Result<Child> {
    let mut command = match &job.work {
        Work::Argv(argv) => {
            let mut command = Command::new(search::find(&argv[0], &job.variables, &job.folder)?);
            command.arg0(&argv[0]).args(&argv[1..]);
            command
        }
        Work::Shell(line) => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(line);
            command
        }
        Work::Nothing | Work::Sleep(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    command
        .env_clear()
        .envs(&job.variables)
        .env(OUTPUT_FILE, &job.output_file)
        .current_dir(&job.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

fn spawn_error(job: &Job, error: &io::Error) -> String {
    let folder = job.folder.display();
    if !job.folder.is_dir() {
        return format!("cannot start in folder {folder}: it does not exist or is no folder");
    }
    let program: OsString = match &job.work {
        Work::Argv(argv) => argv[0].clone().into(),
        _ => "/bin/sh".into(),
    };
    let program = Path::new(&program).display();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::TOOBIG) => format!(
            "cannot start `{program}`: the system refuses so large an environment; \
             the largest are {}",
            environment::largest(&job.variables)
        ),
        Some(Errno::NOENT) => format!("cannot start `{program}`: no such program"),
        _ => format!("cannot start `{program}` in {folder}: {error}"),
    }
}

/// One of the two streams of a running process.
struct Tap {
    stream: Stream,
    pipe: Option<pipe::Receiver>,
    tail: Tail,
}

impl Tap {
    fn new(stream: Stream, pipe: Option<pipe::Receiver>) -> Self {
        Self { stream, pipe, tail: Tail::default() }
    }

    /// Waits until something can be read; for ever when the stream has ended.
    async fn readable(&self) {
        match &self.pipe {
            Some(pipe) if pipe.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Reads once what is there.
    fn read(&mut self, buffer: &mut [u8], listener: Option<Listener<'_>>) {
        let Some(pipe) = &self.pipe else { return };
        match pipe.try_read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.take(&buffer[..count], listener),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipe = None,
        }
    }

    /// Reads what the ended process has left in the pipe: at most what a pipe
    /// holds, since a process that left the group may go on writing.
    fn drain(&mut self, buffer: &mut [u8], listener: Option<Listener<'_>>) {
        let mut left = self.pipe.as_ref().map_or(0, |pipe| capacity(pipe.as_fd()));
        while left > 0 {
            let Some(pipe) = &self.pipe else { return };
            // Not `try_read`: it may not know yet that something is there.
            match rustix::io::read(pipe.as_fd(), &mut *buffer) {
                Ok(0) | Err(_) => self.pipe = None,
                Ok(count) => {
                    left = left.saturating_sub(count);
                    self.take(&buffer[..count], listener);
                }
            }
        }
        self.pipe = None;
    }

    fn take(&mut self, bytes: &[u8], listener: Option<Listener<'_>>) {
        self.tail.push(bytes);
        if let Some(listener) = listener {
            listener(self.stream, bytes);
        }
    }
}

#[cfg(target_os = "linux")]
fn capacity(pipe: BorrowedFd<'_>) -> usize {
    rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(READ_BYTES)
}

#[cfg(not(target_os = "linux"))]
fn capacity(_pipe: BorrowedFd<'_>) -> usize {
    READ_BYTES
}

/// Why a process is being ended before its time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Asked,
    TimedOut,
}

struct Running<'a> {
    child: Child,
    group: Option<Group>,
    begun: Instant,
    stdout: Tap,
    stderr: Tap,
    listener: Option<Listener<'a>>,
}

impl<'a> Running<'a> {
    fn new(mut child: Child, begun: Instant, listener: Option<Listener<'a>>) -> Self {
        let receiver = |end: OwnedFd| pipe::Receiver::from_owned_fd(end).ok();
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        Self {
            group: Group::led_by(child.id()),
            child,
            begun,
            stdout: Tap::new(Stream::Stdout, stdout.and_then(receiver)),
            stderr: Tap::new(Stream::Stderr, stderr.and_then(receiver)),
            listener,
        }
    }

    async fn watch(mut self, job: &Job, stop: &Stop) -> Ended {
        let mut buffer = vec![0; READ_BYTES];
        let (status, ending) = self.until_exit(job, stop, &mut buffer).await;
        self.until_group_is_gone(stop, &mut buffer).await;
        self.stdout.drain(&mut buffer, self.listener);
        self.stderr.drain(&mut buffer, self.listener);
        let (exit_code, failure) = match &status {
            Ok(status) => (exit_code(*status), failure(*status)),
            Err(error) => (None, Some(format!("cannot tell how the process ended: {error}"))),
        };
        let outcome = match (ending, failure) {
            (Some(Ending::Asked), _) => Outcome::Stopped,
            (Some(Ending::TimedOut), _) => {
                Outcome::Failed(format!("timed out after {}", job.timeout.unwrap_or_default()))
            }
            (None, Some(failure)) => Outcome::Failed(failure),
            (None, None) => Outcome::Success,
        };
        Ended {
            outcome,
            exit_code,
            stdout: self.stdout.tail.finish(),
            stderr: self.stderr.tail.finish(),
        }
    }

    /// Until the first process has ended and been waited for.
    async fn until_exit(
        &mut self,
        job: &Job,
        stop: &Stop,
        buffer: &mut [u8],
    ) -> (io::Result<ExitStatus>, Option<Ending>) {
        let mut ending = None;
        let mut killed = false;
        let timeout = job.timeout.map_or(Duration::MAX, Period::duration);
        let timeout = time::sleep(timeout.saturating_sub(self.begun.elapsed()));
        let kill = time::sleep(Duration::MAX);
        let exited = exited(self.group);
        tokio::pin!(timeout, kill, exited);
        loop {
            let end = tokio::select! {
                () = &mut exited => break,
                () = self.stdout.readable() => {
                    self.stdout.read(buffer, self.listener);
                    continue;
                }
                () = self.stderr.readable() => {
                    self.stderr.read(buffer, self.listener);
                    continue;
                }
                () = stop.now.cancelled(), if !killed => {
                    ending.get_or_insert(Ending::Asked);
                    kill.as_mut().reset(time::Instant::now());
                    killed = true;
                    continue;
                }
                () = &mut kill, if ending.is_some() => {
                    self.signal(Group::kill);
                    kill.as_mut().reset(time::Instant::now() + GRACE);
                    continue;
                }
                () = stop.gently.cancelled(), if ending.is_none() => Ending::Asked,
                () = &mut timeout, if ending.is_none() => Ending::TimedOut,
            };
            ending = Some(end);
            self.signal(Group::terminate);
            kill.as_mut().reset(time::Instant::now() + GRACE);
        }
        // Before it is waited for: until then the number of the group is its own.
        self.signal(Group::terminate);
        (self.child.wait(), ending)
    }

    async fn until_group_is_gone(&mut self, stop: &Stop, buffer: &mut [u8]) {
        let Some(group) = self.group else { return };
        let since = clock::monotonic();
        let mut look = LOOK_FIRST;
        let mut killed = false;
        while !(group.is_empty() || look == LOOK_LAST && group.is_lifeless()) {
            let left = since.elapsed();
            if left >= GRACE + GIVE_UP_AFTER_KILL {
                return;
            }
            if !killed && (left >= GRACE || stop.now.is_cancelled()) {
                group.kill();
                killed = true;
            }
            let next = time::sleep(look);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    () = stop.now.cancelled(), if !killed => break,
                    () = self.stdout.readable() => self.stdout.read(buffer, self.listener),
                    () = self.stderr.readable() => self.stderr.read(buffer, self.listener),
                }
            }
            look = (look * 2).min(LOOK_LAST);
        }
    }

    fn signal(&self, send: impl Fn(Group)) {
        if let Some(group) = self.group {
            send(group);
        }
    }
}

/// Until the first process of the group has ended; it is not waited for, so that
/// its number stays taken.
async fn exited(group: Option<Group>) {
    let Some(group) = group else { return };
    #[cfg(target_os = "linux")]
    if let Some(descriptor) = process_descriptor(group) {
        let _ = descriptor.readable().await;
        return;
    }
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let wait = move || waitid(WaitId::Pid(group.leader()), options);
    let _ = tokio::task::spawn_blocking(wait).await;
}

/// A descriptor that is readable once the process has ended; Linux has them since
/// 5.3, and sandboxes may refuse them.
#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "its successor is unsafe; an owned descriptor stays open as it wants"
)]
fn process_descriptor(group: Group) -> Option<tokio::io::unix::AsyncFd<OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let descriptor = pidfd_open(group.leader(), PidfdFlags::NONBLOCK).ok()?;
    tokio::io::unix::AsyncFd::new(descriptor).ok()
}

/// As shells count: 128 and the signal's number for a process ended by one.
fn exit_code(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

fn failure(status: ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit status {code}")),
        (None, Some(signal)) => Some(format!("ended by signal {signal}{}", signal_name(signal))),
        (None, None) => Some(status.to_string()),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
