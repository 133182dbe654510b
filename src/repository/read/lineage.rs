//! What was replayed from what.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

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
