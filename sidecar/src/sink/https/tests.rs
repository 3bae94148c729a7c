//! The sink between a real spool and a real HTTP server that fails in every way that matters.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_policy::document::{Problems, yaml};
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Channel, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Config;
use crate::sink::Kind;
use crate::sink::board::State;
use crate::sink::tests::pki::{FAR, Pki};
use crate::sink::tests::{House, lines};

const GRACE: Duration = Duration::from_secs(20);

/// How the server answers one request; by default it takes everything.
#[derive(Debug, Clone)]
enum Act {
    /// Takes nothing and answers so.
    Status(u16, &'static str),
    /// Takes nothing and asks for a pause, seconds.
    Pause(u16, u32),
    /// Takes everything and ends the answer in its middle.
    Cut,
    /// Takes everything and never answers.
    Silent,
}

#[derive(Default)]
struct Seen {
    acts: VecDeque<Act>,
    /// Ids of the events taken, by sequence, in the order taken.
    taken: Vec<u64>,
    requests: Vec<(http::HeaderMap, usize)>,
    /// Sequences that are refused; the whole batch with them, as collectors do, but for bulk.
    poison: Vec<u64>,
    bulk: bool,
    /// Sequences that a bulk answer tells to send again, once each.
    busy: Vec<u64>,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Seen>>);

impl Collector {
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// Serves on loopback; by TLS where an acceptor is given. Returns the port.
    async fn serve(&self, tls: Option<TlsAcceptor>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = self.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (collector, tls) = (collector.clone(), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| collector.clone().answer(request));
                    let http = hyper::server::conn::http1::Builder::new();
                    match tls {
                        None => _ = http.serve_connection(TokioIo::new(tcp), service).await,
                        Some(tls) => {
                            if let Ok(tls) = tls.accept(tcp).await {
                                _ = http.serve_connection(TokioIo::new(tls), service).await;
                            }
                        }
                    }
                });
            }
        });
        port
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let sequences = sequences(&head.headers, &body);
        let act = self.with(|seen| {
            seen.requests.push((head.headers, sequences.len()));
            seen.acts.pop_front()
        });
        let mut answer = Response::builder();
        let full = |text: String| Full::new(Bytes::from(text)).boxed();
        let body = match act {
            Some(Act::Status(status, text)) => {
                answer = answer.status(status);
                full(text.into())
            }
            Some(Act::Pause(status, seconds)) => {
                answer = answer.status(status).header("retry-after", seconds);
                full(String::new())
            }
            Some(Act::Cut) => {
                self.with(|seen| seen.taken.extend(&sequences));
                answer = answer.header("content-length", 100);
                let (mut sender, body) = Channel::<Bytes, Infallible>::new(2);
                sender.send_data(Bytes::from_static(b"{\"code\"")).await.unwrap();
                body.boxed()
            }
            Some(Act::Silent) => {
                self.with(|seen| seen.taken.extend(&sequences));
                std::future::pending().await
            }
            None => {
                let (status, text) = self.with(|seen| take(seen, &sequences));
                answer = answer.status(status);
                full(text)
            }
        };
        Ok(answer.body(body).unwrap())
    }
}

fn take(seen: &mut Seen, sequences: &[u64]) -> (u16, String) {
    if seen.bulk {
        let mut items = Vec::new();
        for sequence in sequences {
            let status = if seen.poison.contains(sequence) {
                400
            } else if let Some(place) = seen.busy.iter().position(|busy| busy == sequence) {
                seen.busy.remove(place);
                429
            } else if seen.taken.contains(sequence) {
                409
            } else {
                seen.taken.push(*sequence);
                201
            };
            items.push(serde_json::json!({ "create": { "status": status } }));
        }
        return (200, serde_json::json!({ "errors": true, "items": items }).to_string());
    }
    if sequences.iter().any(|sequence| seen.poison.contains(sequence)) {
        return (422, "no".into());
    }
    seen.taken.extend(sequences);
    (200, "{\"code\":0}".into())
}

/// The sequences of the events in a body of any format, in order.
fn sequences(headers: &http::HeaderMap, body: &[u8]) -> Vec<u64> {
    let plain = match headers.get("content-encoding").map(|value| value.to_str().unwrap()) {
        Some("gzip") => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
            plain
        }
        Some("zstd") => zstd::stream::decode_all(body).unwrap(),
        _ => body.to_vec(),
    };
    let events: Vec<Value> = serde_json::Deserializer::from_slice(&plain).into_iter().map(Result::unwrap).collect();
    let events = events.into_iter().flat_map(|event| match event {
        Value::Array(events) => events,
        event => vec![event],
    });
    let sequence = |event: Value| {
        let event = if event["event"].is_object() { event["event"].clone() } else { event };
        event["unmapped"]["gatehouse"]["sequence"].as_u64()
    };
    events.filter_map(sequence).collect()
}

fn https(text: &str) -> Kind {
    let documents = yaml("house.yaml", text).unwrap();
    let mut problems = Problems::default();
    let config = Config::read(&documents[0], &mut problems);
    assert_eq!(problems.to_string(), "");
    Kind::Https(Box::new(config.unwrap()))
}

