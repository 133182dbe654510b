//! A hand-over that fails, or is interrupted at any point, leaves one daemon.

use super::*;

const WFX: &str = env!("CARGO_BIN_EXE_wfx");

/// A service whose program can be replaced.
fn replaceable(place: &Place, more: &[&str]) -> Service {
    let program = place.path("wfx");
    symlink(WFX, &program).unwrap();
    Service::of_program(place, &program, more)
}

/// Puts a program there that becomes wfx once the file `release` is there.
fn hold(place: &Place) {
    let script = format!(
        "#!/bin/sh\necho $$ > held\nuntil test -e release; do sleep 0.02; done\nexec {WFX} \"$@\"\n"
    );
    service::executable(&place.path("wfx"), &script);
}

fn held(place: &Place) -> u32 {
    let mut pid = None;
    until("the successor is started", || {
        pid = std::fs::read_to_string(place.path("held"))
            .ok()
            .and_then(|pid| pid.trim().parse().ok());
        pid.is_some()
    });
    pid.unwrap()
}

/// The daemon works, and recovers.
#[track_caller]
fn assert_works(service: &Service) {
    let done = service.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(done["execution"]["status"], "success");
    assert_eq!(service.get("/readyz").status, 200);
}

#[test]
fn without_a_successor_the_daemon_goes_on() {
    let place = place();
    let mut service = replaceable(&place, &["--handover-timeout", "1s"]);
    let id = started(&service);
    let program = place.path("wfx");
    let scripts = [
        ("#!/bin/sh\nexit 7\n", "exit code 7"),
        ("no program", "Exec format error"),
        ("#!/bin/sh\nexec sleep 600\n", "not ready within 1s"),
        // It closes the stream, and stays.
        ("#!/bin/sh\nexec sleep 600 < /dev/null\n", "ended before it was ready"),
        ("#!/bin/sh\necho nonsense >&0\nexec sleep 600\n", "no wfx that this one understands"),
        ("#!/bin/sh\necho '{\"says\":\"leading\"}' >&0\nexec sleep 600\n", "no wfx"),
    ];
    // Each is waited for: a signal that comes meanwhile would concern the same hand-over.
    let mut failures = 0;
    let mut fails = |why: &str| {
        service.signal("USR2");
        failures += 1;
        let of = |log: &str| -> Vec<String> {
            let is_failure =
                |line: &&str| line.contains("there is no successor: this daemon goes on");
            log.lines().filter(is_failure).map(str::to_owned).collect()
        };
        until("it goes on", || of(&service.log()).len() == failures);
        let told = of(&service.log()).pop().unwrap();
        assert!(told.contains(why), "no {why:?} in {told}");
    };
    for (script, why) in scripts {
        service::executable(&program, script);
        fails(why);
        assert_works(&service);
    }
    std::fs::remove_file(&program).unwrap();
    fails("No such file or directory");
    // A broken configuration, a database of somebody else.
    symlink(WFX, &program).unwrap();
    place.write("config.toml", "no_such_setting = 1\n");
    fails("no_such_setting");
    place.write("config.toml", "");
    assert_works(&service);
    until("nothing is left of them", || service.daemons() == [service.pid]);
    // Then it works.
    service.reload();
    place.write("go", "");
    assert!(service.first.wait().unwrap().success());
    assert_eq!(service.execution(&id)["execution"]["status"], "success");
    service.stop();
}

#[test]
fn a_change_of_the_schema_stops_the_daemon() {
    let place = place();
    let mut service = Service::start(&place, &["--drain-timeout", "1h"]);
    let id = started(&service);
    let current: u32 = place.sql("PRAGMA user_version").parse().unwrap();
    place.sql(&format!("PRAGMA user_version = {}", current - 1));
    service.signal("USR2");
    service.wait_for_log("change the schema of the database: stopping");
    // As SIGTERM does: what runs is let finish.
    until("it drains", || std::net::TcpStream::connect(service.address).is_err());
    assert!(is_alive(service.pid));
    place.write("go", "");
    assert!(service.first.wait().unwrap().success());
    until("all have ended", || service.family().is_empty());
    // It was not touched.
    assert_eq!(place.sql("PRAGMA user_version"), (current - 1).to_string());
    place.sql(&format!("PRAGMA user_version = {current}"));
    assert_eq!(place.show(&id)["execution"]["status"], "success");
}

#[test]
fn a_database_that_is_gone_is_not_made_anew() {
    let place = place();
    let service = Service::start(&place, &[]);
    std::fs::remove_file(place.database()).unwrap();
    service.signal("USR2");
    service.wait_for_log("there is no successor");
    assert!(!place.database().exists());
    assert_eq!(service.get("/healthz").status, 200);
}

