use serde_json::json;

use super::*;

/// A gateway as `deploy/envoy/envoy.yaml` makes it, cut to what is looked at.
fn config() -> Value {
    let filter = |name: &str, kind: &str, more: Value| {
        let mut config = json!({ "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}") });
        config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        json!({ "name": name, "typed_config": config })
    };
    let bootstrap = json!({ "house": { "cluster": "gatehouse", "authority": "gatehouse" } }).to_string();
    json!({ "configs": [
        { "static_listeners": [{ "listener": { "filter_chains": [{ "filters": [{ "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "http_filters": [
                filter("peer", "set_filter_state.v3.Config", json!({ "on_request_headers": [{ "object_key": "gatehouse.peer" }] })),
                filter("gate", "wasm.v3.Wasm", json!({ "config": {
                    "root_id": "gatehouse", "failure_policy": "FAIL_RELOAD", "configuration": { "value": bootstrap },
                    "vm_config": { "code": { "local": { "filename": "/gate.wasm" } } },
                } })),
                filter("envoy.filters.http.router", "router.v3.Router", json!({})),
            ],
        } }] }] } }] },
        { "static_clusters": [{ "cluster": {
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "gatehouse", "connect_timeout": "1s",
            "outlier_detection": {},
            "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "explicit_http_config": { "http2_protocol_options": { "connection_keepalive": { "interval": "5s" } } },
            } },
        } }] },
    ] })
}

fn stats() -> Value {
    let stat = |name: &str, value: u64| json!({ "name": format!("wasmcustom.{name}"), "value": value });
    json!({ "stats": [stat("gatehouse_gate_seen_total", 9), stat("gatehouse_streams_opened_total", 2),
        stat("gatehouse_streams_closed_total", 0), { "histograms": {} }] })
}

fn house() -> Value {
    json!({ "version": "0.1.0", "gates": null, "policy": { "revision": 3, "workers": 2, "workers_current": 2, "problems": [] },
        "books": { "total": { "difference": 0, "stored": 9 } }, "sinks": [{ "name": "events", "problem": null }] })
}

fn facts(config: Value) -> Facts {
    let server = json!({ "version": "abc/1.40.0/Clean/RELEASE/BoringSSL" });
    Facts {
        server: Some(server),
        config: Some(config),
        stats: Some(stats()),
        house: Some(Ok(house())),
        ..Facts::default()
    }
}

/// The check that is wrong, and what to type next.
fn wrong(facts: &Facts) -> Vec<(&'static str, String)> {
    let report = Report::of(facts);
    let wrong = report.findings.into_iter().filter(|finding| finding.state == State::Wrong);
    wrong.map(|finding| (finding.check, finding.next.unwrap())).collect()
}

#[test]
fn a_sound_gateway_has_nothing_wrong() {
    let report = Report::of(&facts(config()));
    assert!(report.ok && report.findings.len() > 10, "{report:#?}");
    let mut text = Vec::new();
    report.write(&mut text, Paint::none()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("ok       Envoy: 1.40.0\n") && text.ends_with("checks, 0 wrong, 0 unknown\n"), "{text}");
}

#[test]
fn each_fault_is_named_with_what_to_do() {
    let filters = "/configs/0/static_listeners/0/listener/filter_chains/0/filters/0/typed_config/http_filters";
    let cluster = "/configs/1/static_clusters/0/cluster";
    type Fault<'f> = (&'f str, &'f str, &'f dyn Fn(&mut Value));
    let faults: [Fault<'_>; 8] = [
        ("gate", "gatehouse render", &|config| {
            drop(config.pointer_mut(filters).unwrap().as_array_mut().unwrap().remove(1))
        }),
        ("direct peer", "set_filter_state", &|config| {
            drop(config.pointer_mut(filters).unwrap().as_array_mut().unwrap().remove(0))
        }),
        ("after a trap", "FAIL_RELOAD", &|config| {
            config.pointer_mut(filters).unwrap()[1]["typed_config"]["config"]["failure_policy"] = json!("FAIL_CLOSED")
        }),
        ("place", "phase: AUTHZ", &|config| {
            config
                .pointer_mut(filters)
                .unwrap()
                .as_array_mut()
                .unwrap()
                .insert(2, json!({ "name": "envoy.filters.http.jwt_authn" }));
        }),
        ("place", "the last filter", &|config| {
            drop(config.pointer_mut(filters).unwrap().as_array_mut().unwrap().pop())
        }),
        ("house's cluster", "mesh.yaml", &|config| config.pointer_mut(cluster).unwrap()["name"] = json!("other")),
        ("house's cluster", "the cluster of", &|config| {
            config.pointer_mut(cluster).unwrap()["connect_timeout"] = json!("5s")
        }),
        ("authority", "gatehouse", &|config| {
            let bootstrap = json!({ "house": { "cluster": "gatehouse", "authority": "outbound|1||a" } }).to_string();
            config.pointer_mut(filters).unwrap()[1]["typed_config"]["config"]["configuration"]["value"] =
                json!(bootstrap);
        }),
    ];
    for (check, next, spoil) in faults {
        let mut config = config();
        spoil(&mut config);
        let found = wrong(&facts(config));
        assert!(found.len() == 1 && found[0].0 == check && found[0].1.contains(next), "{check}: {found:?}");
    }
}

