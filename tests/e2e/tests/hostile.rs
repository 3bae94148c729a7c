//! Odd and hostile requests: answered as Envoy answers without our filter, or 4xx by a rule; never 5xx by us, never a
//! failure of the filter's VM. Once with Envoy's own limits, once with them raised so far that the filter sees it all,
//! which its records prove.

mod cases;

use std::time::Duration;

use bytes::Bytes;
use cases::{Case, Seen};
use gatehouse_e2e::{Fate, HOST, Pair, policy};
use gatehouse_support::client::{self, Http1, Reply};
use gatehouse_support::envoy::{HouseAt, Limits};
use gatehouse_support::upstream::Received;
use gatehouse_support::{Gate, House, Http2, Upstream, wait};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::{Value, json};

#[tokio::test]
async fn with_envoys_own_limits() {
    run(Limits::Default).await;
}

#[tokio::test]
async fn with_limits_raised_so_that_the_filter_sees_it_all() {
    run(Limits::Raised).await;
}

async fn run(limits: Limits) {
    let house = House::start().await;
    let pair = start(&house, limits).await;
    for case in cases::all() {
        compare(&pair, &case, limits).await;
    }
    over_http2(&pair, limits).await;
    tunnels(&pair, limits).await;
    aborts(&pair, &house).await;
    still_served(&pair).await;
    if limits == Limits::Raised {
        for case in cases::all().iter().filter(|case| case.seen != Seen::Never) {
            recorded(&house, &case.id, if let Seen::Fields(count) = case.seen { count } else { 0 }).await;
        }
        for id in ["/h2/many", "/h2/large", "/h2/odd", "/h2/cookies", "/h2/head", "/h2/events/events", "CONNECT", "GET"]
        {
            recorded(&house, id, if id == "/h2/many" { 200 } else { 0 }).await;
        }
    }
    pair.gated.assert_filter_sound().await;
}

/// Rules that read everything a request has, so that hostile bytes reach every matcher; only `/admin` is ever blocked.
fn rules() -> Value {
    json!([
        { "name": "admin", "match": { "path": ["/admin", "/admin/**"] }, "then": "block" },
        { "name": "header", "match": { "headers": { "x-odd": { "contains": "never in a test" } } }, "then": "block" },
        { "name": "agent", "match": { "headers": { "user-agent": { "prefix": "never in a test" } } }, "then": "block" },
        { "name": "address", "match": { "address": ["192.0.2.0/24"] }, "then": "block" },
        { "name": "method", "match": { "method": "NEVER" }, "then": "block" },
    ])
}

async fn start(house: &House, limits: Limits) -> Pair {
    let gate = Gate::new(json!({ "house": { "cluster": "gatehouse" }, "policy": policy("enforce", rules()) }));
    let socket = house.socket();
    Pair::start(gate, |gateway| {
        gateway.house = HouseAt::Socket(socket.clone());
        gateway.limits = limits;
    })
    .await
}

async fn compare(pair: &Pair, case: &Case, limits: Limits) {
    let (bare, gated) = pair.both(&case.bytes).await;
    let name = case.name;
    assert_ne!(bare, Fate::Hung, "{name}: Envoy without the filter");
    if case.by_rule && gated.status().is_some_and(|status| (400..500).contains(&status)) {
        return;
    }
    assert_eq!(bare, gated, "{name} ({limits:?}): without the filter, and with it");
    let (before, after) = (arrived(&pair.bare_upstream, case), arrived(&pair.upstream, case));
    assert_eq!(before, after, "{name} ({limits:?}): at the application, without the filter and with it");
}

fn arrived(upstream: &Upstream, case: &Case) -> Vec<Received> {
    let own = |received: &Received| received.field("x-request-id").is_some_and(|id| id == case.id);
    upstream.received().into_iter().filter(own).collect()
}

