//! The web page: over plain HTTP, and in a real browser.

mod sections;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::daemon::{Answer, Daemon};
use crate::support::{Place, root, until};

const EXECUTIONS: &str = "/api/v1/workflows/executions";

const ETL: &str = r#"id: etl
description: "Loads <b>orders</b>"
params: {day: "2026-11-28"}
steps:
- {name: extract, run: "echo extracted 18,402 rows"}
- name: load
  run: "echo copy part-1; echo copy part-2; echo 'ERROR: duplicate key' >&2; exit 1"
  depends_on: [extract]
  retry: {max_attempts: 3, backoff: 30ms}
- {name: publish, run: "true", depends_on: [load]}
on_failure:
- {name: unlock, run: echo unlocked}
"#;

const TYPED: &str = "id: typed
params:
  n: {type: int, min: 1, max: 9, default: 3, description: How many}
  env: {enum: [dev, prod], default: dev}
  flag: {type: bool, default: false}
  text: plain
steps:
- {name: show, run: 'echo \"$WFX_PARAM_N $WFX_PARAM_ENV $WFX_PARAM_FLAG $WFX_PARAM_TEXT\"'}
";

const WAITING: &str = "id: waiting
steps:
- {name: wait, run: 'until test -e go; do sleep 0.02; done'}
- {name: after, depends_on: [wait]}
";

const HOLD: &str = "id: hold
concurrency: {group: deploy, limit: 1}
steps:
- {name: hold, run: 'until test -e released; do sleep 0.02; done'}
- {name: after, depends_on: [hold]}
";

const HOSTILE: &str = r#"id: hostile
name: "<img src=x onerror='window.pwned=1'>"
params: {p: "</textarea><script>window.pwned=1</script>"}
steps:
- name: write
  title: "<script>window.pwned = 1</script>"
  run: |
    echo '<script>window.pwned = 1</script>'
    printf '\033[31mred\033[0m \007\n'
    printf 'a\000b\n'
    printf '\377\376 broken\n'
    printf '"'"'"'&amp;\n'
    head -c 62000 /dev/zero | tr '\0' x; echo
"#;

const SPREAD: &str = "id: spread
steps:
- {name: short}
- {name: middle, depends_on: [short]}
- {name: late, depends_on: [middle]}
";

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    for (name, text) in [
        ("etl", ETL),
        ("typed", TYPED),
        ("waiting", WAITING),
        ("hold", HOLD),
        ("hostile", HOSTILE),
        ("spread", SPREAD),
    ] {
        place.write(&format!("workflows/{name}.yaml"), text);
    }
    place
}

fn serve(place: &Place, more: &[&str]) -> Daemon {
    let mut args = vec!["--workflows", "workflows"];
    args.extend(more);
    Daemon::start(place, &args)
}

/// Runs a workflow to its end, and gives its id.
fn run(daemon: &Daemon, workflow: &str) -> String {
    let path = format!("/api/v1/workflows/{workflow}/execute?wait=60s");
    let ended = daemon.post(&path, "").expect(200);
    assert!(!ended["execution"]["completed_at"].is_null(), "{ended}");
    ended["execution"]["execution_id"].as_str().unwrap().to_owned()
}

fn start(daemon: &Daemon, workflow: &str) -> String {
    let path = format!("/api/v1/workflows/{workflow}/execute");
    daemon.post(&path, "").expect(200)["execution_id"].as_str().unwrap().to_owned()
}

fn execution(daemon: &Daemon, id: &str) -> Value {
    daemon.get(&format!("{EXECUTIONS}/{id}")).expect(200)
}

/// A form as a browser of this server's page sends it, with further lines of its head.
fn form(daemon: &Daemon, path: &str, body: &str, lines: &str) -> Answer {
    let origin = format!("Origin: http://{}\r\n", daemon.address);
    form_from(daemon, path, body, &format!("{origin}Sec-Fetch-Site: same-origin\r\n{lines}"))
}

fn form_from(daemon: &Daemon, path: &str, body: &str, lines: &str) -> Answer {
    daemon.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: text/html\r\n{lines}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        daemon.address,
        body.len()
    ))
}

/// A page as a browser asks for it.
fn page(daemon: &Daemon, path: &str, lines: &str) -> Answer {
    daemon.send(&format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/html\r\n\
         {lines}\r\n"
    ))
}

