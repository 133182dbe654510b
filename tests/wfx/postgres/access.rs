//! Who may use a database, and what is none of wfx: each is refused with a message that says what to
//! do, and without the password.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::proxy::Proxy;
use super::server::Server;
use crate::support::{Place, Ran};

#[track_caller]
fn refused(place: &Place, url: &str, code: i32, words: &[&str]) {
    for command in ["exec w.yaml", "list"] {
        let args = command.split(' ');
        let ran = Ran::of(place.wfx(args).args(["--store", url]));
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{command}: {word}: {ran:?}");
        }
        assert!(!ran.stderr.contains("secret") && !ran.stderr.contains("wrong-one"), "{ran:?}");
    }
}

fn place() -> Place {
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'true'}]\n");
    place
}

#[test]
fn a_password_is_checked_and_never_shown() {
    let mut server = Server::empty();
    server.init("scram-sha-256");
    server.begin();
    server.make_database();
    let place = place();
    let at =
        |user: &str| format!("postgres://{user}@127.0.0.1:{}/runs?sslmode=disable", server.port);
    refused(&place, &at("wfx:wrong-one"), 3, &["authentication failed", "PGPASSFILE"]);
    refused(&place, &at("nobody:secret"), 3, &["authentication failed", "PGPASSFILE"]);
    refused(&place, &at("wfx"), 3, &["password"]);
    let run = |command: &mut Command| {
        let ran = Ran::of(command);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    run(place.wfx(["exec", "w.yaml", "--store"]).arg(at("wfx:secret")));
    // The password from a file, or the whole URL.
    let file = place.write("pgpass", format!("127.0.0.1:{}:runs:wfx:secret\n", server.port));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    run(place.wfx(["exec", "w.yaml", "--store"]).arg(at("wfx")).env("PGPASSFILE", &file));
    let file = place.write("url", at("wfx:secret"));
    run(place.wfx(["list", "--store"]).arg(format!("@{}", file.display())));
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let server = Server::start();
    let place = place();
    refused(&place, &server.url("none"), 3, &["\"none\" does not exist", "createdb"]);
    let doctor = Ran::of(&mut Server::wfx_at(&server.url("none"), &place, &["doctor"]));
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("createdb"), "{doctor:?}");
}

#[test]
fn a_database_of_something_else_is_left_as_it_is() {
    let server = Server::start();
    let place = place();
    // Somebody else's tables do not matter, in a schema of another name.
    server.sql("CREATE TABLE workflow_executions (theirs int)");
    server.run(&place, &["exec", "w.yaml"], 0);
    let columns = "SELECT string_agg(column_name, ',') FROM information_schema.columns \
                   WHERE table_schema = 'public' AND table_name = 'workflow_executions'";
    assert_eq!(server.sql(columns), "theirs");
    // Under the name of wfx they do.
    assert!(server.psql("postgres", "CREATE DATABASE theirs").is_some());
    assert!(server.psql("theirs", "CREATE SCHEMA wfx CREATE TABLE fence (theirs int)").is_some());
    refused(&place, &server.url("theirs"), 3, &["a schema named wfx that wfx did not make"]);
    let tables = "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'wfx'";
    assert_eq!(server.psql("theirs", tables).as_deref(), Some("fence"));
}

#[test]
fn rights_that_are_missing_are_named() {
    let server = Server::start();
    let place = place();
    server.sql("CREATE ROLE guest LOGIN");
    let url = server.url("runs").replace("wfx@", "guest@");
    let exec = |code| {
        let ran = Ran::of(&mut Server::wfx_at(&url, &place, &["exec", "w.yaml"]));
        assert_eq!(ran.code, Some(code), "{ran:?}");
        ran
    };
    exec(3).refused(3, &["permission denied", "let the role make its schema"]);
    server.run(&place, &["exec", "w.yaml"], 0);
    exec(3).refused(3, &["permission denied", "let the role make its schema"]);
    let stored = server.sql("SELECT count(*) FROM wfx.workflow_executions");
    assert_eq!(stored, "1");
    server.sql("GRANT wfx TO guest");
    exec(0);
}

