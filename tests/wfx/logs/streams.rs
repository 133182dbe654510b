//! One stream of an execution that prints much to both.

use super::{Place, assert_same, logs};

/// More than several pages of each stream, by turns.
const BOTH: &str = "steps:
- name: a
  run: |
    i=0
    while [ $i -lt 60 ]; do
      seq -f 'out %.0f 0123456789 0123456789 0123456789' $((i * 500)) $((i * 500 + 499))
      seq -f 'err %.0f 0123456789 0123456789 0123456789' $((i * 500)) $((i * 500 + 499)) >&2
      i=$((i + 1))
    done
- name: b
  run: echo out b; echo err b >&2
";

#[test]
fn each_stream_of_an_execution_is_whole_however_much_the_other_has() {
    let place = Place::new();
    place.exec(BOTH, 0);
    for stream in ["out", "err"] {
        let line = |n: u32| format!("{stream} {n} 0123456789 0123456789 0123456789\n");
        let expected: String = (0..30_000).map(line).collect::<String>() + stream + " b\n";
        let (found, told) = logs(&place, &["@1", "--stream", &format!("std{stream}")]);
        assert_eq!(told, "");
        assert_same(&found, expected.as_bytes());
    }
}
