//! Reloads under load: nothing is refused, lost, ended or run twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::service::Connection;
use super::*;
use crate::support::processes_with_any;

/// Clients that keep their connections, and as many that do not.
const CLIENTS: usize = 4;

/// Each execution leaves a line, and one that is tried again leaves another.
const COUNTED: &str = "id: counted
params: {n: 0}
steps:
- name: count
  run: echo $WFX_PARAM_N >> counted; sleep 0.$((WFX_PARAM_N % 3))
";

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a load has a rate")]
fn now() -> Instant {
    Instant::now()
}

/// What clients have seen.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    starts: AtomicUsize,
    stops: AtomicBool,
    failures: Mutex<Vec<String>>,
    /// Executions that were accepted, by their number.
    accepted: Mutex<BTreeMap<usize, String>>,
    /// Those of them that were acknowledged as stored: on a busy disk that may come later.
    started: Mutex<BTreeMap<usize, String>>,
}

/// Ends the clients, also of a test that fails.
struct Stop<'s>(&'s Seen);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stops.store(true, Ordering::Relaxed);
    }
}

/// Sends requests until it is to stop, `rate` in a second over all clients (0: as many as it can).
/// Every tenth starts an execution.
fn load(mut connection: Connection, seen: &Seen, rate: u64, keeps: bool) {
    let pause = Duration::from_secs(2 * CLIENTS as u64).checked_div(rate.try_into().unwrap());
    let mut due = now();
    while !seen.stops.load(Ordering::Relaxed) {
        if let Some(pause) = pause {
            due += pause;
            thread::sleep(due.saturating_duration_since(now()));
        }
        let count = seen.requests.fetch_add(1, Ordering::Relaxed);
        if !keeps {
            connection.renew();
        }
        let (outcome, number) = if count.is_multiple_of(10) {
            let number = seen.starts.fetch_add(1, Ordering::Relaxed);
            let body = format!("{{\"params\":{{\"n\":{number}}}}}");
            let path = "/api/v1/workflows/counted/execute";
            (connection.ask_with("POST", path, None, &body), Some(number))
        } else {
            (connection.ask("GET", "/api/v1/ping"), None)
        };
        match outcome {
            Ok((answer, _)) if answer.starts_with("HTTP/1.1 200") => {
                let Some(number) = number else { continue };
                let body = answer.split_once("\r\n\r\n").unwrap().1;
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                let id = body["execution_id"].as_str().unwrap().to_owned();
                seen.accepted.lock().unwrap().insert(number, id.clone());
                if body["persisted"] == true {
                    seen.started.lock().unwrap().insert(number, id);
                }
            }
            failed => seen.failures.lock().unwrap().push(format!("{failed:?}")),
        }
    }
}

/// Asserts that each start ran once, to its end.
#[track_caller]
fn assert_ran_once(place: &Place, seen: &Seen) {
    let rows = place.sql("SELECT status, count(*) FROM workflow_executions GROUP BY status");
    assert_eq!(rows.lines().count(), 1, "{rows}");
    assert!(rows.starts_with("success|"), "{rows}");
    let mut counted: Vec<usize> =
        place.read("counted").lines().map(|line| line.parse().unwrap()).collect();
    counted.sort_unstable();
    let expected: Vec<usize> = seen.accepted.lock().unwrap().keys().copied().collect();
    assert_eq!(counted, expected);
    assert_eq!(place.sql("SELECT max(attempt) FROM workflow_execution_steps"), "1");
}

/// `WFX_RELOAD_ROUNDS` sets another number of reloads, `WFX_RELOAD_RATE` another rate.
#[test]
fn reloads_under_load_refuse_interrupt_and_lose_nothing() {
    let rounds = from_environment("WFX_RELOAD_ROUNDS", 5);
    let rate = from_environment("WFX_RELOAD_RATE", 200);
    let place = place();
    place.write("workflows/counted.yaml", COUNTED);
    let mut service = Service::start(&place, &["--retention", "0", "--log", "info"]);
    let seen = Seen::default();
    let mut long = BTreeSet::new();
    thread::scope(|scope| {
        let _stop = Stop(&seen);
        for number in 0..2 * CLIENTS {
            let (seen, client) = (&seen, service.client());
            scope.spawn(move || load(client, seen, rate, number % 2 == 0));
        }
        for _ in 0..rounds {
            let before = seen.requests.load(Ordering::Relaxed);
            long.insert(started(&service));
            until("there was load", || {
                seen.requests.load(Ordering::Relaxed) > before + usize::try_from(rate / 5).unwrap()
            });
            service.reload();
        }
    });
    let requests = seen.requests.load(Ordering::Relaxed);
    assert_eq!(seen.failures.lock().unwrap().as_slice(), [] as [String; 0], "of {requests}");
    assert_eq!(seen.accepted.lock().unwrap().len(), seen.starts.load(Ordering::Relaxed));
    // The long ones run in as many processes.
    assert_eq!(service.processes().len() as u64, rounds + 1);
    let marks: Vec<String> = long.iter().map(|id| format!("WFX_EXECUTION_ID={id}")).collect();
    assert!(processes_with_any(&marks).len() >= long.len());
    place.write("go", "");
    until("the old ones have ended", || service.family() == [service.pid]);
    // The end of the last step is stored a moment after it.
    until("all ends are stored", || {
        place.sql("SELECT count(*) FROM workflow_executions WHERE completed_at IS NULL") == "0"
    });
    assert_ran_once(&place, &seen);
    assert!(!service.log().contains("going on with it"), "nothing was recovered");
    let executions = place.sql("SELECT count(*) FROM workflow_executions");
    println!("{rounds} reloads, {requests} requests, {executions} executions, 0 lost");
    service.stop();
}

