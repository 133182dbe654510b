//! The database: where it is, what it may be, what is told when it is something else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Place, Ran, Running};

const ONE: &str = "id: one\nsteps: [{name: a}]";

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn is_root() -> bool {
    Ran::of(Command::new("id").arg("-u")).stdout.trim() == "0"
}

#[test]
fn it_is_made_for_its_owner_only_where_the_settings_say() {
    let place = Place::new();
    let file = place.write("w.yaml", ONE);
    let exec = |set: &dyn Fn(&mut Command)| {
        let mut command = place.wfx(["exec"]);
        command.arg(&file).env_remove("WFX_DB");
        set(&mut command);
        Ran::of(&mut command)
    };
    let ran = exec(&|_| {});
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let path = place.path("home/.local/state/wfx/wfx.db");
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let state = place.path("state");
    exec(&|command| _ = command.env("XDG_STATE_HOME", &state));
    assert!(state.join("wfx/wfx.db").exists());
    let systemd = place.path("systemd");
    exec(&|command| _ = command.env("STATE_DIRECTORY", &systemd));
    assert!(systemd.join("wfx.db").exists());
    let named = place.path("named.db");
    exec(&|command| _ = command.env("WFX_DB", place.path("other.db")).arg("--db").arg(&named));
    assert!(named.exists() && !place.path("other.db").exists());
}

#[test]
fn without_a_home_it_says_what_to_set() {
    let place = Place::new();
    let file = place.write("w.yaml", ONE);
    let mut command = place.wfx(["exec"]);
    command.arg(file).env_remove("HOME").env_remove("WFX_DB");
    Ran::of(&mut command).refused(3, &["HOME", "--db"]);
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    let place = Place::new();
    let file = place.write("w.yaml", ONE);
    let commands: [&[&str]; 5] = [
        &["exec", file.to_str().unwrap()],
        &["list"],
        &["show", "@1"],
        &["replay", "@1"],
        &["purge", "5"],
    ];
    let text = "this is a letter, not a database ".repeat(100);
    for content in [text.clone().into_bytes(), b"SQLite format 3\0garbage".repeat(300)] {
        fs::write(place.database(), &content).unwrap();
        for command in commands {
            place.run(command.iter().copied()).refused(3, &["wfx.db"]);
            assert_eq!(fs::read(place.database()).unwrap(), content);
        }
    }
    fs::remove_file(place.database()).unwrap();
    fs::create_dir(place.database()).unwrap();
    for command in commands {
        place.run(command.iter().copied()).refused(3, &["wfx.db", "folder"]);
    }
}

#[test]
fn a_database_of_another_program_or_a_newer_wfx_is_refused() {
    let place = Place::new();
    place.exec(ONE, 0);
    place.sql("PRAGMA user_version = 99");
    let before = place.sql("SELECT * FROM workflow_executions");
    for command in [["exec", "workflow.yaml"], ["show", "@1"]] {
        place.run(command).refused(3, &["newer"]);
    }
    assert_eq!(place.sql("SELECT * FROM workflow_executions"), before);
    fs::remove_file(place.database()).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", place.database().display()));
    }
    place.sql("CREATE TABLE contacts (name)");
    place.run(["exec", "workflow.yaml"]).refused(3, &["no database of wfx"]);
    assert_eq!(place.sql("SELECT name FROM sqlite_schema"), "contacts");
}

#[test]
fn a_damaged_database_is_told() {
    let place = Place::new();
    for _ in 0..3 {
        place.exec("steps: [{name: a, run: seq 2000}]", 0);
    }
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let mut content = fs::read(place.database()).unwrap();
    for byte in &mut content[4096..] {
        *byte = 0x5a;
    }
    fs::write(place.database(), &content).unwrap();
    for command in [["exec", "workflow.yaml"], ["show", "@1"]] {
        place.run(command).refused(3, &["wfx.db"]);
    }
}

