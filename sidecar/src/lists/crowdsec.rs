//! Decisions of a CrowdSec engine, by its local API: `GET /v1/decisions/stream`, with a bouncer's key in `X-Api-Key`.
//!
//! The first question is for everything (`startup=true`), the following ones for what changed since the last: the engine keeps
//! for each bouncer when it last asked. An answer that is lost is therefore lost for good, and so are those that another asks for
//! by the same key: after every failure, and once an hour, everything is asked for again. A list needs a key of its own.
//!
//! Decisions of the types `ban` and `captcha` about an address (`Ip`) or a network (`Range`) count, what the policy does with them
//! is its own; others, and simulated ones, are passed over.

use std::collections::BTreeMap;
use std::time::Duration;

use gatehouse_policy::Holds;
use gatehouse_policy::document::quoted;
use serde::Deserialize;

use super::text::{Entries, Tally, few, subject};
use crate::deadline::Now;
use crate::verdicts::MAX_HOLD;

/// How often everything is asked for.
const ALL_EVERY: Duration = Duration::from_secs(3600);

/// What is known of the engine's decisions.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// Their ends by the clock since boot, by key.
    held: BTreeMap<Vec<u8>, u64>,
    /// When everything was last asked for; `None`: it must be.
    all_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    new: Option<Vec<Decision>>,
    #[serde(default)]
    deleted: Option<Vec<Decision>>,
}

#[derive(Deserialize)]
struct Decision {
    duration: String,
    scope: String,
    #[serde(rename = "type")]
    kind: String,
    value: String,
    #[serde(default)]
    simulated: bool,
}

impl Decisions {
    /// The path and query of the next question.
    pub(super) fn question(&mut self, now: Now) -> &'static str {
        let old = |at: u64| now.boot_ms.saturating_sub(at) >= ALL_EVERY.as_millis() as u64;
        if self.all_ms.is_some_and(old) {
            self.all_ms = None;
        }
        match self.all_ms {
            None => "/v1/decisions/stream?startup=true",
            Some(_) => "/v1/decisions/stream?startup=false",
        }
    }

    /// An answer did not come, or not whole.
    pub(super) fn lost(&mut self) {
        self.all_ms = None;
    }

    /// Takes an answer in; what holds then, and how many of the answer's decisions are none.
    ///
    /// # Errors
    /// It is no such answer, or holds too much: what was known before is still known.
    pub(super) fn take(&mut self, body: &[u8], now: Now) -> Result<(Entries, u64), String> {
        // Until this answer is taken in, it counts as lost.
        let asked = self.all_ms.take();
        let whole = asked.is_none();
        let answer: Answer =
            serde_json::from_slice(body).map_err(|error| format!("it is no answer of a CrowdSec engine: {error}"))?;
        let mut held = if whole { BTreeMap::new() } else { self.held.clone() };
        let mut tally = Tally::default();
        for decision in answer.deleted.iter().flatten().filter(|decision| decision.counts()) {
            if let Some(subject) = tally.count(subject(&decision.value, Holds::Addresses), || quoted(&decision.value)) {
                held.remove(&subject.key());
            }
        }
        for decision in answer.new.iter().flatten().filter(|decision| decision.counts()) {
            let left = left(&decision.duration);
            let found = subject(&decision.value, Holds::Addresses).filter(|_| left.is_some());
            let found = tally.count(found, || quoted(&format!("{} for {}", decision.value, decision.duration)));
            if let (Some(subject), Some(left)) = (found, left) {
                let end = now.end_of(left.min(MAX_HOLD));
                let known = held.entry(subject.key()).or_default();
                *known = end.max(*known);
            }
        }
        let refused = tally.settle("decisions")?;
        held.retain(|_, end| now.left_ms(*end) > 0);
        few(held.len())?;
        self.held = held;
        self.all_ms = asked.or(Some(now.boot_ms));
        Ok((self.held.iter().map(|(key, end)| (key.clone(), Some(*end))).collect(), refused))
    }
}

impl Decision {
    fn counts(&self) -> bool {
        let about = ["ip", "range"].iter().any(|scope| self.scope.eq_ignore_ascii_case(scope));
        let kind = ["ban", "captcha"].iter().any(|kind| self.kind.eq_ignore_ascii_case(kind));
        about && kind && !self.simulated
    }
}

/// A duration as Go writes it (`3h59m49.5s`), rounded down to milliseconds; one below zero is over.
pub(super) fn left(text: &str) -> Option<Duration> {
    let (over, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() || rest.len() > 64 {
        return None;
    }
    let mut ms = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let worth = match unit {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1000.0,
            "ms" => 1.0,
            "us" | "µs" => 0.001,
            "ns" => 0.000_001,
            _ => return None,
        };
        ms += number.parse::<f64>().ok()? * worth;
        rest = tail;
    }
    Some(if over { Duration::ZERO } else { Duration::try_from_secs_f64(ms.trunc() / 1000.0).ok()? })
}
