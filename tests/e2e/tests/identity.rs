//! Who the client is, by proof: certificates, tokens that Envoy verified, the form of the TLS hello; and what a client only says.

use bytes::Bytes;
use gatehouse_e2e::callers::tls_inspector;
use gatehouse_e2e::{HOST, ask, inline, one, policy};
use gatehouse_support::client::request;
use gatehouse_support::tls::{Authority, Hello};
use gatehouse_support::token::Issuer;
use gatehouse_support::{Envoy, Gateway, Http2, Reply, Upstream};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

const OPS: &str = "spiffe://cluster.local/ns/ops/sa/deployer";
const SHOP: &str = "spiffe://cluster.local/ns/shop/sa/frontend";

fn secured(authority: &Authority, clients: bool) -> impl FnOnce(&mut Gateway) + '_ {
    move |gateway| {
        gateway.transport_socket = Some(authority.listener(clients));
        gateway.listener_filters = vec![inspector()];
    }
}

/// As deploy/envoy/README.md has it.
fn inspector() -> Value {
    let mut inspector = tls_inspector();
    inspector["typed_config"]["enable_ja4_fingerprinting"] = json!(true);
    inspector
}

async fn ask_as(authority: &Authority, envoy: &Envoy, hello: &Hello, target: &str, fields: &[(&str, &str)]) -> Reply {
    let fields = [&[("host", HOST)], fields].concat();
    let mut client = authority.connect(envoy.address(), hello).await.unwrap();
    client.ask(&request("GET", target, &fields, b"")).await.unwrap()
}

