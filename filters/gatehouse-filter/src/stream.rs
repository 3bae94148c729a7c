//! The stream to the house: one per VM, opened from a tick, lost and opened anew without any request noticing.
//!
//! ```text
//!   Down ──tick, backoff over──► Greeting ──Welcome──► Open ──close, garbage, silence──► Down
//! ```
//! The books (what is sent, resent, dropped) are `gatehouse_stream::Sender`'s; here are the calls to Envoy around it.

mod hear;
mod upstream;

use gatehouse_engine::{Verdicts, geo};
use gatehouse_proto::v1::hello::Feature;
use gatehouse_proto::v1::{self, GateMessage, gate_message};
use gatehouse_stream::sender::{Limits, Sender};
use gatehouse_verdict::record::PolicyStamp;
use prost::Message as _;

use crate::bootstrap::House;
use crate::host::{self, Level};
use crate::intake::Intake;
use crate::lists::Lists;
use crate::metrics::{Count, Metrics};
use crate::table::Tables;

const SERVICE: &str = "gatehouse.v1.House";
const METHOD: &str = "Attach";
const FIRST_BACKOFF_NS: u64 = 200_000_000;
const MAX_BACKOFF_NS: u64 = 10_000_000_000;
/// A batch leaves between ticks once this much waits, bytes.
const FULL: usize = 32 * 1024;
/// Largest message taken from the house, bytes.
const MAX_MESSAGE: usize = 1024 * 1024;

/// What this gate understands beyond the first messages.
const FEATURES: [Feature; 5] = [Feature::Brake, Feature::Tables, Feature::Lists, Feature::Rollbacks, Feature::Farewell];
/// Rollbacks that the house does not know of yet, at most; what is beyond is in the counters and the log.
const MAX_UNTOLD: usize = 64;

/// Who this gate is and what it has, for the greeting.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Envoy's node id, or the bootstrap's.
    pub node: String,
    /// Envoy's node cluster.
    pub node_cluster: String,
}

/// The stream and its books.
#[derive(Debug)]
pub struct Link {
    house: House,
    identity: Identity,
    sender: Sender,
    state: State,
    backoff_ns: u64,
    intake: Intake,
    tables: Tables,
    lists: Lists,
    /// Rollbacks that the house does not know of yet.
    untold: Vec<v1::RolledBack>,
    /// Digest of the table that is in force; empty: none is.
    table: Vec<u8>,
    told: v1::Counters,
    jitter: u64,
    /// The log says that the house is gone; it says so once.
    lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Down {
        retry_at_ns: u64,
    },
    Greeting {
        token: u32,
        owner: u32,
        since_ns: u64,
    },
    Open {
        token: u32,
        owner: u32,
    },
    /// Bye was said: this epoch is over.
    Over,
}

/// What the house said that concerns the worker.
#[derive(Debug)]
pub enum Heard {
    /// The key of the installation, and how addresses appear.
    Welcome(v1::Welcome),
    /// A snapshot that is to be in force from now on.
    Policy(Box<gatehouse_policy::Policy>),
    /// Every brake that holds, in place of those before; to be answered by [`Link::braked`].
    Brake(v1::Brake),
    /// Countries and systems from now on; `None`: no more.
    Table(Option<geo::Table>),
    /// Rules that were taken back under a policy.
    Rollbacks(v1::Rollbacks),
}

impl Link {
    /// A link to a house, not opened yet.
    #[must_use]
    pub fn new(house: House, identity: Identity, epoch: u64, ring_bytes: usize) -> Self {
        Self {
            house,
            identity,
            sender: Sender::new(epoch, Limits { ring_bytes, ..Limits::default() }),
            state: State::Down { retry_at_ns: 0 },
            backoff_ns: FIRST_BACKOFF_NS,
            intake: Intake::default(),
            tables: Tables::default(),
            lists: Lists::default(),
            untold: Vec::new(),
            table: Vec::new(),
            told: v1::Counters::default(),
            jitter: epoch | 1,
            lost: false,
        }
    }

    /// A new configuration: the next stream goes there.
    pub fn configure(&mut self, house: House, identity: Identity) {
        (self.house, self.identity) = (house, identity);
    }

    /// Bye was said: the epoch is over, and a new one needs a new link.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Snapshot chunks wait for the next tick.
    pub fn busy(&self) -> bool {
        self.intake.busy() || self.tables.busy() || self.lists.busy()
    }

