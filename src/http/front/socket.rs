//! Where connections come from: TCP, or a unix socket, whose file says who may connect.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, getsockname};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use crate::http::exchange::handler::Remote;

/// Room for many who connect at once: one that finds none tries again after a second only.
const BACKLOG: u32 = 4096;

/// A connection of either kind.
pub(super) type Socket = Either<TcpStream, UnixStream>;

/// What accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// Of an address.
    Tcp(TcpListener),
    /// Of a file, which goes with it.
    Unix(UnixListener, SocketFile),
}

/// What a client connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// An address.
    Address(SocketAddr),
    /// A unix socket: its file decides who has access.
    Unix,
}

/// Who shares the connections of a server fairly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Address(IpAddr),
    User(Option<u32>),
}

impl Peer {
    pub(super) fn of(remote: Remote) -> Self {
        match remote {
            Remote::Address(address) => Self::Address(address.ip()),
            Remote::Unix { user } => Self::User(user),
        }
    }
}

impl Listener {
    /// Listens on the first of the addresses that can be had.
    ///
    /// # Errors
    /// That of the last one.
    pub(crate) fn tcp(addresses: &[SocketAddr]) -> io::Result<Self> {
        let bind = |address: &SocketAddr| {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(*address)?;
            socket.listen(BACKLOG)
        };
        let mut failed = io::ErrorKind::AddrNotAvailable.into();
        for address in addresses {
            match bind(address) {
                Ok(listener) => return Ok(Self::Tcp(listener)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Listens on a unix socket at `path`, whose file gets this `mode`. A socket that a process left
    /// there when it died is replaced.
    ///
    /// # Errors
    /// When a process listens there, or there is anything but a socket, or none can be made.
    pub(crate) fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        remove_abandoned(path)?;
        // Nobody connects before the file has its mode. Other threads may make a file meanwhile:
        // nobody but its owner may use that.
        let before = rustix::process::umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
        let bound = std::os::unix::net::UnixListener::bind(path);
        rustix::process::umask(before);
        let listener = bound?;
        let file = SocketFile::of(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)?, file))
    }

    /// A socket that another process of wfx has bound and listens on. `file`: which file it made for
    /// it, by device and inode; `None` for TCP. It still belongs to that process.
    ///
    /// # Errors
    /// When it is no such socket, or its file is not in its place any more: then nobody can connect.
    pub(crate) fn adopt(socket: OwnedFd, file: Option<FileIdentity>) -> io::Result<Self> {
        let address = getsockname(&socket)?;
        if address.address_family() != AddressFamily::UNIX {
            let listener = std::net::TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            return Ok(Self::Tcp(TcpListener::from_std(listener)?));
        }
        let address = SocketAddrUnix::try_from(address)?;
        let path = address.path_bytes().map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let path = path.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let there = SocketFile::of(&path)?;
        there.set_kept(true);
        if Some(there.identity) != file {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let listener = std::os::unix::net::UnixListener::from(socket);
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)?, there))
    }

    /// The device and inode of the file that was made for it.
    pub(crate) fn file(&self) -> Option<FileIdentity> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(_, file) => Some(file.identity),
        }
    }

    /// Whether its file stays where it is when this is dropped: it belongs to another process, which
    /// listens there.
    pub(crate) fn set_file_kept(&self, is_kept: bool) {
        if let Self::Unix(_, file) = self {
            file.set_kept(is_kept);
        }
    }

    /// Whether it listens on one of these addresses. `exactly`: otherwise port 0 means any.
    pub(crate) fn is_at(&self, addresses: &[SocketAddr], exactly: bool) -> bool {
        let Self::Tcp(listener) = self else { return false };
        listener.local_addr().is_ok_and(|own| {
            let is_any = |address: &&SocketAddr| address.port() == 0 && address.ip() == own.ip();
            addresses.contains(&own) || !exactly && addresses.iter().any(|it| is_any(&it))
        })
    }

    /// Whether it is the unix socket at this path.
    pub(crate) fn is_at_path(&self, path: &Path) -> bool {
        let Self::Unix(_, file) = self else { return false };
        std::path::absolute(path).is_ok_and(|path| path == file.path)
    }

    pub(super) async fn accept(&self) -> io::Result<Option<(Socket, Remote, Local)>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // One without an address is gone already.
                let Ok(local) = stream.local_addr() else { return Ok(None) };
                // Answers are written whole; waiting for more would only delay them.
                let _ = stream.set_nodelay(true);
                let (remote, local) = (Remote::Address(remote), Local::Address(local));
                Ok(Some((Either::Left(stream), remote, local)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|credentials| credentials.uid());
                Ok(Some((Either::Right(stream), Remote::Unix { user }, Local::Unix)))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("an unknown address"),
            },
            Self::Unix(_, file) => write!(f, "unix:{}", file.path.display()),
        }
    }
}

/// The device and inode of a file.
pub(crate) type FileIdentity = (u64, u64);

/// The file of a unix socket, removed when this is dropped, unless it is to be kept.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: FileIdentity,
    is_kept: AtomicBool,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(Self { identity: identity(&path)?, path, is_kept: AtomicBool::new(false) })
    }

    fn set_kept(&self, is_kept: bool) {
        self.is_kept.store(is_kept, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        // Another process may have put its own there.
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<FileIdentity> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a socket to which nobody listens any more.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        let what = "there is a file that is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "a process listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}
