//! The open-loop schedule (nobody waits for an answer before sending the next request), the pairs that measure latency,
//! and the clients' own count.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::actors::{Actor, Shot};
use crate::client::{Answer, Clients};
use crate::latency::Pairs;

/// Requests on their way at once; one beyond is counted as failed.
const AT_ONCE: usize = 512;

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

/// The two listeners of the one Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// With the gate.
    pub gate: SocketAddr,
    /// Without it.
    pub plain: SocketAddr,
}

/// One actor's own count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// Sent through the gate.
    pub sent: u64,
    /// Answered by the shop.
    pub through: u64,
    /// Refused by the gate.
    pub blocked: u64,
    /// Sent elsewhere by the gate.
    pub redirected: u64,
    /// No answer.
    pub failed: u64,
}

/// What the clients counted for themselves. It grows with the run: one reference a mitigated request, two durations a pair.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// By actor.
    pub rows: BTreeMap<Actor, Row>,
    /// Answers through the gate, by status.
    pub by_status: BTreeMap<u16, u64>,
    /// References that came with answers.
    pub references: HashSet<String>,
    /// Answers through the listener without the gate.
    pub plain: u64,
    /// The same requests both ways.
    pub pairs: Pairs,
}

impl Tally {
    /// All actors' counts in one.
    pub fn sum(&self) -> Row {
        self.rows.values().fold(Row::default(), |sum, row| Row {
            sent: sum.sent + row.sent,
            through: sum.through + row.through,
            blocked: sum.blocked + row.blocked,
            redirected: sum.redirected + row.redirected,
            failed: sum.failed + row.failed,
        })
    }

    /// Counts what came back through the gate; `None`: nothing did.
    pub fn count(&mut self, actor: Actor, answer: Option<&Answer>) {
        let row = self.rows.entry(actor).or_default();
        row.sent += 1;
        let Some(answer) = answer else {
            row.failed += 1;
            return;
        };
        *self.by_status.entry(answer.status).or_default() += 1;
        match (&answer.reference, answer.status) {
            (None, _) => row.through += 1,
            (Some(_), 300..400) => row.redirected += 1,
            (Some(_), _) => row.blocked += 1,
        }
        self.references.extend(answer.reference.clone());
    }
}

/// Drives the traffic for `length`, then waits for the last answers. `progress` is told elapsed time and counts.
pub async fn drive(to: Targets, length: Duration, mut progress: impl FnMut(Duration, Row)) -> Tally {
    let (clients, tally) = (Arc::new(Clients::default()), Arc::new(Mutex::new(Tally::default())));
    let cycle = cycle();
    let in_a_second = u32::try_from(cycle.len()).unwrap_or(1).max(1);
    let mut sent: BTreeMap<Actor, u64> = BTreeMap::new();
    let mut under_way = JoinSet::new();
    let (begin, mut shown) = (Instant::now(), Duration::ZERO);
    for (slot, actor) in (0u32..).zip(cycle.iter().copied().cycle()) {
        let due = Duration::from_secs(u64::from(slot)) / in_a_second;
        if due >= length {
            break;
        }
        tokio::time::sleep_until(begin + due).await;
        while under_way.try_join_next().is_some() {}
        let number = sent.entry(actor).or_default();
        let shot = actor.shot(*number);
        if under_way.len() < AT_ONCE {
            under_way.spawn(one(to, shot, *number, clients.clone(), tally.clone()));
        } else {
            lock(&tally).count(actor, None);
        }
        *number += 1;
        if begin.elapsed() >= shown + SHOWN_EVERY {
            shown = begin.elapsed();
            progress(shown, lock(&tally).sum());
        }
    }
    while under_way.join_next().await.is_some() {}
    let tally = std::mem::take(&mut *lock(&tally));
    progress(length, tally.sum());
    tally
}

