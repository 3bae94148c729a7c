//! Lists from outside, from a real HTTPS server to every worker: what changes is told, what is wrong changes nothing, and what
//! nobody refreshes ends. The CrowdSec engine is a server that answers as its documented API does.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod house;
#[expect(dead_code, reason = "this server asks clients for no certificate")]
#[path = "../src/sink/tests/pki.rs"]
mod pki;

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_proto::subject::Subject;
use gatehouse_proto::v1;
use house::{Gate, House, able, until};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pki::{FAR, Pki};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_util::task::AbortOnDropHandle;

const EPOCH: u64 = 0x1122_3344_5566_7788;

type Answer = (u16, Vec<(&'static str, String)>, String);
type Answers = dyn Fn(&str, &HeaderMap) -> Answer + Send + Sync;

/// An HTTPS server; it ends with this value.
struct Server {
    port: u16,
    answers: Arc<Mutex<Box<Answers>>>,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    /// Its authority stands in `ca.pem` of the folder.
    async fn start(folder: &Path) -> Self {
        let authority = Pki::new("lists");
        fs::write(folder.join("ca.pem"), authority.ca.pem()).unwrap();
        let (certificate, key) = authority.issue(FAR);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: Arc<Mutex<Box<Answers>>> = Arc::new(Mutex::new(Box::new(|_, _| (404, Vec::new(), String::new()))));
        let asked: Arc<Mutex<Vec<(String, HeaderMap)>>> = Arc::default();
        let shared = (Arc::clone(&answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, (answers, asked)) = (tls.clone(), shared.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let target = request.uri().to_string();
                        asked.lock().unwrap().push((target.clone(), request.headers().clone()));
                        let (status, headers, body) = answers.lock().unwrap()(&target, request.headers());
                        let mut answer = Response::builder().status(status);
                        for (name, value) in headers {
                            answer = answer.header(name, value);
                        }
                        let answer = answer.body(Full::new(Bytes::from(body))).unwrap();
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    if let Ok(tls) = tls.accept(tcp).await {
                        let http = hyper::server::conn::http1::Builder::new();
                        let _ = http.serve_connection(TokioIo::new(tls), service).await;
                    }
                });
            }
        });
        Self { port, answers, asked, _task: AbortOnDropHandle::new(task) }
    }

    fn serve(&self, answers: impl Fn(&str, &HeaderMap) -> Answer + Send + Sync + 'static) {
        *self.answers.lock().unwrap() = Box::new(answers);
    }

    fn text(&self, text: &str) {
        let text = text.to_owned();
        self.serve(move |_, _| (200, Vec::new(), text.clone()));
    }

    fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.asked.lock().unwrap().clone()
    }
}

/// A house whose one policy has the list `feed` of these words; it may ask the server below `/feeds`.
struct Desk {
    dir: tempfile::TempDir,
    port: u16,
}

impl Desk {
    fn new(server: &Server, dir: tempfile::TempDir, list: &str) -> Self {
        fs::create_dir(dir.path().join("policies")).unwrap();
        fs::write(dir.path().join("token"), "s3cret\n").unwrap();
        let desk = Self { dir, port: server.port };
        desk.write(list);
        desk
    }

    fn write(&self, list: &str) {
        let list = list.replace("PORT", &self.port.to_string());
        let text = format!(
            "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec:\n  lists:\n    feed: {{ {list} }}\n  \
             rules:\n    - {{ name: r, match: {{ verdict: {{ list: feed }} }}, then: block }}\n"
        );
        fs::write(self.dir.path().join("policies/p.yaml"), text).unwrap();
    }

    async fn house(&self) -> House {
        let (folder, port) = (self.dir.path().display(), self.port);
        let more = format!(
            "policies: {{ folder: {folder}/policies, every: 50ms }}\nlists:\n  size: 4KiB\n  timeout: 2s\n  sources:\n    \
             feed: {{ url: \"https://localhost:{port}/feeds\", tls: {{ ca: {folder}/ca.pem }}, auth: {{ token_file: {folder}/token }} }}\n"
        );
        House::start(&self.dir.path().join("data"), &more).await
    }
}

async fn start(list: &str) -> (Server, Desk) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let desk = Desk::new(&server, dir, list);
    (server, desk)
}

