//! The bodies of answers: whole ones, and long ones that are read and sent piece by piece.
//!
//! All long answers of a server share one [`Budget`] of bytes. Bytes count from before they are
//! made until the system has taken them, so neither the number of clients nor how slowly they
//! read decides how much memory is used. A long answer is made on threads for blocking work, a
//! piece at a time, and the next piece is made when the connection has taken the one before.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock;
use crate::http::front::connection_state::Link;

/// An answer up to this length is sent without asking the budget.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// What all long answers may hold at a time.
const BUDGET_BYTES: usize = 48 * 1024 * 1024;
/// What is set aside before a piece is made: what its step or its executions may come to as JSON.
const PIECE_BYTES: usize = 2 * 1024 * 1024;
/// How many pieces are made at a time.
const MAKERS_MAX: usize = 2;
/// Permits of a semaphore count kibibytes.
const UNIT: usize = 1024;

/// What makes a long answer: pieces of it in their order. Called on a thread that may block.
pub trait Pieces: Send + 'static {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Why the rest cannot be had; the connection is closed, so that the client notices.
    fn next(&mut self) -> Result<Option<Vec<u8>>, String>;
}

/// The bytes that all long answers of a server may hold.
#[derive(Debug)]
pub(in crate::http) struct Budget {
    bytes: Arc<Semaphore>,
    makers: Arc<Semaphore>,
}

/// Bytes, and what they take of the budget for as long as anybody holds them.
pub(in crate::http) struct Counted {
    pub(in crate::http) bytes: Bytes,
    pub(in crate::http) _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

type Made = (Box<dyn Pieces>, Result<Option<Bytes>, String>);

impl Budget {
    pub(in crate::http) fn new() -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(BUDGET_BYTES / UNIT)),
            makers: Arc::new(Semaphore::new(MAKERS_MAX)),
        }
    }

    /// The bytes, counted if they are many; `None` when others hold too many.
    pub(in crate::http) fn admit(&self, bytes: Bytes) -> Option<Bytes> {
        if bytes.len() <= SMALL_BYTES_MAX {
            return Some(bytes);
        }
        let share = Arc::clone(&self.bytes).try_acquire_many_owned(units(bytes.len())).ok()?;
        Some(Bytes::from_owner(Counted { bytes, _share: share }))
    }

    async fn make(self: Arc<Self>, mut pieces: Box<dyn Pieces>) -> Result<Made, String> {
        let closed = |error: &dyn fmt::Display| error.to_string();
        let share = Arc::clone(&self.bytes).acquire_many_owned(units(PIECE_BYTES));
        let mut share = share.await.map_err(|error| closed(&error))?;
        let turn = Arc::clone(&self.makers).acquire_owned().await;
        let turn = turn.map_err(|error| closed(&error))?;
        let made = tokio::task::spawn_blocking(move || {
            let made = pieces.next();
            drop(turn);
            (pieces, made)
        });
        let (pieces, made) = made.await.map_err(|error| closed(&error))?;
        let counted = made.map(|made| {
            made.map(|made| {
                // A piece that is longer than foreseen is there already.
                let surplus = share.num_permits().saturating_sub(made.len().div_ceil(UNIT));
                drop(share.split(surplus));
                Bytes::from_owner(Counted { bytes: made.into(), _share: share })
            })
        });
        Ok((pieces, counted))
    }
}

/// So many bytes as permits; one answer may take all there are.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.min(BUDGET_BYTES).div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// An answer that is sent piece by piece.
pub(in crate::http) struct Stream {
    /// Made already.
    first: Option<Bytes>,
    next: Next,
    budget: Arc<Budget>,
    link: Arc<Link>,
}

enum Next {
    Pieces(Box<dyn Pieces>),
    Making(Pin<Box<dyn Future<Output = Result<Made, String>> + Send>>),
    Nothing,
}

impl Stream {
    pub(in crate::http) fn new(
        first: Bytes,
        pieces: Box<dyn Pieces>,
        budget: Arc<Budget>,
        link: Arc<Link>,
    ) -> Self {
        Self { first: Some(first), next: Next::Pieces(pieces), budget, link }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            let made = match &mut self.next {
                Next::Nothing => return Poll::Ready(None),
                Next::Making(making) => ready!(making.as_mut().poll(context)),
                Next::Pieces(_) => {
                    let Next::Pieces(pieces) = std::mem::replace(&mut self.next, Next::Nothing)
                    else {
                        return Poll::Ready(None);
                    };
                    self.next = Next::Making(Box::pin(Arc::clone(&self.budget).make(pieces)));
                    continue;
                }
            };
            self.next = Next::Nothing;
            return Poll::Ready(match made {
                Ok((pieces, Ok(Some(bytes)))) => {
                    self.next = Next::Pieces(pieces);
                    Some(Ok(bytes))
                }
                Ok((_, Ok(None))) => {
                    self.link.lock().finish_answer(clock::monotonic());
                    None
                }
                Ok((_, Err(why))) | Err(why) => {
                    tracing::warn!(why, "an answer was cut off");
                    Some(Err(Broken(why)))
                }
            });
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Drop for Stream {
    /// However it ends, what comes after is no part of it.
    fn drop(&mut self) {
        self.link.lock().finish_answer(clock::monotonic());
    }
}

/// The rest of an answer could not be had.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the answer cannot be made: {0}")]
pub(in crate::http) struct Broken(String);

/// The body of an answer.
#[derive(Debug)]
pub(in crate::http) enum AnswerBody {
    /// All of it; `None` once it was handed over.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Stream(Stream),
}

impl AnswerBody {
    pub(in crate::http) fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => {
                stream.poll_piece(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
