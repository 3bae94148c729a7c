//! The brake over real streams: from the admin listener, a file and the command line to every worker.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod house;

use std::fs;
use std::time::{Duration, Instant};

use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use house::{Gate, House, able, batch, hello, until};

const EPOCH: u64 = 0x1122_3344_5566_7788;

async fn attached(house: &House, epoch: u64, stream_no: u32) -> (Gate, v1::Brake) {
    let mut gate = house.attach(able(epoch, stream_no)).await;
    gate.greeted().await;
    let brake = gate.brake().await;
    (gate, brake)
}

fn scopes(brake: &v1::Brake) -> Vec<&str> {
    brake.entries.iter().map(|entry| entry.scope.as_str()).collect()
}

async fn acknowledge(gate: &mut Gate, version: u64) {
    gate.send(FromGate::BrakeAck(v1::BrakeAck { version })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reaches_every_worker_within_a_second_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gates = Vec::new();
    for epoch in 1..=8 {
        let (gate, brake) = attached(&house, epoch, 1).await;
        assert!(brake.entries.is_empty(), "{brake:?}");
        gates.push(gate);
    }
    let workers = tokio::spawn(async move {
        let begin = Instant::now();
        for gate in &mut gates {
            let brake = gate.brake().await;
            assert_eq!(scopes(&brake), ["acme/retail"]);
            assert!((3_590_000..=3_600_000).contains(&brake.entries[0].ttl_ms), "{brake:?}");
            acknowledge(gate, brake.version).await;
        }
        (gates, begin.elapsed())
    });
    let order = r#"{"scope": "acme/retail", "for": "1h", "reason": "a drill"}"#;
    let (status, body) = house.change("PUT /brake", order).await;
    assert_eq!(status, 200, "{body}");
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&said["workers"], &said["workers_current"], &said["kept"]), (&8.into(), &8.into(), &true.into()));
    let (mut gates, took) = workers.await.unwrap();
    assert!(took < Duration::from_secs(1), "{took:?}");

    let status = house.status().await;
    assert_eq!(status["brake"]["active"], true);
    assert_eq!(status["brake"]["holding"][0]["reason"], "a drill");
    assert_eq!(status["brake"]["holding"][0]["by"]["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(status["streams"][0]["brake"], said["version"]);
    assert!(house.admin("/metrics").await.unwrap().contains("\ngatehouse_house_brake_active 1\n"));

    let (status, body) = house.change("DELETE /brake?scope=acme/retail", "").await;
    assert!(status == 200 && body.contains(r#""released":["acme/retail"]"#), "{body}");
    for gate in &mut gates {
        assert!(gate.brake().await.entries.is_empty());
    }
    assert!(house.admin("/metrics").await.unwrap().contains("\ngatehouse_house_brake_active 0\n"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_a_restart_of_the_house_and_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    house.change("PUT /brake", r#"{"for": "10m", "reason": "a drill"}"#).await;
    let (_gate, first) = attached(&house, EPOCH, 1).await;
    house.stop().await;
    let house = House::start(dir.path(), "").await;
    let (_gate, second) = attached(&house, EPOCH, 2).await;
    assert_eq!((scopes(&first), scopes(&second)), (vec![""], vec![""]));
    assert!(second.entries[0].ttl_ms <= first.entries[0].ttl_ms && second.entries[0].ttl_ms > 500_000, "{second:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_brakes_while_it_stands_there() {
    let dir = tempfile::tempdir().unwrap();
    let policies = dir.path().join("policies");
    fs::create_dir(&policies).unwrap();
    let house = House::start(dir.path(), &format!("policies: {{ folder: {} }}", policies.display())).await;
    let (mut gate, _) = attached(&house, EPOCH, 1).await;
    for file in [dir.path().join("brake"), policies.join("brake")] {
        let begin = Instant::now();
        fs::write(&file, "").unwrap();
        let brake = gate.brake().await;
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        assert_eq!(scopes(&brake), [""]);
        fs::remove_file(&file).unwrap();
        assert!(gate.brake().await.entries.is_empty());
    }
    // What cannot be understood is shown where an operator looks.
    fs::write(dir.path().join("brake"), "scope: Acme").unwrap();
    until("the problem is shown", async || {
        let status = house.status().await;
        status["brake"]["files"][0]["problem"].as_str().is_some_and(|problem| problem.contains("`Acme` is no scope"))
    })
    .await;
    assert_eq!(house.status().await["brake"]["active"], false);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_does_not_know_of_brakes_is_sent_none_and_is_counted_as_not_braked() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut old = house.attach(hello(EPOCH, 1)).await;
    old.greeted().await;
    let (_, body) = house.change("PUT /brake", r#"{"for": "1h", "reason": "a drill"}"#).await;
    assert!(body.contains(r#""workers":1,"workers_current":0"#), "{body}");
    old.send(FromGate::Batch(batch(EPOCH, 0..3))).await;
    old.durable(3).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_with_every_problem() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let (status, body) = house.change("PUT /brake", r#"{"for": "8d", "scope": "Acme"}"#).await;
    assert_eq!(status, 400);
    for words in ["has no `reason`", "`for` is out of range", "`Acme` is no scope"] {
        assert!(body.contains(words), "{words}: {body}");
    }
    assert_eq!(house.change("PUT /brake", "stop!").await.0, 400);
    assert_eq!(house.change("DELETE /brake?all", "").await.0, 400);
    assert_eq!(house.status().await["brake"]["active"], false);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_no_document_has_is_braked_and_said_to_be_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let policies = dir.path().join("policies");
    fs::create_dir(&policies).unwrap();
    let document = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop, scope: acme/retail/shop }\nspec: { hosts: [shop.example.com] }\n";
    fs::write(policies.join("shop.yaml"), document).unwrap();
    let house = House::start(dir.path(), &format!("policies: {{ folder: {} }}", policies.display())).await;
    for (scope, warned) in
        [("acme/retail", false), ("acme/retail/shop", false), ("acme/ret", true), ("acme/retail/shop/x", true)]
    {
        let order = format!(r#"{{"scope": "{scope}", "for": "1h", "reason": "a drill"}}"#);
        let (status, body) = house.change("PUT /brake", &order).await;
        assert_eq!((status, body.contains("no document of the policy in force")), (200, warned), "{scope}: {body}");
    }
    house.stop().await;
}
