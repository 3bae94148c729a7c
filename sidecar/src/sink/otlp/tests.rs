//! The sink between a real spool and a real HTTP server that reads with the messages that OpenTelemetry publishes.

mod grpc;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_policy::document::{Problems, yaml};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;
use tokio::net::TcpListener;

use super::Config;
use crate::sink::Kind;
use crate::sink::tests::{House, lines};

const GRACE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Seen {
    /// Answers given in place of taking anything: status and `retry-after`.
    fails: VecDeque<(u16, Option<u32>)>,
    taken: Vec<LogRecord>,
    /// Refused in part, by the end of their ids.
    refused: Vec<&'static str>,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Seen>>);

impl Collector {
    async fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = self.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let collector = collector.clone();
                let service = service_fn(move |request| collector.clone().answer(request));
                tokio::spawn(async move {
                    _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
                });
            }
        });
        port
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        assert_eq!(
            (request.uri().path(), &request.headers()["content-type"]),
            ("/v1/logs", &"application/x-protobuf".parse().unwrap())
        );
        let gzip = request.headers().contains_key("content-encoding");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut seen = self.0.lock().unwrap();
        if let Some((status, pause)) = seen.fails.pop_front() {
            let mut answer = Response::builder().status(status);
            if let Some(pause) = pause {
                answer = answer.header("retry-after", pause);
            }
            return Ok(answer.body(Full::default()).unwrap());
        }
        let mut plain = body.to_vec();
        if gzip {
            plain.clear();
            flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
        }
        let request = ExportLogsServiceRequest::decode(&*plain).unwrap();
        let records = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
        let records: Vec<LogRecord> = records.flat_map(|logs| logs.log_records).collect();
        let many = records.len();
        let refused: Vec<&str> = seen.refused.clone();
        let good = |record: &LogRecord| !refused.iter().any(|end| text(record, "log.record.uid").ends_with(end));
        let good: Vec<LogRecord> = records.into_iter().filter(good).collect();
        let rejected_log_records = (many - good.len()) as i64;
        seen.taken.extend(good);
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: "not these".into() };
        let answer = ExportLogsServiceResponse { partial_success: Some(partial) };
        Ok(Response::new(Full::new(answer.encode_to_vec().into())))
    }

    /// How often each id was taken.
    fn ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for record in &self.0.lock().unwrap().taken {
            *ids.entry(text(record, "log.record.uid")).or_default() += 1;
        }
        ids
    }
}

fn text(record: &LogRecord, key: &str) -> String {
    let found = record.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn otlp(text: &str) -> Kind {
    let documents = yaml("house.yaml", text).unwrap();
    let mut problems = Problems::default();
    let config = Config::read(&documents[0], &mut problems);
    assert_eq!(problems.to_string(), "");
    Kind::Otlp(Box::new(config.unwrap()))
}

#[tokio::test]
async fn events_are_log_records_with_the_names_of_the_semantic_conventions() {
    use gatehouse_proto::v1::{Downstream, Judgement, Record, Request, Response};
    for compress in ["gzip", "none"] {
        let data = tempfile::tempdir().unwrap();
        let collector = Collector::default();
        let port = collector.serve().await;
        let kind = otlp(&format!("url: http://127.0.0.1:{port}/v1/logs\ncompress: {compress}\n"));
        let mut house = House::start(data.path(), &kind, 1, GRACE);
        let record = Record {
            id: gatehouse_verdict::record::RecordId { epoch: 7, sequence: 1 }.to_bytes().to_vec(),
            start_unix_ns: 1_767_225_599_001_000_000,
            downstream: Some(Downstream { client_address: "192.0.2.7".into(), ..Downstream::default() }),
            request: Some(Request {
                method: "POST".into(),
                path: "/login".into(),
                user_agent: "curl/8".into(),
                ..Request::default()
            }),
            response: Some(Response { status: 403, ..Response::default() }),
            judgement: Some(Judgement { action: 2, rule: "shop/guard".into(), ..Judgement::default() }),
            ..Record::default()
        };
        house.store(0, |batch| batch.records.push(record.encode_to_vec())).await;
        house.until(|status| status.tallies.delivered == 1).await;
        house.stop().await;
        let seen = collector.0.lock().unwrap();
        let log = &seen.taken[0];
        for (key, value) in [
            ("http.request.method", "POST"),
            ("url.path", "/login"),
            ("client.address", "192.0.2.7"),
            ("http.response.status_code", "403"),
            ("user_agent.original", "curl/8"),
            ("gatehouse.action", "block"),
            ("gatehouse.rule", "shop/guard"),
            ("log.record.uid", "00000000000000070000000000000001"),
        ] {
            assert_eq!(text(log, key), value, "{key}");
        }
        assert_eq!((log.time_unix_nano, log.severity_number), (1_767_225_599_001_000_000, 13));
        assert_eq!((log.event_name.as_str(), log.severity_text.as_str()), ("gatehouse.record", "WARN"));
        let Some(Value::StringValue(body)) = log.body.clone().unwrap().value else { panic!("no text") };
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["class_uid"], 4002);
    }
}

#[tokio::test]
async fn a_collector_that_fails_or_refuses_in_part_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    {
        let mut seen = collector.0.lock().unwrap();
        seen.fails = [(503, Some(1)), (429, Some(0)), (502, None), (401, None), (404, None)].into();
        seen.refused = vec!["0000000000000005"];
    }
    let port = collector.serve().await;
    let mut house = House::start(data.path(), &otlp(&format!("url: http://127.0.0.1:{port}/v1/logs\n")), 1, GRACE);
    house.store(16, |_| {}).await;
    let status = house.until(|status| status.tallies.delivered == 15).await;
    assert_eq!((status.tallies.failures, status.tallies.dead_lettered), (5, 1));
    house.stop().await;
    let ids = collector.ids();
    assert_eq!(ids.len(), 15, "{ids:?}");
    let copies: usize = ids.values().map(|times| times - 1).sum();
    assert!(copies > 0 && copies as u64 <= status.tallies.duplicates, "{copies} {}", status.tallies.duplicates);
    let letters = lines(&data.path().join("events.dead.ndjson"));
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["event"]["unmapped"]["gatehouse"]["sequence"], 5);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    for (text, message) in [
        ("url: http://otel.example:4318/v1/logs\n", "house.yaml:1:6: events would travel in clear text"),
        ("url: https://otel.example/v1/logs\ncompress: zstd\n", "unknown word `zstd`"),
        ("url: http://127.0.0.1:4318/v1/logs\ntls: {}\n", "`tls` stands beside a URL of plain `http`"),
        ("url: https://otel.example/v1/logs\nprotocol: grpc\n", "a URL for `protocol: grpc` has no path"),
    ] {
        let documents = yaml("house.yaml", text).unwrap();
        let mut problems = Problems::default();
        Config::read(&documents[0], &mut problems);
        assert!(problems.to_string().contains(message), "{text}: {problems}");
    }
}