#[track_caller]
fn has(answer: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(answer.body.contains(text), "no {text:?} in {}", answer.body);
    }
}

/// Where an answer leads to, relative to what was asked for.
fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.header("location").unwrap()
}

#[test]
fn every_page_is_complete_and_lets_nothing_in() {
    let place = place();
    let daemon = serve(&place, &[]);
    let id = run(&daemon, "etl");
    let hostile = run(&daemon, "hostile");
    for (path, status, texts) in [
        ("/".to_owned(), 200, &["<h1>1 problem, nothing running</h1>", "etl"][..]),
        ("/executions".to_owned(), 200, &["2 kept", "exit code 1"]),
        ("/executions?status=failed&workflow=etl".to_owned(), 200, &["@1"]),
        ("/executions?cursor=x".to_owned(), 400, &["begin again"]),
        (
            format!("/executions/{id}"),
            200,
            &[
                "<h1 class=\"st fail\">",
                "Step load failed",
                "ERROR: duplicate key",
                "Retry 2\u{a0}steps",
            ],
        ),
        ("/executions/@1?step=extract&open=*&scale=true".to_owned(), 200, &["extracted 18,402"]),
        (format!("/executions/{hostile}"), 200, &["&lt;script&gt;window.pwned = 1&lt;/script&gt;"]),
        ("/executions/nix".to_owned(), 404, &["Page not found"]),
        ("/workflows".to_owned(), 200, &["typed", "&lt;img src=x"]),
        ("/workflows/typed".to_owned(), 200, &["Start typed", "name=\"p.n\""]),
        ("/workflows/nix".to_owned(), 404, &["there is no workflow"]),
        ("/levels".to_owned(), 200, &["Latency, 95th percentile"]),
        ("/nix".to_owned(), 404, &["there is nothing at"]),
        ("/a/b/c/d/e/nix".to_owned(), 404, &["href=\"../../../../../assets/"]),
    ] {
        let answer = page(&daemon, &path, "");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        has(&answer, texts);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        for forbidden in [" style=", " onclick=", "http://", "https://", "href=\"/", "src=\"/"] {
            assert!(!answer.body.contains(forbidden), "{path}: {forbidden}");
        }
        assert_eq!(answer.body.matches("<script").count(), 1, "{path}");
    }
    // A page that is as it was is not sent again; one file serves all pages, for good.
    let first = page(&daemon, "/executions/@1", "");
    let tag = first.header("etag").unwrap();
    assert_eq!(page(&daemon, "/executions/@1", &format!("If-None-Match: {tag}\r\n")).status, 304);
    let script = first.body.split("src=\"../").nth(1).unwrap().split('"').next().unwrap();
    let script = daemon.get(&format!("/{script}"));
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    // Programs get problems as ever, and the paths that a workflow has are its own.
    assert_eq!(daemon.get("/nix").header("content-type"), Some("application/problem+json"));
    daemon.stop();
}

