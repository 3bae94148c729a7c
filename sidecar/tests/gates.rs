//! The house as gates see it: the library's `run` on a temporary folder and a Unix socket, driven by the generated client.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod house;

use std::collections::BTreeSet;
use std::fs;

use gatehouse::run::RunError;
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_proto::v1::policy_ack;
use house::{Gate, House, batch, events, hello, http, record, until};
use tonic::Code;

const EPOCH: u64 = 0x1122_3344_5566_7788;

const POLICY: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example.com]\n  \
                      mode: enforce\n  rules:\n    - name: admin\n      match: { path: /admin }\n      then: block\n";

fn ids(events: &[serde_json::Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["metadata"]["uid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_acknowledged_stored_and_delivered_and_the_books_balance() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    let (welcome, credit) = gate.greeted().await;
    assert_eq!((welcome.protocol, welcome.hash_key.len()), (1, 16));
    assert_ne!(welcome.hash_key_id, 0);
    assert_eq!(credit.durable_seq, 0);

    gate.send(FromGate::Batch(batch(EPOCH, 0..10))).await;
    let credit = gate.durable(10).await;
    assert!(credit.window_bytes >= 65536, "{credit:?}");
    until("ten events are delivered", async || house.events().len() == 10).await;

    let status = house.status().await;
    let epoch = &status["books"]["epochs"][0];
    assert_eq!((epoch["seen"].as_u64(), epoch["stored"].as_u64()), (Some(10), Some(10)), "{status:#}");
    assert_eq!(status["books"]["total"]["difference"], 0);
    assert_eq!(status["streams"][0]["node"], "envoy-1");
    until("the sink's cursor is written", async || house.status().await["sinks"][0]["delivered"] == 10).await;
    assert_eq!(house.status().await["sinks"][0]["difference"], 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_after_a_reconnect_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH, 0..5))).await;
    gate.durable(5).await;
    drop(gate);

    // As if the acknowledgement had been lost: everything again, and two more in the same batch.
    let mut gate = house.attach(v1::Hello { next_seq: 7, ..hello(EPOCH, 2) }).await;
    assert_eq!(gate.greeted().await.1.durable_seq, 5);
    gate.send(FromGate::Batch(batch(EPOCH, 0..7))).await;
    gate.durable(7).await;
    until("seven events are delivered", async || house.events().len() >= 7).await;
    house.stop().await;
    let events = events(dir.path());
    assert_eq!((events.len(), ids(&events).len()), (7, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_stream_of_a_worker_is_fenced_and_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut old = house.attach(hello(EPOCH, 1)).await;
    old.greeted().await;
    let mut new = house.attach(hello(EPOCH, 2)).await;
    new.greeted().await;
    assert_eq!(old.end().await.0.unwrap_err().code(), Code::Aborted);
    new.send(FromGate::Batch(batch(EPOCH, 0..1))).await;
    new.durable(1).await;
    assert_eq!(house.status().await["streams"].as_array().unwrap().len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_what_was_acknowledged_is_there_and_is_not_taken_twice() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    let (first, _) = gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH, 0..5))).await;
    gate.durable(5).await;
    house.stop().await;
    let (end, credit) = gate.end().await;
    end.unwrap();
    assert_eq!(credit.unwrap().window_bytes, 0, "a house that stops takes its credit back");

    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(v1::Hello { next_seq: 6, ..hello(EPOCH, 2) }).await;
    let (second, credit) = gate.greeted().await;
    assert_eq!(credit.durable_seq, 5);
    assert_eq!((first.hash_key_id, first.hash_key), (second.hash_key_id, second.hash_key));
    gate.send(FromGate::Batch(batch(EPOCH, 3..6))).await;
    gate.durable(6).await;
    until("six events are delivered", async || house.events().len() >= 6).await;
    assert_eq!(house.status().await["books"]["total"]["stored"], 6);
    house.stop().await;
    assert_eq!(events(dir.path()).len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_drains_what_was_taken_in() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    for n in 0..20 {
        gate.send(FromGate::Batch(batch(EPOCH, n * 10..(n + 1) * 10))).await;
    }
    gate.durable(1).await;
    house.stop().await;
    let (end, credit) = gate.end().await;
    end.unwrap();
    let acknowledged = credit.unwrap().durable_seq;
    let delivered = events(dir.path());
    assert!(delivered.len() as u64 >= acknowledged, "{} delivered, {acknowledged} acknowledged", delivered.len());
    assert_eq!(ids(&delivered).len(), delivered.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_leaves_says_what_it_held_and_a_house_that_stops_what_stays_on_its_volume() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing can be written into a folder, so all that is stored stays.
    fs::create_dir(dir.path().join("events.ndjson")).unwrap();
    let house = House::start(dir.path(), "").await;
    let mut leaving = house.attach(hello(EPOCH, 1)).await;
    leaving.greeted().await;
    leaving.send(FromGate::Batch(batch(EPOCH, 0..2))).await;
    leaving.durable(2).await;
    let counters = Some(v1::Counters { seen: 5, ..v1::Counters::default() });
    let bye = v1::Bye { epoch: EPOCH, next_seq: 5, counters, held_records: Some(3), unsent_records: Some(2) };
    leaving.send(FromGate::Bye(bye)).await;
    leaving.leave().await;
    until("the gate to be gone", async || house.status().await["books"]["epochs"][0]["open"] == false).await;
    let epoch = house.status().await["books"]["epochs"][0].clone();
    let said = ["held", "unsent", "unknown_tail"].map(|word| epoch[word].as_u64());
    assert_eq!((&epoch["bye"], said), (&true.into(), [Some(3), Some(2), Some(3)]), "{epoch}");

    let features = vec![v1::hello::Feature::Farewell.into()];
    let mut gate = house.attach(v1::Hello { features, ..hello(EPOCH + 1, 1) }).await;
    gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH + 1, 0..3))).await;
    gate.durable(3).await;
    house.stop().await;
    let mut last = None;
    while let Some(answer) = gate.answer().await.unwrap() {
        last = Some(answer);
    }
    let Some(ToGate::Farewell(farewell)) = last else { panic!("a farewell comes last: {last:?}") };
    let pending: Vec<_> = farewell.pending.iter().map(|one| (one.sink.as_str(), one.records)).collect();
    assert_eq!(pending, [("events", 5)]);
    assert!(farewell.pending[0].bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_are_booked_by_reason_and_shown_downstream() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    let loss = v1::Loss { first_seq: 1, count: 3, reason: v1::loss::Reason::RingFull.into() };
    let mut message = batch(EPOCH, 0..1);
    message.losses = vec![loss];
    message.records.push(prost::Message::encode_to_vec(&record(EPOCH, 4)));
    message.counters = Some(v1::Counters { seen: 5, dropped_ring_full: 3, ..v1::Counters::default() });
    gate.send(FromGate::Batch(message)).await;
    gate.durable(5).await;
    let total = house.status().await["books"]["total"].clone();
    assert_eq!((total["seen"].as_u64(), total["stored"].as_u64()), (Some(5), Some(2)));
    assert_eq!((total["dropped"]["ring_full"].as_u64(), total["difference"].as_i64()), (Some(3), Some(0)));
    until("two records and a loss are delivered", async || house.events().len() == 3).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gate_counts_beside_its_records_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    let mut unknown_fields = vec![0; 8];
    unknown_fields[v1::counters::Field::Country as usize] = 7;
    let counters = v1::Counters {
        seen: 1,
        evictions: 2,
        shared_fallbacks: 3,
        delayed: 4,
        not_delayed: 5,
        rollbacks: 6,
        unknown_fields,
        ..v1::Counters::default()
    };
    gate.send(FromGate::Batch(v1::Batch { counters: Some(counters), ..batch(EPOCH, 0..1) })).await;
    gate.durable(1).await;
    let status = house.status().await;
    let expected = serde_json::json!({ "evictions": 2, "shared_fallbacks": 3, "delayed": 4, "not_delayed": 5, "rollbacks": 6,
                                       "unknown_fields": { "country": 7 } });
    assert_eq!((&status["books"]["gates"], &status["books"]["epochs"][0]["gate"]), (&expected, &expected));
    let metrics = house.admin("/metrics").await.unwrap();
    for line in [
        "gatehouse_gate_evicted_counts_total 2",
        "gatehouse_gate_shared_fallbacks_total 3",
        "gatehouse_gate_delayed_requests_total 4",
        "gatehouse_gate_not_delayed_requests_total 5",
        "gatehouse_gate_rolled_back_rules_total 6",
        "gatehouse_gate_unknown_fields_total{field=\"country\"} 7",
        "gatehouse_gate_unknown_fields_total{field=\"other\"} 0",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}: {metrics}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_reaches_every_worker_and_a_broken_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("policies");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("shop.yaml"), POLICY).unwrap();
    let more = format!("policies: {{ folder: {}, every: 50ms }}", folder.display());
    let house = House::start(dir.path(), &more).await;
    let mut gates = [house.attach(hello(EPOCH, 1)).await, house.attach(hello(EPOCH + 1, 1)).await];
    let mut first = Vec::new();
    for gate in &mut gates {
        gate.greeted().await;
        let (chunk, image) = gate.policy().await;
        gatehouse_policy::Policy::load(image, chunk.revision).expect("the gate can load it");
        gate.send(FromGate::PolicyAck(ack(&chunk, policy_ack::Result::Accepted))).await;
        first = chunk.digest;
    }
    until("both workers are current", async || house.status().await["policy"]["workers_current"] == 2).await;
    assert_eq!(house.status().await["policy"]["files"][0], "shop.yaml");
    // The text stays for whoever asks why, long after the folder has changed.
    let mut decided = record(EPOCH, 0);
    let judgement = v1::Judgement {
        reference: "7Q2KM4XJ0T9RB3ZC".into(),
        policy_digest: first.clone(),
        ..v1::Judgement::default()
    };
    decided.judgement = Some(judgement);
    let records = vec![prost::Message::encode_to_vec(&decided)];
    gates[0].send(FromGate::Batch(v1::Batch { records, ..batch(EPOCH, 0..1) })).await;
    let mut explained = String::new();
    until("the request is explained", async || {
        explained = house.admin("/explain/7Q2KM4XJ0T9RB3ZC").await.unwrap();
        explained.contains("shop.yaml")
    })
    .await;
    let explained: serde_json::Value = serde_json::from_str(&explained).unwrap();
    assert_eq!(explained["policy"]["documents"][0]["text"], POLICY);

    fs::write(folder.join("shop.yaml"), POLICY.replace("then: block", "then: blok")).unwrap();
    until("the problem is told", async || {
        let status = house.status().await;
        status["policy"]["problems"][0]["place"].as_str().is_some_and(|place| place.starts_with("shop.yaml:10:"))
    })
    .await;
    let status = house.status().await;
    assert_eq!(
        (status["policy"]["revision"].as_u64(), status["policy"]["workers_current"].as_u64()),
        (Some(1), Some(2))
    );
    assert!(house.admin("/metrics").await.unwrap().contains("\ngatehouse_policy_failed_changes_total 1\n"));

    fs::write(folder.join("shop.yaml"), POLICY.replace("/admin", "/internal")).unwrap();
    for gate in &mut gates {
        let (chunk, _) = gate.policy().await;
        assert_eq!(chunk.revision, 2);
        assert_ne!(chunk.digest, first);
        gate.send(FromGate::PolicyAck(ack(&chunk, policy_ack::Result::Refused))).await;
    }
    until("the refusal is shown", async || house.status().await["streams"][1]["refusal"]["revision"] == 2).await;
    assert_eq!(house.status().await["policy"]["problems"].as_array().unwrap().len(), 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_broken_folder_serves_the_last_good_policy() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("policies");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("shop.yaml"), POLICY).unwrap();
    let more = format!("policies: {{ folder: {}, every: 50ms }}", folder.display());
    House::start(dir.path(), &more).await.stop().await;

    fs::write(folder.join("shop.yaml"), "kind: Nonsense").unwrap();
    let house = House::start(dir.path(), &more).await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    let (chunk, _) = gate.policy().await;
    assert_eq!(chunk.revision, 1);
    assert!(!house.status().await["policy"]["problems"].as_array().unwrap().is_empty());

    // A gate that has it already is not sent it again: the next thing it hears of is its batch.
    let known = v1::Hello { policy_revision: 1, policy_digest: chunk.digest, ..hello(EPOCH + 1, 1) };
    let mut gate = house.attach(known).await;
    gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH + 1, 0..1))).await;
    gate.durable(1).await;
    fs::write(folder.join("shop.yaml"), POLICY.replace("/admin", "/x")).unwrap();
    assert_eq!(gate.policy().await.0.revision, 2, "the number grows over restarts");
    house.stop().await;
}

