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

/// Debian's Alertmanager.
struct Alertmanager {
    port: u16,
    _program: Program,
}

impl Alertmanager {
    fn start(place: &Place) -> Self {
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
        let alertmanager = Self { port, _program: Program(command.spawn().unwrap()) };
        until("Alertmanager answers", || alertmanager.answer().is_some());
        alertmanager
    }

    fn answer(&self) -> Option<Vec<Value>> {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts", self.port);
        let output = Command::new("curl").args(["-sf", &url]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The alerts that it shows.
    fn alerts(&self) -> Vec<Value> {
        self.answer().unwrap()
    }

    /// Makes it the channel `ops`.
    fn channel(&self, place: &Place, more: &str) {
        let url = format!("http://127.0.0.1:{}/", self.port);
        let text = format!("[notify.ops]\ntype = \"alertmanager\"\nurl = \"{url}\"\n{more}\n");
        channel(place, &text);
    }
}

#[test]
fn alertmanager_shows_and_resolves_what_is_sent() {
    let place = Place::new();
    let alertmanager = Alertmanager::start(&place);
    alertmanager.channel(&place, "labels = { team = \"data\" }");
    place.exec(FAILS, 1);
    let shown = alertmanager.alerts();
    assert_eq!(shown.len(), 1, "{shown:?}");
    let mut labels = shown[0]["labels"].as_object().unwrap().clone();
    let instance = labels.remove("instance").unwrap();
    let number = instance.as_str().unwrap().strip_prefix("wfx-").unwrap();
    assert!(u32::from_str_radix(number, 16).unwrap() > 0, "{instance}");
    let expected =
        json!({"alertname": "WfxFailed", "event": "failed", "team": "data", "workflow": "etl"});
    assert_eq!(Value::Object(labels), expected);
    assert_eq!(shown[0]["annotations"]["summary"], "wfx: etl failed");
    assert_eq!(shown[0]["annotations"]["output"], "no rows");
    assert_eq!(shown[0]["status"]["state"], "active");
    place.exec_with(FAILS, &["-p", "code=0"], 0);
    until("it is resolved", || alertmanager.alerts().is_empty());
    assert_eq!(history(&place, &["--state", "accepted"]).len(), 2);
}

/// The same workflow on two databases, each with processes that come and go.
#[test]
fn alerts_of_two_databases_do_not_resolve_each_other() {
    let places = [Place::new(), Place::new()];
    let alertmanager = Alertmanager::start(&places[0]);
    for place in &places {
        alertmanager.channel(place, "");
        std::fs::create_dir(place.path("workflows")).unwrap();
        place.write("workflows/etl.yaml", FAILS);
        let daemon = serve(place);
        run(&daemon, "etl", "");
        until("it was sent", || history(place, &["--state", "accepted"]).len() == 1);
        daemon.stop();
    }
    assert_eq!(alertmanager.alerts().len(), 2);
    for (place, left) in places.iter().zip([1, 0]) {
        let daemon = serve(place);
        run(&daemon, "etl", r#"{"params": {"code": 0}}"#);
        until("it was sent", || history(place, &["--state", "accepted"]).len() == 2);
        until("its alert is resolved", || alertmanager.alerts().len() == left);
        daemon.stop();
    }
    // A name of one's own is as good.
    for (place, name) in places.iter().zip(["etl-1", "etl-2"]) {
        alertmanager.channel(place, &format!("labels = {{ instance = \"{name}\" }}"));
        place.exec(FAILS, 1);
    }
    let mut names: Vec<String> =
        alertmanager.alerts().iter().map(|it| it["labels"]["instance"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"etl-1\"", "\"etl-2\""]);
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
        let body = mail["body"].as_str().unwrap().replace("\r\n", "\n");
        assert!(body.contains("Step: load") && body.contains("wfx retry"), "{body}");
        let (_, output) = body.split_once("Last lines of output:\n").expect(&body);
        assert!(output.contains("Bcc: victim"), "{body}");
        assert!(output.trim_end().lines().all(|line| line.starts_with("    ")), "{body}");
        for trap in ["http://evil", "@here", "<!channel"] {
            assert!(!body.contains(trap), "{body}");
        }
    }
}
