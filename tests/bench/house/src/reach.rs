//! How late a word of the house is with every worker of a real Envoy: from a verdict to the first request that each refuses, and from
//! a policy file in its place to the first that each judges by it; and for how long its load holds a worker.
//!
//! A connection to each worker is kept. On each one request follows the other, a millisecond after its answer: so much later than
//! the worker itself, and the time of one request, the change is seen. What a worker is told is told anew each time: another client,
//! another path. Verdicts are told at once; files are looked at by the clock, and are saved at moments spread evenly over its round.

mod hold;
mod workers;

use std::time::{Duration, Instant};

use gatehouse_support::client::request;
use gatehouse_support::envoy::{HouseAt, Launcher};
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, wait};
use serde_json::{Value, json};

use workers::{HOST, Worker};

pub(crate) use hold::longest_steps;

/// Worker threads of the Envoy.
pub(crate) const WORKERS: usize = 2;
/// How often the house looks at its policies: its default, not the shorter time of the tests.
pub(crate) const LOOK_MS: u64 = 250;
/// Its multiples fall evenly between two whole numbers, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// Whose word on the client's address is taken.
const PROXY: &str = "127.0.0.0/8";
/// A debug build takes its time to compile the standard policy.
const PATIENCE: Duration = Duration::from_secs(120);

/// From a word to a worker, once.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// Of each worker.
    pub(crate) workers: Vec<Duration>,
}

impl Reach {
    /// When the last of them had it.
    pub(crate) fn last(&self) -> Duration {
        self.workers.iter().copied().max().unwrap_or_default()
    }
}

/// A house, an Envoy and a connection to each of its workers.
pub(crate) struct Scene {
    house: House,
    envoy: Envoy,
    workers: Vec<Worker>,
    beside: Beside,
}

/// What stands beside the scene's own document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// 1,000 rules and 100,000 networks, which are compiled and sent anew with each change.
    Standard,
}

impl Scene {
    /// With the scene's own document only, or beside the standard policy.
    ///
    /// # Panics
    /// When it does not come up.
    pub(crate) async fn start(beside: Beside) -> Self {
        let upstream = Upstream::start().await;
        let mut policies = match beside {
            Beside::Nothing => Vec::new(),
            Beside::Standard => standard(),
        };
        policies.push(("scene.json".into(), beside.document(&json!([])).to_string()));
        let house = house(policies).await;
        // The scene outlives this function, and the application with it.
        let envoy = Envoy::start_by(Launcher::Direct, &gateway(&house, Box::leak(Box::new(upstream)))).await;
        attached(&house).await;
        let workers = workers::one_of_each(&envoy, &house).await;
        Self { house, envoy, workers, beside }
    }

    /// Puts a client on a list, so many times another one; gives when each worker refused it first.
    pub(crate) async fn verdicts(&mut self, repetitions: usize) -> Vec<Reach> {
        let mut reached = Vec::new();
        for number in 1..=repetitions {
            let client = format!("198.18.{}.{}", number >> 8, number & 255);
            let asks = request("GET", "/", &[("host", HOST), ("x-forwarded-for", &client)], b"");
            self.assert_passes(&asks).await;
            let order =
                json!({ "list": "banned", "subjects": [{ "address": client }], "for": "1h", "reason": "a bench" });
            let begin = Instant::now();
            let word = async {
                let reply = self.house.change("/verdicts", &order).await;
                assert_eq!(reply.status, 200, "{}", reply.text());
            };
            let (reach, ()) = tokio::join!(refused(&mut self.workers, &asks, begin), word);
            reached.push(reach);
        }
        reached
    }

