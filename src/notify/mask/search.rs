//! Finds secrets in views of a text, all in one pass, whole or cut.                     (pure)

use std::ops::Range;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;

use super::view::{View, cut_at};

/// The shortest part of a secret that is masked where a text is cut in the middle of it, bytes.
const PART_MIN: usize = 4;
/// How much of an escape a text may begin with, bytes, before the rest of a secret that is cut.
const ESCAPE_REST: usize = 5;

/// Secrets, as an automaton that knows at each byte how much of which of them was just read.
#[derive(Debug)]
pub(super) struct Automaton {
    nfa: NFA,
    /// How much that is, by the number of the state.
    depths: Vec<u32>,
    start: StateID,
    /// Whether one begins with this byte.
    begins: [bool; 256],
}

impl Automaton {
    /// `None` where they are too many.
    pub(super) fn new<'s>(secrets: impl Iterator<Item = &'s [u8]> + Clone) -> Option<Self> {
        let nfa = NFA::builder().build(secrets.clone()).ok()?;
        let start = nfa.start_state(Anchored::No).ok()?;
        let mut automaton = Self { nfa, depths: Vec::new(), start, begins: [false; 256] };
        for secret in secrets {
            if let Some(first) = secret.first() {
                automaton.begins[usize::from(*first)] = true;
            }
            let mut state = start;
            for (depth, byte) in (1..).zip(secret) {
                state = automaton.next(state, *byte);
                let index = state.as_usize();
                if automaton.depths.len() <= index {
                    automaton.depths.resize(index + 1, 0);
                }
                automaton.depths[index] = depth;
            }
        }
        Some(automaton)
    }

    fn next(&self, state: StateID, byte: u8) -> StateID {
        if state == self.start && !self.begins[usize::from(byte)] {
            return state;
        }
        self.nfa.next_state(Anchored::No, state, byte)
    }

    /// How much of the beginning of a secret was just read.
    fn depth(&self, state: StateID) -> usize {
        self.depths.get(state.as_usize()).map_or(0, |depth| *depth as usize)
    }

    /// The length of the longest secret that was just read.
    fn whole(&self, state: StateID) -> Option<usize> {
        // The longest comes first: it is the state's own, and the others are ends of it.
        let is_match = self.nfa.is_special(state) && self.nfa.is_match(state);
        is_match.then(|| self.nfa.pattern_len(self.nfa.match_pattern(state, 0)))
    }
}

/// Where secrets are in a text, from any number of views of it.
#[derive(Debug)]
pub(super) struct Found {
    /// By how many more of them a byte is covered than the one before.
    changes: Vec<i32>,
}

impl Found {
    /// Nothing is found in so many bytes yet.
    pub(super) fn new(length: usize) -> Self {
        Self { changes: vec![0; length + 1] }
    }

    pub(super) fn add(&mut self, range: Range<usize>) {
        if range.start < range.end && range.end < self.changes.len() {
            self.changes[range.start] += 1;
            self.changes[range.end] -= 1;
        }
    }

    /// All that is covered, ascending and apart.
    pub(super) fn ranges(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let (mut covered, mut from) = (0, 0);
        for (at, change) in self.changes.iter().enumerate() {
            let before = covered;
            covered += change;
            match (before, covered) {
                (0, 1..) => from = at,
                (1.., 0) => ranges.push(from..at),
                _ => {}
            }
        }
        ranges
    }
}

/// Finds the secrets in a view without blanks of a text that ends there: whole, and what is left of
/// them before the end and before cuts. Returns whether there are cuts.
pub(super) fn search(secrets: &Automaton, view: &View, end: usize, found: &mut Found) -> bool {
    let bytes = &view.bytes;
    let mut state = secrets.start;
    let mut has_cuts = false;
    for (at, byte) in bytes.iter().enumerate() {
        if cut_at(&bytes[at..]).is_some() {
            has_cuts = true;
            let depth = secrets.depth(state);
            if depth >= PART_MIN {
                let before_cut = view.place(&(at..at + 1)).start;
                found.add(view.place(&(at - depth..at)).start..before_cut);
            }
        }
        state = secrets.next(state, *byte);
        if let Some(whole) = secrets.whole(state) {
            found.add(view.place(&(at + 1 - whole..at + 1)));
        }
    }
    let depth = secrets.depth(state);
    if depth >= PART_MIN {
        // What follows was left out of the view: escapes that are cut.
        found.add(view.place(&(bytes.len() - depth..bytes.len())).start..end);
    }
    has_cuts
}

/// Finds what is left of secrets after cuts, and with `begins_cut` at the beginning. `backward`: the
/// secrets from their ends on.
pub(super) fn search_after_cuts(
    backward: &Automaton,
    view: &View,
    begins_cut: bool,
    found: &mut Found,
) {
    let bytes = &view.bytes;
    // Of each index, how much of the end of a secret begins there.
    let mut depths = vec![0; bytes.len()];
    let mut state = backward.start;
    for (at, byte) in bytes.iter().enumerate().rev() {
        state = backward.next(state, *byte);
        depths[at] = backward.depth(state);
    }
    let cuts = (0..bytes.len()).filter_map(|at| Some((at, cut_at(&bytes[at..])?)));
    let after_cuts = cuts.map(|(at, cut)| (at + cut, view.place(&(at..at + cut)).end));
    for (begin, place) in begins_cut.then_some((0, 0)).into_iter().chain(after_cuts) {
        let mut rest = depths.iter().enumerate().skip(begin).take(1 + ESCAPE_REST);
        if let Some((at, depth)) = rest.find(|(_, depth)| **depth >= PART_MIN) {
            found.add(place..view.place(&(at..at + depth)).end);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As a search that looks everywhere for each.
        #[test]
        fn all_secrets_are_found(
            secrets in prop::collection::btree_set("[ab]{1,9}", 1..8), text in "[abc]{0,60}",
        ) {
            let bytes = secrets.iter().map(String::as_bytes);
            let mut found = Found::new(text.len());
            search(&Automaton::new(bytes).unwrap(), &View::of(&text), text.len(), &mut found);
            let mut expected = Found::new(text.len());
            for secret in &secrets {
                for at in 0..text.len() {
                    let rest = &text[at..];
                    let is_part = rest.len() >= PART_MIN && secret.starts_with(rest);
                    if rest.starts_with(secret.as_str()) {
                        expected.add(at..at + secret.len());
                    } else if is_part {
                        expected.add(at..text.len());
                    }
                }
            }
            prop_assert_eq!(found.ranges(), expected.ranges());
        }
    }
}
