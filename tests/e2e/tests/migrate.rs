//! Out of a hairpin of a plain Envoy: the aggregate cluster of `deploy/migrate`, by the configurations that `gatehouse render migrate` makes
//! of it. (The detours of a mesh are left in `tests/mesh/tests/migrate.rs`.)

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gatehouse_e2e::{HOST, policy, shipped};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::defender::{VERDICT, compared};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::house::Setup;
use gatehouse_support::{Defender, Envoy, House, Upstream, parts, ports, wait};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

async fn status(envoy: &Envoy, target: &str) -> u16 {
    exchange(envoy.address(), &request("GET", target, &[("host", HOST)], b"")).await.expect("an answer").status
}

fn planned(manifests: &Path, house: &House, into: &Path) {
    let values = into.join("values.yaml");
    let own = json!({ "module": { "url": format!("file://{}", parts::wasm().display()) }, "house": { "socket": house.socket() } });
    std::fs::write(&values, own.to_string()).expect("a file");
    let mut command = Command::new(parts::house());
    command.args(["render", "migrate"]).arg(manifests).arg("--values").arg(&values).arg("-o").arg(into);
    let done = command.args(["--verdict-header", VERDICT.0]).output().expect("gatehouse");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_cluster_is_left_by_the_configurations_that_are_made_for_it() {
    let rules = json!([{ "name": "attack", "match": { "path": "/attack/**" }, "then": "block" }]);
    let policies = vec![("policy.yaml".to_owned(), policy("monitor", rules.clone()).to_string())];
    let house = House::start_with(&Setup { policies, extra: String::new() }).await;
    let (upstream, port, theirs) = (Upstream::start().await, ports::free(), ports::free());
    let folder = tempfile::tempdir().expect("a folder");
    let hairpin = shipped::file(
        "migrate/aggregate.yaml",
        &[
            ("port_value: 9901", "port_value: 0".to_owned()),
            ("address: 0.0.0.0, port_value: 8080", format!("address: 127.0.0.1, port_value: {port}")),
            ("port_value: 8000", format!("port_value: {}", upstream.address().port())),
            ("port_value: 8181", format!("port_value: {theirs}")),
        ],
    );
    let today = folder.path().join("today.yaml");
    std::fs::write(&today, &hairpin).expect("a file");
    planned(&today, &house, folder.path());
    let made = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a configuration that was made");

    // As it is today, and as the undo has it.
    for text in [hairpin.clone(), made("undo/envoy.yaml")] {
        let defender = Defender::start(theirs, ([127, 0, 0, 1], port).into(), &["/attack", "/secret"]).await;
        let envoy = Envoy::start_with(Launcher::FuncE, &text, port).await;
        wait::until_true(PATIENCE, "the other product to be healthy", || async {
            status(&envoy, "/attack/1").await == 403
        })
        .await;
        assert_eq!(status(&envoy, "/").await, 200);
        assert!(defender.seen().await > 0);
        envoy.stop().await;
        defender.stop().await;
    }

    // Side by side.
    house.put_policy("migrate.yaml", &made("1-side-by-side/migrate.yaml"));
    let defender = Defender::start(theirs, ([127, 0, 0, 1], port).into(), &["/attack", "/secret"]).await;
    let envoy = Envoy::start_with(Launcher::FuncE, &made("1-side-by-side/envoy.yaml"), port).await;
    wait::until_true(PATIENCE, "the gate to see requests that came back", || async {
        status(&envoy, "/").await;
        compared(&house)["without"].as_u64().is_some_and(|without| without > 0)
    })
    .await;
    for target in ["/attack/1", "/secret/1", "/attack/2"] {
        assert_eq!(status(&envoy, target).await, 403, "the other product refuses");
    }
    wait::until_true(PATIENCE, "the verdicts on three requests", || async {
        let found = compared(&house);
        (&found["both"], &found["only_theirs"], &found["only_ours"]) == (&json!(2), &json!(1), &json!(0))
    })
    .await;
    house.put_policy("policy.yaml", &policy("enforce", rules).to_string());
    wait::until_true(PATIENCE, "our own refusal", || async {
        let answer =
            exchange(envoy.address(), &request("GET", "/attack/3", &[("host", HOST)], b"")).await.expect("an answer");
        answer.field("x-gatehouse-reference").is_some()
    })
    .await;
    envoy.assert_filter_sound().await;
    envoy.stop().await;

    // Without the detour.
    std::fs::remove_file(house.policies().join("migrate.yaml")).expect("the policy goes");
    let before = defender.seen().await;
    let envoy = Envoy::start_with(Launcher::FuncE, &made("2-switch/envoy.yaml"), port).await;
    wait::until_true(PATIENCE, "our own refusal", || async { status(&envoy, "/attack/1").await == 403 }).await;
    for _ in 0..20 {
        assert_eq!(status(&envoy, "/").await, 200);
    }
    assert_eq!(defender.seen().await, before, "nobody goes by the other product");
    defender.stop().await;
    assert_eq!(status(&envoy, "/").await, 200, "and nobody misses it");
    envoy.assert_filter_sound().await;
}
