//! Sources as blocks of whole lines, read and decompressed by a thread of its own.

use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::Source;
use super::foreign::{self, Foreign};
use super::gzip::Members;

/// The longest line that is read, without its end.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;
/// A block holds such a line with its end.
const BLOCK_BYTES: usize = LINE_BYTES_MAX + 1;
/// How many blocks wait to be looked at.
const WAITING: usize = 4;
/// How much compressed data is read at once.
const COMPRESSED_BYTES: usize = 256 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is read, in order.
#[derive(Debug)]
pub(super) enum Item {
    /// The following items are from the source of this name.
    Source(String),
    /// Whole lines. The last one of a source may have no end.
    Lines(Block),
    /// A line longer than the maximum.
    TooLong,
    /// The source is no text of lines.
    Foreign(Foreign),
    /// A compressed source ends early; what follows is the next one.
    EndsEarly,
    /// A source cannot be read any further.
    Failed { error: io::Error, is_compressed: bool },
    /// All was read.
    End,
}

/// A block of a source, in memory that is reused.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Has the full length of a block, once it was used.
    bytes: Vec<u8>,
    used: usize,
}

impl Block {
    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&self.bytes)
    }

    /// Resets the block to these bytes, which are fewer than its length.
    fn begin(&mut self, bytes: &[u8]) {
        self.bytes.resize(BLOCK_BYTES, 0);
        self.used = bytes.len();
        self.bytes[..bytes.len()].copy_from_slice(bytes);
    }

    /// Reads until it is full.
    fn fill(&mut self, reader: &mut dyn Read) -> io::Result<End> {
        while self.used < self.bytes.len() {
            match reader.read(&mut self.bytes[self.used..]) {
                Ok(0) => return Ok(End::Reached),
                Ok(count) => self.used += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(End::NotYet)
    }

    /// Drops leading zeros, and returns whether there were any: a log that was truncated while the
    /// server kept its offset begins with as many as it had bytes.
    fn skip_zeros(&mut self) -> bool {
        let zeros = self.bytes().iter().take_while(|byte| **byte == 0).count();
        self.bytes.copy_within(zeros..self.used, 0);
        self.used -= zeros;
        zeros > 0
    }

    /// Skips to the end of the line, and retains what was read after it.
    fn skip_line(&mut self, reader: &mut dyn Read) -> io::Result<End> {
        loop {
            self.used = 0;
            let end = self.fill(reader)?;
            if let Some(at) = self.bytes().iter().position(|byte| *byte == b'\n') {
                self.bytes.copy_within(at + 1..self.used, 0);
                self.used -= at + 1;
                // The rest may be complete: the next read finds the end.
                return Ok(End::NotYet);
            }
            if let End::Reached = end {
                return Ok(End::Reached);
            }
        }
    }
}

/// The reading end of the thread.
#[derive(Debug)]
pub(super) struct Input {
    items: Receiver<Item>,
    spare: Sender<Block>,
    bytes: Arc<AtomicU64>,
}

impl Input {
    /// Starts to read. The thread is not joined: one that is blocked on a terminal ends with the
    /// process.
    pub(super) fn start(sources: Vec<Source>) -> io::Result<Self> {
        let (hand_over, items) = sync_channel(WAITING);
        let (spare, used) = channel();
        let bytes = Arc::new(AtomicU64::new(0));
        let feed = Feed { items: hand_over, used, bytes: Arc::clone(&bytes) };
        // If the receiver is gone, it has received the error already.
        thread::Builder::new().name("trace".to_owned()).spawn(move || _ = feed.all(sources))?;
        Ok(Self { items, spare, bytes })
    }

    /// The next one; nothing when the thread died.
    pub(super) fn next(&self) -> Option<Item> {
        self.items.recv().ok()
    }

    /// Returns a block for reuse.
    pub(super) fn give_back(&self, block: Block) {
        // The thread may have ended.
        let _ = self.spare.send(block);
    }

    /// How many bytes were read, before they were decompressed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The receiver is gone.
struct Unheard;

struct Feed {
    items: SyncSender<Item>,
    used: Receiver<Block>,
    bytes: Arc<AtomicU64>,
}

impl Feed {
    fn all(&self, sources: Vec<Source>) -> Result<(), Unheard> {
        for source in sources {
            self.send(Item::Source(source.name))?;
            let reader = Counted { reader: source.reader, bytes: Arc::clone(&self.bytes) };
            let (mut reader, is_compressed) = match decompressed(reader) {
                Ok(opened) => opened,
                Err(error) => return self.send(Item::Failed { error, is_compressed: false }),
            };
            if let Err(error) = self.blocks(&mut reader)? {
                if is_compressed && error.kind() == ErrorKind::UnexpectedEof {
                    self.send(Item::EndsEarly)?;
                    continue;
                }
                return self.send(Item::Failed { error, is_compressed });
            }
        }
        self.send(Item::End)
    }

    fn send(&self, item: Item) -> Result<(), Unheard> {
        self.items.send(item).map_err(|_| Unheard)
    }

    /// Sends one source to its end or to the error that ends it.
    fn blocks(&self, reader: &mut dyn Read) -> Result<io::Result<()>, Unheard> {
        let mut begun = Vec::new();
        let mut is_first = true;
        loop {
            let mut block = self.used.try_recv().unwrap_or_default();
            block.begin(&begun);
            begun.clear();
            let filled = block.fill(reader);
            if std::mem::take(&mut is_first)
                && let Some(foreign) = foreign::of_bytes(block.bytes())
            {
                self.send(Item::Foreign(foreign))?;
                return Ok(Ok(()));
            }
            if block.skip_zeros()
                && let Ok(End::NotYet) = filled
            {
                begun.extend_from_slice(block.bytes());
                continue;
            }
            if let Ok(End::Reached) = filled {
                self.send(Item::Lines(block))?;
                return Ok(Ok(()));
            }
            let lines =
                block.bytes().iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            if lines > 0 {
                begun.extend_from_slice(&block.bytes()[lines..]);
                block.used = lines;
                self.send(Item::Lines(block))?;
            } else if filled.is_ok() {
                self.send(Item::TooLong)?;
                match block.skip_line(reader) {
                    Ok(End::Reached) => return Ok(Ok(())),
                    Ok(End::NotYet) => begun.extend_from_slice(block.bytes()),
                    Err(error) => return Ok(Err(error)),
                }
            }
            if let Err(error) = filled {
                return Ok(Err(error));
            }
        }
    }
}

/// Whether a source was read to its end.
enum End {
    Reached,
    NotYet,
}

/// The text of a source; its first two bytes show whether it is compressed.
fn decompressed(mut reader: Counted) -> io::Result<(Box<dyn Read>, bool)> {
    let mut first = Vec::new();
    reader.by_ref().take(2).read_to_end(&mut first)?;
    let is_compressed = first == GZIP;
    let whole = Cursor::new(first).chain(reader);
    Ok(if is_compressed {
        let compressed = BufReader::with_capacity(COMPRESSED_BYTES, whole);
        (Box::new(Members::new(compressed)), true)
    } else {
        (Box::new(whole), false)
    })
}

/// Counts what is read.
struct Counted {
    reader: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}
