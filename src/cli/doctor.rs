//! `wfx doctor`: looks at everything wfx needs, and says what can be done about what is
//! wrong. Changes nothing.

use std::collections::HashMap;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CliError, Context};
use crate::base::exit::Exit;
use crate::base::{clock, zone};
use crate::engine::work::orphans::{self, Left};
use crate::engine::work::scratch::Scratch;
use crate::notify::channel::Channel;
use crate::operations::diagnosis::{
    self, ChannelFacts, Database, Disk, Facts, FileFacts, Output, Owner, Process, State, Storage,
    Usable,
};
use crate::repository::notifications::{NotificationFilter, NotificationState};
use crate::repository::ownership::{Liveness, OwnerKind};
use crate::repository::{self, Durability, Inspection, Reader, StoreErrorKind};
use crate::workflow::record::OwnerState;

/// How long the receiver of a channel may take to be reached.
const REACH_TIME: Duration = Duration::from_secs(2);

/// What was typed after `wfx doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows what it finds; exit 1 when something is wrong.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn run(_args: &Args, context: &Context) -> Result<Exit, CliError> {
    let bar = context.ui.spinner("looking at the database");
    let facts = facts(context);
    let findings = diagnosis::diagnose(&facts);
    drop(bar);
    context.ui.findings(&findings)?;
    if matches!(facts.database, Database::Old(..)) {
        return Ok(Exit::Environment);
    }
    let wrong = findings.iter().any(|finding| finding.state == State::Problem);
    Ok(if wrong { Exit::Failed } else { Exit::Success })
}

fn facts(context: &Context) -> Facts {
    let shown = context.settings.shown();
    let mut facts = Facts {
        version: env!("WFX_VERSION").to_owned(),
        settings: shown.len(),
        zones: zone::rules(),
        temporary: temporary(),
        abandoned_folders: Scratch::abandoned(&std::env::temp_dir())
            .iter()
            .map(|folder| folder.display().to_string())
            .collect(),
        ..Facts::default()
    };
    facts.bad_settings = shown
        .into_iter()
        .filter_map(|setting| Some((setting.name.into_owned(), setting.problem?)))
        .collect();
    if let Some(error) = context.settings.config_problem() {
        facts.bad_settings.push(("WFX_CONFIG".to_owned(), error.to_string()));
        facts.bad_settings.dedup();
    }
    let path = match context.settings.database() {
        Ok(path) => path,
        Err(error) => {
            let hint = error.hint().map(str::to_owned);
            facts.database = Database::Unusable(error.to_string(), hint);
            return facts;
        }
    };
    facts.path = path.to_string();
    let reader = Reader::open(&path).ok();
    for setting in context.settings.channels().unwrap_or_default() {
        facts.exposed.extend(setting.warnings);
        // One that cannot be used is a bad setting.
        facts.channels.extend(setting.channel.ok().map(|it| channel(&it, reader.as_ref())));
    }
    drop(reader);
    facts.disk = path.file().and_then(disk);
    let opened = Reader::open(&path).and_then(|reader| Ok((reader.inspect()?, reader)));
    match opened {
        Ok((inspection, reader)) => {
            facts.processes = processes(&reader);
            let budgets = context.settings.output_budgets(false).unwrap_or_default();
            let budgets = (budgets.total_bytes.value, budgets.age.value);
            let mut usable = usable(inspection, budgets);
            if let Storage::Server(server) = &mut usable.storage {
                let durability = context.settings.durability();
                server.status.is_relaxed = durability == Ok(Durability::Normal);
            }
            look_at_schedules(&reader, &mut usable);
            facts.database = Database::Usable(Box::new(usable));
        }
        Err(error) => {
            facts.database = match error.kind() {
                StoreErrorKind::Missing if path.file().is_none() => {
                    Database::Empty(error.to_string())
                }
                StoreErrorKind::Missing => Database::Missing,
                StoreErrorKind::NeedsMigration => {
                    Database::Old(error.to_string(), error.hint().unwrap_or_default().to_owned())
                }
                _ => Database::Unusable(error.to_string(), error.hint().map(str::to_owned)),
            };
        }
    }
    facts
}

/// Looks whether the receiver of a channel can be reached, and sends nothing.
fn channel(channel: &Channel, reader: Option<&Reader>) -> ChannelFacts {
    let last = reader.and_then(|reader| {
        let filter = NotificationFilter {
            channel: Some(channel.name.clone()),
            limit: 1,
            ..NotificationFilter::default()
        };
        reader.notifications(&filter).ok()?.into_iter().next()
    });
    let pending = reader.and_then(|reader| reader.pending_notifications().ok());
    let given_up = last.filter(|last| last.state == NotificationState::GivenUp);
    ChannelFacts {
        name: channel.name.clone(),
        shown: format!("{} {}", channel.kind.as_str(), channel.kind.shown()),
        unreachable: unreachable(channel).err(),
        pending: pending.and_then(|it| it.get(&channel.name).copied()).unwrap_or(0),
        given_up: given_up.map(|it| it.error.unwrap_or_else(|| "nobody knows why".to_owned())),
    }
}

