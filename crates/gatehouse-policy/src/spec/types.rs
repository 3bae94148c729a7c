//! What a policy document may hold, as types without impossible values: the words of the language, each once. Readers (`spec`)
//! make these from nodes with places; `compile` settles what several documents mean together and writes the image.

use gatehouse_signals::address::Network;

use super::{HostPattern, Outside, PathPattern, TextPattern};
use crate::document::Place;

/// What a document speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Traffic {
    /// `kind: TcpPolicy`: connections, before a byte of them goes on.
    Connections,
    /// `kind: Policy`: requests.
    Requests,
}

#[cfg(feature = "yaml")]
impl Traffic {
    /// The `kind` of the document.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Connections => "TcpPolicy",
            Self::Requests => "Policy",
        }
    }
}

/// Which way the requests go that a document speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From workloads to hosts elsewhere: the workload is the client.
    Egress,
    /// To applications behind the gateway.
    Ingress,
}

/// Whether the server name of the connection must name the host of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServerName {
    /// It need not.
    Any,
    /// It must, but for these names, which are the gateway's own.
    Match { own: Vec<HostPattern> },
}

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) traffic: Traffic,
    pub(crate) place: Place,
    /// Segments of `organisation/tenant/workspace/group`; empty: none was written.
    pub(crate) scope: Vec<String>,
    /// 1 organisation, 2 tenant, 3 workspace, 4 group (also a document with hosts and without a scope).
    pub(crate) layer: u8,
    /// Empty: every host.
    pub(crate) hosts: Vec<(HostPattern, Place)>,
    /// What rules that say nothing else get.
    pub(crate) mode: Rollout,
    /// Settings of this document itself, those that lower layers may change, and those that they may not weaken.
    pub(crate) own: Settings,
    pub(crate) defaults: Settings,
    pub(crate) mandates: Settings,
    pub(crate) grants: Vec<Grant>,
    /// Packs whose rules and lists are added to its own.
    pub(crate) uses: Vec<Use>,
    /// In what time a score halves, nanoseconds; one value a policy.
    pub(crate) half_life: Option<(u64, Place)>,
    pub(crate) lists: Vec<List>,
    /// Of all tiers, in the order written.
    pub(crate) rules: Vec<Rule>,
}

impl Document {
    /// Its list of this name.
    pub(crate) fn list(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.name == name)
    }
}

/// Settings that one document's word decides.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) client_address: Option<(ClientAddress, Place)>,
    /// What proves who the client is, in order; the first that is known.
    pub(crate) client_key: Option<(Vec<ClientKey>, Place)>,
    pub(crate) otherwise: Option<(Then, Place)>,
    pub(crate) ambiguous: Option<(Ambiguous, Place)>,
    pub(crate) backend: Option<(Backend, Place)>,
    /// `forward: canonical`.
    pub(crate) forward_canonical: Option<(bool, Place)>,
    pub(crate) support: Option<(Support, Place)>,
    /// `identityHeaders: strip | refuse` (names of headers that only a trusted proxy may set; clients' are removed or refused).
    pub(crate) identity_headers: Option<(IdentityHeaders, Place)>,
    /// `requireMutualTls: true`: a request without a verified peer is refused.
    pub(crate) require_mutual_tls: Option<(bool, Place)>,
    /// `requireOneUri: true`: a verified peer whose certificate has several URIs is refused.
    pub(crate) require_one_uri: Option<(bool, Place)>,
    pub(crate) direction: Option<(Direction, Place)>,
    pub(crate) server_name: Option<(ServerName, Place)>,
}

/// A parent's word that a scope below it may claim hosts.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) to: Vec<String>,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) place: Place,
}

/// `packs/NAME` or `packs/NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// Without `packs/`.
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) place: Place,
}

/// How far a rule's verdict reaches: `monitor`, `canary N%`, `enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rollout {
    /// It only says what it would have done.
    Monitor,
    /// It decides for so many percent of the clients, 1 to 99.
    Canary(u8),
    /// It decides.
    Enforce,
}

/// What happens to a request with more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    /// It is refused.
    Reject,
    /// Every reading is judged, and the strictest verdict wins.
    Strictest,
}

