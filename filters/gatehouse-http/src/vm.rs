//! The contexts of this VM and which callback goes to which: total, whatever the host calls in whatever order.

use core::cell::RefCell;
use std::collections::BTreeMap;

use crate::http::{Exchange, Flow};
use crate::outcome::Outcomes;
use gatehouse_filter::host;
use gatehouse_filter::root::{Judges, Root};
use gatehouse_filter::worker::Worker;

/// Transactions looked at, and interim reports made, in one tick.
const LOOKED_AT: usize = 1024;
const INTERIMS: usize = 64;

/// Everything in this VM. There are as many transactions as Envoy keeps open on this worker, and as many roots as there are
/// configurations that still serve.
pub(crate) struct Vm {
    worker: Worker,
    outcomes: Outcomes,
    roots: BTreeMap<u32, Root>,
    exchanges: BTreeMap<u32, Box<Exchange>>,
    looked_to: u32,
}

thread_local! {
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// Runs a callback. A host that calls back while a callback runs (none does, by the ABI) gets `T::default()`.
pub(crate) fn with<T: Default>(callback: impl FnOnce(&mut Vm) -> T) -> T {
    VM.try_with(|vm| vm.try_borrow_mut().map(|mut vm| callback(vm.get_or_insert_with(Vm::new))).unwrap_or_default())
        .unwrap_or_default()
}

impl Vm {
    fn new() -> Self {
        Self {
            worker: Worker::new(),
            outcomes: Outcomes::new(),
            roots: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            looked_to: 0,
        }
    }

    pub(crate) fn create(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root::new(context, Judges::Requests));
        } else {
            self.exchanges.insert(context, Box::new(Exchange::new(root)));
        }
    }

    pub(crate) fn configure(&mut self, context: u32, length: usize) -> bool {
        let root = self.roots.entry(context).or_insert_with(|| Root::new(context, Judges::Requests));
        root.configure(&mut self.worker, length)
    }

    pub(crate) fn tick(&mut self, context: u32) {
        if let Some(root) = self.roots.get_mut(&context) {
            root.tick(&mut self.worker);
        }
        self.let_go(context);
        self.interims(context);
    }

    pub(crate) fn request_headers(&mut self, context: u32, is_whole: bool) -> Flow {
        let Some(exchange) = self.exchanges.get_mut(&context) else { return Flow::Continue };
        let Some(root) = self.roots.get_mut(&exchange.root()) else { return Flow::Continue };
        exchange.request_headers(context, is_whole, root, &mut self.worker)
    }

    pub(crate) fn response_headers(&mut self, context: u32) -> Flow {
        match self.exchanges.get_mut(&context) {
            Some(exchange) => exchange.response_headers(self.roots.get_mut(&exchange.root()), &mut self.worker),
            None => Flow::Continue,
        }
    }

    pub(crate) fn log(&mut self, context: u32) {
        let Some(exchange) = self.exchanges.get_mut(&context) else { return };
        let has_house = self.roots.get(&exchange.root()).is_none_or(Root::has_house);
        exchange.log(has_house, &mut self.outcomes, &mut self.worker);
    }

    pub(crate) fn done(&mut self, context: u32) {
        let others = self.roots.iter().any(|(id, root)| *id != context && root.has_house());
        if self.roots.contains_key(&context)
            && let Some(link) = self.worker.link.as_mut()
        {
            link.root_done(context, !others, host::now_ns(), &self.worker.metrics);
        }
    }

    pub(crate) fn delete(&mut self, context: u32) {
        if let Some(mut exchange) = self.exchanges.remove(&context) {
            exchange.ended(None, &mut self.worker);
            self.worker.delays.forget(context);
        }
        if let Some(mut root) = self.roots.remove(&context) {
            root.release();
            self.worker.states.keep(self.roots.values().map(|root| &root.slot));
        }
    }

    pub(crate) fn grpc_message(&mut self, token: u32, length: usize) {
        self.worker.grpc_message(token, length);
    }

    pub(crate) fn grpc_closed(&mut self, token: u32, status: u32) {
        self.worker.grpc_closed(token, status);
    }

    /// Lets requests go on whose time has come.
    fn let_go(&mut self, root: u32) {
        if !self.worker.delays.is_busy() {
            return;
        }
        let now_ns = host::now_ns();
        while let Some(context) = self.worker.delays.due(now_ns) {
            // A request that is gone has no context any more: there is nothing to go on.
            if host::set_effective_context(context).is_ok()
                && let Err(refused) = host::continue_request()
            {
                self.worker.complain(refused);
            }
        }
        let _ = host::set_effective_context(root);
    }

    /// Reports transactions that last: a few at a time, going round all of them.
    fn interims(&mut self, root: u32) {
        let now_ns = host::now_ns();
        let from = self.looked_to;
        let (mut looked, mut reported) = (0, 0);
        self.looked_to = 0;
        for (id, exchange) in self.exchanges.range_mut(from..) {
            if looked >= LOOKED_AT || reported >= INTERIMS {
                self.looked_to = *id;
                break;
            }
            looked = looked.saturating_add(1);
            let house = self.roots.get(&exchange.root()).is_some_and(Root::has_house);
            if house && exchange.is_due(now_ns) && host::set_effective_context(*id).is_ok() {
                exchange.interim(&mut self.outcomes, &mut self.worker, now_ns);
                reported = reported.saturating_add(1);
            }
        }
        if reported > 0 {
            let _ = host::set_effective_context(root);
        }
    }
}
