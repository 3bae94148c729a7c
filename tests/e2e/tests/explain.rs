//! A reference that a client was given, asked at the house long after: what the rule read and what its limit had counted.

use std::process::Command;
use std::time::Duration;

use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, parts, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// `gatehouse explain REF`, as an operator types it.
fn explain(house: &House, reference: &str, more: &[&str]) -> String {
    let data = house.data();
    let mut command = Command::new(parts::house());
    command.args(["explain", reference, "--data"]).arg(&data).args(more);
    let done = command.output().expect("the command runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// What was read, by field: the value and its form.
fn read<'v>(ground: &'v Value, field: &str) -> (&'v str, &'v str) {
    let input = ground["inputs"].as_array().into_iter().flatten().find(|input| input["field"] == field);
    let input = input.unwrap_or_else(|| panic!("{field} is not in {ground}"));
    (input["value"].as_str().unwrap_or_default(), input["form"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_reference_tells_inputs_and_counters_after_the_house_was_killed_and_started_anew() {
    let upstream = Upstream::start().await;
    let rules = json!([
        { "name": "keyed", "mode": "monitor", "match": { "headers": { "x-api-key": { "prefix": "k-" } } }, "then": "block" },
        {
            "name": "logins",
            "match": { "path": "/pay", "method": "POST", "headers": { "user-agent": { "contains": "tool" } } },
            "limit": { "by": "address", "rate": "3 per 1h", "blockFor": "2h" },
            "then": "limit",
        },
    ]);
    let mut house = House::with_policy(&policy("enforce", rules)).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    wait::until_true(SOON, "every worker to have the policy", || async {
        let status = &house.status().await["policy"];
        status["workers"].as_u64() >= Some(2) && status["workers"] == status["workers_current"]
    })
    .await;
    let fields = [("host", HOST), ("user-agent", "tool/1.0 (card 4111111111111111)"), ("x-api-key", "k-geheim-4711")];
    let login = request("POST", "/pay", &fields, b"");
    for _ in 0..3 {
        assert_eq!(exchange(envoy.address(), &login).await.expect("an answer").status, 200);
    }
    let refused = exchange(envoy.address(), &login).await.expect("an answer");
    let reference = refused.field("x-gatehouse-reference").expect("a reference");
    assert_eq!((refused.status, refused.field("retry-after").as_deref()), (429, Some("7200")));
    wait::until_true(SOON, "the record to be delivered", || async {
        house.events().iter().any(|event| event["unmapped"]["gatehouse"]["reference"] == reference.as_str())
    })
    .await;

    house.kill().await;
    house.run().await;
    let verdict: Value = serde_json::from_str(&explain(&house, &reference, &["--json"])).expect("JSON");
    let [logins, keyed] = verdict["grounds"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        panic!("two rules: {verdict}");
    };
    assert_eq!((&logins["rule"], &keyed["rule"]), (&json!("shop/logins"), &json!("shop/keyed")));
    assert_eq!((read(logins, "path"), read(logins, "method")), (("/pay", "plain"), ("POST", "plain")));
    let (agent, form) = read(logins, "headers.user-agent");
    assert!(agent.starts_with("tool/1.0 (card {card:") && form == "redacted", "{agent}, {form}");
    let limit = json!({
        "step": 0, "counted": "requests", "limit": 3, "window_seconds": 3600, "count": 3, "retry_after_seconds": 7200,
        "blocked": true, "busy": false,
    });
    assert_eq!(logins["limit"], limit);
    let (key, form) = read(keyed, "headers.x-api-key");
    assert!(key.starts_with('{') && form == "hashed" && keyed["limit"].is_null(), "{keyed}");
    assert_eq!(verdict["policy"]["documents"][0]["file"], "policy.yaml", "with the policy that decided");

    let said = explain(&house, &reference, &[]);
    for part in
        ["3 requests counted, 3 in 3600 s allowed; a block time runs; again after 7200 s", "(redacted)", "(hashed)"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    for secret in ["4111111111111111", "geheim"] {
        assert!(!said.contains(secret) && !verdict.to_string().contains(secret), "{secret} is in {said}");
    }
    envoy.assert_filter_sound().await;
}
