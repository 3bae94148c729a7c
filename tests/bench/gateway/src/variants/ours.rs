//! Envoy alone, with filters that do nothing, and with the gate.

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_corpora::Corpus;
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::{Gate, House, parts, wait};
use serde_json::json;

use super::{Beside, Material, Variant};
use crate::cores;
use crate::frame::Answers;
use crate::mix::Mix;

const PATIENCE: Duration = Duration::from_secs(60);
const GATE_MEMORY: &str = "wasmcustom.gatehouse_gate_memory_bytes";
const EMPTY_MEMORY: &str = "wasmcustom.bench_filter_memory_bytes";

pub(super) async fn start(material: &Material, answers: Answers) -> Vec<Variant> {
    let empty = |bootstrap| Gate { wasm: empty_filter(), bootstrap, peer: false };
    let plain = async |name, what, gate: Option<(Gate, &'static str)>| {
        let mut gateway = material.frame(answers).finish();
        let memory = gate.as_ref().map(|(_, memory)| *memory);
        gateway.gate = gate.map(|(gate, _)| gate);
        let mut variant = Variant::new(name, what, &material.unjudged, &gateway).await;
        variant.memory = memory;
        variant
    };
    let (small, full) = ((&material.small, &material.by_small), (&material.full, &material.by_full));
    vec![
        plain("no_filter", "no filter", None).await,
        plain("wasm_empty", "a filter of WebAssembly that does nothing", Some((empty(None), EMPTY_MEMORY))).await,
        plain(
            "floor",
            "one that makes the gate's host calls and does nothing",
            Some((empty(Some(json!({}))), EMPTY_MEMORY)),
        )
        .await,
        plain("gatehouse_empty", "the gate, no policy, no house", Some((Gate::new(json!({})), GATE_MEMORY))).await,
        housed("gatehouse_100", "the gate, 100 rules, 100 networks, records to a house", material, answers, small)
            .await,
        housed("gatehouse_full", "the gate, 1,000 rules, 100,000 networks, the same", material, answers, full).await,
    ]
}

async fn housed(
    name: &'static str,
    what: &'static str,
    material: &Material,
    answers: Answers,
    (corpus, mix): (&Corpus, &Mix),
) -> Variant {
    let policies = corpus.documents.iter().enumerate();
    let policies = policies.map(|(number, text)| (format!("{number}.json"), text.clone())).collect();
    let mut house = House::start_with(&Setup { policies, ..Setup::default() }).await;
    let id = house.process().id();
    cores::pin_other(id);
    let gate = Gate::new(json!({ "house": { "cluster": "gatehouse" } }));
    let mut gateway = material.frame(answers).finish().with_gate(gate);
    gateway.house = HouseAt::Socket(house.socket());
    let mut variant = Variant::new(name, what, mix, &gateway).await;
    wait::until_true(PATIENCE, "the policy to be in force", || async {
        variant.envoy.stat("wasmcustom.gatehouse_policy_loads_total").await > 0
    })
    .await;
    (variant.memory, variant.beside) = (Some(GATE_MEMORY), Some(Beside::House(house, id)));
    variant
}

fn empty_filter() -> PathBuf {
    let built = parts::wasm().with_file_name("gatehouse_bench_empty_filter.wasm");
    assert!(built.is_file(), "absent: {} (run `make bench`)", built.display());
    built
}
