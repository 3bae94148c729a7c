//! A connection, judged as the network filter and a guard judge it.

use std::sync::Arc;

use gatehouse_engine::connect::{self, explain_connection, log_line};
use gatehouse_engine::{Field, Fields, Head, Judged, NoSlots, Now, Pair, answered};
use gatehouse_verdict::Reason;

use super::explained::Explained;
use super::signals::Signals;
use super::traffic::Traffic;
use super::{Judge, NotJudged, Step};
use crate::request::{Opening, without};

/// Nothing else is known before a byte of it goes on.
const NO_HEADERS: &[Pair<'static>] = &[];

impl Judge {
    /// Judges one connection that opens at `now`, nanoseconds since the Unix epoch, and has ended before the next one opens. The whole way
    /// is told, where [`trace`](super::Options::trace) asks for it.
    pub fn admit(&mut self, opening: &Opening, now: u64) -> Explained {
        let policy = Arc::clone(&self.policy);
        let mono_ns = self.clock.tick(now);
        let wall = opening.time.or(self.options.wall_clock.then_some(now));
        let Opening { connection, host, .. } = opening;
        let asked =
            connect::Opening { connection, host, now: Now { mono_ns, wall_s: wall.map(|wall| wall / 1_000_000_000) } };
        let known = if self.options.lists_known { Fields::ALL } else { without(Fields::ALL, [Field::Verdicts]) };
        let settings = &self.options.settings;
        let (mut judged, trace) = explain_connection(Some(&policy), settings, &asked, known, &mut self.state);
        let mut explained = Explained::of(&judged, Head::new(NO_HEADERS, connection));
        explained.speak_of_connection(&judged);
        explained.log = Some(log_line(&judged, connection, host));
        let steps = self.teller.steps_of_connection(&policy, host, &judged, &trace);
        explained.not_judged = not_judged(&steps, &judged);
        if self.options.trace {
            explained.signals = Some(Signals::of_connection(opening, &judged, &self.state));
            explained.trace = steps;
        }
        answered(Some(&policy), &mut judged, Some(200), &mut self.state, &NoSlots, mono_ns);
        self.pending = None;
        explained
    }
}

impl Explained {
    /// The words for a connection: it is allowed or rejected.
    fn speak_of_connection(&mut self, judged: &Judged) {
        let verdict = &judged.verdict;
        self.action = Traffic::Connections.word(verdict.action());
        for (told, would) in self.would_have.iter_mut().zip(&verdict.would_have) {
            told.action = Traffic::Connections.word(would.action);
        }
    }
}

/// The rules before the one that decided that could not be judged, each with the fields that it asks for in vain.
fn not_judged(steps: &[Step], judged: &Judged) -> Vec<NotJudged> {
    let verdict = &judged.verdict;
    if !matches!(verdict.reason, Reason::Rule | Reason::Otherwise) {
        return Vec::new();
    }
    let before = steps.iter().take_while(|step| step.rule.is_none() || step.rule != verdict.rule);
    let each = |step: &Step| {
        let rule = step.rule.as_deref().map(Arc::from);
        step.unknown
            .iter()
            .map(move |field| NotJudged { rule: rule.clone(), field: Arc::from(*field) })
            .collect::<Vec<_>>()
    };
    before.flat_map(each).collect()
}

#[cfg(test)]
mod tests;
