//! Who is logged in. Cookies ignore ports, so the name of ours has the number of the database:
//! daemons of one machine do not log each other's users out.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::base::clock;
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::faults;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::tokens::{Session, Token, Tokens};
use crate::http::page::headers::cookie;
use crate::repository::sessions::{SessionChange, StoredSession};

/// How long a session lasts.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3_600);
/// How long others may have the database locked.
const PATIENCE: Duration = Duration::from_secs(2);
const SECRET_BYTES: usize = 32;
/// The most sessions that are known while the database cannot be read.
const KNOWN_MAX: usize = 1_024;

/// Who is logged in.
#[derive(Debug)]
pub(crate) struct Sessions {
    cookie: String,
    /// What a login takes.
    pub(super) tokens: Tokens,
    /// Those that were found lately, for while the database cannot be read.
    known: Mutex<HashMap<Vec<u8>, StoredSession>>,
}

impl Sessions {
    /// Sessions of a database, begun with one of these tokens.
    #[must_use]
    pub(crate) fn new(database: Option<NonZeroU32>, tokens: Tokens) -> Self {
        let number = database.map_or(0, NonZeroU32::get);
        Self { cookie: format!("wfx-{number:08x}"), tokens, known: Mutex::default() }
    }

    /// The session of a request, if it has not ended.
    ///
    /// # Errors
    /// 503 when the database cannot be read, and nothing is known of it.
    pub(super) fn of_request(
        &self,
        headers: &HeaderMap,
        resources: &Resources,
    ) -> Result<Option<Session>, Problem> {
        let Some(secret) = self.secret(headers) else { return Ok(None) };
        let hash = hash(&secret);
        let stored = match resources.readers.read(|reader| reader.session(&hash)) {
            Ok(stored) => {
                self.note(&hash, stored.as_ref());
                stored
            }
            Err(problem) => match self.known().get(&hash) {
                Some(known) => Some(known.clone()),
                None => return Err(problem),
            },
        };
        let now = clock::now();
        let live = stored.filter(|stored| now < stored.expires_at);
        Ok(live.map(|stored| Session { secret, token_proof: stored.token_proof }))
    }

    /// Begins a session; the one that the browser had ends. Returns the cookie.
    ///
    /// # Errors
    /// 503 when it cannot be stored.
    pub(super) async fn begin(
        &self,
        token: &Token,
        headers: &HeaderMap,
        resources: &Resources,
        is_https: bool,
    ) -> Result<String, Problem> {
        let mut secret = vec![0; SECRET_BYTES];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| faults::fault("the system gives no random numbers"))?;
        let expires_at = clock::now().plus(LASTS);
        let begins =
            StoredSession { hash: hash(&secret), token_proof: token.proof(&secret), expires_at };
        let ends = self.secret(headers).map(|old| hash(&old));
        self.change(SessionChange { begins: Some(begins), ends }, resources).await?;
        let value: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.written(&value, LASTS.as_secs(), is_https))
    }

    /// Ends the session of a request. Returns the cookie that removes it.
    ///
    /// # Errors
    /// 503 when that cannot be stored.
    pub(super) async fn end(
        &self,
        headers: &HeaderMap,
        resources: &Resources,
        is_https: bool,
    ) -> Result<String, Problem> {
        if let Some(secret) = self.secret(headers) {
            let ends = Some(hash(&secret));
            self.change(SessionChange { begins: None, ends }, resources).await?;
        }
        Ok(self.written("", 0, is_https))
    }

    async fn change(&self, change: SessionChange, resources: &Resources) -> Result<(), Problem> {
        if let Some(ends) = &change.ends {
            self.known().remove(ends);
        }
        let writer = Arc::clone(&resources.writer);
        let stored = tokio::task::spawn_blocking(move || writer.change_session(&change, PATIENCE));
        let stored = stored.await.map_err(|fault| faults::fault(&fault.to_string()))?;
        stored.map_err(|error| faults::unavailable(&error))
    }

    /// Its path is the folder of the page that sets it, so that a proxy may serve it anywhere.
    fn written(&self, value: &str, seconds: u64, is_https: bool) -> String {
        let secure = if is_https { "; Secure" } else { "" };
        format!("{}={value}; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", self.cookie)
    }

    /// What the cookie of a request holds, if that can be a session.
    fn secret(&self, headers: &HeaderMap) -> Option<Vec<u8>> {
        let value = cookie(headers, &self.cookie)?.as_bytes();
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pairs = value.chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        let secret: Vec<u8> = pairs.collect::<Option<_>>()?;
        (secret.len() == SECRET_BYTES).then_some(secret)
    }

    fn note(&self, hash: &[u8], found: Option<&StoredSession>) {
        let mut known = self.known();
        match found {
            None => _ = known.remove(hash),
            Some(_) if known.contains_key(hash) => {}
            Some(found) => {
                if known.len() >= KNOWN_MAX {
                    known.clear();
                }
                known.insert(hash.to_vec(), found.clone());
            }
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, StoredSession>> {
        // Each change is one insertion or removal.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(secret: &[u8]) -> Vec<u8> {
    digest(&SHA256, secret).as_ref().to_vec()
}
