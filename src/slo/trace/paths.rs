//! The paths of events: each is stored once in memory, and beyond a size in a file.

use std::hash::{BuildHasher, RandomState};
use std::io;

use super::spill::Spill;

/// A reference to the path of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRef(u64);

impl PathRef {
    /// The reference of an event without a path.
    pub(super) const NONE: Self = Self((1 << Self::BITS) - 1);
    /// How many bits it needs.
    pub(super) const BITS: u32 = 48;
    /// Set in references to the file.
    const IN_FILE: u64 = 1 << (Self::BITS - 1);

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn of_bits(bits: u64) -> Self {
        Self(bits & Self::NONE.0)
    }
}

/// How many bytes are buffered before they are written.
const PENDING_MAX: usize = 256 * 1024;
/// Index bytes for each text, at the lowest load factor that growing causes.
const SLOT_BYTES_MAX: usize = 4 * size_of::<u64>();
/// The length before each text, bytes.
const LENGTH: usize = 4;

/// Texts by reference. The first ones are held in memory, each once; a text that does not fit there
/// is appended to a file each time it occurs.
#[derive(Debug)]
pub(super) struct Paths {
    memory: Vec<u8>,
    memory_max: usize,
    index: Index,
    file: Spill,
    /// The end of the file that is not written yet.
    pending: Vec<u8>,
}

impl Paths {
    /// Holds at most `memory_max` bytes of text in memory, never more than 2 GiB.
    pub(super) fn new(memory_max: usize) -> Self {
        Self {
            memory: Vec::new(),
            memory_max: memory_max.min(1 << 31),
            index: Index::new(),
            file: Spill::new(),
            pending: Vec::new(),
        }
    }

    /// Stores a text; an empty one gets [`PathRef::NONE`].
    pub(super) fn insert(&mut self, text: &str) -> io::Result<PathRef> {
        if text.is_empty() {
            return Ok(PathRef::NONE);
        }
        let hash = self.index.hash(text);
        let at = match self.index.find(hash, |at| entry(&self.memory, at) == Some(text.as_bytes()))
        {
            Some(at) => at,
            None if !self.has_room(text) => return self.append(text),
            None => {
                let at = u32::try_from(self.memory.len()).unwrap_or(u32::MAX);
                write_entry(&mut self.memory, text);
                self.index.insert(hash, at);
                at
            }
        };
        Ok(PathRef(u64::from(at)))
    }

    /// The text of a reference.
    pub(super) fn get(&mut self, path_ref: PathRef) -> io::Result<Option<String>> {
        if path_ref == PathRef::NONE {
            return Ok(None);
        }
        let bytes = if path_ref.0 & PathRef::IN_FILE == 0 {
            let at = u32::try_from(path_ref.0).ok();
            at.and_then(|at| entry(&self.memory, at)).map(<[u8]>::to_vec)
        } else {
            Some(self.read(path_ref.0 & !PathRef::IN_FILE)?)
        };
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// The index is bounded by the same size: there may be many short texts.
    fn has_room(&self, text: &str) -> bool {
        self.memory.len() + LENGTH + text.len() <= self.memory_max
            && self.index.used < self.memory_max / SLOT_BYTES_MAX
    }

    fn append(&mut self, text: &str) -> io::Result<PathRef> {
        if self.pending.len() >= PENDING_MAX {
            self.file.append(&self.pending)?;
            self.pending.clear();
        }
        let at = self.file.len() + u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        write_entry(&mut self.pending, text);
        Ok(PathRef(PathRef::IN_FILE | at))
    }

    fn read(&mut self, at: u64) -> io::Result<Vec<u8>> {
        if !self.pending.is_empty() {
            self.file.append(&self.pending)?;
            self.pending.clear();
        }
        let mut length = [0; LENGTH];
        self.file.read(at, &mut length)?;
        let mut text = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap_or(0)];
        self.file.read(at + LENGTH as u64, &mut text)?;
        Ok(text)
    }
}

