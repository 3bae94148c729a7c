//! What strikes Envoy: its process, and the filter's VM in it.

use std::time::Duration;

use gatehouse_support::client::{exchange, request};
use gatehouse_support::parts;
use gatehouse_support::process::{Signal, send};
use tokio::time::sleep;

use super::{AROUND, Done, Fault, seconds};
use crate::kafka::Kafka;
use crate::oracle::{Account, Allowed};
use crate::stage::{Plan, RATE, Stage};

/// A gate sends a batch ten times a second and forgets it a sync later, so what it holds is less than a second's traffic.
const SECOND: u64 = RATE as u64;

pub(super) const KILLED: Fault = Fault {
    name: "envoy-killed",
    what: "Envoy: kill -9, and a new one",
    run: |kafka, full| -> Done { Box::pin(killed(kafka, full)) },
};

pub(super) const FROZEN: Fault =
    Fault { name: "envoy-frozen", what: "Envoy: SIGSTOP for 5 s", run: |kafka, _| -> Done { Box::pin(frozen(kafka)) } };

pub(super) const TRAPPED: Fault = Fault {
    name: "vm-reloaded",
    what: "Envoy: the filter's VM traps and is loaded anew",
    run: |kafka, _| -> Done { Box::pin(trapped(kafka)) },
};

async fn killed(kafka: Kafka, full: bool) -> (Account, Kafka) {
    let times = if full { 10 } else { 2 };
    let mut stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    for _ in 0..times {
        sleep(AROUND).await;
        stage.replace_envoy().await;
    }
    sleep(AROUND).await;
    stage.notes.push(format!("{times} times"));
    let allowed = Allowed { failures: true, slow: true, tail: SECOND * times, ..Allowed::default() };
    stage.judge(load, allowed).await
}

async fn frozen(kafka: Kafka) -> (Account, Kafka) {
    let stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    send(stage.envoy().id(), Signal::STOP);
    seconds(5).await;
    send(stage.envoy().id(), Signal::CONT);
    sleep(AROUND).await;
    stage.judge(load, Allowed { slow: true, ..Allowed::default() }).await
}

async fn trapped(kafka: Kafka) -> (Account, Kafka) {
    const TIMES: u64 = 3;
    let mut stage = Stage::set(kafka, Plan { wasm: Some(parts::wasm_trap()), ..Plan::default() }).await;
    let load = stage.load();
    let trap = request("GET", "/open", &[("host", "shop.test"), ("x-test-trap", "1")], b"");
    for _ in 0..TIMES {
        sleep(AROUND).await;
        // Answered by Envoy itself: the filter is gone in this moment.
        let _ = exchange(stage.envoy().address(), &trap).await;
    }
    sleep(Duration::from_secs(3)).await;
    let reloads: u64 = stage.envoy().stats("vm_reload_success").await.iter().map(|(_, value)| value).sum();
    assert_eq!(reloads, TIMES, "loads of a new VM");
    stage.notes.push(format!("{TIMES} times"));
    stage.judge(load, Allowed { failures: true, slow: true, tail: SECOND * TIMES, dropped: false }).await
}
