//! Load: in a closed loop (each connection sends its next request when the last was answered) and in an open one ([`open`]).
//! Every answer is compared with what must come of its request.

pub(crate) mod open;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::mix::Mix;
use wire::Client;

const CONNECTIONS: usize = 16;

/// When a closed loop ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Time(Duration),
    Count(usize),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// Requests that were sent.
    pub(crate) sent: usize,
    /// The first requests that were answered otherwise than they must be: number in the mix, status (0: none).
    pub(crate) wrong: Vec<(usize, u16)>,
    /// How many those are.
    pub(crate) wrongs: usize,
    /// Of an open loop: from when each was due to its whole answer, nanoseconds, unsorted.
    pub(crate) latencies: Vec<u64>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Driven {
    fn note(&mut self, mix: &Mix, number: usize, status: u16) {
        const SHOWN: usize = 5;
        self.sent += 1;
        let expected = if mix.refused[number] { 403 } else { 200 };
        if status != expected {
            self.wrongs += 1;
            if self.wrong.len() < SHOWN {
                self.wrong.push((number, status));
            }
        }
    }

    fn add(&mut self, part: Self) {
        self.sent += part.sent;
        self.wrong.extend(part.wrong);
        self.wrongs += part.wrongs;
        self.latencies.extend(part.latencies);
    }
}

/// Sends these requests, over and over.
pub(crate) async fn closed(address: SocketAddr, mix: &Mix, until: Until) -> Driven {
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(connection(address, mix.clone(), Arc::clone(&next), begin, until));
    }
    let mut driven = joined(connections).await;
    driven.took = begin.elapsed();
    driven
}

async fn joined(mut connections: JoinSet<Driven>) -> Driven {
    let mut driven = Driven::default();
    while let Some(part) = connections.join_next().await {
        driven.add(part.expect("a connection's task"));
    }
    driven
}

async fn connection(address: SocketAddr, mix: Mix, next: Arc<AtomicUsize>, begin: Instant, until: Until) -> Driven {
    let (mut driven, mut client) = (Driven::default(), Client::new(address));
    loop {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        let over = match until {
            Until::Time(length) => begin.elapsed() >= length,
            Until::Count(count) => turn >= count,
        };
        if over {
            return driven;
        }
        let number = turn % mix.requests.len();
        let status = client.ask(&mix.requests[number]).await;
        driven.note(&mix, number, status);
    }
}
