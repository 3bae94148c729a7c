//! Mistakes of a configuration: each is told with the setting to mend, by the name that it has in our configuration.

use std::time::Duration;

use gatehouse::sink::board::State;
use gatehouse_kafka::{Broker, SASL_PASSWORD, SASL_USER};

use crate::house::{House, says};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_is_told_by_its_name() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    broker.create_topic("events", 1, &[]);
    let password = data.path().join("password");
    std::fs::write(&password, SASL_PASSWORD).unwrap();
    let (made, port) = (broker.certificates(), broker.mutual_tls().rsplit_once(':').unwrap().1.to_owned());
    let (ca, certificate, key) = (made.ca.display(), made.client_certificate.display(), made.client_key.display());
    let login = |user: &str, mechanism: &str| {
        format!("sasl: {{ mechanism: {mechanism}, username: {user}, password_file: {} }}", password.display())
    };
    let tls = format!("tls: {{ ca: {ca} }}");
    let own = format!("tls: {{ ca: {ca}, certificate: {certificate}, key: {key} }}");
    let (plain, mutual, sasl) = (broker.plain(), broker.mutual_tls(), broker.sasl());
    let mistakes: [(&str, String, State, &[&str]); 9] = [
        ("no-tls", format!("brokers: '{mutual}'"), State::Retrying, &["write `tls`"]),
        ("tls-to-plain", format!("brokers: '{plain}', {tls}"), State::Retrying, &["leave `tls` out"]),
        ("system-ca", format!("brokers: '{sasl}', tls: {{}}"), State::Retrying, &["the file of `tls.ca`"]),
        ("no-identity", format!("brokers: '{mutual}', {tls}"), State::Retrying, &["`tls.certificate` and `tls.key`"]),
        ("name", format!("brokers: '127.1:{port}', {own}"), State::Retrying, &["in `brokers`"]),
        ("no-login", format!("brokers: '{sasl}', {tls}"), State::Retrying, &["write `sasl`"]),
        (
            "user",
            format!("brokers: '{sasl}', {tls}, {}", login("nobody", "SCRAM-SHA-256")),
            State::Denied,
            &["`sasl.username`", "`sasl.password_file`"],
        ),
        (
            "login-to-mutual",
            format!("brokers: '{mutual}', {own}, {}", login(SASL_USER, "PLAIN")),
            State::Denied,
            &["`sasl"],
        ),
        ("dns", "brokers: 'kafka.invalid:9092'".to_owned(), State::Retrying, &["`brokers`", "DNS"]),
    ];
    let configs = mistakes.each_ref().map(|(name, more, ..)| (*name, format!("kafka: {{ topic: events, {more} }}")));
    let sinks = configs.each_ref().map(|(name, config)| (*name, config.as_str()));
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_millis(500));
    house.store(1).await;
    for (name, _, state, words) in &mistakes {
        let told = house.until(name, name, |status| status.state == *state && says(status, words)).await;
        eprintln!("{name}: {}", told.problem.unwrap());
    }
    for (name, last) in house.stop().await {
        assert_eq!((last.tallies.delivered, last.tallies.dead_lettered), (0, 0), "{name}");
    }
}
