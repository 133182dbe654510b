//! Accepts connections until told to stop, and waits for those in progress.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Api;
use super::access::Access;
use super::answer_body::Budget;
use super::connection;
use super::link::{Limits, Link};
use super::service::Service;
use crate::clock;

/// Who is let in.
#[derive(Debug, Clone)]
pub struct FrontOptions {
    /// Names under which this server is reached, beside its own.
    pub allowed_hosts: Vec<String>,
    /// What requests need to know; `None`: nothing.
    pub token: Option<String>,
    /// Whether `/metrics` is read without it.
    pub metrics_open: bool,
    /// The most connections at a time; one more is accepted, and waits for a place.
    pub max_connections: usize,
}

/// Serves what comes to `listener` until `stop`, and then what is in progress. The caller
/// bounds how long that may take.
pub async fn serve<A: Api>(
    listener: TcpListener,
    options: FrontOptions,
    api: Arc<A>,
    stop: CancellationToken,
) {
    serve_within(listener, options, api, stop, Limits::default()).await;
}

pub(super) async fn serve_within<A: Api>(
    listener: TcpListener,
    options: FrontOptions,
    api: Arc<A>,
    stop: CancellationToken,
    limits: Limits,
) {
    let FrontOptions { allowed_hosts, token, metrics_open, max_connections } = options;
    let access = Arc::new(Access::new(&allowed_hosts, token.as_deref(), metrics_open));
    let budget = Arc::new(Budget::new());
    let places = Arc::new(Semaphore::new(max_connections));
    let open = Arc::new(Open::default());
    let tasks = TaskTracker::new();
    let accept = async {
        loop {
            let (stream, remote, local) = match listener.accept().await {
                Ok((stream, remote)) => match stream.local_addr() {
                    Ok(local) => (stream, remote, local),
                    // It is gone already.
                    Err(_) => continue,
                },
                Err(error) => {
                    // Out of descriptors, mostly: some come back.
                    tracing::warn!(%error, "cannot accept a connection");
                    time::sleep(limits.pause).await;
                    continue;
                }
            };
            // Only where there is somebody to make room for.
            let place = place(&places, &open, &limits).await;
            // Answers are written whole; waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            let link = Arc::new(Link::new(clock::monotonic()));
            let number = open.insert(Arc::clone(&link));
            let (api, access) = (Arc::clone(&api), Arc::clone(&access));
            let budget = Arc::clone(&budget);
            let service = Service { api, access, budget, link, local, remote };
            let open = Arc::clone(&open);
            tasks.spawn(async move {
                connection::serve(stream, service, limits).await;
                open.remove(number);
                drop(place);
            });
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept => {}
    }
    drop(listener);
    open.links().values().for_each(|link| link.end());
    tasks.close();
    tasks.wait().await;
}

/// Waits for a place; where there is none, the connection that was idle longest makes one, or
/// the one whose body takes longest.
async fn place(
    places: &Arc<Semaphore>,
    open: &Open,
    limits: &Limits,
) -> Option<OwnedSemaphorePermit> {
    loop {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        let patience = open.make_room(limits);
        let freed = time::timeout(patience, Arc::clone(places).acquire_owned()).await;
        if let Ok(place) = freed {
            return place.ok();
        }
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    links: Mutex<(u64, HashMap<u64, Arc<Link>>)>,
}

struct Links<'a>(MutexGuard<'a, (u64, HashMap<u64, Arc<Link>>)>);

impl Links<'_> {
    fn values(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.0.1.values()
    }
}

impl Open {
    fn links(&self) -> Links<'_> {
        // Each change is one insertion or one removal.
        Links(self.links.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn insert(&self, link: Arc<Link>) -> u64 {
        let mut links = self.links();
        links.0.0 += 1;
        let number = links.0.0;
        links.0.1.insert(number, link);
        number
    }

    fn remove(&self, number: u64) {
        self.links().0.1.remove(&number);
    }

    /// Tells one that it is to make room, if there is one; gives how long to wait before
    /// another is told.
    fn make_room(&self, limits: &Limits) -> Duration {
        let links = self.links();
        let now = clock::monotonic();
        let longest = |since: fn(&Link) -> Option<Instant>, min: Duration| {
            let known = links.values().filter_map(|link| Some((since(link)?, link)));
            let longest = known.min_by_key(|(since, _)| *since);
            longest.filter(|(since, _)| now.saturating_duration_since(*since) >= min)
        };
        if let Some((_, idle)) = longest(Link::idle_since, limits.idle_min) {
            idle.make_room();
        } else if let Some((_, slow)) = longest(Link::body_since, limits.body_min) {
            slow.make_room();
            // It is told why, and may take as long to hear that.
            return limits.linger + limits.pause;
        }
        limits.pause
    }
}
