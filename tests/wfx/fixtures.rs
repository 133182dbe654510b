//! The workflows of `fixtures/workflows` do what they say.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Place, Ran, root, states, steps};

/// Runs a fixture in the repository, as README does, with these parameters. It leaves
/// nothing in the temporary folder.
fn exec(place: &Place, name: &str, params: &[(&str, &Path)], code: i32) -> Value {
    let execution = exec_beside_others(place, name, params, code);
    let left: Vec<_> = fs::read_dir(place.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{name} leaves {left:?}");
    execution
}

fn exec_beside_others(place: &Place, name: &str, params: &[(&str, &Path)], code: i32) -> Value {
    let mut command = place.wfx(["exec", "--format", "json"]);
    command.arg(root().join("fixtures/workflows").join(name)).current_dir(root());
    for (name, value) in params {
        command.arg("-p").arg(format!("{name}={}", value.display()));
    }
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    ran.json()
}

fn sqlite(database: &Path, sql: &str) -> String {
    let ran = Ran::of(Command::new("sqlite3").arg(database).arg(sql));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout.trim_end().to_owned()
}

#[test]
fn hello_greets() {
    let place = Place::new();
    let execution = exec(&place, "hello.yaml", &[("who", Path::new("O'Brien $(id)"))], 0);
    assert_eq!(steps(&execution)["greet"]["stdout"], "Hello, O'Brien $(id)!\n");
    assert_eq!(execution["execution"]["steps_completed"], 5);
}

#[test]
fn sqlite_backup_verifies_and_rotates() {
    let place = Place::new();
    let (database, backups) = (place.path("app.db"), place.path("backups"));
    sqlite(
        &database,
        "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (41), (42)",
    );
    place.write("keep", "");
    for _ in 0..3 {
        let params =
            [("database", database.as_path()), ("backup_dir", &backups), ("keep", Path::new("2"))];
        let execution = exec(&place, "sqlite-backup.yaml", &params, 0);
        assert_eq!(steps(&execution)["verify"]["outputs"]["tables"], "1");
    }
    let mut kept: Vec<_> = fs::read_dir(&backups).unwrap().map(|e| e.unwrap().path()).collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let restored = place.path("restored.db");
    let file = fs::File::create(&restored).unwrap();
    let unzipped = Command::new("gzip").arg("-dc").arg(&kept[1]).stdout(file).status().unwrap();
    assert!(unzipped.success());
    assert_eq!(sqlite(&restored, "SELECT sum(x) FROM t"), "83");
    // A file that is no database makes no backup, costs none and leaves nothing.
    let broken = place.write("broken.db", "not a database at all".repeat(200));
    let params = [("database", broken.as_path()), ("backup_dir", &backups)];
    let execution = exec(&place, "sqlite-backup.yaml", &params, 1);
    assert!(states(&execution).contains(&"publish skipped".to_owned()));
    assert_eq!(fs::read_dir(&backups).unwrap().count(), 2);
}

#[test]
fn sqlite_backups_at_one_time_keep_apart() {
    let place = Place::new();
    let (database, backups) = (place.path("app.db"), place.path("backups"));
    sqlite(&database, "CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(20000000))");
    let params = [("database", database.as_path()), ("backup_dir", &backups)];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| exec_beside_others(&place, "sqlite-backup.yaml", &params, 0));
        }
    });
    assert_eq!(fs::read_dir(&backups).unwrap().count(), 4);
}

#[test]
fn site_build_fans_out_and_in() {
    let place = Place::new();
    let target = place.path("site");
    let first = exec(&place, "site-build.json", &[("target", &target)], 0);
    assert!(target.join("site.tar.gz").exists());
    let digest = |execution: &Value| steps(execution)["publish"]["stdout"].clone();
    // The same source gives the same archive.
    assert_eq!(digest(&exec(&place, "site-build.json", &[("target", &target)], 0)), digest(&first));
    let order = first["execution"]["step_order"].as_array().unwrap();
    let at = |name: &str| order.iter().position(|n| n == name).unwrap();
    for page in ["page-index", "page-install", "page-faq", "styles", "search-index", "check-links"]
    {
        assert!(at(page) < at("assemble"));
    }
}

