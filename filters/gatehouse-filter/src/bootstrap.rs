//! The bootstrap: what the plugin's configuration says, read whole, with every problem named.
//!
//! ```json
//! { "node": "edge-1",
//!   "house": { "cluster": "gatehouse", "authority": "gatehouse", "timeout": "5s" },
//!   "whenNoPolicy": "allow",
//!   "peer": "filter_state",
//!   "identity": { "filter_state": "io.istio.peer_principal" },
//!   "jwt": { "filter": "envoy.filters.http.jwt_authn", "payload": "payload" },
//!   "limits": { "ringBytes": "4MiB" },
//!   "tcp": { "destination": "db.internal", "ports": [5432], "deadline": "5s", "decides": "beforeUpstream" },
//!   "policy": { "apiVersion": "gatehouse.dev/v1", "kind": "Policy" } }
//! ```
//! `tcp` is for the filter of connections only. Everything is optional, and so is the configuration itself. It holds no secrets.

use core::time::Duration;

use gatehouse_engine::{Policy, Settings, WhenNoPolicy};
use gatehouse_policy::document::{Fields, Node, Problems, Value, json};

use crate::claims;
use crate::root::Judges;

/// Longest configuration, bytes: an inline policy of 64 KiB and what stands around it.
pub const MAX_CONFIGURATION: usize = 96 * 1024;

/// Filter state that holds the direct peer unless the bootstrap names another.
const PEER_KEY: &str = "gatehouse.peer";

const MIN_RING: u64 = 128 * 1024;
const MAX_RING: u64 = 256 * 1024 * 1024;
const DEFAULT_RING: usize = 4 * 1024 * 1024;
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_PORTS: usize = 1024;

/// What a configuration means.
#[derive(Debug)]
pub struct Bootstrap {
    /// Name of this gateway instead of Envoy's node id.
    pub node: Option<String>,
    /// Where the house is; `None`: there is none, and no records are made.
    pub house: Option<House>,
    /// What the engine needs to know.
    pub settings: Settings,
    /// The inline policy, compiled.
    pub policy: Option<Policy>,
    /// Bytes of records that may wait for the house, per worker.
    pub ring_bytes: usize,
    /// Where the direct peer is told.
    pub peer: PeerSource,
    /// Filter state that tells the verified identity where TLS ended before this listener; `None`: the certificate tells it.
    pub identity: Option<String>,
    /// Where Envoy leaves a verified token.
    pub jwt: claims::Place,
    /// Of the filter for connections.
    pub tcp: Tcp,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            node: None,
            house: None,
            settings: Settings::default(),
            policy: None,
            ring_bytes: DEFAULT_RING,
            peer: PeerSource::FilterState(PEER_KEY.to_owned()),
            identity: None,
            jwt: claims::Place::default(),
            tcp: Tcp::default(),
        }
    }
}

/// How connections are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Whom clients reach here, canonical; `None`: whom they name in TLS.
    pub destination: Option<String>,
    /// Ports that are judged, of this Envoy's own side; what goes to another one goes on. Empty: all.
    pub ports: Vec<u64>,
    /// How long a client may take to prove who it is.
    pub deadline: Duration,
    /// Connections are held until it is decided, before any goes to an upstream: `tcp_proxy` must have `max_early_data_bytes`
    /// (Envoy 1.37). Else it is decided at the first data of either side.
    pub holds: bool,
}

impl Default for Tcp {
    fn default() -> Self {
        Self { destination: None, ports: Vec::new(), deadline: Duration::from_secs(5), holds: true }
    }
}

impl Tcp {
    /// A connection to this port is judged; one whose port is not known is too.
    #[must_use]
    pub fn judges(&self, port: Option<u64>) -> bool {
        self.ports.is_empty() || port.is_none_or(|port| self.ports.contains(&port))
    }
}

/// How the house is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    /// Envoy's name of the cluster.
    pub cluster: String,
    /// `:authority` of the stream.
    pub authority: String,
    /// How long a greeting may stay unanswered before the stream is tried anew.
    pub timeout: Duration,
}

/// Where the direct peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerSource {
    /// A filter state that `set_filter_state` wrote before this filter.
    FilterState(String),
    /// `source.address`: only right with `use_remote_address: true` and no trusted hops.
    UseRemoteAddress,
}

