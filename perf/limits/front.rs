//! The front of `wfx serve` with nothing behind it but `/api/v1/ping` and its metrics, with
//! (`monitored`) or without (`bare`) service levels: what they cost is the difference. A
//! second argument is how long each request keeps a processor busy, microseconds.

#![expect(clippy::print_stdout, reason = "it tells what it found")]

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpListener;
use wfx::parts::http::Metrics;
use wfx::parts::http::{AnsweredRequest, FrontOptions, Handler, Reply, Route, RoutedRequest};
use wfx::parts::slo::Policy;
use wfx::parts::slo::{Answered, Monitor};

struct Front {
    metrics: Metrics,
    busy: Duration,
    monitor: Option<Monitor>,
}

impl Handler for Front {
    type Route = Route;

    async fn handle(&self, _: RoutedRequest<Route>) -> Reply {
        let begin = wfx::parts::base::clock::monotonic();
        while begin.elapsed() < self.busy {
            std::hint::spin_loop();
        }
        Reply::new(StatusCode::OK, "application/json", r#"{"status":"ok"}"#)
    }

    fn record(&self, seen: &AnsweredRequest<'_>) {
        self.metrics.request(seen.route_label, seen.method, seen.status, seen.latency);
        if let Some(monitor) = &self.monitor {
            let AnsweredRequest { status, latency, path, .. } = *seen;
            monitor.pass(Some(Answered { status, latency, path }), seen.ended, |_| {});
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_monitored = std::env::args().nth(1).is_some_and(|argument| argument == "monitored");
    let window = Duration::from_secs(300);
    let policy = Policy {
        error_rate: Some("0.05".parse()?),
        error_rate_5xx: Some("0.05".parse()?),
        error_rate_4xx: Some("0.10".parse()?),
        error_window: window,
        latency_p95: Some(Duration::from_millis(750)),
        latency_window: window,
        min_samples: 1,
        cooldown: window,
    };
    let monitor = is_monitored.then(|| Monitor::start(policy, None, None, &[]));
    let busy = match std::env::args().nth(2) {
        Some(micros) => Duration::from_micros(micros.parse()?),
        None => Duration::ZERO,
    };
    let api = Arc::new(Front { metrics: Metrics::new(&[1.0])?, busy, monitor });
    let options = FrontOptions {
        allowed_hosts: Vec::new(),
        tokens: Vec::new(),
        public_url: None,
        metrics_open: false,
        max_connections: 1024,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let listeners = vec![Arc::new(wfx::parts::http::Listener::Tcp(listener))];
        wfx::parts::http::serve(listeners, options, api, wfx::parts::http::Ending::default()).await;
        Ok(())
    })
}
