//! Events as a consumer reads them.

use gatehouse_proto::v1::grounds::{Counted, Form, Input, Limit};
use gatehouse_proto::v1::{
    Connection, Downstream, Grounds, Header, Judgement, Loss, Origin, Parameter, Record, Request, Response, Upstream,
    WouldHave, connection::Ended, downstream::AddressSource, judgement::Action, loss::Reason, record::Part,
};
use gatehouse_verdict::record::RecordId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{LossOrigin, loss_id, write_loss, write_record};

fn event(record: &Record) -> Value {
    let mut out = Vec::new();
    write_record(record, &mut out).unwrap();
    assert!(!out.contains(&b'\n'), "an event is one line");
    serde_json::from_slice(&out).unwrap()
}

fn blocked_login() -> Record {
    Record {
        id: RecordId { epoch: 0xfeed_face_0000_0001, sequence: 42 }.to_bytes().to_vec(),
        transaction: 41,
        part: Part::Final as i32,
        start_unix_ns: 1_767_225_599_001_999_999,
        duration_ns: 12_345_678,
        origin: Some(Origin {
            gateway: "edge-1".into(),
            epoch: 0xfeed_face_0000_0001,
            gate_version: "0.1.0".into(),
            ..Origin::default()
        }),
        downstream: Some(Downstream {
            client_address: "192.0.2.7".into(),
            client_address_source: AddressSource::Peer as i32,
            peer_address: "192.0.2.7".into(),
            peer_port: 50_001,
            client_key: "00112233445566778899aabbccddeeff".into(),
            peer_uri: "spiffe://example.test/ns/shop/sa/web".into(),
            mutual_tls: Some(true),
            sni: "shop.example".into(),
            tls_version: "TLSv1.3".into(),
        }),
        request: Some(Request {
            method: "POST".into(),
            scheme: "https".into(),
            authority: "shop.example:8443".into(),
            path: "/login/../login".into(),
            canonical_path: "/login".into(),
            query: vec![
                Parameter { name: "user".into(), value_class: "email".into(), value_length: 17 },
                Parameter { name: "next".into(), ..Parameter::default() },
            ],
            headers: vec![Header { name: "accept".into(), value: "*/*".into() }],
            user_agent: "curl/8.0 \"quoted\"".into(),
            request_id: "b5c3e1f0-0000-4000-8000-000000000000".into(),
            protocol: "HTTP/2".into(),
            header_bytes: 300,
            body_bytes: 20,
            header_count: 9,
            ..Request::default()
        }),
        response: Some(Response {
            status: 403,
            code_details: "gatehouse_block".into(),
            flags: 5,
            header_bytes: 100,
            body_bytes: 9,
            ..Response::default()
        }),
        upstream: Some(Upstream {
            cluster: "outbound|80||login.shop".into(),
            address: "[2001:db8::5]:8080".into(),
            first_byte_ns: 2_500_000,
            ..Upstream::default()
        }),
        judgement: Some(Judgement {
            action: Action::Block as i32,
            rule: "shop/login-guard".into(),
            reason: "rule".into(),
            reference: "7Q2KM4XJ0T9RB3ZC".into(),
            would_have: vec![WouldHave { action: Action::Redirect as i32, rule: "shop/try".into() }],
            grounds: vec![grounds("shop/login-guard"), Grounds { limit: None, ..grounds("shop/try") }],
            policy_revision: 3,
            policy_digest: vec![0xab; 32],
            ..Judgement::default()
        }),
        connection: None,
        hash_key_id: 1,
    }
}

fn rejected_connection() -> Record {
    let connection = Connection {
        host: "db.example".into(),
        destination_address: "10.0.0.5".into(),
        destination_port: 5432,
        received_bytes: 0,
        sent_bytes: 7,
        ended: Ended::Gate as i32,
    };
    let mut record =
        Record { request: None, response: None, upstream: None, connection: Some(connection), ..blocked_login() };
    record.judgement.as_mut().unwrap().action = Action::Drop as i32;
    record
}

/// What a rule read, and its limit.
fn grounds(rule: &str) -> Grounds {
    let input =
        |field: &str, value: &str, form: Form| Input { field: field.into(), value: value.into(), form: form as i32 };
    let inputs = vec![
        input("path", "/login", Form::Plain),
        input("headers.x-key", "{value:0123456789ab}", Form::Hashed),
        input("sni", "", Form::Absent),
    ];
    let limit = Limit {
        counted: Counted::Requests as i32,
        limit: 3,
        window_seconds: 60,
        count: 4,
        retry_after_seconds: 30,
        blocked: true,
        ..Limit::default()
    };
    Grounds { rule: rule.into(), inputs, cut: false, limit: Some(limit) }
}

