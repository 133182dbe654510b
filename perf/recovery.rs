//! Going on with interrupted executions, against running such executions.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wfx::parts::engine::Cancel;
use wfx::parts::engine::Survivor;
use wfx::parts::engine::recovery::{self, Recovered, SIDE_BY_SIDE, Watcher};
use wfx::parts::engine::{Bounds, Supervisor};
use wfx::parts::repository::OwnerKind;
use wfx::parts::repository::{PendingWrite, Which, Writer};
use wfx::parts::workflow::Execution;
use wfx::parts::workflow::ExecutionStatus;
use wfx::parts::workflow::Observer;
use wfx::parts::workflow::{Event, Moment};

use crate::engine::{Nobody, engine_context};
use crate::measure::{Failure, Figure, Target, alternate};
use crate::{Measured, command, snapshot, store};

/// Executions of one measurement.
const EXECUTIONS: usize = 1_000;
/// How many more memory is compared with.
const MANY: usize = 4;

const WORKFLOW: &str = "id: bench\nsteps: [{name: a, run: ['true'], retry: {max_attempts: 2}}, \
                        {name: b, run: ['true']}, {name: c, run: ['true']}]";

fn supervisor(path: &Path, folder: &Path) -> Result<(Arc<Supervisor>, Arc<Writer>), Failure> {
    let writer = Arc::new(Writer::open(path, store::options(None))?);
    let engine_context = engine_context(&writer, folder)?;
    Ok((Arc::new(Supervisor::new(engine_context, 2, Bounds::NONE)), writer))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Stores `count` executions whose first step was running when their process died.
fn interrupted(path: &Path, folder: &Path, count: usize) -> Result<(), Failure> {
    let (supervisor, writer) = supervisor(path, folder)?;
    let mut slots = Vec::new();
    for _ in 0..count {
        let plan = supervisor.plan(snapshot::of(WORKFLOW)?, None);
        let slot = PendingWrite::new(plan.execution_id.clone());
        let now = plan.created_at;
        let owner = Some("exec-0-00000000".to_owned());
        let mut execution = Execution::new(Arc::new(plan), 2, owner);
        execution.apply(Event::Begin, Moment { now, monotonic: Duration::ZERO, jitter: 0.5 })?;
        slot.record(execution.take_change());
        if !writer.enqueue(&slot) {
            return Err("the queue is full".into());
        }
        slots.push(slot);
    }
    drop(supervisor);
    writer.close()?;
    if slots.iter().any(|slot| slot.is_dirty()) {
        return Err("not all is stored".into());
    }
    Ok(())
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Watcher for Count {
    fn attempt_postponed(&self, _step: &str, _error: &str) {}

    fn ended_processes(&self, _count: usize) {}

    fn held_by(&self, _survivor: &Survivor) {}

    fn recovered(&self, recovered: &Recovered) {
        if matches!(recovered.outcome, Ok(ExecutionStatus::Success)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn store_failing(&self, _error: Option<&str>) {}
}

/// Recovers all of them and gives how many per second.
fn recover(path: &Path, folder: &Path) -> Result<f64, Failure> {
    let (supervisor, _writer) = supervisor(path, folder)?;
    let count = Arc::new(Count::default());
    let watcher: Arc<dyn Watcher> = Arc::clone(&count) as _;
    let begin = Instant::now();
    let which = Which::kind(OwnerKind::Exec);
    let cancel = Cancel::default();
    runtime()?.block_on(recovery::recover(&supervisor, &which, &watcher, &cancel))?;
    let rate = EXECUTIONS as f64 / begin.elapsed().as_secs_f64();
    match count.0.load(Ordering::Relaxed) {
        EXECUTIONS => Ok(rate),
        count => Err(format!("{count} of {EXECUTIONS} were recovered").into()),
    }
}

/// Runs as many new ones, as many at a time.
fn run(path: &Path, folder: &Path) -> Result<f64, Failure> {
    let (supervisor, _writer) = supervisor(path, folder)?;
    let snapshot = snapshot::of(WORKFLOW)?;
    let begin = Instant::now();
    runtime()?.block_on(async {
        let started = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| {
                let (supervisor, started) = (Arc::clone(&supervisor), Arc::clone(&started));
                let snapshot = snapshot.clone();
                tokio::spawn(async move {
                    let observer: Arc<dyn Observer> = Arc::new(Nobody);
                    while started.fetch_add(1, Ordering::Relaxed) < EXECUTIONS {
                        let plan = supervisor.plan(snapshot.clone(), None);
                        let status = supervisor.run(plan, &observer, &Cancel::default()).await;
                        status.map_err(|e| e.to_string())?;
                    }
                    Ok::<(), String>(())
                })
            })
            .collect();
        for task in tasks {
            task.await.map_err(|e| e.to_string())??;
        }
        Ok::<(), String>(())
    })?;
    Ok(EXECUTIONS as f64 / begin.elapsed().as_secs_f64())
}

/// Executions recovered per second against executions run per second.
pub(crate) fn throughput() -> Measured {
    let folder = store::folder()?;
    let mut turn = 0;
    let mut fresh = |name: &str| {
        turn += 1;
        store::empty(folder.path(), &format!("{name}{turn}.db"))
    };
    let paths = (0..crate::measure::PAIRS)
        .map(|_| Ok((fresh("recover")?, fresh("run")?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    for (path, _) in &paths {
        interrupted(path, folder.path(), EXECUTIONS)?;
    }
    let (mut ours, mut other) = (paths.iter(), paths.iter());
    let pairs = alternate(
        || recover(&ours.next().ok_or("no database left")?.0, folder.path()),
        || run(&other.next().ok_or("no database left")?.1, folder.path()),
    )?;
    Ok(Figure {
        name: "recover: 1,000 interrupted executions of 3 programs against running as many",
        lines: pairs.lines("recovered", "run", "executions/s"),
        value: pairs.ratio(),
        target: Target::AtLeast(0.5),
    })
}

/// The peak memory of `wfx recover` for four times as many against once.
pub(crate) fn memory() -> Measured {
    let folder = store::folder()?;
    let peak = |name: &str, count: usize| -> Result<f64, Failure> {
        let path = store::empty(folder.path(), name)?;
        interrupted(&path, folder.path(), count)?;
        let mut command = Command::new(command::WFX);
        command.arg("recover").arg("--db").arg(&path).args(["--retention", "0"]);
        command::peak_kb(command.stdout(Stdio::null()).stderr(Stdio::null()))
    };
    let (once, many) = (peak("once.db", EXECUTIONS)?, peak("many.db", MANY * EXECUTIONS)?);
    Ok(Figure {
        name: "recover-memory: peak of `wfx recover` of 4,000 executions against 1,000",
        lines: vec![format!("{many} kB for 4,000, {once} kB for 1,000")],
        value: many / once,
        target: Target::AtMost(1.25),
    })
}