#[test]
fn forms_start_replay_and_cancel_and_say_who_did() {
    let place = place();
    let daemon = serve(&place, &[]);
    // Refused, it comes back filled in.
    let refused = form(&daemon, "/workflows/typed/start", "p.n=70&p.env=prod&p.text=a%22b", "");
    assert_eq!(refused.status, 422);
    has(
        &refused,
        &[
            "Not started",
            "href=\"#p0\"",
            "value=\"70\"",
            "<option value=\"prod\" selected>",
            "a&quot;b",
        ],
    );
    // It is not asked for again, which would be another request.
    assert!(!refused.body.contains("data-running"), "{}", refused.body);
    // Where nothing has run, there is nothing to filter.
    let empty = page(&daemon, "/executions", "");
    has(&empty, &["Nothing has run yet."]);
    assert!(!empty.body.contains("class=\"chips\""), "{}", empty.body);
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 0);
    let body = "p.n=7&p.env=prod&p.flag=true&p.text=one%0D%0Atwo";
    let started = form(&daemon, "/workflows/typed/start", body, "");
    let id = location(&started).strip_prefix("../../executions/").unwrap().to_owned();
    until("it has ended", || execution(&daemon, &id)["execution"]["status"] == "success");
    let ended = execution(&daemon, &id);
    assert_eq!(ended["steps"][0]["stdout"], "7 prod true one\ntwo\n");
    let trigger = &ended["execution"]["trigger"];
    assert_eq!((&trigger["kind"], &trigger["address"]), (&json!("api"), &json!("127.0.0.1")));
    // A request of the API has no address.
    let by_api = execution(&daemon, &run(&daemon, "spread"));
    assert_eq!(by_api["execution"]["trigger"].get("address"), None);

    let failed = run(&daemon, "etl");
    let planned = form(
        &daemon,
        &format!("/executions/{failed}/replay"),
        "mode=from&from=extract&dry_run=1",
        "",
    );
    assert_eq!(planned.status, 200);
    has(&planned, &["run 3", "Run 3\u{a0}steps"]);
    let nothing = form(&daemon, &format!("/executions/{id}/replay"), "mode=failed&dry_run=1", "");
    assert_eq!(nothing.status, 409);
    has(&nothing, &["This cannot be run", "nothing is left to run"]);
    let body = "mode=failed&definition=snapshot&p.day=2026-11-29";
    let replayed = form(&daemon, &format!("/executions/{failed}/replay"), body, "");
    let again = location(&replayed).rsplit('/').next().unwrap().to_owned();
    until("it has ended", || execution(&daemon, &again)["execution"]["status"] == "failed");
    let ended = execution(&daemon, &again);
    assert_eq!(ended["execution"]["replay_of"], json!(failed));
    assert_eq!(ended["execution"]["input_snapshot"]["params"]["day"], "2026-11-29");
    assert_eq!(ended["steps"][0]["reused_from"], json!(failed));
    has(&page(&daemon, &format!("/executions/{again}"), ""), &["reused: it ran in"]);

    let waiting = start(&daemon, "waiting");
    until("it runs", || execution(&daemon, &waiting)["execution"]["status"] == "running");
    let listed = page(&daemon, "/executions?status=running", "");
    has(&listed, &["Not finished, 1", &waiting]);
    let under_way = page(&daemon, &format!("/executions/{waiting}"), "");
    let legend =
        |answer: &Answer, word: &str| answer.body.contains(&format!("</svg>{word}</span>"));
    assert!(legend(&under_way, "running") && !legend(&under_way, "success"), "{}", under_way.body);
    // Each day has one heading, in whichever order executions end.
    place.sql(&format!(
        "UPDATE workflow_executions SET started_at = '2020-02-03T04:05:06.000000Z',
         completed_at = '2020-02-03T04:05:07.000000Z' WHERE execution_id = '{id}'"
    ));
    let all = page(&daemon, "/executions", "");
    assert_eq!(all.body.matches("Created on").count(), 1, "{}", all.body);
    has(&all, &["3 Feb 2020 04:05"]);
    assert!(!listed.body.contains("Created on"), "{}", listed.body);
    let cancelled = form(&daemon, &format!("/executions/{waiting}/cancel"), "", "");
    assert_eq!(location(&cancelled), format!("../../executions/{waiting}"));
    until("it has ended", || execution(&daemon, &waiting)["execution"]["status"] == "cancelled");
    let ended = execution(&daemon, &waiting);
    assert_eq!(ended["execution"]["cancel_requested_address"], "127.0.0.1", "{ended}");
    let shown = page(&daemon, &format!("/executions/{waiting}"), "");
    has(&shown, &["Its end was asked for", " from 127.0.0.1"]);
    let ran = daemon.stop();
    for what in ["started on the web page", "replayed on the web page", "cancelled on the web page"]
    {
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}

#[test]
fn a_form_of_another_page_changes_nothing() {
    let place = place();
    let daemon = serve(&place, &[]);
    let own = format!("Origin: http://{}\r\n", daemon.address);
    for lines in [
        String::new(),
        "Origin: null\r\n".to_owned(),
        "Origin: http://localhost:1\r\n".to_owned(),
        "Origin: http://evil.example\r\n".to_owned(),
        format!("{own}Sec-Fetch-Site: same-site\r\n"),
        format!("{own}Sec-Fetch-Site: cross-site\r\n"),
        format!("{own}{own}"),
    ] {
        let answer = form_from(&daemon, "/workflows/typed/start", "", &lines);
        assert_eq!(answer.status, 403, "{lines}");
    }
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 0);
    // Forms are for the page alone, and JSON is not for it.
    let to_api = form(&daemon, "/api/v1/workflows/typed/execute", "a=b", "");
    assert_eq!(to_api.status, 415);
    let json = daemon.send(&format!(
        "POST /workflows/typed/start HTTP/1.1\r\nHost: {}\r\n{own}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        daemon.address
    ));
    assert_eq!(json.status, 415);
    daemon.stop();
}

