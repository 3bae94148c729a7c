//! The peer of the HTTPS and OTLP sinks: one server by TLS that takes everything, over HTTP/1.1 and gRPC (HTTP/2).
//!
//! Bodies are kept as they came and read after the run, so that the server takes as little of the cores as may be while the house is
//! measured.

mod read;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gatehouse_support::tls::Authority;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An empty message of gRPC: not compressed, no bytes.
const EMPTY: &[u8] = &[0; 5];
/// What a client may have on its way over HTTP/2.
const WINDOW: u32 = 4 << 20;

/// A running collector; it ends with this value.
pub(crate) struct Collector {
    authority: Authority,
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    task: JoinHandle<()>,
}

/// One body.
struct Taken {
    form: Form,
    encoding: Option<HeaderValue>,
    bytes: Bytes,
}

/// What is in a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One event a line.
    Lines,
    /// An export of OpenTelemetry's logs service.
    Protobuf,
    /// The same, in messages of gRPC.
    Grpc,
}

impl Collector {
    /// Starts on a free port, with an authority of its own.
    pub(crate) async fn start() -> Self {
        let authority = Authority::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the collector");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::default();
        let task =
            tokio::spawn(accept(listener, authority.acceptor("collector", &["h2", "http/1.1"]), Arc::clone(&taken)));
        Self { authority, address, taken, task }
    }

    /// Batches posted by HTTPS.
    pub(crate) fn https(&self, compress: &str) -> Value {
        json!({ "https": { "url": self.url("/ingest"), "compress": compress, "tls": self.tls() } })
    }

    /// Log records of OpenTelemetry: by `http` or `grpc`.
    pub(crate) fn otlp(&self, protocol: &str) -> Value {
        let url = self.url(if protocol == "grpc" { "" } else { "/v1/logs" });
        json!({ "otlp": { "url": url, "protocol": protocol, "tls": self.tls() } })
    }

    /// The ids of all events that came since the last call, each as often as it came. Blocks while it reads.
    pub(crate) fn ids(&self) -> Vec<String> {
        let taken = std::mem::take(&mut *self.taken.lock().expect("the bodies"));
        taken.iter().flat_map(read::ids).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn tls(&self) -> Value {
        json!({ "ca": self.authority.root() })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, taken: Arc<Mutex<Vec<Taken>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that fails shows at the house, which tries again.
        tokio::spawn(serve(stream, tls.clone(), Arc::clone(&taken)));
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, taken: Arc<Mutex<Vec<Taken>>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let stream = tls.accept(stream).await.ok()?;
    let by_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| answer(request, Arc::clone(&taken)));
    if by_two {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
        builder.serve_connection(TokioIo::new(stream), service).await.ok()
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok()
    }
}

type Answer = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

async fn answer(request: Request<Incoming>, taken: Arc<Mutex<Vec<Taken>>>) -> Result<Response<Answer>, hyper::Error> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).cloned().unwrap_or_else(|| HeaderValue::from_static(""));
    let form = match kind.as_bytes() {
        grpc if grpc.starts_with(b"application/grpc") => Form::Grpc,
        b"application/x-protobuf" => Form::Protobuf,
        _ => Form::Lines,
    };
    let name = if form == Form::Grpc { "grpc-encoding" } else { CONTENT_ENCODING.as_str() };
    let encoding = head.headers.get(name).cloned();
    let bytes = body.collect().await?.to_bytes();
    taken.lock().expect("the bodies").push(Taken { form, encoding, bytes });
    let (body, trailers) = match form {
        Form::Grpc => (EMPTY, Some(Ok(HeaderMap::from_iter([(grpc_status(), HeaderValue::from_static("0"))])))),
        Form::Lines | Form::Protobuf => (&[][..], None),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body)).with_trailers(ready(trailers)));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

fn grpc_status() -> http::HeaderName {
    http::HeaderName::from_static("grpc-status")
}
