//! The bodies of responses: whole ones, and long ones that are produced and sent chunk by chunk.
//!
//! A long body is produced on threads for blocking work, and the next chunk is produced when the
//! connection has taken the one before. Its bytes are counted in the [`ByteBudget`]. A live stream
//! is produced elsewhere, and its chunks come through a channel.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::base::clock;
use crate::http::exchange::byte_budget::ByteBudget;
use crate::http::exchange::chunk_source::ChunkSource;
use crate::http::exchange::live_stream::{LiveReceiver, Next};
use crate::http::exchange::reply;
use crate::http::front::connection_state::ConnectionState;

/// What is reserved before a chunk is produced: the most that one step or one page of executions
/// needs as JSON.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;

type Produced = (Box<dyn ChunkSource>, Result<Option<Bytes>, String>);

async fn produce(
    budget: Arc<ByteBudget>,
    mut source: Box<dyn ChunkSource>,
) -> Result<Produced, String> {
    let closed = |error: &dyn fmt::Display| error.to_string();
    let reserved = budget.reserve(CHUNK_BYTES).await.map_err(|error| closed(&error))?;
    let turn = budget.producer_turn().await.map_err(|error| closed(&error))?;
    let produced = tokio::task::spawn_blocking(move || {
        let chunk = source.next_chunk();
        drop(turn);
        (source, chunk)
    });
    let (source, chunk) = produced.await.map_err(|error| closed(&error))?;
    Ok((source, chunk.map(|chunk| chunk.map(|chunk| reserved.count(chunk)))))
}

/// A body that is sent chunk by chunk.
pub(super) struct ChunkedBody {
    /// Produced already.
    first: Option<Bytes>,
    rest: Rest,
    budget: Arc<ByteBudget>,
    state: Arc<ConnectionState>,
}

enum Rest {
    Source(Box<dyn ChunkSource>),
    Producing(Pin<Box<dyn Future<Output = Result<Produced, String>> + Send>>),
    Live(LiveReceiver),
    Nothing,
}

impl ChunkedBody {
    pub(super) fn new(
        first: Bytes,
        rest: reply::Rest,
        budget: Arc<ByteBudget>,
        state: Arc<ConnectionState>,
    ) -> Self {
        let first = (!first.is_empty()).then_some(first);
        let rest = match rest {
            reply::Rest::Chunks(source) => Rest::Source(source),
            reply::Rest::Live(mut receiver) => {
                receiver.open(&budget);
                Rest::Live(receiver)
            }
        };
        Self { first, rest, budget, state }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, CutOff>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            let produced = match &mut self.rest {
                Rest::Nothing => return Poll::Ready(None),
                Rest::Live(receiver) => {
                    let next = ready!(receiver.poll_next(context));
                    return self.take_live(next).map(Result::transpose);
                }
                Rest::Producing(producing) => ready!(producing.as_mut().poll(context)),
                Rest::Source(_) => {
                    let Rest::Source(source) = std::mem::replace(&mut self.rest, Rest::Nothing)
                    else {
                        return Poll::Ready(None);
                    };
                    let producing = produce(Arc::clone(&self.budget), source);
                    self.rest = Rest::Producing(Box::pin(producing));
                    continue;
                }
            };
            self.rest = Rest::Nothing;
            return Poll::Ready(match produced {
                Ok((source, Ok(Some(chunk)))) => {
                    self.rest = Rest::Source(source);
                    Some(Ok(chunk))
                }
                Ok((_, Ok(None))) => {
                    self.state.lock().finish_answer(clock::monotonic());
                    None
                }
                Ok((_, Err(why))) | Err(why) => {
                    tracing::warn!(why, "an answer was cut off");
                    Some(Err(CutOff(why)))
                }
            });
        }
    }
}

impl ChunkedBody {
    /// What hyper gets of a live stream.
    fn take_live(&mut self, next: Next) -> Poll<Result<Option<Bytes>, CutOff>> {
        let mut state = self.state.lock();
        Poll::Ready(match next {
            Next::Chunk(chunk) => {
                // It is not cut off before the system has taken this.
                state.is_unsent = true;
                Ok(Some(chunk))
            }
            Next::Complete => {
                state.finish_answer(clock::monotonic());
                self.rest = Rest::Nothing;
                Ok(None)
            }
            // hyper drops what it has not written when a body fails.
            Next::CutOff(_) if state.defers_cut_off() => return Poll::Pending,
            Next::CutOff(why) => {
                self.rest = Rest::Nothing;
                Err(CutOff(why.to_owned()))
            }
        })
    }
}

impl fmt::Debug for ChunkedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkedBody").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Drop for ChunkedBody {
    /// However it ends, what is written afterwards is no part of it.
    fn drop(&mut self) {
        self.state.lock().finish_answer(clock::monotonic());
    }
}

/// The rest of a body cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the answer cannot be made: {0}")]
pub(super) struct CutOff(String);

/// The body of a response.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// All of it; `None` once it was handed over.
    Whole(Option<Bytes>),
    /// Chunk by chunk.
    Chunked(ChunkedBody),
}

impl ResponseBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Chunked(body) => {
                body.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
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
            Self::Chunked(_) => SizeHint::default(),
        }
    }
}
