//! How late an event is in Kafka: from the end of the response, as Envoy tells it, to the broker's own time of the append.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehouse_kafka::Broker;
use gatehouse_support::client::request;
use gatehouse_support::envoy::{HouseAt, Launcher};
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, wait};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

const TOPIC: &str = "gatehouse.events";
/// The house connects to Kafka with its first event, and code is cold.
const WARM_UP_MS: i64 = 3000;

/// From the end of a response to the append, milliseconds.
pub(crate) struct Late {
    /// Requests a second.
    pub(crate) rate: u32,
    /// Events after the warm-up.
    pub(crate) events: usize,
    pub(crate) median: i64,
    pub(crate) p99: i64,
    pub(crate) p999: i64,
    pub(crate) longest: i64,
}

/// Requests at this rate through a real Envoy for so many seconds.
///
/// # Panics
/// When a request fails, or an event is not delivered.
pub(crate) async fn run(rate: u32, seconds: u64) -> Late {
    let broker = spawn_blocking(Broker::start).await.expect("a broker");
    broker.create_topic(TOPIC, 6, &[("message.timestamp.type", "LogAppendTime")]);
    let upstream = Upstream::start().await;
    let sinks = json!({ "kafka": { "kafka": { "brokers": [broker.plain()], "topic": TOPIC } } });
    let house = House::start_with(&Setup { extra: format!("sinks: {sinks}\n"), ..Setup::default() }).await;
    let bootstrap = json!({ "house": { "cluster": "gatehouse", "authority": "gatehouse" } });
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = 2;
    let envoy = Envoy::start_by(Launcher::Direct, &gateway).await;
    let every = |number: u64| request("GET", &format!("/items/{number}"), &[("host", "shop.test")], b"");
    let load = Load { address: envoy.address(), rate, connections: 128, request: Box::new(every) };
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis();
    let warm = i64::try_from(begin).unwrap_or(i64::MAX) + WARM_UP_MS;
    let report = load.run(Duration::from_secs(seconds)).await;
    assert!(report.failures().is_empty(), "{:?}", report.failures().first());
    let sent = report.outcomes.len() as u64;
    wait::until_true(Duration::from_secs(60), "every event to be delivered", || async {
        house.status().await["sinks"][0]["delivered"].as_u64().is_some_and(|delivered| delivered >= sent)
    })
    .await;
    let messages = spawn_blocking(move || broker.read_all(TOPIC)).await.expect("messages");
    let mut late: Vec<i64> =
        messages.iter().filter_map(|message| lateness(&message.value, message.timestamp_ms, warm)).collect();
    late.sort_unstable();
    let at = |share: f64| late.get((late.len() as f64 * share) as usize).copied().unwrap_or_default();
    let longest = late.last().copied().unwrap_or_default();
    Late { rate, events: late.len(), median: at(0.5), p99: at(0.99), p999: at(0.999), longest }
}

/// Milliseconds from the end of the transaction to the append; `None`: it began before `warm`, or is none.
fn lateness(value: &[u8], appended: i64, warm: i64) -> Option<i64> {
    let event: Value = serde_json::from_slice(value).ok()?;
    let time = event["time"].as_i64().filter(|time| *time >= warm && event["class_uid"] == 4002)?;
    Some(appended - time - event["duration"].as_i64()?)
}