#[test]
fn what_is_wrong_at_home_or_does_not_flow_is_named() {
    let spoiled = |spoil: &dyn Fn(&mut Facts)| {
        let mut facts = facts(config());
        spoil(&mut facts);
        wrong(&facts).into_iter().map(|(check, _)| check).collect::<Vec<_>>()
    };
    let at_home = |path: &'static str, value: Value| {
        spoiled(&move |facts| {
            let house = facts.house.as_mut().unwrap().as_mut().unwrap();
            *house.pointer_mut(path).unwrap() = value.clone();
        })
    };
    assert_eq!(at_home("/policy/workers_current", json!(1)), ["policy"]);
    assert_eq!(at_home("/policy/workers", json!(0)), ["workers"]);
    assert_eq!(at_home("/policy/revision", json!(0)), ["policy"]);
    assert_eq!(at_home("/policy/problems", json!([1])), ["policy folder"]);
    assert_eq!(at_home("/books/total/difference", json!(1)), ["records"]);
    assert_eq!(at_home("/sinks/0/problem", json!("trust material (/a): gone")), ["sink"]);
    assert_eq!(at_home("/gates", json!({ "waiting": "trust material (/a)" })), ["door for gates"]);
    assert_eq!(spoiled(&|facts| facts.house = Some(Err("nobody".into()))), ["house"]);
    assert_eq!(spoiled(&|facts| facts.stats = Some(json!({ "stats": [] }))), ["requests", "stream to the house"]);
    assert_eq!(spoiled(&|facts| facts.server = Some(json!({ "version": "a/1.35.9/x" }))), ["Envoy"]);
}

#[test]
fn the_gate_is_found_where_istio_puts_it() {
    let mut config = config();
    let filters = "/configs/0/static_listeners/0/listener/filter_chains/0/filters/0/typed_config/http_filters";
    let gate = config.pointer_mut(filters).unwrap()[1]["typed_config"].take();
    let name = "extensions.istio.io/wasmplugin/istio-system.gatehouse";
    config.pointer_mut(filters).unwrap()[1] = json!({ "name": name, "config_discovery": {} });
    config["configs"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "ecds_filters": [{ "ecds_filter": { "name": name, "typed_config": gate } }] }));
    assert!(Report::of(&facts(config)).ok);
}

#[test]
fn the_peer_may_be_told_once_a_connection() {
    let mut config = config();
    let filters = "/configs/0/static_listeners/0/listener/filter_chains/0/filters";
    config.pointer_mut(&format!("{filters}/0/typed_config/http_filters")).unwrap().as_array_mut().unwrap().remove(0);
    assert_eq!(wrong(&facts(config.clone())).len(), 1);
    let told = json!({ "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
        "on_new_connection": [{ "object_key": "gatehouse.peer" }],
    } });
    let mut late = config.clone();
    late.pointer_mut(filters).unwrap().as_array_mut().unwrap().push(told.clone());
    assert_eq!(wrong(&facts(late)).len(), 1, "after the manager it comes too late");
    config.pointer_mut(filters).unwrap().as_array_mut().unwrap().insert(0, told);
    assert!(Report::of(&facts(config)).ok);
}

#[test]
fn a_strangers_text_moves_no_cursor_and_nothing_makes_it_panic() {
    let server = json!({ "version": "abc/\u{1b}[31m1.2/x" });
    let report = Report::of(&Facts { server: Some(server), ..Facts::default() });
    let mut text = Vec::new();
    report.write(&mut text, Paint::none()).unwrap();
    assert!(!String::from_utf8(text).unwrap().contains('\u{1b}'));
    for odd in
        [json!(null), json!([]), json!({ "configs": 3 }), json!({ "@type": 1, "http_filters": {} }), json!("text")]
    {
        let all = Facts {
            server: Some(odd.clone()),
            config: Some(odd.clone()),
            stats: Some(odd.clone()),
            house: Some(Ok(odd)),
            ..Facts::default()
        };
        assert!(!Report::of(&all).findings.is_empty());
    }
}

fn values(text: &str) -> Values {
    Values::parse("values", text).unwrap()
}

