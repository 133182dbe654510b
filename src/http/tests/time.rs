//! Clients that take their time. Limits that must be reached are short, all others long.

use super::*;

const SHORT: Duration = Duration::from_millis(50);

async fn limited(limit: impl FnOnce(&mut Limits)) -> Front {
    let mut setup = Setup::new();
    limit(&mut setup.limits);
    setup.start().await
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let front = limited(|limits| limits.idle = SHORT).await;
    front.connect().await.expect_closed().await;
    // Blank lines are no request.
    let mut client = front.connect().await;
    client.send("\r\n\r\n").await;
    client.expect_closed().await;
    front.end().await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed() {
    let front = limited(|limits| limits.idle = SHORT).await;
    for request in [PING.to_owned(), post("[]"), post("[]") + "\r\n"] {
        let mut client = front.connect().await;
        assert_eq!(client.exchange(request).await.status, 200);
        client.expect_closed().await;
    }
    front.end().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused() {
    let front = limited(|limits| limits.head = SHORT).await;
    for begun in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n", "\r\nG"] {
        // Alone, and behind a request that is answered.
        let answer = front.refuses(begun, 408).await;
        let told = front.told(&answer).await;
        assert_eq!((told.label, told.method.as_str(), told.status), ("other", "-", 408));
        for request in [PING.to_owned(), post("[]")] {
            let mut client = front.connect().await;
            assert_eq!(client.exchange(request + begun).await.status, 200);
            assert_eq!(client.answer().await.status, 408);
            client.expect_closed().await;
        }
    }
    front.end().await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_refused() {
    let front = limited(|limits| limits.head = SHORT).await;
    let mut client = front.connect().await;
    let Client { reader, writer, unread, .. } = &mut client;
    let answer = soon("an answer", async {
        let answer = read_answer(reader, unread, true);
        tokio::pin!(answer);
        loop {
            let _ = writer.write_all(b"x").await;
            // Others are served meanwhile.
            let others = front.expect_served();
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
    front.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_refused() {
    let front = limited(|limits| limits.body = SHORT).await;
    let json = "Content-Type: application/json\r\n";
    for request in [
        post_with(&format!("{json}Content-Length: 9\r\n"), ""),
        post_with(&format!("{json}Content-Length: 9\r\n"), "[1, 2"),
        chunked(""),
        chunked("5\r\n"),
        chunked("5\r\n[1,2]\r\n0\r\n"),
    ] {
        let answer = front.refuses(&request, 408).await;
        assert!(answer.detail().contains("body"), "{}", answer.detail());
        let told = front.told(&answer).await;
        assert_eq!(told.label, "/api/v1/workflows/{workflow_id}/execute");
    }
    // One that was asked for.
    let mut client = front.connect().await;
    let lines = format!("{json}Content-Length: 9\r\nExpect: 100-continue\r\n");
    assert_eq!(client.exchange(post_with(&lines, "")).await.status, 100);
    assert_eq!(client.answer().await.status, 408);
    client.expect_closed().await;
    drop(client);
    front.end().await;
}

#[tokio::test]
async fn a_call_may_take_longer_than_clients_may() {
    let front = limited(|limits| {
        limits.idle = SHORT;
        limits.head = SHORT;
        limits.body = SHORT;
        limits.write = SHORT;
    })
    .await;
    let mut client = front.connect().await;
    client.send(get("/api/v1/workflows/held", "")).await;
    soon("the call", front.api.held.acquire()).await.unwrap().forget();
    // Another client runs into its limit, which began later.
    front.connect().await.expect_closed().await;
    front.api.let_go.add_permits(1);
    assert_eq!(client.answer().await.status, 200);
    drop(client);
    front.end().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let mut setup = Setup::new();
    setup.limits.write = SHORT;
    setup.options.max_connections = 1;
    let front = setup.start().await;
    let mut client = front.connect_narrow().await;
    client.send(get("/api/v1/workflows/big", "").repeat(100)).await;
    // There is no place for another until then.
    front.expect_served().await;
    let read = client.rest().await;
    assert!(read.len() < BIG_BYTES, "{}", read.len());
    drop(client);
    front.end_with(&[("/api/v1/workflows/{workflow_id}", 200)]).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_waited_for() {
    let front = Front::start().await;
    let mut client = front.connect_narrow().await;
    client.send(get("/api/v1/workflows/big", "") + PING).await;
    front.expect_served().await;
    assert_eq!(client.answer().await.body.len(), BIG_BYTES);
    assert_eq!(client.answer().await.status, 200);
    client.expect_kept().await;
    drop(client);
    front.end().await;
}

#[tokio::test]
async fn who_is_refused_does_not_stay() {
    let mut setup = Setup::new();
    setup.limits.linger = SHORT;
    setup.options.max_connections = 1;
    let front = setup.start().await;
    // Neither closes its side.
    for (request, status) in [("\0".to_owned(), 400), (get("/", "Content-Length: 9\r\n"), 404)] {
        let mut client = front.connect().await;
        assert_eq!(client.exchange(request).await.status, status);
        front.expect_served().await;
        client.expect_closed().await;
    }
    front.end().await;
}

#[tokio::test]
async fn who_still_sends_after_a_last_answer_is_not_cut_off() {
    let front = limited(|limits| limits.linger = NEVER).await;
    let mut client = front.connect().await;
    let answer = client.exchange(get("/api/v1/ping", "Connection: close\r\n")).await;
    assert_eq!(answer.status, 200);
    client.expect_closed().await;
    // Closed on both sides, the connection would be reset, and what the client has not read
    // of its answer by then could be lost.
    for _ in 0..32 {
        let sent = client.writer.write_all(&[b'x'; 65_536]);
        soon("room for bytes", sent).await.unwrap();
    }
    drop(client);
    front.end().await;
}

#[tokio::test]
async fn the_connection_that_was_idle_longest_makes_room() {
    let mut setup = Setup::new();
    setup.limits.idle_min = Duration::ZERO;
    setup.options.max_connections = 3;
    let front = setup.start().await;
    let (mut first, mut second) = (front.connect().await, front.connect().await);
    let mut busy = front.connect().await;
    busy.send(get("/api/v1/workflows/held", "")).await;
    soon("the call", front.api.held.acquire()).await.unwrap().forget();
    second.expect_kept().await;
    first.expect_kept().await;
    // All places are taken, and nobody wants one.
    first.expect_kept().await;
    let mut third = front.connect().await;
    third.expect_kept().await;
    second.expect_closed().await;
    // One is enough.
    first.expect_kept().await;
    third.expect_kept().await;
    front.api.let_go.add_permits(1);
    assert_eq!(busy.answer().await.status, 200);
    busy.expect_kept().await;
    drop((first, second, third, busy));
    front.end().await;
}

#[tokio::test]
async fn a_connection_in_use_makes_no_room() {
    let mut setup = Setup::new();
    setup.limits.idle_min = Duration::ZERO;
    setup.options.max_connections = 2;
    let front = setup.start().await;
    let mut begun = front.connect().await;
    begun.send("GET /api/v1/ping HTTP/1.1\r\n").await;
    let mut asked = front.connect().await;
    let lines = "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n";
    assert_eq!(asked.exchange(post_with(lines, "")).await.status, 100);
    let mut waiting = front.connect().await;
    waiting.send(PING).await;
    // Each ends before the one that waits is served.
    asked.send("[]").await;
    assert_eq!(asked.answer().await.status, 200);
    assert_eq!(waiting.answer().await.status, 200);
    begun.send("Host: localhost\r\n\r\n").await;
    assert_eq!(begun.answer().await.status, 200);
    drop((begun, asked, waiting));
    front.end().await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_makes_room() {
    let mut setup = Setup::new();
    setup.limits.body_min = Duration::ZERO;
    setup.options.max_connections = 2;
    let front = setup.start().await;
    let lines = "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n";
    let (mut first, mut second) = (front.connect().await, front.connect().await);
    for client in [&mut first, &mut second] {
        assert_eq!(client.exchange(post_with(lines, "")).await.status, 100);
        client.send("[").await;
    }
    // Nobody wants its place.
    first.send("1").await;
    let mut waiting = front.connect().await;
    waiting.send(PING).await;
    assert_eq!(first.answer().await.status, 408);
    first.expect_closed().await;
    drop(first);
    assert_eq!(waiting.answer().await.status, 200);
    // One is enough.
    second.send("1, 2, 3]").await;
    assert_eq!(second.answer().await.status, 200);
    drop((second, waiting));
    front.end().await;
}