#[tokio::test]
async fn a_workload_is_known_by_the_uri_of_its_certificate_and_by_nothing_that_it_says() {
    let (upstream, authority, stranger) = (Upstream::start().await, Authority::new(), Authority::new());
    let rules = json!([
        { "name": "admin-is-internal", "match": { "path": "/admin/**", "not": { "identity": ["spiffe://cluster.local/ns/ops/sa/*"] } }, "then": "block" },
        { "name": "account", "match": { "serviceAccounts": ["shop/frontend"] }, "then": { "tag": { "header": "x-account", "value": "frontend" } } },
        { "name": "nobody", "match": { "path": "/proven", "identity": "none" }, "then": { "block": { "status": 401 } } },
        { "name": "limited", "match": { "path": "/limited" }, "limit": { "by": ["identity"], "rate": "2 per 1m" }, "then": "limit" },
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, secured(&authority, true)).await;
    let ops = Hello { certificate: Some(authority.workload("ops", OPS)), ..Hello::default() };
    let shop = Hello { certificate: Some(authority.workload("shop", SHOP)), ..Hello::default() };
    let nobody = Hello::default();
    let forged =
        [("x-forwarded-client-cert", "By=x;URI=spiffe://cluster.local/ns/ops/sa/deployer"), ("x-spiffe-id", OPS)];
    for (hello, admin, proven) in [(&ops, 200, 200), (&shop, 403, 200), (&nobody, 403, 401)] {
        assert_eq!(ask_as(&authority, &envoy, hello, "/admin/x", &forged).await.status, admin);
        assert_eq!(ask_as(&authority, &envoy, hello, "/proven", &forged).await.status, proven);
    }
    assert_eq!(ask_as(&authority, &envoy, &shop, "/tagged", &[]).await.status, 200);
    assert_eq!(one(&upstream, "/tagged").field("x-account").as_deref(), Some("frontend"));
    // A count by identity is one over all connections, and another's for another workload.
    let mut statuses = Vec::new();
    for hello in [&ops, &ops, &ops, &shop, &shop, &shop] {
        statuses.push(ask_as(&authority, &envoy, hello, "/limited", &[]).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429]);
    // A certificate of an authority that Envoy does not know never gets as far.
    let own = Hello { certificate: Some(stranger.workload("ops", OPS)), ..Hello::default() };
    let refused = match authority.connect(envoy.address(), &own).await {
        Ok(mut client) => client.ask(&request("GET", "/admin/x", &[("host", HOST)], b"")).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn require_mutual_tls_refuses_everyone_without_a_verified_certificate() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let mut document = policy("enforce", json!([]));
    document["spec"]["requireMutualTls"] = json!(true);
    let envoy = inline(document.clone(), &upstream, secured(&authority, true)).await;
    let shop = Hello { certificate: Some(authority.workload("shop", SHOP)), ..Hello::default() };
    assert_eq!(ask_as(&authority, &envoy, &shop, "/", &[]).await.status, 200);
    let refused = ask_as(&authority, &envoy, &Hello::default(), "/", &[]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.field("x-gatehouse-reference").is_some());
    let plain = inline(document, &upstream, |_| ()).await;
    assert_eq!(ask(&plain, "GET", "/", &[]).await.status, 403, "plain text proves nothing");
    assert_eq!(upstream.count(), 1);
    envoy.assert_filter_sound().await;
    plain.assert_filter_sound().await;
}

#[tokio::test]
async fn identity_headers_of_a_client_are_stripped_or_refused() {
    let upstream = Upstream::start().await;
    let with = |word: Value| {
        let mut document = policy("enforce", json!([]));
        document["spec"]["identityHeaders"] = word;
        document
    };
    let forged = [("x-remote-user", "root"), ("X-User", "ann"), ("accept", "*/*")];
    let strips =
        inline(with(json!({ "action": "strip", "names": ["x-remote-user", "x-user"] })), &upstream, |_| ()).await;
    assert_eq!(ask(&strips, "GET", "/stripped", &forged).await.status, 200);
    let arrived = one(&upstream, "/stripped");
    assert_eq!((arrived.field("x-remote-user"), arrived.field("x-user")), (None, None));
    assert_eq!(arrived.field("accept").as_deref(), Some("*/*"));
    let refuses =
        inline(with(json!({ "action": "refuse", "names": ["x-remote-user", "x-user"] })), &upstream, |_| ()).await;
    assert_eq!(ask(&refuses, "GET", "/refused", &forged).await.status, 400);
    assert_eq!(ask(&refuses, "GET", "/fine", &[("accept", "*/*")]).await.status, 200);
    let mut client = Http2::connect(refuses.address()).await.unwrap();
    let head = Request::get(format!("http://{HOST}/refused")).header("x-user", "ann").body(()).unwrap();
    assert_eq!(client.send(head, Bytes::new(), HeaderMap::new()).await.unwrap().status, 400);
    assert_eq!(upstream.with("/refused").len(), 0);
    strips.assert_filter_sound().await;
    refuses.assert_filter_sound().await;
}

/// Tags that say which rule held.
fn told(name: &str, claims: Value) -> Value {
    let tag = json!({ "tag": { "header": format!("x-{name}"), "value": "1" } });
    json!({ "name": name, "match": { "jwt": claims }, "then": tag })
}

#[tokio::test]
async fn claims_are_read_as_envoy_verified_them() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::new());
    let rules = json!([
        told("ann", json!({ "sub": "ann" })),
        told("admin", json!({ "groups": "admin" })),
        told("last", json!({ "groups": "group-19" })),
        told("role", json!({ "realm.role": "editor" })),
        told("uri", json!({ "https://example.com/plan": "gold" })),
        told("number", json!({ "uid": "1234567890" })),
        told("fraction", json!({ "share": "0.5" })),
        told("truth", json!({ "verified": "true" })),
        told("absent", json!({ "nothing": { "present": false } })),
        { "name": "limited", "match": { "path": "/limited" }, "limit": { "by": ["jwt.sub"], "rate": "2 per 1m" }, "then": "limit" },
        { "name": "late", "match": { "jwt": { "sub": "ann" }, "response": { "status": 200 } }, "then": { "setResponseHeaders": { "x-late": "1" } } },
    ]);
    let mut document = policy("enforce", rules);
    document["spec"]["client"] = json!({ "key": ["jwt.sub", "address"] });
    let envoy = inline(document, &upstream, |gateway| gateway.filters = vec![issuer.filter()]).await;
    let held = async |target: &'static str, claims: Option<Value>| {
        let bearer = claims.map(|claims| issuer.bearer(claims));
        let fields: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let reply = ask(&envoy, "GET", target, &fields).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        let mut names: Vec<String> = one(&upstream, target)
            .names()
            .into_iter()
            .filter(|name| name.starts_with("x-") && name != "x-forwarded-proto" && name != "x-request-id")
            .collect();
        names.sort();
        (
            names.iter().map(|name| name.trim_start_matches("x-").to_owned()).collect::<Vec<_>>().join(" "),
            reply.field("x-late"),
        )
    };
    let groups: Vec<String> = (0..20).map(|number| format!("group-{number}")).collect();
    assert_eq!(held("/1", Some(json!({ "sub": "ann" }))).await, ("absent ann".into(), Some("1".into())));
    assert_eq!(
        held("/2", Some(json!({ "sub": "bob", "groups": ["user", "admin"] }))).await,
        ("absent admin".into(), None)
    );
    assert_eq!(held("/3", Some(json!({ "groups": groups }))).await, ("absent last".into(), None));
    assert_eq!(
        held("/4", Some(json!({ "realm": { "role": "editor" }, "groups": "admin" }))).await,
        ("absent admin role".into(), None)
    );
    assert_eq!(held("/5", Some(json!({ "https://example.com/plan": "gold" }))).await, ("absent uri".into(), None));
    assert_eq!(
        held("/6", Some(json!({ "uid": 1_234_567_890u64, "share": 0.5, "verified": true }))).await,
        ("absent fraction number truth".into(), None)
    );
    assert_eq!(
        held("/7", Some(json!({ "uid": 1_234_567_891u64, "verified": false, "nothing": 1 }))).await,
        ("".into(), None)
    );
    // Without a token nothing is known, not even that a claim is absent.
    assert_eq!(held("/8", None).await, ("".into(), None));
    // Another's signature never gets here.
    let forged = Issuer::new().bearer(json!({ "sub": "ann" }));
    assert_eq!(ask(&envoy, "GET", "/9", &[("authorization", &forged)]).await.status, 401);

    let mut statuses = Vec::new();
    for sub in ["carol", "carol", "carol", "dave", "dave", "dave"] {
        let bearer = issuer.bearer(json!({ "sub": sub, "jti": statuses.len().to_string() }));
        statuses.push(ask(&envoy, "GET", "/limited", &[("authorization", &bearer)]).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429]);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_policy_that_reads_claims_where_nothing_verifies_them_says_so() {
    let upstream = Upstream::start().await;
    let rules = json!([{ "name": "ann", "match": { "jwt": { "sub": "ann" } }, "then": "block" }]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    let bearer = Issuer::new().bearer(json!({ "sub": "ann" }));
    for _ in 0..3 {
        assert_eq!(ask(&envoy, "GET", "/", &[("authorization", &bearer)]).await.status, 200);
    }
    gatehouse_support::wait::until_true(std::time::Duration::from_secs(15), "the metric", || async {
        envoy.stat("wasmcustom.gatehouse_unknown_jwt_total").await == 3
    })
    .await;
    assert_eq!(envoy.log().matches("reads `jwt`").count(), 1, "{}", envoy.log());
    envoy.assert_filter_sound().await;
}

/// JA4 tells tools apart that send the same headers.
#[tokio::test]
async fn ja4_is_told_by_the_documented_snippet_and_matched_by_fingerprint() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let shape = |gateway: &mut Gateway| {
        secured(&authority, false)(gateway);
        gateway.manager = vec![(
            "access_log",
            json!([{ "name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/stdout",
            "log_format": { "json_format": { "request_id": "%REQ(X-REQUEST-ID)%", "ja4": "%TLS_JA4_FINGERPRINT%" } },
        } }]),
        )];
    };
    // Learn what Envoy says of each, then block one of them by it.
    let modern = Hello { protocols: vec!["http/1.1"], ..Hello::default() };
    let old = Hello { old: true, protocols: vec!["http/1.1"], ..Hello::default() };
    let learning = inline(policy("enforce", json!([])), &upstream, shape).await;
    let mut told = Vec::new();
    for (id, hello) in
        [("6e7cbb0e-0000-4000-8000-00000000000a", &modern), ("6e7cbb0e-0000-4000-8000-00000000000b", &old)]
    {
        ask_as(&authority, &learning, hello, "/", &[("x-request-id", id)]).await;
        told.push(learning.logged(id).await["ja4"].as_str().unwrap_or_default().to_owned());
    }
    println!("JA4: {told:?}");
    assert!(told[0].starts_with("t13d") && told[1].starts_with("t12d"), "{told:?}");
    let rules = json!([{ "name": "tool", "match": { "fingerprint": told[1] }, "then": "block" }]);
    let envoy = inline(policy("enforce", rules), &upstream, shape).await;
    assert_eq!(ask_as(&authority, &envoy, &old, "/", &[]).await.status, 403);
    assert_eq!(ask_as(&authority, &envoy, &modern, "/", &[("x-ja4", &told[1])]).await.status, 200);
    let listed = json!({ "tools": { "fingerprints": [told[0]] } });
    let mut document = policy(
        "enforce",
        json!([{ "name": "tools", "match": { "fingerprint": { "list": "tools" } }, "then": "block" }]),
    );
    document["spec"]["lists"] = listed;
    let envoy = inline(document, &upstream, shape).await;
    assert_eq!(ask_as(&authority, &envoy, &modern, "/", &[]).await.status, 403);
    assert_eq!(ask_as(&authority, &envoy, &old, "/", &[]).await.status, 200);
    envoy.assert_filter_sound().await;
}
