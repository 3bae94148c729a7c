//! The chart: it makes what `gatehouse render` makes, the real API server takes it by its strictest rules for every sample and switch, and
//! installed from a repository, upgraded and rolled back it guards a real gateway without one failed request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gatehouse_mesh::traffic::get;
use gatehouse_mesh::{Agent, Apps, Helm, Istiod, Kube, NAMESPACE, Traffic, agent, helm, tool};
use gatehouse_support::house::Setup;
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};

const HOST: &str = "shop.example.com";
const HTTP: u16 = 18080;
const REGISTRY: &str = "127.0.0.1:15555";
const SOON: Duration = Duration::from_secs(60);

type Objects = BTreeMap<String, Value>;

/// Manifests as the API server would keep them, by kind and name, without what tells who brought them.
fn kept(kube: &Kube, manifests: &str) -> Objects {
    let dry = ["apply", "--server-side", "--validate=strict", "--dry-run=server", "-o", "json", "-f", "-"];
    let said: Value = serde_json::from_str(&kube.kubectl_with(&dry, manifests)).expect("JSON");
    let items = said["items"].as_array().cloned().unwrap_or_else(|| vec![said]);
    let mut objects = Objects::new();
    for mut item in items.into_iter().filter(|item| item["kind"] != "Namespace") {
        let name = format!(
            "{}/{}",
            item["kind"].as_str().expect("a kind"),
            item["metadata"]["name"].as_str().expect("a name")
        );
        forget(&mut item);
        read(&mut item);
        assert!(objects.insert(name.clone(), item).is_none(), "{name} is there twice");
    }
    objects
}

fn forget(item: &mut Value) {
    if let Some(object) = item.as_object_mut() {
        object.remove("status");
    }
    for path in ["/metadata", "/spec/template/metadata"] {
        let Some(metadata) = item.pointer_mut(path).and_then(Value::as_object_mut) else { continue };
        metadata.retain(|field, _| ["name", "namespace", "labels", "annotations"].contains(&field.as_str()));
        for field in ["labels", "annotations"] {
            if let Some(entries) = metadata.get_mut(field).and_then(Value::as_object_mut) {
                // The house's pods are known by this one label, the chart's objects carry it too.
                let ours = |key: &str| path != "/metadata" || !key.starts_with("app.kubernetes.io/");
                entries.retain(|key, _| ours(key) && !key.starts_with("helm.sh/") && key != "gatehouse.dev/config");
            }
        }
        metadata.retain(|_, value| value.as_object().is_none_or(|entries| !entries.is_empty()));
    }
    // Addresses that the dry run made up.
    if let Some(spec) = item.get_mut("spec").and_then(Value::as_object_mut) {
        for made in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
            spec.remove(made);
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            port.as_object_mut().map(|port| port.remove("nodePort"));
        }
    }
}

/// Texts that are JSON, such as the gate's bootstrap, become what they mean.
fn read(value: &mut Value) {
    match value {
        Value::Object(object) => object.values_mut().for_each(read),
        Value::Array(list) => list.iter_mut().for_each(read),
        Value::String(text) if text.starts_with('{') => {
            *value = serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
        }
        _ => {}
    }
}

