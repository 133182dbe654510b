//! Pages, cursors, tags.

use std::collections::HashSet;

use super::*;

#[test]
fn pages_and_cursors_go_over_all_exactly_once() {
    let place = place();
    let daemon = serve(&place, &[]);
    let start = || id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    let before: HashSet<String> = (0..7).map(|_| start()).collect();
    for step in ["offset", "cursor"] {
        let mut seen = Vec::new();
        let mut more = String::new();
        loop {
            let page = daemon.get(&format!("{EXECUTIONS}?limit=3{more}")).expect(200);
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(id_of_item));
            assert_eq!(page["limit"], 3);
            if items.len() < 3 {
                break;
            }
            more = match step {
                "offset" => format!("&offset={}", seen.len()),
                _ => format!("&cursor={}", page["next_cursor"].as_str().unwrap()),
            };
            if step == "cursor" {
                // What is new comes before the pages that follow, not into them.
                start();
            }
        }
        let seen: Vec<String> = seen.into_iter().filter(|id| before.contains(id)).collect();
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 7, "{step}");
        assert_eq!(seen.len(), 7, "{step}");
    }
    daemon.stop();
}

#[test]
fn a_cursor_is_a_token_that_continues_its_own_list() {
    let place = place();
    place.write("workflows/fails.yaml", "id: fails\nsteps: [{name: s, fail: true}]");
    let daemon = serve(&place, &[]);
    let fails = "/api/v1/workflows/fails/executions";
    for _ in 0..3 {
        daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
        daemon.post("/api/v1/workflows/fails/execute?wait=30s", "").expect(200);
    }
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(id_of_item).collect()
    };
    for list in [
        format!("{EXECUTIONS}?limit=2"),
        format!("{EXECUTIONS}?limit=2&status=failed"),
        format!("{fails}?limit=2"),
        format!("{fails}?limit=2&status=failed"),
    ] {
        let all = ids(&daemon.get(&list.replace("limit=2", "limit=500")).expect(200));
        let first = daemon.get(&list).expect(200);
        let token = first["next_cursor"].as_str().unwrap();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(token.chars().all(is_plain) && token.parse::<i64>().is_err(), "{token}");
        let next = |cursor: &str| daemon.get(&format!("{list}&cursor={cursor}"));
        let second = next(token).expect(200);
        assert_eq!(ids(&second), all[2..all.len().min(4)]);
        // As it was before: the number of the last execution, in any list.
        let number = first["items"][1]["seq"].as_i64().unwrap().to_string();
        assert_eq!(next(&number).expect(200), second);
        let refused = |answer: crate::daemon::Answer, why: &str| {
            assert_eq!(answer.status, 400, "{answer:?}");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(why) && detail.contains("begin again"), "{detail}");
        };
        // Of the whole list, of another workflow, of another status.
        for other in [
            format!("{EXECUTIONS}?limit=2&status=success"),
            format!("{fails}?limit=2&status=success"),
            "/api/v1/workflows/other/executions?limit=2".to_owned(),
        ] {
            refused(daemon.get(&format!("{other}&cursor={token}")), "another list");
        }
        let last = if token.ends_with('A') { "Q" } else { "A" };
        let changed = format!("{}{last}", &token[..token.len() - 1]);
        let long = next(&token.repeat(2_000));
        assert!(long.body.len() < 1_000, "{}", long.body.len());
        refused(long, "damaged");
        for damaged in [&changed, &token[1..], "x", "", "1.5", "99999999999999999999"] {
            refused(next(damaged), "damaged");
        }
    }
    daemon.stop();
}

