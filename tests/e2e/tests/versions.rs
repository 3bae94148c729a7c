//! Gate and house of different releases: the shipped ones and a next release (`make next`), which speaks one version of the protocol and of the
//! policy's image more. Whichever is newer, in whichever order they come, requests are judged, records arrive, and the books balance. A policy
//! that says what only the next release knows is refused with the version that it needs, and the last good one stays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatehouse_e2e::books::assert_balanced;
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, parts, wait};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    sent: AtomicU64,
    house: House,
    envoy: Envoy,
    _upstream: Upstream,
}

fn closed(path: &str, name: &str) -> String {
    policy("enforce", json!([{ "name": name, "match": { "path": path }, "then": "block" }])).to_string()
}

impl Stage {
    async fn set(wasm: PathBuf, house_program: PathBuf) -> Self {
        let upstream = Upstream::start().await;
        let policies = vec![("policy.yaml".to_owned(), closed("/closed", "closed"))];
        let mut house = House::prepare(&Setup { policies, ..Setup::default() });
        house.program(house_program);
        house.run().await;
        let gate = Gate { wasm, bootstrap: Some(house_bootstrap()), peer: true };
        let mut gateway = Gateway::new(upstream.address()).with_gate(gate);
        gateway.house = HouseAt::Socket(house.socket());
        gateway.concurrency = 2;
        let envoy = Envoy::start(&gateway).await;
        let stage = Self { sent: AtomicU64::new(0), house, envoy, _upstream: upstream };
        stage.answers("/closed", 403).await;
        stage
    }

    async fn status(&self, target: &str) -> u16 {
        let asked = request("GET", target, &[("host", HOST), ("connection", "close")], b"");
        self.sent.fetch_add(1, Ordering::Relaxed);
        exchange(self.envoy.address(), &asked).await.expect("an answer").status
    }

    /// Waits until every worker answers so.
    async fn answers(&self, target: &str, status: u16) {
        wait::until_true(PATIENCE, &format!("{target} to be answered with {status}"), || async {
            for _ in 0..12 {
                if self.status(target).await != status {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// The house of another release takes over its folders, while requests go on.
    async fn house_becomes(&mut self, program: PathBuf) {
        self.house.stop().await;
        for _ in 0..20 {
            assert_eq!((self.status("/").await, self.status("/closed").await), (200, 403), "the last policy judges on");
        }
        self.house.program(program);
        self.house.run().await;
        wait::until_true(PATIENCE, "every worker to be back", || async {
            let streams = self.house.status().await["streams"].as_array().map_or(0, Vec::len);
            streams >= 3
        })
        .await;
        for _ in 0..20 {
            assert_eq!((self.status("/").await, self.status("/closed").await), (200, 403));
        }
    }

    /// Of a policy's change, that it is in force.
    async fn takes_a_change(&self) {
        self.house.put_policy("policy.yaml", &closed("/shut", "shut"));
        self.answers("/shut", 403).await;
        assert_eq!(self.status("/closed").await, 200);
        self.house.put_policy("policy.yaml", &closed("/closed", "closed"));
        self.answers("/closed", 403).await;
    }

    async fn ends_with_balanced_books(self) {
        self.envoy.assert_filter_sound().await;
        assert_balanced(&self.house, self.sent.load(Ordering::Relaxed)).await;
    }
}

fn problems(status: &Value) -> Vec<String> {
    let streams = status["streams"].as_array().cloned().unwrap_or_default();
    streams.iter().filter_map(|stream| Some(stream["refusal"]["problem"].as_str()?.to_owned())).collect()
}

/// A gate of one release, and houses that are upgraded and taken back under it.
async fn houses_come_and_go(wasm: PathBuf, first: PathBuf, second: PathBuf) {
    let mut stage = Stage::set(wasm, first.clone()).await;
    stage.takes_a_change().await;
    for house in [second, first] {
        stage.house_becomes(house).await;
        stage.takes_a_change().await;
    }
    stage.ends_with_balanced_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_of_this_release_and_a_house_of_the_next() {
    houses_come_and_go(parts::wasm(), parts::next_house(), parts::house()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_of_the_next_release_and_a_house_of_this() {
    houses_come_and_go(parts::next_wasm(), parts::house(), parts::next_house()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_next_release_knows_is_refused_with_the_version_that_it_needs() {
    let stage = Stage::set(parts::wasm(), parts::next_house()).await;
    stage.house.put_policy("policy.yaml", &closed("/shut", "next"));
    let said = wait::until(PATIENCE, "every worker to refuse it", || async {
        let said = problems(&stage.house.status().await);
        (said.len() >= 2).then_some(said)
    })
    .await;
    for problem in &said {
        assert!(problem.contains("needs image format 3") && problem.contains("reads up to 2"), "{problem}");
    }
    for _ in 0..20 {
        assert_eq!((stage.status("/closed").await, stage.status("/shut").await), (403, 200), "the last good one stays");
    }
    // Without the new word it is taken.
    stage.takes_a_change().await;
    stage.ends_with_balanced_books().await;

    // A gate of the next release takes what this one refuses.
    let stage = Stage::set(parts::next_wasm(), parts::next_house()).await;
    stage.house.put_policy("policy.yaml", &closed("/shut", "next"));
    stage.answers("/shut", 403).await;
    stage.ends_with_balanced_books().await;
}
