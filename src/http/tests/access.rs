//! Who is let in.

use super::*;
use crate::base::tokens::NamedToken;

async fn guarded(metrics_open: bool) -> TestServer {
    let mut setup = Setup::new();
    setup.options.tokens = vec![NamedToken { name: None, token: TOKEN.to_owned() }];
    setup.options.metrics_open = metrics_open;
    setup.start().await
}

#[tokio::test]
async fn only_names_of_this_server_are_answered() {
    let mut setup = Setup::new();
    setup.options.allowed_hosts = vec!["Wfx.Example".to_owned(), "dots.example.".to_owned()];
    let server = setup.start().await;
    let own = server.address.to_string();
    for (host, status) in [
        (own.as_str(), 200),
        ("127.0.0.1", 200),
        ("127.0.0.2:8080", 200),
        ("[::1]:8080", 200),
        ("localhost", 200),
        ("LOCALHOST:9", 200),
        ("  localhost  ", 200),
        ("wfx.example", 200),
        ("WFX.EXAMPLE:443", 200),
        ("dots.example.", 200),
        ("wfx.example.", 421),
        ("localhost.", 421),
        ("dots.example", 421),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("0.0.0.0", 421),
        ("10.1.2.3", 421),
        ("127.1", 421),
        ("%6cocalhost", 421),
        ("", 400),
        ("localhost:http", 400),
        ("localhost:99999", 400),
        ("local host", 400),
        ("http://localhost", 400),
        ("localhost/", 400),
        ("localhost, localhost", 400),
        ("user@localhost", 400),
        ("[::1", 400),
        ("::1", 400),
        ("l\u{f6}calhost", 400),
    ] {
        let answer = server.ask_kept(PING.replace("localhost", host)).await;
        assert_eq!(answer.status, status, "{host:?}");
        assert_eq!(server.recorded(&answer).await.status, status);
    }
    for (head, status, then) in [
        ("GET /api/v1/ping HTTP/1.1\r\n\r\n", 400, Afterwards::Kept),
        ("GET /healthz HTTP/1.1\r\n\r\n", 400, Afterwards::Kept),
        (
            "GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            400,
            Afterwards::Kept,
        ),
        (
            "GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n",
            400,
            Afterwards::Kept,
        ),
        ("GET /api/v1/ping HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421, Afterwards::Closed),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200, Afterwards::Closed),
    ] {
        assert_eq!(server.ask(head, then).await.status, status, "{head}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let server = TestServer::start().await;
    let own = format!("http://{}", server.address);
    for (lines, status) in [
        (String::new(), 200),
        (format!("Origin: {own}\r\n"), 200),
        (format!("Origin: http://localhost:{}\r\n", server.address.port()), 200),
        ("Origin: http://localhost\r\n".to_owned(), 200),
        ("Origin: null\r\n".to_owned(), 403),
        ("Origin: \r\n".to_owned(), 403),
        ("Origin: http://localhost:1\r\n".to_owned(), 403),
        ("Origin: https://evil.example\r\n".to_owned(), 403),
        ("Origin: http://user@localhost\r\n".to_owned(), 403),
        (format!("Origin: {own}\r\nOrigin: https://evil.example\r\n"), 403),
        (format!("Origin: {own} https://evil.example\r\n"), 403),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: Cross-Site\r\n".to_owned(), 403),
        (format!("Origin: {own}\r\nSec-Fetch-Site: cross-site\r\n"), 403),
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: none\r\n".to_owned(), 200),
        ("Sec-Fetch-Site: same-origin\r\n".to_owned(), 200),
    ] {
        let answer = server.ask_kept(post_with(&lines, "")).await;
        assert_eq!(answer.status, status, "{lines}");
        // Who only reads gets what the browser then keeps from a foreign page.
        assert_eq!(server.ask_kept(get("/api/v1/ping", &lines)).await.status, 200, "{lines}");
    }
    server.end().await;
}

#[tokio::test]
async fn nothing_is_answered_without_the_token() {
    let server = guarded(false).await;
    let longer = format!("Bearer {TOKEN}x");
    let repeated = format!("Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}");
    let long = format!("Bearer {}", "x".repeat(60_000));
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer s3cret-toke",
        "Bearer S3CRET-TOKEN",
        "Bearer s3cret-token,",
        "Bearer \"s3cret-token\"",
        "Bearer\ts3cret-token",
        "Bearer: s3cret-token",
        "s3cret-token",
        "Basic s3cret-token",
        "Token s3cret-token",
        "Bearer \u{e4}",
        &longer,
        &long,
        &repeated,
    ] {
        for path in ["/api/v1/ping", "/metrics", "/nowhere", "/%zz", "/healthz/", "//readyz"] {
            let answer = server.ask_kept(get(path, &format!("Authorization: {value}\r\n"))).await;
            assert_eq!(answer.status, 401, "{path} {value:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.detail().contains(TOKEN));
            assert_eq!(server.recorded(&answer).await.label, "other");
        }
    }
    for request in [
        get("/api/v1/ping", ""),
        get(&format!("/api/v1/ping?token={TOKEN}"), ""),
        get(&format!("/api/v1/ping?access_token={TOKEN}"), ""),
        get("/api/v1/ping", &format!("X-Authorization: Bearer {TOKEN}\r\n")),
        get("/api/v1/ping", &format!("Cookie: token={TOKEN}\r\n")),
        get("/api/v1/ping", &format!("Proxy-Authorization: Bearer {TOKEN}\r\n")),
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "DELETE /healthzz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
    ] {
        assert_eq!(server.ask_kept(&request).await.status, 401, "{request}");
    }
    let given = get(&format!("http://x:{TOKEN}@localhost/api/v1/ping"), "");
    assert_eq!(server.ask_kept(given).await.status, 400);
    server
        .api
        .recorded
        .lock()
        .unwrap()
        .iter()
        .for_each(|recorded| assert!(!recorded.path.contains(TOKEN)));
    server.end().await;
}

#[tokio::test]
async fn the_token_gives_access() {
    let server = guarded(false).await;
    for value in ["Bearer s3cret-token", "bearer s3cret-token", "BEARER   s3cret-token  "] {
        for (path, status) in [("/api/v1/ping", 200), ("/metrics", 200), ("/nowhere", 404)] {
            let lines = format!("Authorization: {value}\r\nConnection: close\r\n");
            let answer = server.ask(get(path, &lines), Afterwards::Closed).await;
            assert_eq!(answer.status, status, "{path} {value}");
        }
    }
    server.end().await;
}

#[tokio::test]
async fn probes_need_no_token() {
    for metrics_open in [false, true] {
        let server = guarded(metrics_open).await;
        let of_metrics = if metrics_open { 200 } else { 401 };
        for (path, status) in [
            ("/healthz", 200),
            ("/readyz?x", 200),
            ("/metrics", of_metrics),
            ("/metrics/", 401),
            ("/%6detrics", 401),
            ("/%68ealthz", 401),
            ("/healthz/../api/v1/ping", 401),
        ] {
            let answer = server.ask(get(path, "Connection: close\r\n"), Afterwards::Closed).await;
            assert_eq!(answer.status, status, "{path} {metrics_open}");
        }
        // Other rules hold for them as well.
        let foreign = "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
        assert_eq!(server.ask(foreign, Afterwards::Closed).await.status, 421);
        server.end().await;
    }
}

#[tokio::test]
async fn a_refused_body_is_not_read() {
    let server = guarded(false).await;
    // The body never comes, and is not waited for.
    for lines in [
        "Content-Type: application/json\r\nContent-Length: 1048576\r\n",
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n",
        "Content-Length: 99999999999\r\n",
    ] {
        server.refuses(post_with(lines, ""), 401).await;
        server.refuses(post_with(lines, "").replace("localhost", "evil.example"), 421).await;
    }
    server.end().await;
}
