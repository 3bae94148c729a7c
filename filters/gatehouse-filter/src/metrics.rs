//! The gate's metrics: defined in one place, kept by Envoy over all workers, with no name that a client could choose.
//!
//! Counters and gauges are one per Envoy, not one per worker. Counters add up by themselves. A gauge holds the highest value
//! of any worker: see [`Highest`].

use gatehouse_engine::Field;
use gatehouse_verdict::{Action, Reason};

use crate::host::{self, MetricKind};

/// A counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Requests whose headers reached the gate.
    Requests,
    /// Connections that were opened to the filter of connections.
    Connections,
    /// Connections that had to go, because too many waited for their clients to prove who they are.
    CrowdedOut,
    /// Lines of the log about connections that were left out, because there were too many.
    LinesLeftOut,
    /// Transactions (and interim reports) that took a sequence number; survives VM reloads.
    Seen,
    /// Requests judged allow.
    Allowed,
    /// Requests judged block.
    Blocked,
    /// Requests judged redirect.
    Redirected,
    /// Requests judged limit.
    Limited,
    /// Requests judged deceive.
    Deceived,
    /// Requests judged drop.
    Ended,
    /// Requests held for a while before they went on.
    Delayed,
    /// Requests that were to be held and were not, since too many were.
    NotDelayed,
    /// Changes taken back since they hit known-good clients.
    Rollbacks,
    /// Responses of the application that a rule replaced.
    ResponsesReplaced,
    /// Keys of limits that lost their count to another, the table being full.
    LimitEvictions,
    /// Clients that lost their score to another.
    ScoreEvictions,
    /// Counts of shared limits that one worker made alone.
    SharedFallbacks,
    /// Limits that were not asked, since a part of their key was unknown.
    Unkeyed,
    /// Entries of verdict lists that found no room.
    VerdictsRefused,
    /// Changes that are rolled out without a guard.
    UnguardedChanges,
    /// Requests that a rule in monitor mode would have mitigated.
    WouldHave,
    /// Requests with more than one reading.
    Ambiguous,
    /// Requests whose headers could not be read.
    Unreadable,
    /// Requests judged while no policy was in force.
    WithoutPolicy,
    /// Requests whose direct peer the gate was not told.
    PeerUnknown,
    /// Host calls that Envoy refused where the gate relied on them.
    HostFailures,
    /// Snapshots taken into force.
    PolicyLoads,
    /// Snapshots refused.
    PolicyRefusals,
    /// Snapshots found in shared data by a new VM and taken into force.
    PolicyRestores,
    /// Configurations refused.
    BootstrapRefusals,
    /// Streams to the house that were opened.
    StreamsOpened,
    /// Streams to the house that ended, for whatever reason.
    StreamsClosed,
    /// Messages of the house that could not be read or made no sense.
    HouseGarbage,
    /// Records given up: the ring was full.
    DroppedRingFull,
    /// Records given up: no stream was open and the ring was full.
    DroppedNoStream,
    /// Records given up: too large in every form.
    DroppedOversize,
    /// Records that could not be made.
    DroppedUnreadable,
}

