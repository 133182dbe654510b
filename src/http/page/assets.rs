//! The files that every page uses: built in, compressed once, and kept by browsers for good, since
//! their address has the hash of their text.

use std::sync::OnceLock;

use flate2::Compression;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderValue, VARY};
use hyper::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};

use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::page::headers::{gzip, takes_gzip};

/// The symbols that pages draw statuses with; part of each page.
pub(super) const SPRITE: &str = include_str!("assets/sprite.svg");

struct File {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const FILES: [File; 3] = [
    File {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("assets/style.css"),
    },
    File {
        name: "page.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("assets/page.js"),
    },
    File { name: "icon.svg", content_type: "image/svg+xml", text: include_str!("assets/icon.svg") },
];

/// What is made of the files when the first one is asked for.
struct Made {
    version: String,
    compressed: Vec<Bytes>,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let all: String = FILES.iter().map(|file| file.text).collect();
        let hash = digest(&SHA256, all.as_bytes());
        let version = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let compressed = FILES
            .iter()
            .map(|file| gzip(file.text.as_bytes(), Compression::best()).unwrap_or_default().into());
        Made { version, compressed: compressed.collect() }
    })
}

/// The folder of the files, below that of the page.
pub(super) fn folder() -> String {
    format!("assets/{}/", made().version)
}

/// One of the files.
///
/// # Errors
/// 404 for one that this version does not have.
pub(super) fn reply(version: &str, name: &str, headers: &HeaderMap) -> Result<Reply, Problem> {
    let made = made();
    let index = FILES.iter().position(|file| file.name == name);
    let (Some(index), true) = (index, version == made.version) else {
        return Err(Problem::not_found("this version of wfx has no such file"));
    };
    let file = &FILES[index];
    let compressed = &made.compressed[index];
    let reply = if takes_gzip(headers) && !compressed.is_empty() {
        Reply::new(StatusCode::OK, file.content_type, compressed.clone())
            .with_header(CONTENT_ENCODING, HeaderValue::from_static("gzip"))
    } else {
        Reply::new(StatusCode::OK, file.content_type, file.text)
    };
    let for_good = HeaderValue::from_static("public, max-age=31536000, immutable");
    Ok(reply
        .with_header(CACHE_CONTROL, for_good)
        .with_header(VARY, HeaderValue::from_static("accept-encoding")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_small() {
        let bytes = |name: &str| {
            FILES.iter().find(|file| file.name == name).map(|file| file.text.len()).unwrap()
        };
        assert!(bytes("style.css") <= 15_000, "{}", bytes("style.css"));
        assert!(bytes("page.js") <= 30_000, "{}", bytes("page.js"));
        let sent: usize = made().compressed.iter().map(Bytes::len).sum();
        assert!(sent < 12_000, "{sent}");
    }

    #[test]
    fn a_file_of_another_version_is_not_there() {
        let headers = HeaderMap::new();
        let version = &made().version;
        assert!(reply(version, "page.js", &headers).is_ok());
        assert_eq!(reply("0", "page.js", &headers).unwrap_err().status(), 404);
        assert_eq!(reply(version, "mod.rs", &headers).unwrap_err().status(), 404);
    }
}
