//! Load at a fixed rate: requests are due whether or not earlier ones were answered, and each latency counts from when its request
//! was due, so that a stall shows in full (no coordinated omission).
//!
//! The clock is a timer of the kernel: that of the runtime has a grain of a millisecond, several times what is measured.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use super::wire::Client;
use super::{Driven, joined};
use crate::mix::Mix;

/// So many that a stall of a tenth of a second leaves some free at the rates there are.
const CONNECTIONS: usize = 64;

/// Sends these requests, so many a second (more than one, at most 100,000).
pub(crate) async fn run(address: SocketAddr, mix: &Mix, rate: f64, length: Duration) -> Driven {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let count = (length.as_secs_f64() * rate) as usize;
    let due = Arc::new(Semaphore::new(0));
    let clock = started(interval).expect("a timer of the kernel");
    let begin = Instant::now() + interval;
    let turns = Turns { due: Arc::clone(&due), next: Arc::default(), count, begin, interval };
    let clock = spawn_blocking(move || tell_time(&clock, &due, count));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(connection(turns.clone(), Client::new(address), mix.clone()));
    }
    let mut driven = joined(connections).await;
    clock.await.expect("the clock's thread").expect("a timer of the kernel");
    driven.took = begin.elapsed();
    driven
}

async fn connection(turns: Turns, mut client: Client, mix: Mix) -> Driven {
    let mut driven = Driven::default();
    while let Some((turn, due)) = turns.next().await {
        let number = turn % mix.requests.len();
        let status = client.ask(&mix.requests[number]).await;
        driven.latencies.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
        driven.note(&mix, number, status);
    }
    driven
}

/// Who is next, and when it was due.
#[derive(Clone)]
struct Turns {
    due: Arc<Semaphore>,
    next: Arc<AtomicUsize>,
    count: usize,
    begin: Instant,
    interval: Duration,
}

impl Turns {
    async fn next(&self) -> Option<(usize, Instant)> {
        self.due.acquire().await.ok()?.forget();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let since = self.interval.checked_mul(u32::try_from(turn).ok()?)?;
        (turn < self.count).then_some((turn, self.begin + since))
    }
}

/// A timer of the kernel that goes off again and again.
fn started(interval: Duration) -> io::Result<OwnedFd> {
    let clock = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(interval.subsec_nanos()) };
    timerfd_settime(&clock, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: time, it_value: time })?;
    Ok(clock)
}

/// Adds a permit each time that one is due, until all are given.
fn tell_time(clock: &OwnedFd, due: &Semaphore, count: usize) -> io::Result<()> {
    let mut told = 0;
    while told < count {
        let mut passed = [0; 8];
        rustix::io::read(clock, &mut passed)?;
        let passed = usize::try_from(u64::from_ne_bytes(passed)).unwrap_or(usize::MAX).min(count - told);
        due.add_permits(passed);
        told += passed;
    }
    // Each connection takes one more turn and learns from it that there is none.
    due.add_permits(CONNECTIONS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;
    use crate::upstream;

    const RATE: f64 = 200.0;
    const STALL: Duration = Duration::from_millis(500);

    #[tokio::test]
    async fn a_stall_shows_in_every_request_that_was_due_in_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            sleep(STALL).await;
            upstream::serve_all(listener).await;
        });
        let requests = Arc::new(vec![b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()]);
        let mix = Mix { requests, refused: Arc::new(vec![false]) };
        let driven = run(address, &mix, RATE, Duration::from_secs(1)).await;
        assert_eq!((driven.sent, driven.wrongs, driven.latencies.len()), (200, 0, 200));
        // The first waited for all of the stall, and those that were due in its first half for half of it.
        let over =
            |limit: Duration| driven.latencies.iter().filter(|took| u128::from(**took) >= limit.as_nanos()).count();
        assert!(over(STALL * 9 / 10) >= 1 && over(STALL / 2) >= 45, "{:?}", driven.latencies);
    }
}