#[test]
fn a_blocked_request_reads_as_denied_http_activity() {
    let event = event(&blocked_login());
    let expected = json!({
        "category_uid": 4, "class_uid": 4002, "activity_id": 6, "activity_name": "Post", "type_uid": 400_206,
        "severity_id": 3, "status_id": 2, "time": 1_767_225_599_001_u64, "duration": 12,
        "action_id": 2, "action": "Denied", "disposition_id": 2, "disposition": "Blocked",
        "firewall_rule": {
            "uid": "shop/login-guard", "match_details": ["path=/login", "headers.x-key={value:0123456789ab}", "sni="], "rate_limit": 3,
        },
        "tls": {"version": "TLSv1.3", "sni": "shop.example"},
        "actor": {"user": {"uid": "spiffe://example.test/ns/shop/sa/web"}},
        "src_endpoint": {"ip": "192.0.2.7", "port": 50_001, "uid": "00112233445566778899aabbccddeeff"},
        "dst_endpoint": {"ip": "2001:db8::5", "port": 8080, "hostname": "shop.example", "svc_name": "outbound|80||login.shop"},
        "traffic": {"bytes_in": 109, "bytes_out": 320, "bytes": 429},
        "http_response": {"code": 403, "status": "Forbidden", "length": 9, "latency": 2},
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&event[key], value, "{key}");
    }
    let metadata = &event["metadata"];
    assert_eq!(metadata["uid"], "feedface00000001000000000000002a");
    assert_eq!(metadata["version"], "1.7.0");
    assert_eq!(metadata["profiles"], json!(["security_control", "host"]));
    let request = &event["http_request"];
    assert_eq!(
        request["url"],
        json!({"scheme": "https", "hostname": "shop.example", "port": 8443, "path": "/login/../login"})
    );
    assert_eq!(request["args"], "user&next");
    assert_eq!(request["version"], "2");
    assert_eq!(request["user_agent"], "curl/8.0 \"quoted\"");
    assert_eq!(request["http_headers"], json!([{"name": "accept", "value": "*/*"}]));
    let own = &event["unmapped"]["gatehouse"];
    assert_eq!(own["epoch"], "feedface00000001");
    assert_eq!((own["sequence"].as_u64(), own["transaction"].as_u64()), (Some(42), Some(41)));
    assert_eq!(own["canonical_path"], "/login");
    assert_eq!(own["reference"], "7Q2KM4XJ0T9RB3ZC");
    assert_eq!(own["would_have"], json!([{"action": "redirect", "rule": "shop/try"}]));
    let inputs = json!([
        {"field": "path", "value": "/login", "form": "plain"},
        {"field": "headers.x-key", "value": "{value:0123456789ab}", "form": "hashed"},
        {"field": "sni", "form": "absent"},
    ]);
    let limit = json!({
        "step": 0, "counted": "requests", "limit": 3, "window_seconds": 60, "count": 4, "retry_after_seconds": 30,
        "blocked": true, "busy": false,
    });
    let expected = json!([
        {"rule": "shop/login-guard", "inputs": inputs, "limit": limit}, {"rule": "shop/try", "inputs": inputs},
    ]);
    assert_eq!(own["grounds"], expected);
    assert_eq!(own["query"][0], json!({"name": "user", "value_class": "email", "value_length": 17}));
    assert_eq!(own["policy_revision"], 3);
    assert_eq!(own["policy_digest"], "ab".repeat(32));
    assert_eq!(own["upstream"]["first_byte_ns"], 2_500_000);
    assert_eq!(own["part"], "final");
}

#[test]
fn a_monitored_rule_shows_as_detected_and_a_tag_as_tagged() {
    let mut record = blocked_login();
    record.judgement.as_mut().unwrap().action = Action::Allow as i32;
    assert_eq!(event(&record)["disposition"], "Detected");
    assert_eq!(event(&record)["action_id"], 1);
    let judgement = record.judgement.as_mut().unwrap();
    judgement.would_have.clear();
    assert_eq!(event(&record)["disposition"], "Allowed");
    record.judgement.as_mut().unwrap().tags.push("x-risk".into());
    assert_eq!(event(&record)["disposition"], "Tagged");
}

#[test]
fn an_address_that_is_no_ip_is_a_name_and_a_forwarded_client_has_no_port() {
    let mut record = blocked_login();
    let downstream = record.downstream.as_mut().unwrap();
    downstream.client_address = "192.0.2.0/24".into();
    downstream.client_address_source = AddressSource::Forwarded as i32;
    record.upstream.as_mut().unwrap().address = "/run/app.sock".into();
    let event = event(&record);
    assert_eq!(event["src_endpoint"]["name"], "192.0.2.0/24");
    assert!(event["src_endpoint"].get("ip").is_none() && event["src_endpoint"].get("port").is_none());
    assert_eq!(event["dst_endpoint"]["name"], "/run/app.sock");
}

