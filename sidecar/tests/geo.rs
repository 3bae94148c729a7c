//! Countries and systems from files to every worker over real streams.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod house;

use std::fmt::Write;
use std::fs;

use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_proto::v1::table_ack;
use gatehouse_signals::geo::Table;
use house::{House, able, batch, hello, until};
use sha2::{Digest, Sha256};

const EPOCH: u64 = 0x1122_3344_5566_7788;

fn ack(chunk: &v1::TableChunk, result: table_ack::Result) -> FromGate {
    let (name, digest) = (chunk.name.clone(), chunk.digest.clone());
    FromGate::TableAck(v1::TableAck {
        name,
        digest,
        result: result.into(),
        problem: "because".into(),
        ..v1::TableAck::default()
    })
}

fn country(bytes: Vec<u8>, address: &str) -> Option<[u8; 2]> {
    Table::load(bytes).expect("the gate can load it").lookup(address.parse().unwrap()).country
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_reaches_every_worker_and_follows_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("networks.csv");
    fs::write(&file, "network,country,asn\n192.0.2.0/24,DE,64500\n").unwrap();
    let house = House::start(dir.path(), &format!("geo: {{ files: [{}] }}", file.display())).await;
    let mut gates = [house.attach(able(EPOCH, 1)).await, house.attach(able(EPOCH + 1, 1)).await];
    let mut first = Vec::new();
    for gate in &mut gates {
        gate.greeted().await;
        let (chunk, bytes) = gate.table().await;
        assert_eq!(chunk.digest, Sha256::digest(&bytes).to_vec());
        assert_eq!(country(bytes, "192.0.2.1"), Some(*b"DE"));
        gate.send(ack(&chunk, table_ack::Result::Accepted)).await;
        first = chunk.digest;
    }
    until("both workers are current", async || house.status().await["geo"]["workers_current"] == 2).await;
    let status = house.status().await;
    assert_eq!(
        (&status["geo"]["files"][0]["kind"], &status["geo"]["files"][0]["networks"]),
        (&"simple".into(), &1.into())
    );

    fs::write(&file, "network,country,asn\n192.0.2.0/24,FR,64500\n").unwrap();
    for gate in &mut gates {
        let (chunk, bytes) = gate.table().await;
        assert_eq!(country(bytes, "192.0.2.1"), Some(*b"FR"));
        gate.send(ack(&chunk, table_ack::Result::Refused)).await;
    }
    until("the refusal is shown", async || house.status().await["streams"][0]["table_refusal"] == "because").await;
    let metrics = house.admin("/metrics").await.unwrap();
    assert!(metrics.contains("\ngatehouse_geo_problems 0\n") && metrics.contains("\ngatehouse_geo_stale_files 0\n"));

    // One that has the newest is not sent it again; one that has an older one, or does not know of tables, is not forgotten.
    let state = |digest: Vec<u8>| v1::hello::TableState { name: "geo".into(), digest };
    let mut gate = house.attach(v1::Hello { tables: vec![state(first)], ..able(EPOCH + 2, 1) }).await;
    gate.greeted().await;
    let (chunk, _) = gate.table().await;
    let mut gate = house.attach(v1::Hello { tables: vec![state(chunk.digest)], ..able(EPOCH + 3, 1) }).await;
    gate.greeted().await;
    gate.brake().await;
    gate.send(FromGate::Batch(batch(EPOCH + 3, 0..1))).await;
    gate.durable(1).await;
    let mut old = house.attach(hello(EPOCH + 4, 1)).await;
    old.greeted().await;
    old.send(FromGate::Batch(batch(EPOCH + 4, 0..1))).await;
    old.durable(1).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_without_files_takes_an_old_table_away_and_one_with_broken_files_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let has = || vec![v1::hello::TableState { name: "geo".into(), digest: vec![7; 32] }];
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(v1::Hello { tables: has(), ..able(EPOCH, 1) }).await;
    gate.greeted().await;
    let (chunk, _) = gate.table().await;
    assert_eq!((chunk.total_bytes, chunk.name.as_str()), (0, "geo"));
    house.stop().await;

    let house = House::start(dir.path(), "geo: { files: [/nowhere.mmdb] }").await;
    let mut gate = house.attach(v1::Hello { tables: has(), ..able(EPOCH, 2) }).await;
    gate.greeted().await;
    gate.brake().await;
    until("the problem is shown", async || house.status().await["geo"]["problems"][0]["file"] == "/nowhere.mmdb").await;
    gate.send(FromGate::Batch(batch(EPOCH, 0..1))).await;
    gate.durable(1).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brake_does_not_wait_behind_a_large_table() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("networks.csv");
    let mut text = "network,asn\n".to_owned();
    for number in 0..300_000u32 {
        writeln!(text, "2001:{:x}:{:x}::/48,{}", number >> 15, (number & 0x7fff) * 2, number % 60_000 + 1).unwrap();
    }
    fs::write(&file, text).unwrap();
    let house = House::start(dir.path(), &format!("geo: {{ files: [{}] }}", file.display())).await;
    until("the table is built", async || house.status().await["geo"]["bytes"].as_u64() > Some(5 << 20)).await;
    let mut gate = house.attach(able(EPOCH, 1)).await;
    gate.greeted().await;
    // The gate reads nothing while the brake is set: what waits for it is full.
    let (status, body) = house.change("PUT /brake", r#"{"for": "1h", "reason": "a drill"}"#).await;
    assert_eq!(status, 200, "{body}");
    let (mut before, mut brakes) = (0, 0);
    loop {
        match gate.answer().await.unwrap().unwrap() {
            ToGate::Table(chunk) => {
                before += 1;
                if chunk.offset as usize + chunk.data.len() == chunk.total_bytes as usize {
                    break;
                }
            }
            ToGate::Brake(brake) if brake.entries.is_empty() => {}
            ToGate::Brake(_) => {
                brakes += 1;
                // What the house and the transport had handed over already, out of 26.
                assert!(before <= 20, "{before} chunks came first");
            }
            _ => {}
        }
    }
    assert_eq!(brakes, 1);
    house.stop().await;
}