fn sorted(collector: &Collector) -> Vec<u64> {
    let mut taken = collector.with(|seen| seen.taken.clone());
    taken.sort_unstable();
    taken
}

#[tokio::test]
async fn every_format_and_compression_arrives_whole() {
    for (format, compress) in
        [("json", "gzip"), ("ndjson", "zstd"), ("splunk", "none"), ("splunk", "gzip"), ("elasticsearch", "zstd")]
    {
        let data = tempfile::tempdir().unwrap();
        let collector = Collector::default();
        collector.with(|seen| seen.bulk = format == "elasticsearch");
        let port = collector.serve(None).await;
        let text = format!("url: http://127.0.0.1:{port}/in\nformat: {format}\ncompress: {compress}\nbatch: 4KiB\n");
        let mut house = House::start(data.path(), &https(&text), 1, GRACE);
        house.store(100, |_| {}).await;
        let status = house.until(|status| status.tallies.delivered == 100).await;
        assert_eq!((status.tallies.duplicates, status.tallies.failures), (0, 0), "{format}");
        house.stop().await;
        assert_eq!(sorted(&collector), (1..=100).collect::<Vec<_>>(), "{format} {compress}");
        assert!(collector.with(|seen| seen.requests.len()) > 5, "batches are bounded");
    }
}

#[tokio::test]
async fn a_collector_that_fails_in_every_way_loses_nothing_and_duplicates_are_counted() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    collector.with(|seen| {
        seen.acts = [
            Act::Status(500, "broken"),
            Act::Pause(429, 1),
            Act::Pause(503, 0),
            Act::Status(401, "who"),
            Act::Status(403, "no"),
            Act::Status(404, "where"),
            Act::Cut,
            Act::Silent,
        ]
        .into();
    });
    let port = collector.serve(None).await;
    let text = format!("url: http://127.0.0.1:{port}/in\ntimeout: 500ms\n");
    let mut house = House::start(data.path(), &https(&text), 1, GRACE);
    house.store(50, |_| {}).await;
    let status = house.until(|status| status.tallies.delivered == 50).await;
    house.stop().await;
    assert_eq!((status.tallies.failures, status.tallies.dead_lettered), (8, 0));
    let taken = sorted(&collector);
    let mut once = taken.clone();
    once.dedup();
    assert_eq!(once, (1..=50).collect::<Vec<_>>(), "nothing is lost");
    // Cut and silent took them; 500 and 503 may have.
    assert_eq!((taken.len() - once.len(), status.tallies.duplicates), (100, 200));
}

#[tokio::test]
async fn a_refused_login_is_told_as_such() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    collector
        .with(|seen| seen.acts = [Act::Status(401, "who"), Act::Status(401, "who"), Act::Status(403, "no")].into());
    let port = collector.serve(None).await;
    let mut house = House::start(data.path(), &https(&format!("url: http://127.0.0.1:{port}/in\n")), 1, GRACE);
    house.store(5, |_| {}).await;
    let denied = house.until(|status| status.state == State::Denied).await.problem.unwrap();
    assert!(denied.contains("the login is refused") && denied.contains(&port.to_string()), "{denied}");
    let well = house.until(|status| status.tallies.delivered == 5).await;
    assert_eq!((well.state, well.problem, well.tallies.failures), (State::Delivering, None, 3));
    house.stop().await;
}

#[tokio::test]
async fn a_poisoned_event_is_found_by_halving_and_only_it_becomes_a_dead_letter() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    collector.with(|seen| seen.poison = vec![7, 64]);
    let port = collector.serve(None).await;
    let text = format!("url: http://127.0.0.1:{port}/in\nformat: json\n");
    let mut house = House::start(data.path(), &https(&text), 1, GRACE);
    house.store(100, |_| {}).await;
    let status = house.until(|status| status.tallies.delivered == 98).await;
    assert_eq!((status.tallies.dead_lettered, status.tallies.failures), (2, 0));
    house.stop().await;
    assert_eq!(sorted(&collector), (1..=100).filter(|n| ![7, 64].contains(n)).collect::<Vec<_>>());
    let letters = lines(&data.path().join("events.dead.ndjson"));
    let letters: Vec<_> = letters.iter().map(|l| l["event"]["unmapped"]["gatehouse"]["sequence"].as_u64()).collect();
    assert_eq!(letters, [Some(7), Some(64)]);
}

