//! One request through the filter: what goes on, what is answered, what Envoy is told.

use gatehouse_scripted_host::{Gate, Headers};

const POLICY: &str = r#"{"policy": {"apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": {"name": "shop"},
    "spec": {"hosts": ["shop.example"], "mode": "enforce", "rules": [
        {"name": "no-admin", "match": {"path": "/admin/**"}, "then": "block"},
        {"name": "watch", "match": {"path": "/watch"}, "mode": "monitor", "then": "block"}],
    "otherwise": "allow"}}}"#;

#[test]
fn our_own_header_prefix_is_removed_with_and_without_a_policy() {
    for configuration in ["", POLICY] {
        let mut gate = Gate::with_config(configuration);
        let answer = gate.get("/", &[("x-gatehouse-verdict", "allow"), ("accept", "*/*"), ("x-gatehouse-", "")]);
        assert!(answer.forwarded);
        assert_eq!(answer.header("accept"), Some("*/*"));
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("x-gatehouse-")), "{:?}", answer.headers);
        assert_eq!(answer.header(":path"), Some("/"), "everything else stays");
    }
}

#[test]
fn a_request_without_anything_of_ours_is_not_rewritten() {
    let mut gate = Gate::with_config(POLICY);
    gate.get("/", &[("accept", "*/*")]);
    assert!(gate.world().written.is_none(), "a write clears Envoy's route cache");
}

#[test]
fn a_block_answers_with_details_and_reference_and_tells_the_access_log() {
    let mut gate = Gate::with_config(POLICY);
    let answer = gate.get("/admin/users", &[]);
    let reply = answer.reply.expect("an answer");
    assert_eq!((answer.forwarded, reply.status, reply.grpc_status), (false, 403, -1));
    let state = gate.world().filter_state.clone();
    let reference = &state["gatehouse.reference"];
    assert_eq!(reference.len(), 16);
    assert!(String::from_utf8_lossy(&reply.body).contains(reference), "the client can name it");
    assert_eq!(reply.details, format!("gatehouse_block:shop/no-admin:{reference}"));
    assert_eq!((state["gatehouse.verdict"].as_str(), state["gatehouse.rule"].as_str()), ("block", "shop/no-admin"));
    assert_eq!(gate.world().metric("gatehouse_decisions_block_total"), 1);
}

#[test]
fn monitor_mode_forwards_and_says_what_it_would_have_done() {
    let mut gate = Gate::with_config(POLICY);
    assert!(gate.get("/watch", &[]).forwarded);
    let state = gate.world().filter_state.clone();
    assert_eq!((state["gatehouse.verdict"].as_str(), state["gatehouse.mode"].as_str()), ("block", "monitor"));
    assert_eq!(gate.world().metric("gatehouse_would_have_total"), 1);
    assert!(gate.get("/", &[]).forwarded);
    assert!(gate.world().filter_state.is_empty(), "an ordinary request costs no filter state");
}

#[test]
fn a_grpc_request_is_refused_in_grpc() {
    let mut gate = Gate::with_config(POLICY);
    let reply = gate.get("/admin/x", &[("content-type", "application/grpc")]).reply.expect("an answer");
    assert_eq!(reply.grpc_status, 7, "PERMISSION_DENIED");
}

#[test]
fn without_expressions_the_facts_are_asked_one_by_one() {
    let mut gate = Gate::with_config(POLICY);
    gate.world().without_expressions = true;
    gate.get("/", &[]);
    assert_eq!(gate.world().metric("gatehouse_requests_peer_unknown_total"), 0, "the peer was read as a property");
}

#[test]
fn an_unknown_peer_is_warned_of_once_and_counted_every_time() {
    let mut gate = Gate::with_config("");
    gate.world().properties.remove("filter_state.gatehouse.peer");
    for _ in 0..3 {
        gate.get("/", &[("x-forwarded-for", "203.0.113.9")]);
    }
    assert_eq!(gate.world().complaints().matches("direct peer").count(), 1);
    assert_eq!(gate.world().metric("gatehouse_requests_peer_unknown_total"), 3);
}

#[test]
fn facts_of_a_connection_are_asked_once() {
    let mut gate = Gate::with_config("");
    gate.get("/", &[]);
    gate.world().calls.clear();
    gate.get("/", &[]);
    let asked = gate.world().calls.iter().filter(|call| **call == "proxy_call_foreign_function").count();
    assert_eq!(asked, 0, "without a house no outcome is asked either");
}

