//! Rules that read the response, under a real Envoy: block before its headers leave, set and remove headers, and nothing at all
//! where no rule asks.

use bytes::Bytes;
use gatehouse_e2e::{HOST, ask, house_bootstrap, inline, policy};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Http2, Reply, Upstream};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

/// The application's answers carry `x-upstream: app` and are `text/plain`.
fn rules() -> Value {
    json!([
        { "name": "errors", "match": { "response": { "status": "5xx" } }, "then": "block" },
        { "name": "large", "match": { "path": "/size/**", "response": { "size": { "atLeast": "1MiB" } } }, "then": { "block": { "status": 404, "body": "no" } } },
        { "name": "events", "match": { "response": { "type": "text/event-stream" } }, "then": "block" },
        { "name": "marked", "match": { "path": "/marked", "response": { "headers": { "x-upstream": "app" } } }, "then": "block" },
        { "name": "watched", "match": { "path": "/watched", "response": { "status": 200 } }, "mode": "monitor", "then": "block" },
        { "name": "quiet", "match": { "path": "/quiet/**", "response": { "status": [200, 404] } }, "then": [
            { "removeResponseHeaders": ["x-upstream", "x-powered-by"] }, { "setResponseHeaders": { "x-frame-options": "DENY", "content-type": "text/x-ours" } },
        ] },
        { "name": "always", "match": { "path": "/asked/**" }, "then": [{ "setResponseHeaders": { "x-asked": "1" } }, { "removeResponseHeaders": "x-upstream" }] },
    ])
}

async fn over_http2(client: &mut Http2, target: &str, grpc: bool) -> std::io::Result<Reply> {
    let mut head = Request::get(format!("http://{HOST}{target}"));
    if grpc {
        head = head.header("content-type", "application/grpc").header("te", "trailers");
    }
    client.send(head.body(()).unwrap(), Bytes::new(), HeaderMap::new()).await
}

fn leaks_nothing(reply: &Reply) {
    assert_eq!(reply.field("x-upstream"), None, "a header of the application: {reply:?}");
    assert!(
        !reply.text().contains("data: 0") && !reply.text().contains("xxxx"),
        "a body of the application: {reply:?}"
    );
}

