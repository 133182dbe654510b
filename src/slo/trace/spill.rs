//! What does not fit into memory, in a file without a name that ends with the process.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Bytes that are appended and read back.
#[derive(Debug)]
pub(super) struct Spill {
    /// In the folder for temporary files, from the first byte on.
    file: SpooledTempFile,
    end: u64,
    /// The position in the file.
    at: u64,
}

impl Spill {
    /// One without bytes, and as yet without a file.
    pub(super) fn new() -> Self {
        Self { file: SpooledTempFile::new(0), end: 0, at: 0 }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seek(self.end)?;
        // Where a write ended that failed is not known.
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
