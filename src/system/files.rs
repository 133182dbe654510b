//! Files that settings and arguments name: opened without blocking, and read up to a bound.
//!
//! A named pipe is refused: opening one waits for its other end, and reading it waits for its
//! writer. The pipe of a process substitution, `<(command)`, is read like a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Reads a file of at most `bytes_max` bytes.
///
/// # Errors
/// When it cannot be read, is a folder or a named pipe, or is longer.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    bytes_of(open(path)?, bytes_max)
}

fn bytes_of(file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let why = format!("it is longer than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Reads text of at most `bytes_max` bytes.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    text_of(open(path)?, bytes_max)
}

/// Reads text of at most `bytes_max` bytes from a file that is [open].
///
/// # Errors
/// When it cannot be read, is longer or is not UTF-8.
pub(crate) fn text_of(file: File, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(bytes_of(file, bytes_max)?).map_err(|error| {
        let why = format!("byte {} is not UTF-8", error.utf8_error().valid_up_to());
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

/// Fails if there are too few descriptors for this many runtimes with timers and signals; tokio
/// would panic.
///
/// # Errors
/// That of the system.
pub(crate) fn check_for_runtimes(count: usize) -> io::Result<()> {
    // A poller, its waker, the pair of sockets over which signals come, and a copy of one of them.
    const FILES: usize = 6;
    let files: io::Result<Vec<_>> = (0..count * FILES).map(|_| File::open("/dev/null")).collect();
    files.map(drop)
}

/// Opens a file for reading.
///
/// # Errors
/// When it cannot be opened, is a folder or a named pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(nonblocking()).open(path)?;
    refuse_pipe(&file, path)?;
    blocking(&file)?;
    Ok(file)
}

/// Opens a file for appending, created with `mode` if it does not exist. Devices such as
/// `/dev/stderr` at a terminal and pipes without a name are accepted too.
///
/// # Errors
/// When it cannot be opened, is a folder or a named pipe.
pub(crate) fn append(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(mode).custom_flags(nonblocking());
    let file = match options.open(path) {
        // A pipe without a reader.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(named_pipe());
        }
        opened => opened?,
    };
    refuse_pipe(&file, path)?;
    blocking(&file)?;
    Ok(file)
}

fn nonblocking() -> i32 {
    i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default()
}

fn blocking(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags - OFlags::NONBLOCK)?)
}

fn refuse_pipe(file: &File, path: &Path) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // A pipe without a name is in no folder, whatever link leads to it.
    if kind.is_fifo() && path.canonicalize().is_ok() {
        return Err(named_pipe());
    }
    Ok(())
}

fn named_pipe() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is a named pipe, not a file")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_named_pipe_is_refused_at_once_and_one_without_a_name_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        for refused in [read(&pipe, 9).map(drop), append(&pipe, 0o600).map(drop)] {
            assert_eq!(refused.unwrap_err().to_string(), "it is a named pipe, not a file");
        }
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"text").unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        assert_eq!(read_text(Path::new(&path), 9).unwrap(), "text");
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "123").unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "123");
        assert_eq!(read(&path, 2).unwrap_err().to_string(), "it is longer than 2 bytes");
        assert!(read(Path::new("/dev/zero"), 1 << 20).is_err());
        std::fs::write(&path, b"1\xff").unwrap();
        assert_eq!(read_text(&path, 3).unwrap_err().to_string(), "byte 1 is not UTF-8");
        assert!(read(folder.path(), 2).is_err());
    }
}