/// Sends one request through the gate; every other one of a shopper also goes through the listener without it, right
/// after or right before, in turn.
async fn one(to: Targets, shot: Shot, number: u64, clients: Arc<Clients>, tally: Arc<Mutex<Tally>>) {
    let (paired, plain_first) = (shot.actor == Actor::Shopper && number.is_multiple_of(2), number.is_multiple_of(4));
    let mut plain = None;
    if paired && plain_first {
        plain = clients.send(&shot, to.plain).await.ok();
    }
    let gate = clients.send(&shot, to.gate).await.ok();
    if paired && !plain_first {
        plain = clients.send(&shot, to.plain).await.ok();
    }
    let mut tally = lock(&tally);
    tally.count(shot.actor, gate.as_ref());
    tally.plain += u64::from(plain.is_some());
    if let (Some(gate), Some(plain)) = (gate, plain) {
        tally.pairs.with.push(gate.elapsed);
        tally.pairs.without.push(plain.elapsed);
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One second of traffic: every actor as often as its rate says, well mixed, in the same order in every run.
fn cycle() -> Vec<Actor> {
    let mut places: Vec<(f64, Actor)> = Vec::new();
    for (at, actor) in Actor::ALL.into_iter().enumerate() {
        let rate = actor.per_second();
        // Evenly over the second, each actor a little later than the one before it.
        places.extend((0..rate).map(|n| ((f64::from(n) + at as f64 / 10.0) / f64::from(rate), actor)));
    }
    places.sort_by(|one, other| one.0.total_cmp(&other.0));
    places.into_iter().map(|(_, actor)| actor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, reference: Option<&str>) -> Answer {
        Answer { status, reference: reference.map(str::to_owned), elapsed: Duration::from_millis(1) }
    }

    #[test]
    fn the_reference_tells_the_gates_answer_from_the_shops() {
        let mut tally = Tally::default();
        tally.count(Actor::Guesser, Some(&answer(401, None)));
        tally.count(Actor::Scanner, Some(&answer(404, None)));
        tally.count(Actor::Scanner, Some(&answer(403, Some("A"))));
        tally.count(Actor::Scanner, Some(&answer(400, Some("B"))));
        tally.count(Actor::Bookmark, Some(&answer(301, Some("C"))));
        tally.count(Actor::Bookmark, None);
        assert_eq!(tally.sum(), Row { sent: 6, through: 2, blocked: 2, redirected: 1, failed: 1 });
        assert_eq!(tally.rows[&Actor::Scanner], Row { sent: 3, through: 1, blocked: 2, ..Row::default() });
        assert_eq!((tally.references.len(), tally.by_status.values().sum::<u64>()), (3, 5));
    }

    #[test]
    fn a_second_holds_every_actor_as_often_as_its_rate_and_no_actor_in_one_lump() {
        let cycle = cycle();
        for actor in Actor::ALL {
            let places: Vec<usize> = (0..cycle.len()).filter(|at| cycle[*at] == actor).collect();
            assert_eq!(places.len(), actor.per_second() as usize, "{}", actor.name());
            let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
            assert!(widest <= 2 * cycle.len() / places.len(), "{}: {widest}", actor.name());
        }
    }

    #[tokio::test]
    async fn without_a_gate_everyone_is_answered_by_the_shop_and_both_ways_are_measured() {
        let shop = crate::shop::Shop::open().await.unwrap();
        let to = Targets { gate: shop.address, plain: shop.address };
        let mut shown = 0;
        let tally = drive(to, Duration::from_secs(1), |_, _| shown += 1).await;
        let sum = tally.sum();
        let rate: u32 = Actor::ALL.iter().map(|actor| actor.per_second()).sum();
        assert_eq!((sum.sent, sum.through, sum.failed), (rate.into(), rate.into(), 0));
        assert_eq!((tally.plain, tally.pairs.with.len(), tally.pairs.without.len()), (40, 40, 40));
        assert_eq!(shop.reached().requests, sum.sent + tally.plain);
        assert!(tally.references.is_empty() && shown >= 2, "{shown}");
    }
}
