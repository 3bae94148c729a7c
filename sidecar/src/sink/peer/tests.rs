//! Every sink over HTTPS before a real TLS server that takes only clients of its authority: trust that comes late, is of no
//! use, and is renewed while records flow.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_policy::document::{Problems, yaml};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::sink::Kind;
use crate::sink::board::{State, Status};
use crate::sink::tests::House;
use crate::sink::tests::pki::{FAR, Pki, swap};

const GRACE: Duration = Duration::from_secs(20);
/// The promise: what is renewed is in use after so long.
const PROMISED: Duration = Duration::from_secs(10);

/// A server whose trust is replaced while it runs; connections by the old one end then.
#[derive(Clone)]
struct Server(Arc<Mutex<Inner>>);

struct Inner {
    acceptor: TlsAcceptor,
    old: CancellationToken,
    taken: BTreeSet<u64>,
}

impl Server {
    async fn start(acceptor: TlsAcceptor) -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Inner { acceptor, old: CancellationToken::new(), taken: BTreeSet::new() };
        let server = Self(Arc::new(Mutex::new(inner)));
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, ended) = accepting.with(|inner| (inner.acceptor.clone(), inner.old.clone()));
                let server = accepting.clone();
                let serving = async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let service = service_fn(move |request| server.clone().answer(request));
                    _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
                };
                tokio::spawn(ended.run_until_cancelled_owned(serving));
            }
        });
        (server, port)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn renew(&self, acceptor: TlsAcceptor) {
        self.with(|inner| {
            inner.acceptor = acceptor;
            std::mem::take(&mut inner.old).cancel();
        });
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let otlp = request.uri().path() == "/v1/logs";
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let sequences = if otlp { of_otlp(&body) } else { of_lines(&body) };
        self.with(|inner| inner.taken.extend(sequences));
        let answer = if otlp { ExportLogsServiceResponse::default().encode_to_vec() } else { b"{}".to_vec() };
        Ok(Response::new(Full::new(answer.into())))
    }
}

fn sequence(event: &Value) -> u64 {
    event["unmapped"]["gatehouse"]["sequence"].as_u64().unwrap()
}

fn of_lines(body: &[u8]) -> Vec<u64> {
    serde_json::Deserializer::from_slice(body).into_iter().map(|event| sequence(&event.unwrap())).collect()
}

fn of_otlp(body: &[u8]) -> Vec<u64> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let logs = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs).flat_map(|logs| logs.log_records);
    let event = |body| match body {
        Some(Any::StringValue(text)) => sequence(&serde_json::from_str(&text).unwrap()),
        other => panic!("no text: {other:?}"),
    };
    logs.map(|log| event(log.body.unwrap().value)).collect()
}

/// Both kinds, by the same files.
fn sinks(port: u16, folder: &Path) -> [Kind; 2] {
    let file = |name: &str| folder.join("..data").join(name).display().to_string();
    let tls = format!("tls: {{ ca: {}, certificate: {}, key: {} }}", file("ca.pem"), file("tls.crt"), file("tls.key"));
    let rest = format!("compress: none, {tls} }}");
    ["https: { format: ndjson, url: https://localhost:PORT/in, ", "otlp: { url: https://localhost:PORT/v1/logs, "].map(
        |begin| {
            let text = begin.replace("PORT", &port.to_string()) + &rest;
            let documents = yaml("house.yaml", &text).unwrap();
            let mut problems = Problems::default();
            let kind = Kind::read("events", &documents[0], &mut problems);
            assert_eq!(problems.to_string(), "");
            kind.unwrap()
        },
    )
}

fn says(status: &Status, words: &[&str]) -> bool {
    let problem = status.problem.as_deref().unwrap_or_default();
    words.iter().all(|word| problem.contains(word))
}

/// Records go on coming until `reached`, which must be within the promised time.
async fn while_records_flow(house: &mut House, reached: impl Fn(&Status) -> bool) {
    let began = Instant::now();
    while !reached(&house.running.board.status()) {
        assert!(began.elapsed() < PROMISED, "not within the promised time: {:?}", house.running.board.status());
        house.store(3, |_| {}).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn trust_that_is_late_or_of_no_use_is_waited_for_with_words_that_say_what_to_do() {
    let (authority, stranger) = (Pki::new("right"), Pki::new("another"));
    for kind in 0..2 {
        let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (server, port) = Server::start(authority.acceptor()).await;
        let mut house = House::start(data.path(), &sinks(port, files.path())[kind], 1, GRACE);
        house.store(5, |_| {}).await;
        let waits = |words: &'static [&'static str]| {
            move |status: &Status| status.state == State::Waiting && says(status, words)
        };
        house.until(waits(&["trust material (", "ca.pem", "No such file"])).await;
        swap(files.path(), "v1", &["not PEM", "not PEM", "not PEM"]);
        house.until(waits(&["ca.pem", "it holds no certificate in PEM; write one there"])).await;
        authority.mount(files.path(), "v2", 2020);
        house.until(waits(&["tls.crt", "it expired at 2020-01-01T00:00:00.000Z; renew it"])).await;
        stranger.mount(files.path(), "v3", FAR);
        house.until(|status| says(status, &["UnknownIssuer", "to the file of `tls.ca`"])).await;
        // Its authority is right, and the client's certificate is of another one.
        let (certificate, key) = stranger.issue(2999);
        swap(files.path(), "v4", &[&authority.ca.pem(), &certificate.pem(), &key.serialize_pem()]);
        house.until(|status| says(status, &["the peer does not take our certificate"])).await;
        assert_eq!(house.running.board.status().tallies.delivered, 0);
        authority.mount(files.path(), "v5", 2031);
        let came = Instant::now();
        house.until(|status| status.tallies.delivered == 5).await;
        assert!(came.elapsed() < PROMISED, "{:?}", came.elapsed());
        let told = house.until(|status| status.trust.iter().any(|own| own.expires.starts_with("2031-01-01"))).await;
        assert_eq!(told.trust.len(), 2, "{:?}", told.trust);
        assert_eq!(house.stop().await.tallies.dead_lettered, 0);
        assert_eq!(server.with(|inner| inner.taken.clone()), (1..=5).collect());
    }
}

#[tokio::test]
async fn a_new_authority_is_taken_up_within_ten_seconds_while_records_flow() {
    for kind in 0..2 {
        let (old, new) = (Pki::new("old"), Pki::new("new"));
        let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (server, port) = Server::start(old.acceptor()).await;
        old.mount(files.path(), "v1", FAR);
        let mut house = House::start(data.path(), &sinks(port, files.path())[kind], 1, GRACE);
        while_records_flow(&mut house, |status| status.tallies.delivered > 20).await;
        server.renew(new.acceptor());
        while_records_flow(&mut house, |status| status.state == State::Retrying).await;
        let held = house.running.board.status().tallies.delivered;
        new.mount(files.path(), "v2", FAR);
        while_records_flow(&mut house, |status| status.tallies.delivered > held).await;
        let stored = house.stored();
        house.until(|status| status.tallies.delivered == stored).await;
        assert_eq!(house.stop().await.tallies.dead_lettered, 0);
        assert_eq!(server.with(|inner| inner.taken.clone()), (1..=stored).collect(), "none is lost, none is left");
    }
}
