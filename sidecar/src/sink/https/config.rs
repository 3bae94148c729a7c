//! The HTTPS sink as written.
//!
//! ```yaml
//! https:
//!   url: https://collector.example/ingest   # http:// only to this machine
//!   format: ndjson                          # json, ndjson, splunk, elasticsearch (the URL names the index: …/INDEX/_bulk)
//!   compress: gzip                          # gzip, zstd, none
//!   auth: { token_file: /etc/collector/token }   # or { username: …, password_file: … }
//!   headers: { x-tenant: shop, x-api-key: { file: /etc/collector/key } }   # of your own
//!   tls: { ca: …, certificate: …, key: … }  # default: the system's authorities
//!   batch: 1MiB                             # of a body, before compression
//!   timeout: 30s                            # for a whole answer
//! ```

use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Problems};

use crate::sink::peer::{Address, Headers, Login, batch, timeout};
use crate::sink::tls::Tls;

/// Where batches are posted, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where.
    pub address: Address,
    /// What a body looks like.
    pub format: Format,
    /// How it is made smaller.
    pub compression: Compression,
    /// Who the house says it is.
    pub login: Option<Login>,
    /// What else it says with every request.
    pub headers: Headers,
    /// By which trust.
    pub tls: Tls,
    /// Bytes of a body before compression, about; an event larger than this stands alone.
    pub batch: usize,
    /// For a whole answer.
    pub timeout: Duration,
}

/// What a body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON array.
    Json,
    /// One event a line.
    Ndjson,
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// Elasticsearch's and OpenSearch's bulk interface.
    Elasticsearch,
}

/// How a body is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// Not at all.
    None,
}

impl Config {
    /// Reads `https:`.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`https`", problems)?;
        let address = fields.require("url").and_then(|node| Address::read(node, problems));
        let format = fields.take("format").and_then(|node| Format::read(node, problems));
        let compression = fields.take("compress").and_then(|node| Compression::read(node, problems));
        let login = fields.take("auth").and_then(|node| Login::read(node, problems));
        let headers =
            fields.take("headers").and_then(|node| Headers::read(node, login.as_ref(), problems)).unwrap_or_default();
        let tls_node = fields.take("tls");
        let tls = tls_node.and_then(|node| Tls::read(node, problems));
        let batch = fields.take("batch").and_then(|node| batch(node, problems)).unwrap_or(1 << 20);
        let timeout =
            fields.take("timeout").and_then(|node| timeout(node, problems)).unwrap_or(Duration::from_secs(30));
        fields.finish(problems);
        let address = address?;
        address.refuse_idle_tls(tls_node, problems);
        Some(Self {
            address,
            format: format.unwrap_or(Format::Ndjson),
            compression: compression.unwrap_or(Compression::Gzip),
            login,
            headers,
            tls: tls.unwrap_or_default(),
            batch,
            timeout,
        })
    }
}

impl Format {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        Some(match node.one_of(&["json", "ndjson", "splunk", "elasticsearch"], problems)? {
            "json" => Self::Json,
            "splunk" => Self::Splunk,
            "elasticsearch" => Self::Elasticsearch,
            _ => Self::Ndjson,
        })
    }
}

impl Compression {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        Some(match node.one_of(&["gzip", "zstd", "none"], problems)? {
            "zstd" => Self::Zstd,
            "none" => Self::None,
            _ => Self::Gzip,
        })
    }
}
