//! What a guard counts, for `/metrics`.

use core::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::Label;

/// Labels are of fixed sets: nobody outside chooses one.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: Counter,
    pub(super) allowed: Counter,
    pub(super) rejected: Counter,
    /// Connections that something else than a policy ended, by reason.
    pub(super) refused: Family<Label, Counter>,
    pub(super) carried: Gauge,
    pub(super) shaking: Gauge,
    /// Octets from clients and to clients.
    pub(super) received: Counter<u64, AtomicU64>,
    pub(super) sent: Counter<u64, AtomicU64>,
    pub(super) policy_loads: Counter,
    pub(super) policy_failures: Counter,
    pub(super) lines_left_out: Counter,
    pub(super) untold: Counter,
}

impl Counts {
    /// Connections that are carried now.
    pub(super) fn open(&self) -> i64 {
        self.carried.get()
    }

    pub(super) fn refuse(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mut counter = |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("gatehouse_guard_connections", "Connections accepted", &self.accepted);
        counter("gatehouse_guard_allowed", "Connections allowed", &self.allowed);
        counter("gatehouse_guard_rejected", "Connections rejected by policy", &self.rejected);
        counter("gatehouse_guard_policy_loads", "Policies that came into force", &self.policy_loads);
        counter("gatehouse_guard_policy_failures", "Policies that were refused", &self.policy_failures);
        counter("gatehouse_guard_unlogged", "Lines about connections left out of the log", &self.lines_left_out);
        let help = "Connections whose handshake came to nothing, without a line and a record";
        counter("gatehouse_guard_untold", help, &self.untold);
        registry.register(
            "gatehouse_guard_refused",
            "Connections ended by something else than a policy, by reason",
            self.refused.clone(),
        );
        registry.register("gatehouse_guard_carried", "Connections that are carried", self.carried.clone());
        registry.register("gatehouse_guard_handshakes", "Clients that are shaking hands", self.shaking.clone());
        registry.register("gatehouse_guard_received_bytes", "Octets from clients", self.received.clone());
        registry.register("gatehouse_guard_sent_bytes", "Octets to clients", self.sent.clone());
    }
}
