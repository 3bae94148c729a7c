use gatehouse_proto::v1;
use gatehouse_signals::{Client, Connection, Pair};
use gatehouse_verdict::grounds::{Form, Grounds, Input, Limit};
use gatehouse_verdict::record::{AddressSource, Parameter, PolicyStamp, Upstream};
use gatehouse_verdict::{Action, Reason, Record, Verdict, WouldHave};
use prost::Message as _;

use super::*;

mod law;

pub(crate) fn context(address_form: AddressForm) -> Context {
    let origin = Origin { gateway: "gw-1".into(), gateway_cluster: "edge".into(), gate_version: "0.1.0".into() };
    Context { origin, hash_key: [9; 16], hash_key_id: 4, address_form, usual: UsualTexts::default() }
}

pub(super) fn judged(client: Client) -> Judged {
    let mut judged = Judged::unjudged(Verdict::default(), None);
    judged.subject.client = client;
    judged
}

/// The record, read by the generated messages, which write the same bytes again: as they have it from what they read, and from
/// the domain type.
pub(crate) fn told(
    id: RecordId,
    transaction: u64,
    head: Head<'_>,
    judged: &Judged,
    outcome: &Outcome,
    context: &Context,
) -> Record {
    read(id, &Transaction { number: transaction, head, judged, policy: None }, outcome, context)
}

/// The same of a transaction whose policy is known.
pub(crate) fn read(id: RecordId, of: &Transaction<'_>, outcome: &Outcome, context: &Context) -> Record {
    let mut bytes = vec![7];
    record(id, of, outcome, context, &mut bytes);
    let bytes = bytes.strip_prefix(&[7]).expect("appended");
    let read = v1::Record::decode(bytes).expect("a message");
    assert_eq!(read.encode_to_vec(), bytes);
    let told = Record::try_from(read).expect("a record");
    assert_eq!(v1::Record::from(told.clone()).encode_to_vec(), bytes);
    told
}

fn record_of(headers: &[Pair<'_>], connection: &Connection, outcome: Outcome) -> Record {
    let head = Head::new(headers, connection);
    let judged = judged(Client::from_peer(connection.peer));
    told(RecordId { epoch: 1, sequence: 2 }, 3, head, &judged, &outcome, &context(AddressForm::Full))
}

fn pairs<'a>(headers: &[(&'a str, &'a str)]) -> Vec<Pair<'a>> {
    headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
}

#[test]
fn an_ordinary_request_is_told_whole() {
    let user_agent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
    let headers = pairs(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "shop.example.com:8443"),
        (":path", "/catalog/%69tems?page=2&q=red%20shoes"),
        ("accept", "text/html"),
        ("authorization", "Basic dXNlcjpwYXNz"),
        ("cookie", "sid=4f3a9c8b7d6e5f4a3b2c; lang=en"),
        ("referer", "https://shop.example.com/home?utm=x#top"),
        ("sec-fetch-mode", "navigate"),
        ("user-agent", user_agent),
        ("x-forwarded-for", "192.0.2.8"),
        ("x-request-id", "550e8400-e29b-41d4-a716-446655440000"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ]);
    let connection = Connection { peer: "192.0.2.9".parse().ok(), peer_port: Some(5000), ..Connection::default() };
    let request = record_of(&headers, &connection, Outcome { protocol: "HTTP/2".into(), ..Outcome::default() }).request;
    assert_eq!(
        (request.method.as_str(), request.scheme.as_str(), request.protocol.as_str()),
        ("GET", "https", "HTTP/2")
    );
    assert_eq!(request.authority, "shop.example.com:8443");
    assert_eq!((request.path.as_str(), request.canonical_path.as_str()), ("/catalog/%69tems", "/catalog/items"));
    let parameter = |name: &str, class: &str, length| Parameter {
        name: name.into(),
        value_class: class.into(),
        value_length: length,
    };
    assert_eq!(request.query, [parameter("page", "", 1), parameter("q", "", 11)]);
    assert_eq!(request.cookies, [parameter("sid", "token", 20), parameter("lang", "", 2)]);
    let kept: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        kept,
        [("accept", "text/html"), ("referer", "https://shop.example.com/home"), ("sec-fetch-mode", "navigate")]
    );
    assert_eq!(request.user_agent, user_agent);
    assert_eq!(request.request_id, "550e8400-e29b-41d4-a716-446655440000");
    assert_eq!(request.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(request.header_count, 13);
    assert_eq!(
        request.header_bytes,
        headers.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum::<u64>()
    );
}

