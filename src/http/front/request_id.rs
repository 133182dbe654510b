//! The ids under which requests are found in logs.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::base::clock;

/// The header with the id of a request.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest `X-Request-Id` that is taken over.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The client's id for the request if it is usable, else a new one.
pub(super) fn of_request(headers: &HeaderMap) -> HeaderValue {
    let mut given = headers.get_all(X_REQUEST_ID).iter();
    if let (Some(id), None) = (given.next(), given.next())
        && (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.as_bytes().iter().all(u8::is_ascii_graphic)
    {
        return id.clone();
    }
    generate()
}

/// A UUIDv7, which sorts by time as the ids of executions do.
pub(super) fn generate() -> HeaderValue {
    let millis = u64::try_from(clock::now().as_micros()).unwrap_or(0) / 1_000;
    let random = fastrand::u128(..).to_ne_bytes();
    let (random, _) = random.split_first_chunk().unwrap_or((&[0; 10], &[]));
    let id = uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid();
    let mut text = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}
