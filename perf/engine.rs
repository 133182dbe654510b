//! The engine and the repository in this process.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wfx::parts::base::clock::Clock;
use wfx::parts::engine::Cancel;
use wfx::parts::engine::EngineContext;
use wfx::parts::engine::OutputSink;
use wfx::parts::engine::Parallelism;
use wfx::parts::engine::Scratch;
use wfx::parts::engine::{Bounds, Supervisor};
use wfx::parts::repository::OwnerKind;
use wfx::parts::repository::{Durability, StoreAddress, Writer, WriterOptions};
use wfx::parts::workflow::ExecutionStatus;
use wfx::parts::workflow::inherited;
use wfx::parts::workflow::{Observer, Report, Snapshot};

use crate::measure::{Failure, Figure, Target, alternate, median, timed};
use crate::{Measured, limits, snapshot, store};

/// Executions at a time.
pub(crate) const IN_FLIGHT: usize = 64;
/// Executions of one measurement.
const EXECUTIONS: usize = 20_000;
pub(crate) const STORED: usize = 1_000_000;
pub(crate) const RETENTION: usize = 10_000;
const STEPS: usize = 200;
/// Steps with a condition each, and executions of them.
const CONDITIONS: usize = 500;
const DECIDED: usize = 400;
const PROGRAMS: usize = 4;

pub(crate) struct Nobody;

