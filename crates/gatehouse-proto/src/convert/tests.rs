use gatehouse_verdict::grounds::{Counted, Form, Grounds, Input, Limit};
use gatehouse_verdict::record::{
    AddressSource, Connection, Downstream, Ended, Origin, Parameter, Part, PolicyStamp, RecordId, Request, Response,
    Upstream,
};
use gatehouse_verdict::verdict::AMBIGUITIES;
use gatehouse_verdict::{Action, Reason, Record, Verdict, WouldHave};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message as _;

use super::InvalidRecord;
use crate::v1;

fn text() -> impl Strategy<Value = String> + Clone {
    "[ -~é]{0,12}"
}

fn given() -> impl Strategy<Value = Option<String>> {
    option::of("[a-z/]{1,12}")
}

fn parameters() -> impl Strategy<Value = Vec<Parameter>> {
    let parameter = (text(), text(), any::<u32>());
    let parameter =
        parameter.prop_map(|(name, value_class, value_length)| Parameter { name, value_class, value_length });
    prop::collection::vec(parameter, 0..4)
}

fn action() -> impl Strategy<Value = Action> {
    select(vec![Action::Allow, Action::Block, Action::Deceive, Action::Drop, Action::Limit, Action::Redirect])
}

prop_compose! {
    fn downstream()(
        texts in prop::array::uniform6(text()),
        client_address_source in select(vec![AddressSource::Forwarded, AddressSource::Peer, AddressSource::Unknown]),
        peer_port in any::<u16>(),
        mutual_tls in any::<Option<bool>>(),
    ) -> Downstream {
        let [client_address, peer_address, client_key, peer_uri, sni, tls_version] = texts;
        Downstream { client_address, client_address_source, peer_address, peer_port, client_key, peer_uri, mutual_tls, sni, tls_version }
    }
}

prop_compose! {
    fn request()(
        texts in prop::array::uniform9(text()),
        query in parameters(),
        cookies in parameters(),
        headers in prop::collection::vec((text(), text()), 0..4),
        (header_bytes, body_bytes, header_count) in any::<(u64, u64, u32)>(),
    ) -> Request {
        let [method, scheme, authority, path, canonical_path, user_agent, request_id, traceparent, protocol] = texts;
        Request {
            method, scheme, authority, path, canonical_path, query, cookies, headers, user_agent, request_id, traceparent,
            protocol, header_bytes, body_bytes, header_count,
        }
    }
}

prop_compose! {
    fn response()(
        code_details in text(),
        content_type in text(),
        (status, flags, header_bytes, body_bytes, grpc_status) in any::<(u32, u64, u64, u64, Option<u32>)>(),
    ) -> Response {
        Response { status, code_details, flags, header_bytes, body_bytes, content_type, grpc_status }
    }
}

prop_compose! {
    fn upstream()(
        texts in prop::array::uniform7(text()),
        (port, connected_ns, first_byte_ns, last_byte_ns, attempts) in any::<(u16, u64, u64, u64, u32)>(),
    ) -> Upstream {
        let [route, virtual_host, cluster, host, subset, address, transport_failure] = texts;
        Upstream {
            route, virtual_host, cluster, host, port, subset, address, connected_ns, first_byte_ns, last_byte_ns,
            transport_failure, attempts,
        }
    }
}

prop_compose! {
    fn verdict()(
        action in option::of(action()),
        rule in given(),
        reason in select(Reason::ALL.to_vec()),
        would_have in prop::collection::vec((action(), text()).prop_map(|(action, rule)| WouldHave { action, rule }), 0..3),
        tags in prop::collection::vec(text(), 0..3),
        record in any::<bool>(),
        reference in given(),
        ambiguity in option::of(select(AMBIGUITIES.to_vec())),
    ) -> Verdict {
        Verdict { action, rule, reason, would_have, tags, record, reference, ambiguity }
    }
}

prop_compose! {
    fn input()(
        (field, value) in (text(), text()),
        form in select(vec![Form::Unspecified, Form::Plain, Form::Redacted, Form::Hashed, Form::Absent]),
    ) -> Input {
        Input { field, value, form }
    }
}

prop_compose! {
    fn limit()(
        counted in select(vec![Counted::Unspecified, Counted::Requests, Counted::Failures, Counted::Distinct]),
        (step, limit, burst, count) in any::<(u32, u32, u32, u32)>(),
        (window_seconds, retry_after_seconds, blocked, busy) in any::<(u64, u64, bool, bool)>(),
    ) -> Limit {
        Limit { step, counted, limit, window_seconds, burst, count, retry_after_seconds, blocked, busy }
    }
}

prop_compose! {
    fn grounds()(
        rule in text(),
        inputs in prop::collection::vec(input(), 0..3),
        cut in any::<bool>(),
        limit in option::of(limit()),
    ) -> Grounds {
        Grounds { rule, inputs, cut, limit }
    }
}

prop_compose! {
    fn connection()(
        (host, destination_address) in (text(), text()),
        (destination_port, received_bytes, sent_bytes) in any::<(u16, u64, u64)>(),
        ended in select(vec![Ended::Client, Ended::Gate, Ended::Server, Ended::Unknown]),
    ) -> Connection {
        Connection { host, destination_address, destination_port, received_bytes, sent_bytes, ended }
    }
}

