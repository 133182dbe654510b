//! What the page shows of output, schedules and notifications, over plain HTTP.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{execution, form, form_from, has, location, page, run, serve, start};
use crate::daemon::Daemon;
use crate::receiver::Receiver;
use crate::support::{Place, until};

/// Prints 300 lines, and when asked to 200 more.
pub(super) const LIVE: &str = "id: live
steps:
- name: print
  run: |
    seq -f 'line %g of what it prints' 1 300; echo 'on the side' >&2
    until test -e more; do sleep 0.02; done
    seq -f 'line %g of what it prints' 301 500
    until test -e finish; do sleep 0.02; done
";
/// Is due once a year.
pub(super) const YEARLY: &str = "id: yearly
schedule: {cron: '0 0 1 1 *', name: new-year, timezone: Europe/Berlin}
steps: [{name: say, run: 'echo $WFX_SCHEDULED_AT'}]
";

fn of(files: &[(&str, &str)]) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    for (name, text) in files {
        place.write(&format!("workflows/{name}.yaml"), text);
    }
    place
}

/// Lets it look as if the schedules had been known for years, of which nobody ran any.
pub(super) fn miss(place: &Place) {
    let daemon = serve(place, &[]);
    let listed =
        || daemon.get("/api/v1/schedules").expect(200)["schedules"][0]["first_seen"].clone();
    until("it is registered", || listed().is_string());
    daemon.stop();
    place.sql("UPDATE workflow_schedules SET first_seen = '2020-06-01T00:00:00.000000Z'");
}

pub(super) fn is_missed(daemon: &Daemon) -> bool {
    let decisions = daemon.get("/api/v1/workflows/yearly/decisions").expect(200);
    decisions["decisions"][0]["action"] == "missed"
}

