//! A day in small: twenty minutes of a steady 2,000 requests a second through a real Envoy to a file and to a real broker. Resident
//! memory of Envoy and of the house stays flat after a warm-up, and so do their open files; the spool returns to its floor; every
//! request is accounted for. `make soak` runs it; `SOAK_MINUTES` makes it shorter or longer.

use std::time::Duration;

use gatehouse_e2e::books::assert_closed;
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_kafka::Broker;
use gatehouse_support::client::request;
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::process::resident;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, wait};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

const RATE: u32 = 2000;
const MINUTES: u64 = 20;
const TOPIC: &str = "gatehouse.events";
/// Between two looks.
const EACH: Duration = Duration::from_secs(5);
/// What may be taken in the beginning: caches fill, allocators find their size.
const WARM_UP: Duration = Duration::from_secs(240);
/// Growth that is none: what an allocator's pages, or a batch in flight, make of one look or the next.
const FLAT_KIB: f64 = 6.0 * 1024.0;

/// One look at both processes.
#[derive(Debug, Clone, Copy)]
struct Look {
    minutes: f64,
    envoy: Seen,
    house: Seen,
    spool_bytes: u64,
}

/// A process at one moment.
#[derive(Debug, Clone, Copy)]
struct Seen {
    resident_kib: u64,
    files: usize,
}

impl Seen {
    fn of(id: u32) -> Self {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).expect("the process runs").count();
        Self { resident_kib: resident(id).expect("the process runs") >> 10, files }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "twenty minutes long: `make soak`"]
async fn twenty_minutes_at_a_steady_rate_leave_memory_files_and_spool_where_they_were() {
    let minutes = std::env::var("SOAK_MINUTES").map_or(MINUTES, |text| text.parse().expect("SOAK_MINUTES is a number"));
    let whole = Duration::from_secs(minutes * 60);
    let broker = spawn_blocking(Broker::start).await.expect("a broker");
    broker.create_topic(TOPIC, 6, &[("retention.bytes", "268435456"), ("segment.bytes", "67108864")]);
    let upstream = Upstream::start().await;
    let mut house = House::start_with(&setup(&broker)).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;

    let load = Load { address: envoy.address(), rate: RATE, connections: 32, request: Box::new(asked) }.start();
    let mut looks = Vec::new();
    while load.elapsed() < whole {
        sleep(EACH).await;
        let (envoy, house_now) = (Seen::of(envoy.id()), Seen::of(house.process().id()));
        let minutes = load.elapsed().as_secs_f64() / 60.0;
        let look = Look { minutes, envoy, house: house_now, spool_bytes: spool_bytes(&house).await };
        if looks.len() % 12 == 0 {
            println!("{look:?}");
        }
        looks.push(look);
    }
    let report = load.stop().await;
    let (sent, failures) = (report.outcomes.len() as u64, report.failures());
    assert!(failures.is_empty(), "{} of {sent} requests failed: {:?}", failures.len(), failures.first());
    let asked_for = whole.as_secs() * u64::from(RATE);
    assert!(sent >= asked_for * 98 / 100, "{sent} requests in place of {asked_for}: the rate was not held");

    // A spool takes whole segments: its floor is what it took for the first seconds.
    let floor = looks.first().map_or(0, |look| look.spool_bytes);
    let warm = WARM_UP.min(whole / 3).as_secs_f64() / 60.0;
    let warm: Vec<Look> = looks.into_iter().filter(|look| look.minutes >= warm).collect();
    assert_flat("Envoy", &warm, |look| look.envoy);
    assert_flat("house", &warm, |look| look.house);
    envoy.assert_filter_sound().await;
    let books = assert_closed(&house, sent).await;
    assert_eq!(books.stored + books.dropped, sent, "{books:?}");
    println!("{sent} requests at {RATE}/s: {books:?}");
    wait::until_true(Duration::from_secs(120), "the spool to be at its floor again", || async {
        spool_bytes(&house).await <= floor
    })
    .await;
    let most = warm.iter().map(|look| look.spool_bytes).max().unwrap_or_default();
    println!("spool: {floor} bytes in the beginning, {most} at most, {} after", spool_bytes(&house).await);
}

fn setup(broker: &Broker) -> Setup {
    let rules = json!([
        { "name": "closed", "match": { "path": "/closed/**" }, "then": "block" },
        { "name": "each", "match": { "all": true }, "limit": { "by": ["client"], "rate": "1000000 per 1m" }, "then": "limit" },
    ]);
    let sinks = json!({
        "kafka": { "kafka": { "brokers": [broker.plain()], "topic": TOPIC } },
        "file": { "file": { "rotate": { "size": "64MiB", "keep": 2 } } },
    });
    let policies = vec![("policy.yaml".to_owned(), policy("enforce", rules).to_string())];
    Setup { policies, extra: format!("sinks: {sinks}\n") }
}

/// One in twenty is blocked; paths, queries and agents vary.
fn asked(number: u64) -> Vec<u8> {
    let agent = format!("soak/{}", number % 500);
    let path = if number.is_multiple_of(20) {
        format!("/closed/{number}")
    } else {
        format!("/items/{}?q={number}", number % 5000)
    };
    request("GET", &path, &[("host", HOST), ("user-agent", &agent), ("accept", "*/*")], b"")
}

async fn spool_bytes(house: &House) -> u64 {
    house.status().await["spool"]["bytes"].as_u64().unwrap_or_else(|| panic!("the status shows the spool's bytes"))
}

/// Neither the line through all looks at resident memory nor the number of files rises.
fn assert_flat(name: &str, looks: &[Look], seen: impl Fn(&Look) -> Seen) {
    let points: Vec<(f64, f64)> = looks.iter().map(|look| (look.minutes, seen(look).resident_kib as f64)).collect();
    let (slope, span) = (slope(&points), points.last().map_or(0.0, |last| last.0 - points[0].0));
    let files = || looks.iter().map(|look| seen(look).files);
    let (fewest, most) = (files().min().unwrap_or_default(), files().max().unwrap_or_default());
    let last = points.last().map_or(0.0, |last| last.1);
    println!(
        "{name}: {slope:+.1} KiB a minute over {span:.1} minutes, {last:.0} KiB at the end; {fewest} to {most} files"
    );
    assert!(slope * span <= FLAT_KIB, "{name} grew by {:.0} KiB: {points:?}", slope * span);
    assert!(most - fewest <= 16, "{name} had {fewest} to {most} files open");
}

/// The slope of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    both / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

#[test]
fn the_slope_is_that_of_the_line_through_the_points() {
    let points: Vec<(f64, f64)> = (0..10).map(|x| (f64::from(x), 7.0 + 3.0 * f64::from(x))).collect();
    assert!((slope(&points) - 3.0).abs() < 1e-9);
}
