//! Requests one after the other while something happens; not one of them may fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gatehouse_support::client::{Reply, exchange, request};
use tokio::task::JoinHandle;

/// One request on a connection of its own to a port of this machine; `None`: no answer.
pub async fn get(port: u16, host: &str, target: &str) -> Option<Reply> {
    let asked = request("GET", target, &[("host", host), ("connection", "close")], b"");
    exchange(SocketAddr::from(([127, 0, 0, 1], port)), &asked).await.ok()
}

/// A loop of requests.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    wrong: JoinHandle<Vec<Option<u16>>>,
}

impl Traffic {
    /// Starts it.
    pub fn start(port: u16, host: &'static str, target: &'static str) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let wrong = tokio::spawn({
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            async move {
                let mut wrong = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let status = get(port, host, target).await.map(|reply| reply.status);
                    sent.fetch_add(1, Ordering::Relaxed);
                    if status != Some(200) {
                        wrong.push(status);
                    }
                }
                wrong
            }
        });
        Self { stop, sent, wrong }
    }

    /// Ends it and gives how many were sent.
    ///
    /// # Panics
    /// One was not answered with 200, or hardly any was sent.
    pub async fn assert_none_failed(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.wrong.await.expect("the loop ends");
        let sent = self.sent.load(Ordering::Relaxed);
        println!("{sent} requests, {} failed", wrong.len());
        assert!(wrong.is_empty() && sent > 100, "of {sent} requests these failed: {wrong:?}");
        sent
    }
}
