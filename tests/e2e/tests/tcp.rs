//! Who may open a TCP connection: the network filter in a real Envoy, with real certificates, before a service that counts who came.

use std::time::{Duration, Instant};

use gatehouse_e2e::callers::{
    DEFAULT, Fate, PATIENCE, SLEEP, peer_uris, policy, strangers, talk, tls_inspector, workload,
};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::tls::{Authority, Hello};
use gatehouse_support::{Echo, House, TcpGateway, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn inline(policy: &Value) -> Value {
    json!({ "policy": policy })
}

#[tokio::test]
async fn the_listed_account_is_served_and_everyone_else_never_reaches_the_service() {
    let (echo, authority, other) = (Echo::start().await, Authority::new(), Authority::new());
    let envoy = TcpGateway::new(echo.address(), authority.listener(true), inline(&policy())).start().await;
    for (who, hello, line) in strangers(&authority, &other) {
        assert_eq!(talk(&authority, envoy.address(), &hello, b"hi").await, Fate::Closed, "{who}");
        if let Some(line) = line {
            wait::until_true(PATIENCE, &line, || async { envoy.log().contains(&line) }).await;
        }
    }
    // Plain text is no handshake.
    let mut plain = TcpStream::connect(envoy.address()).await.unwrap();
    plain.write_all(b"hi\n").await.unwrap();
    assert_eq!(plain.read(&mut [0; 64]).await.unwrap_or(0), 0);
    assert_eq!((echo.connections(), echo.bytes()), (0, 0), "nobody of them reached the service");
    let sleep = workload(&authority, "sleep", SLEEP);
    assert_eq!(talk(&authority, envoy.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
    assert_eq!((echo.connections(), echo.bytes()), (1, 2));
    assert!(envoy.log().contains(&format!("allowing: {SLEEP}")), "{}", envoy.log());
    assert_eq!(envoy.stat("wasmcustom.gatehouse_decisions_allow_total").await, 1);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_service_that_speaks_first_is_heard_by_the_allowed_one_only() {
    let (echo, authority, other) = (Echo::greeting().await, Authority::new(), Authority::new());
    let envoy = TcpGateway::new(echo.address(), authority.listener(true), inline(&policy())).start().await;
    let begun = Instant::now();
    for (who, hello, _) in strangers(&authority, &other) {
        assert_eq!(talk(&authority, envoy.address(), &hello, b"").await, Fate::Closed, "{who}");
    }
    assert_eq!(echo.connections(), 0, "not one of them was connected through");
    assert!(begun.elapsed() < Duration::from_secs(20), "no stranger waits longer than the deadline");
    let sleep = workload(&authority, "sleep", SLEEP);
    let greeted = Instant::now();
    assert_eq!(talk(&authority, envoy.address(), &sleep, b"").await, Fate::Answered(b"220 echo ready\r\n".to_vec()));
    assert!(greeted.elapsed() < Duration::from_secs(1), "{:?}", greeted.elapsed());
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_thousand_silent_connections_end_at_the_deadline_and_nobody_waits_for_them() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let mut bootstrap = inline(&policy());
    bootstrap["tcp"] = json!({ "deadline": "3s" });
    let envoy = TcpGateway::new(echo.address(), authority.listener(true), bootstrap).start().await;
    let before = gatehouse_support::process::resident(envoy.id()).unwrap();
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(envoy.address()).await.unwrap());
    }
    let sleep = workload(&authority, "sleep", SLEEP);
    let begun = Instant::now();
    assert_eq!(talk(&authority, envoy.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let grown = gatehouse_support::process::resident(envoy.id()).unwrap().saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes for a thousand handshakes that nobody begins");
    for mut one in silent {
        let ended = tokio::time::timeout(PATIENCE, one.read(&mut [0; 1])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    }
    assert_eq!(echo.connections(), 1);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn without_early_data_it_is_decided_at_the_first_data() {
    let (echo, authority, other) = (Echo::start().await, Authority::new(), Authority::new());
    let mut bootstrap = inline(&policy());
    bootstrap["tcp"] = json!({ "decides": "atFirstData" });
    let mut gateway = TcpGateway::new(echo.address(), authority.listener(true), bootstrap.clone());
    gateway.early = false;
    let envoy = gateway.start().await;
    for (who, hello, _) in strangers(&authority, &other) {
        assert_eq!(talk(&authority, envoy.address(), &hello, b"hi").await, Fate::Closed, "{who}");
    }
    assert_eq!(echo.bytes(), 0, "not a byte of theirs goes on, though a connection was opened");
    let sleep = workload(&authority, "sleep", SLEEP);
    assert_eq!(talk(&authority, envoy.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
    // A service that speaks before the client has proven anything is cut off: nothing of it reaches the client.
    let greeting = Echo::greeting().await;
    let mut gateway = TcpGateway::new(greeting.address(), authority.listener(true), bootstrap);
    gateway.early = false;
    let envoy = gateway.start().await;
    let stranger = workload(&authority, "default2", DEFAULT);
    assert_eq!(talk(&authority, envoy.address(), &stranger, b"").await, Fate::Closed);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn the_house_hands_out_the_policy_and_gets_a_record_of_every_connection() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let house = House::with_policy(&policy()).await;
    let bootstrap = json!({
        "house": { "cluster": "gatehouse", "authority": "gatehouse" },
        "whenNoPolicy": "block",
        "tcp": { "destination": "echo.internal" },
    });
    let mut gateway = TcpGateway::new(echo.address(), authority.listener(true), bootstrap);
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = gateway.start().await;
    let sleep = workload(&authority, "sleep", SLEEP);
    wait::until_true(PATIENCE, "the policy", || async {
        talk(&authority, envoy.address(), &sleep, b"hi").await == Fate::Answered(b"HI".to_vec())
    })
    .await;
    let stranger = workload(&authority, "default", DEFAULT);
    assert_eq!(talk(&authority, envoy.address(), &stranger, b"hi").await, Fate::Closed);
    let find = |action: &'static str| {
        move |event: &Value| {
            event["class_uid"] == 4001
                && event["unmapped"]["gatehouse"]["action"] == action
                && event["unmapped"]["gatehouse"]["reason"] != "no_policy"
        }
    };
    let event = |action| {
        let house = &house;
        async move { wait::until(PATIENCE, action, || async move { house.events().into_iter().find(find(action)) }).await }
    };
    let allowed = event("allow").await;
    assert_eq!(allowed["actor"]["user"]["uid"], SLEEP);
    assert_eq!(allowed["unmapped"]["gatehouse"]["rule"], "echo/sleep");
    assert_eq!(allowed["dst_endpoint"]["hostname"], "echo.internal");
    assert_eq!(allowed["dst_endpoint"]["port"], envoy.address().port());
    assert_eq!((&allowed["traffic"]["bytes_out"], &allowed["traffic"]["bytes_in"]), (&json!(2), &json!(2)));
    assert_eq!(allowed["unmapped"]["gatehouse"]["ended"], "client");
    let rejected = event("drop").await;
    assert_eq!((&rejected["activity_name"], &rejected["actor"]["user"]["uid"]), (&json!("Refuse"), &json!(DEFAULT)));
    assert_eq!(rejected["unmapped"]["gatehouse"]["rule"], "echo/otherwise");
    assert_eq!(rejected["traffic"]["bytes"], 0);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn an_external_database_is_reached_by_its_name_in_the_mesh_and_by_one_account_only() {
    let (database, authority) = (Echo::greeting().await, Authority::new());
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "TcpPolicy", "metadata": { "name": "database" },
        "spec": {
            "hosts": ["db.external.test"],
            "rules": [{ "name": "frontend", "match": { "serviceAccounts": ["shop/secure-frontend"] }, "then": "allow" }],
            "otherwise": "reject",
        },
    });
    let bootstrap = json!({ "policy": policy, "whenNoPolicy": "block" });
    let mut gateway = TcpGateway::new(database.address(), authority.listener(true), bootstrap);
    gateway.listener_filters = vec![tls_inspector()];
    let envoy = gateway.start().await;
    let caller = |account: &str, name| {
        let identity = format!("spiffe://cluster.local/ns/shop/sa/{account}");
        Hello { name: Some(name), ..workload(&authority, account, &identity) }
    };
    let meshed = "outbound_.5432_._.db.external.test";
    for (account, name) in [
        ("batch", meshed),
        ("secure-frontend", "outbound_.5432_._.other.external.test"),
        ("secure-frontend", "outbound_.5432_._.db.external.test.evil.test"),
    ] {
        assert_eq!(
            talk(&authority, envoy.address(), &caller(account, name), b"").await,
            Fate::Closed,
            "{account} {name}"
        );
    }
    assert_eq!(database.connections(), 0);
    for name in [meshed, "db.external.test"] {
        let greeted = talk(&authority, envoy.address(), &caller("secure-frontend", name), b"").await;
        assert_eq!(greeted, Fate::Answered(b"220 echo ready\r\n".to_vec()), "{name}");
    }
    let line = "rejecting: spiffe://cluster.local/ns/shop/sa/batch to db.external.test (database/otherwise)";
    assert!(envoy.log().contains(line), "{}", envoy.log());
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_certificate_of_several_identities_is_refused_where_a_policy_asks_for_one() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let mut policy = policy();
    policy["spec"]["requireOneUri"] = json!(true);
    let mut gateway = TcpGateway::new(echo.address(), authority.listener(true), inline(&policy));
    gateway.filters = vec![peer_uris()];
    let envoy = gateway.start().await;
    let both = Hello { certificate: Some(authority.uris("both", SLEEP, 2)), ..Hello::default() };
    assert_eq!(talk(&authority, envoy.address(), &both, b"hi").await, Fate::Closed);
    let line = format!("rejecting: {SLEEP}");
    wait::until_true(PATIENCE, &line, || async { envoy.log().contains(&line) }).await;
    assert!(envoy.log().contains("(echo/one-uri)"), "{}", envoy.log());
    assert_eq!(echo.connections(), 0);
    let sleep = workload(&authority, "sleep", SLEEP);
    assert_eq!(talk(&authority, envoy.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
    envoy.assert_filter_sound().await;
}
