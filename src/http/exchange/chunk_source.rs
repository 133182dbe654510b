//! Produces the rest of a long reply.

/// The chunks of a long reply in their order. It is called on a thread that may block.
pub trait ChunkSource: Send + 'static {
    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// Why the rest cannot be produced; the connection is closed, so that the client notices.
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, String>;
}
