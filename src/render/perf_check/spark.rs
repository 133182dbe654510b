//! The shape of a distribution in a line.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '#', '@'];

/// A character for each count, its height by the count's logarithm: one slow request in
/// a thousand has to be seen.
pub(super) fn line(counts: &[u64], unicode: bool) -> String {
    let marks = if unicode { BLOCKS } else { ASCII };
    let height = |count: u64| count.saturating_add(1).ilog2() as usize;
    let top = counts.iter().copied().map(height).max().unwrap_or(0).max(1);
    let mark = |&count: &u64| match count {
        0 => ' ',
        _ => marks[(height(count) * (marks.len() - 1) / top).min(marks.len() - 1)],
    };
    counts.iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_highest_and_none_is_empty() {
        assert_eq!(line(&[940, 0, 0, 60], true), "█  ▄");
        assert_eq!(line(&[1_000_000, 1, 0], false), "@. ");
        assert_eq!(line(&[], true), "");
        assert_eq!(line(&[1, 1], true), "██");
    }
}