/// What a house's configuration means.
fn meaning(text: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file");
    let mut command = Command::new(parts::house());
    let done = command.args(["run", "--print-config", "--config"]).arg(file.path()).output().expect("gatehouse");
    assert!(done.status.success(), "{text}\n{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn rendered(values: &Path) -> Vec<(String, String)> {
    let done =
        Command::new(parts::house()).args(["render", "istio", "--json"]).arg(values).output().expect("gatehouse");
    let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let manifests = said["manifests"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    manifests.iter().map(|one| (text(&one["name"]), text(&one["text"]))).collect()
}

async fn cluster() -> Kube {
    let kube = Kube::start().await.with_resources().await;
    for namespace in ["ingress", "gatehouse"] {
        kube.kubectl(&["create", "namespace", namespace]);
    }
    let more = tool("GATEHOUSE_CRDS").join("prometheus-operator.yaml").display().to_string();
    kube.kubectl(&["apply", "--server-side", "-f", &more]);
    kube.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    kube
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_makes_what_render_makes() {
    let kube = cluster().await;
    let helm = Helm::new(&kube);
    let folder = parts::root().join("deploy/values");
    let mut compared = 0;
    for form in ["beside", "envoy-filter", "gateway-api", "independent"] {
        let values = folder.join(format!("istio-{form}.yaml"));
        let manifests = rendered(&values);
        let whole =
            |(name, _): &&(String, String)| !["house-patch.yaml", "house-injection.yaml"].contains(&name.as_str());
        let texts: Vec<&str> = manifests.iter().filter(whole).map(|(_, text)| text.as_str()).collect();
        let mut expected = kept(&kube, &texts.join("\n---\n"));
        let beside = ["beside", "envoy-filter"].contains(&form);
        let sets: &[&str] = if beside { &["gateway.create=true"] } else { &[] };
        let mut made = kept(&kube, &helm.template(&[&values], sets));
        for objects in [&mut expected, &mut made] {
            let config = &mut objects.get_mut("ConfigMap/gatehouse-house").expect("the house's configuration")["data"]
                ["house.yaml"];
            *config = meaning(config.as_str().expect("a text")).into();
            let policies = &mut objects.get_mut("ConfigMap/gatehouse-policies").expect("policies")["data"];
            policies.as_object_mut().expect("documents").values_mut().for_each(|text| {
                *text = text.as_str().expect("a text").trim().into();
            });
        }
        let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&made), names(&expected), "{form}");
        for (name, object) in &expected {
            assert_eq!(made.get(name), Some(object), "{form}: {name}");
            compared += 1;
        }
        if beside {
            same_patch(&kube, &helm, &values, &manifests);
        }
    }
    println!("{compared} objects are the same");
    assert!(compared > 40, "only {compared}");
}

/// A Deployment with the chart's patch is the one with ours.
fn same_patch(kube: &Kube, helm: &Helm, values: &Path, manifests: &[(String, String)]) {
    kube.deploy("patched", ("a", "b"), "proxy");
    let patched = |patch: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), patch).expect("a file");
        let path = file.path().display().to_string();
        let patch = [
            "-n",
            NAMESPACE,
            "patch",
            "deployment",
            "patched",
            "--dry-run=server",
            "-o",
            "json",
            "--patch-file",
            &path,
        ];
        let said: Value = serde_json::from_str(&kube.kubectl(&patch)).expect("JSON");
        said["spec"].clone()
    };
    let maps = kept(kube, &helm.template(&[values], &[]));
    let chart = maps["ConfigMap/gatehouse-patch"]["data"]["patch.yaml"].as_str().expect("a patch").to_owned();
    let ours =
        manifests.iter().find(|(name, _)| name == "house-patch.yaml").map(|(_, text)| text.as_str()).expect("a patch");
    assert_eq!(patched(&chart), patched(ours), "{}", values.display());
}

