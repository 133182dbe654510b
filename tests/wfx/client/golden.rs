//! The same output and the same exit codes with `--db` and with `--server`.

use crate::client::{WAITING, place, run_served, serve, served};
use crate::support::{Place, Ran, Running};

const OUTPUT: &str = "id: output
params: {who: world}
steps:
- name: loud
  title: Say it
  run: for n in $(seq 30); do echo line $n \"$WFX_PARAM_WHO\"; echo problem $n >&2; done; printf 'n=1.10\\n' > $WFX_OUTPUT
- name: flaky
  run: 'echo try $WFX_ATTEMPT; test $WFX_ATTEMPT = 3'
  retry: {max_attempts: 3, backoff: 1ms}
- {name: skips, run: exit 99, skip_exit_codes: [99], continue_on_skip: true}
- {name: last, when: {step: loud, output: n, is: '1.10'}}
- {name: never, when: {step: loud, output: n, is: '2'}}
on_success: [{name: thanks, run: echo thanks}]
on_exit: [{name: cleanup, run: 'echo clean >&2'}]
";
const FAILS: &str = "id: fails
params: {ok: 'no'}
steps:
- {name: good, run: 'echo good; echo k=v > $WFX_OUTPUT'}
- {name: bad, run: 'echo bad; test $WFX_PARAM_OK = yes'}
- {name: after, run: echo after}
on_failure: [{name: alarm, run: 'echo alarm; exit 3'}]
";

/// Executions of every kind. The last one runs, by a process that stays.
fn history(place: &Place) -> Running {
    let file = |name: &str| place.path(&format!("workflows/{name}.yaml"));
    let exec = |name: &str, code| {
        let ran = Ran::of(place.wfx(["exec"]).arg(file(name)));
        assert_eq!(ran.code, Some(code), "{ran:?}");
    };
    exec("output", 0);
    exec("fails", 1);
    // One that failed, again: reused steps; twice, so that what is reused is of the first.
    assert_eq!(place.run(["retry", "@2"]).code, Some(1));
    assert_eq!(place.run(["retry", "@3", "-p", "ok=yes"]).code, Some(0));
    assert_eq!(place.run(["replay", "@1", "-p", "who=\u{1f980} you"]).code, Some(0));
    // Cancelled by another process, and interrupted by the death of its own.
    for seq in [6, 7] {
        let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file("waiting")));
        running.wait_for("waits");
        if seq == 6 {
            assert_eq!(place.run(["cancel", "@6"]).code, Some(0));
            assert_eq!(running.end().code, Some(1));
        } else {
            running.signal("KILL");
            running.end();
        }
    }
    assert_eq!(place.run(["recover"]).code, Some(1));
    // Its original is gone, and with it the output of what it reused.
    assert_eq!(place.run(["retry", "@3", "-p", "ok=yes"]).code, Some(0));
    place.sql("PRAGMA foreign_keys = ON; DELETE FROM workflow_executions WHERE seq = 2");
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file("waiting")));
    running.wait_for("waits");
    // For so long that the time that passes shows in no table.
    let long_ago = "SET started_at = '2020-01-01T00:00:00.000000Z' WHERE status = 'running'";
    place.sql(&format!("UPDATE workflow_executions {long_ago}"));
    place.sql(&format!("UPDATE workflow_execution_steps {long_ago}"));
    running
}

/// Runs a command with the database and with the daemon and asserts that nothing differs.
#[track_caller]
fn same(place: &Place, args: &[&str]) -> Ran {
    let (stored, told) = (place.run(args), run_served(place, args));
    // Of what runs, fields have the milliseconds that passed.
    let without_time = |ran: &Ran| {
        let line = |line: &str| {
            let mut fields: Vec<&str> = line.split('\t').collect();
            if fields.len() == 9 && fields[3] == "running" {
                fields[5] = "";
            }
            fields.join("\t")
        };
        ran.stdout.split('\n').map(line).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without_time(&stored), without_time(&told), "{args:?}");
    assert_eq!((stored.code, &stored.stderr), (told.code, &told.stderr), "{args:?}");
    stored
}

