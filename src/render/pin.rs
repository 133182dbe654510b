//! Whether an execution is pinned.

use serde_json::{Value, json};

use super::layout::Layout;
use crate::base::visible::visible;
use crate::workflow::pin::Pin;
use crate::workflow::record::ExecutionRecord;

impl Layout {
    /// An execution and its pin, in a line.
    pub(crate) fn pinned(&self, execution: &ExecutionRecord) -> String {
        let state = match &execution.pinned {
            Some(pin) => pin.text(),
            None => "not pinned".to_owned(),
        };
        let ExecutionRecord { workflow_id, execution_id, .. } = execution;
        format!(
            "{}  {}  {execution_id}  {}\n",
            execution.number(),
            visible(workflow_id),
            visible(&state)
        )
    }
}

/// The document of `--format json`.
pub(crate) fn document(execution: &ExecutionRecord) -> Value {
    json!({
        "seq": execution.seq,
        "execution_id": execution.execution_id,
        "workflow_id": execution.workflow_id,
        "pinned": execution.pinned,
    })
}

/// The fields of `--format plain`.
pub(crate) fn plain_row(execution: &ExecutionRecord) -> Vec<String> {
    let mut row =
        vec![execution.number(), execution.execution_id.clone(), execution.workflow_id.clone()];
    if let Some(Pin { at, by, reason }) = &execution.pinned {
        row.extend([at.to_string(), by.clone(), reason.clone().unwrap_or_default()]);
    }
    row
}
