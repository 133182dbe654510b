//! Acquires permits for steps that start processes.

use std::io;
use std::sync::Arc;

use tokio::time;

use super::{Done, Driver};
use crate::engine::work::parallelism;
use crate::workflow::event::{Effect, Event};
use crate::workflow::execution::IllegalTransition;
use crate::workflow::report::Report;

impl Driver {
    /// Starts steps at once while permits are available, so that their start shares the commit of
    /// the change that led to it.
    pub(crate) fn admit(&mut self, effects: &mut [Effect]) -> Result<(), IllegalTransition> {
        for effect in effects {
            let Effect::Admit { step } = *effect else { continue };
            if self.postponed.contains_key(&step) {
                continue;
            }
            if let Some(permit) = self.context.parallelism.try_take() {
                let started = self.execution.apply(Event::Admitted(step), self.moment())?;
                if let [start] = started[..] {
                    self.admitted.insert(step, permit);
                    *effect = start;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn wait_for_permit(&mut self, step: usize) {
        let held = self.admitted.remove(&step);
        let wait = self.postponed.get(&step).copied().unwrap_or_default();
        let context = Arc::clone(&self.context);
        self.tasks.spawn(async move {
            time::sleep(wait).await;
            let permit = match held {
                Some(permit) => Some(permit),
                None => context.parallelism.take().await,
            };
            Done::Permit(step, permit)
        });
    }

    pub(crate) fn note_postponed(&mut self, step: usize, error: &io::Error) {
        let before = self.postponed.get(&step).copied();
        self.postponed.insert(step, parallelism::wait_after(before, fastrand::f64()));
        if self.context.parallelism.note_postponed() {
            let step = &self.execution.spec().step(step).name;
            let (error, at) = (&error.to_string(), self.context.clock.now());
            self.observer.report(&Report::AttemptPostponed { step, error, at });
        }
    }
}
