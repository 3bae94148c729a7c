//! Rules that workers took back: told loudly, kept in `rollbacks.json`, and handed to workers that begin anew, until the rules
//! themselves change.
//!
//! A worker decides by itself. That another one took a rule back is no reason for a running worker to do the same; a worker
//! that begins anew (a new VM, another gateway) is told, so that what was taken back is not promoted again by a restart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_proto::v1::{self, notice::What};
use gatehouse_proto::{MAX_ROLLBACKS, MAX_RULES_BACK};
use serde::{Deserialize, Serialize};

use crate::data::DataFolder;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::ocsf::hex::Hex;
use crate::ocsf::time::Rfc3339;
use crate::policies::Snapshot;

const FILE: &str = "rollbacks.json";
const MAX_BYTES: u64 = 4 << 20;
/// Rollbacks that are remembered; the oldest goes first.
const MAX_KEPT: usize = 256;
/// Longest text of a worker that is kept.
const MAX_TEXT: usize = 200;

/// The rollbacks that this house knows of. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Rollbacks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    data: Arc<DataFolder>,
    notices: Notices,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Held while the file is written.
    keeping: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Rollback>,
    /// Rules of the policy that was last asked for: every new stream asks for the same.
    memo: Option<([u8; 32], Vec<String>)>,
}

/// One change that one worker took back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    /// The document whose change it was.
    pub document: String,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// The policy, by the SHA-256 of its image.
    pub policy_digest: String,
    /// Its number.
    pub policy_revision: u64,
    /// Envoy's node id.
    pub node: String,
    /// The worker, in hexadecimal.
    pub epoch: String,
    /// When, RFC 3339, by the gate's clock.
    pub time: String,
    /// Distinct known-good clients in the canary share, and of these hit by the change.
    pub canary: [u32; 2],
    /// Those in the control share, and of these mitigated by anything new.
    pub control: [u32; 2],
    /// All of them, and those whom the change hit or would have.
    pub clients: [u32; 2],
    /// The share that it hits at least.
    pub at_least: f64,
    /// The share that was allowed.
    pub allowed: f64,
}

/// One rule that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `policy/rule`.
    pub name: String,
    /// What it says, as a number; `None`: the policy was not at hand, and only that very policy is meant.
    pub identity: Option<u64>,
}

