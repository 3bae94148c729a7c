//! What is counted where it happens. What can be read off at a scrape (books, spool, sinks, streams) is not counted twice:
//! see [`crate::admin`].
//!
//! Names are `gatehouse_<area>_<thing>_<unit>[_total]`; labels come from fixed sets or from the operator's configuration,
//! never from a client or a gate.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// One label of a fixed set of values.
pub type Label = [(&'static str, &'static str); 1];

/// The counters of a house.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Bytes of batches taken in, duplicates included.
    pub batch_bytes: Counter,
    /// Batches taken in, duplicates included.
    pub batches: Counter,
    /// Batches that brought nothing new.
    pub duplicates: Counter,
    /// Policy images that workers accepted or refused.
    pub policy_acks: Family<Label, Counter>,
    /// Changes of the policy folder that did not compile.
    pub policy_failures: Counter,
    /// Policy images sent to workers.
    pub policy_pushes: Counter,
    /// Changes that workers took back.
    pub rollbacks: Counter,
    /// Batches after which a gate was not read for a while, because its identity sends more than it may.
    pub paused: Counter,
    /// Streams that were not let in or were closed for breaking the rules, by reason.
    pub refusals: Family<Label, Counter>,
    /// Batches that the spool did not take, by reason; their gates send them again.
    pub store_failures: Family<Label, Counter>,
    /// Streams let in.
    pub streams_opened: Counter,
}

impl Metrics {
    /// Registers every counter.
    pub fn register(&self, registry: &mut Registry) {
        let mut counter = |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("gatehouse_intake_batch_bytes", "Bytes of batches taken in, duplicates included", &self.batch_bytes);
        counter("gatehouse_intake_batches", "Batches taken in, duplicates included", &self.batches);
        counter("gatehouse_intake_duplicate_batches", "Batches that brought nothing new", &self.duplicates);
        counter("gatehouse_intake_paused_batches", "Batches after which a gate had to wait for its rate", &self.paused);
        counter("gatehouse_intake_streams_opened", "Streams let in", &self.streams_opened);
        counter(
            "gatehouse_policy_failed_changes",
            "Changes of the policy folder that did not compile",
            &self.policy_failures,
        );
        counter("gatehouse_policy_pushed_images", "Policy images sent to workers", &self.policy_pushes);
        counter("gatehouse_house_rollbacks", "Changes that workers took back by themselves", &self.rollbacks);
        let mut family = |name: &str, help: &str, family: &Family<Label, Counter>| {
            registry.register(name, help, family.clone());
        };
        family(
            "gatehouse_intake_refused_streams",
            "Connections and streams refused, or closed for breaking the rules",
            &self.refusals,
        );
        family("gatehouse_intake_failed_stores", "Batches that the spool did not take", &self.store_failures);
        family("gatehouse_policy_acknowledged_images", "Answers of workers to policy images", &self.policy_acks);
    }
}