/// Reads a configuration.
///
/// # Errors
/// Every problem, each with its place (`configuration.house.cluster`) and what would be right.
pub fn read(text: &[u8], what: Judges) -> Result<Bootstrap, Problems> {
    let mut problems = Problems::default();
    let Ok(text) = core::str::from_utf8(text) else {
        problems.push(
            &gatehouse_policy::document::Place::pointer("configuration"),
            "the bytes are not UTF-8",
            "write JSON in UTF-8",
        );
        return Err(problems);
    };
    if text.trim().is_empty() {
        return Ok(Bootstrap::default());
    }
    let mut node = json("configuration", text)?;
    if let Value::String(inner) = &node.value {
        // A text that holds the JSON: what wrapping a configuration twice leads to.
        node = json("configuration", inner)?;
    }
    let bootstrap = whole(&node, what, &mut problems);
    match bootstrap {
        Some(bootstrap) if problems.is_empty() => Ok(bootstrap),
        _ => Err(problems),
    }
}

fn whole(node: &Node, what: Judges, problems: &mut Problems) -> Option<Bootstrap> {
    if node.value == Value::Null {
        return Some(Bootstrap::default());
    }
    let mut fields = Fields::new(node, "the gate's configuration", problems)?;
    let mut bootstrap = Bootstrap {
        node: fields.take("node").and_then(|n| name(n, problems)).map(str::to_owned),
        house: fields.take("house").and_then(|n| house(n, problems)),
        policy: fields.take("policy").and_then(|n| inline(n, problems)),
        ..Bootstrap::default()
    };
    if let Some(word) = fields.take("whenNoPolicy").and_then(|n| n.one_of(&["allow", "block"], problems)) {
        bootstrap.settings.when_no_policy = if word == "block" { WhenNoPolicy::Block } else { WhenNoPolicy::Allow };
    }
    if let Some(ring) = fields.take("limits").and_then(|n| limits(n, problems)) {
        bootstrap.ring_bytes = ring;
    }
    if let Some(source) = fields.take("peer").and_then(|n| peer(n, problems)) {
        bootstrap.peer = source;
    }
    if what == Judges::Requests {
        bootstrap.identity = fields.take("identity").and_then(|n| state_of(n, "the identity", problems));
    }
    if what == Judges::Connections
        && let Some(said) = fields.take("tcp").and_then(|n| tcp(n, problems))
    {
        bootstrap.tcp = said;
    }
    if let Some(place) = fields.take("jwt").and_then(|n| jwt(n, problems)) {
        bootstrap.jwt = place;
    }
    fields.finish(problems);
    Some(bootstrap)
}

/// `{ destination, ports, deadline, decides }`: of the filter for connections.
fn tcp(node: &Node, problems: &mut Problems) -> Option<Tcp> {
    let mut fields = Fields::new(node, "`tcp`", problems)?;
    let destination = fields.take("destination").map(|n| authority(n, problems));
    let deadline = fields.take("deadline").map(|n| timeout(n, problems));
    let ports = fields.take("ports").map(|n| ports(n, problems));
    let decides = fields.take("decides").map(|n| n.one_of(&["beforeUpstream", "atFirstData"], problems));
    fields.finish(problems);
    let usual = Tcp::default();
    Some(Tcp {
        destination: destination.map_or(Some(None), |host| host.map(|host| Some(host.to_ascii_lowercase())))?,
        ports: ports.unwrap_or(Some(usual.ports))?,
        deadline: deadline.unwrap_or(Some(usual.deadline))?,
        holds: decides.map_or(Some(usual.holds), |word| word.map(|word| word == "beforeUpstream"))?,
    })
}

/// At least one: an empty list would judge everything, or nothing, which nobody can tell from it.
fn ports(node: &Node, problems: &mut Problems) -> Option<Vec<u64>> {
    let list = node.list(problems)?;
    if list.is_empty() || list.len() > MAX_PORTS {
        let help = "write the ports that are judged, such as `[5432]`, or leave `ports` out to judge them all";
        problems.push(&node.place, format!("`ports` has {} ports, not 1 to {MAX_PORTS}", list.len()), help);
        return None;
    }
    list.iter().map(|port| u64::try_from(port.integer(1..=65535, problems)?).ok()).collect()
}

