//! The successor: receives what the old process hands over, and takes its place.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::link::{GREETING_BYTES_MAX, Greeting, Link, Message};
use super::older::Older;
use crate::http::front::socket::{FileIdentity, Listener};
use crate::system::{descriptors, limits};

/// What the old process has handed over.
#[derive(Debug)]
pub(crate) struct HandedOver {
    /// The number of the old process.
    pub pid: u32,
    /// Secrets of its environment.
    pub secrets: Vec<(OsString, OsString)>,
    sockets: Vec<(OwnedFd, Option<FileIdentity>)>,
    older: Vec<OwnedFd>,
    stream: UnixStream,
}

/// Sockets that may be adopted, each with its place in what was handed over.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Vec<(usize, Listener)>);

impl Sockets {
    /// The first one that this is true of, with its place.
    pub(crate) fn take(&mut self, is_it: impl Fn(&Listener) -> bool) -> Option<(usize, Listener)> {
        let at = self.0.iter().position(|(_, listener)| is_it(listener))?;
        Some(self.0.remove(at))
    }
}

impl HandedOver {
    /// Takes it from standard input, which is closed then.
    ///
    /// # Errors
    /// When there is nothing of the kind.
    pub(crate) fn receive() -> io::Result<Self> {
        let stdin = io::stdin();
        let stream = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
        let (greeting, mut files) = descriptors::receive(&stream, GREETING_BYTES_MAX)?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let Greeting { pid, secrets, sockets, open_files } = serde_json::from_slice(&greeting)?;
        if files.len() < sockets.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let older = files.split_off(sockets.len());
        if let Some(soft) = open_files {
            limits::set_open_files(soft)?;
        }
        Ok(Self { pid, secrets, sockets: files.into_iter().zip(sockets).collect(), older, stream })
    }

    /// The sockets on which clients can still connect. It must be in a runtime.
    pub(crate) fn sockets(&mut self) -> Sockets {
        let mut usable = Vec::new();
        for (place, (socket, file)) in self.sockets.drain(..).enumerate() {
            match Listener::adopt(socket, file) {
                Ok(listener) => usable.push((place, listener)),
                Err(error) => tracing::warn!(%error, "a listening socket cannot be taken over"),
            }
        }
        Sockets(usable)
    }

    /// Reports to the old process why this one cannot serve.
    pub(crate) fn report_failure(&self, why: String, needs_migration: bool) {
        let message = match needs_migration {
            true => Message::NeedsMigration { why },
            false => Message::Failed { why },
        };
        // It may be gone.
        let _ = message.send_over(&self.stream);
    }

    /// Reports that this process could serve with these sockets, and waits until it is to lead: the
    /// old process has left that to it, or has ended.
    ///
    /// # Errors
    /// When the two do not understand each other.
    pub(crate) async fn wait_for_lead(self, adopted: Vec<usize>) -> io::Result<Leading> {
        let mut link = Link::new(self.stream)?;
        // An end of the old process shows when the answer is read.
        let _ = link.send(&Message::Ready { pid: std::process::id(), adopted }).await;
        let is_alone = match link.receive().await? {
            Some(Message::Lead) => false,
            None => true,
            Some(message) => return Err(io::Error::other(format!("unexpected: {message:?}"))),
        };
        let older = self.older.into_iter().map(|stream| Link::new(stream.into()));
        let older = older.collect::<io::Result<_>>()?;
        Ok(Leading { is_alone, link, older })
    }
}

/// The successor is to lead.
#[derive(Debug)]
pub(crate) struct Leading {
    /// The old process has ended before it had left the lead to this one.
    pub is_alone: bool,
    link: Link,
    older: Vec<Link>,
}

impl Leading {
    /// Reports that it does so; returns the links to the old process and those before.
    pub(crate) async fn begin(mut self) -> Older {
        // An old process that ended meanwhile has left the lead as well.
        let _ = self.link.send(&Message::Leading).await;
        self.older.push(self.link);
        Older::new(self.older)
    }
}