    /// Saves a document that closes a path, so many times another one; gives when each worker refused it first.
    pub(crate) async fn policies(&mut self, repetitions: usize) -> Vec<Reach> {
        let mut reached = Vec::new();
        for number in 1..=repetitions {
            let path = format!("/closed-{number}");
            let asks = request("GET", &path, &[("host", HOST)], b"");
            self.assert_passes(&asks).await;
            let rules = json!([{ "name": "closed", "match": { "path": path }, "then": "block" }]);
            // The one before ended with a look of the house: without a pause each would begin at the same moment between two.
            tokio::time::sleep(Duration::from_millis(LOOK_MS).mul_f64((number as f64 * GOLDEN).fract())).await;
            let begin = Instant::now();
            self.house.put_policy("scene.json", &self.beside.document(&rules).to_string());
            reached.push(refused(&mut self.workers, &asks, begin).await);
            // The next one finds nothing on its way.
            attached(&self.house).await;
        }
        reached
    }

    /// Ends both, and sees that the filter is sound.
    pub(crate) async fn end(mut self) {
        self.envoy.assert_filter_sound().await;
        self.envoy.stop().await;
        assert!(self.house.stop().await.success(), "the house ends well");
    }

    async fn assert_passes(&mut self, asks: &[u8]) {
        for worker in &mut self.workers {
            assert_eq!(worker.ask(asks).await, 200, "nothing is said of it yet");
        }
    }
}

/// When each worker refuses this request first, from `begin` on.
async fn refused(workers: &mut [Worker], asks: &[u8], begin: Instant) -> Reach {
    let [first, second] = workers else { panic!("a connection to each of two workers") };
    let (first, second) = tokio::join!(first.refuses(asks, begin), second.refuses(asks, begin));
    Reach { workers: vec![first, second] }
}

impl Beside {
    /// The scene's own document: who is on the list is refused, and what these rules say.
    fn document(self, rules: &Value) -> Value {
        let mut all = vec![json!({ "name": "banned", "match": { "verdict": { "list": "banned" } }, "then": "block" })];
        all.extend(rules.as_array().cloned().unwrap_or_default());
        let mut spec = json!({
            "hosts": [HOST],
            "mode": "enforce",
            "lists": { "banned": { "from": "verdicts" } },
            "rules": all,
            "otherwise": "allow",
        });
        // The organisation of the standard policy says the same for all its hosts.
        if self == Self::Nothing {
            spec["client"] = json!({ "address": { "from": "x-forwarded-for", "trust": [PROXY] } });
        }
        json!({
            "apiVersion": "gatehouse.dev/v1",
            "kind": "Policy",
            "metadata": { "name": "scene", "scope": "acme/scene/app" },
            "spec": spec,
        })
    }
}

/// A house that looks at its policies as often as it does by default.
async fn house(policies: Vec<(String, String)>) -> House {
    let mut house = House::prepare(&Setup { policies, ..Setup::default() });
    let file = house.folder().join("house.yaml");
    let text = std::fs::read_to_string(&file).expect("its configuration");
    let usual = text.replace("every: 100ms", &format!("every: {LOOK_MS}ms"));
    assert_ne!(text, usual, "the tests' house looks more often");
    std::fs::write(file, usual).expect("its configuration");
    house.run().await;
    house
}

fn gateway(house: &House, upstream: &Upstream) -> Gateway {
    let bootstrap = json!({ "house": { "cluster": "gatehouse", "authority": "gatehouse" } });
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = WORKERS as u32;
    gateway
}

/// Every VM (one a worker, and the main thread's) has the policy in force.
async fn attached(house: &House) {
    wait::until_true(PATIENCE, "every worker to have the policy", || async {
        let policy = &house.status().await["policy"];
        policy["workers"].as_u64() > Some(WORKERS as u64) && policy["workers"] == policy["workers_current"]
    })
    .await;
}

/// The documents of the standard policy, 1,000 rules and two lists of 100,000 networks together, before a proxy on this machine.
fn standard() -> Vec<(String, String)> {
    let corpus = gatehouse_corpora::standard().behind(PROXY);
    assert_eq!(corpus.rules, 1000);
    let named = |(number, text)| (format!("standard-{number}.json"), text);
    corpus.documents.into_iter().enumerate().map(named).collect()
}
