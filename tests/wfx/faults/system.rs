//! The system fails: a disk that cannot sync, that is full, that is full for a while.

use std::process::Command;
use std::time::Duration;

use super::{BROKEN, FULL, Rule, assert_sound, fired, is_there};
use crate::support::{Place, Ran, Running, states};

/// The first step switches the fault on, so its end cannot be stored; the second fails if
/// it begins while it is on.
const SWITCHING: &str = "id: switching
steps:
- {name: a, run: 'touch fault'}
- {name: b, run: 'test ! -e fault && touch b'}
";

#[test]
fn a_disk_that_cannot_sync_lets_nothing_start() {
    for is_new in [true, false] {
        let place = Place::new();
        if !is_new {
            place.exec("id: before\nsteps: [{name: a}]", 0);
        }
        let file = place.write("w.yaml", "steps: [{name: a, run: touch a}]");
        let mut command = place.wfx(["exec"]);
        let rule = Rule::all("fsync", BROKEN);
        let ran = Ran::of(rule.on(command.arg(&file), &place));
        ran.refused(3, &["wfx.db", "disk I/O error"]);
        assert!(fired(&place) > 0 && !is_there(&place, "a"));
        // Healed, it goes on.
        assert_eq!(Ran::of(place.wfx(["exec"]).arg(&file)).code, Some(0));
        assert!(is_there(&place, "a"));
        assert_sound(&place);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that it ends in time is what is tested")]
fn a_disk_that_stops_to_sync_is_borne_with_for_the_store_timeout() {
    let place = Place::new();
    let file = place.write("w.yaml", SWITCHING);
    let mut command = place.wfx(["exec", "--store-timeout", "2s"]);
    let rule = Rule::all("fsync", BROKEN);
    let begin = std::time::Instant::now();
    let ran = Ran::of(rule.while_switched_on(command.arg(file), &place));
    let took = begin.elapsed();
    ran.refused(3, &["wfx.db", "disk I/O error", "no further step starts"]);
    assert!(Duration::from_secs(2) <= took && took < Duration::from_secs(20), "{took:?}");
    assert!(fired(&place) > 1 && !is_there(&place, "b"));
    // What a failed sync held may be on the disk all the same, but nothing that was not.
    let execution = place.show("@1");
    assert_eq!(execution["execution"]["status"], "running");
    let states = states(&execution);
    assert!(["a running", "a success"].contains(&states[0].as_str()), "{states:?}");
    assert!(["b pending", "b running"].contains(&states[1].as_str()), "{states:?}");
    assert_sound(&place);
}

#[test]
fn a_full_disk_with_room_again_goes_on() {
    for (rule, told) in
        [(Rule::all("write", FULL), "full"), (Rule::all("write,fsync", BROKEN), "disk I/O error")]
    {
        let place = Place::new();
        let file = place.write("w.yaml", SWITCHING);
        let mut command = place.wfx(["exec"]);
        let mut running = Running::start(rule.while_switched_on(command.arg(file), &place));
        running.wait_for(told);
        assert!(fired(&place) > 0 && !is_there(&place, "b"));
        std::fs::remove_file(place.path("fault")).unwrap();
        let ran = running.end();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("works again"), "{ran:?}");
        assert!(is_there(&place, "b"));
        assert_eq!(states(&place.show("@1")), ["a success", "b success"]);
        assert_sound(&place);
    }
}

/// A file system of 1 MiB, which the first step fills; its filler goes when wfx has told.
const SMALL: &str = r#"
set -eu
mkdir small && mount -t tmpfs -o size=1m none small
{ "$WFX" exec small.yaml --format json >out; echo "exit $?"; } 2>&1 |
  while read -r line; do
    echo "$line"
    case $line in *"is full"*) test ! -e b && rm -f small/filler;; esac
  done
"$WFX" list --format json >list
sqlite3 small/wfx.db 'PRAGMA integrity_check'
"#;

#[test]
fn a_small_file_system_that_fills_up_is_told_and_then_used_again() {
    let place = Place::new();
    place.write(
        "small.yaml",
        "id: small
steps:
- {name: a, run: 'cat /dev/zero > small/filler; seq 9000'}
- {name: b, run: touch b}
",
    );
    // A mount of our own needs a namespace, and who is not root a user namespace too.
    let mount = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c"]);
        command
    };
    let options = [&["-m"][..], &["-rm"]].into_iter().find(|options| {
        Ran::of(mount(options).arg("mount -t tmpfs -o size=1m none /mnt")).code == Some(0)
    });
    let Some(options) = options else {
        // No mount here: the same by failing calls.
        return a_full_disk_with_room_again_goes_on();
    };
    let mut command = mount(options);
    command.arg(SMALL).current_dir(place.path("")).env_clear();
    for (name, value) in place.wfx(["exec"]).get_envs() {
        command.env(name, value.unwrap());
    }
    command.env("WFX", env!("CARGO_BIN_EXE_wfx")).env("WFX_DB", "small/wfx.db");
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for told in ["small/wfx.db", "is full", "free space", "works again", "\nexit 0\n", "\nok\n"] {
        assert!(ran.stdout.contains(told), "no {told:?}: {ran:?}");
    }
    let out: serde_json::Value = serde_json::from_str(&place.read("out")).unwrap();
    assert_eq!(states(&out), ["a success", "b success"]);
    let list: serde_json::Value = serde_json::from_str(&place.read("list")).unwrap();
    assert_eq!((&list["total"], &list["items"][0]["status"]), (&1.into(), &"success".into()));
}
