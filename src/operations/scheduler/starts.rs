//! What becomes of executions that a scheduler starts.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::engine::driver::RunError;
use crate::engine::supervisor::Submitted;

/// What became of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored.
    Stored,
    /// It is not, since others decided or are in its way.
    Decided,
    /// Its concurrency group took no further execution.
    GroupFull,
    /// It is not stored for another reason.
    NotStored,
    /// It was stored, and has ended.
    Ended,
}

/// A start, and what became of it.
pub(super) type News = (String, Outcome);

/// News of starts, which are reasons for another round.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: UnboundedReceiver<News>,
    /// What came and was not looked at.
    waiting: Vec<News>,
}

impl Inbox {
    pub(super) fn new(receiver: UnboundedReceiver<News>) -> Self {
        Self { receiver, waiting: Vec::new() }
    }

    /// Waits for news.
    pub(crate) async fn wait(&mut self) {
        if self.waiting.is_empty()
            && let Some(news) = self.receiver.recv().await
        {
            self.waiting.push(news);
        }
    }

    pub(super) fn take(&mut self) -> Vec<News> {
        while let Ok(news) = self.receiver.try_recv() {
            self.waiting.push(news);
        }
        std::mem::take(&mut self.waiting)
    }
}

/// Reports what becomes of a start, and its end.
pub(super) async fn follow(
    workflow_id: String,
    submitted: Submitted,
    sender: UnboundedSender<News>,
) {
    let Submitted { start_ack, ended, .. } = submitted;
    let tell = |outcome| {
        // Who no longer listens has ended.
        let _ = sender.send((workflow_id.clone(), outcome));
    };
    match start_ack.launched.await {
        Ok(launched) if launched.refused.is_none() => {
            tell(Outcome::Stored);
            // How it ended others see.
            let _ = ended.await;
            tell(Outcome::Ended);
        }
        Ok(_) => tell(Outcome::NotStored),
        Err(_) => tell(match ended.await {
            Ok(Err(RunError::NoSlot(error))) if error.is_of_group() => Outcome::GroupFull,
            Ok(Err(RunError::NoSlot(_))) => Outcome::Decided,
            _ => Outcome::NotStored,
        }),
    }
}