#[test]
fn a_successor_whose_old_process_is_killed_serves_and_recovers() {
    let place = place();
    place.write("workflows/waiting.yaml", AGAIN);
    let mut service = replaceable(&place, &[]);
    let id = started(&service);
    hold(&place);
    service.signal("USR2");
    let successor = held(&place);
    service.signal("KILL");
    service.first.wait().unwrap();
    place.write("go", "");
    place.write("release", "");
    service.wait_for_next();
    assert_eq!(service.pid, successor);
    service.wait_for_log("ended before it had handed over");
    until("it was recovered", || service.execution(&id)["execution"]["status"] == "success");
    assert_works(&service);
    service.stop();
}

#[test]
fn a_successor_that_is_killed_leaves_the_old_process() {
    let place = place();
    let mut service = replaceable(&place, &[]);
    hold(&place);
    service.signal("USR2");
    service::signal(held(&place), "KILL");
    service.wait_for_log("ended before it was ready: signal 9");
    assert_works(&service);
    // The next one does better.
    place.write("release", "");
    service.reload();
    assert_works(&service);
    service.stop();
}

#[test]
fn a_successor_that_ends_as_it_should_lead_leaves_that_to_the_old_process() {
    let place = place();
    place.write("workflows/waiting.yaml", AGAIN);
    let service = replaceable(&place, &[]);
    // Executions of another daemon that dies: nobody looks for them before the lead changes.
    let mut other = crate::daemon::Daemon::start(&place, &["--workflows", "workflows"]);
    let id = id_of(&other.post(WAIT, "").expect(200));
    until("it runs", || service.execution(&id)["steps"][0]["status"] == "running");
    other.child.kill().unwrap();
    other.child.wait().unwrap();
    let script = "#!/bin/sh\nread -r greeting\n\
                  echo '{\"says\":\"ready\",\"pid\":'$$',\"adopted\":[0]}' >&0\n\
                  read -r lead\necho \"$lead\" > lead\n";
    service::executable(&place.path("wfx"), script);
    service.signal("USR2");
    service.wait_for_log("it ended before it served");
    assert_eq!(place.read("lead"), "{\"says\":\"lead\"}\n");
    place.write("go", "");
    until("it was recovered", || service.execution(&id)["execution"]["status"] == "success");
    assert_works(&service);
    service.stop();
}

#[test]
fn a_stop_during_the_hand_over_ends_both() {
    let place = place();
    let mut service = replaceable(&place, &[]);
    hold(&place);
    service.signal("USR2");
    let successor = held(&place);
    service.signal("TERM");
    assert!(service.first.wait().unwrap().success());
    assert!(!is_alive(successor));
    until("all have ended", || service.family().is_empty());
    assert_eq!(service.processes().len(), 1);
}

#[test]
fn two_signals_are_two_hand_overs_at_most() {
    let place = place();
    let mut service = replaceable(&place, &[]);
    let first = service.pid;
    hold(&place);
    service.signal("USR2");
    held(&place);
    service.signal("USR2");
    place.write("release", "");
    service.wait_for_next();
    service.wait_for_next();
    until("one is left", || service.family() == [service.pid]);
    assert!(!is_alive(first));
    assert_eq!(service.processes().len(), 3);
    assert_works(&service);
    service.stop();
}

#[test]
fn a_daemon_that_stops_starts_no_successor() {
    let place = place();
    let mut service = Service::start(&place, &["--drain-timeout", "1h"]);
    started(&service);
    service.signal("TERM");
    service.wait_for_log("\"message\":\"stopping\"");
    service.signal("USR2");
    place.write("go", "");
    assert!(service.first.wait().unwrap().success());
    assert!(service.family().is_empty());
    assert!(!service.log().contains("starting a successor"));
}

#[test]
fn a_signal_that_comes_during_the_start_is_obeyed_after_it() {
    let place = place();
    // It is to make the database, and another process keeps it from that.
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let log = place.path("log");
    std::fs::write(&log, "").unwrap();
    let mut service = std::thread::scope(|scope| {
        let starting = scope.spawn(|| Service::start(&place, &[]));
        let log = || std::fs::read_to_string(&log).unwrap();
        let pid = || {
            let find = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
            let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(find);
            let here = std::fs::canonicalize(place.path("")).unwrap();
            let is_it = |pid: &u32| {
                let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
                cwd.is_ok_and(|cwd| cwd == here)
            };
            all.filter(|pid| is_it(pid)).min()
        };
        until("it waits for the database", || log().contains("for the database"));
        let pid = pid().unwrap();
        for _ in 0..3 {
            service::signal(pid, "USR2");
        }
        other.execute_batch("COMMIT").unwrap();
        starting.join().unwrap()
    });
    service.wait_for_next();
    assert!(service.first.wait().unwrap().success());
    assert_works(&service);
    service.stop();
}
