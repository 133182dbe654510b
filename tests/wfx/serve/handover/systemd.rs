//! What systemd is notified of, and the units.

use std::os::unix::net::UnixDatagram;

use super::*;
use crate::support::root;

fn hear(socket: &UnixDatagram, text: &str) -> String {
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let mut buffer = [0; 512];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let heard = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if heard.lines().any(|line| line == text) {
            return heard;
        }
    }
}

#[test]
fn systemd_learns_of_the_new_main_process() {
    let place = place();
    let program = place.path("wfx");
    symlink(env!("CARGO_BIN_EXE_wfx"), &program).unwrap();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    let wfx = place.wfx(["serve", "--listen", "127.0.0.1:0"]);
    // systemd names the process that is to send signs of life.
    let mut command = Command::new("sh");
    let script = "export WATCHDOG_PID=$$; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(&program).args(wfx.get_args());
    command.env_clear().current_dir(place.path(""));
    command.envs(wfx.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "100000");
    let mut service = Service::of(&mut command, &place);
    hear(&socket, "READY=1");
    hear(&socket, "WATCHDOG=1");
    for _ in 0..2 {
        service.reload();
        let reloading = hear(&socket, "RELOADING=1");
        assert!(reloading.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading}");
        // One datagram: it is from the old main process, the only one that may say so.
        let handed_over = hear(&socket, &format!("MAINPID={}", service.pid));
        assert!(handed_over.lines().any(|line| line == "READY=1"), "{handed_over}");
        until("the old one has ended", || service.family() == [service.pid]);
        hear(&socket, "WATCHDOG=1");
    }
    service::executable(&program, "#!/bin/sh\nexit 1\n");
    service.signal("USR2");
    hear(&socket, "RELOADING=1");
    let failed = hear(&socket, "READY=1");
    assert!(failed.contains("STATUS=not reloaded: ") && !failed.contains("MAINPID"), "{failed}");
    service.signal("TERM");
    hear(&socket, "STOPPING=1");
    until("all have ended", || service.family().is_empty());
}

#[test]
fn the_units_fit_the_daemon() {
    for name in ["packaging/systemd/wfx.service", "packaging/systemd/wfx-sandboxed.service"] {
        let unit = std::fs::read_to_string(root().join(name)).unwrap();
        let value = |key: &str| {
            let found = unit.lines().filter_map(|line| line.split_once('='));
            let found: Vec<_> = found.filter(|(name, _)| *name == key).map(|(_, it)| it).collect();
            assert_eq!(found.len(), 1, "{name}: {key}");
            found[0].to_owned()
        };
        assert_eq!(value("Type"), "notify");
        assert_eq!(value("ExecReload"), "/bin/kill -USR2 $MAINPID");
        assert_eq!(value("Restart"), "always");
        assert_eq!(value("KillMode"), "mixed");
        // The default lets the main process alone notify systemd, which is enough.
        assert!(!unit.contains("NotifyAccess="), "{name}");
        let start = value("ExecStart");
        let arguments: Vec<&str> = start.split(' ').skip(1).collect();
        let ran = crate::support::Place::new().run([&arguments[..], &["--help"]].concat());
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
        // More than the daemon takes to drain.
        let stop: u32 = value("TimeoutStopSec").parse().unwrap();
        assert!(stop >= 30 + 15, "{name}");
        assert_eq!(unit.contains("DynamicUser=yes"), name.contains("sandboxed"));
        if !name.contains("sandboxed") {
            assert_eq!(value("User"), "wfx");
        }
        // Where it is installed, systemd itself reads it.
        let folder = tempfile::tempdir().unwrap();
        let installed = folder.path().join(std::path::Path::new(name).file_name().unwrap());
        let unit = unit.replace("/usr/local/bin/wfx", env!("CARGO_BIN_EXE_wfx"));
        std::fs::write(&installed, unit).unwrap();
        let mut verify = Command::new("systemd-analyze");
        if let Ok(output) = verify.args(["verify", "--man=no"]).arg(&installed).output() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let own = told.lines().filter(|line| line.contains("wfx"));
            assert_eq!(own.collect::<Vec<_>>(), [] as [&str; 0]);
        }
    }
    let docs = std::fs::read_to_string(root().join("docs/daemon.md")).unwrap();
    let unit = std::fs::read_to_string(root().join("packaging/systemd/wfx.service")).unwrap();
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    let shown = lines.collect::<Vec<_>>().join("\n");
    assert!(docs.contains(&format!("```ini\n{shown}\n```")), "docs/daemon.md shows another unit");
}