#[test]
fn a_connection_is_network_activity_without_a_request() {
    let mut record = rejected_connection();
    let told = event(&record);
    assert_eq!(
        (&told["class_uid"], &told["type_uid"], &told["activity_name"]),
        (&json!(4001), &json!(400_105), &json!("Refuse"))
    );
    assert_eq!(told["dst_endpoint"], json!({"ip": "10.0.0.5", "port": 5432, "hostname": "db.example"}));
    assert_eq!(told["traffic"], json!({"bytes_in": 7, "bytes_out": 0, "bytes": 7}));
    assert_eq!((&told["unmapped"]["gatehouse"]["ended"], &told["status_id"]), (&json!("gate"), &json!(2)));
    assert!(told.get("http_request").is_none() && told["unmapped"]["gatehouse"].get("header_count").is_none());
    record.judgement.as_mut().unwrap().action = Action::Allow as i32;
    assert_eq!(event(&record)["activity_name"], "Close");
    record.part = Part::Interim as i32;
    assert_eq!(event(&record)["activity_name"], "Traffic");
}

#[test]
fn a_record_of_nothing_is_still_an_event() {
    let event = event(&Record::default());
    assert_eq!(event["activity_id"], 0);
    assert_eq!(event["type_uid"], 400_200);
    assert_eq!(event["status_id"], 0);
    assert!(event.get("http_response").is_none());
}

#[test]
fn a_loss_shows_downstream_under_an_id_of_its_own() {
    let loss = Loss { first_seq: 7, count: 3, reason: Reason::RingFull as i32 };
    let mut out = Vec::new();
    write_loss(&loss, LossOrigin { epoch: 1, gateway: "edge-1", time_ms: 5 }, &mut out).unwrap();
    let event: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(event["metadata"]["event_code"], "gatehouse.loss");
    assert_eq!(event["metadata"]["uid"], "00000000000000010000000000000007");
    assert_eq!(event["count"], 3);
    let range = json!({"epoch": "0000000000000001", "first_seq": 7, "count": 3, "reason": "ring_full"});
    assert_eq!(event["unmapped"]["gatehouse"]["loss"], range);
    assert_eq!(loss_id(1, &loss)[15], 7);
}

proptest! {
    /// A gate of any version, or a hostile one, may send any text and any number.
    #[test]
    fn any_record_becomes_one_line_of_json(
        texts in proptest::collection::vec(".*", 8), id in proptest::collection::vec(any::<u8>(), 0..40),
        numbers in proptest::array::uniform4(any::<u64>()), codes in proptest::array::uniform4(any::<i32>()),
    ) {
        let mut record = blocked_login();
        record.id = id;
        record.start_unix_ns = numbers[0];
        record.duration_ns = numbers[1];
        record.part = codes[0];
        let request = record.request.as_mut().unwrap();
        request.method.clone_from(&texts[0]);
        request.authority.clone_from(&texts[1]);
        request.path.clone_from(&texts[2]);
        request.query[0].name.clone_from(&texts[3]);
        request.body_bytes = numbers[2];
        let downstream = record.downstream.as_mut().unwrap();
        downstream.client_address.clone_from(&texts[4]);
        downstream.client_address_source = codes[1];
        let response = record.response.as_mut().unwrap();
        response.status = codes[2].unsigned_abs();
        response.code_details.clone_from(&texts[5]);
        response.body_bytes = numbers[3];
        record.upstream.as_mut().unwrap().address.clone_from(&texts[6]);
        record.judgement.as_mut().unwrap().action = codes[3];
        let event = event(&record);
        prop_assert_eq!(&event["http_request"]["url"]["path"], &texts[2]);
        prop_assert_eq!(&event["http_request"]["http_method"], &texts[0]);
    }
}

/// With something in every field that an event can show.
fn whole() -> Record {
    let mut record = blocked_login();
    let origin = record.origin.as_mut().unwrap();
    origin.gateway_cluster = "edge".into();
    let request = record.request.as_mut().unwrap();
    request.traceparent = "00-1-2-3".into();
    request.cookies = vec![Parameter { name: "sid".into(), ..Parameter::default() }];
    let response = record.response.as_mut().unwrap();
    (response.content_type, response.grpc_status) = ("text/html".into(), Some(7));
    let judgement = record.judgement.as_mut().unwrap();
    judgement.tags = vec!["x-tag".into()];
    (judgement.record, judgement.ambiguity) = (true, "dots".into());
    record.upstream = Some(Upstream {
        route: "r".into(),
        virtual_host: "v".into(),
        cluster: "c".into(),
        host: "h".into(),
        port: 80,
        subset: "s".into(),
        address: "[2001:db8::5]:8080".into(),
        connected_ns: 1,
        first_byte_ns: 2,
        last_byte_ns: 3,
        transport_failure: "t".into(),
        attempts: 2,
    });
    record
}

fn paths(value: &Value, path: &str, into: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        paths(value, &path, into);
        into.push(path);
    }
}

#[test]
fn the_list_of_fields_is_what_events_have() {
    let mut seen = Vec::new();
    let mut hashed = whole();
    hashed.downstream.as_mut().unwrap().client_address = "3f2a".into();
    hashed.upstream.as_mut().unwrap().address = "pipe".into();
    for record in [whole(), hashed, rejected_connection()] {
        paths(&event(&record), "", &mut seen);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, super::RECORD_FIELDS, "in order");
}
