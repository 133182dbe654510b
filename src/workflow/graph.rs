//! Which step waits for which: the order that is shown and stored, cycles, and what
//! a step has before it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fmt;

use super::definition::Definition;

/// The steps of a workflow as a graph without cycles. Steps are named by their index
/// in the list of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// What each step waits for.
    pub dependencies: Vec<Vec<usize>>,
    /// The dependents of each step, in the order of the list.
    pub dependents: Vec<Vec<usize>>,
    /// The steps in `step_order`: repeatedly the first step of the list that is ready.
    pub order: Vec<usize>,
    /// The index of each step in [`Self::order`].
    pub position: Vec<usize>,
}

/// Steps that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// The names, each step waiting for the next and the last one for the first.
    pub steps: Vec<String>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "`{step}` → ")?;
        }
        match self.steps.first() {
            Some(first) => write!(f, "`{first}`"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Cycle {}

impl Graph {
    /// Orders the steps.
    ///
    /// # Errors
    /// The cycles, as lists of indices: at least one of each set of steps that wait
    /// for each other and nothing else.
    pub fn new(dependencies: Vec<Vec<usize>>) -> Result<Self, Vec<Vec<usize>>> {
        let mut dependents = vec![Vec::new(); dependencies.len()];
        for (step, needed) in dependencies.iter().enumerate() {
            for &dependency in needed {
                dependents[dependency].push(step);
            }
        }
        let mut unmet: Vec<usize> = dependencies.iter().map(Vec::len).collect();
        let mut ready: BinaryHeap<Reverse<usize>> =
            (0..unmet.len()).filter(|&step| unmet[step] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(unmet.len());
        while let Some(Reverse(step)) = ready.pop() {
            order.push(step);
            for &dependent in &dependents[step] {
                unmet[dependent] -= 1;
                if unmet[dependent] == 0 {
                    ready.push(Reverse(dependent));
                }
            }
        }
        if order.len() < unmet.len() {
            return Err(cycles(&dependencies, &unmet));
        }
        let mut position = vec![0; order.len()];
        for (at, &step) in order.iter().enumerate() {
            position[step] = at;
        }
        Ok(Self { dependencies, dependents, order, position })
    }

    /// The graph of a definition.
    ///
    /// # Errors
    /// [`Cycle`], which a checked definition has not. Names that no step has are left
    /// out for the same reason.
    pub fn of(definition: &Definition) -> Result<Self, Cycle> {
        let steps = &definition.steps;
        let index: HashMap<&str, usize> =
            steps.iter().enumerate().map(|(index, step)| (step.name.as_str(), index)).collect();
        let dependencies = steps
            .iter()
            .map(|step| step.depends_on.iter().filter_map(|name| index.get(name.as_str()).copied()))
            .map(Iterator::collect)
            .collect();
        Self::new(dependencies).map_err(|cycles| {
            let cycle = cycles.into_iter().next().unwrap_or_default();
            Cycle { steps: cycle.into_iter().map(|step| steps[step].name.clone()).collect() }
        })
    }

    /// Everything that `step` waits for, directly or not, in the order of the list.
    #[must_use]
    pub fn ancestors(&self, step: usize) -> Vec<usize> {
        let mut seen: HashSet<usize> = self.dependencies[step].iter().copied().collect();
        let mut open: Vec<usize> = self.dependencies[step].clone();
        while let Some(next) = open.pop() {
            open.extend(self.dependencies[next].iter().filter(|&&before| seen.insert(before)));
        }
        let mut ancestors: Vec<usize> = seen.into_iter().collect();
        ancestors.sort_unstable();
        ancestors
    }
}

/// Walks back from each step that never became ready: it waits for another such step,
/// so each walk ends in a cycle or in an earlier walk.
fn cycles(dependencies: &[Vec<usize>], unmet: &[usize]) -> Vec<Vec<usize>> {
    let mut walked = HashSet::new();
    let mut cycles = Vec::new();
    for start in (0..unmet.len()).filter(|&step| unmet[step] > 0) {
        let mut path: Vec<usize> = Vec::new();
        let mut next = Some(start);
        while let Some(step) = next {
            if !walked.insert(step) {
                if let Some(first) = path.iter().position(|&earlier| earlier == step) {
                    cycles.push(path.split_off(first));
                }
                break;
            }
            path.push(step);
            next = dependencies[step].iter().copied().find(|&before| unmet[before] > 0);
        }
    }
    cycles
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ready_step_that_stands_first_comes_next() {
        // 0 waits for 3; 1 and 3 are ready at once; 2 waits for 1.
        let graph = Graph::new(vec![vec![3], vec![], vec![1], vec![]]).unwrap();
        assert_eq!(graph.order, [1, 2, 3, 0]);
        assert_eq!(graph.position, [3, 0, 1, 2]);
        assert_eq!(graph.dependents, [vec![], vec![2], vec![], vec![0]]);
    }

    #[test]
    fn ancestors_are_direct_or_not() {
        let graph = Graph::new(vec![vec![], vec![0], vec![0], vec![1, 2], vec![]]).unwrap();
        assert_eq!(graph.ancestors(3), [0, 1, 2]);
        assert_eq!(graph.ancestors(4), [] as [usize; 0]);
    }

    #[test]
    fn each_separate_cycle_is_reported_once() {
        let cycles = Graph::new(vec![vec![1], vec![0], vec![0], vec![3], vec![]]).unwrap_err();
        assert_eq!(cycles, [vec![0, 1], vec![3]]);
        let cycle = Cycle { steps: vec!["a".into(), "b".into()] };
        assert_eq!(cycle.to_string(), "`a` → `b` → `a`");
    }

    fn any_edges() -> impl Strategy<Value = Vec<Vec<usize>>> {
        (1..30_usize).prop_flat_map(|count| {
            prop::collection::vec(prop::collection::btree_set(0..count, 0..4), count)
                .prop_map(|sets| sets.into_iter().map(|set| set.into_iter().collect()).collect())
        })
    }

    proptest! {
        #[test]
        fn the_order_is_one_or_a_true_cycle_says_why_not(edges in any_edges()) {
            match Graph::new(edges.clone()) {
                Ok(graph) => {
                    for (step, needed) in edges.iter().enumerate() {
                        for &before in needed {
                            prop_assert!(graph.position[before] < graph.position[step]);
                        }
                    }
                    prop_assert_eq!(Graph::new(edges).unwrap().order, graph.order);
                }
                Err(cycles) => {
                    prop_assert!(!cycles.is_empty());
                    for cycle in cycles {
                        for (at, step) in cycle.iter().enumerate() {
                            prop_assert!(edges[*step].contains(&cycle[(at + 1) % cycle.len()]));
                        }
                    }
                }
            }
        }
    }
}
