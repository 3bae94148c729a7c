//! What one VM holds for all plugins and requests in it: it survives a change of configuration, and ends with the VM.

use std::rc::Rc;

use gatehouse_engine::{Brake, Carried, Context, Judged, Outcome, Policy, Transaction, UsualTexts};
use gatehouse_proto::v1;
use gatehouse_stream::sender::Class;
use gatehouse_verdict::record::{Origin, PolicyStamp, RecordId};
use gatehouse_verdict::redact::AddressForm;

use crate::bootstrap::Bootstrap;
use crate::delays::Delays;
use crate::host::{self, Level, Refused};
use crate::metrics::{Count, Metrics};
use crate::slots::{self, Slots};
use crate::states::{Slot, States};
use crate::store::Store;
use crate::store::brakes::Entry;
use crate::stream::{Heard, Identity, Link};
use crate::tally::Tally;

/// Refusals of the host that are written to the log; the rest is only counted.
const MAX_COMPLAINTS: u32 = 20;

/// The state of one VM.
pub struct Worker {
    /// Every metric.
    pub metrics: Metrics,
    /// What the engine keeps.
    pub states: States,
    /// Limits that workers share.
    pub slots: Slots,
    /// Requests that wait.
    pub delays: Delays,
    /// The stream to the house; `None`: there is none.
    pub link: Option<Link>,
    /// It was said that the peer is not known.
    pub peer_warned: bool,
    /// Rules that were taken back under a policy, by the house's word.
    pub rolled_back: Option<v1::Rollbacks>,
    /// What was told of counts.
    pub tally: Tally,
    /// The longest time for which one step of taking in a policy has held this worker.
    pub longest_step_ns: u64,
    /// A policy came into force in this callback, or is being taken in.
    loading: bool,
    /// No brake holds from here on, monotonic nanoseconds.
    braked_until_ns: u64,
    /// The state's key is the one that all workers share.
    has_key: bool,
    snapshot: Option<Snapshot>,
    store: Option<Store>,
    context: Context,
    /// The last record, encoded: the next one takes its room.
    record: Vec<u8>,
    jitter: Dice,
    transactions: u64,
    complaints: u32,
}

