//! What others have of the rules holds in a real Envoy, where the traffic that is measured does not show it.

use gatehouse_support::client::request;
use gatehouse_support::{Envoy, Http1};

use super::{Material, Variant, others};
use crate::drive::{Until, closed};
use crate::frame::Answers;
use crate::rivals::native::Native;
use crate::rivals::rules::{Rules, Then};

const HOST: &str = "shop-3.example.com";
const LIMIT: u32 = 3;

fn lower(rules: &mut Rules) {
    for rule in &mut rules.rules {
        if let Then::Limit(rate) = &mut rule.then {
            (rate.requests, rate.seconds) = (LIMIT, 3600);
        }
    }
}

async fn statuses(envoy: &Envoy, path: &str, client: &str, count: usize) -> Vec<u16> {
    let mut connection = Http1::connect(envoy.address()).await.expect("a connection");
    let bytes = request("GET", path, &[("host", HOST), ("x-forwarded-for", client)], b"");
    let mut all = Vec::new();
    for _ in 0..count {
        connection.send(&bytes).await.expect("sent");
        all.push(connection.reply("GET").await.expect("an answer").status);
    }
    all
}

#[tokio::test]
#[ignore = "needs a real Envoy: `make bench-check`"]
async fn limits_of_all_strike_by_client_in_lua_and_in_the_native_filters() {
    let mut material = Material::new().expect("the policies compile");
    lower(&mut material.book.shared);
    let native = Native::of(&material.book);
    for variant in [
        others::with_lua(&material, Answers::Envoy).await,
        others::with_native(&material, Answers::Envoy, &native).await,
    ] {
        for client in ["198.18.7.1", "198.18.7.2"] {
            let found = statuses(&variant.envoy, "/", client, 5).await;
            assert_eq!(found, [200, 200, 200, 429, 429], "{}, {client}", variant.name);
        }
    }
}

#[tokio::test]
#[ignore = "needs a real Envoy: `make bench-check`"]
async fn limits_of_a_host_strike_where_its_paths_are_asked_for() {
    let mut material = Material::new().expect("the policies compile");
    lower(material.book.hosts.get_mut(HOST).expect("a host"));
    let native = Native::of(&material.book);
    for variant in [
        others::with_lua(&material, Answers::Envoy).await,
        others::with_native(&material, Answers::Envoy, &native).await,
    ] {
        assert_eq!(statuses(&variant.envoy, "/", "198.18.7.1", 5).await, [200; 5], "{}", variant.name);
        let found = statuses(&variant.envoy, "/api/v1/items?x=1", "198.18.7.1", 5).await;
        assert_eq!(found, [200, 200, 200, 429, 429], "{}", variant.name);
    }
}

#[tokio::test]
#[ignore = "needs a real Envoy: `make bench-check`"]
#[should_panic(expected = "nobody: 197 of 4000 requests")]
async fn a_variant_that_judges_otherwise_ends_the_run() {
    let material = Material::new().expect("the policies compile");
    let gateway = material.frame(Answers::Envoy).finish();
    let variant = Variant::new("nobody", "lets all pass", &material.by_full, &gateway).await;
    let driven = closed(variant.address(), &variant.mix, Until::Count(4000)).await;
    variant.check(&variant.mix, &driven);
}

#[tokio::test]
#[ignore = "needs a real Envoy: `make bench-check`"]
async fn addresses_agents_queries_and_headers_are_told_apart_as_the_engine_tells_them() {
    let material = Material::new().expect("the policies compile");
    let native = Native::of(&material.book);
    let inside = material.book.lists["bad"].iter().find(|text| text.starts_with("2a00")).expect("one of IPv6");
    let inside = inside.split('/').next().expect("an address").to_owned();
    let worse = material.book.lists["worse"].iter().find(|text| !text.contains(['/', ':'])).expect("an address");
    let asked = [
        ("/", "198.18.7.1", 200),
        ("/", inside.as_str(), 403),
        ("/", "2a00:ffff:ffff:ffff::1", 200),
        ("/", worse.as_str(), 200),
        ("/checkout/now", worse.as_str(), 403),
        ("/checkout/now", "198.18.7.1", 200),
        ("/?a=1&cmd=x/bin/sh", "198.18.7.1", 403),
        ("/?command=/bin/sh", "198.18.7.1", 200),
        ("/copy.bak?x", "198.18.7.1", 403),
        ("/", "198.18.3.11", 403),
        ("/admin2/x", "192.0.2.7", 200),
        ("/admin2/x", "198.18.7.1", 403),
    ];
    for variant in [
        others::with_lua(&material, Answers::Envoy).await,
        others::with_native(&material, Answers::Envoy, &native).await,
    ] {
        for (path, client, status) in asked {
            let found = statuses(&variant.envoy, path, client, 1).await;
            assert_eq!(found, [status], "{}: {path} of {client}", variant.name);
        }
    }
}
