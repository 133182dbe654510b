//! The old process: starts a successor, and hands over to it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::lead::Lead;
use super::link::{Greeting, Link, Message};
use super::older::Older;
use super::starter;
use crate::base::period::Period;
use crate::engine::work::children;
use crate::http::front::socket::Listener;
use crate::system::descriptors;
use crate::system::limits;
use crate::system::process_handle::ProcessHandle;
use crate::workflow::environment::{self, RESTARTED, SUCCESSOR};

/// How long a successor may take from `lead` to `leading`, however much of the time was used up.
const LEADING_TIME: Duration = Duration::from_secs(10);
/// How long a successor that cannot serve may take to end by itself.
const END_TIME: Duration = Duration::from_secs(2);
/// How long the end of a successor that was killed is waited for, to report how it ended.
const DEATH_TIME: Duration = Duration::from_secs(5);

/// How a successor is started.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// The program on the disk; `None`: it is not known.
    pub program: Option<PathBuf>,
    /// The arguments of this process, with its name.
    pub arguments: Vec<OsString>,
    /// What is not in the environment of this process, since others could read it there.
    pub secrets: Vec<(OsString, OsString)>,
    /// How long it may take to get ready.
    pub timeout: Duration,
}

/// How a hand-over ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The successor serves and leads.
    HandedOver(Successor),
    /// There is no successor: this process goes on, for this reason.
    Failed(String),
    /// The same, and no successor can serve while this process has the database.
    NeedsMigration(String),
    /// There is no successor, since this process was asked to stop.
    Stopped,
}

/// The process that serves now.
#[derive(Debug)]
pub(crate) struct Successor {
    /// Its number.
    pub pid: u32,
    /// This process was asked to stop meanwhile.
    pub was_stopped: bool,
    process: Process,
    link: Link,
}

