//! Rehearsals of schedules.

use std::process::{Command, Stdio};

use crate::command::{self, WFX};
use crate::measure::{Failure, Figure, Target, median, timed};
use crate::store;

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
