//! The transaction record as a domain type: what the gate says of one HTTP transaction, already redacted.
//!
//! Field by field the meaning, unit and limit stand in `proto/gatehouse/v1/record.proto`; the types here mirror it with
//! absences as `Option` and closed sets as enums. Strings are printable: see [`crate::redact`].

use crate::grounds::Grounds;
use crate::verdict::Verdict;

/// Identity of a record: unique for ever, the key by which consumers drop duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RecordId {
    /// Random number of the worker's VM.
    pub epoch: u64,
    /// Sequence within the epoch, from 0.
    pub sequence: u64,
}

impl RecordId {
    /// The 16 bytes on the wire: epoch, then sequence, big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.epoch) << 64) | u128::from(self.sequence)).to_be_bytes()
    }

    /// Reads the 16 bytes of [`RecordId::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { epoch: (both >> 64) as u64, sequence: both as u64 }
    }
}

/// Which part of a transaction a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// The transaction has ended.
    #[default]
    Final,
    /// It still runs; counts are so far.
    Interim,
}

/// How the client's address was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressSource {
    /// A forwarded header, through trusted proxies only.
    Forwarded,
    /// The connection's direct peer.
    Peer,
    /// The gate was given no peer.
    #[default]
    Unknown,
}

/// One HTTP transaction, as told to the house.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Unique id.
    pub id: RecordId,
    /// Number of the transaction within its epoch.
    pub transaction: u64,
    /// Final or interim.
    pub part: Part,
    /// Arrival of the request headers, nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// From arrival to the making of this record, nanoseconds.
    pub duration_ns: u64,
    /// Which gate.
    pub origin: Origin,
    /// The client and its connection.
    pub downstream: Downstream,
    /// The request.
    pub request: Request,
    /// The response.
    pub response: Response,
    /// Where it was sent.
    pub upstream: Upstream,
    /// Of a connection that carries no requests of ours to see: what there is to say of it. `None`: it is a request.
    pub connection: Option<Connection>,
    /// What was decided.
    pub verdict: Verdict,
    /// What that rested on; at most 8.
    pub grounds: Vec<Grounds>,
    /// Revision and SHA-256 of the policy that judged; `None`: none was in force.
    pub policy: Option<PolicyStamp>,
    /// Key behind the keyed hashes; 0: the gate's own.
    pub hash_key_id: u32,
}

/// Names one policy image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyStamp {
    /// The house's number for it; 0: the bootstrap's inline policy.
    pub revision: u64,
    /// SHA-256 of the image.
    pub digest: [u8; 32],
}

/// Which gate saw the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Envoy's node id.
    pub gateway: String,
    /// Envoy's node cluster.
    pub gateway_cluster: String,
    /// Version of the gate.
    pub gate_version: String,
}

/// The connection from the client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Downstream {
    /// The client, in the installation's address form.
    pub client_address: String,
    /// How it was found.
    pub client_address_source: AddressSource,
    /// The direct peer, in the same form; empty: unknown.
    pub peer_address: String,
    /// The direct peer's port; 0: unknown.
    pub peer_port: u16,
    /// Keyed hash of the client, 32 hexadecimal digits.
    pub client_key: String,
    /// First URI SAN of the verified peer certificate.
    pub peer_uri: String,
    /// A verified client certificate was presented; `None`: unknown.
    pub mutual_tls: Option<bool>,
    /// Requested server name.
    pub sni: String,
    /// `TLSv1.3` …; empty on plain text.
    pub tls_version: String,
}

/// A TCP connection, judged before a byte of it went on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// Whom the client wanted to reach; empty: not known.
    pub host: String,
    /// The address that it connected to.
    pub destination_address: String,
    /// Its port; 0: unknown.
    pub destination_port: u16,
    /// Octets from the client, as they were taken off TLS.
    pub received_bytes: u64,
    /// Octets to the client.
    pub sent_bytes: u64,
    /// Who ended it.
    pub ended: Ended,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ended {
    /// The client.
    Client,
    /// The gate: it was rejected.
    Gate,
    /// The server, or the proxy in its stead.
    Server,
    /// Not known, or it still runs.
    #[default]
    Unknown,
}

/// A query parameter or cookie: its name, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameter {
    /// Name, redacted like any text.
    pub name: String,
    /// Sensitive-data class of the value; empty: none.
    pub value_class: String,
    /// Octets of the value as received.
    pub value_length: u32,
}

/// The request, redacted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port as received.
    pub authority: String,
    /// Path as received, without the query.
    pub path: String,
    /// Path as judged.
    pub canonical_path: String,
    /// Query parameters in order; at most 64.
    pub query: Vec<Parameter>,
    /// Cookies in order; at most 64.
    pub cookies: Vec<Parameter>,
    /// Allow-listed headers in order.
    pub headers: Vec<(String, String)>,
    /// User agent.
    pub user_agent: String,
    /// `x-request-id`.
    pub request_id: String,
    /// `traceparent`.
    pub traceparent: String,
    /// `HTTP/1.1`, `HTTP/2` …
    pub protocol: String,
    /// Octets of the headers.
    pub header_bytes: u64,
    /// Octets of the body.
    pub body_bytes: u64,
    /// Number of headers.
    pub header_count: u32,
}

/// The response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Status; 0: none was sent.
    pub status: u32,
    /// Envoy's response code details.
    pub code_details: String,
    /// Envoy's response flags as bits.
    pub flags: u64,
    /// Octets of the headers.
    pub header_bytes: u64,
    /// Octets of the body.
    pub body_bytes: u64,
    /// Content type, without parameters.
    pub content_type: String,
    /// gRPC status of a gRPC response.
    pub grpc_status: Option<u32>,
}

/// Where the request was sent. Times are nanoseconds since the arrival of the request headers; 0: unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upstream {
    /// Route name.
    pub route: String,
    /// Virtual host name.
    pub virtual_host: String,
    /// Cluster name.
    pub cluster: String,
    /// Host of the cluster name, where the name carries one (`outbound|PORT|SUBSET|HOST`).
    pub host: String,
    /// Port of the cluster name; 0: it carries none.
    pub port: u16,
    /// Subset of the cluster name.
    pub subset: String,
    /// Address and port that answered.
    pub address: String,
    /// Connection ready.
    pub connected_ns: u64,
    /// First byte of the response.
    pub first_byte_ns: u64,
    /// Last byte of the response.
    pub last_byte_ns: u64,
    /// Transport failure, as Envoy tells it.
    pub transport_failure: String,
    /// Attempts.
    pub attempts: u32,
}
