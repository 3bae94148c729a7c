//! Detours that are found, detours that are none, and routes without them.

use super::*;
use crate::render::Values;

fn sample(name: &str) -> Source {
    let path = format!("{}/../deploy/migrate/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    Source { text: std::fs::read_to_string(&path).expect("a sample"), name: format!("{name}.yaml") }
}

fn plan(source: Source, proxies: &[&str]) -> Plan {
    let asked = Asked { proxies: proxies.iter().map(|&proxy| proxy.to_owned()).collect(), verdict: None };
    let values = Values::parse("values", "").expect("defaults");
    Plan::make(&[source], &asked, &values, "out").unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn text<'p>(plan: &'p Plan, path: &str) -> &'p str {
    let found = plan.manifests.iter().find(|(name, _)| name == path);
    &found.unwrap_or_else(|| panic!("`{path}` is not among {:?}", plan.manifests.iter().map(|one| &one.0))).1
}

#[test]
fn each_way_to_build_one_is_found_with_its_proxy_and_header() {
    let cases = [
        (
            "envoy-filter",
            vec![(Kind::InvertedHeader, "outbound|8080||defender.security.svc.cluster.local", Some("x-defender"))],
        ),
        (
            "virtual-service",
            vec![(Kind::DefaultDestination, "defender.security.svc.cluster.local:8080", Some("x-defender"))],
        ),
        (
            "service-entry",
            vec![
                (Kind::LoopbackServiceEntry, "defender.local", None),
                (Kind::DefaultDestination, "defender.local:8080", Some("x-defender")),
            ],
        ),
        ("tsb", vec![(Kind::SelectHeader, "defender.security.svc.cluster.local:8080", Some("x-defender"))]),
        ("aggregate", vec![(Kind::AggregateCluster, "defender", Some("x-defender"))]),
    ];
    for (name, expected) in cases {
        let plan = plan(sample(name), &["defender.security.svc.cluster.local"]);
        let found: Vec<_> =
            plan.found.iter().map(|one| (one.kind, one.proxy.as_str(), one.header.as_deref())).collect();
        assert_eq!(found, expected, "{name}");
        assert!(plan.found.iter().all(|one| !one.possible && one.place.starts_with(name)), "{plan:?}");
        assert_eq!(plan.steps.len(), 5, "{name}");
    }
}

/// A canary by header is built in the same way: whoever knows says so.
#[test]
fn routes_by_header_are_only_possibly_one_until_the_other_product_is_named() {
    for name in ["virtual-service", "tsb"] {
        let unnamed = plan(sample(name), &[]);
        assert!(unnamed.found.iter().all(|one| one.possible) && unnamed.found.len() == 1, "{unnamed:?}");
        assert!(unnamed.steps.is_empty() && unnamed.manifests.is_empty());
        let another = plan(sample(name), &["somebody.else"]);
        assert!(another.steps.is_empty(), "{another:?}");
    }
}

/// Applications may live on this machine too; nobody's entry goes because of that.
#[test]
fn an_entry_for_this_machine_is_part_of_a_detour_only_where_one_leads_there() {
    let entry = |host: &str| {
        format!(
            "kind: ServiceEntry\nmetadata: {{ name: a }}\nspec: {{ hosts: [{host}], endpoints: [{{ address: 127.0.0.1 }}] }}\n---\n"
        )
    };
    let text_of = entry("productpage.default.svc.cluster.local") + &sample("envoy-filter").text;
    let beside = plan(Source { name: "a".into(), text: text_of }, &[]);
    assert_eq!(beside.found.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::InvertedHeader]);
    assert!(!beside.manifests.iter().any(|(name, _)| name.starts_with("3-remove")), "{:?}", beside.steps);

    // A canary by header between two applications here.
    let canary = "kind: VirtualService\nmetadata: { name: c }\nspec:\n  http:\n    \
                  - match: [{ headers: { x-beta: { exact: a } } }]\n      route: [{ destination: { host: new.local } }]\n    \
                  - route: [{ destination: { host: old.local } }]\n";
    let text_of = entry("new.local") + &entry("old.local") + canary;
    let canary = plan(Source { name: "a".into(), text: text_of }, &[]);
    assert!(canary.found.iter().all(|one| one.possible) && canary.steps.is_empty(), "{canary:?}");
}