impl Observer for Nobody {
    fn report(&self, _report: &Report<'_>) {}
}

pub(crate) fn engine_context(
    writer: &Arc<Writer>,
    folder: &Path,
) -> Result<EngineContext, Failure> {
    Ok(EngineContext {
        writer: Arc::clone(writer),
        output: Arc::new(OutputSink::new(64 << 20)),
        owner: writer.claim_owner(OwnerKind::Exec, fastrand::u32(..))?,
        inherited: inherited(std::env::vars_os()),
        parallelism: Parallelism::new(1_024),
        scratch: Scratch::create(folder, 0)?,
        clock: Clock::system(),
        store_timeout: Duration::from_secs(60),
        unstored: wfx::parts::engine::Unstored::Refuse,
        abandon: tokio_util::sync::CancellationToken::new(),
        leave_queues: tokio_util::sync::CancellationToken::new(),
        notify: None,
        has_events: std::sync::Arc::default(),
        waiting: Arc::default(),
    })
}

/// Runs `count` executions of three empty steps, [`IN_FLIGHT`] at a time, and gives
/// how many per second were durable.
pub(crate) fn run(
    store: impl Into<StoreAddress>,
    retention: Option<u64>,
    count: usize,
) -> Result<f64, Failure> {
    run_of(&snapshot::three_empty_steps()?, store, retention, count)
}

/// The same of another workflow.
fn run_of(
    snapshot: &Snapshot,
    store: impl Into<StoreAddress>,
    retention: Option<u64>,
    count: usize,
) -> Result<f64, Failure> {
    let folder = store::folder()?;
    let writer = Arc::new(Writer::open(store, options(retention))?);
    let supervisor =
        Arc::new(Supervisor::new(engine_context(&writer, folder.path())?, 2, Bounds::NONE));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begin = Instant::now();
    runtime.block_on(async {
        let started = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..IN_FLIGHT)
            .map(|_| {
                let (supervisor, started) = (Arc::clone(&supervisor), Arc::clone(&started));
                let snapshot = snapshot.clone();
                tokio::spawn(async move {
                    let observer: Arc<dyn Observer> = Arc::new(Nobody);
                    while started.fetch_add(1, Ordering::Relaxed) < count {
                        let plan = supervisor.plan(snapshot.clone(), None);
                        let status = supervisor.run(plan, &observer, &Cancel::default()).await;
                        if status.map_err(|e| e.to_string())? != ExecutionStatus::Success {
                            return Err("an execution failed".to_owned());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await.map_err(|e| e.to_string())??;
        }
        Ok::<(), String>(())
    })?;
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    drop(supervisor);
    writer.close()?;
    Ok(rate)
}

pub(crate) fn options(retention: Option<u64>) -> WriterOptions {
    WriterOptions { durability: Durability::Full, ..store::options(retention) }
}

/// Against rusqlite alone, groups of as many as are in flight.
pub(crate) fn throughput() -> Measured {
    let folder = store::folder()?;
    let snapshot = snapshot::text();
    let mut turn = 0;
    let mut fresh = |name: &str| {
        turn += 1;
        store::empty(folder.path(), &format!("{name}{turn}.db"))
    };
    let paths = (0..crate::measure::PAIRS)
        .map(|_| Ok((fresh("ours")?, fresh("limit")?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let (mut ours, mut limit) = (paths.iter(), paths.iter());
    let pairs = alternate(
        || run(&ours.next().ok_or("no database left")?.0, None, EXECUTIONS),
        || {
            let path = &limit.next().ok_or("no database left")?.1;
            let took = timed(|| limits::insert(path, "FULL", EXECUTIONS, IN_FLIGHT, &snapshot))?;
            Ok(EXECUTIONS as f64 / took.as_secs_f64())
        },
    )?;
    Ok(Figure {
        name: "engine: 3 empty steps, 64 in flight, synchronous=FULL",
        lines: pairs.lines("engine and repository", "rusqlite alone", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.60),
    })
}

/// With a million stored executions against none.
pub(crate) fn with_a_million_stored() -> Measured {
    let folder = store::folder()?;
    let full = store::filled(folder.path(), "full.db", STORED)?;
    let empty = store::empty(folder.path(), "empty.db")?;
    run(&full, None, EXECUTIONS)?;
    let pairs = alternate(|| run(&full, None, EXECUTIONS), || run(&empty, None, EXECUTIONS))?;
    Ok(Figure {
        name: "stored: throughput with 1,000,000 stored against an empty database",
        lines: pairs.lines("1,000,000 stored", "empty at first", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.85),
    })
}

/// With retention, each execution pruning an older one, against none.
pub(crate) fn with_retention() -> Measured {
    let folder = store::folder()?;
    let on = store::filled(folder.path(), "on.db", RETENTION)?;
    let off = store::filled(folder.path(), "off.db", RETENTION)?;
    let keep = u64::try_from(RETENTION).ok();
    run(&on, keep, EXECUTIONS)?;
    let pairs = alternate(|| run(&on, keep, EXECUTIONS), || run(&off, None, EXECUTIONS))?;
    Ok(Figure {
        name: "retention: throughput with retention at its limit against retention off",
        lines: pairs.lines("on, 10,000 kept", "off", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.85),
    })
}

/// The size of the database for each execution, its log copied into it.
pub(crate) fn bytes_on_disk() -> Measured {
    let folder = store::folder()?;
    let path = store::empty(folder.path(), "disk.db")?;
    run(&path, None, EXECUTIONS)?;
    let size = std::fs::metadata(&path)?.len();
    Ok(Figure {
        name: "disk: kB of the database for each execution of 3 steps",
        lines: vec![format!("{size} bytes after {EXECUTIONS} executions")],
        value: size as f64 / EXECUTIONS as f64 / 1000.0,
        target: Target::AtMost(1.3),
    })
}

/// Steps with a condition each against the same without, in one chain.
pub(crate) fn conditions() -> Measured {
    let folder = store::folder()?;
    let document = |work: &str, key: &str| {
        let condition = |n| format!("{key}: {{step: s{n}, status: success}}");
        let steps = (1..CONDITIONS).map(|n| match key {
            "" => format!("- {{name: s{n}{work}}}\n"),
            _ => format!("- {{name: s{n}{work}, {}}}\n", condition(n - 1)),
        });
        format!("id: bench\nsteps:\n- {{name: s0{work}}}\n{}", steps.collect::<String>())
    };
    let path = store::empty(folder.path(), "conditions.db")?;
    let compared = |work: &str, other: &str, count: usize| {
        let (with, without) =
            (snapshot::of(&document(work, "when"))?, snapshot::of(&document(work, other))?);
        let milliseconds = |snapshot| {
            let rate = run_of(snapshot, &path, Some(64), count)?;
            Ok(1000.0 / rate)
        };
        milliseconds(&with)?;
        alternate(|| milliseconds(&with), || milliseconds(&without))
    };
    let programs = compared(", run: ['true']", "", PROGRAMS)?;
    let empty = compared("", "", DECIDED)?;
    // A key that is stored alike and has no effect: what is left is the decision.
    let alike = compared("", "x-is", DECIDED)?;
    let mut lines = programs.lines("with", "without", "ms");
    lines.push(format!("empty steps: {:.2}", empty.ratio()));
    lines.push(format!("empty steps ÷ the same with a key of that length: {:.2}", alike.ratio()));
    Ok(Figure {
        name: "conditions: time of 500 steps that run `true` with a `when` each against without",
        lines,
        value: programs.ratio(),
        target: Target::AtMost(1.1),
    })
}

#[derive(Default)]
struct StepTimes {
    begun: Mutex<HashMap<String, Instant>>,
    seconds: Mutex<Vec<f64>>,
}

impl Observer for StepTimes {
    fn report(&self, report: &Report<'_>) {
        let now = Instant::now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match *report {
            Report::AttemptStarted { step, .. } => {
                begun.insert(step.to_owned(), now);
            }
            Report::StepEnded { step, .. } => {
                if let Some(begin) = begun.remove(step) {
                    let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
                    seconds.push((now - begin).as_secs_f64());
                }
            }
            _ => {}
        }
    }
}

/// A shell step against a spawn of the shell with pipes.
pub(crate) fn shell_overhead() -> Measured {
    let folder = store::folder()?;
    let path = store::empty(folder.path(), "shell.db")?;
    let list: String =
        (0..STEPS).map(|n| format!("- {{name: s{n}, depends_on: [], run: 'true'}}\n")).collect();
    let snapshot = snapshot::of(&format!("id: shells\nmax_parallel: 1\nsteps:\n{list}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pairs = alternate(
        || {
            let scratch = store::folder()?;
            let writer = Arc::new(Writer::open(&path, options(None))?);
            let supervisor =
                Supervisor::new(engine_context(&writer, scratch.path())?, 1, Bounds::NONE);
            let times = Arc::new(StepTimes::default());
            let observer: Arc<dyn Observer> = Arc::clone(&times) as _;
            let plan = supervisor.plan(snapshot.clone(), None);
            let cancel = Cancel::default();
            let status = runtime.block_on(supervisor.run(plan, &observer, &cancel))?;
            if status != ExecutionStatus::Success {
                return Err("a step failed".into());
            }
            let seconds = times.seconds.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(median(&seconds))
        },
        || Ok(median(&limits::spawn_shells(STEPS)?)),
    )?;
    Ok(Figure {
        name: "shell: p50 of a shell step against spawning `sh -c true` with pipes",
        lines: pairs.lines("step", "spawn", "s"),
        value: pairs.ratio(),
        target: Target::AtMost(1.3),
    })
}