/// Where the filter `jwt_authn` (or one like it) leaves the claims of a token that it verified.
fn jwt(node: &Node, problems: &mut Problems) -> Option<claims::Place> {
    let usual = claims::Place::default();
    let mut fields = Fields::new(node, "`jwt`", problems)?;
    let mut text = |key, usual: String| match fields.take(key) {
        Some(node) => node.string(problems).map(str::to_owned),
        None => Some(usual),
    };
    let (filter, field) = (text("filter", usual.filter), text("payload", usual.field));
    fields.finish(problems);
    Some(claims::Place { filter: filter?, field: field? })
}

fn house(node: &Node, problems: &mut Problems) -> Option<House> {
    let mut fields = Fields::new(node, "the house", problems)?;
    let cluster = fields.require("cluster").and_then(|n| name(n, problems));
    let authority = match fields.take("authority") {
        Some(n) => authority(n, problems),
        None => cluster.map(default_authority),
    };
    let timeout = match fields.take("timeout") {
        Some(n) => timeout(n, problems),
        None => Some(Duration::from_secs(5)),
    };
    fields.finish(problems);
    Some(House { cluster: cluster?.to_owned(), authority: authority?.to_owned(), timeout: timeout? })
}

/// The host of a mesh's cluster name (`outbound|PORT|SUBSET|HOST`), whose bars HTTP/2 servers refuse in `:authority`.
fn default_authority(cluster: &str) -> &str {
    match cluster.rsplit_once('|') {
        Some((_, host)) if is_authority(host) => host,
        _ => "gatehouse",
    }
}

fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
}

fn authority<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a str> {
    let text = node.string(problems)?;
    if is_authority(text) {
        return Some(text);
    }
    problems.push(
        &node.place,
        "this is no authority",
        "write a host name, and a port if it needs one, such as `gatehouse.edge.svc:7443`",
    );
    None
}

fn timeout(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let value = node.duration(problems)?;
    if value.is_zero() || value > MAX_TIMEOUT {
        problems.push(&node.place, "the timeout is out of range", "write something from `1ms` to `60s`");
        return None;
    }
    Some(value)
}

/// A name that appears in records, logs and keys: printable, at most 255 bytes.
fn name<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a str> {
    let text = node.string(problems)?;
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
        problems.push(
            &node.place,
            "the name is empty, longer than 255 bytes, or holds control characters",
            "write a plain name",
        );
        return None;
    }
    Some(text)
}

fn limits(node: &Node, problems: &mut Problems) -> Option<usize> {
    let mut fields = Fields::new(node, "the limits", problems)?;
    let ring = match fields.take("ringBytes") {
        Some(n) => n.size(problems).and_then(|size| ring(n, size, problems)),
        None => Some(DEFAULT_RING),
    };
    fields.finish(problems);
    ring
}

fn ring(node: &Node, size: u64, problems: &mut Problems) -> Option<usize> {
    if !(MIN_RING..=MAX_RING).contains(&size) {
        problems.push(&node.place, "`ringBytes` is out of range", "write something from `128KiB` to `256MiB`");
        return None;
    }
    usize::try_from(size).ok()
}

fn peer(node: &Node, problems: &mut Problems) -> Option<PeerSource> {
    if let Value::Map(_) = node.value {
        return state_of(node, "the peer", problems).map(PeerSource::FilterState);
    }
    match node.one_of(&["filter_state", "use_remote_address"], problems)? {
        "use_remote_address" => Some(PeerSource::UseRemoteAddress),
        _ => Some(PeerSource::FilterState(PEER_KEY.to_owned())),
    }
}

/// `{ filter_state: KEY }`, of `what`.
fn state_of(node: &Node, what: &'static str, problems: &mut Problems) -> Option<String> {
    let mut fields = Fields::new(node, what, problems)?;
    let key = fields.require("filter_state").and_then(|n| state_key(n, problems));
    fields.finish(problems);
    key.map(str::to_owned)
}

/// A filter state's key; it becomes part of an expression, so its alphabet is small.
fn state_key<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a str> {
    let text = node.string(problems)?;
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(known) {
        problems.push(
            &node.place,
            "this is no key of a filter state",
            "write letters, digits, `.`, `_`, `-` and `/`, such as `gatehouse.peer`",
        );
        return None;
    }
    Some(text)
}

