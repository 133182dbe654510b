//! How a store is written.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a writer works.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// What a commit outlives.
    pub durability: Durability,
    /// Another user whose database may be used as if it were this one's.
    pub trusted_owner: Option<u32>,
    /// How many finished executions are kept.
    pub retention: Retention,
    /// The most executions that wait to be stored.
    pub queue_capacity: usize,
    /// How long other processes may hold the database while it is opened or purged. A
    /// commit that waits longer than a moment is a failure already, and is tried again.
    pub busy_timeout: Duration,
    /// How much of the output of steps is kept, over all executions.
    pub output: OutputBudgets,
    /// Notified of each commit.
    pub commits: Option<Arc<dyn CommitObserver>>,
}

/// Whoever wants to know of commits. Called from the writer's thread, which waits.
pub trait CommitObserver: fmt::Debug + Send + Sync {
    /// A transaction with changes of so many executions is durable, and what that took.
    fn committed(&self, executions: usize, took: Duration);
}

/// How surely a commit outlives a power loss. Either outlives `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Each commit is on the disk before it is acknowledged.
    #[default]
    Full,
    /// The last commits may be lost with the power, never half of one.
    Normal,
}

/// How many finished executions are kept. `None` and 0: all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// This many.
    Given(Option<u64>),
    /// As many as a daemon was set to keep; so many if none was.
    Followed {
        /// Where no daemon was set to keep any number.
        otherwise: Option<u64>,
    },
    /// So many, and this is stored: those that follow keep as many.
    Led(Option<u64>),
}

/// How much of the output of steps is kept, over all executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputBudgets {
    /// In bytes as they were written.
    pub total_bytes: BudgetOf<u64>,
    /// How long.
    pub age: BudgetOf<Duration>,
    /// This is stored, and those follow it that set none themselves.
    pub leads: bool,
}

/// One budget, and whether it was set explicitly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetOf<T> {
    /// The budget.
    pub value: T,
    /// Otherwise what a daemon was set to counts, if one was.
    pub is_set: bool,
}

impl Default for OutputBudgets {
    fn default() -> Self {
        let age = Duration::from_secs(30 * 86_400);
        Self {
            total_bytes: BudgetOf { value: 4 << 30, is_set: false },
            age: BudgetOf { value: age, is_set: false },
            leads: false,
        }
    }
}
