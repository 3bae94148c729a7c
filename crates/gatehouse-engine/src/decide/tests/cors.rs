//! Which pages may read an answer of ours with the visitor's credentials.

use super::gate::*;

fn credentials(gate: &mut Gate, host: &str, origin: &str) -> bool {
    let judged = gate.ask(&Ask::get("/").host(host).header("origin", origin));
    assert_eq!(status(&judged), 403);
    assert_eq!(answers(&judged, "access-control-allow-origin"), Some(origin));
    answers(&judged, "access-control-allow-credentials") == Some("true")
}

#[test]
fn pages_of_the_documents_own_hosts_are_trusted_and_no_others() {
    let spec = "scope: acme/shop\nhosts: [shop.example.com, app.example.com]\notherwise: block";
    let other = "scope: acme/bank\nhosts: bank.example.com\notherwise: block";
    let mut gate = Gate::of(documents(&[("p", spec), ("q", other)]));
    assert!(credentials(&mut gate, "shop.example.com", "https://app.example.com"));
    assert!(credentials(&mut gate, "shop.example.com", "https://shop.example.com:8443"));
    for origin in [
        "https://bank.example.com",
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com.evil.example",
    ] {
        assert!(!credentials(&mut gate, "shop.example.com", origin), "{origin}");
    }
}

#[test]
fn where_a_document_holds_for_every_host_no_origin_becomes_its_own_by_that() {
    for scope in ["", "scope: acme\n"] {
        let mut gate = Gate::new(&format!("{scope}otherwise: block"));
        assert!(!credentials(&mut gate, "shop.example.com", "https://evil.example"));
        assert!(!credentials(&mut gate, "shop.example.com", "https://shop.example.com"));
    }
    let shop = "scope: acme/shop\nhosts: shop.example.com";
    let mut gate = Gate::of(documents(&[("p", "scope: acme\notherwise: block"), ("q", shop)]));
    assert!(!credentials(&mut gate, "shop.example.com", "https://evil.example"));
    assert!(credentials(&mut gate, "shop.example.com", "https://shop.example.com"));
}

#[test]
fn documents_without_a_scope_trust_the_hosts_that_they_name() {
    let mut gate = Gate::new("hosts: [shop.example.com, \"*.app.example\"]\notherwise: block");
    assert!(credentials(&mut gate, "shop.example.com", "https://www.app.example"));
    assert!(!credentials(&mut gate, "shop.example.com", "https://evil.example"));
}

#[test]
fn a_refused_preflight_is_granted_to_own_pages_only_so_that_they_can_read_the_refusal() {
    let mut gate = Gate::new("hosts: [shop.example.com]\notherwise: block");
    let preflight =
        |origin: &str| Ask::new("OPTIONS", "/").header("origin", origin).header("access-control-request-method", "PUT");
    assert_eq!(status(&gate.ask(&preflight("https://shop.example.com"))), 204);
    assert_eq!(status(&gate.ask(&preflight("https://evil.example"))), 403);
}
