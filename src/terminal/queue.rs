//! Who waits for a slot of a concurrency group.

use std::io;

use super::{OutputFormat, Ui};
use crate::base::timestamp::Timestamp;
use crate::render::queue::plain_rows;
use crate::repository::Queue;

impl Ui {
    /// Shows who waits.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn queue(&self, queue: &Queue, now: Timestamp) -> io::Result<()> {
        if self.format == OutputFormat::Plain {
            return self.plain_rows(&plain_rows(queue));
        }
        self.text(&self.layout.queue(queue, now))
    }
}
