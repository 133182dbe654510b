//! Requests whose end two readers may see at different places.
//!
//! Each of them is followed by what a reader that sees the end too early takes for a
//! request of its own: no such request may be answered.

use super::*;

/// A GET that must not be served.
const SMUGGLED: &str =
    "GET /api/v1/slo HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: smuggled\r\n\r\n";

const JSON: &str = "Content-Type: application/json\r\n";

/// A POST with these lines, a body, and the smuggled request.
fn smuggling(lines: &str, body: &str) -> String {
    post_with(&format!("{JSON}{lines}"), &format!("{body}{SMUGGLED}"))
}

#[tokio::test]
async fn both_lengths_are_refused() {
    let server = TestServer::start().await;
    let chunks = "Transfer-Encoding: chunked\r\n";
    for length in [
        "Content-Length: 5\r\n",
        "content-length:5\r\n",
        "CONTENT-LENGTH: 0\r\n",
        "Content-Length: x\r\n",
    ] {
        for lines in [
            format!("{length}{chunks}"),
            format!("{chunks}{length}"),
            format!("{length}{chunks}{length}"),
        ] {
            let answer = server.refuses(smuggling(&lines, "0\r\n\r\n"), 400).await;
            assert_eq!(server.recorded(&answer).await.status, 400);
        }
    }
    // On a path that takes no body as well, and on one that is not there.
    for path in ["/api/v1/ping", "/nowhere", "/healthz"] {
        let lines = format!("{chunks}Content-Length: 4\r\n");
        server.refuses(get(path, &lines) + "0\r\n\r\n" + SMUGGLED, 400).await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_length_is_a_number_and_there_is_one() {
    let server = TestServer::start().await;
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 6\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: \r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\r\n",
    ] {
        let request = smuggling(lines, "[1,2]");
        let answer = server.ask(&request, Afterwards::Closed).await;
        assert_eq!(answer.status, 400, "{lines}");
    }
    // Twice the same says one thing: RFC 9110, section 8.6.
    for lines in ["Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 005\r\n"] {
        let answer = server.ask_kept(post_with(&format!("{JSON}{lines}"), "[1,2]")).await;
        assert_eq!(answer.json()["body"], "[1,2]", "{lines}");
    }
    server.refuses(smuggling("Content-Length: 18446744073709551613\r\n", ""), 413).await;
    // What hyper counts with has no room for these.
    server.refuses(smuggling("Content-Length: 18446744073709551615\r\n", ""), 431).await;
    server.end().await;
}

#[tokio::test]
async fn the_only_transfer_coding_is_chunked() {
    let server = TestServer::start().await;
    for coding in [
        "chunked, chunked",
        "chunked,chunked",
        "gzip, chunked",
        "chunked, gzip",
        "identity, chunked",
        "identity",
        "gzip",
        "xchunked",
        "chunkedx",
        "Chunked",
        "chunked;q=1",
        "chunked ;",
        "chunked,",
        ", chunked",
        "\"chunked\"",
        "chun ked",
        "\x0bchunked",
        "chunked\x0b",
        "\u{a0}chunked",
        "",
    ] {
        for length in ["", "Content-Length: 5\r\n"] {
            let lines = format!("Transfer-Encoding: {coding}\r\n{length}");
            let answer = server.ask(smuggling(&lines, "0\r\n\r\n"), Afterwards::Closed).await;
            assert_eq!(answer.status, 400, "{coding:?} {length}");
        }
    }
    for lines in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
    ] {
        let answer = server.ask(smuggling(lines, "0\r\n\r\n"), Afterwards::Closed).await;
        assert_eq!(answer.status, 400, "{lines:?}");
    }
    // White space around the value is none of it.
    for coding in ["chunked", "  chunked", "chunked  ", "\tchunked\t"] {
        let lines = format!("{JSON}Transfer-Encoding:{coding}\r\n");
        let answer = server.ask_kept(post_with(&lines, "2\r\n[]\r\n0\r\n\r\n")).await;
        assert_eq!(answer.json()["body"], "[]", "{coding:?}");
    }
    server.end().await;
}

#[tokio::test]
async fn an_old_client_sends_no_chunks() {
    let server = TestServer::start().await;
    for lines in ["", "Connection: keep-alive\r\n", "Content-Length: 5\r\n"] {
        let lines = format!("Transfer-Encoding: chunked\r\n{lines}");
        let request = smuggling(&lines, "0\r\n\r\n").replacen("HTTP/1.1", "HTTP/1.0", 1);
        assert_eq!(server.ask(request, Afterwards::Closed).await.status, 400);
    }
    server.end().await;
}