#[test]
fn a_list_begins_at_a_time_as_that_of_the_command_does() {
    let place = place();
    let daemon = serve(&place, &[]);
    for _ in 0..3 {
        daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    }
    place.sql(
        "UPDATE workflow_executions SET created_at = '2020-01-01T00:00:00.000000Z' WHERE seq = 1",
    );
    let seqs = |query: &str| -> Vec<i64> {
        let page = daemon.get(&format!("{EXECUTIONS}?{query}")).expect(200);
        let seqs: Vec<i64> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["seq"].as_i64().unwrap())
            .collect();
        assert_eq!(page["total"], seqs.len(), "{page}");
        seqs
    };
    assert_eq!(seqs("since=1h"), [3, 2]);
    assert_eq!(seqs("since=2020-01-01T00:00:00Z"), [3, 2, 1]);
    assert_eq!(seqs("since=2020-01-01T00:00:00.000001Z"), [3, 2]);
    assert!(seqs("since=2999-01-01T00:00:00Z").is_empty());
    // The last hour is the same list a moment later, and another one than the last two.
    let first = daemon.get(&format!("{EXECUTIONS}?since=1h&limit=1")).expect(200);
    let token = first["next_cursor"].as_str().unwrap();
    let next = daemon.get(&format!("{EXECUTIONS}?since=1h&limit=1&cursor={token}")).expect(200);
    assert_eq!(next["items"][0]["seq"], 2);
    assert_eq!(daemon.get(&format!("{EXECUTIONS}?since=2h&cursor={token}")).status, 400);
    assert_eq!(daemon.get(&format!("{EXECUTIONS}?cursor={token}")).status, 400);
    for wrong in ["", "soon", "-1h", "2020-13-01"] {
        let problem = daemon.get(&format!("{EXECUTIONS}?since={wrong}")).expect(400);
        assert!(problem.to_string().contains("a duration such as 2h"), "{problem}");
    }
    daemon.stop();
}

fn id_of_item(item: &Value) -> String {
    item["execution_id"].as_str().unwrap().to_owned()
}

#[test]
fn lists_tell_true_totals_and_refuse_what_they_do_not_know() {
    let place = place();
    let daemon = serve(&place, &[]);
    daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    let page = daemon.get("/api/v1/workflows/never-seen/executions").expect(200);
    assert_eq!(
        page,
        json!({"items": [], "total": 0, "limit": 50, "offset": 0, "next_cursor": null})
    );
    let of =
        |query: &str| daemon.get(&format!("{EXECUTIONS}?{query}")).expect(200)["total"].clone();
    assert_eq!(of("limit=50"), json!(1));
    assert_eq!((of("status=success"), of("status=failed")), (json!(1), json!(0)));
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "offset=-1",
        "status=done",
        "cursor=x",
        "cursor=5&offset=1",
        "page=2",
        "limit=1&limit=2",
        "limit=%zz",
    ] {
        let answer = daemon.get(&format!("{EXECUTIONS}?{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    daemon.stop();
}

#[test]
fn an_answer_is_the_same_until_something_is_stored() {
    let place = place();
    let daemon = serve(&place, &[]);
    let id = id_of(&daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200));
    let ask = |path: &str, tag: &str| {
        daemon.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\
             Connection: close\r\n\r\n"
        ))
    };
    let one = format!("{EXECUTIONS}/{id}");
    for path in [&one, EXECUTIONS] {
        let first = daemon.get(path);
        let tag = first.header("etag").unwrap().to_owned();
        assert_eq!(daemon.get(path).body, first.body);
        assert_eq!((ask(path, &tag).status, ask(path, "\"other\"").status), (304, 200));
    }
    let tag = daemon.get(EXECUTIONS).header("etag").unwrap().to_owned();
    // Stored by another process.
    place.exec("steps: [{name: s}]", 0);
    let after = ask(EXECUTIONS, &tag);
    assert_eq!((after.status, after.json()["total"].as_u64()), (200, Some(2)));
    // Deleted by another process.
    assert_eq!(place.run(["purge", "--all"]).code, Some(0));
    assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 0);
    assert_eq!(daemon.get(&one).status, 404);
    daemon.stop();
}
