//! `tests/run` on a machine where programs are missing, whose package manager is a stand-in.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::support::{Place, Ran, root};

/// Writes down how it is called, and whether services could be started then.
const APT_GET: &str = r#"#!/bin/sh
echo "apt-get $*" >>"$CALLS"
case $1 in
  download) : >prometheus_1_all.deb ;;
  install)
    status=0
    "$TESTS_RUN_POLICY" a start || status=$?
    echo "policy $status" >>"$CALLS"
    exit "$INSTALL_STATUS"
    ;;
esac
"#;
const DPKG_DEB: &str = "#!/bin/sh\nexec tar -c -C \"$PACKAGE\" ./usr/bin\n";
const CARGO: &str = "#!/bin/sh\necho \"cargo $* $(command -v promtool)\" >>\"$CALLS\"\n";

fn program(place: &Place, name: &str, text: &str) {
    let path = place.write(name, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it where `xmllint` and `promtool` are missing; gives what was called.
fn run(place: &Place, install_status: &str) -> (Ran, String) {
    for folder in ["bin", "tests/wfx/page", "package/usr/bin"] {
        fs::create_dir_all(place.path(folder)).unwrap();
    }
    let page = ["tests/wfx/page/package.json", "tests/wfx/page/package-lock.json"];
    for file in ["tests/run", "tests/packages.sh"].into_iter().chain(page) {
        fs::copy(root().join(file), place.path(file)).unwrap();
    }
    for (name, text) in [
        ("bin/apt-get", APT_GET),
        ("bin/dpkg-deb", DPKG_DEB),
        ("bin/cargo", CARGO),
        ("bin/id", "#!/bin/sh\necho 0\n"),
        ("package/usr/bin/promtool", "#!/bin/sh\n"),
        ("package/usr/bin/prometheus", "#!/bin/sh\n"),
    ] {
        program(place, name, text);
    }
    for there in [
        "cc",
        "sqlite3",
        "curl",
        "openssl",
        "script",
        "python3",
        "prometheus-alertmanager",
        "chromium",
        "node",
        "npm",
    ] {
        program(place, &format!("bin/{there}"), "#!/bin/sh\n");
    }
    let search = std::env::var_os("PATH").unwrap();
    for needed in
        ["chmod", "dirname", "env", "grep", "mkdir", "mv", "rm", "sh", "tar", "kill", "cmp", "cp"]
    {
        let found = std::env::split_paths(&search).map(|folder| folder.join(needed));
        let found = found.into_iter().find(|path| path.exists()).unwrap();
        let _ = symlink(found, place.path("bin").join(needed));
    }
    let mut command = Command::new("/bin/sh");
    command
        .arg(place.path("tests/run"))
        .args(["--lib", "--", "of:mine"])
        .env_clear()
        .env("PATH", place.path("bin"))
        .env("CALLS", place.path("calls"))
        .env("PACKAGE", place.path("package"))
        .env("INSTALL_STATUS", install_status)
        .env("TESTS_RUN_POLICY", place.path("policy-rc.d"));
    let ran = Ran::of(&mut command);
    (ran, fs::read_to_string(place.path("calls")).unwrap())
}

#[test]
fn what_is_missing_is_installed_and_no_service_with_it() {
    let place = Place::new();
    let (ran, calls) = run(&place, "0");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let calls: Vec<&str> = calls.lines().collect();
    let install = calls.iter().find(|call| call.starts_with("apt-get install")).unwrap();
    let has = |word: &str| install.split(' ').any(|found| found == word);
    assert!(has("libxml2-utils") && has("--no-upgrade") && has("--no-remove"), "{install}");
    assert!(calls.iter().all(|call| !call.contains("install") || !call.contains("prometheus")));
    assert!(calls.contains(&"policy 101"), "{calls:?}");
    let promtool = place.path("target/test-tools/usr/bin/promtool");
    let cargo = format!("cargo test --locked --lib -- of:mine {}", promtool.display());
    assert_eq!(calls.last(), Some(&cargo.as_str()));
    assert!(!place.path("policy-rc.d").exists());
    assert!(!place.path("target/test-tools/prometheus_1_all.deb").exists());
}

#[test]
fn the_policy_of_the_machine_is_put_back_whatever_happens() {
    let policy = "#!/bin/sh\nexit 104\n";
    for status in ["0", "100"] {
        let place = Place::new();
        program(&place, "policy-rc.d", policy);
        let (ran, calls) = run(&place, status);
        assert_eq!(ran.code == Some(0), status == "0", "{ran:?}");
        assert_eq!(calls.contains("cargo"), status == "0", "{calls}");
        assert!(calls.contains("policy 101\n"), "{calls}");
        assert_eq!(fs::read_to_string(place.path("policy-rc.d")).unwrap(), policy);

        // One that was killed has left both.
        fs::rename(place.path("policy-rc.d"), place.path("policy-rc.d.before-tests-run")).unwrap();
        program(&place, "policy-rc.d", "#!/bin/sh\nexit 101\n");
        run(&place, "0");
        assert_eq!(fs::read_to_string(place.path("policy-rc.d")).unwrap(), policy);
        assert!(!place.path("policy-rc.d.before-tests-run").exists());
    }
}
