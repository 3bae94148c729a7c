//! The operator's words: bodies, headers, caching, made-up answers.

use gatehouse_policy::{Action, Policy, document, inline};

use super::*;

#[test]
fn the_operators_words_come_before_ours() {
    let headers =
        [("X-Why", "old"), ("cache-control", "max-age=9"), ("Vary", "x-plan"), ("x-content-type-options", "a")];
    let own = Own { body: Some("gone"), headers: &headers, cache: false };
    let reply = answer_to(&refuse(410, own), &[("accept", "text/html"), ("accept-language", "de")]);
    assert_eq!((reply.status, text(&reply)), (410, "gone"));
    assert_eq!(header(&reply, "content-type"), ["text/plain; charset=utf-8"]);
    assert_eq!((header(&reply, "x-why"), header(&reply, "cache-control")), (vec!["old"], vec!["no-store"]));
    assert_eq!((header(&reply, "vary"), header(&reply, "x-content-type-options")), (vec!["x-plan, origin"], vec!["a"]));
    assert!(header(&reply, "content-language").is_empty());
    let kept = answer_to(&refuse(410, Own { cache: true, ..own }), &[]);
    assert_eq!(header(&kept, "cache-control"), ["max-age=9"]);
    assert!(
        header(&answer_to(&refuse(410, Own { headers: &[], cache: true, ..own }), &[]), "cache-control").is_empty()
    );
}

