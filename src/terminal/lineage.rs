//! What was replayed from what, as a tree.

use super::Ui;
use super::style::{BOLD, DIM, of_execution};
use crate::repository::{Lineage, LineageNode};

impl Ui {
    /// The tree, the execution `shown` marked.
    pub(super) fn lineage_tree(&self, lineage: &Lineage, shown: &str) -> String {
        let mut text = String::new();
        self.branch(&lineage.root, shown, "", "", &mut text);
        if lineage.truncated {
            text += "(there are more)\n";
        }
        text
    }

    fn branch(&self, root: &LineageNode, shown: &str, lead: &str, below: &str, text: &mut String) {
        // Replays of replays may be many: a stack of our own cannot overflow.
        let mut open = vec![(root, lead.to_owned(), below.to_owned())];
        let (fork, last, line, none) = if self.unicode {
            ("├─ ", "└─ ", "│  ", "   ")
        } else {
            ("|- ", "`- ", "|  ", "   ")
        };
        while let Some((node, lead, below)) = open.pop() {
            text.push_str(&format!("{lead}{}\n", self.lineage_node(node, shown)));
            for (index, child) in node.children.iter().enumerate().rev() {
                let is_last = index + 1 == node.children.len();
                let (here, further) = if is_last { (last, none) } else { (fork, line) };
                // A long chain is not indented out of the window.
                let indent = if below.chars().count() < 30 { below.as_str() } else { &below[..0] };
                open.push((child, format!("{indent}{here}"), format!("{indent}{further}")));
            }
        }
    }

    fn lineage_node(&self, node: &LineageNode, shown: &str) -> String {
        let id = &node.execution_id;
        let id = if id == shown { format!("{BOLD}{id}{BOLD:#}") } else { id.clone() };
        match (node.seq, node.status) {
            (Some(seq), Some(status)) => {
                let state = of_execution(status).paint(status.as_str());
                let created =
                    node.created_at.map(|at| format!("  {}", short(at))).unwrap_or_default();
                let mark = if node.execution_id == shown { "  (this one)" } else { "" };
                format!("{id}  @{seq}  {state}{created}{mark}")
            }
            _ => format!("{DIM}{id}  pruned{DIM:#}"),
        }
    }
}

/// A time to the second.
pub(super) fn short(at: crate::timestamp::Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}
