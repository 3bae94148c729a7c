//! A house that lies: it takes the real one's socket, and each stream that a gate opens is told the next of its lies.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_proto::v1::{self, HouseMessage, house_message};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// So long a lie without an end is told, unless the gate has hung up before.
const ENDLESS: Duration = Duration::from_secs(3);
/// So much a lie without an end says at once.
const AT_ONCE: usize = 32;

/// What is said on a stream that a gate opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The stream ends at once: no such service.
    Unimplemented,
    /// Bytes that are no message.
    Garbage,
    /// A welcome of another version of the protocol.
    OtherProtocol,
    /// A message of 8 MiB.
    Huge,
    /// The length of a message that never comes.
    CutShort,
    /// More is acknowledged than was ever sent.
    FalseCredit,
    /// A policy in a format that no gate reads.
    OtherImage,
    /// A policy whose bytes are not those that its digest names.
    WrongDigest,
    /// A policy of noise under its own digest.
    Noise,
    /// Beginnings of policies, one after the other, without an end.
    EndlessPolicy,
    /// Messages of a kind that nobody knows, without an end.
    EndlessUnknown,
}

/// Every lie, in the order in which they are told.
pub const LIES: [Lie; 11] = [
    Lie::Unimplemented,
    Lie::Garbage,
    Lie::OtherProtocol,
    Lie::Huge,
    Lie::CutShort,
    Lie::FalseCredit,
    Lie::OtherImage,
    Lie::WrongDigest,
    Lie::Noise,
    Lie::EndlessPolicy,
    Lie::EndlessUnknown,
];

/// The house that lies; it stops when it is dropped.
#[derive(Debug)]
pub struct Liar {
    told: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Liar {
    /// Takes over this socket.
    ///
    /// # Errors
    /// It cannot be bound.
    pub fn start(socket: &Path) -> io::Result<Self> {
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(socket)?;
        let told = Arc::new(AtomicUsize::new(0));
        let serving = tokio::spawn(serve(listener, Arc::clone(&told)));
        Ok(Self { told, serving })
    }

    /// Streams that were lied to.
    #[must_use]
    pub fn told(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }
}

async fn serve(listener: UnixListener, told: Arc<AtomicUsize>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let told = Arc::clone(&told);
        let service = service_fn(move |request| attach(request, Arc::clone(&told)));
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        connections.spawn(async move { builder.serve_connection(TokioIo::new(stream), service).await });
    }
}

async fn attach(request: Request<Incoming>, told: Arc<AtomicUsize>) -> Result<Response<Channel<Bytes>>, Infallible> {
    let number = told.fetch_add(1, Ordering::SeqCst);
    let lie = LIES.get(number % LIES.len()).copied().unwrap_or(Lie::Garbage);
    let (sender, channel) = Channel::new(4);
    tokio::spawn(async move {
        // The stream stays open for as long as the request is held.
        let _request = request;
        tell(lie, sender).await;
    });
    let response = Response::builder().header("content-type", "application/grpc");
    Ok(response.body(channel).expect("a response of fixed parts"))
}

async fn tell(lie: Lie, mut sender: Sender<Bytes, Infallible>) {
    if lie == Lie::Unimplemented {
        let trailers =
            HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("12"))]);
        let _ = sender.send_trailers(trailers).await;
        return;
    }
    let end = Instant::now() + ENDLESS;
    for said in opening(lie) {
        if sender.send_data(said).await.is_err() {
            return;
        }
    }
    let Some(next) = endless(lie) else {
        // The gate hangs up, or keeps a stream on which nothing more is said.
        sleep(ENDLESS).await;
        return;
    };
    for revision in 1.. {
        let mut bytes = BytesMut::new();
        (0..AT_ONCE).for_each(|_| bytes.extend_from_slice(&next(revision)));
        if Instant::now() > end || sender.send_data(bytes.freeze()).await.is_err() {
            return;
        }
    }
}

/// What is said first.
fn opening(lie: Lie) -> Vec<Bytes> {
    let welcome = |protocol| {
        message(house_message::Message::Welcome(v1::Welcome {
            protocol,
            house_version: "0.0.0".into(),
            hash_key_id: 7,
            hash_key: vec![7; 16],
            address_form: 3,
        }))
    };
    let image = |version, digest: &[u8], data: &[u8]| {
        message(house_message::Message::Policy(v1::PolicyChunk {
            revision: u64::MAX,
            digest: digest.to_vec(),
            total_bytes: u32::try_from(data.len()).unwrap_or(u32::MAX),
            offset: 0,
            data: data.to_vec(),
            image_version: version,
        }))
    };
    let noise: Vec<u8> = (0..100_000u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let own = Sha256::digest(&noise);
    let known = gatehouse_policy::IMAGE_VERSION;
    match lie {
        Lie::Unimplemented => Vec::new(),
        Lie::Garbage => vec![frame(&[0xff; 300])],
        Lie::OtherProtocol => vec![welcome(gatehouse_proto::PROTOCOL + 1)],
        Lie::Huge => vec![welcome(gatehouse_proto::PROTOCOL), frame(&vec![0; 8 << 20])],
        Lie::CutShort => vec![welcome(gatehouse_proto::PROTOCOL), Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 1])],
        Lie::FalseCredit => {
            let credit = v1::Credit { epoch: 1, durable_seq: u64::MAX, window_bytes: u32::MAX };
            vec![welcome(gatehouse_proto::PROTOCOL), message(house_message::Message::Credit(credit))]
        }
        Lie::OtherImage => vec![welcome(gatehouse_proto::PROTOCOL), image(known + 1, &own, &noise)],
        Lie::WrongDigest => vec![welcome(gatehouse_proto::PROTOCOL), image(known, &[9; 32], &noise)],
        Lie::Noise => vec![welcome(gatehouse_proto::PROTOCOL), image(known, &own, &noise)],
        Lie::EndlessPolicy | Lie::EndlessUnknown => vec![welcome(gatehouse_proto::PROTOCOL)],
    }
}

/// What is said again and again, by a number that grows.
fn endless(lie: Lie) -> Option<fn(u64) -> Bytes> {
    match lie {
        Lie::EndlessPolicy => Some(|revision| {
            message(house_message::Message::Policy(v1::PolicyChunk {
                revision,
                digest: vec![revision as u8; 32],
                total_bytes: 4 << 20,
                offset: 0,
                data: vec![1; 32 << 10],
                image_version: gatehouse_policy::IMAGE_VERSION,
            }))
        }),
        // Field 99, eight bytes.
        Lie::EndlessUnknown => Some(|_| frame(&[0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8])),
        _ => None,
    }
}

fn message(message: house_message::Message) -> Bytes {
    frame(&HouseMessage { message: Some(message) }.encode_to_vec())
}

/// A message as gRPC frames it: not compressed, its length, its bytes.
fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}