#[test]
fn the_content_type_that_the_operator_gave_decides_the_escaping() {
    let support = Support { text: Some("<Ops> \"x\""), link: None };
    let sent = |kind: &str| {
        let headers = [("content-type", kind)];
        let own = Own { body: Some("{\"s\":\"{support}\",\"t\":{retry_after}}"), headers: &headers, cache: false };
        let reply = answer_on(&Occasion { support, ..occasion() }, &limit(7 * SECOND_NS, own), &[]);
        assert_eq!(header(&reply, "content-type"), [kind]);
        text(&reply).to_owned()
    };
    assert_eq!(sent("application/json"), r#"{"s":"\u003cOps\u003e \"x\"","t":7}"#);
    assert_eq!(sent("text/html"), r#"{"s":"&lt;Ops&gt; &quot;x&quot;","t":7}"#);
    assert_eq!(sent("text/plain"), r#"{"s":"<Ops> "x"","t":7}"#);
}

#[test]
fn headers_take_placeholders() {
    let headers = [("x-ref", "id={reference}; again={retry_after}; {{x}"), ("x-help", "{support}")];
    let support = Support { text: Some("Büro 1\r\nx: y"), link: Some("mailto:ops@example.com") };
    let own = Own { headers: &headers, ..Own::default() };
    let reply = answer_on(&Occasion { support, ..occasion() }, &limit(7 * SECOND_NS, own), &[]);
    assert_eq!(header(&reply, "x-ref"), [format!("id={REFERENCE}; again=7; {{x}}")]);
    assert_eq!(header(&reply, "x-help"), ["B%C3%BCro 1%0D%0Ax: y mailto:ops@example.com"]);
}

#[test]
fn what_cannot_stand_in_an_answer_is_left_out() {
    let headers = [
        (":status", "200"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("x-envoy-upstream-service-time", "1"),
        ("X-Gatehouse-Reference", "forged"),
        ("retry-after", "1"),
        ("ratelimit", "\"mine\";r=9"),
        ("a b", "c"),
        ("", "c"),
        ("x-a", " padded "),
    ];
    let own = Own { headers: &headers, ..Own::default() };
    let reply = answer_to(&limit(30 * SECOND_NS, own), &[]);
    assert_eq!((header(&reply, "retry-after"), header(&reply, "ratelimit")), (vec!["30"], vec!["\"login\";r=0;t=30"]));
    assert_eq!((header(&reply, "x-gatehouse-reference"), header(&reply, "x-a")), (vec![REFERENCE], vec!["padded"]));
    for name in [":status", "content-length", "transfer-encoding", "x-envoy-upstream-service-time", "a b", ""] {
        assert!(header(&reply, name).is_empty(), "{name}");
    }
    assert_eq!(header(&answer_to(&refuse(403, own), &[]), "retry-after"), ["1"], "no limit says otherwise");
}

#[test]
fn an_empty_body_of_the_operators_is_none() {
    let own = Own { body: Some(""), headers: &[("content-type", "text/html")], cache: false };
    let reply = answer_to(&refuse(403, own), &[]);
    assert_eq!((reply.body.len(), header(&reply, "content-language").len()), (0, 0));
    assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
}

#[test]
fn our_own_words_keep_their_type_whatever_the_operator_says_of_it() {
    let own = Own { headers: &[("content-type", "text/html"), ("content-language", "fr")], ..Own::default() };
    let reply = answer_to(&refuse(403, own), &[]);
    assert_eq!(header(&reply, "content-type"), ["application/problem+json"]);
    assert_eq!(header(&reply, "content-language"), ["en"]);
}

#[test]
fn a_made_up_answer_says_nothing_of_us() {
    let headers = [("x-powered-by", "{reference}"), ("x-gatehouse-reference", "x"), ("cache-control", "max-age=60")];
    let asked = [("origin", "https://shop.example.com"), ("accept", "text/html"), ("accept-language", "de")];
    let reply = answer_to(&deceive(200, "{\"items\":[], \"r\":\"{reference}\"}", &headers), &asked);
    assert_eq!((reply.status, text(&reply)), (200, "{\"items\":[], \"r\":\"{reference}\"}"));
    let sent: Vec<_> = reply.headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    assert_eq!(
        sent,
        [("x-powered-by", "{reference}"), ("cache-control", "no-store"), ("content-type", "application/json")]
    );
    assert_eq!(reply.details, "direct_response");
    let whole = format!("{reply:?}").to_ascii_lowercase();
    assert!(!whole.contains("gatehouse") && !whole.contains(&REFERENCE.to_ascii_lowercase()), "{whole}");
}

#[test]
fn a_made_up_answer_has_the_type_that_a_server_would_give() {
    for (body, kind) in [
        ("[1]", "application/json"),
        ("\n {}", "application/json"),
        ("<!DOCTYPE html><p>x", "text/html; charset=utf-8"),
        ("<?xml version=\"1.0\"?><a/>", "application/xml"),
        ("ok", "text/plain; charset=utf-8"),
        ("é", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(header(&answer_to(&deceive(200, body, &[]), &[]), "content-type"), [kind], "{body}");
    }
    let own = deceive(200, "{}", &[("content-type", "application/hal+json")]);
    assert_eq!(header(&answer_to(&own, &[]), "content-type"), ["application/hal+json"]);
}

#[test]
fn a_status_without_content_has_none() {
    for status in [204, 205, 304] {
        let reply = answer_to(&deceive(status, "{}", &[("content-type", "application/json")]), &[]);
        assert_eq!((reply.status, reply.body.len(), header(&reply, "content-type").len()), (status, 0, 0));
    }
    assert_eq!(answer_to(&deceive(100, "x", &[]), &[]).status, 200);
}

/// From a document to the answer, by the policy of today.
#[test]
fn a_policys_refusal_is_sent() {
    let text = r#"{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{"name":"p"},
        "spec":{"otherwise":{"block":{"status":410,"body":"{}","headers":{"content-type":"application/json"}}}}}"#;
    let policy: Policy = inline(&document::json("policy", text).expect("json")).expect("a policy");
    let scope = policy.for_host(b"x").expect("covered");
    let Some(Action::Block(refusal)) = scope.otherwise().and_then(|(then, ..)| then.decides()) else {
        panic!("no refusal")
    };
    let headers: Vec<_> = refusal.headers().iter().collect();
    let own = Own { body: refusal.body(), headers: &headers, cache: false };
    let reply = answer_to(&refuse(refusal.status(), own), &[("accept", "text/html")]);
    assert_eq!((reply.status, reply.body.as_slice()), (410, b"{}".as_slice()));
    assert_eq!(header(&reply, "content-type"), ["application/json"]);
}
