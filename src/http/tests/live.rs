//! Answers that are sent while they are produced.

use tokio::task;

use super::*;
use crate::http::exchange::live_stream::StreamEnded;

const SHORT: Duration = Duration::from_millis(50);

fn live() -> String {
    get("/api/v1/workflows/live", "")
}

impl TestServer {
    /// The producer's side of the next stream that was asked for.
    async fn producer(&self) -> LiveSender {
        let next = async { self.api.lives.lock().await.recv().await };
        in_time("a request for a stream", next).await.unwrap()
    }

    /// A client that has the head of a stream, and the stream's producer.
    async fn stream(&self) -> (Client, LiveSender) {
        self.stream_to(self.connect().await).await
    }

    async fn stream_to(&self, mut client: Client) -> (Client, LiveSender) {
        client.send(live()).await;
        let producer = self.producer().await;
        let head = client.bodiless_answer().await;
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("transfer-encoding"), Some("chunked"));
        (client, producer)
    }
}

impl Client {
    /// Reads a chunk; the last one is empty.
    async fn chunk(&mut self) -> String {
        let read = async {
            loop {
                let line = self.unread.windows(2).position(|two| two == b"\r\n");
                if let Some(line) = line {
                    let size = std::str::from_utf8(&self.unread[..line]).unwrap();
                    let size = usize::from_str_radix(size, 16).unwrap();
                    let (start, end) = (line + 2, line + 2 + size);
                    if self.unread.len() >= end + 2 {
                        assert_eq!(&self.unread[end..end + 2], b"\r\n");
                        let chunk = self.unread[start..end].to_vec();
                        self.unread.drain(..end + 2);
                        return String::from_utf8(chunk).unwrap();
                    }
                }
                let read = self.reader.read_buf(&mut self.unread).await;
                assert!(matches!(read, Ok(1..)), "no chunk ({read:?}): {:?}", self.unread);
            }
        };
        in_time("a chunk", read).await
    }
}

async fn send(producer: &mut LiveSender, text: &str) {
    in_time("room for a chunk", producer.send(text.to_owned())).await.unwrap();
}

async fn expect_ended(producer: &mut LiveSender) {
    in_time("the end of a stream", producer.ended()).await;
    assert_eq!(producer.send("x").await, Err(StreamEnded));
}

