//! REQUEST.json as people write it, right and wrong.

use super::*;

fn problems(text: &str) -> String {
    Request::parse("request", text).unwrap_err().to_string()
}

#[test]
fn every_field_of_a_request_is_read() {
    let request = Request::parse(
        "request",
        r#"{"method": "POST", "scheme": "https", "authority": "shop.example", "path": "/login?x=1",
            "headers": [["User-Agent", "curl/8"], ["x-raw", {"base64": "/wA="}], ["accept", "a"], ["accept", "b"]],
            "address": "[2001:db8::1]:4711", "peer_uris": ["spiffe://cluster.local/ns/a/sa/b"],
            "tls": {"version": "TLSv1.3", "sni": "shop.example", "ja4": "t13d"}, "time": "2026-01-01T00:00:00.5Z",
            "claims": {"sub": "u1", "groups": ["a", 2, null]}, "status": 401, "response_headers": {"Server": "x"},
            "protocol": "HTTP/2"}"#,
    )
    .unwrap();
    let pairs = request.pairs();
    assert_eq!(
        &pairs[..4],
        [
            (&b":method"[..], &b"POST"[..]),
            (b":scheme", b"https"),
            (b":authority", b"shop.example"),
            (b":path", b"/login?x=1")
        ]
    );
    assert_eq!(
        &pairs[4..],
        [(&b"user-agent"[..], &b"curl/8"[..]), (b"x-raw", b"\xff\x00"), (b"accept", b"a"), (b"accept", b"b")]
    );
    let connection = request.connection();
    assert_eq!((connection.peer, connection.peer_port), ("2001:db8::1".parse().ok(), Some(4711)));
    assert_eq!((connection.mutual_tls, connection.tls_version.as_deref()), (Some(true), Some("TLSv1.3")));
    assert_eq!(request.time, Some(1_767_225_600_500_000_000));
    assert_eq!(request.claims.as_ref().unwrap()["groups"], serde_json::json!(["a", 2, null]));
    let response = request.response.unwrap();
    assert_eq!((response.status, response.headers), (401, vec![(b"server".to_vec(), b"x".to_vec())]));
}

#[test]
fn the_least_request_has_a_method_and_a_path_and_the_rest_is_not_known() {
    let request = Request::parse("request", r#"{"method": "GET", "path": "/"}"#).unwrap();
    let connection = request.connection();
    assert_eq!((connection.peer, connection.mutual_tls, request.authority), (None, None, None));
    let plain = Request::parse("request", r#"{"method": "GET", "path": "/", "tls": null, "peer_uris": []}"#).unwrap();
    assert_eq!(plain.connection().mutual_tls, Some(false));
}

#[test]
fn a_host_header_is_the_authority_where_none_is_given() {
    let request =
        Request::parse("r", r#"{"method": "GET", "path": "/", "headers": {"Host": "a", "X": ["1", "2"]}}"#).unwrap();
    assert_eq!(request.authority.as_deref(), Some(&b"a"[..]));
    assert_eq!(request.headers, [(b"x".to_vec(), b"1".to_vec()), (b"x".to_vec(), b"2".to_vec())]);
}

#[test]
fn every_problem_is_told_at_once_with_its_place_and_what_would_be_right() {
    let said = problems(
        r#"{"metod": "GET", "path": "", "headers": [["a"], [":path", "/"], ["b", {"base64": "?"}], ["c", 1]],
            "address": "somewhere", "time": "noon", "status": 99, "tls": {"versoin": "x"}, "peer_uris": ["web"]}"#,
    );
    for words in [
        "request.metod: unknown field `metod` in the request; did you mean `method`?",
        "request: the request has no `method`; add one, such as \"method\": \"GET\"",
        "request.path: `path` is empty",
        "request.headers[0]: a header of 1 parts; write `[name, value]`",
        "request.headers[1][0]: `:path` is no name of a header; `:method`",
        "request.headers[2][1].base64: `?` is not base64",
        "request.headers[3][1]: `1`, a number where a text is expected; quote it",
        "request.address: `somewhere` is no address; write the direct peer's address",
        "request.time: `noon`, a text is no moment",
        "request.status: `99` is out of range; write a whole number from 100 to 599",
        "request.tls.versoin: unknown field `versoin` in `tls`; did you mean `version`?",
        "request.peer_uris: `web` is no URI",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(problems("{").contains("request:1:"), "{}", problems("{"));
    assert!(problems("[]").contains("the request is a list"));
}

#[test]
fn one_line_is_a_whole_request_and_defaults_fill_what_it_leaves_out() {
    let read = |text: &str| {
        let node = document::json("t", text).unwrap();
        let mut problems = Problems::default();
        let draft = Draft::read(&node, &mut problems);
        problems.or(draft.unwrap_or_default()).map_err(|problems| problems.to_string())
    };
    let defaults =
        read(r#"{"authority": "d.example", "headers": {"a": "1", "b": "2"}, "address": "192.0.2.1"}"#).unwrap();
    let place = gatehouse_policy::document::Place::pointer("t");
    let finish =
        |draft: Draft| draft.over(&defaults).over(&Draft::get()).finish(&place, &mut Problems::default()).unwrap();
    let request = finish(read(r#""POST https://s.example/x?y""#).unwrap());
    assert_eq!((request.method, request.path), (b"POST".to_vec(), b"/x?y".to_vec()));
    assert_eq!((request.authority, request.scheme), (Some(b"s.example".to_vec()), Some(b"https".to_vec())));
    let request = finish(read(r#"{"path": "/z", "headers": {"a": "3"}}"#).unwrap());
    assert_eq!((request.method, request.authority), (b"GET".to_vec(), Some(b"d.example".to_vec())));
    assert_eq!(request.headers, [(b"b".to_vec(), b"2".to_vec()), (b"a".to_vec(), b"3".to_vec())]);
    assert!(read(r#""GET shop""#).unwrap_err().contains("`GET shop` is no request; write it as `GET /path`"));
}
