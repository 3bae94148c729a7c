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

#[test]
fn a_certificate_with_several_uris_is_refused_where_one_is_asked_for() {
    let mut gate = Gate::new("requireOneUri: true");
    let with = |uris| Ask::get("/").identity("spiffe://a/b").connection(move |c| c.peer_uris = uris);
    let judged = gate.ask(&with(Some(2)));
    assert_eq!((said(&judged).as_str(), status(&judged)), ("block p/one-uri", 403));
    assert_eq!(said(&gate.ask(&with(Some(1)))), "allow");
    assert_eq!(said(&gate.ask(&with(None))), "allow", "not known");
    assert_eq!(said(&Gate::new("rules: []").ask(&with(Some(2)))), "allow");
}

fn to(sni: &str) -> Ask {
    let sni = sni.to_owned();
    Ask::get("/").connection(move |c| c.sni = Some(sni.clone()))
}

#[test]
fn a_request_for_another_host_than_the_connection_names_is_misdirected() {
    let mut gate = Gate::new("rules: []");
    let judged = gate.ask(&to("elsewhere.example"));
    assert_eq!((said(&judged).as_str(), status(&judged)), ("block p/server-name", 421));
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "allow", "no server name");
    assert_eq!(said(&Gate::new("serverName: any").ask(&to("elsewhere.example"))), "allow");
    assert_eq!(said(&Gate::new("serverName: { own: [elsewhere.example] }").ask(&to("elsewhere.example"))), "allow");
    let watched = Gate::new("mode: monitor").ask(&to("elsewhere.example"));
    assert_eq!(watched.verdict.would_have[0].rule, "p/server-name");
}

#[test]
fn at_egress_a_refusal_is_that_of_rbac() {
    let mut gate = Gate::new(
        "direction: egress\nrules:\n- { name: never, match: { path: /never }, then: block }\n- { name: words, match: { path: /words }, then: { block: { body: words } } }\n- { name: all, match: { path: /ok }, then: allow }\notherwise: block",
    );
    let mut details = |ask: &Ask| {
        let judged = gate.ask(ask);
        let crate::Step::Reply(reply) = judged.step else { panic!("{judged:?}") };
        let body = String::from_utf8(reply.body).expect("text");
        (reply.status, body, reply.details)
    };
    let rbac =
        |rule: &str| (403, "RBAC: access denied".to_owned(), format!("rbac_access_denied_matched_policy[{rule}]"));
    assert_eq!(details(&Ask::get("/")), rbac("none"));
    assert_eq!(details(&Ask::get("/never")), rbac("p/never"));
    assert_eq!(details(&to("elsewhere.example")), rbac("p/server-name"));
    let (status, body, told) = details(&Ask::get("/words"));
    assert_eq!((status, body.as_str()), (403, "words"));
    assert!(told.starts_with("gatehouse_block:p/words:"), "{told}");
}