    /// The books of this VM.
    pub fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Opens, gives up, sends: whatever is due. `root`: the root context whose tick this is.
    pub fn tick(
        &mut self,
        root: u32,
        now_ns: u64,
        policy: Option<PolicyStamp>,
        verdicts: &mut Verdicts,
        metrics: &Metrics,
    ) -> Option<Heard> {
        self.sender.envoy_seen(metrics.seen());
        match self.state {
            State::Down { retry_at_ns } if now_ns >= retry_at_ns => {
                self.open(root, now_ns, policy, verdicts, metrics);
            }
            State::Greeting { token, owner, since_ns } if owner == root && self.is_late(since_ns, now_ns) => {
                let _ = host::grpc_cancel(token);
                self.say_lost(&format!("the greeting was not answered within {:?}", self.house.timeout));
                self.down(now_ns, metrics);
            }
            State::Open { owner, .. } if owner == root => self.flush(0, now_ns, metrics),
            _ => {}
        }
        self.tell_drops(metrics);
        self.list(verdicts, true);
        // One thing a tick: each takes its time.
        self.load(true, now_ns, metrics).or_else(|| {
            let ended = self.tables.step(true)?;
            self.tabled(ended)
        })
    }

    /// A record was pushed by a context of `root`: sends if a batch is full.
    pub fn pushed(&mut self, root: u32, metrics: &Metrics) {
        if matches!(self.state, State::Open { owner, .. } if owner == root) && self.sender.stats().unsent_bytes >= FULL
        {
            self.flush(FULL, host::now_ns(), metrics);
        }
    }

    /// The brakes of this version are in force.
    pub fn braked(&mut self, version: u64) {
        self.tell(gate_message::Message::BrakeAck(v1::BrakeAck { version }));
    }

    /// Rules were taken back: told at once, and on every stream, until the house says that it knows.
    pub fn report_rollback(&mut self, rolled_back: v1::RolledBack) {
        if self.untold.len() < MAX_UNTOLD {
            self.untold.push(rolled_back.clone());
        }
        self.tell(gate_message::Message::RolledBack(rolled_back));
    }

    /// Says something that needs no credit; without a stream nobody hears it.
    fn tell(&mut self, message: gate_message::Message) {
        if let State::Open { token, .. } = self.state {
            // A stream that does not take it ends by Envoy's word.
            let _ = send(token, message);
        }
    }

    /// The stream `token` is closed.
    pub fn closed(&mut self, token: u32, status: u32, now_ns: u64, metrics: &Metrics) {
        // Envoy holds the stream until this call, also one that is no longer ours.
        let _ = host::grpc_close(token);
        if self.token() == Some(token) {
            self.say_lost(&format!("the stream ended with gRPC status {status}"));
            self.down(now_ns, metrics);
        }
    }

    /// The root context `root` ends; `last`: no other one speaks with a house.
    pub fn root_done(&mut self, root: u32, last: bool, now_ns: u64, metrics: &Metrics) {
        let (State::Greeting { token, owner, .. } | State::Open { token, owner }) = self.state else { return };
        if owner != root {
            return;
        }
        if matches!(self.state, State::Open { .. }) {
            self.sender.envoy_seen(metrics.seen());
            self.flush(0, now_ns, metrics);
        }
        if last {
            let _ = send(token, gate_message::Message::Bye(self.sender.bye()));
        }
        let _ = host::grpc_close(token);
        self.down(now_ns, metrics);
        self.state = if last { State::Over } else { State::Down { retry_at_ns: 0 } };
    }

    fn is_late(&self, since_ns: u64, now_ns: u64) -> bool {
        u128::from(now_ns.saturating_sub(since_ns)) > self.house.timeout.as_nanos()
    }

    fn token(&self) -> Option<u32> {
        match self.state {
            State::Greeting { token, .. } | State::Open { token, .. } => Some(token),
            State::Down { .. } | State::Over => None,
        }
    }

