//! Notifications: from the end of an execution to receivers that accept, refuse, hang or are real.

mod crashes;
mod output;
mod real_receivers;
mod service_levels;

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::receiver::{CLOSES, HANGS, Post, Receiver};
use crate::support::{Place, Ran, Running, until};

const FAILS: &str = "id: etl
params: {code: 1}
notify: [{to: [ops]}]
steps: [{name: load, run: 'echo \"no rows\" >&2; exit $WFX_PARAM_CODE'}]
";

/// A place with a channel `ops` of the type webhook.
fn place_with(receiver: &Receiver, more: &str) -> Place {
    let place = Place::new();
    let url = receiver.url("/hook/key");
    channel(&place, &format!("[notify.ops]\ntype = \"webhook\"\nurl = \"{url}\"\n{more}"));
    place
}

fn channel(place: &Place, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let file = place.write("config.toml", text);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn serve(place: &Place) -> Daemon {
    std::fs::create_dir_all(place.path("workflows")).unwrap();
    Daemon::start(place, &["--workflows", "workflows"])
}

#[track_caller]
fn run(daemon: &Daemon, workflow: &str, body: &str) -> Value {
    daemon.post(&format!("/api/v1/workflows/{workflow}/execute?wait=60s"), body).expect(200)
}

fn history(place: &Place, more: &[&str]) -> Vec<Value> {
    let ran = Ran::of(place.wfx(["notify", "history", "--format", "json"]).args(more));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json()["items"].as_array().unwrap().clone()
}

fn event(post: &Post) -> String {
    post.json()["type"].as_str().unwrap().to_owned()
}

#[test]
fn a_failure_is_notified_once_and_so_is_its_end() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "secret = \"whsec_a2V5\"\n");
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/etl.yaml", FAILS);
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    let daemon = Daemon::of(command.args(["--public-url", "https://wfx.example/"]));
    let first = run(&daemon, "etl", "")["execution"].clone();
    run(&daemon, "etl", "");
    run(&daemon, "etl", r#"{"params": {"code": 0}}"#);
    run(&daemon, "etl", r#"{"params": {"code": 0}}"#);
    let (failed, recovered) = (receiver.next(), receiver.next());
    assert_eq!(failed.line, "POST /hook/key HTTP/1.1");
    let body = failed.json();
    assert_eq!(body["type"], "failed");
    let data = &body["data"];
    assert_eq!((&data["workflow_id"], &data["status"]), (&json!("etl"), &json!("failed")));
    assert_eq!(data["execution_id"], first["execution_id"]);
    assert_eq!(
        (&data["step"], &data["error"]),
        (&json!("load"), &json!("step `load` failed: exit code 1"))
    );
    let id = first["execution_id"].as_str().unwrap();
    assert_eq!(data["url"], format!("https://wfx.example/executions/{id}"));
    assert_eq!(data["trigger"]["kind"], "api");
    let header = |name: &str| failed.header(name).unwrap();
    let signed =
        format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), failed.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
    assert_eq!(event(&recovered), "recovered");
    assert_eq!(recovered.json()["data"]["resolves"], "failed");
    until("both are settled", || history(&place, &["--state", "accepted"]).len() == 2);
    // The API has the same, page by page.
    let page = daemon.get("/api/v1/notifications?limit=1").expect(200);
    assert_eq!(page["items"][0]["event"], "recovered");
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = daemon.get(&format!("/api/v1/notifications?limit=1&cursor={cursor}")).expect(200);
    assert_eq!(page["items"][0]["event"], "failed");
    assert_eq!(page["next_cursor"], Value::Null);
    daemon.get(&format!("/api/v1/notifications?state=pending&cursor={cursor}")).expect(400);
    let metrics = daemon.get("/metrics").body;
    assert!(
        metrics.contains(r#"wfx_notifications_total{channel="ops",outcome="accepted"} 2"#),
        "{metrics}"
    );
    daemon.stop();
    assert!(receiver.rest().is_empty());
}

#[test]
fn failures_are_counted_before_they_are_notified() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let rules = "notify: [{to: [ops], after_failures: 3}]";
    let document = FAILS.replace("notify: [{to: [ops]}]", rules);
    for code in ["1", "1", "0", "1", "1", "1", "1"] {
        place.exec_with(&document, &["-p", &format!("code={code}")], i32::from(code == "1"));
    }
    let post = receiver.next();
    assert_eq!((event(&post).as_str(), &post.json()["data"]["in_a_row"]), ("failed", &json!(3)));
    assert!(receiver.rest().is_empty());
}