#[test]
fn bytes_that_are_no_text_go_through_untouched() {
    let mut gate = Gate::with_config(POLICY);
    let odd: Vec<u8> = (0x80..=0xff).collect();
    let headers: Vec<(Vec<u8>, Vec<u8>)> = [
        (&b":method"[..], &b"GET"[..]),
        (b":path", b"/"),
        (b":authority", b"shop.example"),
        (b"x-odd", odd.as_slice()),
        (b"x-gatehouse-forged", odd.as_slice()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_vec(), value.to_vec()))
    .collect();
    let answer = gate.request_with(Headers::Pairs(headers));
    assert!(answer.forwarded);
    let written = gate.world().written.clone().expect("the forged header was removed");
    assert!(written.contains(&(b"x-odd".to_vec(), odd)));
    gate.finish(answer.context);
}

#[test]
fn memory_stands_still_over_many_requests() {
    let mut gate = Gate::with_config(POLICY);
    let round = |gate: &mut Gate| {
        for number in 0..500i64 {
            gate.world().properties.insert("connection.id".into(), number.to_le_bytes().to_vec());
            gate.get(&format!("/item/{number}?q=1"), &[("cookie", "a=b"), ("x-gatehouse-a", "1")]);
        }
    };
    round(&mut gate);
    let before = gate.memory_bytes();
    for _ in 0..3 {
        round(&mut gate);
    }
    assert!(gate.memory_bytes() - before <= 128 * 1024, "grew by {} bytes", gate.memory_bytes() - before);
}

/// A document that limits by its own name: two listeners of one Envoy may each have one, in one VM.
fn limited(name: &str, rate: &str) -> String {
    format!(
        r#"{{"policy": {{"apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": {{"name": "{name}"}},
            "spec": {{"hosts": ["shop.example"], "mode": "enforce", "rules": [
                {{"name": "scored", "match": {{"path": "/score"}}, "then": {{"weigh": 40, "label": "{name}"}}}},
                {{"name": "enough", "match": {{"score": {{"atLeast": 100, "label": "{name}"}}}}, "then": "block"}},
                {{"name": "limited", "match": {{"path": "/limited"}}, "limit": {{"by": "address", "rate": "{rate}"}}, "then": "limit"}}],
            "otherwise": "allow"}}}}}}"#
    )
}

fn ask(gate: &mut Gate, root: u32, path: &str) -> bool {
    let context = gate.context_of(root);
    let pairs = [(":method", "GET"), (":path", path), (":authority", "shop.example")];
    let forwarded = gate.request_in(context, &pairs).forwarded;
    gate.finish(context);
    forwarded
}

#[test]
fn two_configurations_in_one_vm_count_each_for_itself_and_an_update_goes_on() {
    let mut gate = Gate::with_config(&limited("a", "3 per 1m"));
    assert!(gate.configure_context(90, &limited("b", "2 per 1m")));
    let root = gatehouse_scripted_host::gate::ROOT;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push((ask(&mut gate, root, "/limited"), ask(&mut gate, 90, "/limited")));
    }
    assert_eq!(told, [(true, true), (true, true), (true, false), (false, false)]);
    // Scores of the one are not forgotten for the other's sake.
    for _ in 0..3 {
        assert!(ask(&mut gate, root, "/score") && ask(&mut gate, 90, "/other"));
    }
    assert!(!ask(&mut gate, root, "/other") && ask(&mut gate, 90, "/other"));
    // An update comes as a new context; the old one ends.
    assert!(gate.configure_context(91, &limited("a", "3 per 1m")));
    gate.end(root);
    assert!(!ask(&mut gate, 91, "/limited") && !ask(&mut gate, 91, "/other"));
    // Whoever ends takes its counts along.
    gate.end(91);
    assert!(gate.configure_context(92, &limited("a", "3 per 1m")));
    assert!(ask(&mut gate, 92, "/limited"));
}

#[test]
fn who_has_proven_to_be_whom_is_told_by_the_listener_before_where_the_configuration_says_so() {
    let policy = r#""policy": {"apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": {"name": "server"}, "spec": {
        "requireMutualTls": true, "requireOneUri": true,
        "rules": [{"name": "friend", "match": {"serviceAccounts": "demo/friend"}, "then": "allow"}], "otherwise": "block"}}"#;
    let friend = "spiffe://cluster.local/ns/demo/sa/friend";
    let forwarded = |configuration: &str, told: &str| {
        let mut gate = Gate::with_config(configuration);
        gate.world().properties.insert("filter_state.io.istio.peer_principal".into(), told.as_bytes().to_vec());
        gate.get("/", &[]).forwarded
    };
    let waypoint = format!(r#"{{"identity": {{"filter_state": "io.istio.peer_principal"}}, {policy}}}"#);
    assert!(forwarded(&waypoint, friend));
    for other in ["", "-", "spiffe://cluster.local/ns/demo/sa/other", &format!("{friend},spiffe://a/b")] {
        assert!(!forwarded(&waypoint, other), "{other}");
    }
    assert!(!forwarded(&format!("{{{policy}}}"), friend), "elsewhere nobody's word counts but the certificate's");
}
