//! What a worker knows of clients from elsewhere or from before: country and ASN, verdict lists, scores, the operator's brake.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use gatehouse_meter::{Evictions, ScoreCell, Scores, Table};
use gatehouse_policy::Policy;
use gatehouse_signals::Head;
use gatehouse_signals::agent::{Agent, AgentCache};
use gatehouse_signals::geo::{self, Place};
use gatehouse_verdict::redact::KeyedHash;

use crate::brake::Brake;
use crate::verdicts::Verdicts;

/// User agents whose class is remembered.
const AGENTS: usize = if cfg!(fuzzing) { 8 } else { 1024 };
/// Clients with a score; 104 bytes each, taken when a policy first weighs.
const SCORES: usize = if cfg!(fuzzing) { 64 } else { 32_768 };

/// What one worker knows.
#[derive(Debug)]
pub(crate) struct Knowledge {
    pub(crate) brake: Brake,
    pub(crate) geo: Option<Rc<geo::Table>>,
    pub(crate) verdicts: Verdicts,
    agents: RefCell<AgentCache>,
    scores: Option<(Scores, Table<ScoreCell>)>,
    /// Labels of the policy in force: its scores are kept while these stay the same.
    labels: Vec<String>,
    /// Verdict lists of the policy in force, by number.
    lists: Vec<String>,
    /// Claims of the policy in force, by number, as kinds of what is hashed for records.
    claims: Vec<String>,
    /// What records show clients' keys by.
    pub(crate) hash: KeyedHash,
}

impl Knowledge {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self {
            brake: Brake::default(),
            geo: None,
            verdicts: Verdicts::new(*key),
            agents: RefCell::new(AgentCache::new(AGENTS, key)),
            scores: None,
            labels: Vec::new(),
            lists: Vec::new(),
            claims: Vec::new(),
            hash: KeyedHash::new(key),
        }
    }

    /// Takes memory for scores if this policy weighs; sums go on if it names the same labels.
    pub(crate) fn adopt(&mut self, policy: &Policy) {
        let labels: Vec<String> = policy.labels().map(str::to_owned).collect();
        let rule = Scores::new(policy.half_life_ns()).ok().filter(|_| policy.weighs());
        match (&mut self.scores, rule) {
            (Some((known, _)), Some(rule)) if *known == rule && self.labels == labels => {}
            (_, Some(rule)) => self.scores = Table::new(SCORES).ok().map(|table| (rule, table)),
            (_, None) => self.scores = None,
        }
        self.labels = labels;
        self.lists = policy.verdict_lists().map(str::to_owned).collect();
        self.claims = policy.claims().iter().map(|name| ["jwt.", name].concat()).collect();
    }

    /// A client's key as records show it, where it is the value of a claim.
    pub(crate) fn shown_claim(&self, number: usize, value: &[u8]) -> Option<[u8; 32]> {
        self.claims.get(number).map(|kind| self.hash.digits(kind, value))
    }

    /// The agent that the request names, by the first value of its user agent (Envoy joins several to one).
    pub(crate) fn agent<'a>(&self, head: Head<'a>) -> Option<Agent<'a>> {
        let text = head.values(b"user-agent").next().unwrap_or_default();
        Some(
            self.agents
                .try_borrow_mut()
                .map_or_else(|_| gatehouse_signals::agent::classify(text), |mut cache| cache.classify(text)),
        )
    }

    /// Country and ASN; `None`: there is no table.
    pub(crate) fn place(&self, address: IpAddr) -> Option<Place> {
        self.geo.as_ref().map(|table| table.lookup(address))
    }

    /// The name of a verdict list of the policy in force.
    pub(crate) fn verdict_list(&self, number: usize) -> Option<&str> {
        self.lists.get(number).map(String::as_str)
    }

    /// The client's score, whole points; 0 for one that was never weighed.
    pub(crate) fn score(&self, tag: u64, label: Option<u8>, now_ns: u64) -> u32 {
        let Some((rule, table)) = &self.scores else { return 0 };
        table.peek(tag).map_or(0, |cell| match label {
            Some(label) => rule.of(cell, label, now_ns),
            None => rule.total(cell, now_ns),
        })
    }

    /// Adds to a client's score.
    pub(crate) fn weigh(&mut self, tag: u64, label: Option<u8>, weight: i32, now_ns: u64) {
        if let Some((rule, table)) = &mut self.scores {
            rule.add(table.entry(tag, now_ns), label, weight, now_ns);
        }
    }

    /// Clients that lost their score to another.
    pub(crate) fn evictions(&self) -> Evictions {
        self.scores.as_ref().map_or_else(Evictions::default, |(_, table)| table.evictions())
    }
}
