use hyper::header::HeaderValue;

use super::*;

/// A request to 10.0.0.5:8080, judged by `access`; 200 where it may pass.
fn judged(access: &Access, method: &Method, target: &str, headers: &[(&str, &str)]) -> u16 {
    judged_as(access, Version::HTTP_11, method, target, headers)
}

fn judged_as(
    access: &Access,
    version: Version,
    method: &Method,
    target: &str,
    fields: &[(&str, &str)],
) -> u16 {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let request = AccessRequest {
        method,
        uri: &target.parse().unwrap(),
        version,
        headers: &headers,
        has_two_lengths: false,
        has_bare_line_feed: false,
        has_fragment: false,
        local: Local::Address("10.0.0.5:8080".parse().unwrap()),
        is_page: false,
        is_open: false,
        session: &|| Ok(None),
    };
    access.check(&request).map_or_else(|problem| problem.status().as_u16(), |_| 200)
}

fn s3cret() -> NamedToken {
    NamedToken { name: None, token: "s3cret".to_owned() }
}

fn open() -> Access {
    Access::new(&["Wfx.Example.com".to_owned(), "b.example:8443".to_owned()], &[], false)
}

#[test]
fn only_names_of_this_server_are_answered() {
    for (host, status) in [
        ("10.0.0.5:8080", 200),
        ("10.0.0.5", 200),
        ("10.0.0.5:1", 200),
        ("[::ffff:10.0.0.5]:8080", 200),
        ("localhost", 200),
        ("LocalHost:99", 200),
        ("localhost:", 200),
        ("127.0.0.1:8080", 200),
        ("127.9.9.9", 200),
        ("[::1]", 200),
        ("[::1]:8080", 200),
        ("wfx.example.com", 200),
        ("WFX.example.com:443", 200),
        ("b.example", 200),
        ("10.0.0.6", 421),
        ("8.8.8.8:8080", 421),
        ("[2001:db8::1]", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("wfx.example.com.evil.example", 421),
        ("xwfx.example.com", 421),
        ("127.1", 421),
        ("2130706433", 421),
        ("0.0.0.0", 421),
        ("", 400),
        (":8080", 400),
        ("localhost:x", 400),
        ("localhost:+80", 400),
        ("localhost:65536", 400),
        ("localhost:80:80", 400),
        ("user@localhost", 400),
        ("localhost/x", 400),
        ("local host", 400),
        ("localhost, evil.example", 400),
        ("::1", 400),
        ("[::1", 400),
        ("[::1]x", 400),
        ("[localhost]", 400),
        ("[127.0.0.1]", 400),
    ] {
        let seen = judged(&open(), &Method::GET, "/", &[("host", host)]);
        assert_eq!(seen, status, "{host:?}");
    }
}

#[test]
fn a_host_is_sent_once_and_only_old_clients_omit_it() {
    let twice = [("host", "localhost"), ("host", "localhost")];
    assert_eq!(judged(&open(), &Method::GET, "/", &twice), 400);
    assert_eq!(judged(&open(), &Method::GET, "/", &[]), 400);
    let old = |fields| judged_as(&open(), Version::HTTP_10, &Method::GET, "/", fields);
    assert_eq!(old(&[]), 200);
    assert_eq!(old(&[("host", "evil.example")]), 421);
    assert_eq!(old(&twice), 400);
}

#[test]
fn the_target_is_judged_as_the_host_is() {
    for (target, status) in [
        ("http://localhost/healthz", 200),
        ("https://wfx.example.com:9/healthz", 200),
        ("http://evil.example/healthz", 421),
        ("http://localhost@evil.example/", 400),
        ("http://user@localhost/", 400),
        ("ftp://localhost/", 400),
    ] {
        let seen = judged(&open(), &Method::GET, target, &[("host", "localhost")]);
        assert_eq!(seen, status, "{target}");
    }
    let own_target = [("host", "evil.example")];
    assert_eq!(judged(&open(), &Method::GET, "http://localhost/", &own_target), 421);
}

#[test]
fn a_token_is_needed_and_is_the_right_one() {
    let access = Access::new(&[], &[s3cret()], false);
    let request = |path: &str, given: &[&str]| {
        let mut fields = vec![("host", "localhost")];
        fields.extend(given.iter().map(|value| ("authorization", *value)));
        judged(&access, &Method::GET, path, &fields)
    };
    for given in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret"] {
        assert_eq!(request("/api/v1/ping", &[given]), 200, "{given}");
    }
    for given in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &["Bearer s3cre"],
        &["Bearer s3cretx"],
        &["Bearer S3CRET"],
        &["Bearer s3cret s3cret"],
        &["Bearer s3cret,"],
        &["Bearers3cret"],
        &["Bearer\ts3cret"],
        &["Basic s3cret"],
        &["s3cret"],
        &["Bearer s3cret", "Bearer s3cret"],
        &["Bearer s3cret", "Bearer x"],
    ] {
        assert_eq!(request("/api/v1/ping", given), 401, "{given:?}");
        assert_eq!(request("/nowhere", given), 401, "{given:?}");
        assert_eq!(request("/metrics", given), 401, "{given:?}");
        assert_eq!(request("/healthz", given), 200, "{given:?}");
        assert_eq!(request("/readyz?x", given), 200, "{given:?}");
    }
    for path in ["/api/v1/ping?token=s3cret", "/healthz/", "//healthz", "/%68ealthz", "/"] {
        assert_eq!(request(path, &[]), 401, "{path}");
    }
    let open = Access::new(&[], &[s3cret()], true);
    assert_eq!(judged(&open, &Method::GET, "/metrics", &[("host", "localhost")]), 200);
    assert_eq!(judged(&open, &Method::GET, "/metrics/x", &[("host", "localhost")]), 401);
    assert!(!format!("{open:?}").contains("s3cret"));
}

