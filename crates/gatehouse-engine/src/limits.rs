//! The limits of the policy in force: whose count a request belongs to, whether it is over, and counting it.
//!
//! All limits of one worker share the cells of one [`Pool`], so that memory depends neither on the number of limits nor on the
//! number of clients. A limit's cells are told apart by its *domain*, a hash of who it is and what it says: a limit that a new
//! policy leaves as it was goes on counting, one that changed begins anew.
//!
//! A key with a part that a stranger can choose alone (header, cookie, query) never stands alone: the limit then counts the
//! address (IPv6: its /64) beside it, and the stricter of both wins.

mod key;
mod meter;
mod shared;

use std::cell::RefCell;

use gatehouse_meter::limit::{Capacities, Decision, Pool};
use gatehouse_meter::{Evictions, Keys, Limit, SharedLimit, Ticket};
use gatehouse_policy::{Count, LimitSpec, Policy};

use crate::decide::Over;
use crate::scratch::{Met, Stand};

use key::Begun;
pub(crate) use key::{Asker, Key};
use shared::Via;
pub use shared::{NoSlots, SharedSlots};

/// Cells of one worker, about 20 MiB if every kind is in use.
const CELLS: Capacities = if cfg!(fuzzing) {
    Capacities { distinct: 8, failures: 64, rate: 64, window: 64 }
} else {
    Capacities { distinct: 4096, failures: 32_768, rate: 65_536, window: 65_536 }
};
/// Sets of eight cells that the workers of one Envoy share, 4 MiB at most.
const SHARED_SETS: u32 = 4096;
/// Cells that all shared limits of one worker may take together for what falls back, …
const LOCAL_CELLS: usize = if cfg!(fuzzing) { 64 } else { 16_384 };
/// … and at least one limit of them.
const LEAST_LOCAL: usize = 64;
/// Most empty lists that are kept.
const SPARE: usize = 64;

/// The limits of one worker.
#[derive(Debug)]
pub(crate) struct Limits {
    keys: Keys,
    pool: Pool,
    /// By the number of the limit in the policy.
    entries: Vec<Entry>,
    /// Empty lists of tries that were given back, so that the next ones need no memory.
    spare: Vec<Vec<Try>>,
}

/// One limit of the policy in force.
#[derive(Debug)]
struct Entry {
    /// `None`: no such limit can be; the compiler refuses it, so this one came by another way, and it limits nothing.
    limit: Option<Limit>,
    domain: u64,
    begun: Begun,
    /// Its buffers are used also where nothing is counted.
    shared: Option<Box<RefCell<SharedLimit>>>,
}

/// A try that a limit of failures let pass, until its answer is known.
#[derive(Debug)]
pub(crate) struct Try {
    limit: usize,
    domain: u64,
    tag: u64,
    ticket: Ticket,
}

impl Try {
    /// The limit's index in the policy.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

impl Limits {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self { keys: Keys::new(key), pool: Pool::new(CELLS), entries: Vec::new(), spare: Vec::new() }
    }

    /// Takes over the limits of a policy; those that are as they were go on counting.
    pub(crate) fn adopt(&mut self, policy: &Policy) {
        let specs = policy.limits();
        let shared = specs.iter().filter(|spec| spec.shared).count();
        let local = LOCAL_CELLS.checked_div(shared).unwrap_or(LOCAL_CELLS).max(LEAST_LOCAL);
        let mut before = core::mem::take(&mut self.entries);
        before.retain(|entry| entry.shared.is_some());
        for spec in specs {
            let known = before.iter_mut().filter(|_| spec.shared).find(|entry| entry.domain == spec.identity);
            let kept = known.and_then(|entry| entry.shared.take());
            let entry = Entry::new(spec, Begun::of(&self.keys, spec.identity), local, kept);
            if let Some(limit) = entry.limit.filter(|_| entry.shared.is_none()) {
                // Its capacities are constants that every kind can have.
                let _ = self.pool.prepare(&limit);
            }
            self.entries.push(entry);
        }
    }

    /// Whose count the request belongs to in a limit of the policy that was taken over last; `None`: a part of the key cannot be
    /// known.
    pub(crate) fn key_of(&self, limit: usize, spec: &LimitSpec, asker: &Asker<'_, '_>) -> Option<Key> {
        let begun = &self.entries.get(limit)?.begun;
        let tag = asker.counted(begun, &spec.by)?;
        let unproven = spec.by.iter().any(gatehouse_policy::KeyPart::is_unproven);
        let beside = if unproven { Some(asker.address(begun.beside)?) } else { None };
        let item = match &spec.count {
            Count::Distinct(part) => Some(asker.tag(begun.item, core::slice::from_ref(part))?),
            _ => None,
        };
        Some(Key { tag, beside, item })
    }

