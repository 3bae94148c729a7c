//! One entry of section `sinks`, as written: which kind, and what it does when it falls behind.
//!
//! ```yaml
//! sinks:
//!   events: { file: { … }, behind: hold }
//!   stream: { kafka: { … } }
//! ```

use gatehouse_policy::document::{Fields, Node, Problems};

use super::common::Common;
use super::file;
use super::https;
#[cfg(feature = "kafka")]
use super::kafka;
use super::otlp;

/// Reads what stands under the word of a kind.
type Read = fn(&Node, &mut Problems) -> Option<Kind>;

/// The kinds, by their words.
const KINDS: [(&str, Read); 4] =
    [("file", read_file), ("https", read_https), ("kafka", read_kafka), ("otlp", read_otlp)];

/// What a sink is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Rotating NDJSON.
    File(file::Config),
    /// A collector.
    Https(Box<https::Config>),
    /// A collector of OpenTelemetry.
    Otlp(Box<otlp::Config>),
    /// Apache Kafka.
    #[cfg(feature = "kafka")]
    Kafka(kafka::Config),
}

impl Kind {
    /// Reads the entry of the sink `name`.
    pub fn read(name: &str, node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, format!("sink `{name}`"), problems)?;
        let kinds = KINDS.map(|(word, read)| Some((word, read, fields.take(word)?)));
        // Read by whoever knows the spool and the order of sinks: see `Behind`.
        fields.take("behind");
        for word in Common::WORDS {
            fields.take(word);
        }
        let place = fields.place();
        let kinds: Vec<_> = kinds.into_iter().flatten().collect();
        let kind = match kinds.as_slice() {
            [(_, read, node)] => read(node, problems),
            [] => {
                problems.push(
                    place,
                    format!("sink `{name}` goes nowhere"),
                    "write `file:`, `https:`, `kafka:` or `otlp:` in it",
                );
                None
            }
            [(first, ..), (second, ..), ..] => {
                let help = "write two sinks, each with one of them";
                problems.push(place, format!("sink `{name}` is both `{first}` and `{second}`"), help);
                None
            }
        };
        fields.finish(problems);
        kind
    }

    /// The sink of a house without a configuration: `NAME.ndjson` in the data folder.
    #[must_use]
    pub fn default_file() -> Self {
        Self::File(file::Config::default())
    }

    /// The word for it: `file`, `kafka`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Https(_) => "https",
            Self::Otlp(_) => "otlp",
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => "kafka",
        }
    }
}

fn read_file(node: &Node, problems: &mut Problems) -> Option<Kind> {
    file::Config::read(node, problems).map(Kind::File)
}

fn read_otlp(node: &Node, problems: &mut Problems) -> Option<Kind> {
    otlp::Config::read(node, problems).map(Box::new).map(Kind::Otlp)
}

fn read_https(node: &Node, problems: &mut Problems) -> Option<Kind> {
    https::Config::read(node, problems).map(Box::new).map(Kind::Https)
}

#[cfg(feature = "kafka")]
fn read_kafka(node: &Node, problems: &mut Problems) -> Option<Kind> {
    kafka::Config::read(node, problems).map(Kind::Kafka)
}

#[cfg(not(feature = "kafka"))]
fn read_kafka(node: &Node, problems: &mut Problems) -> Option<Kind> {
    problems.push(&node.place, "this build has no Kafka sink", "use a build with the cargo feature `kafka`");
    None
}
