//! A step that runs a command, in a process group of its own.
//!
//! Its [`super::tree`] of processes ends with its first process, the leader: the remaining ones get
//! SIGTERM or the step's `stop_signal`, and SIGKILL after [`GRACE`] or its `stop_timeout`. A process
//! that started a session of its own (`setsid`) keeps running, but its output is no longer read.
//! Spawning uses no `pre_exec` closure, and the program's path is [searched](super::search) before:
//! otherwise the standard library forks instead of calling `posix_spawn`, and a fork copies the
//! page tables of all of wfx.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::net::unix::pipe;
use tokio::time;

use super::Stop;
use super::children;
use super::failure::{NOT_FOUND, exit_code, failure, not_found, spawn_error};
use super::group::Group;
use super::job::{GRACE, Job};
use super::launch::{self, Launch};
use super::outputs::{self, OutputsError};
use super::tree::{self, Left, Tree};
use crate::base::clock;
use crate::base::period::Period;
use crate::base::timestamp::Timestamp;
use crate::engine::output::{AttemptOutput, Ends};
use crate::repository::ownership::ListedAttempt;
use crate::system::limits::{self, OpenFiles};
use crate::system::process_table::{self, Stat};
use crate::workflow::event::{AttemptEnd, Outcome};
use crate::workflow::output::tail::Whole;
use crate::workflow::record::{AttemptKey, Captured, Outputs};
use crate::workflow::report::Stream;
use crate::workflow::retry_on::EndCause;

/// How long to wait after SIGKILL for processes that the kernel does not end at once.
const GIVE_UP_AFTER_KILL: Duration = Duration::from_secs(5);
/// The interval between checks of a tree whose leader has ended.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(200);
/// The interval as a multiple of the duration of a check: a check occupies a thread that serves
/// others.
const LOOK_SHARE: u32 = 4;
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// The buffer for reads of all steps: a buffer for each would take 64 KiB for each running
    /// step. It is never filled ahead, so that of its memory only what was read is touched.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(READ_BYTES));
}

/// A process that was started, as it can be recognised later.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    key: AttemptKey,
    /// Its number, and that of its process group.
    pid: u32,
    /// It started between these times since boot.
    between: (Duration, Duration),
}

impl Started {
    /// What is listed of it.
    #[must_use]
    pub(crate) fn listed(self) -> ListedAttempt {
        let group = self.pid.cast_signed();
        let (from, to) = self.between;
        let started_ticks = (process_table::ticks(from), process_table::ticks(to));
        ListedAttempt { key: self.key, group, session: tree::session_of(group), started_ticks }
    }
}

/// When an attempt began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub at: Timestamp,
    since: Instant,
}

impl Begun {
    pub(crate) fn now() -> Self {
        Self { at: clock::now(), since: clock::monotonic() }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.since.elapsed()
    }
}

/// Runs the command until its tree of processes has ended. `launch` is what was prepared of it, if
/// anything was. `began` is called when that begins, with
/// the process or, if the program cannot be started, without; its result is dropped at the end.
///
/// # Errors
/// When it could not begin because a resource [is scarce](limits::is_scarce); anything else is an end.
pub(crate) async fn run<T>(
    job: &Job,
    launch: Option<Launch>,
    begun: Begun,
    stop: &Stop,
    output: AttemptOutput<'_>,
    began: impl FnOnce(Option<Started>) -> T,
) -> io::Result<AttemptEnd> {
    let _files = OpenFiles::count(limits::FILES_OF_STEP);
    let before = clock::since_boot();
    let mut ended = match launch::spawn(job, launch) {
        Err(error) if limits::is_scarce(&error) => return Err(error),
        Ok(child) => {
            let (key, between) = (job.key.clone(), (before, clock::since_boot()));
            let _running = began(Some(Started { key, pid: child.id(), between }));
            Running::new(child, job, begun, output).watch(job, stop).await
        }
        Err(error) => {
            began(None);
            Ended::not_started(spawn_error(job, &error))
        }
    };
    let outputs = loop {
        match outputs::read(job.output_file.path()) {
            // The work is done: its outputs must not be lost for want of a descriptor.
            Err(OutputsError::Unreadable(error)) if limits::is_scarce(&error) => {
                time::sleep(LOOK_LAST).await;
            }
            outputs => break outputs,
        }
    };
    // One that fails keeps what can be read of both.
    let (mut outputs, mut error) = match outputs {
        Ok(outputs) => (outputs, None),
        Err(error) => (Outputs::new(), Some(error)),
    };
    if let Some(name) = job.stdout_output()
        && let Err(bad) = outputs::add_stdout(&mut outputs, name, ended.whole)
    {
        error.get_or_insert(bad);
    }
    let (outcome, outputs) = match (ended.outcome, error) {
        (Outcome::Success, Some(error)) => {
            ended.cause = EndCause::Other;
            (Outcome::Failed(error.to_string()), Outputs::new())
        }
        (Outcome::Failed(why), _) if ended.exit_code == Some(NOT_FOUND) => {
            (Outcome::Failed(not_found(job, why)), outputs)
        }
        (outcome, _) => (outcome, outputs),
    };
    Ok(AttemptEnd {
        outcome,
        outputs,
        started_at: begun.at,
        duration: begun.elapsed(),
        exit_code: ended.exit_code,
        cause: ended.cause,
        stdout: ended.stdout,
        stderr: ended.stderr,
    })
}