prop_compose! {
    fn record()(
        (epoch, sequence, transaction, start_unix_ns, duration_ns, hash_key_id) in any::<(u64, u64, u64, u64, u64, u32)>(),
        part in select(vec![Part::Final, Part::Interim]),
        (gateway, gateway_cluster, gate_version) in (text(), text(), text()),
        downstream in downstream(),
        request in request(),
        response in response(),
        upstream in upstream(),
        connection in option::of(connection()),
        verdict in verdict(),
        grounds in prop::collection::vec(grounds(), 0..3),
        policy in option::of(any::<(u64, [u8; 32])>().prop_map(|(revision, digest)| PolicyStamp { revision, digest })),
    ) -> Record {
        let (id, origin) = (RecordId { epoch, sequence }, Origin { gateway, gateway_cluster, gate_version });
        let whole = Record {
            id, transaction, part, start_unix_ns, duration_ns, origin, downstream, request, response, upstream, verdict, grounds, policy,
            hash_key_id, connection: None,
        };
        // A connection carries no request of its own.
        match connection {
            None => whole,
            connection => Record {
                connection, request: Request::default(), response: Response::default(), upstream: Upstream::default(), ..whole
            },
        }
    }
}

proptest! {
    #[test]
    fn a_record_comes_back_from_its_bytes_as_it_was(record in record()) {
        let bytes = v1::Record::from(record.clone()).encode_to_vec();
        let message = v1::Record::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(Record::try_from(message), Ok(record));
    }
}

#[test]
fn a_connection_has_no_request_whatever_stands_beside_it() {
    let request = Request { method: "GET".into(), ..Request::default() };
    let whole = Record { request, ..Record::default() };
    let mut message = v1::Record::from(whole);
    message.connection = Some(v1::Connection { host: "db".into(), ..v1::Connection::default() });
    let read = Record::try_from(message).unwrap();
    assert_eq!(
        (read.connection.map(|connection| connection.host), read.request),
        (Some("db".into()), Request::default())
    );
}

fn wrong(change: impl FnOnce(&mut v1::Record)) -> InvalidRecord {
    let mut message = v1::Record::from(Record { id: RecordId { epoch: 1, sequence: 1 }, ..Record::default() });
    assert!(Record::try_from(message.clone()).is_ok());
    change(&mut message);
    Record::try_from(message).unwrap_err()
}

fn judgement(change: impl FnOnce(&mut v1::Judgement)) -> InvalidRecord {
    wrong(|message| change(message.judgement.as_mut().unwrap()))
}

#[test]
fn each_way_to_be_wrong_has_its_name() {
    assert_eq!(wrong(|m| m.id = vec![0; 15]), InvalidRecord::Id(15));
    assert_eq!(wrong(|m| m.part = 0), InvalidRecord::Part(0));
    assert_eq!(wrong(|m| m.part = 7), InvalidRecord::Part(7));
    assert_eq!(wrong(|m| m.origin.as_mut().unwrap().epoch = 2), InvalidRecord::Epoch { id: 1, origin: 2 });
    assert_eq!(wrong(|m| m.downstream.as_mut().unwrap().client_address_source = 9), InvalidRecord::AddressSource(9));
    assert_eq!(wrong(|m| m.downstream = None), InvalidRecord::AddressSource(0));
    assert_eq!(wrong(|m| m.downstream.as_mut().unwrap().peer_port = 65_536), InvalidRecord::Port(65_536));
    assert_eq!(wrong(|m| m.upstream.as_mut().unwrap().port = 70_000), InvalidRecord::Port(70_000));
    assert_eq!(wrong(|m| m.judgement = None), InvalidRecord::Reason(String::new()));
    assert_eq!(judgement(|j| j.policy_digest = vec![0; 31]), InvalidRecord::PolicyDigest(31));
    assert_eq!(judgement(|j| j.policy_revision = 4), InvalidRecord::PolicyDigest(0));
    assert_eq!(judgement(|j| j.action = 44), InvalidRecord::Action(44));
    assert_eq!(judgement(|j| j.reason = "whim".into()), InvalidRecord::Reason("whim".into()));
    assert_eq!(judgement(|j| j.ambiguity = "odd".into()), InvalidRecord::Ambiguity("odd".into()));
    let would = v1::WouldHave { action: 0, rule: "a/b".into() };
    assert_eq!(judgement(|j| j.would_have = vec![would]), InvalidRecord::Action(0));
}

#[test]
fn a_form_or_a_count_of_a_newer_gate_is_one_that_nobody_said() {
    let input = v1::grounds::Input { form: 99, ..v1::grounds::Input::default() };
    let limit = v1::grounds::Limit { counted: 99, count: 7, ..v1::grounds::Limit::default() };
    let read =
        super::grounds::from_wire(v1::Grounds { inputs: vec![input], limit: Some(limit), ..v1::Grounds::default() });
    assert_eq!(read.inputs, [Input::default()]);
    assert_eq!(read.limit, Some(Limit { count: 7, ..Limit::default() }));
}

#[test]
fn a_word_of_the_other_side_is_shown_short_and_on_one_line() {
    let text = InvalidRecord::Reason(format!("a\n{}", "b".repeat(9_000))).to_string();
    assert!(text.starts_with("`a\\nbbb") && text.len() < 160, "{text}");
}
