//! `gatehouse guard`: a front for TCP services in places where Envoy cannot run. The same documents (`kind: TcpPolicy`), engine, lines
//! of the log and books as the network filter's; what differs is that the handshake is the guard's own, so that it decides right after it,
//! before anybody has said a word: also in front of a server that speaks first.
//!
//! ```text
//!  accept ─► handshake (deadline) ─► desk: allowed? ─► room? ─► connect ─► carried both ways ─► told
//!                 │                       │              └─ no: closed, counted
//!                 │                       └─ no: closed, `rejecting: …`
//!                 └─ failed: closed, told as `unproven`
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the configuration, read |
//! | `front` | one listener: accept, handshake, limits |
//! | `handshakes` | who is shaking hands, and who has to go when there are too many |
//! | `pump` | bytes carried both ways, with no memory while nothing moves |
//! | `desk` | the one thread that judges and keeps the books |
//! | `link` | the stream to a house: policy in, records out |
//! | `counts` | what is counted, for `/metrics` |
//! | `admin` | `/healthz`, `/readyz`, `/metrics` on loopback |

pub mod config;

mod admin;
mod counts;
mod desk;
mod front;
mod handshakes;
mod link;
mod pump;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::renewed::Renewed;
use crate::sink::tls::Tls;
use config::Config;
use counts::Counts;
use front::Front;

/// Reads the policies that a configuration names.
///
/// # Errors
/// Every problem, each with its place.
pub fn check(config: &Config) -> Result<(), String> {
    desk::read(&config.policies)
}

/// Runs until `stop`: then nobody new is let in, and those who are inside have the drain time to end.
///
/// # Errors
/// An address cannot be listened on, or the admin listener cannot.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> io::Result<()> {
    let config = Arc::new(config);
    let counts = Arc::new(Counts::default());
    let trust = Renewed::new("the guard", config.tls.clone(), Tls::front);
    let desk = desk::start(&config, Arc::clone(&counts))?;
    let (closing, ending) = (CancellationToken::new(), CancellationToken::new());
    let (accepting, carrying) = (TaskTracker::new(), TaskTracker::new());
    accepting.spawn(trust.clone().watch(closing.clone()));
    for written in &config.fronts {
        let front = Front::new(written, &config, trust.clone(), desk.handle(), Arc::clone(&counts));
        let listener = front.bind()?;
        tracing::info!(front = written.name, address = %listener.local_addr()?, "the guard listens");
        accepting.spawn(front.accept(listener, closing.clone(), ending.clone(), carrying.clone()));
    }
    admin::serve(&config, Arc::clone(&counts), trust, closing.clone()).await?;
    stop.await;
    tracing::info!(open = counts.open(), within = ?config.drain, "the guard drains");
    closing.cancel();
    accepting.close();
    accepting.wait().await;
    carrying.close();
    if tokio::time::timeout(config.drain, carrying.wait()).await.is_err() {
        tracing::warn!(open = counts.open(), "connections are closed that did not end in time");
        ending.cancel();
        carrying.wait().await;
    }
    desk.stop().await;
    Ok(())
}