#[test]
fn the_outcome_and_the_verdict_are_told() {
    let upstream = Upstream { cluster: "outbound|443|v1|api.example.com".into(), attempts: 2, ..Upstream::default() };
    let response = Response { status: 200, content_type: "text/html; charset=utf-8".into(), ..Response::default() };
    let outcome = Outcome {
        part: Part::Interim,
        duration_ns: 7,
        response,
        upstream,
        request_body_bytes: 5,
        ..Outcome::default()
    };
    let verdict = Verdict {
        action: Some(Action::Block),
        rule: Some("shop/admin".into()),
        reason: Reason::Rule,
        would_have: vec![WouldHave { action: Action::Redirect, rule: "shop/old".into() }],
        reference: Some("7Q2KM4XJ0T9RB3ZC".into()),
        ..Verdict::default()
    };
    let stamp = PolicyStamp { revision: 5, digest: [1; 32] };
    let judged = Judged { verdict: verdict.clone(), policy: Some(stamp), ..judged(Client::default()) };
    let connection = Connection::default();
    let head = Head::new(&[], &connection);
    let record = told(RecordId::default(), 3, head, &judged, &outcome, &context(AddressForm::Full));
    assert_eq!((record.part, record.duration_ns, record.transaction, record.hash_key_id), (Part::Interim, 7, 3, 4));
    assert_eq!((record.verdict, record.policy), (verdict, Some(stamp)));
    assert_eq!((record.response.status, record.response.content_type.as_str()), (200, "text/html"));
    let upstream = record.upstream;
    assert_eq!((upstream.port, upstream.subset.as_str(), upstream.host.as_str()), (443, "v1", "api.example.com"));
    assert_eq!((upstream.attempts, record.request.body_bytes, record.origin.gateway.as_str()), (2, 5, "gw-1"));
}

#[test]
fn every_ambiguity_has_its_word_in_records() {
    let words = gatehouse_signals::Ambiguity::ALL.map(gatehouse_signals::Ambiguity::as_str);
    assert_eq!(words, gatehouse_verdict::verdict::AMBIGUITIES);
}

#[test]
fn the_client_key_is_the_proven_identity_and_else_the_address() {
    let key = |peer: Option<&str>, uri: Option<&str>, mutual_tls| {
        let peer = peer.map(|peer| peer.parse().unwrap());
        let connection = Connection { peer, peer_uri: uri.map(str::to_owned), mutual_tls, ..Connection::default() };
        record_of(&[], &connection, Outcome::default()).downstream.client_key
    };
    let identity = key(Some("192.0.2.1"), Some("spiffe://a/b"), Some(true));
    assert_eq!(identity, key(Some("192.0.2.2"), Some("spiffe://a/b"), Some(true)));
    assert_eq!(identity.len(), 32);
    let address = key(Some("192.0.2.1"), None, None);
    assert_ne!(identity, address);
    assert_eq!(address, key(Some("192.0.2.1"), Some("spiffe://a/b"), Some(false)), "an unverified identity is none");
    assert_eq!(address, key(Some("::ffff:192.0.2.1"), None, None));
    assert_eq!(key(None, None, None), "");
}

#[test]
fn the_source_of_the_address_and_its_form_are_told() {
    let connection = Connection { peer: "10.0.0.1".parse().ok(), ..Connection::default() };
    let head = Head::new(&[], &connection);
    let client = Client { address: "192.0.2.77".parse().ok(), forwarded: true };
    let record =
        told(RecordId::default(), 1, head, &judged(client), &Outcome::default(), &context(AddressForm::Prefix));
    let downstream = record.downstream;
    assert_eq!(downstream.client_address_source, AddressSource::Forwarded);
    assert_eq!((downstream.client_address.as_str(), downstream.peer_address.as_str()), ("192.0.2.0/24", "10.0.0.0/24"));
}

/// Every text of a record, put end to end: what its encoding is made of besides numbers.
fn octets(record: &Record) -> usize {
    format!("{record:?}").len()
}

