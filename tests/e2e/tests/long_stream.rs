//! A stream that outlasts a minute is told of while it runs: an interim record, then the final one, under one transaction.

use std::time::Duration;

use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{Http1, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, wait};
use serde_json::{Value, json};

const ID: &str = "6e7cbb0e-0000-4000-8000-00000000bbbb";

fn parts<'a>(events: &'a [Value], part: &str) -> Vec<&'a Value> {
    let own = |event: &&Value| event["http_request"]["uid"] == ID && event["unmapped"]["gatehouse"]["part"] == part;
    events.iter().filter(own).collect()
}

#[tokio::test]
async fn server_sent_events_of_more_than_a_minute_give_an_interim_record() {
    let upstream = Upstream::start().await;
    let house = House::with_policy(&policy(
        "enforce",
        json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]),
    ))
    .await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;

    let mut client = Http1::connect(envoy.address()).await.expect("a connection");
    // 66 events, one a second.
    client.send(&request("GET", "/events/66/1000", &[("host", HOST), ("x-request-id", ID)], b"")).await.expect("sent");
    let stream = tokio::spawn(async move { client.reply("GET").await.expect("the whole stream") });
    let events = wait::until(Duration::from_secs(75), "an interim record", || async {
        let events = house.events();
        (!parts(&events, "interim").is_empty()).then_some(events)
    })
    .await;
    let interim = parts(&events, "interim")[0].clone();
    assert!(!stream.is_finished(), "the interim record came while the stream ran");
    assert!(interim["traffic"]["bytes_out"].as_u64().is_some_and(|bytes| bytes > 0), "{interim}");
    assert_eq!(stream.await.expect("the client").status, 200);

    let last = house.event(ID).await;
    let ours = |event: &Value| event["unmapped"]["gatehouse"].clone();
    assert_eq!(ours(&last)["transaction"], ours(&interim)["transaction"]);
    assert_ne!(last["metadata"]["uid"], interim["metadata"]["uid"]);
    assert!(last["duration"].as_u64() >= Some(60_000), "{last}");
    envoy.assert_filter_sound().await;
}
