//! Clients that speak gRPC and gRPC-Web. The details are read by prost, from messages written down as Google's API has them.

use prost::Message as _;

use super::*;

#[derive(prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: std::collections::BTreeMap<String, String>,
}

#[derive(prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(prost::Message)]
struct Link {
    #[prost(string, tag = "1")]
    description: String,
    #[prost(string, tag = "2")]
    url: String,
}

#[derive(prost::Message)]
struct Help {
    #[prost(message, repeated, tag = "1")]
    links: Vec<Link>,
}

#[derive(prost::Message)]
struct LocalizedMessage {
    #[prost(string, tag = "1")]
    locale: String,
    #[prost(string, tag = "2")]
    message: String,
}

/// An independent reading of base 64 without padding.
fn from_base64(text: &str) -> Vec<u8> {
    let digit = |c: char| match c {
        'A'..='Z' => c as u32 - 'A' as u32,
        'a'..='z' => c as u32 - 'a' as u32 + 26,
        '0'..='9' => c as u32 - '0' as u32 + 52,
        '+' => 62,
        '/' => 63,
        _ => panic!("not base 64: {text}"),
    };
    let bits: Vec<bool> = text.chars().flat_map(|c| (0..6).rev().map(move |bit| digit(c) >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | u8::from(*bit))).collect()
}

fn detail<M: prost::Message + Default>(status: &Status, name: &str) -> Option<M> {
    let url = format!("type.googleapis.com/google.rpc.{name}");
    let found = status.details.iter().find(|any| any.type_url == url)?;
    Some(M::decode(found.value.as_slice()).expect("a message"))
}

fn details(reply: &Reply) -> Status {
    let bin = header(reply, "grpc-status-details-bin").concat();
    Status::decode(from_base64(&bin).as_slice()).expect("a status")
}

const GRPC: &[(&str, &str)] = &[("content-type", "application/grpc")];

#[test]
fn grpc_gets_a_status_of_its_own() {
    for (status, code) in [(403, 7), (400, 3), (429, 8), (401, 16), (404, 5), (451, 7), (503, 14)] {
        for kind in ["application/grpc", "application/grpc+proto"] {
            let reply = refused(status, &[("content-type", kind), ("accept", "text/html")]);
            assert_eq!((reply.status, reply.grpc_status, reply.body.len()), (200, Some(code), 0));
            assert_eq!(header(&reply, "content-type"), ["application/grpc"]);
            assert_eq!(header(&reply, "grpc-status"), [code.to_string()]);
            assert_eq!(header(&reply, "grpc-message"), [format!("Access denied; reference {REFERENCE}")]);
            assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
            assert_eq!(header(&reply, "cache-control"), ["no-store"]);
            assert_eq!(details(&reply).code as u32, code);
        }
    }
}

#[test]
fn what_only_looks_like_grpc_is_not() {
    for kind in ["application/grpcx", "application/grpc;a=b", "application/grpc-webx", "Application/grpc", "text/plain"]
    {
        let reply = refused(403, &[("content-type", kind)]);
        assert_eq!((reply.status, reply.grpc_status), (403, None), "{kind}");
        assert_eq!(header(&reply, "content-type"), ["application/problem+json"]);
    }
}

#[test]
fn the_details_say_what_it_is_and_when_to_try_again() {
    let support = Support { text: Some("Ask us"), link: Some("https://help.example/") };
    let on = Occasion { support, ..occasion() };
    let asked = [GRPC[0], ("accept-language", "de")];
    let reply = answer_on(&on, &limit(30 * SECOND_NS, Own::default()), &asked);
    assert_eq!(header(&reply, "grpc-message"), ["Too many requests; retry after 30 s; reference 7Q2KM4XJ0T9RB3ZC"]);
    assert_eq!((header(&reply, "retry-after"), header(&reply, "ratelimit").len()), (vec!["30"], 1));
    let status = details(&reply);
    assert_eq!((status.code, status.message), (8, header(&reply, "grpc-message").concat()), "the same message");
    let status = details(&reply);
    let info: ErrorInfo = detail(&status, "ErrorInfo").expect("why");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("RATE_LIMITED", "gatehouse.dev"));
    assert_eq!(info.metadata.into_iter().collect::<Vec<_>>(), [("reference".into(), REFERENCE.into())]);
    let retry: RetryInfo = detail(&status, "RetryInfo").expect("when");
    assert_eq!(retry.retry_delay.map(|delay| (delay.seconds, delay.nanos)), Some((30, 0)));
    let help: Help = detail(&status, "Help").expect("help");
    assert_eq!((help.links[0].description.as_str(), help.links[0].url.as_str()), ("Ask us", "https://help.example/"));
    let localized: LocalizedMessage = detail(&status, "LocalizedMessage").expect("words");
    assert_eq!(
        (localized.locale.as_str(), localized.message.as_str()),
        ("de", "In kurzer Zeit kamen zu viele Anfragen.")
    );
    let plain = details(&refused(403, GRPC));
    assert_eq!(plain.details.len(), 1, "{plain:?}");
}

