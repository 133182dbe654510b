//! What steps print while the disk fails: no step suffers, and what is missing is reported.

use super::{BROKEN, FULL, Rule, assert_sound, fired};
use crate::logs::{assert_whole_but_for_gaps, numbers};
use crate::support::{Place, Running, states, until};

const PRINTING: &str = "id: w
steps:
- name: a
  run: |
    echo begun >&2
    until test -e fault; do sleep 0.02; done
    seq 1 700000
    touch printed
    until test -e healed; do sleep 0.02; done
    echo the end
- {name: b, run: echo b}
";

#[test]
fn a_disk_that_fails_meanwhile_holds_no_step_up() {
    for (operations, code) in [("write", FULL), ("write,fsync", BROKEN)] {
        let place = Place::new();
        let file = place.write("w.yaml", PRINTING);
        let rule = Rule::all(operations, code);
        let mut command = place.wfx(["exec", "-v"]);
        let mut running = Running::start(rule.while_switched_on(command.arg(file), &place));
        running.wait_for("begun");
        place.write("fault", "");
        let ended = std::thread::spawn(move || running.end());
        until("the step has printed", || place.path("printed").exists());
        until("the fault has fired", || fired(&place) > 0);
        std::fs::remove_file(place.path("fault")).unwrap();
        place.write("healed", "");
        let ran = ended.join().unwrap();
        assert_eq!(ran.code, Some(0), "{operations}: {}", ran.stderr.len());
        assert_eq!(states(&place.show("w")), ["a success", "b success"]);
        let mut all = b"begun\n".to_vec();
        all.extend(numbers(700_000));
        all.extend(b"the end\nb\n");
        let kept = assert_whole_but_for_gaps(&place, "w", &all);
        assert!(kept.ends_with(b"the end\nb\n"));
        assert_sound(&place);
    }
}