#[tokio::test]
async fn splunk_names_the_event_it_does_not_take() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    // Of the first four, it has the first two; the third is refused; the fourth and on come again.
    collector.with(|seen| {
        seen.taken = vec![1, 2];
        seen.acts = [Act::Status(400, "{\"text\":\"bad\",\"code\":6,\"invalid-event-number\":2}")].into();
    });
    let port = collector.serve(None).await;
    let text = format!("url: http://127.0.0.1:{port}/services/collector\nformat: splunk\n");
    let mut house = House::start(data.path(), &https(&text), 1, GRACE);
    house.store(10, |_| {}).await;
    let status = house.until(|status| status.tallies.delivered == 9).await;
    assert_eq!((status.tallies.dead_lettered, status.tallies.failures), (1, 0));
    house.stop().await;
    assert_eq!(sorted(&collector), [1, 2, 4, 5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn a_bulk_answer_settles_each_event_and_a_lost_answer_makes_no_second_copy() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    collector.with(|seen| {
        (seen.bulk, seen.poison, seen.busy) = (true, vec![3], vec![5, 6]);
        seen.acts = [Act::Cut].into();
    });
    let port = collector.serve(None).await;
    let text = format!("url: http://127.0.0.1:{port}/events/_bulk\nformat: elasticsearch\n");
    let mut house = House::start(data.path(), &https(&text), 1, GRACE);
    house.store(10, |_| {}).await;
    let status = house.until(|status| status.tallies.delivered == 9).await;
    assert_eq!((status.tallies.dead_lettered, status.tallies.failures, status.tallies.duplicates), (1, 2, 10));
    house.stop().await;
    assert_eq!(sorted(&collector), (1..=10).collect::<Vec<_>>(), "the cut answer was of a batch taken whole");
}

fn mutual(port: u16, folder: &Path) -> Kind {
    let file = |name: &str| folder.join("..data").join(name).display().to_string();
    https(&format!(
        "url: https://localhost:{port}/in\nauth: {{ token_file: {} }}\ntls: {{ ca: {}, certificate: {}, key: {} }}\n",
        folder.join("token").display(),
        file("ca.pem"),
        file("tls.crt"),
        file("tls.key")
    ))
}

#[tokio::test]
async fn trust_material_is_waited_for_and_taken_up_when_it_comes_and_when_it_is_renewed() {
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second, collector) = (Pki::new("authority"), Pki::new("authority"), Collector::default());
    let port = collector.serve(Some(first.acceptor())).await;
    let mut house = House::start(data.path(), &mutual(port, files.path()), 1, GRACE);
    house.store(5, |_| {}).await;
    let waiting = house.until(|status| status.state == State::Waiting).await.problem.unwrap();
    assert!(waiting.starts_with("trust material (") && waiting.contains("ca.pem"), "{waiting}");
    // Files that are of no use are waited for too, and those of another authority are refused by TLS.
    std::fs::write(files.path().join("token"), "hunter2\n").unwrap();
    std::fs::create_dir(files.path().join("..data")).unwrap();
    for name in ["ca.pem", "tls.crt", "tls.key"] {
        std::fs::write(files.path().join("..data").join(name), "not PEM").unwrap();
    }
    let told = |status: &crate::sink::board::Status| status.problem.as_deref().unwrap_or_default().contains("no cert");
    assert_eq!(house.until(told).await.state, State::Waiting);
    std::fs::remove_dir_all(files.path().join("..data")).unwrap();
    second.mount(files.path(), "v1", FAR);
    house.until(|status| status.state == State::Retrying).await;
    first.mount(files.path(), "v2", FAR);
    house.until(|status| status.tallies.delivered == 5).await;
    // Renewed while it works: the next batch goes over a connection of the new files.
    first.mount(files.path(), "v3", FAR);
    std::fs::write(files.path().join("token"), "renewed\n").unwrap();
    house.store(5, |_| {}).await;
    house.until(|status| status.tallies.delivered == 10).await;
    house.stop().await;
    assert_eq!(sorted(&collector), (1..=10).collect::<Vec<_>>());
    let logins: Vec<_> =
        collector.with(|seen| seen.requests.iter().map(|(headers, _)| headers["authorization"].clone()).collect());
    assert_eq!(
        (logins.first().unwrap(), logins.last().unwrap()),
        (&"Bearer hunter2".parse().unwrap(), &"Bearer renewed".parse().unwrap())
    );
}

fn problems(text: &str) -> String {
    let documents = yaml("house.yaml", text).unwrap();
    let mut problems = Problems::default();
    Config::read(&documents[0], &mut problems);
    problems.to_string()
}

#[test]
fn what_would_send_in_clear_text_or_hold_a_secret_is_refused_with_its_place() {
    for (text, message) in [
        ("url: http://collector.example/\n", "house.yaml:1:6: events would travel in clear text"),
        ("url: https://a:b@collector.example/\n", "is no URL of a peer"),
        ("{}\n", "`url`"),
        ("url: https://a.example/\nauth: { token: hunter2 }\n", "`token` does not belong into a configuration"),
        ("url: https://a.example/\nauth: { username: a }\n", "`auth` is not one login"),
        ("url: https://a.example/\ntls: { key: /k }\n", "`certificate` and `key` come together"),
        ("url: http://[::1]:80/\ntls: {}\n", "`tls` stands beside a URL of plain `http`"),
        ("url: https://a.example/\nformat: splunc\n", "did you mean `splunk`?"),
        ("url: https://a.example/\nbatch: 1KiB\n", "`batch` is out of range"),
        ("url: https://a.example/\ntimeout: 1h\n", "`timeout` is out of range"),
    ] {
        let problems = problems(text);
        assert!(problems.contains(message), "{text}: {problems}");
        assert!(!problems.contains("hunter2"));
    }
}