impl Rollbacks {
    /// What was kept before a restart. A file that cannot be read is told and keeps no house from starting.
    #[must_use]
    pub fn open(data: Arc<DataFolder>, notices: Notices, metrics: Arc<Metrics>) -> Self {
        let bytes = data.read(FILE, MAX_BYTES).unwrap_or_else(|error| {
            tracing::error!(%error, "kept rollbacks cannot be read");
            None
        });
        let kept = bytes.map(|bytes| serde_json::from_slice::<VecDeque<Rollback>>(&bytes));
        let kept = kept.unwrap_or_else(|| Ok(VecDeque::new())).unwrap_or_else(|error| {
            tracing::error!(%error, path = %data.path().join(FILE).display(), "kept rollbacks are damaged");
            VecDeque::new()
        });
        let state = Mutex::new(State { kept, memo: None });
        let shared = Shared { data, notices, metrics, state, keeping: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// A worker took rules back. `policy`: the one in force at this house. What it told before is not told again. Blocks.
    pub fn take(&self, mut back: v1::RolledBack, node: &str, epoch: u64, policy: Option<&Snapshot>) {
        // It goes to logs and sinks: what a gate says is cut to what is kept.
        back.document = cut(&back.document);
        back.policy_digest.truncate(32);
        back.rules = back.rules.iter().take(MAX_RULES_BACK).map(|rule| cut(rule)).collect();
        (back.at_least, back.allowed) = (finite(back.at_least), finite(back.allowed));
        let rollback = Rollback::of(&back, node, epoch, policy);
        {
            let mut state = self.shared.lock();
            if state.kept.contains(&rollback) {
                return;
            }
            if state.kept.len() >= MAX_KEPT {
                state.kept.pop_front();
            }
            state.kept.push_back(rollback.clone());
            state.memo = None;
        }
        let Rollback { document, node, clients: [clients, hit], at_least, allowed, .. } = &rollback;
        let rules = rollback.names().collect::<Vec<_>>().join(", ");
        tracing::error!(
            document,
            rules,
            node,
            clients,
            hit,
            at_least,
            allowed,
            "a worker rolled a change back: its rules act as in monitor mode there until they change"
        );
        self.shared.metrics.rollbacks.inc();
        self.shared.notices.tell(What::RolledBack(back), node);
        self.keep();
    }

    /// Rules of this policy that were taken back, as a worker that begins anew is told.
    #[must_use]
    pub fn message(&self, policy: &Snapshot) -> v1::Rollbacks {
        v1::Rollbacks { policy_digest: policy.digest().to_vec(), rules: self.rules(policy) }
    }

    /// Rules of this policy that were taken back and say the same as then.
    #[must_use]
    pub fn rules(&self, policy: &Snapshot) -> Vec<String> {
        let mut state = self.shared.lock();
        if state.kept.is_empty() {
            return Vec::new();
        }
        if let Some((digest, rules)) = &state.memo
            && *digest == policy.digest()
        {
            return rules.clone();
        }
        let rules = still_back(&state.kept, policy);
        state.memo = Some((policy.digest(), rules.clone()));
        rules
    }

    /// The newest rollbacks, newest first.
    #[must_use]
    pub fn newest(&self, most: usize) -> Vec<Rollback> {
        self.shared.lock().kept.iter().rev().take(most).cloned().collect()
    }

    fn keep(&self) {
        let _turn = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        // Text and numbers only: this cannot fail.
        let text = serde_json::to_vec_pretty(&self.shared.lock().kept).unwrap_or_default();
        if let Err(error) = self.shared.data.replace(FILE, &text, 0o640) {
            tracing::error!(%error, "rollbacks are not kept, after a restart of the house new workers are not told");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rollback {
    fn of(back: &v1::RolledBack, node: &str, epoch: u64, policy: Option<&Snapshot>) -> Self {
        let known =
            policy.filter(|policy| policy.digest()[..] == back.policy_digest).map(identities).unwrap_or_default();
        let rule = |name: &String| {
            let identity = known.iter().find(|(known, _)| known == name).map(|(_, identity)| *identity);
            Rule { name: name.clone(), identity }
        };
        Self {
            document: back.document.clone(),
            rules: back.rules.iter().map(rule).collect(),
            policy_digest: Hex(&back.policy_digest).to_string(),
            policy_revision: back.policy_revision,
            node: cut(node),
            epoch: Hex(epoch.to_be_bytes()).to_string(),
            time: Rfc3339(back.time_unix_ns / 1_000_000).to_string(),
            canary: [back.canary, back.canary_hit],
            control: [back.control, back.control_hit],
            clients: [back.clients, back.clients_hit],
            at_least: back.at_least,
            allowed: back.allowed,
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }
}

/// Rules of a policy that were taken back and say the same as then.
fn still_back(kept: &VecDeque<Rollback>, policy: &Snapshot) -> Vec<String> {
    let digest = Hex(policy.digest()).to_string();
    let identities = identities(policy);
    let mut rules: Vec<String> = Vec::new();
    for rollback in kept {
        for rule in &rollback.rules {
            let same = match rule.identity {
                Some(identity) => identities.iter().any(|(name, now)| *name == rule.name && *now == identity),
                None => rollback.policy_digest == digest,
            };
            if same && !rules.contains(&rule.name) && rules.len() < MAX_ROLLBACKS {
                rules.push(rule.name.clone());
            }
        }
    }
    rules
}

/// Names of a policy's rules with what they say, as numbers.
fn identities(policy: &Snapshot) -> Vec<(String, u64)> {
    let Some(policy) = policy.load() else { return Vec::new() };
    let rules = (0..policy.rules()).filter_map(|index| Some(policy.rule(u32::try_from(index).ok()?)));
    rules.map(|rule| (rule.id(), rule.identity())).collect()
}

/// What is no number is not kept: JSON has no word for it.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
