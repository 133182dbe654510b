//! Crashes, two daemons, hand-overs, clocks that are set, a year without a daemon.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::Duration;

use wfx::parts::base::clock;

use super::super::handover::service::Service;
use super::{count, decisions, place, serve, texts, write};
use crate::daemon::Daemon;
use crate::support::{Place, until};

/// What must hold whatever happened: each scheduled time has one decision and at most one execution,
/// and each execution of a schedule has its decision.
#[track_caller]
fn check(place: &Place) {
    let twice = place.sql(
        "SELECT workflow_id, schedule, scheduled_at, count(*) FROM workflow_executions
         WHERE trigger_kind = 'schedule' GROUP BY 1, 2, 3 HAVING count(*) > 1",
    );
    assert_eq!(twice, "", "started twice");
    let without = place.sql(
        "SELECT e.execution_id FROM workflow_executions AS e
         LEFT JOIN workflow_schedule_decisions AS d ON d.execution_id = e.execution_id
           AND d.action = 'started' AND d.scheduled_at = e.scheduled_at
         WHERE e.trigger_kind = 'schedule' AND d.action IS NULL",
    );
    assert_eq!(without, "", "executions without a decision");
    let without = place.sql(
        "SELECT d.scheduled_at FROM workflow_schedule_decisions AS d
         LEFT JOIN workflow_executions AS e ON e.execution_id = d.execution_id
         WHERE d.action = 'started' AND e.execution_id IS NULL",
    );
    assert_eq!(without, "", "decisions without their execution");
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}

/// Every scheduled time of a schedule with so many seconds between two, from the first decision to the
/// last, has a decision.
#[track_caller]
fn check_gaps(place: &Place, workflow_id: &str, seconds: i64) {
    let rows = place.sql(&format!(
        "SELECT unixepoch(scheduled_at), unixepoch(scheduled_until), count
         FROM workflow_schedule_decisions WHERE workflow_id = '{workflow_id}'
         ORDER BY scheduled_at"
    ));
    let mut next = None;
    for row in rows.lines() {
        let numbers: Vec<i64> = row.split('|').map(|number| number.parse().unwrap()).collect();
        let [from, until, count] = numbers[..] else { panic!("{row}") };
        assert_eq!(from, next.unwrap_or(from), "a time is missing or decided twice: {rows}");
        assert_eq!((until - from) / seconds + 1, count, "{row}");
        next = Some(until + seconds);
    }
}

fn rounds(default: u64) -> u64 {
    std::env::var("WFX_SCHEDULE_ROUNDS").map_or(default, |value| value.parse().unwrap())
}

/// Two daemons on one database, killed at random while files are edited and sockets handed over;
/// `WFX_SCHEDULE_ROUNDS` sets another number of rounds.
#[test]
fn whoever_is_killed_each_scheduled_time_is_decided_once() {
    let rounds = rounds(6);
    let all = "schedule: [{every: 1s, name: s, catch_up: all, start_deadline: 1s}]
overlap: allow\nsteps: [{name: a, run: 'true'}]\n";
    let none = "schedule: [{every: 1s, name: s}]\nsteps: [{name: a, sleep: 300ms}]\n";
    let latest = "schedule: [{every: 1s, name: s, start_deadline: 1s}]\noverlap: queue_latest
steps: [{name: a, sleep: 1200ms}]\n";
    let place = place(&[("all.yaml", all), ("none.yaml", none), ("latest.yaml", latest)]);
    let mut seed: u64 = 11;
    let mut random = move |below: u64| {
        // Knuth's numbers; the test is repeatable but for the scheduler.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let started = |place: &Place| -> u64 {
        let sql = "SELECT count(*) FROM workflow_executions WHERE trigger_kind = 'schedule'";
        place.sql(sql).parse().unwrap()
    };
    for round in 0..rounds {
        let mut one = Service::start(&place, &["--retention", "0"]);
        let other = serve(&place, &[]);
        let before = started(&place);
        thread::sleep(Duration::from_millis(random(1_200)));
        // Edits of all kinds but those that begin the schedule anew.
        write(&place, "none.yaml", &format!("{none}# round {round}\n"));
        if round % 3 == 0 {
            one.reload();
        }
        until("something was started", || started(&place) > before);
        thread::sleep(Duration::from_millis(random(700)));
        other.signal("KILL");
        other.end();
        if round % 2 == 0 {
            super::super::handover::service::signal(one.pid, "KILL");
        }
        drop(one);
        check(&place);
    }
    // What was missed is made up for in the end.
    let daemon = serve(&place, &[]);
    let open = "SELECT count(*) FROM workflow_schedule_decisions WHERE workflow_id = 'all'
        AND action <> 'started'";
    until("all have started", || {
        place.sql(open) == "0" && count(&decisions(&daemon, "all"), "started") > 0
    });
    daemon.stop();
    check(&place);
    for id in ["all", "none", "latest"] {
        check_gaps(&place, id, 1);
    }
    let open = "SELECT count(*) FROM workflow_executions WHERE workflow_id = 'all'
        AND status NOT IN ('success', 'interrupted')";
    assert_eq!(place.sql(open), "0");
}

