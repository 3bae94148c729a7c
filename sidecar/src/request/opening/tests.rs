//! Connections as people write them, right and wrong, long and short.

use super::*;
use crate::request::Asked;

fn asked(text: &str) -> Asked {
    Asked::parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn opening(text: &str) -> Opening {
    let Asked::Connection(opening) = asked(text) else { panic!("{text} is a connection") };
    *opening
}

fn problems(text: &str) -> String {
    Asked::parse(text).unwrap_err().to_string()
}

#[test]
fn every_field_of_a_connection_is_read() {
    let Opening { connection, host, time } = opening(
        r#"{"connection": {"address": "192.0.2.7:4711", "peer_uris": ["spiffe://a/b", "spiffe://a/c"], "host": "Orders.Internal.",
            "tls": {"version": "TLSv1.3", "sni": "orders.internal", "ja4": "t13d"}, "destination": "[2001:db8::5]:5432",
            "port": 5432, "time": "2026-01-01T00:00:00Z"}}"#,
    );
    assert_eq!((connection.peer, connection.peer_port), ("192.0.2.7".parse().ok(), Some(4711)));
    assert_eq!((connection.peer_uri.as_deref(), connection.peer_uris), (Some("spiffe://a/b"), Some(2)));
    assert_eq!((connection.mutual_tls, connection.tls_version.as_deref()), (Some(true), Some("TLSv1.3")));
    assert_eq!((connection.local, connection.local_port), ("2001:db8::5".parse().ok(), Some(5432)));
    assert_eq!((connection.ja4.as_deref(), host.as_slice()), (Some("t13d"), &b"orders.internal"[..]));
    assert_eq!(time, Some(1_767_225_600_000_000_000));
}

#[test]
fn who_is_not_said_to_show_a_certificate_shows_none_and_the_host_is_the_server_name() {
    let least = opening(r#"{"connection": {}}"#);
    let expected = Connection { mutual_tls: Some(false), ..Connection::default() };
    assert_eq!((least.connection, least.host), (expected, Vec::new()));
    let named = opening(r#"{"connection": {"tls": {"sni": "outbound_.5432_._.db.example", "mutual": true}}}"#);
    assert_eq!((named.host.as_slice(), named.connection.mutual_tls), (&b"db.example"[..], Some(true)));
    assert_eq!(named.connection.peer_uri, None);
    let plain = opening(r#"{"connection": {"peer_uris": ["spiffe://a/b"], "tls": null}}"#);
    assert_eq!(plain.connection.mutual_tls, Some(false));
}

#[test]
fn the_words_of_the_log_are_a_connection_too() {
    let short = |text: &str| opening(&serde_json::json!({ "connection": text }).to_string());
    for shown in [
        "spiffe://a/b to orders.internal",
        "spiffe://a/b",
        "no identity",
        "no identity, from 192.0.2.7 to orders.internal",
    ] {
        assert_eq!(short(shown).shown(), shown);
    }
    assert_eq!(short("192.0.2.7 to [2001:db8::1]").shown(), "no identity, from 192.0.2.7 to [2001:db8::1]");
    let with_port = short("spiffe://a/b to DB.example:5432");
    assert_eq!((with_port.host.as_slice(), with_port.connection.local_port), (&b"db.example"[..], Some(5432)));
    assert_eq!(short("no identity, from [2001:db8::7]:99").connection.peer_port, Some(99));
}

#[test]
fn what_a_connection_leaves_out_comes_from_the_defaults() {
    let read = |text: &str| {
        let mut problems = Problems::default();
        let node = gatehouse_policy::document::json("t", text).unwrap();
        let draft = OpeningDraft::read(&node, &mut problems);
        problems.or(draft.unwrap_or_default()).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let defaults = read(
        r#"{"host": "orders.internal", "destination": "10.0.0.5:5432", "address": "192.0.2.7", "peer_uris": ["spiffe://a/b"]}"#,
    );
    let own = read(r#""no identity""#).over(&defaults).finish();
    assert_eq!(own.shown(), "no identity, from 192.0.2.7 to orders.internal");
    assert_eq!((own.connection.local, own.connection.local_port), ("10.0.0.5".parse().ok(), Some(5432)));
    let elsewhere = read(r#"{"port": 22, "host": "db.example"}"#).over(&defaults).finish();
    assert_eq!(
        (elsewhere.connection.local_port, elsewhere.shown()),
        (Some(22), "spiffe://a/b to db.example".to_owned())
    );
}

#[test]
fn every_problem_of_a_connection_is_told_with_its_place_and_what_would_be_right() {
    let said = problems(
        r#"{"connection": {"adress": "x", "address": "somewhere", "host": "orders.internal:5432", "destination": "orders.internal",
            "port": 0, "peer_uris": ["web"], "tls": {"versoin": "x"}, "time": "noon"}}"#,
    );
    for words in [
        "document.connection.adress: unknown field `adress` in the connection; did you mean `address`?",
        "document.connection.address: `somewhere` is no address; write the direct peer's address",
        "document.connection.host: `orders.internal:5432` is a host with a port; write `\"port\": 5432` beside it",
        "document.connection.destination: `orders.internal` is no address; write the address that it is made to, such as `10.0.0.5:5432`; whom the client wants to reach is `host`",
        "document.connection.port: `0` is out of range; write a whole number from 1 to 65535",
        "document.connection.peer_uris: `web` is no URI",
        "document.connection.tls.versoin: unknown field `versoin` in `tls`; did you mean `version`?",
        "document.connection.time: `noon`, a text is no moment",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let said = problems(r#"{"connection": {"destination": "10.0.0.5:5432", "port": 5433}}"#);
    assert!(said.contains("document.connection.port: `port` is 5433, and that of `destination` is 5432"), "{said}");
}

#[test]
fn what_is_neither_a_request_nor_a_connection_is_told_so() {
    for (text, words) in [
        (
            r#"{"connecton": {}}"#,
            "document.connecton: unknown field `connecton` in the document; did you mean `connection`?",
        ),
        (r#"{"connection": {}, "method": "GET"}"#, "document.method: `method` stands beside `connection`"),
        (r#"{"connection": 5}"#, "document.connection: the connection is `5`, a number"),
        (
            r#"{"host": "a", "peer_uris": []}"#,
            "request: a document with these fields speaks of a connection; write it as `{\"connection\": {…}}`",
        ),
        ("{", "request:1:"),
    ] {
        let said = problems(text);
        assert!(said.contains(words), "{words}\n{said}");
    }
    for wrong in [
        "",
        "web to a",
        "spiffe://a/b to",
        "spiffe://a/b to a b",
        "no identity from 192.0.2.7",
        "192.0.2.7 to a:99999",
        "no identity, from x",
    ] {
        let said = problems(&serde_json::json!({ "connection": wrong }).to_string());
        assert!(said.contains("is no connection; write it as `spiffe://"), "{wrong}: {said}");
    }
    let Asked::Request(request) = asked(r#"{"method": "GET", "path": "/", "authority": "a"}"#) else {
        panic!("a request")
    };
    assert_eq!(request.path, b"/");
}
