//! Which database a file is: a number of its own, bound to the file that it was given to.
//!
//! A copy has the number of the original, and the owners of the original's executions in it. Only
//! one of the two may go on with them. So the number is stored with device, inode and path of its
//! file. Where another file is still there that was given the number, or that lies at its path and
//! has it (the original was restored, or moved to another disk and back), this one is a copy, and
//! gets a number of its own when it is opened for writing. The numbers before are kept: a copy that
//! is put in the place of its original is the original again.

use std::ffi::OsString;
use std::fs;
use std::iter;
use std::num::NonZeroU32;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::file::Identity as File;

/// What of a path does not stand for itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// How many earlier numbers are kept.
const EARLIER_MAX: usize = 8;

/// A number and its file, stored as `number device inode path`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    number: NonZeroU32,
    file: File,
    path: PathBuf,
}

impl Given {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, ' ');
        Some(Self {
            number: NonZeroU32::new(u32::from_str_radix(fields.next()?, 16).ok()?)?,
            file: File {
                device: fields.next()?.parse().ok()?,
                inode: fields.next()?.parse().ok()?,
            },
            path: OsString::from_vec(percent_decode_str(fields.next()?).collect()).into(),
        })
    }

    fn line(&self) -> String {
        let Self { number, file: File { device, inode }, path } = self;
        let path = percent_encode(path.as_os_str().as_bytes(), ENCODED);
        format!("{number:08x} {device} {inode} {path}")
    }
}

/// The number that a database has, and those that it was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    current: Given,
    /// The last one first.
    earlier: Vec<Given>,
}

/// What a file is to the number that is stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// It was given to this file.
    Own,
    /// Its file is not there any more: it was moved, or restored from a backup.
    Moved,
    /// A copy of the database that had this number before, in the place of that one.
    PutBack(NonZeroU32),
    /// Its file is another one, which is still there.
    Copied,
}

impl Stored {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let current = Given::parse(lines.next()?)?;
        Some(Self { current, earlier: lines.filter_map(Given::parse).collect() })
    }

    fn text(&self) -> String {
        let lines: Vec<String> = iter::once(&self.current)
            .chain(self.earlier.iter().take(EARLIER_MAX))
            .map(Given::line)
            .collect();
        lines.join("\n")
    }

    /// `number_at` reads the number of another database.
    fn relation(
        &self,
        path: &Path,
        here: File,
        number_at: impl Fn(&Path) -> Option<NonZeroU32>,
    ) -> Relation {
        let current = &self.current;
        if current.file == here {
            return Relation::Own;
        }
        let put_back = || self.earlier.iter().find(|given| given.path == path);
        match identity(&current.path) {
            Some(there) if there != here => {
                let is_original =
                    there == current.file || number_at(&current.path) == Some(current.number);
                match put_back() {
                    Some(given) => Relation::PutBack(given.number),
                    None if is_original => Relation::Copied,
                    None => Relation::Moved,
                }
            }
            // A copy was removed after it was put back.
            _ => put_back().map_or(Relation::Moved, |given| Relation::PutBack(given.number)),
        }
    }
}

/// The number of the database at `path`; `None` for a copy that was never opened for writing, and
/// for one that has none yet.
pub(crate) fn read(connection: &Connection, path: &Path) -> rusqlite::Result<Option<NonZeroU32>> {
    let (Some(stored), Some(here)) = (stored(connection)?, identity(path)) else { return Ok(None) };
    Ok(match stored.relation(&canonical(path), here, number_at) {
        Relation::Own | Relation::Moved => Some(stored.current.number),
        Relation::PutBack(number) => Some(number),
        Relation::Copied => None,
    })
}

/// The same, over a connection that may write: a database without a number gets `fresh`, and so
/// does a copy.
pub(crate) fn establish(
    connection: &Connection,
    path: &Path,
    fresh: NonZeroU32,
) -> rusqlite::Result<NonZeroU32> {
    let Some(here) = identity(path) else { return Ok(fresh) };
    // What is so already needs no commit, which a full disk would refuse.
    if let Some(stored) = stored(connection)?
        && stored.current.file == here
    {
        return Ok(stored.current.number);
    }
    let path = canonical(path);
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let established = (|| {
        let before = stored(connection)?;
        let number = match &before {
            Some(stored) => match stored.relation(&path, here, number_at) {
                // Another process was faster.
                Relation::Own => return Ok(stored.current.number),
                Relation::Moved => stored.current.number,
                Relation::PutBack(number) => number,
                Relation::Copied => fresh,
            },
            None => fresh,
        };
        let earlier = before.map_or_else(Vec::new, |Stored { current, earlier }| {
            let others = iter::once(current).chain(earlier);
            others.filter(|given| given.number != number).collect()
        });
        let current = Given { number, file: here, path };
        connection.execute(
            "INSERT OR REPLACE INTO workflow_settings (name, value) VALUES ('identity', ?1)",
            [Stored { current, earlier }.text()],
        )?;
        Ok(number)
    })();
    connection.execute_batch(if established.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    established
}

fn stored(connection: &Connection) -> rusqlite::Result<Option<Stored>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM workflow_settings WHERE name = 'identity'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().and_then(Stored::parse))
}