#[test]
fn after_a_year_without_a_daemon_the_last_time_is_made_up_for() {
    let text = "schedule: {every: 1m, name: s, catch_up: last}\nsteps: [{name: a}]\n";
    let place = place(&[("w.yaml", text)]);
    let daemon = serve(&place, &[]);
    until("it is registered", || place.sql("SELECT count(*) FROM workflow_schedules") == "1");
    daemon.stop();
    place.sql("DELETE FROM workflow_schedule_decisions; UPDATE workflow_schedules SET decisions = 0,
        decided_until = NULL, first_seen = strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-365 days')");
    let daemon = serve(&place, &[]);
    until("the last one has started", || {
        texts(&decisions(&daemon, "w"), "reason").contains(&"catch_up")
    });
    let rows = decisions(&daemon, "w");
    assert_eq!(rows[0]["action"], "missed");
    assert!(rows[0]["count"].as_u64() > Some(525_000), "{rows:?}");
    assert!(rows.len() <= 4, "{rows:?}");
    daemon.stop();
    check(&place);
    check_gaps(&place, "w", 60);
}

/// A day of a clock that is set forwards and backwards.
#[test]
#[cfg(target_os = "linux")]
fn a_clock_that_is_set_starts_nothing_twice_and_nothing_waits_for_the_old_future() {
    let text = "schedule: [{cron: '* * * * *', name: s, start_deadline: 59s}]\noverlap: allow
steps: [{name: a, run: 'echo $WFX_SCHEDULED_AT >> ran'}]\n";
    let place = place(&[("w.yaml", text)]);
    let step = place.write("step", "0");
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    command
        .env("LD_PRELOAD", crate::faults::compile("clock", "tests/wfx/serve/clock.c"))
        .env("CLOCK_STEP", &step);
    let mut daemon = Daemon::of(&mut command);
    until("it is registered", || place.sql("SELECT count(*) FROM workflow_schedules") == "1");
    // A second before the next minute.
    let set = |seconds: i64| {
        let there = clock::now().as_micros() / 1_000_000 + seconds;
        let seconds = seconds + 59 - there.rem_euclid(60);
        place.write("new", seconds.to_string());
        std::fs::rename(place.path("new"), &step).unwrap();
    };
    let started = |place: &Place| -> u64 {
        let sql = "SELECT count(*) FROM workflow_executions WHERE trigger_kind = 'schedule'";
        place.sql(sql).parse().unwrap()
    };
    // Minute by minute, hours ahead, back by a day, and again through hours that were there before.
    let hour = 3_600;
    let mut seen = BTreeMap::new();
    for seconds in [
        60,
        120,
        6 * hour,
        6 * hour + 60,
        24 * hour,
        180,
        240,
        300,
        -24 * hour,
        -24 * hour + 60,
        360,
        420,
        90 * 24 * hour,
        480,
        540,
    ] {
        let before = started(&place);
        set(seconds);
        until(&format!("the clock is {seconds} s off, and a minute of it is started"), || {
            started(&place) > before
        });
        seen.insert(seconds, started(&place));
    }
    daemon.wait_for_log("the clock was set back");
    daemon.stop();
    check(&place);
    let ran = place.read("ran");
    let mut times: Vec<&str> = ran.lines().collect();
    let all = times.len();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), all, "{seen:?} {ran}");
}