#[tokio::test]
async fn a_response_is_replaced_before_a_byte_of_it_leaves() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let mut bootstrap = house_bootstrap();
    bootstrap["policy"] = policy("enforce", rules());
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;

    let blocked =
        ask(&envoy, "GET", "/status/500", &[("x-request-id", "replaced"), ("accept", "application/json")]).await;
    assert_eq!(blocked.status, 403);
    leaks_nothing(&blocked);
    let reference = blocked.field("x-gatehouse-reference").unwrap();
    let problem: Value = serde_json::from_slice(&blocked.body).unwrap();
    assert_eq!((&problem["status"], &problem["reference"]), (&json!(403), &json!(reference)), "{problem}");
    assert_eq!(blocked.field("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(blocked.field("content-length"), Some(blocked.body.len().to_string()));

    for target in ["/size/2000000", "/events/3/1", "/marked"] {
        let reply = ask(&envoy, "GET", target, &[]).await;
        let expected = if target.starts_with("/size") { (404, "no".to_owned()) } else { (403, reply.text()) };
        assert_eq!((reply.status, reply.text()), expected, "{target}");
        assert!(reply.field("x-gatehouse-reference").is_some(), "{target}");
        leaks_nothing(&reply);
    }
    assert_eq!(ask(&envoy, "GET", "/size/1000", &[]).await.body.len(), 1000);
    let head = ask(&envoy, "HEAD", "/status/500", &[]).await;
    assert_eq!((head.status, head.body.len()), (403, 0));
    // The connection serves on.
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    for _ in 0..3 {
        let blocked = over_http2(&mut client, "/status/502", false).await.unwrap();
        assert_eq!(blocked.status, 403);
        leaks_nothing(&blocked);
        let large = over_http2(&mut client, "/size/3000000", false).await.unwrap();
        assert_eq!((large.status, large.text().as_str()), (404, "no"));
        assert_eq!(over_http2(&mut client, "/plain", false).await.unwrap().status, 200);
    }
    assert_eq!(upstream.with("/status/500").len(), 2, "the application did its work");
    assert_eq!(envoy.stat("wasmcustom.gatehouse_responses_replaced_total").await, 5 + 6);

    let line = envoy.logged("replaced").await;
    assert_eq!((&line["verdict"], &line["reference"]), (&json!("block"), &json!(reference)), "{line}");
    let event = house.event("replaced").await;
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!(
        (&own["action"], &own["rule"], &own["reference"]),
        (&json!("block"), &json!("shop/errors"), &json!(reference)),
        "{event}"
    );
    assert_eq!(event["http_response"]["code"], 403, "{event}");
    envoy.assert_filter_sound().await;
}

/// A gRPC call has its status in the trailers: what is seen of it at the headers is the HTTP status.
#[tokio::test]
async fn a_grpc_response_is_replaced_in_grpc() {
    let upstream = Upstream::start().await;
    let rules =
        json!([{ "name": "marked", "match": { "response": { "headers": { "x-upstream": "app" } } }, "then": "block" }]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    let reply = over_http2(&mut client, "/shop.v1.Cart/Get", true).await.unwrap();
    assert_eq!((reply.status, reply.field("grpc-status").as_deref()), (200, Some("7")));
    leaks_nothing(&reply);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn response_headers_are_set_and_removed_by_rules_of_both_phases() {
    let upstream = Upstream::start().await;
    let envoy = inline(policy("enforce", rules()), &upstream, |_| ()).await;
    let reply = ask(&envoy, "GET", "/quiet/1", &[]).await;
    assert_eq!((reply.status, reply.field("x-upstream")), (200, None));
    assert_eq!(reply.field("x-frame-options").as_deref(), Some("DENY"));
    let types: Vec<_> = reply.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type")).collect();
    assert_eq!(types.len(), 1, "replaced, not added");
    assert_eq!(reply.field("content-type").as_deref(), Some("text/x-ours"));
    let reply = ask(&envoy, "GET", "/asked/1", &[]).await;
    assert_eq!((reply.field("x-asked").as_deref(), reply.field("x-upstream")), (Some("1"), None));
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    let reply = over_http2(&mut client, "/quiet/2", false).await.unwrap();
    assert_eq!((reply.field("x-frame-options").as_deref(), reply.field("x-upstream")), (Some("DENY"), None));
    let other = ask(&envoy, "GET", "/other", &[]).await;
    assert_eq!((other.field("x-upstream").as_deref(), other.field("x-frame-options")), (Some("app"), None));
    // A rule that only watches says so and lets it pass.
    let watched = ask(&envoy, "GET", "/watched", &[("x-request-id", "watched")]).await;
    assert_eq!((watched.status, watched.field("x-upstream").as_deref()), (200, Some("app")));
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn what_a_rule_of_the_response_only_would_have_done_is_recorded() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let mut bootstrap = house_bootstrap();
    bootstrap["policy"] = policy("enforce", rules());
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    assert_eq!(ask(&envoy, "GET", "/watched", &[("x-request-id", "watched")]).await.status, 200);
    let event = house.event("watched").await;
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!(own["would_have"], json!([{ "action": "block", "rule": "shop/watched" }]), "{event}");
    assert!(own["reference"].as_str().is_some_and(|reference| !reference.is_empty()), "{event}");
    let line = envoy.logged("watched").await;
    assert_eq!(line["reference"], own["reference"], "{line}");
    envoy.assert_filter_sound().await;
}

/// Scores that a response gives count against the client's next request.
#[tokio::test]
async fn a_response_may_weigh_against_the_client() {
    let upstream = Upstream::start().await;
    let rules = json!([
        { "name": "probing", "match": { "response": { "status": 404 } }, "then": { "weigh": 20, "label": "probe" } },
        { "name": "enough", "match": { "score": { "atLeast": 60, "label": "probe" } }, "then": "block" },
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    let mut statuses = Vec::new();
    for number in 0..5 {
        statuses.push(ask(&envoy, "GET", &format!("/status/404/{number}"), &[]).await.status);
    }
    // The sum halves in ten minutes, so a moment later three times twenty are a little less than sixty.
    assert!([vec![404, 404, 404, 403, 403], vec![404, 404, 404, 404, 403]].contains(&statuses), "{statuses:?}");
    envoy.assert_filter_sound().await;
}