/// Where the client's address is read, and whose word is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientAddress {
    pub(crate) from: AddressFrom,
    pub(crate) trust: Trust,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressFrom {
    XForwardedFor,
    Forwarded,
    /// A single-value header, lower case: `x-real-ip`, `cf-connecting-ip`, `true-client-ip`, …
    Header(String),
    /// The connection's own peer (also what the PROXY protocol told Envoy).
    Peer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Proxies in these networks; none: nobody.
    Networks(Vec<Network>),
    /// So many proxies.
    Hops(u8),
}

/// What may be a client's key: only what is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientKey {
    Address,
    /// `jwt.NAME`, only as Envoy verified it.
    Claim(String),
    Identity,
}

/// What stands behind the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    /// Paths are the same in any letter case.
    pub case_insensitive: bool,
    /// How often it decodes, 1 or 2.
    pub decodes: u8,
    /// What it does with `;` parameters.
    pub parameters: Parameters,
}

/// What the application does with `;` parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// Not declared: judged both ways.
    Both,
    /// It takes the path without them.
    Ignored,
    /// They are part of the path.
    Kept,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Support {
    pub(crate) text: Option<String>,
    /// https or mailto.
    pub(crate) link: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdentityHeaders {
    /// Lower case.
    pub(crate) names: Vec<String>,
    pub(crate) refuse: bool,
}

/// A named list.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) entries: Entries,
    /// Files with more entries of the same kind; they are among `entries` once the library was asked.
    pub(crate) files: Vec<(String, Place)>,
    /// Unix seconds.
    pub(crate) expires: Option<(u64, Place)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Entries {
    Asns(Vec<u32>),
    Countries(Vec<[u8; 2]>),
    /// JA4 or our header-order fingerprint, as text.
    Fingerprints(Vec<String>),
    Identities(Vec<String>),
    Networks(Vec<Network>),
    /// Filled by the house while it runs: by hand (`None`), or from outside.
    Verdicts(Option<Outside>),
}

/// Where a rule stands in the order of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// From `mandates`: no lower document weakens it.
    Mandate,
    /// Its match asks, at the top, for a verdict.
    Verdict,
    /// From `rules`.
    Rule,
    /// From `defaults`: after every rule of the layers below.
    Default,
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) tier: Tier,
    pub(crate) priority: i16,
    /// `None`: the document's.
    pub(crate) mode: Option<Rollout>,
    pub(crate) condition: Condition,
    pub(crate) limit: Option<Limit>,
    pub(crate) then: Then,
    /// It reads the response: judged when the response's headers arrive.
    pub(crate) on_response: bool,
}

/// What must hold; made in normal form by `spec::normal`.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    All(Vec<Self>),
    Always,
    Any(Vec<Self>),
    Not(Box<Self>),
    Address(Addresses),
    AgentClass(gatehouse_signals::agent::AgentClass),
    /// Without regard to case.
    AgentName(String),
    AgentVerified(bool),
    Asn(u32),
    AsnList(ListName),
    Claim(String, TextPattern),
    Cookie(String, TextPattern),
    Country([u8; 2]),
    CountryList(ListName),
    /// The address that the connection was made to.
    Destination(Addresses),
    /// JA4 where it begins with `t`, `q` or `d`; ours where it begins with `h`.
    Fingerprint(String),
    FingerprintList(ListName),
    Header(String, TextPattern),
    Host(HostPattern),
    /// A SPIFFE pattern of the verified peer; short forms (`ns/sa`) are written out by the reader.
    Identity(String),
    IdentityList(ListName),
    /// `identity: none`: there is no verified peer.
    NoIdentity,
    Label(String),
    Method(String),
    Path(PathPattern),
    /// The local port of the connection.
    Port(u16),
    Query(String, TextPattern),
    ResponseHeader(String, TextPattern),
    ResponseSize(Range),
    ResponseStatus(Statuses),
    /// Media type of the response without parameters, lower case; `text/*` is a prefix.
    ResponseType(String),
    Score {
        at_least: u32,
        label: Option<String>,
    },
    /// Content-length of the request, bytes; unknown without one.
    Size(Range),
    /// Exact or under a domain.
    Sni(HostPattern),
    Time(TimeWindow),
    TlsMutual(bool),
    /// At least this version: 10, 11, 12, 13.
    TlsVersion(u8),
    Verdict(ListName),
}

