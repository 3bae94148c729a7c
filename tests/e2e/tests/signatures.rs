//! Browsers as they were recorded, sent through a real Envoy over HTTP/1.1 and HTTP/2: one fingerprint for each engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use gatehouse_e2e::{HOST, inline, one, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::{Envoy, Gateway, Http2, Upstream};
use http::{HeaderMap, Request};
use serde_json::json;

/// A browser's headers, in its order.
struct Signature {
    name: String,
    headers: Vec<(String, String)>,
}

impl Signature {
    fn engine(&self) -> &'static str {
        match self.name.split('_').next() {
            Some("chrome" | "edge") => "chromium",
            Some("firefox") => "gecko",
            Some("safari") => "webkit",
            other => panic!("an engine that nobody has heard of: {other:?}"),
        }
    }
}

/// The recorded browsers; `None`: they are not beside this checkout. The files are lists of plain scalars.
fn signatures() -> Option<Vec<Signature>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bench-data/client-signatures");
    let mut files: Vec<_> = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut found: Vec<Signature> = Vec::new();
    for file in files {
        let mut listed = false;
        for line in std::fs::read_to_string(file).expect("a readable file").lines() {
            if let Some(name) = line.strip_prefix("name: ") {
                found.push(Signature { name: name.to_owned(), headers: Vec::new() });
            }
            match (line.trim(), line.trim().strip_prefix("- ")) {
                ("headers:", _) => listed = true,
                (item, None) if item.ends_with(':') || item == "---" => listed = false,
                (_, Some(item)) if listed => {
                    let (name, value) = item.trim_matches(['\'', '"']).split_once(": ").expect("a header");
                    found.last_mut().expect("a name first").headers.push((name.to_owned(), value.to_owned()));
                }
                _ => {}
            }
        }
    }
    Some(found)
}

/// What a browser adds from request to request, in the midst of its own.
const MORE: [(&str, &str); 4] = [
    ("cookie", "session=1; theme=dark"),
    ("referer", "https://app.test/"),
    ("x-api-key", "k"),
    ("authorization", "Basic YTpi"),
];

/// As sent over HTTP/1.1: names in capitals, the connection's own between the others.
fn over_http1(signature: &Signature, target: &str, more: bool) -> Vec<u8> {
    let capital = |name: &str| {
        let mut starts = true;
        let letter = |c: char| if std::mem::replace(&mut starts, c == '-') { c.to_ascii_uppercase() } else { c };
        name.chars().map(letter).collect::<String>()
    };
    let mut fields = vec![("Host".to_owned(), HOST.to_owned()), ("Connection".to_owned(), "keep-alive".to_owned())];
    for (number, (name, value)) in signature.headers.iter().filter(|(name, _)| name != "te").enumerate() {
        if more && number % 2 == 1 {
            fields.extend(MORE.get(number / 2).map(|(name, value)| (capital(name), (*value).to_owned())));
        }
        fields.push((capital(name), value.clone()));
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    request("GET", target, &fields, b"")
}

async fn over_http2(client: &mut Http2, signature: &Signature, target: &str, more: bool) -> u16 {
    let mut head = Request::get(format!("http://{HOST}{target}"));
    if more {
        head = head.header(MORE[0].0, MORE[0].1);
    }
    for (name, value) in &signature.headers {
        head = head.header(name, value);
    }
    for (name, value) in MORE.iter().skip(1).filter(|_| more) {
        head = head.header(*name, *value);
    }
    client.send(head.body(()).unwrap(), Bytes::new(), HeaderMap::new()).await.unwrap().status
}

/// Envoy adds as much of its own as it can.
fn talkative(gateway: &mut Gateway) {
    gateway.use_remote_address = Some(true);
    gateway.manager = vec![
        ("generate_request_id", json!(true)),
        ("via", json!("envoy")),
        ("forward_client_cert_details", json!("SANITIZE_SET")),
        ("add_user_agent", json!(true)),
    ];
}

async fn gateway(upstream: &Upstream) -> Envoy {
    let told = |engine: &str, fingerprint: &str| {
        let then = json!({ "tag": { "header": format!("x-engine-{engine}"), "value": fingerprint } });
        json!({ "name": engine, "match": { "fingerprint": fingerprint }, "then": then })
    };
    // As the documentation of the fingerprint says.
    let rules = json!([
        told("chromium", "h1_usmdel_abop"),
        told("gecko", "h1_ualedms_-"),
        told("webkit", "h1_uale_-"),
        told("curl", "h1_ua_-"),
    ]);
    inline(policy("enforce", rules), upstream, talkative).await
}

#[tokio::test]
async fn every_browser_has_the_fingerprint_of_its_engine_over_both_versions_of_http() {
    let Some(signatures) = signatures() else {
        eprintln!("SKIPPED: the recorded browsers are not beside this checkout");
        return;
    };
    assert_eq!(signatures.len(), 21);
    let upstream = Upstream::start().await;
    let envoy = gateway(&upstream).await;
    let mut two = Http2::connect(envoy.address()).await.unwrap();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (number, signature) in signatures.iter().enumerate() {
        for more in [false, true] {
            let target = format!("/one/{number}/{more}/");
            let reply = exchange(envoy.address(), &over_http1(signature, &target, more)).await.unwrap();
            assert_eq!(reply.status, 200);
            let second = format!("/two/{number}/{more}/");
            assert_eq!(over_http2(&mut two, signature, &second, more).await, 200);
            for target in [target, second] {
                let told: Vec<String> =
                    one(&upstream, &target).names().into_iter().filter(|name| name.starts_with("x-engine-")).collect();
                assert_eq!(told, [format!("x-engine-{}", signature.engine())], "{}: {target}", signature.name);
                seen.entry(signature.engine()).or_default().extend(told);
            }
        }
    }
    println!("{} browsers, 4 requests each: {seen:?}", signatures.len());
    assert_eq!(seen.len(), 3);
    // A tool that says it is a browser is none.
    let curl = [("host", HOST), ("user-agent", "Mozilla/5.0 (Windows NT 10.0) Chrome/99.0"), ("accept", "*/*")];
    exchange(envoy.address(), &request("GET", "/curl/", &curl, b"")).await.unwrap();
    assert!(one(&upstream, "/curl/").field("x-engine-curl").is_some());
    envoy.assert_filter_sound().await;
}
