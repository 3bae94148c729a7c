//! What strikes the network between gate and house.

use tokio::time::sleep;

use super::{AROUND, Done, Fault, seconds};
use crate::kafka::Kafka;
use crate::oracle::{Account, Allowed};
use crate::stage::{Plan, Stage};
use crate::wire::Mood;

pub(super) const CUT: Fault = Fault {
    name: "network-cut",
    what: "network between gate and house: connections cut, for 5 s and twice for a moment",
    run: |kafka, _| -> Done { Box::pin(cut(kafka)) },
};

pub(super) const SILENT: Fault = Fault {
    name: "network-silent",
    what: "network between gate and house: silent for 8 s, then deaf for 3 s, then cut",
    run: |kafka, _| -> Done { Box::pin(silent(kafka)) },
};

async fn cut(kafka: Kafka) -> (Account, Kafka) {
    let stage = Stage::set(kafka, Plan { wire: true, ..Plan::default() }).await;
    let load = stage.load();
    sleep(AROUND).await;
    let wire = stage.wire.as_ref().expect("the plan has one");
    wire.set(Mood::Cut);
    seconds(5).await;
    wire.set(Mood::Carry);
    sleep(AROUND).await;
    for _ in 0..2 {
        wire.snap().await;
        sleep(AROUND).await;
    }
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}

/// Deaf: the house stores and acknowledges, and no acknowledgement arrives; so what is sent again must not be stored again.
async fn silent(kafka: Kafka) -> (Account, Kafka) {
    let stage = Stage::set(kafka, Plan { wire: true, ..Plan::default() }).await;
    let load = stage.load();
    sleep(AROUND).await;
    let wire = stage.wire.as_ref().expect("the plan has one");
    wire.set(Mood::Silent);
    seconds(8).await;
    wire.set(Mood::Carry);
    sleep(AROUND).await;
    wire.set(Mood::Deaf);
    seconds(3).await;
    wire.snap().await;
    sleep(AROUND).await;
    stage.judge(load, Allowed { dropped: true, ..Allowed::default() }).await
}
