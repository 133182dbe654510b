//! Open files that are sent to another process over a unix socket: `SCM_RIGHTS` of unix(7).

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The most files of one message: `SCM_MAX_FD` of Linux.
pub(crate) const FILES_MAX: usize = 253;
/// The end of a message.
const END: u8 = b'\n';

/// Sends a message of one line with these files, without waiting for the receiver.
///
/// # Errors
/// When it does not fit into the buffer of the socket, or there are too many files.
pub(crate) fn send(socket: impl AsFd, line: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty()
        && (files.len() > FILES_MAX || !ancillary.push(SendAncillaryMessage::ScmRights(files)))
    {
        return Err(io::Error::other(format!("more than {FILES_MAX} files at a time")));
    }
    let message = [line, &[END]].concat();
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match sendmsg(socket, &[IoSlice::new(&message)], &mut ancillary, flags) {
        Ok(sent) if sent == message.len() => Ok(()),
        Ok(_) | Err(Errno::AGAIN) => {
            let length = message.len();
            Err(io::Error::other(format!("{length} bytes do not fit into the buffer of a socket")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Receives such a message, of at most `bytes_max` bytes. Its files are closed in programs that
/// this process starts.
///
/// # Errors
/// When `socket` is none, or the message is cut off or too long.
pub(crate) fn receive(socket: impl AsFd, bytes_max: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut files = Vec::new();
    let mut message = Vec::new();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    // Byte by byte at its end only: nothing of the next message may be taken.
    let mut buffer = [0; 4096];
    while message.last() != Some(&END) {
        let peeked = {
            let mut ancillary = RecvAncillaryBuffer::default();
            let into = &mut [IoSliceMut::new(&mut buffer)];
            recvmsg(&socket, into, &mut ancillary, RecvFlags::PEEK)?.bytes
        };
        let length = buffer[..peeked].iter().position(|byte| *byte == END);
        let length = length.map_or(peeked, |end| end + 1);
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut buffer[..length])];
        let received = recvmsg(&socket, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?.bytes;
        for passed in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(passed) = passed {
                files.extend(passed);
            }
        }
        if received == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(&buffer[..received]);
        if message.len() > bytes_max {
            return Err(ErrorKind::FileTooLarge.into());
        }
    }
    message.pop();
    Ok((message, files))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use rustix::io::{FdFlags, fcntl_getfd};

    use super::*;

    #[test]
    fn a_message_comes_with_its_files_and_leaves_the_next_one() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        let long = vec![b'x'; 10_000];
        send(&one, &long, &[file.as_fd(), one.as_fd()]).unwrap();
        one.write_all(b"next").unwrap();
        let (message, files) = receive(&other, 20_000).unwrap();
        assert_eq!((message, files.len()), (long, 2));
        for file in &files {
            assert!(fcntl_getfd(file).unwrap().contains(FdFlags::CLOEXEC));
        }
        let there = File::from(files.into_iter().next().unwrap()).metadata().unwrap();
        assert_eq!(there.len(), 7);
        let mut next = [0; 4];
        other.read_exact(&mut next).unwrap();
        assert_eq!(&next, b"next");
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (one, other) = UnixStream::pair().unwrap();
        send(&one, &[b'x'; 100], &[]).unwrap();
        assert_eq!(receive(&other, 50).unwrap_err().kind(), ErrorKind::FileTooLarge);
        let (one, other) = UnixStream::pair().unwrap();
        let too_many = vec![other.as_fd(); FILES_MAX + 1];
        assert!(send(&one, b"x", &too_many).unwrap_err().to_string().contains("253"));
        (&one).write_all(b"no end").unwrap();
        drop(one);
        assert_eq!(receive(&other, 50).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let (unread, _other) = UnixStream::pair().unwrap();
        let error = send(&unread, &vec![b'x'; 8 << 20], &[]).unwrap_err();
        assert!(error.to_string().contains("8388609 bytes do not fit"), "{error}");
        let file = File::open("/dev/null").unwrap();
        receive(&file, 50).unwrap_err();
    }
}
