//! What stands in the gateway: each differs from the first in one thing.

mod others;
mod ours;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_corpora::{Corpus, standard, standard_of};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::{Envoy, Gateway, House, process, wait};
use serde_json::Value;

use crate::cores;
use crate::drive::Driven;
use crate::frame::{Answers, Frame};
use crate::mix::{Mix, at_home};
use crate::rivals::rules::Book;
use crate::service::{Kind, Service};

/// Until the last records have come; all are on this machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every variant, in the order of the tables.
pub(crate) const NAMES: [&str; 12] = [
    "no_filter",
    "wasm_empty",
    "floor",
    "gatehouse_empty",
    "gatehouse_100",
    "gatehouse_full",
    "lua",
    "native",
    "ext_authz",
    "ext_proc",
    "access_log",
    "hairpin",
];

/// What all variants are made from.
pub(crate) struct Material {
    small: Corpus,
    full: Corpus,
    /// The rules of `full` for others.
    pub(crate) book: Book,
    /// The requests: none refused, as the small policy says, as the full one says.
    unjudged: Mix,
    by_small: Mix,
    by_full: Mix,
}

impl Material {
    /// # Errors
    /// A policy does not compile.
    pub(crate) fn new() -> io::Result<Self> {
        let (small, full) = (at_home(standard_of(100, 100)), at_home(standard()));
        let unjudged = Mix::unjudged(&full.asks);
        let (by_small, by_full) = (unjudged.judged(&full.asks, &small)?, unjudged.judged(&full.asks, &full)?);
        Ok(Self { book: Book::of(&full), small, full, unjudged, by_small, by_full })
    }

    /// How many of the requests the full policy refuses, and how many there are.
    pub(crate) fn refused(&self) -> (usize, usize) {
        (self.by_full.refusals(), self.by_full.requests.len())
    }

    fn frame(&self, answers: Answers) -> Frame {
        Frame::new(answers, self.book.hosts.keys())
    }
}

/// Whose CPU time is told beside Envoy's.
enum Beside {
    House(House, u32),
    Service(Service),
}

impl Beside {
    fn id(&self) -> u32 {
        match self {
            Self::House(_, id) => *id,
            Self::Service(service) => service.id(),
        }
    }
}

/// A gateway that is measured.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// The requests, and which of them it refuses.
    pub(crate) mix: Mix,
    envoy: Envoy,
    /// Of the hairpin: the Envoy that judges.
    second: Option<Envoy>,
    beside: Option<Beside>,
    /// The gauge of its module's memory.
    memory: Option<&'static str>,
}

impl Variant {
    async fn new(name: &'static str, what: &'static str, mix: &Mix, gateway: &Gateway) -> Self {
        let envoy = run(gateway).await;
        Self { name, what, mix: mix.clone(), envoy, second: None, beside: None, memory: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    fn envoys(&self) -> impl Iterator<Item = u32> {
        [Some(&self.envoy), self.second.as_ref()].into_iter().flatten().map(Envoy::id)
    }

    /// CPU time that Envoy has used, both Envoys where there are two.
    pub(crate) fn cpu(&self) -> Duration {
        self.envoys().map(|id| process::cpu(id).expect("Envoy runs")).sum()
    }

    /// CPU time that its house or service has used.
    pub(crate) fn beside_cpu(&self) -> Duration {
        self.beside.as_ref().map_or(Duration::ZERO, |beside| process::cpu(beside.id()).expect("it runs"))
    }

    /// Resident memory of Envoy, bytes.
    pub(crate) fn resident(&self) -> u64 {
        self.envoys().map(|id| process::resident(id).expect("Envoy runs")).sum()
    }

    /// Memory of its module, bytes; `None`: it has none.
    pub(crate) async fn memory(&self) -> Option<u64> {
        Some(self.envoy.stat(self.memory?).await)
    }

    /// Waits until each of so many requests is recorded where this variant records; how many records were given up.
    ///
    /// # Panics
    /// When it does not come to that: then it measures something else.
    pub(crate) async fn recorded(&self, answered: usize) -> u64 {
        let (answered, what) = (answered as u64, format!("{}: a record of each request", self.name));
        wait::until(PATIENCE, &what, || async {
            let [told, dropped] = match &self.beside {
                Some(Beside::House(house, _)) => booked(&house.status().await["books"]["total"]),
                Some(Beside::Service(service)) if service.kind() == Kind::Log => self.logged().await,
                _ => return Some(0),
            };
            (told + dropped >= answered).then_some(dropped)
        })
        .await
    }

    /// Log entries that Envoy sent, and that it gave up.
    async fn logged(&self) -> [u64; 2] {
        let stats = self.envoy.stats("grpc_access_log.logs_").await;
        ["logs_written", "logs_dropped"]
            .map(|name| stats.iter().filter(|(known, _)| known.ends_with(name)).map(|(_, count)| count).sum())
    }

    /// Every request was answered as it must be.
    ///
    /// # Panics
    /// When not: then it measures something else.
    pub(crate) fn check(&self, mix: &Mix, driven: &Driven) {
        let shown = |(number, status): &(usize, u16)| {
            let request = String::from_utf8_lossy(&mix.requests[*number]).into_owned();
            format!("answered with {status}, to be refused: {}:\n{request}", mix.refused[*number])
        };
        let first = driven.wrong.first().map(shown).unwrap_or_default();
        assert!(driven.wrongs == 0, "{}: {} of {} requests {first}", self.name, driven.wrongs, driven.sent);
    }
}

/// Starts all of them.
pub(crate) async fn start(material: &Material, answers: Answers) -> Vec<Variant> {
    let mut variants = ours::start(material, answers).await;
    variants.extend(others::start(material, answers).await);
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    assert_eq!(names, NAMES);
    variants
}

/// Records that a house stored, and that were given up on the way, counted.
fn booked(total: &Value) -> [u64; 2] {
    let dropped = total["dropped"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    [total["stored"].as_u64().unwrap_or_default(), dropped]
}

async fn run(gateway: &Gateway) -> Envoy {
    let envoy = Envoy::start_by(Launcher::Direct, gateway).await;
    cores::pin_envoy(envoy.id());
    envoy
}