#[test]
fn envoy_trusts_as_many_proxies_as_the_values_say_and_runs_their_module() {
    let manager = "/configs/0/static_listeners/0/listener/filter_chains/0/filters/0/typed_config";
    let mut two = config();
    two.pointer_mut(manager).unwrap().as_object_mut().unwrap().insert("xff_num_trusted_hops".into(), json!(2));
    let held = |config: Value, text: &str| wrong(&Facts { values: Some(values(text)), ..facts(config) });
    assert!(held(config(), "").is_empty() && held(two.clone(), "gateway: { trustedProxies: 2 }").is_empty());
    assert_eq!(held(two, "").first().map(|(check, _)| *check), Some("trusted proxies"));
    assert_eq!(
        held(config(), "gateway: { trustedProxies: 1 }").first().map(|(check, _)| *check),
        Some("trusted proxies")
    );

    let digest = "a".repeat(64);
    let with = |values_say: &str| {
        let values = values(&format!("module: {{ url: file:///gate.wasm, sha256: {values_say} }}"));
        let digests = BTreeMap::from([("/gate.wasm".to_owned(), digest.clone())]);
        wrong(&Facts { values: Some(values), digests, ..facts(config()) })
    };
    assert!(with(&digest).is_empty());
    assert_eq!(with(&"b".repeat(64)).first().map(|(check, _)| *check), Some("module"));
}

/// A cluster in which everything is there.
fn cluster() -> Cluster {
    let names = ["wasmplugins.extensions.istio.io", "envoyfilters.networking.istio.io"];
    let definitions: Vec<_> = names.map(|name| json!({ "metadata": { "name": name } })).to_vec();
    let image = json!([{ "image": "docker.io/istio/pilot:1.31.1-distroless" }]);
    Cluster {
        version: Ok(json!({ "serverVersion": { "gitVersion": "v1.37.2" } })),
        definitions: Ok(json!({ "items": definitions })),
        istiod: Ok(json!({ "items": [{ "spec": { "template": { "spec": { "containers": image } } } }] })),
        gateway: Ok(
            json!({ "spec": { "template": { "metadata": { "labels": { "istio": "ingressgateway", "app": "x" } } } } }),
        ),
        rights: cluster::rights(&values("")).into_iter().map(|right| (right, Ok(true))).collect(),
    }
}

#[test]
fn a_cluster_is_looked_at_before_the_installation() {
    let judged = |cluster: &Cluster, text: &str| {
        let report = Report::before(cluster, &values(text));
        let wrong = report.findings.into_iter().filter(|finding| finding.state == State::Wrong);
        wrong.map(|finding| (finding.check, finding.next.unwrap())).collect::<Vec<_>>()
    };
    assert!(judged(&cluster(), "").is_empty(), "{:?}", judged(&cluster(), ""));
    type Fault<'f> = (&'f str, &'f str, &'f dyn Fn(&mut Cluster));
    let faults: [Fault<'_>; 7] = [
        ("Kubernetes", "kubectl cluster-info", &|cluster| cluster.version = Err("refused".into())),
        ("Kubernetes", "1.28", &|cluster| {
            cluster.version = Ok(json!({ "serverVersion": { "gitVersion": "v1.27.9" } }))
        }),
        ("Istio", "EnvoyFilter", &|cluster| {
            let image = cluster.istiod.as_mut().unwrap().pointer_mut("/items/0/spec/template/spec/containers/0/image");
            *image.unwrap() = json!("istio/pilot:1.20.3@sha256:0");
        }),
        ("resource definitions", "TrafficExtension", &|cluster| {
            drop(cluster.definitions.as_mut().unwrap()["items"].as_array_mut().unwrap().remove(0))
        }),
        ("permissions", "kubectl auth can-i patch deployments.apps -n istio-system", &|cluster| {
            cluster.rights.last_mut().unwrap().1 = Ok(false)
        }),
        ("gateway", "kubectl get deployments", &|cluster| cluster.gateway = Err("not found".into())),
        ("gateway", "gateway.labels", &|cluster| {
            cluster.gateway.as_mut().unwrap()["spec"]["template"]["metadata"]["labels"] = json!({ "istio": "other" })
        }),
    ];
    for (check, next, spoil) in faults {
        let mut cluster = cluster();
        spoil(&mut cluster);
        let found = judged(&cluster, "");
        assert!(found.len() == 1 && found[0].0 == check && found[0].1.contains(next), "{check}: {found:?}");
    }
    let mut told = cluster();
    told.gateway.as_mut().unwrap()["spec"]["template"]["metadata"]["annotations"] =
        json!({ "proxy.istio.io/config": "gatewayTopology:\n  numTrustedProxies: 2\n" });
    assert_eq!(judged(&told, "").first().map(|(check, _)| *check), Some("trusted proxies"));
    assert!(judged(&told, "gateway: { trustedProxies: 2 }").is_empty());
    // Of a stranger's cluster anything may come.
    for odd in [json!(null), json!([]), json!({ "items": 3 }), json!("text")] {
        let all = Cluster {
            version: Ok(odd.clone()),
            definitions: Ok(odd.clone()),
            istiod: Ok(odd.clone()),
            gateway: Ok(odd),
            rights: Vec::new(),
        };
        assert!(!Report::before(&all, &values("")).findings.is_empty());
    }
}

