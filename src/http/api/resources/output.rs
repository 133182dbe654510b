//! What the steps of an execution print.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::base::clock;
use crate::base::since::Since;
use crate::base::visible::quote;
use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::{executions, faults};
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::workflow::output::lines::NamedPart;
use crate::workflow::output::page::{OutputPage, PageRequest, Part, Selection};
use crate::workflow::report::Stream;

const KEYS: [&str; 6] = ["step", "attempt", "stream", "from", "limit", "since"];
/// The most bytes of output in one answer.
const LIMIT_MAX: usize = 1 << 20;
const LIMIT_DEFAULT: usize = 256 << 10;
const NDJSON: &str = "application/x-ndjson";
/// It is what a program has written, whatever that is.
const TEXT: &str = "text/plain; charset=utf-8";

impl Resources {
    /// A part of what the steps of an execution print, as text or as a line of JSON for each piece.
    pub(super) async fn output(
        &self,
        reference: &str,
        query: &str,
        accept: &str,
    ) -> Result<Reply, Problem> {
        let query = Query::read(query, &KEYS)?;
        let step = query.parsed::<String>("step", "the name of a step")?;
        let attempt = query.parsed::<u32>("attempt", "the number of an attempt, from 1")?;
        if attempt.is_some() && step.is_none() {
            return Err(Problem::bad_request("the query key `attempt` needs `step`")
                .with_hint("add the step whose attempt it is"));
        }
        let stream = query.parsed::<Stream>("stream", "stdout or stderr")?;
        let from = query.parsed::<u64>("from", "a number of bytes, such as an `X-Next-From`")?;
        let takes = "a number of bytes from 1 to 1048576";
        let limit = query.parsed::<usize>("limit", takes)?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request("the query key `limit` is out of its range")
                .with_hint(format!("it takes {takes}")));
        }
        let takes = "a duration such as 2h, or a time such as 2026-01-31T12:00:00Z";
        let since = query.parsed::<Since>("since", takes)?.map(|since| since.before(clock::now()));
        let is_ndjson = accept
            .split(',')
            .filter_map(|kind| kind.split(';').next())
            .any(|kind| kind.trim().eq_ignore_ascii_case(NDJSON));
        let execution_id = self.execution_id(reference)?;
        let is_unstored = self.memory.status(&execution_id).is_some();
        let readers = Arc::clone(&self.readers);
        let read = move || {
            let mut selection = Selection { position: None, attempt, stream, since };
            if let Some(step) = &step {
                let position = readers.read(|reader| reader.position(&execution_id, step))?;
                if position.is_none()
                    && !is_unstored
                    && readers.read(|reader| reader.execution(&execution_id))?.is_some()
                {
                    let detail = format!("the execution has no step {}", quote(step));
                    return Err(Problem::not_found(detail));
                }
                selection.position = Some(position.unwrap_or(u32::MAX));
            }
            let from = from.unwrap_or(0);
            let ends_at_gap = !is_ndjson;
            let request = PageRequest { selection, from, limit, ends_at_gap, is_last: false };
            let page = readers.read(|reader| reader.output(&execution_id, &request))?;
            let page = match page {
                Some(page) => page,
                // Nothing of it is stored yet.
                None if is_unstored => OutputPage { next_from: from, ..OutputPage::default() },
                None => return Err(executions::unknown(&execution_id)),
            };
            let names = match is_ndjson {
                true => readers.read(|reader| reader.names(&execution_id))?,
                false => HashMap::new(),
            };
            Ok(reply(page, is_ndjson, &names))
        };
        // What is read has to be decompressed.
        let read = tokio::task::spawn_blocking(read);
        read.await.map_err(|fault| faults::fault(&fault.to_string()))?
    }
}

fn reply(page: OutputPage, is_ndjson: bool, names: &HashMap<u32, String>) -> Reply {
    let (next_from, dropped, is_complete) = (page.next_from, page.dropped(), page.is_complete);
    let name = |position: u32| names.get(&position).cloned().unwrap_or_default();
    let mut body = Vec::new();
    for part in page.parts {
        match (is_ndjson, part) {
            (true, part) => body.extend(NamedPart::of(part, name).to_line().into_bytes()),
            (false, Part::Output { bytes, .. }) => body.extend(bytes),
            (false, Part::Gap { .. }) => {}
        }
    }
    let kind = if is_ndjson { NDJSON } else { TEXT };
    let mut reply = Reply::new(StatusCode::OK, kind, body)
        .with_header(HeaderName::from_static("x-next-from"), HeaderValue::from(next_from));
    if dropped > 0 {
        let name = HeaderName::from_static("x-dropped");
        reply = reply.with_header(name, HeaderValue::from(dropped));
    }
    if is_complete {
        let name = HeaderName::from_static("x-complete");
        reply = reply.with_header(name, HeaderValue::from_static("true"));
    }
    reply
}
