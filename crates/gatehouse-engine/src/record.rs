//! Head, verdict and outcome to the redacted record, written straight to its wire form: a record is made for every transaction, and
//! what would be built first only to be encoded costs more than both.
//!
//! Everything that a client can write goes through the [`Redactor`]; what the operator wrote (route, cluster, rule) and what
//! Envoy says of itself is only made printable. Values of query parameters and cookies are never kept.

mod bounded;
mod connection;
mod fields;
mod grounds;
mod judgement;
mod request;
mod upstream;
mod wire;

use core::ops::Range;

use gatehouse_policy::Policy;
use gatehouse_signals::Head;
use gatehouse_signals::sensitive::{self, UsualTexts};
use gatehouse_verdict::record::{Origin, Part, RecordId, Response};
use gatehouse_verdict::redact::{AddressForm, Classify, MAX_NAME_BYTES, MAX_VALUE_BYTES, Redactor, Shown, printable};

use self::wire::Wire;
use crate::exchange::Judged;

pub use bounded::bounded;
pub use connection::{Carried, Ended, connection};

/// What the host knows of a transaction's response and way, as it was told: nothing is redacted yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Final or interim.
    pub part: Part,
    /// Arrival of the request headers, nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// From arrival to now, nanoseconds.
    pub duration_ns: u64,
    /// `HTTP/1.1` …
    pub protocol: String,
    /// Octets of the request body so far.
    pub request_body_bytes: u64,
    /// The response; its strings are raw.
    pub response: gatehouse_verdict::record::Response,
    /// The upstream; `host`, `port` and `subset` are taken from `cluster` instead.
    pub upstream: gatehouse_verdict::record::Upstream,
}

/// What holds for all records of a worker.
#[derive(Clone)]
pub struct Context {
    /// Which gate.
    pub origin: Origin,
    /// Key of the keyed hashes.
    pub hash_key: [u8; 16],
    /// Its id; 0: the gate's own.
    pub hash_key_id: u32,
    /// How addresses appear.
    pub address_form: AddressForm,
    /// What clients send again and again.
    pub usual: UsualTexts,
}

/// The sensitive-data classes of `gatehouse-signals`, for the redactor.
#[derive(Debug, Clone, Copy)]
struct Classes<'a> {
    usual: &'a UsualTexts,
}

impl Classify for Classes<'_> {
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>, &'static str)) {
        sensitive::find(text).for_each(|(range, class)| found(range, class.as_str()));
    }

    fn is_plain(&self, text: &[u8]) -> bool {
        sensitive::is_plain(text)
    }

    fn is_usual(&self, text: &[u8]) -> bool {
        self.usual.is_plain(text)
    }

    fn classify_segment(&self, value: &[u8]) -> Option<&'static str> {
        sensitive::classify_segment(value).map(sensitive::Class::as_str)
    }
}

/// One transaction and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Transaction<'a> {
    /// Its number within its epoch.
    pub number: u64,
    /// The head that was judged, byte for byte.
    pub head: Head<'a>,
    /// What was decided.
    pub judged: &'a Judged,
    /// The policy by which; without it the record does not tell what the verdict rested on.
    pub policy: Option<&'a Policy>,
}

/// Appends the record of one transaction, encoded (`gatehouse.v1.Record`), to `into`.
///
/// It is seldom above 8 KiB; for one that is above what its carrier takes there is [`bounded()`].
pub fn record(id: RecordId, of: &Transaction<'_>, outcome: &Outcome, context: &Context, into: &mut Vec<u8>) {
    let Transaction { number, head, judged, .. } = *of;
    let classes = Classes { usual: &context.usual };
    let redactor = Redactor::new(&context.hash_key, context.hash_key_id, context.address_form, classes);
    let mut wire = Wire::new(into);
    wire.bytes(fields::record::ID, &id.to_bytes());
    wire.number(fields::record::TRANSACTION, number);
    wire.number(fields::record::PART, part(outcome.part));
    wire.fixed(fields::record::START_UNIX_NS, outcome.start_unix_ns);
    wire.number(fields::record::DURATION_NS, outcome.duration_ns);
    wire.message(fields::record::ORIGIN, |wire| origin(&context.origin, id.epoch, wire));
    wire.message(fields::record::DOWNSTREAM, |wire| downstream(&head, judged, &redactor, wire));
    wire.message(fields::record::REQUEST, |wire| {
        request::request(&head, &outcome.protocol, outcome.request_body_bytes, &redactor, wire);
    });
    wire.message(fields::record::RESPONSE, |wire| response(&outcome.response, &redactor, wire));
    wire.message(fields::record::UPSTREAM, |wire| upstream::upstream(&outcome.upstream, wire));
    wire.message(fields::record::JUDGEMENT, |wire| judgement::judgement(of, &redactor, wire));
    wire.number(fields::record::HASH_KEY_ID, redactor.key_id().into());
}