/// All are due in one minute, under overlap, groups and blackouts.
#[test]
fn three_hundred_workflows_are_due_at_once() {
    const WORKFLOWS: usize = 300;
    let place = place(&[]);
    for number in 0..WORKFLOWS {
        let rules = match number % 5 {
            0 => "overlap: skip",
            1 => "overlap: queue_latest",
            2 => "overlap: allow\nconcurrency: {group: shared, limit: 3}",
            3 => "blackout: [{from: 2020-01-01T00:00:00Z, to: 2100-01-01T00:00:00Z}]",
            _ => "overlap: replace",
        };
        let text = format!(
            "schedule: [{{every: 3s, name: a}}, {{every: 3s, name: b}}, {{every: 6s, name: c}}]
{rules}\nsteps: [{{name: a, sleep: 1ms}}]\n"
        );
        write(&place, &format!("w{number:03}.yaml"), &text);
    }
    let daemon = serve(&place, &["--retention", "0"]);
    let decided = "SELECT count(DISTINCT workflow_id) FROM workflow_schedule_decisions";
    until("all are decided", || place.sql(decided) == WORKFLOWS.to_string());
    let passed = "SELECT count(*) FROM (SELECT sum(count) AS times FROM workflow_schedule_decisions
        GROUP BY workflow_id, schedule HAVING schedule <> 'c' AND times > 2)";
    until("again and again", || place.sql(passed) == (2 * WORKFLOWS).to_string());
    daemon.stop();
    check(&place);
    for number in 0..WORKFLOWS {
        // By schedule: the three share their times.
        let rows = place.sql(&format!(
            "SELECT count(*) FROM (SELECT schedule,
               unixepoch(scheduled_at) - lag(unixepoch(scheduled_until))
                 OVER (PARTITION BY schedule ORDER BY scheduled_at) AS gap
             FROM workflow_schedule_decisions WHERE workflow_id = 'w{number:03}')
             WHERE gap NOT IN (3, 6)"
        ));
        assert_eq!(rows, "0", "w{number:03}");
        if number % 5 == 3 {
            let started = format!(
                "SELECT count(*) FROM workflow_executions WHERE workflow_id = 'w{number:03}'"
            );
            assert_eq!(place.sql(&started), "0", "a blackout covers it");
        }
    }
    let together = "SELECT count(*) FROM workflow_executions AS a JOIN workflow_executions AS b
        ON a.workflow_id = b.workflow_id AND a.seq < b.seq AND b.started_at < a.completed_at
        WHERE a.workflow_id IN (SELECT workflow_id FROM workflow_schedules
          WHERE CAST(substr(workflow_id, 2) AS INTEGER) % 5 < 2)";
    assert_eq!(place.sql(together), "0", "no two of a workflow that skips or queues run at a time");
}

#[test]
fn an_exec_that_died_is_ended_and_holds_no_schedule_up() {
    let text = "schedule: {every: 1s, name: s}\nsteps: [{name: a, run: 'test -e held || { touch held; sleep 1000; }'}]\n";
    let place = place(&[("w.yaml", text)]);
    let mut held = place.wfx(["exec", "workflows/w.yaml"]).spawn().unwrap();
    until("it runs", || place.path("held").exists());
    Command::new("kill").args(["-s", "KILL", &held.id().to_string()]).status().unwrap();
    held.wait().unwrap();
    let daemon = serve(&place, &[]);
    until("it starts", || count(&decisions(&daemon, "w"), "started") > 0);
    let of_exec = "SELECT status FROM workflow_executions WHERE trigger_kind = 'cli'";
    assert_eq!(place.sql(of_exec), "interrupted");
    daemon.stop();
}

/// Nothing is lost that became due while nobody could write; a schedule that another daemon has
/// removed, whose folder is another one, is registered anew.
#[test]
fn a_locked_database_delays_schedules_and_one_that_was_removed_is_registered_anew() {
    let place = place(&[("w.yaml", "schedule: {every: 1s, name: s}\nsteps: [{name: a}]\n")]);
    let daemon = serve(&place, &["--retention", "0"]);
    until("it starts", || count(&decisions(&daemon, "w"), "started") > 0);
    let other = rusqlite::Connection::open(place.database()).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other.execute("DELETE FROM workflow_schedules WHERE workflow_id = 'w'", []).unwrap();
    until("it is reported", || daemon.get("/readyz").status == 503);
    other.execute_batch("COMMIT").unwrap();
    let registered = "SELECT count(*) FROM workflow_schedules WHERE workflow_id = 'w'";
    until("it is registered anew", || place.sql(registered) == "1");
    let now = place.sql("SELECT unixepoch() + 1");
    let later = format!(
        "SELECT count(*) > 1 FROM workflow_schedule_decisions
         WHERE action = 'started' AND unixepoch(scheduled_at) > {now}"
    );
    until("it starts again", || place.sql(&later) == "1");
    until("it is well", || daemon.get("/readyz").status == 200);
    daemon.stop();
    check(&place);
}
