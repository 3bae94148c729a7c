//! Certificates and passwords: late, of no use, renewed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gatehouse::sink::board::{State, Status};
use gatehouse_kafka::{Broker, Certificates, Right, SASL_PASSWORD};

use crate::house::{House, assert_complete, login, mutual_tls, read_all, says};
use crate::pki::{FAR, Pki, swap, swap_files};

/// The promise: what comes or is renewed is in use after so long.
const PROMISED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_may_come_late_and_a_login_may_be_mended() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    for topic in ["late", "scram", "clear"] {
        broker.create_topic(topic, 1, &[]);
    }
    let trust = data.path().join("trust");
    let made = broker.certificates().clone();
    let (right, wrong) = (data.path().join("right"), data.path().join("wrong"));
    std::fs::write(&right, format!("{SASL_PASSWORD}\n")).unwrap();
    std::fs::write(&wrong, "not the password").unwrap();
    let sinks = [
        ("late", &*mutual_tls(&broker, "late", &trust)),
        ("scram", &*login(&broker, "scram", "SCRAM-SHA-512", &wrong)),
        ("clear", &*login(&broker, "clear", "PLAIN", &right)),
    ];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    house.store(10).await;

    house.until("clear", "all is delivered", |status| status.tallies.delivered == 500).await;
    let waiting = house.until("late", "the status tells", |status| status.state == State::Waiting).await;
    let problem = waiting.problem.unwrap();
    assert!(problem.starts_with(&format!("trust material ({})", trust.join("ca.pem").display())), "{problem}");
    std::fs::create_dir(&trust).unwrap();
    for file in [&made.ca, &made.client_certificate, &made.client_key] {
        std::fs::copy(file, trust.join(file.file_name().unwrap())).unwrap();
    }
    house.until("late", "all is delivered", |status| status.tallies.delivered == 500).await;

    let refused = house.until("scram", "the status tells", |status| status.state == State::Denied).await;
    let problem = refused.problem.unwrap();
    assert!(problem.contains("`sasl.password_file`") && !problem.contains("not the password"), "{problem}");
    std::fs::write(&wrong, SASL_PASSWORD).unwrap();
    house.until("scram", "all is delivered", |status| status.tallies.delivered == 500).await;
    house.stop().await;
}

/// The sink's files as a cluster mounts them, by a symlink that is renamed over.
fn mounted(broker: &Broker, topic: &str, folder: &Path) -> String {
    let file = |name: &str| folder.join("..data").join(name).display().to_string();
    let (brokers, ca, certificate, key) = (broker.mutual_tls(), file("ca.pem"), file("tls.crt"), file("tls.key"));
    format!(
        "kafka: {{ brokers: '{brokers}', topic: {topic}, tls: {{ ca: {ca}, certificate: {certificate}, key: {key} }} }}"
    )
}

fn texts(paths: [&PathBuf; 3]) -> [String; 3] {
    paths.map(|path| std::fs::read_to_string(path).unwrap())
}

/// What a client of this authority is given.
fn of(made: &Certificates) -> [String; 3] {
    texts([&made.ca, &made.client_certificate, &made.client_key])
}

