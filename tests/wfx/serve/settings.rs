//! What `serve` is told by the configuration file and by variables, as by its flags.

use super::*;

#[test]
fn the_configuration_file_says_what_is_served_where() {
    let place = place();
    std::fs::create_dir(place.path("steps")).unwrap();
    let socket = place.path("wfx.sock");
    let text = format!(
        "wfx_listen = [\"127.0.0.1:0\", \"unix:{}\"]\nwfx_listen_mode = \"0660\"\n\
         wfx_workflows = \"workflows\"\nwfx_workdir = \"steps\"\nwfx_drain_timeout = \"0s\"\n\
         wfx_access_log = \"access.log\"\n",
        socket.display()
    );
    place.write("config.toml", text);
    place.write("workflows/where.yaml", "id: where\nsteps:\n- name: a\n  run: pwd\n");
    let mut command = place.wfx(["serve", "--config", "config.toml"]);
    // A variable takes precedence over the file, and a flag over both.
    command.env("WFX_ACCESS_LOG", "other.log");
    let daemon = Daemon::of(&mut command);
    let mode = std::fs::metadata(&socket).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o660);
    let ran = daemon.post("/api/v1/workflows/where/execute?wait=30s", "").expect(200);
    let folder = place.path("steps").canonicalize().unwrap();
    assert_eq!(ran["steps"][0]["stdout"], format!("{}\n", folder.display()));
    let id = id_of(&daemon.post("/api/v1/workflows/waiting/execute", "").expect(200));
    until("it runs", || place.show(&id)["steps"][0]["status"] == "running");
    // It is not waited for: the next daemon continues it.
    daemon.stop();
    assert_eq!(place.show(&id)["execution"]["status"], "running");
    assert!(place.read("other.log").contains("/where/execute"));
    assert!(!place.path("access.log").exists());
}

#[test]
fn a_bad_value_is_refused_with_its_place() {
    let place = place();
    for (line, told) in [
        ("wfx_listen_mode = \"0999\"", "an octal mode such as 0660"),
        ("wfx_drain_timeout = \"soon\"", "a duration such as 30 or 5m"),
        ("wfx_workdir = \"missing\"", "cannot run steps in missing"),
        ("wfx_workflows = \"missing\"", "cannot read the workflows of missing"),
    ] {
        place.write("config.toml", format!("\n{line}\n"));
        let ran = place.run(["serve", "--listen", "127.0.0.1:0", "--config", "config.toml"]);
        let code = if line.contains("missing") { 3 } else { 2 };
        ran.refused(code, &[told]);
        assert!(code == 3 || ran.stderr.contains("config.toml:2"), "{}", ran.stderr);
    }
    place.run(["serve", "--listen-mode", "rw"]).refused(2, &["--listen-mode", "an octal mode"]);
}
