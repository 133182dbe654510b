//! Faults of the system under the real binary: calls on the database's files that fail,
//! a power loss at any moment, files that others spoil. A library of ours, `preload.c`,
//! stands between wfx and the system.
#![cfg(target_os = "linux")]

mod disk;
mod others;
mod output;
mod power;
mod serve;
mod sweep;
mod system;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{Place, Ran};

/// `EIO` and `ENOSPC` of Linux.
const BROKEN: i32 = 5;
const FULL: i32 = 28;
/// What hangs as long as the fault is switched on.
const HANGING: i32 = 0;

/// The library, compiled once for each run of the tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compile("faults", "tests/wfx/faults/preload.c"))
}

/// A library to be preloaded, made of a source of the repository.
pub(crate) fn compile(name: &str, source: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("{name}-{}.so", std::process::id()));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]);
    let source = crate::support::root().join(source);
    let ran = Ran::of(compiler.arg(&made).arg(source).arg("-ldl"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Other runs of the tests may be using the one that is there.
    let library = folder.join(format!("{name}.so"));
    fs::rename(&made, &library).unwrap();
    library
}

/// Puts the library under a wfx that uses the database of `place`.
fn preload<'a>(command: &'a mut Command, place: &Place) -> &'a mut Command {
    let folder = place.path("").canonicalize().unwrap();
    command.env("LD_PRELOAD", library()).env("FAULT_DB", folder.join("wfx.db"))
}

/// Which calls are to fail.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// `write`, `fsync` or `ftruncate`, or several joined by commas.
    operations: &'static str,
    code: i32,
    /// The first that fails, from 1.
    first: u32,
    /// How many fail; 0: all that follow.
    count: u32,
}

impl Rule {
    fn all(operations: &'static str, code: i32) -> Self {
        Self { operations, code, first: 1, count: 0 }
    }

    /// Lets calls of this wfx fail; `fired` tells whether any did.
    fn on<'a>(&self, command: &'a mut Command, place: &Place) -> &'a mut Command {
        let Self { operations, code, first, count } = self;
        preload(command, place)
            .env("FAULT_RULE", format!("{operations} {code} {first} {count}"))
            .env("FAULT_FIRED", place.path("fired"))
    }

    /// The same, but only while the file `fault` is there.
    fn while_switched_on<'a>(&self, command: &'a mut Command, place: &Place) -> &'a mut Command {
        self.on(command, place).env("FAULT_SWITCH", place.path("fault"))
    }
}

/// How many calls failed.
fn fired(place: &Place) -> usize {
    fs::read_to_string(place.path("fired")).unwrap_or_default().lines().count()
}

fn is_there(place: &Place, name: &str) -> bool {
    place.path(name).exists()
}

/// The database is sound, as SQLite sees it.
#[track_caller]
fn assert_sound(place: &Place) {
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
}
