//! The processes of steps: which end with their step, how often they are asked to, and what
//! they find around them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::daemon::Daemon;
use crate::support::{
    Place, Ran, Running, nobody_is_left, processes_with, start_exec, states, steps, until,
    with_stdin,
};

/// Counts how often it is asked to end, until some time after its parent has gone.
const COUNTS: &str = "trap 'n=$((n+1))' TERM
n=0
parent=$1
echo begun
while test $n = 0; do sleep 0.02; done
while test -e /proc/$parent/cmdline && grep -q . /proc/$parent/cmdline; do sleep 0.02; done
sleep 0.3
echo $n > count
";

#[expect(clippy::print_stdout, reason = "says that a test has not run")]
fn skip(why: &str) {
    println!("skipped: {why}");
}

/// Whether a process has ended; one that only waits to be reaped has.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn process_groups_made_by_a_step_end_with_it() {
    for (what, run) in [
        ("timeout(1)", "timeout 1000 sleep 1000 & echo $! > pid"),
        ("job control", "set -m; sleep 1000 & echo $! > pid"),
        ("no environment", "env -i $(command -v timeout) 1000 sleep 1000 & echo $! > pid"),
        ("a grandchild", "(timeout 1000 timeout 1000 sleep 1000 & echo $! > pid) & wait"),
    ] {
        let place = Place::new();
        let execution = place.exec(&format!("steps: [{{name: a, run: '{run}'}}]"), 0);
        assert_eq!(states(&execution), ["a success"], "{what}");
        assert!(is_gone(&place.read("pid")), "{what}");
        nobody_is_left(&place);
    }
}

#[test]
fn process_groups_made_by_a_step_end_at_its_timeout_and_when_it_is_cancelled() {
    let run = "run: 'timeout 1000 sleep 1000 & echo $! > pid; echo begun; timeout 1000 sleep 1000'";
    let place = Place::new();
    let document = format!("steps: [{{name: a, timeout: 300ms, {run}}}]");
    assert_eq!(states(&place.exec(&document, 1)), ["a failed"]);
    nobody_is_left(&place);

    let place = Place::new();
    let running = start_exec(&place, &format!("steps: [{{name: a, {run}}}]"));
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(is_gone(&place.read("pid")));
    nobody_is_left(&place);
}

#[test]
fn a_step_leaves_the_processes_of_others_alone() {
    let place = Place::new();
    // The shell has a job of its own when it becomes wfx, in the same session.
    let file = place.write("w.yaml", "steps: [{name: a, run: 'sleep 1000 & true'}]");
    let wfx = place.wfx(["exec"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "sleep 1000 & echo $! > job; exec \"$0\" exec \"$1\""])
        .arg(env!("CARGO_BIN_EXE_wfx"))
        .arg(file)
        .current_dir(place.path(""))
        .env_clear()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    let status = command.status().unwrap();
    assert_eq!(status.code(), Some(0));
    let job = place.read("job");
    assert!(!is_gone(&job));
    Command::new("kill").arg(job.trim()).status().unwrap();
}

#[test]
fn a_process_is_asked_to_end_once() {
    let place = Place::new();
    place.write("counts.sh", COUNTS);
    let running = start_exec(&place, "steps: [{name: a, run: 'sh counts.sh $$; echo over'}]");
    running.signal("TERM");
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{ran:?}");
    assert_eq!(place.read("count").trim(), "1");
}

#[test]
fn a_process_that_a_dead_wfx_left_is_asked_to_end_once() {
    let place = Place::new();
    place.write("counts.sh", COUNTS);
    let running = start_exec(
        &place,
        "steps: [{name: a, run: 'echo begun; sh counts.sh $$ > log 2>&1; echo over'}]",
    );
    until("it counts", || {
        std::fs::read_to_string(place.path("log")).is_ok_and(|log| !log.is_empty())
    });
    running.signal("KILL");
    running.end();
    let ran = place.run(["recover"]);
    assert!(ran.code.is_some(), "{ran:?}");
    until("it has counted", || place.path("count").exists());
    until("it has ended", || {
        let id = place.sql("SELECT execution_id FROM workflow_executions");
        processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty()
    });
    assert_eq!(place.read("count").trim(), "1");
}

