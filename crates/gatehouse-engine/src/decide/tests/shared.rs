//! `shared: true`: what several workers of one Envoy count together.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Mutex;

use super::gate::*;
use crate::limits::SharedSlots;
use crate::slots::{SlotError, Stored, Version};
use crate::state::State;

/// Shared data as Envoy keeps it: every value with a number that each store changes, from one count for all of the process.
#[derive(Default)]
struct Envoy {
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    stores: u32,
    sets: BTreeMap<u32, (Vec<u8>, u32)>,
}

impl SharedSlots for Envoy {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        let data = self.data.lock().unwrap();
        Ok(match data.sets.get(&set) {
            Some((value, cas)) => {
                into.extend_from_slice(value);
                Version::held(*cas)
            }
            None => Version::ABSENT,
        })
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        let mut data = self.data.lock().unwrap();
        if let Some((_, cas)) = data.sets.get(&set)
            && version.cas() != 0
            && version.cas() != *cas
        {
            return Ok(Stored::Conflict);
        }
        data.stores += 1;
        let cas = data.stores;
        data.sets.insert(set, (bytes.to_vec(), cas));
        Ok(Stored::Done)
    }
}

/// Somebody else stores in the set between any load and store, so many times.
struct Contended<'e> {
    envoy: &'e Envoy,
    left: Cell<u32>,
    /// What that somebody asks.
    other: RefCell<Gate>,
    let_through: Cell<u32>,
}

impl SharedSlots for Contended<'_> {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        let version = self.envoy.load(set, into);
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            let passed = passed(&self.other.borrow_mut().ask_with(&Ask::get("/"), self.envoy));
            self.let_through.set(self.let_through.get() + u32::from(passed));
        }
        version
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        self.envoy.store(set, bytes, version)
    }
}

const SPEC: &str = "rules: [{ name: l, match: { all: true }, limit: { rate: 100 per 1m, shared: true }, then: limit }]";

fn workers<const N: usize>(spec: &str) -> [Gate; N] {
    std::array::from_fn(|n| {
        let mut gate = Gate::new(spec);
        gate.state = State::new([3; 16], &[u8::try_from(n).unwrap(); 16]);
        gate
    })
}

#[test]
fn two_workers_admit_exactly_as_many_together_as_one() {
    let envoy = Envoy::default();
    let mut gates: [Gate; 2] = workers(SPEC);
    let mut through = 0;
    for n in 0..1000 {
        // Now one, now the other, sometimes one for a while.
        let gate = &mut gates[usize::from(n % 7 < 3)];
        gate.now_ns += n;
        through += usize::from(passed(&gate.ask_with(&Ask::get("/"), &envoy)));
    }
    assert_eq!(through, 100);
    assert!(gates.iter().all(|gate| gate.state.counts().shared_fallbacks == 0));
    let other = Ask::get("/").from("192.0.2.2");
    assert!(passed(&gates[0].ask_with(&other, &envoy)), "never two keys in one cell");
}

#[test]
fn two_threads_at_once_admit_exactly_as_many() {
    let envoy = Envoy::default();
    let through: usize = std::thread::scope(|scope| {
        let envoy = &envoy;
        let worker = |n: u8| {
            scope.spawn(move || {
                let mut gate = Gate::new(SPEC);
                gate.state = State::new([3; 16], &[n; 16]);
                (0..2000).filter(|_| passed(&gate.ask_with(&Ask::get("/"), envoy))).count()
            })
        };
        [worker(1), worker(2)].map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert_eq!(through, 100);
}

#[test]
fn whoever_comes_second_between_asking_and_counting_is_refused_after_all() {
    let spec = "
rules:
- { name: l, match: { all: true }, limit: { rate: 1 per 1m, shared: true }, then: { limit: { status: 420 } } }
- { name: own, match: { all: true }, limit: { rate: 5 per 1m }, then: limit }";
    let envoy = Envoy::default();
    let [mut gate, other] = workers(spec);
    let slots = Contended { envoy: &envoy, left: Cell::new(1), other: RefCell::new(other), let_through: Cell::new(0) };
    let judged = gate.ask_with(&Ask::get("/"), &slots);
    assert_eq!((slots.let_through.get(), said(&judged).as_str(), status(&judged)), (1, "limit p/l", 420));
    assert!(judged.verdict.reference.is_some() && !judged.is_open());
    // The worker's own limit never saw it.
    let (_, trace) = gate.explain(&Ask::get("/"));
    let sums: Vec<u32> = trace.steps.iter().filter_map(|step| step.limit).map(|sum| sum.remaining).collect();
    assert_eq!(sums.last(), Some(&4), "five less the one that asks: {trace:?}");
}

#[test]
fn failures_are_counted_together_and_places_given_back_from_either_side() {
    let spec = "rules: [{ name: l, match: { all: true }, limit: { count: { status: 401 }, rate: 4 per 1m, inFlight: 2, shared: true }, then: limit }]";
    let envoy = Envoy::default();
    let mut gates: [Gate; 2] = workers(spec);
    let tell = |gate: &mut Gate, judged: &mut crate::exchange::Judged, status| {
        crate::exchange::answered(Some(&gate.policy), judged, status, &mut gate.state, &envoy, gate.now_ns);
    };
    let mut one = gates[0].ask_with(&Ask::get("/"), &envoy);
    let mut two = gates[1].ask_with(&Ask::get("/"), &envoy);
    assert!(passed(&one) && passed(&two) && !passed(&gates[0].ask_with(&Ask::get("/"), &envoy)));
    tell(&mut gates[0], &mut one, None);
    tell(&mut gates[1], &mut two, Some(401));
    for n in 0..3 {
        let gate = &mut gates[n % 2];
        let mut judged = gate.ask_with(&Ask::get("/"), &envoy);
        assert!(passed(&judged), "{n}");
        tell(gate, &mut judged, Some(401));
    }
    assert!(gates.iter_mut().all(|gate| !passed(&gate.ask_with(&Ask::get("/"), &envoy))));
}

#[test]
fn a_shared_limit_whose_block_was_changed_blocks_as_the_new_policy_says() {
    let spec = |block: &str| {
        format!(
            "rules: [{{ name: l, match: {{ all: true }}, limit: {{ rate: 2 per 1m, blockFor: {block}, shared: true }}, then: limit }}]"
        )
    };
    let envoy = Envoy::default();
    let mut gate = Gate::new(&spec("1m"));
    assert!(passed(&gate.ask_with(&Ask::get("/"), &envoy)));
    gate.policy = document(&spec("10m"));
    assert!(passed(&gate.ask_with(&Ask::get("/"), &envoy)));
    let judged = gate.ask_with(&Ask::get("/"), &envoy);
    assert_eq!(answers(&judged, "retry-after"), Some("600"), "counted on, and blocked by the new word");
}

#[test]
fn without_shared_data_every_worker_counts_for_itself_and_says_so() {
    let mut gates: [Gate; 2] = workers(SPEC);
    for gate in &mut gates {
        assert_eq!((0..300).filter(|_| passed(&gate.ask(&Ask::get("/")))).count(), 100);
        assert!(gate.state.counts().shared_fallbacks >= 100);
    }
}
