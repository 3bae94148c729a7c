//! The cast of one run: an application, an Envoy with the gate, a house with three sinks that hold, and their peers.

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_support::client::request;
use gatehouse_support::envoy::{HouseAt, Launcher};
use gatehouse_support::house::Setup;
use gatehouse_support::load::{Outcome, Report, Running};
use gatehouse_support::tls::Authority;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, parts, wait};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::clock::Clock;
use crate::collector::{Collector, Seen};
use crate::kafka::Kafka;
use crate::oracle::{self, Account, Allowed};
use crate::volume::Volume;
use crate::wire::{Far, Wire};

/// Requests per second.
pub const RATE: u32 = 400;
const CONNECTIONS: usize = 64;
const HOST: &str = "shop.test";
/// Until everything stored is delivered.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run needs beyond the usual.
#[derive(Debug, Default)]
pub struct Plan {
    /// Another build of the filter.
    pub wasm: Option<PathBuf>,
    /// The data folder is a volume of so many MiB.
    pub volume: Option<u64>,
    /// The gate reaches the house over a wire.
    pub wire: bool,
    /// The house has a clock of its own.
    pub clock: bool,
    /// Kafka is reached at this address; `None`: at its own.
    pub brokers: Option<String>,
    /// The most that a gate holds back, as its bootstrap says it.
    pub ring: Option<&'static str>,
}

/// The cast; it goes with this value.
pub struct Stage {
    /// The house.
    pub house: House,
    /// Kafka, with a topic of this run's own.
    pub kafka: Kafka,
    /// The collector.
    pub collector: Collector,
    /// Between gate and house, if the plan has one.
    pub wire: Option<Wire>,
    /// The house's disk, if the plan has one.
    pub volume: Option<Volume>,
    /// The house's clock, if the plan has one.
    pub clock: Option<Clock>,
    /// What Kafka held before it was taken away.
    pub taken: Vec<Seen>,
    /// What to tell beside the figures.
    pub notes: Vec<String>,
    gateway: Gateway,
    envoy: Option<Envoy>,
    _upstream: Upstream,
    _authority: Authority,
}

impl Stage {
    /// Starts everything and waits until the policy is with the gate.
    pub async fn set(mut kafka: Kafka, plan: Plan) -> Self {
        kafka.fresh_topic().await;
        let (upstream, authority) = (Upstream::start().await, Authority::new());
        let collector = Collector::start(&authority).await;
        let mut setup = Setup { policies: vec![("policy.yaml".to_owned(), policy().to_string())], ..Setup::default() };
        setup.extra = configuration(&kafka, &collector, plan.brokers.as_deref());
        let mut house = House::prepare(&setup);
        let clock = plan.clock.then(|| Clock::new(house.folder()));
        house.environment(clock.iter().flat_map(Clock::environment).collect());
        let volume = plan.volume.map(|mib| mounted(&house, mib));
        house.run().await;
        let wire = if plan.wire { Some(Wire::start(Far::Unix(house.socket())).await) } else { None };
        let mut gateway = Gateway::new(upstream.address()).with_gate(gate(&plan));
        gateway.concurrency = 2;
        gateway.house =
            wire.as_ref().map_or_else(|| HouseAt::Socket(house.socket()), |wire| HouseAt::Tcp(wire.address()));
        let envoy = Envoy::start_by(Launcher::Direct, &gateway).await;
        gateway.port = Some(envoy.address().port());
        let (notes, taken) = (Vec::new(), Vec::new());
        let stage = Self {
            house,
            kafka,
            collector,
            wire,
            volume,
            clock,
            taken,
            notes,
            gateway,
            envoy: Some(envoy),
            _upstream: upstream,
            _authority: authority,
        };
        stage.attached().await;
        stage
    }

    /// Both workers and the main thread's root are with the house.
    async fn attached(&self) {
        wait::until_true(Duration::from_secs(30), "the workers to be attached", || async {
            let status = self.house.status().await;
            let epochs = status["books"]["epochs"].as_array().into_iter().flatten();
            epochs.filter(|epoch| epoch["open"] == true).count() >= 2
        })
        .await;
    }

    /// The load, from now on; each request has an id of its own, one in ten is blocked.
    pub fn load(&self) -> Running {
        self.load_from(0)
    }

    /// The load with numbers from `first` on. Its report counts from 0: see [`later`].
    pub fn load_from(&self, first: u64) -> Running {
        let every = move |number: u64| {
            let path = if number.is_multiple_of(10) { "/closed" } else { "/open" };
            let id = oracle::id(first + number);
            request("GET", path, &[("host", HOST), ("x-request-id", &id), ("user-agent", "faults/1.0")], b"")
        };
        Load { address: self.envoy().address(), rate: RATE, connections: CONNECTIONS, request: Box::new(every) }.start()
    }

    /// The Envoy.
    pub fn envoy(&self) -> &Envoy {
        self.envoy.as_ref().expect("an Envoy is absent only while it is replaced")
    }

    /// Ends Envoy as a crash does and starts another on its port.
    pub async fn replace_envoy(&mut self) {
        self.envoy.take().expect("an Envoy").kill().await;
        self.envoy = Some(Envoy::start_by(Launcher::Direct, &self.gateway).await);
    }

