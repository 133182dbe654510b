//! What every execution of this process shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::memory::Memory;
use super::output::OutputSink;
use super::work::parallelism::Parallelism;
use super::work::scratch::Scratch;
use crate::base::clock::Clock;
use crate::repository::Writer;
use crate::repository::ownership::Owner;
use crate::workflow::definition::Definition;
use crate::workflow::environment::Variables;
use crate::workflow::notification::Notify;

/// What happens to a new execution that cannot be stored.
#[derive(Debug, Clone)]
pub enum Unstored {
    /// Nothing of it is started.
    Refuse,
    /// It runs unstored and is shown from memory; it is stored when the store works again.
    Run(Arc<Memory>),
}

/// What every execution of this process uses.
#[derive(Debug)]
pub struct EngineContext {
    /// Where changes go.
    pub writer: Arc<Writer>,
    /// Where the output of steps goes.
    pub output: Arc<OutputSink>,
    /// The identity of this process.
    pub owner: Arc<Owner>,
    /// The variables that steps inherit from wfx.
    pub inherited: Variables,
    /// The folder for the outputs of steps.
    pub scratch: Scratch,
    /// How many steps run at a time, over all executions.
    pub parallelism: Parallelism,
    /// What the engine calls now.
    pub clock: Clock,
    /// How long a failing store is tolerated.
    pub store_timeout: Duration,
    /// What happens to executions that cannot be stored at their start.
    pub unstored: Unstored,
    /// Ends what runs as a crash would: nothing of its end is recorded.
    pub abandon: CancellationToken,
    /// Leaves executions that wait for a slot of a concurrency group to the next process.
    pub leave_queues: CancellationToken,
    /// Who is notified of what, where a workflow does not say; `None`: nobody.
    pub notify: Option<Arc<Notify>>,
    /// Something was to be notified.
    pub has_events: Arc<AtomicBool>,
    /// How many wait for a slot.
    pub waiting: Arc<AtomicUsize>,
}

impl EngineContext {
    /// Who is notified of executions of a workflow; `None` where nobody is.
    #[must_use]
    pub(crate) fn notify_of(&self, definition: &Definition) -> Option<Arc<Notify>> {
        let notify = match &definition.notify {
            Some(notify) => Some(Arc::new(notify.clone())),
            None => self.notify.clone(),
        };
        notify.filter(|notify| !notify.rules.is_empty())
    }
}
