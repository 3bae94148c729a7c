//! What a collector over HTTPS can do.

use tokio::time::sleep;

use super::{AROUND, Done, Fault, seconds};
use crate::collector::Mood;
use crate::kafka::Kafka;
use crate::oracle::{Account, Allowed};
use crate::stage::{Plan, Stage};

pub(super) const BROKEN: Fault = Fault {
    name: "collector-500",
    what: "collector: answers 500 for 5 s",
    run: |kafka, _| -> Done { Box::pin(moody(kafka, Mood::Broken)) },
};

pub(super) const TOO_MANY: Fault = Fault {
    name: "collector-429",
    what: "collector: answers 429 with Retry-After for 5 s",
    run: |kafka, _| -> Done { Box::pin(moody(kafka, Mood::TooMany)) },
};

pub(super) const SLOW: Fault = Fault {
    name: "collector-slow",
    what: "collector: answers after 2 s, for 5 s",
    run: |kafka, _| -> Done { Box::pin(moody(kafka, Mood::Slow)) },
};

pub(super) const CUT_REQUEST: Fault = Fault {
    name: "collector-cut-request",
    what: "collector: cuts the connection in the middle of the body, for 5 s",
    run: |kafka, _| -> Done { Box::pin(moody(kafka, Mood::CutRequest)) },
};

pub(super) const CUT_ANSWER: Fault = Fault {
    name: "collector-cut-answer",
    what: "collector: takes the batch and cuts the answer, for 5 s",
    run: |kafka, _| -> Done { Box::pin(moody(kafka, Mood::CutAnswer)) },
};

async fn moody(kafka: Kafka, mood: Mood) -> (Account, Kafka) {
    let stage = Stage::set(kafka, Plan::default()).await;
    let load = stage.load();
    sleep(AROUND).await;
    stage.collector.set(mood);
    seconds(5).await;
    stage.collector.set(Mood::Well);
    sleep(AROUND).await;
    stage.judge(load, Allowed::default()).await
}
