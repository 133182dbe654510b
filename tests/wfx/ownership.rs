//! Whose an execution is, and whether that process is alive: databases that are copied, lock files
//! that are removed, numbers that are given out again, other users. Through the real binary.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::daemon::Daemon;
use crate::support::{Place, Ran, Running, processes_with, states, until};

/// A step that writes down each attempt, and waits for a file `go`.
const WAITS: &str =
    "run: 'echo begun; echo $WFX_ATTEMPT >> ran; until test -e go; do sleep 0.02; done'";

fn start(place: &Place) -> Running {
    let document = format!(
        "steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}, {{name: b, run: echo b >> ran}}]"
    );
    let file = place.write("w.yaml", document);
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    running
}

fn kill(running: Running) {
    running.signal("KILL");
    running.end();
}

fn with_db<const N: usize>(place: &Place, database: &Path, args: [&str; N]) -> Ran {
    let mut command = place.wfx(args);
    Ran::of(command.arg("--db").arg(database))
}

/// A copy of the database as a backup makes it.
fn copied(place: &Place) -> PathBuf {
    let copy = place.path("copy.db");
    place.sql(&format!("VACUUM INTO '{}'", copy.display()));
    copy
}

#[test]
fn a_copy_never_runs_what_the_original_runs() {
    let place = Place::new();
    let running = start(&place);
    let copy = copied(&place);
    let ran = with_db(&place, &copy, ["recover"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    assert!(ran.stderr.contains("run by a process that is alive"), "{ran:?}");
    place.write("go", "");
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("ran"), "1\nb\n");
}

#[test]
fn a_copy_leaves_what_the_original_may_go_on_with_until_told() {
    let place = Place::new();
    kill(start(&place));
    let copy = copied(&place);
    let ran = with_db(&place, &copy, ["recover"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    assert!(ran.stderr.contains("copied from") && ran.stderr.contains("--assume-dead"), "{ran:?}");
    with_db(&place, &copy, ["recover", "@1"]).refused(2, &["copied from", "--assume-dead"]);
    with_db(&place, &copy, ["cancel", "@1"]).refused(3, &["copied from", "--assume-dead"]);
    let listed = with_db(&place, &copy, ["list", "--format", "json"]).json();
    assert_eq!(listed["items"][0]["owner_state"], "unknown");
    // The steps of the original were left alone.
    let left = format!(
        "WFX_EXECUTION_ID={}",
        place.show("@1")["execution"]["execution_id"].as_str().unwrap()
    );
    until("they are found", || !processes_with(&left).is_empty());
    place.write("go", "");
    assert_eq!(place.run(["recover"]).code, Some(0));
    assert_eq!(place.read("ran"), "1\n2\nb\n");
    // Whoever knows better has the last word; here the request to cancel is acted on.
    let ran = with_db(&place, &copy, ["recover", "--assume-dead"]);
    assert!(ran.stdout.contains("1 cancelled"), "{ran:?}");
    assert_eq!(place.read("ran"), "1\n2\nb\n");
}

#[test]
fn a_database_that_was_moved_or_restored_goes_on_by_itself() {
    for restored in [false, true] {
        let place = Place::new();
        kill(start(&place));
        let copy = copied(&place);
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(place.path(&format!("wfx.db{ending}")));
        }
        let database = if restored {
            fs::rename(&copy, place.database()).unwrap();
            place.database()
        } else {
            copy
        };
        place.write("go", "");
        let ran = with_db(&place, &database, ["recover"]);
        assert_eq!(ran.code, Some(0), "{restored}: {ran:?}");
        assert_eq!(place.read("ran"), "1\n2\nb\n", "{restored}");
    }
}

#[test]
fn a_missing_lock_file_proves_nothing() {
    let place = Place::new();
    let running = start(&place);
    let owners = place.path("wfx.db-owners");
    let locks = || fs::read_dir(&owners).map_or(0, Iterator::count);
    fs::remove_dir_all(&owners).unwrap();
    for _ in 0..2 {
        let ran = place.run(["recover"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
        assert_eq!(place.list()["items"][0]["owner_state"], "alive");
        until("the lock file is made anew", || locks() == 1);
    }
    // Moved away and copied back, it is another file, which nobody holds.
    let aside = place.path("aside");
    fs::rename(&owners, &aside).unwrap();
    fs::create_dir(&owners).unwrap();
    for entry in fs::read_dir(&aside).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), owners.join(entry.file_name())).unwrap();
    }
    assert_eq!(place.run(["recover"]).stdout, "nothing to recover\n");
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
    assert_eq!(place.read("ran"), "1\nb\n");
}

#[test]
fn nothing_begins_while_the_lock_file_cannot_be_made() {
    let place = Place::new();
    let running = start(&place);
    let owners = place.path("wfx.db-owners");
    fs::remove_dir_all(&owners).unwrap();
    // No folder can be made where a file lies.
    fs::write(&owners, "").unwrap();
    let mut running = running;
    running.wait_for("keep the lock file");
    place.write("go", "");
    running.wait_for("✓");
    assert_eq!(place.read("ran"), "1\n", "no further step begins");
    fs::remove_file(&owners).unwrap();
    assert_eq!(running.end().code, Some(0));
    assert_eq!(place.read("ran"), "1\nb\n");
}

/// What of a process group does something still, as `/proc/PID/stat` has it.
fn members(group: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let stats = processes.filter_map(|it| fs::read_to_string(it.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
            fields[2] == group.to_string() && fields[0] != "Z"
        })
        .collect()
}

#[test]
fn a_dead_process_leaves_nothing_that_hides_its_environment() {
    let place = Place::new();
    let file = place.write(
        "w.yaml",
        "steps: [{name: a, run: [env, -i, /bin/sh, -c, 'echo begun; /bin/sleep 4321 & while :; do /bin/sleep 4321; done']}]",
    );
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
    running.wait_for("begun");
    let group = |place: &Place| -> Vec<u32> {
        let owners = fs::read_dir(place.path("wfx.db-owners")).unwrap();
        let listed = owners.map(|it| fs::read_to_string(it.unwrap().path()).unwrap());
        let groups = listed.collect::<String>();
        let groups = groups.lines().filter_map(|line| line.split(' ').next()?.parse().ok());
        groups.collect()
    };
    let groups = group(&place);
    assert_eq!(groups.len(), 1, "the attempt is listed");
    kill(running);
    assert_ne!(members(groups[0]), [] as [String; 0]);
    let ran = place.run(["recover"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(members(groups[0]), [] as [String; 0]);
    assert_eq!(states(&place.show("@1")), ["a interrupted"]);
    assert_eq!(group(&place), [] as [u32; 0]);
}

#[test]
fn what_was_never_stored_leaves_no_process_either() {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/long.yaml", "steps: [{name: a, run: 'touch begun; exec sleep 4322'}]");
    let arguments = ["--workflows", "workflows"];
    let daemon = Daemon::start(&place, &arguments);
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = daemon.post("/api/v1/workflows/long/execute", "").expect(200);
    assert_eq!(answer["persisted"], false);
    until("it begins", || place.path("begun").exists());
    let own = format!("WFX_EXECUTION_ID={}", answer["execution_id"].as_str().unwrap());
    // A process that is about to run another program has no environment for a moment.
    until("it is found", || processes_with(&own).len() == 1);
    daemon.signal("KILL");
    daemon.end();
    drop(other);
    let daemon = Daemon::start(&place, &arguments);
    until("what it left is ended", || processes_with(&own).is_empty());
    assert_eq!(daemon.get("/api/v1/workflows/executions").expect(200)["total"], 0);
    daemon.stop();
}

#[test]
fn who_dies_while_others_are_ended_is_searched_before_it_is_taken_over() {
    let place = Place::new();
    let stubborn = place.write(
        "stubborn.yaml",
        "steps: [{name: a, retry: {max_attempts: 2}, run: 'test $WFX_ATTEMPT = 2 && exit; trap \"\" TERM; echo begun; while :; do sleep 0.1; done'}]",
    );
    let ticking = place.write(
        "ticking.yaml",
        "steps: [{name: a, retry: {max_attempts: 2}, run: 'exec 2>/dev/null; echo begun; echo $WFX_ATTEMPT begins >> ran; trap \"echo $WFX_ATTEMPT ends >> ran; exit\" TERM; test $WFX_ATTEMPT = 2 && exit; while :; do sleep 0.05; done'}]",
    );
    let begin = |file: &Path| {
        let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
        running.wait_for("begun");
        running
    };
    let (first, second) = (begin(&stubborn), begin(&ticking));
    kill(first);
    let recovery = Running::start(&mut place.wfx(["recover"]));
    // While it waits for the first one's process to end.
    until("the recovery has asked", || {
        let owners = fs::read_dir(place.path("wfx.db-owners")).unwrap();
        owners.count() == 3
    });
    kill(second);
    let ran = recovery.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let again = place.run(["recover"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(place.read("ran"), "1 begins\n1 ends\n2 begins\n");
}

#[test]
fn what_is_no_lock_file_keeps_nobody_waiting() {
    let place = Place::new();
    kill(start(&place));
    let owners = place.path("wfx.db-owners");
    let pipe = owners.join("exec-999999-00000001");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    std::os::unix::fs::symlink("/dev/zero", owners.join("serve-999998-00000001")).unwrap();
    place.write("go", "");
    assert_eq!(place.run(["recover"]).code, Some(0));
    assert_eq!(place.read("ran"), "1\n2\nb\n");
    assert!(place.run(["doctor"]).code.is_some());
}

#[test]
fn what_an_execution_without_a_row_left_is_ended() {
    let place = Place::new();
    let running = start(&place);
    let id = place.sql("SELECT execution_id FROM workflow_executions");
    let own = format!("WFX_EXECUTION_ID={id}");
    running.signal("STOP");
    place.sql("DELETE FROM workflow_executions");
    kill(running);
    until("its step is found", || !processes_with(&own).is_empty());
    let doctor = place.run(["doctor"]);
    assert!(doctor.stdout.contains("still works for step a of"), "{doctor:?}");
    let ran = place.run(["recover"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(processes_with(&own), [] as [u32; 0]);
    assert_eq!(fs::read_dir(place.path("wfx.db-owners")).unwrap().count(), 0);
}

#[test]
fn a_nested_wfx_is_asked_to_end_once() {
    let place = Place::new();
    place.write(
        "inner.yaml",
        "steps: [{name: i, run: 'trap \"echo asked >> ran; sleep 0.3; echo cleaned >> ran; exit\" TERM; echo begun; while :; do sleep 0.05; done'}]",
    );
    let program = place.wfx(["exec"]).get_program().to_owned();
    let outer = place.write(
        "outer.yaml",
        format!(
            "steps: [{{name: o, run: '{} exec -v --db inner.db inner.yaml'}}]",
            Path::new(&program).display()
        ),
    );
    let mut running = Running::start(place.wfx(["exec", "-v"]).arg(outer));
    running.wait_for("begun");
    kill(running);
    assert_eq!(place.run(["recover"]).code, Some(1));
    assert_eq!(place.read("ran"), "asked\ncleaned\n");
}

/// wfx in other namespaces, where root may make them.
fn in_namespaces(place: &Place, namespaces: &[&str], args: &[&str]) -> Option<Command> {
    let probe = Command::new("unshare").args(namespaces).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: no namespaces can be made here");
        return None;
    }
    let wfx = place.wfx(args.iter().copied());
    let mut command = Command::new("unshare");
    command.args(namespaces).arg(wfx.get_program()).args(wfx.get_args()).env_clear();
    command.envs(wfx.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(place.path("")).stdin(std::process::Stdio::null());
    Some(command)
}

#[test]
fn times_of_another_namespace_are_no_proof() {
    let place = Place::new();
    let running = start(&place);
    let namespaces = ["-T", "--boottime", "100000"];
    if let Some(mut recover) = in_namespaces(&place, &namespaces, &["recover"]) {
        let ran = Ran::of(&mut recover);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    }
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
    assert_eq!(place.read("ran"), "1\nb\n");
}

#[test]
fn a_copied_lock_of_another_namespace_is_no_proof() {
    let place = Place::new();
    let file =
        place.write("w.yaml", format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}]"));
    let namespaces = ["-pf", "--mount-proc"];
    let Some(mut exec) =
        in_namespaces(&place, &namespaces, &["exec", "-v", file.to_str().unwrap()])
    else {
        return;
    };
    let mut running = Running::start(&mut exec);
    running.wait_for("begun");
    assert_eq!(place.list()["items"][0]["owner_state"], "alive", "its lock is held");
    // The whole folder, as a copy of a volume has it.
    let copy = place.path("copy");
    fs::create_dir_all(copy.join("wfx.db-owners")).unwrap();
    place.sql(&format!("VACUUM INTO '{}'", copy.join("wfx.db").display()));
    for entry in fs::read_dir(place.path("wfx.db-owners")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join("wfx.db-owners").join(entry.file_name())).unwrap();
    }
    let ran = with_db(&place, &copy.join("wfx.db"), ["recover"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nothing to recover\n"), "{ran:?}");
    place.write("go", "");
    assert_eq!(running.end().code, Some(0));
    assert_eq!(place.read("ran"), "1\n");
}

#[test]
fn a_daemon_starts_nothing_while_its_lock_file_cannot_be_made() {
    let place = Place::new();
    fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/one.yaml", "steps: [{name: a, run: touch begun}]");
    let daemon = Daemon::start(&place, &["--workflows", "workflows"]);
    let owners = place.path("wfx.db-owners");
    fs::remove_dir_all(&owners).unwrap();
    fs::write(&owners, "").unwrap();
    until("it is noticed", || daemon.get("/readyz").status == 503);
    let problem = daemon.post("/api/v1/workflows/one/execute", "").expect(503);
    assert!(problem["detail"].as_str().unwrap().contains("the lock file"), "{problem}");
    assert!(!place.path("begun").exists());
    fs::remove_file(&owners).unwrap();
    until("it is made anew", || daemon.get("/readyz").status == 200);
    daemon.post("/api/v1/workflows/one/execute?wait=30s", "").expect(200);
    daemon.stop();
}

/// Whom root becomes in these tests: somebody who owns nothing.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The same command as that user, for whom the program is where he can reach it.
fn as_nobody(place: &Place, args: &[&str]) -> Command {
    let command = place.wfx(args.iter().copied());
    let program = place.path("program");
    if !program.exists() {
        fs::copy(command.get_program(), &program).unwrap();
    }
    let mut other = Command::new(program);
    other.args(command.get_args()).env_clear().uid(NOBODY).gid(NOBODY);
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.current_dir(place.path(""));
    other
}

/// A folder with the database of another user, and an execution that he left.
fn somebody_elses() -> Place {
    let place = Place::new();
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    for folder in ["", "tmp", "home"] {
        std::os::unix::fs::chown(place.path(folder), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let file = place.write(
        "w.yaml",
        format!("steps: [{{name: a, {WAITS}, retry: {{max_attempts: 3}}}}, {{name: b, run: 'id -u >> ran; echo $HOME'}}]"),
    );
    let mut running = Running::start(as_nobody(&place, &["exec", "-v"]).arg(file));
    running.wait_for("begun");
    kill(running);
    place.write("go", "");
    place
}

#[test]
fn the_database_of_another_user_is_refused_unless_told() {
    if !is_root() {
        // Only root can make files of another user.
        let place = Place::new();
        return place.run(["recover", "--as-owner"]).refused(2, &["only root", "sudo"]);
    }
    let place = somebody_elses();
    for args in [
        &["recover"][..],
        &["recover", "@1"],
        &["cancel", "@1"],
        &["exec", "w.yaml"],
        &["purge", "1"],
        &["replay", "@1"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let ran = place.run(args.iter().copied());
        if args[0] != "replay" {
            ran.refused(3, &["belongs to", "--as-owner", "--trust-owner 65534"]);
        }
        assert_eq!(place.read("ran"), "1\n", "{args:?}");
    }
    // Looking is no danger.
    assert_eq!(place.list()["items"][0]["owner_state"], "dead");
    let ran = place.run(["recover", "--as-owner"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("ran"), "1\n2\n65534\n");
    // The owner himself can use all that is there.
    for entry in fs::read_dir(place.path("")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("wfx.db") {
            assert_eq!(entry.metadata().unwrap().uid(), NOBODY, "{entry:?}");
        }
    }
}

#[test]
fn what_cannot_be_ended_is_not_run_beside() {
    if !is_root() {
        return;
    }
    let place = somebody_elses();
    assert_eq!(place.run(["recover", "--as-owner"]).code, Some(0));
    // Root worked on it, and its step is left: nobody else may signal that.
    fs::remove_file(place.path("go")).unwrap();
    fs::remove_file(place.path("ran")).unwrap();
    let trusted = NOBODY.to_string();
    let mut command = place.wfx(["exec", "-v", "w.yaml"]);
    let mut running = Running::start(command.env("WFX_TRUST_OWNER", &trusted));
    running.wait_for("begun");
    kill(running);
    std::os::unix::fs::chown(place.path("ran"), Some(NOBODY), Some(NOBODY)).unwrap();
    let ran = Ran::of(&mut as_nobody(&place, &["recover"]));
    ran.refused(1, &["left alone", "belongs to another user"]);
    assert!(ran.stdout.contains("1 execution left alone"), "{ran:?}");
    let ran = Ran::of(&mut as_nobody(&place, &["recover", "@2"]));
    ran.refused(3, &["left alone", "of step a", "belongs to another user"]);
    assert_eq!(place.read("ran"), "1\n");
    assert_eq!(place.list()["items"][0]["owner_state"], "dead");
    // Once that has ended, the execution goes on.
    place.write("go", "");
    let own = format!(
        "WFX_EXECUTION_ID={}",
        place.show("@2")["execution"]["execution_id"].as_str().unwrap()
    );
    until("the step has ended", || processes_with(&own).is_empty());
    let ran = Ran::of(&mut as_nobody(&place, &["recover"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("ran"), format!("1\n2\n{NOBODY}\n"));
}

#[test]
fn what_root_makes_beside_a_trusted_database_is_its_owners() {
    if !is_root() {
        return;
    }
    let place = somebody_elses();
    fs::remove_dir_all(place.path("wfx.db-owners")).unwrap();
    let mut command = place.wfx(["recover"]);
    let ran = Ran::of(command.env("WFX_TRUST_OWNER", NOBODY.to_string()));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("ran"), "1\n2\n0\n");
    let owners = fs::metadata(place.path("wfx.db-owners")).unwrap();
    assert_eq!(owners.uid(), NOBODY);
    let ran = Ran::of(&mut as_nobody(&place, &["exec", "w.yaml"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    place
        .run(["exec", "w.yaml", "--trust-owner", "nobody-of-this-name"])
        .refused(2, &["--trust-owner"]);
}
