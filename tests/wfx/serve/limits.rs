//! Many at once.

use super::*;

#[test]
fn starts_at_one_moment_are_no_more_than_may_be_in_flight() {
    const CLIENTS: usize = 32;
    const ROUNDS: usize = 8;
    for _ in 0..ROUNDS {
        let place = place();
        let daemon = serve(&place, &["--max-in-flight", "1"]);
        let together = std::sync::Barrier::new(CLIENTS);
        let start = || {
            together.wait();
            daemon.post("/api/v1/workflows/waiting/execute", "").status
        };
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(start)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let count = |status| statuses.iter().filter(|found| **found == status).count();
        assert_eq!((count(200), count(503)), (1, CLIENTS - 1), "{statuses:?}");
        assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 1);
        place.write("go", "");
        daemon.stop();
    }
}

/// The most memory that a daemon had, MiB.
fn peak_mib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// 64 KiB of U+0001, each of which takes six bytes in JSON, and as many of U+007F.
const LOUD: &str = "head -c 65536 /dev/zero | tr '\\0' '\\1'; \
                    head -c 65536 /dev/zero | tr '\\0' '\\177' >&2";

#[test]
fn an_answer_of_a_hundred_megabytes_is_sent_in_pieces() {
    const STEPS: usize = 150;
    let place = place();
    let steps: Vec<_> = (0..STEPS).map(|n| json!({"name": format!("s{n}"), "run": LOUD})).collect();
    place.write("workflows/loud.json", json!({"id": "loud", "steps": steps}).to_string());
    let daemon = serve(&place, &[]);
    let path = "/api/v1/workflows/loud/execute?wait=5m";
    let waited = daemon.post(path, "");
    assert_eq!(waited.header("transfer-encoding"), Some("chunked"));
    assert!(waited.body.len() > 100 << 20, "{}", waited.body.len());
    let done = waited.expect(200);
    let shown = daemon.get(&format!("{EXECUTIONS}/{}", id_of(&done)));
    // No client's terminal shows either.
    assert!(!shown.body.contains(['\u{1}', '\u{7f}']));
    let shown = shown.expect(200);
    assert_eq!(shown["execution"], done["execution"]);
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!(steps.len(), STEPS);
    for (position, step) in steps.iter().enumerate() {
        assert_eq!(step["name"], format!("s{position}"));
        let (stdout, stderr) = (step["stdout"].as_str().unwrap(), step["stderr"].as_str().unwrap());
        assert!(stdout.len() == 65_536 && stdout.bytes().all(|byte| byte == 1), "{position}");
        assert!(stderr.len() == 65_536 && stderr.bytes().all(|byte| byte == 0x7f), "{position}");
    }
    let peak = peak_mib(&daemon);
    assert!(peak < 90, "{peak} MiB");
    daemon.stop();
}

#[test]
fn a_page_that_comes_in_pieces_is_that_which_is_read_at_once() {
    let place = place();
    place.write("workflows/large.yaml", "id: large\nparams: {a: x}\nsteps: [{name: s}]");
    let daemon = serve(&place, &[]);
    for number in 0..12 {
        let body = json!({"params": {"a": format!("{number}{}", "v".repeat(60_000))}}).to_string();
        daemon.post("/api/v1/workflows/large/execute?wait=30s", &body).expect(200);
    }
    let whole = daemon.get(&format!("{EXECUTIONS}?limit=12"));
    assert_eq!(whole.header("transfer-encoding"), Some("chunked"));
    let whole = whole.expect(200);
    assert_eq!(
        (&whole["total"], &whole["limit"], &whole["offset"]),
        (&json!(12), &json!(12), &json!(0))
    );
    let cursor = whole["next_cursor"].as_str().unwrap();
    let rest = daemon.get(&format!("{EXECUTIONS}?cursor={cursor}")).expect(200);
    assert_eq!((&rest["items"], &rest["next_cursor"]), (&json!([]), &json!(null)));
    let mut items = Vec::new();
    for offset in 0..12 {
        let one = daemon.get(&format!("{EXECUTIONS}?limit=1&offset={offset}"));
        assert!(one.header("content-length").is_some());
        items.extend(one.expect(200)["items"].as_array().unwrap().clone());
    }
    assert_eq!(whole["items"], json!(items));
    assert_eq!(
        daemon.get(&format!("{EXECUTIONS}?limit=13")).expect(200)["next_cursor"],
        json!(null)
    );
    daemon.stop();
}

#[test]
fn executions_that_run_share_a_bound_of_memory() {
    let place = place();
    place.write(
        "workflows/large.yaml",
        "id: large\nparams: {a: x, b: x, c: x, d: x, e: x, f: x, g: x}\nsteps: [{name: s, sleep: 1h}]",
    );
    let daemon = serve(&place, &["--drain-timeout", "0s"]);
    let params: serde_json::Map<_, _> =
        "abcdefg".chars().map(|key| (key.to_string(), json!("v".repeat(130_000)))).collect();
    let body = json!({"params": params}).to_string();
    let start = || daemon.post("/api/v1/workflows/large/execute", &body);
    let refused = (0..200).map(|_| start()).find(|answer| answer.status != 200).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.body.contains("160 MiB"), "{refused:?}");
    // A small one finds room.
    daemon.post(&format!("{EXECUTE}?wait=30s"), "").expect(200);
    let peak = peak_mib(&daemon);
    assert!(peak < 512, "{peak} MiB");
    daemon.signal("KILL");
    daemon.end();
}