    /// Kills the house, leaves it away for a while, and starts it again: no record that was stored may be gone.
    pub async fn crash_house(&mut self, away: Duration) {
        let before = self.stored().await;
        self.house.kill().await;
        sleep(away).await;
        self.house.run().await;
        let after = self.stored().await;
        assert!(after >= before, "{before} records were stored before the crash, {after} after it");
    }

    /// Records on the house's disk.
    pub async fn stored(&self) -> u64 {
        self.house.status().await["sinks"][0]["stored"].as_u64().expect("the sinks' books")
    }

    /// The status of one sink.
    pub async fn sink(&self, name: &str) -> Value {
        let status = self.house.status().await;
        status["sinks"].as_array().into_iter().flatten().find(|sink| sink["name"] == name).cloned().unwrap_or_default()
    }

    /// Waits until every sink has delivered what is stored, no gate that the house knows of holds a record,
    /// and the gates have told of `told` requests.
    ///
    /// # Panics
    /// When something is still pending after [`PATIENCE`]; that gates told of less is the oracle's to judge.
    pub async fn settled(&self, told: u64) -> Value {
        let begin = std::time::Instant::now();
        let mut status = self.house.status().await;
        let heard = |status: &Value| status["books"]["total"]["seen"].as_u64().is_some_and(|seen| seen >= told);
        while !(heard(&status) && is_delivered(&status)) && begin.elapsed() < PATIENCE {
            sleep(Duration::from_millis(200)).await;
            status = self.house.status().await;
        }
        assert!(is_delivered(&status), "not everything is delivered after {PATIENCE:?}: {status:#}");
        status
    }

    /// Ends the load, waits for the last delivery, closes the account; Kafka goes back for the next fault.
    pub async fn judge(self, load: Running, allowed: Allowed) -> (Account, Kafka) {
        let report = load.stop().await;
        self.judge_of(report, allowed).await
    }

    /// As [`Stage::judge`], of a load that has ended.
    pub async fn judge_of(mut self, report: Report, allowed: Allowed) -> (Account, Kafka) {
        // What the gates took a moment ago is on its way for a flush and a sync.
        sleep(Duration::from_secs(1)).await;
        let answered = report.outcomes.iter().filter(|outcome| outcome.result.is_ok()).count() as u64;
        let status = self.settled(answered.saturating_sub(allowed.tail)).await;
        let file: Vec<Seen> = self.house.events().iter().filter_map(Seen::of).collect();
        let mut in_kafka = std::mem::take(&mut self.taken);
        in_kafka.extend(self.in_kafka().await);
        let seen = [("file", file), ("kafka", in_kafka), ("collector", self.collector.seen())];
        let mut account = Account::close(&report, &status, &seen, allowed);
        account.notes = std::mem::take(&mut self.notes);
        if !allowed.failures {
            self.envoy().assert_filter_sound().await;
        }
        (account, std::mem::replace(&mut self.kafka, Kafka::none()))
    }

    /// Every event in Kafka.
    pub async fn in_kafka(&mut self) -> Vec<Seen> {
        let messages = self.kafka.read_all().await;
        messages.iter().filter_map(|message| Seen::of(&serde_json::from_slice(&message.value).ok()?)).collect()
    }
}

fn is_delivered(status: &Value) -> bool {
    let sinks = status["sinks"].as_array().into_iter().flatten();
    status["books"]["total"]["in_flight"] == 0 && sinks.into_iter().all(|sink| sink["pending"] == 0)
}

/// The outcomes of a load whose first request had this number.
pub fn later(report: Report, first: u64) -> impl Iterator<Item = Outcome> {
    report.outcomes.into_iter().map(move |outcome| Outcome { number: outcome.number + first, ..outcome })
}

fn gate(plan: &Plan) -> Gate {
    let mut bootstrap = json!({ "house": { "cluster": "gatehouse", "authority": "gatehouse" } });
    if let Some(ring) = plan.ring {
        bootstrap["limits"] = json!({ "ringBytes": ring });
    }
    let mut gate = Gate::new(bootstrap);
    gate.wasm = plan.wasm.clone().unwrap_or_else(parts::wasm);
    gate
}

fn mounted(house: &House, mib: u64) -> Volume {
    std::fs::create_dir_all(house.data()).expect("the data folder");
    Volume::mount(&house.data(), mib)
}

fn policy() -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1",
        "kind": "Policy",
        "metadata": { "name": "shop", "scope": "acme/retail/shop" },
        "spec": {
            "hosts": [HOST],
            "mode": "enforce",
            "rules": [{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }],
            "otherwise": "allow",
        },
    })
}

fn configuration(kafka: &Kafka, collector: &Collector, brokers: Option<&str>) -> String {
    let brokers = brokers.map_or_else(|| kafka.addresses(), |one| vec![one.to_owned()]);
    let sinks = json!({
        "file": { "file": { "rotate": { "size": "1GiB" } }, "behind": "hold" },
        "kafka": { "kafka": { "brokers": brokers, "topic": kafka.topic() }, "behind": "hold" },
        "collector": { "https": collector.sink(), "behind": "hold" },
    });
    format!("spool: {{ size: 64MiB, segment: 1MiB }}\nsinks: {sinks}\n")
}