fn release(place: &Place, version: &str, healthy: bool) -> std::path::PathBuf {
    let folder = place.path(&format!("app-{version}"));
    fs::create_dir_all(folder.join("bin")).unwrap();
    let code = if healthy { 0 } else { 1 };
    fs::write(folder.join("bin/health"), format!("#!/bin/sh\nexit {code}\n")).unwrap();
    let archive = place.path(&format!("app-{version}.tar.gz"));
    let packed = Command::new("sh")
        .args(["-c", "chmod +x \"$1/bin/health\" && tar -czf \"$2\" -C \"$1\" bin", "pack"])
        .args([&folder, &archive])
        .status()
        .unwrap();
    assert!(packed.success());
    archive
}

#[test]
fn deploy_rolls_back_what_is_not_healthy() {
    let place = Place::new();
    let app = place.path("srv");
    let live = || fs::read_link(app.join("current")).unwrap().display().to_string();
    let deploy = |archive: &Path, code| {
        exec(&place, "deploy.yaml", &[("archive", archive), ("root", &app)], code)
    };
    deploy(&release(&place, "1.0", true), 0);
    assert_eq!(live(), "releases/1.0");
    let execution = deploy(&release(&place, "1.1", false), 1);
    assert_eq!(live(), "releases/1.0");
    assert_eq!(
        states(&execution),
        [
            "unpack success",
            "switch success",
            "health failed",
            "rollback success",
            "verdict failed",
            "tidy skipped"
        ]
    );
    assert_eq!(steps(&execution)["health"]["attempt"], 5);
    assert_eq!(steps(&execution)["rollback"]["outputs"]["rolled_back"], "true");
    deploy(&release(&place, "1.2", true), 0);
    assert_eq!(live(), "releases/1.2");
}

fn handlers(execution: &Value) -> Vec<String> {
    let handlers = execution["handlers"].as_array().unwrap().iter();
    handlers.map(|h| format!("{} {}", h["name"], h["status"]).replace('"', "")).collect()
}

