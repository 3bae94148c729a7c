//! What strikes Kafka.

use std::net::SocketAddr;

use gatehouse_support::ports;
use tokio::time::sleep;

use super::{AROUND, Done, Fault, seconds};
use crate::kafka::Kafka;
use crate::oracle::{Account, Allowed};
use crate::stage::{Plan, Stage, later};
use crate::wire::{Far, Mood, Wire};

pub(super) const KILLED: Fault = Fault {
    name: "kafka-killed",
    what: "Kafka: kill -9 and a restart on its data",
    run: |kafka, _| -> Done { Box::pin(killed(kafka)) },
};

pub(super) const FROZEN: Fault = Fault {
    name: "kafka-frozen",
    what: "Kafka: SIGSTOP for 10 s",
    run: |kafka, _| -> Done { Box::pin(frozen(kafka)) },
};

pub(super) const DELETED: Fault = Fault {
    name: "kafka-topic-deleted",
    what: "Kafka: the topic deleted and, 5 s later, made again",
    run: |kafka, _| -> Done { Box::pin(deleted(kafka)) },
};

pub(super) const DEAF: Fault = Fault {
    name: "kafka-acks-lost",
    what: "Kafka: acknowledgements lost after the append, connections cut, four times",
    run: |kafka, _| -> Done { Box::pin(deaf(kafka)) },
};

pub(super) const ONE_OF_THREE: Fault = Fault {
    name: "kafka-one-of-three",
    what: "Kafka: three brokers (replication 3, min.insync 2), one killed with SIGKILL for 5 s",
    run: |kafka, _| -> Done { Box::pin(one_of_three(kafka)) },
};

async fn one_of_three(kafka: Kafka) -> (Account, Kafka) {
    // Four brokers are too much for a small machine.
    drop(kafka);
    let mut stage = Stage::set(Kafka::start_three().await, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.kafka.kill().await;
    seconds(5).await;
    let without = stage.sink("kafka").await["delivered"].as_u64().unwrap_or_default();
    stage.kafka.restart().await;
    sleep(AROUND).await;
    stage.notes.push(format!("{without} delivered before it came back"));
    let (account, three) = stage.judge(load, Allowed::default()).await;
    drop(three);
    (account, Kafka::start().await)
}

async fn killed(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.kafka.kill().await;
    seconds(3).await;
    stage.kafka.restart().await;
    sleep(AROUND).await;
    stage.judge(load, Allowed::default()).await
}

async fn frozen(kafka: Kafka) -> (Account, Kafka) {
    let stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.kafka.broker().freeze();
    seconds(10).await;
    stage.kafka.broker().thaw();
    sleep(AROUND).await;
    stage.judge(load, Allowed::default()).await
}

/// What the topic held is read before it goes: a deletion takes what was delivered, and that is the operator's wish.
async fn deleted(kafka: Kafka) -> (Account, Kafka) {
    let mut stage = Stage::set(kafka, Plan::default()).await;
    let before = stage.load();
    sleep(AROUND).await;
    let mut report = before.stop().await;
    seconds(1).await;
    stage.settled(report.outcomes.len() as u64).await;
    stage.taken = stage.in_kafka().await;
    stage.kafka.delete_topic().await;
    let next = report.outcomes.last().map_or(0, |last| last.number + 1);
    let load = stage.load_from(next);
    seconds(5).await;
    let trouble = stage.sink("kafka").await;
    assert!(trouble["problem"].is_string(), "a deleted topic stands in /status: {trouble}");
    stage.kafka.create_topic().await;
    sleep(AROUND).await;
    report.outcomes.extend(later(load.stop().await, next));
    stage.judge_of(report, Allowed::default()).await
}

async fn deaf(kafka: Kafka) -> (Account, Kafka) {
    // A broker of its own, whose clients come by the wire.
    let plain = ports::free();
    let wire = Wire::start(Far::Tcp(SocketAddr::from(([127, 0, 0, 1], plain)))).await;
    let own = Kafka::start_behind(plain, wire.address().port()).await;
    let stage = Stage::set(own, Plan { brokers: Some(wire.address().to_string()), ..Plan::default() }).await;
    let load = stage.load();
    for _ in 0..4 {
        sleep(AROUND).await;
        wire.set(Mood::Deaf);
        seconds(1).await;
        wire.snap().await;
    }
    sleep(AROUND).await;
    let (account, _) = stage.judge(load, Allowed::default()).await;
    (account, kafka)
}