#[test]
fn the_operators_text_is_the_message_and_is_percent_encoded() {
    let own = Own { body: Some("Nein, 100 %: {reference} — ü\n"), ..Own::default() };
    let reply = answer_to(&refuse(403, own), GRPC);
    assert_eq!(header(&reply, "grpc-message"), [format!("Nein, 100 %25: {REFERENCE} %E2%80%94 %C3%BC%0A")]);
    assert_eq!(details(&reply).message, format!("Nein, 100 %: {REFERENCE} — ü\n"));
    let long = "ü".repeat(40_000);
    let reply = answer_to(&refuse(403, Own { body: Some(&long), ..Own::default() }), GRPC);
    assert_eq!(header(&reply, "grpc-message").concat().len(), 1024 * 3);
}

#[test]
fn a_body_for_browsers_is_no_message() {
    let headers = [("Content-Type", "text/html"), ("grpc-status", "0"), ("x-why", "old")];
    let own = Own { body: Some("<b>no</b>"), headers: &headers, cache: false };
    let reply = answer_to(&refuse(403, own), GRPC);
    assert_eq!(header(&reply, "grpc-message"), [format!("Access denied; reference {REFERENCE}")]);
    assert_eq!((header(&reply, "grpc-status"), header(&reply, "content-type")), (vec!["7"], vec!["application/grpc"]));
    assert_eq!(header(&reply, "x-why"), ["old"]);
}

/// Lines of the one frame of a gRPC-Web body.
fn trailers(body: &[u8]) -> Vec<(String, String)> {
    assert_eq!(body[0], 0x80);
    let length = u32::from_be_bytes(body[1..5].try_into().expect("four bytes"));
    let lines = core::str::from_utf8(&body[5..]).expect("text");
    assert_eq!(length as usize, lines.len());
    assert!(lines.ends_with("\r\n"));
    let pairs = lines.split_terminator("\r\n").map(|line| line.split_once(':').expect("a pair"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn grpc_web_gets_its_trailers_in_the_body() {
    for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"] {
        let reply = refused(403, &[("content-type", kind)]);
        assert_eq!((reply.status, reply.grpc_status), (200, None));
        assert_eq!(header(&reply, "content-type"), ["application/grpc-web+proto"]);
        let trailers = trailers(&reply.body);
        let names: Vec<_> = trailers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grpc-status", "grpc-message", "grpc-status-details-bin"]);
        assert_eq!((trailers[0].1.as_str(), trailers[1].1.contains(REFERENCE)), ("7", true));
        assert!(header(&reply, "grpc-status").is_empty());
    }
}

#[test]
fn grpc_web_text_is_base_64_of_the_same() {
    let binary = refused(403, &[("content-type", "application/grpc-web")]).body;
    for asked in [
        &[("content-type", "application/grpc-web-text")][..],
        &[("content-type", "application/grpc-web-text+proto")],
        &[("content-type", "application/grpc-web+proto"), ("accept", "*/*, application/grpc-web-text")],
    ] {
        let reply = refused(403, asked);
        assert_eq!(header(&reply, "content-type"), ["application/grpc-web-text+proto"]);
        assert_eq!(text(&reply).len() % 4, 0);
        assert_eq!(from_base64(text(&reply).trim_end_matches('=')), binary);
    }
    let asked = [("content-type", "application/grpc-web-text"), ("accept", "application/grpc-web+proto")];
    assert_eq!(refused(403, &asked).body, binary);
}

#[test]
fn a_grpc_client_is_refused_instead_of_redirected() {
    let away = answer_to(&redirect("/x"), GRPC);
    assert_eq!((away.status, away.grpc_status, header(&away, "location").len()), (200, Some(7), 0));
    assert_eq!(away.details, format!("gatehouse_redirect:p/r:{REFERENCE}"));
}

#[test]
fn a_deceived_grpc_client_learns_a_status_and_nothing_else() {
    for (status, code) in [(200, "0"), (404, "5"), (503, "14")] {
        let reply = answer_to(&deceive(status, "{}", &[("content-type", "application/json")]), GRPC);
        assert_eq!((reply.status, reply.body.len()), (200, 0));
        let names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["cache-control", "content-type", "grpc-status"]);
        assert_eq!(header(&reply, "grpc-status"), [code]);
    }
    let web = answer_to(&deceive(200, "{}", &[]), &[("content-type", "application/grpc-web")]);
    assert_eq!(trailers(&web.body), [("grpc-status".to_owned(), "0".to_owned())]);
}
