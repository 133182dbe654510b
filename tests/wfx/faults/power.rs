//! The power fails at any moment: what was acknowledged is there.
//!
//! `WFX_FAULT_ROUNDS` sets how many moments are tried, `WFX_FAULT_SEED` which.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;

use super::disk::{self, Disk, Files};
use super::preload;
use crate::support::{Place, Ran, Running};

/// Each step acknowledges itself: its start was durable before it could look at how long
/// the record is by now.
const PAID: &str = r#"
id: paid
steps:
- {name: take, run: 'echo "$WFX_EXECUTION_ID take $(wc -c < log)" >> acks'}
- {name: give, run: 'echo "$WFX_EXECUTION_ID give $(wc -c < log)" >> acks; seq 2000'}
"#;

/// What a caller was told when the record was `at` long: that this step has begun, or,
/// without a step, that all is done.
#[derive(Debug, Clone)]
struct Ack {
    at: usize,
    execution: String,
    step: Option<String>,
}

/// What was written, and what was told.
struct Load {
    log: Vec<u8>,
    acks: Vec<Ack>,
}

/// Many wfx one after the other and side by side.
fn load(durability: &str) -> Load {
    let place = Place::new();
    let acks = Mutex::new(Vec::new());
    let length = || usize::try_from(fs::metadata(place.path("log")).unwrap().len()).unwrap();
    let wfx = |args: &[&str]| {
        let mut command = place.wfx(args);
        command.env("WFX_DURABILITY", durability).env("FAULT_LOG", place.path("log"));
        preload(&mut command, &place);
        command
    };
    let finish = |ran: &Ran| {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let at = length();
        let execution = ran.json()["execution"]["execution_id"].as_str().unwrap().to_owned();
        acks.lock().unwrap().push(Ack { at, execution, step: None });
    };
    let pay = || finish(&Ran::of(&mut wfx(&["exec", "paid.yaml", "--format", "json"])));
    place.write("paid.yaml", PAID);
    place.write("junk.yaml", "id: junk\nsteps: [{name: a, run: 'seq 2000; exit 1'}]");
    place.write("hold.yaml", "id: hold\nsteps: [{name: a, run: 'echo begun; read x < gate'}]");
    // Each is alone: makes the log, copies it into the database, deletes it.
    for _ in 0..4 {
        pay();
    }
    // One that stays keeps the others from doing so.
    let gate = Ran::of(Command::new("mkfifo").arg(place.path("gate")));
    assert_eq!(gate.code, Some(0), "{gate:?}");
    let mut holder = Running::start(&mut wfx(&["exec", "hold.yaml", "-v", "--format", "json"]));
    holder.wait_for("begun");
    thread::scope(|scope| {
        for runner in 0..3 {
            scope.spawn(move || {
                for round in 0..10 {
                    pay();
                    // A purge copies the log into the database; then it begins anew.
                    if round % 3 == runner {
                        let junk = Ran::of(&mut wfx(&["exec", "junk.yaml"]));
                        assert_eq!(junk.code, Some(1), "{junk:?}");
                        let purge = Ran::of(&mut wfx(&["purge", "--all", "--status", "failed"]));
                        assert_eq!(purge.code, Some(0), "{purge:?}");
                    }
                }
            });
        }
    });
    for _ in 0..4 {
        pay();
    }
    // The record misses nothing: it tells the files as they are.
    let log = fs::read(place.path("log")).unwrap();
    let mut disk = Disk::default();
    disk::records(&log).iter().for_each(|record| disk.apply(record));
    for (name, content) in disk.now() {
        assert!(fs::read(path(&place.path(""), name)).unwrap() == content, "{name} differs");
    }
    assert!(disk.now()[&'w'].len() > 100_000);
    fs::write(place.path("gate"), "go\n").unwrap();
    finish(&holder.end());
    let steps = place.read("acks");
    let steps = steps.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let (execution, step) = (words[0].to_owned(), Some(words[1].to_owned()));
        Ack { at: words[2].parse().unwrap(), execution, step }
    });
    let mut acks = acks.into_inner().unwrap();
    acks.extend(steps);
    assert_eq!(acks.len(), 3 * (4 + 30 + 4) + 1);
    Load { log: fs::read(place.path("log")).unwrap(), acks }
}

fn path(folder: &Path, name: char) -> std::path::PathBuf {
    folder.join(match name {
        'd' => "wfx.db",
        'w' => "wfx.db-wal",
        'j' => "wfx.db-journal",
        other => panic!("a file {other:?}"),
    })
}

