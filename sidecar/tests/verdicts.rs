//! Verdicts over real streams: from the command line to every worker, over restarts, and when a gate has another version.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod house;
#[expect(dead_code, reason = "not every helper is wanted here")]
mod process;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gatehouse_proto::subject::Subject;
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use house::{Gate, House, able, until};
use process::{output, text};

const EPOCH: u64 = 0x1122_3344_5566_7788;
const ADD: &str =
    r#"{"list":"banned","subjects":[{"address":"192.0.2.7"},{"asn":64500}],"for":"1h","reason":"a drill"}"#;

async fn attached(house: &House, epoch: u64, stream_no: u32) -> Gate {
    let mut gate = house.attach(able(epoch, stream_no)).await;
    gate.greeted().await;
    gate
}

fn subjects(delta: &v1::ListDelta) -> Vec<String> {
    delta.add.iter().map(|entry| Subject::read(&entry.key).unwrap().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_reaches_every_worker_within_a_second_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gates = Vec::new();
    for epoch in 1..=6 {
        gates.push(attached(&house, epoch, 1).await);
    }
    let workers = tokio::spawn(async move {
        let begin = Instant::now();
        for gate in &mut gates {
            let delta = gate.list().await;
            assert_eq!((delta.list.as_str(), delta.reset, delta.partial), ("banned", true, false));
            assert_eq!(subjects(&delta), ["address 192.0.2.7", "asn 64500"]);
            assert!((3_590_000..=3_600_000).contains(&delta.add[0].ttl_ms));
        }
        (gates, begin.elapsed())
    });
    let (status, body) = house.change("PUT /verdicts", ADD).await;
    assert!(status == 200 && body.contains(r#""kept":true,"workers":6,"workers_current":6"#), "{body}");
    let (mut gates, took) = workers.await.unwrap();
    assert!(took < Duration::from_secs(1), "{took:?}");

    let (status, body) =
        house.change("PUT /verdicts/remove", r#"{"list":"banned","subjects":[{"asn":64500},{"asn":1}]}"#).await;
    assert!(status == 200 && body.contains(r#""removed":1"#), "{body}");
    for gate in &mut gates {
        let delta = gate.list().await;
        assert_eq!((delta.reset, delta.add.len(), delta.remove), (false, 0, vec![Subject::Asn(64500).key()]));
    }
    let status = house.status().await;
    assert_eq!((&status["lists"][0]["name"], &status["lists"][0]["entries"]), (&"banned".into(), &1.into()));
    let metrics = house.admin("/metrics").await.unwrap();
    assert!(metrics.contains("\ngatehouse_verdict_entries 1\n"), "{metrics}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_stream_is_sent_every_list_anew_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    house.change("PUT /verdicts", ADD).await;
    let first = attached(&house, EPOCH, 1).await.list().await;
    house.stop().await;
    let house = House::start(dir.path(), "").await;
    // A gate that has a list which is no more is told so.
    let hello = v1::Hello { lists: vec!["banned".into(), "forgotten".into()], ..able(EPOCH, 2) };
    let mut gate = house.attach(hello).await;
    gate.greeted().await;
    let second = gate.list().await;
    assert_eq!((second.reset, subjects(&second)), (true, subjects(&first)));
    assert!(second.add[0].ttl_ms <= first.add[0].ttl_ms && second.version >= first.version);
    let gone = gate.list().await;
    assert_eq!((gone.list.as_str(), gone.reset, gone.add.len()), ("forgotten", true, 0));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_waits_for_answers_and_a_gate_with_another_version_is_sent_it_anew() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    for part in 0..12u32 {
        let all: Vec<_> = (0..4096u32)
            .map(|n| serde_json::json!({ "address": std::net::Ipv4Addr::from((part << 16) + n + (10 << 24)) }))
            .collect();
        let body = serde_json::json!({ "list": "banned", "subjects": all, "for": "1h", "reason": "a drill" });
        assert_eq!(house.change("PUT /verdicts", &body.to_string()).await.0, 200);
    }
    let mut gate = attached(&house, EPOCH, 1).await;
    let mut keys = BTreeSet::new();
    let mut unanswered = Vec::new();
    let mut last = false;
    while !last {
        if let ToGate::List(delta) = gate.answer().await.unwrap().unwrap() {
            last = !delta.partial;
            keys.extend(delta.add.into_iter().map(|entry| entry.key));
            unanswered.push(v1::ListAck { list: delta.list, version: delta.version, refused: 0 });
            if unanswered.len() == 8 {
                // No more comes before one is answered: the brake does not wait for that.
                house.change("PUT /brake", r#"{"for": "1h", "reason": "a drill"}"#).await;
                loop {
                    match gate.answer().await.unwrap().unwrap() {
                        ToGate::Brake(brake) if !brake.entries.is_empty() => break,
                        ToGate::List(_) => panic!("a ninth"),
                        _ => {}
                    }
                }
                for ack in unanswered.drain(..) {
                    gate.send(FromGate::ListAck(ack)).await;
                }
            }
        }
    }
    assert_eq!(keys.len(), 12 * 4096);
    for ack in unanswered {
        gate.send(FromGate::ListAck(ack)).await;
    }
    until("the worker is current", async || house.status().await["lists"][0]["workers_current"] == 1).await;

    house.change("PUT /verdicts", ADD).await;
    let delta = loop {
        if let ToGate::List(delta) = gate.answer().await.unwrap().unwrap() {
            break delta;
        }
    };
    assert!(!delta.reset);
    gate.send(FromGate::ListAck(v1::ListAck { list: "banned".into(), version: 3, refused: 2 })).await;
    assert!(gate.list().await.reset, "sent anew");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let (status, body) =
        house.change("PUT /verdicts", r#"{"list":"banned","subjects":[{"header":"x"}],"for":"1h"}"#).await;
    assert_eq!(status, 400);
    assert!(body.contains("unknown field `header`") && body.contains("has no `reason`"), "{body}");
    assert_eq!(house.change("PUT /verdicts/remove", r#"{"list":"banned"}"#).await.0, 400);
    for number in 0..9 {
        let order = ADD.replace("banned", &format!("list-{number}"));
        let (status, body) = house.change("PUT /verdicts", &order).await;
        assert_eq!(status, if number < 8 { 200 } else { 409 }, "{body}");
    }
    house.stop().await;
}

#[test]
fn the_command_line_adds_shows_and_removes() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let (code, _, said) = output(&["verdict", "list", "--data", data]);
    assert!(code == 1 && said.contains("no house answers"), "{said}");
    let _house = process::House::start(dir.path(), &[]);
    let verdict = |arguments: &[&str]| output(&[&["verdict"], arguments, &["--data", data]].concat());
    assert_eq!(verdict(&["list"]).1, "there are no verdicts\n");
    let (code, said, _) = verdict(&[
        "add",
        "--list",
        "banned",
        "--address",
        "192.0.2.7",
        "--asn",
        "64500",
        "--for",
        "1h",
        "--reason",
        "scraping",
    ]);
    assert_eq!((code, said.as_str()), (0, "2 subject(s) on `banned` for 1h\nin force in 0 of 0 worker(s)\n"));
    assert_eq!(verdict(&["list"]).1, "`banned`: 2, in force in 0 of 0 worker(s)\n");
    let (_, said, _) = verdict(&["list", "--list", "banned"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("address 192.0.2.7 until 2") && lines[0].ends_with(": scraping"), "{said}");
    assert_eq!(lines[2], "2 on `banned`");
    assert_eq!(
        verdict(&["remove", "--list", "banned", "--asn", "AS64500"]).1.lines().next(),
        Some("1 subject(s) taken off `banned`")
    );
    assert_eq!(
        verdict(&["remove", "--list", "banned", "--all"]).1.lines().next(),
        Some("1 subject(s) taken off `banned`")
    );
    let (code, said, _) = verdict(&["list", "--list", "banned", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &shown["total"]), (0, &0.into()));
    for (arguments, code, words) in [
        (&["remove", "--list", "banned"][..], 2, "nobody is named"),
        (&["add", "--list", "banned", "--for", "1h", "--reason", "x"], 2, "nobody is named"),
        (&["add", "--list", "banned", "--address", "x", "--for", "1h", "--reason", "x"], 1, "`x` is no address"),
        (&["add", "--list", "banned", "--address", "192.0.2.7", "--for", "1h"], 2, "--reason"),
    ] {
        let (was, _, said) = verdict(arguments);
        assert!(was == code && said.contains(words), "{arguments:?}: {was} {said}");
    }
}
