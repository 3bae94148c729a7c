//! The contexts of this VM and which callback goes to which: total, whatever the host calls in whatever order.

use core::cell::RefCell;

use crate::http::Exchange;
use crate::outcome::Outcomes;
use gatehouse_filter::contexts::{Contexts, Flow, Transaction as _};
use gatehouse_filter::host;
use gatehouse_filter::root::{Judges, Root};

/// Everything in this VM.
pub(crate) struct Vm {
    pub(crate) contexts: Contexts<Exchange>,
    outcomes: Outcomes,
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
        Self { contexts: Contexts::new(Judges::Requests), outcomes: Outcomes::new() }
    }

    pub(crate) fn tick(&mut self, context: u32) {
        self.contexts.tick(context, self.contexts.worker.delays.is_busy());
        self.let_go(context);
        let outcomes = &mut self.outcomes;
        self.contexts.interims(context, |id, exchange, worker, now_ns| {
            let is_current = host::set_effective_context(id).is_ok();
            if is_current {
                exchange.interim(outcomes, worker, now_ns);
            }
            is_current
        });
    }

    pub(crate) fn request_headers(&mut self, context: u32, is_whole: bool) -> Flow {
        let Contexts { worker, roots, open, .. } = &mut self.contexts;
        let Some(exchange) = open.get_mut(&context) else { return Flow::Continue };
        let Some(root) = roots.get_mut(&exchange.root()) else { return Flow::Continue };
        exchange.request_headers(context, is_whole, root, worker)
    }

    pub(crate) fn response_headers(&mut self, context: u32) -> Flow {
        let Contexts { worker, roots, open, .. } = &mut self.contexts;
        match open.get_mut(&context) {
            Some(exchange) => exchange.response_headers(roots.get_mut(&exchange.root()), worker),
            None => Flow::Continue,
        }
    }

    pub(crate) fn log(&mut self, context: u32) {
        let Contexts { worker, roots, open, .. } = &mut self.contexts;
        let Some(exchange) = open.get_mut(&context) else { return };
        let has_house = roots.get(&exchange.root()).is_none_or(Root::has_house);
        exchange.log(has_house, &mut self.outcomes, worker);
    }

    pub(crate) fn delete(&mut self, context: u32) {
        if let Some(mut exchange) = self.contexts.delete(context) {
            exchange.ended(None, &mut self.contexts.worker);
            self.contexts.worker.delays.forget(context);
        }
    }

    /// Lets requests go on whose time has come.
    fn let_go(&mut self, root: u32) {
        let worker = &mut self.contexts.worker;
        if !worker.delays.is_busy() {
            return;
        }
        let now_ns = host::now_ns();
        while let Some(context) = worker.delays.due(now_ns) {
            // A request that is gone has no context any more: there is nothing to go on.
            if host::set_effective_context(context).is_ok()
                && let Err(refused) = host::continue_request()
            {
                worker.complain(refused);
            }
        }
        let _ = host::set_effective_context(root);
    }
}
