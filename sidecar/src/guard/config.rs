//! The configuration of a guard.
//!
//! ```yaml
//! node: db-guard-1                        # its name in records; default: the host's
//! fronts:
//!   - name: orders
//!     listen: 0.0.0.0:5432
//!     upstream: 127.0.0.1:5433            # the service, by name or address
//!     destination: orders.internal        # whom clients reach here, for the policy; default: whom they name in TLS
//! tls:                                    # what it shows of itself, and who signs the clients' certificates: the mesh's authority alone
//!   certificate: /etc/gatehouse/tls/tls.crt
//!   key: /etc/gatehouse/tls/tls.key
//!   authorities: /etc/gatehouse/tls/ca.crt
//! policies: [/etc/gatehouse/policies]     # files and folders of documents; read anew when they change
//! house: { unix: /run/gatehouse/house.sock }   # policy from there (it wins), records to there; or `address` and `tls` as above
//! whenNoPolicy: reject                    # or allow
//! limits: { connections: 10000, handshakes: 1000, handshake: 5s, connect: 5s, idle: 1h }
//! drain: 30s
//! admin: 127.0.0.1:9912                   # loopback only
//! log: { level: info, form: automatic }
//! ```
//! Of `policies` and `house` there is at least one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_engine::WhenNoPolicy;
use gatehouse_policy::document::{Fields, Node, Place, Problems, quoted};

use crate::config::gates::socket;
use crate::config::written::Log;
use crate::config::{only_document, text_of};
use crate::logging::{Form, Level};
use crate::sink::tls::{MUTUAL, Tls, mutual, path};

/// Its admin listener: beside the house's customary 9911.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9912);
const MAX_FRONTS: usize = 256;
/// What an address and a port look like.
const EXAMPLE: &str = "0.0.0.0:5432";

/// What a guard is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name in records.
    pub node: String,
    /// At least one.
    pub fronts: Vec<Front>,
    /// What it shows of itself, and whom it trusts.
    pub tls: Tls,
    /// Files and folders of documents.
    pub policies: Vec<PathBuf>,
    /// The house that it is a gate of.
    pub house: Option<House>,
    /// What happens while no document speaks of a connection.
    pub when_no_policy: WhenNoPolicy,
    /// What it holds at most.
    pub limits: Limits,
    /// How long connections may go on once it is to stop.
    pub drain: Duration,
    /// The admin listener.
    pub admin: SocketAddr,
    /// How much is logged.
    pub log_level: Level,
    /// In which form.
    pub log_form: Form,
}

/// One listener and the service behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where it listens; port 0: any.
    pub listen: SocketAddr,
    /// `HOST:PORT` of the service.
    pub upstream: String,
    /// Whom clients reach here, canonical.
    pub destination: Option<String>,
}

/// How a house is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum House {
    /// Its Unix socket.
    Unix(PathBuf),
    /// Its door for gates of other machines.
    Tls {
        /// Where.
        address: SocketAddr,
        /// The name in its certificate.
        name: String,
        /// What the guard shows of itself there.
        tls: Tls,
    },
}

/// What a guard holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are carried.
    pub connections: usize,
    /// Clients that are shaking hands; the one that takes longest goes when there are more.
    pub handshakes: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long the service may take to be reached.
    pub connect: Duration,
    /// How long nothing may move.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes: 1000,
            handshake: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(3600),
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Every problem with its place; the file cannot be read.
    pub fn read(file: &Path) -> Result<Self, Problems> {
        let name = file.display().to_string();
        let text = text_of(file).map_err(|problem| {
            let mut problems = Problems::default();
            problems.push(&Place::pointer(&name), format!("it cannot be read: {problem}"), "");
            problems
        })?;
        Self::parse(&name, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every problem with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let Some(node) = only_document(name, text, &mut problems)? else {
            problems.push(&Place::text(name, 1, 1), "it is empty", "write `fronts`, `tls` and `policies` or `house`");
            return Err(problems);
        };
        let config = whole(&node, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => {
                problems.sort();
                Err(problems)
            }
        }
    }
}

fn whole(node: &Node, problems: &mut Problems) -> Option<Config> {
    let mut fields = Fields::new(node, "the guard's configuration", problems)?;
    let called = fields.take("node").and_then(|n| name(n, problems));
    let fronts = fields.require("fronts").map(|n| fronts(n, problems)).unwrap_or_default();
    let tls = fields.require("tls").and_then(|n| trust(n, problems));
    let policies = fields.take("policies").map(|n| paths(n, problems)).unwrap_or_default();
    let house = fields.take("house").map(|n| house(n, problems));
    let word = fields.take("whenNoPolicy").and_then(|n| n.one_of(&["allow", "reject"], problems));
    let limits = fields.take("limits").map_or_else(|| Some(Limits::default()), |n| limits(n, problems));
    let drain = fields.take("drain").and_then(|n| span(n, (0, 3600), problems)).unwrap_or(Duration::from_secs(30));
    let admin = fields.take("admin").map_or(Some(DEFAULT_ADMIN), |n| loopback(n, problems));
    let log = fields.take("log").and_then(|n| Log::read(n, problems)).unwrap_or_default();
    let place = fields.place().clone();
    fields.finish(problems);
    if policies.is_empty() && house.is_none() {
        problems.push(&place, "nobody says who may connect", "write `policies: [FOLDER]`, or `house`");
    }
    Some(Config {
        node: called.unwrap_or_else(crate::config::host_name),
        fronts,
        tls: tls?,
        policies,
        house: house.map_or(Some(None), |house| house.map(Some))?,
        when_no_policy: if word == Some("allow") { WhenNoPolicy::Allow } else { WhenNoPolicy::Block },
        limits: limits?,
        drain,
        admin: admin?,
        log_level: log.level.unwrap_or_default(),
        log_form: log.form.unwrap_or_default(),
    })
}