/// A list by its name, which may not exist.
#[derive(Debug, Clone)]
pub(crate) struct ListName {
    pub(crate) name: String,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) enum Addresses {
    List(ListName),
    Networks(Vec<Network>),
}

/// Both ends included; `None`: open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) least: Option<u64>,
    pub(crate) most: Option<u64>,
}

/// HTTP statuses as ranges, both ends included, sorted and disjoint (`401`, `4xx`, `500-503`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statuses(pub(crate) Vec<(u16, u16)>);

/// Wall-clock time; all that is written must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeWindow {
    /// Unix seconds.
    pub(crate) after: Option<u64>,
    pub(crate) before: Option<u64>,
    /// Bit 0 Monday … bit 6 Sunday; 0x7f: every day.
    pub(crate) days: u8,
    /// Minutes since midnight at `offset_minutes`: from (included) and to (excluded); wraps over midnight where to < from.
    pub(crate) hours: Option<(u16, u16)>,
    /// East of UTC.
    pub(crate) offset_minutes: i16,
}

/// `limit:` of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) by: Vec<KeyPart>,
    pub(crate) count: Count,
    /// One to four, all over one window, ascending; the first is the limit itself (its `then` is the rule's).
    pub(crate) steps: Vec<Step>,
    /// Counts of failures: the bound on unanswered tries.
    pub(crate) in_flight: Option<u32>,
    pub(crate) shared: bool,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// N of `N per window`.
    pub(crate) rate: u32,
    pub(crate) per_ns: u64,
    /// GCRA where given (a limit with one step only).
    pub(crate) burst: Option<u32>,
    /// 0: none.
    pub(crate) block_for_ns: u64,
    /// `None`: the rule's.
    pub(crate) then: Option<Then>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Count {
    /// More than the rate of different values.
    Distinct(KeyPart),
    /// Answers with such a status.
    Failures(Statuses),
    Requests,
}

/// One part of a limit's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyPart {
    Address,
    /// IPv4 /24, IPv6 /48.
    AddressPrefix,
    Asn,
    Claim(String),
    Client,
    Cookie(String),
    Country,
    Fingerprint,
    Header(String),
    Host,
    Identity,
    Method,
    Path,
    PathClass,
    Query(String),
    TlsMutual,
    TlsVersion,
}

impl KeyPart {
    /// A stranger can choose it alone: the limit then counts the address too (IPv6: its /64), the stricter wins.
    pub(crate) const fn is_unproven(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::Header(_) | Self::Query(_))
    }
}

/// What a rule does: what adds up first, then at most one final action, last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Then {
    pub(crate) effects: Vec<Effect>,
    pub(crate) decides: Option<Action>,
}

/// Not final: adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nanoseconds, at most 10 s.
    Delay(u64),
    Record,
    /// Removes response headers (lower case).
    RemoveResponseHeaders(Vec<String>),
    /// A header that steers Envoy's route; set like a tag.
    Route {
        header: String,
        value: String,
    },
    /// Removes request headers (lower case) and query parameters before forwarding.
    Sanitize {
        headers: Vec<String>,
        query: Vec<String>,
    },
    /// Sets response headers (lower case).
    SetResponseHeaders(Vec<(String, String)>),
    Tag {
        header: String,
        value: String,
    },
    Weigh {
        weight: i32,
        label: Option<String>,
    },
}

/// Final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Block(Refusal),
    Deceive {
        status: u16,
        body: String,
        headers: Vec<(String, String)>,
    },
    Drop,
    /// 429 unless the refusal says otherwise; with `Retry-After`.
    Limit(Refusal),
    Redirect {
        location: String,
        status: u16,
    },
    /// Of a connection: it is closed before a byte of it goes on.
    Reject,
}

/// How a refusal looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// 400 to 499.
    pub(crate) status: u16,
    /// With placeholders; `None`: the gate's own, by what the client accepts.
    pub(crate) body: Option<String>,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    /// May be cached; else `Cache-Control: no-store`.
    pub(crate) cache: bool,
}
