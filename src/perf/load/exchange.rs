//! One request and its answer, over an existing or a new connection.

use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};

use super::samples::Tally;
use super::target::{Route, Sender};

/// The response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The length of the body, bytes.
    pub(super) bytes: u64,
}

/// The answer, once all of it has come; the error in words that are the same each time it
/// happens.
pub(super) async fn exchange(
    route: &Route,
    tally: &Arc<Tally>,
    sender: &mut Option<Sender>,
    request: &Request<Full<Bytes>>,
) -> Result<Answer, String> {
    let mut is_wide = false;
    loop {
        let was_open = sender.is_some();
        let connection = match sender {
            Some(sender) => sender,
            None => {
                // On the heap: the future of a handshake is five times as large as that of a
                // request, and few requests need one.
                let opened = Box::pin(route.connect(tally)).await;
                sender.insert(opened.map_err(|error| error.to_string())?)
            }
        };
        let sent = match connection.ready().await {
            Ok(()) => connection.send_request(request.clone()).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(response) => {
                let status = response.status();
                let bytes = drain(response.into_body()).await?;
                return Ok(Answer { status, bytes });
            }
            // The target closed an idle connection before it saw the request.
            Err(error) if was_open && (error.is_canceled() || error.is_closed()) => {
                *sender = None;
            }
            // Later requests have more room for headers. A request that may change state is not
            // sent twice.
            Err(error) if error.is_parse_too_large() && !is_wide && request.method().is_safe() => {
                route.expect_long_heads();
                (*sender, is_wide) = (None, true);
            }
            Err(error) => return Err(kind_of(&error)),
        }
    }
}

async fn drain(mut body: hyper::body::Incoming) -> Result<u64, String> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| kind_of(&error))?;
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}

fn kind_of(error: &hyper::Error) -> String {
    use std::error::Error;
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return "connection closed before the answer".to_owned();
    }
    if error.is_parse() {
        return format!("no answer in HTTP/1.1: {error}");
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