#[test]
fn foreign_pages_change_nothing() {
    for (origin, status) in [
        ("http://localhost:8080", 200),
        ("http://127.0.0.1:8080", 200),
        ("http://10.0.0.5:8080", 200),
        ("HTTP://LOCALHOST:8080", 200),
        // What the client calls it by, through a tunnel.
        ("http://localhost:9000", 200),
        ("https://wfx.example.com", 200),
        ("https://wfx.example.com:8443", 200),
        ("http://localhost:3000", 403),
        ("http://localhost", 403),
        ("https://evil.example", 403),
        ("https://evil.example:8080", 403),
        ("null", 403),
        ("", 403),
        ("localhost:8080", 403),
        ("file://", 403),
        ("moz-extension://localhost:8080", 403),
        ("http://localhost:8080/", 403),
    ] {
        let fields = [("host", "localhost:9000"), ("origin", origin)];
        assert_eq!(judged(&open(), &Method::POST, "/x", &fields), status, "{origin}");
        assert_eq!(judged(&open(), &Method::DELETE, "/x", &fields), status, "{origin}");
        assert_eq!(judged(&open(), &Method::GET, "/x", &fields), 200, "{origin}");
    }
    let two = [
        ("host", "localhost"),
        ("origin", "http://localhost:8080"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(judged(&open(), &Method::POST, "/x", &two), 403);
    for (site, status) in [("cross-site", 403), ("same-origin", 200), ("none", 200)] {
        let fields = [("host", "localhost"), ("sec-fetch-site", site)];
        assert_eq!(judged(&open(), &Method::POST, "/x", &fields), status, "{site}");
        assert_eq!(judged(&open(), &Method::GET, "/x", &fields), 200, "{site}");
    }
    // Behind a proxy that keeps the default port to itself.
    let proxied = [("host", "localhost"), ("origin", "https://localhost")];
    assert_eq!(judged(&open(), &Method::POST, "/x", &proxied), 200);
}

#[test]
fn only_chunks_are_taken() {
    let fields = |encodings: &[&'static str]| {
        let mut fields = vec![("host", "localhost")];
        fields.extend(encodings.iter().map(|encoding| ("transfer-encoding", *encoding)));
        fields
    };
    for (encodings, status) in [
        (&["chunked"][..], 200),
        (&["Chunked"], 400),
        (&["gzip, chunked"], 400),
        (&["chunked, chunked"], 400),
        (&["chunked;x"], 400),
        (&["identity"], 400),
        (&[""], 400),
        (&["chunked", "chunked"], 400),
        (&["chunked", "identity"], 400),
    ] {
        let seen = judged(&open(), &Method::POST, "/x", &fields(encodings));
        assert_eq!(seen, status, "{encodings:?}");
    }
}

#[test]
fn a_public_url_is_accepted_as_host_and_as_origin() {
    let access =
        Access::new(&[], &[], false).reached_at(PublicUrl::parse("https://Wfx.example.com/ops/"));
    let post = |host: &str, origin: &str| {
        judged(&access, &Method::POST, "/", &[("host", host), ("origin", origin)])
    };
    for host in ["wfx.example.com", "WFX.example.com:443", "wfx.example.com:8080"] {
        for origin in ["https://wfx.example.com", "https://wfx.example.com:443"] {
            assert_eq!(post(host, origin), 200, "{host} {origin}");
        }
        for origin in [
            "http://wfx.example.com",
            "https://wfx.example.com:8443",
            "https://evil.example.com",
            "https://wfx.example.com.evil.example",
            "null",
        ] {
            assert_eq!(post(host, origin), 403, "{host} {origin}");
        }
    }
    assert_eq!(post("evil.example.com", "https://wfx.example.com"), 421);
}

#[test]
fn each_token_has_its_name() {
    let named = |name: &str, token: &str| NamedToken {
        name: Some(name.to_owned()),
        token: token.to_owned(),
    };
    let access = Access::new(&[], &[named("ann", "one"), named("ci", "two")], false);
    let name = |token: &str, local| {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        headers.insert(AUTHORIZATION, value);
        let request = AccessRequest {
            method: &Method::GET,
            uri: &"/".parse().unwrap(),
            version: Version::HTTP_11,
            headers: &headers,
            has_two_lengths: false,
            has_bare_line_feed: false,
            has_fragment: false,
            local,
            is_page: false,
            is_open: false,
            session: &|| Ok(None),
        };
        access.check(&request).map(|granted| granted.token.map(|name| name.to_string()))
    };
    let address = Local::Address("127.0.0.1:8080".parse().unwrap());
    assert_eq!(name("one", address), Ok(Some("ann".to_owned())));
    assert_eq!(name("two", address), Ok(Some("ci".to_owned())));
    assert_eq!(name("three", address).unwrap_err().status(), 401);
    assert_eq!(name("three", Local::Unix), Ok(None));
}

/// A request for the web page, or with a session; 200 where it may pass, with who it is.
fn judged_with(
    access: &Access,
    (method, is_page, is_open): (&Method, bool, bool),
    fields: &[(&str, &str)],
    session: Option<&[u8]>,
) -> (u16, Option<String>) {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers.insert(HOST, HeaderValue::from_static("10.0.0.5:8080"));
    let tokens = Tokens::of(&[NamedToken { name: Some("ann".into()), token: "s3cret".into() }]);
    let begun = |token: &[u8]| Session {
        secret: b"x".to_vec(),
        token_proof: tokens
            .find(token)
            .map_or_else(|| b"nothing".to_vec(), |token| token.proof(b"x")),
    };
    let request = AccessRequest {
        method,
        uri: &"/".parse().unwrap(),
        version: Version::HTTP_11,
        headers: &headers,
        has_two_lengths: false,
        has_bare_line_feed: false,
        has_fragment: false,
        local: Local::Address("10.0.0.5:8080".parse().unwrap()),
        is_page,
        is_open,
        session: &|| Ok(session.map(begun)),
    };
    match access.check(&request) {
        Ok(granted) => {
            assert_eq!(granted.has_session, session.is_some() && !is_open);
            (200, granted.token.map(|name| name.to_string()))
        }
        Err(problem) => (problem.status().as_u16(), None),
    }
}

#[test]
fn a_form_needs_one_origin_that_is_this_server() {
    let access = Access::new(&[], &[], false);
    let judged = |fields: &[(&str, &str)]| {
        judged_with(&access, (&Method::POST, true, false), fields, None).0
    };
    let own = ("origin", "http://10.0.0.5:8080");
    assert_eq!(judged(&[own]), 200);
    assert_eq!(judged(&[own, ("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(judged(&[]), 403);
    assert_eq!(judged(&[own, own]), 403);
    for site in ["same-site", "cross-site", "none", "", "Same-Origin"] {
        assert_eq!(judged(&[own, ("sec-fetch-site", site)]), 403, "{site}");
    }
    let twice = [own, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")];
    assert_eq!(judged(&twice), 403);
    for origin in ["null", "http://10.0.0.5:8081", "http://evil.example", "http://10.0.0.6:8080"] {
        assert_eq!(judged(&[("origin", origin)]), 403, "{origin}");
    }
}

#[test]
fn a_session_opens_the_page_and_what_the_page_asks_of_the_api() {
    let token = NamedToken { name: Some("ann".into()), token: "s3cret".into() };
    let access = Access::new(&[], &[token], false);
    let get = |is_page, fields: &[(&str, &str)], session| {
        judged_with(&access, (&Method::GET, is_page, false), fields, session)
    };
    let ann = (200, Some("ann".to_owned()));
    assert_eq!(get(true, &[], Some(b"s3cret")), ann);
    assert_eq!(get(true, &[("sec-fetch-site", "none")], Some(b"s3cret")), ann);
    assert_eq!(get(true, &[], None).0, 401);
    // Its token was removed.
    assert_eq!(get(true, &[], Some(b"removed")).0, 401);
    assert_eq!(get(false, &[("sec-fetch-site", "same-origin")], Some(b"s3cret")), ann);
    for site in ["same-site", "cross-site", "none"] {
        assert_eq!(get(false, &[("sec-fetch-site", site)], Some(b"s3cret")).0, 401, "{site}");
    }
    assert_eq!(get(false, &[], Some(b"s3cret")).0, 401);
    // A wrong token is not made good by a session.
    assert_eq!(get(true, &[("authorization", "Bearer wrong")], Some(b"s3cret")).0, 401);
    let open = judged_with(&access, (&Method::GET, true, true), &[], None);
    assert_eq!(open, (200, None));
}
