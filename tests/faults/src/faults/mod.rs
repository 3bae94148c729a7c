//! The faults, by what they strike.

mod collector;
mod envoy;
mod house;
mod kafka;
mod network;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::sleep;

use crate::kafka::Kafka;
use crate::oracle::Account;

/// What a fault gives back: its account, and the broker for the next one.
pub type Done = Pin<Box<dyn Future<Output = (Account, Kafka)> + Send>>;

/// One fault.
pub struct Fault {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done, for the table.
    pub what: &'static str,
    /// Does it; true: as often as for the full table.
    pub run: fn(Kafka, bool) -> Done,
}

/// Every fault, in the order of the table.
pub const ALL: [&Fault; 22] = [
    &house::KILLED,
    &house::AWAY,
    &house::FROZEN,
    &house::STUCK,
    &house::TERMINATED,
    &house::DISK_FULL,
    &house::CLOCK,
    &envoy::KILLED,
    &envoy::FROZEN,
    &envoy::TRAPPED,
    &network::CUT,
    &network::SILENT,
    &kafka::KILLED,
    &kafka::FROZEN,
    &kafka::DELETED,
    &kafka::DEAF,
    &kafka::ONE_OF_THREE,
    &collector::BROKEN,
    &collector::TOO_MANY,
    &collector::SLOW,
    &collector::CUT_REQUEST,
    &collector::CUT_ANSWER,
];

/// The load before and after a fault.
const AROUND: Duration = Duration::from_secs(2);

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}