#[test]
fn without_the_page_there_is_only_the_api() {
    let place = place();
    let daemon = serve(&place, &["--no-page"]);
    for path in ["/", "/executions", "/login", "/assets/1/page.js"] {
        let answer = page(&daemon, path, "");
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(daemon.get(EXECUTIONS).status, 200);
    daemon.stop();
}

#[test]
fn requests_of_the_page_do_not_count_towards_service_levels() {
    let place = place();
    let daemon = serve(&place, &[]);
    let requests = || daemon.get("/api/v1/slo").expect(200)["requests"].as_u64().unwrap();
    let before = requests();
    for path in ["/", "/executions", "/executions/none", "/workflows/none", "/levels"] {
        page(&daemon, path, "");
    }
    form_from(&daemon, "/zone", "zone=UTC", "");
    // That of the look before.
    assert_eq!(requests(), before + 1);
    daemon.stop();
}

#[test]
fn a_login_begins_a_session_that_outlives_the_daemon_and_ends_by_logout() {
    let place = place();
    let tokens = place.write("tokens", "anna s3cret-token-of-anna\nben s3cret-token-of-ben\n");
    let tokens = tokens.to_str().unwrap();
    let daemon = serve(&place, &["--token-file", tokens]);
    for path in ["/", "/executions", "/workflows/typed"] {
        let answer = page(&daemon, path, "");
        assert!(location(&answer).contains("login"), "{answer:?}");
    }
    assert_eq!(daemon.get("/executions").status, 401);
    assert_eq!(daemon.get("/api/v1/workflows").status, 401);
    // Nothing of the daemon is shown there but its machine.
    let open = page(&daemon, "/login?next=executions", "");
    assert_eq!(open.status, 200);
    assert_eq!(open.body.matches(">wfx<").count(), 1, "{}", open.body);
    assert!(!open.body.contains("Daemon up") && !open.body.contains("<nav"), "{}", open.body);
    let entered =
        form(&daemon, "/login", "token=s3cret-token-of-anna&next=executions%3Fstatus=failed", "");
    assert_eq!(location(&entered), "./executions?status=failed");
    let set = entered.header("set-cookie").unwrap().to_owned();
    for part in ["wfx-", "; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"), "{set}");
    let cookie = format!("Cookie: {}\r\n", set.split(';').next().unwrap());
    assert_eq!(page(&daemon, "/", &cookie).status, 200);
    // It opens the API for the page itself, and for nobody else.
    let of_page = format!("{cookie}Sec-Fetch-Site: same-origin\r\n");
    assert_eq!(page(&daemon, "/api/v1/workflows", &of_page).status, 200);
    assert_eq!(page(&daemon, "/api/v1/workflows", &cookie).status, 401);
    let cross = format!("{cookie}Sec-Fetch-Site: cross-site\r\n");
    assert_eq!(page(&daemon, "/api/v1/workflows", &cross).status, 401);
    let started = form(&daemon, "/workflows/typed/start", "", &cookie);
    let id = location(&started).rsplit('/').next().unwrap().to_owned();
    // Nothing that is stored opens a session.
    let secret = set.split(['=', ';']).nth(1).unwrap();
    let stored = place.sql("SELECT hex(hash) || hex(token_proof) FROM workflow_sessions");
    assert_eq!(stored.len(), 128);
    assert!(!stored.to_lowercase().contains(secret));
    daemon.stop();

    let daemon = serve(&place, &["--token-file", tokens, "--public-url", "https://wfx.example"]);
    assert_eq!(page(&daemon, "/executions", &cookie).status, 200);
    let answer = page(&daemon, &format!("/executions/{id}"), &cookie);
    has(&answer, &["api, anna, on this page from 127.0.0.1"]);
    // A new login ends the session before it.
    let entered = form(&daemon, "/login", "token=s3cret-token-of-ben", &cookie);
    let set = entered.header("set-cookie").unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    let second = format!("Cookie: {}\r\n", set.split(';').next().unwrap());
    assert_eq!(page(&daemon, "/", &cookie).status, 303);
    assert_eq!(page(&daemon, "/", &second).status, 200);
    let left = form(&daemon, "/logout", "", &second);
    assert_eq!(location(&left), "./login");
    assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(page(&daemon, "/", &second).status, 303);

    // A wrong token may be tried five times a minute; the right one waits as well then.
    for left in ["4 tries are", "3 tries are", "2 tries are", "1 try is", "0 tries are"] {
        let refused = form(&daemon, "/login", "token=wrong", "");
        assert_eq!(refused.status, 401);
        has(&refused, &[left]);
    }
    let refused = form(&daemon, "/login", "token=s3cret-token-of-anna", "");
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    daemon.stop();
}