impl Count {
    const ALL: [(Self, &'static str); 38] = [
        (Self::Requests, "gatehouse_requests_total"),
        (Self::Connections, "gatehouse_connections_total"),
        (Self::CrowdedOut, "gatehouse_connections_crowded_out_total"),
        (Self::LinesLeftOut, "gatehouse_connections_unlogged_total"),
        (Self::Seen, "gatehouse_gate_seen_total"),
        (Self::Allowed, "gatehouse_decisions_allow_total"),
        (Self::Blocked, "gatehouse_decisions_block_total"),
        (Self::Redirected, "gatehouse_decisions_redirect_total"),
        (Self::Limited, "gatehouse_decisions_limit_total"),
        (Self::Deceived, "gatehouse_decisions_deceive_total"),
        (Self::Ended, "gatehouse_decisions_drop_total"),
        (Self::Delayed, "gatehouse_requests_delayed_total"),
        (Self::NotDelayed, "gatehouse_requests_not_delayed_total"),
        (Self::Rollbacks, "gatehouse_rollbacks_total"),
        (Self::ResponsesReplaced, "gatehouse_responses_replaced_total"),
        (Self::LimitEvictions, "gatehouse_limits_evictions_total"),
        (Self::ScoreEvictions, "gatehouse_scores_evictions_total"),
        (Self::SharedFallbacks, "gatehouse_limits_shared_fallbacks_total"),
        (Self::Unkeyed, "gatehouse_limits_unkeyed_total"),
        (Self::VerdictsRefused, "gatehouse_verdicts_refused_total"),
        (Self::UnguardedChanges, "gatehouse_changes_unguarded_total"),
        (Self::WouldHave, "gatehouse_would_have_total"),
        (Self::Ambiguous, "gatehouse_requests_ambiguous_total"),
        (Self::Unreadable, "gatehouse_requests_unreadable_total"),
        (Self::WithoutPolicy, "gatehouse_requests_without_policy_total"),
        (Self::PeerUnknown, "gatehouse_requests_peer_unknown_total"),
        (Self::HostFailures, "gatehouse_host_failures_total"),
        (Self::PolicyLoads, "gatehouse_policy_loads_total"),
        (Self::PolicyRefusals, "gatehouse_policy_refusals_total"),
        (Self::PolicyRestores, "gatehouse_policy_restores_total"),
        (Self::BootstrapRefusals, "gatehouse_bootstrap_refusals_total"),
        (Self::StreamsOpened, "gatehouse_streams_opened_total"),
        (Self::StreamsClosed, "gatehouse_streams_closed_total"),
        (Self::HouseGarbage, "gatehouse_house_garbage_total"),
        (Self::DroppedRingFull, "gatehouse_records_dropped_ring_full_total"),
        (Self::DroppedNoStream, "gatehouse_records_dropped_no_stream_total"),
        (Self::DroppedOversize, "gatehouse_records_dropped_oversize_total"),
        (Self::DroppedUnreadable, "gatehouse_records_dropped_unreadable_total"),
    ];
}

const TIMED_EVERY: u32 = 64;

/// Every metric of this VM. Metrics that Envoy refused to define are not counted, and nothing else changes.
#[derive(Debug, Default)]
pub struct Metrics {
    /// In the order of [`Count::ALL`].
    counters: Vec<Option<u32>>,
    /// By field that could not be known, each defined when it first was.
    unknown: [Option<u32>; Field::ALL.len()],
    decision: Option<u32>,
    /// Decisions since the last one that was timed.
    untimed: u32,
    memory: Highest,
    limit_bytes: Highest,
    longest_step: Highest,
    policy_age: Highest,
    without_policy: Highest,
    brake: Highest,
}

impl Metrics {
    /// Defines what is not yet defined.
    pub fn define(&mut self) {
        self.counters.resize(Count::ALL.len(), None);
        for (slot, (_, name)) in self.counters.iter_mut().zip(Count::ALL) {
            if slot.is_none() {
                *slot = host::define_metric(MetricKind::Counter, name).ok();
            }
        }
        if self.decision.is_none() {
            self.decision = host::define_metric(MetricKind::Histogram, "gatehouse_gate_decision_microseconds").ok();
        }
        self.memory.define("gatehouse_gate_memory_bytes");
        self.limit_bytes.define("gatehouse_limits_bytes");
        self.longest_step.define("gatehouse_policy_longest_step_microseconds");
        self.policy_age.define("gatehouse_policy_age_seconds");
        self.without_policy.define("gatehouse_gate_without_policy");
        self.brake.define("gatehouse_gate_brake_active");
    }

    /// Counts one.
    pub fn count(&self, count: Count) {
        self.add(count, 1);
    }

    /// Counts `by`.
    pub fn add(&self, count: Count, by: u64) {
        if let (Some(id), Ok(by)) = (self.id(count), i64::try_from(by))
            && by > 0
        {
            let _ = host::increment_metric(id, by);
        }
    }

    /// Counts a decision and what it was for.
    pub fn decided(&self, action: Action, reason: Reason, would_have: bool) {
        self.count(match action {
            Action::Allow => Count::Allowed,
            Action::Block => Count::Blocked,
            Action::Deceive => Count::Deceived,
            Action::Drop => Count::Ended,
            Action::Limit => Count::Limited,
            Action::Redirect => Count::Redirected,
        });
        if would_have {
            self.count(Count::WouldHave);
        }
        match reason {
            Reason::NoPolicy => self.count(Count::WithoutPolicy),
            Reason::Unreadable => self.count(Count::Unreadable),
            _ => {}
        }
    }

    /// Times one decision in [`TIMED_EVERY`]: from when the gate was called to what it answers, Envoy's own share of the host
    /// calls between included. The others pay no second look at the clock.
    pub fn time_decision(&mut self, began_ns: u64) {
        self.untimed = self.untimed.saturating_add(1);
        if self.untimed < TIMED_EVERY {
            return;
        }
        self.untimed = 0;
        if let Some(id) = self.decision {
            let _ = host::record_metric(id, host::now_ns().saturating_sub(began_ns) / 1000);
        }
    }

    /// Transactions seen by all VMs of this Envoy.
    pub fn seen(&self) -> u64 {
        self.id(Count::Seen).and_then(|id| host::metric(id).ok()).unwrap_or(0)
    }

