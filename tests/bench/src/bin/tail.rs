//! How long single decisions take: median, p99, p99.9 and the longest of the standard case, call by call. What reading the clock
//! costs (the least of many readings in a row) is taken off each; the machine's own interruptions are not, so the least of several
//! rounds is the figure.

use std::hint::black_box;
use std::time::Instant;

use gatehouse_bench::images::Image;
use gatehouse_bench::worker::{Seen, Worker};

const ROUNDS: usize = 9;
const CALLS: usize = 200_000;

fn main() -> std::io::Result<()> {
    let clock = clock();
    println!("reading the clock: {clock} ns, taken off each call; {ROUNDS} rounds of {CALLS} calls");
    let cases = [
        ("lists and limits", Image::Plain, None),
        ("standard", Image::Standard, None),
        ("standard, goes on", Image::Standard, Some(false)),
        ("standard, mitigated", Image::Standard, Some(true)),
    ];
    for (name, image, mitigated) in cases {
        let asks = image.corpus().asks.into_iter().map(Seen::keep).collect();
        let mut worker = Worker::new(Some(image.policy()?), asks);
        if let Some(mitigated) = mitigated {
            worker.retain(mitigated);
        }
        let mut rounds: Vec<[u64; 4]> = (0..=ROUNDS).map(|_| round(&mut worker, clock)).collect();
        // The first warms up.
        rounds.remove(0);
        let column = |at: usize| rounds.iter().filter_map(move |round| round.get(at).copied());
        for (at, what) in ["median", "p99", "p99.9", "longest"].into_iter().enumerate() {
            let mut all: Vec<u64> = column(at).collect();
            all.sort_unstable();
            let (least, middle) = (all.first().copied().unwrap_or(0), all.get(all.len() / 2).copied().unwrap_or(0));
            println!("decide: {name:<24}{what:<10} least {least:>8} ns, middle {middle:>8} ns");
        }
    }
    Ok(())
}

fn clock() -> u64 {
    let readings = (0..100_000).map(|_| {
        let start = Instant::now();
        nanos(black_box(start).elapsed())
    });
    readings.min().unwrap_or(0)
}

/// Median, p99, p99.9 and longest of one round.
fn round(worker: &mut Worker, clock: u64) -> [u64; 4] {
    let mut all = Vec::with_capacity(CALLS);
    let mut bytes = Vec::new();
    for _ in 0..CALLS {
        let Some(seen) = worker.next_ask() else { break };
        seen.write_to(&mut bytes);
        let pairs = seen.pairs_in(&bytes);
        let start = Instant::now();
        let judged = worker.judge_head(black_box(&pairs), seen.connection);
        let took = nanos(start.elapsed());
        drop(black_box(judged));
        all.push(took.saturating_sub(clock));
    }
    all.sort_unstable();
    let at = |part: usize, of: usize| all.get(all.len() * part / of).copied().unwrap_or(0);
    [at(1, 2), at(99, 100), at(999, 1000), all.last().copied().unwrap_or(0)]
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
