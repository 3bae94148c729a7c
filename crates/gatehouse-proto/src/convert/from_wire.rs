//! Messages to domain types, or what is wrong with them.

use gatehouse_verdict::record::{AddressSource, Ended, Parameter, Part, PolicyStamp, RecordId};
use gatehouse_verdict::verdict::AMBIGUITIES;
use gatehouse_verdict::{Action, Reason, Record, Verdict, WouldHave, record};

use super::{InvalidRecord, grounds};
use crate::v1;

impl TryFrom<v1::Record> for Record {
    type Error = InvalidRecord;

    fn try_from(message: v1::Record) -> Result<Self, InvalidRecord> {
        let id = <[u8; 16]>::try_from(message.id.as_slice()).map_err(|_| InvalidRecord::Id(message.id.len()))?;
        let id = RecordId::from_bytes(id);
        let mut judgement = message.judgement.unwrap_or_default();
        let told = core::mem::take(&mut judgement.grounds);
        let connection = message.connection.map(connection).transpose()?;
        // A connection has none of these: what stands there is not read.
        let (of_request, of_response, of_upstream) = match &connection {
            None => (message.request, message.response, message.upstream),
            Some(_) => (None, None, None),
        };
        Ok(Self {
            id,
            transaction: message.transaction,
            part: part(message.part)?,
            start_unix_ns: message.start_unix_ns,
            duration_ns: message.duration_ns,
            origin: origin(message.origin.unwrap_or_default(), id.epoch)?,
            downstream: downstream(message.downstream.unwrap_or_default())?,
            request: request(of_request.unwrap_or_default()),
            response: response(of_response.unwrap_or_default()),
            upstream: upstream(of_upstream.unwrap_or_default())?,
            policy: policy(judgement.policy_revision, &judgement.policy_digest)?,
            verdict: verdict(judgement)?,
            grounds: told.into_iter().map(grounds::from_wire).collect(),
            hash_key_id: message.hash_key_id,
            connection,
        })
    }
}

fn part(number: i32) -> Result<Part, InvalidRecord> {
    match v1::record::Part::try_from(number) {
        Ok(v1::record::Part::Final) => Ok(Part::Final),
        Ok(v1::record::Part::Interim) => Ok(Part::Interim),
        Ok(v1::record::Part::Unspecified) | Err(_) => Err(InvalidRecord::Part(number)),
    }
}

fn origin(origin: v1::Origin, epoch: u64) -> Result<record::Origin, InvalidRecord> {
    if origin.epoch != epoch {
        return Err(InvalidRecord::Epoch { id: epoch, origin: origin.epoch });
    }
    let v1::Origin { gateway, gateway_cluster, gate_version, .. } = origin;
    Ok(record::Origin { gateway, gateway_cluster, gate_version })
}

fn downstream(downstream: v1::Downstream) -> Result<record::Downstream, InvalidRecord> {
    let source = downstream.client_address_source;
    let client_address_source = match v1::downstream::AddressSource::try_from(source) {
        Ok(v1::downstream::AddressSource::Forwarded) => AddressSource::Forwarded,
        Ok(v1::downstream::AddressSource::Peer) => AddressSource::Peer,
        Ok(v1::downstream::AddressSource::Unknown) => AddressSource::Unknown,
        Ok(v1::downstream::AddressSource::Unspecified) | Err(_) => return Err(InvalidRecord::AddressSource(source)),
    };
    Ok(record::Downstream {
        client_address: downstream.client_address,
        client_address_source,
        peer_address: downstream.peer_address,
        peer_port: port(downstream.peer_port)?,
        client_key: downstream.client_key,
        peer_uri: downstream.peer_uri,
        mutual_tls: downstream.mutual_tls,
        sni: downstream.sni,
        tls_version: downstream.tls_version,
    })
}

fn port(port: u32) -> Result<u16, InvalidRecord> {
    u16::try_from(port).map_err(|_| InvalidRecord::Port(port))
}

fn connection(connection: v1::Connection) -> Result<record::Connection, InvalidRecord> {
    let ended = match v1::connection::Ended::try_from(connection.ended) {
        Ok(v1::connection::Ended::Client) => Ended::Client,
        Ok(v1::connection::Ended::Gate) => Ended::Gate,
        Ok(v1::connection::Ended::Server) => Ended::Server,
        // Also one of a later version.
        Ok(v1::connection::Ended::Unspecified) | Err(_) => Ended::Unknown,
    };
    Ok(record::Connection {
        host: connection.host,
        destination_address: connection.destination_address,
        destination_port: port(connection.destination_port)?,
        received_bytes: connection.received_bytes,
        sent_bytes: connection.sent_bytes,
        ended,
    })
}

