//! Daemons that are not there, that are none, and that break off.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use crate::client::{place, run_served, serve, socket};
use crate::daemon::Daemon;
use crate::support::Place;

/// What answers each request with these bytes and closes the connection.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(bytes);
        }
    });
    format!("http://{address}")
}

#[test]
fn what_is_no_daemon_is_named_with_a_remedy() {
    let place = Place::new();
    for (bytes, told) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"[..], "as wfx does"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx", "502"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n", "elsewhere.example"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]", "not as expected"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"items\"", "broke off"),
        (b"", "broke off"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 55\r\n\r\n{\"status\":404,\"detail\":\"there is nothing at `/api/v1/x`\"}", "broke off"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 57\r\n\r\n{\"status\":404,\"detail\":\"there is nothing at `/api/v1/x`\"}", "older"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: 63\r\n\r\n{\"status\":400,\"detail\":\"the query has an unknown key `output`\"}", "older"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: 47\r\n\r\n{\"status\":503,\"detail\":\"wfx is being stopped\"} ", "being stopped"),
    ] {
        let server = answering(bytes);
        let ran = place.run(["list", "--server", &server]);
        ran.refused(3, &["help:"]);
        let said = told == "broke off" || ran.stderr.contains(told);
        assert!(said, "{told}: {ran:?}");
        assert!(ran.stderr.contains(&server), "{ran:?}");
        assert_eq!(ran.stdout, "");
    }
    // A path that leads to another service looks as an older daemon does.
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 43\r\n\r\n{\"detail\":\"there is nothing at `/ops/api`\"}";
    let server = format!("{}/ops", answering(missing));
    place.run(["list", "--server", &server]).refused(3, &["older", "the path `/ops`"]);
    // Of a start nobody knows whether it was taken.
    let server = answering(b"HTTP/1.1 200 OK\r\nContent-Le");
    place.run(["start", "x", "--server", &server]).refused(3, &["broke off", "wfx list"]);
}

#[test]
fn a_daemon_that_is_not_there_is_named_with_a_remedy() {
    let place = place(&[]);
    run_served(&place, &["list"]).refused(3, &["there is no socket", "wfx.sock", "wfx serve"]);
    place
        .run(["list", "--server", "http://127.0.0.1:1"])
        .refused(3, &["nobody listens on http://127.0.0.1:1", "wfx serve"]);
    place
        .run(["list", "--server", "http://no-such-host.invalid:1", "--insecure"])
        .refused(3, &["no-such-host.invalid", "--server"]);
    place.write("wfx.sock", "");
    run_served(&place, &["list"]).refused(3, &["wfx.sock is no socket", "--server"]);
    std::fs::remove_file(socket(&place)).unwrap();
    let folder = format!("unix:{}", place.path("workflows").display());
    place.run(["list", "--server", &folder]).refused(3, &["workflows is no socket", "--server"]);
    // The file of a daemon that died.
    drop(std::os::unix::net::UnixListener::bind(socket(&place)).unwrap());
    run_served(&place, &["list"]).refused(3, &["nobody listens", "wfx.sock"]);
    std::fs::remove_file(socket(&place)).unwrap();
    let daemon = serve(&place, &[]);
    assert_eq!(run_served(&place, &["list"]).code, Some(0));
    let mode = std::fs::metadata(socket(&place)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.stop();
}

#[test]
fn what_contradicts_itself_is_refused() {
    let place = Place::new();
    let file = place.write("token", "s3cret");
    let token = file.to_str().unwrap();
    for (args, told) in [
        (&["list", "--server", "unix:s", "--db", "x.db"][..], "--server and --db"),
        (&["list", "--server", "ftp://x"], "--server"),
        (&["list", "--server", "https://u:s3cret@x"], "--token-file"),
        (&["list", "--server", "http://192.0.2.1:8080"], "--insecure"),
        (&["list", "--token-file", token], "--server"),
        (&["list", "--insecure"], "--server"),
        (&["replay", "@1", "--server", "unix:s", "--with", "x.yaml"], "--with"),
        (&["replay", "@1", "--server", "unix:s", "--max-steps", "3"], "--max-steps"),
        (&["cancel", "@1", "--server", "unix:s", "--store-timeout", "3s"], "--store-timeout"),
    ] {
        let ran = place.run(args);
        ran.refused(2, &[told, "help:"]);
        assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
    }
    // A flag beats variables; the variable of the daemon beats that of the database.
    let server = "unix:nowhere.sock";
    let with = |args: &[&str]| crate::support::Ran::of(place.wfx(args).env("WFX_SERVER", server));
    with(&["list"]).refused(3, &["nowhere.sock"]);
    place.exec("steps: [{name: a}]", 0);
    let database = place.database();
    let ran = with(&["list", "--db", database.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // What works with a database only does not mind.
    assert_eq!(with(&["purge", "--dry-run", "5"]).code, Some(0));
    assert_eq!(with(&["exec", "workflow.yaml", "--quiet"]).code, Some(0));
    // The file gives way to a variable.
    place.write("config.toml", "wfx_server = \"unix:nowhere.sock\"\n");
    assert_eq!(place.run(["list"]).code, Some(0));
    let ran = crate::support::Ran::of(place.wfx(["list"]).env_remove("WFX_DB"));
    ran.refused(3, &["nowhere.sock"]);
}

/// Between commands and a daemon: closes each connection after its answer without saying so.
fn closing(daemon: &Daemon) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let to = daemon.address;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut up = TcpStream::connect(to).unwrap();
            let request = message(&mut stream);
            let request = request.replace(&address.to_string(), &to.to_string());
            up.write_all(request.as_bytes()).unwrap();
            stream.write_all(message(&mut up).as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

/// One request or answer, with its body.
fn message(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn a_change_is_never_sent_over_a_connection_that_may_just_be_closed() {
    let place = place(&[("one", "steps: [{name: a}]")]);
    let daemon = serve(&place, &[]);
    let server = closing(&daemon);
    let ran = place.run(["start", "one", "--wait", "--server", &server]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for _ in 0..10 {
        for command in ["pin", "unpin", "replay"] {
            let ran = place.run([command, "@1", "--server", &server]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
    }
    assert_eq!(place.list()["total"], 11);
    daemon.stop();
}