fn mount(folder: &Path, version: &str, texts: &[String; 3]) {
    swap(folder, version, &texts.each_ref().map(String::as_str));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_no_use_are_told_with_what_to_mend_and_good_ones_are_in_use_within_ten_seconds() {
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = Broker::start();
    broker.create_topic("events", 1, &[]);
    let (stranger, good) = (Pki::new("stranger"), of(broker.certificates()));
    let sinks = [("events", &*mounted(&broker, "events", files.path()))];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    house.store(10).await;
    let waits =
        |words: &'static [&'static str]| move |status: &Status| status.state == State::Waiting && says(status, words);
    house.until("events", "missing", waits(&["trust material (", "ca.pem", "No such file"])).await;
    mount(files.path(), "v1", &["no", "no", "no"].map(str::to_owned));
    house.until("events", "no PEM", waits(&["ca.pem", "it holds no certificate in PEM; write one there"])).await;
    stranger.mount(files.path(), "v2", 2020);
    house.until("events", "expired", waits(&["tls.crt", "it expired at 2020-01-01T00:00:00.000Z; renew it"])).await;
    let (certificate, key) = stranger.issue(FAR);
    let [ca, own, _] = &good;
    mount(files.path(), "v3", &[ca.clone(), own.clone(), key.serialize_pem()]);
    house.until("events", "another's key", waits(&["tls.crt", "with its key"])).await;
    stranger.mount(files.path(), "v4", FAR);
    house.until("events", "another authority", |status| says(status, &["to the file of `tls.ca`"])).await;
    mount(files.path(), "v5", &[ca.clone(), certificate.pem(), key.serialize_pem()]);
    house.until("events", "not ours", |status| says(status, &["does not take our certificate", "`tls.key`"])).await;
    assert_eq!(house.status("events").tallies.delivered, 0);
    mount(files.path(), "v6", &good);
    let came = Instant::now();
    house.until("events", "all is delivered", |status| status.tallies.delivered == 500).await;
    assert!(came.elapsed() < PROMISED, "{:?}", came.elapsed());
    let next = house.next;
    assert_eq!(house.stop().await["events"].tallies.dead_lettered, 0);
    let (_broker, messages) = read_all(broker, "events").await;
    assert_complete(&messages, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_in_use_within_ten_seconds_while_records_flow() {
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut broker = Broker::start_guarded();
    broker.create_topic("events", 1, &[]);
    // To the broker these are two users: it tells which certificate is in use.
    let made = broker.certificates().clone();
    let (certificate, key) = made.issue("renewed");
    broker.grant("User:CN=client", "events", &[Right::Write, Right::Describe]);
    let sinks = [("events", &*mounted(&broker, "events", files.path()))];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    mount(files.path(), "v1", &of(&made));
    house.flow("events", "some are delivered", |status| status.tallies.delivered > 100).await;
    broker.revoke("User:CN=client", "events", &[Right::Write, Right::Describe]);
    broker.grant("User:CN=renewed", "events", &[Right::Write, Right::Describe]);
    house.flow("events", "the status tells", |status| status.state == State::Denied).await;
    mount(files.path(), "v2", &texts([&made.ca, &certificate, &key]));
    let took = house.flow("events", "it delivers", |status| status.state == State::Delivering).await;
    assert!(took < PROMISED, "{took:?}");

    // A new authority on the broker's side: neither side takes what the other had.
    broker.kill();
    broker.renew_certificates();
    tokio::task::block_in_place(|| broker.restart());
    broker.grant("User:CN=client", "events", &[Right::Write, Right::Describe]);
    house.flow("events", "the status tells", |status| says(status, &["`tls.ca`"])).await;
    let before = house.status("events").tallies.delivered;
    mount(files.path(), "v3", &of(broker.certificates()));
    let took = house.flow("events", "it delivers", |status| status.tallies.delivered > before).await;
    assert!(took < PROMISED, "{took:?}");
    let stored = house.next - 1;
    house.until("events", "all is delivered", |status| status.tallies.delivered == stored).await;
    let next = house.next;
    assert_eq!(house.stop().await["events"].tallies.dead_lettered, 0);
    let (_broker, messages) = read_all(broker, "events").await;
    assert_complete(&messages, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_password_is_in_use_within_ten_seconds_while_records_flow() {
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut broker = Broker::start();
    broker.create_topic("events", 1, &[]);
    let give = |version: &str, password: &str| swap_files(files.path(), version, &[("password", password)]);
    let sinks = [("events", &*login(&broker, "events", "PLAIN", &files.path().join("..data/password")))];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    house.store(1).await;
    let waiting = house.until("events", "the status tells", |status| status.state == State::Waiting).await;
    assert!(says(&waiting, &["..data/password"]), "{waiting:?}");
    give("v1", SASL_PASSWORD);
    let took = house.flow("events", "some are delivered", |status| status.tallies.delivered > 100).await;
    assert!(took < PROMISED, "{took:?}");

    broker.kill();
    broker.renew_password("another password");
    tokio::task::block_in_place(|| broker.restart());
    house.flow("events", "the status tells", |status| status.state == State::Denied).await;
    let denied = house.status("events");
    assert!(says(&denied, &["the login is refused", "`sasl.password_file`"]), "{denied:?}");
    assert!(!says(&denied, &[SASL_PASSWORD]), "{denied:?}");
    let before = denied.tallies.delivered;
    give("v2", "another password\n");
    let took = house.flow("events", "it delivers", |status| status.tallies.delivered > before).await;
    assert!(took < PROMISED, "{took:?}");
    let next = house.next;
    house.until("events", "all is delivered", |status| status.tallies.delivered == next - 1).await;
    house.stop().await;
    let (_broker, messages) = read_all(broker, "events").await;
    assert_complete(&messages, next);
}
