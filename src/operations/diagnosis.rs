//! What `wfx doctor` makes of what it finds: facts → findings, each with a remedy.

use std::time::Duration;

use serde::Serialize;

use crate::base::period::Period;
use crate::base::size::Size;
use crate::base::units;
use crate::base::visible::quote;
use crate::repository::ServerInspection;
use crate::workflow::record::OwnerState;

mod server;

/// With less free space than this, the next execution may not be stored.
const FREE_LEAST_BYTES: u64 = 64 << 20;
/// With less than this, somebody should look.
const FREE_LOW_BYTES: u64 = 1 << 30;
/// A write-ahead log longer than this is not copied into the database as it should be.
const LOG_LONG_BYTES: u64 = 128 << 20;
/// So many free pages are not worth a word.
const FREE_PAGES_FEW_BYTES: u64 = 16 << 20;

#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The version of wfx.
    pub version: String,
    /// How many settings there are.
    pub settings: usize,
    /// Those that cannot be used: name and why.
    pub bad_settings: Vec<(String, String)>,
    /// Where the database is.
    pub path: String,
    /// What is there.
    pub database: Database,
    /// The file system that it lies on.
    pub disk: Option<Disk>,
    /// The folder for temporary files, and why it cannot be used.
    pub temporary: (String, Option<String>),
    /// Folders there of processes that died.
    pub abandoned_folders: Vec<String>,
    /// Processes that work for steps that nobody runs any more.
    pub processes: Vec<Process>,
    /// The channels of notifications that can be used.
    pub channels: Vec<ChannelFacts>,
    /// Files with secrets of channels that others can read.
    pub exposed: Vec<String>,
    /// Where the rules of zones come from.
    pub zones: String,
}

/// A channel of notifications.
#[derive(Debug, Clone)]
pub(crate) struct ChannelFacts {
    /// Its name.
    pub name: String,
    /// What it is, and where it goes.
    pub shown: String,
    /// Why its receiver cannot be reached.
    pub unreachable: Option<String>,
    /// How many notifications wait.
    pub pending: u64,
    /// Why the last one was given up, if the last one was.
    pub given_up: Option<String>,
}

/// What lies at the database's place.
#[derive(Debug, Clone, Default)]
pub(crate) enum Database {
    /// Nothing yet.
    #[default]
    Missing,
    /// A database on a server that is there, and has nothing of wfx yet.
    Empty(String),
    /// One that an older wfx or its predecessor wrote: that it has to be brought up, and by
    /// what.
    Old(String, String),
    /// What cannot be used: why, and what can be done.
    Unusable(String, Option<String>),
    /// One that works.
    Usable(Box<Usable>),
}

/// A database that can be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usable {
    /// The version of its schema.
    pub schema: i64,
    /// Its size.
    pub size_bytes: u64,
    /// How many executions it keeps.
    pub executions: u64,
    /// What it lies in.
    pub storage: Storage,
    /// Who has unfinished executions.
    pub owners: Vec<Owner>,
    /// Lock files that dead processes left.
    pub dead_locks: usize,
    /// Workflows with their own retention.
    pub own_retention: Vec<String>,
    /// How many executions are pinned.
    pub pinned: u64,
    /// How many schedules a daemon has run.
    pub schedules: usize,
    /// Something was decided for times that are to come.
    pub is_decided_ahead: bool,
    /// Expectations that are not met, each with its workflow.
    pub overdue: Vec<(String, &'static str)>,
    /// How much output of steps is kept.
    pub output: Output,
}

/// What a database lies in.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    File(FileFacts),
    Server(Box<ServerInspection>),
}

impl Default for Storage {
    fn default() -> Self {
        Self::File(FileFacts::default())
    }
}

/// A file of SQLite.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileFacts {
    /// How much of it is free pages.
    pub free_bytes: u64,
    /// The size of its write-ahead log.
    pub log_bytes: u64,
    /// Permission bits.
    pub mode: u32,
    /// What SQLite's `quick_check` says beside ok.
    pub damages: Vec<String>,
    /// Why its files are not those that they should be.
    pub misplaced: Option<String>,
    /// Why wfx cannot write to it.
    pub unwritable: Option<String>,
}

