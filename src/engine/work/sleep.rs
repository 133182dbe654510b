//! A step that waits.

use std::time::Duration;

use super::Stop;
use crate::base::clock;
use crate::base::period::Period;
use crate::workflow::event::{AttemptEnd, Outcome};
use crate::workflow::retry_on::EndCause;

/// Waits for `period`, at most `timeout`. `elapsed` of both passed in a process that died.
pub(crate) async fn run(
    period: Period,
    timeout: Option<Period>,
    elapsed: Duration,
    stop: &Stop,
) -> AttemptEnd {
    let (started_at, begun) = (clock::now(), clock::monotonic());
    let limit = timeout.map_or(Duration::MAX, Period::duration);
    let left = period.duration().min(limit).saturating_sub(elapsed);
    let mut cause = EndCause::Other;
    let outcome = tokio::select! {
        biased;
        () = stop.gently.cancelled() => Outcome::Stopped,
        () = stop.now.cancelled() => Outcome::Stopped,
        () = tokio::time::sleep(left) => match timeout {
            Some(timeout) if limit < period.duration() => {
                cause = EndCause::Timeout;
                Outcome::Failed(format!("timed out after {timeout}"))
            }
            _ => Outcome::Success,
        },
    };
    let duration = elapsed + begun.elapsed();
    AttemptEnd { duration, cause, ..AttemptEnd::instant(outcome, started_at) }
}
