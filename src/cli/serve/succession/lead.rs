//! Which process decides. Several daemons may use one database, and during a hand-over two of them
//! are one service: of these, one leads. It recovers executions of dead processes; whatever else
//! must be decided by one process only, such as what is started by the clock, belongs here.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Duty = Box<dyn Fn(CancellationToken) -> Task + Send + Sync>;

/// What a process does while it leads.
#[derive(Default)]
pub(crate) struct Lead {
    duties: Vec<Duty>,
    term: Mutex<Option<Term>>,
}

/// From the moment that a process leads until it does not any more.
#[derive(Default)]
struct Term {
    ends: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead").field("duties", &self.duties.len()).finish_non_exhaustive()
    }
}

impl Lead {
    /// Adds what runs while this process leads. It ends at the next safe moment once the token is
    /// cancelled: what it has decided by then is carried out by this process.
    pub(crate) fn duty<T>(
        mut self,
        task: impl Fn(CancellationToken) -> T + Send + Sync + 'static,
    ) -> Self
    where
        T: Future<Output = ()> + Send + 'static,
    {
        self.duties.push(Box::new(move |ends| Box::pin(task(ends))));
        self
    }

    /// This process decides from now on. It must be in a runtime.
    pub(crate) fn begin(&self) {
        let term = Term::default();
        for duty in &self.duties {
            term.tasks.spawn(duty(term.ends.clone()));
        }
        term.tasks.close();
        *self.term.lock().unwrap_or_else(PoisonError::into_inner) = Some(term);
    }

    /// Ends the lead; once the answer is ready, this process decides nothing any more.
    pub(crate) fn end(&self) -> impl Future<Output = ()> + use<> {
        let term = self.term.lock().unwrap_or_else(PoisonError::into_inner).take();
        term.iter().for_each(|term| term.ends.cancel());
        async move {
            if let Some(term) = term {
                term.tasks.wait().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn duties_run_while_it_leads_and_are_awaited() {
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&begun), Arc::clone(&ended));
        let lead = Lead::default().duty(move |ends| {
            let (begun, ended) = counts.clone();
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                ends.cancelled().await;
                tokio::task::yield_now().await;
                ended.fetch_add(1, Ordering::SeqCst);
            }
        });
        let count = || (begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
        lead.end().await;
        assert_eq!(count(), (0, 0));
        for round in 1..3 {
            lead.begin();
            while count().0 < round {
                tokio::task::yield_now().await;
            }
            lead.end().await;
            assert_eq!(count(), (round, round));
        }
    }
}