/// How much output of steps is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Output {
    /// What it counts for in its budget.
    pub bytes: u64,
    /// What it takes in the database.
    pub compressed_bytes: u64,
    /// The budget.
    pub total_bytes: u64,
    /// How long it is kept.
    pub age: Duration,
}

/// A file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    /// What is free for this user.
    pub free_bytes: u64,
    /// Its name, if it is one over the network.
    pub network: Option<&'static str>,
}

/// A process that has unfinished executions, or had when it died.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Its id.
    pub id: Option<String>,
    /// Whether it still runs.
    pub state: OwnerState,
    /// Why that is not known.
    pub doubt: Option<String>,
    /// Whether it is, or was, a `wfx serve`.
    pub is_serve: bool,
    /// How many of its executions are unfinished.
    pub executions: u64,
}

/// A process that works for a step.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Its number.
    pub pid: i32,
    /// Its program.
    pub name: String,
    /// The execution.
    pub execution_id: String,
    /// The step.
    pub step: String,
    /// The step's process died before the step ended.
    pub is_abandoned: bool,
}

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something is wrong.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What.
    pub check: &'static str,
    /// How good it is.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What can be done.
    pub remedy: Option<String>,
}

fn ok(check: &'static str, detail: impl Into<String>) -> Finding {
    Finding { check, state: State::Ok, detail: detail.into(), remedy: None }
}

fn note(
    check: &'static str,
    detail: impl Into<String>,
    remedy: impl Into<Option<String>>,
) -> Finding {
    Finding { check, state: State::Note, detail: detail.into(), remedy: remedy.into() }
}

