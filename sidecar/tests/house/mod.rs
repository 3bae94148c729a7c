//! A house in a temporary folder, and a gate that speaks to it as the filter does, by the generated client.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gatehouse::config::{Config, Overrides};
use gatehouse::intake::HouseClient;
use gatehouse::logging::Log;
use gatehouse::run::{RunError, run};
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// Beyond this a wait is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A house that runs in this process.
pub(crate) struct House {
    pub(crate) data: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), RunError>>,
}

impl House {
    /// Starts on a folder, with more configuration (YAML).
    pub(crate) async fn start(data: &Path, more: &str) -> Self {
        let house = Self::spawn(data, more);
        until("the house is ready", async || house.admin("/readyz").await.is_some_and(|page| page.contains("ready\n")))
            .await;
        house
    }

    pub(crate) fn spawn(data: &Path, more: &str) -> Self {
        let text = format!("data: {}\nadmin: 127.0.0.1:0\n{more}", data.display());
        let config = Config::parse("test", &text, Overrides::default()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(run(config, Log::elsewhere(), async move {
            let _ = stopped.await;
        }));
        Self { data: data.into(), stop: Some(stop), task }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn end(self) -> Result<(), RunError> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the house ends").unwrap()
    }

    /// The body of an admin page; `None`: nobody answers.
    pub(crate) async fn admin(&self, path: &str) -> Option<String> {
        let address = std::fs::read_to_string(self.data.join("admin.address")).ok()?;
        Some(
            http(address.trim(), &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .await?
                .1,
        )
    }

    /// Asks for a change; gives status and body.
    pub(crate) async fn change(&self, line: &str, body: &str) -> (u16, String) {
        let address = std::fs::read_to_string(self.data.join("admin.address")).unwrap();
        let length = body.len();
        let head =
            format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        http(address.trim(), &(head + body)).await.expect("the house answers")
    }

    pub(crate) async fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.admin("/status").await.expect("the house answers")).expect("/status is JSON")
    }

    /// Attaches a gate.
    pub(crate) async fn attach(&self, hello: v1::Hello) -> Gate {
        Gate::attach(&self.data.join("house.sock"), hello).await
    }

    /// The events that the file sink holds.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        events(&self.data)
    }
}

pub(crate) fn events(data: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(data.join("events.ndjson")).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sends one HTTP/1.1 request; gives status and body.
pub(crate) async fn http(address: &str, request: &str) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut peer = tokio::net::TcpStream::connect(address).await.ok()?;
    peer.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.into()))
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A gate on one stream.
pub(crate) struct Gate {
    to_house: mpsc::Sender<v1::GateMessage>,
    answers: Streaming<v1::HouseMessage>,
    epoch: u64,
}

pub(crate) fn hello(epoch: u64, stream_no: u32) -> v1::Hello {
    v1::Hello {
        protocol: 1,
        epoch,
        stream_no,
        node: "envoy-1".into(),
        node_cluster: "edge".into(),
        gate_version: "test".into(),
        image_version: gatehouse_policy::IMAGE_VERSION,
        ..v1::Hello::default()
    }
}

/// The greeting of a gate that understands everything.
pub(crate) fn able(epoch: u64, stream_no: u32) -> v1::Hello {
    use v1::hello::Feature;
    let features = [Feature::Brake, Feature::Tables, Feature::Lists, Feature::Rollbacks];
    v1::Hello { features: features.map(i32::from).to_vec(), ..hello(epoch, stream_no) }
}

pub(crate) fn record(epoch: u64, sequence: u64) -> v1::Record {
    let id = gatehouse_verdict::record::RecordId { epoch, sequence }.to_bytes().to_vec();
    let request = v1::Request {
        method: "GET".into(),
        path: "/cart".into(),
        canonical_path: "/cart".into(),
        ..v1::Request::default()
    };
    v1::Record {
        id,
        transaction: sequence,
        part: v1::record::Part::Final.into(),
        start_unix_ns: 1_700_000_000_000_000_000,
        request: Some(request),
        response: Some(v1::Response { status: 200, ..v1::Response::default() }),
        ..v1::Record::default()
    }
}

/// A batch of records with these sequences.
pub(crate) fn batch(epoch: u64, sequences: std::ops::Range<u64>) -> v1::Batch {
    v1::Batch {
        epoch,
        first_seq: sequences.start,
        records: sequences.clone().map(|sequence| record(epoch, sequence).encode_to_vec()).collect(),
        losses: Vec::new(),
        counters: Some(v1::Counters { seen: sequences.end, ..v1::Counters::default() }),
        notices: Vec::new(),
    }
}

impl Gate {
    pub(crate) async fn attach(socket: &Path, hello: v1::Hello) -> Self {
        Self::attach_to(&format!("unix:{}", socket.display()), hello).await
    }

    pub(crate) async fn attach_to(house: &str, hello: v1::Hello) -> Self {
        let channel = Endpoint::from_shared(house.to_owned()).unwrap().connect().await.unwrap();
        Self::attach_over(channel, hello).await.unwrap()
    }

