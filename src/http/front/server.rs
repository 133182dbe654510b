//! Accepts connections until it is stopped, and drains those in progress.

use std::sync::Arc;

use futures_util::future;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::clock;
use crate::base::tokens::NamedToken;
use crate::http::exchange::byte_budget::ByteBudget;
use crate::http::exchange::handler::{Handler, Remote};
use crate::http::front::access::Access;
use crate::http::front::authority::PublicUrl;
use crate::http::front::connection;
use crate::http::front::connection_slots::ConnectionSlots;
use crate::http::front::connection_state::{ConnectionState, TimeLimits};
use crate::http::front::service::ConnectionService;
use crate::http::front::socket::{Listener, Local, Peer, Socket};
use crate::system::limits::{self, OpenFiles};

/// Who is let in.
#[derive(Debug, Clone)]
pub struct FrontOptions {
    /// Names under which this server is reached, beside its own.
    pub allowed_hosts: Vec<String>,
    /// The URL under which this server is reached, beside its own.
    pub public_url: Option<PublicUrl>,
    /// The tokens of which requests need one; without any, they need none.
    pub tokens: Vec<NamedToken>,
    /// Whether `/metrics` is read without it.
    pub metrics_open: bool,
    /// The most connections that make requests; some more are accepted, whose requests wait.
    pub max_connections: usize,
}

/// How a server ends.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// It is to stop: it accepts nothing more, and each connection ends after the answer in
    /// progress, an idle one at once.
    pub stop: CancellationToken,
    /// Another process accepts from the same sockets: this server accepts nothing more, and each
    /// connection ends after its next answer. An idle one stays until then, or until it has been
    /// idle for too long: a request may be on its way to it.
    pub hand_over: CancellationToken,
}

/// Serves what comes to the `listeners` until its `ending`, and then what is in progress. The
/// caller bounds how long that may take.
pub async fn serve<H: Handler>(
    listeners: Vec<Arc<Listener>>,
    options: FrontOptions,
    handler: Arc<H>,
    ending: Ending,
) {
    serve_within(listeners, options, handler, ending, TimeLimits::default()).await;
}

pub(in crate::http) async fn serve_within<H: Handler>(
    listeners: Vec<Arc<Listener>>,
    options: FrontOptions,
    handler: Arc<H>,
    Ending { stop, hand_over }: Ending,
    limits: TimeLimits,
) {
    let FrontOptions { allowed_hosts, public_url, tokens, metrics_open, max_connections } = options;
    let access = Access::new(&allowed_hosts, &tokens, metrics_open).reached_at(public_url);
    let acceptor = Acceptor {
        handler,
        access: Arc::new(access),
        budget: Arc::new(ByteBudget::new()),
        slots: Arc::new(ConnectionSlots::new(max_connections)),
        tasks: TaskTracker::new(),
        limits,
    };
    let Acceptor { slots, tasks, .. } = &acceptor;
    let accept = |listener: &Arc<Listener>| {
        let (acceptor, listener) = (&acceptor, Arc::clone(listener));
        async move { acceptor.accept_from(&listener).await }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = hand_over.cancelled() => {}
        _ = future::join_all(listeners.iter().map(accept)) => {}
        () = slots.run_evictions(&acceptor.limits) => {}
    }
    drop(listeners);
    tasks.close();
    if !stop.is_cancelled() {
        slots.close_after_next();
        tokio::select! {
            () = tasks.wait() => return,
            () = slots.run_evictions(&acceptor.limits) => {}
            () = stop.cancelled() => {}
        }
    }
    slots.drain();
    // Requests that wait for a slot are served as well.
    tokio::select! {
        () = tasks.wait() => {}
        () = slots.run_evictions(&acceptor.limits) => {}
    }
}

/// What the connections of a server share.
struct Acceptor<H> {
    handler: Arc<H>,
    access: Arc<Access>,
    budget: Arc<ByteBudget>,
    slots: Arc<ConnectionSlots>,
    tasks: TaskTracker,
    limits: TimeLimits,
}

impl<H: Handler> Acceptor<H> {
    /// Accepts connections for ever.
    async fn accept_from(&self, listener: &Listener) {
        loop {
            self.slots.wait_for_capacity(&self.limits).await;
            match listener.accept().await {
                Ok(Some((stream, remote, local))) => self.serve(stream, remote, local),
                Ok(None) => {}
                // More files may be open than were counted.
                Err(error) if limits::is_scarce(&error) && limits::raise() => {}
                Err(error) => {
                    // Out of descriptors, mostly: some come back.
                    tracing::warn!(%error, "cannot accept a connection");
                    time::sleep(self.limits.retry_pause).await;
                }
            }
        }
    }

    fn serve(&self, stream: Socket, remote: Remote, local: Local) {
        let state = Arc::new(ConnectionState::new(Peer::of(remote), clock::monotonic()));
        let number = self.slots.insert(&state);
        let (slots, limits) = (Arc::clone(&self.slots), self.limits);
        let service = ConnectionService {
            handler: Arc::clone(&self.handler),
            access: Arc::clone(&self.access),
            budget: Arc::clone(&self.budget),
            slots: Arc::clone(&slots),
            limits,
            state,
            local,
            remote,
        };
        let files = OpenFiles::count(1);
        self.tasks.spawn(async move {
            let _files = files;
            connection::serve(stream, service, limits).await;
            slots.remove(number);
        });
    }
}
