//! Which cursors a connection to PostgreSQL has.

use std::cell::Cell;

/// The cursors of a connection, each a bit by its number: queries within queries have one each.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    /// A transaction reads: only there are any.
    is_reading: Cell<bool>,
    /// Those that statements have.
    taken: Cell<u32>,
    /// Those that the server knows.
    declared: Cell<u32>,
}

impl Cursors {
    pub(super) fn begin(&self) {
        self.is_reading.set(true);
    }

    /// They end with their transaction.
    pub(super) fn end(&self) {
        self.is_reading.set(false);
        self.declared.set(0);
    }

    /// The number of one that no statement has.
    pub(super) fn take(&self) -> Option<u32> {
        let number = self.taken.get().trailing_ones();
        if !self.is_reading.get() || number >= u32::BITS {
            return None;
        }
        self.taken.set(self.taken.get() | 1 << number);
        Some(number)
    }

    pub(super) fn give_back(&self, number: u32) {
        self.taken.set(self.taken.get() & !(1 << number));
    }

    /// Notes that the server knows it now, and returns whether it did before.
    pub(super) fn declare(&self, number: u32) -> bool {
        let before = self.declared.get();
        self.declared.set(before | 1 << number);
        before & 1 << number != 0
    }
}
