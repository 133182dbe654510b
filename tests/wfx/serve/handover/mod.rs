//! The hand-over to a successor on SIGUSR2.

mod failures;
mod load;
mod notifying;
pub(super) mod service;
mod systemd;

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::json;

use self::service::{Service, is_alive};
use super::{EXECUTE, EXECUTIONS, id_of, place};
use crate::support::{Place, states, until};

const WAIT: &str = "/api/v1/workflows/waiting/execute";

/// The same as `waiting`, and goes on after a crash.
const AGAIN: &str = "id: waiting
steps:
- name: wait
  run: until test -e go; do sleep 0.02; done
  retry: {max_attempts: 3}
";

fn started(service: &Service) -> String {
    let id = id_of(&service.post(WAIT, "").expect(200));
    until("it runs", || service.execution(&id)["steps"][0]["status"] == "running");
    id
}

/// Prints what a step inherits.
const LOOK: &str = "id: look
steps:
- name: look
  run: |
    ulimit -Sn
    env | grep -e WFX_SUCCESSOR -e WFX_TOKEN -e NOTIFY_SOCKET
    ls -l /proc/self/fd | grep socket
    true
";

#[test]
fn the_sockets_are_handed_over_and_the_old_process_runs_its_executions_to_the_end() {
    let place = place();
    let [one, other] = ["one.sock", "other.sock"].map(|name| place.path(name));
    let listen = [&one, &other].map(|path| format!("unix:{}", path.display()));
    // The limit of a stop does not count.
    let more = ["--listen", &listen[0], "--listen", &listen[1], "--drain-timeout", "1ms"];
    let mut service = Service::start(&place, &more);
    let id = started(&service);
    let old = service.pid;
    service.reload();
    assert_ne!(service.pid, old);
    service.wait_for_log("handed over to the successor");

    // All of them serve, and the file system has them.
    assert_eq!(service.get("/healthz").status, 200);
    for path in [&one, &other] {
        UnixStream::connect(path).unwrap();
    }
    assert!(is_alive(old));
    // systemd ends, and watches, only its own children.
    assert!(!service::children_of(old).contains(&service.pid));
    // The successor shows what the old process runs.
    assert_eq!(service.execution(&id)["execution"]["status"], "running");
    let list = service.get(&format!("{EXECUTIONS}?status=running")).expect(200);
    assert_eq!(list["items"][0]["execution_id"], json!(id));
    place.write("go", "");
    assert!(service.first.wait().unwrap().success());
    let done = service.execution(&id);
    assert_eq!(
        (states(&done), &done["steps"][0]["attempt"]),
        (vec!["wait success".to_owned()], &json!(1))
    );
    assert!(one.exists() && other.exists());
    let done = service.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    assert_eq!(done["execution"]["status"], "success");
    service.stop();
    assert!(!one.exists() && !other.exists());
}

#[test]
fn those_that_wait_for_a_slot_run_where_they_were_started() {
    let place = place();
    let text = place.read("workflows/waiting.yaml") + "\nconcurrency: 1\n";
    place.write("workflows/waiting.yaml", text);
    let mut service = Service::start(&place, &[]);
    let holder = started(&service);
    let waiter = id_of(&service.post(WAIT, "").expect(200));
    assert_eq!(service.execution(&waiter)["execution"]["status"], "pending");
    service.reload();
    service.wait_for_log("handed over to the successor");
    // The successor has one that waits behind both.
    let last = service.post(WAIT, "").expect(200);
    assert_eq!(last["status"], "queued");
    assert_eq!(service.execution(&waiter)["execution"]["status"], "pending");
    place.write("go", "");
    assert!(service.first.wait().unwrap().success());
    let last = id_of(&last);
    until("the last one ends", || service.execution(&last)["execution"]["status"] == "success");
    let started_at = |id: &str| service.execution(id)["execution"]["started_at"].to_string();
    assert!(started_at(&holder) < started_at(&waiter) && started_at(&waiter) < started_at(&last));
    service.stop();
}

#[test]
fn the_successor_cancels_what_the_old_process_runs() {
    let place = place();
    let mut service = Service::start(&place, &[]);
    let id = started(&service);
    service.reload();
    let answer = service.post(&format!("{EXECUTIONS}/{id}/cancel"), "");
    assert_eq!(answer.status / 100, 2, "{answer:?}");
    // The old process ends with it.
    assert!(service.first.wait().unwrap().success());
    assert_eq!(service.execution(&id)["execution"]["status"], "cancelled");
    service.stop();
}

#[test]
fn an_idle_connection_gets_one_more_answer() {
    let place = place();
    let mut service = Service::start(&place, &[]);
    let mut connection = service.client();
    let (answer, stays) = connection.ask("GET", "/api/v1/ping").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && stays);
    service.reload();
    service.wait_for_log("handed over to the successor");
    let (answer, stays) = connection.ask("POST", &format!("{EXECUTE}?wait=30s")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && !stays, "{answer}");
    assert!(service.first.wait().unwrap().success());
    service.stop();
}

#[test]
fn a_stop_concerns_older_processes_as_well() {
    let place = place();
    let mut service = Service::start(&place, &[]);
    let first = started(&service);
    service.reload();
    // Until then both accept, and the old process may get the second one as well.
    service.wait_for_log("handed over to the successor");
    let second = started(&service);
    service.reload();
    // The process that has started the successor is there for a moment longer.
    until("three are left", || service.daemons().len() == 3);
    service.signal("TERM");
    until("all of them drain", || service.log().matches("\"message\":\"stopping\"").count() == 3);
    place.write("go", "");
    until("all have ended", || service.family().is_empty());
    for id in [first, second] {
        assert_eq!(place.show(&id)["execution"]["status"], "success");
    }
}