#[test]
fn a_session_ends_when_its_token_is_removed() {
    let place = place();
    let tokens = place.write("tokens", "anna s3cret-token-of-anna\nben s3cret-token-of-ben\n");
    let tokens = tokens.to_str().unwrap();
    let daemon = serve(&place, &["--token-file", tokens]);
    let entered = form(&daemon, "/login", "token=s3cret-token-of-anna", "");
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let cookie = format!("Cookie: {cookie}\r\n");
    assert_eq!(page(&daemon, "/", &cookie).status, 200);
    daemon.stop();
    place.write("tokens", "ben s3cret-token-of-ben\n");
    let daemon = serve(&place, &["--token-file", tokens]);
    assert_eq!(page(&daemon, "/", &cookie).status, 303);
    // One that has expired is none.
    let entered = form(&daemon, "/login", "token=s3cret-token-of-ben", "");
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let cookie = format!("Cookie: {cookie}\r\n");
    assert_eq!(page(&daemon, "/", &cookie).status, 200);
    place.sql("UPDATE workflow_sessions SET expires_at = '2020-01-01T00:00:00.000000Z'");
    assert_eq!(page(&daemon, "/", &cookie).status, 303);
    daemon.stop();
}

/// A workflow with 500 equal siblings.
fn wide() -> String {
    let mut text = "id: wide\nsteps:\n- {name: first}\n".to_owned();
    let names: Vec<String> = (1..=500).map(|n| format!("part-{n:03}")).collect();
    for name in &names {
        let _ = writeln!(text, "- {{name: {name}, depends_on: [first]}}");
    }
    let _ = writeln!(text, "- {{name: last, depends_on: [{}]}}", names.join(", "));
    text
}

/// A workflow with 1,000 steps of which no two are alike.
fn ladder() -> String {
    let mut text = "id: ladder\nsteps:\n".to_owned();
    for n in 0..1_000_i32 {
        let before: Vec<String> =
            [n - 2, n - 7].iter().filter(|n| **n >= 0).map(|n| format!("s-{n:04}")).collect();
        let _ = writeln!(text, "- {{name: s-{n:04}, depends_on: [{}]}}", before.join(", "));
    }
    text
}

/// Makes it look as if the steps of an execution had run at these times.
fn move_steps(place: &Place, id: &str, times: &[(&str, &str)]) {
    let seq =
        place.sql(&format!("SELECT seq FROM workflow_executions WHERE execution_id = '{id}'"));
    let (first, last) = (times[0].0, times[times.len() - 1].1);
    place.sql(&format!(
        "UPDATE workflow_executions SET started_at = '{first}', completed_at = '{last}'
         WHERE seq = {seq}"
    ));
    for (position, (from, to)) in times.iter().enumerate() {
        place.sql(&format!(
            "UPDATE workflow_execution_steps SET started_at = '{from}', completed_at = '{to}'
             WHERE seq = {seq} AND position = {position}"
        ));
    }
}

