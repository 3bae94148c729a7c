//! The contexts of this VM and which callback goes to which: total, whatever the host calls in whatever order.

use core::cell::RefCell;
use std::collections::BTreeMap;

use gatehouse_engine::Ended;
use gatehouse_engine::connect::Lines;
use gatehouse_filter::host;
use gatehouse_filter::metrics::Count;
use gatehouse_filter::root::{Judges, Root};
use gatehouse_filter::worker::Worker;

use crate::connection::{Flow, Tcp};
use crate::waiting::{Due, LOOKS, Waiting};

/// Connections looked at, and interim reports made, in one tick.
const LOOKED_AT: usize = 1024;
const INTERIMS: usize = 64;
/// Lines of the log about connections a second, of one worker.
const LINES: u32 = 200;
/// Of `proxy_on_downstream_connection_close`: the other end closed it.
const REMOTE: u32 = 2;

/// Everything in this VM. There are as many connections as Envoy keeps open on this worker.
pub(crate) struct Vm {
    worker: Worker,
    roots: BTreeMap<u32, Root>,
    connections: BTreeMap<u32, Box<Tcp>>,
    waiting: Waiting,
    lines: Lines,
    looked_to: u32,
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
        Self {
            worker: Worker::new(),
            roots: BTreeMap::new(),
            connections: BTreeMap::new(),
            waiting: Waiting::default(),
            lines: Lines::new(LINES),
            looked_to: 0,
        }
    }

    pub(crate) fn create(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root::new(context, Judges::Connections));
        } else {
            self.connections.insert(context, Box::new(Tcp::new(root)));
        }
    }

    pub(crate) fn configure(&mut self, context: u32, length: usize) -> bool {
        let root = self.roots.entry(context).or_insert_with(|| Root::new(context, Judges::Connections));
        root.configure(&mut self.worker, length)
    }

    pub(crate) fn tick(&mut self, context: u32) {
        if let Some(root) = self.roots.get_mut(&context) {
            root.tick(&mut self.worker);
        }
        self.look_again(context);
        self.interims(context);
        if self.waiting.is_busy()
            && let Some(root) = self.roots.get_mut(&context)
        {
            root.hurry();
        }
    }

    /// A connection was opened: it is held until it is known who opens it, if this Envoy can hold it.
    pub(crate) fn opened(&mut self, context: u32) -> Flow {
        let now_ns = host::now_ns();
        let Some(connection) = self.connections.get_mut(&context) else { return Flow::Continue };
        connection.opened(&self.worker, now_ns);
        let Some(root) = self.roots.get_mut(&connection.root()) else { return Flow::Continue };
        if !root.tcp.holds {
            return Flow::Continue;
        }
        root.hurry();
        let deadline_ns = u64::try_from(root.tcp.deadline.as_nanos()).unwrap_or(u64::MAX);
        let crowded = self.waiting.add(context, now_ns, now_ns.saturating_add(deadline_ns));
        if let Some(out) = crowded {
            self.worker.metrics.count(Count::CrowdedOut);
            self.give_up(out);
            let _ = host::set_effective_context(context);
        }
        Flow::Stop
    }

    /// Data of the client: its handshake is over, if there is one.
    pub(crate) fn received(&mut self, context: u32, bytes: usize, is_last: bool) -> Flow {
        let flow = self.decide(context);
        if let Some(connection) = self.connections.get_mut(&context).filter(|_| flow == Flow::Continue) {
            connection.received(bytes, is_last);
        }
        flow
    }

    /// Data of the server.
    pub(crate) fn sent(&mut self, context: u32, bytes: usize, is_last: bool) -> Flow {
        let flow = self.decide(context);
        if let Some(connection) = self.connections.get_mut(&context).filter(|_| flow == Flow::Continue) {
            connection.sent(bytes, is_last);
        }
        flow
    }

    /// Decides from what is known now, if nobody has; the effective context is this connection's.
    fn decide(&mut self, context: u32) -> Flow {
        let Some(connection) = self.connections.get_mut(&context) else { return Flow::Continue };
        if connection.is_judged() {
            return if connection.passes() { Flow::Continue } else { Flow::Stop };
        }
        self.waiting.forget(context);
        let Some(root) = self.roots.get_mut(&connection.root()) else { return Flow::Continue };
        connection.judge(root, &mut self.worker, &mut self.lines);
        if connection.passes() {
            return Flow::Continue;
        }
        self.close();
        Flow::Stop
    }

    pub(crate) fn client_closed(&mut self, context: u32, by: u32) {
        self.waiting.forget(context);
        if let Some(connection) = self.connections.get_mut(&context) {
            connection.closed(if by == REMOTE { Ended::Client } else { Ended::Server });
        }
    }

    pub(crate) fn server_closed(&mut self, context: u32) {
        if let Some(connection) = self.connections.get_mut(&context) {
            connection.closed(Ended::Server);
        }
    }

    pub(crate) fn log(&mut self, context: u32) {
        let Some(connection) = self.connections.get_mut(&context) else { return };
        let has_house = self.roots.get(&connection.root()).is_none_or(Root::has_house);
        connection.log(has_house, &mut self.worker);
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
        self.waiting.forget(context);
        if let Some(mut connection) = self.connections.remove(&context) {
            connection.settle(&mut self.worker);
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
        let Some(connection) = self.connections.get_mut(&context) else {
            self.waiting.forget(context);
            return;
        };
        // A connection that is gone has no context any more.
        if host::set_effective_context(context).is_err() {
            self.waiting.forget(context);
            return;
        }
        let Some(root) = self.roots.get_mut(&connection.root()) else { return };
        if !Tcp::is_proven() {
            return;
        }
        self.waiting.forget(context);
        connection.judge(root, &mut self.worker, &mut self.lines);
        if !connection.passes() {
            self.close();
        } else if let Err(refused) = host::continue_connection() {
            self.worker.complain(refused);
        }
    }

    fn give_up(&mut self, context: u32) {
        let Some(connection) = self.connections.get_mut(&context) else { return };
        if host::set_effective_context(context).is_err() {
            return;
        }
        let root = self.roots.get_mut(&connection.root());
        connection.give_up(root, &mut self.worker, &mut self.lines);
        self.close();
    }

    fn close(&mut self) {
        if let Err(refused) = host::close_connection() {
            self.worker.complain(refused);
        }
    }

    /// Reports connections that last: a few at a time, going round all of them.
    fn interims(&mut self, root: u32) {
        let now_ns = host::now_ns();
        let from = self.looked_to;
        let (mut looked, mut reported) = (0, 0);
        self.looked_to = 0;
        for (id, connection) in self.connections.range_mut(from..) {
            if looked >= LOOKED_AT || reported >= INTERIMS {
                self.looked_to = *id;
                break;
            }
            looked = looked.saturating_add(1);
            let house = self.roots.get(&connection.root()).is_some_and(Root::has_house);
            if house && connection.is_due(now_ns) {
                connection.interim(&mut self.worker, now_ns);
                reported = reported.saturating_add(1);
            }
        }
        if reported > 0 {
            let _ = host::set_effective_context(root);
        }
    }
}
