//! Temporary.
use super::{Api, access::Access};
use super::link::{Limits, Link};
use super::service::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use crate::clock;
/// x
#[derive(Debug, Clone)]
pub struct FrontOptions {
    /// x
    pub allowed_hosts: Vec<String>,
    /// x
    pub token: Option<String>,
    /// x
    pub metrics_open: bool,
    /// x
    pub max_connections: usize,
}
/// x
pub async fn serve<A: Api>(listener: TcpListener, options: FrontOptions, api: Arc<A>, stop: CancellationToken) {
    let access = Arc::new(Access::new(&options.allowed_hosts, options.token.as_deref(), options.metrics_open));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Ok((stream, remote)) = listener.accept() => {
                let Ok(local) = stream.local_addr() else { continue };
                let link = Arc::new(Link::new(clock::monotonic()));
                let service = Service { api: Arc::clone(&api), access: Arc::clone(&access), link, local, remote };
                let s = Duration::from_secs(15);
                let limits = Limits { idle: s * 5, head: s, body: s, write: s, linger: Duration::from_secs(1), idle_min: Duration::ZERO, pause: Duration::from_millis(100) };
                tokio::spawn(super::connection::serve(stream, service, limits));
            }
        }
    }
}
