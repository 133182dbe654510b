//! Bodies: how long, and of what type.

use super::*;
use crate::http::front::request_body::BODY_BYTES_MAX;

/// JSON of so many bytes.
fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

/// A body in chunks of so many bytes.
fn in_chunks(body: &str, bytes: usize) -> String {
    let chunks = body
        .as_bytes()
        .chunks(bytes)
        .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)));
    chunks.collect::<String>() + "0\r\n\r\n"
}

#[tokio::test]
async fn a_body_has_a_mebibyte_at_most() {
    let server = TestServer::start().await;
    let longest = text(BODY_BYTES_MAX);
    let answer = server.ask_kept(post(&longest)).await;
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(longest.as_str())));
    for bytes in [1 << 20, 100_000, 7] {
        let answer = server.ask_kept(chunked(&in_chunks(&longest, bytes))).await;
        assert_eq!(answer.json()["body"].as_str(), Some(longest.as_str()), "{bytes}");
    }
    let longer = text(BODY_BYTES_MAX + 1);
    let mut requests = vec![post(&longer)];
    requests.extend([1 << 21, 100_000, 7].map(|bytes| chunked(&in_chunks(&longer, bytes))));
    for request in requests {
        let answer = server.refuses(request, 413).await;
        assert!(answer.detail().contains("1048576"), "{}", answer.detail());
        let recorded = server.recorded(&answer).await;
        assert_eq!(recorded.label, "/api/v1/workflows/{workflow_id}/execute");
    }
    server.end().await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_comes() {
    let server = TestServer::start().await;
    let json = "Content-Type: application/json\r\n";
    for length in [BODY_BYTES_MAX as u64 + 1, 1 << 40, u64::MAX - 2] {
        server.refuses(post_with(&format!("{json}Content-Length: {length}\r\n"), ""), 413).await;
    }
    // In chunks without end: the client gets its answer while it sends.
    let mut client = server.connect().await;
    let endless = format!("10000\r\n{}\r\n", "x".repeat(65_536)).repeat(400);
    let answer = client.exchange(chunked(&endless)).await;
    assert_eq!(answer.status, 413);
    server.expect_served().await;
    client.expect_closed().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_body_is_json() {
    let server = TestServer::start().await;
    for (lines, status) in [
        ("Content-Type: application/json\r\n", 200),
        ("Content-Type: Application/JSON; Charset=\"UTF-8\"\r\n", 200),
        ("", 415),
        ("Content-Type: \r\n", 415),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        ("Content-Type: multipart/form-data; boundary=x\r\n", 415),
        ("Content-Type: application/json; charset=latin1\r\n", 415),
        ("Content-Type: application/json\r\nContent-Type: application/json\r\n", 415),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", 415),
        ("Content-Type: application/json\r\nContent-Encoding: identity\r\n", 415),
    ] {
        // What is refused by its head is not read, so the connection ends with it.
        let then = if status == 200 { Afterwards::Kept } else { Afterwards::Closed };
        let request = post_with(&format!("{lines}Content-Length: 2\r\n"), "[]");
        assert_eq!(server.ask(request, then).await.status, status, "{lines}");
        let request =
            post_with(&format!("{lines}Transfer-Encoding: chunked\r\n"), "2\r\n[]\r\n0\r\n\r\n");
        assert_eq!(server.ask_kept(request).await.status, status, "{lines}");
    }
    server.end().await;
}

#[tokio::test]
async fn no_body_needs_no_type() {
    let server = TestServer::start().await;
    for (lines, body) in [
        ("", ""),
        ("Content-Length: 0\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Content-Type: text/plain\r\nContent-Length: 0\r\n", ""),
        ("Content-Type: application/json\r\n", ""),
    ] {
        let answer = server.ask_kept(post_with(lines, body)).await;
        assert_eq!((answer.status, answer.json()["body"].as_str()), (200, None), "{lines}");
    }
    server.end().await;
}

#[tokio::test]
async fn any_bytes_go_through_as_they_are() {
    let server = TestServer::start().await;
    let body = "\0\r\n\r\nGET / HTTP/1.1\r\n\r\n\u{e4}\u{1f600}\"\\";
    assert_eq!(server.ask_kept(post(body)).await.json()["body"], body);
    assert_eq!(server.ask_kept(chunked(&in_chunks("\0\n\r", 1))).await.json()["body"], "\0\n\r");
    server.end().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let server = TestServer::start().await;
    for request in [
        post("[1, 2]").replace("2]", ""),
        chunked("5\r\n[1"),
        chunked("5\r\n[1,2]\r\n"),
        chunked("5\r\n[1,2]\r\n0\r\n"),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        client.finish().await;
        assert_eq!(client.answer().await.status, 400, "{request}");
        client.expect_closed().await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_that_leaves_during_its_body_is_closed() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    // That it asks for the rest tells that it reads.
    let lines = "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n";
    client.send(post_with(lines, "[1")).await;
    assert_eq!(client.answer().await.status, 100);
    client.abort();
    let recorded = server.recorded_where(|recorded| recorded.method == "POST").await;
    assert_eq!(recorded.status, 400);
    server.expect_served().await;
    server.end_with(&[("/api/v1/workflows/{workflow_id}/execute", 400)]).await;
}