/// The same kinds of oddity where names are lower-case by law and sizes are counted otherwise.
async fn over_http2(pair: &Pair, limits: Limits) {
    let many = |count: usize| (0..count).fold(request("/h2/many"), |head, n| head.header(format!("x-many-{n}"), "v"));
    let every: Vec<u8> = (0x80..=0xff).collect();
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_bytes(&every).unwrap())]);
    let odd = HeaderValue::from_bytes(&every).unwrap();
    let heads = [
        many(200),
        request("/h2/large").header("x-large", "v".repeat(60 << 10)),
        request("/h2/odd").header("x-odd", odd.clone()).header("user-agent", odd.clone()).header("cookie", odd),
        request("/h2/cookies").header("cookie", "a=1").header("cookie", "b=2").header("cookie", "a=3"),
        request("/h2/head").method("HEAD"),
        request("/h2/events/events").header("te", "trailers"),
    ];
    for head in heads {
        let head = head.header("x-test-version", "2").body(()).unwrap();
        let mut fates = Vec::new();
        for envoy in [&pair.bare, &pair.gated] {
            let mut client = Http2::connect(envoy.address()).await.unwrap();
            let sent = client.send(head.clone(), Bytes::from_static(b"body"), trailers.clone()).await;
            fates.push(sent.map(gatehouse_e2e::steady).map_err(|_| ()));
        }
        let path = head.uri().path();
        assert_eq!(fates[0], fates[1], "{path} over HTTP/2 ({limits:?}): without the filter, and with it");
        let (before, after) = (pair.bare_upstream.with(path), pair.upstream.with(path));
        assert_eq!(before, after, "{path} over HTTP/2 ({limits:?}): at the application");
    }
}

fn request(path: &str) -> http::request::Builder {
    Request::post(format!("http://{HOST}{path}")).header("x-request-id", path)
}

/// Connections that become something else: every octet must still come back.
async fn tunnels(pair: &Pair, limits: Limits) {
    for (method, target, fields) in [("CONNECT", "inner.test:80", ""), ("GET", "/socket", cases::WEBSOCKET)] {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {HOST}\r\nx-request-id: {method}\r\n{fields}\r\n");
        let mut replies: Vec<Reply> = Vec::new();
        for envoy in [&pair.bare, &pair.gated] {
            let mut client = Http1::connect(envoy.address()).await.unwrap();
            client.send(head.as_bytes()).await.unwrap();
            let reply = client.reply(method).await.unwrap();
            if matches!(reply.status, 101 | 200) {
                client.send(b"\x81\x05hello\xff\x00").await.unwrap();
                let mut back = Vec::new();
                while back.len() < 9 {
                    let more = client.some().await.unwrap();
                    assert!(!more.is_empty(), "{method}: the tunnel ended");
                    back.extend(more);
                }
                assert_eq!(back, b"\x81\x05hello\xff\x00", "{method}");
            }
            replies.push(gatehouse_e2e::steady(reply));
        }
        assert_eq!(replies[0], replies[1], "{method} {target}");
        let open = matches!(replies[1].status, 101 | 200);
        assert_eq!(open, limits == Limits::Raised, "{method}: {}", replies[1].status);
    }
}

/// Clients that leave: within the headers, within the body, before a slow answer, within an endless one.
async fn aborts(pair: &Pair, house: &House) {
    let id = |number: u32| format!("aborted-{number}");
    let head = |number: u32, line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nhost: {HOST}\r\nx-request-id: {}\r\n{more}\r\n", id(number))
    };
    let starts = [
        head(0, "GET /cut", "x-unfinished: ").trim_end().to_owned(),
        head(1, "POST /cut", "content-length: 1000000\r\n") + "only so much",
        head(2, "GET /slow/3000", ""),
        head(3, "GET /events/1000/5", ""),
    ];
    for start in &starts {
        for _ in 0..20 {
            let mut client = Http1::connect(pair.gated.address()).await.unwrap();
            client.send(start.as_bytes()).await.unwrap();
            if start.contains("/events/") {
                client.some().await.unwrap();
            }
            client.abort();
        }
    }
    wait::until_true(Duration::from_secs(10), "every client that left to be gone at Envoy", || async {
        pair.gated.stat("http.http.downstream_cx_active").await == 0
    })
    .await;
    for number in [1, 2, 3] {
        house.event(&id(number)).await;
    }
}

async fn still_served(pair: &Pair) {
    let fields = [("host", HOST), ("x-request-id", "still-served")];
    let (bare, gated) = pair.both(&client::request("GET", "/still", &fields, b"")).await;
    assert_eq!(bare.status(), Some(200));
    assert_eq!(bare, gated);
}

/// The filter judged the request with this id, by a policy, and saw at least so many of its fields.
async fn recorded(house: &House, id: &str, fields: u64) {
    let event = house.event(id).await;
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!(own["policy_revision"], 0, "{id}: judged by the inline policy: {event}");
    assert!(own["header_count"].as_u64().is_some_and(|count| count >= fields), "{id}: {event}");
}