    /// Whether the limit is over for the key; counts nothing.
    pub(crate) fn check(&self, limit: usize, key: &Key, slots: &dyn SharedSlots, now_ns: u64) -> Option<Over> {
        let said = self.ask(limit, key, slots, now_ns);
        let strictest =
            said.filter_map(|decision| decision.over).max_by_key(|over| (over.step, over.retry_after_ns))?;
        Some(Over::of(limit, strictest))
    }

    /// How many more requests of a key would pass at this moment after this one, for people.
    pub(crate) fn remaining(&self, limit: usize, key: &Key, slots: &dyn SharedSlots, now_ns: u64) -> Option<u32> {
        self.ask(limit, key, slots, now_ns).map(|decision| decision.remaining).min()
    }

    fn ask(&self, limit: usize, key: &Key, slots: &dyn SharedSlots, now_ns: u64) -> impl Iterator<Item = Decision> {
        let entry = self.entries.get(limit);
        let item = key.item;
        key.tags().filter_map(move |tag| entry?.would(&self.pool, (tag, item), slots, now_ns))
    }

    /// Counts a request that is admitted in every limit that it met; gives the tries that wait for their answers.
    ///
    /// Limits that workers share come first: another worker may have been faster since they were asked, and then the request is
    /// refused after all, by the one whose word `refuses` takes for final, and counted by no other.
    ///
    /// # Errors
    /// The limit that refuses.
    pub(crate) fn admit(
        &mut self,
        met: &[Met],
        slots: &dyn SharedSlots,
        now_ns: u64,
        mut refuses: impl FnMut(&Met, Over) -> bool,
    ) -> Result<Vec<Try>, (Met, Over)> {
        let mut tries = Vec::new();
        for met in met.iter().filter(|met| met.shared) {
            if let Some(over) = self.count(met, slots, now_ns, &mut tries)
                && met.stand == Stand::Below
                && met.enforced
                && refuses(met, over)
            {
                tries.into_iter().for_each(|tried| self.give_back(tried, slots, now_ns));
                return Err((*met, over));
            }
        }
        for met in met.iter().filter(|met| !met.shared) {
            match met.stand {
                Stand::Below => self.count_below(met, now_ns, &mut tries),
                Stand::Passes | Stand::Refuses => {
                    self.count(met, slots, now_ns, &mut tries);
                }
            }
        }
        Ok(tries)
    }

    /// Counts in a limit of this worker's own that was found not to be over.
    fn count_below(&mut self, met: &Met, now_ns: u64, tries: &mut Vec<Try>) {
        let Self { entries, pool, spare, .. } = self;
        let Some(Entry { limit: Some(limit), domain, .. }) = entries.get(met.limit) else { return };
        for tag in met.key.tags() {
            if let Some(ticket) = pool.count(limit, tag, met.key.item, now_ns) {
                keep(tries, spare, Try { limit: met.limit, domain: *domain, tag, ticket });
            }
        }
    }

    /// Counts a request that is refused: only in the limit that refused it, whose rule is `by`, so that a flood which one limit
    /// refuses does not use up the others; in none, where something else refused it. Gives how far it is over now: the request
    /// may have begun a block.
    pub(crate) fn refuse(
        &mut self,
        met: &[Met],
        by: Option<u32>,
        slots: &dyn SharedSlots,
        now_ns: u64,
    ) -> Option<Over> {
        let own = met.iter().filter(|met| met.stand == Stand::Refuses && by == Some(met.rule));
        own.filter_map(|met| self.count(met, slots, now_ns, &mut Vec::new())).max()
    }

    /// Counts in one limit; `Some`: it is over.
    fn count(&mut self, met: &Met, slots: &dyn SharedSlots, now_ns: u64, tries: &mut Vec<Try>) -> Option<Over> {
        let Self { entries, pool, spare, .. } = self;
        let entry = entries.get(met.limit)?;
        let mut strictest = None;
        for tag in met.key.tags() {
            let key = (tag, met.key.item);
            let is_over = || entry.would(pool, key, slots, now_ns).is_some_and(|decision| decision.over.is_some());
            if met.stand == Stand::Refuses && !is_over() {
                // The other key refuses: in this one nothing more is admitted.
                continue;
            }
            let Decision { over, ticket, .. } = entry.request(pool, key, slots, now_ns)?;
            // Over, and let through all the same by what only adds up: its failures count on.
            let passes = || if met.stand == Stand::Passes { entry.pass(pool, tag, slots, now_ns) } else { None };
            if let Some(ticket) = ticket.or_else(passes) {
                keep(tries, spare, Try { limit: met.limit, domain: entry.domain, tag, ticket });
            }
            strictest = strictest.max(over.map(|over| Over::of(met.limit, over)));
        }
        strictest
    }

    /// Takes back a try that is not made after all.
    fn give_back(&mut self, tried: Try, slots: &dyn SharedSlots, now_ns: u64) {
        let Self { entries, pool, .. } = self;
        if let Some(entry) = entry_of(entries, &tried) {
            entry.answer(pool, tried, None, slots, now_ns);
        }
    }