fn write_entry(bytes: &mut Vec<u8>, text: &str) {
    // No line, and so no path, is longer than 1 MiB.
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn entry(bytes: &[u8], at: u32) -> Option<&[u8]> {
    let (length, rest) = bytes.get(usize::try_from(at).ok()?..)?.split_first_chunk()?;
    rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Finds references by hash: open addressing, at most half full. The hash is keyed, so that the
/// author of a log's paths cannot cause collisions.
#[derive(Debug)]
struct Index {
    hasher: RandomState,
    /// `hash << 32 | path_ref + 1`, zero when free; a power of two of them.
    slots: Vec<u64>,
    used: usize,
}

impl Index {
    fn new() -> Self {
        Self { hasher: RandomState::new(), slots: vec![0; 1024], used: 0 }
    }

    fn hash(&self, text: &str) -> u32 {
        // Either half of the hash is equally good.
        u32::try_from(self.hasher.hash_one(text) >> 32).unwrap_or(0)
    }

    fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        for slot in self.probe(hash) {
            let (found, at) = (self.slots[slot] >> 32, self.slots[slot] & u64::from(u32::MAX));
            if at == 0 {
                return None;
            }
            let at = u32::try_from(at - 1).unwrap_or(0);
            if found == u64::from(hash) && is_it(at) {
                return Some(at);
            }
        }
        None
    }

    fn insert(&mut self, hash: u32, at: u32) {
        if (self.used + 1) * 2 > self.slots.len() {
            let slots = vec![0; self.slots.len() * 2];
            for slot in std::mem::replace(&mut self.slots, slots) {
                if slot != 0 {
                    self.fill(u32::try_from(slot >> 32).unwrap_or(0), slot);
                }
            }
        }
        self.fill(hash, u64::from(hash) << 32 | (u64::from(at) + 1));
        self.used += 1;
    }

    fn fill(&mut self, hash: u32, value: u64) {
        if let Some(slot) = self.probe(hash).find(|slot| self.slots[*slot] == 0) {
            self.slots[slot] = value;
        }
    }

    /// Every slot, from the one of the hash on.
    fn probe(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len() - 1;
        let first = usize::try_from(hash).unwrap_or(0);
        (0..=mask).map(move |step| first.wrapping_add(step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_stored_once_while_there_is_room() {
        let mut paths = Paths::new(1 << 20);
        let path_refs: Vec<PathRef> = (0..20_000)
            .map(|number| paths.insert(&format!("/item/{}", number % 5_000)).unwrap())
            .collect();
        assert_eq!(path_refs[..5_000], path_refs[15_000..]);
        let length: usize = (0..5_000).map(|number| format!("/item/{number}").len() + LENGTH).sum();
        assert_eq!(paths.memory.len(), length);
        for (number, path_ref) in path_refs.iter().enumerate() {
            assert_eq!(paths.get(*path_ref).unwrap(), Some(format!("/item/{}", number % 5_000)));
        }
        assert_eq!(paths.file.len(), 0);
    }

    #[test]
    fn texts_beyond_the_memory_bound_are_read_from_the_file() {
        let mut paths = Paths::new(100);
        let long = "/x".repeat(PENDING_MAX);
        let texts: Vec<String> =
            (0..1_000).map(|number| format!("/é/{number}")).chain([long]).collect();
        // Reads in between: the file position is where the read ended, not at the end.
        let mut path_refs = Vec::new();
        for text in texts.iter().chain(&texts) {
            path_refs.push(paths.insert(text).unwrap());
            assert_eq!(
                paths.get(path_refs[path_refs.len() / 2]).unwrap().as_ref(),
                texts.get(path_refs.len() / 2 % texts.len())
            );
        }
        for (path_ref, text) in path_refs.iter().zip(texts.iter().chain(&texts)) {
            assert_eq!(paths.get(*path_ref).unwrap().as_ref(), Some(text));
        }
        assert!(paths.memory.len() <= 100 && paths.file.len() > 0);
        assert!(paths.index.used <= 100 / SLOT_BYTES_MAX);
        assert_eq!(path_refs[0], path_refs[texts.len()]);
    }

    #[test]
    fn an_empty_text_is_no_path() {
        let mut paths = Paths::new(100);
        assert_eq!(paths.insert("").unwrap(), PathRef::NONE);
        assert_eq!(paths.get(PathRef::NONE).unwrap(), None);
        assert_eq!(PathRef::of_bits(PathRef::NONE.bits()), PathRef::NONE);
    }
}
