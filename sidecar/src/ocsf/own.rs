//! `unmapped.gatehouse`: what OCSF has no place for, under the names of `record.proto`; empty and zero fields are left out.

use gatehouse_proto::v1::{
    Parameter, Record, Upstream, WouldHave, connection::Ended, downstream::AddressSource, record::Part,
};
use serde::{Serialize, Serializer};

use super::activity::Parts;
use super::grounds::Rested;
use super::hex::Hex;
use super::verdict::word;

/// Our own fields. `epoch` is 16 hexadecimal digits, because 64 bits do not survive readers that keep numbers as doubles.
#[derive(Debug, Serialize)]
pub(super) struct Own<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    gateway: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    gateway_cluster: &'a str,
    epoch: Hex<&'a [u8]>,
    sequence: u64,
    transaction: u64,
    part: &'static str,
    duration_ns: u64,
    action: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reference: &'a str,
    #[serde(skip_serializing_if = "empty")]
    would_have: Would<'a>,
    #[serde(skip_serializing_if = "Rested::is_empty")]
    grounds: Rested<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "is_false")]
    record: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    ambiguity: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_digest: Option<Hex<&'a [u8]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_path: Option<&'a str>,
    #[serde(skip_serializing_if = "no_parameters")]
    query: Parameters<'a>,
    #[serde(skip_serializing_if = "no_parameters")]
    cookies: Parameters<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    traceparent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_count: Option<u32>,
    client_address_source: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    peer_address: &'a str,
    #[serde(skip_serializing_if = "is_zero_32")]
    peer_port: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutual_tls: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    code_details: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_status: Option<u32>,
    #[serde(skip_serializing_if = "Way::is_empty")]
    upstream: Way<'a>,
    /// Of a connection: who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
    hash_key_id: u32,
}

impl<'a> Own<'a> {
    pub(super) fn of(record: &'a Record, parts: Parts<'a>) -> Self {
        let Parts { origin, downstream, request, response, upstream, judgement } = parts;
        let (epoch, sequence) = record.id.split_at_checked(8).unwrap_or_default();
        let has_policy = !judgement.policy_digest.is_empty();
        Self {
            gateway: &origin.gateway,
            gateway_cluster: &origin.gateway_cluster,
            epoch: Hex(epoch),
            sequence: sequence.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            transaction: record.transaction,
            part: part(record.part),
            duration_ns: record.duration_ns,
            action: word(judgement.action),
            rule: &judgement.rule,
            reason: &judgement.reason,
            reference: &judgement.reference,
            would_have: Would(&judgement.would_have),
            grounds: Rested(&judgement.grounds),
            tags: &judgement.tags,
            record: judgement.record,
            ambiguity: &judgement.ambiguity,
            policy_revision: has_policy.then_some(judgement.policy_revision),
            policy_digest: has_policy.then_some(Hex(&judgement.policy_digest)),
            canonical_path: record.connection.is_none().then_some(request.canonical_path.as_str()),
            query: Parameters(&request.query),
            cookies: Parameters(&request.cookies),
            traceparent: &request.traceparent,
            header_count: record.connection.is_none().then_some(request.header_count),
            client_address_source: address_source(downstream.client_address_source),
            peer_address: &downstream.peer_address,
            peer_port: downstream.peer_port,
            mutual_tls: downstream.mutual_tls,
            code_details: &response.code_details,
            flags: response.flags,
            grpc_status: response.grpc_status,
            upstream: Way::of(upstream),
            ended: record.connection.as_ref().map(|connection| ended(connection.ended())),
            hash_key_id: record.hash_key_id,
        }
    }
}

/// Where the request was sent. Times are nanoseconds since the arrival of the request headers.
#[derive(Debug, Serialize, PartialEq, Eq, Default)]
struct Way<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    route: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    virtual_host: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cluster: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: &'a str,
    #[serde(skip_serializing_if = "is_zero_32")]
    port: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    subset: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    address: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    connected_ns: u64,
    #[serde(skip_serializing_if = "is_zero")]
    first_byte_ns: u64,
    #[serde(skip_serializing_if = "is_zero")]
    last_byte_ns: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    transport_failure: &'a str,
    #[serde(skip_serializing_if = "is_zero_32")]
    attempts: u32,
}

impl<'a> Way<'a> {
    fn of(upstream: &'a Upstream) -> Self {
        Self {
            route: &upstream.route,
            virtual_host: &upstream.virtual_host,
            cluster: &upstream.cluster,
            host: &upstream.host,
            port: upstream.port,
            subset: &upstream.subset,
            address: &upstream.address,
            connected_ns: upstream.connected_ns,
            first_byte_ns: upstream.first_byte_ns,
            last_byte_ns: upstream.last_byte_ns,
            transport_failure: &upstream.transport_failure,
            attempts: upstream.attempts,
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug)]
struct Would<'a>(&'a [WouldHave]);

impl Serialize for Would<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'a> {
            action: &'static str,
            rule: &'a str,
        }
        serializer.collect_seq(self.0.iter().map(|would| Entry { action: word(would.action), rule: &would.rule }))
    }
}

#[derive(Debug)]
struct Parameters<'a>(&'a [Parameter]);

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            value_class: &'a str,
            value_length: u32,
        }
        serializer.collect_seq(self.0.iter().map(|parameter| Entry {
            name: &parameter.name,
            value_class: &parameter.value_class,
            value_length: parameter.value_length,
        }))
    }
}

fn part(number: i32) -> &'static str {
    match Part::try_from(number) {
        Ok(Part::Interim) => "interim",
        Ok(Part::Final) => "final",
        Ok(Part::Unspecified) | Err(_) => "unspecified",
    }
}

/// Who ended a connection.
pub(crate) fn ended(by: Ended) -> &'static str {
    match by {
        Ended::Client => "client",
        Ended::Server => "server",
        Ended::Gate => "gate",
        Ended::Unspecified => "unknown",
    }
}

fn address_source(number: i32) -> &'static str {
    match AddressSource::try_from(number) {
        Ok(AddressSource::Peer) => "peer",
        Ok(AddressSource::Forwarded) => "forwarded",
        Ok(AddressSource::Unknown | AddressSource::Unspecified) | Err(_) => "unknown",
    }
}

fn empty(would: &Would<'_>) -> bool {
    would.0.is_empty()
}

fn no_parameters(parameters: &Parameters<'_>) -> bool {
    parameters.0.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero_32(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
