//! One who behaves while others attack. What a machine that is busy takes from everybody is noise, so two gates alike are visited in turn:
//! the one that is attacked, and one that is not.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatehouse_support::tls::Caller;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::callers::PATIENCE;

/// Visits at each gate that are compared.
const VISITS: usize = 30;
/// How much longer one may take at the gate that is attacked: this many times what it takes without, and this much more, in the median and
/// for the slowest tenth. Both gates are visited on the same machine in the same moments, so that this says nothing of how fast it is: a worker
/// that serves a storm is busy for moments, and one that a client can hold up is so for as long as the client likes.
const MEDIAN: (u32, Duration) = (4, Duration::from_millis(100));
const SLOWEST: (u32, Duration) = (4, Duration::from_millis(500));

/// Connects, shakes hands and is answered: how long that takes; `None`: it is not served.
pub async fn visit(caller: &Caller, address: SocketAddr) -> Option<Duration> {
    let begun = Instant::now();
    let talk = async { greeted(caller, TcpStream::connect(address).await?).await };
    tokio::time::timeout(PATIENCE, talk).await.ok()?.ok()?;
    Some(begun.elapsed())
}

/// Shakes hands over a connection that is open, and is answered.
///
/// # Errors
/// It is not.
pub async fn greeted(caller: &Caller, stream: TcpStream) -> io::Result<()> {
    let mut stream = caller.open(stream).await?;
    stream.write_all(b"hi").await?;
    let mut back = [0; 2];
    stream.read_exact(&mut back).await?;
    if back == *b"HI" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// What visits took: the median, and what the slowest tenth took at least.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Half of them took no longer.
    pub median: Duration,
    /// Nine of ten took no longer.
    pub slowest: Duration,
}

impl Times {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        let at = |tenth| all.get(all.len() * tenth / 10).copied().unwrap_or_default();
        Self { median: at(5), slowest: at(9) }
    }

    fn longest(self, other: Self) -> Self {
        Self { median: self.median.max(other.median), slowest: self.slowest.max(other.slowest) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:.1?} (p90 {:.1?})", self.median, self.slowest)
    }
}

/// One who visits both gates.
pub struct Beside {
    caller: Caller,
    attacked: SocketAddr,
    quiet: SocketAddr,
    before: Times,
    visits: AtomicU64,
}

impl Beside {
    /// Visits both before anybody attacks.
    ///
    /// # Panics
    /// When it is not served.
    pub async fn new(caller: Caller, attacked: SocketAddr, quiet: SocketAddr) -> Self {
        let before = Times { median: Duration::ZERO, slowest: Duration::ZERO };
        let mut own = Self { caller, attacked, quiet, before, visits: AtomicU64::new(0) };
        own.before = own.visit_while(|pairs| pairs < VISITS, Duration::ZERO).await.0;
        own
    }

    /// Visits that the gate under attack has served.
    pub fn visits(&self) -> u64 {
        self.visits.load(Ordering::Relaxed)
    }

    /// It is served while others attack, and waits no longer than noise makes it wait.
    ///
    /// # Panics
    /// When it is not served, or waits too long twice.
    pub async fn is_served(&self) {
        for last in [false, true] {
            match self.compared(self.visit_while(|pairs| pairs < VISITS, Duration::ZERO).await) {
                Ok(()) => return,
                Err(slower) if last => panic!("{slower}"),
                Err(slower) => eprintln!("ONCE MORE, the machine may be busy: {slower}"),
            }
        }
    }

    /// Visits both in turn, with a pause after each pair, while `more` says so after that many pairs: what it took at the gate that is
    /// attacked, and at the other.
    ///
    /// # Panics
    /// When it is not served.
    pub async fn visit_while(&self, more: impl Fn(usize) -> bool, pause: Duration) -> (Times, Times) {
        let (mut there, mut here) = (Vec::new(), Vec::new());
        while more(there.len()) {
            there.push(visit(&self.caller, self.attacked).await.expect("it is served where others attack"));
            self.visits.fetch_add(1, Ordering::Relaxed);
            here.push(visit(&self.caller, self.quiet).await.expect("it is served where nobody attacks"));
            tokio::time::sleep(pause).await;
        }
        (Times::of(there), Times::of(here))
    }

    /// Compares what visits took under attack with what they took at the quiet gate at the same time, and with what they took before.
    ///
    /// # Errors
    /// What was slower than noise makes it.
    pub fn compared(&self, (there, here): (Times, Times)) -> Result<(), String> {
        let told = format!("a visit takes {there} under attack, {here} beside it, {} before", self.before);
        println!("{told}");
        let usual = here.longest(self.before);
        let slower =
            there.median > usual.median * MEDIAN.0 + MEDIAN.1 || there.slowest > usual.slowest * SLOWEST.0 + SLOWEST.1;
        if slower { Err(told) } else { Ok(()) }
    }
}
