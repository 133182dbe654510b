//! Data that does not fit into memory, in an unnamed file that ends with the process.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Bytes that are appended and read back.
#[derive(Debug)]
pub(super) struct Spill {
    /// Creates the file in the folder for temporary files, at the first byte.
    file: SpooledTempFile,
    end: u64,
    /// The position in the file.
    at: u64,
}

impl Spill {
    /// Is empty, and has no file yet.
    pub(super) fn new() -> Self {
        Self { file: SpooledTempFile::new(0), end: 0, at: 0 }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seek(self.end)?;
        // After a failed write, the position is unknown.
        self.at = u64::MAX;
        self.file.write_all(bytes)?;
        self.end += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.at = self.end;
        Ok(())
    }

    pub(super) fn read(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.seek(offset)?;
        self.at = u64::MAX;
        self.file.read_exact(bytes)?;
        self.at = offset + u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn seek(&mut self, offset: u64) -> io::Result<()> {
        if self.at != offset {
            self.file.seek(SeekFrom::Start(offset))?;
            self.at = offset;
        }
        Ok(())
    }
}
