//! What was replayed from what.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::base::timestamp::Timestamp;
use crate::workflow::record::ExecutionStatus;

/// The most executions that a lineage holds in each direction.
const NODES_MAX: usize = 1000;

/// The executions that one descends from, and those that descend from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lineage {
    /// The first of them, the others below it; the last one known by name only if it
    /// was pruned.
    pub root: LineageNode,
    /// There are more than are named.
    pub truncated: bool,
}

/// One execution of a lineage and its replays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LineageNode {
    /// Its id.
    pub execution_id: String,
    /// Its number; none: it was pruned.
    pub seq: Option<i64>,
    /// Where it stands; none: it was pruned.
    pub status: Option<ExecutionStatus>,
    /// When it was accepted; none: it was pruned.
    pub created_at: Option<Timestamp>,
    /// How many of its steps it reused and did not run.
    pub reused_steps: u64,
    /// Its replays, oldest first.
    pub children: Vec<LineageNode>,
}

impl LineageNode {
    /// One that is known by name only.
    pub(crate) fn pruned(execution_id: &str) -> Self {
        Self {
            execution_id: execution_id.to_owned(),
            seq: None,
            status: None,
            created_at: None,
            reused_steps: 0,
            children: Vec::new(),
        }
    }
}

/// One execution of a lineage as the API shows it: nested lists would have no bound to their depth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineageRow {
    pub execution_id: String,
    pub seq: Option<i64>,
    pub status: Option<ExecutionStatus>,
    pub created_at: Option<Timestamp>,
    pub reused_steps: u64,
    /// The execution of the same lineage that it repeats; none: it is the first.
    pub replay_of: Option<String>,
}

/// A lineage as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineageRows {
    /// Each after the one that it repeats, replays of one in their order.
    pub executions: Vec<LineageRow>,
    /// As in [`Lineage`].
    pub truncated: bool,
}

impl From<Lineage> for LineageRows {
    fn from(lineage: Lineage) -> Self {
        let mut executions = Vec::new();
        let mut open = vec![(None, lineage.root)];
        while let Some((replay_of, node)) = open.pop() {
            let LineageNode { execution_id, seq, status, created_at, reused_steps, children } =
                node;
            let child = |child| (Some(execution_id.clone()), child);
            open.extend(children.into_iter().rev().map(child));
            executions.push(LineageRow {
                execution_id,
                seq,
                status,
                created_at,
                reused_steps,
                replay_of,
            });
        }
        Self { executions, truncated: lineage.truncated }
    }
}

impl LineageRows {
    /// The tree again; `None` where the rows are none.
    pub(crate) fn tree(self) -> Option<Lineage> {
        let index = |id: &str| self.executions.iter().position(|row| row.execution_id == id);
        let parent = |(at, row): (usize, &LineageRow)| {
            let above = row.replay_of.as_deref().and_then(index);
            above.filter(|above| *above < at)
        };
        let parents: Vec<_> = self.executions.iter().enumerate().map(parent).collect();
        let roots = self.executions.iter().zip(&parents).filter(|(_, parent)| parent.is_none());
        let roots: Vec<&LineageRow> = roots.map(|(row, _)| row).collect();
        if !matches!(roots[..], [root] if root.replay_of.is_none()) {
            return None;
        }
        let node = |row: LineageRow| LineageNode {
            execution_id: row.execution_id,
            seq: row.seq,
            status: row.status,
            created_at: row.created_at,
            reused_steps: row.reused_steps,
            children: Vec::new(),
        };
        let mut nodes: Vec<LineageNode> = self.executions.into_iter().map(node).collect();
        // From the last one up each node is complete when it moves into its parent.
        while nodes.len() > 1 {
            let parent = parents[nodes.len() - 1]?;
            let last = nodes.pop()?;
            nodes[parent].children.insert(0, last);
        }
        Some(Lineage { root: nodes.pop()?, truncated: self.truncated })
    }
}

/// Traces the lineage of an execution, which itself may be pruned. `node` finds an execution and
/// the id of the one that it replays; `replays` finds the replays of one, oldest first.
pub(crate) fn trace<E>(
    execution_id: &str,
    mut node: impl FnMut(&str) -> Result<(LineageNode, Option<String>), E>,
    mut replays: impl FnMut(&str) -> Result<Vec<LineageNode>, E>,
) -> Result<Lineage, E> {
    let (itself, mut above) = node(execution_id)?;
    let mut seen = HashSet::from([execution_id.to_owned()]);
    let mut truncated = false;

    let mut ancestors = Vec::new();
    while let Some(id) = above.take() {
        if ancestors.len() == NODES_MAX {
            truncated = true;
            break;
        }
        if !seen.insert(id.clone()) {
            break;
        }
        let (ancestor, next) = node(&id)?;
        ancestors.push(ancestor);
        above = next;
    }

    // Breadth first, so that what is left out lies deepest; children know their parent.
    let mut nodes = vec![itself];
    let mut parents: HashMap<usize, usize> = HashMap::new();
    let mut next = 0;
    while next < nodes.len() {
        for child in replays(&nodes[next].execution_id)? {
            if nodes.len() > NODES_MAX {
                truncated = true;
                break;
            }
            if seen.insert(child.execution_id.clone()) {
                parents.insert(nodes.len(), next);
                nodes.push(child);
            }
        }
        next += 1;
    }
    // From the last one up each node is complete when it moves into its parent.
    while nodes.len() > 1 {
        let parent = parents.get(&(nodes.len() - 1)).copied().unwrap_or(0);
        if let Some(node) = nodes.pop() {
            nodes[parent].children.insert(0, node);
        }
    }
    let root = nodes.into_iter().chain(ancestors).reduce(|child, mut parent| {
        parent.children.push(child);
        parent
    });
    let root = root.unwrap_or_else(|| LineageNode::pruned(execution_id));
    Ok(Lineage { root, truncated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_the_same_tree() {
        let node = |id: &str, children| LineageNode { children, ..LineageNode::pruned(id) };
        let grandchildren = vec![node("d", Vec::new()), node("e", Vec::new())];
        let root = node("a", vec![node("b", grandchildren), node("c", Vec::new())]);
        let lineage = Lineage { root, truncated: true };
        let rows = LineageRows::from(lineage.clone());
        let ids: Vec<&str> = rows.executions.iter().map(|row| row.execution_id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "d", "e", "c"]);
        assert_eq!(rows.tree(), Some(lineage));
    }

    #[test]
    fn rows_that_are_no_tree_are_none() {
        let row = |id: &str, replay_of: Option<&str>| LineageRow {
            execution_id: id.to_owned(),
            seq: None,
            status: None,
            created_at: None,
            reused_steps: 0,
            replay_of: replay_of.map(str::to_owned),
        };
        let tree = |executions| LineageRows { executions, truncated: false }.tree();
        assert!(tree(vec![row("a", None)]).is_some());
        for rows in [
            vec![],
            vec![row("a", Some("a"))],
            vec![row("a", None), row("b", None)],
            vec![row("a", Some("b")), row("b", None)],
            vec![row("a", None), row("b", Some("x"))],
        ] {
            assert_eq!(tree(rows.clone()), None, "{rows:?}");
        }
    }
}