fn problem(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Finding {
    let remedy = Some(remedy.into());
    Finding { check, state: State::Problem, detail: detail.into(), remedy }
}

/// Judges the facts, in an order in which one reads them.
#[must_use]
pub(crate) fn diagnose(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![ok("version", format!("wfx {}", facts.version))];
    settings(facts, &mut findings);
    database(facts, &mut findings);
    if let Some(disk) = facts.disk {
        free_disk(disk, &mut findings);
    }
    if let Database::Usable(database) = &facts.database {
        findings.push(ok("schema", format!("version {}", database.schema)));
        match &database.storage {
            Storage::File(file) => files(file, database.size_bytes, &facts.path, &mut findings),
            Storage::Server(server) => {
                server::judge(server, database.size_bytes, &mut findings);
            }
        }
        owners(database, &mut findings);
        retention(database, &mut findings);
        schedules(database, &facts.zones, &mut findings);
        output(database.output, &mut findings);
    }
    channels(facts, &mut findings);
    processes(&facts.processes, &mut findings);
    temporary(facts, &mut findings);
    findings
}

fn channels(facts: &Facts, findings: &mut Vec<Finding>) {
    for channel in &facts.channels {
        let ChannelFacts { name, shown, unreachable, pending, given_up } = channel;
        let waiting = match pending {
            0 => String::new(),
            pending => format!("; {}", units::count(*pending, "notification waits")),
        };
        findings.push(match (unreachable, given_up) {
            (Some(why), _) => problem(
                "channel",
                format!("{name}: {shown} cannot be reached: {why}{waiting}"),
                "correct it in the configuration file, or see whether the receiver runs",
            ),
            (None, Some(why)) => note(
                "channel",
                format!("{name}: {shown}: the last notification was given up: {why}{waiting}"),
                format!("`wfx notify test {name}` tries it"),
            ),
            (None, None) => ok("channel", format!("{name}: {shown} can be reached{waiting}")),
        });
    }
    for warning in &facts.exposed {
        findings.push(note("channel", warning.clone(), None));
    }
}

fn settings(facts: &Facts, findings: &mut Vec<Finding>) {
    for (name, why) in &facts.bad_settings {
        findings.push(problem(
            "settings",
            format!("{name}: {why}"),
            "`wfx config` shows where it is set",
        ));
    }
    if facts.bad_settings.is_empty() {
        findings.push(ok("settings", format!("all {} can be used", facts.settings)));
    }
}

fn database(facts: &Facts, findings: &mut Vec<Finding>) {
    let path = &facts.path;
    findings.push(match &facts.database {
        Database::Missing => note(
            "database",
            format!("there is none at {path} yet"),
            "`wfx exec FILE` makes it".to_owned(),
        ),
        Database::Empty(why) => note(
            "database",
            why.clone(),
            "`wfx serve` or `wfx exec FILE` makes its tables".to_owned(),
        ),
        Database::Old(why, remedy) => problem("database", why.clone(), remedy.clone()),
        Database::Unusable(why, hint) => problem(
            "database",
            why.clone(),
            hint.as_deref().unwrap_or("name another one with --db or WFX_DB"),
        ),
        Database::Usable(database) => {
            ok("database", format!("{path}: {}", units::count(database.executions, "execution")))
        }
    });
}

fn free_disk(disk: Disk, findings: &mut Vec<Finding>) {
    let free = format!("{} free", units::bytes(disk.free_bytes));
    let remedy = "free space there, or name another place with --db or WFX_DB";
    findings.push(match disk.free_bytes {
        0..FREE_LEAST_BYTES => problem("disk", free, remedy),
        FREE_LEAST_BYTES..FREE_LOW_BYTES => note("disk", free, remedy.to_owned()),
        _ => ok("disk", free),
    });
    if let Some(network) = disk.network {
        findings.push(problem(
            "file system",
            format!("the database lies on {network}, over which the locks of SQLite do not hold"),
            "move it to a local file system",
        ));
    }
}

fn files(database: &FileFacts, size_bytes: u64, path: &str, findings: &mut Vec<Finding>) {
    let free = database.free_bytes;
    let size = format!("{}, {} of it free pages", units::bytes(size_bytes), units::bytes(free));
    findings.push(if free > FREE_PAGES_FEW_BYTES && free > size_bytes / 2 {
        note("size", size, "`wfx purge` gives free pages back to the file system".to_owned())
    } else {
        ok("size", size)
    });
    let log = units::bytes(database.log_bytes);
    findings.push(if database.log_bytes > LOG_LONG_BYTES {
        note(
            "log",
            format!("{log}: a reader keeps it from being copied into the database"),
            format!("find who reads it for long: `fuser {path}`"),
        )
    } else {
        ok("log", format!("{log} of write-ahead log"))
    });
    match &database.damages[..] {
        [] => findings.push(ok("integrity", "quick_check found nothing")),
        [first, rest @ ..] => {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            findings.push(problem(
                "integrity",
                format!("the database is damaged: {first}{more}"),
                format!("restore a backup, or save what is readable: `sqlite3 {path} .recover`"),
            ));
        }
    }
    if let Some(why) = &database.misplaced {
        findings.push(problem(
            "files",
            why.clone(),
            "end every wfx that has it open, then restore it",
        ));
    }
    if let Some(why) = &database.unwritable {
        findings.push(problem(
            "permissions",
            why.clone(),
            "make the file and its folder writable, or name another place with --db",
        ));
    } else if database.mode & 0o077 != 0 {
        findings.push(note(
            "permissions",
            format!(
                "others may use the database (mode {:o}); definitions and parameters are in \
                 it in clear",
                database.mode & 0o777
            ),
            format!("chmod 600 {path}"),
        ));
    } else {
        findings.push(ok("permissions", format!("mode {:o}", database.mode & 0o777)));
    }
}

fn owners(database: &Usable, findings: &mut Vec<Finding>) {
    for owner in &database.owners {
        let count = units::count(owner.executions, "execution");
        let id = owner.id.as_deref().unwrap_or("nobody");
        findings.push(match (owner.state, owner.is_serve) {
            (OwnerState::Alive, _) => ok("owner", format!("{id} runs {count}")),
            (OwnerState::Unknown, _) => problem(
                "owner",
                format!(
                    "{id} has {count} unfinished, and whether it is alive is not known: {}",
                    owner.doubt.as_deref().unwrap_or_default()
                ),
                "if you are sure that nobody runs them, `wfx recover --assume-dead` goes on with \
                 them",
            ),
            (OwnerState::Dead, false) => problem(
                "owner",
                format!("{id} died with {count} unfinished"),
                "`wfx recover` goes on with them",
            ),
            (OwnerState::Dead, true) => problem(
                "owner",
                format!("{id} died with {count} unfinished"),
                "the next `wfx serve` goes on with them, or `wfx recover ID` with one",
            ),
        });
    }
    if database.owners.is_empty() {
        findings.push(ok("owner", "nothing is unfinished"));
    }
    if database.dead_locks > 0 {
        let count = units::count(database.dead_locks as u64, "lock file");
        findings.push(note(
            "owner",
            format!("{count} of processes that died"),
            "harmless; `wfx recover` removes them".to_owned(),
        ));
    }
}

/// The most workflows that are named.
const WORKFLOWS_NAMED: usize = 5;

/// What does not count for the number of finished executions that are kept.
fn retention(database: &Usable, findings: &mut Vec<Finding>) {
    let mut text = Vec::new();
    if !database.own_retention.is_empty() {
        let count = units::count(database.own_retention.len() as u64, "workflow");
        let named = database.own_retention.iter().take(WORKFLOWS_NAMED);
        let named: Vec<&str> = named.map(String::as_str).collect();
        let more = match database.own_retention.len() > named.len() {
            true => ", …",
            false => "",
        };
        text.push(format!("own rules for {count} ({}{more})", named.join(", ")));
    }
    if database.pinned > 0 {
        text.push(format!("{} pinned", units::count(database.pinned, "execution")));
    }
    if !text.is_empty() {
        findings.push(ok("retention", text.join("; ")));
    }
}

fn schedules(database: &Usable, zones: &str, findings: &mut Vec<Finding>) {
    if database.schedules > 0 {
        let count = units::count(database.schedules as u64, "schedule");
        let detail = format!("{count}; rules of zones: {zones}");
        findings.push(ok("schedules", detail));
    }
    if database.is_decided_ahead {
        findings.push(note(
            "schedules",
            "scheduled times that are yet to come are decided: the clock was ahead",
            "look at the clock; `wfx serve` decides anew what was not started".to_owned(),
        ));
    }
    for (workflow_id, kind) in &database.overdue {
        findings.push(note(
            "schedules",
            format!("the workflow {} is overdue: {kind}", quote(workflow_id)),
            format!(
                "`wfx status {workflow_id}` and `wfx schedule history {workflow_id}` show more"
            ),
        ));
    }
}

fn output(output: Output, findings: &mut Vec<Finding>) {
    let Output { bytes, compressed_bytes, total_bytes, age } = output;
    findings.push(ok(
        "output",
        format!(
            "{} of {} are kept, for {}; compressed {}",
            units::bytes(bytes),
            Size::new(total_bytes),
            Period::new(age),
            units::bytes(compressed_bytes)
        ),
    ));
}

fn processes(processes: &[Process], findings: &mut Vec<Finding>) {
    for process in processes {
        let Process { pid, name, execution_id, step, .. } = process;
        findings.push(if process.is_abandoned {
            problem(
                "process",
                format!(
                    "{pid} ({name}) still works for step {step} of {execution_id}, whose wfx died"
                ),
                "`wfx recover` ends it (of a dead daemon, the next `wfx serve` does)",
            )
        } else {
            note(
                "process",
                format!(
                    "{pid} ({name}) was left by step {step} of {execution_id}, which has ended"
                ),
                format!("if it is no daemon that should stay: `kill {pid}`"),
            )
        });
    }
    if processes.is_empty() {
        findings.push(ok("process", "steps left none behind"));
    }
}

fn temporary(facts: &Facts, findings: &mut Vec<Finding>) {
    let (path, why) = &facts.temporary;
    findings.push(match why {
        None => ok("temporary", path.clone()),
        Some(why) => problem(
            "temporary",
            format!("{path}: {why}"),
            "set TMPDIR to a folder that is writable",
        ),
    });
    if let [first, rest @ ..] = &facts.abandoned_folders[..] {
        let more = match rest.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        findings.push(note(
            "temporary",
            format!("{first}{more} left by processes that died"),
            "harmless; `wfx recover` removes them".to_owned(),
        ));
    }
}

#[cfg(test)]
mod tests;
