//! The forms of an answer.

use gatehouse_policy::{Action, Policy, document, inline};
use gatehouse_signals::{Connection, Head};

use super::*;

const REFERENCE: &str = "7Q2KM4XJ0T9RB3ZC";

fn answer_to(answer: &Answer<'_>, headers: &[(&str, &str)]) -> Reply {
    let connection = Connection::default();
    let pairs: Vec<(&[u8], &[u8])> = headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    reply(answer, "p/r", REFERENCE, Head { headers: &pairs, connection: &connection })
}

fn refused(status: u16, headers: &[(&str, &str)]) -> Reply {
    answer_to(&Answer::Refuse { status, own: None }, headers)
}

fn header<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
    reply.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
}

#[test]
fn the_body_has_the_form_that_the_client_wants() {
    let form = |accept: &str| header(&refused(403, &[("accept", accept)]), "content-type").concat();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    assert_eq!(form(browser), "text/html; charset=utf-8");
    for program in ["application/json", "*/*", "", "application/problem+json;q=0.5, text/html;q=0.4", "image/png"] {
        assert_eq!(form(program), "application/problem+json", "{program}");
    }
    assert_eq!(form("text/plain"), "text/plain; charset=utf-8");
    assert_eq!(form("text/html;q=0, text/plain;q=0.1"), "text/plain; charset=utf-8");
}

#[test]
fn every_form_carries_the_reference_and_says_nothing_of_the_why() {
    for accept in ["text/html", "application/json", "text/plain"] {
        let reply = refused(403, &[("accept", accept)]);
        let body = String::from_utf8(reply.body.clone()).expect("text");
        assert!(body.contains(REFERENCE) && !body.contains("p/r"), "{body}");
        assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
        assert_eq!(header(&reply, "cache-control"), ["no-store"]);
    }
    let problem = String::from_utf8(refused(403, &[]).body).expect("text");
    assert_eq!(
        problem,
        format!("{{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,\"reference\":\"{REFERENCE}\"}}\n")
    );
}

#[test]
fn details_have_no_blank_and_only_the_agreed_characters() {
    let details = refused(403, &[]).details;
    assert_eq!(details, format!("gatehouse_block:p/r:{REFERENCE}"));
    assert!(details.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b)));
    let away = answer_to(&Answer::Redirect { location: "/x", status: 302 }, &[]);
    assert_eq!(away.details, format!("gatehouse_redirect:p/r:{REFERENCE}"));
}

#[test]
fn grpc_gets_a_status_of_its_own() {
    for (status, code) in [(403, 7), (400, 3), (429, 8), (401, 16), (404, 5), (451, 7)] {
        for kind in ["application/grpc", "application/grpc+proto"] {
            let reply = refused(status, &[("content-type", kind)]);
            assert_eq!((reply.status, reply.grpc_status), (200, Some(code)));
            assert_eq!(header(&reply, "content-type"), ["application/grpc"]);
            assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
        }
    }
    assert_eq!(refused(403, &[("content-type", "application/grpc-web")]).grpc_status, None);
    let away = answer_to(&Answer::Redirect { location: "/x", status: 302 }, &[("content-type", "application/grpc")]);
    assert_eq!((away.status, away.grpc_status, header(&away, "location").len()), (200, Some(7), 0));
}

/// Envoy takes the body off an answer to HEAD and keeps its length, as RFC 9110, 9.3.2 asks.
#[test]
fn head_is_answered_like_get() {
    assert_eq!(refused(403, &[(":method", "HEAD")]).body, refused(403, &[(":method", "GET")]).body);
}

#[test]
fn a_redirect_says_where_to() {
    let reply = answer_to(&Answer::Redirect { location: "https://example.com/x", status: 307 }, &[]);
    assert_eq!((reply.status, header(&reply, "location")), (307, vec!["https://example.com/x"]));
    assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
}

fn with_refusal(block: &str, check: impl Fn(Reply)) {
    let text = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},"spec":{{"otherwise":{{"block":{block}}}}}}}"#
    );
    let policy: Policy = inline(&document::json("policy", &text).expect("json")).expect("a policy");
    let scope = policy.for_host(b"x").expect("covered");
    let Some((Action::Block(refusal), ..)) = scope.otherwise() else { panic!("no refusal") };
    check(answer_to(&Answer::Refuse { status: refusal.status(), own: Some(refusal) }, &[("accept", "text/html")]));
}

#[test]
fn the_operators_words_are_sent_as_they_are() {
    with_refusal(r#"{"status":410,"body":"gone","headers":{"X-Why":"old","cache-control":"max-age=9"}}"#, |reply| {
        assert_eq!((reply.status, reply.body.as_slice()), (410, b"gone".as_slice()));
        assert_eq!(header(&reply, "content-type"), ["text/plain; charset=utf-8"]);
        assert_eq!((header(&reply, "x-why"), header(&reply, "cache-control")), (vec!["old"], vec!["no-store"]));
    });
    with_refusal(r#"{"body":"{}","headers":{"content-type":"application/json"}}"#, |reply| {
        assert_eq!(header(&reply, "content-type"), ["application/json"]);
    });
}
