//! Which database a file is: a number of its own, bound to the file that it was given to.
//!
//! A copy has the number of the original, and the owners of the original's executions in it. Only
//! one of the two may go on with them. So the number is stored with device, inode and path of its
//! file: where these are those of another file that is still there, this one is a copy, and gets a
//! number of its own when it is opened for writing.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroU32;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use rusqlite::{Connection, OptionalExtension};

use super::file::Identity as File;

/// What of a path does not stand for itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The number and its file, as they are stored: `number device inode path`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    number: NonZeroU32,
    file: File,
    path: PathBuf,
}

/// What a file is to the number that is stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// It was given to this file.
    Own,
    /// Its file is not there any more: it was moved, or restored from a backup.
    Moved,
    /// Its file is another one, which is still there.
    Copied,
}

impl Stored {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, ' ');
        Some(Self {
            number: NonZeroU32::new(u32::from_str_radix(fields.next()?, 16).ok()?)?,
            file: File {
                device: fields.next()?.parse().ok()?,
                inode: fields.next()?.parse().ok()?,
            },
            path: std::ffi::OsString::from_vec(percent_decode_str(fields.next()?).collect()).into(),
        })
    }

    fn text(&self) -> String {
        let Self { number, file: File { device, inode }, path } = self;
        let path = percent_encode(path.as_os_str().as_bytes(), ENCODED);
        format!("{number:08x} {device} {inode} {path}")
    }

    fn relation(&self, here: File, at_its_path: Option<File>) -> Relation {
        match at_its_path {
            _ if self.file == here => Relation::Own,
            Some(there) if there == self.file => Relation::Copied,
            _ => Relation::Moved,
        }
    }
}

/// The number of the database at `path`; `None` for a copy that was never opened for writing, and
/// for one that has none yet.
pub(super) fn read(connection: &Connection, path: &Path) -> rusqlite::Result<Option<NonZeroU32>> {
    let Some(stored) = stored(connection)? else { return Ok(None) };
    let Some(here) = identity(path) else { return Ok(None) };
    Ok(match stored.relation(here, identity(&stored.path)) {
        Relation::Own | Relation::Moved => Some(stored.number),
        Relation::Copied => None,
    })
}

/// The same, over a connection that may write: a database without a number gets `fresh`, and so
/// does a copy.
pub(super) fn settle(
    connection: &Connection,
    path: &Path,
    fresh: NonZeroU32,
) -> rusqlite::Result<NonZeroU32> {
    let Some(here) = identity(path) else { return Ok(fresh) };
    let current = |stored: &Stored| stored.relation(here, identity(&stored.path));
    // What is so already needs no commit, which a full disk would refuse.
    if let Some(stored) = stored(connection)?
        && current(&stored) == Relation::Own
    {
        return Ok(stored.number);
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let settled = (|| {
        let number = match stored(connection)? {
            Some(stored) => match current(&stored) {
                // Another process was faster.
                Relation::Own => return Ok(stored.number),
                Relation::Moved => stored.number,
                Relation::Copied => fresh,
            },
            None => fresh,
        };
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        connection.execute(
            "INSERT OR REPLACE INTO workflow_settings (name, value) VALUES ('identity', ?1)",
            [Stored { number, file: here, path }.text()],
        )?;
        Ok(number)
    })();
    connection.execute_batch(if settled.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    settled
}

fn stored(connection: &Connection) -> rusqlite::Result<Option<Stored>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM workflow_settings WHERE name = 'identity'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().and_then(Stored::parse))
}

fn identity(path: &Path) -> Option<File> {
    if path.as_os_str() == OsStr::new("") {
        return None;
    }
    fs::metadata(path).ok().as_ref().map(File::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS workflow_settings (name TEXT PRIMARY KEY, value TEXT)",
            )
            .unwrap();
        connection
    }

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn a_copy_gets_a_number_of_its_own_and_what_was_moved_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let original = database(&at("original"));
        assert_eq!(read(&original, &at("original")).unwrap(), None);
        assert_eq!(settle(&original, &at("original"), number(1)).unwrap(), number(1));
        assert_eq!(settle(&original, &at("original"), number(2)).unwrap(), number(1));
        assert_eq!(read(&original, &at("original")).unwrap(), Some(number(1)));
        // By another name it is the same file.
        fs::hard_link(at("original"), at("linked")).unwrap();
        assert_eq!(settle(&original, &at("linked"), number(3)).unwrap(), number(1));

        fs::copy(at("original"), at("copy")).unwrap();
        let copy = database(&at("copy"));
        assert_eq!(read(&copy, &at("copy")).unwrap(), None);
        assert_eq!(settle(&copy, &at("copy"), number(4)).unwrap(), number(4));
        assert_eq!(read(&copy, &at("copy")).unwrap(), Some(number(4)));

        // Moved to another file system, as a copy of which the first one is removed.
        fs::copy(at("original"), at("moved")).unwrap();
        fs::remove_file(at("original")).unwrap();
        let moved = database(&at("moved"));
        assert_eq!(read(&moved, &at("moved")).unwrap(), Some(number(1)));
        assert_eq!(settle(&moved, &at("moved"), number(5)).unwrap(), number(1));
    }

    #[test]
    fn any_path_is_kept() {
        let path = OsStr::from_bytes(b"/a b/\xff\n%41/wfx.db");
        let file = File { device: 1, inode: 2 };
        let stored = Stored { number: number(0xbad_cafe), file, path: path.into() };
        assert_eq!(Stored::parse(&stored.text()), Some(stored));
        for text in ["", "1", "00000000 1 2 /x", "x 1 2 /x"] {
            assert_eq!(Stored::parse(text), None, "{text}");
        }
    }
}