/// A certificate for 127.0.0.1, valid from now on or over since long.
fn certificate(server: &Server, name: &str, is_expired: bool) {
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(server.path("")).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{args}");
    };
    openssl(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout data/server.key \
         -out {name} -subj /CN=db -addext subjectAltName=IP:127.0.0.1 -days 2"
    ));
    if is_expired {
        let days = "-days -1";
        openssl(&format!("x509 -in {name} -signkey data/server.key {days} -out {name}.old"));
        fs::rename(server.path(&format!("{name}.old")), server.path(name)).unwrap();
    }
    fs::copy(server.path(name), server.path("data/server.crt")).unwrap();
    for file in ["data/server.key", "data/server.crt"] {
        fs::set_permissions(server.path(file), fs::Permissions::from_mode(0o600)).unwrap();
        server.own(file);
    }
}

#[test]
fn certificates_are_always_checked() {
    let mut server = Server::empty();
    server.init("trust");
    server.configure("ssl = on");
    certificate(&server, "good.pem", false);
    server.begin();
    server.make_database();
    let place = place();
    let url = |more: &str| format!("postgres://wfx@127.0.0.1:{}/runs{more}", server.port);
    let root = format!("sslrootcert={}", server.path("good.pem").display());
    // Nobody knows who has signed it.
    refused(&place, &url(""), 3, &["certificate", "sslrootcert"]);
    refused(&place, &url("?sslmode=require"), 3, &["certificate", "sslrootcert"]);
    let run = |url: &str| Ran::of(place.wfx(["exec", "w.yaml"]).env("WFX_STORE", url));
    let ran = run(&url(&format!("?sslmode=verify-full&{root}")));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl WHERE ssl";
    assert!(server.psql("runs", encrypted).is_some());
    // Another name than that of the certificate.
    let other = url(&format!("?sslmode=require&{root}")).replace("127.0.0.1", "localhost");
    refused(&place, &other, 3, &["certificate"]);
    certificate(&server, "old.pem", true);
    server.sql("SELECT pg_reload_conf()");
    let root = format!("sslrootcert={}", server.path("old.pem").display());
    crate::support::until("the new certificate counts", || {
        let ran = run(&url(&format!("?sslmode=require&{root}")));
        ran.code == Some(3) && ran.stderr.contains("xpired")
    });
}

#[test]
fn a_server_that_is_too_old_is_refused() {
    let server = Server::start();
    let place = place();
    let number: i64 = server.sql("SHOW server_version_num").parse().unwrap();
    // What it answers when it is asked for its version, as an older one would.
    let old: i64 = 130_000 + number % 10_000;
    let rewrites = vec![(number.to_be_bytes().to_vec(), old.to_be_bytes().to_vec())];
    let proxy = Proxy::rewriting(server.port, rewrites);
    refused(&place, &Server::url_at(proxy.port, "runs"), 3, &["wfx needs PostgreSQL 14 or later"]);
    assert_eq!(server.sql("SELECT to_regnamespace('wfx') IS NULL"), "t");
}

#[test]
fn a_newer_schema_is_refused_and_an_older_wfx_writes_nothing() {
    let server = Server::start();
    let place = place();
    server.run(&place, &["exec", "w.yaml"], 0);
    server.sql("UPDATE wfx.workflow_settings SET value = '99' WHERE name = 'schema_version'");
    refused(&place, &server.url("runs"), 3, &["a newer wfx", "use that wfx"]);
    let doctor = server.run(&place, &["doctor"], 1);
    assert!(doctor.stdout.contains("a newer wfx"), "{doctor:?}");
    assert_eq!(server.sql("SELECT count(*) FROM wfx.workflow_executions"), "1");
}