/// A step that names a file which is not made, or a gate without its module, would cost requests.
#[test]
fn nothing_is_made_where_the_gate_has_no_place_or_the_values_lack_its_module() {
    let refused = |source: Source, values: &str| {
        let values = Values::parse("values", values).expect("values");
        Plan::make(&[source], &Asked::default(), &values, "out").expect_err("refused").to_string()
    };
    let elsewhere =
        Source { text: sample("aggregate").text.replace("static_resources", "resources"), name: "e.yaml".into() };
    let said = refused(elsewhere, "");
    assert!(said.contains("e.yaml:2:1") && said.contains("no place for the gate"), "{said}");
    let said = refused(sample("envoy-filter"), "shape: independent");
    assert!(said.contains("`module.url` is missing"), "{said}");
    // A plain Envoy needs no module by URL; several have a file each.
    let both = [sample("aggregate"), Source { name: "second.yaml".into(), ..sample("aggregate") }];
    let values = Values::parse("values", "shape: independent").expect("values");
    let plan = Plan::make(&both, &Asked::default(), &values, "out").expect("a plan");
    assert_eq!(text(&plan, "undo/envoy.yaml"), text(&plan, "undo/envoy-2.yaml"));
}

#[test]
fn what_is_left_is_the_same_route_without_the_detour() {
    let by_default = plan(sample("virtual-service"), &["defender.security.svc.cluster.local"]);
    let switched = text(&by_default, "2-switch/virtualservice-istio-system-shop.yaml");
    assert!(!switched.contains("defender") && !switched.contains("match"), "{switched}");
    assert!(
        switched.contains("productpage.default.svc.cluster.local") && switched.contains("number: 9080"),
        "{switched}"
    );
    assert!(text(&by_default, "undo/virtualservice-istio-system-shop.yaml").contains("x-defender"));

    let bridge = plan(sample("tsb"), &["defender.security.svc.cluster.local"]);
    let switched = text(&bridge, "2-switch/ingressgateway-shop.yaml");
    assert!(!switched.contains("defender") && switched.contains("host: default/productpage"), "{switched}");
    assert!(bridge.steps[3].run[0].starts_with("tctl apply"), "{:?}", bridge.steps);

    let filter = plan(sample("envoy-filter"), &[]);
    assert!(filter.steps[3].run[0].starts_with("kubectl delete -f out/undo/"), "{:?}", filter.steps);

    let aggregate = plan(sample("aggregate"), &[]);
    let (beside, switched) = (text(&aggregate, "1-side-by-side/envoy.yaml"), text(&aggregate, "2-switch/envoy.yaml"));
    assert!(beside.contains("cluster: defender-or-application") && beside.contains("root_id: gatehouse"));
    assert!(!switched.contains("cluster: defender-or-application") && switched.contains("root_id: gatehouse"));
}

#[test]
fn the_rest_of_a_match_stays_and_other_rules_are_not_touched() {
    let text_of = "kind: VirtualService\nmetadata: { name: shop }\nspec:\n  http:\n    \
                - match: [{ uri: { prefix: /api }, headers: { x-defender: { exact: a }, x-beta: { exact: b } } }]\n      \
                  route: [{ destination: { host: api } }]\n    \
                - match: [{ uri: { prefix: /static } }]\n      route: [{ destination: { host: files } }]\n    \
                - route: [{ destination: { host: defender } }]\n";
    let plan = plan(Source { name: "a".into(), text: text_of.into() }, &["defender"]);
    let switched = text(&plan, "2-switch/virtualservice-shop.yaml");
    assert!(
        switched.contains("prefix: /api") && switched.contains("x-beta") && switched.contains("host: files"),
        "{switched}"
    );
    assert!(!switched.contains("defender"), "{switched}");
}

/// What `kubectl get -o yaml` adds goes, so that the same can be applied again.
#[test]
fn objects_out_of_a_cluster_can_be_applied_again() {
    let sample = sample("virtual-service").text;
    let inner: String =
        sample.lines().filter(|line| !line.starts_with('#')).map(|line| format!("    {line}\n")).collect();
    let list = format!("kind: List\nitems:\n  -\n{inner}").replace(
        "      namespace: istio-system\n",
        "      namespace: istio-system\n      resourceVersion: \"7\"\n      uid: abc\n      annotations: { kubectl.kubernetes.io/last-applied-configuration: x }\n",
    );
    let plan = plan(Source { name: "list".into(), text: list }, &["defender.security.svc.cluster.local"]);
    for path in ["undo/virtualservice-istio-system-shop.yaml", "2-switch/virtualservice-istio-system-shop.yaml"] {
        let text = text(&plan, path);
        assert!(!text.contains("resourceVersion") && !text.contains("uid") && !text.contains("last-applied"), "{text}");
    }
}

#[test]
fn what_is_written_is_read_back_as_the_same() {
    let texts = [
        "a: \"yes\"\nb: [1, 2.5, null, true, \"\", \"x: y\"]\nc: { d: [] , e: {} }\nf:\n  - - 1\n    - 2\n  - g: \"line\\nline\"\n",
        "- a\n- b: { c: d }\n- [[x]]\n",
    ];
    for text in texts {
        let read = |text: &str| gatehouse_policy::document::yaml("t", text).expect("YAML").remove(0);
        let (first, again) = (read(text), read(&tree::write([&read(text)])));
        assert_eq!(serde_json::Value::from(&first), serde_json::Value::from(&again), "{}", tree::write([&first]));
    }
}
