//! 100,000 connects a minute, in an open loop: each comes at its moment, whatever became of those before it.
//!
//! Of twenty, four say goodbye at once, four are gone at once (RST), four speak plain text, two leave half a handshake, one says nothing
//! until it is thrown out, and five shake hands with a certificate that is good and that the policy does not list.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_support::tls::{Authority, Caller};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::beside::{Beside, greeted};
use super::halfway::client_hello;
use crate::callers::{DEFAULT, workload};

/// What a storm has to reach.
const A_MINUTE: u64 = 100_000;
/// What it aims at, connects a second: a little more.
const PACE: u64 = 1750;
/// How long it lasts.
const SPAN: Duration = Duration::from_secs(25);
/// How long a client waits for its end: longer than any deadline.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between visits of one who behaves.
const PAUSE: Duration = Duration::from_millis(40);

/// Who comes, and where to.
#[derive(Clone)]
pub struct Storm {
    address: SocketAddr,
    hello: Arc<[u8]>,
    stranger: Caller,
}

/// How many came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blown {
    /// All of them.
    pub made: u64,
    /// Those that shook hands, and are not listed.
    pub strangers: u64,
    /// Those that spoke plain text.
    pub plain: u64,
    /// Those that said nothing until they were thrown out.
    pub silent: u64,
    /// Those that were connected while it blew.
    in_time: u64,
    /// Those that nobody ended.
    lost: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Leaves,
    Resets,
    Plain,
    Half,
    Silent,
    Stranger,
}

impl Kind {
    fn of(number: u64) -> Self {
        match number % 20 {
            0..4 => Self::Leaves,
            4..8 => Self::Resets,
            8..12 => Self::Plain,
            12..14 => Self::Half,
            14 => Self::Silent,
            _ => Self::Stranger,
        }
    }
}

impl Blown {
    /// Connects a minute.
    fn a_minute(self) -> u64 {
        self.in_time * 60 / SPAN.as_secs()
    }

    /// What shows that the machine was too busy for a storm.
    fn checked(self) -> Result<(), String> {
        match self {
            Self { lost: 1.., .. } => Err(format!("{} connections were held for longer than {PATIENCE:?}", self.lost)),
            _ if self.a_minute() < A_MINUTE => Err(format!("only {} connects a minute", self.a_minute())),
            _ => Ok(()),
        }
    }

    fn count(&mut self, guest: Guest) {
        self.made += 1;
        self.in_time += u64::from(guest.connected <= SPAN);
        self.lost += u64::from(guest.lost);
        match guest.kind {
            Kind::Plain => self.plain += 1,
            Kind::Silent => self.silent += 1,
            Kind::Stranger => self.strangers += 1,
            Kind::Leaves | Kind::Resets | Kind::Half => {}
        }
    }
}

/// One of them, when it is gone.
struct Guest {
    kind: Kind,
    connected: Duration,
    lost: bool,
}

/// A storm, and another one if a machine that was too busy has spoilt the first: where its kernel has no room for who connects, it lets clients
/// believe that they are connected, and the gate is never told.
///
/// # Panics
/// When both were spoilt.
pub async fn at_most_twice<F: Future<Output = Result<(), String>>>(storm: impl Fn() -> F) {
    if let Err(problem) = storm().await {
        eprintln!("ONCE MORE, the machine may be busy: {problem}");
        if let Err(problem) = storm().await {
            panic!("{problem}");
        }
    }
}

impl Storm {
    /// Clients of this authority, none of which the policy lists.
    pub async fn new(authority: &Authority, address: SocketAddr) -> Self {
        let stranger = authority.caller(&workload(authority, "stranger", DEFAULT));
        Self { address, hello: client_hello(authority).await.into(), stranger }
    }

    /// Blows while one who behaves visits: how many came. `each` is called meanwhile, again and again; `seen` tells how many connections the
    /// gate has counted.
    ///
    /// # Errors
    /// It was too slow, kept the visitor waiting, or the gate has not seen all of them.
    ///
    /// # Panics
    /// When somebody is served who is not listed, or not served who is.
    pub async fn beside(
        &self,
        visitor: &Beside,
        each: impl Fn(),
        seen: impl AsyncFn() -> u64,
    ) -> Result<Blown, String> {
        let storm = self.clone();
        // On a thread of its own: who is measured beside it does not queue behind it.
        let storm = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(storm.blow())
        });
        let more = |_| {
            each();
            !storm.is_finished()
        };
        let times = visitor.visit_while(more, PAUSE).await;
        let blown = storm.join().expect("the storm");
        println!("{} connects a minute: {blown:?}", blown.a_minute());
        visitor.compared(times)?;
        blown.checked()?;
        let (all, begun) = (blown.made + visitor.visits(), Instant::now());
        loop {
            match seen().await {
                seen if seen == all => return Ok(blown),
                seen if begun.elapsed() > PATIENCE => return Err(format!("the gate has seen {seen} of {all}")),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn blow(self) -> Blown {
        let (begun, all) = (Instant::now(), PACE * SPAN.as_secs());
        let (mut guests, mut sent, mut blown) = (JoinSet::new(), 0, Blown::default());
        while sent < all {
            let due = ((begun.elapsed().as_secs_f64() * PACE as f64) as u64).min(all);
            for number in sent..due {
                guests.spawn(self.clone().guest(Kind::of(number), begun));
            }
            sent = due;
            while let Some(gone) = guests.try_join_next() {
                blown.count(gone.expect("a guest"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while let Some(gone) = guests.join_next().await {
            blown.count(gone.expect("a guest"));
        }
        blown
    }

    async fn guest(self, kind: Kind, begun: Instant) -> Guest {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let connected = begun.elapsed();
        let stay = async {
            match kind {
                Kind::Leaves => drop(stream),
                Kind::Resets => stream.set_zero_linger().expect("a socket"),
                Kind::Plain => ended(&mut stream, b"GET / HTTP/1.1\r\nhost: app.test\r\n\r\n").await,
                Kind::Half => drop(stream.write_all(&self.hello[..self.hello.len() / 2]).await),
                Kind::Silent => ended(&mut stream, b"").await,
                Kind::Stranger => assert!(greeted(&self.stranger, stream).await.is_err(), "a stranger was served"),
            }
        };
        let lost = tokio::time::timeout(PATIENCE, stay).await.is_err();
        Guest { kind, connected, lost }
    }
}

/// Says `words` and waits for the end of the connection.
async fn ended(stream: &mut TcpStream, words: &[u8]) {
    let _ = stream.write_all(words).await;
    while let Ok(1..) = stream.read(&mut [0; 256]).await {}
}
