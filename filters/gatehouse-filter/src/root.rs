//! One plugin configuration in this VM: its bootstrap, its inline policy, its ticks.

use std::rc::Rc;

use gatehouse_engine::{Policy, Settings};
use gatehouse_verdict::record::PolicyStamp;

use crate::bootstrap::{self, Bootstrap, PeerSource, Tcp};
use crate::claims::Reader;
use crate::facts::Facts;
use crate::host::{self, Buffer, Level};
use crate::metrics::Count;
use crate::states::Slot;
use crate::tally;
use crate::worker::Worker;

/// The usual tick.
const TICK_MS: u32 = 100;
/// The first tick, and ticks while a snapshot is being loaded.
const QUICK_TICK_MS: u32 = 10;
/// How often the gauges are told.
const GAUGES_NS: u64 = 1_000_000_000;

/// What a filter judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judges {
    /// TCP connections.
    Connections,
    /// HTTP requests.
    Requests,
}

/// A root context.
pub struct Root {
    id: u32,
    what: Judges,
    /// What holds without a policy.
    pub settings: Settings,
    /// How facts of connections are asked.
    pub facts: Facts,
    /// How claims are asked.
    pub claims: Reader,
    /// What the configuration says of connections.
    pub tcp: Tcp,
    inline: Option<Rc<Policy>>,
    /// Whose counts its policy goes by.
    pub slot: Slot,
    has_house: bool,
    since_ns: u64,
    gauges_at_ns: u64,
    tick_ms: u32,
}

impl Root {
    /// The root context `id` of a filter that judges `what`, not configured yet.
    #[must_use]
    pub fn new(id: u32, what: Judges) -> Self {
        let Bootstrap { settings, peer, jwt, tcp, .. } = Bootstrap::default();
        let (facts, claims) = (Facts::new(&peer, None), Reader::new(jwt));
        Self {
            id,
            what,
            settings,
            facts,
            claims,
            tcp,
            inline: None,
            slot: None,
            has_house: false,
            since_ns: 0,
            gauges_at_ns: 0,
            tick_ms: 0,
        }
    }

    /// Reads the configuration of `length` bytes; false: Envoy goes on with the one before.
    pub fn configure(&mut self, worker: &mut Worker, length: usize) -> bool {
        worker.metrics.define();
        match configuration(length, self.what) {
            Ok(bootstrap) => {
                self.take(worker, bootstrap);
                true
            }
            Err(problems) => {
                worker.metrics.count(Count::BootstrapRefusals);
                for problem in problems {
                    host::log(Level::Error, &format!("configuration refused: {problem}"));
                }
                false
            }
        }
    }

    fn take(&mut self, worker: &mut Worker, bootstrap: Bootstrap) {
        let now_ns = host::now_ns();
        let plugin = host::property("plugin_root_id").ok().flatten().unwrap_or_default();
        worker.configure(&String::from_utf8_lossy(&plugin), &bootstrap, now_ns);
        // Of a connection the address is its peer's own, whatever a header says.
        let peer = if self.what == Judges::Connections { PeerSource::UseRemoteAddress } else { bootstrap.peer };
        if peer == PeerSource::UseRemoteAddress && self.what == Judges::Requests {
            host::log(
                Level::Info,
                "the peer is `source.address`: right only with `use_remote_address: true` and no trusted hops",
            );
        }
        self.release();
        self.facts = Facts::new(&peer, bootstrap.identity.as_deref());
        self.tcp = bootstrap.tcp;
        self.claims = Reader::new(bootstrap.jwt);
        self.settings = bootstrap.settings;
        self.has_house = bootstrap.house.is_some();
        self.inline = bootstrap.policy.map(Rc::new);
        self.slot = self.inline.as_deref().filter(|_| !self.has_house).and_then(|policy| worker.open(policy));
        self.since_ns = now_ns;
        self.pace(QUICK_TICK_MS);
    }

    /// This plugin sends its records to a house.
    pub fn has_house(&self) -> bool {
        self.has_house
    }

    /// The policy in force: the house's, else the inline one.
    pub fn policy<'a>(&'a self, worker: &'a Worker) -> Option<&'a Rc<Policy>> {
        worker.snapshot().filter(|_| self.has_house).or(self.inline.as_ref())
    }

    /// Time has passed: what the stream and the metrics have to do. `waits`: somebody is to be looked at again soon.
    pub fn tick(&mut self, worker: &mut Worker, waits: bool) {
        let now_ns = host::now_ns();
        let mut busy = false;
        if self.has_house {
            let stamp = worker.stamp().or_else(|| self.inline_stamp());
            if let Some(link) = worker.link.as_mut() {
                let heard = link.tick(self.id, now_ns, stamp, worker.states.house().verdicts_mut(), &worker.metrics);
                busy = link.busy();
                worker.hear(heard, now_ns);
                worker.stepped(false, now_ns);
            }
        }
        self.pace(if busy || waits { QUICK_TICK_MS } else { TICK_MS });
        if now_ns.saturating_sub(self.gauges_at_ns) >= GAUGES_NS {
            self.gauges_at_ns = now_ns;
            let inline_age = self.inline.as_ref().map(|_| now_ns.saturating_sub(self.since_ns) / 1_000_000_000);
            let age = worker.snapshot_age_s(now_ns).filter(|_| self.has_house).or(inline_age);
            worker.metrics.policy(age);
            worker.metrics.memory();
            worker.metrics.longest_step(worker.longest_step_ns);
            let braked = worker.is_braked(now_ns);
            worker.metrics.brake(braked);
            let policy = self.policy(worker).cloned();
            tally::tell(worker, &self.slot, policy.as_deref(), self.claims.missed);
        }
    }

    /// Gives back what Envoy holds for this root.
    pub fn release(&mut self) {
        self.facts.release();
        self.claims.release();
    }

    fn inline_stamp(&self) -> Option<PolicyStamp> {
        self.inline.as_ref().map(|policy| policy.stamp())
    }

    /// Somebody waits: ticks come quickly from now on.
    pub fn hurry(&mut self) {
        self.pace(QUICK_TICK_MS);
    }

    /// Asks for another tick only when it changes: a request re-arms Envoy's timer.
    fn pace(&mut self, tick_ms: u32) {
        if self.tick_ms != tick_ms && host::set_tick(tick_ms).is_ok() {
            self.tick_ms = tick_ms;
        }
    }
}

fn configuration(length: usize, what: Judges) -> Result<Bootstrap, Vec<String>> {
    if length == 0 {
        return Ok(Bootstrap::default());
    }
    if length > bootstrap::MAX_CONFIGURATION {
        return Err(vec![format!(
            "{length} bytes are more than the {} that a configuration may have",
            bootstrap::MAX_CONFIGURATION
        )]);
    }
    let bytes = host::buffer(Buffer::PluginConfiguration, length).map_err(|refused| vec![refused.to_string()])?;
    bootstrap::read(&bytes.unwrap_or_default(), what)
        .map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}
