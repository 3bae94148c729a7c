//! The Kafka sink as written, and what it means to the Kafka client.
//!
//! ```yaml
//! kafka:
//!   brokers: [kafka-0.example:9093, kafka-1.example:9093]
//!   topic: gatehouse.events
//!   tls: { ca: /etc/kafka/ca.pem, certificate: /etc/kafka/tls.crt, key: /etc/kafka/tls.key }   # `{}`: the system's CAs
//!   sasl: { mechanism: SCRAM-SHA-512, username: gatehouse, password_file: /etc/kafka/password } # or PLAIN, SCRAM-SHA-256
//!   options: { linger.ms: 20 }                                                                  # passed through
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gatehouse_policy::document::{Fields, Node, Problems, quoted};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::options;
use crate::sink::tls::{Tls, path};
use crate::sink::trust::Secret;

/// Which Kafka, which topic, and by which trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `host:port` of brokers to begin with; at most 32.
    pub brokers: Vec<String>,
    /// Topic of every event.
    pub topic: String,
    /// `None`: plain text.
    pub tls: Option<Tls>,
    /// `None`: no login.
    pub sasl: Option<Sasl>,
    /// Options passed through, by name.
    pub options: BTreeMap<String, Secret>,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sasl {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// Who logs in.
    pub username: String,
    /// File that holds the password.
    pub password_file: PathBuf,
}

/// How the password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// By sending it: only over TLS.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// As [`Mechanism::ScramSha256`] with SHA-512.
    ScramSha512,
}

impl Mechanism {
    const WORDS: [&'static str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

    /// Its name in the registry of SASL mechanisms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "PLAIN" => Self::Plain,
            "SCRAM-SHA-256" => Self::ScramSha256,
            _ => Self::ScramSha512,
        }
    }
}

impl Config {
    /// Reads `kafka:`.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`kafka`", problems)?;
        let brokers = fields.require("brokers").and_then(|node| brokers(node, problems));
        let topic = fields.require("topic").and_then(|node| topic(node, problems));
        let tls = fields.take("tls").and_then(|node| Tls::read(node, problems));
        let sasl_node = fields.take("sasl");
        let sasl = sasl_node.and_then(|node| Sasl::read(node, problems));
        let options = fields.take("options").and_then(|node| options::read(node, problems)).unwrap_or_default();
        if let (Some(node), Some(Mechanism::Plain), None) = (sasl_node, sasl.as_ref().map(|sasl| sasl.mechanism), &tls)
        {
            let help = "add `tls: {}`, or use a SCRAM mechanism";
            problems.push(&node.place, "`PLAIN` without `tls` would send the password in clear text", help);
        }
        fields.finish(problems);
        Some(Self { brokers: brokers?, topic: topic?, tls, sasl, options })
    }

    /// Every file that the connection needs.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.tls.iter().flat_map(Tls::files)
    }

    /// What the Kafka client is told. Options come first, so that none can undo what the promise rests on.
    pub(super) fn client(&self, password: Option<&Secret>) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("client.id", "gatehouse").set("linger.ms", "5").set("reconnect.backoff.max.ms", "1000");
        // Whole batches of events shrink no further by more work.
        client.set("compression.level", "1");
        for (name, value) in &self.options {
            client.set(name, value.reveal());
        }
        client
            .set("bootstrap.servers", self.brokers.join(","))
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("compression.codec", "zstd")
            .set("queue.buffering.max.kbytes", "65536")
            .set("queue.buffering.max.messages", "100000");
        // What the client makes of a connection that a broker closed.
        client.set_log_level(RDKafkaLogLevel::Info);
        self.secure(&mut client, password);
        client
    }

    fn secure(&self, client: &mut ClientConfig, password: Option<&Secret>) {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            client.set("ssl.endpoint.identification.algorithm", "https");
            let mut set = |name: &str, path: &Path| _ = client.set(name, path.to_string_lossy());
            if let Some(ca) = &tls.ca {
                set("ssl.ca.location", ca);
            }
            if let Some((certificate, key)) = &tls.identity {
                set("ssl.certificate.location", certificate);
                set("ssl.key.location", key);
            }
        }
        if let (Some(sasl), Some(password)) = (&self.sasl, password) {
            client.set("sasl.mechanism", sasl.mechanism.word());
            client.set("sasl.username", &sasl.username).set("sasl.password", password.reveal());
        }
    }
}

impl Sasl {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`sasl`", problems)?;
        if let Some(node) = fields.take("password") {
            let help = "write it to a file of its own and name that as `password_file`";
            problems.push(&node.place, "`password` does not belong into a configuration", help);
        }
        let mechanism = fields.require("mechanism").and_then(|node| node.one_of(&Mechanism::WORDS, problems));
        let username = fields.require("username").and_then(|node| node.string(problems)).map(str::to_owned);
        let password_file = fields.require("password_file").and_then(|node| path(node, problems));
        fields.finish(problems);
        Some(Self { mechanism: Mechanism::of(mechanism?), username: username?, password_file: password_file? })
    }
}

fn brokers(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let brokers = node.strings(problems)?;
    if brokers.is_empty() || brokers.len() > 32 {
        problems.push(
            &node.place,
            format!("{} brokers are written", brokers.len()),
            "write 1 to 32, each as `host:port`",
        );
    }
    for broker in &brokers {
        let parts = broker.rsplit_once(':');
        let good = |host: &str| !host.is_empty() && !host.contains([',', '/', ' ']);
        if !parts.is_some_and(|(host, port)| good(host) && port.parse::<u16>().is_ok_and(|port| port != 0)) {
            problems.push(&node.place, format!("{} is no broker", quoted(broker)), "write `host:port`");
        }
    }
    Some(brokers.into_iter().map(str::to_owned).collect())
}

/// Kafka's own rule for names of topics.
fn topic(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 249 || text == "." || text == ".." || !text.chars().all(plain) {
        let help = "use up to 249 of letters, digits, `.`, `_` and `-`";
        problems.push(&node.place, format!("{} is no name of a topic", quoted(text)), help);
    }
    Some(text.into())
}

#[cfg(test)]
mod tests;
