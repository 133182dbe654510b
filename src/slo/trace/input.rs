//! Sources as blocks of whole lines, read and decompressed by a thread of its own.

use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;

use super::Source;

/// The longest line that is kept, its end not counted.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;
/// A block holds such a line with its end.
const BLOCK_BYTES: usize = LINE_BYTES_MAX + 1;
/// How many blocks wait to be looked at.
const WAITING: usize = 2;
/// How much compressed data is asked for at once.
const COMPRESSED_BYTES: usize = 256 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is read, in order.
#[derive(Debug)]
pub(super) enum Item {
    /// What follows is of the source of this name.
    Source(String),
    /// Whole lines. The last one of a source may have no end.
    Lines(Vec<u8>),
    /// A line that is longer than any that is kept.
    TooLong,
    /// A source cannot be read any further.
    Failed { error: io::Error, is_compressed: bool },
    /// All was read.
    End,
}

/// The reading end of the thread.
#[derive(Debug)]
pub(super) struct Input {
    items: Receiver<Item>,
    spare: Sender<Vec<u8>>,
    bytes: Arc<AtomicU64>,
}

impl Input {
    /// Starts to read. The thread is not waited for: one that stands before a terminal
    /// ends with the process.
    pub(super) fn start(sources: Vec<Source>) -> io::Result<Self> {
        let (hand_over, items) = sync_channel(WAITING);
        let (spare, used) = channel();
        let bytes = Arc::new(AtomicU64::new(0));
        let feed = Feed { items: hand_over, used, bytes: Arc::clone(&bytes) };
        // Nobody who listens is no error: there was one already.
        thread::Builder::new().name("trace".to_owned()).spawn(move || _ = feed.all(sources))?;
        Ok(Self { items, spare, bytes })
    }

    /// The next one; nothing when the thread died.
    pub(super) fn next(&self) -> Option<Item> {
        self.items.recv().ok()
    }

    /// Gives a block back to be filled again.
    pub(super) fn give_back(&self, block: Vec<u8>) {
        // The thread may have ended.
        let _ = self.spare.send(block);
    }

    /// How many bytes were read, before they were decompressed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Nobody takes items any more.
struct Unheard;

struct Feed {
    items: SyncSender<Item>,
    used: Receiver<Vec<u8>>,
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
        loop {
            let mut block = self.used.try_recv().unwrap_or_default();
            block.clear();
            block.append(&mut begun);
            let filled = fill(reader, &mut block);
            if let Ok(End::Reached) = filled {
                self.send(Item::Lines(block))?;
                return Ok(Ok(()));
            }
            let lines = block.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            begun.extend_from_slice(&block[lines..]);
            block.truncate(lines);
            if lines > 0 {
                self.send(Item::Lines(block))?;
            } else if filled.is_ok() {
                self.send(Item::TooLong)?;
                begun.clear();
                match skip_line(reader, &mut block) {
                    Ok(End::Reached) => return Ok(Ok(())),
                    Ok(End::NotYet) => begun = block,
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

/// Reads until the block is full.
fn fill(reader: &mut dyn Read, block: &mut Vec<u8>) -> io::Result<End> {
    let mut filled = block.len();
    block.resize(BLOCK_BYTES, 0);
    let end = loop {
        match reader.read(&mut block[filled..]) {
            Ok(0) if filled == BLOCK_BYTES => break Ok(End::NotYet),
            Ok(0) => break Ok(End::Reached),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    block.truncate(filled);
    end
}

/// Reads on to the end of the line, and leaves in the block what was read after it.
fn skip_line(reader: &mut dyn Read, block: &mut Vec<u8>) -> io::Result<End> {
    loop {
        block.clear();
        let end = fill(reader, block)?;
        if let Some(at) = block.iter().position(|byte| *byte == b'\n') {
            block.drain(..=at);
            // What is left may be all there is: the next look finds the end.
            return Ok(End::NotYet);
        }
        if let End::Reached = end {
            return Ok(End::Reached);
        }
    }
}

/// The text of a source, compressed or not, as its first two bytes tell.
fn decompressed(mut reader: Counted) -> io::Result<(Box<dyn Read>, bool)> {
    let mut first = Vec::new();
    reader.by_ref().take(2).read_to_end(&mut first)?;
    let is_compressed = first == GZIP;
    let whole = Cursor::new(first).chain(reader);
    Ok(if is_compressed {
        let compressed = BufReader::with_capacity(COMPRESSED_BYTES, whole);
        (Box::new(MultiGzDecoder::new(compressed)), true)
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
