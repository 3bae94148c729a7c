//! Methods: what a preflight asks for, and what a client names besides.

use super::gate::*;

fn preflight(path: &str, method: &str) -> Ask {
    Ask::new("OPTIONS", path).header("origin", "https://app.example").header("access-control-request-method", method)
}

const ALLOW_LIST: &str = "
rules:
- { name: api, match: { path: /api/**, method: [GET, POST] }, then: allow }
otherwise: block";

#[test]
fn a_preflight_is_judged_by_the_method_that_it_asks_for() {
    let mut gate = Gate::new(ALLOW_LIST);
    assert_eq!(said(&gate.ask(&preflight("/api/x", "POST"))), "allow p/api");
    assert_eq!(said(&gate.ask(&preflight("/api/x", "DELETE"))), "block p/otherwise");
    assert_eq!(said(&gate.ask(&Ask::new("OPTIONS", "/api/x"))), "block p/otherwise", "no preflight without an origin");
}

#[test]
fn a_preflight_leaves_nothing_behind() {
    let spec = "
rules:
- { name: trapped, match: { score: 1 }, then: drop }
- { name: weigh, match: { path: /trap }, then: [{ weigh: 50 }, block] }
- { name: limit, match: { method: POST }, limit: { rate: 2 per 1m }, then: limit }
- { name: login, match: { method: PUT }, limit: { count: { status: 401 }, rate: 1 per 1m }, then: limit }";
    let mut gate = Gate::new(spec);
    for _ in 0..20 {
        assert_eq!(said(&gate.ask(&preflight("/", "POST"))), "allow");
        assert_eq!(said(&gate.ask(&preflight("/trap", "GET"))), "block p/weigh");
        let mut judged = gate.ask(&preflight("/", "PUT"));
        assert!(!judged.awaits_status() && !judged.is_open());
        gate.tell(&mut judged, Some(401));
    }
    let post = Ask::new("POST", "/");
    assert_eq!([(); 3].map(|()| said(&gate.ask(&post))), ["allow", "allow", "limit p/limit"]);
    assert_eq!(
        said(&gate.ask(&preflight("/", "POST"))),
        "limit p/limit",
        "what is over for the client is over for it too"
    );
}

#[test]
fn a_preflight_that_names_another_method_is_an_ordinary_request() {
    let spec = "rules: [{ name: login, match: { method: [OPTIONS, POST] }, limit: { rate: 2 per 1m }, then: limit }]";
    let mut gate = Gate::new(spec);
    let ask = preflight("/", "GET").header("X-HTTP-Method-Override", "POST");
    assert_eq!([(); 3].map(|()| said(&gate.ask(&ask))), ["allow", "allow", "limit p/login"]);
}

#[test]
fn a_method_that_is_named_in_a_header_is_judged_too() {
    let mut gate = Gate::new("rules: [{ name: refuse, match: { method: DELETE }, then: block }]");
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("x-http-method", "delete"),
        ("x-method-override", " Delete "),
        ("x_http_method_override", "DELETE"),
    ] {
        let ask = |method| Ask::new(method, "/").header(name, value);
        assert_eq!(said(&gate.ask(&ask("POST"))), "block p/refuse", "{name}: {value}");
        assert_eq!(said(&gate.ask(&ask("DELETE"))), "block p/refuse");
    }
    let several = Ask::new("POST", "/").header("x-http-method", "PUT").header("x-http-method", "DELETE");
    assert_eq!(said(&gate.ask(&several)), "block p/refuse", "every value counts");
    let same = Ask::new("POST", "/").header("x-http-method", "post").header("x-method-override", "POST");
    assert_eq!(said(&gate.ask(&same)), "allow");
}

#[test]
fn one_that_names_more_methods_than_are_judged_is_ambiguous() {
    let mut gate = Gate::new("ambiguous: strictest\nrules: [{ name: refuse, match: { method: DELETE }, then: block }]");
    let ask = Ask::new("POST", "/")
        .header("x-http-method-override", "PUT")
        .header("x-http-method", "PATCH")
        .header("x-method-override", "DELETE");
    assert_eq!(said(&gate.ask(&ask)), "block p/ambiguous");
}

#[test]
fn an_allow_list_by_method_is_not_widened_by_a_header() {
    let mut gate = Gate::new(ALLOW_LIST);
    assert_eq!(said(&gate.ask(&Ask::new("POST", "/api/x"))), "allow p/api");
    let ask = Ask::new("POST", "/api/x").header("x-http-method-override", "DELETE");
    assert_eq!(said(&gate.ask(&ask)), "block p/otherwise");
}
