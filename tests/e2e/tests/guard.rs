//! `gatehouse guard` with real certificates: the story of the network filter, without Envoy.

use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_e2e::callers::{DEFAULT, Fate, PATIENCE, SLEEP, policy, strangers, talk, workload};
use gatehouse_support::tls::Authority;
use gatehouse_support::{Echo, Guard, House, parts, process, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_listed_account_is_served_and_everyone_else_never_reaches_the_service() {
    let (echo, authority, other) = (Echo::start().await, Authority::new(), Authority::new());
    let guard = Guard::start(echo.address(), &authority, Some(&policy()), json!({})).await;
    for (who, hello, line) in strangers(&authority, &other) {
        assert_eq!(talk(&authority, guard.address(), &hello, b"hi").await, Fate::Closed, "{who}");
        if let Some(line) = line {
            wait::until_true(PATIENCE, &line, || async { guard.log().contains(&line) }).await;
        }
    }
    let mut plain = TcpStream::connect(guard.address()).await.unwrap();
    plain.write_all(b"hi\n").await.unwrap();
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut bytes)).await.expect("it is closed");
    assert!(bytes.len() <= 7, "an alert at most: {bytes:?}");
    assert_eq!((echo.connections(), echo.bytes()), (0, 0), "nobody of them reached the service");
    let sleep = workload(&authority, "sleep", SLEEP);
    assert_eq!(talk(&authority, guard.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
    assert_eq!((echo.connections(), echo.bytes()), (1, 2));
    let line = format!("allowing: {SLEEP}");
    wait::until_true(PATIENCE, &line, || async { guard.log().contains(&line) }).await;
    assert_eq!(
        (guard.metric("gatehouse_guard_allowed_total").await, guard.metric("gatehouse_guard_rejected_total").await),
        (1, 2)
    );
    assert_eq!(guard.metric("gatehouse_guard_refused_total{reason=\"handshake\"}").await, 3);
}

#[tokio::test]
async fn a_service_that_speaks_first_is_heard_by_the_allowed_one_only() {
    let (echo, authority, other) = (Echo::greeting().await, Authority::new(), Authority::new());
    let guard = Guard::start(echo.address(), &authority, Some(&policy()), json!({})).await;
    for (who, hello, _) in strangers(&authority, &other) {
        assert_eq!(talk(&authority, guard.address(), &hello, b"").await, Fate::Closed, "{who}");
    }
    assert_eq!(echo.connections(), 0);
    let sleep = workload(&authority, "sleep", SLEEP);
    assert_eq!(talk(&authority, guard.address(), &sleep, b"").await, Fate::Answered(b"220 echo ready\r\n".to_vec()));
}

#[tokio::test]
async fn a_thousand_silent_connections_end_at_the_deadline_and_nobody_waits_for_them() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    // Longer than a busy machine takes to connect a thousand.
    let limits = json!({ "limits": { "handshake": "8s", "handshakes": 800 } });
    let guard = Guard::start(echo.address(), &authority, Some(&policy()), limits).await;
    let before = process::resident(guard.id()).unwrap();
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(guard.address()).await.unwrap());
    }
    let sleep = workload(&authority, "sleep", SLEEP);
    let begun = Instant::now();
    assert_eq!(talk(&authority, guard.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let grown = process::resident(guard.id()).unwrap().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes for a thousand handshakes that nobody begins");
    for mut one in silent {
        let ended = tokio::time::timeout(PATIENCE, one.read(&mut [0; 1])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    }
    assert_eq!(echo.connections(), 1);
    let out = guard.metric("gatehouse_guard_refused_total{reason=\"crowded_out\"}").await;
    assert!((150..=300).contains(&out), "{out}");
    assert!(guard.metric("gatehouse_guard_refused_total{reason=\"deadline\"}").await >= 700);
}

#[tokio::test]
async fn the_house_hands_out_the_policy_and_gets_a_record_of_every_connection() {
    let (echo, authority, other) = (Echo::start().await, Authority::new(), Authority::new());
    let house = House::with_policy(&policy()).await;
    let more = json!({ "house": { "unix": house.socket() } });
    let mut guard = Guard::start(echo.address(), &authority, None, more).await;
    let sleep = workload(&authority, "sleep", SLEEP);
    wait::until_true(PATIENCE, "the policy", || async {
        talk(&authority, guard.address(), &sleep, b"hi").await == Fate::Answered(b"HI".to_vec())
    })
    .await;
    let stranger = workload(&authority, "default", DEFAULT);
    assert_eq!(talk(&authority, guard.address(), &stranger, b"hi").await, Fate::Closed);
    let unknown = workload(&other, "sleep", SLEEP);
    assert_eq!(talk(&authority, guard.address(), &unknown, b"hi").await, Fate::Closed);
    guard.terminate();
    assert!(guard.ended().await.success());
    let connections = guard.log().matches("allowing: ").count() + guard.log().matches("rejecting: ").count();
    let events = wait::until(PATIENCE, "every record", || async {
        let events: Vec<Value> = house.events().into_iter().filter(|event| event["class_uid"] == 4001).collect();
        (events.len() >= connections).then_some(events)
    })
    .await;
    assert_eq!(events.len(), connections, "one a connection, none twice");
    let of = |reason: &str, action: &str| {
        let found = events.iter().rev().find(|event| {
            event["unmapped"]["gatehouse"]["reason"] == reason && event["unmapped"]["gatehouse"]["action"] == action
        });
        found.unwrap_or_else(|| panic!("{reason} {action}: {events:?}"))
    };
    let allowed = of("rule", "allow");
    assert_eq!((&allowed["actor"]["user"]["uid"], &allowed["traffic"]["bytes_in"]), (&json!(SLEEP), &json!(2)));
    assert_eq!(allowed["unmapped"]["gatehouse"]["ended"], "client");
    assert_eq!(of("otherwise", "drop")["actor"]["user"]["uid"], DEFAULT);
    assert_eq!(of("unproven", "drop")["unmapped"]["gatehouse"]["mutual_tls"], false);
    let books: Value = serde_json::from_str(&house.page("/books").await).expect("books");
    assert!(books.to_string().contains("guard-1"), "{books}");
}

#[tokio::test]
async fn a_changed_policy_and_a_renewed_certificate_are_taken_up_while_it_runs() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let guard = Guard::start(echo.address(), &authority, Some(&policy()), json!({})).await;
    let other = workload(&authority, "default", DEFAULT);
    assert_eq!(talk(&authority, guard.address(), &other, b"hi").await, Fate::Closed);
    std::fs::write(guard.policy(), "kind: nonsense").unwrap();
    wait::until_true(PATIENCE, "the refusal", || async { guard.log().contains("the one in force stays") }).await;
    let mut open = policy();
    open["spec"]["rules"][0]["match"]["serviceAccounts"] = json!(["default/default"]);
    std::fs::write(guard.policy(), open.to_string()).unwrap();
    wait::until_true(PATIENCE, "the new policy", || async {
        talk(&authority, guard.address(), &other, b"hi").await == Fate::Answered(b"HI".to_vec())
    })
    .await;
    let before = authority.shown(guard.address(), &other).await.unwrap();
    authority.server();
    wait::until_true(PATIENCE, "the renewed certificate", || async {
        authority.shown(guard.address(), &other).await.is_ok_and(|shown| shown != before)
    })
    .await;
}

#[tokio::test]
async fn at_the_end_nobody_new_is_let_in_and_who_is_inside_may_finish() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let mut guard = Guard::start(echo.address(), &authority, Some(&policy()), json!({ "drain": "3s" })).await;
    let sleep = workload(&authority, "sleep", SLEEP);
    let mut inside = authority.open(guard.address(), &sleep).await.unwrap();
    inside.write_all(b"a").await.unwrap();
    assert_eq!(inside.read_u8().await.unwrap(), b'A');
    guard.terminate();
    wait::until_true(PATIENCE, "the door to close", || async { TcpStream::connect(guard.address()).await.is_err() })
        .await;
    inside.write_all(b"b").await.unwrap();
    assert_eq!(inside.read_u8().await.unwrap(), b'B');
    let begun = Instant::now();
    assert!(guard.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(matches!(inside.read(&mut [0; 1]).await, Ok(0) | Err(_)), "it was closed at the end");
}

#[tokio::test]
async fn what_is_idle_too_long_is_closed_and_no_more_are_carried_than_may_be() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let limits = json!({ "limits": { "idle": "2s", "connections": 2 } });
    let guard = Guard::start(echo.address(), &authority, Some(&policy()), limits).await;
    let sleep = workload(&authority, "sleep", SLEEP);
    let mut inside = Vec::new();
    for _ in 0..2 {
        let mut one = authority.open(guard.address(), &sleep).await.unwrap();
        one.write_all(b"a").await.unwrap();
        assert_eq!(one.read_u8().await.unwrap(), b'A');
        inside.push(one);
    }
    assert_eq!(talk(&authority, guard.address(), &sleep, b"hi").await, Fate::Closed);
    let begun = Instant::now();
    for mut one in inside {
        assert!(matches!(tokio::time::timeout(PATIENCE, one.read(&mut [0; 1])).await, Ok(Ok(0) | Err(_))));
    }
    assert!((1..5).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(talk(&authority, guard.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
}

#[tokio::test]
async fn its_admin_listener_answers_nobody_who_came_by_another_name() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let guard = Guard::start(echo.address(), &authority, Some(&policy()), json!({})).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(guard.status_for("127.0.0.1:9912", path).await, 200, "{path}");
        assert_eq!(guard.status_for("rebound.example", path).await, 403, "{path}");
    }
}

#[tokio::test]
async fn the_brake_of_its_house_reaches_it() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let house = House::with_policy(&policy()).await;
    let more = json!({ "house": { "unix": house.socket() } });
    let guard = Guard::start(echo.address(), &authority, None, more).await;
    let (sleep, stranger) = (workload(&authority, "sleep", SLEEP), workload(&authority, "default", DEFAULT));
    let answered = Fate::Answered(b"HI".to_vec());
    wait::until_true(PATIENCE, "the policy", || async {
        talk(&authority, guard.address(), &sleep, b"hi").await == answered
    })
    .await;
    assert_eq!(talk(&authority, guard.address(), &stranger, b"hi").await, Fate::Closed);
    for (words, fate) in
        [(&["monitor", "--for", "1h", "--reason", "too strict"][..], &answered), (&["release"], &Fate::Closed)]
    {
        let mut command = Command::new(parts::house());
        let done = command.arg("mode").args(words).arg("--data").arg(house.data()).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        wait::until_true(PATIENCE, &format!("the stranger's fate after {words:?}"), || async {
            talk(&authority, guard.address(), &stranger, b"hi").await == *fate
        })
        .await;
    }
}

#[test]
fn a_check_reads_its_policies_too() {
    let folder = tempfile::tempdir().unwrap();
    let (config, policy_file) = (folder.path().join("guard.yaml"), folder.path().join("policy.yaml"));
    let written = json!({
        "fronts": [{ "name": "echo", "listen": "127.0.0.1:5432", "upstream": "127.0.0.1:5433" }],
        "tls": { "certificate": "/nowhere/tls.crt", "key": "/nowhere/tls.key", "authorities": "/nowhere/ca.crt" },
        "policies": [policy_file],
    });
    std::fs::write(&config, written.to_string()).unwrap();
    let check = || {
        let mut command = Command::new(parts::house());
        let done = command.args(["guard", "--check", "--config"]).arg(&config).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    std::fs::write(&policy_file, policy().to_string()).unwrap();
    assert_eq!(check(), (Some(0), String::new()));
    std::fs::write(&policy_file, policy().to_string().replace("serviceAccounts", "serviceAcounts")).unwrap();
    let (code, said) = check();
    assert!(code == Some(2) && said.contains("did you mean `serviceAccounts`"), "{code:?} {said}");
}
