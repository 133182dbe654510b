//! The end of the front.

use super::*;

#[tokio::test]
async fn idle_connections_end_at_once_and_requests_are_answered() {
    let server = TestServer::start().await;
    let (mut fresh, mut idle, mut busy, mut asked) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    idle.expect_kept().await;
    busy.send(get("/api/v1/workflows/held", "") + PING).await;
    in_time("the call", server.api.held.acquire()).await.unwrap().forget();
    let lines = "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n";
    assert_eq!(asked.exchange(post_with(lines, "")).await.status, 100);

    server.stop.cancel();
    fresh.expect_closed().await;
    idle.expect_closed().await;
    let refused = TcpStream::connect(server.address).await;
    assert!(refused.is_err());
    assert!(!server.task.is_finished());

    asked.send("[]").await;
    let answer = asked.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    asked.expect_closed().await;
    server.api.release.add_permits(1);
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    busy.expect_closed().await;
    drop((asked, busy));
    server.end().await;
}

#[tokio::test]
async fn an_answer_on_its_way_arrives() {
    let server = TestServer::start().await;
    let mut client = server.connect_narrow().await;
    client.send(get("/api/v1/workflows/big", "")).await;
    server.recorded_where(|recorded| recorded.path.ends_with("big")).await;
    server.stop.cancel();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.len()), (200, BIG_BYTES));
    client.expect_closed().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn half_a_head_is_not_waited_for_long() {
    let mut setup = Setup::new();
    setup.limits.linger = Duration::from_millis(50);
    let server = setup.start().await;
    let mut client = server.connect().await;
    client.exchange(PING.to_owned() + "GET").await;
    server.stop.cancel();
    assert_eq!(client.answer().await.status, 408);
    client.expect_closed().await;
    server.end().await;
}

#[tokio::test]
async fn the_server_ends_while_all_slots_are_taken() {
    let mut setup = Setup::new();
    setup.options.max_connections = 1;
    let server = setup.start().await;
    let mut client = server.connect().await;
    client.expect_kept().await;
    let mut waiting = server.connect().await;
    waiting.send(PING).await;
    server.stop.cancel();
    client.expect_closed().await;
    // It is answered, with the place that came free, if it was read before the end.
    waiting.unread = waiting.rest().await;
    if !waiting.unread.is_empty() {
        assert_eq!(waiting.answer().await.status, 200);
        waiting.expect_closed().await;
    }
    server.end().await;
}