#[test]
fn nightly_backup_reports_its_failure_and_leaves_nothing_half_done() {
    let place = Place::new();
    let (source, target) = (place.path("data"), place.path("backups"));
    let names = || {
        let mut names: Vec<String> = fs::read_dir(&target)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let backup = |code| {
        let params = [("source", source.as_path()), ("target", &target), ("keep", Path::new("2"))];
        exec(&place, "nightly-backup.yaml", &params, code)
    };
    fs::create_dir(&source).unwrap();
    fs::write(source.join("one"), "1").unwrap();
    for _ in 0..3 {
        let execution = backup(0);
        assert!(states(&execution).contains(&"refuse-empty skipped".to_owned()));
        assert_eq!(handlers(&execution), ["clean success"]);
    }
    assert_eq!(names().len(), 2, "{:?}", names());
    // A lost mount: the folder is there, and empty.
    fs::remove_file(source.join("one")).unwrap();
    let execution = backup(1);
    assert_eq!(handlers(&execution), ["alert success", "clean success"]);
    assert!(states(&execution).contains(&"publish skipped".to_owned()));
    fs::remove_dir(&source).unwrap();
    backup(1);
    let alerts = fs::read_to_string(target.join("alerts.log")).unwrap();
    let begins = |line: usize, text: &str| alerts.lines().nth(line).unwrap().starts_with(text);
    assert!(begins(0, "nightly-backup failed at refuse-empty: step `refuse-empty`"), "{alerts}");
    assert!(begins(1, "nightly-backup failed at archive: step `archive` failed"), "{alerts}");
    assert_eq!(names().len(), 3, "{:?}", names());
}

#[test]
fn deploy_if_changed_decides_by_an_exit_code() {
    let place = Place::new();
    let (source, live) = (place.path("build"), place.path("site"));
    let deploy = |environment: &str, code| {
        let params = [
            ("source", source.as_path()),
            ("live", &live),
            ("environment", Path::new(environment)),
        ];
        states(&exec(&place, "deploy-if-changed.yaml", &params, code))
    };
    fs::create_dir(&source).unwrap();
    fs::write(source.join("index.html"), "one").unwrap();
    let first = deploy("prod", 0);
    assert_eq!(first, ["changed success", "switch success", "check success", "roll-back skipped"]);
    let again = deploy("prod", 0);
    assert_eq!(again, ["changed skipped", "switch skipped", "check skipped", "roll-back skipped"]);
    fs::write(source.join("index.html"), "").unwrap();
    let broken = deploy("prod", 1);
    assert_eq!(broken, ["changed success", "switch success", "check failed", "roll-back success"]);
    assert_eq!(fs::read_to_string(live.join("index.html")).unwrap(), "one");
    // Nobody checks it elsewhere.
    let unchecked = deploy("lab", 0);
    assert_eq!(
        unchecked,
        ["changed success", "switch success", "check skipped", "roll-back skipped"]
    );
    assert_eq!(fs::read_to_string(live.join("index.html")).unwrap(), "");
}

#[test]
fn locked_report_gives_its_lock_back_and_no_other() {
    let place = Place::new();
    let lock = place.path("lock");
    let output = place.path("report.txt");
    let report = |output: &Path, code| {
        exec(&place, "locked-report.yaml", &[("lock", &lock), ("output", output)], code)
    };
    let execution = report(&output, 0);
    assert_eq!(states(&execution), ["lock success", "report success"]);
    assert_eq!(handlers(&execution), ["unlock success"]);
    assert!(output.exists() && !lock.exists());
    // After a failure, too.
    let execution = report(&place.path("no/such/folder/report.txt"), 1);
    assert_eq!(states(&execution), ["lock success", "report failed"]);
    assert!(!lock.exists());
    // That of another one stays.
    fs::create_dir(&lock).unwrap();
    fs::write(lock.join("owner"), "another").unwrap();
    let execution = report(&output, 0);
    assert_eq!(states(&execution), ["lock skipped", "report skipped"]);
    assert_eq!(steps(&execution)["lock"]["stdout"], "held by another\n");
    assert_eq!(fs::read_to_string(lock.join("owner")).unwrap(), "another");
}

#[test]
fn import_hands_counts_on_and_imports_once() {
    let place = Place::new();
    let csv = root().join("fixtures/workflows/data/orders.csv");
    let database = place.path("shop.db");
    let params = [("csv", csv.as_path()), ("database", database.as_path())];
    let first = exec(&place, "import.yaml", &params, 0);
    let lines = steps(&first)["inspect"]["outputs"]["lines"].as_str().unwrap().to_owned();
    assert_eq!(sqlite(&database, "SELECT count(*) FROM orders"), lines);
    let report =
        |execution: &Value| steps(execution)["report"]["stdout"].as_str().unwrap().to_owned();
    assert!(report(&first).contains(&format!("{lines} orders changed")), "{}", report(&first));
    let second = exec(&place, "import.yaml", &params, 0);
    assert!(
        report(&second).contains("imported before") && report(&second).contains("0 orders changed")
    );
    let bad =
        place.write("bad.csv", "order_id,customer,amount_cents,ordered_on\n1,a,x,2026-01-01\n");
    let failed = exec(&place, "import.yaml", &[("csv", &bad), ("database", &database)], 1);
    assert!(steps(&failed)["check"]["stderr"].as_str().unwrap().contains("line 2: amount_cents x"));
    assert_eq!(sqlite(&database, "SELECT count(*) FROM orders"), lines);
    let folder = place.path("tmp");
    exec(&place, "import.yaml", &[("csv", &csv), ("database", &folder)], 1);
}

#[test]
fn soak_ends_at_its_timeout() {
    let place = Place::new();
    let heartbeat = place.path("heartbeat");
    let execution = exec(&place, "soak.yaml", &[("heartbeat", &heartbeat)], 1);
    let ended = states(&execution);
    for state in [
        "start success",
        "soak failed",
        "watch failed",
        "warm-up failed",
        "warmed success",
        "verdict skipped",
    ] {
        assert!(ended.contains(&state.to_owned()), "{state}: {ended:?}");
    }
    assert!(!fs::read_to_string(&heartbeat).unwrap().is_empty());
}

#[test]
fn drill_fails_as_it_should() {
    let place = Place::new();
    let execution = exec(&place, "drill.json", &[], 1);
    let ended = steps(&execution);
    assert_eq!(ended["primary-site"]["status"], "failed");
    assert_eq!(ended["status-page"]["status"], "skipped");
    assert_eq!(ended["secondary-site"]["status"], "success");
    assert_eq!(ended["phone-chain"]["stdout"], "the pager: failed\n");
    let snapshot = &execution["execution"]["input_snapshot"]["definition"];
    assert_eq!(snapshot["x-owner"], "operations");
    assert_eq!(snapshot["steps"][0]["agent_id"], "ops");
}

#[test]
fn fleet_runs_five_hundred_steps() {
    let place = Place::new();
    let execution = exec(&place, "fleet.json", &[], 0);
    assert_eq!(execution["execution"]["steps_completed"], 500);
    assert_eq!(steps(&execution)["site-6-close"]["stdout"], "site-6: rack 9 was the last\n");
    let generated = Ran::of(&mut Command::new(root().join("fixtures/workflows/generate-fleet")));
    assert_eq!(
        generated.stdout,
        fs::read_to_string(root().join("fixtures/workflows/fleet.json")).unwrap()
    );
}

#[test]
fn release_takes_what_its_parameters_allow() {
    let place = Place::new();
    let root = place.path("srv");
    let with = |environment: &'static str, more: &[(&'static str, &'static str)], code| {
        let mut params = vec![("environment", Path::new(environment)), ("root", root.as_path())];
        params.extend(more.iter().map(|(name, value)| (*name, Path::new(*value))));
        exec(&place, "release.yaml", &params, code)
    };
    let first = with("staging", &[("version", "1.4.0")], 0);
    let outputs = |execution: &Value, step: &str| steps(execution)[step]["outputs"].clone();
    assert_eq!(outputs(&first, "plan")["summary"], "release 1.4.0 to staging");
    assert_eq!(outputs(&first, "render")["config"], "version=1.4.0\nreplicas=2\nshare=0.10");
    let live = || fs::read_to_string(root.join("staging/config")).unwrap();
    assert_eq!(live(), "version=1.4.0\nreplicas=2\nshare=0.10\n");
    let second = with("staging", &[("version", "1.4.1"), ("replicas", "20"), ("share", "0.5")], 0);
    assert_eq!(steps(&second)["compare"]["exit_code"], 1);
    assert!(outputs(&second, "compare")["changes"].as_str().unwrap().contains("> replicas=20"));
    with("staging", &[("version", "1.5.0"), ("paused", "true")], 0);
    assert!(live().contains("version=1.4.1"));
    // A release that is under way is waited for, and no longer than the attempts last.
    fs::create_dir(root.join("staging/lock")).unwrap();
    let held = with("staging", &[("version", "1.5.0")], 1);
    assert_eq!(steps(&held)["publish"]["attempt"], 5);
    // Another failure is none to try again.
    fs::create_dir(root.join("prod")).unwrap();
    fs::create_dir(root.join("prod/config.new")).unwrap();
    let failed = with("prod", &[("version", "1.5.0")], 1);
    assert_eq!(steps(&failed)["publish"]["attempt"], 1);
    let file = crate::support::root().join("fixtures/workflows/release.yaml");
    let bad = ["environment=stagin", "version=1.4", "replicas=21", "share=1.5", "paused=yes"];
    let mut command = place.wfx(["exec"]);
    command.arg(file);
    bad.iter().for_each(|param| _ = command.args(["-p", param]));
    Ran::of(&mut command).refused(
        2,
        &[
            "`environment` takes one of `dev`, `staging`, `prod`",
            "did you mean `staging`?",
            "`version` takes text that matches",
            "`replicas` takes a whole number from 1 to 20",
            "`share` takes a number from 0 to 1",
            "write `true`",
            "`root` is required",
        ],
    );
}

#[test]
fn report_fails_where_a_part_of_a_pipe_does() {
    let place = Place::new();
    let csv = root().join("fixtures/workflows/data/orders.csv");
    let report = place.path("report.md");
    let params = [("csv", csv.as_path()), ("report", &report), ("top", Path::new("2"))];
    exec(&place, "report.yaml", &params, 0);
    let text = fs::read_to_string(&report).unwrap();
    assert!(text.starts_with("# Revenue\n\n| month | revenue |\n|---|---|\n| 20"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), 2, "{text}");
    let missing = place.path("none.csv");
    let params = [("csv", missing.as_path()), ("report", &report)];
    let failed = exec(&place, "report.yaml", &params, 1);
    assert_eq!(steps(&failed)["months"]["status"], "failed");
    assert_eq!(steps(&failed)["write"]["status"], "skipped");
    assert_eq!(fs::read_to_string(&report).unwrap(), text);
}
