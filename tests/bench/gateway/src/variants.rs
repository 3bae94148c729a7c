//! What stands in the gateway: each differs from the first in one thing.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_corpora::{Corpus, standard, standard_of};
use gatehouse_support::envoy::{HouseAt, Launcher};
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, parts, process, wait};
use serde_json::{Value, json};

use crate::cores;
use crate::drive::Driven;

const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that is measured.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) envoy: Envoy,
    /// Whose CPU time counts: Envoy itself.
    process: u32,
    /// Its house and that one's process, if it has one.
    house: Option<(House, u32)>,
    /// It mitigates some of the requests.
    mitigates: bool,
}

impl Variant {
    pub(crate) fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// CPU time that Envoy has used.
    pub(crate) fn cpu(&self) -> Duration {
        process::cpu(self.process).expect("Envoy runs")
    }

    /// CPU time that its house has used.
    pub(crate) fn house_cpu(&self) -> Option<Duration> {
        self.house.as_ref().and_then(|(_, id)| process::cpu(*id))
    }

    /// Resident memory of Envoy, bytes.
    pub(crate) fn resident(&self) -> u64 {
        process::resident(self.process).expect("Envoy runs")
    }

    /// Every request was answered, and some by the gate where it has rules, none where it has not.
    ///
    /// # Panics
    /// When not: then it measures something else.
    pub(crate) fn check(&self, driven: &Driven) {
        let count = |wanted: fn(u16) -> bool| -> u64 {
            driven.statuses.iter().filter(|(status, _)| wanted(**status)).map(|(_, count)| count).sum()
        };
        let (all, refused) = (count(|_| true), count(|status| (300..500).contains(&status)));
        assert_eq!(count(|status| status == 0 || status >= 500), 0, "{}: {:?}", self.name, driven.statuses);
        assert_eq!(refused > 0, self.mitigates, "{}: {:?}", self.name, driven.statuses);
        assert!(refused <= all / 5, "{}: most requests are to go on: {:?}", self.name, driven.statuses);
    }
}

/// Starts all of them before this application.
pub(crate) async fn start(application: SocketAddr) -> Vec<Variant> {
    let empty = |bootstrap| Gate { wasm: empty_filter(), bootstrap, peer: false };
    let none = json!({});
    vec![
        plain("no_filter", "no filter", application, None).await,
        plain("wasm_empty", "a filter of WebAssembly that does nothing", application, Some(empty(None))).await,
        plain(
            "floor",
            "one that makes the gate's host calls and does nothing",
            application,
            Some(empty(Some(none.clone()))),
        )
        .await,
        plain("gatehouse_empty", "the gate, no policy, no house", application, Some(Gate::new(none))).await,
        housed(
            "gatehouse_100",
            "the gate, 100 rules, 100 networks, 5 limits, records to a house",
            application,
            &standard_of(100, 100),
        )
        .await,
        housed(
            "gatehouse_full",
            "the gate, 1,000 rules, 100,000 networks, 50 limits, records to a house",
            application,
            &standard(),
        )
        .await,
    ]
}

async fn plain(name: &'static str, what: &'static str, application: SocketAddr, gate: Option<Gate>) -> Variant {
    let mut gateway = gateway(application);
    gateway.gate = gate;
    let envoy = run(&gateway).await;
    Variant { name, what, process: envoy.id(), envoy, house: None, mitigates: false }
}

async fn housed(name: &'static str, what: &'static str, application: SocketAddr, corpus: &Corpus) -> Variant {
    // The proxies before the gateway are this machine itself.
    let here = |text: &String| text.replace("\"10.0.0.0/8\"", "\"127.0.0.0/8\"");
    let policies = corpus.documents.iter().enumerate();
    let policies = policies.map(|(number, text)| (format!("{number}.json"), here(text))).collect();
    let mut house = House::start_with(&Setup { policies, ..Setup::default() }).await;
    let id = house.process().id();
    cores::pin_other(id);
    let mut gateway = gateway(application).with_gate(Gate::new(json!({ "house": { "cluster": "gatehouse" } })));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = run(&gateway).await;
    wait::until_true(PATIENCE, "the policy to be in force", || async {
        envoy.stat("wasmcustom.gatehouse_policy_loads_total").await > 0
    })
    .await;
    Variant { name, what, process: envoy.id(), envoy, house: Some((house, id)), mitigates: true }
}

async fn run(gateway: &Gateway) -> Envoy {
    let envoy = Envoy::start_by(Launcher::Direct, gateway).await;
    cores::pin_envoy(envoy.id());
    envoy
}

/// Envoy with nothing that costs and is not asked for.
fn gateway(application: SocketAddr) -> Gateway {
    let mut gateway = Gateway::new(application);
    let spare: [(&str, Value); 4] = [
        ("access_log", json!([])),
        ("generate_request_id", json!(false)),
        ("normalize_path", json!(false)),
        ("merge_slashes", json!(false)),
    ];
    gateway.manager.extend(spare);
    gateway
}

fn empty_filter() -> std::path::PathBuf {
    let built = parts::wasm().with_file_name("gatehouse_bench_empty_filter.wasm");
    assert!(built.is_file(), "absent: {} (run `make bench`)", built.display());
    built
}