#[test]
fn a_second_signal_ends_older_processes_at_once_and_their_executions_are_recovered() {
    let place = place();
    place.write("workflows/waiting.yaml", AGAIN);
    let mut service = Service::start(&place, &["--drain-timeout", "1h"]);
    let id = started(&service);
    service.reload();
    service.signal("TERM");
    until("both drain", || service.log().matches("\"message\":\"stopping\"").count() == 2);
    service.signal("TERM");
    until("all have ended", || service.family().is_empty());
    place.write("go", "");
    let service = Service::start(&place, &[]);
    until("it was recovered", || service.execution(&id)["execution"]["status"] == "success");
    service.stop();
}

#[test]
fn the_old_process_itself_can_still_be_stopped() {
    let place = place();
    place.write("workflows/waiting.yaml", AGAIN);
    let mut service = Service::start(&place, &["--drain-timeout", "1ms"]);
    let id = started(&service);
    let old = service.pid;
    service.reload();
    service.wait_for_log("handed over to the successor");
    service::signal(old, "TERM");
    assert!(service.first.wait().unwrap().success());
    place.write("go", "");
    // As after a crash.
    until("it goes on", || service.execution(&id)["execution"]["status"] == "success");
    service.stop();
}

#[test]
fn settings_that_changed_decide_which_sockets_are_kept() {
    let place = place();
    let [one, other] = ["one.sock", "other.sock"].map(|name| place.path(name));
    let unix = |path: &std::path::Path| format!("unix:{}", path.display());
    let config = |listen: &[&str]| {
        place.write("config.toml", format!("wfx_listen = \"{}\"\n", listen.join(",")));
    };
    let any = "127.0.0.1:0";
    config(&[any, any, &unix(&one)]);
    let mut service = Service::of(&mut place.wfx(["serve"]), &place);
    until("it serves on both", || service.addresses().len() == 2);
    let addresses = service.addresses();
    let inode = |path: &std::path::Path| {
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap())
    };
    let before = inode(&one);
    config(&[&unix(&other), &addresses[1].to_string(), &unix(&one)]);
    service.reload();
    assert!(service.first.wait().unwrap().success());
    assert_eq!(inode(&one), before);
    UnixStream::connect(&one).unwrap();
    UnixStream::connect(&other).unwrap();
    std::net::TcpStream::connect(addresses[0]).unwrap_err();
    service.address = addresses[1];
    assert_eq!(service.get("/healthz").status, 200);
    config(&[&addresses[1].to_string()]);
    let old = service.pid;
    service.reload();
    until("the old one has ended", || !is_alive(old));
    assert!(!one.exists() && !other.exists());
    service.stop();
}

#[test]
fn a_socket_whose_file_is_gone_is_made_anew() {
    let place = place();
    let socket = place.path("wfx.sock");
    let mut service = Service::start(&place, &["--listen", &format!("unix:{}", socket.display())]);
    std::fs::remove_file(&socket).unwrap();
    service.reload();
    UnixStream::connect(&socket).unwrap();
    assert!(service.first.wait().unwrap().success());
    UnixStream::connect(&socket).unwrap();
    service.stop();
    assert!(!socket.exists());
}

#[test]
fn secrets_limits_and_sockets_stay_where_they_belong() {
    let place = place();
    place.write("workflows/look.yaml", LOOK);
    let mut limited = Command::new("sh");
    let wfx = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    let script = "ulimit -Sn 300; exec \"$0\" \"$@\"";
    limited.args(["-c", script]).arg(wfx.get_program()).args(wfx.get_args());
    limited.env_clear().current_dir(place.path(""));
    limited.envs(wfx.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.env("WFX_TOKEN", "s3cret-token").stdin(std::process::Stdio::null());
    let mut service = Service::of(&mut limited, &place);
    service.token = Some("s3cret-token".to_owned());
    // So many that the limit is raised.
    let mut connections: Vec<_> = (0..150).map(|_| service.client()).collect();
    for connection in &mut connections {
        connection.ask("GET", "/api/v1/ping").unwrap();
    }
    let limit = |pid: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    let old = service.pid;
    until("the limit is raised", || limit(old) != "300");
    for _ in 0..2 {
        service.reload();
        assert_eq!(service.get("/healthz").status, 200);
        let look = service.post("/api/v1/workflows/look/execute?wait=30s", "").expect(200);
        assert_eq!(look["steps"][0]["stdout"], "300\n", "{look}");
        let environment = std::fs::read(format!("/proc/{}/environ", service.pid)).unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        assert!(!environment.contains("s3cret"), "{environment}");
        let mut without = service.client();
        let (answer, _) = without.ask_as("GET", "/api/v1/ping", None).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    drop(connections);
    service.stop();
}

#[test]
fn the_program_that_is_on_the_disk_now_is_started() {
    let place = place();
    let program = place.path("wfx");
    symlink(env!("CARGO_BIN_EXE_wfx"), &program).unwrap();
    let mut service = Service::of_program(&place, &program, &[]);
    std::fs::remove_file(&program).unwrap();
    let script = format!("#!/bin/sh\ntouch replaced\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_wfx"));
    service::executable(&program, &script);
    service.reload();
    assert!(place.path("replaced").exists());
    service.stop();
}

#[test]
fn only_wfx_itself_starts_a_successor() {
    let place = place();
    let mut command = place.wfx(["serve"]);
    command.env("WFX_SUCCESSOR", "1");
    crate::support::Ran::of(&mut command).refused(2, &["WFX_SUCCESSOR", "unset"]);
}
