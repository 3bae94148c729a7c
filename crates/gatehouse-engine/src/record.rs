//! Head, verdict and outcome to the redacted record.
//!
//! Everything that a client can write goes through the [`Redactor`]; what the operator wrote (route, cluster, rule) and what
//! Envoy says of itself is only made printable. Values of query parameters and cookies are never kept.

mod bounded;
mod request;
mod upstream;

use core::ops::Range;

use gatehouse_signals::{Head, sensitive};
use gatehouse_verdict::Record;
use gatehouse_verdict::record::{AddressSource, Downstream, Origin, Part, RecordId, Response};
use gatehouse_verdict::redact::{AddressForm, Classify, MAX_VALUE_BYTES, Redactor, printable};

use crate::exchange::Judged;

pub use bounded::bounded;

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
    /// The upstream; `host`, `port` and `subset` are filled here from `cluster`.
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
}

/// The sensitive-data classes of `gatehouse-signals`, for the redactor.
#[derive(Debug, Clone, Copy)]
struct Classes;

impl Classify for Classes {
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>, &'static str)) {
        sensitive::find(text).for_each(|(range, class)| found(range, class.as_str()));
    }

    fn classify_segment(&self, value: &[u8]) -> Option<&'static str> {
        sensitive::classify_segment(value).map(sensitive::Class::as_str)
    }
}

/// Makes the record of one transaction. `head` is the head that was judged, byte for byte.
///
/// Encoded it is seldom above 8 KiB; for one that is above what its carrier takes there is [`bounded()`].
#[must_use]
pub fn record(
    id: RecordId,
    transaction: u64,
    head: Head<'_>,
    judged: &Judged,
    outcome: Outcome,
    context: &Context,
) -> Record {
    let redactor = Redactor::new(&context.hash_key, context.hash_key_id, context.address_form, Classes);
    Record {
        id,
        transaction,
        part: outcome.part,
        start_unix_ns: outcome.start_unix_ns,
        duration_ns: outcome.duration_ns,
        origin: context.origin.clone(),
        downstream: downstream(&head, judged, &redactor),
        request: request::request(&head, &outcome.protocol, outcome.request_body_bytes, &redactor),
        response: response(outcome.response, &redactor),
        upstream: upstream::upstream(outcome.upstream),
        verdict: judged.verdict.clone(),
        policy: judged.policy,
        hash_key_id: redactor.key_id(),
    }
}

fn downstream(head: &Head<'_>, judged: &Judged, redactor: &Redactor<Classes>) -> Downstream {
    let connection = head.connection;
    let client = judged.subject.client;
    let shown =
        |text: &Option<String>| text.as_deref().map_or_else(String::new, |t| printable(t.as_bytes(), MAX_VALUE_BYTES));
    Downstream {
        client_address: client.address.map(|address| redactor.address(address)).unwrap_or_default(),
        client_address_source: match client.address {
            Some(_) if client.forwarded => AddressSource::Forwarded,
            Some(_) => AddressSource::Peer,
            None => AddressSource::Unknown,
        },
        peer_address: connection.peer.map(|address| redactor.address(address)).unwrap_or_default(),
        peer_port: connection.peer_port.unwrap_or_default(),
        client_key: client_key(head, judged, redactor),
        peer_uri: shown(&connection.peer_uri),
        mutual_tls: connection.mutual_tls,
        sni: connection.sni.as_deref().map(|sni| redactor.name(sni.as_bytes())).unwrap_or_default(),
        tls_version: shown(&connection.tls_version),
    }
}

/// The client as the policy decided who it is; empty where nothing is known of it.
fn client_key(head: &Head<'_>, judged: &Judged, redactor: &Redactor<Classes>) -> String {
    let shown = judged.subject.shown(*head, redactor.hash());
    shown.map(|digits| digits.map(char::from).iter().collect()).unwrap_or_default()
}

fn response(response: Response, redactor: &Redactor<Classes>) -> Response {
    let content_type = response.content_type.split(';').next().unwrap_or_default().trim();
    Response {
        code_details: printable(response.code_details.as_bytes(), MAX_VALUE_BYTES),
        content_type: redactor.name(content_type.as_bytes()),
        ..response
    }
}

#[cfg(test)]
mod tests;