/// Channels as the configuration file has them.
pub(super) fn channels(place: &Place, text: &str) {
    let file = place.write("config.toml", text);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn output_is_shown_while_it_is_printed() {
    let place = of(&[("live", LIVE)]);
    let daemon = serve(&place, &[]);
    let id = start(&daemon, "live");
    let shown = || page(&daemon, &format!("/executions/{id}"), "");
    until("its lines are shown", || shown().body.contains(">300</a>line 300 of"));
    until("those of both streams are", || shown().body.contains("on the side"));
    has(&shown(), &["following the end", " data-follow", "class=\"e\"", "wfx logs @1 print -f"]);
    assert!(!shown().body.contains("line 301 of"));
    place.write("more", "");
    until("it goes on", || shown().body.contains("line 500 of what it prints"));
    let body = shown().body;
    // In the order of arrival, and not one stream after the other.
    let at = |text: &str| body.find(text).unwrap();
    assert!(at("line 300 of") < at("line 500 of") && at("on the side") < at("line 500 of"));
    place.write("finish", "");
    until("it has ended", || execution(&daemon, &id)["execution"]["status"] == "success");
    let body = shown().body;
    assert!(!body.contains("following the end") && !body.contains("data-follow"), "{body}");
    assert!(body.contains("501\u{a0}lines"), "{body}");
    daemon.stop();
}

#[test]
fn long_output_has_pages_and_says_what_was_dropped() {
    let much = "id: much\nsteps: [{name: print, run: seq 1 40000}]\n";
    let capped = "id: capped\noutput_limit: 64KiB\nsteps: [{name: print, run: seq 1 40000}]\n";
    let place = of(&[("much", much), ("capped", capped)]);
    let daemon = serve(&place, &[]);
    let id = run(&daemon, "much");
    let output = |query: &str| {
        let body = page(&daemon, &format!("/executions/{id}{query}"), "").body;
        let body = body.split("id=\"output\"").nth(1).unwrap().to_owned();
        body.split("</section>").next().unwrap().to_owned()
    };
    // At most 2,000 lines of the end.
    let last = output("");
    assert!(last.contains("</a>40000</span>") && last.contains("</a>38001</span>"), "{last}");
    assert!(!last.contains("</a>38000</span>"));
    assert!(last.contains("of 228,894") && last.contains(">Earlier</a>"), "{last}");
    // The address of a line says where the lines are counted from.
    assert!(last.contains("step=print&amp;attempt=1&amp;from=216894#o1"), "{last}");
    let linked = output("?step=print&attempt=1&from=216894");
    assert!(linked.contains("<a id=\"o1\" href=\"#o1\">1</a>38001</span>"), "{linked}");
    // From the beginning on, page by page, every line is there.
    let (mut from, mut next_line) = (0, 1_u32);
    while next_line <= 40_000 {
        let shown = output(&format!("?step=print&attempt=1&from={from}"));
        for line in shown.split("</a>").skip(1).filter_map(|part| part.split_once("</span>")) {
            let Ok(number) = line.0.parse::<u32>() else { continue };
            assert_eq!(number, next_line, "from {from}");
            next_line += 1;
        }
        let later = shown.split("from=").find(|part| part.contains(">Later</a>"));
        match later {
            Some(later) => from = later.split('#').next().unwrap().parse().unwrap(),
            None => break,
        }
    }
    assert_eq!(next_line, 40_001);
    // All of it is one address away.
    let text = "api/v1/workflows/executions/";
    assert!(last.contains(&format!("href=\"../{text}{id}/output?step=print&amp;attempt=1")));

    let id = run(&daemon, "capped");
    let shown = page(&daemon, &format!("/executions/{id}?step=print&attempt=1&from=30000"), "");
    has(&shown, &["dropped here, after byte ", " dropped</p>"]);
    let last = page(&daemon, &format!("/executions/{id}?step=print&attempt=1"), "");
    has(&last, &["</a>40000</span>"]);
    daemon.stop();
}

#[test]
fn schedules_are_paused_and_resumed_and_missed_times_run_by_hand() {
    let place = of(&[("yearly", YEARLY), ("plain", "steps: [{name: a}]\n")]);
    miss(&place);
    let daemon = serve(&place, &[]);
    until("it is missed", || is_missed(&daemon));
    // The home page says what is wrong and what comes next.
    let home = || page(&daemon, "/", "");
    until("the problem is known", || home().body.contains("<h1>1 problem"));
    has(&home(), &["missed", "id=\"next\"", "new-year", "31 Dec 23:00", "class=\"n\""]);
    let shown = page(&daemon, "/schedules", "");
    has(
        &shown,
        &[
            "1\u{a0}schedule in 1\u{a0}workflow: 1 not as expected",
            "no daemon ran, and there is no catch-up",
            "in Europe/Berlin",
            "decisions: missed",
            "Run that of",
        ],
    );
    has(&page(&daemon, "/workflows/yearly", ""), &["id=\"schedules\"", "Run that of", "missed"]);
    assert!(!page(&daemon, "/workflows/plain", "").body.contains("id=\"schedules\""));
    for (path, status) in
        [("/schedules?workflow=yearly", 200), ("/schedules?cursor=x", 400), ("/schedules?x=y", 400)]
    {
        assert_eq!(page(&daemon, path, "").status, status, "{path}");
    }

    // Refused, it comes back filled in, and is not asked for again.
    let refused = form(
        &daemon,
        "/schedules/pause",
        "workflow=yearly&until=2020-01-01&reason=a%22%3Cb%3E&back=yearly",
        "",
    );
    assert_eq!(refused.status, 400);
    has(&refused, &["would have ended", "value=\"2020-01-01\"", "a&quot;&lt;b&gt;", " open"]);
    assert!(!refused.body.contains("data-running"));
    assert!(!page(&daemon, "/schedules", "").body.contains("is paused"));
    let paused = form(
        &daemon,
        "/schedules/pause",
        "workflow=yearly&until=2h&reason=%3Cscript%3E&back=yearly",
        "",
    );
    assert_eq!(location(&paused), "../workflows/yearly#schedules");
    for path in ["/schedules", "/workflows/yearly"] {
        let shown = ["yearly is paused", "“&lt;script&gt;”", "Resume yearly", " from 127.0.0.1"];
        has(&page(&daemon, path, ""), &shown);
    }
    let schedules = || daemon.get("/api/v1/schedules").expect(200)["schedules"][0].clone();
    assert_eq!(schedules()["paused"]["reason"], "<script>");
    assert_eq!(schedules()["paused"]["paused_address"], "127.0.0.1");
    assert_eq!(location(&form(&daemon, "/schedules/pause", "workflow=", "")), "../schedules");
    has(&page(&daemon, "/schedules", ""), &["All workflows are paused", "until somebody resumes"]);
    has(&home(), &["paused"]);
    assert_eq!(location(&form(&daemon, "/schedules/resume", "workflow=", "")), "../schedules");
    let resumed = form(&daemon, "/schedules/resume", "workflow=yearly&back=yearly", "");
    assert_eq!(location(&resumed), "../workflows/yearly#schedules");
    assert_eq!(schedules()["paused"], json!(null));
    let resumed = "SELECT resumed_address FROM workflow_pauses WHERE workflow_id = 'yearly'";
    assert_eq!(place.sql(resumed), "127.0.0.1");

    // What was missed is started once.
    let body = page(&daemon, "/schedules", "").body;
    let at = body.split("name=\"at\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("workflow=yearly&schedule=new-year&at={}", at.replace(':', "%3A"));
    let started = form(&daemon, "/schedules/run", &body, "");
    let id = location(&started).strip_prefix("../executions/").unwrap().to_owned();
    until("it has ended", || execution(&daemon, &id)["execution"]["status"] == "success");
    assert_eq!(execution(&daemon, &id)["steps"][0]["stdout"], format!("{at}\n"));
    assert_eq!(execution(&daemon, &id)["execution"]["trigger"]["address"], "127.0.0.1");
    has(&page(&daemon, "/schedules", ""), &["somebody started it by hand", &id]);
    assert_eq!(form(&daemon, "/schedules/run", &body, "").status, 409);

    // Nobody else's page does any of this.
    for path in ["pause", "resume", "run"].map(|what| format!("/schedules/{what}")) {
        let foreign = "Origin: http://evil.example\r\n";
        assert_eq!(form_from(&daemon, &path, "workflow=yearly", foreign).status, 403);
        assert_eq!(page(&daemon, &path, "").status, 405);
    }
    assert_eq!(schedules()["paused"], json!(null));
    let ran = daemon.stop();
    for what in ["paused on the web page", "resumed on the web page"] {
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}

#[test]
fn notifications_show_how_channels_do_and_what_was_sent() {
    let fails = "id: fails\nnotify: [{to: [ops, dead]}]\nsteps: [{name: load, run: exit 3}]\n";
    let place = of(&[("fails", fails)]);
    let receiver = Receiver::start(&[]);
    let url = receiver.url("/hook");
    // Nobody listens at the port of the second one.
    channels(
        &place,
        &format!(
            "[notify.ops]\ntype = \"webhook\"\nurl = \"{url}\"\n\
             [notify.dead]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/hook\"\n"
        ),
    );
    let daemon = serve(&place, &[]);
    let shown = |query: &str| page(&daemon, &format!("/notifications{query}"), "");
    has(&shown(""), &["2\u{a0}channels", "not used yet", "Test ops", "Nothing has been sent yet."]);
    let id = run(&daemon, "fails");
    until("it is accepted", || shown("").body.contains("works"));
    until("the other fails", || shown("").body.contains("next attempt"));
    has(&shown(""), &["1\u{a0}notification waiting", &id]);
    let accepted = shown("?state=accepted").body;
    let history = accepted.split("id=\"history\"").nth(1).unwrap();
    assert!(history.contains("<td>ops</td>") && !history.contains("<td>dead</td>"), "{history}");
    let of_dead = shown("?channel=dead").body;
    let history = of_dead.split("id=\"history\"").nth(1).unwrap();
    assert!(history.contains("pending") && !history.contains("<td>ops</td>"), "{history}");
    has(&shown("?before=1"), &["None.", "Newest"]);
    for query in ["?state=lost", "?before=x", "?x=y"] {
        assert_eq!(shown(query).status, 400, "{query}");
    }
    let tested = form(&daemon, "/notifications/test", "channel=ops", "");
    assert_eq!(tested.status, 200);
    has(&tested, &["ops accepted the test"]);
    assert!(!tested.body.contains("data-running"));
    has(&form(&daemon, "/notifications/test", "channel=dead", ""), &["did not accept the test"]);
    assert_eq!(form(&daemon, "/notifications/test", "channel=nix", "").status, 404);
    let foreign = "Origin: http://evil.example\r\n";
    assert_eq!(form_from(&daemon, "/notifications/test", "channel=ops", foreign).status, 403);
    assert_eq!(receiver.rest().len(), 2);
    daemon.stop();
}