#[test]
fn list_show_and_diff_say_the_same_of_every_execution() {
    let place = place(&[("output", OUTPUT), ("fails", FAILS), ("waiting", WAITING)]);
    let running = history(&place);
    let daemon = serve(&place, &[]);
    let numbers: Vec<String> =
        [1, 3, 4, 5, 6, 7, 8, 9].map(|seq| format!("@{seq}")).into_iter().collect();
    for format in ["table", "json", "jsonl", "plain"] {
        for args in [
            &["list"][..],
            &["list", "--limit", "3", "--offset", "1"],
            &["list", "--limit", "1"],
            &["list", "--offset", "100"],
            &["list", "--status", "failed"],
            &["list", "--workflow", "fails"],
            &["list", "--workflow", "of none"],
            &["list", "--workflow", "a/b"],
            &["list", "--since", "1h"],
            &["list", "--since", "2020-01-01T00:00:00Z", "--status", "running"],
        ] {
            let ran = same(&place, &[args, &["--format", format]].concat());
            assert_eq!(ran.code, Some(0));
        }
        for number in &numbers {
            for more in [&[][..], &["--output", "all"], &["--output", "none"], &["--source"]] {
                let args = [&["show", number, "--format", format][..], more].concat();
                assert_eq!(same(&place, &args).code, Some(0));
            }
        }
        for (from, to) in [("@1", "@5"), ("@3", "@4"), ("@6", "@7"), ("@4", "@1"), ("@8", "@9")] {
            assert_eq!(same(&place, &["diff", from, to, "--format", format]).code, Some(0));
        }
    }
    // Every way to name one, and names of none.
    let id = place.show("@1")["execution"]["execution_id"].as_str().unwrap().to_owned();
    for reference in [&*id, &id[..30], "@latest", "output", "fails"] {
        assert_eq!(same(&place, &["show", reference]).code, Some(0));
    }
    for reference in ["@2", "@99", "@", "@x", "", ".", "..", "a/b", "a b", "no such", "\u{1f980}"] {
        assert_eq!(same(&place, &["show", reference]).code, Some(2), "{reference}");
        assert_eq!(same(&place, &["diff", "@1", reference]).code, Some(2), "{reference}");
    }
    // The lineage has one that was deleted.
    assert!(same(&place, &["show", "@8"]).stdout.contains("pruned"));
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
    daemon.stop();
}

#[test]
fn status_and_pins_say_the_same() {
    let place = place(&[("output", OUTPUT), ("fails", FAILS), ("waiting", WAITING)]);
    place.write("workflows/broken.yaml", "id: broken\nsteps: 3\n");
    let running = history(&place);
    let daemon = serve(&place, &[]);
    // The daemon has a folder of its own.
    let of_folder =
        |mut command: std::process::Command| Ran::of(command.env("WFX_WORKFLOWS", "workflows"));
    for format in ["table", "json", "plain"] {
        for args in [&["status"][..], &["status", "fails"], &["status", "nothing"]] {
            let args = [args, &["--format", format]].concat();
            let (stored, told) = (of_folder(place.wfx(&args)), of_folder(served(&place, &args)));
            assert_eq!((stored.code, &stored.stdout), (told.code, &told.stdout), "{args:?}");
            assert_eq!(stored.stderr, told.stderr, "{args:?}");
        }
    }
    run_served(&place, &["status", "--workflows", "workflows"]).refused(2, &["leave it out"]);
    let shown = |ran: &Ran| (ran.code, ran.stdout.clone(), ran.stderr.clone());
    for args in [
        &["unpin", "@1"][..],
        &["pin", "@1", "--reason", "before the audit"],
        &["pin", "@1"],
        &["unpin", "@1"],
        &["pin", "@99"],
    ] {
        // Each from the same state.
        let told = run_served(&place, args);
        let undo = if args[0] == "pin" { "unpin" } else { "pin" };
        if args[1] == "@1" && told.stderr.is_empty() {
            assert_eq!(run_served(&place, &[undo, "@1"]).code, Some(0));
        }
        assert_eq!(shown(&place.run(args)), shown(&told), "{args:?}");
    }
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
    daemon.stop();
}

#[test]
fn long_lists_and_long_output_come_as_a_whole() {
    let long = "id: long\nsteps:\n- {name: a, run: \"head -c 70000 /dev/zero | tr '\\\\0' '\\\\1'\"}\n\
                - {name: b, run: 'yes | head -c 200000 >&2; exit 1', retry: {max_attempts: 3, backoff: 1ms}}\n";
    let place = place(&[("long", long)]);
    let ran = Ran::of(place.wfx(["exec"]).arg(place.path("workflows/long.yaml")));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    place.exec("steps: [{name: a}]", 0);
    // More than fit on one page, without running each.
    place.sql(
        "INSERT INTO workflow_executions (execution_id, workflow_id, status, created_at,
           started_at, completed_at, updated_at, steps_completed, total_steps, step_order,
           input_snapshot, completion_number)
         SELECT printf('e%05d', value), 'many', 'success', created_at, started_at, completed_at,
           updated_at, 0, 0, '[]', '{\"definition\":{},\"params\":{}}', 100 + value
         FROM generate_series(1, 1300), workflow_executions WHERE seq = 2",
    );
    let daemon = serve(&place, &["--retention", "0"]);
    for args in [
        &["list", "--limit", "10000"][..],
        &["list", "--limit", "1300", "--workflow", "many", "--offset", "1"],
        &["list", "--limit", "501", "--format", "json"],
        &["list", "--limit", "500", "--format", "json"],
        &["show", "@1", "--output", "all"],
        &["show", "@1", "--format", "json"],
    ] {
        assert_eq!(same(&place, args).code, Some(0));
    }
    daemon.stop();
}

