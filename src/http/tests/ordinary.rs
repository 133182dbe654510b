//! What well-meaning clients send.

use super::*;

const HELD: &str = "GET /api/v1/workflows/held HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn routed(answer: &Answer) -> String {
    answer.json()["route"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_is_answered_with_what_was_asked() {
    let server = TestServer::start().await;
    let answer = server.ask_kept(get("/api/v1/workflows/a%20b?x=%31&y", "")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("connection"), None);
    assert_eq!(routed(&answer), r#"Workflow { workflow_id: "a b" }"#);
    assert_eq!(
        (answer.json()["query"].as_str(), answer.json()["body"].as_str()),
        (Some("x=%31&y"), None)
    );
    let recorded = server.recorded(&answer).await;
    assert_eq!((recorded.label, recorded.status), ("/api/v1/workflows/{workflow_id}", 200));
    assert_eq!(
        (recorded.method.as_str(), recorded.path.as_str()),
        ("GET", "/api/v1/workflows/a%20b")
    );
    let Some(Remote::Address(remote)) = recorded.remote else { panic!("{:?}", recorded.remote) };
    assert!(remote.ip().is_loopback());

    let answer = server.ask_kept(post(r#"{"steps": []}"#)).await;
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(r#"{"steps": []}"#)));
    let recorded = server.recorded(&answer).await;
    assert_eq!(recorded.label, "/api/v1/workflows/{workflow_id}/execute");
    assert_eq!(recorded.method, "POST");
    server.end().await;
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let server = TestServer::start().await;
    for path in ["/api/v1/ping", "/healthz", "/nowhere"] {
        let lines = "X-Request-Id: same\r\n";
        let full = server.ask_kept(get(path, lines)).await;
        let mut client = server.connect().await;
        client.send(get(path, lines).replace("GET", "HEAD")).await;
        let bare = client.bodiless_answer().await;
        client.expect_kept().await;
        let without_date = |answer: &Answer| {
            let others = answer.headers.iter().filter(|(name, _)| name != "date");
            (answer.status, others.cloned().collect::<Vec<_>>())
        };
        assert!(!full.body.is_empty());
        assert_eq!(without_date(&bare), without_date(&full), "{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_refused_method_is_answered_with_the_allowed_ones() {
    let server = TestServer::start().await;
    let (reads, writes) = ("GET, HEAD, OPTIONS", "POST, OPTIONS");
    for (method, path, status, allow) in [
        ("POST", "/api/v1/ping", 405, Some(reads)),
        ("DELETE", "/healthz", 405, Some(reads)),
        ("BREW", "/api/v1/workflows", 405, Some(reads)),
        ("get", "/api/v1/ping", 405, Some(reads)),
        ("TRACE", "/api/v1/ping", 405, Some(reads)),
        ("GET", "/api/v1/workflows/w/execute", 405, Some(writes)),
        ("PUT", "/api/v1/workflows/executions/x/cancel", 405, Some(writes)),
        ("OPTIONS", "/api/v1/ping", 204, Some(reads)),
        ("OPTIONS", "/api/v1/workflows/w/execute", 204, Some(writes)),
        ("OPTIONS", "*", 204, Some("GET, HEAD, POST, OPTIONS")),
        ("GET", "*", 400, None),
        ("OPTIONS", "/nowhere", 404, None),
        ("POST", "/nowhere", 404, None),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = server.ask_kept(request).await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        assert_eq!(server.recorded(&answer).await.method, method);
    }
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_is_known_already_is_not_sent_again() {
    let server = TestServer::start().await;
    let tag_of = async |path: &str| {
        let answer = server.ask_kept(get(path, "X-Request-Id: a\r\n")).await;
        answer.header("etag").map(str::to_owned)
    };
    let tag = tag_of("/api/v1/workflows").await.unwrap();
    assert_eq!(tag_of("/api/v1/workflows").await.as_ref(), Some(&tag));
    assert_ne!(tag_of("/api/v1/slo").await.as_ref(), Some(&tag));
    assert_eq!(tag_of("/nowhere").await, None);
    assert_eq!(tag_of("/healthz").await, None);
    for (asked, status) in
        [(tag.as_str(), 304), ("*", 304), ("\"x\"", 200), (&format!("\"x\", W/{tag}"), 304)]
    {
        let lines = format!("X-Request-Id: a\r\nIf-None-Match: {asked}\r\n");
        let answer = server.ask_kept(get("/api/v1/workflows", &lines)).await;
        assert_eq!((answer.status, answer.header("etag")), (status, Some(tag.as_str())), "{asked}");
        assert_eq!(
            server.recorded_where(|recorded| recorded.status == status).await.label,
            "/api/v1/workflows"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn the_id_of_a_request_is_taken_over_if_it_is_usable() {
    let server = TestServer::start().await;
    let longest = "i".repeat(128);
    for id in ["a", "~!@#$%^&*()", &longest] {
        let answer = server.ask_kept(get("/api/v1/ping", &format!("x-request-ID: {id}\r\n"))).await;
        assert_eq!((answer.id(), answer.json()["request_id"].as_str()), (id, Some(id)));
    }
    let long = "i".repeat(129);
    let mut seen = std::collections::HashSet::new();
    for lines in [
        "",
        "X-Request-Id: \r\n",
        "X-Request-Id: a b\r\n",
        "X-Request-Id: a\tb\r\n",
        "X-Request-Id: \u{e4}\r\n",
        "X-Request-Id: a\r\nX-Request-Id: a\r\n",
        &format!("X-Request-Id: {long}\r\n"),
    ] {
        let answer = server.ask_kept(get("/nowhere", lines)).await;
        let id = uuid::Uuid::parse_str(answer.id()).unwrap();
        assert_eq!((answer.status, id.get_version_num()), (404, 7), "{lines:?}");
        assert!(seen.insert(id));
    }
    server.end().await;
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_turn() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let all = [
        get("/api/v1/ping", ""),
        post(r#"{"a": "GET / HTTP/1.1\r\n\r\n"}"#),
        chunked("3\r\n{\"b\r\n5;x=y\r\n\": 1}\r\n0\r\nTrailer: x\r\n\r\n"),
        "\r\n".to_owned() + &get("/nowhere", ""),
        post(""),
        get("/api/v1/slo", ""),
    ];
    client.send(all.concat()).await;
    let mut seen = Vec::new();
    for _ in &all {
        let answer = client.answer().await;
        let body = answer.json()["body"].as_str().unwrap_or("-").to_owned();
        seen.push((answer.status, body));
    }
    client.expect_kept().await;
    let expected = [
        (200, "-"),
        (200, r#"{"a": "GET / HTTP/1.1\r\n\r\n"}"#),
        (200, "{\"b\": 1}"),
        (404, "-"),
        (200, "-"),
        (200, "-"),
    ];
    assert_eq!(seen, expected.map(|(status, body)| (status, body.to_owned())));
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_request_may_come_in_any_pieces() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let all = post("[1]") + &chunked("1\r\n7\r\n0\r\n\r\n");
    for byte in all.bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.json()["body"], "[1]");
    assert_eq!(client.answer().await.json()["body"], "7");
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn many_requests_in_one_piece_are_all_answered() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    // More than are read at a time.
    let (count, all) = (2_000, (post("[]") + PING).repeat(1_000));
    let Client { reader, writer, unread, .. } = &mut client;
    let read = async {
        let mut answers = Vec::new();
        for _ in 0..count {
            answers.push(read_answer(reader, unread, true).await);
        }
        answers
    };
    let (answers, sent) =
        tokio::join!(in_time("all answers", read), writer.write_all(all.as_bytes()));
    sent.unwrap();
    for (at, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.json()["route"] == "Ping", at % 2 == 1, "{at}");
        client.note(answer);
    }
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn the_connection_is_closed_when_the_client_says_so() {
    let server = TestServer::start().await;
    for (request, then) in [
        (get("/api/v1/ping", "Connection: close\r\n"), Afterwards::Closed),
        (get("/api/v1/ping", "Connection: Close, x\r\n"), Afterwards::Closed),
        (
            get("/api/v1/ping", "Connection: close\r\nConnection: keep-alive\r\n"),
            Afterwards::Closed,
        ),
        (get("/api/v1/ping", "Connection: x\r\n"), Afterwards::Kept),
        ("GET /api/v1/ping HTTP/1.0\r\nHost: localhost\r\n\r\n".to_owned(), Afterwards::Closed),
        ("GET /api/v1/ping HTTP/1.0\r\n\r\n".to_owned(), Afterwards::Closed),
        (
            "GET /api/v1/ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
            Afterwards::Kept,
        ),
        ("POST /api/v1/ping HTTP/1.0\r\nHost: x\r\n\r\n".to_owned(), Afterwards::Closed),
    ] {
        let answer = server.ask(&request, then).await;
        let status = if request.starts_with("POST") { 421 } else { 200 };
        assert_eq!(answer.status, status, "{request}");
    }
    // What follows is not served.
    server.ask(get("/api/v1/ping", "Connection: close\r\n") + PING, Afterwards::Closed).await;
    server.end().await;
}

#[tokio::test]
async fn an_upgrade_is_not_taken() {
    let server = TestServer::start().await;
    for to in ["h2c", "websocket"] {
        let lines = format!("Connection: Upgrade\r\nUpgrade: {to}\r\n");
        assert_eq!(server.ask_kept(get("/api/v1/ping", &lines)).await.status, 200);
    }
    server.end().await;
}

#[tokio::test]
async fn a_body_is_asked_for_only_if_it_is_wanted() {
    let server = TestServer::start().await;
    let expecting = |lines: &str| post_with(&format!("Expect: 100-continue\r\n{lines}"), "");
    let json = "Content-Type: application/json\r\n";
    for length in ["Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut client = server.connect().await;
        client.send(expecting(&format!("{json}{length}"))).await;
        assert_eq!(client.answer().await.status, 100);
        client.send(if length.starts_with('C') { "[]" } else { "2\r\n[]\r\n0\r\n\r\n" }).await;
        assert_eq!(client.answer().await.json()["body"], "[]");
        client.expect_kept().await;
    }
    for (lines, status) in [
        (format!("{json}Content-Length: 1048577\r\n"), 413),
        ("Content-Type: text/plain\r\nContent-Length: 2\r\n".to_owned(), 415),
        (format!("{json}Content-Length: 2\r\nOrigin: null\r\n"), 403),
        (format!("{json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), 400),
    ] {
        server.refuses(expecting(&lines), status).await;
    }
    let request = expecting(json).replace("/execute", "/nowhere") + PING;
    server.ask(request.replace("Expect", "Content-Length: 9\r\nExpect"), Afterwards::Closed).await;
    // Nothing is asked for where there is no body.
    server.ask_kept(expecting("")).await;
    server.end().await;
}

#[tokio::test]
async fn a_last_answer_to_an_old_client_offers_no_keep_alive() {
    let server = TestServer::start().await;
    // What is refused with its body unread is the last answer.
    let lines = "Connection: keep-alive\r\nContent-Length: 2000000\r\n\
                 Content-Type: application/json\r\n";
    let request = post_with(lines, "").replacen("HTTP/1.1", "HTTP/1.0", 1);
    let answer = server.refuses(request, 413).await;
    assert_eq!(answer.header("connection"), Some("close"));
    server.end().await;
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_is_still_answered() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.send(HELD).await;
    client.finish().await;
    in_time("the call", server.api.held.acquire()).await.unwrap().forget();
    server.expect_served().await;
    server.api.release.add_permits(1);
    assert_eq!(client.answer().await.status, 200);
    client.expect_closed().await;
    // One that says nothing at all, or ends within a head, is not.
    for begun in ["", "GET", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut client = server.connect().await;
        client.send(begun).await;
        client.finish().await;
        client.expect_closed().await;
    }
    server.end().await;
}

#[tokio::test]
async fn work_for_a_client_that_left_is_completed() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.send(HELD.to_owned() + "more").await;
    in_time("the call", server.api.held.acquire()).await.unwrap().forget();
    client.abort();
    server.expect_served().await;
    server.api.release.add_permits(1);
    let recorded = server.recorded_where(|recorded| recorded.path.ends_with("held")).await;
    assert_eq!(recorded.status, 200);
    server.end_with(&[("/api/v1/workflows/{workflow_id}", 200)]).await;
}
