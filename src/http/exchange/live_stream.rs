//! Bodies of unbounded length that are sent while they are produced: the output of a step while it
//! runs, or server-sent events for a page.
//!
//! The producer and the connection share a channel of one chunk, so that the producer waits for its
//! client. A chunk is counted in the [`ByteBudget`] from before it enters the channel until the
//! system has taken it. The producer is notified as soon as the stream has ended before it was
//! finished: when the client left or did not read, when the server drains or needs its place for
//! another stream. Such a stream is cut off: its last chunk is missing, so that no client takes it
//! for complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::http::exchange::byte_budget::ByteBudget;

/// More bytes than these are sent as several chunks.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// How many chunks wait in the channel.
const QUEUED_CHUNKS_MAX: usize = 1;

/// The stream has ended: nobody takes more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream has ended")]
pub struct StreamEnded;

/// The producer's side of a live stream. Dropped without [`Self::finish`], it cuts the stream off.
#[derive(Debug)]
pub struct LiveSender {
    chunks: mpsc::Sender<Bytes>,
    budget: Budget,
    ended: CancellationToken,
    is_complete: Arc<AtomicBool>,
}

/// The budget of the server, which is known once it has admitted the stream.
#[derive(Debug)]
enum Budget {
    Awaited(oneshot::Receiver<Arc<ByteBudget>>),
    Known(Arc<ByteBudget>),
}

/// The connection's side of a live stream.
#[derive(Debug)]
pub(in crate::http) struct LiveReceiver {
    chunks: mpsc::Receiver<Bytes>,
    opening: Option<oneshot::Sender<Arc<ByteBudget>>>,
    ended: CancellationToken,
    is_complete: Arc<AtomicBool>,
}

/// What comes next of a live stream.
#[derive(Debug)]
pub(in crate::http) enum Next {
    Chunk(Bytes),
    /// Its producer finished it.
    Complete,
    /// It ends here, and is not complete.
    CutOff(&'static str),
}

/// The two sides of a live stream.
pub(in crate::http) fn live_stream() -> (LiveSender, LiveReceiver) {
    let (sender, receiver) = mpsc::channel(QUEUED_CHUNKS_MAX);
    let (opening, opened) = oneshot::channel();
    let (ended, is_complete) = (CancellationToken::new(), Arc::default());
    let sender = LiveSender {
        chunks: sender,
        budget: Budget::Awaited(opened),
        ended: ended.clone(),
        is_complete: Arc::clone(&is_complete),
    };
    (sender, LiveReceiver { chunks: receiver, opening: Some(opening), ended, is_complete })
}

impl LiveSender {
    /// Sends bytes. Waits until the client has taken what was sent before.
    ///
    /// # Errors
    /// When the stream has ended. Of the bytes of this call some may have been sent.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), StreamEnded> {
        let ended = self.ended.clone();
        let mut rest = bytes.into();
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK_BYTES_MAX));
            tokio::select! {
                biased;
                () = ended.cancelled() => return Err(StreamEnded),
                sent = self.send_chunk(chunk) => sent?,
            }
        }
        Ok(())
    }

    async fn send_chunk(&mut self, chunk: Bytes) -> Result<(), StreamEnded> {
        let budget = match &mut self.budget {
            Budget::Known(budget) => Arc::clone(budget),
            Budget::Awaited(opened) => {
                let budget = opened.await.map_err(|_| StreamEnded)?;
                self.budget = Budget::Known(Arc::clone(&budget));
                budget
            }
        };
        // First the channel, so that no bytes are reserved while this client does not read.
        let queue = self.chunks.reserve().await.map_err(|_| StreamEnded)?;
        let reserved = budget.reserve(chunk.len()).await.map_err(|_| StreamEnded)?;
        queue.send(reserved.count(chunk));
        Ok(())
    }

    /// Waits until the stream has ended before it was finished.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Says that the stream is complete.
    pub fn finish(self) {
        self.is_complete.store(true, Ordering::Release);
    }
}

impl LiveReceiver {
    /// Lets the producer send, its chunks counted in `budget`.
    pub(in crate::http) fn open(&mut self, budget: &Arc<ByteBudget>) {
        if let Some(opening) = self.opening.take() {
            // An error says that the producer is gone, which the next poll finds.
            let _ = opening.send(Arc::clone(budget));
        }
    }

    /// Ends the stream when it is cancelled. Whoever does that wakes the connection.
    pub(in crate::http) fn end_token(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// What comes next. Chunks that were sent before the stream ended are still given out.
    pub(in crate::http) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if self.ended.is_cancelled() {
            self.chunks.close();
        }
        Poll::Ready(match ready!(self.chunks.poll_recv(context)) {
            Some(chunk) => Next::Chunk(chunk),
            None if self.is_complete.load(Ordering::Acquire) => Next::Complete,
            None if self.ended.is_cancelled() => Next::CutOff("the server has ended it"),
            None => Next::CutOff("its producer has not finished it"),
        })
    }
}

impl Drop for LiveReceiver {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(receiver: &mut LiveReceiver) -> Next {
        poll_fn(|context| receiver.poll_next(context)).await
    }

    #[tokio::test]
    async fn a_producer_waits_for_the_budget_and_for_its_client() {
        let budget = Arc::new(ByteBudget::new());
        let (mut sender, mut receiver) = live_stream();
        let all = budget.reserve(usize::MAX).await.unwrap();
        let mut sent = Box::pin(async {
            sender.send("one").await.unwrap();
            sender.send("two").await.unwrap();
            sender
        });
        // Not admitted, and then without bytes in the budget.
        assert!(futures_util::poll!(&mut sent).is_pending());
        receiver.open(&budget);
        assert!(futures_util::poll!(&mut sent).is_pending());
        assert!(futures_util::poll!(Box::pin(next(&mut receiver))).is_pending());
        drop(all);
        // The first is in the channel, the second waits until it was taken.
        assert!(futures_util::poll!(&mut sent).is_pending());
        let Next::Chunk(first) = next(&mut receiver).await else { panic!("no chunk") };
        assert_eq!(first, "one");
        let sender = sent.await;
        // Both are counted for as long as they are held.
        let mut rest = Box::pin(budget.reserve(usize::MAX));
        assert!(futures_util::poll!(&mut rest).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut rest).is_pending());
        let Next::Chunk(second) = next(&mut receiver).await else { panic!("no chunk") };
        drop(second);
        rest.await.unwrap();
        sender.finish();
        assert!(matches!(next(&mut receiver).await, Next::Complete));
    }

    #[tokio::test]
    async fn a_stream_that_is_ended_gives_out_what_was_sent_and_is_cut_off() {
        let budget = Arc::new(ByteBudget::new());
        let (mut sender, mut receiver) = live_stream();
        receiver.open(&budget);
        sender.send("one").await.unwrap();
        receiver.end_token().cancel();
        sender.ended().await;
        assert_eq!(sender.send("two").await, Err(StreamEnded));
        assert!(matches!(next(&mut receiver).await, Next::Chunk(chunk) if chunk == "one"));
        assert!(matches!(next(&mut receiver).await, Next::CutOff(_)));
    }

    #[tokio::test]
    async fn a_producer_that_is_never_admitted_is_notified() {
        let (mut sender, receiver) = live_stream();
        drop(receiver);
        sender.ended().await;
        assert_eq!(sender.send("one").await, Err(StreamEnded));
    }
}
