//! The id of a process that runs executions, and what it says of the process.         (pure)
//!
//! `exec-4242-1a2b3c4d-1f3a9-9c1e77ab-51d2c3b5-effffffd-0badcafe`: kind, process number, a random
//! number, and in hexadecimal the start of the process in clock ticks since the boot, the boot,
//! the machine, the namespace of process numbers and the identity of the database. A part that is
//! not known is 0. Up to version 3 of the schema, an id had the first three parts only.

use std::fmt;
use std::num::NonZeroU32;

use crate::system::process_table::Host;

/// What kind of process runs executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// `wfx exec`, `wfx replay` and `wfx recover`.
    Exec,
    /// `wfx serve`.
    Serve,
}

impl OwnerKind {
    /// What kind of process an owner id names; `None` for what is no owner id.
    #[must_use]
    pub fn of(owner: &str) -> Option<Self> {
        match owner.split_once('-')?.0 {
            "exec" => Some(Self::Exec),
            "serve" => Some(Self::Serve),
            _ => None,
        }
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exec => f.write_str("exec"),
            Self::Serve => f.write_str("serve"),
        }
    }
}

/// An owner id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerId {
    /// What kind of process it is.
    pub kind: OwnerKind,
    /// Its number, in its namespace.
    pub pid: i32,
    /// Tells apart processes that had the same number.
    pub nonce: u32,
    /// Which process that was; `None` where an older wfx wrote the id.
    pub proof: Option<Proof>,
}

/// What an owner id says beside the number of a process, which the system gives out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Proof {
    /// When the process started, in clock ticks since the boot; 0: not known.
    pub started_ticks: u64,
    /// Where it ran.
    pub host: Host,
    /// The database that its executions are in.
    pub database: Option<NonZeroU32>,
}

impl OwnerId {
    /// Takes an id apart; `None` for what wfx never wrote.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let kind = OwnerKind::of(text)?;
        parts.next();
        let pid = parts.next()?.parse().ok().filter(|pid| *pid > 0)?;
        let nonce = u32::from_str_radix(parts.next()?, 16).ok()?;
        let rest: Vec<&str> = parts.collect();
        let number = |part: &str| Some(NonZeroU32::new(u32::from_str_radix(part, 16).ok()?));
        let proof = match rest[..] {
            [] => None,
            [started, boot, machine, pid_namespace, database] => Some(Proof {
                started_ticks: u64::from_str_radix(started, 16).ok()?,
                host: Host {
                    machine: number(machine)?,
                    boot: number(boot)?,
                    pid_namespace: number(pid_namespace)?,
                },
                database: number(database)?,
            }),
            _ => return None,
        };
        Some(Self { kind, pid, nonce, proof })
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:08x}", self.kind, self.pid, self.nonce)?;
        let Some(proof) = self.proof else { return Ok(()) };
        let number = |part: Option<NonZeroU32>| part.map_or(0, NonZeroU32::get);
        write!(
            f,
            "-{:x}-{:08x}-{:08x}-{:08x}-{:08x}",
            proof.started_ticks,
            number(proof.host.boot),
            number(proof.host.machine),
            number(proof.host.pid_namespace),
            number(proof.database)
        )
    }
}

/// An owner id as people read it: `wfx exec (process 4242)`.
#[must_use]
pub(crate) fn shown(owner: &str) -> String {
    match OwnerId::parse(owner) {
        Some(OwnerId { kind, pid, .. }) => format!("wfx {kind} (process {pid})"),
        None => owner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_was_made_of() {
        let id = OwnerId {
            kind: OwnerKind::Serve,
            pid: 4242,
            nonce: 7,
            proof: Some(Proof {
                started_ticks: 0x1f3a9,
                host: Host {
                    machine: None,
                    boot: NonZeroU32::new(9),
                    pid_namespace: NonZeroU32::new(1),
                },
                database: NonZeroU32::new(0xbad_cafe),
            }),
        };
        assert_eq!(id.to_string(), "serve-4242-00000007-1f3a9-00000009-00000000-00000001-0badcafe");
        assert_eq!(OwnerId::parse(&id.to_string()), Some(id));
        assert_eq!(shown("serve-4242-00000007"), "wfx serve (process 4242)");
    }

    #[test]
    fn what_an_older_wfx_wrote_is_read_and_nothing_else() {
        let old = OwnerId::parse("exec-12-0000000a").unwrap();
        assert_eq!((old.kind, old.pid, old.nonce, old.proof), (OwnerKind::Exec, 12, 10, None));
        for text in ["", "exec", "exec-x-1", "exec-0-1", "../wfx.db", "exec-1-1-2", "cron-1-1"] {
            assert_eq!(OwnerId::parse(text), None, "{text}");
        }
        assert_eq!(shown("somebody"), "somebody");
    }
}
