//! One request at a time: what is allowed is not touched, what is blocked never arrives, what is ours cannot be forged.

use bytes::Bytes;
use gatehouse_e2e::{HOST, Pair, one, policy, steady};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::{HouseAt, config::cluster};
use gatehouse_support::{Envoy, Gate, Gateway, House, Http2, Reply, Upstream};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::{Value, json};

#[tokio::test]
async fn an_allowed_request_arrives_unchanged() {
    let rules = json!([{ "name": "admin", "match": { "path": ["/admin", "/admin/**"] }, "then": "block" }]);
    let pair = Pair::start(Gate::new(json!({ "policy": policy("enforce", rules) })), |_| ()).await;
    over_http1(&pair).await;
    over_http2(&pair).await;
    over_grpc(&pair).await;
    pair.gated.assert_filter_sound().await;
}

async fn over_http1(pair: &Pair) {
    let body = vec![b'b'; 300_000];
    let fields = [
        ("host", HOST),
        ("x-request-id", "6e7cbb0e-0000-4000-8000-000000000001"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("cookie", "a=1; b=2"),
        ("cookie", "c=3"),
        ("x-empty", ""),
    ];
    let bytes = request("POST", "/one?q=1&q=2;x", &fields, &body);
    let (bare, gated) = pair.both(&bytes).await;
    assert_eq!(bare.status(), Some(200));
    assert_eq!(bare, gated);
    assert_eq!(one(&pair.bare_upstream, "/one"), one(&pair.upstream, "/one"));
}

async fn over_http2(pair: &Pair) {
    let mut replies = Vec::new();
    for envoy in [&pair.bare, &pair.gated] {
        let mut client = Http2::connect(envoy.address()).await.unwrap();
        let uri = format!("http://{HOST}/two?a=b");
        let id = "6e7cbb0e-0000-4000-8000-000000000002";
        let head = Request::put(uri).header("x-request-id", id).header("x-test-version", "2").header("te", "trailers");
        let body = Bytes::from(vec![b'c'; 200_000]);
        let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("7"))]);
        replies.push(steady(client.send(head.body(()).unwrap(), body, trailers).await.unwrap()));
    }
    assert_eq!(replies[0].status, 200);
    assert_eq!(replies[0], replies[1]);
    assert_eq!(one(&pair.bare_upstream, "/two"), one(&pair.upstream, "/two"));
    let arrived = one(&pair.upstream, "/two");
    assert_eq!((arrived.version, arrived.trailers.len()), ("HTTP/2", 1));
}

async fn over_grpc(pair: &Pair) {
    let mut replies = Vec::new();
    for envoy in [&pair.bare, &pair.gated] {
        let mut client = Http2::connect(envoy.address()).await.unwrap();
        let head = Request::post(format!("http://{HOST}/shop.v1.Cart/Add")).header("content-type", "application/grpc");
        let head = head.header("te", "trailers").header("x-request-id", "6e7cbb0e-0000-4000-8000-000000000003");
        let message = Bytes::from_static(b"\0\0\0\0\x05hello");
        replies.push(steady(client.send(head.body(()).unwrap(), message, HeaderMap::new()).await.unwrap()));
    }
    assert_eq!(replies[0].trailers[0], (b"grpc-status".to_vec(), b"0".to_vec()));
    assert_eq!(replies[0].body, b"\0\0\0\0\x05hello");
    assert_eq!(replies[0], replies[1]);
    assert_eq!(one(&pair.bare_upstream, "/shop.v1.Cart"), one(&pair.upstream, "/shop.v1.Cart"));
}

/// Blocks `/admin`, tags `/tagged`.
fn rules() -> Value {
    json!([
        { "name": "admin", "match": { "path": ["/admin", "/admin/**"] }, "then": "block" },
        { "name": "tagged", "match": { "path": "/tagged/**" }, "then": { "tag": { "header": "x-gatehouse-class", "value": "odd" } } },
        { "name": "own", "match": { "path": "/own" }, "then": { "tag": { "header": "x-bot", "value": "1" } } },
    ])
}

/// A gateway with the filter and a house that has no policy of its own.
async fn gateway(house: &House, upstream: &Upstream, bootstrap: Value) -> Envoy {
    let mut bootstrap = bootstrap;
    bootstrap["house"] = json!({ "cluster": "gatehouse" });
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.house = HouseAt::Socket(house.socket());
    Envoy::start(&gateway).await
}

async fn get(envoy: &Envoy, target: &str, id: &str, more: &[(&str, &str)]) -> Reply {
    let fields = [&[("host", HOST), ("x-request-id", id)], more].concat();
    exchange(envoy.address(), &request("GET", target, &fields, b"")).await.unwrap()
}