#[tokio::test]
async fn each_chunk_arrives_when_it_is_sent_and_the_connection_is_kept() {
    let server = TestServer::start().await;
    let (mut client, mut producer) = server.stream().await;
    for text in ["one", "two", "three"] {
        send(&mut producer, text).await;
        assert_eq!(client.chunk().await, text);
    }
    producer.finish();
    assert_eq!(client.chunk().await, "");
    client.expect_kept().await;
    // Another one, with nothing in it.
    let (mut client, producer) = server.stream_to(client).await;
    producer.finish();
    assert_eq!(client.chunk().await, "");
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_producer_that_is_silent_for_long_is_waited_for() {
    let mut setup = Setup::new();
    setup.limits.idle = SHORT;
    setup.limits.head = SHORT;
    setup.limits.body = SHORT;
    setup.limits.write = SHORT;
    let server = setup.start().await;
    let (mut client, mut producer) = server.stream().await;
    for text in ["one", "two"] {
        // Others run into their limit, which began later.
        server.connect().await.expect_closed().await;
        send(&mut producer, text).await;
        assert_eq!(client.chunk().await, text);
    }
    server.connect().await.expect_closed().await;
    producer.finish();
    assert_eq!(client.chunk().await, "");
    // From here on it is idle like any other.
    client.expect_closed().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_ends_its_stream() {
    let mut setup = Setup::new();
    setup.limits.write = SHORT;
    let server = setup.start().await;
    let client = server.connect_narrow().await;
    let (mut client, mut producer) = server.stream_to(client).await;
    let producing = async {
        let mut bytes = 0;
        while producer.send(vec![b'x'; 64 * 1024]).await.is_ok() {
            bytes += 64 * 1024;
        }
        bytes
    };
    let bytes = in_time("the end of the stream", producing).await;
    assert!(bytes < BIG_BYTES, "{bytes} bytes were taken for a client that reads none");
    expect_ended(&mut producer).await;
    assert!(client.rest().await.len() < BIG_BYTES);
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_producer_waits_for_its_client() {
    let server = TestServer::start().await;
    let client = server.connect_narrow().await;
    let (mut client, mut producer) = server.stream_to(client).await;
    let producing = task::spawn(async move {
        producer.send(vec![b'x'; BIG_BYTES]).await.unwrap();
        producer.finish();
    });
    server.expect_served().await;
    assert!(!producing.is_finished());
    let mut bytes = 0;
    loop {
        match client.chunk().await.len() {
            0 => break,
            length => bytes += length,
        }
    }
    assert_eq!(bytes, BIG_BYTES);
    in_time("the producer", producing).await.unwrap();
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn the_producer_is_notified_when_its_client_leaves() {
    let server = TestServer::start().await;
    for has_more in [false, true] {
        for is_aborted in [false, true] {
            let (mut client, mut producer) = server.stream().await;
            send(&mut producer, "one").await;
            assert_eq!(client.chunk().await, "one");
            if has_more {
                client.send(PING).await;
            }
            // Nothing is sent to it afterwards, by which that would be noticed.
            if is_aborted {
                client.abort();
            } else {
                drop(client);
            }
            expect_ended(&mut producer).await;
        }
    }
    server.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_the_server_does() {
    let server = TestServer::start().await;
    let (mut silent, mut silent_producer) = server.stream().await;
    let (mut client, mut producer) = server.stream().await;
    send(&mut producer, "one").await;
    server.stop.cancel();
    for producer in [&mut silent_producer, &mut producer] {
        expect_ended(producer).await;
    }
    // What was sent before arrives. The last chunk does not: neither is complete.
    assert_eq!(String::from_utf8(client.rest().await).unwrap(), "3\r\none\r\n");
    assert!(silent.rest().await.is_empty());
    drop((silent, client));
    server.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_the_server_does_though_its_client_does_not_read() {
    let mut setup = Setup::new();
    setup.limits.write = SHORT;
    let server = setup.start().await;
    let client = server.connect_narrow().await;
    let (client, mut producer) = server.stream_to(client).await;
    let producing =
        task::spawn(async move { while producer.send(vec![b'x'; 64 * 1024]).await.is_ok() {} });
    server.expect_served().await;
    server.stop.cancel();
    in_time("the producer", producing).await.unwrap();
    server.end().await;
    drop(client);
}

#[tokio::test]
async fn a_producer_that_does_not_finish_cuts_its_stream_off() {
    let server = TestServer::start().await;
    let (mut client, mut producer) = server.stream().await;
    send(&mut producer, "one").await;
    drop(producer);
    assert_eq!(String::from_utf8(client.rest().await).unwrap(), "3\r\none\r\n");
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn requests_behind_a_stream_are_answered_after_it() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    // Two come with it, two while it is sent, the last one in halves.
    client.send(live() + PING + &get("/api/v1/slo", "")).await;
    let mut producer = server.producer().await;
    assert_eq!(client.bodiless_answer().await.status, 200);
    client.send(post("[]") + &PING[..10]).await;
    send(&mut producer, "one").await;
    assert_eq!(client.chunk().await, "one");
    client.send(&PING[10..]).await;
    send(&mut producer, "two").await;
    assert_eq!(client.chunk().await, "two");
    producer.finish();
    assert_eq!(client.chunk().await, "");
    for route in ["Ping", "Slo", "Execute { workflow_id: \"w\" }", "Ping"] {
        assert_eq!(client.answer().await.json()["route"], route);
    }
    client.expect_kept().await;
    // More of them than are read ahead.
    let (mut client, producer) = server.stream_to(client).await;
    let count = 1_000;
    client.send(PING.repeat(count)).await;
    producer.finish();
    assert_eq!(client.chunk().await, "");
    for _ in 0..count {
        assert_eq!(client.answer().await.json()["route"], "Ping");
    }
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn head_has_no_stream() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.send(live().replacen("GET", "HEAD", 1)).await;
    assert_eq!(client.bodiless_answer().await.status, 200);
    expect_ended(&mut server.producer().await).await;
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn a_long_answer_is_sent_in_chunks_and_the_connection_is_kept() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.send(get("/api/v1/workflows/chunks", "") + PING).await;
    let head = client.bodiless_answer().await;
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    for chunk in ["[\"one\"", ",\"two\"", "]", ""] {
        assert_eq!(client.chunk().await, chunk);
    }
    assert_eq!(client.answer().await.json()["route"], "Ping");
    client.expect_kept().await;
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn old_clients_get_no_chunks_and_the_connection_is_closed() {
    let server = TestServer::start().await;
    for line in ["", "Connection: keep-alive\r\n"] {
        let mut client = server.connect().await;
        client.send(get("/api/v1/workflows/live", line).replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
        let mut producer = server.producer().await;
        let head = client.bodiless_answer().await;
        assert_eq!(head.header("transfer-encoding"), None);
        assert_eq!(head.header("content-length"), None);
        assert_eq!(head.header("connection"), Some("close"));
        for text in ["one", "two"] {
            send(&mut producer, text).await;
        }
        producer.finish();
        assert_eq!(client.rest().await, b"onetwo");
        // A long answer is sent in the same way.
        let mut client = server.connect().await;
        let request = get("/api/v1/workflows/chunks", line);
        client.send(request.replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
        assert_eq!(client.bodiless_answer().await.header("connection"), Some("close"));
        assert_eq!(client.rest().await, br#"["one","two"]"#);
    }
    server.end().await;
}

#[tokio::test]
async fn streams_leave_half_of_the_connections_to_others_and_make_them_no_room() {
    let mut setup = Setup::new();
    setup.options.max_connections = 4;
    setup.limits.idle_min = Duration::ZERO;
    setup.limits.body_min = Duration::ZERO;
    let server = setup.start().await;
    let (first, second) = (server.stream().await, server.stream().await);
    // There is no place for a third.
    let mut client = server.connect().await;
    let answer = client.exchange(live()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.detail().contains("streams"), "{}", answer.detail());
    expect_ended(&mut server.producer().await).await;
    // Requests take the slots of those that are idle, and none of a stream that is silent.
    let mut idle = vec![client];
    for _ in 0..8 {
        let mut client = server.connect().await;
        client.expect_kept().await;
        idle.push(client);
    }
    for (client, producer) in [(first.0, first.1), (second.0, second.1)] {
        let (mut client, mut producer) = (client, producer);
        send(&mut producer, "one").await;
        assert_eq!(client.chunk().await, "one");
        producer.finish();
        assert_eq!(client.chunk().await, "");
        // Its place is free again, though its connection stays.
        let (mut client, producer) = server.stream_to(client).await;
        producer.finish();
        assert_eq!(client.chunk().await, "");
        client.expect_kept().await;
        idle.push(client);
    }
    drop(idle);
    server.end().await;
}

#[tokio::test]
async fn the_oldest_stream_makes_room_for_another() {
    let mut setup = Setup::new();
    setup.options.max_connections = 4;
    setup.limits.stream_min = Duration::ZERO;
    let server = setup.start().await;
    let (mut first, mut first_producer) = server.stream().await;
    let (mut second, mut second_producer) = server.stream().await;
    let (mut third, mut third_producer) = server.stream().await;
    expect_ended(&mut first_producer).await;
    // It is not complete.
    assert!(first.rest().await.is_empty());
    for (client, producer) in
        [(&mut second, &mut second_producer), (&mut third, &mut third_producer)]
    {
        send(producer, "one").await;
        assert_eq!(client.chunk().await, "one");
    }
    drop((second_producer, third_producer));
    assert!(second.rest().await.is_empty());
    assert!(third.rest().await.is_empty());
    drop((first, second, third));
    server.end().await;
}

#[tokio::test]
async fn a_server_with_one_connection_has_no_streams() {
    let mut setup = Setup::new();
    setup.options.max_connections = 1;
    let server = setup.start().await;
    let mut client = server.connect().await;
    assert_eq!(client.exchange(live()).await.status, 503);
    client.expect_kept().await;
    drop(client);
    server.end().await;
}
