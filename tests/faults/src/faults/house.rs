//! What strikes the house: its process, its disk, its clock.

use std::time::Duration;

use gatehouse_support::process::resident;
use gatehouse_support::wait;
use serde_json::Value;
use tokio::time::sleep;

use super::{AROUND, Done, Fault, seconds};
use crate::kafka::Kafka;
use crate::oracle::{Account, Allowed};
use crate::stage::{Plan, Stage};

pub(super) const KILLED: Fault = Fault {
    name: "house-killed",
    what: "house: kill -9, again and again",
    run: |kafka, full| -> Done { Box::pin(killed(kafka, full)) },
};

pub(super) const AWAY: Fault = Fault {
    name: "house-away",
    what: "house: killed and away until the gates hold all they may",
    run: |kafka, _| -> Done { Box::pin(away(kafka)) },
};

pub(super) const FROZEN: Fault = Fault {
    name: "house-frozen",
    what: "house: SIGSTOP for 10 s",
    run: |kafka, _| -> Done { Box::pin(frozen(kafka)) },
};

pub(super) const STUCK: Fault = Fault {
    name: "house-stuck",
    what: "house: SIGSTOP for 10 s, gates that hold at most 128 KiB each",
    run: |kafka, _| -> Done { Box::pin(stuck(kafka)) },
};

pub(super) const TERMINATED: Fault = Fault {
    name: "house-terminated",
    what: "house: SIGTERM while Kafka is frozen, and a new one on its volume",
    run: |kafka, _| -> Done { Box::pin(terminated(kafka)) },
};

pub(super) const DISK_FULL: Fault = Fault {
    name: "disk-full",
    what: "house: its disk full for 8 s, then space again",
    run: |kafka, _| -> Done { Box::pin(disk_full(kafka)) },
};

pub(super) const CLOCK: Fault = Fault {
    name: "clock-jumps",
    what: "house: its clock a day ahead, then two days back",
    run: |kafka, _| -> Done { Box::pin(clock(kafka)) },
};

async fn killed(kafka: Kafka, full: bool) -> (Account, Kafka) {
    let times = if full { 50 } else { 10 };
    let mut stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    for time in 0..times {
        // Different moments of a flush, a sync and a sink's round.
        sleep(Duration::from_millis(500 + time * 137 % 700)).await;
        stage.crash_house(Duration::from_millis(time * 61 % 400)).await;
    }
    sleep(AROUND).await;
    stage.notes.push(format!("{times} times"));
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}

/// What the gates then give up is counted, plain successes first, and the house hears of it when it is back.
async fn away(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan { ring: Some("128KiB"), ..Plan::default() }).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.crash_house(Duration::from_secs(8)).await;
    sleep(AROUND).await;
    let (mut account, kafka) = stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await;
    account.expect_dropped();
    (account, kafka)
}

async fn frozen(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.house.freeze();
    seconds(10).await;
    stage.house.thaw();
    sleep(AROUND).await;
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}

/// A reader that does not read must not grow Envoy: what it holds for the house is at most the rings of the gate.
async fn stuck(kafka: Kafka) -> (Account, Kafka) {
    /// Two workers and the main thread, each a ring.
    const RINGS: u64 = 3 * (128 << 10);
    let mut stage = Stage::set(kafka, Plan { ring: Some("128KiB"), ..Plan::default() }).await;
    let load = stage.load();
    sleep(AROUND).await;
    let before = resident(stage.envoy().id()).expect("Envoy runs");
    stage.house.freeze();
    let (mut most, mut pending) = (before, 0);
    for _ in 0..50 {
        sleep(Duration::from_millis(200)).await;
        most = most.max(resident(stage.envoy().id()).unwrap_or_default());
        pending = pending.max(stage.envoy().stat("cluster.gatehouse.http2.pending_send_bytes").await);
    }
    stage.house.thaw();
    sleep(AROUND).await;
    let grown = most - before;
    stage.notes.push(format!("Envoy held at most {} KiB for it and grew by {} KiB", pending >> 10, grown >> 10));
    let (mut account, kafka) = stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await;
    account.expect_dropped();
    // Memory that Envoy takes for the requests themselves is in it too.
    if pending > RINGS || grown > RINGS + (8 << 20) {
        account.wrong.push(format!("Envoy held {pending} bytes for the house and grew by {grown}"));
    }
    (account, kafka)
}

/// A pod's deletion in small: what cannot be handed over in time stays on the volume.
async fn terminated(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.kafka.broker().freeze();
    seconds(3).await;
    let begin = std::time::Instant::now();
    let status = stage.house.stop().await;
    let took = begin.elapsed();
    assert!(status.success(), "SIGTERM ends the house with 0, not {status}");
    assert!(took < Duration::from_secs(30), "the house took {took:?} to end: longer than a pod's grace period");
    let remaining = remaining(&stage.house.log(), "kafka");
    assert!(remaining > 0, "Kafka was frozen for three seconds under load");
    stage
        .notes
        .push(format!("it ended after {:.1} s and told of {remaining} records left for Kafka", took.as_secs_f64()));
    stage.kafka.broker().thaw();
    stage.house.run().await;
    sleep(AROUND).await;
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}

/// What the last words of the house say that a sink leaves in the spool.
fn remaining(log: &str, sink: &str) -> u64 {
    let mut lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = |line: &Value| (line["sink"] == sink).then(|| line["records"].as_u64())?;
    lines.find_map(|line| own(&line)).unwrap_or_default()
}

async fn disk_full(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan { volume: Some(96), ..Plan::default() }).await;
    let load = stage.load();
    sleep(AROUND).await;
    let volume = stage.volume.as_ref().expect("the plan has one");
    let kind = volume.kind();
    volume.fill();
    wait::until_true(Duration::from_secs(60), "the gates to be refused", || async {
        stage.house.page("/metrics").await.lines().any(|line| line == "gatehouse_spool_full 1")
    })
    .await;
    seconds(8).await;
    stage.volume.as_ref().expect("the plan has one").free();
    sleep(AROUND).await;
    stage.notes.push(kind.to_owned());
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}

async fn clock(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan { clock: true, ..Plan::default() }).await;
    let load = stage.load();
    sleep(AROUND).await;
    let clock = stage.clock.clone().expect("the plan has one");
    for offset in ["+1d", "-1d", "+0"] {
        clock.set(offset);
        seconds(3).await;
    }
    stage.crash_house(Duration::ZERO).await;
    sleep(AROUND).await;
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}