#[test]
fn the_default_of_the_settings_holds_where_a_workflow_says_nothing() {
    let receiver = Receiver::start(&[]);
    let place = Place::new();
    let url = receiver.url("/");
    let channels =
        format!("[notify]\ndefault = [\"ops\"]\n[notify.ops]\ntype = \"slack\"\nurl = \"{url}\"\n");
    channel(&place, &channels);
    place.exec(&FAILS.replace("notify: [{to: [ops]}]", "notify: none"), 1);
    assert!(history(&place, &[]).is_empty());
    place.exec(&FAILS.replace("notify: [{to: [ops]}]\n", ""), 1);
    assert_eq!(receiver.next().json()["text"], "wfx: etl failed");
    // A folder decides for its workflows.
    place.write("_defaults.yaml", "notify: none");
    place.exec(&FAILS.replace("notify: [{to: [ops]}]\n", "").replace("etl", "other"), 1);
    assert_eq!(history(&place, &[]).len(), 1);
    assert!(receiver.rest().is_empty());
}

#[test]
fn a_cancel_is_no_failure_and_handlers_change_no_outcome() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "id: etl
notify: [{to: ops, on: [failed, recovered, cancelled, handler_failed]}]
steps: [{name: load, run: exit 1}]
on_failure: [{name: tell, run: 'touch began; while [ ! -e go ]; do sleep 0.01; done; exit 3'}]
";
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/etl.yaml", document);
    place.write(
        "workflows/waits.yaml",
        "notify: [{to: ops, on: [cancelled]}]\nsteps: [{name: a, sleep: 1h}]\n",
    );
    let daemon = serve(&place);
    let started = daemon.post("/api/v1/workflows/etl/execute", "").expect(200);
    // Before its handler has ended.
    let failed = receiver.next();
    assert_eq!(
        (event(&failed).as_str(), &failed.json()["data"]["step"]),
        ("failed", &json!("load"))
    );
    until("the handler begins", || place.path("began").exists());
    place.write("go", "");
    let handler = receiver.next();
    assert_eq!(
        (event(&handler).as_str(), &handler.json()["data"]["step"]),
        ("handler_failed", &json!("tell"))
    );
    assert_eq!(handler.json()["data"]["execution_id"], started["execution_id"]);
    let waits = daemon.post("/api/v1/workflows/waits/execute", "").expect(200);
    let id = waits["execution_id"].as_str().unwrap();
    daemon.post(&format!("/api/v1/workflows/executions/{id}/cancel"), "").expect(200);
    assert_eq!(event(&receiver.next()), "cancelled");
    daemon.stop();
    assert!(receiver.rest().is_empty());
}

#[test]
fn nobody_hears_of_the_end_of_what_nobody_heard_of() {
    let receiver = Receiver::start(&["400 Bad Request"]);
    let place = place_with(&receiver, "");
    place.exec(FAILS, 1);
    assert_eq!(event(&receiver.next()), "failed");
    place.exec_with(FAILS, &["-p", "code=0"], 0);
    let states: Vec<_> = history(&place, &[]).iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["dropped", "given_up"]);
    assert!(receiver.rest().is_empty());
}

/// A receiver that refuses, such as one whose address was mistyped, hides no later failure.
#[test]
fn what_was_given_up_is_told_with_the_next_failure() {
    let receiver = Receiver::start(&["404 Not Found"]);
    let place = place_with(&receiver, "");
    let file = place.write("fails.yaml", FAILS);
    let ran = Ran::of(place.wfx(["exec", "--quiet"]).arg(&file));
    let given_up = "a notification to the channel `ops` was given up: `wfx notify history`";
    assert!(ran.stderr.contains(given_up), "{ran:?}");
    assert_eq!(event(&receiver.next()), "failed");
    for _ in 0..2 {
        let ran = Ran::of(place.wfx(["exec", "--quiet"]).arg(&file));
        assert!(!ran.stderr.contains("given up"), "{ran:?}");
    }
    let second = receiver.next().json();
    assert_eq!((&second["type"], &second["data"]["in_a_row"]), (&json!("failed"), &json!(2)));
    assert_eq!(Ran::of(place.wfx(["exec", "-p", "code=0"]).arg(&file)).code, Some(0));
    // Somebody knows of it since: the third failure was none of its own, and its end is told.
    assert_eq!(event(&receiver.next()), "recovered");
    assert!(receiver.rest().is_empty());
}

