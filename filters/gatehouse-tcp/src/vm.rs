//! The contexts of this VM and which callback goes to which: total, whatever the host calls in whatever order.

use core::cell::RefCell;

use gatehouse_engine::Ended;
use gatehouse_engine::connect::Lines;
use gatehouse_filter::contexts::{Contexts, Flow, Transaction as _};
use gatehouse_filter::host;
use gatehouse_filter::metrics::Count;
use gatehouse_filter::root::{Judges, Root};

use crate::connection::Tcp;
use crate::waiting::{Due, LOOKS, Waiting};

/// Lines of the log about connections a second, of one worker.
const LINES: u32 = 200;
/// Of `proxy_on_downstream_connection_close`: the other end closed it.
const REMOTE: u32 = 2;

/// Everything in this VM.
pub(crate) struct Vm {
    pub(crate) contexts: Contexts<Tcp>,
    waiting: Waiting,
    lines: Lines,
}

thread_local! {
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// Runs a callback. A host that calls back while a callback runs (closing a connection does) gets `T::default()`.
pub(crate) fn with<T: Default>(callback: impl FnOnce(&mut Vm) -> T) -> T {
    VM.try_with(|vm| vm.try_borrow_mut().map(|mut vm| callback(vm.get_or_insert_with(Vm::new))).unwrap_or_default())
        .unwrap_or_default()
}

impl Vm {
    fn new() -> Self {
        Self { contexts: Contexts::new(Judges::Connections), waiting: Waiting::default(), lines: Lines::new(LINES) }
    }

    pub(crate) fn tick(&mut self, context: u32) {
        self.look_again(context);
        self.contexts.tick(context, self.waiting.is_busy());
        self.contexts.interims(context, |_, connection, worker, now_ns| {
            connection.interim(worker, now_ns);
            true
        });
    }

    /// A connection was opened: it is held until it is known who opens it, if this Envoy can hold it; and looked at until then.
    pub(crate) fn opened(&mut self, context: u32) -> Flow {
        let now_ns = host::now_ns();
        let Some(connection) = self.contexts.open.get_mut(&context) else { return Flow::Continue };
        let Some(root) = self.contexts.roots.get_mut(&connection.root()) else { return Flow::Continue };
        if !root.tcp.ports.is_empty() && !root.tcp.judges(host::number("destination\0port")) {
            // Nobody's business here: whatever else Envoy tells of it meets no connection, and goes on.
            self.contexts.open.remove(&context);
            return Flow::Continue;
        }
        connection.opened(&self.contexts.worker, now_ns);
        // Where nothing is held somebody waits all the same: who proves nothing in time has to go there too.
        let flow = if root.tcp.holds { Flow::Stop } else { Flow::Continue };
        root.hurry();
        let deadline_ns = u64::try_from(root.tcp.deadline.as_nanos()).unwrap_or(u64::MAX);
        let crowded = self.waiting.add(context, now_ns, now_ns.saturating_add(deadline_ns));
        if let Some(out) = crowded {
            self.contexts.worker.metrics.count(Count::CrowdedOut);
            self.give_up(out);
            let _ = host::set_effective_context(context);
        }
        flow
    }

    /// Data of the client: its handshake is over, if there is one.
    pub(crate) fn received(&mut self, context: u32, bytes: usize, is_last: bool) -> Flow {
        let flow = self.decide(context);
        if let Some(connection) = self.contexts.open.get_mut(&context).filter(|_| flow == Flow::Continue) {
            connection.received(bytes, is_last);
        }
        flow
    }

    /// Data of the server.
    pub(crate) fn sent(&mut self, context: u32, bytes: usize, is_last: bool) -> Flow {
        let flow = self.decide(context);
        if let Some(connection) = self.contexts.open.get_mut(&context).filter(|_| flow == Flow::Continue) {
            connection.sent(bytes, is_last);
        }
        flow
    }

    /// Decides from what is known now, if nobody has; the effective context is this connection's.
    fn decide(&mut self, context: u32) -> Flow {
        let Some(connection) = self.contexts.open.get_mut(&context) else { return Flow::Continue };
        if connection.is_judged() {
            return if connection.passes() { Flow::Continue } else { Flow::Stop };
        }
        self.waiting.forget(context);
        let Some(root) = self.contexts.roots.get_mut(&connection.root()) else { return Flow::Continue };
        connection.judge(root, &mut self.contexts.worker, &mut self.lines);
        if connection.passes() {
            return Flow::Continue;
        }
        self.close();
        Flow::Stop
    }

    pub(crate) fn client_closed(&mut self, context: u32, by: u32) {
        self.waiting.forget(context);
        if let Some(connection) = self.contexts.open.get_mut(&context) {
            connection.closed(if by == REMOTE { Ended::Client } else { Ended::Server });
        }
    }

    pub(crate) fn server_closed(&mut self, context: u32) {
        if let Some(connection) = self.contexts.open.get_mut(&context) {
            connection.closed(Ended::Server);
        }
    }

    pub(crate) fn log(&mut self, context: u32) {
        let Some(connection) = self.contexts.open.get_mut(&context) else { return };
        let has_house = self.contexts.roots.get(&connection.root()).is_none_or(Root::has_house);
        connection.log(has_house, &mut self.contexts.worker);
    }

    pub(crate) fn delete(&mut self, context: u32) {
        self.waiting.forget(context);
        if let Some(mut connection) = self.contexts.delete(context) {
            connection.settle(&mut self.contexts.worker);
        }
    }

    /// Looks at those who wait and are due: decided, or over.
    fn look_again(&mut self, root: u32) {
        let now_ns = host::now_ns();
        let mut looked = false;
        for _ in 0..LOOKS {
            let Some(due) = self.waiting.due(now_ns) else { break };
            looked = true;
            match due {
                Due::Look(context) => self.look(context),
                Due::Over(context) => self.give_up(context),
            }
        }
        if looked {
            let _ = host::set_effective_context(root);
        }
    }

    fn look(&mut self, context: u32) {
        let Some(connection) = self.contexts.open.get_mut(&context) else {
            self.waiting.forget(context);
            return;
        };
        // A connection that is gone has no context any more.
        if host::set_effective_context(context).is_err() {
            self.waiting.forget(context);
            return;
        }
        let Some(root) = self.contexts.roots.get_mut(&connection.root()) else { return };
        if !Tcp::is_proven() {
            return;
        }
        self.waiting.forget(context);
        connection.judge(root, &mut self.contexts.worker, &mut self.lines);
        let holds = root.tcp.holds;
        if !connection.passes() {
            self.close();
        } else if holds && let Err(refused) = host::continue_connection() {
            self.contexts.worker.complain(refused);
        }
    }

    fn give_up(&mut self, context: u32) {
        let Some(connection) = self.contexts.open.get_mut(&context) else { return };
        if host::set_effective_context(context).is_err() {
            return;
        }
        let root = self.contexts.roots.get_mut(&connection.root());
        connection.give_up(root, &mut self.contexts.worker, &mut self.lines);
        self.close();
    }

    fn close(&mut self) {
        if let Err(refused) = host::close_connection() {
            self.contexts.worker.complain(refused);
        }
    }
}