#[tokio::test]
async fn a_blocked_request_never_arrives_and_its_reference_is_everywhere() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let envoy = gateway(&house, &upstream, json!({ "policy": policy("enforce", rules()) })).await;
    let reply = get(&envoy, "/admin/users?token=s3cr3t", "blocked", &[]).await;
    assert_eq!(reply.status, 403);
    assert_eq!(upstream.count(), 0);

    let event = house.event("blocked").await;
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!(own["action"], "block", "{event}");
    assert_eq!(own["rule"], "shop/admin", "{event}");
    assert_eq!(event["http_response"]["code"], 403, "{event}");
    let reference = own["reference"].as_str().expect("a reference in the event");
    assert!(!reference.is_empty());
    assert!(reply.text().contains(reference), "{reference} is not in the answer: {}", reply.text());
    assert!(!reply.text().contains("admin"), "the answer says why: {}", reply.text());

    let line = envoy.logged("blocked").await;
    assert_eq!(line["reference"], reference, "{line}");
    assert_eq!(line["verdict"], "block", "{line}");
    assert!(line["details"].as_str().is_some_and(|details| details.contains(reference)), "{line}");
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_blocked_request_is_told_in_the_clients_own_words() {
    let pair = Pair::start(Gate::new(json!({ "policy": policy("enforce", rules()) })), |_| ()).await;
    let mut client = Http2::connect(pair.gated.address()).await.unwrap();
    let head = Request::post(format!("http://{HOST}/admin/Do"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let reply = client.send(head.body(()).unwrap(), Bytes::from_static(b"\0\0\0\0\0"), HeaderMap::new()).await.unwrap();
    assert_eq!((reply.status, reply.field("grpc-status").as_deref()), (200, Some("7")), "{reply:?}");

    let head = get(&pair.gated, "/admin", "html", &[("accept", "text/html")]).await;
    assert!(head.field("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{head:?}");
    let bytes = request("HEAD", "/admin", &[("host", HOST)], b"");
    assert_eq!(exchange(pair.gated.address(), &bytes).await.unwrap().status, 403);
    assert_eq!(pair.upstream.count(), 0);
    pair.gated.assert_filter_sound().await;
}

#[tokio::test]
async fn a_tag_shows_at_the_application() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let envoy = gateway(&house, &upstream, json!({ "policy": policy("enforce", rules()) })).await;
    assert_eq!(get(&envoy, "/tagged/1", "tagged", &[("x-gatehouse-class", "forged")]).await.status, 200);
    let arrived = one(&upstream, "/tagged/1");
    let tags: Vec<_> = arrived.fields.iter().filter(|(name, _)| name.starts_with(b"x-gatehouse-")).collect();
    assert_eq!(tags, [&(b"x-gatehouse-class".to_vec(), b"odd".to_vec())]);
    let event = house.event("tagged").await;
    assert_eq!(event["unmapped"]["gatehouse"]["tags"], json!(["x-gatehouse-class"]), "{event}");
    envoy.assert_filter_sound().await;
}

/// A gateway whose first route leads requests with the field of a tag to another application.
async fn contested(upstream: &Upstream, other: &Upstream, bootstrap: Value) -> Envoy {
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": other.address().port() } });
    gateway.clusters = vec![cluster("other", &address, false)];
    let matches = json!({ "prefix": "/", "headers": [{ "name": "x-gatehouse-class", "present_match": true }] });
    gateway.routes = vec![json!({ "name": "other", "match": matches, "route": { "cluster": "other" } })];
    Envoy::start(&gateway).await
}

/// Envoy routes anew after a filter has edited the request (proxy-wasm ABI 0.2.1), so a tag must not be a field that
/// Envoy routes by of itself. A route of the operator's own that matches a tag's field is the operator's doing.
#[tokio::test]
async fn a_tag_cannot_change_the_route() {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let tags = |fields: &[&str]| {
        let rule = |(number, field): (usize, &&str)| {
            let then = json!({ "tag": { "header": field, "value": "other.test" } });
            json!({ "name": format!("tagged-{number}"), "match": { "path": "/tagged/**" }, "then": then })
        };
        json!({ "policy": policy("enforce", fields.iter().enumerate().map(rule).collect()) })
    };
    let routing = [
        "host",
        ":authority",
        ":path",
        ":method",
        ":scheme",
        "x-envoy-original-path",
        "x-forwarded-host",
        "content-type",
    ];
    let said = Envoy::refuses(&Gateway::new(upstream.address()).with_gate(Gate::new(tags(&routing)))).await;
    for field in routing {
        assert!(said.contains(&format!("`{field}` may not be set on a request")), "{field}: {said}");
    }
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(tags(&["x-gatehouse-class"])));
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": other.address().port() } });
    gateway.clusters = vec![cluster("other", &address, false)];
    let matches =
        json!({ "prefix": "/", "headers": [{ "name": ":authority", "string_match": { "exact": "other.test" } }] });
    gateway.routes = vec![json!({ "name": "other", "match": matches, "route": { "cluster": "other" } })];
    let envoy = Envoy::start(&gateway).await;
    assert_eq!(get(&envoy, "/tagged/3", "tagged", &[]).await.status, 200);
    assert_eq!((upstream.count(), other.count()), (1, 0), "the tag led the request to another cluster");
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_forged_field_of_ours_cannot_choose_a_route_either() {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let envoy = contested(&upstream, &other, json!({})).await;
    assert_eq!(get(&envoy, "/forged", "forged", &[("x-gatehouse-class", "odd")]).await.status, 200);
    assert_eq!((upstream.count(), other.count()), (1, 0));
    envoy.assert_filter_sound().await;
}

/// Fields that a client sends to be taken for us.
const FORGED: [(&str, &str); 5] = [
    ("x-gatehouse-class", "trusted"),
    ("X-Gatehouse-Verdict", "allow"),
    ("x-gatehouse-class", "again"),
    ("X-GATEHOUSE-", "x"),
    ("x-gatehouse-reference", "forged"),
];

#[tokio::test]
async fn fields_of_ours_that_a_client_sends_are_removed_in_every_mode() {
    let elsewhere = {
        let mut policy = policy("enforce", rules());
        policy["spec"]["hosts"] = json!(["elsewhere.test"]);
        policy
    };
    let bootstraps = [
        ("enforce", Some(json!({ "policy": policy("enforce", rules()) }))),
        ("monitor", Some(json!({ "policy": policy("monitor", rules()) }))),
        ("a policy for another host", Some(json!({ "policy": elsewhere }))),
        ("no policy", Some(json!({}))),
        ("no configuration", None),
    ];
    for (name, bootstrap) in bootstraps {
        let upstream = Upstream::start().await;
        let gate = Gate { bootstrap, ..Gate::new(Value::Null) };
        let envoy = Envoy::start(&Gateway::new(upstream.address()).with_gate(gate)).await;
        for target in ["/plain", "/tagged/2", "/own"] {
            assert_eq!(get(&envoy, target, "x", &FORGED).await.status, 200, "{name}");
            only_our_own(&upstream, target, name);
        }
        over_http2_too(&envoy, &upstream, name).await;
        envoy.assert_filter_sound().await;
    }
}

fn only_our_own(upstream: &Upstream, target: &str, mode: &str) {
    let arrived = one(upstream, target);
    let ours: Vec<_> =
        arrived.fields.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with(b"x-gatehouse-")).collect();
    let tag = (b"x-gatehouse-class".to_vec(), b"odd".to_vec());
    let expected = if mode == "enforce" && target.starts_with("/tagged") { vec![&tag] } else { Vec::new() };
    assert_eq!(ours, expected, "{mode}: {target}");
}

async fn over_http2_too(envoy: &Envoy, upstream: &Upstream, mode: &str) {
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    let mut head = Request::get(format!("http://{HOST}/h2")).header("x-test-version", "2");
    for (name, value) in FORGED {
        head = head.header(name, value);
    }
    let reply = client.send(head.body(()).unwrap(), Bytes::new(), HeaderMap::new()).await.unwrap();
    assert_eq!(reply.status, 200, "{mode}");
    only_our_own(upstream, "/h2", mode);
}

#[tokio::test]
async fn a_field_that_the_policy_may_set_is_removed_from_every_request() {
    let pair = Pair::start(Gate::new(json!({ "policy": policy("enforce", rules()) })), |_| ()).await;
    get(&pair.gated, "/plain", "x", &[("x-bot", "0")]).await;
    get(&pair.gated, "/own", "x", &[("x-bot", "0")]).await;
    assert_eq!(one(&pair.upstream, "/plain").field("x-bot"), None);
    assert_eq!(one(&pair.upstream, "/own").field("x-bot").as_deref(), Some("1"));
}

#[tokio::test]
async fn monitor_mode_blocks_nothing_and_says_so_in_the_event() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let envoy = gateway(&house, &upstream, json!({ "policy": policy("monitor", rules()) })).await;
    assert_eq!(get(&envoy, "/admin", "watched", &[]).await.status, 200);
    assert_eq!(one(&upstream, "/admin").names(), ["host", "x-request-id", "x-forwarded-proto"]);
    let event = house.event("watched").await;
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!(own["action"], "allow", "{event}");
    assert_eq!(own["would_have"], json!([{ "action": "block", "rule": "shop/admin" }]), "{event}");
    assert!(own["reference"].as_str().is_some_and(|reference| !reference.is_empty()), "{event}");
    assert_eq!(event["disposition"], "Detected", "{event}");
    let line = envoy.logged("watched").await;
    assert_eq!(line["reference"], own["reference"], "{line}");
    envoy.assert_filter_sound().await;
}