struct Ended {
    outcome: Outcome,
    exit_code: Option<i32>,
    cause: EndCause,
    /// All of its standard output, if an output is to hold it.
    whole: Whole,
    stdout: Captured,
    stderr: Captured,
}

impl Ended {
    fn not_started(error: String) -> Self {
        Self {
            outcome: Outcome::Failed(error),
            exit_code: None,
            cause: EndCause::Other,
            whole: Whole::default(),
            stdout: Captured::default(),
            stderr: Captured::default(),
        }
    }
}

/// One of the two streams of a running process.
struct Tap {
    stream: Stream,
    pipe: Option<pipe::Receiver>,
}

impl Tap {
    /// Waits until something can be read; for ever when the stream has ended.
    async fn readable(&self) {
        match &self.pipe {
            Some(pipe) if pipe.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Reads once what is there.
    fn read(&mut self, output: &mut AttemptOutput<'_>) {
        BUFFER.with_borrow_mut(|buffer| {
            let Some(pipe) = &self.pipe else { return };
            buffer.clear();
            match pipe.try_read_buf(buffer) {
                Ok(0) => self.pipe = None,
                Ok(_) => output.take(self.stream, buffer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.pipe = None,
            }
        });
    }

    /// Reads what the ended process left in the pipe: at most a pipe's capacity, since a process
    /// that left the group may still write.
    fn drain(&mut self, output: &mut AttemptOutput<'_>) {
        BUFFER.with_borrow_mut(|buffer| self.drain_into(buffer, output));
    }

    fn drain_into(&mut self, buffer: &mut Vec<u8>, output: &mut AttemptOutput<'_>) {
        let mut left = self.pipe.as_ref().map_or(0, |pipe| capacity(pipe.as_fd()));
        while left > 0 {
            let Some(pipe) = &self.pipe else { return };
            // Not `try_read`: readiness may not be registered yet.
            buffer.clear();
            match rustix::io::read(pipe.as_fd(), spare_capacity(buffer)) {
                Ok(0) | Err(_) => self.pipe = None,
                Ok(count) => {
                    left = left.saturating_sub(count);
                    output.take(self.stream, buffer);
                }
            }
        }
        self.pipe = None;
    }
}

/// Both streams of a running process, and where they go.
struct Taps<'a> {
    stdout: Tap,
    stderr: Tap,
    output: AttemptOutput<'a>,
}

impl Taps<'_> {
    /// Waits until something was printed and takes it, or does what is due of what was. To be called
    /// again and again; nothing is lost when it is cancelled.
    async fn pump(&mut self) {
        let Self { stdout, stderr, output } = self;
        let has_room = output.has_room();
        tokio::select! {
            () = stdout.readable(), if has_room => {}
            () = stderr.readable(), if has_room => {}
            () = output.tend() => return,
        }
        // Both: the one that was written first may be the one that was noticed last, and neither
        // stream waits until the other one has ended.
        stdout.read(output);
        stderr.read(output);
    }

    fn drain(&mut self) {
        self.stdout.drain(&mut self.output);
        self.stderr.drain(&mut self.output);
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
    tree: Option<Tree>,
    begun: Begun,
    taps: Taps<'a>,
}

impl<'a> Running<'a> {
    fn new(mut child: Child, job: &Job, begun: Begun, output: AttemptOutput<'a>) -> Self {
        let receiver = |end: OwnedFd| pipe::Receiver::from_owned_fd(end).ok();
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let inode = |end: &OwnedFd| rustix::fs::fstat(end).ok().map(|stat| stat.st_ino);
        let pipes: Vec<u64> = [&stdout, &stderr].into_iter().flatten().filter_map(inode).collect();
        let group = Group::led_by(child.id());
        Self {
            tree: group.map(|group| Tree::new(group, job.key.clone(), job.ask(), pipes)),
            child,
            begun,
            taps: Taps {
                stdout: Tap { stream: Stream::Stdout, pipe: stdout.and_then(receiver) },
                stderr: Tap { stream: Stream::Stderr, pipe: stderr.and_then(receiver) },
                output,
            },
        }
    }

    async fn watch(mut self, job: &Job, stop: &Stop) -> Ended {
        let ending = self.until_exit(job, stop).await;
        let (status, unended) = if self.has_exited() {
            // Before it is reaped: until then the group's number cannot be reused.
            self.on_tree(Tree::leader_ended);
            let status = children::collect(&mut self.child);
            (Some(status), self.until_tree_is_gone(stop).await)
        } else {
            (None, self.on_tree(Tree::give_up).flatten())
        };
        self.taps.drain();
        let (exit_code, failure) = match &status {
            Some(Ok(status)) => (exit_code(*status), failure(*status, |code| job.is_success(code))),
            Some(Err(error)) => (None, Some(format!("cannot tell how the process ended: {error}"))),
            None => (None, None),
        };
        let cause = match (ending, &status) {
            (Some(Ending::TimedOut), _) => EndCause::Timeout,
            (_, Some(Ok(status))) if status.code().is_some() => EndCause::Exit,
            (_, Some(Ok(_))) => EndCause::Signal,
            _ => EndCause::Other,
        };
        // Not the number of a signal.
        let exited = status.as_ref().and_then(|status| status.as_ref().ok()?.code());
        let outcome = match (ending, failure, unended) {
            (Some(Ending::Asked), _, None) => Outcome::Stopped,
            (Some(Ending::Asked), _, Some(unended)) => Outcome::Unended(unended),
            (Some(Ending::TimedOut), _, unended) => {
                failed(format!("timed out after {}", job.timeout().unwrap_or_default()), unended)
            }
            (None, Some(failure), None) if is_skip(exited, job) => Outcome::Skipped(failure),
            (None, Some(failure), unended) => failed(failure, unended),
            (None, None, Some(unended)) => Outcome::Unended(unended),
            (None, None, None) => Outcome::Success,
        };
        if status.is_none() {
            children::give_up(self.child);
        }
        let ends = self.taps.output.finish(job.stdout_output().is_some()).await;
        let Ends { whole, stdout, stderr } = ends;
        Ended { outcome, exit_code, cause, whole, stdout, stderr }
    }

    /// Until the leader has ended, or cannot be ended.
    async fn until_exit(&mut self, job: &Job, stop: &Stop) -> Option<Ending> {
        let mut ending = None;
        let mut killed = false;
        let mut grace = self.tree.as_ref().map_or(GRACE, |tree| tree.how().grace);
        let ask_rest_after = self.tree.as_ref().map_or(GRACE, Tree::ask_rest_after);
        let timeout = job.timeout().map_or(Duration::MAX, Period::duration);
        let timeout = time::sleep(timeout.saturating_sub(self.begun.elapsed()));
        let kill = time::sleep(Duration::MAX);
        let give_up = time::sleep(Duration::MAX);
        let ask_rest = time::sleep(Duration::MAX);
        let exited = exited(self.tree.as_ref().map(Tree::group));
        tokio::pin!(timeout, kill, give_up, ask_rest, exited);
        loop {
            let end = tokio::select! {
                // In this order: a process that ended by itself was not ended by wfx, however late
                // that is noticed.
                biased;
                () = &mut exited => return ending,
                () = &mut give_up, if killed => return ending,
                () = stop.now.cancelled(), if !killed => Some(Ending::Asked),
                () = &mut kill, if ending.is_some() && !killed => ending,
                () = stop.gently.cancelled(), if ending.is_none() => Some(Ending::Asked),
                () = &mut timeout, if ending.is_none() => Some(Ending::TimedOut),
                () = &mut ask_rest, if ending.is_some() && !killed => {
                    self.on_tree(Tree::ask_rest);
                    ask_rest.as_mut().reset(later(ask_rest_after));
                    continue;
                }
                () = stop.soon.cancelled(), if grace > GRACE && ending.is_some() && !killed => {
                    grace = GRACE;
                    let sooner = kill.deadline().min(later(grace));
                    kill.as_mut().reset(sooner);
                    continue;
                }
                () = self.taps.pump() => continue,
            };
            // wfx may have been stopped for a while, and know of the end only now.
            if ending.is_none() && self.has_exited() {
                return None;
            }
            let asked_before = ending.is_some();
            ending = ending.or(end);
            if asked_before || stop.now.is_cancelled() {
                killed = true;
                let refused = self.on_tree(Tree::kill).unwrap_or_default();
                let is_leader = |entry: &Stat| entry.pid == self.child.id().cast_signed();
                let refused = refused.iter().any(is_leader);
                let patience = if refused { LOOK_LAST } else { GIVE_UP_AFTER_KILL };
                give_up.as_mut().reset(time::Instant::now() + patience);
            } else {
                self.on_tree(Tree::ask);
                kill.as_mut().reset(later(grace));
                ask_rest.as_mut().reset(later(ask_rest_after));
            }
        }
    }

    /// Until nothing is left of the tree; otherwise names what cannot be ended.
    async fn until_tree_is_gone(&mut self, stop: &Stop) -> Option<String> {
        let tree = self.tree.as_mut()?;
        let grace = tree.how().grace;
        let since = clock::monotonic();
        let mut look = LOOK_FIRST;
        let mut killed_at = None;
        loop {
            let looked = clock::monotonic();
            let found = tree.left();
            if found == Left::Nothing {
                return None;
            }
            let left = since.elapsed();
            let is_over = killed_at.is_some_and(|at| left >= at + GIVE_UP_AFTER_KILL);
            // Processes that may belong to other steps are not waited for.
            if is_over || (killed_at.is_some() && found == Left::Unsure) {
                return tree.give_up();
            }
            let is_late = left >= grace || (left >= GRACE && stop.soon.is_cancelled());
            if killed_at.is_some() || is_late || stop.now.is_cancelled() {
                let refused = tree.kill();
                // A signal that is not permitted now will not be permitted later.
                if killed_at.is_some() && !refused.is_empty() && look == LOOK_LAST {
                    return tree.give_up();
                }
                if killed_at.is_none() {
                    killed_at = Some(left);
                    look = LOOK_FIRST;
                }
            }
            let look_after = look.max(looked.elapsed() * LOOK_SHARE).min(LOOK_LAST);
            let next = time::sleep(look_after);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    () = stop.now.cancelled(), if killed_at.is_none() => break,
                    () = self.taps.pump() => {}
                }
            }
            look = (look * 2).min(LOOK_LAST);
        }
    }

