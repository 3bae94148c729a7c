//! Domain types to messages.

use gatehouse_verdict::record::{AddressSource, Ended, Parameter, Part, PolicyStamp};
use gatehouse_verdict::{Action, Record, Verdict, record};

use super::grounds;
use crate::v1;

impl From<Record> for v1::Record {
    fn from(record: Record) -> Self {
        let part = match record.part {
            Part::Final => v1::record::Part::Final,
            Part::Interim => v1::record::Part::Interim,
        };
        Self {
            id: record.id.to_bytes().to_vec(),
            transaction: record.transaction,
            part: part.into(),
            start_unix_ns: record.start_unix_ns,
            duration_ns: record.duration_ns,
            origin: Some(origin(record.origin, record.id.epoch)),
            downstream: Some(downstream(record.downstream)),
            request: record.connection.is_none().then(|| request(record.request)),
            response: record.connection.is_none().then(|| response(record.response)),
            upstream: record.connection.is_none().then(|| upstream(record.upstream)),
            judgement: Some(v1::Judgement {
                grounds: record.grounds.into_iter().map(grounds::to_wire).collect(),
                ..judgement(record.verdict, record.policy)
            }),
            hash_key_id: record.hash_key_id,
            connection: record.connection.map(connection),
        }
    }
}

fn origin(origin: record::Origin, epoch: u64) -> v1::Origin {
    let record::Origin { gateway, gateway_cluster, gate_version } = origin;
    v1::Origin { gateway, gateway_cluster, epoch, gate_version }
}

fn downstream(downstream: record::Downstream) -> v1::Downstream {
    let source = match downstream.client_address_source {
        AddressSource::Forwarded => v1::downstream::AddressSource::Forwarded,
        AddressSource::Peer => v1::downstream::AddressSource::Peer,
        AddressSource::Unknown => v1::downstream::AddressSource::Unknown,
    };
    v1::Downstream {
        client_address: downstream.client_address,
        client_address_source: source.into(),
        peer_address: downstream.peer_address,
        peer_port: downstream.peer_port.into(),
        client_key: downstream.client_key,
        peer_uri: downstream.peer_uri,
        mutual_tls: downstream.mutual_tls,
        sni: downstream.sni,
        tls_version: downstream.tls_version,
    }
}

fn connection(connection: record::Connection) -> v1::Connection {
    let ended = match connection.ended {
        Ended::Client => v1::connection::Ended::Client,
        Ended::Gate => v1::connection::Ended::Gate,
        Ended::Server => v1::connection::Ended::Server,
        Ended::Unknown => v1::connection::Ended::Unspecified,
    };
    v1::Connection {
        host: connection.host,
        destination_address: connection.destination_address,
        destination_port: connection.destination_port.into(),
        received_bytes: connection.received_bytes,
        sent_bytes: connection.sent_bytes,
        ended: ended.into(),
    }
}

fn request(request: record::Request) -> v1::Request {
    let headers = request.headers.into_iter().map(|(name, value)| v1::Header { name, value });
    v1::Request {
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

fn parameter(parameter: Parameter) -> v1::Parameter {
    let Parameter { name, value_class, value_length } = parameter;
    v1::Parameter { name, value_class, value_length }
}

fn response(response: record::Response) -> v1::Response {
    let record::Response { status, code_details, flags, header_bytes, body_bytes, content_type, grpc_status } =
        response;
    v1::Response { status, code_details, flags, header_bytes, body_bytes, content_type, grpc_status }
}

fn upstream(upstream: record::Upstream) -> v1::Upstream {
    v1::Upstream {
        route: upstream.route,
        virtual_host: upstream.virtual_host,
        cluster: upstream.cluster,
        host: upstream.host,
        port: upstream.port.into(),
        subset: upstream.subset,
        address: upstream.address,
        connected_ns: upstream.connected_ns,
        first_byte_ns: upstream.first_byte_ns,
        last_byte_ns: upstream.last_byte_ns,
        transport_failure: upstream.transport_failure,
        attempts: upstream.attempts,
    }
}

fn judgement(verdict: Verdict, policy: Option<PolicyStamp>) -> v1::Judgement {
    let would_have = verdict.would_have.into_iter();
    let would_have = would_have.map(|would| v1::WouldHave { action: action(would.action).into(), rule: would.rule });
    v1::Judgement {
        action: verdict.action.map_or(v1::judgement::Action::Unspecified, action).into(),
        rule: verdict.rule.unwrap_or_default(),
        reason: verdict.reason.as_str().to_owned(),
        reference: verdict.reference.unwrap_or_default(),
        would_have: would_have.collect(),
        tags: verdict.tags,
        policy_revision: policy.map_or(0, |stamp| stamp.revision),
        policy_digest: policy.map(|stamp| stamp.digest.to_vec()).unwrap_or_default(),
        record: verdict.record,
        ambiguity: verdict.ambiguity.unwrap_or_default().to_owned(),
        grounds: Vec::new(),
    }
}

fn action(action: Action) -> v1::judgement::Action {
    match action {
        Action::Allow => v1::judgement::Action::Allow,
        Action::Block => v1::judgement::Action::Block,
        Action::Deceive => v1::judgement::Action::Deceive,
        Action::Drop => v1::judgement::Action::Drop,
        Action::Limit => v1::judgement::Action::Limit,
        Action::Redirect => v1::judgement::Action::Redirect,
    }
}
