//! Receivers that others wrote: Alertmanager and a mail server of Debian.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};

use super::*;

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What hostile documents have in their names and errors.
const HOSTILE: &str = r#"id: etl
notify: [{to: ops}]
steps:
  - name: load
    run: |
      printf '<!channel> @here [x](http://evil.example)\r\nBcc: victim@example.com\r\n\r\nbody\n' >&2
      exit 1
    title: "<!channel>\r\nBcc: victim@example.com"
"#;

#[test]
fn alertmanager_shows_and_resolves_what_is_sent() {
    let place = Place::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.write("am.yaml", "route: {receiver: none}\nreceivers: [{name: none}]\n");
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", place.path("am.yaml").display()))
        .arg(format!("--storage.path={}", place.path("am").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _alertmanager = Program(command.spawn().unwrap());
    let alerts = || -> Option<Value> {
        let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
        let output = Command::new("curl").args(["-sf", &url]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    };
    until("Alertmanager answers", || alerts().is_some());
    let url = format!("http://127.0.0.1:{port}/");
    channel(
        &place,
        &format!(
            "[notify.ops]\ntype = \"alertmanager\"\nurl = \"{url}\"\nlabels = {{ team = \"data\" }}\n"
        ),
    );
    place.exec(FAILS, 1);
    let shown = alerts().unwrap();
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    let labels =
        json!({"alertname": "WfxFailed", "event": "failed", "team": "data", "workflow": "etl"});
    assert_eq!(shown[0]["labels"], labels);
    assert_eq!(shown[0]["annotations"]["summary"], "wfx: etl failed");
    assert_eq!(shown[0]["status"]["state"], "active");
    place.exec_with(FAILS, &["-p", "code=0"], 0);
    until("it is resolved", || alerts().unwrap() == json!([]));
    assert_eq!(history(&place, &["--state", "accepted"]).len(), 2);
}

fn mail_server(place: &Place, mode: &str, tls: bool) -> (Program, u16) {
    let folder = place.path(mode);
    std::fs::create_dir(&folder).unwrap();
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wfx/notifications/smtp_server.py");
    let has_it = |python: &&&str| {
        let tried = Command::new(python).args(["-c", "import aiosmtpd"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].iter().find(has_it).unwrap();
    let mut command = Command::new(python);
    command.arg(script).arg(&folder).arg(mode);
    if tls {
        command.args([place.path("cert.pem"), place.path("key.pem")]);
    }
    let server = Program(command.spawn().unwrap());
    let port = folder.join("port");
    until("the mail server listens", || port.exists());
    (server, std::fs::read_to_string(port).unwrap().parse().unwrap())
}

#[test]
fn a_mail_server_receives_mail_that_a_parser_accepts() {
    let place = Place::new();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"])
        .arg(place.path("cert.pem"))
        .arg("-keyout")
        .arg(place.path("key.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for (mode, url, tls, user) in [
        ("plain", "smtp://localhost:PORT", false, Value::Null),
        ("starttls", "smtp://localhost:PORT?tls=required", true, Value::Null),
        ("smtps", "smtps://localhost:PORT", true, Value::Null),
        ("login", "smtp://wfx@localhost:PORT", true, json!("wfx")),
    ] {
        let (_server, port) = mail_server(&place, mode, tls);
        place.write("password", "p:w@d\n");
        let password = if mode == "login" { "password_file = \"password\"\n" } else { "" };
        let smtp = url.replace("PORT", &port.to_string());
        channel(
            &place,
            &format!(
                "[notify.ops]\ntype = \"email\"\nsmtp = \"{smtp}\"\n{password}from = \"wfx <wfx@example.com>\"\n\
             to = [\"ops@example.com\", \"On Call <call@example.com>\"]\n"
            ),
        );
        let document = HOSTILE.replace("etl", &format!("etl-{mode}"));
        let file = place.write("w.yaml", document);
        let mut command = place.wfx(["exec"]);
        let ran = Ran::of(command.arg(file).env("SSL_CERT_FILE", place.path("cert.pem")));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(!ran.stderr.contains("not accepted"), "{mode} {ran:?}");
        let mail: Value =
            serde_json::from_str(&place.read(&format!("{mode}/mail-1.json"))).unwrap();
        assert_eq!(
            (&mail["tls"], &mail["user"], &mail["defects"]),
            (&json!(tls), &user, &json!([]))
        );
        assert_eq!(mail["to"], json!(["ops@example.com", "call@example.com"]));
        let headers: Vec<(&str, &str)> = mail["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(header("Subject"), format!("wfx: etl-{mode} failed"));
        assert_eq!(header("Auto-Submitted"), "auto-generated");
        let id = history(&place, &[])[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(header("Message-ID"), format!("<{id}@example.com>"));
        assert!(headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("bcc")), "{headers:?}");
        let body = mail["body"].as_str().unwrap();
        assert!(body.contains("Step: load") && body.contains("wfx retry"), "{body}");
        for trap in ["http://evil", "@here", "<!channel"] {
            assert!(!body.contains(trap), "{body}");
        }
    }
}