fn samples() -> Vec<PathBuf> {
    let folder = parts::root().join("deploy/helm/samples");
    let entries = std::fs::read_dir(folder).expect("samples");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_takes_it_for_every_sample_shape_and_switch() {
    let kube = cluster().await;
    let helm = Helm::new(&kube);
    helm.run(&["lint", "--strict", &helm::chart()]);
    let mut taken = 0;
    let mut take = |files: &[&Path], sets: &[&str]| {
        let manifests = helm.template(files, sets);
        let objects = kept(&kube, &manifests);
        assert!(objects.len() >= 5, "{sets:?}: {:?}", objects.keys());
        meaning(objects["ConfigMap/gatehouse-house"]["data"]["house.yaml"].as_str().expect("a text"));
        for (name, object) in &objects {
            house_is_held_down(name, object);
        }
        taken += objects.len();
    };
    for sample in samples() {
        take(&[&sample], &[]);
        helm.run(&["lint", "--strict", &helm::chart(), "--values", &sample.display().to_string()]);
    }
    let shapes: [&[&str]; 3] = [
        &["gateway.patched=true"],
        &["gateway.create=true"],
        &["shape=independent", "module.url=oci://registry.example/gate:1"],
    ];
    let switches: [&[&str]; 8] = [
        &[],
        &["istio.kind=TrafficExtension", "gateway.trustedProxies=3", "gateway.proxyProtocol=true"],
        &["gateway.target=public", "module.onFailure=close", "house.whenNoPolicy=block"],
        &["kafka.brokers={k-0.example:9093,k-1.example:9093}", "kafka.tls.secret=client", "kafka.behind=hold"],
        &[
            "kafka.brokers={k-0.example:9093}",
            "kafka.tls.configMap=client",
            "policies.configMaps={a,b}",
            "policies.starter=false",
        ],
        &[
            "serviceMonitor.enabled=true",
            "prometheusRule.enabled=true",
            "dashboard.enabled=true",
            "serviceMonitor.labels.release=p",
        ],
        &[
            "podDisruptionBudget.enabled=false",
            "networkPolicy.enabled=false",
            "house.pullSecret=r",
            "module.pullSecret=r",
        ],
        &[
            "house.nodeSelector.pool=edge",
            "house.priorityClassName=high",
            "house.storageClass=fast",
            "house.podAnnotations.a=b",
        ],
    ];
    for shape in shapes {
        for switch in switches {
            take(&[], &[shape, switch].concat());
        }
    }
    take(&[], &["istio.kind=EnvoyFilter", "gateway.patched=true"]);
    println!("{taken} objects taken");
    // A gate whose module is not there yet would be answered with 500.
    let held: Vec<String> = kept(&kube, &helm.template(&[], &[])).into_keys().collect();
    assert!(!held.iter().any(|name| name.starts_with("WasmPlugin")), "{held:?}");
}

/// Nobody's root, nothing written but to its volumes, a memory limit of its own; beside a gateway no probe can take the pod out of its Service.
fn house_is_held_down(name: &str, object: &Value) {
    let spec = &object["spec"]["template"]["spec"];
    for container in
        ["initContainers", "containers"].iter().flat_map(|list| spec[list].as_array().cloned().unwrap_or_default())
    {
        if container["name"] == "istio-proxy" {
            continue;
        }
        let rights = &container["securityContext"];
        assert_eq!(
            (&rights["runAsNonRoot"], &rights["readOnlyRootFilesystem"]),
            (&true.into(), &true.into()),
            "{name}"
        );
        assert_eq!(rights["capabilities"]["drop"][0], "ALL", "{name}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        let probed = !container["readinessProbe"].is_null() || !container["livenessProbe"].is_null();
        assert_eq!(probed, name.starts_with("StatefulSet"), "{name}");
    }
}

/// A repository on loopback with two versions, and a registry with the second one.
fn repository(folder: &Path) -> (String, Process, Process) {
    let (url, server) = Helm::repository(folder, &["0.1.0", "0.2.0"]);
    let mut registry = Command::new(tool("GATEHOUSE_CRANE"));
    registry.args(["registry", "serve", "--address", REGISTRY, "--disk"]).arg(folder.join("registry"));
    std::fs::create_dir(folder.join("registry")).expect("a folder");
    let registry = Process::start("the registry", registry, &folder.join("registry.log"), Signal::KILL);
    (url, server, registry)
}

async fn oci(helm: &Helm, folder: &Path) {
    let layout = folder.join("oci").display().to_string();
    let to = format!("{REGISTRY}/charts/gatehouse:0.2.0");
    wait::until_true(SOON, "the registry to take the chart", || {
        let mut command = Command::new(tool("GATEHOUSE_CRANE"));
        let done = command.args(["push", "--insecure", &layout, &to]).output().expect("crane");
        async move { done.status.success() }
    })
    .await;
    let from = format!("oci://{REGISTRY}/charts/gatehouse");
    let into = folder.join("pulled");
    std::fs::create_dir(&into).expect("a folder");
    let into = into.display().to_string();
    helm.run(&["pull", &from, "--version", "0.2.0", "--plain-http", "--destination", &into]);
    let (pulled, packed) = (Path::new(&into).join("gatehouse-0.2.0.tgz"), folder.join("gatehouse-0.2.0.tgz"));
    assert!(std::fs::read(pulled).expect("the pulled chart") == std::fs::read(packed).expect("the packed chart"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_repository_it_is_installed_upgraded_and_rolled_back_and_no_request_fails() {
    let kube = Kube::start().await.with_resources().await;
    let setup = Setup::default();
    let (house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start(&kube));
    let helm = Helm::new(&kube);
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _server, _registry) = repository(folder.path());
    wait::until_true(SOON, "the repository to answer", || {
        let done = helm.try_run(&["repo", "add", "gatehouse", &url]);
        async move { done.status.success() }
    })
    .await;
    let found = helm.run(&["search", "repo", "gatehouse/gatehouse", "--versions"]);
    assert!(found.contains("0.1.0") && found.contains("0.2.0"), "{found}");
    oci(&helm, folder.path()).await;

    let policy = |mode: &str| {
        json!({
            "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "admin" },
            "spec": { "mode": mode, "rules": [{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }] },
        })
        .to_string()
    };
    let values = |mode: &str, on_failure: &str| {
        json!({
            "gateway": { "create": true, "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP },
            "module": { "url": format!("file://{}", parts::wasm().display()), "onFailure": on_failure },
            "house": { "socket": house.socket() },
            "routes": [{ "name": "page", "hosts": [HOST], "service": "productpage.default.svc.cluster.local", "port": 9080 }],
            "policies": { "documents": { "admin.yaml": policy(mode) } },
        })
    };
    let file = folder.path().join("values.yaml");
    let upgrade = |version: &str, values: Value| {
        std::fs::write(&file, values.to_string()).expect("a file");
        let file = file.display().to_string();
        let install = [
            "upgrade",
            "--install",
            helm::RELEASE,
            "gatehouse/gatehouse",
            "--namespace",
            "gatehouse",
            "--create-namespace",
        ];
        helm.run(&[&install[..], &["--version", version, "--values", &file]].concat())
    };
    let notes = upgrade("0.1.0", values("enforce", "reload"));
    assert!(notes.contains("NEXT") && notes.contains("gatehouse doctor"), "{notes}");
    kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
    mounted(&kube, &house);
    let _apps = Apps::start().await;
    let agent = Agent::start(&kube, &istiod, &[]).await;
    let is = |status: u16| async move { get(HTTP, HOST, "/admin/x").await.is_some_and(|reply| reply.status == status) };
    wait::until_true(SOON, "the installed policy to hold", || is(403)).await;
    wait::until_true(SOON, "the application to answer", || async {
        get(HTTP, HOST, "/productpage").await.is_some_and(|reply| reply.status == 200)
    })
    .await;

    let traffic = Traffic::start(HTTP, HOST, "/productpage");
    upgrade("0.2.0", values("monitor", "open"));
    mounted(&kube, &house);
    wait::until_true(SOON, "the upgraded policy to hold", || is(404)).await;
    wait::until_true(SOON, "the upgraded gate", || async { agent.page("/config_dump").await.contains("FAIL_OPEN") })
        .await;
    helm.run(&["rollback", helm::RELEASE, "1", "--namespace", "gatehouse"]);
    mounted(&kube, &house);
    wait::until_true(SOON, "the policy of before to hold", || is(403)).await;
    wait::until_true(SOON, "the gate of before", || async { agent.page("/config_dump").await.contains("FAIL_RELOAD") })
        .await;
    let history = helm.run(&["history", helm::RELEASE, "--namespace", "gatehouse"]);
    assert!(history.contains("Rollback to 1"), "{history}");
    traffic.assert_none_failed().await;
    agent.assert_nothing_refused().await;

    helm.run(&["uninstall", helm::RELEASE, "--namespace", "gatehouse"]);
    let left = kube.kubectl(&[
        "get",
        "wasmplugins,envoyfilters,configmaps,deployments,services",
        "-A",
        "-l",
        "app.kubernetes.io/name=gatehouse",
    ]);
    assert!(left.trim().is_empty() || left.contains("No resources"), "{left}");
}

/// What a node does with the mounted ConfigMap: its documents become the files of the house's folder.
fn mounted(kube: &Kube, house: &House) {
    let said = kube.kubectl(&["-n", NAMESPACE, "get", "configmap", "gatehouse-policies", "-o", "json"]);
    let map: Value = serde_json::from_str(&said).expect("JSON");
    for (name, text) in map["data"].as_object().expect("documents") {
        house.put_policy(name, text.as_str().expect("a text"));
    }
}
