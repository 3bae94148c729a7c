//! The intake: the gRPC service that gates attach to.
//!
//! ```text
//!  gate ─► stream (one task each) ─► Receiver (duplicates, fences) ─► spool ─► ledger ─► Credit to the stream
//!                                └─► access log, references (what carries one)
//! ```
//!
//! A batch is acknowledged when the spool has synced it. Batches of all streams share the spool's syncs: a stream hands
//! its batch over and reads on; the [`ledger`] books the results in the order handed over.

pub mod connection;
pub mod guarded;
pub mod identity;
pub mod ledger;
pub mod listen;
mod outbound;
mod owners;
pub mod peer;
pub mod stream;
pub mod streams;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated code"
)]
pub(crate) mod service {
    include!("intake/generated/gatehouse.v1.rs");
}

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehouse_proto::{MIN_WINDOW_BYTES, v1};
use gatehouse_stream::receiver::{BatchError, Books, HighWater, Receiver, Taken, Ticket, Totals};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::access_log::AccessLog;
use crate::config::AddressForm;
use crate::hash_key::HashKey;
use crate::metrics::Metrics;
use crate::policies::Policies;
use crate::references::References;
use crate::rollout::counts::Counts;
use crate::spool::{SpoolHandle, StoreError};
use crate::standing::Standing;
use connection::{Accepted, Peer};
use ledger::{Ledger, Passage};
use owners::Owners;
use service::house_server::{House, HouseServer};
use streams::Streams;

pub use service::house_client::HouseClient;
/// The serving side of the stream as it is generated, for whoever measures the stream by itself.
pub use service::house_server;

/// Largest message that is read from a gate, bytes: a batch is at most 64 KiB.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Messages that wait for a gate which does not read, at most; a policy chunk is the largest.
const OUTBOUND_MESSAGES: usize = 8;

/// Batches of all streams on their way to the disk, at most: 12 MiB, so that none waits in the spool's line (16 MiB), where
/// its turn would pass unnoticed until the ledger comes to it.
const BATCHES_ON_THE_WAY: usize = 192;

/// Everything that the streams share.
pub struct Intake {
    /// Who is attached.
    pub streams: Streams,
    /// What the rules of the policy in force did.
    pub counts: Counts,
    /// Records that carry a reference.
    pub references: References,
    receiver: Mutex<Receiver>,
    spool: SpoolHandle,
    ledger: Ledger,
    on_the_way: Arc<Semaphore>,
    policies: Policies,
    standing: Standing,
    key: HashKey,
    address_form: AddressForm,
    access_log: AccessLog,
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
    tasks: TaskTracker,
    connections: Arc<Semaphore>,
    /// Whose each worker is.
    owners: Owners,
    /// What the spool could take when the windows were last split, bytes.
    shared: AtomicU64,
}

/// What an [`Intake`] is made of.
pub struct Parts {
    /// Where batches are stored.
    pub spool: SpoolHandle,
    /// What was durable before this start.
    pub high_waters: Vec<HighWater>,
    /// What gates are given.
    pub policies: Policies,
    /// What gates are told beside their policy.
    pub standing: Standing,
    /// The installation's key.
    pub key: HashKey,
    /// How gates write client addresses.
    pub address_form: AddressForm,
    /// One line a request.
    pub access_log: AccessLog,
    /// Records that carry a reference.
    pub references: References,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Intake {
    /// Begins; no gate is let in before [`serve`](Self::serve).
    #[must_use]
    pub fn start(parts: Parts) -> Arc<Self> {
        let mut receiver = Receiver::default();
        receiver.restore(&parts.high_waters);
        let (ledger, results) = Ledger::new();
        let intake = Arc::new(Self {
            streams: Streams::default(),
            counts: Counts::new(parts.policies.subscribe()),
            references: parts.references,
            receiver: Mutex::new(receiver),
            spool: parts.spool,
            ledger,
            on_the_way: Arc::new(Semaphore::new(BATCHES_ON_THE_WAY)),
            policies: parts.policies,
            standing: parts.standing,
            key: parts.key,
            address_form: parts.address_form,
            access_log: parts.access_log,
            metrics: parts.metrics,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            connections: Arc::new(Semaphore::new(streams::MAX_STREAMS)),
            owners: Owners::default(),
            shared: AtomicU64::new(0),
        });
        tokio::spawn(ledger::book(Arc::clone(&intake), results));
        intake
    }

    /// Serves gates on one listener until [`stop`](Self::stop).
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve<L, C>(self: Arc<Self>, connections: L) -> Result<(), tonic::transport::Error>
    where
        L: Stream<Item = io::Result<C>>,
        C: Accepted,
    {
        let stopping = self.stopping.clone();
        let connections = connection::bounded(connections, Arc::clone(&self.connections));
        let service = HouseServer::new(Door(self)).max_decoding_message_size(MAX_MESSAGE_BYTES);
        tonic::transport::Server::builder()
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .http2_max_header_list_size(16 * 1024)
            .max_concurrent_streams(64)
            .add_service(service)
            .serve_with_incoming_shutdown(connections, stopping.cancelled_owned())
            .await
    }

    /// Stops: no credit any more, what was taken in is synced and acknowledged, then every stream ends. Returns when all
    /// have, or when `grace` is over; false: it was over first.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        let in_time = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        self.ledger.close();
        in_time
    }

