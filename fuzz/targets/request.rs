//! Heads of requests: a target and, each on a line of its own, `Host`, `Origin` and
//! `Authorization`. Nothing passes without the token but what is open to all, and no part of
//! a path means another one.
#![no_main]

use std::net::SocketAddr;

use http::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, Uri, Version};
use libfuzzer_sys::fuzz_target;
use wfx::parts::http::Endpoint;
use wfx::parts::http::{Access, AccessRequest, Local, NamedToken};
use wfx::parts::http::query_pairs;
use wfx::parts::http::Route;

const TOKEN: &str = "of-the-operator";
const KNOWN: &[&str] = &["limit", "offset", "status", "workflow", "cursor", "wait"];

fn names(route: &Route) -> Vec<&str> {
    match route {
        Route::Execute { workflow_id }
        | Route::Workflow { workflow_id }
        | Route::WorkflowExecutions { workflow_id } => vec![workflow_id],
        Route::Execution { execution_id }
        | Route::Attempts { execution_id }
        | Route::Lineage { execution_id }
        | Route::Replay { execution_id }
        | Route::Cancel { execution_id } => vec![execution_id],
        _ => Vec::new(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let Some(uri) = lines.next().and_then(|target| Uri::try_from(target).ok()) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in [HOST, ORIGIN, AUTHORIZATION].into_iter().zip(lines) {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        headers.append(name, value);
    }

    if let Ok(Some(route)) = Route::parse(uri.path()) {
        for name in names(&route) {
            assert!(!name.is_empty() && name != "." && name != "..");
            assert!(!name.contains(|c: char| c == '/' || c.is_control()), "{name:?}");
        }
        assert!(route.label().starts_with('/'));
    }
    if let Ok(pairs) = query_pairs(uri.query().unwrap_or_default(), KNOWN) {
        let mut keys: Vec<_> = pairs.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), pairs.len());
    }

    let token = NamedToken { name: None, token: TOKEN.to_owned() };
    let access = Access::new(&["wfx.example:8080".to_owned()], &[token], false);
    for method in [Method::GET, Method::POST] {
        let request = AccessRequest {
            method: &method,
            uri: &uri,
            version: Version::HTTP_11,
            headers: &headers,
            has_two_lengths: false,
            has_bare_line_feed: false,
            has_fragment: false,
            local: Local::Address(SocketAddr::from(([127, 0, 0, 1], 8080))),
            is_page: false,
            is_open: false,
            session: &|| Ok(None),
        };
        if access.check(&request).is_ok() {
            let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
            let is_open = matches!(uri.path(), "/healthz" | "/readyz");
            assert!(is_open || given.trim_ascii_end().ends_with(TOKEN.as_bytes()));
            assert!(headers.contains_key(HOST));
        }
    }
});