#[test]
fn a_browser_finds_the_page_as_it_should_be() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tools = target.join("page-tests");
    assert!(
        tools.join("node_modules/playwright-core").exists(),
        "tests/run installs what it needs"
    );
    let place = place();
    place.write("workflows/wide.yaml", wide());
    place.write("workflows/ladder.yaml", ladder());
    place.write("workflows/live.yaml", sections::LIVE);
    place.write("workflows/yearly.yaml", sections::YEARLY);
    sections::channels(&place, "[notify.ops]\ntype = \"slack\"\nurl = \"http://127.0.0.1:1/\"\n");
    sections::miss(&place);
    let mut daemon = serve(&place, &[]);
    until("it is missed", || sections::is_missed(&daemon));
    daemon.post("/api/v1/notifications/test", "").expect(200);
    let pause = r#"{"until": "2h", "reason": "the supplier moves its API"}"#;
    daemon.post("/api/v1/workflows/yearly/pause", pause).expect(200);
    for _ in 0..60 {
        run(&daemon, "spread");
    }
    let (long, dst) = (run(&daemon, "spread"), run(&daemon, "spread"));
    move_steps(
        &place,
        &long,
        &[
            ("2026-11-27T20:00:00.000000Z", "2026-11-27T20:00:00.002000Z"),
            ("2026-11-27T20:00:00.002000Z", "2026-11-27T20:40:00.000000Z"),
            ("2026-11-28T05:40:00.000000Z", "2026-11-28T06:00:00.000000Z"),
        ],
    );
    move_steps(
        &place,
        &dst,
        &[
            ("2026-10-25T00:30:00.000000Z", "2026-10-25T00:40:00.000000Z"),
            ("2026-10-25T00:40:00.000000Z", "2026-10-25T01:10:00.000000Z"),
            ("2026-10-25T01:10:00.000000Z", "2026-10-25T01:30:00.000000Z"),
        ],
    );
    let failed = run(&daemon, "etl");
    let setup = json!({
        "base": format!("http://{}/", daemon.address),
        "failed": failed,
        "failedNumber": execution(&daemon, &failed)["execution"]["seq"],
        "wide": run(&daemon, "wide"),
        "thousand": run(&daemon, "ladder"),
        "hostile": run(&daemon, "hostile"),
        "long": long,
        "dst": dst,
        "running": start(&daemon, "hold"),
        "waiting": start(&daemon, "hold"),
        "token": "s3cret-token-of-anna",
    });
    let running = setup["running"].as_str().unwrap();
    until("it runs", || execution(&daemon, running)["steps"][0]["status"] == "running");
    let other = self::place();
    let tokens = other.write("tokens", "anna s3cret-token-of-anna\n");
    let guarded = serve(&other, &["--token-file", tokens.to_str().unwrap()]);

    let mut browser = Command::new("node")
        .arg(root().join("tests/wfx/page/browser.mjs"))
        .env("PAGE_TOOLS", &tools)
        .env("PAGE_SHOTS", target.join("page-shots"))
        .env("PAGE_CHROMIUM", "/usr/bin/chromium")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = browser.stdin.take().unwrap();
    let output = BufReader::new(browser.stdout.take().unwrap());
    let mut told = String::new();
    let (mut last, mut lock) = (String::new(), None);
    for line in output.lines() {
        let line = line.unwrap();
        let Some(wanted) = line.strip_prefix('@') else {
            println!("{line}");
            told += &line;
            told.push('\n');
            continue;
        };
        let mut answer = json!({});
        match wanted.split_once(' ').unwrap_or((wanted, "")) {
            ("setup", _) => {
                answer = setup.clone();
                answer["guarded"] = json!(format!("http://{}/", guarded.address));
            }
            ("start", workflow) => {
                last = start(&daemon, workflow);
                answer = json!({ "id": last });
            }
            ("go", _) => {
                place.write("go", "");
                until("it ends", || execution(&daemon, &last)["execution"]["status"] == "success");
                std::fs::remove_file(place.path("go")).unwrap();
            }
            ("touch", name) => drop(place.write(name, "")),
            ("lock", _) => {
                let connection = rusqlite::Connection::open(place.database()).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                lock = Some(connection);
            }
            ("unlock", _) => drop(lock.take()),
            ("kill", _) => {
                daemon.child.kill().unwrap();
                daemon.child.wait().unwrap();
            }
            ("restart", _) => {
                let listen = daemon.address.to_string();
                let args = ["serve", "--listen", &listen, "--workflows", "workflows"];
                daemon = Daemon::of(&mut place.wfx(args));
            }
            (other, _) => panic!("{other} is not known"),
        }
        writeln!(input, "{answer}").unwrap();
    }
    assert!(browser.wait().unwrap().success(), "{told}");
}
