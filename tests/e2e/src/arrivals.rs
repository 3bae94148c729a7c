//! Requests at random moments and what became of each, and whether a limit was kept: by what the client saw, so that a request
//! was judged at some moment between its sending and its answer, and nothing is asserted that some such moments would allow.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatehouse_support::Http1;
use tokio::sync::Semaphore;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When it was sent, since the start.
    pub sent: Duration,
    /// When its answer was there.
    pub answered: Duration,
    /// Status of the answer; 0: none.
    pub status: u16,
}

/// Sends `bytes` at `moments` (since the start, ascending) over at most `connections` connections.
///
/// # Panics
/// When a task of it panics.
pub async fn send(address: SocketAddr, bytes: &[u8], moments: &[Duration], connections: usize) -> Vec<Arrival> {
    let begin = Instant::now();
    let idle = Arc::new(Mutex::new(Vec::<Http1>::new()));
    let permits = Arc::new(Semaphore::new(connections));
    let mut tasks = Vec::new();
    for moment in moments {
        tokio::time::sleep_until((begin + *moment).into()).await;
        let permit = Arc::clone(&permits).acquire_owned().await.expect("never closed");
        let (idle, bytes) = (Arc::clone(&idle), bytes.to_vec());
        tasks.push(tokio::spawn(async move {
            let sent = begin.elapsed();
            let known = idle.lock().expect("connections").pop();
            let once = async {
                let mut client = match known {
                    Some(client) => client,
                    None => Http1::connect(address).await?,
                };
                let reply = client.ask(&bytes).await?;
                std::io::Result::Ok((client, reply.status))
            };
            let status = match once.await {
                Ok((client, status)) => {
                    idle.lock().expect("connections").push(client);
                    status
                }
                Err(_) => 0,
            };
            drop(permit);
            Arrival { sent, answered: begin.elapsed(), status }
        }));
    }
    let mut arrivals = Vec::with_capacity(tasks.len());
    for task in tasks {
        arrivals.push(task.await.expect("a task"));
    }
    arrivals
}

/// Moments over `span` with `per_second` on average, in crowds and lulls; the same for the same seed.
pub fn at_random(span: Duration, per_second: f64, seed: u64) -> Vec<Duration> {
    let mut dice = Dice(seed);
    let (mut at, mut moments) = (0.0, Vec::new());
    let mut pace = 1.0;
    while at < span.as_secs_f64() {
        // Now and then a crowd or a lull begins.
        if dice.next() < 0.01 {
            pace = [0.1, 0.5, 1.0, 3.0, 10.0][(dice.next() * 5.0) as usize % 5];
        }
        at += -(1.0 - dice.next()).ln() / (per_second * pace);
        moments.push(Duration::from_secs_f64(at));
    }
    moments
}

/// Numbers from 0 to below 1: SplitMix64 (Steele, Lea, Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    /// The next one.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The most requests that were let through within one window for sure.
pub fn most_in_a_window(arrivals: &[Arrival], window: Duration) -> usize {
    let admitted: Vec<&Arrival> = arrivals.iter().filter(|arrival| arrival.status == 200).collect();
    // Whichever of them was sent first, the others were judged within the window for sure if their answers were there by then.
    let within = |first: &&&Arrival| {
        admitted.iter().filter(|other| other.sent >= first.sent && other.answered < first.sent + window).count()
    };
    admitted.iter().map(|first| within(&first)).max().unwrap_or(0)
}

/// Requests that were refused although fewer than `limit` may have been let through in the time `memory` before, or are still
/// on their way.
pub fn refused_too_early(arrivals: &[Arrival], limit: usize, memory: Duration) -> Vec<Arrival> {
    let refused = arrivals.iter().filter(|arrival| arrival.status == 429);
    let possible = |refused: &Arrival| {
        let counts = |other: &&Arrival| {
            other.status != 429 && other.answered + memory > refused.sent && other.sent < refused.answered
        };
        arrivals.iter().filter(counts).count()
    };
    refused.filter(|refused| possible(refused) < limit).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(sent: u64, status: u16) -> Arrival {
        Arrival { sent: Duration::from_millis(sent), answered: Duration::from_millis(sent + 1), status }
    }

    #[test]
    fn a_limit_that_is_broken_is_found_and_one_that_is_kept_is_not() {
        let window = Duration::from_millis(100);
        let broken = [arrival(0, 200), arrival(50, 200), arrival(98, 200)];
        assert_eq!(most_in_a_window(&broken, window), 3);
        let kept = [arrival(0, 200), arrival(50, 200), arrival(100, 200)];
        assert_eq!(most_in_a_window(&kept, window), 2);
        assert_eq!(refused_too_early(&[arrival(0, 200), arrival(50, 429)], 2, window).len(), 1);
        assert!(refused_too_early(&[arrival(0, 200), arrival(1, 200), arrival(50, 429)], 2, window).is_empty());
        assert_eq!(refused_too_early(&[arrival(0, 200), arrival(1, 200), arrival(150, 429)], 2, window).len(), 1);
    }
}
