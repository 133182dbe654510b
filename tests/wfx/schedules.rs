//! Schedules: the next times, rehearsals, and crontabs as workflows.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, Ran, root};

const STEPS: &str = "\nsteps: [{name: a, run: 'true'}]\n";

/// The decisions of a rehearsal.
fn sim(place: &Place, schedule: &str, args: &[&str]) -> Vec<Value> {
    let file = place.write("w.yaml", format!("{schedule}{STEPS}"));
    let mut command = place.wfx(["schedule", "sim", "--format", "json"]);
    let ran = Ran::of(command.arg(file).args(args));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let json = ran.json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["decisions"]);
    json["decisions"].as_array().unwrap().clone()
}

fn texts<'d>(decisions: &'d [Value], key: &str) -> Vec<&'d str> {
    decisions.iter().map(|decision| decision[key].as_str().unwrap_or("-")).collect()
}

#[test]
fn a_rehearsal_has_every_decision_in_the_order_of_the_scheduled_times() {
    let place = Place::new();
    let schedule =
        "schedule: [{cron: '30 2 * * *', timezone: Europe/Berlin}, {every: 12h, name: half}]";
    let decisions = sim(&place, schedule, &["--from", "2026-03-28", "--to", "2026-03-30"]);
    assert_eq!(
        texts(&decisions, "scheduled_at"),
        [
            "2026-03-28T00:00:00.000000Z",
            "2026-03-28T01:30:00.000000Z",
            "2026-03-28T12:00:00.000000Z",
            "2026-03-29T00:00:00.000000Z",
            "2026-03-29T01:00:00.000000Z",
            "2026-03-29T12:00:00.000000Z",
        ]
    );
    let gap = &decisions[4];
    assert_eq!(gap["workflow_id"], "w");
    assert_eq!(gap["schedule"], "30 2 * * *");
    assert_eq!(gap["local"], "2026-03-29T03:00:00+02:00");
    assert_eq!((&gap["action"], &gap["reason"]), (&"started".into(), &"on_time".into()));
    assert_eq!(gap["start_at"], gap["scheduled_at"]);
    let down = ["--from", "2026-05-01", "--to", "2026-05-05", "--down", "2026-05-01T08:00:00Z/74h"];
    let caught = "schedule: {cron: '0 9 * * *', catch_up: last}";
    let decisions = sim(&place, caught, &[&down[..], &["--takes", "10m"]].concat());
    assert_eq!(texts(&decisions, "action"), ["missed", "missed", "missed", "started"]);
    assert_eq!(texts(&decisions, "start_at"), ["-", "-", "-", "2026-05-04T10:00:00.000000Z"]);
}

#[test]
fn executions_take_as_long_as_those_that_are_stored() {
    let place = Place::new();
    let file = place.write("w.yaml", "schedule: {every: 1s}\nsteps: [{name: a, sleep: 1200ms}]\n");
    let actions = |place: &Place| {
        let mut command = place.wfx(["schedule", "sim", "--format", "json"]);
        let ran = Ran::of(command.arg(&file).args([
            "--from",
            "2026-01-01",
            "--to",
            "2026-01-01T00:00:04Z",
        ]));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let json = ran.json();
        texts(json["decisions"].as_array().unwrap(), "action").join(" ")
    };
    assert_eq!(actions(&place), "started started started started");
    assert!(!place.database().exists(), "a rehearsal creates no database");
    assert_eq!(place.run(["exec", file.to_str().unwrap()]).code, Some(0));
    assert!(actions(&place).starts_with("started skipped"), "{}", actions(&place));
}

