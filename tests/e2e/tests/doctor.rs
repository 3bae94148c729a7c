//! `gatehouse doctor` before real Envoys: nothing is wrong with what we ship, and each fault is named with what to type next.

use std::process::Command;
use std::time::Duration;

use gatehouse_e2e::callers::{self, Fate, SLEEP, talk, workload};
use gatehouse_e2e::{HOST, policy, shipped};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::tls::Authority;
use gatehouse_support::{Echo, Envoy, House, TcpGateway, Upstream, parts, ports, wait};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// The shipped gateway, spoiled.
async fn spoiled(house: &House, upstream: &Upstream, spoil: &[(&str, &str)]) -> Envoy {
    let port = ports::free();
    let mut text = shipped::beside(port, upstream, house);
    for (from, to) in spoil {
        assert!(text.contains(from), "`{from}` in the shipped file");
        text = text.replace(from, to);
    }
    Envoy::start_with(Launcher::FuncE, &text, port).await
}

/// Exit code, and the findings by check.
fn doctor(arguments: &[&str]) -> (i32, Vec<Value>) {
    let done = Command::new(parts::house()).args(["doctor", "--json"]).args(arguments).output().expect("gatehouse");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let report: Value = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&done.stderr)));
    (done.status.code().expect("it ends"), report["findings"].as_array().expect("findings").clone())
}

/// The checks that are wrong.
fn wrong(findings: &[Value]) -> Vec<&str> {
    let wrong = findings.iter().filter(|finding| finding["state"] == "wrong");
    wrong.map(|finding| finding["check"].as_str().expect("a check")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_ship_is_healthy_and_each_fault_is_named() {
    let rules = json!([{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }]);
    let (mut house, upstream) = (House::with_policy(&policy("enforce", rules)).await, Upstream::start().await);
    let envoy = spoiled(&house, &upstream, &[]).await;
    wait::until_true(PATIENCE, "the policy to be in force", || async {
        let asked = request("GET", "/admin/x", &[("host", HOST)], b"");
        exchange(envoy.address(), &asked).await.is_ok_and(|reply| reply.status == 403)
    })
    .await;
    let admin = format!("http://{}", envoy.admin());
    let address = std::fs::read_to_string(house.data().join("admin.address")).expect("an address");
    let at_home = format!("http://{}", address.trim());
    let (code, findings) = wait::until(PATIENCE, "a healthy gateway", || async {
        let said = doctor(&["--envoy", &admin, "--house", &at_home]);
        (said.0 == 0).then_some(said)
    })
    .await;
    assert_eq!((code, wrong(&findings)), (0, Vec::new()));
    assert!(findings.iter().all(|finding| finding["state"] == "ok"), "{findings:#?}");

    // The dump as a file says what can be said without a running Envoy.
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), envoy.page("/config_dump?include_eds=off").await).expect("a file");
    assert_eq!(doctor(&["--config-dump", file.path().to_str().expect("UTF-8")]).0, 0);

    house.stop().await;
    let (code, findings) = wait::until(PATIENCE, "the stream's end to be noticed", || async {
        let said = doctor(&["--envoy", &admin, "--house", &at_home]);
        (wrong(&said.1).len() == 2).then_some(said)
    })
    .await;
    assert_eq!((code, wrong(&findings)), (1, vec!["stream to the house", "house"]));
    envoy.stop().await;
    house.run().await;

    let faults: [(&str, (&str, &str)); 5] = [
        ("after a trap", ("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_CLOSED")),
        ("direct peer", ("object_key: gatehouse.peer", "object_key: gatehouse.other")),
        ("house's cluster", ("\"cluster\": \"gatehouse\"", "\"cluster\": \"elsewhere\"")),
        ("house's cluster", ("connection_keepalive: { interval: 5s, timeout: 2s }", "max_concurrent_streams: 100")),
        ("gate", ("root_id: gatehouse", "root_id: another")),
    ];
    for (check, spoil) in faults {
        let envoy = spoiled(&house, &upstream, &[spoil]).await;
        let (code, findings) = doctor(&["--envoy", &format!("http://{}", envoy.admin())]);
        let named = findings.iter().find(|finding| finding["check"] == check).expect("the check");
        assert_eq!((code, &named["state"]), (1, &json!("wrong")), "{check}: {findings:#?}");
        assert!(named["next"].as_str().is_some_and(|next| next.len() > 10), "{named}");
        envoy.stop().await;
    }
}

#[test]
fn nobody_at_home_is_said_with_its_address() {
    let port = ports::free();
    let done = Command::new(parts::house())
        .args(["doctor", "--envoy", &format!("http://127.0.0.1:{port}")])
        .output()
        .expect("gatehouse");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1));
    assert!(said.contains(&format!("nobody answers at `127.0.0.1:{port}`")), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_cannot_wait_before_a_tcp_service_is_found() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    for (early, state) in [(true, "ok"), (false, "wrong")] {
        let mut gateway =
            TcpGateway::new(echo.address(), authority.listener(true), json!({ "policy": callers::policy() }));
        gateway.early = early;
        let envoy = gateway.start().await;
        let (_, findings) = doctor(&["--envoy", &format!("http://{}", envoy.admin())]);
        let named = findings.iter().find(|finding| finding["check"] == "connections").expect("the check");
        assert_eq!(named["state"], state, "{findings:#?}");
        // It is right: whoever may come in cannot, for nobody reads what would prove who it is.
        let sleep = workload(&authority, "sleep", SLEEP);
        let served = talk(&authority, envoy.address(), &sleep, b"hi").await == Fate::Answered(b"HI".to_vec());
        assert_eq!(served, early);
    }
}
