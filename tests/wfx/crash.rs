//! `kill -9` at random moments. `WFX_ROUNDS` and `WFX_SEED` make it longer or the same
//! again; `perf/README.md` records a long one.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::{Place, Ran, Running, processes_with_any, until};

/// Rounds of an ordinary test run.
const ROUNDS: usize = 8;
/// The most executions in flight.
const IN_FLIGHT: usize = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A workflow whose steps tell each start in the file `ran`, then work for a moment.
fn workflow(random: &mut fastrand::Rng) -> String {
    let mut text = String::from("id: random\nmax_parallel: 3\nsteps:\n");
    for step in 0..random.usize(2..7) {
        let attempts = random.u32(1..4);
        let millis = random.u32(0..40);
        // Written as a whole: several steps append to it at once.
        let line = "echo $WFX_EXECUTION_ID $WFX_STEP_NAME $WFX_ATTEMPT >> ran";
        let work = match random.u32(0..8) {
            0 => format!("sleep: {millis}ms"),
            1 => format!("run: '{line}; sleep 0.0{millis:02}; exit 1', continue_on_error: true"),
            2 => format!("run: '{line}; exec setsid -w sleep 0.0{millis:02}'"),
            _ => format!("run: '{line}; sleep 0.0{millis:02} & wait'"),
        };
        let apart = if random.u32(0..3) == 0 { ", depends_on: []" } else { "" };
        let retry = format!("retry: {{max_attempts: {attempts}, backoff: 5ms}}");
        writeln!(text, "- {{name: s{step}, {work}, {retry}{apart}}}").unwrap();
    }
    text
}

fn lines(path: &Path) -> Vec<(String, String, u64)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [id, step, attempt] = fields[..] else { panic!("torn: {line}") };
            (id.to_owned(), step.to_owned(), attempt.parse().unwrap())
        })
        .collect()
}

/// What must be true of every execution when nobody runs any more. Gives how many were
/// interrupted.
fn check(place: &Place, reported: &HashSet<String>, recoveries: &[Ran]) -> usize {
    let mut starts: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    for (id, step, attempt) in lines(&place.path("ran")) {
        starts.entry((id, step)).or_default().push(attempt);
    }
    if place.run(["list"]).code == Some(3) {
        // All were killed before anything was stored.
        assert!(starts.is_empty() && reported.is_empty(), "{starts:?} {reported:?}");
        return 0;
    }
    let listed = place.list();
    let items = listed["items"].as_array().unwrap();
    let known: HashSet<&str> =
        items.iter().map(|item| item["execution_id"].as_str().unwrap()).collect();
    for id in starts.keys().map(|(id, _)| id).chain(reported) {
        assert!(known.contains(id.as_str()), "{id} was reported and is not stored");
    }
    for item in items {
        let id = item["execution_id"].as_str().unwrap();
        let execution = place.show(id);
        let status = item["status"].as_str().unwrap();
        assert!(
            ["success", "failed", "interrupted"].contains(&status),
            "after {recoveries:#?} this is left: {execution:#}"
        );
        assert_eq!(execution["execution"]["owner"], Value::Null);
        let definition = &execution["execution"]["input_snapshot"]["definition"];
        let mut interrupted = false;
        for (step, defined) in execution["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (step, &definition["steps"]))
            .map(|(step, steps)| {
                let named = |other: &&Value| other["name"] == step["name"];
                (step, steps.as_array().unwrap().iter().find(named).unwrap())
            })
        {
            let name = step["name"].as_str().unwrap();
            let (attempt, max) =
                (step["attempt"].as_u64().unwrap(), defined["retry"]["max_attempts"].as_u64());
            let max = max.unwrap_or(1);
            let state = step["status"].as_str().unwrap();
            assert!(attempt <= max, "{id} {name}: attempt {attempt} of {max}");
            interrupted |= state == "interrupted";
            if state == "interrupted" {
                assert_eq!(attempt, max, "{id} {name} had attempts left");
            }
            let mut made = starts.remove(&(id.to_owned(), name.to_owned())).unwrap_or_default();
            let count = made.len();
            made.sort_unstable();
            made.dedup();
            assert_eq!(made.len(), count, "{id} {name}: an attempt ran twice");
            assert!(made.iter().all(|made| *made <= attempt), "{id} {name}: {made:?} > {attempt}");
            if defined.get("run").is_some() && ["success", "failed"].contains(&state) {
                assert_eq!(made.last(), Some(&attempt), "{id} {name} {state} did not run");
            }
        }
        assert_eq!(status == "interrupted", interrupted, "{id}");
    }
    assert!(starts.is_empty(), "steps ran that are not stored: {starts:?}");
    let variables: Vec<String> = known.iter().map(|id| format!("WFX_EXECUTION_ID={id}")).collect();
    assert_eq!(processes_with_any(&variables), [] as [u32; 0], "orphans");
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
    items.iter().filter(|item| item["status"] == "interrupted").count()
}

#[test]
fn killed_at_random_moments_everything_ends_as_it_must() {
    let seed = number("WFX_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let rounds = number("WFX_ROUNDS").map_or(ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    println!("WFX_SEED={seed} WFX_ROUNDS={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut killed, mut interrupted) = (0, 0);
    for round in 0..rounds {
        let place = Place::new();
        let ran = place.path("ran");
        let processes: Vec<Running> = (0..random.usize(1..=IN_FLIGHT))
            .map(|index| {
                let file = place.write(&format!("w{index}.yaml"), workflow(&mut random));
                Running::start(place.wfx(["exec", "--format", "json"]).arg(file))
            })
            .collect();
        // The moment: when so many steps have begun.
        let moment = random.usize(0..processes.len() * 4);
        let mut processes = processes;
        until("enough has begun", || {
            let over = processes.iter_mut().all(|p| p.child.try_wait().unwrap().is_some());
            over || lines(&ran).len() >= moment
        });
        let mut reported = HashSet::new();
        for process in &mut processes {
            if process.child.try_wait().unwrap().is_none() {
                process.child.kill().unwrap();
                killed += 1;
            }
        }
        for process in processes {
            let ended = process.end();
            assert!(!ended.stderr.contains("panicked"), "round {round}: {ended:?}");
            if ended.code.is_some() {
                let id = ended.json()["execution"]["execution_id"].as_str().unwrap().to_owned();
                reported.insert(id);
            }
        }
        // Recovered by two at once, one of which may die as well.
        let mut first = Running::start(&mut place.wfx(["recover"]));
        let second = Running::start(&mut place.wfx(["recover"]));
        if random.bool() {
            let moment = lines(&ran).len() + random.usize(0..6);
            until("the recovery has begun more", || {
                first.child.try_wait().unwrap().is_some() || lines(&ran).len() >= moment
            });
            let _ = first.child.kill();
        }
        let mut recoveries = vec![first.end(), second.end()];
        recoveries.push(Ran::of(&mut place.wfx(["recover"])));
        for ended in &recoveries {
            assert!(!ended.stderr.contains("panicked"), "round {round}: {ended:?}");
            assert!(matches!(ended.code, None | Some(0 | 1)), "round {round}: {ended:?}");
        }
        interrupted += check(&place, &reported, &recoveries);
    }
    // Otherwise nothing was tried.
    assert!(killed > 0 && interrupted > 0, "{killed} killed, {interrupted} interrupted");
    println!("{killed} killed, {interrupted} executions interrupted");
}