/// The number that is stored in another database; `None` where it has none, or cannot be read.
fn number_at(path: &Path) -> Option<NonZeroU32> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).ok()?;
    Some(stored(&connection).ok()??.current.number)
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn identity(path: &Path) -> Option<File> {
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
        assert_eq!(establish(&original, &at("original"), number(1)).unwrap(), number(1));
        assert_eq!(establish(&original, &at("original"), number(2)).unwrap(), number(1));
        assert_eq!(read(&original, &at("original")).unwrap(), Some(number(1)));
        // By another name it is the same file.
        fs::hard_link(at("original"), at("linked")).unwrap();
        assert_eq!(establish(&original, &at("linked"), number(3)).unwrap(), number(1));

        fs::copy(at("original"), at("copy")).unwrap();
        let copy = database(&at("copy"));
        assert_eq!(read(&copy, &at("copy")).unwrap(), None);
        assert_eq!(establish(&copy, &at("copy"), number(4)).unwrap(), number(4));
        assert_eq!(read(&copy, &at("copy")).unwrap(), Some(number(4)));

        // Moved to another file system, as a copy of which the first one is removed.
        fs::copy(at("original"), at("moved")).unwrap();
        fs::remove_file(at("original")).unwrap();
        let moved = database(&at("moved"));
        assert_eq!(read(&moved, &at("moved")).unwrap(), Some(number(1)));
        assert_eq!(establish(&moved, &at("moved"), number(5)).unwrap(), number(1));
    }

    #[test]
    fn a_copy_is_known_as_one_after_the_original_was_restored() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let original = database(&at("original"));
        establish(&original, &at("original"), number(1)).unwrap();
        drop(original);
        for name in ["copy", "restored", "backup"] {
            fs::copy(at("original"), at(name)).unwrap();
        }
        // Another file lies in the place of the original now, which has its number.
        fs::rename(at("restored"), at("original")).unwrap();
        let original = database(&at("original"));
        assert_eq!(read(&original, &at("original")).unwrap(), Some(number(1)));
        let copy = database(&at("copy"));
        assert_eq!(read(&copy, &at("copy")).unwrap(), None);
        assert_eq!(establish(&copy, &at("copy"), number(2)).unwrap(), number(2));
        drop(copy);
        // Somebody looked into the backup with a command that writes; then it is put in place.
        let backup = database(&at("backup"));
        assert_eq!(establish(&backup, &at("backup"), number(3)).unwrap(), number(3));
        drop((backup, original));
        fs::copy(at("backup"), at("original")).unwrap();
        let original = database(&at("original"));
        assert_eq!(read(&original, &at("original")).unwrap(), Some(number(1)));
        assert_eq!(establish(&original, &at("original"), number(4)).unwrap(), number(1));
        assert_eq!(establish(&original, &at("original"), number(5)).unwrap(), number(1));
        // What has another number is no original, whatever lies there.
        fs::remove_file(at("copy")).unwrap();
        fs::copy(at("original"), at("other")).unwrap();
        fs::write(at("original"), "something else").unwrap();
        let other = database(&at("other"));
        fs::remove_file(at("original")).unwrap();
        fs::write(at("original"), "something else").unwrap();
        assert_eq!(read(&other, &at("other")).unwrap(), Some(number(1)));
    }

    #[test]
    fn any_path_is_kept() {
        let path = std::ffi::OsStr::from_bytes(b"/a b/\xff\n%41/wfx.db");
        let file = File { device: 1, inode: 2 };
        let given = |it| Given { number: number(it), file, path: path.into() };
        let stored = Stored { current: given(0xbad_cafe), earlier: vec![given(1), given(2)] };
        assert_eq!(Stored::parse(&stored.text()), Some(stored));
        for text in ["", "1", "00000000 1 2 /x", "x 1 2 /x"] {
            assert_eq!(Stored::parse(text), None, "{text}");
        }
    }
}
