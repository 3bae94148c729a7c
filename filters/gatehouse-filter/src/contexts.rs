//! The contexts of a VM, as far as every filter has them alike: plugin configurations and transactions, each by the number that Envoy gives
//! it. Total, whatever the host calls in whatever order.

use std::collections::BTreeMap;

use crate::host;
use crate::root::{Judges, Root};
use crate::worker::Worker;

/// Transactions looked at, and interim reports made, in one tick.
const LOOKED_AT: usize = 1024;
const INTERIMS: usize = 64;
/// A transaction that lasts longer is reported while it runs, this often.
pub const INTERIM_NS: u64 = 60_000_000_000;

/// What Envoy is to do after a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// Go on.
    #[default]
    Continue = 0,
    /// Stop here: an answer of ours goes out, it waits, or it is closed.
    Stop = 1,
}

/// A request or a connection.
pub trait Transaction {
    /// One of the plugin whose root context is `root`.
    fn new(root: u32) -> Self;
    /// That root context.
    fn root(&self) -> u32;
    /// It has lasted a minute (or another one) since it was last told.
    fn is_due(&self, now_ns: u64) -> bool;
}

/// Everything in this VM that Envoy knows by a number, and what outlives it. There are as many transactions as Envoy keeps open on this
/// worker, and as many roots as there are configurations that still serve.
pub struct Contexts<T> {
    /// What outlives configurations.
    pub worker: Worker,
    /// Configurations.
    pub roots: BTreeMap<u32, Root>,
    /// Transactions.
    pub open: BTreeMap<u32, Box<T>>,
    what: Judges,
    looked_to: u32,
}

impl<T: Transaction> Contexts<T> {
    /// None yet, of a filter that judges `what`.
    #[must_use]
    pub fn new(what: Judges) -> Self {
        Self { worker: Worker::new(), roots: BTreeMap::new(), open: BTreeMap::new(), what, looked_to: 0 }
    }

    /// Envoy has made a context; `root` 0: it is one itself.
    pub fn create(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root::new(context, self.what));
        } else {
            self.open.insert(context, Box::new(T::new(root)));
        }
    }

    /// A root is to take a configuration of `length` bytes; false: it goes on with the one before.
    pub fn configure(&mut self, context: u32, length: usize) -> bool {
        let root = self.roots.entry(context).or_insert_with(|| Root::new(context, self.what));
        root.configure(&mut self.worker, length)
    }

    /// Time has passed for a root. `waits`: somebody is to be looked at again soon.
    pub fn tick(&mut self, context: u32, waits: bool) {
        if let Some(root) = self.roots.get_mut(&context) {
            root.tick(&mut self.worker, waits);
        }
    }

    /// A context comes to its end: the last root that has a house says goodbye to it.
    pub fn done(&mut self, context: u32) {
        let others = self.roots.iter().any(|(id, root)| *id != context && root.has_house());
        if self.roots.contains_key(&context)
            && let Some(link) = self.worker.link.as_mut()
        {
            link.root_done(context, !others, host::now_ns(), &self.worker.metrics);
        }
    }

    /// A context is gone; its transaction, if it was one.
    pub fn delete(&mut self, context: u32) -> Option<Box<T>> {
        if let Some(mut root) = self.roots.remove(&context) {
            root.release();
            self.worker.states.keep(self.roots.values().map(|root| &root.slot));
        }
        self.open.remove(&context)
    }

    /// Reports transactions that last, by `report` (false: it could not): a few at a time, going round all of them. `root`: whose tick it is.
    pub fn interims(&mut self, root: u32, mut report: impl FnMut(u32, &mut T, &mut Worker, u64) -> bool) {
        let now_ns = host::now_ns();
        let from = self.looked_to;
        let (mut looked, mut reported) = (0, 0);
        self.looked_to = 0;
        for (id, one) in self.open.range_mut(from..) {
            if looked >= LOOKED_AT || reported >= INTERIMS {
                self.looked_to = *id;
                break;
            }
            looked = looked.saturating_add(1);
            let house = self.roots.get(&one.root()).is_some_and(Root::has_house);
            if house && one.is_due(now_ns) && report(*id, one, &mut self.worker, now_ns) {
                reported = reported.saturating_add(1);
            }
        }
        if reported > 0 {
            let _ = host::set_effective_context(root);
        }
    }
}