/// Executions that a crash may end are tried again.
const CRASHED: &str = "id: counted
params: {n: 0}
steps:
- name: count
  run: echo $WFX_PARAM_N >> counted; sleep 0.$((WFX_PARAM_N % 3))
  retry: {max_attempts: 100, backoff: 1ms}
";

/// `WFX_RELOAD_ROUNDS` sets another number of rounds.
#[test]
fn whoever_is_killed_during_a_reload_nothing_stored_is_lost() {
    let rounds = from_environment("WFX_RELOAD_ROUNDS", 4);
    let place = place();
    place.write("workflows/counted.yaml", CRASHED);
    let mut seed = from_environment("WFX_RELOAD_SEED", 7);
    let mut random = move |below: u64| {
        // Knuth's numbers; the test is repeatable but for the scheduler.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut started = BTreeSet::new();
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..rounds {
        let service = Service::start(&place, &["--retention", "0"]);
        let seen = Seen::default();
        thread::scope(|scope| {
            let _stop = Stop(&seen);
            for number in 0..CLIENTS {
                let (seen, client) = (&seen, service.client());
                scope.spawn(move || load(client, seen, 200, number % 2 == 0));
            }
            until("some are started", || seen.started.lock().unwrap().len() > 5);
            let old = service.pid;
            service.signal("USR2");
            // A hand-over takes some milliseconds more than starting the program.
            thread::sleep(Duration::from_micros(random(40_000)));
            let kills_old = round % 2 == 0;
            let successor =
                || service.family().into_iter().find(|pid| *pid != old && is_successor(*pid));
            let victim = if kills_old { Some(old) } else { successor() };
            victim.inspect(|pid| service::signal(*pid, "KILL"));
            seen.stops.store(true, Ordering::Relaxed);
            let was_handed_over = |service: &Service| {
                service.log().matches("handed over to the successor").count() as u64
            };
            // Whoever is left serves, unless the hand-over was complete.
            let mut answers = false;
            let begin = now();
            while !answers && begin.elapsed() < Duration::from_secs(20) {
                answers = service.answers();
                let left = service.daemons();
                if left.is_empty() || (!kills_old && was_handed_over(&service) > 0 && !answers) {
                    break;
                }
            }
            let outcome = format!(
                "{} killed, {}",
                if kills_old { "old" } else { "successor" },
                if answers { "one serves" } else { "none serves" }
            );
            *outcomes.entry(outcome).or_default() += 1;
            if !answers {
                // Only where the daemon itself was killed: the old one before it had a successor,
                // or the successor after the hand-over.
                let is_fair = match kills_old {
                    true => service.daemons().is_empty(),
                    false => was_handed_over(&service) > 0,
                };
                assert!(is_fair, "{:?} {}", service.daemons(), service.log());
            }
        });
        started.extend(std::mem::take(&mut *seen.started.lock().unwrap()).into_values());
        // All of them, as a power loss would.
        drop(service);
        std::fs::remove_file(place.path("log")).unwrap();
    }
    let service = Service::start(&place, &["--retention", "0"]);
    until("all have ended", || {
        place.sql("SELECT count(*) FROM workflow_executions WHERE status IN ('running', 'pending')")
            == "0"
    });
    let rows = place.sql("SELECT execution_id, status FROM workflow_executions");
    let stored: BTreeMap<&str, &str> =
        rows.lines().map(|row| row.split_once('|').unwrap()).collect();
    for id in &started {
        assert_eq!(stored.get(id.as_str()).copied(), Some("success"), "{id}");
    }
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
    println!("{rounds} rounds, {} executions, 0 lost: {outcomes:?}", started.len());
    service.stop();
}

fn is_successor(pid: u32) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let has = |name: &[u8]| environment.split(|byte| *byte == 0).any(|it| it.starts_with(name));
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_starter = command.split(|byte| *byte == 0).nth(1) == Some(b"__start-successor");
    has(b"WFX_SUCCESSOR=") && !has(b"WFX_EXECUTION_ID=") && !is_starter
}