    /// Age of the policy in force in this worker, and whether it has none.
    pub fn policy(&mut self, age_s: Option<u64>) {
        self.policy_age.tell(age_s.unwrap_or(0));
        self.without_policy.tell(u64::from(age_s.is_none()));
    }

    /// Whether some brake holds in this worker.
    pub fn brake(&mut self, holds: bool) {
        self.brake.tell(u64::from(holds));
    }

    /// A rule read a field that could not be known, `by` more times.
    pub fn unknown(&mut self, field: Field, by: u64) {
        let (Some(slot), Ok(by)) = (self.unknown.get_mut(field as usize), i64::try_from(by)) else { return };
        if by == 0 {
            return;
        }
        if slot.is_none() {
            let name = format!("gatehouse_unknown_{}_total", field.as_str().replace('.', "_"));
            *slot = host::define_metric(MetricKind::Counter, &name).ok();
        }
        if let Some(id) = *slot {
            let _ = host::increment_metric(id, by);
        }
    }

    /// Bytes of the cells of limits in this worker.
    pub fn limits(&mut self, bytes: u64) {
        self.limit_bytes.tell(bytes);
    }

    /// The longest time for which taking in a policy has held this worker.
    pub fn longest_step(&mut self, longest_ns: u64) {
        self.longest_step.tell(longest_ns / 1000);
    }

    /// Linear memory of this VM, bytes; it never shrinks.
    pub fn memory(&mut self) {
        self.memory.tell(host::memory_bytes());
    }

    fn id(&self, count: Count) -> Option<u32> {
        // The table stands in the order of the variants: a test holds it.
        self.counters.get(count as usize).copied().flatten()
    }
}

/// A gauge that shows the highest value of any worker. A worker writes when its value is higher, or when it was the one that
/// wrote last. A VM that begins writes in any case, even what stands there: it may be of the one in whose place it begins, and then
/// nobody else would ever lower it. Whoever is higher writes over it within a second.
#[derive(Debug, Default)]
struct Highest {
    id: Option<u32>,
    written: Option<u64>,
    /// It has told something.
    begun: bool,
}

impl Highest {
    fn define(&mut self, name: &str) {
        if self.id.is_none() {
            self.id = host::define_metric(MetricKind::Gauge, name).ok();
        }
    }

    fn tell(&mut self, value: u64) {
        let Some(id) = self.id else { return };
        let Ok(shown) = host::metric(id) else { return };
        if self.writes(value, shown) && host::record_metric(id, value).is_ok() {
            self.written = Some(value);
        }
    }

    /// Whether this worker writes `value` over `shown`.
    fn writes(&mut self, value: u64, shown: u64) -> bool {
        if self.written.is_some_and(|written| written != shown) {
            self.written = None;
        }
        let begins = !core::mem::replace(&mut self.begun, true);
        begins || value != shown && (value > shown || self.written.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_is_whole_and_in_order() {
        for (index, (count, name)) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, index, "{name}");
            assert!(name.starts_with("gatehouse_") && name.ends_with("_total"), "{name}");
        }
    }

    /// A worker that has told nothing higher than what was there.
    fn running() -> Highest {
        Highest { begun: true, ..Highest::default() }
    }

    #[test]
    fn a_gauge_holds_the_highest_and_falls_with_its_writer() {
        let (mut old, mut young) = (running(), running());
        assert!(old.writes(50, 0));
        old.written = Some(50);
        assert!(!young.writes(10, 50));
        assert!(old.writes(0, 50), "its writer may lower it");
        old.written = Some(0);
        assert!(young.writes(10, 0), "the next highest takes over");
        assert!(!old.writes(2, 10), "another has written since");
    }

    #[test]
    fn a_value_that_stays_the_same_for_ever_is_its_writers_for_ever() {
        let (mut old, mut young) = (running(), running());
        assert!(old.writes(50, 0));
        old.written = Some(50);
        assert!((0..100_000).all(|_| !old.writes(50, 50) && !young.writes(10, 50)));
        assert!(old.writes(0, 50));
    }

    #[test]
    fn what_a_vm_left_is_written_over_by_the_one_that_begins_in_its_place_and_by_whoever_is_higher() {
        let (mut fresh, mut other) = (Highest::default(), running());
        assert!(fresh.writes(3, 900));
        fresh.written = Some(3);
        assert!(other.writes(40, 3));
        assert!(!fresh.writes(3, 40), "once");
    }

    #[test]
    fn what_a_vm_left_can_be_lowered_by_the_one_in_its_place_that_has_the_same() {
        let mut fresh = Highest::default();
        assert!(fresh.writes(1, 1), "it is its own now");
        fresh.written = Some(1);
        assert!(fresh.writes(0, 1));
    }
}
