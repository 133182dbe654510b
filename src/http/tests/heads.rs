//! Heads that are too long, or no heads.

use super::*;

/// A request whose head has just so many bytes.
fn padded(bytes: usize) -> String {
    let bare = get("/api/v1/ping", "X: \r\n").len();
    get("/api/v1/ping", &format!("X: {}\r\n", "x".repeat(bytes - bare)))
}

#[tokio::test]
async fn a_head_has_64_kib_at_most() {
    let server = TestServer::start().await;
    let longest = padded(64 * 1024);
    assert_eq!(longest.len(), 65_536);
    assert_eq!(server.ask_kept(&longest).await.status, 200);
    // Also where it is not the first one.
    let mut client = server.connect().await;
    assert_eq!(client.exchange(post("[]") + &longest).await.status, 200);
    assert_eq!(client.answer().await.json()["route"], "Ping");
    client.expect_kept().await;
    drop(client);
    let recorded = server.refuses(padded(64 * 1024 + 1), 431).await;
    assert!(recorded.detail().contains("64 KiB"), "{}", recorded.detail());
    let recorded = server.recorded(&recorded).await;
    assert_eq!(
        (recorded.label, recorded.method.as_str(), recorded.path.as_str()),
        ("other", "-", "-")
    );
    server.end().await;
}

#[tokio::test]
async fn a_head_without_end_is_refused_while_it_comes() {
    let server = TestServer::start().await;
    let line = "X-Header: 0123456789\r\n";
    for endless in [
        get("/api/v1/ping", &line.repeat(1_000_000 / line.len())),
        "X".repeat(1_000_000),
        "\r\n".repeat(500_000),
        format!("GET /{}", "x".repeat(1_000_000)),
        format!("GET / HTTP/1.1\r\nX: {}", "\u{e4}".repeat(500_000)),
        PING.to_owned().replace("localhost", &"x".repeat(1_000_000)),
    ] {
        let mut client = server.connect().await;
        let answer = client.exchange(&endless).await;
        assert!(matches!(answer.status, 414 | 431), "{answer:?}");
        server.expect_served().await;
        client.expect_closed().await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_head_has_a_hundred_headers_at_most() {
    let server = TestServer::start().await;
    // Beside Host.
    assert_eq!(server.ask_kept(get("/api/v1/ping", &"a: b\r\n".repeat(99))).await.status, 200);
    let recorded = server.refuses(get("/api/v1/ping", &"a: b\r\n".repeat(100)), 431).await;
    assert!(recorded.detail().contains("100 headers"), "{}", recorded.detail());
    server.end().await;
}

#[tokio::test]
async fn a_long_target_is_a_target() {
    let server = TestServer::start().await;
    let long = format!("/api/v1/ping?{}", "x".repeat(60_000));
    assert_eq!(server.ask_kept(get(&long, "")).await.status, 200);
    let segments = "/x".repeat(30_000);
    assert_eq!(server.ask_kept(get(&segments, "")).await.status, 404);
    server.refuses(format!("GET /{}", "x".repeat(65_536)), 431).await;
    server.end().await;
}

#[tokio::test]
async fn what_is_no_head_is_refused() {
    let server = TestServer::start().await;
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice();
    for bytes in [
        client_hello,
        b"\0",
        b"\0\0\0\0",
        b"\xff\xfe",
        b"{\"a\": 1}\r\n\r\n",
        b"\r\n\r\n \r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET / http/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / ICY\r\n\r\n",
        b"G\0T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x0bb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX\0: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x80: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n \r\n\r\n",
    ] {
        let answer = server.ask(bytes, Afterwards::Closed).await;
        assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(bytes));
        assert_eq!(server.recorded(&answer).await.label, "other");
    }
    server.end().await;
}

#[tokio::test]
async fn every_line_ends_in_a_carriage_return_and_a_line_feed() {
    let server = TestServer::start().await;
    for bytes in [
        "GET /api/v1/ping HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /api/v1/ping HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n\n",
        "GET /api/v1/ping HTTP/1.1\nHost: localhost\n\n",
        "GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\nX: a\nY: b\r\n\r\n",
    ] {
        let answer = server.refuses(bytes.to_owned() + PING, 400).await;
        assert!(answer.detail().contains("carriage return"), "{}", answer.detail());
        // hyper has read it: more is known of it.
        assert_eq!(server.recorded(&answer).await.path, "/api/v1/ping");
    }
    server.end().await;
}

#[tokio::test]
async fn other_protocols_are_refused() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    client.expect_closed().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn blank_lines_before_a_request_are_no_request() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    for blank in ["\r\n", "\r\n\r\n", "\r\n\r\n\r\n\r\n"] {
        client.send(blank.to_owned() + PING).await;
        assert_eq!(client.answer().await.status, 200, "{blank:?}");
        client.expect_kept().await;
    }
    drop(client);
    server.end().await;
}
