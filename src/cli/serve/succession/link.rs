//! The stream between the two processes of a hand-over, and what is said on it: lines of JSON. The
//! two may be of different versions: members are only added, with defaults.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::http::front::socket::FileIdentity;
use crate::system::descriptors;

/// The longest message but the first.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// The longest first message, which has secrets of any length.
pub(super) const GREETING_BYTES_MAX: usize = 4 << 20;

/// The first message, which lies in the stream before the successor is started. With it come the
/// listening sockets, and then the links to older processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The number of the old process.
    pub pid: u32,
    /// Secrets from the environment that the old process was started with.
    pub secrets: Vec<(OsString, OsString)>,
    /// The listening sockets: of those of unix, the file.
    pub sockets: Vec<Option<FileIdentity>>,
    /// The soft limit of open files that the old process was started with, where it has another
    /// one now.
    pub open_files: Option<u64>,
}

/// What the two say.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub(super) enum Message {
    /// The successor was started.
    Started {
        /// Its number.
        pid: u32,
    },
    /// The successor could serve. It has taken these of the sockets.
    Ready {
        /// Its number.
        pid: u32,
        /// By their places in [`Greeting::sockets`].
        adopted: Vec<usize>,
    },
    /// The successor cannot serve, since it would have to change the schema of the database.
    NeedsMigration {
        /// Of which versions.
        why: String,
    },
    /// The successor cannot serve.
    Failed {
        /// What failed.
        why: String,
    },
    /// The old process decides nothing any more.
    Lead,
    /// The successor serves, and decides from now on.
    Leading,
    /// The old process is to end its executions as SIGTERM does.
    Stop {
        /// As a second SIGTERM does.
        now: bool,
    },
}

impl Message {
    /// As it is sent, without the end of the line.
    fn line(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Sends it without waiting.
    pub(super) fn send_over(&self, stream: impl AsFd) -> io::Result<()> {
        descriptors::send(stream, &self.line()?, &[])
    }
}

/// One end of the stream.
#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    /// What was received after the last message.
    received: Vec<u8>,
}

impl Link {
    /// # Errors
    /// When it cannot be used without blocking.
    pub(super) fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream: UnixStream::from_std(stream)?, received: Vec::new() })
    }

    pub(super) async fn send(&mut self, message: &Message) -> io::Result<()> {
        let mut line = message.line()?;
        line.push(b'\n');
        self.stream.write_all(&line).await
    }

    /// The next message; `None` once the other process has ended. May be cancelled.
    ///
    /// # Errors
    /// For what is no message.
    pub(super) async fn receive(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.received.len() > MESSAGE_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Ok(None),
                // It has ended, and did not read everything.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                read => read?,
            };
        }
    }

    /// Waits until the other process has ended.
    pub(super) async fn closed(&mut self) {
        while let Ok(Some(_)) = self.receive().await {}
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_whole_and_in_order() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let (mut one, mut other) = (Link::new(one).unwrap(), Link::new(other).unwrap());
        let ready = || Message::Ready { pid: 7, adopted: vec![0, 2] };
        one.send(&ready()).await.unwrap();
        one.send(&Message::Leading).await.unwrap();
        assert_eq!(other.receive().await.unwrap(), Some(ready()));
        assert_eq!(other.receive().await.unwrap(), Some(Message::Leading));
        one.stream.write_all(b"{\"says\":\"hello\"}\n").await.unwrap();
        other.receive().await.unwrap_err();
        drop(one);
        assert_eq!(other.receive().await.unwrap(), None);
        other.closed().await;
    }
}
