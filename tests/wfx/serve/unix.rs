//! Unix sockets, whose file says who may connect.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::*;
use crate::support::{Place, Ran};

fn ask(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: wfx\r\nConnection: close\r\n\r\n")
}

fn address(socket: &Path) -> String {
    format!("unix:{}", socket.display())
}

fn refused(place: &Place, socket: &Path, why: &str) {
    let ran: Ran = place.run(["serve", "--listen", &address(socket)]);
    ran.refused(3, &[&address(socket), why]);
}

#[test]
fn the_file_decides_and_no_token_is_needed() {
    let place = place();
    let socket = place.path("wfx.sock");
    let log = place.path("access.log");
    let mut daemon = Daemon::start(
        &place,
        &[
            "--listen",
            &address(&socket),
            "--token-file",
            place.write("token", "s3cret\n").to_str().unwrap(),
            "--workflows",
            place.path("workflows").to_str().unwrap(),
            "--access-log",
            log.to_str().unwrap(),
        ],
    );
    daemon.wait_for_log(&address(&socket));
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // TCP needs the token, the socket does not, whatever the host is called.
    assert_eq!(daemon.get("/api/v1/ping").status, 401);
    assert!(ask(&socket, &get("/api/v1/ping")).starts_with("HTTP/1.1 200"));
    let start = "POST /api/v1/workflows/greet/execute?wait=30s HTTP/1.1\r\nHost: any.example\r\n\
                 Connection: close\r\nContent-Length: 0\r\n";
    let started = ask(&socket, &format!("{start}\r\n"));
    assert!(started.starts_with("HTTP/1.1 200") && started.contains("hello world"), "{started}");
    // What a proxy hands on of a browser.
    for (origin, status) in [("http://any.example", "200"), ("http://evil.example", "403")] {
        let answer = ask(&socket, &format!("{start}Origin: {origin}\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{origin}: {answer}");
    }
    let user = std::fs::metadata(place.path("workflows")).unwrap().uid();
    let expected = format!(r#""remote":"unix:uid={user}""#);
    until("the access log names the user", || {
        std::fs::read_to_string(&log).unwrap_or_default().contains(&expected)
    });
    daemon.stop();
    assert!(!socket.exists());
}

#[test]
fn an_abandoned_socket_is_replaced_and_nothing_else_is() {
    let place = place();
    let socket = place.path("wfx.sock");
    // A process that died leaves its file.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let mut daemon =
        Daemon::start(&place, &["--listen", &address(&socket), "--listen-mode", "660"]);
    daemon.wait_for_log(&address(&socket));
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let other = Place::new();
    refused(&other, &socket, "a process listens there");
    assert!(ask(&socket, &get("/healthz")).starts_with("HTTP/1.1 200"));
    // Another process put its own there: that stays.
    std::fs::remove_file(&socket).unwrap();
    let own = UnixListener::bind(&socket).unwrap();
    daemon.stop();
    assert!(socket.exists());
    drop(own);
    let file = place.write("file", "precious");
    refused(&other, &file, "no socket");
    assert_eq!(place.read("file"), "precious");
    refused(&other, &place.path("missing/wfx.sock"), "No such file");
    refused(&other, &place.path(&"x".repeat(200)), "path");
    let ran = other.run(["serve", "--listen", "unix:"]);
    ran.refused(2, &["WFX_LISTEN", "unix:/run/wfx.sock"]);
    let ran = other.run(["serve", "--listen-mode", "0999"]);
    ran.refused(2, &["--listen-mode", "0660"]);
}

#[test]
fn another_user_is_let_in_by_the_mode_only() {
    let place = place();
    let folder = std::fs::metadata(place.path("workflows")).unwrap();
    if folder.uid() != 0 {
        // Only root can become another user.
        return;
    }
    // Others may pass through the folders, so that the file alone decides.
    let mut above = place.path("");
    while above != Path::new("/") {
        let mode = std::fs::metadata(&above).unwrap().permissions().mode();
        std::fs::set_permissions(&above, PermissionsExt::from_mode(mode | 0o011)).unwrap();
        above.pop();
        if above == Path::new("/tmp") {
            break;
        }
    }
    for (mode, expected) in [("0600", "000"), ("0666", "200")] {
        let socket = place.path("wfx.sock");
        let mut daemon =
            Daemon::start(&place, &["--listen", &address(&socket), "--listen-mode", mode]);
        daemon.wait_for_log(&address(&socket));
        let asked = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "--silent"])
            .args(["--output", "/dev/null", "--write-out", "%{http_code}", "--unix-socket"])
            .arg(&socket)
            .arg("http://wfx/api/v1/ping")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout), expected, "{mode}");
        daemon.stop();
    }
}
