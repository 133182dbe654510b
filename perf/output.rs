//! Output of steps: against a pipe into zstd, and beside starts.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::client::{self, post};
use crate::command::{WFX, run};
use crate::measure::{Failure, Figure, Target, alternate, timed};
use crate::serve::Server;
use crate::{Measured, store};

/// What a step prints in the first two.
const PRINTED_BYTES: usize = 64 << 20;
/// Starts of one measurement.
const STARTS: usize = 4_000;
/// Clients that start: so few that the machine has time for a step beside them.
const CONNECTIONS: usize = 4;

/// Lines as a service logs them: times, levels, a few names, numbers.
fn log(path: &Path, bytes: usize) -> Result<(), Failure> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = String::with_capacity(bytes + 200);
    let names = ["db", "http", "queue", "cache", "worker", "auth"];
    while text.len() < bytes {
        let (name, level) =
            (names[random.usize(..6)], if random.u8(..) < 20 { "WARN" } else { "INFO" });
        writeln!(
            text,
            "2026-11-29T{:02}:{:02}:{:02}.{:03}Z {level} {name}: request {:08x} of user {} took {} ms",
            random.u8(..24),
            random.u8(..60),
            random.u8(..60),
            random.u16(..1000),
            random.u32(..),
            random.u16(..5000),
            random.u16(..900),
        )?;
    }
    text.truncate(bytes);
    Ok(fs::write(path, text)?)
}

/// `wfx exec` of a step that prints 64 MiB, and zstd at the end of a pipe.
fn programs(folder: &Path) -> Result<(Command, Command), Failure> {
    let printed = folder.join("printed");
    log(&printed, PRINTED_BYTES)?;
    let document = folder.join("prints.yaml");
    fs::write(
        &document,
        format!("id: prints\nsteps: [{{name: a, run: 'cat {}'}}]\n", printed.display()),
    )?;
    let database = store::empty(folder, "output.db")?;
    let mut ours = Command::new(WFX);
    ours.args(["exec", "--quiet"]).arg(document).arg("--db").arg(database);
    let mut other = Command::new("sh");
    let line =
        format!("cat {} | zstd -q -3 -f -o {}", printed.display(), folder.join("z").display());
    other.args(["-c", &line]);
    Ok((ours, other))
}

/// How long a step takes that prints 64 MiB.
pub(crate) fn time() -> Measured {
    let folder = store::folder()?;
    let (mut ours, mut other) = programs(folder.path())?;
    run(&mut ours)?;
    run(&mut other)?;
    let pairs = alternate(
        || Ok(timed(|| run(&mut ours))?.as_secs_f64() * 1000.0),
        || Ok(timed(|| run(&mut other))?.as_secs_f64() * 1000.0),
    )?;
    Ok(Figure {
        name: "output: `wfx exec` of a step that prints 64 MiB against `sh -c '… | zstd -3 > file'`",
        lines: pairs.lines("wfx exec", "zstd", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}

/// How much that takes on the disk.
pub(crate) fn disk() -> Measured {
    let folder = store::folder()?;
    let (mut ours, mut other) = programs(folder.path())?;
    let database = folder.path().join("output.db");
    let before = fs::metadata(&database)?.len();
    run(&mut ours)?;
    run(&mut other)?;
    let kept = fs::metadata(&database)?.len() - before;
    let compressed = fs::metadata(folder.path().join("z"))?.len();
    Ok(Figure {
        name: "output-disk: what the database grows by 64 MiB of output against `zstd -3` of it",
        lines: vec![format!("wfx: {kept} bytes"), format!("zstd: {compressed} bytes")],
        value: kept as f64 / compressed as f64,
        target: Target::AtMost(1.3),
    })
}

/// The 99th percentile of starts while a step prints 64 MiB a second, against the same without.
pub(crate) fn beside() -> Measured {
    let folder = store::folder()?;
    let printed = folder.path().join("mebibyte");
    log(&printed, 1 << 20)?;
    let database = store::empty(folder.path(), "beside.db")?;
    let server = Server::wfx(folder.path(), &database)?;
    let stop = folder.path().join("stop");
    fs::write(
        folder.path().join("workflows/prints.yaml"),
        format!(
            "id: prints\nsteps: [{{name: a, run: 'until test -e {}; do cat {}; sleep 0.0145; done'}}]\n",
            stop.display(),
            printed.display()
        ),
    )?;
    let start = |id: &str| post(&format!("/api/v1/workflows/{id}/execute"));
    let p99 = || {
        let mut load = client::load(server.address, &start("bench"), CONNECTIONS, STARTS)?;
        Ok(load.percentile(99) * 1000.0)
    };
    // The folder is looked at once a second.
    while client::ask(server.address, &start("prints")).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    fs::write(&stop, "")?;
    p99()?;
    let ended = || -> Result<bool, Failure> {
        let status = Command::new(WFX)
            .args(["logs", "prints", "--follow", "--db"])
            .arg(&database)
            .stdout(Stdio::null())
            .status()?;
        Ok(status.success())
    };
    let pairs = alternate(
        || {
            fs::remove_file(&stop)?;
            client::ask(server.address, &start("prints"))?;
            std::thread::sleep(std::time::Duration::from_millis(500));
            let measured = p99();
            fs::write(&stop, "")?;
            ended()?;
            measured
        },
        p99,
    )?;
    Ok(Figure {
        name: "output-beside: p99 of starts beside a step that prints 64 MiB/s against the same without",
        lines: pairs.lines("beside", "without", "ms"),
        value: pairs.ratio(),
        target: Target::AtMost(1.5),
    })
}
