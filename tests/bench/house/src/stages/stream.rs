//! The stream by itself: the house's service with nothing behind it. Batches are read, decoded and judged by the receiver, and
//! acknowledged at the pace of the spool's syncs; nothing is stored. Its threads have a name of their own, so that their CPU time
//! is told apart from that of the workers, which are in this process too.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehouse::intake::house_server::{House, HouseServer};
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_stream::receiver::{HighWater, Receiver, Taken, Ticket};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};

use crate::threads::Threads;
use crate::worker;

const NAME: &str = "bench-stream";
/// As the spool's syncs, so that as many words go back as from a house.
const EVERY: Duration = Duration::from_millis(20);
/// What a house with room grants.
const WINDOW: u32 = 16 << 20;

/// µs of CPU time a record, of `events` records that two workers send.
pub(super) async fn cost(events: u64, records: &[v1::Record]) -> f64 {
    let folder = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir().expect("a folder");
    let socket = folder.path().join("stream.sock");
    // Two threads, as the house has.
    let runtime =
        Builder::new_multi_thread().worker_threads(2).thread_name(NAME).enable_all().build().expect("threads");
    let _entered = runtime.handle().clone();
    let at = socket.clone();
    runtime.spawn(async move { serve(UnixListener::bind(at).expect("a socket")).await });
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = Threads::of(std::process::id()).named(NAME);
    let workers: Vec<_> = (1..=2)
        .map(|epoch| {
            let (socket, records) = (socket.clone(), records.to_vec());
            Handle::current().spawn(async move { worker::send(&socket, epoch, records, events / 2, None).await })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker");
    }
    let used = Threads::of(std::process::id()).named(NAME) - before;
    runtime.shutdown_background();
    used.as_secs_f64() * 1e6 / events as f64
}

/// With the windows of the house's listener.
async fn serve(listener: UnixListener) {
    let door = Door(Arc::default());
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .add_service(HouseServer::new(door))
        .serve_with_incoming(UnixListenerStream::new(listener));
    served.await.expect("the stream is served");
}

struct Door(Arc<Mutex<Receiver>>);

#[tonic::async_trait]
impl House for Door {
    type AttachStream = ReceiverStream<Result<v1::HouseMessage, Status>>;

    async fn attach(&self, call: Request<Streaming<v1::GateMessage>>) -> Result<Response<Self::AttachStream>, Status> {
        let (answers, outbound) = mpsc::channel(8);
        tokio::spawn(one(Arc::clone(&self.0), call.into_inner(), answers));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

type Answers = mpsc::Sender<Result<v1::HouseMessage, Status>>;

async fn one(receiver: Arc<Mutex<Receiver>>, mut gate: Streaming<v1::GateMessage>, answers: Answers) -> Option<()> {
    let hello = gate.message().await.ok()??;
    let Some(FromGate::Hello(hello)) = hello.message else { return None };
    let opened = receiver.lock().ok()?.hello(&hello, now_ms()).ok()?;
    credit(&answers, hello.epoch, opened.durable_seq).await?;
    let mut clock = tokio::time::interval(EVERY);
    let mut last = None;
    loop {
        tokio::select! {
            message = gate.message() => {
                if let Some(FromGate::Batch(batch)) = message.ok()??.message {
                    last = take(&receiver, &opened.ticket, batch).or(last);
                }
            }
            _ = clock.tick() => if let Some(high) = last.take() {
                receiver.lock().ok()?.durable(&high);
                credit(&answers, hello.epoch, high.durable_seq).await?;
            },
        }
    }
}

fn take(receiver: &Mutex<Receiver>, ticket: &Ticket, batch: v1::Batch) -> Option<HighWater> {
    match receiver.lock().ok()?.batch(ticket, batch, now_ms()).ok()? {
        Taken::Store(parcel) => Some(parcel.high_water),
        Taken::Duplicate | Taken::Fenced => None,
    }
}

async fn credit(answers: &Answers, epoch: u64, durable_seq: u64) -> Option<()> {
    let credit = ToGate::Credit(v1::Credit { epoch, durable_seq, window_bytes: WINDOW });
    answers.send(Ok(v1::HouseMessage { message: Some(credit) })).await.ok()
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