    fn open(&mut self, root: u32, now_ns: u64, policy: Option<PolicyStamp>, verdicts: &Verdicts, metrics: &Metrics) {
        let token = match host::grpc_open(&upstream::message(&self.house, MAX_MESSAGE), SERVICE, METHOD) {
            Ok(token) => token,
            Err(refused) => {
                self.say_lost(&format!("{refused}: is there a cluster of that name?"));
                self.down(now_ns, metrics);
                return;
            }
        };
        let hello = v1::Hello {
            node: self.identity.node.clone(),
            node_cluster: self.identity.node_cluster.clone(),
            gate_version: env!("CARGO_PKG_VERSION").to_owned(),
            policy_revision: policy.map_or(0, |stamp| stamp.revision),
            policy_digest: policy.map_or_else(Vec::new, |stamp| stamp.digest.to_vec()),
            image_version: gatehouse_policy::IMAGE_VERSION,
            features: FEATURES.map(i32::from).to_vec(),
            tables: self.has_tables(),
            lists: verdicts.names().map(str::to_owned).collect(),
            ..self.sender.opened().hello()
        };
        metrics.count(Count::StreamsOpened);
        self.state = State::Greeting { token, owner: root, since_ns: now_ns };
        if send(token, gate_message::Message::Hello(hello)).is_err() {
            let _ = host::grpc_cancel(token);
            self.down(now_ns, metrics);
        }
    }

    fn down(&mut self, now_ns: u64, metrics: &Metrics) {
        if self.token().is_some() {
            metrics.count(Count::StreamsClosed);
        }
        self.sender.closed();
        self.intake.clear();
        self.tables.clear();
        self.lists.clear();
        self.state = State::Down { retry_at_ns: now_ns.saturating_add(self.jittered()) };
        self.backoff_ns = self.backoff_ns.saturating_mul(2).min(MAX_BACKOFF_NS);
    }

    /// Once until the house is back: every worker tries again for as long as Envoy runs.
    fn say_lost(&mut self, why: &str) {
        if !core::mem::replace(&mut self.lost, true) {
            let cluster = &self.house.cluster;
            host::log(
                Level::Warn,
                &format!(
                    "no house at cluster `{cluster}`: {why}; requests go on with the policy in force, trying again"
                ),
            );
        }
    }

    /// Between half and the whole of the backoff, so that workers do not come back in step.
    fn jittered(&mut self) -> u64 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let half = self.backoff_ns / 2;
        half.saturating_add(self.jitter.checked_rem(half.max(1)).unwrap_or(0))
    }

    /// Sends batches while more than `above` bytes wait and the window lets them out.
    fn flush(&mut self, above: usize, now_ns: u64, metrics: &Metrics) {
        let State::Open { token, .. } = self.state else { return };
        while self.sender.stats().unsent_bytes >= above {
            let Some(batch) = self.sender.next_batch() else { return };
            if send(token, gate_message::Message::Batch(batch)).is_err() {
                let _ = host::grpc_cancel(token);
                self.down(now_ns, metrics);
                return;
            }
        }
    }

    fn tell_drops(&mut self, metrics: &Metrics) {
        let now = self.sender.counters();
        let told = &self.told;
        metrics.add(Count::DroppedRingFull, now.dropped_ring_full.saturating_sub(told.dropped_ring_full));
        metrics.add(Count::DroppedNoStream, now.dropped_no_stream.saturating_sub(told.dropped_no_stream));
        metrics.add(Count::DroppedOversize, now.dropped_oversize.saturating_sub(told.dropped_oversize));
        metrics.add(Count::DroppedUnreadable, now.dropped_unreadable.saturating_sub(told.dropped_unreadable));
        self.told.clone_from(now);
    }
}

fn send(token: u32, message: gate_message::Message) -> host::Result<()> {
    host::grpc_send(token, &GateMessage { message: Some(message) }.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        let house = House {
            cluster: "users".into(),
            authority: "gatehouse".into(),
            timeout: core::time::Duration::from_secs(5),
        };
        Link::new(house, Identity::default(), 7, 1 << 20)
    }

    #[test]
    fn backoff_doubles_to_its_cap_with_jitter_below_it() {
        let (mut link, metrics) = (link(), Metrics::default());
        for round in 0..12u32 {
            link.down(0, &metrics);
            let State::Down { retry_at_ns } = link.state else { panic!("down") };
            let full = FIRST_BACKOFF_NS.saturating_mul(1 << round.min(20)).min(MAX_BACKOFF_NS);
            assert!((full / 2..=full).contains(&retry_at_ns), "round {round}: {retry_at_ns}");
        }
    }

    #[test]
    fn without_a_host_the_stream_stays_down_and_tries_again() {
        let (mut link, metrics) = (link(), Metrics::default());
        let mut verdicts = Verdicts::new([0; 16]);
        assert!(link.tick(1, 1, None, &mut verdicts, &metrics).is_none());
        assert!(matches!(link.state, State::Down { retry_at_ns } if retry_at_ns > 1));
        assert!(link.message(4, 10, 2, &mut verdicts, &metrics).is_none(), "a message of a stream that is not ours");
    }
}