#[test]
fn a_rehearsal_for_people_has_totals_marks_and_reasons() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        format!("schedule: {{cron: '0 9 * * *', timezone: Europe/Berlin}}{STEPS}"),
    );
    let mut command = place.wfx(["schedule", "sim", "--from", "2026-01-01", "--to", "2027-01-01"]);
    let ran = Ran::of(command.arg(file).args(["--down", "2026-05-01T00:00:00Z/96h"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in [
        "365d 00h",
        "no daemon from 2026-05-01T00:00:00Z for 4d 00h",
        "361",
        "█",
        "✗",
        "2026-03-29T01:00:00Z  Europe/Berlin: forward by 1h 00m, +01:00 to +02:00",
        "2026-10-25T01:00:00Z  Europe/Berlin: back by 1h 00m, +02:00 to +01:00",
        "w (0 9 * * *) missed 2026-05-01T07:00:00Z to 2026-05-04T07:00:00Z, 4 times",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
}

#[test]
fn a_rehearsal_that_cannot_be_is_refused() {
    let place = Place::new();
    place.write("w.yaml", format!("schedule: '@daily'{STEPS}"));
    place.write("none.yaml", STEPS);
    let span = ["--from", "2026-01-01", "--to", "2026-02-01"];
    let refused = |args: &[&str], words: &[&str]| {
        let mut command = place.wfx(["schedule", "sim"]);
        Ran::of(command.args(args)).refused(2, words);
    };
    refused(&["w.yaml", "--from", "2026-02-01", "--to", "2026-01-01"], &["span is empty"]);
    refused(&["w.yaml", "--from", "0001-01-01", "--to", "2026-01-01"], &["100 years"]);
    refused(&["w.yaml", "--from", "soon", "--to", "2026-01-01"], &["2026-01-31"]);
    refused(&[&["w.yaml", "--down", "2026-01-01"], &span[..]].concat(), &["/36h"]);
    refused(&[&["none.yaml"], &span[..]].concat(), &["no `schedule`", "docs/schedules.md"]);
    refused(&[&["w.yaml", "w.yaml"], &span[..]].concat(), &["two files", "`w`"]);
    refused(&[&["gone.yaml"], &span[..]].concat(), &["cannot read `gone.yaml`"]);
}

#[test]
fn the_next_times_are_shown_of_a_file_and_of_a_folder() {
    let place = Place::new();
    fs::create_dir(place.path("f")).unwrap();
    place.write("f/_defaults.yaml", "timezone: Asia/Tokyo\n");
    place.write("f/a.yaml", format!("schedule: {{cron: '0 9 * * *', jitter: 10m}}{STEPS}"));
    place.write("f/b.yaml", format!("schedule: {{cron: '@hourly', timezone: UTC}}{STEPS}"));
    place.write("f/c.yaml", STEPS);
    let next = |args: &[&str]| {
        let mut command = place.wfx(["schedule", "next", "--format", "json", "--from"]);
        let ran = Ran::of(command.arg("2026-05-01T00:30:00+02:00").args(args));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()["times"].as_array().unwrap().clone()
    };
    let all = next(&["--workflows", "f", "-n", "3"]);
    assert_eq!(texts(&all, "workflow_id"), ["b", "a", "b"]);
    assert_eq!(texts(&all, "local")[1], "2026-05-01T09:00:00+09:00");
    assert_eq!(texts(&all, "timezone")[1], "Asia/Tokyo");
    // Jitter moves the start and not the scheduled time, in each process alike.
    assert_eq!(texts(&all, "scheduled_at")[1], "2026-05-01T00:00:00.000000Z");
    assert!(texts(&all, "start_at")[1] > texts(&all, "scheduled_at")[1]);
    let of_file = next(&["f/a.yaml", "-n", "1"]);
    assert_eq!(of_file[0], all[1]);
    assert_eq!(next(&["a", "--workflows", "f", "-n", "1"])[0], all[1]);
    place.run(["schedule", "next", "c", "--workflows", "f"]).refused(2, &["`c` has no `schedule`"]);
    place.run(["schedule", "next", "a"]).refused(2, &["no folder", "--workflows"]);
    place.run(["schedule", "next", "x", "--workflows", "f"]).refused(2, &["no workflow `x`"]);
}

#[test]
fn validate_shows_the_next_three_times() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        format!("schedule: [{{cron: '0 2 * * *', timezone: Europe/Berlin, name: n}}]{STEPS}"),
    );
    let ran = place.run(["validate", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("  n: next 20") && ran.stdout.contains("(Europe/Berlin)"),
        "{ran:?}"
    );
    let json = place.run(["validate", "--format", "json", file.to_str().unwrap()]).json();
    assert_eq!(json[0]["schedules"][0]["next"].as_array().unwrap().len(), 3, "{json}");
    assert_eq!(json[0]["schedules"][0]["timezone"], "Europe/Berlin");
}

/// Runs `wfx import crontab` with a crontab on standard input.
fn import(place: &Place, crontab: &str, args: &[&str]) -> Ran {
    let mut command = place.wfx(["import", "crontab", "-", "--out", "out"]);
    command.args(args).env("TZ", "Europe/Berlin");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(crontab.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn a_crontab_becomes_workflows_that_can_be_run_and_rehearsed() {
    let place = Place::new();
    let crontab =
        "GREETING=hello\n30 2 * * * printf '\\%s ' \"$GREETING\"; cat%one%two\n@reboot x\n";
    let ran = import(&place, crontab, &["--format", "json"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let json = ran.json();
    assert_eq!(json["workflows"][0]["line"], 2, "{json}");
    assert_eq!(json["refused"][0]["line"], 3);
    assert!(
        ran.stderr.contains("-:3: `@reboot` is no time") && ran.stderr.contains("systemd"),
        "{ran:?}"
    );
    let file = json["workflows"][0]["file"].as_str().unwrap();
    let text = place.read(file);
    assert!(text.contains("timezone: Europe/Berlin\n"), "{text}");
    let ran = place.run(["exec", "--format", "json", file]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown = place.run(["show", "@latest", "--output", "all"]).stdout;
    assert!(shown.contains("hello one") && shown.contains("two"), "{shown}");
    let mut command = place.wfx(["schedule", "sim", "--from", "2026-01-01", "--to", "2027-01-01"]);
    let ran = Ran::of(command.args([file, "--format", "jsonl", "--takes", "1m"]));
    assert_eq!(ran.stdout.lines().count(), 365);
}

#[test]
fn an_import_replaces_no_file_unless_it_is_asked_to() {
    let place = Place::new();
    fs::create_dir(place.path("out")).unwrap();
    place.write("out/b.yaml", "mine");
    let crontab = "0 1 * * * /x/a\n0 2 * * * /x/b\n";
    import(&place, crontab, &[]).refused(2, &["out/b.yaml is there already", "--overwrite"]);
    assert!(!place.path("out/a.yaml").exists(), "nothing is written");
    assert_eq!(place.read("out/b.yaml"), "mine");
    assert_eq!(import(&place, crontab, &["--overwrite"]).code, Some(0));
    assert!(place.read("out/b.yaml").contains("run: \"/x/b\""));
    import(&place, "# nothing\n", &[]).refused(2, &["no line with a command"]);
    import(&place, crontab, &["--timezone", "Berlin"]).refused(2, &["no time zone"]);
}

#[test]
fn every_workflow_of_the_demo_is_valid() {
    let place = Place::new();
    let crontab = root().join("fixtures/schedules/crontab");
    let mut command =
        place.wfx(["import", "crontab", "--out", "out", "--timezone", "Europe/Berlin"]);
    let ran = Ran::of(command.arg(crontab));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let ran = place.run(["validate", "--format", "json", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let json = ran.json();
    let ids: Vec<&str> =
        json.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        ["certbot-renew", "dump", "find-backups", "mail", "open", "probe", "rsync-srv", "weekly"]
    );
}

#[test]
fn zones_are_known_on_a_machine_without_a_database_of_them() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        format!("schedule: {{cron: '30 2 * * *', timezone: Europe/Berlin}}{STEPS}"),
    );
    let mut command = place.wfx(["schedule", "sim", "--format", "json"]);
    command.arg(file).args(["--from", "2026-03-29", "--to", "2026-03-30"]);
    // What jiff reads in place of /usr/share/zoneinfo.
    let ran = Ran::of(command.env("TZDIR", place.path("nothing")));
    assert_eq!(ran.json()["decisions"][0]["start_at"], "2026-03-29T01:00:00.000000Z");
}
