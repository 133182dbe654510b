//! Database connections for reading, each with a cache of the answers that are still valid.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::base::since::Since;
use crate::http::api::resources::faults::unavailable;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::repository::{Position, Reader, StoreAddress, StoreError};
use crate::workflow::record::ExecutionStatus;

/// The most answers that are kept with a connection, and their bytes in all.
const ANSWERS_MAX: usize = 256;
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// The most connections that are kept for later.
const IDLE_MAX: usize = 8;
/// How many reads that take long there are at a time.
const SLOW_MAX: usize = 4;

/// The most connections to a server at a time.
const CONNECTIONS_MAX: usize = 12;

/// Turns to use a connection to a server. Requests wait for it on threads of which there may be
/// hundreds, and the server has few connections.
#[derive(Debug)]
struct Turns {
    free: Mutex<usize>,
    is_free: Condvar,
}

/// A turn, until it is dropped.
struct Turn<'t>(&'t Turns);

impl Turns {
    fn take(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let is_none_free = |free: &mut usize| *free == 0;
        let waited = self.is_free.wait_while(free, is_none_free);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.is_free.notify_one();
    }
}

/// Connections for reading, each used by one request at a time.
#[derive(Debug)]
pub(crate) struct Readers {
    store: StoreAddress,
    /// Where the store is a server.
    turns: Option<Turns>,
    idle: Mutex<Vec<CachingReader>>,
    /// Turns for reads that take long, each of which occupies a thread.
    slow: Semaphore,
}

/// A connection, and the answers that are valid while the database does not change.
#[derive(Debug)]
struct CachingReader {
    reader: Reader,
    version: Option<i64>,
    answers: HashMap<Key, Answer>,
    bytes: usize,
}

/// An answer that is given more than once.
#[derive(Debug, Clone)]
struct Answer {
    body: Bytes,
    tag: [u8; 18],
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::json_text(answer.body).with_tag(answer.tag)
    }
}

impl CachingReader {
    fn open(store: &StoreAddress) -> Result<Self, StoreError> {
        let reader = Reader::open(store)?;
        Ok(Self { reader, version: None, answers: HashMap::new(), bytes: 0 })
    }

    /// The earlier answer, if nothing was stored since by anybody.
    fn answer(&mut self, key: &Key) -> Result<Option<Answer>, StoreError> {
        let version = self.reader.version()?;
        // Where no changes are counted, nothing is known to be still true.
        if version.is_none() || version != self.version {
            self.forget();
            self.version = version;
        }
        Ok(self.answers.get(key).cloned())
    }

    fn keep(&mut self, key: Key, answer: &Answer) {
        let bytes = answer.body.len() + size_of::<Key>();
        if bytes > ANSWER_BYTES_MAX / 4 {
            return;
        }
        if self.answers.len() >= ANSWERS_MAX || self.bytes + bytes > ANSWER_BYTES_MAX {
            self.forget();
        }
        self.bytes += bytes;
        self.answers.insert(key, answer.clone());
    }

    fn forget(&mut self) {
        self.answers.clear();
        self.bytes = 0;
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Execution(String),
    List {
        workflow_id: Option<String>,
        status: Option<ExecutionStatus>,
        since: Option<Since>,
        after: Option<Position>,
        limit: u32,
        offset: u64,
    },
}

/// What a query answers.
pub(super) enum QueryAnswer<T> {
    /// The same until the database changes.
    Final(T),
    /// True at the moment only.
    Current(T),
    /// Too long to be read at once.
    Long(Box<Reply>),
}

impl Readers {
    /// Connections to a store, opened when they are needed.
    #[must_use]
    pub(crate) fn new(store: StoreAddress) -> Self {
        let turns = store
            .file()
            .is_none()
            .then(|| Turns { free: Mutex::new(CONNECTIONS_MAX), is_free: Condvar::new() });
        Self { store, turns, idle: Mutex::default(), slow: Semaphore::new(SLOW_MAX) }
    }

    /// Waits for a turn to read for long.
    pub(in crate::http) async fn slow_turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.slow.acquire().await.ok()
    }

    /// Reads over one of them.
    ///
    /// # Errors
    /// 503 when the database cannot be read.
    pub(in crate::http) fn read<T>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, Problem> {
        self.with(|kept| work(&kept.reader))
    }

    /// Answers with what a query finds as JSON; with the earlier answer of the same `key`
    /// while the database is as it was.
    ///
    /// # Errors
    /// 503 when the database cannot be read.
    pub(super) fn answer<T: Serialize>(
        &self,
        key: Key,
        query: impl FnOnce(&Reader) -> Result<Option<QueryAnswer<T>>, StoreError>,
    ) -> Result<Option<Reply>, Problem> {
        self.with(|kept| {
            if let Some(answer) = kept.answer(&key)? {
                return Ok(Some(answer.into()));
            }
            Ok(Some(match query(&kept.reader)? {
                None => return Ok(None),
                Some(QueryAnswer::Long(reply)) => *reply,
                Some(QueryAnswer::Current(value)) => Reply::json(&value),
                Some(QueryAnswer::Final(value)) => {
                    let reply = Reply::json(&value);
                    let (tag, body) = (reply.body_tag(), reply.body.clone());
                    kept.keep(key, &Answer { body, tag });
                    reply.with_tag(tag)
                }
            }))
        })
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut CachingReader) -> Result<T, StoreError>,
    ) -> Result<T, Problem> {
        match &self.turns {
            None => self.with_connection(work),
            // Whatever the server is doing, others are answered meanwhile.
            Some(turns) => tokio::task::block_in_place(|| {
                let _turn = turns.take();
                self.with_connection(work)
            }),
        }
    }

    fn with_connection<T>(
        &self,
        work: impl FnOnce(&mut CachingReader) -> Result<T, StoreError>,
    ) -> Result<T, Problem> {
        // A connection still reads a file that was deleted or replaced.
        let idle = self.idle().pop().filter(|kept| kept.reader.is_in_place());
        let outcome = match idle {
            Some(kept) => Ok(kept),
            None => CachingReader::open(&self.store),
        }
        .and_then(|mut kept| Ok((work(&mut kept)?, kept)));
        match outcome {
            Ok((value, kept)) => {
                let mut idle = self.idle();
                if idle.len() < IDLE_MAX {
                    idle.push(kept);
                }
                Ok(value)
            }
            // A connection that failed is not used again.
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<CachingReader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
