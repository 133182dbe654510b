//! The lineage of executions as a tree.

use anstream::adapter::strip_str;
use unicode_width::UnicodeWidthStr;

use super::layout::Layout;
use super::style::{BOLD, DIM, of_execution};
use crate::base::units;
use crate::base::zone::Zone;
use crate::repository::{Lineage, LineageNode};

/// How much is shown of each execution; less where lines would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    All,
    NoTime,
    /// The number only, without the id.
    Number,
}

impl Layout {
    /// The tree, the execution `shown` marked.
    pub(super) fn lineage_tree(&self, lineage: &Lineage, shown: &str) -> String {
        let mut text = String::new();
        for detail in [Detail::All, Detail::NoTime, Detail::Number] {
            text = self.branches(&lineage.root, shown, detail);
            let plain = strip_str(&text).to_string();
            if plain.lines().all(|line| line.width() <= usize::from(self.width)) {
                break;
            }
        }
        if lineage.truncated {
            text += "(there are more)\n";
        }
        text
    }

    fn branches(&self, root: &LineageNode, shown: &str, detail: Detail) -> String {
        let mut text = String::new();
        // Replays may be nested deeply; an explicit stack cannot overflow.
        let mut open = vec![(root, String::new(), String::new())];
        let (fork, last, line, none) = if self.unicode {
            ("├─ ", "└─ ", "│  ", "   ")
        } else {
            ("|- ", "`- ", "|  ", "   ")
        };
        while let Some((node, lead, below)) = open.pop() {
            text.push_str(&format!("{lead}{}\n", lineage_node(node, shown, detail, self.zone)));
            for (index, child) in node.children.iter().enumerate().rev() {
                let is_last = index + 1 == node.children.len();
                let (here, further) = if is_last { (last, none) } else { (fork, line) };
                // Indentation is limited, so that a long chain stays within the window.
                let indent = if below.chars().count() < 30 { below.as_str() } else { &below[..0] };
                open.push((child, format!("{indent}{here}"), format!("{indent}{further}")));
            }
        }
        text
    }
}

fn lineage_node(node: &LineageNode, shown: &str, detail: Detail, zone: Zone) -> String {
    let id = &node.execution_id;
    let (Some(seq), Some(status)) = (node.seq, node.status) else {
        return format!("{DIM}{id}  pruned{DIM:#}");
    };
    let seq = format!("@{seq}");
    let names = if detail == Detail::Number { vec![&seq] } else { vec![id, &seq] };
    let mut text = String::new();
    for (index, name) in names.into_iter().enumerate() {
        let is_bold = index == 0 && id == shown;
        text += &if is_bold { format!("{BOLD}{name}{BOLD:#}  ") } else { format!("{name}  ") };
    }
    text += &of_execution(status).paint(status.as_str());
    if let Some(at) = node.created_at.filter(|_| detail == Detail::All) {
        text += &format!("  {}", zone.second(at));
    }
    if node.reused_steps > 0 {
        text += &format!("  reused {}", units::count(node.reused_steps, "step"));
    }
    if id == shown {
        text += "  (this one)";
    }
    text
}