fn inline(node: &Node, problems: &mut Problems) -> Option<Policy> {
    match gatehouse_policy::inline(node) {
        Ok(policy) => Some(policy),
        Err(more) => {
            problems.extend(more);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        read(text.as_bytes(), Judges::Requests).expect_err("refused").to_string()
    }

    #[test]
    fn nothing_is_a_bootstrap() {
        for text in ["", "  \n", "null", "{}", "\"{}\""] {
            let bootstrap = read(text.as_bytes(), Judges::Requests).expect(text);
            assert_eq!(bootstrap.house, None);
            assert_eq!(bootstrap.settings.when_no_policy, WhenNoPolicy::Allow);
            assert_eq!(bootstrap.peer, PeerSource::FilterState("gatehouse.peer".into()));
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let said = problems(
            r#"{"nod": "x", "house": {"cluster": "", "timeout": 5}, "whenNoPolicy": "deny", "limits": {"ringBytes": "1B"},
                "peer": {"filter_state": "a' || true"}}"#,
        );
        for word in [
            "configuration.nod",
            "did you mean `node`?",
            "configuration.house.cluster",
            "configuration.house.timeout",
            "configuration.whenNoPolicy",
            "configuration.limits.ringBytes",
            "configuration.peer.filter_state",
        ] {
            assert!(said.contains(word), "`{word}` is missing in:\n{said}");
        }
    }

    #[test]
    fn authority_follows_the_mesh_name_of_the_cluster() {
        let authority = |cluster: &str| {
            read(format!(r#"{{"house": {{"cluster": "{cluster}"}}}}"#).as_bytes(), Judges::Requests)
                .expect("read")
                .house
                .expect("house")
                .authority
        };
        assert_eq!(authority("outbound|7443||gatehouse.edge.svc.cluster.local"), "gatehouse.edge.svc.cluster.local");
        assert_eq!(authority("users"), "gatehouse");
        assert_eq!(authority("a|"), "gatehouse");
    }

    #[test]
    fn an_authority_with_a_bar_is_refused() {
        let said = problems(r#"{"house": {"cluster": "c", "authority": "outbound|1||h"}}"#);
        assert!(said.contains("configuration.house.authority"), "{said}");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert!(read(&[0xff, 0xfe], Judges::Requests).is_err());
        assert!(read(b"{", Judges::Requests).is_err());
    }

    #[test]
    fn only_the_filter_of_connections_is_told_of_them() {
        let text = r#"{"tcp": {"destination": "DB.internal", "deadline": "2s", "decides": "atFirstData"}}"#;
        assert!(problems(text).contains("configuration.tcp"));
        let tcp = read(text.as_bytes(), Judges::Connections).expect("read").tcp;
        let destination = Some("db.internal".into());
        assert_eq!(tcp, Tcp { destination, deadline: Duration::from_secs(2), holds: false, ..Tcp::default() });
        for wrong in [
            r#"{"tcp": {"deadline": "90s"}}"#,
            r#"{"tcp": {"destination": "a b"}}"#,
            r#"{"tcp": {"port": 1}}"#,
            r#"{"tcp": {"ports": []}}"#,
            r#"{"tcp": {"ports": [1, 65536]}}"#,
            r#"{"identity": {"filter_state": "a"}}"#,
        ] {
            assert!(read(wrong.as_bytes(), Judges::Connections).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listed_ports_are_judged_and_so_is_one_that_nobody_knows() {
        let tcp = read(br#"{"tcp": {"ports": [5432, 6379]}}"#, Judges::Connections).expect("read").tcp;
        assert!(tcp.judges(Some(6379)) && tcp.judges(None) && !tcp.judges(Some(80)));
        assert!(Tcp::default().judges(Some(80)));
    }

    #[test]
    fn an_identity_is_told_by_a_filter_state_with_a_plain_key() {
        let read = |text: &str| read(text.as_bytes(), Judges::Requests);
        let identity = read(r#"{"identity": {"filter_state": "io.istio.peer_principal"}}"#).expect("read").identity;
        assert_eq!(identity.as_deref(), Some("io.istio.peer_principal"));
        assert!(problems(r#"{"identity": {"filter_state": "a'"}}"#).contains("configuration.identity.filter_state"));
        assert!(problems(r#"{"identity": "filter_state"}"#).contains("configuration.identity"));
    }
}
