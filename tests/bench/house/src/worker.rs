//! A worker of a gate without a gate: it makes records and speaks the stream.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehouse::intake::HouseClient;
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_stream::sender::{Class, Limits, Sender};
use gatehouse_verdict::record::RecordId;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

/// Records held at most: far more than the window lets out, far less than the ring gives up.
const AHEAD: u64 = 4000;

/// How often a batch leaves that is not full, as in the gate.
const TICK: Duration = Duration::from_millis(100);

/// How fast records are made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    rate: u64,
    begin: Instant,
}

impl Pace {
    /// So many a second from now on.
    pub fn of(rate: u64) -> Self {
        Self { rate, begin: Instant::now() }
    }

    /// Records that are due by now.
    fn due(self) -> u64 {
        (self.begin.elapsed().as_secs_f64() * self.rate as f64) as u64
    }
}

/// Sends `count` records of these, at `pace` or as fast as the house grants credit, and returns when the last is durable.
pub async fn send(socket: &Path, epoch: u64, records: Vec<v1::Record>, count: u64, pace: Option<Pace>) {
    let (to_house, messages) = mpsc::channel(64);
    let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display())).expect("an address");
    let channel = endpoint.connect().await.expect("the house listens");
    let answers = HouseClient::new(channel).attach(ReceiverStream::new(messages)).await.expect("a stream").into_inner();
    let sender = Sender::new(epoch, Limits { ring_bytes: 64 << 20, ..Limits::default() });
    Worker { sender, records, to_house, answers, count, pace, made: 0 }.work().await;
}

struct Worker {
    sender: Sender,
    records: Vec<v1::Record>,
    to_house: mpsc::Sender<v1::GateMessage>,
    answers: Streaming<v1::HouseMessage>,
    count: u64,
    pace: Option<Pace>,
    made: u64,
}

impl Worker {
    async fn work(mut self) {
        let hello = v1::Hello {
            node: "bench".into(),
            gate_version: "bench".into(),
            image_version: gatehouse_policy::IMAGE_VERSION,
            ..self.sender.opened().hello()
        };
        let first = hello.next_seq;
        self.tell(FromGate::Hello(hello)).await;
        while self.sender.stats().durable_seq < first + self.count {
            self.make(first);
            while let Some(batch) = self.sender.next_batch() {
                self.tell(FromGate::Batch(batch)).await;
            }
            if self.pace.is_some() {
                // What the house says in between is taken in, but nothing leaves before the tick.
                let tick = Instant::now() + TICK;
                while let Ok(answer) = timeout_at(tick, self.answers.message()).await {
                    self.take(answer.expect("the house answers"));
                }
            } else {
                let answer = self.answers.message().await;
                self.take(answer.expect("the house answers"));
            }
        }
        let bye = self.sender.bye();
        self.tell(FromGate::Bye(bye)).await;
    }

    fn take(&mut self, answer: Option<v1::HouseMessage>) {
        if let Some(ToGate::Credit(credit)) = answer.expect("the stream goes on").message {
            self.sender.credit(&credit).expect("a credit of ours");
        }
    }

    /// Makes records until enough of them wait, or as many as are due.
    fn make(&mut self, first: u64) {
        let durable = self.sender.stats().durable_seq.max(first) - first;
        let epoch = self.sender.epoch();
        let count = self.pace.map_or(self.count, |pace| pace.due().min(self.count));
        while self.made < count && self.made - durable < AHEAD {
            let sequence = self.sender.next_seq();
            let place = usize::try_from(self.made).unwrap_or_default() % self.records.len();
            let record = &mut self.records[place];
            record.id = RecordId { epoch, sequence }.to_bytes().to_vec();
            record.start_unix_ns = now();
            self.sender.push(Class::Plain, record.encode_to_vec());
            self.made += 1;
        }
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