    pub(crate) async fn attach_over(channel: Channel, hello: v1::Hello) -> Result<Self, Status> {
        let epoch = hello.epoch;
        let (to_house, messages) = mpsc::channel(1024);
        let answers = HouseClient::new(channel).attach(ReceiverStream::new(messages)).await?.into_inner();
        let mut gate = Self { answers, to_house, epoch };
        gate.send(FromGate::Hello(hello)).await;
        Ok(gate)
    }

    pub(crate) async fn send(&mut self, message: FromGate) {
        self.to_house.send(v1::GateMessage { message: Some(message) }).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> Result<Option<ToGate>, Status> {
        let answer = tokio::time::timeout(PATIENCE, self.answers.message()).await.expect("the house answers")?;
        Ok(answer.map(|answer| answer.message.unwrap()))
    }

    /// The greeting: welcome, then the first credit.
    pub(crate) async fn greeted(&mut self) -> (v1::Welcome, v1::Credit) {
        let welcome = match self.answer().await.unwrap().unwrap() {
            ToGate::Welcome(welcome) => welcome,
            other => panic!("not welcome: {other:?}"),
        };
        (welcome, self.credit().await)
    }

    /// The next credit; nothing else may come before it.
    pub(crate) async fn credit(&mut self) -> v1::Credit {
        match self.answer().await.unwrap().unwrap() {
            ToGate::Credit(credit) => {
                assert_eq!(credit.epoch, self.epoch);
                credit
            }
            other => panic!("no credit: {other:?}"),
        }
    }

    /// Reads credits until everything below `sequence` is durable.
    pub(crate) async fn durable(&mut self, sequence: u64) -> v1::Credit {
        loop {
            let credit = self.credit().await;
            if credit.durable_seq >= sequence {
                return credit;
            }
        }
    }

    /// Reads one whole policy image; credits in between are passed over.
    pub(crate) async fn policy(&mut self) -> (v1::PolicyChunk, Vec<u8>) {
        let mut image = Vec::new();
        loop {
            match self.answer().await.unwrap().unwrap() {
                ToGate::Credit(_) => {}
                ToGate::Policy(chunk) => {
                    assert_eq!(chunk.offset as usize, image.len());
                    image.extend_from_slice(&chunk.data);
                    if image.len() == chunk.total_bytes as usize {
                        return (chunk, image);
                    }
                }
                other => panic!("no policy: {other:?}"),
            }
        }
    }

    /// Reads one whole table, if the house sends it as one; credits and brakes in between are passed over.
    pub(crate) async fn table(&mut self) -> (v1::TableChunk, Vec<u8>) {
        let mut bytes = Vec::new();
        loop {
            match self.answer().await.unwrap().unwrap() {
                ToGate::Credit(_) | ToGate::Brake(_) => {}
                ToGate::Table(chunk) => {
                    assert_eq!(chunk.offset as usize, bytes.len());
                    bytes.extend_from_slice(&chunk.data);
                    if bytes.len() == chunk.total_bytes as usize {
                        return (chunk, bytes);
                    }
                }
                other => panic!("no table: {other:?}"),
            }
        }
    }

    /// The next change of a list, answered; what else comes in between is passed over.
    pub(crate) async fn list(&mut self) -> v1::ListDelta {
        loop {
            if let ToGate::List(delta) = self.answer().await.unwrap().unwrap() {
                let ack = v1::ListAck { list: delta.list.clone(), version: delta.version, refused: 0 };
                self.send(FromGate::ListAck(ack)).await;
                return delta;
            }
        }
    }

    /// The next rollbacks; what else comes before is passed over.
    pub(crate) async fn rollbacks(&mut self) -> v1::Rollbacks {
        loop {
            if let ToGate::Rollbacks(rollbacks) = self.answer().await.unwrap().unwrap() {
                return rollbacks;
            }
        }
    }

    /// The next brake; credits in between are passed over.
    pub(crate) async fn brake(&mut self) -> v1::Brake {
        loop {
            match self.answer().await.unwrap().unwrap() {
                ToGate::Credit(_) => {}
                ToGate::Brake(brake) => return brake,
                other => panic!("no brake: {other:?}"),
            }
        }
    }

    /// Says nothing more, as a filter that ends; the house has heard all of it then.
    pub(crate) async fn leave(mut self) {
        (self.to_house, _) = mpsc::channel(1);
        self.end().await.0.unwrap();
    }

    /// Reads to the end of the stream; what the house gave as its reason, and the last credit before it.
    pub(crate) async fn end(&mut self) -> (Result<(), Status>, Option<v1::Credit>) {
        let mut last = None;
        loop {
            match self.answer().await {
                Ok(Some(ToGate::Credit(credit))) => last = Some(credit),
                Ok(Some(_)) => {}
                Ok(None) => return (Ok(()), last),
                Err(status) => return (Err(status), last),
            }
        }
    }
}