    /// Splits what the spool can still take among the streams; called every quarter of a second.
    pub fn share_windows(&self) {
        let budget = if self.stopping.is_cancelled() { 0 } else { self.spool.budget() };
        self.shared.store(budget, Ordering::Relaxed);
        // Half: what was granted before and is still on its way has room too.
        self.streams.share(budget / 2);
    }

    /// No gate may send: what the spool can still take is less than the smallest window.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.spool.budget() / 2 < u64::from(MIN_WINDOW_BYTES)
    }

    /// Splits anew as soon as the spool has filled by an eighth since the last time: a quarter of a second is long for a
    /// disk, and a batch for which there is no room costs its stream.
    fn follow_spool(&self) {
        let shared = self.shared.load(Ordering::Relaxed);
        if self.spool.budget() < shared - shared / 8 {
            self.share_windows();
        }
    }

    /// Forgets workers that are gone for a day.
    pub fn age(&self) {
        self.receiver().age(now_ms());
    }

    /// Lines of the access log that standard output did not take.
    #[must_use]
    pub fn access_log_dropped(&self) -> u64 {
        self.access_log.dropped()
    }

    /// The account of each worker, and of those forgotten.
    #[must_use]
    pub fn books(&self) -> (Vec<Books>, Totals) {
        let receiver = self.receiver();
        (receiver.books(), receiver.past())
    }

    /// Judges a batch and hands what is new in it to the spool and the access log.
    fn take(
        &self,
        ticket: &Ticket,
        mut batch: v1::Batch,
        permits: [OwnedSemaphorePermit; 2],
    ) -> Result<Took, BatchError> {
        self.metrics.batches.inc();
        self.metrics.batch_bytes.inc_by(batch.encoded_len() as u64);
        // Only the house itself writes these.
        batch.notices.clear();
        // Held until the batch is with the spool: its order there is the order in which it was judged.
        let mut receiver = self.receiver();
        let parcel = match receiver.batch(ticket, batch, now_ms())? {
            Taken::Duplicate => {
                self.metrics.duplicates.inc();
                return Ok(Took::Duplicate);
            }
            Taken::Fenced => return Ok(Took::Fenced),
            Taken::Store(parcel) => parcel,
        };
        let spool = self.spool.clone();
        let (payload, first_seq) = (parcel.batch.encode_to_vec(), parcel.batch.first_seq);
        let (records, high_water) = (parcel.records, parcel.high_water);
        let storing = async move { spool.store(payload, records, first_seq, high_water).await };
        self.ledger.enter(Passage::begin(storing, high_water, permits));
        drop(receiver);
        self.show(&parcel.batch);
        self.counts.observe(&parcel.batch);
        Ok(Took::Stored)
    }

    /// Books what became of a batch, and lets its stream know.
    fn stored(&self, high_water: &HighWater, result: Result<u64, StoreError>) {
        self.follow_spool();
        let stream = match result {
            Ok(_) => self.receiver().durable(high_water),
            Err(error) => {
                self.metrics.store_failures.get_or_create(&[("reason", reason(error))]).inc();
                tracing::warn!(epoch = high_water.epoch, %error, "batch not stored, its gate will send it again");
                self.receiver().failed(high_water.epoch)
            }
        };
        if let Some(ticket) = stream {
            self.streams.wake(&ticket);
        }
    }

    fn show(&self, batch: &v1::Batch) {
        batch.records.iter().for_each(|record| self.references.keep(record));
        if !self.access_log.is_on() {
            return;
        }
        // What cannot be read is told by the sinks, which keep it.
        for record in batch.records.iter().filter_map(|bytes| v1::Record::decode(bytes.as_slice()).ok()) {
            self.access_log.record(&record);
        }
    }

    fn receiver(&self) -> MutexGuard<'_, Receiver> {
        // The receiver changes nothing before it is sure; a panic beside it leaves it whole.
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a gate whose highest version of the protocol is this, which the receiver took.
    fn welcome(&self, theirs: u32) -> v1::Welcome {
        v1::Welcome {
            protocol: gatehouse_proto::common_protocol(theirs).unwrap_or(gatehouse_proto::OLDEST_PROTOCOL),
            house_version: env!("CARGO_PKG_VERSION").into(),
            hash_key_id: self.key.id(),
            hash_key: self.key.reveal().to_vec(),
            address_form: self.address_form.on_the_wire().into(),
        }
    }
}

/// What became of a batch.
enum Took {
    /// Nothing in it is new.
    Duplicate,
    /// Its stream is to be closed.
    Fenced,
    /// What is new in it is on its way.
    Stored,
}

fn reason(error: StoreError) -> &'static str {
    match error {
        StoreError::AfterRefused => "after_refused",
        StoreError::Closed => "closed",
        StoreError::Full => "full",
        StoreError::Io(_) => "io",
        StoreError::TooLarge { .. } => "too_large",
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The service as tonic wants it.
struct Door(Arc<Intake>);

#[tonic::async_trait]
impl House for Door {
    type AttachStream = ReceiverStream<Result<v1::HouseMessage, Status>>;

    async fn attach(&self, call: Request<Streaming<v1::GateMessage>>) -> Result<Response<Self::AttachStream>, Status> {
        let (answers, outbound) = mpsc::channel(OUTBOUND_MESSAGES);
        let intake = &self.0;
        // Connections carry it; a call of a test that came without one is nobody's.
        let peer = call.extensions().get::<Peer>().cloned().flatten();
        intake.tasks.spawn(stream::run(Arc::clone(intake), peer, call.into_inner(), answers));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}