/// The policy that the house sent.
struct Snapshot {
    policy: Rc<Policy>,
    since_ns: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Worker {
    /// A VM that begins.
    #[must_use]
    pub fn new() -> Self {
        let mut dice = Dice::seeded();
        let (mut key, mut hash_key) = ([0; 16], [0; 16]);
        dice.fill(&mut key);
        dice.fill(&mut hash_key);
        Self {
            metrics: Metrics::default(),
            states: States::new(key, &key),
            slots: Slots,
            delays: Delays::default(),
            link: None,
            peer_warned: false,
            rolled_back: None,
            tally: Tally::default(),
            longest_step_ns: 0,
            loading: false,
            braked_until_ns: 0,
            has_key: false,
            snapshot: None,
            store: None,
            // Until the house says how addresses appear, none leaves the gate in the clear.
            context: Context {
                origin: Origin::default(),
                hash_key,
                hash_key_id: 0,
                address_form: AddressForm::Hash,
                usual: UsualTexts::default(),
            },
            record: Vec::new(),
            jitter: dice,
            transactions: 0,
            complaints: 0,
        }
    }

    /// Takes over a configuration that was accepted; `plugin` is the name that Envoy's configuration gives to it.
    pub fn configure(&mut self, plugin: &str, bootstrap: &Bootstrap, now_ns: u64) {
        self.metrics.define();
        self.share_key();
        let told =
            |path: &str| host::property(path).ok().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let node = bootstrap.node.clone().or_else(|| told("xds\0node\0id")).unwrap_or_default();
        let node_cluster = told("xds\0node\0cluster").unwrap_or_default();
        self.context.origin = Origin {
            gateway: node.clone(),
            gateway_cluster: node_cluster.clone(),
            gate_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let Some(house) = bootstrap.house.clone() else { return };
        let store = Store::new(plugin, &node);
        if self.snapshot.is_none()
            && let Some(policy) = store.load()
        {
            self.metrics.count(Count::PolicyRestores);
            host::log(
                Level::Info,
                &format!("policy revision {} is in force again, from shared data", policy.stamp().revision),
            );
            self.snapshot = Some(Snapshot { policy: Rc::new(policy), since_ns: now_ns });
        }
        if self.braked_until_ns <= now_ns {
            self.hold(store.brakes(now_ns), now_ns);
        }
        self.store = Some(store);
        let identity = Identity { node, node_cluster };
        match self.link.as_mut().filter(|link| !link.is_over()) {
            Some(link) => link.configure(house, identity),
            None => self.link = Some(Link::new(house, identity, self.jitter.epoch(), bootstrap.ring_bytes)),
        }
    }

    /// Takes the key that all workers of this Envoy share, once, before the first request.
    fn share_key(&mut self) {
        if self.has_key {
            return;
        }
        self.has_key = true;
        let (mut fresh, mut references) = ([0; 16], [0; 16]);
        self.jitter.fill(&mut fresh);
        self.jitter.fill(&mut references);
        self.states = States::new(slots::secret(fresh), &references);
    }

    /// What judges by a policy that stands alone in a configuration.
    pub fn open(&mut self, policy: &Policy) -> Slot {
        let mut references = [0; 16];
        self.jitter.fill(&mut references);
        self.states.open(policy, &references)
    }

    /// The policy that the house sent, if one is in force.
    pub fn snapshot(&self) -> Option<&Rc<Policy>> {
        self.snapshot.as_ref().map(|snapshot| &snapshot.policy)
    }

    /// How long it has been in force, seconds.
    pub fn snapshot_age_s(&self, now_ns: u64) -> Option<u64> {
        self.snapshot.as_ref().map(|snapshot| now_ns.saturating_sub(snapshot.since_ns) / 1_000_000_000)
    }

    /// Does what the house asked.
    pub fn hear(&mut self, heard: Option<Heard>, now_ns: u64) {
        match heard {
            Some(Heard::Welcome(welcome)) => self.welcome(&welcome),
            Some(Heard::Policy(policy)) => self.enforce(*policy, now_ns),
            Some(Heard::Brake(brake)) => self.take_brake(brake, now_ns),
            Some(Heard::Rollbacks(rollbacks)) => {
                self.rolled_back = Some(rollbacks);
                self.take_back();
            }
            Some(Heard::Table(table)) => self.states.house().set_geo(table.map(Rc::new)),
            None => {}
        }
    }

    fn welcome(&mut self, welcome: &v1::Welcome) {
        if let Ok(key) = <[u8; 16]>::try_from(welcome.hash_key.as_slice()) {
            (self.context.hash_key, self.context.hash_key_id) = (key, welcome.hash_key_id);
            self.states.house().set_hash_key(&key);
        }
        self.context.address_form = welcome.address_form().into();
    }

    fn enforce(&mut self, policy: Policy, now_ns: u64) {
        let stamp = policy.stamp();
        if let Some(store) = &self.store
            && let Err(refused) = store.save(stamp, policy.image())
        {
            self.complain(refused);
        }
        host::log(Level::Info, &format!("policy revision {} is in force", stamp.revision));
        // Here, where its time is measured, and not with the first request.
        self.states.house().adopt(&policy, now_ns);
        self.loading = true;
        self.snapshot = Some(Snapshot { policy: Rc::new(policy), since_ns: now_ns });
        self.take_back();
    }

    /// A callback that began at `began_ns` took in a part of a policy (`took`, or else as far as is known here): how long it
    /// held this worker.
    pub fn stepped(&mut self, took: bool, began_ns: u64) {
        let busy = self.link.as_ref().is_some_and(Link::busy);
        if core::mem::replace(&mut self.loading, busy) || busy || took {
            self.longest_step_ns = self.longest_step_ns.max(host::now_ns().saturating_sub(began_ns));
        }
    }

    /// Some brake holds.
    pub fn is_braked(&self, now_ns: u64) -> bool {
        now_ns < self.braked_until_ns
    }

    fn take_brake(&mut self, brake: v1::Brake, now_ns: u64) {
        let (version, entries) = (brake.version, brake.ends(now_ns));
        if let Some(store) = &self.store
            && let Err(refused) = store.save_brakes(&entries, now_ns)
        {
            self.complain(refused);
        }
        self.hold(entries, now_ns);
        if let Some(link) = self.link.as_mut() {
            link.braked(version);
        }
    }

    fn hold(&mut self, entries: Vec<Entry>, now_ns: u64) {
        let was_braked = self.is_braked(now_ns);
        self.braked_until_ns = entries.iter().map(|(_, until_ns)| *until_ns).max().unwrap_or(0);
        match (was_braked, self.is_braked(now_ns)) {
            (false, true) => {
                host::log(Level::Warn, "the brake holds: rules at or below its scope act as in monitor mode")
            }
            (true, false) => host::log(Level::Info, "the brake is released"),
            _ => {}
        }
        self.states.house().set_brake(Brake::new(entries));
    }

    /// A host call failed where the gate relied on it: counted, and the first few logged.
    pub fn complain(&mut self, refused: Refused) {
        self.metrics.count(Count::HostFailures);
        if self.complaints < MAX_COMPLAINTS {
            self.complaints = self.complaints.saturating_add(1);
            host::log(Level::Warn, &refused.to_string());
        }
    }

    /// The number of the next transaction, from 1.
    pub fn next_transaction(&mut self) -> u64 {
        self.transactions = self.transactions.saturating_add(1);
        self.transactions
    }

    /// Makes a record of a request and gives it to the books. `root`: the root context of the request.
    pub fn report(&mut self, root: u32, of: &Transaction<'_>, outcome: &Outcome) {
        let success = (100..400).contains(&outcome.response.status);
        self.push(root, class(of.judged, success), |id, context, whole| {
            gatehouse_engine::record(id, of, outcome, context, whole);
        });
    }

    /// Makes a record of a connection and gives it to the books, likewise.
    pub fn report_connection(&mut self, root: u32, of: &Transaction<'_>, carried: &Carried<'_>) {
        self.push(root, class(of.judged, true), |id, context, whole| {
            gatehouse_engine::connection(id, of, carried, context, whole);
        });
    }

    fn push(&mut self, root: u32, class: Class, write: impl FnOnce(RecordId, &Context, &mut Vec<u8>)) {
        let Some(link) = self.link.as_mut() else { return };
        let sender = link.sender();
        let id = RecordId { epoch: sender.epoch(), sequence: sender.next_seq() };
        let whole = &mut self.record;
        whole.clear();
        write(id, &self.context, whole);
        match fitting(whole, sender.max_record_bytes()) {
            Some(bytes) => sender.push(class, bytes),
            None => sender.push_lost(v1::loss::Reason::Unreadable),
        };
        self.metrics.count(Count::Seen);
        link.pushed(root, &self.metrics);
    }

    /// A message of the house.
    pub fn grpc_message(&mut self, token: u32, length: usize) {
        let now_ns = host::now_ns();
        if let Some(link) = self.link.as_mut() {
            let heard = link.message(token, length, now_ns, self.states.house().verdicts_mut(), &self.metrics);
            self.hear(heard, now_ns);
            self.stepped(true, now_ns);
        }
    }

    /// A stream to the house ended.
    pub fn grpc_closed(&mut self, token: u32, status: u32) {
        match self.link.as_mut() {
            Some(link) => link.closed(token, status, host::now_ns(), &self.metrics),
            None => drop(host::grpc_close(token)),
        }
    }

    /// The policy stamp for the greeting.
    pub fn stamp(&self) -> Option<PolicyStamp> {
        self.snapshot().map(|policy| policy.stamp())
    }
}

/// Plain successes may be given up first.
fn class(judged: &Judged, success: bool) -> Class {
    if success && judged.verdict.is_plain() { Class::Plain } else { Class::Kept }
}

/// The encoded record, whole, or in its bounded form where it is above `limit` bytes.
fn fitting(whole: &[u8], limit: usize) -> Option<Vec<u8>> {
    if whole.len() <= limit {
        return Some(whole.to_vec());
    }
    gatehouse_engine::record::bounded(whole)
}

/// Random numbers of this VM.
struct Dice(u64);

impl Dice {
    fn seeded() -> Self {
        Self(host::now_ns() ^ host::wall_ns().unwrap_or(0).rotate_left(32))
    }

    /// From Envoy's generator; where it has none, from the clock: then references may be guessed, and nothing else is lost.
    fn fill(&mut self, bytes: &mut [u8]) {
        if host::random(bytes).is_ok() {
            return;
        }
        for byte in bytes {
            // SplitMix64 (Steele, Lea, Flood 2014).
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (mixed ^ (mixed >> 27)).to_le_bytes()[0];
        }
    }

    /// A number that no other VM has; never 0.
    fn epoch(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_verdict::Record;
    use prost::Message as _;

    use super::*;

    #[test]
    fn a_record_above_the_limit_is_sent_in_its_bounded_form() {
        let mut record = Record { id: RecordId { epoch: 7, sequence: 1 }, ..Record::default() };
        record.request.path = "é".repeat(200_000);
        record.request.headers = vec![("a".into(), "b".repeat(100_000))];
        let whole = v1::Record::from(record).encode_to_vec();
        assert_eq!(fitting(&whole, whole.len()).as_deref(), Some(&*whole));
        let cut = fitting(&whole, 64 * 1024).expect("bounded");
        assert!((1..16 * 1024).contains(&cut.len()), "{}", cut.len());
    }

    #[test]
    fn epochs_are_never_zero_and_differ_without_a_generator() {
        let mut dice = Dice(0);
        let epochs: std::collections::BTreeSet<u64> = (0..1000).map(|_| dice.epoch()).collect();
        assert_eq!(epochs.len(), 1000);
        assert!(!epochs.contains(&0));
    }
}
