//! The guard's half of the stream to a house: opened again and again with growing pauses, greeted, fed with batches inside the credit.

use std::io;
use std::time::Duration;

use gatehouse_policy::{IMAGE_VERSION, ImageLoader, Policy, Progress};
use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_stream::sender::Sender;
use gatehouse_verdict::record::PolicyStamp;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::config::House;
use crate::intake::HouseClient;

/// The first pause after a stream that ended, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// How long a house may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);
/// Units of work on a policy between two looks at it: it has a thread of its own.
const UNITS: usize = 1024;
/// Messages on their way.
const ROOM: usize = 64;

/// What the house said, as far as somebody else has to do something about it.
pub(super) enum Heard {
    /// Nothing of that kind.
    Nothing,
    /// The stream is open: greet.
    Opened,
    /// It is not any more.
    Closed,
    Welcome(v1::Welcome),
    Credit(v1::Credit),
    Policy(Box<Policy>),
    Brake(v1::Brake),
    /// A policy was refused.
    Refused,
}

/// The stream.
pub(super) struct Link {
    house: House,
    node: String,
    state: State,
    pause: Duration,
    loader: Option<ImageLoader>,
}

enum State {
    /// To be opened after a pause.
    Down,
    Open {
        to_house: mpsc::Sender<v1::GateMessage>,
        answers: Box<Streaming<v1::HouseMessage>>,
    },
}

impl Link {
    pub(super) fn new(house: House, node: String) -> Self {
        Self { house, node, state: State::Down, pause: Duration::ZERO, loader: None }
    }

    /// What happens next. Can be dropped at any point: what is on its way then is done again.
    pub(super) async fn next(&mut self) -> Heard {
        match &mut self.state {
            State::Down => {
                tokio::time::sleep(self.pause).await;
                match tokio::time::timeout(CONNECT, open(&self.house)).await {
                    Ok(Ok((to_house, answers))) => {
                        self.state = State::Open { to_house, answers: Box::new(answers) };
                        Heard::Opened
                    }
                    failed => {
                        let problem = failed.map_or_else(|_| "no answer".to_owned(), |opened| words(opened.err()));
                        self.pause = (self.pause * 2).clamp(PAUSE.0, PAUSE.1);
                        tracing::warn!(problem, "the house is not reached; what is in force goes on");
                        Heard::Nothing
                    }
                }
            }
            State::Open { answers, .. } => match answers.message().await {
                Ok(Some(message)) => self.hear(message),
                Ok(None) => self.down("the house closed it"),
                Err(status) => self.down(status.message()),
            },
        }
    }

    /// Says hello. `stamp`: the house's policy in force here.
    pub(super) fn greet(&mut self, sender: &mut Sender, stamp: Option<PolicyStamp>) {
        let hello = v1::Hello {
            node: self.node.clone(),
            node_cluster: "guards".into(),
            features: vec![v1::hello::Feature::Brake.into()],
            gate_version: env!("CARGO_PKG_VERSION").into(),
            image_version: IMAGE_VERSION,
            policy_revision: stamp.map_or(0, |stamp| stamp.revision),
            policy_digest: stamp.map(|stamp| stamp.digest.to_vec()).unwrap_or_default(),
            ..sender.opened().hello()
        };
        self.say(FromGate::Hello(hello));
    }

    /// The brakes of this version are in force.
    pub(super) fn braked(&mut self, version: u64) {
        self.say(FromGate::BrakeAck(v1::BrakeAck { version }));
    }

    /// Sends what the window lets out.
    pub(super) fn tick(&mut self, sender: &mut Sender) {
        loop {
            let State::Open { to_house, .. } = &self.state else { return };
            // A batch that is taken out must go: only where there is room for it.
            let Ok(place) = to_house.try_reserve() else { return };
            let Some(batch) = sender.next_batch() else { return };
            place.send(v1::GateMessage { message: Some(FromGate::Batch(batch)) });
        }
    }

    /// Sends what is left, as far as the house takes it, and goodbye.
    pub(super) async fn leave(&mut self, sender: &mut Sender) {
        while matches!(self.state, State::Open { .. }) && sender.stats().durable_seq < sender.next_seq() {
            self.tick(sender);
            match self.next().await {
                Heard::Credit(credit) => drop(sender.credit(&credit)),
                Heard::Closed => return,
                _ => {}
            }
        }
        if let State::Open { to_house, answers } = &mut self.state {
            let bye = v1::GateMessage { message: Some(FromGate::Bye(sender.bye())) };
            if to_house.send(bye).await.is_ok() {
                let (closed, _) = mpsc::channel(1);
                *to_house = closed;
                while matches!(answers.message().await, Ok(Some(_))) {}
            }
        }
    }

