//! The sink before a real gRPC server of the logs service, by TLS that asks clients for a certificate.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::HeaderMap;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};

use super::{GRACE, otlp, text};
use crate::sink::otlp::messages::{Delay, Detail, Details, RetryInfo};
use crate::sink::tests::pki::{FAR, Pki};
use crate::sink::tests::{House, lines};

/// Larger than what one side of a connection may hold back.
const PIPE: usize = 1 << 20;

#[derive(Default)]
struct Seen {
    /// Answers given in place of taking anything.
    fails: VecDeque<Status>,
    /// What every request said beside its events, and when it came.
    asked: Vec<(Instant, HeaderMap)>,
    /// The ends of ids that are refused.
    refused: Vec<&'static str>,
    taken: Vec<String>,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Seen>>);

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let mut seen = self.0.lock().unwrap();
        let (metadata, _, request) = request.into_parts();
        seen.asked.push((Instant::now(), metadata.into_headers()));
        if let Some(status) = seen.fails.pop_front() {
            return Err(status);
        }
        let logs = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs).flat_map(|logs| logs.log_records);
        let ids: Vec<String> = logs.map(|log| text(&log, "log.record.uid")).collect();
        let many = ids.len();
        let good = |id: &String| !seen.refused.iter().any(|end| id.ends_with(end));
        let good: Vec<String> = ids.into_iter().filter(good).collect();
        let rejected_log_records = i64::try_from(many - good.len()).unwrap();
        seen.taken.extend(good);
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: "not these".into() };
        Ok(Response::new(ExportLogsServiceResponse { partial_success: Some(partial) }))
    }
}

impl Collector {
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// Serves on loopback by TLS.
    async fn serve(&self, tls: TlsAcceptor) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, incoming) = tokio::sync::mpsc::channel::<std::io::Result<_>>(8);
        let service = LogsServiceServer::new(self.clone()).accept_compressed(CompressionEncoding::Gzip);
        let serving = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(ReceiverStream::new(incoming)));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, connections) = (tls.clone(), connections.clone());
                tokio::spawn(async move {
                    let Ok(mut outer) = tls.accept(tcp).await else { return };
                    assert_eq!(outer.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                    let (mut inner, served) = tokio::io::duplex(PIPE);
                    connections.send(Ok(served)).await.unwrap();
                    _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        port
    }

    /// What requests said under a name, each once, in the order of their coming.
    fn said(&self, name: &str) -> Vec<String> {
        let values = |seen: &mut Seen| {
            let values = seen.asked.iter().filter_map(|(_, headers)| headers.get(name));
            values.map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let mut said: Vec<String> = self.with(values);
        said.dedup();
        said
    }
}

/// The sink over mutual TLS with files in `folder`, and more of its configuration.
fn sink(port: u16, folder: &Path, more: &str) -> crate::sink::Kind {
    let file = |name: &str| folder.join("..data").join(name).display().to_string();
    otlp(&format!(
        "protocol: grpc\nurl: https://localhost:{port}\ntls: {{ ca: {}, certificate: {}, key: {} }}\n{more}",
        file("ca.pem"),
        file("tls.crt"),
        file("tls.key")
    ))
}

/// `Unavailable` that asks for a pause.
fn busy(seconds: i64) -> Status {
    let info = RetryInfo { delay: Some(Delay { seconds, nanos: 0 }) };
    let detail = Detail { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info.encode_to_vec() };
    let details = Details { details: vec![detail] };
    Status::with_details(Code::Unavailable, "full", details.encode_to_vec().into())
}

#[tokio::test]
async fn a_login_and_own_headers_come_with_every_request_and_a_renewed_one_is_taken_up() {
    let (pki, data, files) = (Pki::new("authority"), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pki.mount(files.path(), "v1", FAR);
    let path = |name: &str| files.path().join(name).display().to_string();
    std::fs::write(path("secret"), "hunter2\n").unwrap();
    std::fs::write(path("key"), "k1").unwrap();
    let logins = [
        (format!("auth: {{ token_file: {} }}", path("secret")), ["Bearer hunter2", "Bearer renewed"]),
        (
            format!("auth: {{ username: shop, password_file: {} }}", path("secret")),
            ["Basic c2hvcDpodW50ZXIy", "Basic c2hvcDpyZW5ld2Vk"],
        ),
    ];
    for (login, said) in logins {
        std::fs::write(path("secret"), "hunter2\n").unwrap();
        let (collector, folder) = (Collector::default(), data.path().join(said[0].split(' ').next().unwrap()));
        std::fs::create_dir(&folder).unwrap();
        let port = collector.serve(pki.acceptor()).await;
        let own = format!("{login}\nheaders: {{ X-Tenant: shop7, x-api-key: {{ file: {} }} }}\n", path("key"));
        let mut house = House::start(&folder, &sink(port, files.path(), &own), 1, GRACE);
        house.store(3, |_| {}).await;
        house.until(|status| status.tallies.delivered == 3).await;
        collector.with(|seen| seen.fails = [Status::unauthenticated("who"), Status::permission_denied("no")].into());
        house.store(3, |_| {}).await;
        let told = |status: &crate::sink::board::Status| {
            status.problem.as_deref().unwrap_or_default().contains("the login is refused")
        };
        house.until(told).await;
        house.until(|status| status.tallies.delivered == 6).await;
        std::fs::write(path("secret"), "renewed\n").unwrap();
        house.store(3, |_| {}).await;
        let status = house.until(|status| status.tallies.delivered == 9).await;
        assert_eq!((status.tallies.failures, status.tallies.dead_lettered), (2, 0));
        house.stop().await;
        assert_eq!(collector.said("authorization"), said);
        assert_eq!(
            (collector.said("x-tenant"), collector.said("x-api-key")),
            (vec!["shop7".into()], vec!["k1".into()])
        );
        assert_eq!(collector.with(|seen| seen.asked.iter().filter(|(_, said)| said.len() < 3).count()), 0);
    }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept_and_what_is_refused_alone_is_a_dead_letter() {
    let (pki, data, files) = (Pki::new("authority"), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pki.mount(files.path(), "v1", FAR);
    let collector = Collector::default();
    collector.with(|seen| {
        seen.fails = [busy(3), Status::resource_exhausted("received message larger than max")].into();
        seen.refused = vec!["0000000000000005"];
    });
    let port = collector.serve(pki.acceptor()).await;
    let mut house = House::start(data.path(), &sink(port, files.path(), ""), 1, GRACE);
    house.store(16, |_| {}).await;
    let status = house.until(|status| status.tallies.delivered == 15).await;
    assert_eq!((status.tallies.failures, status.tallies.dead_lettered), (1, 1));
    house.stop().await;
    let (pause, mut taken) = collector.with(|seen| (seen.asked[1].0 - seen.asked[0].0, seen.taken.clone()));
    assert!(pause >= Duration::from_secs(3), "{pause:?}");
    let all = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 15, "{taken:?}");
    let copies = (all - taken.len()) as u64;
    assert!(copies > 0 && copies <= status.tallies.duplicates, "{copies} {}", status.tallies.duplicates);
    let letters = lines(&data.path().join("events.dead.ndjson"));
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["event"]["unmapped"]["gatehouse"]["sequence"], 5);
    assert!(letters[0].to_string().contains("not these"), "{}", letters[0]);
}