#[test]
fn a_record_of_the_largest_request_has_a_bounded_form() {
    let long = "x".repeat(100_000);
    let path = format!("/{long}?{}", "name=value&".repeat(5_000));
    let cookie = "c=1; ".repeat(5_000);
    let mut headers = pairs(&[
        (":method", &long),
        (":path", &path),
        (":authority", &long),
        ("cookie", &cookie),
        ("user-agent", &long),
    ]);
    headers.extend((0..200).map(|_| (&b"accept"[..], long.as_bytes())));
    let mut whole = record_of(&headers, &Connection::default(), Outcome::default());
    assert_eq!((whole.request.query.len(), whole.request.cookies.len(), whole.request.headers.len()), (64, 64, 32));
    assert!(octets(&whole) < 64 * 1024);
    whole.verdict.would_have = vec![WouldHave { action: Action::Block, rule: long.clone() }; 50];
    whole.verdict.tags = vec![long.clone(); 50];
    let input = Input { field: long.clone(), value: long.clone(), form: Form::Plain };
    let ground = Grounds { rule: long, inputs: vec![input; 50], limit: Some(Limit::default()), ..Grounds::default() };
    whole.grounds = vec![ground; 50];
    let bytes = v1::Record::from(whole.clone()).encode_to_vec();
    let bounded = bounded(&bytes).expect("our own form");
    let bounded = Record::try_from(v1::Record::decode(&*bounded).expect("a message")).expect("a record");
    // The debug form also holds every field's name, about 2 KiB.
    assert!(octets(&bounded) < 10 * 1024, "{}", octets(&bounded));
    assert_eq!((bounded.request.query.len(), bounded.verdict.tags.len()), (0, 8));
    assert_eq!((bounded.grounds.len(), bounded.verdict.would_have.len()), (1, 8));
    let [ground] = bounded.grounds.as_slice() else { panic!("{:?}", bounded.grounds) };
    assert!(ground.inputs.len() == 8 && ground.limit.is_some() && ground.inputs[0].value.ends_with("x…"));
    let path = &bounded.request.path;
    assert!(path.len() <= 512 && path.ends_with('…') && whole.request.path.starts_with(path.trim_end_matches('…')));
}

#[test]
fn the_bounded_form_of_a_small_record_leaves_out_headers_query_and_cookies_and_nothing_else() {
    let headers = pairs(&[(":method", "GET"), (":path", "/é?a=1"), ("accept", "x"), ("cookie", "c=1")]);
    let connection = Connection { peer: "192.0.2.9".parse().ok(), peer_port: Some(5000), ..Connection::default() };
    let mut whole = record_of(&headers, &connection, Outcome { start_unix_ns: 7, ..Outcome::default() });
    whole.grounds = vec![Grounds { cut: true, ..Grounds::default() }];
    let bytes = v1::Record::from(whole.clone()).encode_to_vec();
    let read = |bytes: &[u8]| Record::try_from(v1::Record::decode(bytes).unwrap()).unwrap();
    let cut = bounded(&bytes).expect("our own form");
    let request = &mut whole.request;
    (request.query, request.cookies, request.headers) = (Vec::new(), Vec::new(), Vec::new());
    assert_eq!(read(&cut), whole);
    for end in 1..bytes.len() {
        // What is cut anywhere is refused, or is a shorter record: never a panic.
        let _ = bounded(&bytes[..end]);
    }
    assert_eq!(bounded(b"\xff\xff"), None);
}

#[test]
fn bytes_that_cannot_be_shown_are_escaped_everywhere() {
    let odd: &[u8] = b"a\xFF\x00\r\n";
    let headers: Vec<Pair<'_>> =
        [":method", ":path", ":authority", "user-agent", "accept", "referer", "x-request-id", "traceparent"]
            .iter()
            .map(|name| (name.as_bytes(), odd))
            .collect();
    let request = record_of(&headers, &Connection::default(), Outcome::default()).request;
    for text in [
        &request.method,
        &request.path,
        &request.authority,
        &request.user_agent,
        &request.request_id,
        &request.traceparent,
    ] {
        assert_eq!(text, "a%FF%00%0D%0A");
    }
    assert!(request.headers.iter().all(|(_, value)| value == "a%FF%00%0D%0A"));
}
