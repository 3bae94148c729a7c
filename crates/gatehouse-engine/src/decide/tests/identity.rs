//! Who the peer is: mutual TLS, and headers of an identity.

use super::gate::*;
use gatehouse_policy::Field;

#[test]
fn without_a_verified_peer_nothing_passes_where_one_is_asked_for() {
    let mut gate = Gate::new("requireMutualTls: true\nrules: [{ name: open, match: { all: true }, then: allow }]");
    let judged = gate.ask(&Ask::get("/"));
    assert_eq!((said(&judged).as_str(), status(&judged)), ("block p/mutual-tls", 403));
    assert_eq!(said(&gate.ask(&Ask::get("/").identity("spiffe://a/b"))), "allow p/open");
    assert_eq!(
        said(&gate.ask(&Ask::get("/").connection(|c| c.mutual_tls = Some(true)))),
        "allow p/open",
        "a certificate without a URI"
    );
    let unverified = |c: &mut gatehouse_signals::Connection| c.peer_uri = Some("spiffe://a/b".into());
    assert_eq!(said(&gate.ask(&Ask::get("/").connection(unverified))), "block p/mutual-tls");
    assert_eq!(
        said(&gate.ask(&Ask::get("/").connection(|c| c.mutual_tls = None))),
        "block p/mutual-tls",
        "the gate could not tell"
    );
    assert_eq!(
        said(&gate.ask(&Ask::get("/").without(Field::TlsMutual))),
        "allow p/open",
        "a log without it: not judged"
    );
}

const STRIP: &str = "identityHeaders: { action: strip, names: [x-remote-user, x-role] }";

fn forged() -> Ask {
    Ask::get("/").header("X-Remote-User", "root").header("x_role", "admin").header("x-kept", "1")
}

fn names(judged: &crate::exchange::Judged) -> Vec<String> {
    forwarded(judged).unwrap_or_default().into_iter().map(|(name, _)| name).skip(4).collect()
}

#[test]
fn headers_of_an_identity_are_removed_from_strangers_in_any_mode() {
    for mode in ["enforce", "monitor", "canary 1%"] {
        let mut gate = Gate::new(&format!("mode: {mode}\n{STRIP}"));
        assert_eq!(names(&gate.ask(&forged())), ["x-kept"], "{mode}");
        assert_eq!(forwarded(&gate.ask(&Ask::get("/").header("x-kept", "1"))), None);
    }
}

#[test]
fn headers_of_an_identity_are_refused_where_the_policy_says_so() {
    let mut gate = Gate::new(&STRIP.replace("strip", "refuse"));
    let judged = gate.ask(&forged());
    assert_eq!((said(&judged).as_str(), status(&judged)), ("block p/identity-headers", 400));
    assert_eq!(said(&gate.ask(&Ask::get("/").header("x-kept", "1"))), "allow");
}

#[test]
fn a_trusted_proxy_may_set_them() {
    for action in ["strip", "refuse"] {
        let trust = "client: { address: { from: x-forwarded-for, trust: [10.0.0.0/8] } }";
        let mut gate = Gate::new(&format!("{trust}\n{}", STRIP.replace("strip", action)));
        let by_proxy = gate.ask(&forged().from("10.0.0.1").header("x-forwarded-for", "198.51.100.1"));
        assert_eq!((said(&by_proxy).as_str(), forwarded(&by_proxy)), ("allow", None), "{action}");
        let directly = gate.ask(&forged().header("x-forwarded-for", "10.0.0.1"));
        assert!(!passed(&directly) || names(&directly) == ["x-kept", "x-forwarded-for"], "{action}: {directly:?}");
    }
}

#[test]
fn a_forwarded_certificate_is_believed_from_nobody_unless_said() {
    let mut gate = Gate::new("identityHeaders: strip");
    let judged = gate.ask(&Ask::get("/").header("x-forwarded-client-cert", "URI=spiffe://a/b").header("x-kept", "1"));
    assert_eq!(names(&judged), ["x-kept"]);
}

#[test]
fn names_that_frame_a_body_for_some_and_not_for_envoy_are_refused_in_any_policy() {
    let mut gate = Gate::new("ambiguous: strictest");
    for name in [
        "content_length",
        "Content_Length",
        "transfer_encoding",
        "transfer-encoding_",
        "content.length",
        "content-length\u{b}",
    ] {
        assert_eq!(said(&gate.ask(&Ask::new("POST", "/").header(name, "5"))), "block p/ambiguous", "{name}");
    }
    for name in ["content-length", "Transfer-Encoding", "content-language", "content-lengthy"] {
        assert_eq!(said(&gate.ask(&Ask::new("POST", "/").header(name, "5"))), "allow", "{name}");
    }
}
