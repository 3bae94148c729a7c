//! A worker of a gate without a gate: it makes records and speaks the stream.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatehouse::intake::HouseClient;
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_stream::sender::{Class, Limits, Sender};
use gatehouse_verdict::record::RecordId;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

/// Records held at most: far more than the window lets out, far less than the ring gives up.
const AHEAD: u64 = 4000;

/// How often a worker that sends steadily makes records.
const EVERY: Duration = Duration::from_millis(10);

/// How often a batch leaves that is not full, as in the gate.
const TICK: Duration = Duration::from_millis(100);

/// How fast records are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    rate: u64,
    begin: Instant,
}

impl Pace {
    /// So many a second from now on.
    pub(crate) fn of(rate: u64) -> Self {
        Self { rate, begin: Instant::now() }
    }

    /// Records that are due by now.
    fn due(self) -> u64 {
        (self.begin.elapsed().as_secs_f64() * self.rate as f64) as u64
    }
}

/// Sends `count` records of these, at `pace` or as fast as the house grants credit, and returns when the last is durable.
pub(crate) async fn send(socket: &Path, epoch: u64, records: Vec<v1::Record>, count: u64, pace: Option<Pace>) {
    Worker::attach(socket, epoch, records, count).await.work(pace).await;
}

/// Sends records of these at `rate` a second until it is told to stop and the last is durable.
pub(crate) async fn steadily(
    socket: &Path,
    epoch: u64,
    records: Vec<v1::Record>,
    rate: u64,
    stop: Arc<AtomicBool>,
) -> Steady {
    Worker::attach(socket, epoch, records, 0).await.steadily(rate, &stop).await
}

/// What became of records that were sent steadily.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steady {
    /// All of them, each durable.
    pub(crate) sent: u64,
    /// From the first to the last.
    pub(crate) took: Duration,
    /// From the making of a record to the word that it is durable, of the one that waited longest.
    pub(crate) longest: Duration,
}

struct Worker {
    sender: Sender,
    records: Vec<v1::Record>,
    to_house: mpsc::Sender<v1::GateMessage>,
    answers: Streaming<v1::HouseMessage>,
    count: u64,
    made: u64,
}

impl Worker {
    async fn attach(socket: &Path, epoch: u64, records: Vec<v1::Record>, count: u64) -> Self {
        let (to_house, messages) = mpsc::channel(64);
        let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display())).expect("an address");
        let channel = endpoint.connect().await.expect("the house listens");
        let answers = HouseClient::new(channel).attach(ReceiverStream::new(messages)).await;
        let answers = answers.expect("a stream").into_inner();
        let sender = Sender::new(epoch, Limits { ring_bytes: 64 << 20, ..Limits::default() });
        Self { sender, records, to_house, answers, count, made: 0 }
    }

    async fn work(mut self, pace: Option<Pace>) {
        let first = self.greet().await;
        while self.sender.stats().durable_seq < first + self.count {
            self.make(first, pace.map_or(self.count, |pace| pace.due().min(self.count)));
            self.flush().await;
            if pace.is_some() {
                // What the house says in between is taken in, but nothing leaves before the tick.
                let tick = tokio::time::Instant::now() + TICK;
                while let Ok(answer) = tokio::time::timeout_at(tick, self.answers.message()).await {
                    self.hear(answer.expect("the house answers").expect("the stream goes on"));
                }
            } else {
                let answer = self.answers.message().await.expect("the house answers");
                self.hear(answer.expect("the stream goes on"));
            }
        }
        self.leave().await;
    }

    async fn steadily(mut self, rate: u64, stop: &AtomicBool) -> Steady {
        let first = self.greet().await;
        let (begin, mut longest) = (Instant::now(), Duration::ZERO);
        let mut waiting: VecDeque<(u64, Instant)> = VecDeque::new();
        let mut clock = tokio::time::interval(EVERY);
        while !(stop.load(Ordering::Relaxed) && self.sender.stats().durable_seq >= first + self.made) {
            tokio::select! {
                answer = self.answers.message() => {
                    self.hear(answer.expect("the house answers").expect("the stream goes on"));
                    let durable = self.sender.stats().durable_seq;
                    while let Some((_, made)) = waiting.pop_front_if(|(last, _)| *last <= durable) {
                        longest = longest.max(made.elapsed());
                    }
                }
                _ = clock.tick(), if !stop.load(Ordering::Relaxed) => {
                    let due = begin.elapsed().as_millis() as u64 * rate / 1000;
                    while self.made < due {
                        self.push();
                    }
                    waiting.push_back((first + self.made, Instant::now()));
                }
            }
            self.flush().await;
        }
        let took = begin.elapsed();
        let sent = self.made;
        self.leave().await;
        Steady { sent, took, longest }
    }

    /// Says hello; gives the first sequence.
    async fn greet(&mut self) -> u64 {
        let hello = v1::Hello {
            node: "bench".into(),
            gate_version: "bench".into(),
            image_version: gatehouse_policy::IMAGE_VERSION,
            ..self.sender.opened().hello()
        };
        let first = hello.next_seq;
        self.tell(FromGate::Hello(hello)).await;
        first
    }

    async fn flush(&mut self) {
        while let Some(batch) = self.sender.next_batch() {
            self.tell(FromGate::Batch(batch)).await;
        }
    }

    fn hear(&mut self, answer: v1::HouseMessage) {
        if let Some(ToGate::Credit(credit)) = answer.message {
            self.sender.credit(&credit).expect("a credit of ours");
        }
    }

    async fn leave(&mut self) {
        let bye = self.sender.bye();
        self.tell(FromGate::Bye(bye)).await;
    }

    /// Makes records up to this number until enough of them wait.
    fn make(&mut self, first: u64, count: u64) {
        let durable = self.sender.stats().durable_seq.max(first) - first;
        while self.made < count && self.made - durable < AHEAD {
            self.push();
        }
    }

    fn push(&mut self) {
        let (epoch, sequence) = (self.sender.epoch(), self.sender.next_seq());
        let place = usize::try_from(self.made).unwrap_or_default() % self.records.len();
        let record = &mut self.records[place];
        record.id = RecordId { epoch, sequence }.to_bytes().to_vec();
        record.start_unix_ns = now();
        self.sender.push(Class::Plain, record.encode_to_vec());
        self.made += 1;
    }

    async fn tell(&self, message: FromGate) {
        self.to_house.send(v1::GateMessage { message: Some(message) }).await.expect("the house listens");
    }
}

/// Nanoseconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