#[test]
fn a_step_finds_its_own_folder_in_pwd() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("sub/deep")).unwrap();
    let real = place.path("").canonicalize().unwrap();
    for (cwd, folder) in
        [("", ""), ("sub", "sub"), ("sub/./deep/", "sub/deep"), ("sub/../sub", "sub")]
    {
        for run in ["[printenv, PWD]", "pwd"] {
            let document = format!("steps: [{{name: a, cwd: '{cwd}', run: {run}}}]");
            let document =
                if cwd.is_empty() { document.replace("cwd: '', ", "") } else { document };
            let file = place.write("w.yaml", document);
            let mut command = place.wfx(["exec", "--format", "json"]);
            let ran =
                Ran::of(command.arg(file).env("PWD", "/elsewhere").env("OLDPWD", "/elsewhere"));
            let told = steps(&ran.json())["a"]["stdout"].as_str().unwrap().trim_end().to_owned();
            let told = std::path::Path::new(&told);
            assert_eq!(told.canonicalize().unwrap(), real.join(folder).canonicalize().unwrap());
            assert!(told.is_absolute() && !told.to_str().unwrap().contains("/./"), "{told:?}");
        }
    }
    // Who sets it means it.
    let own = place.exec("steps: [{name: a, env: {PWD: /own}, run: [printenv, PWD]}]", 0);
    assert_eq!(steps(&own)["a"]["stdout"], "/own\n");
}

#[test]
fn a_step_does_not_report_to_systemd_in_the_name_of_wfx() {
    let place = Place::new();
    let file = place.write("w.yaml", "steps: [{name: a, run: [env]}]");
    let mut command = place.wfx(["exec", "--format", "json"]);
    let names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"];
    command.envs(names.map(|name| (name, "1")));
    let ran = Ran::of(command.arg(file).env("OTHER", "1"));
    let told = steps(&ran.json())["a"]["stdout"].as_str().unwrap().to_owned();
    assert!(told.contains("OTHER=1\n"), "{told}");
    assert!(names.iter().all(|name| !told.contains(name)), "{told}");
}

#[test]
fn a_line_that_begins_with_a_dash_is_no_option() {
    let place = Place::new();
    std::fs::create_dir(place.path("bin")).unwrap();
    let tool = place.write("bin/-x", "#!/bin/sh\necho dashed");
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let execution =
        place.exec(&format!("steps: [{{name: a, env: {{PATH: '{path}'}}, run: -x}}]"), 0);
    assert_eq!(steps(&execution)["a"]["stdout"], "dashed\n");
}

/// What a step reads of the environment of wfx.
const PEEKS: &str = "id: peek\nsteps: [{name: a, run: 'tr \"\\0\" \"\\n\" < /proc/$PPID/environ; env; ls -l /proc/$PPID/fd /proc/self/fd; cat /proc/$PPID/fd/0; echo end'}]";

fn with_secrets(command: &mut Command) -> &mut Command {
    command
        .env("WFX_TOKEN", "hush-token")
        .env("SLO_ALERT_WEBHOOK_SECRET", "whsec_aHVzaA==")
        .env("SLO_ALERT_WEBHOOK_URL", "http://user:hush-hook@127.0.0.1:9/")
}

#[test]
fn steps_cannot_read_the_secrets_of_the_daemon() {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/peek.yaml", PEEKS);
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    let daemon = Daemon::of(with_secrets(&mut command));
    let request = |token: &str| {
        format!(
            "POST /api/v1/workflows/peek/execute?wait=30s HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {token}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
    };
    assert_eq!(daemon.send(&request("other")).status, 401);
    let answer = daemon.send(&request("hush-token")).json();
    let told = answer["steps"][0]["stdout"].as_str().unwrap();
    assert!(told.contains("WFX_CONFIG=") && told.ends_with("end\n"), "{told}");
    assert!(!told.contains("hush") && !told.contains("aHVzaA"), "{told}");
    assert!(!told.contains("wfx-secrets"), "{told}");
    // Its memory belongs to root: no other process of its user may look into it.
    let environment = std::fs::metadata(format!("/proc/{}/environ", daemon.child.id())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&environment), 0);
}