    fn hear(&mut self, message: v1::HouseMessage) -> Heard {
        match message.message {
            Some(ToGate::Welcome(welcome)) => {
                self.pause = PAUSE.0;
                tracing::info!("the house has let this guard in");
                Heard::Welcome(welcome)
            }
            Some(ToGate::Credit(credit)) => Heard::Credit(credit),
            Some(ToGate::Policy(chunk)) => self.chunk(&chunk),
            Some(ToGate::Brake(brake)) => Heard::Brake(brake),
            // What a guard did not say it understands, or a word of a later version.
            _ => Heard::Nothing,
        }
    }

    fn chunk(&mut self, chunk: &v1::PolicyChunk) -> Heard {
        match self.load(chunk) {
            Ok(None) => Heard::Nothing,
            Ok(Some(policy)) => {
                self.say(FromGate::PolicyAck(acknowledged(chunk, String::new())));
                Heard::Policy(policy)
            }
            Err(problem) => {
                self.loader = None;
                tracing::error!(revision = chunk.revision, problem, "the policy is refused, the one in force stays");
                self.say(FromGate::PolicyAck(acknowledged(chunk, problem)));
                Heard::Refused
            }
        }
    }

    fn load(&mut self, chunk: &v1::PolicyChunk) -> Result<Option<Box<Policy>>, String> {
        if chunk.offset == 0 {
            let begun =
                ImageLoader::begin(chunk.revision, chunk.total_bytes.into(), &chunk.digest, chunk.image_version);
            self.loader = Some(begun.map_err(|error| error.to_string())?);
        }
        // A chunk of an image that was refused already.
        let Some(loader) = &mut self.loader else { return Ok(None) };
        loader.chunk(&chunk.digest, chunk.offset.into(), &chunk.data).map_err(|error| error.to_string())?;
        loop {
            match loader.work(UNITS).map_err(|error| error.to_string())? {
                Progress::Busy => {}
                Progress::Waiting => return Ok(None),
                Progress::Done(policy) => {
                    self.loader = None;
                    return Ok(Some(policy));
                }
            }
        }
    }

    fn down(&mut self, problem: &str) -> Heard {
        tracing::warn!(problem, "the stream to the house ended; what is in force goes on");
        self.state = State::Down;
        self.loader = None;
        self.pause = (self.pause * 2).clamp(PAUSE.0, PAUSE.1);
        Heard::Closed
    }

    /// Few and small: there is room for them, or the house does not listen.
    fn say(&mut self, message: FromGate) {
        if let State::Open { to_house, .. } = &self.state {
            let _ = to_house.try_send(v1::GateMessage { message: Some(message) });
        }
    }
}

fn acknowledged(chunk: &v1::PolicyChunk, problem: String) -> v1::PolicyAck {
    use v1::policy_ack::Result;
    v1::PolicyAck {
        revision: chunk.revision,
        digest: chunk.digest.clone(),
        result: if problem.is_empty() { Result::Accepted } else { Result::Refused }.into(),
        problem,
        ..v1::PolicyAck::default()
    }
}

fn words(error: Option<io::Error>) -> String {
    error.map(|error| error.to_string()).unwrap_or_default()
}

type Stream = (mpsc::Sender<v1::GateMessage>, Streaming<v1::HouseMessage>);

async fn open(house: &House) -> io::Result<Stream> {
    let (to_house, messages) = mpsc::channel(ROOM);
    let channel = connect(house).await?;
    let answers = HouseClient::new(channel).attach(ReceiverStream::new(messages)).await.map_err(io::Error::other)?;
    Ok((to_house, answers.into_inner()))
}

async fn connect(house: &House) -> io::Result<Channel> {
    // The name is for HTTP only: where it leads is the connector's.
    let endpoint = Endpoint::from_static("http://gatehouse")
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5));
    let channel = match house.clone() {
        House::Unix(path) => {
            let reach = service_fn(move |_: Uri| {
                let path = path.clone();
                async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
            });
            endpoint.connect_with_connector(reach).await
        }
        House::Tls { address, name, tls } => {
            let client = tls.client(b"h2").map_err(|trouble| io::Error::other(trouble.message().to_owned()))?;
            let connector = TlsConnector::from(std::sync::Arc::new(client));
            let name = ServerName::try_from(name).map_err(io::Error::other)?;
            let reach = service_fn(move |_: Uri| {
                let (connector, name) = (connector.clone(), name.clone());
                async move {
                    let stream = TcpStream::connect(address).await?;
                    Ok::<_, io::Error>(TokioIo::new(connector.connect(name, stream).await?))
                }
            });
            endpoint.connect_with_connector(reach).await
        }
    };
    channel.map_err(io::Error::other)
}