/// What a replay shows, without what differs each time: ids, numbers and durations.
fn without_times(ran: &Ran) -> (Option<i32>, String) {
    let words = |line: &str| {
        let is_said =
            |word: &&str| !word.contains(|c: char| c.is_ascii_digit()) || word.ends_with("/3");
        line.split_whitespace().filter(is_said).collect::<Vec<_>>().join(" ").replace(" ms", "")
    };
    (ran.code, ran.stdout.lines().map(words).collect::<Vec<_>>().join("\n"))
}

#[test]
fn replays_and_retries_end_alike() {
    let place = place(&[("fails", FAILS)]);
    let ran = Ran::of(place.wfx(["exec"]).arg(place.path("workflows/fails.yaml")));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let daemon = serve(&place, &["--definitions", "api"]);
    for args in [
        &["replay", "@1"][..],
        &["replay", "@1", "--failed"],
        &["replay", "@1", "--from", "after", "-p", "ok=yes"],
        &["retry", "@1"],
        &["retry", "@1", "-v"],
        &["retry", "@1", "-p", "ok=yes"],
        &["retry", "@1", "-p", "ok=yes", "--format", "plain"],
    ] {
        let (stored, told) = (place.run(args), run_served(&place, args));
        assert_eq!(without_times(&stored), without_times(&told), "{args:?} {stored:?} {told:?}");
        let note = |ran: &Ran| {
            ran.stderr.lines().find(|line| line.contains("reused from")).map(str::to_owned)
        };
        assert_eq!(note(&stored), note(&told), "{args:?}");
    }
    for args in [
        &["retry", "@1", "--dry-run"][..],
        &["replay", "@1", "--dry-run", "--from", "after", "-p", "ok=yes", "--format", "json"],
    ] {
        same(&place, args);
    }
    let told = run_served(&place, &["retry", "@1", "-p", "ok=yes", "--format", "json"]).json();
    assert_eq!(told["steps"][1]["stdout"], "bad\n");
    assert_eq!(told, place.show("@latest"));
    for args in [
        &["retry", "@latest"][..],
        &["retry", "@1", "--from", "nowhere"],
        &["replay", "@1", "-p", "what=1"],
        &["replay", "@1", "-p", "ok=1", "-p", "ok=2"],
        &["replay", "@99"],
        &["cancel", "@1"],
        &["cancel", "@99"],
    ] {
        let (stored, told) = (place.run(args), run_served(&place, args));
        assert_eq!((stored.code, told.code), (Some(2), Some(2)), "{args:?} {stored:?} {told:?}");
        assert!(told.stdout.is_empty(), "{told:?}");
    }
    daemon.stop();
}

#[test]
fn a_cancel_ends_what_any_process_runs() {
    let place = place(&[("waiting", WAITING)]);
    let daemon = serve(&place, &[]);
    // What the daemon runs, what another process runs, and what a dead one left.
    assert_eq!(run_served(&place, &["start", "waiting"]).code, Some(0));
    let ran = run_served(&place, &["cancel", "waiting"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("cancelled"), "{ran:?}");
    let exec = || {
        let path = place.path("workflows/waiting.yaml");
        let mut running = Running::start(place.wfx(["exec", "-v"]).arg(path));
        running.wait_for("waits");
        running
    };
    let running = exec();
    assert_eq!(run_served(&place, &["cancel", "@2", "--no-wait"]).code, Some(0));
    assert_eq!(running.end().code, Some(1));
    let running = exec();
    running.signal("KILL");
    running.end();
    let ran = run_served(&place, &["cancel", "@3", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json(), place.show("@3"));
    let user = place.show("@2")["execution"]["trigger"]["by"].clone();
    for number in ["@1", "@2", "@3"] {
        let shown = place.show(number);
        assert_eq!(shown["execution"]["status"], "cancelled");
        assert_eq!(shown["execution"]["cancel_requested_by"], user);
    }
    assert!(place.run(["show", "@1"]).stdout.contains("asked for by"));
    daemon.stop();
}
