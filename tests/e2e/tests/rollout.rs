//! A change on its way: who is in a canary, what takes a change back and what does not, with the house gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gatehouse_e2e::{HOST, ask, behind_a_proxy, house_bootstrap, inline, policy};
use gatehouse_support::client::request;
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Http1, Upstream, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);
const ROLLBACKS: &str = "wasmcustom.gatehouse_rollbacks_total";

/// The address of the n-th client, and of the n-th stranger.
fn client(number: u32) -> String {
    format!("10.1.{}.{}", number >> 8, number & 255)
}

fn stranger(number: u32) -> String {
    format!("172.16.{}.{}", number >> 8, number & 255)
}

/// Asks once for each of these, over a few connections; statuses in order.
async fn ask_all(envoy: &Envoy, asks: Vec<(String, String, bool)>) -> Vec<u16> {
    const CONNECTIONS: usize = 8;
    let asks = std::sync::Arc::new(asks);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|first| {
            let (address, asks) = (envoy.address(), std::sync::Arc::clone(&asks));
            tokio::spawn(async move {
                let mut connection = Http1::connect(address).await.unwrap();
                let mut statuses = Vec::new();
                for (address, target, old) in asks.iter().skip(first).step_by(CONNECTIONS) {
                    let mut fields = vec![("host", HOST), ("x-forwarded-for", address.as_str())];
                    if *old {
                        fields.push(("x-client", "old"));
                    }
                    statuses.push(connection.ask(&request("GET", target, &fields, b"")).await.unwrap().status);
                }
                statuses
            })
        })
        .collect();
    let mut parts = Vec::new();
    for task in tasks {
        parts.push(task.await.unwrap().into_iter());
    }
    (0..asks.len()).map(|number| parts[number % CONNECTIONS].next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_of_a_tenth_is_the_same_tenth_of_the_clients_on_every_worker() {
    let upstream = Upstream::start().await;
    let rules = json!([{ "name": "new", "match": { "path": "/new/**" }, "then": "block" }]);
    let envoy = inline(behind_a_proxy(policy("canary 10%", rules)), &upstream, |gateway| gateway.concurrency = 2).await;
    let mut verdicts: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    for round in 0..4 {
        let asks = (0..1000).map(|number| (client(number), format!("/new/{round}"), false)).collect();
        for (number, status) in (0..1000).zip(ask_all(&envoy, asks).await) {
            verdicts.entry(number).or_default().push(status);
        }
    }
    assert!(verdicts.values().all(|own| own.iter().all(|status| *status == own[0])), "a client is in, or it is not");
    let blocked = verdicts.values().filter(|own| own[0] == 403).count();
    println!("{blocked} of 1,000 clients are in a canary of 10 %");
    assert!((60..=140).contains(&blocked), "{blocked}");
    // Both workers asked: each client came by several connections.
    let stats = envoy.stats("worker_").await;
    let used = stats
        .iter()
        .filter(|(name, value)| name.ends_with("downstream_cx_total") && !name.contains("admin") && *value > 0);
    assert_eq!(used.count(), 2);
    envoy.assert_filter_sound().await;
}

/// A house whose policy has this rule beside one that was always there, and a gateway that has heard of it.
async fn start(upstream: &Upstream) -> (House, Envoy) {
    let house = House::with_policy(&document(None)).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    wait::until_true(SOON, "the first policy", || async { ask(&envoy, "GET", "/old", &[]).await.status == 403 }).await;
    (house, envoy)
}

fn document(change: Option<Value>) -> Value {
    let old = json!({ "name": "old", "match": { "path": "/old" }, "then": "block" });
    let marker = json!({ "name": "marker", "match": { "path": "/changed" }, "mode": "enforce", "then": "block" });
    let rules = match change {
        None => vec![old],
        Some(change) => vec![old, marker, change],
    };
    behind_a_proxy(policy("enforce", json!(rules)))
}

/// Makes `count` clients familiar, then brings the change into force, and ends the house.
async fn change(house: &mut House, envoy: &Envoy, count: u32, rule: Value) -> Instant {
    for round in 0..4 {
        let asks = (0..count).map(|number| (client(number), format!("/shop/{round}"), false)).collect();
        assert!(ask_all(envoy, asks).await.iter().all(|status| *status == 200));
    }
    house.put_policy("policy.yaml", &document(Some(rule)).to_string());
    wait::until_true(SOON, "the change", || async { ask(envoy, "GET", "/changed", &[]).await.status == 403 }).await;
    let changed = Instant::now();
    house.kill().await;
    changed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_hits_a_twentieth_of_the_known_good_clients_is_taken_back_with_the_house_gone() {
    const CLIENTS: u32 = 600;
    let upstream = Upstream::start().await;
    let (mut house, envoy) = start(&upstream).await;
    // Whoever has an old client: one in twenty.
    let rule = json!({ "name": "no-old-clients", "match": { "headers": { "x-client": "old" } }, "mode": "canary 10%", "then": "block" });
    let changed = change(&mut house, &envoy, CLIENTS, rule).await;
    let (mut asked, mut blocked) = (0, 0);
    let taken_back = loop {
        assert!(changed.elapsed() < Duration::from_secs(30), "not taken back; {blocked} of {asked} blocked");
        let asks: Vec<_> =
            (0..CLIENTS).map(|number| (client(number), "/shop/again".to_owned(), number % 20 == 0)).collect();
        asked += asks.len();
        blocked += ask_all(&envoy, asks).await.iter().filter(|status| **status == 403).count();
        if envoy.stat(ROLLBACKS).await > 0 {
            break changed.elapsed();
        }
    };
    println!("taken back after {taken_back:?}: {blocked} of {asked} requests were blocked until then");
    assert!(blocked > 0 || asked > 0);
    assert_eq!(envoy.stat(ROLLBACKS).await, 1);
    // From now on as in monitor mode, what was there before the change goes on.
    let asks = (0..CLIENTS).map(|number| (client(number), "/shop/after".to_owned(), true)).collect();
    let statuses = ask_all(&envoy, asks).await;
    assert!(statuses.iter().all(|status| *status == 200), "still in force");
    assert_eq!(ask(&envoy, "GET", "/old", &[]).await.status, 403);
    let log = envoy.log();
    let line = log.lines().find(|line| line.contains("rolled back")).expect("a line in Envoy's log");
    println!("{line}");
    assert!(line.contains("shop") && line.contains("shop/no-old-clients"), "{line}");
    envoy.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_blocked_requests_from_a_thousand_addresses_takes_nothing_back() {
    const CLIENTS: u32 = 200;
    let upstream = Upstream::start().await;
    let (mut house, envoy) = start(&upstream).await;
    let rule = json!({ "name": "attack", "match": { "path": "/attack" }, "mode": "canary 99%", "then": "block" });
    let changed = change(&mut house, &envoy, CLIENTS, rule).await;
    let (mut asked, mut blocked) = (0, 0);
    // A tenth of a round comes from those who were always there, and goes about its business.
    while changed.elapsed() < Duration::from_secs(12) || asked < 10_000 {
        let mut asks: Vec<_> = (0..1000).map(|number| (stranger(number), "/attack".to_owned(), false)).collect();
        asks.extend((0..CLIENTS).step_by(4).map(|number| (client(number), "/shop/x".to_owned(), false)));
        let good = asks.len() - 1000;
        let statuses = ask_all(&envoy, asks).await;
        asked += statuses.len();
        blocked += statuses.iter().filter(|status| **status == 403).count();
        assert!(statuses[1000..].iter().all(|status| *status == 200), "{good} good clients");
    }
    let share = blocked as f64 / asked as f64;
    println!("{asked} requests, {:.1} % of them blocked, in {:?}", share * 100.0, changed.elapsed());
    assert!((0.90..=0.97).contains(&share), "{share}");
    assert_eq!(envoy.stat(ROLLBACKS).await, 0);
    assert!(!envoy.log().contains("rolled back"));
    envoy.assert_filter_sound().await;
}
