//! Rolling out a policy over real streams: counts by rule, rollbacks, differences, and what the sinks are told of it.
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

use std::fs;

use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use house::{Gate, House, able, batch, record, until};
use process::{output, text};
use serde_json::Value;

const EPOCH: u64 = 0x1122_3344_5566_7788;

fn document(rules: &[(&str, &str)]) -> String {
    let rule = |(name, path): &(&str, &str)| {
        format!("    - name: {name}\n      match: {{ path: {path} }}\n      then: block\n")
    };
    let rules: String = rules.iter().map(rule).collect();
    format!(
        "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: shop }}\nspec:\n  hosts: [shop.example.com]\n  rules:\n{rules}"
    )
}

async fn page(house: &House, path: &str) -> Value {
    serde_json::from_str(&house.admin(path).await.unwrap()).unwrap()
}

struct Desk {
    dir: tempfile::TempDir,
    more: String,
}

impl Desk {
    fn new(rules: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("policies");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("shop.yaml"), document(rules)).unwrap();
        let more = format!("policies: {{ folder: {}, every: 50ms }}", folder.display());
        Self { dir, more }
    }

    async fn start(&self) -> House {
        House::start(self.dir.path(), &self.more).await
    }
}

/// Attaches a gate; its policy.
async fn attached(house: &House, epoch: u64, stream_no: u32) -> (Gate, v1::PolicyChunk) {
    let mut gate = house.attach(able(epoch, stream_no)).await;
    gate.greeted().await;
    gate.brake().await;
    let (chunk, _) = gate.policy().await;
    (gate, chunk)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_did_and_would_have_done_is_counted_since_their_policy_is_in_force() {
    let desk = Desk::new(&[("a", "/a"), ("b", "/b")]);
    let house = desk.start().await;
    let (mut gate, chunk) = attached(&house, EPOCH, 1).await;
    let mut message = batch(EPOCH, 0..0);
    for sequence in 0..5 {
        let would = v1::WouldHave { rule: "shop/b".into(), ..v1::WouldHave::default() };
        let judgement = v1::Judgement {
            rule: if sequence < 2 { "shop/a".into() } else { String::new() },
            would_have: vec![would],
            policy_digest: chunk.digest.clone(),
            ..v1::Judgement::default()
        };
        let record = v1::Record { judgement: Some(judgement), ..record(EPOCH, sequence) };
        message.records.push(prost::Message::encode_to_vec(&record));
    }
    message.counters = Some(v1::Counters { seen: 5, ..v1::Counters::default() });
    gate.send(FromGate::Batch(message.clone())).await;
    gate.durable(5).await;
    // The same batch again is no news.
    gate.send(FromGate::Batch(message)).await;
    gate.durable(5).await;
    let rules = page(&house, "/policy/rules").await;
    assert_eq!((&rules["revision"], &rules["records"]), (&1.into(), &5.into()), "{rules:#}");
    assert_eq!((&rules["rules"][0]["rule"], &rules["rules"][0]["enforced"]), (&"shop/a".into(), &2.into()));
    assert_eq!((&rules["rules"][1]["rule"], &rules["rules"][1]["would_have"]), (&"shop/b".into(), &5.into()));
    let status = house.status().await;
    assert_eq!(status["policy"]["rollout"]["would_have"], 5);
    let metrics = house.admin("/metrics").await.unwrap();
    assert!(metrics.contains("\ngatehouse_policy_enforced_decisions 2\n"), "{metrics}");

    fs::write(desk.dir.path().join("policies/shop.yaml"), document(&[("a", "/other")])).unwrap();
    until("the counts begin anew", async || page(&house, "/policy/rules").await["records"] == 0).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_told_loudly_answered_and_handed_to_those_who_begin_anew() {
    let desk = Desk::new(&[("a", "/a"), ("b", "/b")]);
    let house = desk.start().await;
    let (mut gate, chunk) = attached(&house, EPOCH, 1).await;
    let (mut other, _) = attached(&house, EPOCH + 1, 1).await;
    let back = v1::RolledBack {
        document: "shop".into(),
        rules: vec!["shop/a".into()],
        policy_revision: chunk.revision,
        policy_digest: chunk.digest.clone(),
        time_unix_ns: 1_700_000_000_000_000_000,
        canary: 40,
        canary_hit: 6,
        control: 400,
        clients: 440,
        clients_hit: 6,
        by_canary: true,
        at_least: 0.07,
        allowed: 0.01,
        ..v1::RolledBack::default()
    };
    gate.send(FromGate::RolledBack(back.clone())).await;
    let answer = gate.rollbacks().await;
    assert_eq!((answer.policy_digest, answer.rules), (chunk.digest.clone(), vec!["shop/a".to_owned()]));
    // As if the answer had been lost.
    gate.send(FromGate::RolledBack(back)).await;
    gate.rollbacks().await;

    until("the sink is told", async || house.events().len() == 1).await;
    let event = &house.events()[0];
    assert_eq!((&event["metadata"]["event_code"], &event["severity"]), (&"gatehouse.rollback".into(), &"High".into()));
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!((&own["gateway"], &own["rollback"]["rules"][0]), (&"envoy-1".into(), &"shop/a".into()));
    assert_eq!((&own["rollback"]["clients_hit"], &own["rollback"]["at_least"]), (&6.into(), &0.07.into()));
    let status = house.status().await;
    let rollout = &status["policy"]["rollout"];
    assert_eq!((&rollout["rolled_back"][0], &rollout["rollbacks"][0]["document"]), (&"shop/a".into(), &"shop".into()));
    assert_eq!(status["books"]["total"]["difference"], 0);
    let metrics = house.admin("/metrics").await.unwrap();
    assert!(metrics.contains("\ngatehouse_house_rollbacks_total 1\n"), "{metrics}");
    assert!(metrics.contains("\ngatehouse_policy_rolled_back_rules 1\n"));
    // The running neighbour decides for itself.
    other.send(FromGate::Batch(batch(EPOCH + 1, 0..1))).await;
    other.durable(1).await;
    house.stop().await;

    // After a restart a worker that begins anew is told, as long as the rule is the same.
    let house = desk.start().await;
    let (mut young, chunk) = attached(&house, EPOCH + 2, 1).await;
    let told = young.rollbacks().await;
    assert_eq!((told.policy_digest, told.rules), (chunk.digest, vec!["shop/a".to_owned()]));
    house.stop().await;
    fs::write(desk.dir.path().join("policies/shop.yaml"), document(&[("b", "/b"), ("c", "/c")])).unwrap();
    let house = desk.start().await;
    let (mut young, _) = attached(&house, EPOCH + 3, 1).await;
    young.send(FromGate::Batch(batch(EPOCH + 3, 0..1))).await;
    young.durable(1).await;
    assert_eq!(house.status().await["policy"]["rollout"]["rolled_back"].as_array().map(Vec::len), Some(0));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_reaches_the_sinks_and_a_gate_cannot_forge_it() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "").await;
    house.change("PUT /brake", r#"{"for": "1h", "reason": "a drill"}"#).await;
    until("the sink is told", async || house.events().len() == 1).await;
    let event = &house.events()[0];
    let own = &event["unmapped"]["gatehouse"]["audit"];
    assert_eq!((&event["metadata"]["event_code"], &own["action"]), (&"gatehouse.audit".into(), &"brake.set".into()));
    assert_eq!((&own["reason"], &own["for_seconds"]), (&"a drill".into(), &3600.into()));
    assert_eq!(event["metadata"]["uid"].as_str().map(str::len), Some(32));

    let mut gate = house.attach(able(EPOCH, 1)).await;
    gate.greeted().await;
    let forged = v1::Notice {
        id: vec![7; 16],
        what: Some(v1::notice::What::Audit(v1::Audit { action: "forged".into(), line: "{}".into() })),
        ..v1::Notice::default()
    };
    gate.send(FromGate::Batch(v1::Batch { notices: vec![forged], ..batch(EPOCH, 0..1) })).await;
    until("the record is delivered", async || house.events().len() == 2).await;
    assert!(house.events().iter().all(|event| !event.to_string().contains("forged")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proposed_policy_is_compared_with_the_one_in_force() {
    let desk = Desk::new(&[("a", "/a")]);
    let house = desk.start().await;
    assert!(house.admin("/policy/diff?against=proposed").await.unwrap().contains("cannot read"));
    assert!(house.admin("/policy/diff").await.unwrap().contains("against=proposed"));
    let proposed = desk.dir.path().join("proposed");
    fs::create_dir(&proposed).unwrap();
    fs::write(proposed.join("shop.yaml"), document(&[("a", "/b"), ("c", "/c")])).unwrap();
    let diff = page(&house, "/policy/diff?against=proposed").await;
    assert_eq!((&diff["same"], &diff["changed"][0]["document"]), (&false.into(), &"shop".into()));
    let rules = diff["changed"][0]["rules"].as_array().unwrap();
    assert_eq!((&rules[0]["change"], &rules[1]["change"]), (&"changed".into(), &"added".into()));
    assert!(diff["text"].as_str().unwrap().contains("+    - name: c"));
    house.stop().await;
    // After a restart with a broken folder the texts of the policy in force are not at hand.
    fs::write(desk.dir.path().join("policies/shop.yaml"), "kind: Nonsense").unwrap();
    let house = desk.start().await;
    assert!(house.admin("/policy/diff?against=proposed").await.unwrap().contains("kept from before a restart"));
    house.stop().await;
}

#[test]
fn two_policies_are_compared_on_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.yaml"), dir.path().join("new"));
    fs::write(&old, document(&[("a", "/a"), ("b", "/b")])).unwrap();
    fs::create_dir(&new).unwrap();
    fs::write(new.join("policy.yaml"), document(&[("a", "/other")])).unwrap();
    let (code, said, _) = output(&["policy", "diff", text(&old), text(&new)]);
    assert_eq!(code, 1);
    let expected = "~ document shop\n  - rule shop/b\n      match: {\"path\":\"/b\"} → nothing\n      then: \"block\" → nothing\n  ~ rule shop/a\n      match: {\"path\":\"/a\"} → {\"path\":\"/other\"}\n\n--- old/policy.yaml\n+++ new/policy.yaml\n";
    assert!(said.starts_with(expected), "{said}");
    let (code, said, _) = output(&["policy", "diff", "--json", text(&old), text(&old)]);
    let diff: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &diff["same"]), (0, &true.into()));
    let (code, _, said) = output(&["policy", "diff", text(&old), "/nowhere"]);
    assert!(code == 2 && said.contains("cannot read `/nowhere`"), "{said}");
}
