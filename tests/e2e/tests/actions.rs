//! Every action of a policy under a real Envoy, over HTTP/1.1 and HTTP/2, as the client, the application and the operator see it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_e2e::{HOST, ask, house_bootstrap, inline, one, policy};
use gatehouse_support::client::request;
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::envoy::config::cluster;
use gatehouse_support::{Envoy, Gate, Gateway, House, Http1, Http2, Reply, Upstream, wait};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// A policy of one rule for everything under `/is`.
fn one_rule(then: Value) -> Value {
    policy("enforce", json!([{ "name": "it", "match": { "path": "/is/**" }, "then": then }]))
}

async fn over_http2(client: &mut Http2, method: &str, target: &str, fields: &[(&str, &str)]) -> std::io::Result<Reply> {
    let mut head = Request::builder().method(method).uri(format!("http://{HOST}{target}"));
    for (name, value) in fields {
        head = head.header(*name, *value);
    }
    client.send(head.body(()).unwrap(), Bytes::new(), HeaderMap::new()).await
}

/// Nothing that leaves tells of the gate.
fn says_nothing_of_us(reply: &Reply) {
    let seen =
        format!("{:?} {}", reply.fields.iter().map(|(n, v)| (lossy(n), lossy(v))).collect::<Vec<_>>(), reply.text());
    for word in ["gatehouse", "reference", "shop", "deceive"] {
        assert!(!seen.to_ascii_lowercase().contains(word), "`{word}`: {seen}");
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn redirect_leads_to_the_operators_place_and_nowhere_else() {
    let upstream = Upstream::start().await;
    let then = json!({ "redirect": { "location": "https://help.example.com/blocked?ref={reference}", "status": 307 } });
    let envoy = inline(one_rule(then), &upstream, |_| ()).await;
    let forged = [("x-forwarded-host", "evil.test"), ("referer", "https://evil.test/"), ("x-forwarded-proto", "http")];
    let reply = ask(&envoy, "GET", "/is/here?next=//evil.test", &forged).await;
    let reference = reply.field("x-gatehouse-reference").unwrap();
    assert_eq!(reply.status, 307);
    assert_eq!(reply.field("location"), Some(format!("https://help.example.com/blocked?ref={reference}")));
    assert_eq!(reply.field("cache-control").as_deref(), Some("no-store"));
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    let reply = over_http2(&mut client, "GET", "/is/here", &[]).await.unwrap();
    assert_eq!(reply.status, 307);
    assert_eq!(upstream.count(), 0);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn deceive_says_nothing_of_us_to_anyone_but_the_operator() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let then = json!({ "deceive": { "status": 200, "body": "{\"items\":[]}", "headers": { "content-type": "application/json" } } });
    let mut bootstrap = house_bootstrap();
    bootstrap["policy"] = one_rule(then);
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;

    let reply = ask(&envoy, "GET", "/is/here", &[("x-request-id", "deceived"), ("origin", "https://a.test")]).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "{\"items\":[]}"));
    assert_eq!(reply.field("content-type").as_deref(), Some("application/json"));
    says_nothing_of_us(&reply);
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    let reply = over_http2(&mut client, "GET", "/is/here", &[]).await.unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "{\"items\":[]}"));
    says_nothing_of_us(&reply);

    let line = envoy.logged("deceived").await;
    assert_eq!((&line["details"], &line["verdict"]), (&json!("direct_response"), &json!("deceive")), "{line}");
    let own = house.event("deceived").await["unmapped"]["gatehouse"].clone();
    assert_eq!((&own["action"], &own["rule"]), (&json!("deceive"), &json!("shop/it")), "{own}");
    assert_eq!(own["reference"], line["reference"]);
    assert_eq!(upstream.count(), 0);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn drop_closes_http1_without_a_byte_and_resets_only_the_stream_of_http2() {
    let upstream = Upstream::start().await;
    let envoy = inline(one_rule(json!("drop")), &upstream, |_| ()).await;
    let mut client = Http1::connect(envoy.address()).await.unwrap();
    assert_eq!(client.ask(&request("GET", "/other", &[("host", HOST)], b"")).await.unwrap().status, 200);
    client.send(&request("GET", "/is/here", &[("host", HOST)], b"")).await.unwrap();
    match client.some().await {
        Ok(bytes) => assert!(bytes.is_empty(), "{:?}", lossy(&bytes)),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    // With a body on its way.
    let mut client = Http1::connect(envoy.address()).await.unwrap();
    client.send(&request("POST", "/is/here", &[("host", HOST)], &[b'x'; 300_000])).await.unwrap();
    assert!(client.some().await.unwrap_or_default().is_empty());

    let mut client = Http2::connect(envoy.address()).await.unwrap();
    assert_eq!(over_http2(&mut client, "GET", "/other", &[]).await.unwrap().status, 200);
    for _ in 0..3 {
        let error = over_http2(&mut client, "GET", "/is/here", &[]).await.unwrap_err();
        assert!(error.to_string().contains("stream error") || format!("{error:?}").contains("Reset"), "{error:?}");
        assert_eq!(over_http2(&mut client, "GET", "/other", &[]).await.unwrap().status, 200, "the connection stays");
    }
    assert_eq!(upstream.with("/is/").len(), 0);
    assert_eq!(envoy.stat("wasmcustom.gatehouse_decisions_drop_total").await, 5);
    envoy.assert_filter_sound().await;
}

/// Asks on a connection of its own, in the background.
fn spawn_ask(envoy: &Envoy, target: &str) -> tokio::task::JoinHandle<(u16, Instant)> {
    let (address, bytes) = (envoy.address(), request("GET", target, &[("host", HOST)], b""));
    tokio::spawn(async move {
        let reply = gatehouse_support::client::exchange(address, &bytes).await;
        (reply.map_or(0, |reply| reply.status), Instant::now())
    })
}

async fn held(envoy: &Envoy) -> u64 {
    envoy.stat("wasmcustom.gatehouse_requests_delayed_total").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delay_holds_a_request_and_nobody_else() {
    let upstream = Upstream::start().await;
    let envoy = inline(one_rule(json!({ "delay": "1500ms" })), &upstream, |_| ()).await;
    let begin = Instant::now();
    let waiting = spawn_ask(&envoy, "/is/slow");
    wait::until_true(SOON, "the request to be held", || async { held(&envoy).await == 1 }).await;
    let mut others = 0;
    while begin.elapsed() < Duration::from_millis(1200) {
        assert_eq!(ask(&envoy, "GET", "/other", &[]).await.status, 200);
        others += 1;
    }
    assert_eq!(upstream.with("/is/").len(), 0, "it waits before it goes on");
    let (status, at) = waiting.await.unwrap();
    println!("held for {:?}; {others} others meanwhile", at - begin);
    assert_eq!(status, 200);
    assert!(at - begin >= Duration::from_millis(1500) && at - begin < Duration::from_secs(5), "{:?}", at - begin);
    assert!(others > 10, "{others}");
    assert_eq!(upstream.with("/is/slow").len(), 1);
    envoy.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_256_wait_on_a_worker_and_the_others_go_on_at_once() {
    let upstream = Upstream::start().await;
    let envoy = inline(one_rule(json!({ "delay": "6s" })), &upstream, |_| ()).await;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..300).map(|number| spawn_ask(&envoy, &format!("/is/{number}"))).collect();
    let mut took = Vec::new();
    for task in tasks {
        let (status, at) = task.await.unwrap();
        assert_eq!(status, 200);
        took.push(at - begin);
    }
    took.sort_unstable();
    let at_once = took.iter().filter(|took| **took < Duration::from_secs(6)).count();
    println!(
        "{at_once} at once, the last of them after {:?}, the last of all after {:?}",
        took[at_once - 1],
        took[299]
    );
    assert_eq!(at_once, 44);
    assert_eq!(held(&envoy).await, 256);
    assert_eq!(envoy.stat("wasmcustom.gatehouse_requests_not_delayed_total").await, 44);
    envoy.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_while_it_waits_harms_nobody() {
    let upstream = Upstream::start().await;
    let envoy = inline(one_rule(json!({ "delay": "2s" })), &upstream, |_| ()).await;
    let mut gone = Vec::new();
    for number in 0..100 {
        let mut client = Http1::connect(envoy.address()).await.unwrap();
        client.send(&request("GET", &format!("/is/gone/{number}"), &[("host", HOST)], b"")).await.unwrap();
        gone.push(client);
    }
    let mut two = Http2::connect(envoy.address()).await.unwrap();
    let waits = tokio::spawn(async move { over_http2(&mut two, "GET", "/is/gone/two", &[]).await });
    wait::until_true(SOON, "all to be held", || async { held(&envoy).await == 101 }).await;
    let stays = spawn_ask(&envoy, "/is/stays");
    for (number, client) in gone.into_iter().enumerate() {
        if number % 2 == 0 { client.abort() } else { drop(client) }
    }
    waits.abort();
    assert_eq!(stays.await.unwrap().0, 200);
    wait::until_true(SOON, "the places to be free again", || async {
        envoy.stat("http.http.downstream_rq_active").await == 0
    })
    .await;
    assert_eq!(upstream.with("/is/gone").len(), 0, "nobody waits for an answer");
    // Every place is free again.
    let tasks: Vec<_> = (0..256).map(|number| spawn_ask(&envoy, &format!("/is/again/{number}"))).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().0, 200);
    }
    assert_eq!(envoy.stat("wasmcustom.gatehouse_requests_not_delayed_total").await, 0);
    assert_eq!(held(&envoy).await, 101 + 1 + 256);
    envoy.assert_filter_sound().await;
}

/// What waits goes on to an upstream that is not there: Envoy answers within the very call that lets it go.
#[tokio::test]
async fn a_delayed_request_whose_upstream_is_away_is_answered_by_envoy() {
    let upstream = Upstream::start().await;
    let rules = json!([
        { "name": "it", "match": { "path": "/is/**" }, "then": { "delay": "100ms" } },
        { "name": "late", "match": { "response": { "status": 503 } }, "then": { "setResponseHeaders": { "x-seen": "yes" } } },
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, |gateway| {
        gateway.routes = vec![json!({ "match": { "prefix": "/is/nowhere" }, "route": { "cluster": "nowhere" } })];
        gateway.clusters = vec![json!({ "name": "nowhere", "type": "STATIC", "connect_timeout": "1s" })];
    })
    .await;
    for _ in 0..20 {
        let reply = ask(&envoy, "GET", "/is/nowhere", &[]).await;
        assert_eq!((reply.status, reply.field("x-seen").as_deref()), (503, Some("yes")), "{}", reply.text());
    }
    assert_eq!(ask(&envoy, "GET", "/is/there", &[]).await.status, 200);
    envoy.assert_filter_sound().await;
}

/// Envoy chooses the route again after the gate has changed the request's headers, so a route may match on them.
#[tokio::test]
async fn route_leads_a_request_to_the_cluster_that_its_header_names() {
    let (upstream, slow) = (Upstream::start().await, Upstream::start().await);
    let then = json!({ "route": { "header": "x-gatehouse-route", "value": "slow" } });
    let envoy = inline(one_rule(then), &upstream, |gateway| {
        let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": slow.address().port() } });
        gateway.clusters = vec![cluster("slow", &address, false)];
        let header = json!({ "name": "x-gatehouse-route", "string_match": { "exact": "slow" } });
        let matches = json!({ "prefix": "/", "headers": [header] });
        gateway.routes = vec![json!({ "name": "slow", "match": matches, "route": { "cluster": "slow" } })];
    })
    .await;
    assert_eq!(ask(&envoy, "GET", "/is/1", &[]).await.status, 200);
    assert_eq!((upstream.count(), slow.count()), (0, 1));
    assert_eq!(one(&slow, "/is/1").field("x-gatehouse-route").as_deref(), Some("slow"));
    // What a client writes there leads nowhere.
    assert_eq!(ask(&envoy, "GET", "/other", &[("x-gatehouse-route", "slow")]).await.status, 200);
    assert_eq!((upstream.count(), slow.count()), (1, 1));
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    assert_eq!(over_http2(&mut client, "GET", "/is/2", &[]).await.unwrap().status, 200);
    assert_eq!(slow.count(), 2);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn tags_and_further_actions_add_up_in_order() {
    let upstream = Upstream::start().await;
    let rules = json!([
        { "name": "one", "match": { "path": "/is/**" }, "then": [{ "tag": { "header": "x-class", "value": "odd" } }, "record"] },
        { "name": "two", "match": { "path": "/is/**" }, "then": { "tag": { "header": "x-more", "value": "2" } } },
        { "name": "watched", "match": { "path": "/is/**" }, "mode": "monitor", "then": { "tag": { "header": "x-never", "value": "1" } } },
        { "name": "end", "match": { "path": "/is/**" }, "then": "allow" },
        { "name": "late", "match": { "path": "/is/**" }, "then": { "tag": { "header": "x-late", "value": "1" } } },
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    let forged = [("x-class", "even"), ("X-More", "3"), ("x-never", "0"), ("x-late", "0")];
    assert_eq!(ask(&envoy, "GET", "/is/1", &forged).await.status, 200);
    let arrived = one(&upstream, "/is/1");
    let seen = ["x-class", "x-more", "x-never", "x-late"].map(|name| arrived.field(name));
    assert_eq!(seen, [Some("odd".into()), Some("2".into()), None, None]);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn sanitize_removes_headers_and_parameters_before_the_application_sees_them() {
    let upstream = Upstream::start().await;
    let then = json!({ "sanitize": { "headers": ["x-debug", "authorization"], "query": ["token", "a b"] } });
    let envoy = inline(one_rule(then), &upstream, |_| ()).await;
    let fields = [("X-Debug", "1"), ("x-debug", "2"), ("authorization", "Basic c2VjcmV0"), ("accept", "*/*")];
    let target = "/is/here?x=1&token=s3cret&tok%65n=again&a+b=2&a%20b=3&y=token;token=z&tokens=3";
    assert_eq!(ask(&envoy, "GET", target, &fields).await.status, 200);
    let arrived = one(&upstream, "/is/here");
    assert_eq!(arrived.target(), "/is/here?x=1&y=token&tokens=3");
    assert_eq!((arrived.field("x-debug"), arrived.field("authorization")), (None, None));
    assert_eq!(arrived.field("accept").as_deref(), Some("*/*"));
    assert_eq!(ask(&envoy, "GET", "/is/only?token=1", &[]).await.status, 200);
    assert_eq!(one(&upstream, "/is/only").target(), "/is/only");
    assert_eq!(ask(&envoy, "GET", "/other?token=1", &[("x-debug", "1")]).await.status, 200);
    let other = one(&upstream, "/other");
    assert_eq!((other.target().as_str(), other.field("x-debug").as_deref()), ("/other?token=1", Some("1")));
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn forward_canonical_sends_on_the_one_reading_that_was_judged() {
    let upstream = Upstream::start().await;
    let mut document = one_rule(json!("block"));
    document["spec"]["forward"] = json!("canonical");
    let envoy = inline(document, &upstream, |gateway| {
        gateway.manager = vec![("normalize_path", json!(false)), ("merge_slashes", json!(false))];
    })
    .await;
    for (sent, arrived) in [
        ("/a/./b/../c?q=1", "/a/c?q=1"),
        ("/a//b", "/a/b"),
        ("/%61bc/%7Eann", "/abc/~ann"),
        ("/plain/x?y=%2e%2e", "/plain/x?y=%2e%2e"),
    ] {
        let before = upstream.received().len();
        assert_eq!(ask(&envoy, "GET", sent, &[]).await.status, 200, "{sent}");
        assert_eq!(upstream.received()[before].target(), arrived, "{sent}");
    }
    for sent in ["/is/./here", "/x/../is/here", "/%69s/here", "//is//here"] {
        assert_eq!(ask(&envoy, "GET", sent, &[]).await.status, 403, "{sent}");
    }
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn without_it_the_path_arrives_as_it_came() {
    let upstream = Upstream::start().await;
    let envoy = inline(one_rule(json!("block")), &upstream, |gateway| {
        gateway.manager = vec![("normalize_path", json!(false)), ("merge_slashes", json!(false))];
    })
    .await;
    for sent in ["/a/./b/../c?q=1", "/a//b", "/%61bc/%7Eann"] {
        let before = upstream.received().len();
        assert_eq!(ask(&envoy, "GET", sent, &[]).await.status, 200, "{sent}");
        assert_eq!(upstream.received()[before].target(), sent);
    }
    assert_eq!(ask(&envoy, "GET", "/x/../is/here", &[]).await.status, 403);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_refusal_takes_the_form_that_the_client_asks_for() {
    let upstream = Upstream::start().await;
    let mut document = one_rule(json!("block"));
    document["spec"]["support"] = json!({ "text": "Ask the shop", "link": "https://help.example.com/" });
    let envoy = inline(document, &upstream, |_| ()).await;
    let problem = ask(&envoy, "GET", "/is/1", &[("accept", "application/json")]).await;
    assert_eq!(problem.field("content-type").as_deref(), Some("application/problem+json"));
    let body: Value = serde_json::from_slice(&problem.body).unwrap();
    assert_eq!((&body["status"], &body["support"]["text"]), (&json!(403), &json!("Ask the shop")), "{body}");
    assert_eq!(body["reference"].as_str(), problem.field("x-gatehouse-reference").as_deref());
    assert_eq!(problem.field("cache-control").as_deref(), Some("no-store"));

    let page =
        ask(&envoy, "GET", "/is/1", &[("accept", "text/html,*/*;q=0.8"), ("accept-language", "de-CH,en;q=0.5")]).await;
    assert!(page.field("content-type").unwrap().starts_with("text/html"));
    assert_eq!(page.field("content-language").as_deref(), Some("de"));
    assert!(page.text().contains(&page.field("x-gatehouse-reference").unwrap()));

    let text = ask(&envoy, "GET", "/is/1", &[("accept", "text/plain")]).await;
    assert!(text.field("content-type").unwrap().starts_with("text/plain"));

    // HEAD: the length and type of GET, and no body.
    let head = ask(&envoy, "HEAD", "/is/1", &[("accept", "application/json")]).await;
    assert_eq!((head.status, head.body.len()), (403, 0));
    assert_eq!(head.field("content-type"), problem.field("content-type"));
    assert_eq!(head.field("content-length"), problem.field("content-length"));
    assert_eq!(upstream.count(), 0);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_grpc_client_is_refused_in_grpc_over_http2() {
    let upstream = Upstream::start().await;
    let limit = json!({ "by": "client", "rate": "1 per 1m" });
    let rules = json!([
        { "name": "it", "match": { "path": "/is/**" }, "then": "block" },
        { "name": "many", "match": { "path": "/many/**" }, "limit": limit, "then": "limit" },
        { "name": "gone", "match": { "path": "/moved/**" }, "then": { "redirect": { "location": "/there" } } },
        { "name": "bait", "match": { "path": "/bait/**" }, "then": { "deceive": { "status": 200, "body": "fine" } } },
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    let mut client = Http2::connect(envoy.address()).await.unwrap();
    let mut call = async |path: &str| {
        let head = Request::post(format!("http://{HOST}{path}")).header("content-type", "application/grpc+proto");
        let head = head.header("te", "trailers");
        client.send(head.body(()).unwrap(), Bytes::from_static(b"\0\0\0\0\0"), HeaderMap::new()).await.unwrap()
    };
    let status = |reply: &Reply| (reply.status, reply.field("grpc-status"), reply.body.len());
    let refused = call("/is/Do").await;
    assert_eq!(status(&refused), (200, Some("7".into()), 0));
    assert!(refused.field("grpc-message").unwrap().contains(&refused.field("x-gatehouse-reference").unwrap()));
    assert!(refused.field("grpc-status-details-bin").is_some());
    assert!(refused.field("content-type").unwrap().starts_with("application/grpc"));
    assert_eq!(call("/many/Do").await.status, 200);
    let many = call("/many/Do").await;
    assert_eq!(status(&many), (200, Some("8".into()), 0));
    assert!(many.field("retry-after").is_some());
    assert_eq!(status(&call("/moved/Do").await), (200, Some("7".into()), 0));
    let bait = call("/bait/Do").await;
    assert_eq!(bait.field("grpc-status").as_deref(), Some("0"));
    says_nothing_of_us(&bait);
    assert_eq!(upstream.count(), 1);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_page_of_another_origin_can_read_that_it_was_limited_and_a_preflight_never_counts() {
    let upstream = Upstream::start().await;
    let limit = json!({ "by": "client", "rate": "2 per 1m" });
    let rules = json!([
        { "name": "many", "match": { "path": "/api/**", "method": "PUT" }, "limit": limit, "then": "limit" },
        { "name": "it", "match": { "path": "/is/**", "method": "PUT" }, "then": "block" },
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    let origin = ("origin", "https://pages.example");
    let preflight = [origin, ("access-control-request-method", "PUT"), ("access-control-request-headers", "x-a")];
    for _ in 0..20 {
        assert_eq!(
            ask(&envoy, "OPTIONS", "/api/1", &preflight).await.status,
            200,
            "the application answers preflights"
        );
    }
    for _ in 0..2 {
        assert_eq!(ask(&envoy, "PUT", "/api/1", &[origin]).await.status, 200);
    }
    let refused = ask(&envoy, "PUT", "/api/1", &[origin]).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.field("access-control-allow-origin").as_deref(), Some("https://pages.example"));
    assert_eq!(refused.field("access-control-allow-credentials"), None);
    let exposed = refused.field("access-control-expose-headers").unwrap();
    for name in ["retry-after", "x-gatehouse-reference"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // It is judged by the method that it asks for: a stranger's is refused, one of the scope's own hosts is granted.
    let stranger = ask(&envoy, "OPTIONS", "/is/1", &preflight).await;
    assert_eq!(stranger.status, 403);
    let own_origin = format!("https://{HOST}");
    let own = [("origin", own_origin.as_str()), ("access-control-request-method", "PUT")];
    let granted = ask(&envoy, "OPTIONS", "/is/1", &own).await;
    assert_eq!((granted.status, granted.field("access-control-allow-methods").as_deref()), (204, Some("PUT")));
    let refused = ask(&envoy, "PUT", "/is/1", &own[..1]).await;
    assert_eq!(refused.field("access-control-allow-credentials").as_deref(), Some("true"));
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn the_operators_own_body_and_headers_are_sent_with_their_placeholders() {
    let upstream = Upstream::start().await;
    let own = json!({ "block": { "status": 404, "body": "<p>{reference} &amp; {support}</p>", "headers": { "content-type": "text/html", "x-why": "{reference}" } } });
    let mut document = one_rule(own);
    document["spec"]["support"] = json!({ "text": "A <b>friend</b>" });
    let envoy = inline(document, &upstream, |_| ()).await;
    let reply = ask(&envoy, "GET", "/is/1", &[("accept", "application/json")]).await;
    let reference = reply.field("x-gatehouse-reference").unwrap();
    assert_eq!((reply.status, reply.field("x-why")), (404, Some(reference.clone())));
    assert_eq!(reply.field("content-type").as_deref(), Some("text/html"));
    assert_eq!(reply.text(), format!("<p>{reference} &amp; A &lt;b&gt;friend&lt;/b&gt;</p>"));
    envoy.assert_filter_sound().await;
}
