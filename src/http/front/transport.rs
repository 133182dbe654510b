//! The transport below hyper: notes what hyper reads and watches what it writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::clock;
use crate::http::exchange::problem::{self, Problem};
use crate::http::front::connection_state::{AfterFlush, ConnectionState, RefusedHead};
use crate::http::front::request_id;
use crate::http::front::socket::Socket;

/// How much is discarded of what a peer sends after our last response.
const DISCARDED_BYTES_MAX: usize = 4 << 20;

/// How much of further requests is read while a live stream is sent. Of a peer that sends more, it
/// is noticed only at the next chunk that it has left.
const READ_AHEAD_BYTES_MAX: usize = 16 * 1024;

/// A socket that reports to its [`ConnectionState`] what happens.
#[derive(Debug)]
pub(super) struct Transport {
    stream: Socket,
    state: Arc<ConnectionState>,
    /// What is sent in place of a response of hyper, and how much of it was.
    replacement: Option<(Vec<u8>, usize)>,
    is_shut: bool,
    discarded: usize,
    /// Read while a live stream was sent, and not yet given to hyper. Empty otherwise.
    read_ahead: Vec<u8>,
}

impl Transport {
    pub(super) fn new(stream: Socket, state: Arc<ConnectionState>) -> Self {
        Self {
            stream,
            state,
            replacement: None,
            is_shut: false,
            discarded: 0,
            read_ahead: Vec::new(),
        }
    }

    /// Prepares what is sent in place of `answer`, which is one of hyper.
    fn replace_hyper_answer(&mut self, answer: &[u8]) {
        let status = answer.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
        let status = status.unwrap_or(StatusCode::BAD_REQUEST);
        let detail = match status {
            StatusCode::URI_TOO_LONG => "the target of the request is too long",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                "the head of the request is longer than 64 KiB, or has more than 100 headers"
            }
            _ => "the head of the request is malformed",
        };
        self.prepare_refusal(&Problem::new(status, detail));
    }

    /// Prepares the response to a head of which hyper made no request.
    pub(super) fn prepare_refusal(&mut self, problem: &Problem) {
        let request_id = request_id::generate();
        self.replacement = Some((raw_answer(problem, &request_id), 0));
        self.state.lock().refused =
            Some(RefusedHead { status: problem.status().as_u16(), request_id });
    }

    /// Sends what [`Self::prepare_refusal`] prepared.
    pub(super) fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((bytes, sent)) = &mut self.replacement else { return Poll::Ready(Ok(())) };
        while *sent < bytes.len() {
            let written = Pin::new(&mut self.stream).poll_write(context, &bytes[*sent..]);
            note_write(&self.state, &written);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *sent += more,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Notices that the peer of a live stream leaves. hyper reads nothing during a response, and
    /// without that, a stream whose producer is silent would go on for nobody. A peer that closes
    /// its sending side only has left as well: the two cannot be told apart, and a stream of
    /// unbounded length is read by nobody who does that. What else the peer sends is kept.
    fn watch_peer(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut scratch = [0; 4096];
        while self.read_ahead.len() < READ_AHEAD_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                Poll::Ready(Ok(())) => self.read_ahead.extend_from_slice(buffer.filled()),
            }
        }
        Ok(())
    }

    /// Whether hyper is writing an answer of its own, which is then replaced.
    fn is_replaced(&mut self, first: &[u8]) -> bool {
        if self.replacement.is_some() {
            return true;
        }
        let is_hyper_answer = self.state.lock().is_hyper_answer();
        if is_hyper_answer {
            self.replace_hyper_answer(first);
        }
        is_hyper_answer
    }
}

fn note_write(state: &ConnectionState, written: &Poll<io::Result<usize>>) {
    match written {
        Poll::Pending => state.lock().block_write(clock::monotonic),
        Poll::Ready(Ok(bytes)) => state.lock().wrote(*bytes),
        Poll::Ready(Err(_)) => {}
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.read_ahead.is_empty() {
            let length = this.read_ahead.len().min(buffer.remaining());
            let bytes = &this.read_ahead[..length];
            buffer.put_slice(bytes);
            this.state.lock().received(bytes, clock::monotonic);
            this.read_ahead.drain(..length);
            if this.read_ahead.is_empty() {
                this.read_ahead = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                let bytes = &buffer.filled()[before..];
                if !bytes.is_empty() {
                    this.state.lock().received(bytes, clock::monotonic);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.state.lock().body_timed_out => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_replaced(bytes) {
            ready!(this.poll_refusal(context))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        note_write(&this.state, &written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_replaced(slices.first().map_or(&[], |slice| slice)) {
            ready!(this.poll_refusal(context))?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        note_write(&this.state, &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper flushes when it has written all that it had.
        let after = this.state.lock().flushed();
        match after {
            AfterFlush::Nothing => {}
            AfterFlush::WatchPeer => this.watch_peer(context)?,
            AfterFlush::PollBody => context.waker().wake_by_ref(),
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    /// Says that nothing more will be sent, and reads on for a while until the peer says so
    /// too: if it was still sending, the system of a connection closed at once would take
    /// back what the peer has not read of our answer (RFC 9112, section 9.6).
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.is_shut = true;
        }
        this.state.lock().linger(clock::monotonic);
        let mut scratch = [0; 4096];
        while this.discarded < DISCARDED_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            this.discarded += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

/// An answer as it goes over the wire, for a peer that hyper knows no request of.
fn raw_answer(problem: &Problem, request_id: &HeaderValue) -> Vec<u8> {
    let status = problem.status();
    let request_id = request_id.to_str().unwrap_or_default();
    let body = problem.to_json(Some(request_id));
    let date = clock::now().to_http_date();
    let mut answer = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\nx-content-type-options: nosniff\r\n\
         x-request-id: {request_id}\r\nconnection: close\r\ncontent-length: {}\r\ndate: {date}\r\n\
         \r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or("Error"),
        problem::CONTENT_TYPE,
        body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}