    fn on_tree<T>(&mut self, act: impl FnOnce(&mut Tree) -> T) -> Option<T> {
        self.tree.as_mut().map(act)
    }

    /// Whether the leader has ended; it is not reaped.
    fn has_exited(&self) -> bool {
        let Some(tree) = &self.tree else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(tree.group().leader()), options), Ok(None))
    }
}

/// The instant after `wait`, which may be longer than a clock can represent.
fn later(wait: Duration) -> time::Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    time::Instant::now() + wait.min(FAR)
}

/// Whether the exit code says that there was nothing to do.
fn is_skip(exited: Option<i32>, job: &Job) -> bool {
    exited.is_some_and(|code| job.is_skip(code))
}

fn failed(why: String, unended: Option<String>) -> Outcome {
    match unended {
        Some(unended) => Outcome::Unended(format!("{why}; {unended}")),
        None => Outcome::Failed(why),
    }
}

/// Waits until the first process of the group has ended, without reaping it, so that its number
/// stays in use.
async fn exited(group: Option<Group>) {
    let Some(group) = group else { return };
    #[cfg(target_os = "linux")]
    loop {
        match process_descriptor(group) {
            Ok(descriptor) => {
                let _ = descriptor.readable().await;
                return;
            }
            // A thread that waits would be one of few.
            Err(error) if limits::is_scarce(&error) => time::sleep(LOOK_LAST).await,
            Err(_) => break,
        }
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
fn process_descriptor(group: Group) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let descriptor = pidfd_open(group.leader(), PidfdFlags::NONBLOCK)?;
    tokio::io::unix::AsyncFd::new(descriptor)
}
