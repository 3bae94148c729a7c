//! What the engine counted of itself, told now and then: to Envoy's metrics, to the house's books, and where it is loud to the
//! log.

use gatehouse_engine::{Counts, Field, Policy, RolledBack};
use gatehouse_proto::v1::counters;
use gatehouse_stream::sender::{Sender, Tallied};

use crate::host::{self, Level};
use crate::metrics::{Count, Metrics};
use crate::rolled_back;
use crate::states::{Held, Slot};
use crate::worker::Worker;

/// What was told already.
#[derive(Debug, Default)]
pub struct Tally {
    delayed: u64,
    not_delayed: u64,
    /// Requests held, and requests that found no room, since the VM began.
    pub held: u64,
    /// Those that found none.
    pub passed: u64,
    /// It was said that claims are read and nothing verifies a token.
    claims_warned: bool,
}

impl Tally {
    /// Tells what is new in `now` beyond `told`, which becomes it.
    fn tell(&mut self, now: Counts, told: &mut Counts, metrics: &mut Metrics, sender: Option<&mut Sender>) {
        let fresh = |now: u64, told: u64| now.saturating_sub(told);
        let evictions = fresh(now.limit_evictions, told.limit_evictions);
        let fallbacks = fresh(now.shared_fallbacks, told.shared_fallbacks);
        metrics.add(Count::LimitEvictions, evictions);
        metrics.add(Count::ScoreEvictions, fresh(now.score_evictions, told.score_evictions));
        metrics.add(Count::SharedFallbacks, fallbacks);
        metrics.add(Count::Unkeyed, fresh(now.unkeyed, told.unkeyed));
        metrics.add(Count::VerdictsRefused, fresh(now.verdicts_refused, told.verdicts_refused));
        metrics.add(Count::UnguardedChanges, fresh(now.unguarded_changes, told.unguarded_changes));
        metrics.limits(now.limit_bytes);
        let before = |field| told.unknown.iter().find(|(known, _)| *known == field).map_or(0, |(_, count)| *count);
        for (field, count) in &now.unknown {
            metrics.unknown(*field, fresh(*count, before(*field)));
        }
        if let Some(sender) = sender {
            let scores = fresh(now.score_evictions, told.score_evictions);
            sender.tally(Tallied::Evictions, evictions.saturating_add(scores));
            sender.tally(Tallied::SharedFallbacks, fallbacks);
            sender.tally(Tallied::Delayed, fresh(self.held, self.delayed));
            sender.tally(Tallied::NotDelayed, fresh(self.passed, self.not_delayed));
            for (field, count) in &now.unknown {
                sender.tally(Tallied::Unknown(number(*field)), fresh(*count, before(*field)));
            }
        }
        (self.delayed, self.not_delayed, *told) = (self.held, self.passed, now);
    }
}

/// Tells what is new since the last call, of the state in `slot`. `policy`: the one in force there; `claims_missed`: it reads
/// claims, and a request came without a verified token.
pub fn tell(worker: &mut Worker, slot: &Slot, policy: Option<&Policy>, claims_missed: bool) {
    let Worker { states, link, tally, metrics, .. } = worker;
    let Held { state, told } = states.held(slot);
    tally.tell(state.counts(), told, metrics, link.as_mut().map(crate::stream::Link::sender));
    if claims_missed && !core::mem::replace(&mut tally.claims_warned, true) {
        host::log(
            Level::Warn,
            "the policy reads `jwt`, and a request came without a token that Envoy verified: is `jwt_authn` before this filter?",
        );
    }
    let Some(policy) = policy else { return };
    let rolled_back = state.take_rollbacks(policy);
    if rolled_back.is_empty() {
        return;
    }
    metrics.add(Count::Rollbacks, rolled_back.len() as u64);
    rolled_back.iter().for_each(|change| host::log(Level::Error, &loud(change)));
    if let Some(link) = link {
        link.sender().tally(Tallied::Rollbacks, rolled_back.len() as u64);
        for change in rolled_back {
            link.report_rollback(rolled_back::message(change, policy.stamp()));
        }
    }
}

/// The field on the wire: numbered in the order of the policy's own.
fn number(field: Field) -> counters::Field {
    let place = Field::ALL.iter().position(|known| *known == field).map_or(0, |place| place.saturating_add(1));
    i32::try_from(place).ok().and_then(|number| counters::Field::try_from(number).ok()).unwrap_or_default()
}

fn loud(change: &RolledBack) -> String {
    let figures = &change.figures;
    let (hit, of) = match change.by_canary {
        true => (figures.canary_hit, figures.canary),
        false => (figures.clients_hit, figures.clients),
    };
    format!(
        "rolled back `{}`: it hits {hit} of {of} known-good clients, at least {:.1} % where {:.1} % are allowed; as in monitor mode from now on: {}",
        change.document,
        change.at_least * 100.0,
        change.allowed * 100.0,
        change.rules.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_stream::sender::Limits;

    #[test]
    fn every_field_has_the_number_of_its_word() {
        for field in Field::ALL {
            let word = number(field).as_str_name().trim_start_matches("FIELD_").to_ascii_lowercase();
            assert_eq!(word, field.as_str().replace('.', "_"));
        }
    }

    #[test]
    fn counts_are_told_as_what_they_grew_by() {
        let mut sender = Sender::new(1, Limits::default());
        let (mut tally, mut metrics) = (Tally::default(), Metrics::default());
        let first = Counts { limit_evictions: 3, score_evictions: 1, shared_fallbacks: 2, ..Counts::default() };
        let second = Counts { limit_evictions: 5, unknown: vec![(Field::Country, 4)], ..first.clone() };
        let mut told = Counts::default();
        for counts in [first, second.clone(), second] {
            tally.tell(counts, &mut told, &mut metrics, Some(&mut sender));
        }
        let counters = sender.counters();
        assert_eq!((counters.evictions, counters.shared_fallbacks), (6, 2));
        assert_eq!(counters.unknown_fields.get(number(Field::Country) as usize), Some(&4));
    }
}
