//! What is taken, what is refused, and what never shows.

use std::path::{Path, PathBuf};

use gatehouse_policy::document::{Problems, yaml};

use super::{Config, Mechanism, Secret};

fn read(text: &str) -> (Option<Config>, String) {
    let documents = yaml("house.yaml", text).unwrap();
    let mut problems = Problems::default();
    let config = Config::read(&documents[0], &mut problems);
    (config, problems.to_string())
}

fn good(text: &str) -> Config {
    let (config, problems) = read(text);
    assert_eq!(problems, "");
    config.unwrap()
}

#[test]
fn a_whole_configuration_becomes_what_the_client_is_told() {
    let config = good(
        "brokers: [a.example:9093, b.example:9093]\ntopic: gatehouse.events\n\
         tls: { ca: /t/ca.pem, certificate: /t/tls.crt, key: /t/tls.key }\n\
         sasl: { mechanism: SCRAM-SHA-512, username: gh, password_file: /t/password }\n\
         options: { linger.ms: 20, client.id: edge, socket.keepalive.enable: true }\n",
    );
    let files: Vec<&Path> = config.files().collect();
    assert_eq!(files, [Path::new("/t/ca.pem"), Path::new("/t/tls.crt"), Path::new("/t/tls.key")]);
    let sasl = config.sasl.as_ref().unwrap();
    assert_eq!((sasl.mechanism, sasl.password_file.clone()), (Mechanism::ScramSha512, PathBuf::from("/t/password")));
    let client = config.client(Some(&Secret::new("open sesame")));
    for (name, value) in [
        ("bootstrap.servers", "a.example:9093,b.example:9093"),
        ("security.protocol", "sasl_ssl"),
        ("ssl.ca.location", "/t/ca.pem"),
        ("ssl.key.location", "/t/tls.key"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.password", "open sesame"),
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("message.timeout.ms", "0"),
        ("compression.codec", "zstd"),
        ("linger.ms", "20"),
        ("client.id", "edge"),
        ("socket.keepalive.enable", "true"),
    ] {
        assert_eq!(client.get(name), Some(value), "{name}");
    }
    client.create_native_config().unwrap();
}

#[test]
fn without_tls_and_sasl_it_is_plain_text() {
    let config = good("brokers: 127.0.0.1:9092\ntopic: t\n");
    assert_eq!(config.client(None).get("security.protocol"), Some("plaintext"));
    let tls = good("brokers: 127.0.0.1:9092\ntopic: t\ntls: {}\n");
    assert_eq!(tls.client(None).get("security.protocol"), Some("ssl"));
}

#[test]
fn options_that_would_break_the_promise_are_refused_by_both_names() {
    let (_, problems) = read(
        "brokers: a:1\ntopic: t\noptions:\n  acks: 1\n  retries: 0\n  enable.idempotence: false\n  sasl.password: hunter2\n  \
         ssl.ca.location: /x\n  security.protocol: plaintext\n  plugin.library.paths: evil.so\n  lingerms: 5\n  linger.ms: hunter3\n",
    );
    for expected in [
        "house.yaml:4:3: option `acks` (also called `request.required.acks`) would break the promise of delivery",
        "option `retries` (also called `message.send.max.retries`) would break",
        "option `enable.idempotence` would break",
        "option `sasl.password` has a field of its own, `sasl`",
        "option `ssl.ca.location` has a field of its own, `tls`",
        "option `security.protocol` has a field of its own",
        "option `plugin.library.paths` is refused",
        "the Kafka client has no option `lingerms`",
        "the Kafka client does not take this value for its option `linger.ms`",
    ] {
        assert!(problems.contains(expected), "{expected}\n{problems}");
    }
    assert!(!problems.contains("hunter"), "values are never shown: {problems}");
    assert_eq!(problems.lines().count(), 9, "{problems}");
}

#[test]
fn every_problem_is_told_with_its_place() {
    let (_, problems) = read(
        "brokers: [noport, 'a:0']\ntopic: a b\ntls: { certificate: /c }\nsasl: { mechanism: PLAIN, username: u, password: hunter2 }\n",
    );
    for expected in [
        "house.yaml:1:10: `noport` is no broker",
        "`a:0` is no broker",
        "house.yaml:2:8: `a b` is no name of a topic",
        "house.yaml:3:6: `certificate` and `key` come together",
        "`sasl` has no `password_file`",
        "`password` does not belong into a configuration",
    ] {
        assert!(problems.contains(expected), "{expected}\n{problems}");
    }
    assert!(!problems.contains("hunter"), "{problems}");
    let (_, problems) = read("brokers: a:1\ntopic: t\nsasl: { mechanism: PLAIN, username: u, password_file: /p }\n");
    assert!(problems.contains("`PLAIN` without `tls`"), "{problems}");
}

#[test]
fn a_configuration_shows_no_option_value() {
    let config = good("brokers: a:1\ntopic: t\noptions: { client.rack: hunter2 }\n");
    assert!(!format!("{config:?}").contains("hunter2"));
}