#[test]
fn readers_make_nothing() {
    let place = Place::new();
    for command in [&["list"][..], &["show", "@latest"], &["purge", "--all", "--dry-run"]] {
        place.run(command.iter().copied()).refused(3, &["no database", "wfx exec"]);
    }
    assert!(!place.database().exists());
    fs::write(place.database(), "").unwrap();
    place.run(["list"]).refused(3, &["wfx exec"]);
    assert_eq!(fs::metadata(place.database()).unwrap().len(), 0);
    // An empty file is a database to be: mktemp makes such.
    place.exec(ONE, 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    if is_root() {
        // Root may write anywhere; a read-only file system would need a mount.
        let place = Place::new();
        let file = place.write("w.yaml", ONE);
        let mut command = place.wfx(["exec", "--db", "/proc/wfx/wfx.db"]);
        Ran::of(command.arg(file)).refused(3, &["/proc/wfx", "--db"]);
        return;
    }
    let place = Place::new();
    let file = place.write("w.yaml", ONE);
    let folder = place.path("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let mut command = place.wfx(["exec"]);
    command.arg(file).env("WFX_DB", folder.join("wfx.db"));
    Ran::of(&mut command).refused(3, &["locked", "--db"]);
}

#[test]
fn two_hundred_executions_from_ten_processes_are_all_stored() {
    let place = Place::new();
    let file = place.write("w.yaml", "id: many\nsteps: [{name: a, run: 'true'}, {name: b}]");
    let script = "n=0; while [ $n -lt 20 ]; do \"$WFX\" exec \"$FILE\" || exit 9; n=$((n+1)); done";
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut command = Command::new("sh");
            let settings = place.wfx(["exec"]);
            command.args(["-c", script]).env_clear().current_dir(place.path("home"));
            for (name, value) in settings.get_envs() {
                if let Some(value) = value {
                    command.env(name, value);
                }
            }
            command
                .env("WFX", env!("CARGO_BIN_EXE_wfx"))
                .env("FILE", &file)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stderr.contains("locked"), "{ran:?}");
    }
    assert_eq!(place.sql("SELECT count(*), count(DISTINCT execution_id), min(status), max(status) FROM workflow_executions"), "200|200|success|success");
    assert_eq!(
        place.sql("SELECT count(*) FROM workflow_execution_steps WHERE status = 'success'"),
        "400"
    );
    assert_eq!(place.sql("SELECT sum(executions) FROM workflow_execution_counts"), "200");
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}

#[test]
fn a_lock_of_another_is_waited_for_and_then_told() {
    let place = Place::new();
    place.exec(ONE, 0);
    // SQLite's own shell holds the write lock until its input ends.
    let mut holder = Command::new("sqlite3")
        .arg(place.database())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = holder.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"BEGIN IMMEDIATE;\nSELECT 'held';\n").unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(holder.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    let file = place.write("w.yaml", "steps: [{name: a, run: touch ran}]");
    let mut command = place.wfx(["exec", "--store-timeout", "300ms"]);
    Ran::of(command.arg(&file)).refused(3, &["wfx.db", "another process"]);
    assert!(!place.path("ran").exists(), "a step ran that was never stored");
    // Reading goes on meanwhile.
    assert_eq!(place.list()["total"], 1);
    drop(input);
    holder.wait().unwrap();
    // What was given up is not stored later either.
    assert_eq!(place.list()["total"], 1);
    assert_eq!(Ran::of(place.wfx(["exec"]).arg(&file)).code, Some(0));
}