impl Successor {
    /// Waits until it asks this process to stop, or to do so at once; for ever, if it ends without
    /// that.
    pub(crate) async fn asks_to_stop(&mut self, at_once: bool) {
        loop {
            match self.link.receive().await {
                Ok(Some(Message::Stop { now })) if now || !at_once => return,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Asks it to stop, as SIGTERM does.
    pub(crate) fn stop(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Asks it to hand over in its turn.
    pub(crate) fn reload(&self) {
        self.process.signal(Signal::USR2);
    }
}

impl Launcher {
    /// Starts a successor, and hands `listeners`, `older` processes and the `lead` over to it.
    /// `stop`: this process is asked to stop.
    pub(crate) async fn hand_over(
        &self,
        listeners: &[Arc<Listener>],
        older: &mut Older,
        lead: &Lead,
        stop: impl Future<Output = ()>,
    ) -> Outcome {
        if std::process::id() == 1 {
            let why = "this is the first process of a container, which ends with it: start the \
                       container anew";
            return Outcome::Failed(why.to_owned());
        }
        tracing::info!("starting a successor");
        let (mut process, mut link) = match self.start(listeners, older) {
            Ok(started) => started,
            Err(error) => return Outcome::Failed(format!("cannot start it: {error}")),
        };
        let deadline = Instant::now() + self.timeout;
        let mut stop = std::pin::pin!(stop);
        let late = || format!("it was not ready within {}", Period::new(self.timeout));

        let ready = tokio::select! {
            () = &mut stop => None,
            ready = time::timeout_at(deadline, process.receive(&mut link)) => Some(ready),
        };
        let Some(ready) = ready else {
            process.end(link, Duration::ZERO).await;
            return Outcome::Stopped;
        };
        let failed = match ready {
            Ok(Ok(Some(Message::Ready { pid, adopted }))) => {
                process.note(pid);
                Ok((pid, adopted))
            }
            Ok(Ok(Some(Message::NeedsMigration { why }))) => {
                process.end(link, END_TIME).await;
                return Outcome::NeedsMigration(why);
            }
            Ok(Ok(Some(Message::Failed { why }))) => Err((why, END_TIME)),
            Ok(Ok(None)) => Err((String::new(), END_TIME)),
            Ok(Ok(Some(_)) | Err(_)) => {
                Err(("it is no wfx that this one understands".to_owned(), Duration::ZERO))
            }
            Err(_) => Err((late(), Duration::ZERO)),
        };
        let (pid, adopted) = match failed {
            Ok(ready) => ready,
            Err((why, patience)) => {
                let status = process.end(link, patience).await;
                return Outcome::Failed(match (why.is_empty(), status) {
                    (false, _) => why,
                    (true, Some(status)) => {
                        format!("it ended before it was ready: {}", how(status))
                    }
                    (true, None) => "it ended before it was ready".to_owned(),
                });
            }
        };

        // What recovery has begun is carried out by this process.
        tokio::select! {
            () = &mut stop => {
                process.end(link, Duration::ZERO).await;
                return Outcome::Stopped;
            }
            ended = time::timeout_at(deadline, lead.end()) => if ended.is_err() {
                process.end(link, Duration::ZERO).await;
                lead.begin();
                let why = "executions that are being taken over kept this process from handing over";
                return Outcome::Failed(why.to_owned());
            }
        }

        // From here on the successor may lead.
        let deadline = deadline.max(Instant::now() + LEADING_TIME);
        let mut was_stopped = false;
        let leading = {
            let leading = async {
                link.send(&Message::Lead).await?;
                process.receive(&mut link).await
            };
            let mut leading = std::pin::pin!(time::timeout_at(deadline, leading));
            loop {
                tokio::select! {
                    () = &mut stop, if !was_stopped => was_stopped = true,
                    leading = &mut leading => break leading,
                }
            }
        };
        let is_leading = matches!(leading, Ok(Ok(Some(Message::Leading))));
        if !is_leading {
            // Never do both lead.
            process.kill(&mut link).await;
            if was_stopped {
                return Outcome::Stopped;
            }
            lead.begin();
            let why = match leading {
                Err(_) => late(),
                _ => "it ended before it served".to_owned(),
            };
            return Outcome::Failed(why);
        }
        for (place, listener) in listeners.iter().enumerate() {
            if adopted.contains(&place) {
                listener.set_file_kept(true);
            }
        }
        process.let_go().await;
        Outcome::HandedOver(Successor { pid, was_stopped, process, link })
    }

    fn start(&self, listeners: &[Arc<Listener>], older: &mut Older) -> io::Result<(Process, Link)> {
        let program = self.program.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let (own, theirs) = UnixStream::pair()?;
        let limit = limits::Spawning::begin();
        let greeting = Greeting {
            pid: std::process::id(),
            secrets: self.secrets.clone(),
            sockets: listeners.iter().map(|listener| listener.file()).collect(),
            open_files: limit.soft_limit(),
        };
        let max = descriptors::FILES_MAX.saturating_sub(listeners.len());
        let older = older.alive(max).iter().map(AsFd::as_fd);
        let files: Vec<_> = listeners.iter().map(|it| it.as_fd()).chain(older).collect();
        // Before it is started: should this process die now, the successor has everything.
        descriptors::send(&own, &serde_json::to_vec(&greeting)?, &files)?;
        drop(files);
        let mut command = starter::command(program, &self.arguments);
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        for (name, _) in std::env::vars_os().filter(|(name, _)| environment::is_secret(name)) {
            command.env_remove(name);
        }
        command.env_remove(RESTARTED).env(SUCCESSOR, "1");
        // It names this process. One that is meant for another process stays without effect.
        if sd_notify::watchdog_enabled().is_some() {
            command.env_remove("WATCHDOG_PID");
        }
        let link = Link::new(own)?;
        Ok((Process::start(&mut command)?, link))
    }
}

/// The process that starts the successor and reports its end, and the successor itself.
#[derive(Debug)]
struct Process {
    starter: Arc<Mutex<Starter>>,
    /// How the starter ended, which is how the successor did; `None` inside where that is not known.
    ended: watch::Receiver<Option<Option<ExitStatus>>>,
    successor: Option<ProcessHandle>,
}

#[derive(Debug)]
struct Starter {
    child: Child,
    is_reaped: bool,
}

fn lock(starter: &Mutex<Starter>) -> MutexGuard<'_, Starter> {
    starter.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    fn start(command: &mut Command) -> io::Result<Self> {
        let child = children::spawn_apart(command)?;
        let pid = child.id();
        let starter = Arc::new(Mutex::new(Starter { child, is_reaped: false }));
        let (sender, ended) = watch::channel(None);
        let process = Self { starter: Arc::clone(&starter), ended, successor: None };
        let wait = move || {
            // It is reaped under the lock: until then its number is not given out again.
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
            }
            let mut starter = lock(&starter);
            let status = children::reap_apart(&mut starter.child).ok();
            starter.is_reaped = true;
            drop(starter);
            sender.send_replace(Some(status));
        };
        let waits = std::thread::Builder::new().name("wfx-successor".to_owned()).spawn(wait);
        waits.inspect_err(|_| process.kill_starter())?;
        Ok(process)
    }

    /// The next message; notes the number of the successor on the way.
    async fn receive(&mut self, link: &mut Link) -> io::Result<Option<Message>> {
        loop {
            match link.receive().await? {
                Some(Message::Started { pid }) => self.note(pid),
                message => return Ok(message),
            }
        }
    }

    fn note(&mut self, pid: u32) {
        if self.successor.is_none() {
            self.successor = ProcessHandle::open(pid);
        }
    }

    fn signal(&self, signal: Signal) {
        self.successor.iter().for_each(|successor| successor.signal(signal));
    }

    fn kill_starter(&self) {
        let mut starter = lock(&self.starter);
        if !starter.is_reaped {
            let _ = starter.child.kill();
        }
    }

    async fn starter_ended(&self) -> Option<ExitStatus> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| (*ended).flatten())
    }

    /// Makes the successor a child of whoever started this process: systemd ends a service by
    /// SIGTERM, and notices its end, only if the main process is its own child.
    async fn let_go(&self) {
        let _paused = children::pause_adoption();
        self.kill_starter();
        self.starter_ended().await;
    }

    /// Ends a successor, and waits until it is gone, which the end of the link proves.
    async fn kill(&mut self, link: &mut Link) -> Option<ExitStatus> {
        if self.successor.is_none() {
            // It is known as soon as it is there.
            let _ = time::timeout(END_TIME, self.receive(link)).await;
        }
        self.signal(Signal::KILL);
        link.closed().await;
        self.starter_ended().await
    }

    /// Ends a successor that does not lead, unless it ends by itself within `patience`; returns how
    /// it ended if that happens soon. The link lasts as long as the successor, which would take its
    /// end for the end of this process.
    async fn end(mut self, mut link: Link, patience: Duration) -> Option<ExitStatus> {
        let ends = tokio::spawn(async move {
            let status = match time::timeout(patience, self.starter_ended()).await {
                Ok(status) => status,
                Err(_) => self.kill(&mut link).await,
            };
            drop(link);
            status
        });
        time::timeout(DEATH_TIME, ends).await.ok()?.ok()?
    }
}

/// How the successor ended, as the starter passes it on.
fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code @ 129..=192) => format!("signal {}", code - 128),
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}
