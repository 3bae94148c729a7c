//! Clients that a limit counts, each with every request one that was not seen for the longest time: the worst for a table of a fixed
//! size. Time passes by a millisecond a request and the limit looks back a day, so that no count is spent before it is given up.

use std::hint::black_box;
use std::io;
use std::net::Ipv4Addr;
use std::time::Instant;

use gatehouse_engine::{Connection, Pair, Policy};

use super::measure::{Calls, ROUNDS, Subject, figures, resident_mib, unknown};
use super::{Column, Figures, Growth, Line, Topic};
use crate::Call;
use crate::images::compiled;
use crate::parts::{CELLS, Meter};
use crate::worker::Worker;

const SIZES: [u64; 5] = [1000, 10_000, 100_000, 1_000_000, 10_000_000];
const DAY_NS: u64 = 86_400_000_000_000;
/// Calls that fill every cell, however many clients there are.
const FILLING: u64 = if cfg!(test) { 2 } else { 4 } * CELLS as u64;
/// Calls that are counted, and those that are timed behind the first pass.
const CALLS: u32 = if cfg!(test) { 1000 } else { 20_000 };

/// The meter alone.
const METER: &str = "check and count";
/// A whole decision by a policy with one limit, and the worker's own account of it.
const DECISION: &str = "decision with a limit";

pub(super) const SUBJECT: Subject =
    Subject { plan, make: |_, _| Ok(Ok(Figures::new())), time, counts: &["count"], prepare, calls };

const COLUMNS: &[Column] = &[
    Column { key: "count", head: "instructions a call", digits: 0, drawn: true },
    Column { key: "ns", head: "ns a call", digits: 0, drawn: false },
    Column { key: "cells", head: "bytes of all cells", digits: 0, drawn: true },
    Column { key: "resident_mib", head: "MiB resident", digits: 1, drawn: false },
    Column { key: "evicted", head: "counts given up", digits: 0, drawn: false },
];

fn plan() -> Topic {
    let lines = [METER, DECISION].map(|name| {
        let line = Line::new(name, &SIZES).counted("count", Growth::Constant).counted("cells", Growth::Constant);
        line.counted("resident_mib", Growth::Constant)
    });
    let title = "Clients of one limit, in a table of 65,536 cells";
    Topic { name: "clients", title, of: "clients", columns: COLUMNS, lines: lines.into() }
}

/// What counts clients.
trait Counting {
    fn count(&mut self, client: u32);
    /// Bytes of its cells, and the counts that were lost to other clients.
    fn account(&self) -> (f64, f64);
}

fn counting(line: &str) -> io::Result<Box<dyn Counting>> {
    match line {
        METER => Ok(Box::new(Meter::new(DAY_NS, 100_000)?)),
        DECISION => Ok(Box::new(Decision::new()?)),
        _ => Err(unknown(line)),
    }
}

impl Counting for Meter {
    fn count(&mut self, client: u32) {
        Meter::count(self, address(client));
    }

    fn account(&self) -> (f64, f64) {
        (self.bytes() as f64, self.evicted() as f64)
    }
}

struct Decision {
    worker: Worker,
    connection: Connection,
    headers: Vec<Pair<'static>>,
}

impl Decision {
    fn new() -> io::Result<Self> {
        let text = r#"{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{"name":"clients"},"spec":{"hosts":["a.example"],
            "client":{"address":{"from":"peer"}},"mode":"enforce","rules":[{"name":"each","match":{"all":true},
            "limit":{"by":["client"],"rate":"100000 per 1d"},"then":"limit"}]}}"#;
        let corpus = gatehouse_corpora::Corpus {
            name: "clients".into(),
            documents: vec![text.into()],
            rules: 1,
            asks: Vec::new(),
        };
        let policy = Policy::load(compiled(&corpus)?, 1).map_err(io::Error::other)?;
        let headers: [(&str, &str); 6] = [
            (":method", "GET"),
            (":authority", "a.example"),
            (":scheme", "https"),
            (":path", "/catalog"),
            ("user-agent", "ShopApp/7.4.1"),
            ("accept", "*/*"),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        Ok(Self { worker: Worker::new(Some(policy), Vec::new()), connection: Connection::default(), headers })
    }
}

impl Counting for Decision {
    fn count(&mut self, client: u32) {
        self.connection.peer = Some(address(client).into());
        black_box(self.worker.judge_head(&self.headers, &self.connection));
    }

    fn account(&self) -> (f64, f64) {
        let counts = self.worker.counts();
        (counts.limit_bytes as f64, counts.limit_evictions as f64)
    }
}

/// From 11.0.0.0 on.
fn address(client: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0b00_0000 + client)
}

/// One client after the other, for ever.
fn round_about(clients: u64) -> impl FnMut() -> u32 {
    let mut next = 0;
    move || {
        let client = next;
        next = if next + 1 < clients { next + 1 } else { 0 };
        client as u32
    }
}

fn time(line: &str, size: u64) -> io::Result<Figures> {
    let mut counting = counting(line)?;
    let mut next = round_about(size);
    let before = resident_mib();
    (0..size.max(FILLING.min(4 * size))).for_each(|_| counting.count(next()));
    let resident = resident_mib() - before;
    let (cells, evicted) = counting.account();
    let rounds = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| counting.count(next()));
        begin.elapsed().as_nanos() as f64 / f64::from(CALLS)
    });
    let ns = rounds.fold(f64::INFINITY, f64::min);
    Ok(figures([("ns", ns), ("cells", cells), ("resident_mib", resident), ("evicted", evicted)]))
}

/// Of a table that is full: how often it was filled before does not matter to it, so that a few times do.
fn calls(_: &str, size: u64, _: &str) -> Calls {
    Calls { warm: size.min(FILLING) as u32, counted: CALLS }
}

fn prepare(line: &str, size: u64, _: &str) -> io::Result<Call> {
    let mut counting = counting(line)?;
    let mut next = round_about(size);
    Ok(Box::new(move || counting.count(next())))
}
