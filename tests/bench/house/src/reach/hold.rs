//! The longest that a worker is held in one go while the standard policy is loaded.

use std::time::Duration;

use gatehouse_support::envoy::Launcher;
use gatehouse_support::{Envoy, Upstream, wait};
use tokio::time::sleep;

use super::{attached, gateway, house, standard};

const SOON: Duration = Duration::from_secs(20);
/// The gate's own gauge: the highest of all its threads, which each tells once a second.
const METRIC: &str = "wasmcustom.gatehouse_policy_longest_step_microseconds";
const TOLD_WITHIN: Duration = Duration::from_millis(1200);

/// The longest step of each of so many loads, µs: of any worker of an Envoy that begins with the policy. By the clock on the wall: what
/// else the machine does is in it.
///
/// # Panics
/// When the policy does not come into force.
pub(crate) async fn longest_steps(loads: usize) -> Vec<u64> {
    let upstream = Upstream::start().await;
    let mut house = house(standard()).await;
    let mut steps = Vec::new();
    for _ in 0..loads {
        let envoy = Envoy::start_by(Launcher::Direct, &gateway(&house, &upstream)).await;
        attached(&house).await;
        wait::until_true(SOON, "the metric", || async { envoy.stat(METRIC).await > 0 }).await;
        sleep(TOLD_WITHIN).await;
        steps.push(envoy.stat(METRIC).await);
        envoy.assert_filter_sound().await;
        envoy.stop().await;
    }
    assert!(house.stop().await.success(), "the house ends well");
    steps
}