fn fronts(node: &Node, problems: &mut Problems) -> Vec<Front> {
    let entries = node.list(problems).unwrap_or_default();
    if entries.is_empty() || entries.len() > MAX_FRONTS {
        let message = format!("{} fronts stand here", entries.len());
        problems.push(&node.place, message, format!("write 1 to {MAX_FRONTS}"));
    }
    let fronts: Vec<(&Node, Front)> =
        entries.iter().filter_map(|entry| Some((entry, front(entry, problems)?))).collect();
    for (at, (entry, front)) in fronts.iter().enumerate() {
        if fronts.iter().take(at).any(|(_, other)| other.name == front.name) {
            problems.push(&entry.place, format!("the front {} stands twice", quoted(&front.name)), "rename one");
        }
    }
    fronts.into_iter().map(|(_, front)| front).collect()
}

fn front(node: &Node, problems: &mut Problems) -> Option<Front> {
    let mut fields = Fields::new(node, "a front", problems)?;
    let called = fields.require("name").and_then(|n| name(n, problems));
    let listen = fields.require("listen").and_then(|n| socket(n, EXAMPLE, problems));
    let upstream = fields.require("upstream").and_then(|n| upstream(n, problems));
    let destination = fields.take("destination").map(|n| host(n, problems));
    fields.finish(problems);
    let destination = destination.map_or(Some(None), |host| host.map(Some))?;
    Some(Front { name: called?, listen: listen?, upstream: upstream?, destination })
}

/// `{ certificate, key, authorities }`, all three.
fn trust(node: &Node, problems: &mut Problems) -> Option<Tls> {
    let mut fields = Fields::new(node, "`tls`", problems)?;
    let files = MUTUAL.map(|word| fields.require(word));
    fields.finish(problems);
    mutual(files, problems)
}

fn house(node: &Node, problems: &mut Problems) -> Option<House> {
    let mut fields = Fields::new(node, "`house`", problems)?;
    let unix = fields.take("unix");
    let (address, called, tls) = (fields.take("address"), fields.take("name"), fields.take("tls"));
    fields.finish(problems);
    match (unix, address, tls) {
        (Some(unix), None, None) => path(unix, problems).map(House::Unix),
        (None, Some(address), Some(tls)) => {
            let address = socket(address, EXAMPLE, problems);
            let called = called.map_or(Some("gatehouse".to_owned()), |n| host(n, problems));
            Some(House::Tls { address: address?, name: called?, tls: trust(tls, problems)? })
        }
        _ => {
            problems.push(&node.place, "how the house is reached is not clear", "write `unix`, or `address` and `tls`");
            None
        }
    }
}

fn limits(node: &Node, problems: &mut Problems) -> Option<Limits> {
    let usual = Limits::default();
    let mut fields = Fields::new(node, "`limits`", problems)?;
    let words = ["connections", "handshakes", "handshake", "connect", "idle"].map(|word| fields.take(word));
    fields.finish(problems);
    let [connections, handshakes, handshake, connect, idle] = words;
    let mut count = |node: Option<&Node>, usual: usize| match node {
        Some(node) => node.integer(1..=1_000_000, problems).and_then(|count| usize::try_from(count).ok()),
        None => Some(usual),
    };
    let (connections, handshakes) = (count(connections, usual.connections), count(handshakes, usual.handshakes));
    let mut time = |node: Option<&Node>, usual: Duration, most: u64| match node {
        Some(node) => span(node, (1, most), problems),
        None => Some(usual),
    };
    Some(Limits {
        connections: connections?,
        handshakes: handshakes?,
        handshake: time(handshake, usual.handshake, 60)?,
        connect: time(connect, usual.connect, 60)?,
        idle: time(idle, usual.idle, 7 * 86_400)?,
    })
}

/// Seconds from and to, both included.
fn span(node: &Node, (least, most): (u64, u64), problems: &mut Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if !(Duration::from_secs(least)..=Duration::from_secs(most)).contains(&time) {
        problems.push(&node.place, "the time is out of range", format!("write one from {least}s to {most}s"));
        return None;
    }
    Some(time)
}

fn paths(node: &Node, problems: &mut Problems) -> Vec<PathBuf> {
    node.one_or_many().iter().filter_map(|node| path(node, problems)).collect()
}

fn loopback(node: &Node, problems: &mut Problems) -> Option<SocketAddr> {
    let address = socket(node, EXAMPLE, problems)?;
    if !address.ip().is_loopback() {
        problems.push(&node.place, "the admin listener asks for no login", "give it an address of loopback");
        return None;
    }
    Some(address)
}

fn upstream(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    let port = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match port {
        Some((host, 1..)) if !host.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some(text.to_owned())
        }
        _ => {
            let help = "write one such as `127.0.0.1:5433`";
            problems.push(&node.place, format!("{} is no host and port", quoted(text)), help);
            None
        }
    }
}

fn host(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if text.is_empty() || text.len() > 253 || !text.bytes().all(plain) {
        problems.push(&node.place, format!("{} is no host", quoted(text)), "write one such as `orders.internal`");
        return None;
    }
    Some(text.to_ascii_lowercase())
}

fn name(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    problems.push(&node.place, format!("{} is no name", quoted(text)), "write 1 to 128 printable characters of ASCII");
    None
}
