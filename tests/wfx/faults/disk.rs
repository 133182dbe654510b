//! What is on a disk after a power loss, from the record of what was written to it.
//!
//! A file holds what was written before its last sync. Of each later write nobody knows:
//! it may be there, or not, or some of its sectors. A name in a folder is as after the
//! folder's last sync, or as after some of the changes since.

use std::collections::BTreeMap;

use fastrand::Rng;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// The files of a database by the letters of `preload.c`: `d`, `w`, `j`.
pub(super) type Files = BTreeMap<char, Vec<u8>>;

/// A record of the log; `end` is the length of the log with it.
pub(super) struct Record<'a> {
    what: char,
    file: char,
    offset: usize,
    bytes: &'a [u8],
    pub(super) end: usize,
}

/// The records of a log in their order; `record` of `preload.c` writes them.
pub(super) fn records(log: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let size = u32::from_le_bytes(log[at + 4..at + 8].try_into().unwrap()) as usize;
        let offset = u64::from_le_bytes(log[at + 8..at + 16].try_into().unwrap());
        let end = at + 16 + size;
        records.push(Record {
            what: char::from(log[at]),
            file: char::from(log[at + 1]),
            offset: usize::try_from(offset).unwrap(),
            bytes: &log[at + 16..end],
            end,
        });
        at = end;
    }
    records
}

#[derive(Clone, Copy)]
enum Change<'a> {
    Write(usize, &'a [u8]),
    Truncate(usize),
}

impl Change<'_> {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[offset..end].copy_from_slice(bytes);
            }
            Self::Truncate(length) => content.resize(length, 0),
        }
    }

    /// Some of its sectors only.
    fn apply_torn(self, content: &mut Vec<u8>, random: &mut Rng) {
        let Self::Write(mut offset, mut bytes) = self else { return };
        while !bytes.is_empty() {
            let (sector, rest) = bytes.split_at(bytes.len().min(SECTOR - offset % SECTOR));
            if random.bool() {
                Self::Write(offset, sector).apply(content);
            }
            offset += sector.len();
            bytes = rest;
        }
    }
}

#[derive(Default)]
struct File<'a> {
    synced: Vec<u8>,
    since: Vec<Change<'a>>,
}

/// The disk under a database.
#[derive(Default)]
pub(super) struct Disk<'a> {
    /// Each file that ever was; one that is made anew under an old name is another.
    files: Vec<File<'a>>,
    /// Which file a name means to the processes.
    names: BTreeMap<char, usize>,
    /// And on the disk: at the folder's last sync, and the changes since.
    names_synced: BTreeMap<char, usize>,
    names_since: Vec<(char, Option<usize>)>,
}

impl<'a> Disk<'a> {
    pub(super) fn apply(&mut self, record: &Record<'a>) {
        match (record.what, record.file) {
            ('S', 'f') => {
                for (name, file) in self.names_since.drain(..) {
                    rename(&mut self.names_synced, name, file);
                }
            }
            ('S', name) => {
                let file = self.file(name);
                for change in std::mem::take(&mut file.since) {
                    change.apply(&mut file.synced);
                }
            }
            ('C', name) => _ = self.file(name),
            ('U', name) => {
                self.names.remove(&name);
                self.names_since.push((name, None));
            }
            ('W', name) => self.file(name).since.push(Change::Write(record.offset, record.bytes)),
            ('T', name) => self.file(name).since.push(Change::Truncate(record.offset)),
            (what, _) => panic!("a record {what:?}"),
        }
    }

    fn file(&mut self, name: char) -> &mut File<'a> {
        let at = *self.names.entry(name).or_insert_with(|| {
            self.files.push(File::default());
            self.names_since.push((name, Some(self.files.len() - 1)));
            self.files.len() - 1
        });
        &mut self.files[at]
    }

    /// What the processes see.
    pub(super) fn now(&self) -> Files {
        let content = |&file: &usize| {
            let mut content = self.files[file].synced.clone();
            self.files[file].since.iter().for_each(|change| change.apply(&mut content));
            content
        };
        self.names.iter().map(|(name, file)| (*name, content(file))).collect()
    }

    /// What may be there when the power fails now.
    pub(super) fn after_power_loss(&self, random: &mut Rng) -> Files {
        let mut names = self.names_synced.clone();
        for (name, file) in &self.names_since[..random.usize(..=self.names_since.len())] {
            rename(&mut names, *name, *file);
        }
        names.into_iter().map(|(name, file)| (name, self.files[file].torn(random))).collect()
    }
}

impl File<'_> {
    fn torn(&self, random: &mut Rng) -> Vec<u8> {
        let mut content = self.synced.clone();
        let fate = random.u8(..4);
        let reached = random.usize(..=self.since.len());
        for (at, change) in self.since.iter().enumerate() {
            match fate {
                // Nothing, all, what came first, and each write by itself.
                0 => {}
                1 => change.apply(&mut content),
                2 if at < reached => change.apply(&mut content),
                2 if at == reached => change.apply_torn(&mut content, random),
                2 => {}
                _ => match random.u8(..3) {
                    0 => {}
                    1 => change.apply(&mut content),
                    _ => change.apply_torn(&mut content, random),
                },
            }
        }
        content
    }
}

fn rename(names: &mut BTreeMap<char, usize>, name: char, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}