#[test]
fn the_memory_of_a_daemon_with_secrets_is_hidden_from_its_user() {
    if !rustix::process::geteuid().is_root() {
        skip("only root can start wfx as another user");
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/peek.yaml", PEEKS.replace("tr ", "cat /proc/$PPID/mem >&2; tr "));
    for name in ["", "home", "tmp"] {
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(place.path(name), open).unwrap();
    }
    let mut command =
        as_nobody(&place, &["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    let daemon = Daemon::of(with_secrets(&mut command));
    let answer = daemon.send(
        "POST /api/v1/workflows/peek/execute?wait=30s HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer hush-token\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    let step = &answer.json()["steps"][0];
    assert!(step["stdout"].as_str().unwrap().ends_with("end\n"), "{step}");
    let told = step["stderr"].as_str().unwrap();
    assert!(told.matches("ermission denied").count() >= 2, "{told}");
    // What wfx reads of itself it still can.
    let metrics = daemon.send(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer hush-token\r\n\
         Connection: close\r\n\r\n",
    );
    let open = metrics.body.lines().find_map(|line| line.strip_prefix("process_open_fds "));
    assert!(open.unwrap().parse::<f64>().unwrap() > 5.0, "{open:?}");
}

#[test]
fn steps_of_exec_cannot_read_its_secrets() {
    let place = Place::new();
    let mut command = place.wfx(["exec", "--format", "json", "-"]);
    // Its standard input stays its own.
    let ran = with_stdin(
        with_secrets(&mut command),
        PEEKS.replace("cat /proc/$PPID/fd/0; ", "").as_bytes(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = steps(&ran.json())["a"]["stdout"].as_str().unwrap().to_owned();
    assert!(told.contains("WFX_CONFIG=") && !told.contains("hush"), "{told}");
    assert!(!told.contains("wfx-secrets"), "{told}");
}

/// wfx, called by `env` with these options.
fn called_with(place: &Place, options: &[&str], args: &[&str]) -> Command {
    let wfx = place.wfx(args);
    let mut command = Command::new("env");
    command.args(options).arg(env!("CARGO_BIN_EXE_wfx")).args(args);
    command.current_dir(place.path("")).env_clear();
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

#[test]
fn a_caller_that_ignores_sigchld_is_no_reason_to_fail() {
    let place = Place::new();
    place.write("w.yaml", "steps: [{name: a, run: 'sleep 0.1; exit 0'}, {name: b, run: exit 3}]");
    let ran = Ran::of(&mut called_with(&place, &["--ignore-signal=CHLD"], &["exec", "w.yaml"]));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let execution = place.show("@1");
    assert_eq!(states(&execution), ["a success", "b failed"]);
    assert_eq!(steps(&execution)["b"]["exit_code"], 3);
}

#[test]
fn a_caller_that_blocks_signals_does_not_make_wfx_deaf() {
    let place = Place::new();
    place.write("w.yaml", "steps: [{name: a, run: 'echo begun; sleep 1000'}]");
    let options = ["--block-signal=TERM,INT,HUP,CHLD"];
    let mut running = Running::start(&mut called_with(&place, &options, &["exec", "-v", "w.yaml"]));
    running.wait_for("begun");
    running.signal("TERM");
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{ran:?}");
    nobody_is_left(&place);
}

#[test]
fn a_step_that_ended_in_time_while_wfx_was_stopped_has_not_timed_out() {
    for document in [
        "steps: [{name: a, timeout: 1s, run: 'echo begun; until test -e go; do sleep 0.02; done; echo > ended'}]",
        "timeout: 1s\nsteps: [{name: a, run: 'echo begun; until test -e go; do sleep 0.02; done; echo > ended'}]",
    ] {
        let place = Place::new();
        let running = start_exec(&place, document);
        running.signal("STOP");
        place.write("go", "");
        until("the step has ended", || place.path("ended").exists());
        // Only then it can be taken for one that timed out.
        let ended = std::fs::metadata(place.path("ended")).unwrap().modified().unwrap();
        until("the timeout has passed", || {
            ended.elapsed().is_ok_and(|passed| passed > std::time::Duration::from_secs(1))
        });
        running.signal("CONT");
        let ran = running.end();
        assert_eq!(ran.code, Some(0), "{document}: {ran:?}");
    }
}

#[test]
fn a_temporary_folder_that_was_removed_costs_no_step() {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/w.yaml", "steps: [{name: a, run: echo hi}]");
    let daemon = Daemon::start(&place, &["--workflows", "workflows"]);
    let run = || {
        let answer = daemon.post("/api/v1/workflows/w/execute?wait=30s", "").json();
        answer["execution"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(run(), "success");
    for entry in std::fs::read_dir(place.path("tmp")).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    assert_eq!(run(), "success");
    std::fs::remove_dir_all(place.path("tmp")).unwrap();
    assert_eq!(run(), "success");
    // Where none can be made, that is reported.
    std::fs::remove_dir_all(place.path("tmp")).unwrap();
    place.write("tmp", "");
    assert_eq!(run(), "failed");
    assert_eq!(daemon.get("/readyz").status, 503);
    std::fs::remove_file(place.path("tmp")).unwrap();
    assert_eq!(daemon.get("/readyz").status, 200);
    assert_eq!(run(), "success");
}

#[test]
fn a_pipe_in_the_place_of_a_temporary_folder_keeps_nobody_waiting() {
    let place = Place::new();
    place.exec("steps: [{name: a}]", 0);
    let pipe = place.path("tmp/wfx-1-00000000");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(place.run(["recover"]).code, Some(0));
    assert!(place.run(["doctor"]).code.is_some());
    assert!(pipe.exists());
    drop(Daemon::start(&place, &[]));
}

#[test]
fn orphans_are_reaped() {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    let run = "setsid -f sh -c \"echo \\$\\$ > pid; until test -e go; do sleep 0.02; done\"; until test -s pid; do sleep 0.02; done";
    place.write("workflows/w.yaml", format!("steps: [{{name: a, run: '{run}'}}]"));
    let daemon = Daemon::start(&place, &["--workflows", "workflows"]);
    daemon.post("/api/v1/workflows/w/execute?wait=30s", "").expect(200);
    let pid = place.read("pid");
    assert!(!is_gone(&pid));
    place.write("go", "");
    until("it is reaped", || !place.path(&format!("/proc/{}", pid.trim())).exists());
    drop(daemon);
}

/// Runs `w.yaml` by way of `program`, with wfx's environment.
fn by_way_of(place: &Place, program: &str, args: &[&str]) -> Ran {
    let wfx = place.wfx(["exec"]);
    let mut command = Command::new(program);
    command.args(args).current_dir(place.path("")).env_clear().stdin(std::process::Stdio::null());
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    Ran::of(&mut command)
}

/// Executes `w.yaml` on a terminal of its own, whose other end script(1) has.
fn on_terminal(place: &Place, wfx: &str) -> Ran {
    by_way_of(place, "script", &["-qec", &format!("{wfx} exec w.yaml"), "/dev/null"])
}

/// Executes `w.yaml` in a PID namespace of its own. Only root can arrange that.
fn in_namespace(place: &Place, options: &[&str]) -> Option<Ran> {
    let mut args = vec!["-pf"];
    args.extend(options);
    let made = Command::new("unshare").args(&args).arg("true").status();
    if !made.is_ok_and(|status| status.success()) {
        skip("no PID namespace can be made here");
        return None;
    }
    args.extend([env!("CARGO_BIN_EXE_wfx"), "exec", "w.yaml"]);
    Some(by_way_of(place, "unshare", &args))
}

/// A process in a process group of its own that ignores the request to end.
const IGNORES: &str = "import os, signal, time
os.setpgid(0, 0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open('pid.new', 'w').write(str(os.getpid()))
os.rename('pid.new', 'pid')
while True:
    time.sleep(1)
";

#[test]
fn the_end_of_a_step_does_not_free_what_another_one_left() {
    let place = Place::new();
    place.write("ignores.py", IGNORES);
    let a = "python3 ignores.py & echo $$ > leader; until test -s pid; do sleep 0.02; done";
    let b = "until test -s leader && ! kill -0 $(cat leader); do sleep 0.02; done 2> log";
    place.write(
        "w.yaml",
        format!("steps: [{{name: a, run: '{a}'}}, {{name: b, depends_on: [], run: '{b}'}}]"),
    );
    let ran = on_terminal(&place, env!("CARGO_BIN_EXE_wfx"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let pid = place.read("pid");
    let is_ended = is_gone(&pid);
    let _ = Command::new("kill").args(["-9", pid.trim()]).output();
    assert!(is_ended, "{ran:?}");
}

/// Starts a process without the environment of the step, in a process group of its own.
fn hidden(redirection: &str) -> String {
    format!(
        "env -i $(command -v timeout) 1000 sleep 1000 {redirection} & echo $! > pid; \
         until test $(ps -o pgid= -p $!) = $!; do sleep 0.02; done"
    )
}

const WRITES_STATE: &str =
    "if kill -0 $(cat pid) 2> log; then echo alive > state; else echo gone > state; fi";

#[test]
fn a_process_that_hides_ends_with_its_step_beside_others() {
    let place = Place::new();
    let a = hidden("");
    place.write(
        "w.yaml",
        format!(
            "steps: [{{name: a, run: '{a}'}}, {{name: c, run: '{WRITES_STATE}; echo > go'}},
              {{name: b, depends_on: [], run: 'until test -e go; do sleep 0.02; done'}}]"
        ),
    );
    let ran = place.run(["exec", "w.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.read("state"), "gone\n");
    assert!(is_gone(&place.read("pid")));
}

#[test]
fn a_process_that_nothing_tells_of_ends_with_the_last_step_that_ran_when_it_started() {
    let place = Place::new();
    let a = format!("until test -e runs; do sleep 0.02; done; {}", hidden("> /dev/null 2>&1"));
    // What c leaves behind makes wfx look at what is left. It began later, so is not asked for it.
    let c = "sleep 1000 & true";
    // From then on never only one runs: e does when b ends.
    let waits = |name: &str| format!("until test -e {name}; do sleep 0.02; done");
    place.write(
        "w.yaml",
        format!(
            "max_parallel: 4
steps:
  - {{name: a, run: '{a}'}}
  - {{name: c, run: '{c}'}}
  - {{name: d, run: '{WRITES_STATE}; mv state before'}}
  - {{name: e, run: 'echo > go; {}'}}
  - {{name: b, depends_on: [], run: 'echo > runs; {}'}}
  - {{name: f, run: '{WRITES_STATE}; echo > over'}}
",
            waits("over"),
            waits("go"),
        ),
    );
    let ran = place.run(["exec", "w.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let is_ended = is_gone(&place.read("pid"));
    let _ = Command::new("kill").args(["-9", place.read("pid").trim()]).output();
    assert!(is_ended);
    assert_eq!([place.read("before"), place.read("state")], ["alive\n", "gone\n"]);
}

#[test]
fn a_process_that_hides_ends_with_its_step_though_wfx_gets_those_of_others() {
    for redirection in ["", "> /dev/null 2>&1"] {
        let place = Place::new();
        let a = hidden(redirection);
        let document =
            format!("steps: [{{name: a, run: '{a}'}}, {{name: b, run: '{WRITES_STATE}'}}]");
        place.write("w.yaml", &document);
        // A shell that has a job becomes wfx.
        let line = "sleep 1000 > log 2>&1 & echo $! > job; exec \"$0\" exec w.yaml";
        let ran = by_way_of(&place, "sh", &["-c", line, env!("CARGO_BIN_EXE_wfx")]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(place.read("state"), "gone\n");
        let job = place.read("job");
        assert!(!is_gone(&job));
        Command::new("kill").arg(job.trim()).status().unwrap();

        // The first process of a container.
        let place = Place::new();
        place.write("w.yaml", &document);
        let Some(ran) = in_namespace(&place, &["--mount-proc"]) else { return };
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(place.read("state"), "gone\n");
    }
}

#[test]
fn on_a_terminal_steps_run_though_the_binary_is_replaced_or_removed() {
    for change in ["rm wfx", "echo other > new; chmod +x new; mv new wfx"] {
        let place = Place::new();
        std::fs::copy(env!("CARGO_BIN_EXE_wfx"), place.path("wfx")).unwrap();
        place.write(
            "w.yaml",
            format!(
                "steps: [{{name: a, run: '{change}'}}, {{name: b, run: 'echo fine > said'}},
                  {{name: c, run: [touch, done]}}]"
            ),
        );
        let ran = on_terminal(&place, "./wfx");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(place.read("said"), "fine\n");
        assert!(place.path("done").exists());
    }
}

#[test]
fn a_trap_of_a_shell_that_waits_for_what_it_runs_is_run() {
    // Other shells have no job control without a terminal.
    if Command::new("bash").args(["-c", "true"]).status().is_err() {
        skip("there is no bash");
        return;
    }
    let subshell = "(trap \"echo > cleaned; exit\" TERM; echo begun; sleep 1000; true)";
    let has_handler = "(trap \"echo > cleaned; exit\" TERM; sh handles.sh; true)";
    // The step's first process ends when it is asked to, or waits for the others.
    for line in [
        format!("set -m; {has_handler} & wait"),
        format!("set -m; {subshell} & wait"),
        format!("set -m; trap true TERM; {subshell} & until wait; do :; done"),
    ] {
        let place = Place::new();
        place.write("handles.sh", "trap exit TERM\necho begun\nwhile :; do sleep 0.1; done\n");
        let running =
            start_exec(&place, &format!("steps: [{{name: a, run: [bash, -c, '{line}']}}]"));
        running.signal("TERM");
        let ran = running.end();
        assert_eq!(ran.code, Some(143), "{ran:?}");
        assert!(place.path("cleaned").exists(), "{line}: {ran:?}");
        nobody_is_left(&place);
    }
}

#[test]
fn processes_of_another_namespace_are_not_taken_for_those_of_a_step() {
    let place = Place::new();
    // What is left ignores the request to end: it is killed all the same.
    let run = "sh -c \"trap : TERM; echo > ready; while :; do sleep 0.1; done\" & wait";
    let document = "steps: [{name: a, timeout: 2s, run: '".to_owned() + run + "'}]";
    place.write("w.yaml", document);
    let Some(ran) = in_namespace(&place, &[]) else { return };
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(place.path("ready").exists());
    assert_eq!(steps(&place.show("@1"))["a"]["error"], "timed out after 2s");
    let id = place.sql("SELECT execution_id FROM workflow_executions");
    until("all have ended", || processes_with(&format!("WFX_EXECUTION_ID={id}")).is_empty());
}

#[test]
fn a_step_has_no_terminal() {
    let place = Place::new();
    let run = "(read line < /dev/tty) 2> told; timeout 1000 sleep 1000 & echo $! > pid; setsid sleep 1000 & echo $! > other; until grep -q sleep /proc/$!/cmdline; do sleep 0.02; done; until test $(ps -o sid= -p $!) = $!; do sleep 0.02; done";
    place.write("w.yaml", format!("steps: [{{name: a, run: '{run}'}}]"));
    let ran = on_terminal(&place, env!("CARGO_BIN_EXE_wfx"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(place.read("told").contains("/dev/tty"), "{}", place.read("told"));
    assert!(is_gone(&place.read("pid")));
    let other = place.read("other");
    assert!(!is_gone(&other));
    Command::new("kill").arg(other.trim()).status().unwrap();
}

/// A wall clock that is an hour behind as soon as there is a file `back`.
const CLOCK: &str = "#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int outcome = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && access(\"back\", F_OK) == 0) now->tv_sec -= 3600;
    return outcome;
}
";

#[test]
fn durations_do_not_depend_on_the_wall_clock() {
    let place = Place::new();
    let source = place.write("clock.c", CLOCK);
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(place.path("clock.so"))
        .arg(source)
        .status();
    assert!(cc.unwrap().success());
    place.write(
        "w.yaml",
        "steps: [{name: a, run: 'sleep 1; echo > back'}, {name: b, run: sleep 1}]",
    );
    let mut command = place.wfx(["exec", "--format", "json", "w.yaml"]);
    let ran = Ran::of(command.env("LD_PRELOAD", place.path("clock.so")));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("execution success in 2."), "{}", ran.stderr);
    let millis = "SELECT round((julianday(completed_at) - julianday(started_at)) * 86400000)";
    let all = place.sql(&format!("{millis} FROM workflow_executions"));
    let all: f64 = all.parse().unwrap();
    assert!((2_000.0..60_000.0).contains(&all), "{all}");
    for step in place.sql(&format!("{millis} FROM workflow_execution_steps")).lines() {
        let step: f64 = step.parse().unwrap();
        assert!((1_000.0..60_000.0).contains(&step), "{step}");
    }
    let listed = place.run(["list", "--format", "plain"]).stdout;
    let listed: f64 = listed.split('\t').nth(5).unwrap().parse().unwrap();
    assert!((2_000.0..60_000.0).contains(&listed), "{listed}");
}

/// wfx as another user than root, which calls it.
fn as_nobody(place: &Place, args: &[&str]) -> Command {
    let wfx = place.wfx(args);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_wfx")])
        .args(args)
        .current_dir(place.path(""))
        .env_clear();
    for (name, value) in wfx.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

/// Puts `as-root` into the place, with which nobody can start processes of root.
fn install_as_root(place: &Place) {
    let mode = |name: &str, mode: u32| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.path(name), permissions).unwrap();
    };
    let setpriv = Ran::of(Command::new("sh").args(["-c", "command -v setpriv"])).stdout;
    std::fs::copy(setpriv.trim(), place.path("as-root")).unwrap();
    mode("as-root", 0o4755);
    for name in ["", "home", "tmp"] {
        mode(name, 0o777);
    }
}

/// Starts, as nobody, a step whose process belongs to root. Only root can arrange that.
fn start_of_root(place: &Place, step: &str) -> Option<Running> {
    if !rustix::process::geteuid().is_root() {
        skip("only root can start a process that wfx is not permitted to signal");
        return None;
    }
    install_as_root(place);
    place.write("w.yaml", format!("steps: [{{name: a, {step}}}]"));
    let mut command = as_nobody(place, &["exec", "-v", "w.yaml"]);
    let mut running = Running::start(&mut command);
    running.wait_for("begun");
    Some(running)
}

#[test]
fn a_process_that_may_not_be_signalled_keeps_nobody_waiting() {
    let as_root = "./as-root --reuid=0 --clear-groups sh -c \"echo \\$\\$ > pid; echo begun; exec sleep 1000\"";
    let leader = as_root.replace("./", "exec ./");
    for run in [leader, format!("{as_root}; echo never")] {
        let place = Place::new();
        let step = format!("run: '{run}', retry: {{max_attempts: 3}}");
        let Some(running) = start_of_root(&place, &step) else { return };
        running.signal("TERM");
        running.signal("TERM");
        let ran = running.end();
        assert_eq!(ran.code, Some(143), "{ran:?}");
        let step = &steps(&place.show("@1"))["a"];
        assert_eq!((step["status"].as_str(), step["attempt"].as_u64()), (Some("failed"), Some(1)));
        let error = step["error"].as_str().unwrap();
        let pid = place.read("pid");
        assert!(error.contains(&format!("process {} (sleep) of user 0", pid.trim())), "{error}");
        Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    }
}

#[test]
fn a_process_of_another_user_that_hides_is_named() {
    let place = Place::new();
    place.write("ignores.py", IGNORES);
    let run = "./as-root --reuid=0 --clear-groups env -i $(command -v python3) ignores.py > log 2>&1 & echo begun; until test -s pid; do sleep 0.02; done";
    let Some(running) = start_of_root(&place, &format!("run: '{run}'")) else { return };
    let ran = running.end();
    let pid = place.read("pid");
    Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let step = &steps(&place.show("@1"))["a"];
    let error = step["error"].as_str().unwrap();
    assert!(error.contains(&format!("process {} (python3", pid.trim())), "{error}");
}

#[test]
fn no_further_attempt_runs_beside_a_process_that_cannot_be_ended() {
    let place = Place::new();
    let run = "exec ./as-root --reuid=0 --clear-groups sh -c \"echo \\$\\$ > pid; echo begun; exec sleep 1000\"";
    let step = format!("run: '{run}', timeout: 500ms, retry: {{max_attempts: 3}}");
    let Some(running) = start_of_root(&place, &step) else { return };
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let step = &steps(&place.show("@1"))["a"];
    assert_eq!((step["status"].as_str(), step["attempt"].as_u64()), (Some("failed"), Some(1)));
    let error = step["error"].as_str().unwrap();
    assert!(error.starts_with("timed out after 500ms; "), "{error}");
    Command::new("kill").args(["-9", place.read("pid").trim()]).status().unwrap();
}

#[test]
fn what_cannot_be_ended_fails_no_other_step() {
    if !rustix::process::geteuid().is_root() {
        skip("only root can start a process that wfx is not permitted to signal");
        return;
    }
    // A child of the step's shell, or its first process.
    let as_root = "./as-root --reuid=0 --clear-groups sh orphans.sh > log 2>&1";
    for run in [format!("{as_root}; echo never"), format!("exec {as_root}")] {
        fails_no_other_step(&run);
    }
}

fn fails_no_other_step(run: &str) {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    install_as_root(&place);
    let orphans = "until test -e orphan; do sleep 0.02; done; (sleep 1000 & echo $! > left)";
    place.write(
        "orphans.sh",
        format!("echo $$ > pid.new; mv pid.new pid; {orphans}; exec sleep 1000"),
    );
    let a = format!("id: a\nsteps: [{{name: a, timeout: 1s, run: '{run}'}}]");
    place.write("workflows/a.yaml", a);
    place.write("workflows/b.yaml", "id: b\nsteps: [{name: b, run: echo fine}]");
    let args = ["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"];
    let daemon = Daemon::of(&mut as_nobody(&place, &args));
    let run = |name: &str| {
        let path = format!("/api/v1/workflows/{name}/execute?wait=30s");
        let answer = daemon.post(&path, "").json();
        answer["execution"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(run("b"), "success");
    assert_eq!(run("a"), "failed");
    assert_eq!([run("b"), run("b")], ["success", "success"]);
    // It goes on, and leaves orphans to wfx.
    place.write("orphan", "");
    until("there is an orphan", || {
        std::fs::read_to_string(place.path("left")).is_ok_and(|left| left.ends_with('\n'))
    });
    assert_eq!([run("b"), run("b")], ["success", "success"]);
    for pid in [place.read("left"), place.read("pid")] {
        assert!(!is_gone(&pid));
        Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    }
    until("they are reaped", || {
        !std::path::Path::new("/proc").join(place.read("pid").trim()).exists()
    });
}