const FEED: &str = r#"from: { url: "https://localhost:PORT/feeds/bad.txt" }, every: 1s, expires: 1h"#;

async fn of(house: &House) -> Value {
    house.status().await["lists"][0].clone()
}

async fn holds(house: &House, entries: u64) {
    until(&format!("the list to hold {entries}"), async || {
        let list = of(house).await;
        list["entries"] == entries && list["fetched"]["problem"].is_null() && !list["fetched"]["good"].is_null()
    })
    .await;
}

async fn problem(house: &House, words: &str) {
    until(&format!("the problem `{words}`"), async || {
        of(house).await["fetched"]["problem"].as_str().is_some_and(|told| told.contains(words))
    })
    .await;
}

async fn attached(house: &House, stream_no: u32) -> Gate {
    let mut gate = house.attach(able(EPOCH, stream_no)).await;
    gate.greeted().await;
    gate
}

fn subjects(delta: &v1::ListDelta) -> Vec<String> {
    delta.add.iter().map(|entry| Subject::read(&entry.key).unwrap().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_on_the_server_reaches_a_worker_and_what_is_wrong_changes_nothing() {
    let (server, desk) = start(FEED).await;
    server.text("192.0.2.7\n198.51.100.0/24 # all of it\n");
    let house = desk.house().await;
    holds(&house, 2).await;
    let mut gate = attached(&house, 1).await;
    let first = gate.list().await;
    assert_eq!(
        (first.reset, subjects(&first)),
        (true, vec!["address 192.0.2.7".into(), "prefix 198.51.100.0/24".into()])
    );
    assert!((3_500_000..=3_600_000).contains(&first.add[0].ttl_ms), "{first:?}");
    assert_eq!(server.asked()[0].1["authorization"], "Bearer s3cret");

    server.text("192.0.2.8\n198.51.100.0/24\n");
    let second = gate.list().await;
    assert_eq!((second.reset, subjects(&second)), (false, vec!["address 192.0.2.8".into()]));
    assert_eq!(second.remove, [Subject::Address([192, 0, 2, 7].into()).key()]);

    server.serve(|_, _| (500, Vec::new(), "192.0.2.9\n".into()));
    problem(&house, "status 500").await;
    server.text("<html><body>we are closed</body></html>");
    problem(&house, "1 of its 1 entries are no addresses").await;
    server.serve(|_, _| (302, vec![("location", "https://localhost/feeds/else".into())], String::new()));
    problem(&house, "redirects are not followed").await;
    server.text(&"192.0.2.9\n".repeat(500));
    problem(&house, "length limit exceeded").await;
    server.serve(|_, _| (200, vec![("content-encoding", "gzip".into())], String::new()));
    problem(&house, "compressed").await;
    let list = of(&house).await;
    assert_eq!((&list["entries"], &list["fetched"]["stale"]), (&2.into(), &false.into()), "{list}");

    // The house starts again and the server is gone: the last good list is there, for no longer than before.
    house.stop().await;
    drop(server);
    let kept = fs::metadata(desk.dir.path().join("data/list-feed.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept.permissions()) & 0o777, 0o600);
    let house = desk.house().await;
    let again = attached(&house, 2).await.list().await;
    assert_eq!(subjects(&again), ["address 192.0.2.8", "prefix 198.51.100.0/24"]);
    assert!(again.add[0].ttl_ms <= 3_600_000);
    problem(&house, "cannot connect").await;
    let text = house.status().await.to_string() + &house.admin("/metrics").await.unwrap();
    assert!(!text.contains("s3cret"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_refreshes_is_stale_then_empty_and_comes_back() {
    let (server, desk) = start(&FEED.replace("1h", "4s")).await;
    server.text("192.0.2.7\n");
    let house = desk.house().await;
    holds(&house, 1).await;
    server.serve(|_, _| (503, Vec::new(), String::new()));
    until("the list to be stale", async || of(&house).await["fetched"]["stale"] == true).await;
    until("the list to be empty", async || {
        let list = of(&house).await;
        list["fetched"]["expired"] == true && list["entries"] == 0
    })
    .await;
    let metrics = house.admin("/metrics").await.unwrap();
    for line in [
        "gatehouse_list_stale{list=\"feed\"} 1",
        "gatehouse_list_expired{list=\"feed\"} 1",
        "gatehouse_list_entries{list=\"feed\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    server.text("192.0.2.7\n");
    holds(&house, 1).await;
    assert_eq!(of(&house).await["fetched"]["expired"], false);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_held_is_not_sent_again_and_another_digest_is_refused() {
    let text = "192.0.2.7\n";
    let digest = "sha256:9d2eaaa4ad7f1d5c9ecdbf2f32b7b5b2a2d2a6bd3d1b0ed3e5e1f4c0a3a9d1aa";
    let (server, desk) = start(FEED).await;
    server.serve(move |_, headers| match headers.get("if-none-match") {
        Some(mark) if mark == "\"one\"" => (304, Vec::new(), String::new()),
        _ => (200, vec![("etag", "\"one\"".into())], text.into()),
    });
    let house = desk.house().await;
    holds(&house, 1).await;
    until("three fetches", async || of(&house).await["fetched"]["fetches"].as_u64() >= Some(3)).await;
    assert!(server.asked()[1].1.contains_key("if-none-match"));
    assert_eq!((&of(&house).await["entries"], of(&house).await["fetched"]["failures"].as_u64()), (&1.into(), Some(0)));

    desk.write(&format!("{FEED}, digest: \"{digest}\""));
    problem(&house, "its digest is another").await;
    house.stop().await;
}

/// What `minisign -S` writes beside a file that holds `text`.
fn signed(keys: &minisign::KeyPair, text: &str) -> String {
    minisign::sign(None, &keys.sk, text.as_bytes(), None, None).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_list_is_taken_by_its_key_only_and_the_last_good_one_stays() {
    let keys = || minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let (ours, others) = (keys(), keys());
    let key = ours.pk.to_base64();
    let (server, desk) = start(&format!("{FEED}, signature: {{ key: \"{key}\" }}")).await;
    let serve = |list: &str, signature: Option<String>| {
        let list = list.to_owned();
        server.serve(move |target, _| match (target, &signature) {
            ("/feeds/bad.txt", _) => (200, Vec::new(), list.clone()),
            ("/feeds/bad.txt.minisig", Some(signature)) => (200, Vec::new(), signature.clone()),
            _ => (404, Vec::new(), String::new()),
        });
    };
    let (good, altered) = ("192.0.2.7\n192.0.2.8\n", "192.0.2.7\n");
    serve(good, Some(signed(&ours, good)));
    let house = desk.house().await;
    holds(&house, 2).await;

    serve(altered, Some(signed(&ours, good)));
    problem(&house, "its signature is not of these bytes").await;
    serve(altered, Some(signed(&others, altered)));
    problem(&house, "its signature is by another key").await;
    serve(altered, None);
    problem(&house, "/feeds/bad.txt.minisig`: it answered with status 404").await;
    serve(altered, Some("192.0.2.9\n".into()));
    problem(&house, "it is none of minisign").await;
    assert_eq!(of(&house).await["entries"], 2);
    serve(altered, Some(signed(&ours, altered)));
    holds(&house, 1).await;

    // Another key makes another list of it: nothing that was taken by the first one is held, also over a restart.
    house.stop().await;
    desk.write(&format!("{FEED}, signature: {{ key: \"{}\" }}", others.pk.to_base64()));
    let house = desk.house().await;
    problem(&house, "its signature is by another key").await;
    assert_eq!(of(&house).await["entries"], 0);

    // A file, and its signature beside it.
    fs::write(desk.dir.path().join("policies/own.txt"), good).unwrap();
    desk.write(&format!("from: {{ file: own.txt }}, every: 1s, signature: {{ key: \"{key}\" }}"));
    problem(&house, "its signature `own.txt.minisig`:").await;
    fs::write(desk.dir.path().join("policies/own.txt.minisig"), signed(&ours, good)).unwrap();
    holds(&house, 2).await;
    // Whom the configuration does not name is not asked for a signature either.
    let elsewhere = format!("https://localhost:{}/admin/own.minisig", desk.port);
    desk.write(&format!("from: {{ file: own.txt }}, every: 1s, signature: {{ key: \"{key}\", url: \"{elsewhere}\" }}"));
    problem(&house, "its signature cannot be had: the house may not ask").await;
    assert!(!server.asked().iter().any(|(target, _)| target.starts_with("/admin")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_configuration_does_not_name_is_never_asked_and_files_are_read_below_the_folder() {
    let (server, desk) = start(r#"from: { url: "https://localhost:PORT/admin" }, every: 1s"#).await;
    server.text("192.0.2.7\n");
    let house = desk.house().await;
    problem(&house, "the house may not ask").await;
    assert!(server.asked().is_empty());

    fs::write(desk.dir.path().join("policies/own.txt"), "192.0.2.7\n192.0.2.8\n").unwrap();
    desk.write("from: { file: own.txt }, every: 1s");
    holds(&house, 2).await;
    let order = r#"{"list":"feed","subjects":[{"address":"192.0.2.9"}],"for":"1h","reason":"a drill"}"#;
    let (status, words) = house.change("PUT /verdicts", order).await;
    assert!(status == 409 && words.contains("is fetched from outside"), "{words}");
    let (status, words) = house.change("PUT /verdicts/remove", r#"{"list":"feed","all":true}"#).await;
    assert!(status == 409 && words.contains("is fetched from outside"), "{words}");

    // A file is as old as it was last written.
    let file = fs::File::options().write(true).open(desk.dir.path().join("policies/own.txt")).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(2 * 86_400)).unwrap();
    until("the old file to hold no more", async || of(&house).await["fetched"]["expired"] == true).await;

    // Filled by hand from now on, nothing of what was fetched is left.
    desk.write("from: verdicts");
    until("the list to be gone", async || house.status().await["lists"].as_array().unwrap().is_empty()).await;
    assert!(!desk.dir.path().join("data/list-feed.json").exists());
    assert_eq!(house.change("PUT /verdicts", order).await.0, 200);
    house.stop().await;
}

fn decision(address: &str, duration: &str) -> String {
    format!(
        r#"{{"id":1,"origin":"cscli","type":"ban","scope":"Ip","value":"{address}","duration":"{duration}","scenario":"manual"}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_of_a_crowdsec_engine_come_whole_and_then_by_what_changed() {
    let (server, desk) = start(r#"from: { crowdsec: "https://localhost:PORT/feeds" }, every: 1s, expires: 1h"#).await;
    let told = Arc::new(Mutex::new(String::from(r#"{"new":null,"deleted":null}"#)));
    let changes = Arc::clone(&told);
    server.serve(move |target, headers| {
        if headers.get("x-api-key").is_none_or(|key| key != "s3cret") {
            return (403, Vec::new(), r#"{"message":"access forbidden"}"#.into());
        }
        let body = match target {
            "/feeds/v1/decisions/stream?startup=true" => {
                format!(
                    r#"{{"new":[{},{}],"deleted":null}}"#,
                    decision("192.0.2.7", "1h0m0s"),
                    decision("192.0.2.8", "20m")
                )
            }
            "/feeds/v1/decisions/stream?startup=false" => changes.lock().unwrap().clone(),
            _ => return (404, Vec::new(), String::new()),
        };
        (200, Vec::new(), body)
    });
    let house = desk.house().await;
    holds(&house, 2).await;
    let mut gate = attached(&house, 1).await;
    let first = gate.list().await;
    assert_eq!(subjects(&first), ["address 192.0.2.7", "address 192.0.2.8"]);
    assert!(first.add[1].ttl_ms <= 1_200_000, "its own end counts: {first:?}");
    *told.lock().unwrap() =
        format!(r#"{{"new":[{}],"deleted":[{}]}}"#, decision("192.0.2.9", "1h"), decision("192.0.2.7", "-1s"));
    let second = gate.list().await;
    assert_eq!((second.reset, subjects(&second)), (false, vec!["address 192.0.2.9".into()]));
    assert_eq!(second.remove, [Subject::Address([192, 0, 2, 7].into()).key()]);
    fs::write(desk.dir.path().join("token"), "other\n").unwrap();
    problem(&house, "status 403").await;
    assert_eq!(of(&house).await["entries"], 2);
    house.stop().await;
}