/// Each line of an answer makes the client read all of them again.
#[test]
fn a_mail_server_with_an_endless_greeting_delays_no_other_channel() {
    use std::io::Write;
    let greets = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = greets.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in greets.incoming().map_while(Result::ok) {
            // Until nobody reads any more.
            while stream.write_all(&b"220-\r\n".repeat(1_000)).is_ok() {}
        }
    });
    let receiver = Receiver::start(&[]);
    let place = place_with(
        &receiver,
        &format!(
            "[notify.bad]\ntype = \"email\"\nsmtp = \"smtp://{address}?tls=none\"\n\
             from = \"wfx@example.com\"\nto = [\"ops@example.com\"]\n"
        ),
    );
    let ran = place.run(["notify", "test", "--format", "json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let tested = ran.json()["tested"].as_array().unwrap().clone();
    let accepted = |name: &str| {
        let found = tested.iter().find(|it| it["channel"] == name).unwrap();
        found["accepted"].as_bool().unwrap()
    };
    assert_eq!((accepted("ops"), accepted("bad")), (true, false), "{ran:?}");
}

#[test]
fn a_temporary_failure_is_tried_again_under_the_same_id() {
    let receiver = Receiver::start(&[
        CLOSES,
        "503 Service Unavailable\r\nRetry-After: 1",
        "307 T\r\nLocation: /x",
    ]);
    let place = place_with(&receiver, "");
    place.exec(FAILS, 1);
    let posts = [receiver.next(), receiver.next(), receiver.next(), receiver.next()];
    for post in &posts {
        assert_eq!(post.header("webhook-id"), posts[0].header("webhook-id"));
        assert_eq!((&post.line, &post.body), (&posts[0].line, &posts[0].body));
    }
    assert_eq!(history(&place, &[])[0]["attempts"], 4);
}

/// Answers the first connection with other bytes than HTTP, the second byte by byte without an end,
/// and those that follow as they should; gives the id of each request.
fn garbles() -> (String, std::sync::mpsc::Receiver<String>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, ids) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if let Some(id) = line.strip_prefix("webhook-id: ") {
                        let _ = sender.send(id.trim().to_owned());
                    }
                    line.clear();
                }
                let stream = reader.get_mut();
                match index {
                    0 => _ = stream.write_all(&[0xff; 4_096]),
                    1 => {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
                        while stream.write_all(b"x").is_ok() {
                            std::thread::sleep(std::time::Duration::from_millis(100));
                        }
                    }
                    _ => _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"),
                }
            });
        }
    });
    (url, ids)
}

#[test]
fn a_receiver_that_garbles_or_drips_is_tried_again() {
    let (url, ids) = garbles();
    let place = Place::new();
    channel(&place, &format!("[notify.ops]\ntype = \"webhook\"\nurl = \"{url}\"\n"));
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/etl.yaml", FAILS);
    let daemon = serve(&place);
    run(&daemon, "etl", "");
    let ids: Vec<String> = (0..3).map(|_| ids.recv().unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    until("it is settled", || history(&place, &["--state", "accepted"]).len() == 1);
    daemon.stop();
}

#[test]
fn a_dead_channel_delays_no_other() {
    let (dead, alive) = (Receiver::start(&[HANGS; 32]), Receiver::start(&[]));
    let more = format!("[notify.dead]\ntype = \"webhook\"\nurl = \"{}\"\n", dead.url("/"));
    let place = place_with(&alive, &more);
    std::fs::create_dir(place.path("workflows")).unwrap();
    for number in 0..5 {
        let document = FAILS.replace("[ops]", "[dead, ops]").replace("id: etl\n", "");
        place.write(&format!("workflows/w{number}.yaml"), document);
    }
    let daemon = serve(&place);
    for number in 0..5 {
        run(&daemon, &format!("w{number}"), "");
        let post = alive.next();
        assert_eq!(post.json()["data"]["workflow_id"], format!("w{number}"));
    }
    assert_eq!(dead.next().line, "POST / HTTP/1.1");
    let pending = || history(&place, &["--state", "pending", "--channel", "dead"]).len();
    assert_eq!(pending(), 5);
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains(r#"wfx_notifications_pending{channel="dead"} 5"#), "{metrics}");
    daemon.stop();
}

#[test]
fn exec_leaves_to_a_daemon_what_it_delivers() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let mut daemon = serve(&place);
    place.exec(FAILS, 1);
    assert_eq!(event(&receiver.next()), "failed");
    assert!(daemon.wait_for_log("sent a notification").contains("ops"));
    daemon.stop();
    // Without one it waits for the receiver.
    place.exec(&FAILS.replace("etl", "other"), 1);
    assert_eq!(history(&place, &["--state", "accepted"]).len(), 2);
    // What no channel is there for is said, and waits.
    let file = place.write("other.yaml", FAILS.replace("[ops]", "[pager]"));
    let ran = Ran::of(place.wfx(["exec"]).arg(file));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("no channel `pager`"), "{ran:?}");
}

