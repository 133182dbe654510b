//! Statements that every execution needs, in the order in which the first one needs them. They are
//! compiled while the writer has nothing to do, so that no commit waits for that.

use super::{change, change_steps, detail, output, policies, prune};

/// The statement of this number; `None` after the last one.
pub(crate) fn statement(number: usize) -> Option<&'static str> {
    let statements = [
        change::INSERT_EXECUTION,
        change::INSERT_STEP,
        policies::OF_WORKFLOW,
        change::GOES_ON,
        change_steps::UPDATE_STEP,
        output::INSERT_CHUNK,
        change::NEXT_COMPLETION,
        change::UPDATE_EXECUTION,
        policies::HAS_APART,
        policies::ANY,
        prune::FINISHED,
        prune::PINNED,
        detail::BY_ID.as_str(),
    ];
    statements.get(number).copied()
}
