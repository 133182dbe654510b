//! Clients that take their time. TimeLimits that must be reached are short, all others long.

use super::*;

const SHORT: Duration = Duration::from_millis(50);

async fn limited(limit: impl FnOnce(&mut TimeLimits)) -> TestServer {
    let mut setup = Setup::new();
    limit(&mut setup.limits);
    setup.start().await
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = limited(|limits| limits.idle = SHORT).await;
    server.connect().await.expect_closed().await;
    // Blank lines are no request.
    let mut client = server.connect().await;
    client.send("\r\n\r\n").await;
    client.expect_closed().await;
    server.end().await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed() {
    let server = limited(|limits| limits.idle = SHORT).await;
    for request in [PING.to_owned(), post("[]"), post("[]") + "\r\n"] {
        let mut client = server.connect().await;
        assert_eq!(client.exchange(request).await.status, 200);
        client.expect_closed().await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused() {
    let server = limited(|limits| limits.head = SHORT).await;
    for begun in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n", "\r\nG"] {
        // Alone, and behind a request that is answered.
        let answer = server.refuses(begun, 408).await;
        let recorded = server.recorded(&answer).await;
        assert_eq!(
            (recorded.label, recorded.method.as_str(), recorded.status),
            ("other", "-", 408)
        );
        for request in [PING.to_owned(), post("[]")] {
            let mut client = server.connect().await;
            assert_eq!(client.exchange(request + begun).await.status, 200);
            assert_eq!(client.answer().await.status, 408);
            client.expect_closed().await;
        }
    }
    server.end().await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_refused() {
    let server = limited(|limits| limits.head = SHORT).await;
    let mut client = server.connect().await;
    let Client { reader, writer, unread, .. } = &mut client;
    let answer = in_time("an answer", async {
        let answer = read_answer(reader, unread, true);
        tokio::pin!(answer);
        loop {
            let _ = writer.write_all(b"x").await;
            // Others are served meanwhile.
            let others = server.expect_served();
            tokio::pin!(others);
            tokio::select! {
                () = &mut others => {}
                answer = &mut answer => {
                    others.await;
                    return answer;
                }
            }
        }
    });
    let answer = answer.await;
    assert_eq!(client.note(answer).status, 408);
    client.expect_closed().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_refused() {
    let server = limited(|limits| limits.body = SHORT).await;
    let json = "Content-Type: application/json\r\n";
    for request in [
        post_with(&format!("{json}Content-Length: 9\r\n"), ""),
        post_with(&format!("{json}Content-Length: 9\r\n"), "[1, 2"),
        chunked(""),
        chunked("5\r\n"),
        chunked("5\r\n[1,2]\r\n0\r\n"),
    ] {
        let answer = server.refuses(&request, 408).await;
        assert!(answer.detail().contains("body"), "{}", answer.detail());
        let recorded = server.recorded(&answer).await;
        assert_eq!(recorded.label, "/api/v1/workflows/{workflow_id}/execute");
    }
    // One that was asked for.
    let mut client = server.connect().await;
    let lines = format!("{json}Content-Length: 9\r\nExpect: 100-continue\r\n");
    assert_eq!(client.exchange(post_with(&lines, "")).await.status, 100);
    assert_eq!(client.answer().await.status, 408);
    client.expect_closed().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_call_may_take_longer_than_clients_may() {
    let server = limited(|limits| {
        limits.idle = SHORT;
        limits.head = SHORT;
        limits.body = SHORT;
        limits.write = SHORT;
    })
    .await;
    let mut client = server.connect().await;
    client.send(get("/api/v1/workflows/held", "")).await;
    in_time("the call", server.api.held.acquire()).await.unwrap().forget();
    // Another client runs into its limit, which began later.
    server.connect().await.expect_closed().await;
    server.api.release.add_permits(1);
    assert_eq!(client.answer().await.status, 200);
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let mut setup = Setup::new();
    setup.limits.write = SHORT;
    setup.options.max_connections = 1;
    let server = setup.start().await;
    let mut client = server.connect_narrow().await;
    client.send(get("/api/v1/workflows/big", "").repeat(100)).await;
    // There is no place for another until then.
    server.expect_served().await;
    let read = client.rest().await;
    assert!(read.len() < BIG_BYTES, "{}", read.len());
    drop(client);
    server.end_with(&[("/api/v1/workflows/{workflow_id}", 200)]).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_waited_for() {
    let server = TestServer::start().await;
    let mut client = server.connect_narrow().await;
    client.send(get("/api/v1/workflows/big", "") + PING).await;
    server.expect_served().await;
    assert_eq!(client.answer().await.body.len(), BIG_BYTES);
    assert_eq!(client.answer().await.status, 200);
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_refused_connection_is_closed_though_its_client_lingers() {
    let mut setup = Setup::new();
    setup.limits.linger = SHORT;
    setup.options.max_connections = 1;
    let server = setup.start().await;
    // Neither closes its side.
    for (request, status) in [("\0".to_owned(), 400), (get("/", "Content-Length: 9\r\n"), 404)] {
        let mut client = server.connect().await;
        assert_eq!(client.exchange(request).await.status, status);
        server.expect_served().await;
        client.expect_closed().await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_that_still_sends_after_its_last_answer_is_not_reset() {
    let server = limited(|limits| limits.linger = NEVER).await;
    let mut client = server.connect().await;
    let answer = client.exchange(get("/api/v1/ping", "Connection: close\r\n")).await;
    assert_eq!(answer.status, 200);
    client.expect_closed().await;
    // Closed on both sides, the connection would be reset, and what the client has not read
    // of its answer by then could be lost.
    for _ in 0..32 {
        let sent = client.writer.write_all(&[b'x'; 65_536]);
        in_time("room for bytes", sent).await.unwrap();
    }
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn the_connection_that_was_idle_longest_is_evicted() {
    let mut setup = Setup::new();
    setup.limits.idle_min = Duration::ZERO;
    setup.options.max_connections = 3;
    let server = setup.start().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    let mut busy = server.connect().await;
    busy.send(get("/api/v1/workflows/held", "")).await;
    in_time("the call", server.api.held.acquire()).await.unwrap().forget();
    second.expect_kept().await;
    first.expect_kept().await;
    // All places are taken, and nobody wants one.
    first.expect_kept().await;
    let mut third = server.connect().await;
    third.expect_kept().await;
    second.expect_closed().await;
    // One is enough.
    first.expect_kept().await;
    third.expect_kept().await;
    server.api.release.add_permits(1);
    assert_eq!(busy.answer().await.status, 200);
    busy.expect_kept().await;
    drop((first, second, third, busy));
    server.end().await;
}

#[tokio::test]
async fn a_connection_in_use_is_not_evicted() {
    let mut setup = Setup::new();
    setup.limits.idle_min = Duration::ZERO;
    setup.options.max_connections = 2;
    let server = setup.start().await;
    let mut begun = server.connect().await;
    begun.send("GET /api/v1/ping HTTP/1.1\r\n").await;
    let mut asked = server.connect().await;
    let lines = "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n";
    assert_eq!(asked.exchange(post_with(lines, "")).await.status, 100);
    let mut waiting = server.connect().await;
    waiting.send(PING).await;
    // Each ends before the one that waits is served.
    asked.send("[]").await;
    assert_eq!(asked.answer().await.status, 200);
    assert_eq!(waiting.answer().await.status, 200);
    begun.send("Host: localhost\r\n\r\n").await;
    assert_eq!(begun.answer().await.status, 200);
    drop((begun, asked, waiting));
    server.end().await;
}

#[tokio::test]
async fn a_connection_with_a_body_byte_by_byte_is_evicted() {
    let mut setup = Setup::new();
    setup.limits.body_min = Duration::ZERO;
    setup.options.max_connections = 2;
    let server = setup.start().await;
    let lines = "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n";
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut first, &mut second] {
        assert_eq!(client.exchange(post_with(lines, "")).await.status, 100);
        client.send("[").await;
    }
    // Nobody wants its place.
    first.send("1").await;
    let mut waiting = server.connect().await;
    waiting.send(PING).await;
    assert_eq!(first.answer().await.status, 408);
    first.expect_closed().await;
    drop(first);
    assert_eq!(waiting.answer().await.status, 200);
    // One is enough.
    second.send("1, 2, 3]").await;
    assert_eq!(second.answer().await.status, 200);
    drop((second, waiting));
    server.end().await;
}

/// Clients that take every place and do not finish, and a front that is full then.
async fn filled(begun: &str, limit: impl FnOnce(&mut TimeLimits)) -> (TestServer, Vec<Client>) {
    let mut setup = Setup::new();
    setup.options.max_connections = 3;
    limit(&mut setup.limits);
    let server = setup.start().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.send(begun).await;
        clients.push(client);
    }
    (server, clients)
}

#[tokio::test]
async fn probes_are_answered_while_all_slots_are_taken() {
    let lines = "Content-Type: application/json\r\nContent-Length: 9\r\n";
    for begun in ["GET /api".to_owned(), post_with(lines, "["), String::new()] {
        let (server, clients) = filled(&begun, |_| {}).await;
        // More than can wait.
        let mut waiting = Vec::new();
        for _ in 0..40 {
            let mut client = server.connect().await;
            client.send(&begun).await;
            waiting.push(client);
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(server.ask(get(path, ""), Afterwards::Closed).await.status, 200);
        }
        drop((clients, waiting));
        let answered = |server: &TestServer| server.api.recorded.lock().unwrap().len();
        assert_eq!(answered(&server), 2);
        server.stop.cancel();
        in_time("the end of the server", server.task).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_with_half_a_head_is_evicted() {
    let (server, mut clients) = filled("GET / HTTP/1.1\r\n", |l| l.body_min = Duration::ZERO).await;
    server.expect_served().await;
    assert_eq!(clients[0].answer().await.status, 408);
    clients[0].expect_closed().await;
    for client in &mut clients[1..] {
        client.send("Host: localhost\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 404);
    }
    drop(clients);
    server.end().await;
}

#[tokio::test]
async fn a_request_that_gets_no_slot_in_time_is_refused() {
    let (server, clients) = filled("GET / HTTP/1.1\r\n", |limits| limits.slot_wait = SHORT).await;
    let answer = server.refuses(PING, 503).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.detail().contains("--max-connections"), "{}", answer.detail());
    drop(clients);
    server.stop.cancel();
    in_time("the end of the server", server.task).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_read_is_evicted() {
    let (server, mut clients) = {
        let mut setup = Setup::new();
        setup.options.max_connections = 1;
        setup.limits.body_min = Duration::ZERO;
        let server = setup.start().await;
        let client = server.connect_narrow().await;
        (server, vec![client])
    };
    clients[0].send(get("/api/v1/workflows/big", "")).await;
    // The answer has begun, so that its client has the place.
    in_time("bytes", clients[0].reader.readable()).await.unwrap();
    server.expect_served().await;
    assert!(clients[0].rest().await.len() < BIG_BYTES);
    drop(clients);
    server.end_with(&[("/api/v1/workflows/{workflow_id}", 200)]).await;
}

#[tokio::test]
async fn a_body_has_to_keep_a_rate() {
    let server = limited(|limits| limits.body = Duration::from_secs(1)).await;
    let lines = "Content-Type: application/json\r\nContent-Length: 1000000\r\n";
    let mut client = server.connect().await;
    client.send(post_with(lines, "[")).await;
    let Client { reader, writer, unread, .. } = &mut client;
    let answer = in_time("an answer", async {
        let answer = read_answer(reader, unread, true);
        tokio::pin!(answer);
        loop {
            // Bytes come all the time, each long before the limit, and are no rate.
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            let _ = writer.write_all(b" ").await;
        }
    });
    let answer = answer.await;
    assert_eq!(client.note(answer).status, 408);
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn long_bodies_share_a_bound_and_the_oldest_is_given_up() {
    let mut setup = Setup::new();
    setup.limits.body_min = Duration::ZERO;
    let server = setup.start().await;
    let lines = "Content-Type: application/json\r\nContent-Length: 1048576\r\n";
    let mut clients = Vec::new();
    // All but the end of each: one more than there is room for.
    for _ in 0..49 {
        let mut client = server.connect().await;
        client.send(post_with(lines, &" ".repeat(1_048_570))).await;
        clients.push(client);
    }
    assert_eq!(clients[0].answer().await.status, 408);
    // A short one needs no room.
    assert_eq!(server.ask_kept(post("[]")).await.status, 200);
    drop(clients);
    server.stop.cancel();
    in_time("the end of the server", server.task).await.unwrap();
}