/// A module that Istio's agent could not fetch: what it puts there under the module's name.
fn unfetched(mut config: Value, stand_in: Value) -> Value {
    let filters = "/configs/0/static_listeners/0/listener/filter_chains/0/filters/0/typed_config/http_filters";
    let name = "extensions.istio.io/wasmplugin/istio-ingress.gatehouse";
    config.pointer_mut(filters).unwrap()[1] = json!({ "name": name, "config_discovery": {} });
    let found = json!({ "ecds_filters": [{ "ecds_filter": { "name": name, "typed_config": stand_in } }] });
    config["configs"].as_array_mut().unwrap().push(found);
    config
}

#[test]
fn what_stands_for_an_unfetched_module_is_told_from_the_gate() {
    let rbac = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
    let said = |stand_in: Value| {
        let report = Report::of(&facts(unfetched(config(), stand_in)));
        let wrong = report.findings.into_iter().filter(|finding| finding.state == State::Wrong);
        wrong.map(|finding| (finding.check, finding.said)).collect::<Vec<_>>()
    };
    let [("module", denies)] = &said(json!({ "@type": rbac, "rules": {} }))[..] else { panic!("one thing is wrong") };
    assert!(denies.contains("RBAC: access denied") && denies.contains("gatehouse"), "{denies}");
    let [("module", allows)] = &said(json!({ "@type": rbac }))[..] else { panic!("one thing is wrong") };
    assert!(allows.contains("every request passes without it"), "{allows}");
    let [("module", awaited)] = &said(Value::Null)[..] else { panic!("one thing is wrong") };
    assert!(awaited.contains("its listener waits"), "{awaited}");
    // The same body by Envoy's own filter beside a gate that is there.
    let mut both = facts(config());
    let denied = json!({ "name": "http.ingress.rbac.denied", "value": 3 });
    both.stats.as_mut().unwrap()["stats"].as_array_mut().unwrap().push(denied);
    let report = Report::of(&both);
    let refusals = report.findings.iter().find(|finding| finding.check == "refusals").unwrap();
    assert!(report.ok && refusals.said.starts_with("0 by the gate, 3 by Envoy's RBAC filter"), "{refusals:?}");
}

/// A gate before a TCP service and nothing else.
fn front(early: bool, bootstrap: &Value) -> Value {
    let mut proxy = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "orders",
    });
    if early {
        proxy["max_early_data_bytes"] = json!(4096);
    }
    let mut config = config();
    let filters = config.pointer_mut("/configs/0/static_listeners/0/listener/filter_chains/0/filters").unwrap();
    let mut gate = filters[0]["typed_config"]["http_filters"][1].clone();
    gate["typed_config"]["@type"] = json!("type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm");
    gate["typed_config"]["config"]["configuration"]["value"] = json!(bootstrap.to_string());
    *filters = json!([gate, { "name": "tcp", "typed_config": proxy }]);
    config
}

#[test]
fn a_gate_before_a_tcp_service_must_be_able_to_wait() {
    let house = json!({ "cluster": "gatehouse", "authority": "gatehouse" });
    let waits = json!({ "house": house });
    let at_once = json!({ "house": house, "tcp": { "decides": "atFirstData" } });
    assert_eq!(wrong(&facts(front(true, &waits))), []);
    assert_eq!(wrong(&facts(front(false, &at_once))), []);
    let stuck = wrong(&facts(front(false, &waits)));
    assert!(
        stuck.len() == 1 && stuck[0].0 == "connections" && stuck[0].1.contains("max_early_data_bytes"),
        "{stuck:?}"
    );
    // A module that never came is called by its own name, not by that of the service.
    let mut unfetched = front(true, &waits);
    let filters = "/configs/0/static_listeners/0/listener/filter_chains/0/filters";
    let name = "extensions.istio.io/wasmplugin/istio-ingress.gatehouse";
    let rbac = json!({ "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC", "rules": {} });
    unfetched.pointer_mut(filters).unwrap()[0] = json!({ "name": name, "typed_config": rbac });
    let report = Report::of(&facts(unfetched));
    let module = report.findings.iter().find(|finding| finding.check == "module").unwrap();
    assert!(module.said.contains(name) && module.said.contains("every connection is refused"), "{module:?}");
    let far = json!({ "house": { "cluster": "elsewhere", "authority": "gatehouse" } });
    assert_eq!(
        wrong(&facts(front(true, &far))).into_iter().map(|(check, _)| check).collect::<Vec<_>>(),
        ["house's cluster"]
    );
}