fn request(request: v1::Request) -> record::Request {
    let headers = request.headers.into_iter().map(|header| (header.name, header.value));
    record::Request {
        method: request.method,
        scheme: request.scheme,
        authority: request.authority,
        path: request.path,
        canonical_path: request.canonical_path,
        query: request.query.into_iter().map(parameter).collect(),
        cookies: request.cookies.into_iter().map(parameter).collect(),
        headers: headers.collect(),
        user_agent: request.user_agent,
        request_id: request.request_id,
        traceparent: request.traceparent,
        protocol: request.protocol,
        header_bytes: request.header_bytes,
        body_bytes: request.body_bytes,
        header_count: request.header_count,
    }
}

fn parameter(parameter: v1::Parameter) -> Parameter {
    let v1::Parameter { name, value_class, value_length } = parameter;
    Parameter { name, value_class, value_length }
}

fn response(response: v1::Response) -> record::Response {
    let v1::Response { status, code_details, flags, header_bytes, body_bytes, content_type, grpc_status } = response;
    record::Response { status, code_details, flags, header_bytes, body_bytes, content_type, grpc_status }
}

fn upstream(upstream: v1::Upstream) -> Result<record::Upstream, InvalidRecord> {
    Ok(record::Upstream {
        route: upstream.route,
        virtual_host: upstream.virtual_host,
        cluster: upstream.cluster,
        host: upstream.host,
        port: port(upstream.port)?,
        subset: upstream.subset,
        address: upstream.address,
        connected_ns: upstream.connected_ns,
        first_byte_ns: upstream.first_byte_ns,
        last_byte_ns: upstream.last_byte_ns,
        transport_failure: upstream.transport_failure,
        attempts: upstream.attempts,
    })
}

/// The inline policy of a bootstrap has revision 0 and a digest; no policy at all has neither.
fn policy(revision: u64, digest: &[u8]) -> Result<Option<PolicyStamp>, InvalidRecord> {
    match <[u8; 32]>::try_from(digest) {
        Ok(digest) => Ok(Some(PolicyStamp { revision, digest })),
        Err(_) if revision == 0 && digest.is_empty() => Ok(None),
        Err(_) => Err(InvalidRecord::PolicyDigest(digest.len())),
    }
}

fn verdict(judgement: v1::Judgement) -> Result<Verdict, InvalidRecord> {
    let Some(reason) = Reason::parse(&judgement.reason) else { return Err(InvalidRecord::Reason(judgement.reason)) };
    let ambiguity = AMBIGUITIES.into_iter().find(|word| *word == judgement.ambiguity);
    if ambiguity.is_none() && !judgement.ambiguity.is_empty() {
        return Err(InvalidRecord::Ambiguity(judgement.ambiguity));
    }
    let would_have = judgement.would_have.into_iter().map(|would| match action(would.action)? {
        Some(action) => Ok(WouldHave { action, rule: would.rule }),
        None => Err(InvalidRecord::Action(would.action)),
    });
    Ok(Verdict {
        action: action(judgement.action)?,
        rule: given(judgement.rule),
        reason,
        would_have: would_have.collect::<Result<_, _>>()?,
        tags: judgement.tags,
        record: judgement.record,
        reference: given(judgement.reference),
        ambiguity,
    })
}

fn action(number: i32) -> Result<Option<Action>, InvalidRecord> {
    match v1::judgement::Action::try_from(number) {
        Ok(v1::judgement::Action::Unspecified) => Ok(None),
        Ok(v1::judgement::Action::Allow) => Ok(Some(Action::Allow)),
        Ok(v1::judgement::Action::Block) => Ok(Some(Action::Block)),
        Ok(v1::judgement::Action::Deceive) => Ok(Some(Action::Deceive)),
        Ok(v1::judgement::Action::Drop) => Ok(Some(Action::Drop)),
        Ok(v1::judgement::Action::Limit) => Ok(Some(Action::Limit)),
        Ok(v1::judgement::Action::Redirect) => Ok(Some(Action::Redirect)),
        Err(_) => Err(InvalidRecord::Action(number)),
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
