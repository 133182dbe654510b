//! Tokens, their names, and who started what.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::client::{WAITING, place, run_served, serve};
use crate::daemon::Daemon;
use crate::support::{Place, Ran};

fn trigger(place: &Place, id: &str) -> Value {
    place.show(id)["execution"]["trigger"].clone()
}

fn own_name() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// `wfx` over TCP with a token in a file.
fn with_token(place: &Place, daemon: &Daemon, token: &str, args: &[&str]) -> Ran {
    let file = place.write("own-token", token);
    let server = format!("http://{}", daemon.address);
    let mut command = place.wfx(args);
    Ran::of(command.args(["--server", &server, "--token-file"]).arg(file))
}

#[test]
fn who_started_it_is_recorded_and_shown() {
    let place = place(&[("one", "steps: [{name: a}]"), ("waiting", WAITING)]);
    place.write("tokens", "# who may\nann ann-s3cret\n\nci.deploy ci-s3cret\n");
    let daemon = serve(&place, &["--token-file", "tokens"]);
    let user = own_name();
    let by = |kind: &str, by: &str| json!({"kind": kind, "by": by, "schedule": null, "scheduled_at": null});
    for (token, name) in [("ann-s3cret", "ann"), ("x ci-s3cret", "ci.deploy")] {
        let ran = with_token(&place, &daemon, token, &["start", "one", "--wait"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(trigger(&place, "@latest"), by("api", name));
        let ran = with_token(&place, &daemon, token, &["replay", "@latest"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(trigger(&place, "@latest"), by("replay", name));
    }
    assert_eq!(run_served(&place, &["start", "one", "--wait"]).code, Some(0));
    assert_eq!(trigger(&place, "@latest"), by("api", &user));
    place.exec("steps: [{name: a}]", 0);
    assert_eq!(trigger(&place, "@latest"), by("cli", &user));
    assert_eq!(place.run(["replay", "@1"]).code, Some(0));
    assert_eq!(trigger(&place, "@latest"), by("replay", &user));

    assert_eq!(run_served(&place, &["start", "waiting"]).code, Some(0));
    let ran = with_token(&place, &daemon, "ann-s3cret", &["cancel", "waiting"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown = place.run(["show", "waiting"]);
    assert!(shown.stdout.contains(&format!("started by {user} (API)")), "{shown:?}");
    assert!(shown.stdout.contains("asked for by ann"), "{shown:?}");
    let listed = place.list();
    assert_eq!(listed["items"][0]["cancel_requested_by"], "ann");
    assert_eq!(listed["items"][7]["trigger"], by("api", "ann"));
    daemon.stop();
}

#[test]
fn nobody_is_named_where_nobody_is_known() {
    let place = place(&[("one", "steps: [{name: a}]")]);
    let daemon = serve(&place, &[]);
    let server = format!("http://{}", daemon.address);
    let ran = place.run(["start", "one", "--wait", "--server", &server]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(trigger(&place, "@1")["by"], Value::Null);
    assert!(place.run(["show", "@1"]).stdout.contains("started by API\n"));
    daemon.stop();
}

#[test]
fn an_execution_that_is_recovered_keeps_who_started_it() {
    let place = place(&[("waiting", &WAITING.replace("run:", "retry: {max_attempts: 2}\n  run:"))]);
    let daemon = serve(&place, &[]);
    assert_eq!(run_served(&place, &["start", "waiting"]).code, Some(0));
    let before = trigger(&place, "@1");
    daemon.signal("KILL");
    daemon.end();
    place.write("go", "");
    let daemon = serve(&place, &[]);
    crate::support::until("it ends", || place.show("@1")["execution"]["status"] == "success");
    assert_eq!(
        (trigger(&place, "@1"), before["by"].as_str()),
        (before.clone(), Some(&*own_name()))
    );
    daemon.stop();
}

#[test]
fn a_token_is_wanted_and_never_shown() {
    let place = place(&[("one", "steps: [{name: a}]")]);
    place.write("tokens", "ann t0p-s3cret\n");
    let daemon = serve(&place, &["--token-file", "tokens"]);
    let server = format!("http://{}", daemon.address);
    place
        .run(["list", "--server", &server])
        .refused(3, &["wants a token", "--token-file", "WFX_TOKEN", &server]);
    for args in [&["list"][..], &["start", "one"], &["replay", "@1"], &["cancel", "@1"]] {
        let ran = with_token(&place, &daemon, "wr0ng-s3cret", args);
        ran.refused(3, &["does not accept the token"]);
        assert!(!format!("{ran:?}").contains("s3cret"), "{ran:?}");
    }
    // By the variable, also of commands that otherwise start anew without it.
    for args in [&["start", "one", "--wait"][..], &["replay", "@1"], &["list"]] {
        let mut command = place.wfx(args);
        let ran = Ran::of(command.args(["--server", &server]).env("WFX_TOKEN", "t0p-s3cret"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let log = daemon.stop();
    assert!(!log.stderr.contains("s3cret"), "{log:?}");
}

#[test]
fn a_file_of_tokens_that_is_none_names_the_line() {
    let place = place(&[]);
    for (text, told) in [
        ("", "no token"),
        ("# nothing\n", "no token"),
        ("ann s3cret\nt0ken\n", "line 2"),
        ("a,b s3cret\n", "line 1"),
        ("ann s3cret\nbob s3cret\n", "lines 1 and 2"),
        ("ann s3cret more\n", "line 1"),
    ] {
        place.write("tokens", text);
        let ran = place.run(["serve", "--listen", "127.0.0.1:0", "--token-file", "tokens"]);
        ran.refused(2, &[told, "tokens", "NAME TOKEN"]);
        assert!(!ran.stderr.contains("s3cret") && !ran.stderr.contains("t0ken"), "{ran:?}");
    }
    // A client has one.
    place.write("tokens", "ann s3cret\nbob t0ken\n");
    let args = ["list", "--server", "http://127.0.0.1:1", "--token-file", "tokens"];
    let ran = place.run(args);
    ran.refused(2, &["2 tokens"]);
    assert!(!ran.stderr.contains("s3cret") && !ran.stderr.contains("t0ken"), "{ran:?}");
}

/// What answers each request with what it was sent, as some proxies do.
fn repeating() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            // Neither is an execution: one says why, the other does not fit.
            let is_refused = head.contains("/refused");
            let status = if is_refused { "500 x" } else { "200 OK" };
            let body = match is_refused {
                true => json!({ "detail": head }),
                false => json!({ "execution": head }),
            };
            let kind = if is_refused { "problem+json" } else { "json" };
            let (body, length) = (body.to_string(), body.to_string().len());
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/{kind}\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

#[test]
fn a_token_that_comes_back_is_not_shown() {
    let place = Place::new();
    let server = repeating();
    for id in ["refused", "misfit"] {
        let mut command = place.wfx(["show", id, "--server", &server]);
        let ran = Ran::of(command.env("WFX_TOKEN", "t0p-s3cret"));
        ran.refused(3, &["Bearer [token]", &server]);
        assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
    }
}