/// The number of `Record.Part`.
fn part(part: Part) -> u64 {
    match part {
        Part::Final => 1,
        Part::Interim => 2,
    }
}

fn origin(origin: &Origin, epoch: u64, wire: &mut Wire<'_>) {
    wire.text(fields::origin::GATEWAY, &origin.gateway);
    wire.text(fields::origin::GATEWAY_CLUSTER, &origin.gateway_cluster);
    wire.fixed(fields::origin::EPOCH, epoch);
    wire.text(fields::origin::GATE_VERSION, &origin.gate_version);
}

fn downstream(head: &Head<'_>, judged: &Judged, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let connection = head.connection;
    let client = judged.subject.client;
    if let Some(of) = client.address {
        wire.bytes(fields::downstream::CLIENT_ADDRESS, redactor.address(of).as_bytes());
    }
    wire.number(
        fields::downstream::CLIENT_ADDRESS_SOURCE,
        // The numbers of `Downstream.AddressSource`.
        match client.address {
            Some(_) if client.forwarded => 2,
            Some(_) => 1,
            None => 3,
        },
    );
    if let Some(of) = connection.peer {
        wire.bytes(fields::downstream::PEER_ADDRESS, redactor.address(of).as_bytes());
    }
    wire.number(fields::downstream::PEER_PORT, connection.peer_port.unwrap_or_default().into());
    // The client as the policy decided who it is; absent where nothing is known of it.
    if let Some(digits) = judged.subject.shown(*head, redactor.hash()) {
        wire.bytes(fields::downstream::CLIENT_KEY, &digits);
    }
    wire.shown(fields::downstream::PEER_URI, &shown(connection.peer_uri.as_deref().unwrap_or_default()));
    wire.optional(fields::downstream::MUTUAL_TLS, connection.mutual_tls.map(u64::from));
    let sni = connection.sni.as_deref().unwrap_or_default();
    wire.shown(fields::downstream::SNI, &redactor.usual_text(sni.as_bytes(), MAX_NAME_BYTES));
    wire.shown(fields::downstream::TLS_VERSION, &shown(connection.tls_version.as_deref().unwrap_or_default()));
}

fn response(response: &Response, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let parameters = response.content_type.bytes().position(|byte| byte == b';');
    let content_type =
        parameters.and_then(|at| response.content_type.get(..at)).unwrap_or(&response.content_type).trim();
    wire.number(fields::response::STATUS, response.status.into());
    wire.shown(fields::response::CODE_DETAILS, &shown(&response.code_details));
    wire.number(fields::response::FLAGS, response.flags);
    wire.number(fields::response::HEADER_BYTES, response.header_bytes);
    wire.number(fields::response::BODY_BYTES, response.body_bytes);
    wire.shown(fields::response::CONTENT_TYPE, &redactor.usual_text(content_type.as_bytes(), MAX_NAME_BYTES));
    wire.optional(fields::response::GRPC_STATUS, response.grpc_status.map(u64::from));
}

/// What the operator wrote or Envoy says of itself.
fn shown(text: &str) -> Shown<'_> {
    printable(text.as_bytes(), MAX_VALUE_BYTES)
}

#[cfg(test)]
pub(crate) mod tests;
