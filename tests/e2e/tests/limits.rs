//! Limits under a real Envoy: the promise of the window, one client under many names, failures, blocks that last.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use gatehouse_e2e::arrivals::{at_random, most_in_a_window, refused_too_early, send};
use gatehouse_e2e::{HOST, ask, behind_a_proxy, inline, policy};
use gatehouse_support::client::{Reply, exchange_from, request};
use gatehouse_support::{Envoy, Http1, Upstream};
use serde_json::{Value, json};

/// A rule that limits everything under a path.
fn limited(path: &str, limit: Value) -> Value {
    policy("enforce", json!([{ "name": "limited", "match": { "path": path }, "limit": limit, "then": "limit" }]))
}

/// Workers of this Envoy that had a connection of a client.
async fn workers_in_use(envoy: &Envoy) -> usize {
    let stats = envoy.stats("worker_").await;
    stats
        .iter()
        .filter(|(name, value)| name.ends_with(".downstream_cx_total") && *value > 0 && !name.contains("admin"))
        .count()
}

async fn random_arrivals(concurrency: u32, shared: bool, seed: u64) {
    const LIMIT: usize = 100;
    let window = Duration::from_secs(3);
    let upstream = Upstream::start().await;
    let limit = json!({ "by": "client", "rate": format!("{LIMIT} per 3s"), "shared": shared });
    let envoy = inline(limited("/limited/**", limit), &upstream, |gateway| gateway.concurrency = concurrency).await;
    // Ten windows, on average with twice as many as may pass, most of them in crowds.
    let moments = at_random(window * 10, 60.0, seed);
    let bytes = request("GET", "/limited/a", &[("host", HOST)], b"");
    let arrivals = send(envoy.address(), &bytes, &moments, 64).await;
    let count = |status| arrivals.iter().filter(|arrival| arrival.status == status).count();
    let most = most_in_a_window(&arrivals, window);
    println!(
        "{concurrency} worker(s), shared: {shared}: {} requests, {} let through, {} refused, at most {most} in any {window:?}",
        arrivals.len(),
        count(200),
        count(429)
    );
    assert_eq!(arrivals.len(), count(200) + count(429), "every request is let through or refused");
    assert!(count(429) > 100, "the crowds were too small to say anything");
    assert_eq!(workers_in_use(&envoy).await, concurrency as usize, "every worker took part");
    assert!(most <= LIMIT, "{most} in one window");
    let early = refused_too_early(&arrivals, LIMIT, window + window / 16);
    assert!(early.is_empty(), "refused although it could be let through: {early:?}");
    assert_eq!(upstream.count() as usize, count(200));
    if shared {
        assert_eq!(envoy.stat("wasmcustom.gatehouse_limits_shared_fallbacks_total").await, 0);
    }
    envoy.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_arrivals_are_kept_to_the_limit_in_every_window_and_let_through_below_it() {
    tokio::join!(random_arrivals(1, false, 1), random_arrivals(2, true, 2));
}

/// 10,000 requests of one peer, each as if of another client.
async fn under_many_names(envoy: &Envoy, path: &'static str) -> usize {
    let tasks: Vec<_> = (0..20)
        .map(|part| {
            let address = envoy.address();
            tokio::spawn(async move {
                let mut client = Http1::connect(address).await.unwrap();
                let mut passed = 0;
                for number in part * 500..(part + 1) * 500 {
                    let (key, cookie) = (format!("key-{number}"), format!("session={number}; theme=dark"));
                    let forwarded = format!("10.{}.{}.7", number >> 8, number & 255);
                    let agent =
                        format!("Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0");
                    let fields = [
                        ("host", HOST),
                        ("x-api-key", key.as_str()),
                        ("x-forwarded-for", forwarded.as_str()),
                        ("cookie", cookie.as_str()),
                        ("user-agent", agent.as_str()),
                    ];
                    passed += usize::from(client.ask(&request("GET", path, &fields, b"")).await.unwrap().status == 200);
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += task.await.unwrap();
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_names_from_one_peer_are_one_client() {
    let upstream = Upstream::start().await;
    let limited = |name: &str, by: Value| {
        let limit = json!({ "by": by, "rate": "100 per 1h" });
        json!({ "name": name, "match": { "path": format!("/{name}") }, "limit": limit, "then": "limit" })
    };
    let rules = json!([
        limited("client", json!(["client"])),
        limited("key", json!(["headers.x-api-key"])),
        limited("cookie", json!(["cookies.session"])),
        limited("agent", json!(["headers.user-agent", "headers.x-forwarded-for"])),
    ]);
    let envoy = inline(policy("enforce", rules), &upstream, |_| ()).await;
    for path in ["/client", "/key", "/cookie", "/agent"] {
        let begin = Instant::now();
        let passed = under_many_names(&envoy, path).await;
        println!("{path}: {passed} of 10,000 let through, in {:?}", begin.elapsed());
        assert_eq!(passed, 100, "{path}");
    }
    assert_eq!(upstream.count(), 400);
    envoy.assert_filter_sound().await;
}

async fn log_in(envoy: &Envoy, from: Ipv4Addr, password: &str) -> Reply {
    let body = format!("user=ann&password={password}");
    let bytes = request("POST", "/login", &[("host", HOST)], body.as_bytes());
    exchange_from(envoy.address(), from, &bytes).await.unwrap()
}

const ANN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const BOB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn guessing(more: Value) -> Value {
    let mut limit = json!({ "by": ["client"], "count": { "status": [401, 403] } });
    for (name, value) in more.as_object().unwrap() {
        limit[name] = value.clone();
    }
    let rule =
        json!({ "name": "guessing", "match": { "method": "POST", "path": "/login" }, "limit": limit, "then": "limit" });
    policy("enforce", json!([rule]))
}

#[tokio::test]
async fn ten_failures_within_a_minute_close_the_login_for_ten_minutes_and_successes_never_count() {
    let upstream = Upstream::start().await;
    let envoy = inline(guessing(json!({ "rate": "10 per 1m", "blockFor": "10m" })), &upstream, |_| ()).await;
    for _ in 0..50 {
        assert_eq!(log_in(&envoy, ANN, "right").await.status, 200);
    }
    for failure in 0..10 {
        assert_eq!(log_in(&envoy, ANN, "wrong").await.status, 401, "failure {failure}");
        assert_eq!(log_in(&envoy, BOB, "right").await.status, 200);
    }
    for password in ["wrong", "right"] {
        let refused = log_in(&envoy, ANN, password).await;
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
        assert!((590..=600).contains(&wait), "{wait}");
        assert_eq!(refused.field("ratelimit"), None, "a count of failures is nobody's business");
    }
    assert_eq!(log_in(&envoy, BOB, "right").await.status, 200, "another client");
    assert_eq!(ask(&envoy, "GET", "/login", &[]).await.status, 200, "another rule's request");
    assert_eq!(upstream.with("/login").len(), 50 + 20 + 1 + 1);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_block_lasts_as_long_as_it_says_and_then_ends() {
    let upstream = Upstream::start().await;
    let envoy = inline(guessing(json!({ "rate": "3 per 1s", "blockFor": "4s" })), &upstream, |_| ()).await;
    let begin = Instant::now();
    // The block begins with the answer to the last try, so after that try was sent and before the first refusal was there.
    let mut tried = begin;
    loop {
        let sent = Instant::now();
        if log_in(&envoy, ANN, "wrong").await.status != 401 {
            break;
        }
        tried = sent;
        assert!(begin.elapsed() < Duration::from_secs(10), "the limit is never reached");
    }
    let blocked = Instant::now();
    // The window is long over before the block is.
    let mut refused = 0;
    let ended = loop {
        let sent = Instant::now();
        let reply = log_in(&envoy, ANN, "right").await;
        if reply.status == 200 {
            break blocked.elapsed();
        }
        refused += 1;
        let (wait, passed): (u64, _) = (reply.field("retry-after").unwrap().parse().unwrap(), tried.elapsed());
        assert!(
            Duration::from_secs(wait) + (sent - blocked) <= Duration::from_millis(5100),
            "{wait} s after {passed:?}"
        );
        assert!(Duration::from_secs(wait) + passed >= Duration::from_secs(4), "{wait} s after {passed:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("blocked for {ended:?}, {refused} refusals");
    assert!(tried.elapsed() >= Duration::from_secs(4) && ended < Duration::from_secs(8), "{ended:?}");
    assert_eq!(log_in(&envoy, ANN, "wrong").await.status, 401, "and counts anew");
    envoy.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_logins_at_once_no_more_reach_the_application_than_the_limit_and_what_is_in_flight() {
    let (limit, in_flight) = (10, 5);
    for (concurrency, shared) in [(1, false), (2, true)] {
        let upstream = Upstream::start().await;
        let more =
            json!({ "rate": format!("{limit} per 1m"), "blockFor": "10m", "inFlight": in_flight, "shared": shared });
        let mut policy = guessing(more);
        policy["spec"]["rules"][0]["match"]["path"] = json!(["/login", "/login/*"]);
        let envoy = inline(policy, &upstream, |gateway| gateway.concurrency = concurrency).await;
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let address = envoy.address();
                tokio::spawn(async move {
                    let bytes = request("POST", "/login/200", &[("host", HOST)], b"password=wrong");
                    gatehouse_support::client::exchange(address, &bytes).await.unwrap()
                })
            })
            .collect();
        let mut statuses = std::collections::BTreeMap::new();
        for task in tasks {
            *statuses.entry(task.await.unwrap().status).or_insert(0) += 1;
        }
        let reached = upstream.count();
        println!("{concurrency} worker(s): {statuses:?}, {reached} reached the application");
        assert!(reached <= limit + in_flight, "{reached}");
        assert!(reached >= in_flight, "{reached}");
        assert_eq!(statuses.values().sum::<i32>(), 200);
        assert_eq!(statuses.get(&401).copied().unwrap_or(0) as u64, reached);
        assert_eq!(statuses.get(&429).copied().unwrap_or(0) as u64, 200 - reached);
        envoy.assert_filter_sound().await;
    }
}

#[tokio::test]
async fn a_client_behind_a_proxy_is_limited_by_its_own_address_and_a_stranger_cannot_be_another() {
    let upstream = Upstream::start().await;
    let envoy =
        inline(behind_a_proxy(limited("/limited", json!({ "by": "address", "rate": "5 per 1m" }))), &upstream, |_| ())
            .await;
    for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1"] {
        let mut statuses = Vec::new();
        for number in 0..8 {
            // What the client itself wrote stands left of what the proxy adds.
            let forwarded = format!("198.51.100.{number}, {client}");
            statuses.push(ask(&envoy, "GET", "/limited", &[("x-forwarded-for", &forwarded)]).await.status);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429], "{client}");
    }
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn refusals_carry_what_the_client_may_know_of_the_limit() {
    let upstream = Upstream::start().await;
    let envoy = inline(limited("/limited", json!({ "by": "client", "rate": "2 per 1m" })), &upstream, |_| ()).await;
    for _ in 0..2 {
        let passed = ask(&envoy, "GET", "/limited", &[]).await;
        assert_eq!((passed.status, passed.field("ratelimit")), (200, None));
    }
    let refused = ask(&envoy, "GET", "/limited", &[("accept", "application/json")]).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    // The moment at which the first one leaves the window, which may be early by a sixteenth of it or late by as much.
    assert!((50..=64).contains(&wait), "{wait}");
    assert_eq!(refused.field("ratelimit-policy").as_deref(), Some("\"default\";q=2;w=60"));
    assert_eq!(refused.field("ratelimit"), Some(format!("\"default\";r=0;t={wait}")));
    let problem: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!((&problem["status"], &problem["retryAfter"]), (&json!(429), &json!(wait)), "{problem}");
    envoy.assert_filter_sound().await;
}
