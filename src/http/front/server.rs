//! Accepts connections until it is stopped, and drains those in progress.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::clock;
use crate::http::exchange::byte_budget::ByteBudget;
use crate::http::exchange::handler::Handler;
use crate::http::front::access::Access;
use crate::http::front::connection;
use crate::http::front::connection_slots::ConnectionSlots;
use crate::http::front::connection_state::{ConnectionState, TimeLimits};
use crate::http::front::service::ConnectionService;
use crate::system::limits::{self, OpenFiles};

/// Who is let in.
#[derive(Debug, Clone)]
pub struct FrontOptions {
    /// Names under which this server is reached, beside its own.
    pub allowed_hosts: Vec<String>,
    /// The token that requests need; `None`: none.
    pub token: Option<String>,
    /// Whether `/metrics` is read without it.
    pub metrics_open: bool,
    /// The most connections that make requests; some more are accepted, whose requests wait.
    pub max_connections: usize,
}

/// Serves what comes to `listener` until `stop`, and then what is in progress. The caller
/// bounds how long that may take.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    options: FrontOptions,
    handler: Arc<H>,
    stop: CancellationToken,
) {
    serve_within(listener, options, handler, stop, TimeLimits::default()).await;
}

pub(in crate::http) async fn serve_within<H: Handler>(
    listener: TcpListener,
    options: FrontOptions,
    handler: Arc<H>,
    stop: CancellationToken,
    limits: TimeLimits,
) {
    let FrontOptions { allowed_hosts, token, metrics_open, max_connections } = options;
    let access = Arc::new(Access::new(&allowed_hosts, token.as_deref(), metrics_open));
    let budget = Arc::new(ByteBudget::new());
    let slots = Arc::new(ConnectionSlots::new(max_connections));
    let tasks = TaskTracker::new();
    let accept = async {
        loop {
            slots.wait_for_capacity(&limits).await;
            let (stream, remote, local) = match listener.accept().await {
                Ok((stream, remote)) => match stream.local_addr() {
                    Ok(local) => (stream, remote, local),
                    // It is gone already.
                    Err(_) => continue,
                },
                Err(error) => {
                    // More files may be open than were counted.
                    if limits::is_scarce(&error) && limits::raise() {
                        continue;
                    }
                    // Out of descriptors, mostly: some come back.
                    tracing::warn!(%error, "cannot accept a connection");
                    time::sleep(limits.retry_pause).await;
                    continue;
                }
            };
            // Answers are written whole; waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            let state = Arc::new(ConnectionState::new(remote.ip(), clock::monotonic()));
            let number = slots.insert(&state);
            let (handler, access) = (Arc::clone(&handler), Arc::clone(&access));
            let budget = Arc::clone(&budget);
            let slots = Arc::clone(&slots);
            let service = ConnectionService {
                handler,
                access,
                budget,
                slots: Arc::clone(&slots),
                limits,
                state,
                local,
                remote,
            };
            let files = OpenFiles::count(1);
            tasks.spawn(async move {
                let _files = files;
                connection::serve(stream, service, limits).await;
                slots.remove(number);
            });
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept => {}
        () = slots.run_evictions(&limits) => {}
    }
    drop(listener);
    slots.drain();
    tasks.close();
    // Requests that wait for a slot are served as well.
    tokio::select! {
        () = tasks.wait() => {}
        () = slots.run_evictions(&limits) => {}
    }
}
