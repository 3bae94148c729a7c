use std::path::{Path, PathBuf};

use gatehouse_policy::document;
use proptest::prelude::*;

use super::*;

mod workload;

/// What is checked in: the target, its values, and where its manifests lie below `deploy`.
const EXAMPLES: [(Target, &str, &str); 11] = [
    (Target::Envoy, "envoy", "envoy"),
    (Target::Envoy, "envoy-independent", "envoy/independent"),
    (Target::EnvoyGateway, "envoy-gateway", "envoy-gateway"),
    (Target::Istio, "istio-beside", "istio/beside"),
    (Target::Istio, "istio-independent", "istio/independent"),
    (Target::Istio, "istio-egress", "istio/egress"),
    (Target::Istio, "istio-database", "istio/database"),
    (Target::Istio, "istio-gateway-api", "istio/gateway-api"),
    (Target::Istio, "istio-envoy-filter", "istio/envoy-filter"),
    (Target::Tsb, "tsb", "tsb"),
    (Target::Vm, "vm", "vm"),
];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn example(name: &str) -> Values {
    let path = deploy().join("values").join(format!("{name}.yaml"));
    Values::parse(name, &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn said(text: &str) -> String {
    Values::parse("values.yaml", text).unwrap_err().to_string()
}

#[test]
fn what_is_checked_in_is_what_is_rendered() {
    let bless = std::env::var_os("GATEHOUSE_BLESS").is_some();
    for (target, values, folder) in EXAMPLES {
        for Manifest { name, text } in render(target, &example(values), None).unwrap() {
            let path = deploy().join(folder).join(name);
            if bless {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, text).unwrap();
                continue;
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} is stale; GATEHOUSE_BLESS=1 writes it anew", path.display());
        }
    }
}

#[test]
fn every_set_of_values_is_used() {
    let mut files: Vec<String> = std::fs::read_dir(deploy().join("values"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut used = EXAMPLES.map(|(_, values, _)| values.to_owned());
    used.sort();
    assert_eq!(files, used);
}

/// Every combination of the words that choose between pieces of text.
#[test]
fn every_combination_is_yaml_with_kinds_and_names() {
    let policy = r#"{"apiVersion":"gatehouse.dev/v1"}"#;
    for shape in ["beside", "independent"] {
        for kind in ["WasmPlugin", "TrafficExtension", "EnvoyFilter"] {
            for url in ["null", "oci://registry.example/gate:1", "file:///opt/gate.wasm"] {
                for hops in ["0", "2"] {
                    let text = format!(
                        "shape: {shape}\nistio: {{ kind: {kind} }}\ngateway: {{ trustedProxies: {hops}, proxyProtocol: {}, labels: {{ a.b/c: \"1\" }} }}\n\
                         house: {{ pullSecret: secret }}\n\
                         routes: [{{ name: a, hosts: [\"*\", b.example], service: c.d, port: 1, credential: e }}]\n{}{}",
                        kind == "WasmPlugin",
                        if shape == "independent" { EGRESS } else { "" },
                        if url == "null" {
                            String::new()
                        } else {
                            format!("module: {{ url: \"{url}\", pullSecret: p, tcp: {{ url: \"{url}\" }} }}\n")
                        },
                    );
                    let values = Values::parse("values", &text).unwrap();
                    for (name, target) in Target::ALL {
                        if target.lacks(&values).is_some() {
                            continue;
                        }
                        for inline in [None, Some(policy)] {
                            for manifest in render(target, &values, inline).unwrap() {
                                sound(name, &manifest, target);
                            }
                        }
                    }
                }
            }
        }
    }
}

const EGRESS: &str = "workload: { namespace: a, service: b }\negress: { nodes: { a.b/c: \"1\" }, from: [a, b], hosts: [\
                      { name: a, host: a.b, port: 80, originate: 443, credential: c }, \
                      { name: b, host: b.b, port: 443, protocol: TLS }, \
                      { name: c, host: c.b, port: 1, protocol: TCP, addresses: [\"::1\", 192.0.2.1] }] }\n";

#[test]
fn whoever_has_the_gate_may_ask_the_house() {
    let text = format!("shape: independent\nmodule: {{ url: \"oci://a/b\", tcp: {{ url: \"oci://a/c\" }} }}\n{EGRESS}");
    let values = Values::parse("values", &text).unwrap();
    let manifests = render(Target::Istio, &values, None).unwrap();
    let house = &manifests.iter().find(|one| one.name == "house.yaml").unwrap().text;
    for who in ["istio-system/sa/istio-ingressgateway", "a/sa/waypoint", "istio-egress/sa/gatehouse-egress"] {
        assert!(house.contains(&format!("cluster.local/ns/{who}")), "{who}:\n{house}");
    }
    assert!(house.contains("gateway.networking.k8s.io/gateway-name: waypoint"), "{house}");
}

#[test]
fn hosts_outside_are_each_one_name_with_one_way() {
    let told = said(
        "egress: { hosts: [{ name: a.b, host: \"*.b\", port: 0 }, { name: c, host: d.e, port: 1, protocol: TLS, originate: 2 }, \
         { name: c, host: d.e, port: 1, protocol: UDP, addresses: [f] }] }",
    );
    for part in [
        "`a.b` is no name of one word",
        "`*.b` is no name of one host",
        "the gateway originates TLS for HTTP only, not for TLS",
        "`f` is no address",
        "UDP",
        "two hosts have the name `c`",
        "two hosts have the host `d.e`",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
}

fn sound(target: &str, manifest: &Manifest, of: Target) {
    let Manifest { name, text } = manifest;
    assert!(text.ends_with('\n') && !text.contains("None") && !text.contains("undefined"), "{target}/{name}:\n{text}");
    assert!(
        text.lines().all(|line| line.trim_end() == line),
        "{target}/{name} has spaces at the end of a line:\n{text}"
    );
    if !name.ends_with(".yaml") {
        return;
    }
    let documents = document::yaml(name, text).unwrap_or_else(|problems| panic!("{target}/{name}: {problems}\n{text}"));
    let whole = !matches!(*name, "house-patch.yaml" | "house-injection.yaml");
    if matches!(of, Target::Istio | Target::EnvoyGateway) && whole {
        for document in documents {
            let entries = document.entries(&mut document::Problems::default()).unwrap().to_vec();
            for key in ["apiVersion", "kind", "metadata"] {
                assert!(entries.iter().any(|entry| entry.key == key), "{target}/{name} lacks `{key}`:\n{text}");
            }
        }
    }
}

#[test]
fn the_cluster_of_the_house_is_watched_in_every_form() {
    for (target, values, _) in EXAMPLES {
        let values = example(values);
        let all: String = render(target, &values, None).unwrap().into_iter().map(|manifest| manifest.text).collect();
        if target == Target::EnvoyGateway {
            continue;
        }
        assert!(all.contains("connection_keepalive: { interval: 5s, timeout: 2s }"), "{all}");
        let mesh = target == Target::Istio && values.shape == "independent";
        let words = if mesh {
            ["connectTimeout: 1s", "consecutive5xxErrors: 3", "mode: ISTIO_MUTUAL"]
        } else {
            ["connect_timeout: 1s", "consecutive_5xx: 3", "connection_keepalive"]
        };
        assert!(words.iter().all(|word| all.contains(word)), "{words:?}:\n{all}");
    }
}

#[test]
fn wrong_values_are_all_told_with_their_places() {
    let text = "shap: beside\nname: Gate House\ngateway: { labels: 3, trustedProxies: 17, http: 0 }\n\
                module: { url: gate.wasm, sha256: abc }\nhouse: { socket: run/house.sock, memory: lots }\n\
                routes: [{ name: a, hosts: [\"http://a\"] }]\n";
    let told = said(text);
    for part in [
        "values.yaml:1:1: unknown field `shap` in the values; did you mean `shape`?",
        "`Gate House` is no name",
        "17",
        "`gate.wasm` is no place of a module",
        "`abc` is no SHA-256",
        "`run/house.sock` is no path",
        "`lots` is no quantity",
        "`http://a` is no host",
        "service",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
}

#[test]
fn what_a_target_lacks_is_told() {
    let values = |text: &str| Values::parse("values", text).unwrap();
    let (message, help) = Target::EnvoyGateway.lacks(&values("")).unwrap();
    assert!(message.contains("module.url") && help.contains("oci://"));
    assert!(Target::Istio.lacks(&values("shape: independent")).is_some());
    assert!(Target::Istio.lacks(&values("")).is_none());
    let outside = "egress: { hosts: [{ name: a, host: a.b, port: 1, protocol: TCP }] }";
    let lacks = |text: &str| Target::Istio.lacks(&values(&format!("{text}\n{outside}"))).unwrap().0;
    assert!(lacks("").contains("house of its own"));
    assert!(lacks("shape: independent\nmodule: { url: \"oci://a/b\" }").contains("`module.tcp` is missing"));
    let fetched = "istio: { kind: EnvoyFilter }\nmodule: { url: \"oci://a/b\" }";
    assert!(Target::Istio.lacks(&values(fetched)).is_some());
}

#[test]
fn an_inline_policy_trusts_as_many_proxies_as_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  client: { address: { from: x-forwarded-for, hops: 2 } }\n  rules: [{ name: a, match: { path: /a }, then: block }]\n";
    std::fs::write(&path, policy).unwrap();
    let values = |hops| Values::parse("values", &format!("gateway: {{ trustedProxies: {hops} }}")).unwrap();
    let json = inline::read(&path, &values(2)).unwrap();
    let text = render(Target::Envoy, &values(2), Some(&json)).unwrap().remove(0).text;
    assert!(text.contains("\"policy\": {") && text.contains("xff_num_trusted_hops: 2"), "{text}");
    let Err(inline::Wrong::Problems(problems)) = inline::read(&path, &values(1)) else { panic!("it is refused") };
    assert!(problems[0].message.contains("trusts 2 proxies and `gateway.trustedProxies` is 1"), "{problems:?}");
}

proptest! {
    /// Whatever a value is, YAML reads it as that very text.
    #[test]
    fn a_value_is_read_as_it_was_written(text in "\\PC{0,40}|[0-9a-fxoe+.:_~-]{1,12}|true|No|~|null") {
        let mut environment = environment().unwrap();
        environment.add_template("one", "key: {{ text }}\n").unwrap();
        let written = environment.get_template("one").unwrap().render(minijinja::context! { text => text.as_str() }).unwrap();
        // Our own reader refuses what YAML 1.1 and 1.2 read differently, so it must not have to.
        let documents = document::yaml("one", &written).unwrap_or_else(|problems| panic!("{problems}: {written}"));
        let mut problems = document::Problems::default();
        let entries = documents[0].entries(&mut problems).unwrap();
        prop_assert_eq!(entries[0].value.string(&mut problems), Some(text.as_str()), "{}", written);
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = include_str!("../../../deploy/helm/gatehouse/Chart.yaml");
    for word in ["version", "appVersion"] {
        let line = format!("\n{word}: {}\n", env!("CARGO_PKG_VERSION"));
        assert!(chart.contains(&line), "{word} in Chart.yaml");
    }
}
