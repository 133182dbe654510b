//! Siblings that nothing tells apart become one node, so that a thousand steps stay a picture.

use std::collections::HashMap;

/// From so many on, siblings are one node.
pub(crate) const FOLDED_FROM: usize = 4;

/// The steps of one node, ascending; one step unless siblings are folded.
pub(crate) type Group = Vec<usize>;

/// A graph of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    /// What each node stands for, in the order of their first steps.
    pub groups: Vec<Group>,
    /// The nodes that each node waits for, ascending.
    pub depends_on: Vec<Vec<usize>>,
}

/// Folds steps that wait for the same steps and that the same steps wait for. `depends_on` are the
/// direct dependencies of each step. A group with a step for which `is_open` holds stays unfolded.
#[must_use]
pub(crate) fn fold(depends_on: &[Vec<usize>], is_open: &dyn Fn(usize) -> bool) -> Folded {
    let count = depends_on.len();
    let sorted = |list: &Vec<usize>| {
        let mut list = list.clone();
        list.sort_unstable();
        list.dedup();
        list
    };
    let before: Vec<Vec<usize>> = depends_on.iter().map(sorted).collect();
    let mut after = vec![Vec::new(); count];
    for (step, list) in before.iter().enumerate() {
        for &earlier in list {
            after[earlier].push(step);
        }
    }
    let mut alike: HashMap<(&[usize], &[usize]), Group> = HashMap::new();
    for step in 0..count {
        alike.entry((&before[step], &after[step])).or_default().push(step);
    }
    let mut groups: Vec<Group> = Vec::with_capacity(alike.len());
    for group in alike.into_values() {
        if group.len() < FOLDED_FROM || group.iter().any(|&step| is_open(step)) {
            groups.extend(group.into_iter().map(|step| vec![step]));
        } else {
            groups.push(group);
        }
    }
    groups.sort_unstable_by_key(|group| group[0]);
    let mut node_of = vec![0; count];
    for (node, group) in groups.iter().enumerate() {
        for &step in group {
            node_of[step] = node;
        }
    }
    let nodes_before = |group: &Group| {
        let mut nodes: Vec<usize> = before[group[0]].iter().map(|&step| node_of[step]).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    };
    let depends_on = groups.iter().map(nodes_before).collect();
    Folded { groups, depends_on }
}
