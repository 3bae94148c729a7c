//! One TCP connection: judged when it is known who opens it, told when it has ended (and every minute while it lasts).

use std::rc::Rc;

use gatehouse_engine::connect::{Lines, Opening, admit, destination, log_line, overdue};
use gatehouse_engine::{Carried, Connection, Ended, Field, Head, Judged, NoSlots, Now, Policy, Transaction, answered};
use gatehouse_filter::contexts::INTERIM_NS;
use gatehouse_filter::host::{self, Level};
use gatehouse_filter::metrics::Count;
use gatehouse_filter::root::Root;
use gatehouse_filter::states::Slot;
use gatehouse_filter::worker::Worker;
use gatehouse_verdict::record::Part;

/// One connection.
#[derive(Debug)]
pub(crate) struct Tcp {
    root: u32,
    connection: Connection,
    /// Whom the client wants to reach, canonical.
    host: Vec<u8>,
    judged: Option<Judged>,
    /// The policy that judged it, and whose counts.
    policy: Option<Rc<Policy>>,
    slot: Slot,
    transaction: u64,
    began_ns: u64,
    reported_ns: u64,
    received: u64,
    sent: u64,
    ended: Ended,
}

impl gatehouse_filter::contexts::Transaction for Tcp {
    fn new(root: u32) -> Self {
        Self {
            root,
            connection: Connection::default(),
            host: Vec::new(),
            judged: None,
            policy: None,
            slot: None,
            transaction: 0,
            began_ns: 0,
            reported_ns: 0,
            received: 0,
            sent: 0,
            ended: Ended::Unknown,
        }
    }

    fn root(&self) -> u32 {
        self.root
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.judged.is_some() && now_ns.saturating_sub(self.reported_ns) >= INTERIM_NS
    }
}

impl Tcp {
    pub(crate) fn opened(&mut self, worker: &Worker, now_ns: u64) {
        worker.metrics.count(Count::Connections);
        (self.began_ns, self.reported_ns) = (now_ns, now_ns);
    }

    pub(crate) fn is_judged(&self) -> bool {
        self.judged.is_some()
    }

    /// It goes on.
    pub(crate) fn passes(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| !judged.verdict.mitigates())
    }

    /// Its client has shown a certificate that Envoy verified; the effective context is this connection's. Only this is asked while the
    /// handshake may still run: Envoy keeps what it first told of TLS, and would go on telling a version that was not agreed on yet.
    pub(crate) fn is_proven() -> bool {
        host::property("connection\0mtls").ok().flatten().is_some_and(|mutual| mutual == [1])
    }

    /// Learns what is known of it, now that its handshake is over.
    fn learn(&mut self, root: &mut Root) {
        self.connection = root.facts.fresh().connection;
    }

    /// The verdict, from what is known.
    pub(crate) fn judge(&mut self, root: &mut Root, worker: &mut Worker, lines: &mut Lines) {
        self.learn(root);
        let policy = root.policy(worker).cloned();
        if policy.is_none()
            && let Some(link) = worker.link.as_mut().filter(|_| root.has_house())
        {
            link.sender().count_without_policy();
        }
        self.name(root);
        self.slot.clone_from(&root.slot);
        let now = Now { mono_ns: host::now_ns(), wall_s: wall_s(policy.as_deref()) };
        let opening = Opening { connection: &self.connection, host: &self.host, now };
        let judged = admit(policy.as_deref(), &root.settings, &opening, worker.states.of(&self.slot));
        self.policy = policy;
        self.conclude(judged, worker, lines);
    }

    /// It has waited long enough.
    pub(crate) fn give_up(&mut self, root: Option<&mut Root>, worker: &mut Worker, lines: &mut Lines) {
        if let Some(root) = root {
            self.learn(root);
            self.name(root);
        }
        self.conclude(overdue(&self.connection), worker, lines);
    }

    fn name(&mut self, root: &Root) {
        self.host = match &root.tcp.destination {
            Some(destination) => destination.as_bytes().to_vec(),
            None => destination(&self.connection),
        };
    }

    fn conclude(&mut self, judged: Judged, worker: &mut Worker, lines: &mut Lines) {
        let verdict = &judged.verdict;
        worker.metrics.decided(verdict.action(), verdict.reason, !verdict.would_have.is_empty());
        let level = if verdict.mitigates() { Level::Warn } else { Level::Info };
        if verdict.mitigates() {
            self.ended = Ended::Gate;
        }
        let line = || log_line(&judged, &self.connection, &self.host);
        match lines.admit(host::now_ns()) {
            Some(0) => host::log(level, &line()),
            Some(left_out) => host::log(level, &format!("{} ({left_out} lines like this were left out)", line())),
            None => worker.metrics.count(Count::LinesLeftOut),
        }
        self.judged = Some(judged);
    }

    /// Data of the client, the last of it or not.
    pub(crate) fn received(&mut self, bytes: usize, is_last: bool) {
        self.received = self.received.saturating_add(bytes as u64);
        if is_last {
            self.closed(Ended::Client);
        }
    }

    /// Data of the server, likewise.
    pub(crate) fn sent(&mut self, bytes: usize, is_last: bool) {
        self.sent = self.sent.saturating_add(bytes as u64);
        if is_last {
            self.closed(Ended::Server);
        }
    }

    /// Whoever ends it first ended it.
    pub(crate) fn closed(&mut self, by: Ended) {
        if self.ended == Ended::Unknown {
            self.ended = by;
        }
    }

    /// It is over: its record, where there is a house.
    pub(crate) fn log(&mut self, has_house: bool, worker: &mut Worker) {
        if has_house {
            if self.judged.is_none() {
                // The client went before anything was decided: no handshake came to its end.
                self.judged = Some(overdue(&self.connection));
            }
            self.report(Part::Final, worker);
        }
        self.settle(worker);
    }

    /// A client that was let in has been here: who is known good by that may tell whether a change is.
    pub(crate) fn settle(&mut self, worker: &mut Worker) {
        if let Some(judged) = self.judged.as_mut().filter(|judged| judged.is_open()) {
            let states = worker.states.of(&self.slot);
            answered(self.policy.as_deref(), judged, Some(200), states, &NoSlots, host::now_ns());
        }
    }

    /// Tells how far it has come.
    pub(crate) fn interim(&mut self, worker: &mut Worker, now_ns: u64) {
        self.reported_ns = now_ns;
        self.report(Part::Interim, worker);
    }

    fn report(&mut self, part: Part, worker: &mut Worker) {
        let Some(judged) = &self.judged else { return };
        if self.transaction == 0 {
            self.transaction = worker.next_transaction();
        }
        let duration_ns = if self.began_ns == 0 { 0 } else { host::now_ns().saturating_sub(self.began_ns) };
        let carried = Carried {
            part,
            start_unix_ns: host::wall_ns().unwrap_or(0).saturating_sub(duration_ns),
            duration_ns,
            host: &self.host,
            received_bytes: self.received,
            sent_bytes: self.sent,
            ended: if part == Part::Final { self.ended } else { Ended::Unknown },
        };
        let head = Head::new(&[], &self.connection);
        let of = Transaction { number: self.transaction, head, judged, policy: self.policy.as_deref() };
        worker.report_connection(self.root, &of, &carried);
    }
}

/// Seconds since the Unix epoch, for a policy that asks for the time.
fn wall_s(policy: Option<&Policy>) -> Option<u64> {
    policy.filter(|policy| policy.reads().request.has(Field::Time))?;
    host::wall_ns().ok().map(|ns| ns / 1_000_000_000)
}