/// Makes a database one of version 3.
const BEFORE_COMPLETIONS: &str = "
    DROP TABLE workflow_schedules;
    DROP TABLE workflow_schedule_decisions;
    DROP TABLE workflow_pauses;
    DROP TABLE workflow_expectations;
    DROP TRIGGER workflow_executions_deleted_with_output;
    DROP TABLE workflow_output;
    DROP TABLE workflow_output_usage;
    DROP TABLE workflow_open_alerts;
    DROP TABLE workflow_notification_couriers;
    DROP TABLE workflow_notifications;
    DROP TABLE workflow_incident_channels;
    DROP TABLE workflow_incidents;
    DROP TABLE workflow_sessions;
    ALTER TABLE workflow_executions DROP COLUMN trigger_address;
    ALTER TABLE workflow_executions DROP COLUMN cancel_requested_address;
    DROP TRIGGER workflow_executions_inserted_grouped;
    DROP TRIGGER workflow_executions_moved_grouped;
    DROP TRIGGER workflow_executions_deleted_grouped;
    DROP INDEX workflow_executions_grouped;
    DROP INDEX workflow_executions_replaced;
    DROP TABLE workflow_groups;
    DROP TABLE workflow_group_limits;
    ALTER TABLE workflow_executions DROP COLUMN concurrency_group;
    ALTER TABLE workflow_executions DROP COLUMN replaced_by;
    DROP TRIGGER workflow_executions_moved_apart;
    DROP TRIGGER workflow_executions_deleted_apart;
    DROP INDEX workflow_executions_finished_apart;
    DROP INDEX workflow_executions_own_by_completion;
    DROP INDEX workflow_executions_own_by_age;
    DROP INDEX workflow_executions_own_successes;
    DROP INDEX workflow_executions_pinned;
    DROP TABLE workflow_retention;
    DROP TABLE workflow_pinned_counts;
    ALTER TABLE workflow_executions DROP COLUMN steps_failed;
    ALTER TABLE workflow_executions DROP COLUMN steps_skipped;
    ALTER TABLE workflow_executions DROP COLUMN trigger_kind;
    ALTER TABLE workflow_executions DROP COLUMN trigger_by;
    ALTER TABLE workflow_executions DROP COLUMN schedule;
    ALTER TABLE workflow_executions DROP COLUMN scheduled_at;
    ALTER TABLE workflow_executions DROP COLUMN cancel_requested_by;
    DROP TRIGGER workflow_executions_deleted_with_handlers;
    DROP TABLE workflow_execution_handlers;
    ALTER TABLE workflow_executions DROP COLUMN outcome;
    ALTER TABLE workflow_execution_steps DROP COLUMN skip_reason;
    ALTER TABLE workflow_execution_steps DROP COLUMN reused_from;
    ALTER TABLE workflow_execution_steps DROP COLUMN reused_from_seq;
    ALTER TABLE workflow_execution_steps DROP COLUMN reused_position;
    DROP INDEX workflow_executions_finished;
    ALTER TABLE workflow_executions DROP COLUMN ad_hoc;
    ALTER TABLE workflow_executions DROP COLUMN own_retention;
    ALTER TABLE workflow_executions DROP COLUMN pinned_at;
    ALTER TABLE workflow_executions DROP COLUMN pinned_by;
    ALTER TABLE workflow_executions DROP COLUMN pin_reason;
    ALTER TABLE workflow_executions DROP COLUMN completion_number;
    CREATE INDEX workflow_executions_finished ON workflow_executions (completed_at)
      WHERE completed_at IS NOT NULL;
    PRAGMA user_version = 3";

#[test]
fn who_waits_to_open_it_says_so() {
    let place = Place::new();
    place.exec(ONE, 0);
    let file = place.write("w.yaml", ONE);
    let file = file.to_str().unwrap();
    for args in [&["exec", file][..], &["replay", "@1"], &["purge", "1"]] {
        let other = rusqlite::Connection::open(place.database()).unwrap();
        // Whoever reads keeps it from being brought up.
        other.execute_batch(BEFORE_COMPLETIONS).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM sqlite_schema").unwrap();
        let mut running = Running::start(&mut place.wfx(args.iter().copied()));
        running.wait_for("waiting up to 1m");
        other.execute_batch("COMMIT").unwrap();
        drop(other);
        let ran = running.end();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stderr.matches("waiting up to").count(), 1, "{ran:?}");
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_no_death() {
    let place = Place::new();
    place.exec(ONE, 0);
    let without_room = |line: &str| {
        let wfx = place.wfx(["exec"]);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -f 1; exec \"$0\" {line}"), env!("CARGO_BIN_EXE_wfx")])
            .current_dir(place.path(""))
            .env_clear();
        for (name, value) in wfx.get_envs() {
            command.env(name, value.unwrap());
        }
        Ran::of(&mut command)
    };
    without_room("exec workflow.yaml").refused(3, &["wfx.db", "free space"]);
    // Nothing is lost, what is there can be looked at, and it goes on when there is room.
    for line in ["list --format json", "show @1", "doctor"] {
        let ran = without_room(line);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    place.exec(ONE, 0);
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}