fn unreachable(channel: &Channel) -> Result<(), String> {
    let (host, port) = channel.kind.server();
    let addresses = (host.as_str(), port).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut why = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, REACH_TIME) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn usable(inspection: Inspection, output: (u64, Duration)) -> Usable {
    let owner = |count: crate::repository::OwnerCount| Owner {
        is_serve: count.owner.as_deref().and_then(OwnerKind::of) == Some(OwnerKind::Serve),
        id: count.owner,
        state: match count.liveness {
            Liveness::Alive => OwnerState::Alive,
            Liveness::Dead => OwnerState::Dead,
            Liveness::Unknown(_) => OwnerState::Unknown,
        },
        doubt: match count.liveness {
            Liveness::Unknown(doubt) => Some(doubt.to_string()),
            Liveness::Alive | Liveness::Dead => None,
        },
        executions: count.executions,
    };
    Usable {
        schema: inspection.schema,
        size_bytes: inspection.size_bytes,
        executions: inspection.executions,
        storage: match inspection.storage {
            repository::Storage::File(file) => Storage::File(FileFacts {
                free_bytes: file.free_bytes,
                log_bytes: file.log_bytes,
                mode: file.mode,
                damages: file.damages,
                misplaced: file.misplaced.map(|error| error.to_string()),
                unwritable: file.unwritable.map(|error| error.to_string()),
            }),
            repository::Storage::Server(server) => Storage::Server(server),
        },
        owners: inspection.owners.into_iter().map(owner).collect(),
        dead_locks: inspection.dead_locks,
        own_retention: inspection.retention.workflows,
        pinned: inspection.retention.pinned,
        output: Output {
            bytes: inspection.output.bytes,
            compressed_bytes: inspection.output.compressed_bytes,
            total_bytes: inspection.output.total_bytes.unwrap_or(output.0),
            age: inspection.output.age_seconds.map_or(output.1, Duration::from_secs),
        },
        ..Usable::default()
    }
}

/// What cannot be read of schedules is wrong with the whole database, which is reported.
fn look_at_schedules(reader: &Reader, usable: &mut Usable) {
    let stored = reader.schedules(None).unwrap_or_default();
    usable.schedules = stored.iter().filter(|it| !it.schedule.is_empty()).count();
    usable.is_decided_ahead = reader.decided_across(clock::now()).is_ok_and(|it| it.is_some());
    let overdue = reader.overdue().unwrap_or_default();
    usable.overdue = overdue.into_iter().map(|it| (it.workflow_id, it.kind.as_str())).collect();
}

/// Processes of steps of this database that nobody runs any more.
fn processes(reader: &Reader) -> Vec<Process> {
    let mut known = HashMap::new();
    let listed = reader.listed_by_dead().unwrap_or_default();
    let left: Vec<Left> = listed
        .into_iter()
        .map(|(owner, listed)| Left { owner: Some(owner), listed, ..Left::default() })
        .collect();
    let orphans = orphans::living(&left);
    let is_orphan = |pid: i32| orphans.iter().any(|orphan| orphan.pid == pid);
    let others = orphans::find().into_iter().filter(|process| !is_orphan(process.pid));
    let orphans = orphans.iter().map(|process| Process {
        pid: process.pid,
        name: process.name.clone(),
        execution_id: process.key.execution_id.clone(),
        step: process.key.step.clone(),
        is_abandoned: true,
    });
    let others = others.filter_map(|process| {
        let id = &process.key.execution_id;
        // Whether somebody runs it: none for an execution of another database.
        let state = known.entry(id.clone()).or_insert_with(|| {
            let execution = reader.detail(id).ok()??.execution;
            Some((execution.status.is_terminal(), execution.owner_state))
        });
        let is_abandoned = match (*state)? {
            (true, _) => false,
            (false, Some(OwnerState::Alive)) => return None,
            (false, _) => true,
        };
        Some(Process {
            pid: process.pid,
            name: process.name,
            execution_id: process.key.execution_id,
            step: process.key.step,
            is_abandoned,
        })
    });
    orphans.chain(others).collect()
}

/// The file system that the database lies on, or will.
fn disk(path: &Path) -> Option<Disk> {
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let stat = rustix::fs::statvfs(&folder).ok()?;
    Some(Disk {
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        network: network(&folder),
    })
}

/// The name of a file system that other machines share, statfs(2).
#[cfg(target_os = "linux")]
fn network(folder: &Path) -> Option<&'static str> {
    match rustix::fs::statfs(folder).ok()?.f_type {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x0102_1997 => Some("9P"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x00c3_6400 => Some("Ceph"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn network(_folder: &Path) -> Option<&'static str> {
    None
}

fn temporary() -> (String, Option<String>) {
    let folder = std::env::temp_dir();
    let why = if folder.is_dir() {
        rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).err().map(|e| e.to_string())
    } else {
        Some("there is no such folder".to_owned())
    };
    (folder.display().to_string(), why)
}
