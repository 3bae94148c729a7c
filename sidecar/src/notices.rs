//! What the house itself tells its sinks: through the spool like every record, so that a sink which is away misses none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatehouse_proto::v1::{self, notice::What};
use gatehouse_stream::receiver::HighWater;
use prost::Message as _;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::deadline::Now;
use crate::spool::SpoolHandle;

/// Notices that wait for the spool, at most; what is beyond stands in the log only, counted.
const WAITING: usize = 1024;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Takes notices; cheap to clone, never waits.
#[derive(Debug, Clone)]
pub struct Notices {
    queue: mpsc::Sender<v1::Notice>,
    lost: Arc<AtomicU64>,
    told: Arc<AtomicU64>,
}

/// The other end of [`Notices`].
#[derive(Debug)]
pub struct Waiting(mpsc::Receiver<v1::Notice>);

impl Notices {
    /// Takes notices before there is a spool.
    #[must_use]
    pub fn new() -> (Self, Waiting) {
        let (queue, waiting) = mpsc::channel(WAITING);
        (Self { queue, lost: Arc::default(), told: Arc::default() }, Waiting(waiting))
    }

    /// Tells the sinks. The same rollback of the same gateway has the same id, however often it is told.
    pub fn tell(&self, what: What, gateway: &str) {
        let now = Now::read();
        let mut hash = Sha256::new_with_prefix(gateway.as_bytes());
        let time_unix_ns = match &what {
            What::RolledBack(back) => {
                hash.update(back.encode_to_vec());
                back.time_unix_ns
            }
            What::Audit(audit) => {
                // Two changes may say the same in one millisecond.
                hash.update(audit.line.as_bytes());
                hash.update(now.boot_ms.to_le_bytes());
                hash.update(self.told.load(Ordering::Relaxed).to_le_bytes());
                now.wall_ms.saturating_mul(1_000_000)
            }
        };
        self.told.fetch_add(1, Ordering::Relaxed);
        let id = hash.finalize().iter().copied().take(16).collect();
        let notice = v1::Notice { id, time_unix_ns, gateway: gateway.to_owned(), what: Some(what) };
        if self.queue.try_send(notice).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notices that found no room, or no spool any more.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Waiting {
    /// Stores one after the other until the token is cancelled and none is left; what a full spool does not take is tried again.
    pub async fn store(mut self, spool: SpoolHandle, stop: CancellationToken) {
        loop {
            let notice = tokio::select! {
                biased;
                Some(notice) = self.0.recv() => notice,
                () = stop.cancelled() => return,
                else => return,
            };
            let batch = v1::Batch { notices: vec![notice], ..v1::Batch::default() }.encode_to_vec();
            // Epoch 0 is no worker's.
            let mark = HighWater { last_ms: Now::read().wall_ms, ..HighWater::default() };
            while let Err(error) = spool.store(batch.clone(), 0, 0, mark).await {
                tracing::warn!(%error, "notice not stored yet");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN_AFTER) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }
}
