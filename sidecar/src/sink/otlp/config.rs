//! The OTLP sink as written.
//!
//! ```yaml
//! otlp:
//!   protocol: http                           # http (default), grpc
//!   url: https://otel.example:4318/v1/logs   # with grpc https://otel.example:4317; http:// only to this machine
//!   compress: gzip                           # gzip, none
//!   auth: { token_file: /etc/otel/token }    # or { username: …, password_file: … }
//!   headers: { x-tenant: shop, x-api-key: { file: /etc/otel/key } }   # of your own
//!   tls: { ca: …, certificate: …, key: … }   # default: the system's authorities
//!   batch: 1MiB                              # of events in a request, about
//!   timeout: 30s                             # for a whole answer
//! ```

use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Problems};

use crate::sink::peer::{Address, Headers, Login, batch, timeout};
use crate::sink::tls::Tls;

/// Which collector, and by which trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// By gRPC, else by HTTP.
    pub grpc: bool,
    /// Where.
    pub address: Address,
    /// Requests are made smaller by gzip.
    pub gzip: bool,
    /// Who the house says it is.
    pub login: Option<Login>,
    /// What else it says with every request.
    pub headers: Headers,
    /// By which trust.
    pub tls: Tls,
    /// Bytes of the events of a request, about.
    pub batch: usize,
    /// For a whole answer.
    pub timeout: Duration,
}

impl Config {
    /// Reads `otlp:`.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`otlp`", problems)?;
        let protocol = fields.take("protocol").and_then(|node| node.one_of(&["grpc", "http"], problems));
        let grpc = protocol == Some("grpc");
        let url = fields.require("url");
        let address = url.and_then(|node| Address::read(node, problems));
        let compress = fields.take("compress").and_then(|node| node.one_of(&["gzip", "none"], problems));
        let login = fields.take("auth").and_then(|node| Login::read(node, problems));
        let headers =
            fields.take("headers").and_then(|node| Headers::read(node, login.as_ref(), problems)).unwrap_or_default();
        let tls_node = fields.take("tls");
        let tls = tls_node.and_then(|node| Tls::read(node, problems)).unwrap_or_default();
        let batch = fields.take("batch").and_then(|node| batch(node, problems)).unwrap_or(1 << 20);
        let timeout =
            fields.take("timeout").and_then(|node| timeout(node, problems)).unwrap_or(Duration::from_secs(30));
        fields.finish(problems);
        let address = address?;
        if let Some(node) = url.filter(|_| grpc && address.target != "/") {
            let help = "write only scheme, host and port, such as `https://otel.example:4317`";
            problems.push(&node.place, "a URL for `protocol: grpc` has no path", help);
        }
        address.refuse_idle_tls(tls_node, problems);
        Some(Self { grpc, address, gzip: compress != Some("none"), login, headers, tls, batch, timeout })
    }
}