    /// Takes the answer of these tries: its status, or `None` where none came. `policy`: the one by which they were let through.
    pub(crate) fn answer(
        &mut self,
        policy: &Policy,
        mut tries: Vec<Try>,
        status: Option<u16>,
        slots: &dyn SharedSlots,
        now_ns: u64,
    ) {
        for tried in tries.drain(..) {
            let failed = status.map(|status| match policy.limits().get(tried.limit).map(|spec| &spec.count) {
                Some(Count::Failures(ranges)) => ranges.iter().any(|(least, most)| (*least..=*most).contains(&status)),
                _ => false,
            });
            let Self { entries, pool, .. } = self;
            if let Some(entry) = entry_of(entries, &tried) {
                entry.answer(pool, tried, failed, slots, now_ns);
            }
        }
        if tries.capacity() > 0 && self.spare.len() < SPARE {
            self.spare.push(tries);
        }
    }

    /// Keys that lost their count to another.
    pub(crate) fn evictions(&self) -> Evictions {
        self.pool.evictions()
    }

    /// Calls that could not be settled with the other workers.
    pub(crate) fn fallbacks(&self) -> u64 {
        let shared = self.entries.iter().filter_map(|entry| entry.shared.as_ref()?.try_borrow().ok());
        shared.map(|shared| shared.fallbacks()).flat_map(|f| [f.contended, f.crowded, f.damaged, f.failed]).sum()
    }

    /// Bytes of all cells.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes()
    }
}

/// Puts a try into a list that is one of the spare ones, if there are any.
fn keep(tries: &mut Vec<Try>, spare: &mut Vec<Vec<Try>>, tried: Try) {
    if tries.capacity() == 0 {
        *tries = spare.pop().unwrap_or_default();
    }
    tries.push(tried);
}

/// The limit of a try, which stands elsewhere where the policy has changed since; `None`: it is gone.
fn entry_of<'e>(entries: &'e [Entry], tried: &Try) -> Option<&'e Entry> {
    let is = |entry: &&Entry| entry.domain == tried.domain;
    entries.get(tried.limit).filter(is).or_else(|| entries.iter().find(is))
}

/// What a limit must be told: tag, and what a distinct count counts.
type Asked = (u64, Option<u64>);

impl Entry {
    fn new(spec: &LimitSpec, begun: Begun, local: usize, kept: Option<Box<RefCell<SharedLimit>>>) -> Self {
        let limit = meter::limit(spec);
        let kept = kept.filter(|kept| kept.try_borrow().is_ok_and(|kept| Some(kept.limit()) == limit));
        let fresh =
            || SharedLimit::try_new(limit?, SHARED_SETS, local).ok().map(|shared| Box::new(RefCell::new(shared)));
        let shared = if spec.shared { kept.or_else(fresh) } else { None };
        Self { limit, domain: spec.identity, begun, shared }
    }

    fn would(&self, pool: &Pool, (tag, item): Asked, slots: &dyn SharedSlots, now_ns: u64) -> Option<Decision> {
        match &self.shared {
            Some(shared) => Some(shared.try_borrow_mut().ok()?.would(&Via(slots), tag, now_ns)),
            None => Some(pool.would(self.limit.as_ref()?, tag, item, now_ns)),
        }
    }

    fn request(&self, pool: &mut Pool, (tag, item): Asked, slots: &dyn SharedSlots, now_ns: u64) -> Option<Decision> {
        match &self.shared {
            Some(shared) => Some(shared.try_borrow_mut().ok()?.request(&Via(slots), tag, now_ns)),
            None => pool.request(self.limit.as_ref()?, tag, item, now_ns),
        }
    }

    fn pass(&self, pool: &mut Pool, tag: u64, slots: &dyn SharedSlots, now_ns: u64) -> Option<Ticket> {
        match &self.shared {
            Some(shared) => shared.try_borrow_mut().ok()?.pass(&Via(slots), tag, now_ns),
            None => pool.pass(self.limit.as_ref()?, tag, now_ns),
        }
    }

    /// `failed`: how it was answered; `None`: not at all.
    fn answer(&self, pool: &mut Pool, tried: Try, failed: Option<bool>, slots: &dyn SharedSlots, now_ns: u64) {
        let (tag, ticket) = (tried.tag, tried.ticket);
        match (&self.shared, &self.limit, failed) {
            (Some(shared), _, failed) => {
                if let Ok(mut shared) = shared.try_borrow_mut() {
                    shared.answer(&Via(slots), tag, ticket, failed == Some(true), now_ns);
                }
            }
            (None, Some(limit), Some(failed)) => pool.answer(limit, tag, ticket, failed, now_ns),
            (None, Some(limit), None) => pool.abandon(limit, tag, ticket),
            (None, None, _) => {}
        }
    }
}