#[test]
fn a_recovery_of_many_sends_what_they_notify() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let waits = "echo begun >>begun; until test -e go; do sleep 0.02; done; exit 1";
    let running: Vec<Running> = ["one", "two"]
        .map(|id| {
            let document =
                format!("id: {id}\nnotify: [{{to: ops}}]\nsteps: [{{name: a, run: '{waits}'}}]");
            let file = place.write(&format!("{id}.yaml"), document);
            Running::start(place.wfx(["exec"]).arg(file))
        })
        .into();
    let begun = || std::fs::read_to_string(place.path("begun")).unwrap_or_default();
    until("both have begun", || begun().lines().count() == 2);
    for process in running {
        process.signal("KILL");
        process.end();
    }
    place.write("go", "");
    let ran = place.run(["recover"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let mut sent: Vec<String> = receiver
        .rest()
        .iter()
        .map(|post| post.json()["data"]["workflow_id"].as_str().unwrap().to_owned())
        .collect();
    sent.sort();
    assert_eq!(sent, ["one", "two"], "{ran:?}");
    assert_eq!(history(&place, &["--state", "accepted"]).len(), 2);
}

#[test]
fn two_daemons_send_each_once() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    std::fs::create_dir(place.path("workflows")).unwrap();
    for number in 0..20 {
        place.write(&format!("workflows/w{number}.yaml"), FAILS.replace("id: etl\n", ""));
    }
    let daemons = [serve(&place), serve(&place)];
    for number in 0..20 {
        run(&daemons[number % 2], &format!("w{number}"), "");
    }
    let mut ids: Vec<String> =
        (0..20).map(|_| receiver.next().header("webhook-id").unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    until("all are settled", || history(&place, &["--state", "accepted"]).len() == 20);
    daemons.into_iter().for_each(|daemon| drop(daemon.stop()));
    assert!(receiver.rest().is_empty());
}

#[test]
fn an_incident_that_stays_open_is_notified_again() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = FAILS.replace("notify: [{to: [ops]}]", "notify: [{to: ops, remind: 24h}]");
    place.exec(&document, 1);
    assert_eq!(event(&receiver.next()), "failed");
    place.exec(&document, 1);
    assert!(receiver.rest().is_empty());
    // A day later.
    place.sql("UPDATE workflow_incident_channels SET remind_at = '2020-01-01T00:00:00.000000Z'");
    let daemon = serve(&place);
    let reminder = receiver.next().json();
    assert_eq!(
        (&reminder["type"], &reminder["data"]["reminder"]),
        (&json!("failed"), &json!(true))
    );
    assert_eq!(reminder["data"]["in_a_row"], 2);
    daemon.stop();
}

