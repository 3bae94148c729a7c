//! What a guarded workload is rendered to, and what is wrong with values for one.

use super::*;

/// The manifests of a workload, by the rest of its values and a policy in the plugins.
fn guarded_by(shape: &str, rest: &str, inline: Option<&str>) -> String {
    let module = "module: { url: \"oci://a/b\", tcp: { url: \"oci://a/c\" } }";
    let values = Values::parse("values", &format!("shape: {shape}\n{module}\nworkload: {{ namespace: a, {rest} }}\n"));
    let manifests = render(Target::Istio, &values.unwrap(), inline).unwrap();
    let manifest = manifests.into_iter().find(|one| one.name == "workload.yaml").unwrap();
    sound("istio", &manifest, Target::Istio);
    manifest.text
}

#[test]
fn a_workload_is_guarded_for_requests_for_connections_or_for_both() {
    let has = |text: &str| ["oci://a/b", "oci://a/c"].map(|url| text.contains(url));
    let guarded = |rest: &str| guarded_by("independent", &format!("labels: {{ app: b }}, {rest}"), None);
    assert_eq!(has(&guarded("")), [true, false]);
    assert_eq!(has(&guarded("tcp: { ports: 5432, destination: b.a.svc }")), [true, true]);
    let database = guarded("tcp: { ports: [6379, 5432, 6379], destination: b.a.svc }, requests: false");
    assert_eq!(has(&database), [false, true]);
    assert!(
        database.contains("tcp: { destination: b.a.svc, ports: [5432, 6379] }")
            && database.contains("max_early_data_bytes"),
        "{database}"
    );
    assert!(!database.contains("http_connection_manager"), "nothing of it is for requests:\n{database}");
    // One filter state, written at one level: Envoy does not take it at both.
    assert!(
        !guarded("tcp: { ports: 5432, destination: b.a.svc }").contains("on_request_headers")
            && guarded("").contains("on_request_headers")
    );
}

#[test]
fn a_policy_stands_in_the_plugin_of_its_kind() {
    let connections = r#"{"kind":"TcpPolicy"}"#;
    for (rest, policy, stands) in [
        ("tcp: { ports: 1, destination: b.c }, requests: false", connections, true),
        ("tcp: { ports: 1, destination: b.c }, requests: false", r#"{"kind":"Policy"}"#, false),
        ("requests: true", connections, false),
        ("requests: true", r#"{"kind":"Policy"}"#, true),
    ] {
        let text = guarded_by("beside", &format!("labels: {{ app: b }}, {rest}"), Some(policy));
        assert_eq!(text.contains("policy: {"), stands, "{rest} {policy}:\n{text}");
    }
}

#[test]
fn a_waypoint_is_told_where_the_house_is_and_who_has_proven_to_be_whom() {
    let text = guarded_by("independent", "service: b", None);
    for word in
        ["identity: { filter_state: io.istio.peer_principal }", "referenced-services", "kind: Gateway, name: waypoint"]
    {
        assert!(text.contains(word), "{word}:\n{text}");
    }
    let alone = guarded_by("beside", "service: b", None);
    assert!(!alone.contains("referenced-services") && !alone.contains("PeerAuthentication"), "{alone}");
}

#[test]
fn what_is_wrong_with_a_workload_is_told() {
    for (rest, part) in [
        ("labels: { a: b }, tcp: { ports: [0, 5432], destination: b.c }", "`0` is out of range"),
        ("labels: { a: b }, tcp: { ports: [], destination: b.c }", "`ports` has 0 ports"),
        ("labels: { a: b }, tcp: { ports: 1, destination: B }", "`B` is no name of a service"),
        ("labels: { a: b }, tcp: { ports: 1 }", "destination"),
        ("labels: { a: b }, tcp: [5432]", "a map"),
        ("labels: { a: b }, requests: false", "guards neither requests nor connections"),
        ("service: b, tcp: { ports: 1, destination: b.c }", "connections are not judged at a waypoint"),
        ("labels: { a: b }, tpc: 1", "did you mean `tcp`?"),
        ("tcp: { ports: 1, destination: b.c }", "whose proxies is not clear"),
    ] {
        let told = said(&format!("workload: {{ namespace: a, {rest} }}"));
        assert!(told.contains(part), "{part}:\n{told}");
    }
    let lacks = |rest: &str| {
        let text = format!(
            "{rest}\nworkload: {{ namespace: a, labels: {{ a: b }}, tcp: {{ ports: 5432, destination: b.c }} }}"
        );
        Target::Istio.lacks(&Values::parse("values", &text).unwrap()).map(|(message, _)| message)
    };
    assert!(lacks("module: { url: \"oci://a/b\" }").unwrap().contains("`module.tcp` is missing"));
    let tcp = "tcp: { url: \"oci://a/c\" }";
    assert!(lacks(&format!("module: {{ {tcp} }}")).unwrap().contains("`module.url` is missing"));
    assert!(lacks(&format!("module: {{ url: \"oci://a/b\", {tcp} }}")).unwrap().contains("two policies"));
    assert_eq!(lacks(&format!("shape: independent\nmodule: {{ url: \"oci://a/b\", {tcp} }}")), None);
}
