//! Rehearsals of schedules, and the scheduler of the daemon.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::{self, WFX};
use crate::measure::{Failure, Figure, Target, median, timed};
use crate::serve::Server;
use crate::store;

/// How many workflows are due at one instant.
const DUE: usize = 1_000;
/// The time between two such instants.
const PERIOD: Duration = Duration::from_secs(5);
/// For how long the daemon is watched while nothing is due.
const IDLE: Duration = Duration::from_secs(20);
/// The unit of times in `/proc/PID/stat` (proc_pid_stat(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// How often the year is rehearsed.
const ROUNDS: usize = 5;

/// Seconds and peak memory of a year of a minutely schedule, with an outage, as JSON.
pub(crate) fn year() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    let path = folder.path().join("minutely.yaml");
    std::fs::write(
        &path,
        "schedule: {cron: \"* * * * *\", timezone: Europe/Berlin, catch_up: last}\n\
         steps: [{name: a, run: \"true\"}]\n",
    )?;
    let sim = || {
        let mut command = Command::new(WFX);
        command.args(["schedule", "sim", "--format", "json", "--takes", "90s"]);
        command.args(["--from", "2026-01-01", "--to", "2027-01-01"]);
        command.args(["--down", "2026-05-01T00:00:00Z/72h", "--db"]);
        command.arg(folder.path().join("none.db")).arg(&path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        seconds.push(timed(|| command::run(&mut sim()))?.as_secs_f64());
    }
    let peak_kb = command::peak_kb(&mut sim())?;
    Ok(vec![
        Figure {
            name: "schedule-year: seconds of a year of a minutely schedule",
            lines: vec![format!("{seconds:.3?}")],
            value: median(&seconds),
            target: Target::AtMost(1.0),
        },
        Figure {
            name: "schedule-year: peak MB of the same",
            lines: vec![format!("{peak_kb} kB")],
            value: peak_kb / 1000.0,
            target: Target::AtMost(50.0),
        },
    ])
}

fn workflows(folder: &Path, schedule: &str) -> Result<(), Failure> {
    let workflows = folder.join("workflows");
    std::fs::create_dir_all(&workflows)?;
    for number in 0..DUE {
        let text = format!("schedule: [{{{schedule}}}]\nsteps: [{{name: a}}]\n");
        std::fs::write(workflows.join(format!("w{number}.yaml")), text)?;
    }
    Ok(())
}

/// How late executions start of which 1,000 are due at one instant, from the scheduled time to
/// `started_at`; and what a daemon takes whose 1,000 schedules are not due.
pub(crate) fn scheduler() -> Result<Vec<Figure>, Failure> {
    let folder = store::folder()?;
    workflows(folder.path(), &format!("every: {}s", PERIOD.as_secs()))?;
    let database = store::empty(folder.path(), "due.db")?;
    let server = Server::wfx(folder.path(), &database)?;
    std::thread::sleep(PERIOD * 6);
    drop(server);
    // The first instant comes while the files are read for the first time.
    let mut late = store::numbers(
        &database,
        "SELECT (julianday(started_at) - julianday(scheduled_at)) * 86400000.0
         FROM workflow_executions WHERE scheduled_at IS NOT NULL AND scheduled_at > (
           SELECT min(scheduled_at) FROM workflow_executions)",
    )?;
    late.sort_by(f64::total_cmp);
    let at = |percent: usize| late.get(late.len().saturating_sub(1) * percent / 100);
    let (p50, p99) = (at(50).ok_or("nothing started")?, at(99).ok_or("nothing started")?);
    let lateness = Figure {
        name: "scheduler: ms from the time to the start, 1,000 due at once, p99",
        lines: vec![format!("{} starts, p50 {p50:.0} ms, p99 {p99:.0} ms", late.len())],
        value: *p99,
        target: Target::AtMost(500.0),
    };
    let folder = store::folder()?;
    workflows(folder.path(), "cron: '0 0 29 2 *', timezone: Europe/Berlin")?;
    let server = Server::wfx(folder.path(), &store::empty(folder.path(), "idle.db")?)?;
    std::thread::sleep(Duration::from_secs(5));
    let before = ticks(server.pid())?;
    std::thread::sleep(IDLE);
    let percent = (ticks(server.pid())? - before) / TICKS_PER_SECOND / IDLE.as_secs_f64() * 100.0;
    Ok(vec![
        lateness,
        Figure {
            name: "scheduler: percent of a core of an idle daemon with 1,000 schedules",
            lines: vec![format!("{percent:.2} % over {} s", IDLE.as_secs())],
            value: percent,
            target: Target::AtMost(0.5),
        },
    ])
}

/// User and system time that a process has taken.
fn ticks(pid: u32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program may hold anything but ends with the last parenthesis.
    let fields = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let of = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    Ok(of(11).zip(of(12)).map(|(user, system)| user + system).ok_or("no times")?)
}