#[test]
fn a_test_waits_for_the_answer() {
    let receiver = Receiver::start(&[]);
    let refuses = Receiver::start(&["403 Forbidden"]);
    let more =
        format!("[notify.chat]\ntype = \"slack\"\nurl = \"{}\"\n", refuses.url("/secret-path"));
    let place = place_with(&receiver, &more);
    let ran = place.run(["notify", "test", "ops"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(receiver.next().json()["data"]["test"], true);
    let ran = place.run(["notify", "test"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("403"), "{ran:?}");
    assert!(!format!("{ran:?}").contains("secret-path"), "{ran:?}");
    receiver.next();
    // It is not tried again.
    refuses.next();
    let states: Vec<_> =
        history(&place, &["--channel", "chat"]).iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["given_up"]);
    place.run(["notify", "test", "none-such"]).refused(2, &["none-such"]);
    // With a daemon, its channels.
    let daemon = serve(&place);
    let server = format!("http://{}", daemon.address);
    let mut command =
        place.wfx(["notify", "test", "ops", "--event", "recovered", "--format", "json"]);
    let ran = Ran::of(command.args(["--server", &server]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["tested"][0]["accepted"], true);
    assert_eq!(event(&receiver.next()), "recovered");
    let mut command = place.wfx(["notify", "history", "--limit", "1", "--format", "json"]);
    let ran = Ran::of(command.args(["--server", &server]));
    assert_eq!(ran.json()["items"][0]["event"], "recovered");
    daemon.stop();
}

#[test]
fn heartbeats_come_while_commits_succeed() {
    let receiver = Receiver::start(&[]);
    let place = Place::new();
    let url = receiver.url("/beat");
    channel(
        &place,
        &format!("[notify.watch]\ntype = \"heartbeat\"\nurl = \"{url}\"\nevery = \"1s\"\n"),
    );
    let mut daemon = serve(&place);
    assert_eq!(receiver.next().line, "GET /beat HTTP/1.1");
    assert_eq!(receiver.next().line, "GET /beat HTTP/1.1");
    let database = place.database();
    let away = place.path("away.db");
    std::fs::rename(&database, &away).unwrap();
    daemon.wait_for_log("no heartbeat");
    receiver.rest();
    std::fs::rename(&away, &database).unwrap();
    daemon.wait_for_log("heartbeats are sent again");
    receiver.next();
    daemon.stop();
}

/// Commits succeed, and still no scheduled time would be decided.
#[test]
fn no_heartbeat_comes_while_schedules_are_not_decided() {
    let receiver = Receiver::start(&[]);
    let place = Place::new();
    let url = receiver.url("/beat");
    channel(
        &place,
        &format!("[notify.watch]\ntype = \"heartbeat\"\nurl = \"{url}\"\nevery = \"1s\"\n"),
    );
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/s.yaml", "schedule: {every: 1s}\nsteps: [{name: a}]\n");
    place.write("workflows/plain.yaml", "steps: [{name: a}]\n");
    let mut daemon = serve(&place);
    let deciding_none = Daemon::start(&place, &["--workflows", "workflows", "--no-schedules"]);
    receiver.next();
    place.sql("ALTER TABLE workflow_pauses RENAME TO away");
    daemon.wait_for_log("no heartbeat");
    daemon.post("/api/v1/workflows/plain/execute?wait=60s", "").expect(200);
    // The other daemon decides nothing, and is well.
    receiver.rest();
    receiver.next();
    deciding_none.stop();
    receiver.rest();
    place.sql("ALTER TABLE away RENAME TO workflow_pauses");
    daemon.wait_for_log("heartbeats are sent again");
    receiver.next();
    daemon.stop();
}

#[test]
fn channels_are_checked_and_their_secrets_hidden() {
    let place = Place::new();
    for (text, told) in [
        ("[notify.ops]\ntype = \"slck\"\nurl = \"http://x/\"\n", "`slck` is no type"),
        ("[notify.ops]\nurl = \"http://x/\"\n", "`type` is missing"),
        ("[notify.ops]\ntype = \"slack\"\nurll = \"http://x/\"\n", "did you mean `url`?"),
        ("[notify.ops]\ntype = \"slack\"\nurl = \"ftp://x/secret\"\n", "neither http nor https"),
        ("[notify.ops]\ntype = \"slack\"\n", "`url` is missing"),
        ("[notify.ops]\ntype = \"slack\"\nurl_file = \"none\"\n", "cannot read none"),
        (
            "[notify.ops]\ntype = \"email\"\nsmtp = \"smtps://u@h\"\nfrom = \"a@b\"\nto = [\"c@d\"]\n",
            "no password",
        ),
        (
            "[notify.ops]\ntype = \"email\"\nsmtp = \"smtp://h\"\nfrom = \"a@b\"\nto = [\"c\"]\n",
            "`c` is no mail address",
        ),
        (
            "[notify.pd]\ntype = \"pagerduty\"\nrouting_key = \"k\"\nseverity = \"bad\"\n",
            "`bad` is no severity",
        ),
        (
            "[notify.ops]\ntype = \"slack\"\nurl = \"http://x/\"\noutput_lines = 51\n",
            "`output_lines` takes a whole number from 0 to 50",
        ),
        (
            "[notify.ops]\ntype = \"slack\"\nurl = \"http://x/\"\noutput_lines = \"all\"\n",
            "`output_lines` takes a whole number",
        ),
        (
            "[notify.w]\ntype = \"heartbeat\"\nurl = \"http://x/\"\noutput_lines = 1\n",
            "`output_lines` is no key of the type heartbeat",
        ),
        ("[notify]\ndefault = [\"none-such\"]\n", "no channel `none-such`"),
        ("slo_notify = [\"none-such\"]\n", "no channel `none-such`"),
        ("notify = 3\n", "`notify` is a table"),
        (
            "[notify.am]\ntype = \"alertmanager\"\nurl = \"http://x\"\nlabels_file = \"l\"\n",
            "`labels_file` is no key of the type alertmanager",
        ),
        (
            "[notify.w]\ntype = \"heartbeat\"\nurl = \"http://x\"\nevery_file = \"l\"\n",
            "`every_file` is no key",
        ),
        (
            "[notify.ops]\ntype = \"email\"\nsmtp = \"smtp://h\"\nfrom = \"a@b\"\nto = [3]\n",
            "`to` takes an address or a list",
        ),
        (
            "[notify.ops]\ntype = \"email\"\nsmtp = \"smtps://u@h\"\npassword = \"\"\nfrom = \"a@b\"\nto = \"c@d\"\n",
            "no password",
        ),
        (
            "[notify]\ndefault = [\"w\"]\n[notify.w]\ntype = \"heartbeat\"\nurl = \"http://x\"\n",
            "`w` is a heartbeat",
        ),
        (
            "slo_notify = [\"w\"]\n[notify.w]\ntype = \"heartbeat\"\nurl = \"http://x\"\n",
            "`w` is a heartbeat",
        ),
    ] {
        channel(&place, text);
        let ran = place.run(["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.code, Some(2), "{text} {ran:?}");
        assert!(
            ran.stderr.contains(told)
                && ran.stderr.contains("config.toml:") | ran.stderr.contains("SLO"),
            "{text} {ran:?}"
        );
        assert!(!ran.stderr.contains("secret"), "{ran:?}");
    }
    // Of a file or a variable.
    let receiver = Receiver::start(&[]);
    place.write("url", format!("{}\n", receiver.url("/of-file/secret")));
    channel(&place, "[notify.ops]\ntype = \"slack\"\nurl_file = \"url\"\n");
    for command in ["config", "doctor"] {
        let ran = place.run([command]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!format!("{ran:?}").contains("secret\""), "{ran:?}");
        assert!(format!("{ran:?}").contains("others can read"), "{ran:?}");
    }
    assert!(receiver.rest().is_empty());
    let mut command = place.wfx(["notify", "test", "ops"]);
    command.env("WFX_NOTIFY_OPS_URL", receiver.url("/of-variable"));
    assert_eq!(Ran::of(&mut command).code, Some(0));
    assert_eq!(receiver.next().line, "POST /of-variable HTTP/1.1");
    // A channel that cannot be reached is found without sending.
    channel(&place, "[notify.ops]\ntype = \"slack\"\nurl = \"http://127.0.0.1:1/\"\n");
    let ran = place.run(["doctor"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("cannot be reached"), "{ran:?}");
    // An unknown channel is a warning, since another machine may have it.
    let file = place.write("w.yaml", FAILS.replace("[ops]", "[pager]"));
    let ran = Ran::of(place.wfx(["validate"]).arg(file));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("`pager`"), "{ran:?}");
}

#[test]
fn a_variable_belongs_to_one_channel() {
    let place = Place::new();
    channel(
        &place,
        "[notify.a-b]\ntype = \"slack\"\n[notify.A_b]\ntype = \"webhook\"\nurl = \"http://x/\"\n",
    );
    let mut command = place.wfx(["notify", "test"]);
    let ran = Ran::of(command.env("WFX_NOTIFY_A_B_URL", "http://x/secret"));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("WFX_NOTIFY_A_B_URL would also be"), "{ran:?}");
    assert!(!ran.stderr.contains("secret"), "{ran:?}");
}

#[test]
fn steps_cannot_read_the_secrets_of_channels() {
    let place = Place::new();
    let file = place.write("w.yaml", "steps: [{name: a, run: 'env >seen'}]");
    let mut command: Command = place.wfx(["exec"]);
    command.arg(file).env("WFX_NOTIFY_OPS_URL", "http://x/of-variable");
    assert_eq!(Ran::of(&mut command).code, Some(0));
    assert!(!place.read("seen").contains("of-variable"));
}

#[test]
fn notify_is_checked_as_the_rest_of_a_document() {
    let place = Place::new();
    for (text, told) in [
        ("[{to: ops, on: [fialed]}]", "did you mean `failed`?"),
        ("[{on: [failed]}]", "`to` is missing"),
        ("[{to: []}]", "`to` names no channel"),
        ("[{to: 'a b'}]", "cannot be the name of a channel"),
        ("[{to: ops, after_failures: 0}]", "whole number from 1"),
        ("[{to: ops, remind: 1s}]", "at least a minute"),
        ("nobody", "takes a list of rules, or `none`"),
        ("[]", "takes a list of rules, or `none`"),
        ("[{to: ops, after: 3}]", "is not known"),
    ] {
        let file = place.write("w.yaml", format!("notify: {text}\nsteps: [{{name: a}}]"));
        let ran = Ran::of(place.wfx(["validate"]).arg(file));
        assert_eq!(ran.code, Some(2), "{text} {ran:?}");
        assert!(ran.stderr.contains(told), "{text} {ran:?}");
    }
    let file = place.write(
        "w.yaml",
        "notify: [{to: ops, on: missed}, {to: [a, b], remind: 24h}]\nsteps: [{name: a}]",
    );
    assert_eq!(Ran::of(place.wfx(["validate"]).arg(file)).code, Some(0));
}

#[test]
fn what_no_daemon_delivers_for_a_day_is_logged_when_it_is_given_up() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = FAILS.replace("to: [ops]", "to: [nobody]");
    place.exec_with(&document, &[], 1);
    place.sql("UPDATE workflow_notifications SET next_at = '2026-01-01T00:00:00.000000Z'");
    let id = history(&place, &["--state", "pending"])[0]["id"].as_str().unwrap().to_owned();
    let mut daemon = serve(&place);
    let line = daemon.wait_for_log("no daemon had its channel for a day");
    assert!(line.contains(&id) && line.contains("nobody") && line.contains("ERROR"), "{line}");
    assert_eq!(history(&place, &["--state", "given_up"])[0]["id"], id.as_str());
    daemon.stop();
    assert!(receiver.rest().is_empty());
}

#[test]
fn a_cancel_of_what_a_dead_process_ran_delivers_its_notification() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "notify: [{to: ops, on: [cancelled]}]\nsteps: [{name: a, sleep: 1h}]\n";
    let file = place.write("waits.yaml", document);
    let running = Running::start(place.wfx(["exec"]).arg(file));
    let runs = "SELECT count(*) FROM workflow_execution_steps WHERE status = 'running'";
    let has_tables = "SELECT count(*) FROM sqlite_schema";
    until("it runs", || {
        place.database().exists() && place.sql(has_tables) != "0" && place.sql(runs) == "1"
    });
    running.signal("KILL");
    running.end();
    let ran = place.run(["cancel", "@1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(event(&receiver.next()), "cancelled");
    assert_eq!(history(&place, &["--state", "accepted"]).len(), 1);
}

#[test]
fn what_was_retried_is_notified_once_and_a_replay_resolves_it() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "id: etl
notify: [{to: ops}]
steps:
  - {name: load, run: 'echo x >> tries; [ -e good ]', retry: {max_attempts: 3, backoff: 1ms}}
";
    place.exec_with(document, &[], 1);
    let failed = receiver.next().json();
    assert_eq!(failed["type"], "failed");
    assert_eq!(place.read("tries").lines().count(), 3);
    assert!(receiver.rest().is_empty(), "no attempt is notified but the last");
    place.write("good", "");
    let ran = place.run(["replay", "@1", "--failed"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let over = receiver.next().json();
    assert_eq!((&over["type"], &over["data"]["resolves"]), (&json!("recovered"), &json!("failed")));
    assert_eq!(over["data"]["since"], failed["data"]["since"]);
    assert!(receiver.rest().is_empty());
}