/// Opens what the power loss left and gives the acknowledgements that were lies.
fn lies(load: &Load, at: usize, files: &Files, and_go_on: bool) -> Vec<Ack> {
    let place = Place::new();
    for (name, content) in files {
        fs::write(path(&place.path(""), *name), content).unwrap();
    }
    let told: Vec<&Ack> = load.acks.iter().filter(|ack| ack.at <= at).collect();
    let listed = place.run(["list", "--limit", "1000", "--format", "json"]);
    if listed.code == Some(3) {
        // The power failed before there were tables: that is told, and is no obstacle.
        listed.refused(3, &["wfx.db"]);
        place.exec("steps: [{name: a, run: 'true'}]", 0);
        super::assert_sound(&place);
        return told.into_iter().cloned().collect();
    }
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let stored = place.sql(
        "PRAGMA integrity_check;
         SELECT 'total ' || sum(executions) FROM workflow_execution_counts;
         SELECT execution_id || ' ' || status FROM workflow_executions;
         SELECT execution_id || ' ' || step_name || ' ' || status
         FROM workflow_execution_steps_by_id",
    );
    let stored: std::collections::HashSet<&str> = stored.lines().collect();
    assert!(stored.contains("ok"), "{stored:?}");
    let listed = listed.json();
    let total = listed["items"].as_array().unwrap().len();
    assert_eq!(listed["total"], total);
    if total > 0 {
        assert!(stored.contains(format!("total {total}").as_str()), "{total} of {stored:?}");
    }
    for item in listed["items"].as_array().unwrap() {
        let (id, status) = (item["execution_id"].as_str(), item["status"].as_str());
        assert!(stored.contains(format!("{} {}", id.unwrap(), status.unwrap()).as_str()));
    }
    let is_true = |ack: &Ack| {
        let Ack { execution, step, .. } = ack;
        match step {
            None => stored.contains(format!("{execution} success").as_str()),
            Some(step) => ["running", "success"]
                .iter()
                .any(|status| stored.contains(format!("{execution} {step} {status}").as_str())),
        }
    };
    let lies = told.into_iter().filter(|ack| !is_true(ack)).cloned().collect();
    if and_go_on {
        place.exec("steps: [{name: a, run: 'true'}]", 0);
        assert_eq!(place.list()["total"], total + 1);
        super::assert_sound(&place);
    }
    lies
}

/// The power fails at `rounds` moments of a load: the lies of each that has some.
fn power_losses(durability: &str, rounds: usize) -> Vec<String> {
    let seed = std::env::var("WFX_FAULT_SEED").map_or(7, |seed| seed.parse().unwrap());
    let load = load(durability);
    let records = disk::records(&load.log);
    let mut random = Rng::with_seed(seed);
    // The making of the database takes few records, and has dangers of its own.
    let mut moment = |round| random.usize(..if round % 4 == 0 { 300 } else { records.len() });
    let mut moments: Vec<usize> = (0..rounds).map(&mut moment).collect();
    moments.sort_unstable();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        let (mut disk, mut applied) = (Disk::default(), 0);
        loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            let Some(&moment) = moments.get(round) else { return };
            records[applied..=moment].iter().for_each(|record| disk.apply(record));
            applied = moment + 1;
            let mut random = Rng::with_seed(seed ^ (round as u64) << 32);
            let files = disk.after_power_loss(&mut random);
            let at = records[moment].end;
            let checked = || lies(&load, at, &files, round.is_multiple_of(8));
            let told = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(checked)) {
                Ok(lies) if lies.is_empty() => continue,
                Ok(lies) => format!("{} lies such as {:?}", lies.len(), lies[0]),
                Err(_) => "an image that cannot be used".to_owned(),
            };
            found.lock().unwrap().push((round, moment, told, files));
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let mut told = Vec::new();
    for (round, moment, what, files) in found.into_inner().unwrap() {
        let mut line = format!("seed {seed}, round {round}, after record {moment}: {what}");
        if durability == "full" || what.contains("cannot") {
            // The load is never the same again, so what it led to is kept.
            let kept = tempfile::tempdir().unwrap().keep();
            for (name, content) in files {
                fs::write(path(&kept, name), content).unwrap();
            }
            write!(line, ", kept in {}", kept.display()).unwrap();
        }
        told.push(line);
    }
    told
}

#[test]
fn what_was_acknowledged_outlives_a_power_loss() {
    let rounds = std::env::var("WFX_FAULT_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    let lies = power_losses("full", rounds);
    println!("{} of {rounds} images miss what was acknowledged", lies.len());
    assert!(lies.is_empty(), "{}", lies.join("\n"));
}

/// Without syncs there is something to find, and it is found; but never a broken database.
#[test]
fn without_syncs_a_power_loss_is_noticed() {
    let lies = power_losses("normal", 60);
    println!("{} of 60 images miss what was acknowledged", lies.len());
    assert!(lies.len() > 5, "{lies:?}");
    assert!(!lies.iter().any(|lie| lie.contains("cannot")), "{}", lies.join("\n"));
}