fn ack(chunk: &v1::PolicyChunk, result: policy_ack::Result) -> v1::PolicyAck {
    let (revision, digest) = (chunk.revision, chunk.digest.clone());
    v1::PolicyAck { revision, digest, result: result.into(), problem: "because".into(), ..v1::PolicyAck::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_gates_get_a_clean_answer_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let gap = FromGate::Batch(batch(EPOCH, 5..6));
    let huge = v1::Hello { node: "x".repeat(1 << 20), ..hello(EPOCH, 1) };
    let cases: Vec<(&str, v1::Hello, Option<FromGate>, Code)> = vec![
        ("protocol", v1::Hello { protocol: 0, ..hello(EPOCH, 1) }, None, Code::FailedPrecondition),
        ("no_epoch", hello(0, 1), None, Code::InvalidArgument),
        ("bad_batch", hello(EPOCH, 1), Some(gap), Code::InvalidArgument),
        ("not_newer", hello(EPOCH, 1), None, Code::FailedPrecondition),
        ("second_hello", hello(EPOCH, 2), Some(FromGate::Hello(hello(EPOCH, 3))), Code::FailedPrecondition),
        ("garbage", huge, None, Code::InvalidArgument),
    ];
    for (reason, hello, message, code) in cases {
        let mut gate = house.attach(hello).await;
        if let Some(message) = message {
            gate.send(message).await;
        }
        let status = gate.end().await.0.unwrap_err();
        assert_eq!(status.code(), code, "{reason}: {status}");
        let line = format!("gatehouse_intake_refused_streams_total{{reason=\"{reason}\"}} 1");
        until(&line, async || house.admin("/metrics").await.unwrap().contains(&line)).await;
    }
    let mut gate = house.attach(hello(EPOCH + 1, 1)).await;
    gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH + 1, 0..3))).await;
    gate.durable(3).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_end_their_stream_only() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let socket = dir.path().join("house.sock");
    let mut good = house.attach(hello(EPOCH, 1)).await;
    good.greeted().await;
    // Not even HTTP/2.
    for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0\0"] {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut peer = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let _ = peer.write_all(noise).await;
        peer.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest).await;
    }
    good.send(FromGate::Batch(batch(EPOCH, 0..2))).await;
    good.durable(2).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_shrink_as_streams_come_and_their_sum_stays_within_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "spool: { size: 8MiB, segment: 1MiB }").await;
    let mut gates: Vec<Gate> = Vec::new();
    for epoch in 1..=100 {
        let mut gate = house.attach(hello(epoch, 1)).await;
        gate.greeted().await;
        gates.push(gate);
    }
    let status = house.status().await;
    let windows: u64 = status["streams"].as_array().unwrap().iter().map(|s| s["window_bytes"].as_u64().unwrap()).sum();
    assert!(
        windows > 0 && windows <= status["spool"]["free_bytes"].as_u64().unwrap(),
        "{windows}: {}",
        status["spool"]
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_takes_credit_back_and_gives_it_again_when_the_sink_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("blocked");
    // A file where the sink needs a folder.
    fs::write(&blocked, "").unwrap();
    let path = blocked.join("events.ndjson");
    let more = format!(
        "spool: {{ size: 4MiB, segment: 1MiB }}\nsinks: {{ events: {{ file: {{ path: {} }} }} }}",
        path.display()
    );
    let house = House::start(dir.path(), &more).await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    let mut credit = gate.greeted().await.1;
    let mut next = 0;
    loop {
        while credit.window_bytes == 0 && next == 0 {
            credit = gate.credit().await;
        }
        if credit.window_bytes == 0 {
            break;
        }
        gate.send(FromGate::Batch(batch(EPOCH, next..next + 500))).await;
        next += 500;
        credit = gate.durable(next).await;
        assert!(next < 1_000_000, "credit never ends");
    }
    let status = house.status().await;
    assert_eq!(status["books"]["total"]["stored"].as_u64(), Some(next), "{status:#}");
    assert_eq!(
        (status["sinks"][0]["pending"].as_u64(), status["sinks"][0]["delivered"].as_u64()),
        (Some(next), Some(0))
    );
    assert!(status["sinks"][0]["problem"].is_string());

    fs::remove_file(&blocked).unwrap();
    fs::create_dir(&blocked).unwrap();
    while gate.credit().await.window_bytes == 0 {}
    gate.send(FromGate::Batch(batch(EPOCH, next..next + 500))).await;
    gate.durable(next + 500).await;
    until("everything is delivered", async || house.status().await["sinks"][0]["pending"] == 0).await;
    house.stop().await;
    let lines = fs::read_to_string(&path).unwrap().lines().count() as u64;
    assert_eq!(lines, next + 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_is_served_if_asked_for_and_then_no_socket() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "listen: { tcp: \"127.0.0.1:0\" }").await;
    assert!(!dir.path().join("house.sock").exists());
    let address = fs::read_to_string(dir.path().join("intake.address")).unwrap();
    let mut gate = Gate::attach_to(&format!("http://{}", address.trim()), hello(EPOCH, 1)).await;
    gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH, 0..1))).await;
    gate.durable(1).await;
    house.stop().await;
    assert!(!dir.path().join("intake.address").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_house_on_the_same_data_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let error = House::spawn(dir.path(), "").end().await.unwrap_err();
    assert!(matches!(error, RunError::Data(_)), "{error}");
    assert!(error.to_string().contains("another house"), "{error}");
    assert!(house.admin("/readyz").await.is_some());
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_answers_to_loopback_names_only() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let ask = async |line: &str, host: &str| {
        http(address.trim(), &format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await.unwrap()
    };
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:5", "127.1.2.3"] {
        assert_eq!(ask("GET /healthz", host).await, (200, "ok\n".into()), "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "192.0.2.1", "127.0.0.1.evil.example", ""] {
        assert_eq!(ask("GET /status", host).await.0, 403, "{host}");
    }
    let metrics = ask("GET /metrics", "localhost").await.1;
    assert!(metrics.contains("# EOF") && metrics.contains("gatehouse_books_seen_records 0"), "{metrics}");
    let (code, text) = ask("PUT /log?level=loud", "localhost").await;
    assert!(code == 400 && text.contains("`loud` is no level"), "{text}");
    assert_eq!(ask("POST /log?level=debug", "localhost").await.0, 405);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_shows_the_hash_key() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    let (welcome, _) = gate.greeted().await;
    gate.send(FromGate::Batch(batch(EPOCH, 0..1))).await;
    gate.durable(1).await;
    let key: String = welcome.hash_key.iter().map(|byte| format!("{byte:02x}")).collect();
    for page in ["/status", "/metrics"] {
        assert!(!house.admin(page).await.unwrap().contains(&key));
    }
    house.stop().await;
    let kept = fs::read_to_string(dir.path().join("hash.key")).unwrap();
    assert!(kept.contains(&key));
}