#[tokio::test]
async fn chunks_are_well_formed() {
    let server = TestServer::start().await;
    for chunks in [
        "",
        "x\r\n",
        "+2\r\n[]\r\n0\r\n\r\n",
        "-2\r\n[]\r\n0\r\n\r\n",
        "0x2\r\n[]\r\n0\r\n\r\n",
        "2\n[]\r\n0\r\n\r\n",
        "2\r[]\r\n0\r\n\r\n",
        "2\r\n[]0\r\n\r\n",
        "2\r\n[]\n0\r\n\r\n",
        "2\r\n[]]\r\n0\r\n\r\n",
        "3\r\n[]\r\n0\r\n\r\n",
        "2;a\nb\r\n[]\r\n0\r\n\r\n",
        "2 2\r\n[]\r\n0\r\n\r\n",
        "\r\n2\r\n[]\r\n0\r\n\r\n",
        "2\r\n[]\r\n0\r\n\n",
        "2\r\n[]\r\n0\n\r\n",
        "10000000000000000\r\n[]\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n[]\r\n0\r\n\r\n",
        "2\r\n[]\r\n0\r\nTrailer\r\n\r\n",
        "2\r\n[]\r\n0\r\nTrai ler: x\r\n\r\n",
    ] {
        // The smuggled request may be understood as the rest of the chunks, and its client
        // then be waited for, so it says that there is no more.
        let mut client = server.connect().await;
        client.send(chunked(chunks) + SMUGGLED).await;
        client.finish().await;
        let answer = client.answer().await;
        assert!(answer.status == 400 && answer.id() != "smuggled", "{chunks:?}: {answer:?}");
        client.expect_closed().await;
    }
    server.end().await;
}

#[tokio::test]
async fn what_belongs_to_chunks_is_read_over() {
    let server = TestServer::start().await;
    let (long, trailers) = ("x".repeat(2_000), "Trailer: x\r\n".repeat(50));
    for chunks in [
        "2\r\n[]\r\n0\r\n\r\n",
        "1\r\n[\r\n1\r\n]\r\n0\r\n\r\n",
        "00000000000000000002\r\n[]\r\n000\r\n\r\n",
        "2;name=value;other=\"a b\"\r\n[]\r\n0;last\r\n\r\n",
        "2 \r\n[]\r\n0\r\n\r\n",
        "2\r\n[]\r\n0\r\nContent-Length: 77\r\nHost: evil.example\r\n\r\n",
        &format!("2;{long}\r\n[]\r\n0\r\n\r\n"),
        &format!("2\r\n[]\r\n0\r\n{trailers}\r\n"),
    ] {
        let answer = server.ask_kept(chunked(chunks)).await;
        assert_eq!(answer.json()["body"], "[]", "{chunks:?}");
    }
    server.end().await;
}

#[tokio::test]
async fn what_surrounds_chunks_is_bounded() {
    let server = TestServer::start().await;
    let (long, many) = ("x".repeat(1_000_000), "Trailer: x\r\n".repeat(1_000));
    for chunks in [
        format!("2;{long}\r\n[]\r\n0\r\n\r\n"),
        "1;a\r\n[\r\n".repeat(100_000),
        format!("2\r\n[]\r\n0\r\nTrailer: {long}\r\n\r\n"),
        format!("2\r\n[]\r\n0\r\n{many}\r\n"),
    ] {
        let answer = server.ask(chunked(&chunks) + SMUGGLED, Afterwards::Closed).await;
        assert_eq!(answer.status, 400, "{}", &chunks[..40]);
    }
    server.end().await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_no_request() {
    let server = TestServer::start().await;
    let length = SMUGGLED.len();
    for (request, status) in [
        (get("/api/v1/ping", &format!("Content-Length: {length}\r\n")), 200),
        (get("/nowhere", &format!("Content-Length: {length}\r\n")), 404),
        (get("/api/v1/ping", "Transfer-Encoding: chunked\r\n") + "5\r\n", 200),
        (get("/healthz", "Content-Length: 3\r\n"), 200),
        (post_with(&format!("Content-Length: {length}\r\n"), ""), 415),
    ] {
        let answer = server.ask(request.clone() + SMUGGLED, Afterwards::Closed).await;
        assert_eq!(answer.status, status, "{request}");
    }
    server.end().await;
}
