//! The house absent, killed, frozen, restarted, and its cluster's name wrong: no request fails, none takes a second, and
//! afterwards the books balance to the last record against the client's own count.

use std::ops::Range;
use std::time::Duration;

use gatehouse_e2e::books::assert_balanced;
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::request;
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::load::{Report, Running};
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::sleep;

const RATE: u32 = 500;

/// One fault at a time: each asserts that no request takes a second, and there are two cores.
static ALONE: Mutex<()> = Mutex::const_new(());

struct Stage {
    house: House,
    envoy: Envoy,
    upstream: Upstream,
}

impl Stage {
    async fn set(running: bool) -> Self {
        let upstream = Upstream::start().await;
        let rules = json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]);
        let policies = vec![("policy.yaml".to_owned(), policy("enforce", rules).to_string())];
        let mut house = House::prepare(&Setup { policies, ..Setup::default() });
        if running {
            house.run().await;
        }
        let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
        gateway.house = HouseAt::Socket(house.socket());
        gateway.concurrency = 2;
        let envoy = Envoy::start(&gateway).await;
        Self { house, envoy, upstream }
    }

    fn load(&self) -> Running {
        let every = |number: u64| {
            let path = if number.is_multiple_of(10) { "/closed" } else { "/open" };
            request("GET", path, &[("host", HOST)], b"")
        };
        Load { address: self.envoy.address(), rate: RATE, connections: 64, request: Box::new(every) }.start()
    }

    /// No request failed and none took a second; the books balance.
    async fn judge(self, fault: &str, report: Report, during: Range<Duration>) {
        assert!(
            report.failures().is_empty(),
            "{fault}: {} failed, first {:?}",
            report.failures().len(),
            report.failures().first()
        );
        assert!(report.slowest() < Duration::from_secs(1), "{fault}: slowest {:?}", report.slowest());
        let end = Duration::from_secs(3600);
        let p99 = |phase: Range<Duration>| {
            report.quantile(0.99, &phase).map_or_else(|| "none".to_owned(), |p99| format!("{p99:.2?}"))
        };
        let (before, within, after) = (p99(Duration::ZERO..during.start), p99(during.clone()), p99(during.end..end));
        let sent = report.outcomes.len() as u64;
        assert!(self.upstream.count() > 0);
        let books = assert_balanced(&self.house, sent).await;
        println!(
            "{fault}: {sent} sent, none failed; p99 before {before}, during {within}, after {after}; slowest {:.2?}; {books:?}",
            report.slowest()
        );
        // One decision in 64 is timed, on each worker.
        let page = self.envoy.page("/stats/prometheus?filter=gatehouse_gate_decision").await;
        let timed = page.lines().find(|line| line.starts_with("gatehouse_gate_decision_microseconds_count"));
        let timed = timed.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default();
        assert!((sent / 128..=sent / 64).contains(&timed), "{timed} of {sent} decisions were timed:\n{page}");
        self.envoy.assert_filter_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absent_at_start() {
    let _alone = ALONE.lock().await;
    let mut stage = Stage::set(false).await;
    let running = stage.load();
    sleep(Duration::from_secs(4)).await;
    let back = running.elapsed();
    stage.house.run().await;
    sleep(Duration::from_secs(4)).await;
    let report = running.stop().await;
    stage.judge("absent at start", report, Duration::ZERO..back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_cluster_name_fails_no_request() {
    let _alone = ALONE.lock().await;
    let upstream = Upstream::start().await;
    // `users` is a name that, given to Envoy bare, would abort it.
    for name in ["no-such-cluster", "users"] {
        let bootstrap = json!({ "house": { "cluster": name } });
        let envoy = Envoy::start(&Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap))).await;
        let every = |_| request("GET", "/open", &[("host", HOST)], b"");
        let load = Load { address: envoy.address(), rate: RATE, connections: 64, request: Box::new(every) };
        let report = load.run(Duration::from_secs(3)).await;
        assert!(report.failures().is_empty(), "{name}: {:?}", report.failures().first());
        assert!(report.slowest() < Duration::from_secs(1), "{name}: slowest {:?}", report.slowest());
        println!(
            "wrong cluster `{name}`: {} sent, none failed, slowest {:.2?}",
            report.outcomes.len(),
            report.slowest()
        );
        envoy.assert_filter_sound().await;
    }
}
