//! Targets: whole ones, and paths that try to be others.

use super::*;

#[tokio::test]
async fn a_whole_target_is_judged_as_the_host_is() {
    let server = TestServer::start().await;
    let own = format!("http://{}/api/v1/ping", server.address);
    for (target, status) in [
        ("http://localhost/api/v1/ping", 200),
        ("HTTP://LOCALHOST:1/api/v1/ping?x", 200),
        ("https://127.9.9.9/api/v1/ping", 200),
        (own.as_str(), 200),
        ("http://localhost", 404),
        ("http://evil.example/api/v1/ping", 421),
        ("http://evil.example", 421),
        ("http://localhost.evil.example/healthz", 421),
        ("http://user@localhost/api/v1/ping", 400),
        ("http://localhost@evil.example/api/v1/ping", 400),
        ("http://evil.example@localhost/api/v1/ping", 400),
        ("http://localhost:80:80/api/v1/ping", 400),
        ("http://:80/api/v1/ping", 400),
        ("http:///api/v1/ping", 400),
        ("http://[::1/api/v1/ping", 400),
        ("ftp://localhost/api/v1/ping", 400),
        ("http:/api/v1/ping", 400),
        ("api/v1/ping", 400),
        ("?x", 400),
        ("localhost", 400),
        ("localhost:80", 400),
    ] {
        let mut client = server.connect().await;
        let answer = client.exchange(get(target, "")).await;
        assert_eq!(answer.status, status, "{target}");
    }
    // The target does not make good what the Host has wrong.
    let foreign = "GET http://localhost/api/v1/ping HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(server.ask_kept(foreign).await.status, 421);
    let without = "GET http://localhost/api/v1/ping HTTP/1.1\r\n\r\n";
    assert_eq!(server.ask_kept(without).await.status, 400);
    server.end().await;
}

#[tokio::test]
async fn nothing_is_relayed() {
    let server = TestServer::start().await;
    for (target, status) in [
        ("localhost:80", 400),
        ("evil.example:443", 421),
        ("/api/v1/ping", 405),
        ("*", 400),
        ("x@localhost:1", 400),
    ] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut client = server.connect().await;
        let answer = client.exchange(request).await;
        assert_eq!(answer.status, status, "{target}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_path_means_one_thing() {
    let server = TestServer::start().await;
    for (path, status) in [
        ("/", 404),
        ("//", 404),
        ("//api/v1/ping", 404),
        ("/api//v1/ping", 404),
        ("/api/v1/ping/", 404),
        ("/API/v1/ping", 404),
        ("/healthz;x", 404),
        ("/api/v1/workflows/", 404),
        ("/api/v1/workflows//execute", 404),
        ("//evil.example/api/v1/ping", 404),
        ("/./api/v1/ping", 400),
        ("/api/../api/v1/ping", 400),
        ("/api/v1/ping/..", 400),
        ("/../../etc/passwd", 400),
        ("/%2e/api/v1/ping", 400),
        ("/%2e%2e/api/v1/ping", 400),
        ("/.%2E/api/v1/ping", 400),
        ("/api%2Fv1/ping", 400),
        ("/api/v1/workflows/a%2fb", 400),
        ("/api/v1/workflows/%00", 400),
        ("/api/v1/workflows/a%00b", 400),
        ("/api/v1/workflows/a%0d%0ab", 400),
        ("/api/v1/workflows/%1b", 400),
        ("/api/v1/workflows/%7F", 400),
        ("/api/v1/workflows/%", 400),
        ("/api/v1/workflows/%4", 400),
        ("/api/v1/workflows/%4g", 400),
        ("/api/v1/workflows/%u0041", 400),
        ("/api/v1/workflows/%ff", 400),
        ("/api/v1/workflows/%c0%af", 400),
        ("/api/v1/workflows/%ed%a0%80", 400),
        ("/api/v1/workflows/..", 400),
        ("/healthz#", 400),
        ("/api/v1/ping#/../x", 400),
        ("/api/v1/workflows/a#b", 400),
        ("/api/v1/ping?x#y", 400),
        ("/%61pi/v1/ping", 200),
        ("/api/v1/workflows/a%252fb", 200),
        ("/api/v1/workflows/a\\b", 200),
    ] {
        let answer = server.ask_kept(get(path, "")).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(server.recorded(&answer).await.label == "other", status != 200, "{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn what_was_sent_is_escaped_in_the_answer() {
    let server = TestServer::start().await;
    for (request, part) in [
        (get("/nowhere/'{\"a\":\"b\"}", ""), "'{\"a\":\"b\"}"),
        (PING.replace("localhost", "a b"), "a b"),
    ] {
        let answer = server.ask_kept(request).await;
        assert!(answer.status >= 400 && answer.detail().contains(part), "{answer:?}");
    }
    server.end().await;
}
